/*
 * Probes over an http in memory with a clock of the test's: when they begin, what their answers mean, what they
 * make of endpoints, and what a reload leaves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

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

static uint32_t who(const struct world *w, const struct ss_addr *a)
{
	for (uint32_t i = 0; i < EPS; i++)
		if (ss_addr_eq(&w->eps[i].addr, a))
			return i;
	fail();
	return 0;
}

static struct world *start_with(enum ss_health_kind kind, uint16_t n_workers)
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

static struct world *start(enum ss_health_kind kind)
{
	return start_with(kind, 1);
}

static void end(struct world *w)
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
static void answer(struct world *w, struct ss_http_conn *c, struct ss_http_stream *s, uint32_t i)
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

static void play(struct world *w)
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

static void turn(struct world *w)
{
	play(w);
	ss_health_run(w->h, &w->snap, &w->http->news, w->now);
}

/* Turns at every moment that the room asks for, as the worker's sleep does it. */
static void run_until(struct world *w, uint64_t until)
{
	while (w->now < until) {
		uint64_t next = ss_health_next(w->h);
		for (int i = 0; i < 4; i++)
			turn(w);
		next = ss_min_u64(ss_health_next(w->h), until);
		w->now = ss_max_u64(next, w->now + MS / 10);
	}
}

static bool healthy(const struct world *w, uint32_t i)
{
	return ss_ep_pickable(w->table, w->eps[i].ep, w->now);
}

/* Nanoseconds until endpoint i is what it should be. */
static uint64_t until_is(struct world *w, uint32_t i, bool what)
{
	uint64_t from = w->now;

	while (healthy(w, i) != what) {
		assert_true(w->now < from + 1000 * S);
		run_until(w, w->now + MS);
	}
	return w->now - from;
}

static uint32_t last(const struct world *w, uint32_t i)
{
	return w->table->watch[w->eps[i].ep].last;
}

/* Its host went away, and the connections to it. */
static void cut_off(struct world *w, uint32_t i)
{
	struct ss_list *n;

	ss_list_for(n, &w->http->conns)
	{
		struct ss_http_conn *c = ss_list_entry(n, struct ss_http_conn, all);
		if (!c->released && !c->gone && who(w, &c->remote) == i)
			fake_gone(c, SS_DROP_TCP_RESET);
	}
}

/* -- what probes do -- */

static void the_first_answer_makes_healthy(void **state)
{
	struct world *w = start(SS_HEALTH_HTTP);

	w->conf.healthy_threshold = 5;
	w->does[2] = BAD_STATUS;
	for (uint32_t i = 0; i < EPS; i++)
		assert_false(healthy(w, i));
	/* All first probes within as many times 250 us, not at the end of an interval. */
	run_until(w, w->now + SOON);
	for (uint32_t i = 0; i < EPS; i++)
		assert_int_equal(healthy(w, i), i != 2);
	assert_int_equal(last(w, 2), 500 << 16 | SS_HEALTH_WHY_STATUS);
	assert_int_equal(w->table->cluster[w->cluster.slot].unhealthy, 1);
	/* Its first result was a bad one: now the threshold holds. */
	w->does[2] = GOOD;
	assert_in_range(until_is(w, 2, true), 20 * S, 30 * S);
	end(w);
}

static void the_request_is_as_configured(void **state)
{
	static const struct ss_header_op ops[] = {{.name = SS_SPAN("x-health-check"), .value = SS_SPAN("mesh")}};
	struct world *w = start(SS_HEALTH_HTTP);
	struct ss_http_stream *s;

	w->conf.fields = ops;
	w->conf.n_fields = 1;
	for (uint32_t i = 0; i < EPS; i++)
		w->does[i] = HANG;
	run_until(w, w->now + SOON);
	s = ss_list_entry(ss_list_entry(w->http->conns.next, struct ss_http_conn, all)->streams.next,
			  struct ss_http_stream, all);
	assert_true(ss_span_eq(s->tx.method, SS_SPAN("GET")));
	assert_true(ss_span_eq(s->tx.authority, SS_SPAN("web")));
	assert_true(ss_span_eq(s->tx.path, SS_SPAN("/health")));
	assert_true(ss_span_eq(s->tx.scheme, SS_SPAN("http")));
	assert_string_equal(fake_field(&s->tx, "x-health-check"), "mesh");
	assert_true(s->tx_end);
	end(w);
}

