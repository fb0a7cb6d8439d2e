/* caps_test.c - limits and breakers that four workers share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>

#include "base/rng.h"
#include "contract/endpoints.h"

#define THREADS 4
#define S SS_NS_PER_SEC

static struct ss_ep_table *table;
static uint32_t slot;

static int setup(void **state)
{
	assert_int_equal(ss_ep_table_create(&table, 8, 4), 0);
	assert_int_equal(ss_ep_cluster_hold(table, 7, &slot), 0);
	return 0;
}

static int teardown(void **state)
{
	ss_ep_cluster_drop(table, slot);
	ss_ep_table_free(table);
	return 0;
}

static void run(void *(*fn)(void *))
{
	pthread_t t[THREADS];

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, fn, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
}

/* -- limits -- */

static _Atomic uint32_t most, taken, refused;

static void *take_and_give(void *arg)
{
	for (int i = 0; i < 100000; i++) {
		uint32_t n;
		if (!ss_cap_take(table, slot, 0, SS_CAP_REQUESTS, 3)) {
			atomic_fetch_add(&refused, 1);
			continue;
		}
		n = atomic_fetch_add(&taken, 1) + 1;
		if (n > atomic_load(&most))
			atomic_store(&most, n);
		atomic_fetch_sub(&taken, 1);
		ss_cap_give(table, slot, 0, SS_CAP_REQUESTS);
	}
	return NULL;
}

static void a_limit_is_exact_over_four_threads(void **state)
{
	run(take_and_give);
	assert_in_range(most, 1, 3);
	assert_true(ss_cap_idle(table, slot));
}

static void priorities_have_their_own(void **state)
{
	assert_true(ss_cap_take(table, slot, SS_PRIORITY_DEFAULT, SS_CAP_PENDING, 1));
	assert_false(ss_cap_take(table, slot, SS_PRIORITY_DEFAULT, SS_CAP_PENDING, 1));
	assert_true(ss_cap_take(table, slot, SS_PRIORITY_HIGH, SS_CAP_PENDING, 1));
	assert_true(ss_cap_take(table, slot, SS_PRIORITY_HIGH, SS_CAP_PENDING, 0)); /* no limit, but counted */
	assert_int_equal(ss_cap_used(table, slot, SS_PRIORITY_HIGH, SS_CAP_PENDING), 2);
	ss_cap_give(table, slot, SS_PRIORITY_DEFAULT, SS_CAP_PENDING);
	ss_cap_give(table, slot, SS_PRIORITY_HIGH, SS_CAP_PENDING);
	ss_cap_give(table, slot, SS_PRIORITY_HIGH, SS_CAP_PENDING);
	assert_true(ss_cap_idle(table, slot));
}

static uint32_t retries_beside(uint32_t requests, const struct ss_caps *caps, const struct ss_retry_budget *b)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < requests; i++)
		ss_cap_take(table, slot, 0, SS_CAP_REQUESTS, 0);
	/* Each retry is a request under way, too. */
	while (n < 1000 && ss_cap_take_retry(table, slot, 0, caps, b)) {
		ss_cap_take(table, slot, 0, SS_CAP_REQUESTS, 0);
		n++;
	}
	for (uint32_t i = 0; i < n; i++)
		ss_cap_give(table, slot, 0, SS_CAP_RETRIES);
	for (uint32_t i = 0; i < requests + n; i++)
		ss_cap_give(table, slot, 0, SS_CAP_REQUESTS);
	return n;
}

static void the_retry_budget_is_a_share_of_first_tries(void **state)
{
	const struct ss_retry_budget b = { .share = 2000, .least = 3 }, off = { .share = 0 };
	const struct ss_caps none = { { 0 } }, five = { { 0, 0, 0, 5 } };

	assert_int_equal(retries_beside(0, &none, &b), 3);
	assert_int_equal(retries_beside(10, &none, &b), 3);
	assert_int_equal(retries_beside(20, &none, &b), 4);
	assert_int_equal(retries_beside(500, &none, &b), 100);
	assert_int_equal(retries_beside(500, &five, &b), 5);
	assert_int_equal(retries_beside(500, &five, &off), 5);
	assert_int_equal(retries_beside(1, &none, &off), 1000);
}

/* A slot in which something still counts is not given to another cluster. */
static void a_slot_in_use_is_not_given_away(void **state)
{
	uint32_t a, b, c;

	assert_int_equal(ss_ep_cluster_hold(table, 21, &a), 0);
	ss_cap_take(table, a, 0, SS_CAP_RETRIES, 0);
	ss_ep_cluster_drop(table, a);
	assert_int_equal(ss_ep_cluster_hold(table, 22, &b), 0);
	assert_int_equal(ss_ep_cluster_hold(table, 23, &c), 0);
	assert_true(b != a && c != a);
	assert_true(ss_ep_cluster_hold(table, 24, &(uint32_t){ 0 }) < 0);
	ss_cap_give(table, a, 0, SS_CAP_RETRIES);
	ss_ep_cluster_drop(table, b);
	ss_ep_cluster_drop(table, c);
	for (uint32_t i = 30; i < 33; i++)
		assert_int_equal(ss_ep_cluster_hold(table, i, &a), 0);
}

