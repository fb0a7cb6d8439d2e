/* px_time.c - what time does to an exchange: a wait before the next step, silence, the route's timeout. */
#include "proxy/px_int.h"

/* By enum px_step. */
static void (*const steps[])(struct px_exchange *x, const struct ss_snapshot *snap, uint64_t now) = {
	[PX_STEP_SEND] = px_acquire,
	[PX_STEP_RETRY] = px_retry_start,
	[PX_STEP_FIRST] = px_forward,
	[PX_STEP_ABORT] = px_fault_abort,
	[PX_STEP_UNANSWERED] = px_ask_late,
};

/* Nothing moves for so long: a try before its head may have less patience than the stream. */
static uint64_t silence(const struct px_exchange *x)
{
	uint64_t ns = x->idle_ns;

	if (x->try_idle_ns && x->state == PX_RUNNING && !x->head_sent)
		ns = ns ? ss_min_u64(ns, x->try_idle_ns) : x->try_idle_ns;
	return ns ? x->last + ns : SS_NEVER;
}

/*
 * Until the response's head the route's timeout runs, but not while the request itself still arrives:
 * then, and after the head, only silence ends the exchange, or the end that was set for all of it.
 */
static uint64_t due(const struct px_exchange *x)
{
	if (x->state == PX_DELAYED)
		return ss_min_u64(x->wake, x->deadline);
	if (x->head_sent)
		return ss_min_u64(silence(x), x->ends);
	if (x->state != PX_RUNNING)
		return ss_min_u64(silence(x), x->deadline);
	if (!x->request_ended)
		return ss_min_u64(silence(x), ss_min_u64(x->cap, x->ends));
	return ss_min_u64(silence(x), ss_min_u64(x->deadline, x->try_ends));
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

void px_delay(struct px_exchange *x, uint64_t until, enum px_step next)
{
	assert(!x->up && x->wait.place == SS_UP_NOWHERE);
	x->state = PX_DELAYED;
	x->wake = until;
	x->step = (uint8_t)next;
	px_arm(x);
}

static void wake(struct px_exchange *x, const struct ss_snapshot *snap, uint64_t now)
{
	x->last = now;
	steps[x->step](x, snap, now);
}

/* Which of its times is over. */
static enum ss_drop late(const struct px_exchange *x, uint64_t now)
{
	bool uploading = x->state == PX_RUNNING && !x->request_ended;

	if (x->head_sent)
		return now >= x->ends ? SS_DROP_TIMEOUT_DURATION : SS_DROP_TIMEOUT_IDLE;
	if (now >= (uploading ? ss_min_u64(x->cap, x->ends) : x->deadline))
		return SS_DROP_TIMEOUT_TOTAL;
	if (x->state != PX_RUNNING)
		return SS_DROP_TIMEOUT_IDLE;
	if (x->request_ended && now >= x->try_ends)
		return SS_DROP_TIMEOUT_TRY;
	return x->try_idle_ns && now >= x->last + x->try_idle_ns ? SS_DROP_TIMEOUT_TRY : SS_DROP_TIMEOUT_IDLE;
}

void px_expired(struct px_exchange *x, const struct ss_snapshot *snap, uint64_t now)
{
	bool running = x->state == PX_RUNNING;
	enum ss_drop why;

	if (x->state == PX_DONE)
		return;
	if (now < due(x)) {
		px_arm(x);
		return;
	}
	why = late(x, now);
	if (x->state == PX_DELAYED && why != SS_DROP_TIMEOUT_TOTAL) {
		wake(x, snap, now);
		return;
	}
	if (why == SS_DROP_TIMEOUT_TRY && px_hedge_begin(x, snap, now)) {
		px_retry_go(x, snap, 0, now);
		return;
	}
	if (why == SS_DROP_TIMEOUT_TRY) {
		ss_http_reset(x->up, SS_HTTP_CANCEL);
		px_failed(x, snap, why, false, true, now);
		return;
	}
	/* Blame the endpoint where it was its turn to speak. */
	if (running && (why == SS_DROP_TIMEOUT_TOTAL || x->request_ended) && why != SS_DROP_TIMEOUT_DURATION)
		ss_up_result(x->p->conf.up, px_cluster(x, snap), &x->wait, SS_EP_NO_ANSWER, now);
	if (x->up)
		ss_http_reset(x->up, SS_HTTP_CANCEL);
	px_drop_upstream(x);
	px_reply(x, why, now);
}
