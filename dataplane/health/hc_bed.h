/* hc_bed.h - for tests: probes over an http in memory with a clock of the test's. */
#ifndef SS_HC_BED_H
#define SS_HC_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/siphash.h"
#include "health/hc_int.h"
#include "http/http_fake.h"

#define S SS_NS_PER_SEC
#define MS SS_NS_PER_MS
#define EPS 4u
#define SOON (2 * HC_TICK_NS)

static struct ss_bufpool bufs;
static uint64_t the_seed = 1;

/* What the endpoints do with a probe. */
enum answer { GOOD = 0, BAD_STATUS, REFUSE, HANG, CUT, CUT_KEPT, TOLD, DEGRADED, NEVER_OPEN };

struct world {
	uint64_t now;
	uint32_t held;
	struct ss_http *http;
	struct ss_ep_table *table;
	struct ss_health *h;
	struct ss_counters *counters;
	struct ss_event_ring *events;
	struct ss_snapshot snap;
	struct ss_cluster cluster;
	struct ss_health_conf conf;
	struct ss_endpoint eps[EPS];
	enum answer does[EPS];
	uint64_t probed[EPS];      /* when it was asked last */
	uint32_t probes[EPS], opens[EPS];
};

static SS_UNUSED uint32_t who(const struct world *w, const struct ss_addr *a)
{
	for (uint32_t i = 0; i < EPS; i++)
		if (ss_addr_eq(&w->eps[i].addr, a))
			return i;
	fail();
	return 0;
}

static SS_UNUSED struct world *start_with(enum ss_health_kind kind, uint16_t n_workers)
{
	struct world *w = calloc(1, sizeof(*w));

	w->now = 1000 * S;
	w->held = ss_testpool_used(&bufs);
	w->http = fake_create(&bufs);
	w->counters = aligned_alloc(SS_CACHE_LINE, sizeof(*w->counters));
	memset(w->counters, 0, sizeof(*w->counters));
	w->events = ss_event_ring_create(256);
	assert_int_equal(ss_ep_table_create(&w->table, 16, 2), 0);
	w->conf = (struct ss_health_conf){.kind = (uint8_t)kind,
					  .reuse = true,
					  .uneject = true,
					  .healthy_threshold = 1,
					  .unhealthy_threshold = 2,
					  .interval_ns = 5 * S,
					  .timeout_ns = 3 * S,
					  .unhealthy_interval_ns = 5 * S,
					  .unhealthy_edge_ns = 5 * S,
					  .healthy_edge_ns = 5 * S,
					  .no_traffic_ns = 5 * S,
					  .method = SS_SPAN("GET"),
					  .host = SS_SPAN("web"),
					  .path = SS_SPAN("/health")};
	w->conf.statuses[1] = 1ull << (200 - 100 - 64);
	w->cluster = (struct ss_cluster){.name = 7, .n_endpoints = EPS, .endpoints = w->eps, .health = &w->conf};
	assert_int_equal(ss_ep_cluster_hold(w->table, 7, &w->cluster.slot), 0);
	for (uint32_t i = 0; i < EPS; i++) {
		w->eps[i] = (struct ss_endpoint){.addr = {.ip = ss_ip4(0x0a000001 + i), .port = 80}, .weight = 1};
		assert_int_equal(ss_ep_hold(w->table, w->cluster.slot, &w->eps[i].addr, &w->eps[i].ep), 0);
		ss_ep_mark(w->table, w->eps[i].ep, SS_EP_FAILED, 0);
	}
	w->snap = (struct ss_snapshot){.generation = 1, .n_clusters = 1, .clusters = &w->cluster};
	struct ss_health_room room = {.max_conns = 100,
				      .n_workers = n_workers,
				      .seed = the_seed,
				      .http = w->http,
				      .bufs = &bufs,
				      .endpoints = w->table,
				      .counters = w->counters,
				      .events = w->events};
	assert_int_equal(ss_health_create(&w->h, &room, w->now), 0);
	ss_health_adopt(w->h, &w->snap);
	return w;
}

static SS_UNUSED struct world *start(enum ss_health_kind kind)
{
	return start_with(kind, 1);
}

static SS_UNUSED void end(struct world *w)
{
	ss_health_stop(w->h);
	assert_int_equal(ss_health_endpoints(w->h), 0);
	assert_int_equal(ss_health_conns(w->h), 0);
	assert_int_equal(w->http->live_conns, 0);
	assert_int_equal(w->http->live_streams, 0);
	assert_int_equal(ss_wheel_next(&w->h->wheel), SS_NEVER);
	ss_health_free(w->h);
	fake_free(w->http);
	ss_event_ring_free(w->events);
	ss_ep_table_free(w->table);
	assert_int_equal(ss_testpool_used(&bufs), w->held);
	free(w->counters);
	free(w);
}