static void connections_are_kept(void **state)
{
	struct world *w = start(SS_HEALTH_HTTP);

	run_until(w, w->now + 60 * S);
	for (uint32_t i = 0; i < EPS; i++) {
		assert_int_equal(w->opens[i], 1);
		assert_in_range(w->probes[i], 11, 14);
	}
	assert_int_equal(ss_health_conns(w->h), EPS);
	w->conf.reuse = false;
	run_until(w, w->now + 30 * S);
	for (uint32_t i = 0; i < EPS; i++)
		assert_in_range(w->opens[i], 5, 7);
	assert_int_equal(ss_health_conns(w->h), 0);
	end(w);
}

/* An origin may close a connection at the moment that we use it again: that is no failure. */
static void a_kept_connection_that_ended_is_no_failure(void **state)
{
	struct world *w = start(SS_HEALTH_HTTP);

	w->conf.unhealthy_threshold = 1;
	for (uint32_t i = 0; i < EPS; i++)
		w->does[i] = CUT_KEPT;
	run_until(w, w->now + 60 * S);
	for (uint32_t i = 0; i < EPS; i++) {
		assert_true(healthy(w, i));
		assert_in_range(w->opens[i], 11, 14);
	}
	assert_int_equal(w->counters->v[SS_C_HEALTH_FAILURES], 0);
	/* On a connection of its own it is one. */
	for (uint32_t i = 0; i < EPS; i++)
		w->does[i] = CUT;
	run_until(w, w->now + 6 * S);
	for (uint32_t i = 0; i < EPS; i++)
		assert_int_equal(last(w, i), SS_HEALTH_WHY_RESET);
	end(w);
}

/* -- how fast -- */

/* Whatever it dies of, and whenever: within what the configuration implies. */
static void detection_is_bounded(void **state)
{
	static const struct {
		enum answer does;
		enum ss_health_why why;
		uint64_t more; /* the last probe may take so long */
	} v[] = {
		{BAD_STATUS, SS_HEALTH_WHY_STATUS, 0}, {REFUSE, SS_HEALTH_WHY_CONNECT, 0},
		{HANG, SS_HEALTH_WHY_TIMEOUT, 3 * S},  {CUT, SS_HEALTH_WHY_RESET, 0},
		{NEVER_OPEN, SS_HEALTH_WHY_TIMEOUT, 3 * S},
	};
	struct ss_rng rng;

	ss_rng_seed(&rng, the_seed);
	for (unsigned k = 0; k < 10 * SS_ARRAY_LEN(v); k++) {
		unsigned i = k % SS_ARRAY_LEN(v);
		struct world *w = start(SS_HEALTH_HTTP);
		uint64_t took;
		w->conf.jitter_percent = k % 3 * 10;
		run_until(w, w->now + 20 * S + ss_rng_u64(&rng) % (5 * S));
		w->does[1] = v[i].does;
		if (v[i].does == REFUSE || v[i].does == NEVER_OPEN)
			cut_off(w, 1);
		took = until_is(w, 1, false);
		/* Two probes, each at most an interval and its jitter after what was before; the tick. */
		assert_in_range(took, 1 * S, 2 * (5 * S + k % 3 * 500 * MS) + v[i].more + 3 * HC_TICK_NS);
		for (uint32_t e = 0; e < EPS; e++)
			assert_int_equal(healthy(w, e), e != 1);
		assert_int_equal(last(w, 1) & 0xffff, v[i].why);
		w->does[1] = GOOD;
		assert_in_range(until_is(w, 1, true), 0, 5 * S + k % 3 * 500 * MS + 3 * S + 2 * HC_TICK_NS);
		end(w);
	}
}

static void thresholds_hold_for_every_failure(void **state)
{
	struct world *w = start(SS_HEALTH_HTTP);

	w->conf.unhealthy_threshold = 3;
	w->conf.healthy_threshold = 2;
	run_until(w, w->now + SOON);
	/* Two failures and a good one, for ever: it stays. */
	for (int round = 0; round < 10; round++) {
		uint32_t at = w->probes[0];
		w->does[0] = BAD_STATUS;
		while (w->probes[0] < at + 2)
			run_until(w, w->now + 100 * MS);
		w->does[0] = GOOD;
		while (w->probes[0] < at + 3)
			run_until(w, w->now + 100 * MS);
		assert_true(healthy(w, 0));
	}
	w->does[0] = BAD_STATUS;
	assert_in_range(until_is(w, 0, false), 10 * S, 16 * S);
	w->does[0] = GOOD;
	assert_in_range(until_is(w, 0, true), 5 * S, 11 * S);
	end(w);
}

