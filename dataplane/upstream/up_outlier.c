/* up_outlier.c - how requests ended: what the endpoint table learns, and the record of what it makes of it. */
#include <string.h>

#include "contract/counters.h"
#include "contract/events.h"
#include "upstream/up_int.h"

/* A record to fill, or NULL. */
static struct ss_event *new_record(struct ss_up *u, const struct ss_up_wait *w, enum ss_event_kind kind,
				   enum ss_counter counter, uint64_t now)
{
	struct ss_event *ev;

	ss_count(u->conf.counters, counter, 1);
	ev = u->conf.events ? ss_event_reserve(u->conf.events) : NULL;
	if (!ev) {
		ss_count(u->conf.counters, SS_C_EVENTS_LOST, 1);
		return NULL;
	}
	memset(ev, 0, offsetof(struct ss_event, text));
	ev->kind = (uint8_t)kind;
	ev->time_ns = now;
	ev->generation = u->generation;
	ev->cluster = w->cluster;
	ev->upstream = w->at.addr;
	ev->worker = (uint8_t)u->conf.worker;
	return ev;
}

static void record(struct ss_up *u, const struct ss_up_wait *w, enum ss_event_kind kind, const char *detail,
		   enum ss_counter counter, uint64_t now)
{
	struct ss_event *ev = new_record(u, w, kind, counter, now);
	uint32_t used = 0;

	if (!ev)
		return;
	if (detail)
		ss_event_put(ev, &used, &ev->detail_n, detail, (uint32_t)strlen(detail));
	ss_event_commit(u->conf.events);
}

static void tell_breaker(struct ss_up *u, const struct ss_cluster *c, const struct ss_up_wait *w, bool good,
			 uint64_t now)
{
	static const struct {
		const char *detail;
		enum ss_counter counter;
	} changes[] = {
		[SS_BREAKER_OPENED] = {"opened", SS_C_BREAKERS_OPENED},
		[SS_BREAKER_REOPENED] = {"opened again by a probe", SS_C_BREAKERS_OPENED},
		[SS_BREAKER_RECOVERED] = {"closed", SS_C_BREAKERS_CLOSED},
	};
	enum ss_breaker_change change =
		ss_breaker_result(u->conf.endpoints, w->slot, c->breaker, w->probe, good, now);

	if (change != SS_BREAKER_SAME)
		record(u, w, SS_EVENT_BREAKER, changes[change].detail, changes[change].counter, now);
}

void ss_up_unwell(struct ss_up *u, const struct ss_cluster *c, const struct ss_up_wait *w, uint64_t now)
{
	struct ss_ep_table *t = u->conf.endpoints;
	struct ss_event *ev;

	if (w->place == SS_UP_NOWHERE || !ss_ep_mark(t, w->at.ep, SS_EP_FAILED, 0))
		return;
	atomic_store_explicit(&t->watch[w->at.ep].last, SS_HEALTH_WHY_TOLD, memory_order_relaxed);
	atomic_store_explicit(&t->watch[w->at.ep].since, now, memory_order_relaxed);
	ev = new_record(u, w, SS_EVENT_HEALTH, SS_C_HEALTH_DOWN, now);
	if (!ev)
		return;
	ev->watch = (struct ss_event_watch){.what = SS_EVENT_WATCH_UNHEALTHY,
					    .why = SS_HEALTH_WHY_TOLD,
					    .down = atomic_load_explicit(&t->cluster[c->slot].unhealthy,
									 memory_order_relaxed),
					    .of = c->n_endpoints};
	ss_event_commit(u->conf.events);
}

/* w counts no longer: in its line, on its connection, in its cluster, at its endpoint. */
static void leave(struct ss_up *u, struct ss_up_wait *w)
{
	if (w->place == SS_UP_IN_LINE)
		up_line_leave(u, w);
	if (w->place == SS_UP_SERVED)
		up_unpromise(u, w);
	ss_list_remove(&w->node);
	if (w->probe)
		ss_breaker_probe_over(u->conf.endpoints, w->slot);
	w->probe = false;
	ss_cap_give(u->conf.endpoints, w->slot, w->priority, SS_CAP_REQUESTS);
	ss_ep_end(u->conf.endpoints, w->at.ep);
	up_pick_end(u, w);
	w->place = SS_UP_NOWHERE;
	w->conn = NULL;
}

void ss_up_cancel(struct ss_up *u, struct ss_up_wait *w)
{
	if (w->place != SS_UP_NOWHERE)
		leave(u, w);
}

static void tell_ejection(struct ss_up *u, const struct ss_cluster *c, const struct ss_up_wait *w,
			  const struct ss_ep_ejection *e, uint64_t now)
{
	enum ss_counter counter = e->spared ? SS_C_EJECTIONS_SPARED : SS_C_EJECTIONS;
	struct ss_event *ev = new_record(u, w, SS_EVENT_EJECTED, counter, now);

	if (!ev)
		return;
	ev->ejection = (struct ss_event_ejection){
		.why = (uint8_t)e->why,
		.spared = e->spared,
		.in_a_row = e->in_a_row,
		.limit = e->limit,
		.times = e->times,
		.for_ns = e->for_ns,
		.of = c->n_endpoints,
		.ejected = atomic_load_explicit(&u->conf.endpoints->cluster[c->slot].ejected, memory_order_relaxed)};
	ss_event_commit(u->conf.events);
}

static void failed(struct ss_up *u, const struct ss_cluster *c, const struct ss_up_wait *w, enum ss_ep_end how,
		   uint64_t now)
{
	uint64_t chance = c->outlier.jitter_ns || c->outlier.partly ? ss_rng_u64(&u->rng) : 0;
	struct ss_ep_ejection e;

	if (ss_ep_failed(u->conf.endpoints, w->at.ep, &c->outlier, how, chance, now, &e) || e.spared)
		tell_ejection(u, c, w, &e, now);
}

void ss_up_result(struct ss_up *u, const struct ss_cluster *c, struct ss_up_wait *w, enum ss_ep_end how, uint64_t now)
{
	SS_STAGE_HERE(u->conf.counters, SS_STAGE_UPSTREAM);
	bool ok = how == SS_EP_GOOD;

	if (w->place == SS_UP_NOWHERE)
		return;
	if (ok)
		ss_ep_success(u->conf.endpoints, w->at.ep);
	else
		up_pick_failed(u, c, w->at.ep, now);
	if (!ok && c)
		failed(u, c, w, how, now);
	/* The breaker counts requests, not tries: what another endpoint answers well was no failure of the
	 * cluster's. */
	if (c && c->breaker && (w->probe || !w->again))
		tell_breaker(u, c, w, ok && !w->slow, now);
	leave(u, w);
}
