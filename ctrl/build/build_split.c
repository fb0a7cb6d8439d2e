/* build_split.c - a route's shares: weights, header operations, and who keeps which. */
#include <stdio.h>

#include "base/err.h"
#include "build/build_routes.h"
#include "wire/hpack.h"

static int put_ops(struct ss_build_job *j, const struct ss_model_header_op *m, uint32_t n,
		   struct ss_header_op *op)
{
	int err = 0;

	for (uint32_t i = 0; i < n && !err; i++) {
		op[i] = (struct ss_header_op){.kind = (uint8_t)m[i].kind, .name = ss_build_lower(j, m[i].name)};
		op[i].tok = (uint16_t)ss_hdr_token(op[i].name);
		op[i].number = ss_hpack_name_number(op[i].name);
		err = ss_build_value(j, m[i].value, &op[i]);
	}
	return err;
}

static bool formats(const struct ss_header_op *op, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (op[i].format)
			return true;
	return false;
}

int ss_build_ops(struct ss_build_job *j, const struct ss_model_header_op *m, uint32_t n,
		 const struct ss_header_ops *after, struct ss_header_ops *out)
{
	struct ss_header_op *op;

	if (!n) {
		*out = *after;
		return 0;
	}
	op = ss_build_array(j, n + after->n, sizeof(*op));
	if (!op)
		return SS_ERR_NO_MEM;
	if (put_ops(j, m, n, op) < 0)
		return SS_ERR_NO_MEM;
	if (after->n)
		memcpy(op + n, after->op, after->n * sizeof(*op));
	*out = (struct ss_header_ops){
		.n = (uint16_t)(n + after->n), .formats = after->formats || formats(op, n), .op = op};
	return 0;
}

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

static int build_share(struct ss_build_job *j, const struct ss_model_route *m,
		       const struct ss_model_weighted *s, const struct ss_route *r,
		       struct ss_weighted_cluster *w)
{
	*w = (struct ss_weighted_cluster){
		.cluster = ss_model_cluster(j->model, s->cluster),
		.subset = ss_build_labels_name(j, s->subset.n ? &s->subset : &m->subset),
		.weight = s->weight,
		.salt = salt_of(s->cluster),
		.own_ops = s->n_request_ops || s->n_response_ops,
	};
	if (ss_build_ops(j, s->request_ops, s->n_request_ops, &r->request_ops, &w->request_ops) < 0 ||
	    ss_build_ops(j, s->response_ops, s->n_response_ops, &r->response_ops, &w->response_ops) < 0)
		return SS_ERR_NO_MEM;
	if (w->cluster != SS_MODEL_NONE)
		return 0;
	ss_model_error(j->errors, &m->src, "clusters", "no cluster is named \"%s\"", s->cluster);
	return SS_ERR_CONFIG;
}

int ss_build_split(struct ss_build_job *j, const struct ss_model_host *h, const struct ss_model_route *m,
		   struct ss_route *r)
{
	struct ss_weighted_cluster *w = ss_build_array(j, m->n_clusters, sizeof(*w));
	uint64_t sum = 0;
	int err = 0, one;

	if (!w)
		return SS_ERR_NO_MEM;
	for (uint32_t i = 0; i < m->n_clusters; i++) {
		one = build_share(j, m, &m->clusters[i], r, &w[i]);
		err = one < 0 ? one : err;
		sum += m->clusters[i].weight;
		w[i].upto = (uint32_t)ss_min_u64(sum, UINT32_MAX);
	}
	r->clusters = w;
	r->n_clusters = (uint16_t)m->n_clusters;
	r->weight_sum = (uint32_t)ss_min_u64(sum, UINT32_MAX);
	return check_sum(j, h, m, sum) < 0 ? SS_ERR_CONFIG : err;
}

/* RFC 6265 4.1.2, and SameSite as browsers have it: "none" is taken with Secure only. */
int ss_build_sticky(struct ss_build_job *j, const struct ss_model_sticky *m, const struct ss_sticky **out)
{
	static const char *const sites[] = {"Lax", "Strict", "None; Secure"};
	struct ss_sticky *s = m->present ? ss_build_alloc(j, sizeof(*s)) : NULL;
	char text[1200], age[40] = "";

	if (!m->present)
		return 0;
	if (!s)
		return SS_ERR_NO_MEM;
	if (m->ttl_ns)
		snprintf(age, sizeof(age), "; Max-Age=%llu",
			 (unsigned long long)((m->ttl_ns + SS_NS_PER_SEC - 1) / SS_NS_PER_SEC));
	snprintf(text, sizeof(text), "; Path=%s%s; HttpOnly; SameSite=%s", m->path ? m->path : "/", age,
		 sites[m->same_site]);
	*s = (struct ss_sticky){.cookie = m->cookie != NULL,
				.name = m->cookie ? ss_build_text(j, m->cookie)
						  : ss_build_lower(j, m->header),
				.attributes = ss_build_text(j, text)};
	*out = s;
	return 0;
}