static void edges_have_intervals_of_their_own(void **state)
{
	struct world *w = start(SS_HEALTH_HTTP);
	uint64_t at;

	w->conf.interval_ns = 10 * S;
	w->conf.unhealthy_interval_ns = 2 * S;
	w->conf.unhealthy_edge_ns = S;
	w->conf.healthy_edge_ns = 500 * MS;
	run_until(w, w->now + 60 * S);
	w->does[0] = BAD_STATUS;
	until_is(w, 0, false);
	at = w->probed[0];
	run_until(w, w->now + 1100 * MS);
	assert_in_range(w->probed[0] - at, 1, S + 2 * HC_TICK_NS);
	at = w->probed[0];
	run_until(w, w->now + 20 * S);
	w->does[0] = GOOD;
	assert_in_range(until_is(w, 0, true), 0, 2 * S + 2 * HC_TICK_NS);
	at = w->probed[0];
	run_until(w, w->now + 600 * MS);
	assert_in_range(w->probed[0] - at, 1, 500 * MS + 2 * HC_TICK_NS);
	end(w);
}

/* -- what answers say besides -- */

static void a_word_of_its_own_takes_it_out_at_once(void **state)
{
	struct world *w = start(SS_HEALTH_HTTP);

	w->conf.unhealthy_threshold = 100;
	run_until(w, w->now + 20 * S);
	w->does[0] = TOLD;
	assert_in_range(until_is(w, 0, false), 0, 5 * S + 2 * HC_TICK_NS);
	assert_int_equal(last(w, 0), 200 << 16 | SS_HEALTH_WHY_TOLD);
	end(w);
}

/* A request's answer said it: the probes bring it back by their threshold, counted from there. */
static void marked_by_a_request(void **state)
{
	struct world *w = start(SS_HEALTH_HTTP);

	w->conf.healthy_threshold = 3;
	run_until(w, w->now + 60 * S);
	ss_ep_mark(w->table, w->eps[0].ep, SS_EP_FAILED, 0);
	assert_in_range(until_is(w, 0, true), 10 * S, 15 * S + 2 * HC_TICK_NS);
	end(w);
}

static void degraded_is_well(void **state)
{
	struct world *w = start(SS_HEALTH_HTTP);

	run_until(w, w->now + 6 * S);
	w->does[3] = DEGRADED;
	run_until(w, w->now + 6 * S);
	assert_true(healthy(w, 3));
	assert_int_equal(w->table->ep[w->eps[3].ep].flags, SS_EP_DEGRADED);
	w->does[3] = GOOD;
	run_until(w, w->now + 6 * S);
	assert_int_equal(w->table->ep[w->eps[3].ep].flags, 0);
	end(w);
}

static void bodies_are_searched(void **state)
{
	struct world *w = start(SS_HEALTH_HTTP);

	w->conf.expect = SS_SPAN("am well");
	run_until(w, w->now + SOON);
	assert_true(healthy(w, 0));
	w->conf.expect = SS_SPAN("am ill");
	assert_in_range(until_is(w, 0, false), 1, 10 * S + 2 * HC_TICK_NS);
	assert_int_equal(last(w, 0), 200 << 16 | SS_HEALTH_WHY_BODY);
	end(w);
}

static void a_good_answer_ends_an_ejection(void **state)
{
	const struct ss_outlier_conf o = {.consecutive_errors = 1,
					  .base_ejection_ns = 300 * S,
					  .max_ejection_ns = 300 * S,
					  .max_ejection_percent = 100,
					  .n_endpoints = EPS};
	struct world *w = start(SS_HEALTH_HTTP);

	run_until(w, w->now + 6 * S);
	assert_true(ss_ep_failure(w->table, w->eps[0].ep, &o, w->now));
	assert_in_range(until_is(w, 0, true), 1, 5 * S + 2 * HC_TICK_NS);
	assert_int_equal(w->table->cluster[w->cluster.slot].ejected, 0);
	assert_int_equal(w->counters->v[SS_C_UNEJECTIONS], 1);
	w->conf.uneject = false;
	assert_true(ss_ep_failure(w->table, w->eps[0].ep, &o, w->now));
	run_until(w, w->now + 30 * S);
	assert_false(healthy(w, 0));
	end(w);
}

