/* px_time.c - what time does to an exchange: a wait before the next step, silence, the route's timeout. */
#include "proxy/px_int.h"

/* By enum px_step. */
static void (*const steps[])(struct px_exchange *x, const struct ss_snapshot *snap, uint64_t now) = {
	[PX_STEP_SEND] = px_acquire,
};

/*
 * Until the response's head the route's timeout runs, but not while the request itself still arrives:
 * then, and after the head, only silence ends the exchange.
 */
static uint64_t due(const struct px_exchange *x)
{
	uint64_t idle = x->idle_ns ? x->last + x->idle_ns : SS_NEVER;

	if (x->state == PX_DELAYED)
		return ss_min_u64(x->wake, x->deadline);
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
	if (x->state == PX_DELAYED && !total) {
		wake(x, snap, now);
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
