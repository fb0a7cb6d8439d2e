/* build_clusters.c - clusters, their endpoints' slots, their limits. */
#include "base/err.h"
#include "build/build_int.h"

/* What is held in the endpoint table, so that its end can give it back. */
struct holds {
	struct ss_ep_table *table;
	uint32_t n_eps, n_clusters;
	uint32_t *eps, *clusters;
};

static void let_go(void *arg)
{
	struct holds *h = arg;

	for (uint32_t i = 0; i < h->n_eps; i++)
		ss_ep_drop(h->table, h->eps[i]);
	for (uint32_t i = 0; i < h->n_clusters; i++)
		ss_ep_cluster_drop(h->table, h->clusters[i]);
}

static struct holds *start_holds(struct ss_build_job *j, uint32_t n_eps, uint32_t n_clusters)
{
	struct holds *h = ss_build_alloc(j, sizeof(*h));

	if (!h)
		return NULL;
	h->table = j->endpoints;
	h->eps = ss_build_array(j, n_eps, sizeof(*h->eps));
	h->clusters = ss_build_array(j, n_clusters, sizeof(*h->clusters));
	return h->eps && h->clusters && ss_build_on_free(j, let_go, h) == 0 ? h : NULL;
}

static int build_endpoint(struct ss_build_job *j, struct holds *h, const struct ss_model_cluster *m,
			  uint32_t i, uint32_t slot, struct ss_endpoint *e)
{
	const struct ss_model_endpoint *me = &m->endpoints[i];
	char text[SS_ADDR_TEXT];

	*e = (struct ss_endpoint){.addr = me->addr,
				  .ep = SS_EP_NONE,
				  .said = (uint8_t)me->said,
				  .weight = ss_max_u32(me->weight, 1)};
	/* Names are never forgotten, and who is discovered comes and goes. */
	if (!m->discovery.present)
		e->name = ss_build_addr_name(j, &me->addr);
	if (ss_ep_hold(j->endpoints, slot, &me->addr, &e->ep) < 0) {
		ss_model_error(j->errors, &me->src, "endpoints",
			       "no place left for %s: more than max_endpoints (%u), old generations included",
			       ss_addr_text(&me->addr, text), j->endpoints->n_eps);
		return SS_ERR_CONFIG;
	}
	h->eps[h->n_eps++] = e->ep;
	ss_build_first_health(j, m, e);
	return 0;
}

static int build_breaker(struct ss_build_job *j, const struct ss_model_breaker *m, struct ss_cluster *c)
{
	struct ss_breaker_conf *b = m->enabled ? ss_build_alloc(j, sizeof(*b)) : NULL;

	if (m->enabled && !b)
		return SS_ERR_NO_MEM;
	if (b)
		*b = m->conf;
	c->breaker = b;
	return 0;
}

static int build_hostnames(struct ss_build_job *j, const struct ss_model_cluster *m, struct ss_cluster *c)
{
	struct ss_span *names;
	bool some = false;

	for (uint32_t i = 0; i < m->n_endpoints; i++)
		some |= m->endpoints[i].hostname != NULL;
	if (!some)
		return 0;
	c->hostnames = names = ss_build_array(j, m->n_endpoints, sizeof(*names));
	for (uint32_t i = 0; names && i < m->n_endpoints; i++)
		names[i] = ss_build_lower(j, m->endpoints[i].hostname);
	return names ? 0 : SS_ERR_NO_MEM;
}

static int refuse_twin(struct ss_build_job *j, const struct ss_model_cluster *m)
{
	uint32_t twin[2];
	char text[SS_ADDR_TEXT];
	int found = ss_model_twins(m->endpoints, m->n_endpoints, twin);

	if (found > 0)
		ss_model_error(j->errors, &m->endpoints[twin[1]].src, "endpoints", "%s is listed twice",
			       ss_addr_text(&m->endpoints[twin[1]].addr, text));
	return found > 0 ? SS_ERR_CONFIG : found;
}

int ss_build_cluster_set(struct ss_build_job *j, const struct ss_model_cluster *m, struct ss_cluster *c)
{
	struct ss_endpoint *eps = ss_build_array(j, m->n_endpoints, sizeof(*eps));
	struct holds *h = eps ? start_holds(j, m->n_endpoints, 0) : NULL;
	int err;

	c->endpoints = eps;
	c->n_endpoints = c->outlier.n_endpoints = m->n_endpoints;
	c->hostnames = NULL;
	if (!h || build_hostnames(j, m, c) < 0)
		return SS_ERR_NO_MEM;
	err = refuse_twin(j, m);
	if (err < 0)
		return err;
	for (uint32_t i = 0; i < m->n_endpoints; i++)
		if (build_endpoint(j, h, m, i, c->slot, &eps[i]) < 0)
			err = SS_ERR_CONFIG;
	return ss_build_balance(j, m, c) < 0 ? SS_ERR_CONFIG : err;
}

/* A failure on trial is no finding of its own: nothing is drawn for it. */
static void build_enforcing(struct ss_outlier_conf *o)
{
	o->enforcing[SS_EP_EJECT_TRIAL] = 100;
	o->partly = false;
	for (uint32_t i = 0; i < SS_EP_EJECTS; i++)
		o->partly |= o->enforcing[i] < 100;
}

static int build_cluster(struct ss_build_job *j, struct holds *h, uint32_t i, struct ss_cluster *c)
{
	const struct ss_model_cluster *m = &j->model->clusters[i];
	int err;

	*c = (struct ss_cluster){
		.name = ss_build_name(j, m->name),
		.protocol = (uint8_t)m->protocol,
		.outlier = m->outlier,
		.line = m->src.line,
		.connect_timeout_ns = m->connect_timeout_ns,
		.http = m->http,
		.caps = {m->caps[0], m->caps[1]},
		.budget = m->budget,
		.pending_delay_ns = m->pending_delay_ns,
		.mesh_hop = m->mesh_hop,
	};
	build_enforcing(&c->outlier);
	if (build_breaker(j, &m->breaker, c) < 0)
		return SS_ERR_NO_MEM;
	if (ss_ep_cluster_hold(j->endpoints, c->name, &c->slot) < 0) {
		ss_model_error(j->errors, &m->src, "clusters",
			       "more than max_clusters (%u), old generations included",
			       j->endpoints->n_clusters);
		return SS_ERR_CONFIG;
	}
	h->clusters[h->n_clusters++] = c->slot;
	err = m->discovery.present ? ss_build_edition_set(j, i, c) : ss_build_cluster_set(j, m, c);
	if (ss_build_health(j, m, c) < 0)
		err = SS_ERR_CONFIG;
	if (ss_build_tls_client(j, &m->tls, m->protocol, &c->tls) < 0)
		err = SS_ERR_CONFIG;
	else if (c->tls) /* not published yet */
		((struct ss_tls_client *)(uintptr_t)c->tls)->cluster = c->name;
	return err;
}

int ss_build_clusters(struct ss_build_job *j)
{
	struct ss_cluster *clusters = ss_build_array(j, j->model->n_clusters, sizeof(*clusters));
	struct holds *h = clusters ? start_holds(j, 0, j->model->n_clusters) : NULL;
	int err = 0;

	if (!h || ss_build_subsets(j) < 0)
		return SS_ERR_NO_MEM;
	for (uint32_t i = 0; i < j->model->n_clusters && err != SS_ERR_NO_MEM; i++) {
		int one = build_cluster(j, h, i, &clusters[i]);
		err = one < 0 ? one : err;
	}
	j->snap->clusters = clusters;
	j->snap->n_clusters = j->model->n_clusters;
	return err;
}