/* The endpoint's part: opens what is to be opened, answers what was asked. */
static SS_UNUSED void answer(struct world *w, struct ss_http_conn *c, struct ss_http_stream *s, uint32_t i)
{
	static struct ss_hdr told, degraded;

	if (s->rx_end || s->over || s->released || w->does[i] == HANG)
		return;
	w->probed[i] = w->now;
	w->probes[i]++;
	if (w->does[i] == CUT || (w->does[i] == CUT_KEPT && s->all.prev != &c->streams)) {
		fake_gone(c, SS_DROP_TCP_RESET);
		return;
	}
	told = (struct ss_hdr){.name = SS_SPAN("x-envoy-immediate-health-check-fail"), .value = SS_SPAN("true")};
	degraded = (struct ss_hdr){.name = SS_SPAN("x-envoy-degraded"), .value = SS_SPAN("")};
	if (w->does[i] == TOLD)
		s->rx.v[s->rx.n++] = told;
	if (w->does[i] == DEGRADED)
		s->rx.v[s->rx.n++] = degraded;
	fake_status(s, w->does[i] == BAD_STATUS ? 500 : 200);
	fake_bytes(s, "I am well", 9);
	fake_end(s);
}

static SS_UNUSED void play(struct world *w)
{
	struct ss_list *n, *m;

	ss_list_for(n, &w->http->conns)
	{
		struct ss_http_conn *c = ss_list_entry(n, struct ss_http_conn, all);
		uint32_t i = who(w, &c->remote);
		if (c->released || c->gone)
			continue;
		if (!c->open && w->does[i] == REFUSE) {
			fake_gone(c, SS_DROP_TCP_RESET);
			continue;
		}
		if (!c->open && w->does[i] != NEVER_OPEN) {
			w->opens[i]++;
			fake_open(c, 1);
		}
		ss_list_for(m, &c->streams) answer(w, c, ss_list_entry(m, struct ss_http_stream, all), i);
	}
}

static SS_UNUSED void turn(struct world *w)
{
	play(w);
	ss_health_run(w->h, &w->snap, &w->http->news, w->now);
}

/* Turns at every moment that the room asks for, as the worker's sleep does it. */
static SS_UNUSED void run_until(struct world *w, uint64_t until)
{
	while (w->now < until) {
		uint64_t next = ss_health_next(w->h);
		for (int i = 0; i < 4; i++)
			turn(w);
		next = ss_min_u64(ss_health_next(w->h), until);
		w->now = ss_max_u64(next, w->now + MS / 10);
	}
}

static SS_UNUSED bool healthy(const struct world *w, uint32_t i)
{
	return ss_ep_pickable(w->table, w->eps[i].ep, w->now);
}

/* Nanoseconds until endpoint i is what it should be. */
static SS_UNUSED uint64_t until_is(struct world *w, uint32_t i, bool what)
{
	uint64_t from = w->now;

	while (healthy(w, i) != what) {
		assert_true(w->now < from + 1000 * S);
		run_until(w, w->now + MS);
	}
	return w->now - from;
}

static SS_UNUSED uint32_t last(const struct world *w, uint32_t i)
{
	return w->table->watch[w->eps[i].ep].last;
}

/* Its host went away, and the connections to it. */
static SS_UNUSED void cut_off(struct world *w, uint32_t i)
{
	struct ss_list *n;

	ss_list_for(n, &w->http->conns)
	{
		struct ss_http_conn *c = ss_list_entry(n, struct ss_http_conn, all);
		if (!c->released && !c->gone && who(w, &c->remote) == i)
			fake_gone(c, SS_DROP_TCP_RESET);
	}
}

static SS_UNUSED int open_bufs(void **state)
{
	bufs = ss_testpool_create("health", 2000);
	return 0;
}

static SS_UNUSED int close_bufs(void **state)
{
	ss_testpool_free(&bufs);
	return 0;
}

/* Every program's main: its tests, with a seed that SEED=n may set. */
#define HC_RUN(tests)                                                                     \
	(getenv("SEED") ? (void)(the_seed = strtoull(getenv("SEED"), NULL, 0)) : (void)0, \
	 print_message("seed %llu\n", (unsigned long long)the_seed),                      \
	 cmocka_run_group_tests(tests, open_bufs, close_bufs))

#endif
