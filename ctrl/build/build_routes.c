/* build_routes.c - virtual hosts and their routes, compiled once for all listeners. */
#include "base/err.h"
#include "build/build_routes.h"

static void build_plain(struct ss_build_job *j, const struct ss_model_route *m, struct ss_route *r)
{
	*r = (struct ss_route){
		.name = ss_build_name(j, m->name),
		.line = m->src.line,
		.action = (uint8_t)m->action,
		.methods = m->methods,
		.token = (uint8_t)m->token,
		.direct_status = m->direct_status,
		.direct_body = ss_build_text(j, m->direct_body),
		.direct_type = ss_build_text(j, m->direct_type),
		.timeout_ns = m->timeout_ns,
		.idle_timeout_ns = m->idle_timeout_ns,
		.max_stream_ns = m->max_stream_ns,
		.priority = (uint8_t)m->priority,
	};
}

static int worse(int a, int b)
{
	return a == SS_ERR_NO_MEM || b >= 0 ? a : b;
}

/* What a host says for all of its routes. */
struct common {
	const struct ss_cors *cors;
	struct ss_header_ops request_ops, response_ops;
};

static int build_route(struct ss_build_job *j, struct ss_build_regex *x, const struct ss_model_host *h,
		       const struct common *all, const struct ss_model_route *m, struct ss_route *r)
{
	int err = 0;

	build_plain(j, m, r);
	err = worse(err, ss_build_match(j, h, m, r));
	r->cors = all->cors;
	err = worse(err,
		    ss_build_ops(j, m->request_ops, m->n_request_ops, &all->request_ops, &r->request_ops));
	err = worse(err, ss_build_ops(j, m->response_ops, m->n_response_ops, &all->response_ops,
				      &r->response_ops));
	if (m->action == SS_ACTION_CLUSTERS)
		err = worse(err, ss_build_split(j, h, m, r));
	err = worse(err, ss_build_canary(j, h, m, r));
	err = worse(err, ss_build_rewrite(j, x, m, r));
	err = worse(err, ss_build_redirect(j, x, m, r));
	err = worse(err, ss_build_cors(j, x, &m->cors, &m->src, &r->cors));
	err = worse(err, ss_build_maintenance(j, &m->maintenance, &r->maintenance));
	err = worse(err, ss_build_sticky(j, &m->sticky, &r->sticky));
	err = worse(err, ss_build_retry(j, h, m, &r->retry));
	err = worse(err, ss_build_hash_policy(j, &m->hash, &r->hash));
	if (m->authz.present)
		err = worse(err, ss_build_authz(j, &m->authz, &r->authz));
	err = worse(err, ss_build_limit_list(j, &m->src, &m->limits, &h->limits, &r->limits));
	err = worse(err, ss_build_fault(j, m, &r->fault));
	err = worse(err, ss_build_mirrors(j, m, &r->mirrors));
	return err;
}

static int build_host(struct ss_build_job *j, struct ss_build_regex *x, const struct ss_model_host *m,
		      struct ss_virtual_host *out)
{
	static const struct ss_header_ops none;
	struct ss_build_host h = {.model = m, .host = out};
	const struct ss_maintenance *maintenance = NULL;
	struct common all = {0};
	int err = ss_build_cors(j, x, &m->cors, &m->src, &all.cors);

	h.routes = ss_build_array(j, m->n_routes, sizeof(*h.routes));
	h.order = ss_build_array(j, m->n_routes, sizeof(*h.order));
	h.index = ss_build_alloc(j, sizeof(*h.index));
	if (!h.routes || !h.order || !h.index)
		return SS_ERR_NO_MEM;
	err = worse(err, ss_build_ops(j, m->request_ops, m->n_request_ops, &none, &all.request_ops));
	err = worse(err, ss_build_ops(j, m->response_ops, m->n_response_ops, &none, &all.response_ops));
	err = worse(err, ss_build_maintenance(j, &m->maintenance, &maintenance));
	ss_build_order(m, h.order);
	for (uint32_t i = 0; i < m->n_routes; i++)
		err = worse(err, build_route(j, x, m, &all, ss_build_model_route(&h, i), &h.routes[i]));
	if (err != SS_ERR_NO_MEM)
		err = worse(err, ss_build_regex_fields(j, x, &h));
	if (err != SS_ERR_NO_MEM)
		err = worse(err, ss_build_index(j, x, &h));
	*out = (struct ss_virtual_host){.name = ss_build_name(j, m->name),
					.n_routes = m->n_routes,
					.routes = h.routes,
					.index = h.index,
					.maintenance = maintenance};
	if (m->authz.present)
		err = worse(err, ss_build_authz(j, &m->authz, &out->authz));
	return err;
}

int ss_build_routes(struct ss_build_job *j)
{
	struct ss_virtual_host *hosts = ss_build_array(j, j->model->n_hosts, sizeof(*hosts));
	int err = hosts ? 0 : SS_ERR_NO_MEM;

	for (uint32_t i = 0; err != SS_ERR_NO_MEM && i < j->model->n_hosts; i++)
		err = worse(err, build_host(j, j->regex, &j->model->hosts[i], &hosts[i]));
	j->hosts = hosts;
	return err;
}
