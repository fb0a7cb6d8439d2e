/* The arithmetic of exclusive time, on times that the test makes up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "contract/counters.h"

/* One nanosecond per cycle. */
static const struct ss_clock clock_1ghz = { .mult = 1ull << 32 };

static struct ss_counters *c;
static struct ss_ledger *l;

static void init(uint32_t every)
{
	memset(c, 0, sizeof(*c));
	ss_ledger_init(l, &clock_1ghz, every, 42);
	l->mark_cost = 0;
}

static int open_counters(void **state)
{
	c = aligned_alloc(SS_CACHE_LINE, sizeof(*c));
	l = &c->ledger;
	init(1);
	return 0;
}

static int close_counters(void **state)
{
	free(c);
	return 0;
}

/* A sampled turn that began at tsc. */
static void begin(uint64_t tsc)
{
	ss_ledger_turn(l, tsc, false, 0);
	assert_true(l->on);
}

static uint64_t ns(enum ss_stage s)
{
	return ss_ledger_read(&l->ns[s]);
}

static void names_are_metric_labels(void **state)
{
	for (int s = 0; s < SS_STAGE_COUNT; s++) {
		assert_true(strlen(ss_stage_name((enum ss_stage)s)) > 3);
		assert_true(strlen(ss_stage_what((enum ss_stage)s)) > 10);
	}
	assert_string_equal(ss_stage_name(SS_STAGE_PORT_RX), "port_rx");
	assert_string_equal(ss_stage_name(SS_STAGE_OTHER), "other");
}

/* What runs inside another stage's call is taken out of that stage's time. */
static void time_is_exclusive(void **state)
{
	begin(1000);
	ss_ledger_mark(l, SS_STAGE_PROXY, 1010);  /* other 10 */
	ss_ledger_mark(l, SS_STAGE_ROUTE, 1110);  /* proxy 100 */
	ss_ledger_mark(l, SS_STAGE_PROXY, 1140);  /* route 30 */
	ss_ledger_mark(l, SS_STAGE_UPSTREAM, 1145); /* proxy 5 */
	ss_ledger_mark(l, SS_STAGE_TLS_IN, 1150); /* upstream 5, two deep */
	ss_ledger_mark(l, SS_STAGE_UPSTREAM, 1950); /* tls 800 */
	ss_ledger_mark(l, SS_STAGE_PROXY, 1960);  /* upstream 10 */
	ss_ledger_mark(l, SS_STAGE_OTHER, 2000);  /* proxy 40 */
	assert_int_equal(l->cycles[SS_STAGE_OTHER], 10);
	assert_int_equal(l->cycles[SS_STAGE_PROXY], 145);
	assert_int_equal(l->cycles[SS_STAGE_ROUTE], 30);
	assert_int_equal(l->cycles[SS_STAGE_UPSTREAM], 15);
	assert_int_equal(l->cycles[SS_STAGE_TLS_IN], 800);
	uint64_t sum = 0;
	for (int s = 0; s < SS_STAGE_COUNT; s++)
		sum += l->cycles[s];
	assert_int_equal(sum, 1000); /* nothing lost, nothing twice */
}

static void deeper(void)
{
	SS_STAGE_HERE(c, SS_STAGE_UPSTREAM);

	assert_int_equal(l->stage, SS_STAGE_UPSTREAM);
}

static int early_return(bool early)
{
	SS_STAGE_HERE(c, SS_STAGE_ROUTE);

	assert_int_equal(l->stage, SS_STAGE_ROUTE);
	if (early)
		return 1;
	deeper();
	assert_int_equal(l->stage, SS_STAGE_ROUTE);
	return 0;
}

static void a_visit_returns_however_it_ends(void **state)
{
	begin(1000);
	ss_stage(l, SS_STAGE_PROXY);
	early_return(true);
	assert_int_equal(l->stage, SS_STAGE_PROXY);
	early_return(false);
	assert_int_equal(l->stage, SS_STAGE_PROXY);
	ss_stage(l, SS_STAGE_ROUTE);
	early_return(true); /* in its own time already */
	assert_int_equal(l->stage, SS_STAGE_ROUTE);
}

static void a_turn_that_is_not_sampled_books_nothing(void **state)
{
	init(0);
	for (int i = 0; i < 1000; i++) {
		ss_ledger_turn(l, 1000 * (uint64_t)i, true, 500);
		assert_false(l->on);
		ss_stage(l, SS_STAGE_PROXY);
		SS_STAGE_HERE(c, SS_STAGE_ROUTE);
	}
	for (int s = 0; s < SS_STAGE_COUNT; s++)
		assert_int_equal(ns((enum ss_stage)s), 0);
	assert_int_equal(ss_counter_read(c, SS_C_SAMPLED_TURNS), 0);
}

/* The TSC may pass 2^64 in the middle of a turn. */
static void the_clock_may_wrap(void **state)
{
	begin(UINT64_MAX - 99);
	ss_ledger_mark(l, SS_STAGE_PROXY, UINT64_MAX - 49);
	ss_ledger_mark(l, SS_STAGE_ROUTE, 25);
	ss_ledger_mark(l, SS_STAGE_OTHER, 30);
	assert_int_equal(l->cycles[SS_STAGE_OTHER], 50);
	assert_int_equal(l->cycles[SS_STAGE_PROXY], 75);
	assert_int_equal(l->cycles[SS_STAGE_ROUTE], 5);
}

