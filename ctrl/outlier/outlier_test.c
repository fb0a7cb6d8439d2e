/* Windows over a table that the test fills: who is ejected by a share of failures, and who is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "outlier/outlier.h"

#define S SS_NS_PER_SEC
#define EPS 10u

struct world {
	uint64_t now;
	struct ss_ep_table *table;
	struct ss_outlier *o;
	struct ss_snapshot snap;
	struct ss_cluster cluster;
	struct ss_endpoint eps[EPS];
	struct ss_event last;
	uint32_t told;
};

static void hear(void *arg, const struct ss_event *ev)
{
	struct world *w = arg;

	w->last = *ev;
	w->told++;
}

static struct world *start(void)
{
	struct world *w = calloc(1, sizeof(*w));
	struct ss_outlier_room room = {.seed = 1, .tell = hear, .arg = w};

	w->now = 100 * S;
	assert_int_equal(ss_ep_table_create(&w->table, EPS, 1), 0);
	w->cluster = (struct ss_cluster){.name = 7,
					 .n_endpoints = EPS,
					 .endpoints = w->eps,
					 .outlier = {.base_ejection_ns = 30 * S,
						     .max_ejection_ns = 300 * S,
						     .interval_ns = 10 * S,
						     .max_ejection_percent = 50,
						     .min_health_percent = 30,
						     .n_endpoints = EPS,
						     .least_failures = 10,
						     .rate_hosts = 5,
						     .rate_requests = 100,
						     .rate_factor = 190,
						     .percent_limit = 50,
						     .percent_hosts = 5,
						     .percent_requests = 50}};
	assert_int_equal(ss_ep_cluster_hold(w->table, 7, &w->cluster.slot), 0);
	for (uint32_t i = 0; i < EPS; i++) {
		w->eps[i] = (struct ss_endpoint){.addr = {.ip = ss_ip4(0x0a000001 + i), .port = 80}, .weight = 1};
		assert_int_equal(ss_ep_hold(w->table, w->cluster.slot, &w->eps[i].addr, &w->eps[i].ep), 0);
	}
	w->snap = (struct ss_snapshot){.generation = 1, .n_clusters = 1, .clusters = &w->cluster};
	room.endpoints = w->table;
	assert_int_equal(ss_outlier_create(&w->o, &room), 0);
	ss_outlier_poll(w->o, &w->snap, w->now);
	return w;
}

static void end(struct world *w)
{
	ss_outlier_free(w->o);
	ss_ep_table_free(w->table);
	free(w);
}

static void serve(struct world *w, uint32_t i, uint32_t good, uint32_t bad)
{
	while (good--)
		ss_ep_success(w->table, w->eps[i].ep);
	while (bad--)
		ss_ep_failure(w->table, w->eps[i].ep, &w->cluster.outlier, w->now);
}

static void window(struct world *w)
{
	w->now += 10 * S;
	ss_outlier_poll(w->o, &w->snap, w->now);
}

static uint32_t ejected(const struct world *w)
{
	uint32_t set = 0;

	for (uint32_t i = 0; i < EPS; i++)
		set |= (uint32_t)!ss_ep_pickable(w->table, w->eps[i].ep, w->now) << i;
	return set;
}

static void who_fails_more_than_the_others(void **state)
{
	struct world *w = start();

	for (uint32_t i = 0; i < EPS; i++)
		serve(w, i, i == 3 ? 80 : 99, i == 3 ? 20 : 1);
	window(w);
	assert_int_equal(ejected(w), 1u << 3);
	assert_int_equal(w->told, 1);
	assert_int_equal(w->last.kind, SS_EVENT_EJECTED);
	assert_true(ss_addr_eq(&w->last.upstream, &w->eps[3].addr));
	assert_int_equal(w->last.ejection.why, SS_EP_EJECT_RATE);
	assert_int_equal(w->last.ejection.rate, 8000);
	assert_int_equal(w->last.ejection.mean, 9710);      /* (9 * 99 + 80) / 10 */
	assert_int_equal(w->last.ejection.deviation, 570);  /* sqrt((9 * 1.9^2 + 17.1^2) / 10) */
	assert_int_equal(w->last.ejection.threshold, 8627); /* 97.1 - 1.9 * 5.7 */
	assert_int_equal(w->last.ejection.requests, 100);
	assert_int_equal(w->last.ejection.failures, 20);
	assert_int_equal(w->last.ejection.for_ns, 30 * S);
	assert_int_equal(w->last.ejection.ejected, 1);
	/* What it did in the window before is forgotten. */
	for (int i = 0; i < 5; i++)
		window(w);
	assert_int_equal(ejected(w), 0);
	end(w);
}

