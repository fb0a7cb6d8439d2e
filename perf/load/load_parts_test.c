/* load_parts_test.c - the parts of sidestep-load that need no port: pattern, histogram, pacing, delays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/rng.h"
#include "perf/load/load_delay.h"
#include "perf/load/load_hist.h"
#include "perf/load/load_pace.h"
#include "perf/load/load_pattern.h"

/* -- pattern -- */

static void pattern_goes_on_over_its_period(void **state)
{
	static struct ss_load_pattern p;
	static uint8_t body[5 * SS_LOAD_PERIOD];

	ss_load_pattern_init(&p);
	for (uint64_t at = 0; at < sizeof(body);) {
		struct ss_span s = ss_load_pattern_at(&p, at, sizeof(body) - at);

		assert_in_range(s.n, 1, SS_LOAD_PERIOD);
		memcpy(body + at, s.p, s.n);
		at += s.n;
	}
	for (uint32_t at = 0; at < sizeof(body); at += 997)
		assert_true(ss_load_pattern_is(&p, at, ss_span(body + at, (uint32_t)sizeof(body) - at)));
	assert_true(ss_load_pattern_is(&p, 5, SS_SPAN_NONE));
}

/* One wrong byte anywhere shows, and so do bytes that stand at another place. */
static void pattern_sees_wrong_bytes(void **state)
{
	static struct ss_load_pattern p;
	static uint8_t body[3 * SS_LOAD_PERIOD];
	static const uint32_t moved[] = { 1, 2, 64, 1024, 1448, 4096, 8192, 16384 };

	ss_load_pattern_init(&p);
	for (uint32_t at = 0; at < sizeof(body); at++)
		body[at] = *ss_load_pattern_at(&p, at, 1).p;
	for (uint32_t at = 0; at < sizeof(body); at += 113) {
		body[at] ^= 1;
		assert_false(ss_load_pattern_is(&p, 0, ss_span(body, sizeof(body))));
		body[at] ^= 1;
	}
	assert_true(ss_load_pattern_is(&p, 0, ss_span(body, sizeof(body))));
	for (size_t i = 0; i < SS_ARRAY_LEN(moved); i++)
		assert_false(ss_load_pattern_is(&p, moved[i], ss_span(body, 64)));
}

/* -- histogram -- */

static void hist_is_close_and_never_below(void **state)
{
	static struct ss_load_hist h;

	for (uint64_t ns = 1; ns < 100 * SS_NS_PER_SEC; ns = ns * 21 / 20 + 1) {
		ss_load_hist_clear(&h);
		ss_load_hist_add(&h, ns);
		ss_load_hist_add(&h, 120 * SS_NS_PER_SEC); /* so that max does not cut it */
		uint64_t got = ss_load_hist_quantile(&h, 0.5);
		assert_true(got >= ns);
		assert_true((double)(got - ns) <= (double)ns / 128);
	}
}

static void hist_finds_quantiles(void **state)
{
	static struct ss_load_hist h;

	ss_load_hist_clear(&h);
	assert_int_equal(ss_load_hist_quantile(&h, 0.5), 0);
	for (uint32_t i = 0; i < 980; i++)
		ss_load_hist_add(&h, 100 * SS_NS_PER_US);
	for (uint32_t i = 0; i < 20; i++)
		ss_load_hist_add(&h, 10 * SS_NS_PER_MS);
	assert_in_range(ss_load_hist_quantile(&h, 0.5), 100000, 100800);
	assert_in_range(ss_load_hist_quantile(&h, 0.98), 100000, 100800);
	assert_int_equal(ss_load_hist_quantile(&h, 0.981), 10000000); /* the largest is cut at max */
	assert_int_equal(ss_load_hist_quantile(&h, 1), 10000000);
	assert_int_equal(h.min, 100000);
	assert_int_equal(h.count, 1000);
	assert_true(ss_load_hist_mean(&h) == 298000.0);
}

static void hist_keeps_what_is_beyond(void **state)
{
	static struct ss_load_hist h;
	uint64_t far = 1000 * SS_NS_PER_SEC;

	ss_load_hist_clear(&h);
	ss_load_hist_add(&h, far);
	assert_int_equal(ss_load_hist_quantile(&h, 0.5), far);
	assert_int_equal(h.max, far);
}

/* -- pacing -- */

static void pace_is_even_and_does_not_drift(void **state)
{
	struct ss_load_pace p;
	uint64_t last;

	ss_load_pace_init(&p, 3000, false, 1000);
	assert_int_equal(p.next, 1000);
	for (uint32_t i = 1; i <= 3000000; i++) {
		last = p.next;
		ss_load_pace_step(&p);
		assert_in_range(p.next - last, 333333, 333334);
	}
	/* 3,000,000 at 3,000 a second: a thousand seconds, to the microsecond. */
	assert_in_range(p.next, 1000 + 1000 * SS_NS_PER_SEC - 1000, 1000 + 1000 * SS_NS_PER_SEC + 1000);
}