/* A mark's own cycles are no stage's; an interval shorter than a mark is all mark. */
static void marks_are_booked_apart(void **state)
{
	begin(1000);
	l->mark_cost = 20;
	ss_ledger_mark(l, SS_STAGE_PROXY, 1100);
	ss_ledger_mark(l, SS_STAGE_ROUTE, 1150);
	ss_ledger_mark(l, SS_STAGE_OTHER, 1160);
	assert_int_equal(l->cycles[SS_STAGE_OTHER], 80);
	assert_int_equal(l->cycles[SS_STAGE_PROXY], 30);
	assert_int_equal(l->cycles[SS_STAGE_ROUTE], 0);
	assert_int_equal(l->own, 50);
}

static void a_mark_weighs_something(void **state)
{
	ss_ledger_init(l, &clock_1ghz, 64, 1);
	assert_true(l->mark_cost > 0 && l->mark_cost < 100000);
	assert_false(l->on);
	for (int s = 0; s < SS_STAGE_COUNT; s++)
		assert_int_equal(ns((enum ss_stage)s), 0);
}

/* Requests and packets of the sampled turn alone; a turn without packets is thrown away and tried again. */
static void only_busy_turns_are_kept(void **state)
{
	ss_count(c, SS_C_REQUESTS, 100);
	ss_count(c, SS_C_TX_PACKETS, 100);
	begin(1000);
	ss_ledger_mark(l, SS_STAGE_PROXY, 1500);
	ss_ledger_turn(l, 2000, false, 1000);
	assert_true(l->on);
	assert_int_equal(ns(SS_STAGE_OTHER), 0);
	assert_int_equal(ss_counter_read(c, SS_C_SAMPLED_TURNS), 0);
	ss_count(c, SS_C_REQUESTS, 3);
	ss_count(c, SS_C_RX_PACKETS, 5);
	ss_count(c, SS_C_TX_PACKETS, 4);
	ss_ledger_mark(l, SS_STAGE_PROXY, 2070);
	ss_ledger_turn(l, 2777, true, 777);
	assert_int_equal(ns(SS_STAGE_OTHER), 70);
	assert_int_equal(ns(SS_STAGE_PROXY), 707);
	assert_int_equal(ss_counter_read(c, SS_C_SAMPLED_TURNS), 1);
	assert_int_equal(ss_counter_read(c, SS_C_SAMPLED_BUSY_NS), 777);
	assert_int_equal(ss_counter_read(c, SS_C_SAMPLED_RX_PACKETS), 5);
	assert_int_equal(ss_counter_read(c, SS_C_SAMPLED_TX_PACKETS), 4);
	assert_int_equal(ss_counter_read(c, SS_C_SAMPLED_REQUESTS), 3);
}

/*
 * Turns that take a fixed pattern of times, whatever its length: long ones are proxy's, short ones tcp_in's.
 * Each stage's part of all busy time is the truth but for chance, the stages sum to it exactly but for the stratum
 * that runs, and every place of the pattern is sampled. Idle turns between do not count.
 */
static void the_choice_is_fair(void **state)
{
	enum { EVERY = 64, TURNS = 640000 };

	for (uint32_t period = 1; period <= 128; period *= 2) {
		uint64_t busy = 0, proxy = 0, kept = 0, now = 0, shared = 0, seen[128] = { 0 };
		init(EVERY);
		for (uint32_t i = 0; i < TURNS; i++) {
			bool is_long = i % period == 0;
			uint32_t took = is_long ? 1000 : 100;
			busy += took;
			proxy += is_long ? took : 0;
			if (i % 3 == 0)
				ss_ledger_turn(l, now += 50, false, 50);
			if (l->on) {
				ss_ledger_mark(l, is_long ? SS_STAGE_PROXY : SS_STAGE_TCP_IN, now);
				seen[i % period]++;
				kept++;
			}
			ss_ledger_turn(l, now += took, true, took);
			ss_count(c, SS_C_BUSY_NS, took); /* after it, as the line does */
		}
		assert_int_equal(ss_counter_read(c, SS_C_SAMPLED_TURNS), kept);
		assert_in_range(kept, TURNS / EVERY * 97 / 100, TURNS / EVERY * 103 / 100);
		for (int s = 0; s < SS_STAGE_COUNT; s++)
			shared += ss_ledger_read(&l->all_ns[s]);
		assert_in_range(shared, busy * 99 / 100, busy);
		assert_in_range(shared + l->n_stratum, l->shared_busy - SS_STAGE_COUNT * TURNS / EVERY, busy);
		/* Long turns are met kept / period times, give or take the root of that: three of these. */
		uint64_t slack = proxy / 50 + (period > 1) * (uint64_t)(3 * (double)proxy / sqrt((double)kept / period));
		assert_in_range(l->all_ns[SS_STAGE_PROXY], proxy - slack, proxy + slack);
		for (uint32_t i = 0; i < period; i++)
			assert_in_range(seen[i] * period * 10, kept * 5, kept * 15);
	}
}

#define LEDGER_TEST(f) cmocka_unit_test_setup_teardown(f, open_counters, close_counters)

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(names_are_metric_labels),
		LEDGER_TEST(time_is_exclusive),
		LEDGER_TEST(a_visit_returns_however_it_ends),
		LEDGER_TEST(a_turn_that_is_not_sampled_books_nothing),
		LEDGER_TEST(the_clock_may_wrap),
		LEDGER_TEST(marks_are_booked_apart),
		LEDGER_TEST(a_mark_weighs_something),
		LEDGER_TEST(only_busy_turns_are_kept),
		LEDGER_TEST(the_choice_is_fair),
	};
	return cmocka_run_group_tests(t, NULL, NULL);
}
