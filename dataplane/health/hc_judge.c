/*
 * hc_judge.c - what a probe's result makes of its endpoint, and when the next one begins.
 *
 * The endpoint table is the truth: a request's answer may have marked the endpoint meanwhile (fast fail). The
 * thresholds hold for every failure, a status that is not expected included.
 */
#include <string.h>

#include "contract/balance.h"
#include "health/hc_int.h"

/* -- when -- */

uint64_t hc_next_at(uint64_t seed, uint32_t slot, uint64_t interval, uint64_t began, uint64_t now)
{
	uint64_t phase = ss_balance_mix(seed, slot) % interval;
	uint64_t next = (began + interval - phase) / interval * interval + phase;

	/* It took longer than the interval: what was missed is left out. */
	return next > now ? next : (now + interval - phase) / interval * interval + phase;
}

void hc_rest(struct ss_health *h, struct hc_probe *p, uint64_t after, const struct ss_health_conf *conf, uint64_t now)
{
	uint64_t at = hc_next_at(h->conf.seed, p->slot, after, p->began, now);
	uint64_t jitter = after / 100 * conf->jitter_percent;

	if (h->stopped)
		return;
	ss_wheel_arm(&h->wheel, &p->timer, at + (jitter ? ss_rng_u64(&h->rng) % jitter : 0));
}

/* -- what -- */

static void record(struct ss_health *h, const struct hc_probe *p, const struct ss_cluster *c,
		   const struct ss_event_watch *w, uint64_t now)
{
	struct ss_event *ev = h->conf.events ? ss_event_reserve(h->conf.events) : NULL;

	if (!ev) {
		ss_count(h->conf.counters, SS_C_EVENTS_LOST, h->conf.events != NULL);
		return;
	}
	memset(ev, 0, offsetof(struct ss_event, text));
	ev->kind = SS_EVENT_HEALTH;
	ev->time_ns = now;
	ev->generation = h->generation;
	ev->cluster = c->name;
	ev->upstream = p->addr;
	ev->worker = (uint8_t)h->conf.worker;
	ev->watch = *w;
	ev->watch.down = atomic_load_explicit(&h->conf.endpoints->cluster[c->slot].unhealthy, memory_order_relaxed);
	ev->watch.of = c->n_endpoints;
	ss_event_commit(h->conf.events);
}

static void note(struct ss_health *h, const struct hc_probe *p, const struct hc_result *r)
{
	struct ss_ep_watch *w = &h->conf.endpoints->watch[p->slot];
	bool good = r->why == SS_HEALTH_WHY_GOOD;

	atomic_fetch_add_explicit(&w->probes, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&w->probes_failed, !good, memory_order_relaxed);
	atomic_store_explicit(&w->last, r->status << 16 | r->why, memory_order_relaxed);
	ss_count(h->conf.counters, SS_C_HEALTH_FAILURES, !good);
}

static void turn(struct ss_health *h, struct hc_probe *p, const struct ss_cluster *c, const struct hc_result *r,
		 bool down, uint32_t limit, uint64_t now)
{
	struct ss_ep_watch *w = &h->conf.endpoints->watch[p->slot];
	struct ss_event_watch e = {.what = down ? SS_EVENT_WATCH_UNHEALTHY : SS_EVENT_WATCH_HEALTHY,
				   .why = (uint8_t)r->why,
				   .status = r->status,
				   .in_a_row = down ? p->bad : p->good,
				   .limit = limit};
	uint64_t since = atomic_load_explicit(&w->since, memory_order_relaxed);

	e.for_ns = since && since < now ? now - since : 0;
	atomic_store_explicit(&w->since, now, memory_order_relaxed);
	ss_ep_mark(h->conf.endpoints, p->slot, down ? SS_EP_FAILED : 0, down ? 0 : SS_EP_FAILED);
	ss_count(h->conf.counters, down ? SS_C_HEALTH_DOWN : SS_C_HEALTH_UP, 1);
	record(h, p, c, &e, now);
}

static void judge_degraded(struct ss_health *h, struct hc_probe *p, const struct ss_cluster *c, bool degraded,
			   uint64_t now)
{
	struct ss_event_watch e = {.what = degraded ? SS_EVENT_WATCH_DEGRADED : SS_EVENT_WATCH_NOT_DEGRADED};

	if (ss_ep_mark(h->conf.endpoints, p->slot, degraded ? SS_EP_DEGRADED : 0, degraded ? 0 : SS_EP_DEGRADED))
		record(h, p, c, &e, now);
}

/* An ejection is a guess from requests; an endpoint that answers its check as it should is let back. */
static void judge_ejection(struct ss_health *h, struct hc_probe *p, const struct ss_cluster *c, uint64_t now)
{
	struct ss_event_watch e = {.what = SS_EVENT_WATCH_UNEJECTED, .why = SS_HEALTH_WHY_GOOD};

	if (!c->health->uneject || !ss_ep_uneject(h->conf.endpoints, p->slot, now))
		return;
	ss_count(h->conf.counters, SS_C_UNEJECTIONS, 1);
	record(h, p, c, &e, now);
}

void hc_judge(struct ss_health *h, struct hc_probe *p, const struct ss_cluster *c, const struct hc_result *r,
	      uint64_t now)
{
	const struct ss_health_conf *conf = c->health;
	bool down = atomic_load_explicit(&h->conf.endpoints->ep[p->slot].flags, memory_order_relaxed) & SS_EP_FAILED;
	bool good = r->why == SS_HEALTH_WHY_GOOD, flip;

	note(h, p, r);
	p->good = good && down ? p->good + 1 : 0;
	p->bad = good || down ? 0 : p->bad + 1;
	if (down)
		flip = good && (!p->judged || p->good >= conf->healthy_threshold);
	else
		flip = !good && (r->why == SS_HEALTH_WHY_TOLD || p->bad >= conf->unhealthy_threshold);
	p->judged = true;
	if (flip)
		turn(h, p, c, r, !down, down ? conf->healthy_threshold : conf->unhealthy_threshold, now);
	down ^= flip;
	if (good)
		judge_degraded(h, p, c, r->degraded, now);
	if (good && !down)
		judge_ejection(h, p, c, now);
	if (flip)
		hc_rest(h, p, down ? conf->unhealthy_edge_ns : conf->healthy_edge_ns, conf, now);
	else
		hc_rest(h, p, down ? conf->unhealthy_interval_ns : conf->interval_ns, conf, now);
}
