/* build_retry.c - a route's retry policy: its own, its virtual host's, or the shipped one. */
#include "base/err.h"
#include "build/build_int.h"

static int build_lists(struct ss_build_job *j, const struct ss_model_src *src, const struct ss_model_retry *m,
		       struct ss_retry *r)
{
	uint16_t *status = ss_build_array(j, m->n_status, sizeof(*status));
	int err;

	if (!status)
		return SS_ERR_NO_MEM;
	for (uint32_t i = 0; i < m->n_status; i++)
		status[i] = m->status[i];
	r->status = status;
	r->n_status = (uint16_t)m->n_status;
	err = ss_build_field_set(j, src, "retry.retriable_headers", &m->headers, &r->headers);
	if (!err)
		err = ss_build_field_set(j, src, "retry.retriable_request_headers", &m->request_headers,
					 &r->request_headers);
	return err;
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
	return build_lists(j, from == &h->retry ? &h->src : &m->src, from, r);
}
