/* px_run.c - the door: walks the news and the timers; what is over is buried at the turn's end. */
#include <stdlib.h>

#include "base/err.h"
#include "proxy/px_ext_authz.h"

/* One exchange in so many may have a late try beside the next one. */
#define HEDGE_PART 8u

int ss_proxy_create(struct ss_proxy **out, const struct ss_proxy_conf *conf, uint64_t now)
{
	struct ss_proxy *p = calloc(1, sizeof(*p));

	if (!p)
		return SS_ERR_NO_MEM;
	p->conf = *conf;
	ss_wheel_init(&p->wheel, SS_NS_PER_MS, now);
	ss_rng_seed(&p->rng, conf->seed);
	ss_list_init(&p->again);
	ss_list_init(&p->dead);
	ss_list_init(&p->borrowers);
	ss_list_init(&p->leaving);
	ss_list_init(&p->dead_mirrors);
	ss_list_init(&p->dead_checks);
	p->exchanges = ss_pool_create("exchanges", sizeof(struct px_exchange), conf->max_exchanges);
	p->hedges = ss_pool_create("hedges", sizeof(struct px_hedge), ss_max_u32(conf->max_exchanges / HEDGE_PART, 1));
	p->mirrors = ss_pool_create("mirrors", sizeof(struct px_mirror), conf->max_mirrors);
	p->checks = ss_pool_create("checks", sizeof(struct px_check), conf->max_checks);
	p->jwt = ss_jwt_create(PX_TOKENS, conf->worker);
	if (!p->exchanges || !p->hedges || !p->jwt || !p->mirrors || !p->checks ||
	    ss_arena_pools_create(&p->mirror_arenas, conf->max_mirrors, conf->max_mirrors / 128 + 1) < 0) {
		ss_proxy_free(p);
		return SS_ERR_NO_MEM;
	}
	*out = p;
	return 0;
}

void ss_proxy_free(struct ss_proxy *p)
{
	if (!p)
		return;
	ss_pool_free(p->exchanges);
	ss_pool_free(p->hedges);
	ss_pool_free(p->mirrors);
	ss_pool_free(p->checks);
	ss_arena_pools_free(&p->mirror_arenas);
	ss_jwt_free(p->jwt);
	free(p);
}

static void stream_news(struct ss_proxy *p, const struct ss_snapshot *snap, struct ss_http_stream *s,
			uint64_t now)
{
	struct px_leg *leg = ss_http_owner(s);
	uint32_t events = ss_http_events(s);

	if (leg && leg->mirror)
		px_mirror_news(ss_container_of(leg, struct px_mirror, leg), snap, events, now);
	else if (leg && leg->check)
		px_check_news(ss_container_of(leg, struct px_check, leg), snap, events, now);
	else if (leg && leg->hedge)
		px_hedge_news(leg->x, snap, events, now);
	else if (leg && leg->up)
		px_up_news(leg->x, snap, events, now);
	else if (leg)
		px_down_news(leg->x, snap, events, now);
	else if ((events & SS_HTTP_EV_HEAD) && !(events & SS_HTTP_EV_RESET))
		px_begin(p, snap, s, now);
	else if (events & SS_HTTP_EV_RESET)
		ss_http_release(s); /* it went away before we had seen it */
}

void ss_proxy_run(struct ss_proxy *p, const struct ss_snapshot *snap, struct ss_list *streams,
		  struct ss_list *ready, uint64_t now)
{
	struct ss_list again, *n;

	px_settle_some(p, now);
	ss_list_init(&again);
	ss_list_splice(&again, &p->again);
	/* News first: a client that went away leaves the list of the served. */
	while ((n = ss_list_pop(streams)))
		stream_news(p, snap, ss_http_stream_from_news(n), now);
	while ((n = ss_list_pop(ready))) {
		struct ss_up_wait *w = ss_list_entry(n, struct ss_up_wait, node);
		if (w->whose == PX_WAIT_MIRROR)
			px_mirror_served(ss_container_of(w, struct px_mirror, wait), snap, now);
		else if (w->whose == PX_WAIT_CHECK)
			px_check_served(ss_container_of(w, struct px_check, wait), snap, now);
		else
			px_served(ss_container_of(w, struct px_exchange, wait), snap, now);
	}
	while ((n = ss_list_pop(&again))) {
		struct px_exchange *x = ss_list_entry(n, struct px_exchange, again);
		px_pump_up(x, now);
		px_push_response(x, snap, now);
	}
	ss_up_feed(p->conf.up, snap, now);
}

void ss_proxy_expire(struct ss_proxy *p, const struct ss_snapshot *snap, uint64_t now)
{
	struct ss_list due, *n;

	ss_list_init(&due);
	ss_wheel_expire(&p->wheel, now, &due);
	while ((n = ss_list_pop(&due))) {
		struct ss_timer *t = ss_list_entry(n, struct ss_timer, node);
		if (t->kind == PX_TIMER_MIRROR)
			px_mirror_expired(ss_container_of(t, struct px_mirror, timer), snap, now);
		else
			px_expired(ss_container_of(t, struct px_exchange, timer), snap, now);
	}
}

uint64_t ss_proxy_next(const struct ss_proxy *p)
{
	return ss_list_empty(&p->again) && ss_list_empty(&p->leaving) ? ss_wheel_next(&p->wheel) : 0;
}

void ss_proxy_bury(struct ss_proxy *p)
{
	struct ss_list *n;

	while ((n = ss_list_pop(&p->dead)))
		ss_pool_give(p->exchanges, ss_list_entry(n, struct px_exchange, again));
	while ((n = ss_list_pop(&p->dead_mirrors)))
		ss_pool_give(p->mirrors, ss_list_entry(n, struct px_mirror, again));
	while ((n = ss_list_pop(&p->dead_checks)))
		ss_pool_give(p->checks, ss_list_entry(n, struct px_check, again));
}

void ss_proxy_shed(struct ss_proxy *p, uint32_t n)
{
	p->shed = (uint8_t)n;
}

uint32_t ss_proxy_exchanges(const struct ss_proxy *p)
{
	return ss_pool_used(p->exchanges) + ss_pool_used(p->mirrors);
}
