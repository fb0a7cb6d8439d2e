/* px_retry.c - another attempt or an answer of our own; and what time does to an exchange. */
#include "base/err.h"
#include "proxy/px_int.h"

/* RFC 9110 9.2.2: idempotent methods may be sent again when the connection broke before an answer. */
static bool idempotent(const struct px_exchange *x)
{
	const uint16_t bits = SS_METHOD_GET | SS_METHOD_HEAD | SS_METHOD_PUT | SS_METHOD_DELETE |
			      SS_METHOD_OPTIONS | SS_METHOD_TRACE;

	return ss_route_method_bit(x->request.method) & bits;
}

/*
 * Another attempt wants the request's bytes to be all ours still. The endpoint surely did nothing
 * with it (unprocessed), or doing it twice is as good as once and the connection broke.
 */
static bool may_try_again(const struct px_exchange *x, enum ss_drop why, bool unprocessed, uint64_t now)
{
	bool ours = x->keep || ss_http_bytes_in(x->down) == ss_http_body(x->down)->len;

	if (x->attempts > x->max_retries || now >= x->deadline || !ours)
		return false;
	return unprocessed || (why == SS_DROP_UPSTREAM_RESET && idempotent(x));
}

void px_failed(struct px_exchange *x, const struct ss_snapshot *snap, enum ss_drop why, bool unprocessed,
	       bool blame, uint64_t now)
{
	bool again = may_try_again(x, why, unprocessed, now);

	/* A stream that was refused before a connection took it says nothing about the endpoint's health. */
	if (blame && !(x->up && unprocessed))
		ss_up_result(x->p->conf.up, px_cluster(x, snap), &x->wait, false, now);
	px_drop_upstream(x);
	if (!again) {
		px_reply(x, why, now);
		return;
	}
	ss_count(x->p->conf.counters, SS_C_RETRIES, 1);
	x->resend = x->kept.len;
	px_acquire(x, snap, now);
}

/* -- time -- */

/*
 * Until the response's head the route's timeout runs, but not while the request itself still arrives:
 * then, and after the head, only silence ends the exchange.
 */
static uint64_t due(const struct px_exchange *x)
{
	uint64_t idle = x->idle_ns ? x->last + x->idle_ns : SS_NEVER;

	if (x->head_sent || (x->state == PX_RUNNING && !x->request_ended))
		return idle;
	return ss_min_u64(idle, x->deadline);
}

void px_arm(struct px_exchange *x)
{
	uint64_t at;

	if (x->state == PX_DONE)
		return;
	at = due(x);
	/* Later is left to the timer: it looks again when it fires. */
	if (at != SS_NEVER && (!ss_timer_armed(&x->timer) || at < x->timer.deadline))
		ss_wheel_arm(&x->p->wheel, &x->timer, at);
}

void px_expired(struct px_exchange *x, const struct ss_snapshot *snap, uint64_t now)
{
	bool running = x->state == PX_RUNNING;
	bool total = !x->head_sent && now >= x->deadline;

	if (x->state == PX_DONE)
		return;
	if (now < due(x)) {
		px_arm(x);
		return;
	}
	/* Blame the endpoint where it was its turn to speak. */
	if (running && (total || x->request_ended))
		ss_up_result(x->p->conf.up, px_cluster(x, snap), &x->wait, false, now);
	if (x->up)
		ss_http_reset(x->up, SS_HTTP_CANCEL);
	px_drop_upstream(x);
	px_reply(x, total ? SS_DROP_TIMEOUT_TOTAL : SS_DROP_TIMEOUT_IDLE, now);
}