/* Few requests, few endpoints, few failures: no share of them says anything. */
static void small_samples_say_nothing(void **state)
{
	struct world *w = start();

	for (uint32_t i = 0; i < EPS; i++)
		serve(w, i, i == 3 ? 0 : 49, i == 3 ? 49 : 0); /* 49 requests each */
	window(w);
	assert_int_equal(ejected(w), 0);
	for (uint32_t i = 0; i < 4; i++)
		serve(w, i, 0, i ? 1000 : 0); /* three endpoints that fail all, and nobody else */
	window(w);
	assert_int_equal(ejected(w), 0);
	for (uint32_t i = 0; i < EPS; i++)
		serve(w, i, 200, i == 3 ? 9 : 0);
	window(w);
	assert_int_equal(ejected(w), 0);
	/* Half of a window and half of the next are not one. */
	for (int k = 0; k < 2; k++) {
		for (uint32_t i = 0; i < EPS; i++)
			serve(w, i, i == 3 ? 10 : 40, i == 3 ? 30 : 0);
		window(w);
	}
	assert_int_equal(ejected(w), 0);
	end(w);
}

static void by_share_of_failures(void **state)
{
	struct world *w = start();

	w->cluster.outlier.rate_hosts = 0;
	for (uint32_t i = 0; i < EPS; i++)
		serve(w, i, 51, i == 2 ? 51 : i == 5 ? 50 : 0);
	window(w);
	assert_int_equal(ejected(w), 1u << 2);
	assert_int_equal(w->last.ejection.why, SS_EP_EJECT_PERCENT);
	assert_int_equal(w->last.ejection.rate, 5000);
	assert_int_equal(w->last.ejection.threshold, 5000);
	end(w);
}

static void silent(struct world *w, uint32_t i, uint32_t n)
{
	struct ss_ep_ejection out;

	while (n--)
		ss_ep_failed(w->table, w->eps[i].ep, &w->cluster.outlier, SS_EP_NO_ANSWER, 0, w->now, &out);
}

/* One endpoint errs more than the others, another is silent more often: each stands out among its kind. */
static void no_answers_have_a_rate_of_their_own(void **state)
{
	struct world *w = start();

	w->cluster.outlier.split = true;
	w->cluster.outlier.percent_limit = 0;
	for (uint32_t i = 0; i < EPS; i++)
		serve(w, i, i == 3 || i == 6 ? 100 : 120, i == 3 ? 20 : 0);
	silent(w, 6, 20);
	window(w);
	assert_int_equal(ejected(w), 1u << 3 | 1u << 6);
	assert_int_equal(w->told, 2);
	assert_int_equal(w->last.ejection.why, SS_EP_EJECT_LOCAL_RATE);
	assert_true(ss_addr_eq(&w->last.upstream, &w->eps[6].addr));
	assert_int_equal(w->last.ejection.requests, 120);
	assert_int_equal(w->last.ejection.failures, 20);
	assert_int_equal(w->last.ejection.rate, 8333);
	end(w);
}

/* Half of its requests get no answer. That half is no failure of what it answers, and errors are none of the other kind. */
static void no_answers_have_a_share_of_their_own(void **state)
{
	struct world *w = start();

	w->cluster.outlier.split = true;
	w->cluster.outlier.rate_hosts = 0;
	for (uint32_t i = 0; i < EPS; i++)
		serve(w, i, i == 2 || i == 5 ? 60 : 120, 0);
	silent(w, 2, 60);
	serve(w, 5, 0, 40);
	silent(w, 5, 20); /* half fails, but neither kind is half of what it is measured against */
	window(w);
	assert_int_equal(ejected(w), 1u << 2);
	assert_int_equal(w->last.ejection.why, SS_EP_EJECT_LOCAL_PERCENT);
	assert_int_equal(w->last.ejection.threshold, 5000);
	/* All of it silence: nothing is left that could have been an error. */
	for (uint32_t i = 0; i < EPS; i++)
		serve(w, i, i == 7 ? 0 : 120, 0);
	silent(w, 7, 120);
	window(w);
	assert_int_equal(ejected(w), 1u << 2 | 1u << 7);
	assert_int_equal(w->last.ejection.why, SS_EP_EJECT_LOCAL_PERCENT);
	end(w);
}

