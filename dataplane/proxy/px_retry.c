/* px_retry.c - another attempt or an answer of our own. */
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