/* -- the breaker -- */

static const struct ss_breaker_conf conf = { .failure_percent = 50,
					     .min_requests = 10,
					     .successes = 2,
					     .probes = 2,
					     .window_ns = 10 * S,
					     .open_ns = 30 * S };

static enum ss_breaker_change ends(bool probe, bool good, uint64_t now)
{
	return ss_breaker_result(table, slot, &conf, probe, good, now);
}

static void opens_at_half_of_ten(void **state)
{
	bool probe;

	for (int i = 0; i < 9; i++)
		assert_int_equal(ends(false, false, 100 * S), SS_BREAKER_SAME);
	assert_int_equal(ss_breaker_state(table, slot, 100 * S), SS_BREAKER_CLOSED);
	/* A window later they count no more. */
	for (int i = 0; i < 5; i++)
		assert_int_equal(ends(false, true, 111 * S), SS_BREAKER_SAME);
	for (int i = 0; i < 4; i++)
		assert_int_equal(ends(false, false, 111 * S), SS_BREAKER_SAME);
	assert_true(ss_breaker_admit(table, slot, &conf, 111 * S, &probe));
	assert_false(probe);
	assert_int_equal(ends(false, false, 111 * S), SS_BREAKER_OPENED);
	assert_int_equal(ss_breaker_state(table, slot, 111 * S), SS_BREAKER_OPEN);
	assert_false(ss_breaker_admit(table, slot, &conf, 140 * S, &probe));
	/* What was under way says nothing. */
	assert_int_equal(ends(false, true, 112 * S), SS_BREAKER_SAME);
}

/* Failures on both sides of any moment count together while they are within one window of each other. */
static void the_window_slides(void **state)
{
	const uint64_t w = conf.window_ns;

	for (int i = 0; i < 5; i++)
		assert_int_equal(ends(false, false, 20 * w - 1), SS_BREAKER_SAME);
	for (int i = 0; i < 4; i++)
		assert_int_equal(ends(false, false, 20 * w + w / 2), SS_BREAKER_SAME);
	/* The first five are out by then; four and one more are not ten. */
	assert_int_equal(ends(false, false, 21 * w + w / 10), SS_BREAKER_SAME);
	for (int i = 0; i < 4; i++)
		assert_int_equal(ends(false, false, 21 * w + 3 * w / 10), SS_BREAKER_SAME);
	assert_int_equal(ends(false, false, 21 * w + 4 * w / 10), SS_BREAKER_OPENED);
}

/* Against a list of everything that ended, at random times: never off by more than the oldest tenth. */
static void as_a_list_would_count(void **state)
{
	enum { N = 4000 };
	static struct {
		uint64_t at;
		bool good;
	} all[N];
	const uint64_t tenth = conf.window_ns / 10;
	struct ss_rng rng;
	uint64_t now = 1000 * conf.window_ns;
	uint32_t first = 0, opened = 0;

	ss_rng_seed(&rng, 11);
	for (uint32_t i = 0; i < N; i++) {
		uint32_t n = 0, bad = 0;
		now += ss_rng_below(&rng, (uint32_t)(conf.window_ns / 1000 / 6)) * 1000ull;
		all[i].at = now;
		all[i].good = ss_rng_below(&rng, 100) < 60;
		for (uint32_t k = first; k <= i; k++) {
			if (all[k].at / tenth + 10 <= now / tenth)
				continue;
			n++;
			bad += !all[k].good;
		}
		bool opens = !all[i].good && n >= conf.min_requests && bad * 100 >= n * conf.failure_percent;
		assert_int_equal(ends(false, all[i].good, now), opens ? SS_BREAKER_OPENED : SS_BREAKER_SAME);
		if (!opens)
			continue;
		opened++;
		now += conf.open_ns;
		for (uint32_t k = 0; k < conf.successes; k++)
			ends(true, true, now);
		assert_int_equal(ss_breaker_state(table, slot, now), SS_BREAKER_CLOSED);
		first = i + 1;
	}
	assert_true(opened > 10);
}