/* -- tcp -- */

static void tcp_only_connects(void **state)
{
	struct world *w = start(SS_HEALTH_TCP);

	run_until(w, w->now + 60 * S);
	for (uint32_t i = 0; i < EPS; i++) {
		assert_true(healthy(w, i));
		assert_int_equal(w->probes[i], 0);
		assert_in_range(w->opens[i], 11, 14);
	}
	assert_int_equal(ss_health_conns(w->h), 0);
	w->does[0] = REFUSE;
	until_is(w, 0, false);
	assert_int_equal(last(w, 0), SS_HEALTH_WHY_CONNECT);
	w->does[1] = NEVER_OPEN;
	until_is(w, 1, false);
	assert_int_equal(last(w, 1), SS_HEALTH_WHY_TIMEOUT);
	end(w);
}

/* -- when -- */

static void phases_are_spread_and_stay(void **state)
{
	uint32_t in[10] = {0};

	for (uint32_t slot = 0; slot < 20000; slot++) {
		uint64_t a = hc_next_at(the_seed, slot, 5 * S, 1000 * S, 1000 * S);
		assert_in_range(a, 1000 * S + 1, 1005 * S);
		in[(a - 1000 * S - 1) / (500 * MS)]++;
		/* A probe that began there and took a while is followed one interval later. */
		assert_int_equal(hc_next_at(the_seed, slot, 5 * S, a, a + 3 * S), a + 5 * S);
		assert_int_equal(hc_next_at(the_seed, slot, 5 * S, a + 400 * MS, a + S), a + 5 * S);
		/* One that took longer than the interval: at the next phase that is to come. */
		assert_int_equal(hc_next_at(the_seed, slot, 5 * S, a, a + 11 * S), a + 15 * S);
	}
	for (uint32_t i = 0; i < 10; i++)
		assert_in_range(in[i], 1800, 2200);
}

static void without_traffic_they_are_few(void **state)
{
	struct world *w = start(SS_HEALTH_HTTP);

	w->conf.no_traffic_ns = 60 * S;
	run_until(w, w->now + 300 * S);
	for (uint32_t i = 0; i < EPS; i++)
		assert_in_range(w->probes[i], 5, 7);
	/* The first request: from the next phase on as told. */
	w->table->cluster[w->cluster.slot].asked = 1;
	w->does[0] = BAD_STATUS;
	assert_in_range(until_is(w, 0, false), 1, 10 * S + 2 * HC_TICK_NS);
	end(w);
}

static void a_turn_begins_no_more_than_its_share(void **state)
{
	struct world *w = start(SS_HEALTH_HTTP);
	uint64_t before;

	run_until(w, w->now + 6 * S);
	/* The worker was away for long: all are due at once. */
	w->now += 60 * S;
	before = w->counters->v[SS_C_HEALTH_PROBES];
	ss_health_run(w->h, &w->snap, &w->http->news, w->now);
	assert_in_range(w->counters->v[SS_C_HEALTH_PROBES] - before, 1, SS_HEALTH_BATCH);
	end(w);
}

/* Each endpoint falls to one of the workers. */
static void workers_share(void **state)
{
	struct world *w = start_with(SS_HEALTH_HTTP, 2);
	struct ss_health *other;
	struct ss_health_room room = w->h->conf;

	room.worker = 1;
	assert_int_equal(ss_health_create(&other, &room, w->now), 0);
	ss_health_adopt(other, &w->snap);
	run_until(w, w->now + SOON);
	ss_health_run(other, &w->snap, &w->http->news, w->now);
	assert_int_equal(ss_health_endpoints(w->h), EPS / 2);
	assert_int_equal(ss_health_endpoints(other), EPS / 2);
	for (uint32_t i = 0; i < EPS; i++)
		assert_int_equal(healthy(w, i), w->eps[i].ep % 2 == 0);
	ss_health_stop(other);
	ss_health_free(other);
	end(w);
}

