/* up_outlier.c - how requests ended: what the endpoint table learns, and the record of what it makes of it. */
#include <string.h>

#include "contract/counters.h"
#include "contract/events.h"
#include "upstream/up_int.h"

static void record(struct ss_up *u, const struct ss_up_wait *w, enum ss_event_kind kind, const char *detail,
		   enum ss_counter counter, uint64_t now)
{
	struct ss_event *ev;
	uint32_t used = 0;

	ss_count(u->conf.counters, counter, 1);
	ev = u->conf.events ? ss_event_reserve(u->conf.events) : NULL;
	if (!ev) {
		ss_count(u->conf.counters, SS_C_EVENTS_LOST, 1);
		return;
	}
	memset(ev, 0, offsetof(struct ss_event, text));
	ev->kind = (uint8_t)kind;
	ev->time_ns = now;
	ev->generation = u->generation;
	ev->cluster = w->cluster;
	ev->upstream = w->at.addr;
	ev->worker = (uint8_t)u->conf.worker;
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

void ss_up_result(struct ss_up *u, const struct ss_cluster *c, struct ss_up_wait *w, bool ok, uint64_t now)
{
	SS_STAGE_HERE(u->conf.counters, SS_STAGE_UPSTREAM);
	if (w->place == SS_UP_NOWHERE)
		return;
	if (ok)
		ss_ep_success(u->conf.endpoints, w->at.ep);
	else
		up_pick_failed(u, c, w->at.ep, now);
	if (!ok && c && ss_ep_failure(u->conf.endpoints, w->at.ep, &c->outlier, now))
		record(u, w, SS_EVENT_EJECTED, NULL, SS_C_EJECTIONS, now);
	/* The breaker counts requests, not tries: what another endpoint answers well was no failure of the
	 * cluster's. */
	if (c && c->breaker && (w->probe || !w->again))
		tell_breaker(u, c, w, ok && !w->slow, now);
	leave(u, w);
}
