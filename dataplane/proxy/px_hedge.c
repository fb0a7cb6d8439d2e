/*
 * px_hedge.c - a try that is late lives on beside the next one; the first good head wins.
 *
 * The late try moves into an object of its own, so that the exchange goes on as after any failed try, with
 * its one leg. It is only ever done with a whole request, which may be seen twice: nothing is sent on it any more.
 * When it wins it moves back; when it fails it is dropped, unless it was the last that was waited for.
 */
#include "base/err.h"
#include "proxy/px_int.h"

static void give_back(struct px_exchange *x)
{
	ss_pool_give(x->p->hedges, x->hedge);
	x->hedge = NULL;
}

void px_hedge_drop(struct px_exchange *x)
{
	struct px_hedge *h = x->hedge;

	if (!h)
		return;
	ss_http_release(h->up); /* an unfinished stream is cancelled */
	ss_up_cancel(x->p->conf.up, &h->wait);
	give_back(x);
}

bool px_hedge_begin(struct px_exchange *x, const struct ss_snapshot *snap, uint64_t now)
{
	const struct ss_retry *r = px_retry_policy(x, snap);
	struct px_hedge *h;

	if (!r || !r->hedge || x->hedge || !(r->non_idempotent || px_idempotent(x->request.method)) ||
	    !x->request_ended || !px_retry_hedge(x, snap, now))
		return false;
	h = ss_pool_take(x->p->hedges);
	if (!h)
		return false;
	*h = (struct px_hedge){.leg = {.x = x, .hedge = true}, .up = x->up, .wait = x->wait};
	ss_list_init(&h->wait.node);
	ss_http_set_owner(h->up, &h->leg);
	x->up = NULL;
	x->wait.place = SS_UP_NOWHERE;
	x->wait.probe = x->wait.bounded = x->wait.panic = false;
	x->wait.conn = NULL;
	x->hedge = h;
	ss_count(x->p->conf.counters, SS_C_HEDGES, 1);
	return true;
}

bool px_hedge_awaited(struct px_exchange *x, enum ss_drop why)
{
	if (!x->hedge)
		return false;
	x->failed = why;
	px_delay(x, SS_NEVER, PX_STEP_SEND);
	return true;
}

/* The other try, if it has begun, is cancelled; this one is the exchange's again. */
static void win(struct px_exchange *x)
{
	struct px_hedge *h = x->hedge;

	ss_count(x->p->conf.counters, SS_C_HEDGES_WON, 1);
	px_retry_over(x);
	px_drop_upstream(x);
	x->up = h->up;
	x->wait = h->wait;
	ss_list_init(&x->wait.node);
	ss_http_set_owner(x->up, &x->up_leg);
	x->state = PX_RUNNING;
	x->request_ended = true;
	x->resend = 0;
	x->try_ends = SS_NEVER;
	x->upstream = x->wait.at.addr;
	x->retry_on = 0; /* its head is the answer */
	give_back(x);
}

static void lose(struct px_exchange *x, const struct ss_snapshot *snap, enum ss_ep_end how, uint64_t now)
{
	struct px_hedge *h = x->hedge;
	bool last = x->state == PX_DELAYED && x->wake == SS_NEVER;

	ss_up_result(x->p->conf.up, px_cluster(x, snap), &h->wait, how, now);
	px_hedge_drop(x);
	if (last)
		px_reply(x, (enum ss_drop)x->failed, now);
}

void px_hedge_news(struct px_exchange *x, const struct ss_snapshot *snap, uint32_t events, uint64_t now)
{
	if (!x->hedge || x->state == PX_DONE)
		return;
	if (events & SS_HTTP_EV_HEAD) {
		enum ss_ep_end how = px_blames(x, ss_http_head(x->hedge->up));
		if (how != SS_EP_GOOD) {
			lose(x, snap, how, now);
			return;
		}
		win(x);
		px_up_news(x, snap, events, now);
	} else if (events & SS_HTTP_EV_RESET) {
		lose(x, snap, SS_EP_NO_ANSWER, now);
	}
}
