/*
 * Four workers, each a thread, share the buckets of three identities: together each identity gets its rate,
 * to the token. Time is driven: all threads see a step, then all go on to the next.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/rng.h"
#include "limit/limit_int.h"

#define WORKERS 4
#define IDENTITIES 3
#define STEPS 2000
#define STEP_NS (4 * SS_NS_PER_MS)
#define RATE 1000
#define BURST 100
#define TRIES 5 /* of each worker and identity in a step: 5,000 per second */

static struct ss_limit_table *table;
static struct ss_limit limit;
static pthread_barrier_t step;
static uint64_t lag_ns; /* a worker's time may be behind by up to this */
static uint32_t passed[WORKERS][IDENTITIES];

static void offer(uint16_t worker, uint64_t now)
{
	static const char *const who[IDENTITIES] = {"spiffe://m/a", "spiffe://m/b", "spiffe://m/c"};
	const struct ss_limit *l = &limit;
	struct ss_limit_list list = {1, &l};
	struct ss_limit_request rq = {.worker = worker};
	struct ss_limit_verdict v;

	for (int i = 0; i < TRIES; i++)
		for (int k = 0; k < IDENTITIES; k++) {
			rq.identity = ss_span_str(who[k]);
			passed[worker][k] += ss_limit_pass(table, &list, NULL, &rq, now, &v);
		}
}

static void *work(void *arg)
{
	uint16_t worker = (uint16_t)(uintptr_t)arg;
	uint64_t seen = 0;
	struct ss_rng r;

	ss_rng_seed(&r, worker);
	for (int i = 0; i < STEPS; i++) {
		uint64_t now = SS_NS_PER_SEC + (uint64_t)i * STEP_NS;
		seen = ss_max_u64(seen, lag_ns ? now - ss_rng_below(&r, (uint32_t)lag_ns) : now);
		offer(worker, seen);
		pthread_barrier_wait(&step);
	}
	return NULL;
}

static void run(void)
{
	pthread_t thread[WORKERS];

	memset(passed, 0, sizeof(passed));
	assert_int_equal(ss_limit_table_create(&table, 1, 1024, WORKERS), 0);
	limit = (struct ss_limit){.name = 1, .key = SS_LIMIT_IDENTITY, .enforce = true};
	assert_true(ss_limit_pace_of(&limit.pace, RATE, SS_NS_PER_SEC, BURST));
	assert_int_equal(ss_limit_hold(table, 1, &limit.slot), 0);
	pthread_barrier_init(&step, NULL, WORKERS);
	for (uintptr_t w = 0; w < WORKERS; w++)
		pthread_create(&thread[w], NULL, work, (void *)w);
	for (int w = 0; w < WORKERS; w++)
		pthread_join(thread[w], NULL);
	pthread_barrier_destroy(&step);
}

static uint32_t all(int identity)
{
	uint32_t n = 0;

	for (int w = 0; w < WORKERS; w++)
		n += passed[w][identity];
	return n;
}

/* Tokens come in whole ticks here: a bucket's worth at the start, four in each step after. 20 tries in a step
 * are offered, so it takes ten steps until the bucket is empty. */
#define EXPECTED (BURST + RATE * (uint64_t)(STEPS - 1) * STEP_NS / SS_NS_PER_SEC)

static void together_to_the_token(void **state)
{
	struct ss_limit_counts c;

	lag_ns = 0;
	run();
	c = ss_limit_counted(table, limit.slot);
	for (int k = 0; k < IDENTITIES; k++)
		assert_int_equal(all(k), EXPECTED);
	assert_int_equal(c.passed, IDENTITIES * EXPECTED);
	assert_int_equal(c.passed + c.limited, (uint64_t)IDENTITIES * WORKERS * TRIES * STEPS);
	assert_int_equal(c.evicted, 0);
	ss_limit_table_free(table);
}

/* Workers behind by up to a turn: never more than the bound (their time began up to a turn earlier), and less
 * by no more than what a turn brings. */
static void within_the_bound_when_clocks_lag(void **state)
{
	lag_ns = 2 * SS_NS_PER_MS;
	run();
	for (int k = 0; k < IDENTITIES; k++) {
		assert_in_range(all(k), EXPECTED - RATE * lag_ns / SS_NS_PER_SEC - 1,
				EXPECTED + RATE * lag_ns / SS_NS_PER_SEC);
	}
	ss_limit_table_free(table);
}

/* All workers meet each key in the same moment: one bucket is made, not one each. */
#define KEYS 3000

static _Atomic uint32_t met, passed_of[KEYS];

static void *meet(void *arg)
{
	const struct ss_limit *l = &limit;
	struct ss_limit_list list = {1, &l};
	struct ss_limit_verdict v;
	char who[32];

	for (uint32_t k = 0; k < KEYS; k++) {
		struct ss_limit_request rq = {.worker = (uint16_t)(uintptr_t)arg};
		rq.identity = ss_span(who, (uint32_t)snprintf(who, sizeof(who), "spiffe://m/%u", k));
		/* Nearer to each other than a barrier lets them go. */
		atomic_fetch_add(&met, 1);
		for (uint32_t spins = 0; atomic_load(&met) < (k + 1) * 2; spins++)
			if (spins > 1000)
				sched_yield();
		for (int i = 0; i < BURST; i++)
			passed_of[k] += ss_limit_pass(table, &list, NULL, &rq, SS_NS_PER_SEC, &v);
	}
	return NULL;
}

static void one_bucket_is_made(void **state)
{
	pthread_t thread[2];

	assert_int_equal(ss_limit_table_create(&table, 1, 64 * KEYS, 2), 0);
	limit = (struct ss_limit){.name = 1, .key = SS_LIMIT_IDENTITY, .enforce = true};
	assert_true(ss_limit_pace_of(&limit.pace, RATE, SS_NS_PER_SEC, BURST));
	assert_int_equal(ss_limit_hold(table, 1, &limit.slot), 0);
	for (uintptr_t w = 0; w < 2; w++)
		pthread_create(&thread[w], NULL, meet, (void *)w);
	for (int w = 0; w < 2; w++)
		pthread_join(thread[w], NULL);
	assert_int_equal(ss_limit_counted(table, limit.slot).evicted, 0);
	for (int k = 0; k < KEYS; k++)
		assert_int_equal(passed_of[k], BURST);
	ss_limit_table_free(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_bucket_is_made),
		cmocka_unit_test(together_to_the_token),
		cmocka_unit_test(within_the_bound_when_clocks_lag),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