/* -- reloads -- */

static void a_reload_keeps_states(void **state)
{
	struct world *w = start(SS_HEALTH_HTTP);
	uint32_t probes;

	w->conf.unhealthy_threshold = 3;
	run_until(w, w->now + 6 * S);
	w->does[1] = BAD_STATUS;
	until_is(w, 1, false);
	/* Every 100 ms a new generation: neither counts nor phases begin anew. */
	probes = w->probes[0];
	w->does[0] = BAD_STATUS;
	for (int i = 0; i < 160; i++) {
		w->snap.generation++;
		ss_health_adopt(w->h, &w->snap);
		run_until(w, w->now + 100 * MS);
		assert_false(healthy(w, 1));
	}
	assert_false(healthy(w, 0));
	assert_in_range(w->probes[0] - probes, 3, 5);
	for (uint32_t i = 0; i < EPS; i++)
		assert_int_equal(w->opens[i], 1);
	end(w);
}

static void a_removed_endpoint_is_left(void **state)
{
	struct world *w = start(SS_HEALTH_HTTP);
	uint32_t probes;

	run_until(w, w->now + 6 * S);
	w->does[3] = HANG; /* its probe is under way */
	run_until(w, w->now + 5 * S);
	w->cluster.n_endpoints = EPS - 1;
	w->snap.generation++;
	ss_health_adopt(w->h, &w->snap);
	run_until(w, w->now + MS);
	assert_int_equal(ss_health_endpoints(w->h), EPS - 1);
	assert_int_equal(ss_health_conns(w->h), EPS - 1);
	probes = w->probes[3];
	/* Its slot becomes another endpoint's: nothing of the old one's is found there. */
	ss_ep_drop(w->table, w->eps[3].ep);
	run_until(w, w->now + 20 * S);
	assert_int_equal(w->probes[3], probes);
	end(w);
}

static void without_a_check_all_are_well(void **state)
{
	struct world *w = start(SS_HEALTH_HTTP);

	run_until(w, w->now + 6 * S);
	w->does[1] = BAD_STATUS;
	until_is(w, 1, false);
	w->cluster.health = NULL;
	w->snap.generation++;
	ss_health_adopt(w->h, &w->snap);
	run_until(w, w->now + MS);
	assert_true(healthy(w, 1));
	assert_int_equal(ss_health_endpoints(w->h), 0);
	assert_int_equal(w->table->cluster[w->cluster.slot].unhealthy, 0);
	end(w);
}

static void what_the_configuration_says_holds(void **state)
{
	struct world *w = start(SS_HEALTH_HTTP);

	run_until(w, w->now + 6 * S);
	w->eps[0].said = SS_EP_DRAINING;
	w->eps[1].said = SS_EP_SPARED;
	w->snap.generation++;
	ss_health_adopt(w->h, &w->snap);
	run_until(w, w->now + 20 * S);
	assert_false(healthy(w, 0)); /* whatever its probes say */
	assert_true(healthy(w, 1));
	assert_int_equal(w->table->ep[w->eps[1].ep].flags, SS_EP_SPARED);
	w->eps[0].said = w->eps[1].said = 0;
	w->snap.generation++;
	ss_health_adopt(w->h, &w->snap);
	run_until(w, w->now + MS);
	assert_true(healthy(w, 0));
	assert_int_equal(w->table->ep[w->eps[1].ep].flags, 0);
	end(w);
}

/* One that flaps is its own affair: nobody else is ever out, and nothing is left behind. */
static void a_flap_is_nobody_elses(void **state)
{
	struct world *w = start(SS_HEALTH_HTTP);
	struct ss_rng rng;

	ss_rng_seed(&rng, the_seed);
	w->conf.unhealthy_threshold = 1;
	run_until(w, w->now + SOON);
	for (int i = 0; i < 400; i++) {
		w->does[1] = (enum answer)ss_rng_below(&rng, NEVER_OPEN + 1);
		run_until(w, w->now + ss_rng_u64(&rng) % (4 * S));
		for (uint32_t e = 0; e < EPS; e++)
			assert_true(e == 1 || healthy(w, e));
	}
	w->does[1] = GOOD;
	run_until(w, w->now + 20 * S);
	assert_true(healthy(w, 1));
	assert_int_equal(w->table->ep[w->eps[1].ep].flags, 0);
	assert_int_equal(w->table->cluster[w->cluster.slot].unhealthy, 0);
	end(w);
}