static void probes_close_it_or_open_it_again(void **state)
{
	bool p;

	for (int i = 0; i < 10; i++)
		ends(false, false, 100 * S);
	assert_int_equal(ss_breaker_state(table, slot, 131 * S), SS_BREAKER_HALF_OPEN);
	/* Two at once, no more. */
	assert_true(ss_breaker_admit(table, slot, &conf, 131 * S, &p) && p);
	assert_true(ss_breaker_admit(table, slot, &conf, 131 * S, &p) && p);
	assert_false(ss_breaker_admit(table, slot, &conf, 131 * S, &p));
	ss_breaker_probe_over(table, slot);
	assert_int_equal(ends(true, true, 131 * S), SS_BREAKER_SAME);
	ss_breaker_probe_over(table, slot);
	assert_int_equal(ends(true, false, 131 * S), SS_BREAKER_REOPENED);
	assert_false(ss_breaker_admit(table, slot, &conf, 160 * S, &p));
	for (int i = 0; i < 2; i++) {
		assert_true(ss_breaker_admit(table, slot, &conf, 162 * S, &p) && p);
		assert_int_equal(ends(true, true, 162 * S), i ? SS_BREAKER_RECOVERED : SS_BREAKER_SAME);
		ss_breaker_probe_over(table, slot);
	}
	assert_int_equal(ss_breaker_state(table, slot, 162 * S), SS_BREAKER_CLOSED);
	assert_true(ss_breaker_admit(table, slot, &conf, 162 * S, &p));
	assert_false(p);
}

static _Atomic uint32_t openings, probing, most_probes;

static void *fail_all(void *arg)
{
	for (int i = 0; i < 50000; i++)
		atomic_fetch_add(&openings, ends(false, false, 1000 * S) == SS_BREAKER_OPENED);
	return NULL;
}

static void *probe_all(void *arg)
{
	for (int i = 0; i < 50000; i++) {
		bool p;
		uint32_t n;
		if (!ss_breaker_admit(table, slot, &conf, 1031 * S, &p))
			continue;
		n = atomic_fetch_add(&probing, 1) + 1;
		if (n > atomic_load(&most_probes))
			atomic_store(&most_probes, n);
		atomic_fetch_sub(&probing, 1);
		ss_breaker_probe_over(table, slot);
	}
	return NULL;
}

static void one_of_four_threads_opens_it(void **state)
{
	run(fail_all);
	assert_int_equal(openings, 1);
	run(probe_all);
	assert_in_range(most_probes, 1, 2);
}

/* -- an endpoint on trial: the breaker of one endpoint is its ejection -- */

static void an_endpoint_comes_back_on_trial(void **state)
{
	const struct ss_outlier_conf o = { .consecutive_errors = 5,
					   .base_ejection_ns = 30 * S,
					   .max_ejection_ns = 300 * S,
					   .max_ejection_percent = 100,
					   .n_endpoints = 1,
					   .trial = 2 };
	struct ss_addr a = { ss_ip4(1), 80 };
	uint32_t ep;

	assert_int_equal(ss_ep_hold(table, slot, &a, &ep), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(ss_ep_failure(table, ep, &o, 100 * S), i == 4);
	assert_false(ss_ep_pickable(table, ep, 129 * S));
	assert_true(ss_ep_pickable(table, ep, 130 * S));
	assert_false(ss_ep_on_trial(table, ep));
	ss_ep_begin(table, ep);
	assert_true(ss_ep_on_trial(table, ep)); /* one at a time */
	ss_ep_end(table, ep);
	ss_ep_success(table, ep);
	/* One failure is enough now. */
	assert_true(ss_ep_failure(table, ep, &o, 131 * S));
	assert_true(ss_ep_pickable(table, ep, 300 * S));
	ss_ep_success(table, ep);
	ss_ep_success(table, ep);
	ss_ep_begin(table, ep);
	assert_false(ss_ep_on_trial(table, ep));
	ss_ep_end(table, ep);
	assert_false(ss_ep_failure(table, ep, &o, 300 * S));
	ss_ep_drop(table, ep);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_limit_is_exact_over_four_threads, setup, teardown),
		cmocka_unit_test_setup_teardown(priorities_have_their_own, setup, teardown),
		cmocka_unit_test_setup_teardown(the_retry_budget_is_a_share_of_first_tries, setup, teardown),
		cmocka_unit_test_setup_teardown(a_slot_in_use_is_not_given_away, setup, teardown),
		cmocka_unit_test_setup_teardown(opens_at_half_of_ten, setup, teardown),
		cmocka_unit_test_setup_teardown(the_window_slides, setup, teardown),
		cmocka_unit_test_setup_teardown(as_a_list_would_count, setup, teardown),
		cmocka_unit_test_setup_teardown(probes_close_it_or_open_it_again, setup, teardown),
		cmocka_unit_test_setup_teardown(one_of_four_threads_opens_it, setup, teardown),
		cmocka_unit_test_setup_teardown(an_endpoint_comes_back_on_trial, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
