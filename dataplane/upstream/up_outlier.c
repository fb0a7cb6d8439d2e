/* up_outlier.c - how requests ended: what the endpoint table learns, and the record of an ejection. */
#include "contract/counters.h"
#include "contract/events.h"
#include "upstream/up_int.h"

static void record_ejection(struct ss_up *u, const struct ss_up_wait *w, uint64_t now)
{
	struct ss_event *ev;

	ss_count(u->conf.counters, SS_C_EJECTIONS, 1);
	ev = u->conf.events ? ss_event_reserve(u->conf.events) : NULL;
	if (!ev) {
		ss_count(u->conf.counters, SS_C_EVENTS_LOST, 1);
		return;
	}
	memset(ev, 0, offsetof(struct ss_event, text));
	ev->kind = SS_EVENT_EJECTED;
	ev->time_ns = now;
	ev->generation = u->generation;
	ev->cluster = w->cluster;
	ev->upstream = w->at.addr;
	ev->worker = (uint8_t)u->conf.worker;
	ss_event_commit(u->conf.events);
}

/* w counts no longer: in its line, on its connection, in its cluster, at its endpoint. */
static void leave(struct ss_up *u, struct ss_up_wait *w)
{
	struct up_cluster *k = &u->clusters[w->slot];

	if (w->place == SS_UP_IN_LINE)
		up_line_leave(u, w);
	if (w->place == SS_UP_SERVED)
		up_unpromise(u, w);
	ss_list_remove(&w->node);
	if (k->name == w->cluster && k->n_active)
		k->n_active--;
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
		record_ejection(u, w, now);
	leave(u, w);
}
