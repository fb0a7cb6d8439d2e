/* build_faults.c - a route's faults. */
#include "base/err.h"
#include "build/build_int.h"

int ss_build_fault(struct ss_build_job *j, const struct ss_model_route *r, const struct ss_fault **out)
{
	const struct ss_model_fault *m = &r->fault;
	struct ss_fault *f = m->present ? ss_build_alloc(j, sizeof(*f)) : NULL;

	*out = NULL;
	if (!m->present)
		return 0;
	if (!f)
		return SS_ERR_NO_MEM;
	if (r->action != SS_ACTION_CLUSTERS && m->delay.present) {
		ss_model_error(j->errors, &m->src, "fault.delay",
			       "delays what goes to a cluster: this route answers itself");
		return SS_ERR_CONFIG;
	}
	*f = (struct ss_fault){
		.delay = m->delay.by_header  ? SS_DELAY_BY_HEADER
			 : m->delay.mean_ns  ? SS_DELAY_EXPONENTIAL
			 : m->delay.fixed_ns ? SS_DELAY_FIXED
					     : SS_DELAY_NONE,
		.abort = m->abort.by_header     ? SS_ABORT_BY_HEADER
			 : m->abort.grpc_status ? SS_ABORT_GRPC
			 : m->abort.status      ? SS_ABORT_HTTP
						: SS_ABORT_NONE,
		.delay_share = (uint16_t)m->delay.share,
		.abort_share = (uint16_t)m->abort.share,
		.delay_ns = m->delay.mean_ns ? m->delay.mean_ns : m->delay.fixed_ns,
		.delay_max_ns = m->delay.max_ns,
		.status = (uint16_t)(m->abort.grpc_status ? m->abort.grpc_status : m->abort.status),
		.max_active = (uint32_t)(((uint64_t)m->max_active + j->n_workers - 1) / j->n_workers),
	};
	*out = f;
	return ss_build_field_set(j, &m->src, "fault.headers", &m->headers, &f->headers);
}
