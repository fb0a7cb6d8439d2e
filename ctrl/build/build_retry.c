/* build_retry.c - a route's retry policy: its own, its virtual host's, or the shipped one. */
#include "base/err.h"
#include "build/build_int.h"

static int build_lists(struct ss_build_job *j, const struct ss_model_retry *m, struct ss_retry *r)
{
	uint16_t *status = ss_build_array(j, m->n_status, sizeof(*status));
	struct ss_span *headers = ss_build_array(j, m->n_headers, sizeof(*headers));

	if (!status || !headers)
		return SS_ERR_NO_MEM;
	for (uint32_t i = 0; i < m->n_status; i++)
		status[i] = m->status[i];
	for (uint32_t i = 0; i < m->n_headers; i++)
		headers[i] = ss_build_lower(j, m->headers[i]);
	r->status = status;
	r->n_status = (uint16_t)m->n_status;
	r->headers = headers;
	r->n_headers = (uint16_t)m->n_headers;
	return 0;
}

int ss_build_retry(struct ss_build_job *j, const struct ss_model_host *h, const struct ss_model_route *m,
		   const struct ss_retry **out)
{
	/* A route without the group still has the defaults in it. */
	const struct ss_model_retry *from = !m->retry.present && h->retry.present ? &h->retry : &m->retry;
	uint32_t n = m->max_retries_set ? m->max_retries : from->max_retries;
	struct ss_retry *r;

	*out = NULL;
	if (!n || !from->on || m->action != SS_ACTION_CLUSTERS)
		return 0;
	r = ss_build_alloc(j, sizeof(*r));
	if (!r)
		return SS_ERR_NO_MEM;
	*r = (struct ss_retry){.on = from->on,
			       .max_retries = (uint8_t)n,
			       .non_idempotent = from->non_idempotent,
			       .hedge = from->hedge,
			       .per_try_ns = from->per_try_ns,
			       .per_try_idle_ns = from->per_try_idle_ns,
			       .base_ns = from->base_ns,
			       .max_ns = from->max_ns,
			       .max_after_ns = from->max_after_ns,
			       .body_max = from->body_max};
	*out = r;
	return build_lists(j, from, r);
}
