/* health.c - the door: news, what is due, and the walk through a new generation. */
#include <stdlib.h>

#include "base/err.h"
#include "health/hc_int.h"

int ss_health_create(struct ss_health **out, const struct ss_health_room *conf, uint64_t now)
{
	struct ss_health *h = calloc(1, sizeof(*h));

	if (!h)
		return SS_ERR_NO_MEM;
	h->conf = *conf;
	h->n_probes = (conf->endpoints->n_eps + conf->n_workers - 1 - conf->worker) / conf->n_workers;
	/* Untouched until an endpoint is probed: the pages of a table that is never full stay the kernel's. */
	h->probes = calloc(h->n_probes + 1, sizeof(*h->probes));
	if (!h->probes) {
		free(h);
		return SS_ERR_NO_MEM;
	}
	ss_wheel_init(&h->wheel, HC_TICK_NS, now);
	ss_list_init(&h->due);
	ss_rng_seed(&h->rng, conf->seed);
	*out = h;
	return 0;
}

void ss_health_free(struct ss_health *h)
{
	if (!h)
		return;
	free(h->probes);
	free(h);
}

/* -- who is probed -- */

const struct ss_endpoint *hc_endpoint(const struct hc_probe *p, const struct ss_snapshot *snap,
				      const struct ss_cluster **c)
{
	const struct ss_endpoint *e;

	*c = ss_snapshot_cluster(snap, p->cluster);
	e = *c && (*c)->health ? ss_snapshot_endpoint(snap, *c, p->slot) : NULL;
	return e && ss_addr_eq(&e->addr, &p->addr) ? e : NULL;
}

static void nobody(struct ss_health *h, struct hc_probe *p)
{
	hc_give_up(h, p);
	ss_wheel_cancel(&h->wheel, &p->timer);
	p->state = HC_NOBODY;
	h->n_used--;
}

void hc_leave(struct ss_health *h, struct hc_probe *p, const struct ss_snapshot *snap)
{
	const struct ss_cluster *c = ss_snapshot_cluster(snap, p->cluster);
	const struct ss_endpoint *e = c ? ss_snapshot_endpoint(snap, c, p->slot) : NULL;

	nobody(h, p);
	if (!e || !ss_addr_eq(&e->addr, &p->addr))
		return; /* the slot is another one's, or nobody's */
	ss_ep_mark(h->conf.endpoints, p->slot, 0, SS_EP_FAILED | SS_EP_DEGRADED);
	atomic_store_explicit(&h->conf.endpoints->watch[p->slot].probed, 0, memory_order_relaxed);
}

static void enter(struct ss_health *h, struct hc_probe *p, const struct ss_cluster *c, const struct ss_endpoint *e,
		  uint64_t now)
{
	uint64_t spread = ss_min_u64(c->health->interval_ns, c->n_endpoints * HC_FIRST_NS);

	*p = (struct hc_probe){.state = HC_RESTS, .slot = e->ep, .cluster = c->name, .addr = e->addr};
	ss_timer_init(&p->timer, 0);
	ss_bufq_init(&p->body);
	h->n_used++;
	h->top = ss_max_u32(h->top, (uint32_t)(p - h->probes) + 1);
	atomic_store_explicit(&h->conf.endpoints->watch[e->ep].probed, 1, memory_order_relaxed);
	ss_wheel_arm(&h->wheel, &p->timer, now + ss_rng_u64(&h->rng) % ss_max_u64(spread, 1));
}

static void look_at(struct ss_health *h, const struct ss_cluster *c, const struct ss_endpoint *e, uint64_t now)
{
	struct hc_probe *p;

	if (e->ep % h->conf.n_workers != h->conf.worker)
		return;
	ss_ep_mark(h->conf.endpoints, e->ep, e->said, SS_EP_CONFIGURED & ~(uint32_t)e->said);
	if (!c->health)
		return;
	p = &h->probes[e->ep / h->conf.n_workers];
	/* The slot was another endpoint's. */
	if (p->state != HC_NOBODY && (p->cluster != c->name || !ss_addr_eq(&p->addr, &e->addr)))
		nobody(h, p);
	if (p->state == HC_NOBODY)
		enter(h, p, c, e, now);
}