static void caps_hold(void **state)
{
	struct world *w = start();

	for (uint32_t i = 0; i < EPS; i++)
		serve(w, i, i < 8 ? 0 : 200, i < 8 ? 200 : 0);
	window(w);
	assert_int_equal(w->table->cluster[w->cluster.slot].ejected, 5);
	w->cluster.outlier.percent_limit = 0;
	w->cluster.outlier.rate_hosts = 0;
	for (uint32_t i = 0; i < EPS; i++)
		serve(w, i, 0, 200);
	window(w);
	assert_int_equal(w->told, 5); /* off is off */
	end(w);
}

static void who_is_out_already_is_no_measure(void **state)
{
	struct world *w = start();
	struct ss_ep_ejection out;

	for (uint32_t i = 0; i < 3; i++)
		assert_true(ss_ep_eject(w->table, w->eps[i].ep, &w->cluster.outlier, 0, w->now, &out));
	for (uint32_t i = 0; i < EPS; i++)
		serve(w, i, i < 3 ? 0 : 190, i < 3 ? 200 : i == 7 ? 12 : 0);
	window(w);
	/* Among the seven that serve, the eighth stands out; with the three the mean would be far below it. */
	assert_int_equal(ejected(w), 7u | 1u << 7);
	end(w);
}

static void a_slot_that_is_anothers_now(void **state)
{
	struct world *w = start();

	for (uint32_t i = 0; i < EPS; i++)
		serve(w, i, 1000, 0);
	window(w);
	memset(&w->table->ep[w->eps[4].ep].requests, 0, sizeof(uint64_t)); /* as a fresh slot has it */
	for (uint32_t i = 0; i < EPS; i++)
		serve(w, i, i == 4 ? 0 : 100, i == 4 ? 100 : 0);
	window(w);
	assert_int_equal(ejected(w), 1u << 4);
	assert_int_equal(w->last.ejection.requests, 100);
	end(w);
}

/* A window that is far from the one before, and in which the second endpoint fails always. */
static void one_fails(struct world *w)
{
	w->now += 10000 * S;
	ss_outlier_poll(w->o, &w->snap, w->now);
	for (uint32_t i = 0; i < EPS; i++)
		serve(w, i, i == 1 ? 0 : 100, i == 1 ? 100 : 0);
	window(w);
}

static uint32_t windows_enforced(uint32_t percent)
{
	struct world *w = start();
	uint32_t enforced = 0;

	w->cluster.outlier.partly = true;
	w->cluster.outlier.enforcing[SS_EP_EJECT_RATE] = percent;
	w->cluster.outlier.percent_limit = 0;
	for (uint32_t k = 0; k < 200; k++) {
		one_fails(w);
		assert_int_equal(w->told, k + 1);
		assert_int_equal(w->last.ejection.why, SS_EP_EJECT_RATE);
		assert_int_equal(w->last.ejection.failures, 100);
		assert_int_equal(ejected(w), w->last.ejection.spared ? 0 : 1u << 1);
		enforced += !w->last.ejection.spared;
	}
	end(w);
	return enforced;
}

static void a_share_of_windows_is_enforced(void **state)
{
	assert_int_equal(windows_enforced(0), 0);
	assert_int_equal(windows_enforced(100), 200);
	assert_in_range(windows_enforced(50), 72, 128); /* four deviations; the seed is constant */
}

static void jitter_is_added(void **state)
{
	struct world *w = start();
	struct ss_event_ejection *e = &w->last.ejection;
	uint64_t sum = 0;

	w->cluster.outlier.jitter_ns = 10 * S;
	w->cluster.outlier.interval_ns = S;
	ss_outlier_poll(w->o, &w->snap, w->now + S); /* the window that runs still has its old end, at most */
	for (int k = 0; k < 20; k++) {
		one_fails(w);
		assert_int_equal(w->told, k + 1);
		assert_in_range(e->for_ns, 30 * S, 40 * S);
		sum += e->for_ns - 30 * S;
	}
	assert_in_range(sum / 20, 2 * S, 8 * S);
	end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_fails_more_than_the_others),
		cmocka_unit_test(small_samples_say_nothing),
		cmocka_unit_test(by_share_of_failures),
		cmocka_unit_test(no_answers_have_a_rate_of_their_own),
		cmocka_unit_test(no_answers_have_a_share_of_their_own),
		cmocka_unit_test(caps_hold),
		cmocka_unit_test(who_is_out_already_is_no_measure),
		cmocka_unit_test(a_slot_that_is_anothers_now),
		cmocka_unit_test(a_share_of_windows_is_enforced),
		cmocka_unit_test(jitter_is_added),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
