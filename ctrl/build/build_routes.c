/* build_routes.c - virtual hosts and their routes, compiled once for all listeners. */
#include "base/err.h"
#include "build/build_routes.h"
#include "contract/redirect.h"

/* FNV-1a: the same on every appliance, whatever its byte order. */
static uint64_t salt_of(const char *name)
{
	uint64_t h = 0xcbf29ce484222325ull;

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 0x100000001b3ull;
	return h;
}

static int check_sum(struct ss_build_job *j, const struct ss_model_host *h, const struct ss_model_route *m,
		     uint64_t sum)
{
	bool relative = h->precedence == SS_PRECEDENCE_GATEWAY;

	if (relative ? sum <= UINT32_MAX : sum == SS_WEIGHT_SUM)
		return 0;
	if (relative)
		ss_model_error(j->errors, &m->src, "clusters", "weights sum to more than can be counted");
	else
		ss_model_error(j->errors, &m->src, "clusters", "weights sum to %llu.%02u %%, not to 100 %%",
			       (unsigned long long)(sum / 100), (unsigned)(sum % 100));
	return SS_ERR_CONFIG;
}

static int build_split(struct ss_build_job *j, const struct ss_model_host *h, const struct ss_model_route *m,
		       struct ss_route *r)
{
	struct ss_weighted_cluster *w = ss_build_array(j, m->n_clusters, sizeof(*w));
	uint64_t sum = 0;
	int err = 0;

	if (!w)
		return SS_ERR_NO_MEM;
	for (uint32_t i = 0; i < m->n_clusters; i++) {
		w[i].cluster = ss_model_cluster(j->model, m->clusters[i].cluster);
		if (w[i].cluster == SS_MODEL_NONE) {
			ss_model_error(j->errors, &m->src, "clusters", "no cluster is named \"%s\"",
				       m->clusters[i].cluster);
			err = SS_ERR_CONFIG;
		}
		w[i].subset = ss_build_labels_name(j, m->clusters[i].subset.n ? &m->clusters[i].subset : &m->subset);
		w[i].weight = m->clusters[i].weight;
		w[i].salt = salt_of(m->clusters[i].cluster);
		sum += m->clusters[i].weight;
		w[i].upto = (uint32_t)ss_min_u64(sum, UINT32_MAX);
	}
	r->clusters = w;
	r->n_clusters = (uint16_t)m->n_clusters;
	r->weight_sum = (uint32_t)ss_min_u64(sum, UINT32_MAX);
	return check_sum(j, h, m, sum) < 0 ? SS_ERR_CONFIG : err;
}

static int build_ops(struct ss_build_job *j, const struct ss_model_header_op *m, uint32_t n,
		     struct ss_header_ops *out)
{
	struct ss_header_op *op = ss_build_array(j, n, sizeof(*op));

	if (!op)
		return SS_ERR_NO_MEM;
	for (uint32_t i = 0; i < n; i++)
		op[i] = (struct ss_header_op){.kind = (uint8_t)m[i].kind,
					      .name = ss_build_lower(j, m[i].name),
					      .value = ss_build_text(j, m[i].value)};
	*out = (struct ss_header_ops){.n = (uint16_t)n, .op = op};
	return 0;
}

static void build_plain(struct ss_build_job *j, const struct ss_model_route *m, struct ss_route *r)
{
	*r = (struct ss_route){
		.name = ss_build_name(j, m->name),
		.line = m->src.line,
		.action = (uint8_t)m->action,
		.methods = m->methods,
		.direct_status = m->direct_status,
		.direct_body = ss_build_text(j, m->direct_body),
		.direct_type = ss_build_text(j, m->direct_type),
		.timeout_ns = m->timeout_ns,
		.idle_timeout_ns = m->idle_timeout_ns,
		.max_stream_ns = m->max_stream_ns,
	};
}

static int build_rewrite(struct ss_build_job *j, const struct ss_model_route *m, struct ss_route *r)
{
	struct ss_rewrite *w;

	if (!m->prefix_rewrite)
		return 0;
	if (m->path_kind != SS_PATH_PREFIX && m->path_kind != SS_PATH_SEGMENTS) {
		ss_model_error(j->errors, &m->src, "prefix_rewrite", "needs a path prefix to replace");
		return SS_ERR_CONFIG;
	}
	r->rewrite = w = ss_build_alloc(j, sizeof(*w));
	if (!w)
		return SS_ERR_NO_MEM;
	*w = (struct ss_rewrite){.kind = SS_PATH_PREFIX_NEW, .path = ss_build_text(j, m->prefix_rewrite)};
	return 0;
}

static int worse(int a, int b)
{
	return a == SS_ERR_NO_MEM || b >= 0 ? a : b;
}

static int build_route(struct ss_build_job *j, const struct ss_model_host *h, const struct ss_model_route *m,
		       struct ss_route *r)
{
	int err = 0;

	build_plain(j, m, r);
	err = worse(err, ss_build_match(j, h, m, r));
	err = worse(err, build_ops(j, m->request_ops, m->n_request_ops, &r->request_ops));
	err = worse(err, build_ops(j, m->response_ops, m->n_response_ops, &r->response_ops));
	if (m->action == SS_ACTION_CLUSTERS)
		err = worse(err, build_split(j, h, m, r));
	err = worse(err, build_rewrite(j, m, r));
	err = worse(err, ss_build_retry(j, h, m, &r->retry));
	err = worse(err, ss_build_hash_policy(j, &m->hash, &r->hash));
	if (m->authz.present)
		err = worse(err, ss_build_authz(j, &m->authz, &r->authz));
	err = worse(err, ss_build_limit_list(j, &m->src, &m->limits, &h->limits, &r->limits));
	err = worse(err, ss_build_fault(j, m, &r->fault));
	return err;
}

static int build_host(struct ss_build_job *j, struct ss_build_regex *x, const struct ss_model_host *m,
		      struct ss_virtual_host *out)
{
	struct ss_build_host h = {.model = m, .host = out};
	int err = 0;

	h.routes = ss_build_array(j, m->n_routes, sizeof(*h.routes));
	h.order = ss_build_array(j, m->n_routes, sizeof(*h.order));
	h.index = ss_build_alloc(j, sizeof(*h.index));
	if (!h.routes || !h.order || !h.index)
		return SS_ERR_NO_MEM;
	ss_build_order(m, h.order);
	for (uint32_t i = 0; i < m->n_routes; i++)
		err = worse(err, build_route(j, m, ss_build_model_route(&h, i), &h.routes[i]));
	if (err != SS_ERR_NO_MEM)
		err = worse(err, ss_build_index(j, x, &h));
	if (err != SS_ERR_NO_MEM)
		err = worse(err, ss_build_regex_fields(j, x, &h));
	*out = (struct ss_virtual_host){.name = ss_build_name(j, m->name),
					.n_routes = m->n_routes,
					.routes = h.routes,
					.index = h.index};
	if (m->authz.present)
		err = worse(err, ss_build_authz(j, &m->authz, &out->authz));
	return err;
}

int ss_build_routes(struct ss_build_job *j)
{
	struct ss_virtual_host *hosts = ss_build_array(j, j->model->n_hosts, sizeof(*hosts));
	struct ss_build_regex x = {0};
	int err = hosts ? ss_build_regex_start(j, &x) : SS_ERR_NO_MEM;

	for (uint32_t i = 0; err != SS_ERR_NO_MEM && i < j->model->n_hosts; i++)
		err = worse(err, build_host(j, &x, &j->model->hosts[i], &hosts[i]));
	err = worse(err, ss_build_regex_finish(j, &x));
	j->hosts = hosts;
	return err;
}