/* Whole, or through what has changed since the last one began. */
static void begin_walk(struct ss_health *h, bool whole, uint64_t edition)
{
	h->walks = !h->stopped; /* whoever drains looks no more */
	h->leaves = h->once_more = false;
	h->whole = whole;
	h->after = h->upto;
	h->upto = edition;
	h->at_cluster = h->at = 0;
}

void ss_health_adopt(struct ss_health *h, const struct ss_snapshot *snap)
{
	bool same = h->generation == snap->generation;

	/* Editions may come faster than a walk through many endpoints ends: it is not begun anew for each. */
	h->once_more = same && h->walks;
	if (h->once_more)
		return;
	h->generation = snap->generation;
	begin_walk(h, !same, snap->edition);
}

/* A slice of the clusters' endpoints; true when there are no more. A cluster without endpoints counts for one. */
static bool walk_clusters(struct ss_health *h, const struct ss_snapshot *snap, uint32_t *left, uint64_t now)
{
	for (; h->at_cluster < snap->n_clusters; h->at_cluster++, h->at = 0) {
		const struct ss_cluster *c = &snap->clusters[h->at_cluster];
		bool look = h->whole || c->edition > h->after;
		for (; look && *left && h->at < c->n_endpoints; h->at++, --*left)
			look_at(h, c, &c->endpoints[h->at], now);
		if (!*left)
			return false;
		--*left;
	}
	return true;
}

static bool walk_probes(struct ss_health *h, const struct ss_snapshot *snap, uint32_t *left)
{
	for (; *left && h->at < h->top; h->at++, --*left) {
		struct hc_probe *p = &h->probes[h->at];
		const struct ss_cluster *c;
		if (p->state != HC_NOBODY && !hc_endpoint(p, snap, &c))
			hc_leave(h, p, snap);
	}
	return h->at == h->top;
}

static void walk(struct ss_health *h, const struct ss_snapshot *snap, uint64_t now)
{
	uint32_t left = SS_HEALTH_SLICE;

	if (!h->leaves && walk_clusters(h, snap, &left, now)) {
		h->leaves = true;
		h->at = 0;
	}
	/* Without a probe there is nobody to leave. */
	if (h->leaves && (!h->n_used || walk_probes(h, snap, &left)))
		h->walks = false;
	if (!h->walks && h->once_more)
		begin_walk(h, false, snap->edition);
}

/* -- the worker's calls -- */

void ss_health_run(struct ss_health *h, const struct ss_snapshot *snap, struct ss_http_news *news, uint64_t now)
{
	struct ss_list *n;

	/* Streams first: what a connection's end means is said by its stream. */
	while ((n = ss_list_pop(&news->aside_streams)))
		hc_stream_news(h, ss_http_stream_from_news(n), snap, now);
	while ((n = ss_list_pop(&news->aside_conns)))
		hc_conn_news(h, ss_http_conn_from_news(n), snap, now);
	if (ss_unlikely(h->walks))
		walk(h, snap, now);
	ss_wheel_expire(&h->wheel, now, &h->due);
	for (uint32_t i = 0; i < SS_HEALTH_BATCH && (n = ss_list_pop(&h->due)); i++)
		hc_timer(h, ss_container_of(ss_list_entry(n, struct ss_timer, node), struct hc_probe, timer), snap, now);
}

uint64_t ss_health_next(const struct ss_health *h)
{
	return h->walks || !ss_list_empty(&h->due) ? 0 : ss_wheel_next(&h->wheel);
}

void ss_health_stop(struct ss_health *h)
{
	if (h->stopped)
		return;
	h->stopped = true;
	h->walks = false;
	for (uint32_t i = 0; i < h->top; i++)
		if (h->probes[i].state != HC_NOBODY)
			nobody(h, &h->probes[i]);
}

uint32_t ss_health_endpoints(const struct ss_health *h)
{
	return h->n_used;
}

uint32_t ss_health_conns(const struct ss_health *h)
{
	return h->n_conns;
}
