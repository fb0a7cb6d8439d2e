/* build_listeners.c - listeners: where the other parts come together. */
#include "base/err.h"
#include "build/build_int.h"

static int build_listener(struct ss_build_job *j, const struct ss_model_listener *m, struct ss_listener *l)
{
	int err = 0;
	*l = (struct ss_listener){
		.name = ss_build_name(j, m->name),
		.addr = m->addr,
		.protocol = (uint8_t)m->protocol,
		/* Each worker counts alone: its share, rounded up. */
		.max_connections = (m->max_connections + j->n_workers - 1) / j->n_workers,
		.http = m->http,
		.edge = m->edge,
		.line = m->src.line,
	};
	if (ss_build_tls_server(j, &m->tls, m->protocol, &l->tls) < 0)
		err = SS_ERR_CONFIG;
	if (ss_build_host_table(j, m, &l->hosts) < 0)
		err = SS_ERR_CONFIG;
	if (ss_build_authz(j, &m->authz, &l->authz) < 0)
		err = SS_ERR_CONFIG;
	if (ss_build_limit_list(j, &m->src, &m->limits, NULL, &l->limits) < 0)
		err = SS_ERR_CONFIG;
	return l->name ? err : SS_ERR_CONFIG;
}

int ss_build_listeners(struct ss_build_job *j)
{
	struct ss_listener *listeners = ss_build_array(j, j->model->n_listeners, sizeof(*listeners));
	int err = 0;
	if (!listeners)
		return SS_ERR_NO_MEM;
	for (uint32_t i = 0; i < j->model->n_listeners; i++)
		if (build_listener(j, &j->model->listeners[i], &listeners[i]) < 0)
			err = SS_ERR_CONFIG;
	j->snap->listeners = listeners;
	j->snap->n_listeners = j->model->n_listeners;
	return err;
}