static void changes_are_recorded_with_their_numbers(void **state)
{
	struct world *w = start(SS_HEALTH_HTTP);
	const struct ss_event *ev;

	run_until(w, w->now + SOON);
	while (ss_event_peek(w->events))
		ss_event_release(w->events);
	w->does[2] = BAD_STATUS;
	until_is(w, 2, false);
	ev = ss_event_peek(w->events);
	assert_non_null(ev);
	assert_int_equal(ev->kind, SS_EVENT_HEALTH);
	assert_int_equal(ev->cluster, 7);
	assert_true(ss_addr_eq(&ev->upstream, &w->eps[2].addr));
	assert_int_equal(ev->watch.what, SS_EVENT_WATCH_UNHEALTHY);
	assert_int_equal(ev->watch.why, SS_HEALTH_WHY_STATUS);
	assert_int_equal(ev->watch.status, 500);
	assert_int_equal(ev->watch.in_a_row, 2);
	assert_int_equal(ev->watch.limit, 2);
	assert_int_equal(ev->watch.down, 1);
	assert_int_equal(ev->watch.of, EPS);
	assert_in_range(ev->watch.for_ns, 5 * S, 15 * S);
	ss_event_release(w->events);
	assert_null(ss_event_peek(w->events));
	end(w);
}

/* Our own want of memory says nothing about an endpoint. */
static void our_own_failures_are_not_theirs(void **state)
{
	struct world *w = start(SS_HEALTH_HTTP);

	w->conf.unhealthy_threshold = 1;
	run_until(w, w->now + 6 * S);
	w->http->request_error = SS_ERR_NO_MEM;
	run_until(w, w->now + 11 * S);
	w->http->request_error = 0;
	w->http->connect_error = SS_ERR_NO_MEM;
	run_until(w, w->now + 11 * S);
	w->http->connect_error = 0;
	for (uint32_t i = 0; i < EPS; i++)
		assert_true(healthy(w, i));
	assert_in_range(w->counters->v[SS_C_HEALTH_SKIPPED], 12, 20);
	assert_int_equal(w->counters->v[SS_C_HEALTH_FAILURES], 0);
	end(w);
}

static int open_bufs(void **state)
{
	bufs = ss_testpool_create("health", 2000);
	return 0;
}

static int close_bufs(void **state)
{
	ss_testpool_free(&bufs);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_answer_makes_healthy),
		cmocka_unit_test(the_request_is_as_configured),
		cmocka_unit_test(connections_are_kept),
		cmocka_unit_test(a_kept_connection_that_ended_is_no_failure),
		cmocka_unit_test(detection_is_bounded),
		cmocka_unit_test(thresholds_hold_for_every_failure),
		cmocka_unit_test(edges_have_intervals_of_their_own),
		cmocka_unit_test(a_word_of_its_own_takes_it_out_at_once),
		cmocka_unit_test(marked_by_a_request),
		cmocka_unit_test(degraded_is_well),
		cmocka_unit_test(bodies_are_searched),
		cmocka_unit_test(a_good_answer_ends_an_ejection),
		cmocka_unit_test(tcp_only_connects),
		cmocka_unit_test(phases_are_spread_and_stay),
		cmocka_unit_test(without_traffic_they_are_few),
		cmocka_unit_test(a_turn_begins_no_more_than_its_share),
		cmocka_unit_test(workers_share),
		cmocka_unit_test(a_reload_keeps_states),
		cmocka_unit_test(a_removed_endpoint_is_left),
		cmocka_unit_test(without_a_check_all_are_well),
		cmocka_unit_test(what_the_configuration_says_holds),
		cmocka_unit_test(a_flap_is_nobody_elses),
		cmocka_unit_test(changes_are_recorded_with_their_numbers),
		cmocka_unit_test(our_own_failures_are_not_theirs),
	};

	if (getenv("SEED"))
		the_seed = strtoull(getenv("SEED"), NULL, 0);
	print_message("seed %llu\n", (unsigned long long)the_seed);
	return cmocka_run_group_tests(tests, open_bufs, close_bufs);
}