static void pace_of_independent_users(void **state)
{
	struct ss_load_pace p;
	uint32_t n = 200000, above = 0;

	ss_load_pace_init(&p, 1000, true, 0);
	for (uint32_t i = 0; i < n; i++) {
		uint64_t last = p.next;
		ss_load_pace_step(&p);
		above += p.next - last > SS_NS_PER_MS;
	}
	/* The mean is 1 ms; a share of 1/e of exponential gaps is longer than their mean. */
	assert_in_range(p.next, (uint64_t)n * 990000, (uint64_t)n * 1010000);
	assert_in_range(above, n * 36 / 100, n * 376 / 1000);
}

static void pace_says_how_far_behind(void **state)
{
	struct ss_load_pace p;

	ss_load_pace_init(&p, 1000, false, 5 * SS_NS_PER_MS);
	assert_int_equal(ss_load_pace_behind(&p, 5 * SS_NS_PER_MS - 1), 0);
	assert_int_equal(ss_load_pace_behind(&p, 5 * SS_NS_PER_MS), 1);
	assert_int_equal(ss_load_pace_behind(&p, 15 * SS_NS_PER_MS), 11);
	ss_load_pace_step(&p);
	assert_int_equal(ss_load_pace_behind(&p, 15 * SS_NS_PER_MS), 10);
}

/* -- delays -- */

static void delays_meet_their_shares_in_any_stretch(void **state)
{
	struct ss_load_delays d = { .n = 2, .base_ns = 1,
				    .v = { { 100, 0.01 }, { 50, 0.20 } } };

	for (uint32_t stretch = 0; stretch < 50; stretch++) {
		uint32_t rare = 0, common = 0;
		for (uint32_t i = 0; i < 1000; i++) {
			uint64_t ns = ss_load_delays_draw(&d);
			rare += ns == 100;
			common += ns == 50;
			assert_true(ns == 100 || ns == 50 || ns == 1);
		}
		assert_in_range(rare, 8, 12);
		assert_in_range(common, 197, 203);
	}
}

struct waiter {
	struct ss_load_due due;
	bool in;
};

/* Against a model: whatever is added and removed, pops come in order of time and nothing is lost. */
static void heap_pops_in_order(void **state)
{
	enum { N = 500 };
	static struct waiter w[N];
	struct ss_load_heap h;
	struct ss_rng r;
	uint64_t now = 0;

	ss_rng_seed(&r, 7);
	assert_int_equal(ss_load_heap_create(&h, N), 0);
	for (uint32_t i = 0; i < N; i++)
		w[i] = (struct waiter){ .due.place = SS_LOAD_NOT_DUE };
	for (uint32_t round = 0; round < 20000; round++) {
		struct waiter *x = &w[ss_rng_below(&r, N)];
		if (x->in) {
			ss_load_heap_remove(&h, &x->due);
			ss_load_heap_remove(&h, &x->due); /* harmless */
			x->in = false;
		} else {
			assert_int_equal(ss_load_heap_add(&h, &x->due, now + ss_rng_below(&r, 1000)), 0);
			x->in = true;
		}
		if (round % 50)
			continue;
		now += 100;
		uint64_t last = 0;
		for (struct ss_load_due *d; (d = ss_load_heap_pop(&h, now)); last = d->at) {
			assert_true(d->at >= last && d->at <= now);
			assert_int_equal(d->place, SS_LOAD_NOT_DUE);
			ss_container_of(d, struct waiter, due)->in = false;
		}
		for (uint32_t i = 0; i < N; i++)
			assert_false(w[i].in && w[i].due.at <= now);
	}
	ss_load_heap_free(&h);
}

static void heap_is_bounded(void **state)
{
	struct ss_load_due d[3] = { { 0, SS_LOAD_NOT_DUE }, { 0, SS_LOAD_NOT_DUE }, { 0, SS_LOAD_NOT_DUE } };
	struct ss_load_heap h;

	assert_int_equal(ss_load_heap_create(&h, 2), 0);
	assert_int_equal(ss_load_heap_add(&h, &d[0], 5), 0);
	assert_int_equal(ss_load_heap_add(&h, &d[1], 4), 0);
	assert_int_equal(ss_load_heap_add(&h, &d[2], 3), SS_ERR_FULL);
	assert_null(ss_load_heap_pop(&h, 3));
	assert_ptr_equal(ss_load_heap_pop(&h, 9), &d[1]);
	ss_load_heap_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pattern_goes_on_over_its_period),
		cmocka_unit_test(pattern_sees_wrong_bytes),
		cmocka_unit_test(hist_is_close_and_never_below),
		cmocka_unit_test(hist_finds_quantiles),
		cmocka_unit_test(hist_keeps_what_is_beyond),
		cmocka_unit_test(pace_is_even_and_does_not_drift),
		cmocka_unit_test(pace_of_independent_users),
		cmocka_unit_test(pace_says_how_far_behind),
		cmocka_unit_test(delays_meet_their_shares_in_any_stretch),
		cmocka_unit_test(heap_pops_in_order),
		cmocka_unit_test(heap_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
