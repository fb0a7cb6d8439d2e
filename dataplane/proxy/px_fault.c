/*
 * px_fault.c - faults on purpose: a request is delayed, aborted, or both, before anything of it goes
 * upstream. The two draws are independent. What is asked for by header has Envoy's names, and is heard from
 * inside only.
 */
#include <math.h>

#include "base/err.h"
#include "proxy/px_int.h"
#include "wire/number.h"

#define DELAY_HEADER "x-envoy-fault-delay-request"
#define ABORT_HEADER "x-envoy-fault-abort-request"
#define ABORT_GRPC_HEADER "x-envoy-fault-abort-grpc-request"
#define LONGEST_MS 1000000000ull

/* A header's whole number up to `most`; false when it is none. */
static bool asked(const struct ss_hdrs *head, struct ss_span name, uint64_t least, uint64_t most,
		  uint64_t *out)
{
	const struct ss_hdr *h = ss_hdrs_find_name(head, name);
	uint64_t n;

	if (!h || !ss_number(h->value, &n) || n < least || n > most)
		return false;
	*out = n;
	return true;
}

/* Inverse of the distribution: -mean ln(u), u uniform in (0, 1] of 53 bits. */
static uint64_t exponential(struct ss_rng *r, uint64_t mean)
{
	double u = (double)((ss_rng_u64(r) >> 11) + 1) * 0x1p-53;

	return (uint64_t)(-(double)mean * log(u));
}

static uint64_t delay_of(struct px_exchange *x, const struct ss_fault *f, bool inside)
{
	uint64_t ms;

	switch (f->delay) {
	case SS_DELAY_FIXED:
		return f->delay_ns;
	case SS_DELAY_EXPONENTIAL:
		return ss_min_u64(exponential(&x->p->rng, f->delay_ns), f->delay_max_ns);
	case SS_DELAY_BY_HEADER:
		if (!inside || !asked(ss_http_head(x->down), SS_SPAN(DELAY_HEADER), 0, LONGEST_MS, &ms))
			return 0;
		return ss_min_u64(ms * SS_NS_PER_MS, f->delay_max_ns);
	default:
		return 0;
	}
}

/* Which answer; false for none. */
static bool abort_of(const struct px_exchange *x, const struct ss_fault *f, bool inside, struct px_fault *out)
{
	const struct ss_hdrs *head = ss_http_head(x->down);
	uint64_t n = f->status;
	bool grpc = f->abort == SS_ABORT_GRPC, said = f->abort != SS_ABORT_BY_HEADER;

	if (!said && inside) {
		grpc = asked(head, SS_SPAN(ABORT_GRPC_HEADER), 1, 16, &n);
		said = grpc || asked(head, SS_SPAN(ABORT_HEADER), 200, 599, &n);
	}
	if (!said)
		return false;
	out->status = grpc ? px_status_of_grpc((uint16_t)n) : (uint16_t)n;
	out->grpc = grpc ? (uint16_t)n : px_grpc_of_status((uint16_t)n);
	return true;
}

static bool drawn(struct px_exchange *x, uint16_t share)
{
	return share && ss_rng_below(&x->p->rng, SS_FAULT_SHARE_SUM) < share;
}

static bool over(struct px_exchange *x, const struct ss_fault *f)
{
	if (!f->max_active || x->p->faults < f->max_active)
		return false;
	ss_count(x->p->conf.counters, SS_C_FAULTS_OVER, 1);
	return true;
}

static bool meant_for(const struct px_exchange *x, const struct ss_fault *f)
{
	return !f->headers.n || ss_route_all_hold(&f->headers, ss_http_head(x->down), x->p->conf.worker);
}

static void abort_now(struct px_exchange *x, const struct px_fault *f, uint64_t now)
{
	ss_count(x->p->conf.counters, SS_C_FAULT_ABORTS, 1);
	px_reply_as(x, SS_DROP_FAULT_ABORT, f->status, f->grpc, now);
}

bool px_faulted(struct px_exchange *x, const struct ss_listener *l, const struct ss_fault *f, uint64_t now)
{
	bool late = drawn(x, f->delay_share), ends = drawn(x, f->abort_share);
	struct px_fault fault = {0};

	if ((!late && !ends) || !meant_for(x, f) || over(x, f))
		return false;
	fault.delay_ns = late ? delay_of(x, f, !l->edge) : 0;
	fault.ends = ends && abort_of(x, f, !l->edge, &fault);
	if (fault.delay_ns) {
		x->fault = ss_arena_alloc(ss_http_arena(x->down), sizeof(*x->fault));
		if (!x->fault)
			return false;
		*x->fault = fault;
		x->p->faults++;
	} else if (fault.ends) {
		abort_now(x, &fault, now);
		return true;
	}
	return false;
}

/* The route's time begins when the delay is over, as in Envoy; what the hops above
 * have set goes on. */
void px_fault_wait(struct px_exchange *x, uint64_t now)
{
	uint64_t until = now + x->fault->delay_ns;

	ss_count(x->p->conf.counters, SS_C_FAULT_DELAYS, 1);
	x->deadline = px_deadline(x, until);
	px_delay(x, until, x->fault->ends ? PX_STEP_ABORT : PX_STEP_FIRST);
}

void px_fault_abort(struct px_exchange *x, const struct ss_snapshot *snap, uint64_t now)
{
	abort_now(x, x->fault, now);
}
