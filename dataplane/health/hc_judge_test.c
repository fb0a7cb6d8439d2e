/* What answers make of endpoints: how soon, for how long, and what is told of it. */
#include "health/hc_bed.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(detection_is_bounded),
		cmocka_unit_test(thresholds_hold_for_every_failure),
		cmocka_unit_test(edges_have_intervals_of_their_own),
		cmocka_unit_test(a_word_of_its_own_takes_it_out_at_once),
		cmocka_unit_test(marked_by_a_request),
		cmocka_unit_test(degraded_is_well),
		cmocka_unit_test(a_good_answer_ends_an_ejection),
		cmocka_unit_test(a_flap_is_nobody_elses),
		cmocka_unit_test(changes_are_recorded_with_their_numbers),
	};

	return HC_RUN(tests);
}
