#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/rng.h"
#include "contract/endpoints.h"

#define S SS_NS_PER_SEC

static const struct ss_outlier_conf seed = {
	.consecutive_errors = 5,
	.base_ejection_ns = 30 * S,
	.max_ejection_ns = 300 * S,
	.interval_ns = 30 * S,
	.max_ejection_percent = 50,
	.min_health_percent = 30,
};

static struct ss_addr addr_of(uint32_t i)
{
	return (struct ss_addr){.ip = ss_ip4(0x0a000000 + i), .port = 80};
}

static struct ss_ep_table *table_of(uint32_t n, uint32_t *eps)
{
	struct ss_ep_table *t;
	uint32_t c;

	assert_int_equal(ss_ep_table_create(&t, n, 2), 0);
	assert_int_equal(ss_ep_cluster_hold(t, 7, &c), 0);
	for (uint32_t i = 0; i < n; i++) {
		struct ss_addr a = addr_of(i);
		assert_int_equal(ss_ep_hold(t, c, &a, &eps[i]), 0);
	}
	return t;
}

static bool fail_times(struct ss_ep_table *t, uint32_t ep, const struct ss_outlier_conf *o, int n,
		       uint64_t now)
{
	bool ejected = false;

	for (int i = 0; i < n; i++)
		ejected |= ss_ep_failure(t, ep, o, now);
	return ejected;
}

static void five_failures_eject(void **state)
{
	uint32_t eps[4];
	struct ss_ep_table *t = table_of(4, eps);
	struct ss_outlier_conf o = seed;

	o.n_endpoints = 4;
	assert_false(fail_times(t, eps[0], &o, 4, S));
	ss_ep_success(t, eps[0]);
	assert_false(fail_times(t, eps[0], &o, 4, S));
	assert_true(ss_ep_pickable(t, eps[0], S));
	assert_true(ss_ep_failure(t, eps[0], &o, S));
	assert_false(ss_ep_pickable(t, eps[0], S));
	assert_true(ss_ep_pickable(t, eps[1], S));
	assert_int_equal(t->cluster[0].ejected, 1);
	/* What was under way changes nothing. */
	assert_false(fail_times(t, eps[0], &o, 20, 2 * S));
	assert_false(ss_ep_pickable(t, eps[0], 31 * S - 1));
	assert_true(ss_ep_pickable(t, eps[0], 31 * S));
	assert_int_equal(t->cluster[0].ejected, 0);
	assert_false(fail_times(t, eps[0], &o, 4, 31 * S));
	ss_ep_table_free(t);
}

static void the_time_grows_and_decays(void **state)
{
	uint32_t eps[4];
	struct ss_ep_table *t = table_of(4, eps);
	struct ss_outlier_conf o = seed;
	uint64_t now = S, want[] = {30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300};

	o.n_endpoints = 4;
	for (unsigned i = 0; i < SS_ARRAY_LEN(want); i++) {
		assert_true(fail_times(t, eps[0], &o, 5, now));
		assert_false(ss_ep_pickable(t, eps[0], now + want[i] * S - 1));
		now += want[i] * S;
		assert_true(ss_ep_pickable(t, eps[0], now));
	}
	/* Twelve in a row; three quiet intervals take three back: the next is the tenth. */
	o.max_ejection_ns = 3000 * S;
	now += 3 * 30 * S;
	assert_true(fail_times(t, eps[0], &o, 5, now));
	assert_int_equal(t->ep[eps[0]].ejected_until - now, 300 * S);
	now += 300 * S + 100 * 30 * S;
	assert_true(fail_times(t, eps[0], &o, 5, now));
	assert_int_equal(t->ep[eps[0]].ejected_until - now, 30 * S);
	ss_ep_table_free(t);
}

static void caps(void **state)
{
	static const struct {
		uint32_t n, percent, min, unhealthy, cap;
	} v[] = {
		{10, 50, 30, 0, 5}, {3, 50, 30, 0, 1},  {2, 50, 30, 0, 1},  {1, 50, 30, 0, 0},
		{1, 99, 0, 0, 0},   {1, 100, 0, 0, 1},  {1, 100, 1, 0, 0},  {4, 100, 0, 0, 4},
		{4, 100, 30, 0, 2}, {10, 50, 30, 4, 3}, {10, 50, 30, 7, 0}, {10, 50, 30, 20, 0},
		{0, 100, 0, 0, 0},  {10, 0, 0, 0, 0},   {7, 900, 0, 0, 7},
	};

	for (unsigned i = 0; i < SS_ARRAY_LEN(v); i++) {
		struct ss_outlier_conf o = {.n_endpoints = v[i].n,
					    .max_ejection_percent = v[i].percent,
					    .min_health_percent = v[i].min};
		assert_int_equal(ss_ep_cap(&o, v[i].unhealthy), v[i].cap);
	}
}

static void off_means_off(void **state)
{
	uint32_t eps[2];
	struct ss_ep_table *t = table_of(2, eps);
	struct ss_outlier_conf o = {.n_endpoints = 2, .max_ejection_percent = 100, .base_ejection_ns = S};

	assert_false(fail_times(t, eps[0], &o, 100, S));
	assert_int_equal(t->ep[eps[0]].failures, 100);
	ss_ep_table_free(t);
}

static void health_counts(void **state)
{
	uint32_t eps[4];
	struct ss_ep_table *t = table_of(4, eps);

	ss_ep_set_unhealthy(t, eps[2], true);
	ss_ep_set_unhealthy(t, eps[2], true);
	assert_int_equal(t->cluster[0].unhealthy, 1);
	assert_false(ss_ep_pickable(t, eps[2], S));
	ss_ep_set_unhealthy(t, eps[2], false);
	assert_int_equal(t->cluster[0].unhealthy, 0);
	assert_true(ss_ep_pickable(t, eps[2], S));
	ss_ep_table_free(t);
}

static void slots_keep_history_and_recycle(void **state)
{
	struct ss_ep_table *t;
	struct ss_outlier_conf o = seed;
	struct ss_addr a = addr_of(1), b = addr_of(2), d = addr_of(3);
	uint32_t c, c2, ea, ea2, eb, ed;

	o.n_endpoints = 2;
	assert_int_equal(ss_ep_table_create(&t, 2, 1), 0);
	/* Generation 1 has a and b; generation 2 only a. */
	assert_int_equal(ss_ep_cluster_hold(t, 9, &c), 0);
	assert_int_equal(ss_ep_hold(t, c, &a, &ea), 0);
	assert_int_equal(ss_ep_hold(t, c, &b, &eb), 0);
	assert_true(fail_times(t, ea, &o, 5, S));
	assert_true(ss_ep_cap(&o, 0) == 1);
	assert_int_equal(ss_ep_cluster_hold(t, 9, &c2), 0);
	assert_int_equal(c, c2);
	assert_int_equal(ss_ep_hold(t, c2, &a, &ea2), 0);
	assert_int_equal(ea, ea2);
	assert_false(ss_ep_pickable(t, ea, S));
	/* Full while generation 1 lives. */
	assert_int_equal(ss_ep_hold(t, c2, &d, &ed), SS_ERR_FULL);
	ss_ep_begin(t, eb);
	ss_ep_drop(t, ea);
	ss_ep_drop(t, eb);
	ss_ep_cluster_drop(t, c);
	assert_false(ss_ep_pickable(t, ea, S));
	/* Not while a request still counts on b's slot. */
	assert_int_equal(ss_ep_hold(t, c2, &d, &ed), SS_ERR_FULL);
	assert_false(fail_times(t, eb, &o, 9, S));
	ss_ep_end(t, eb);
	assert_int_equal(ss_ep_hold(t, c2, &d, &ed), 0);
	assert_int_equal(ed, eb);
	assert_int_equal(t->ep[ed].failures, 0);
	/* An ejected endpoint that leaves gives its place under the cap back. */
	assert_int_equal(t->cluster[c].ejected, 1);
	ss_ep_drop(t, ea);
	assert_int_equal(t->cluster[c].ejected, 0);
	/* A cluster's slot is reused although its endpoints' slots were not taken by anyone yet. */
	ss_ep_drop(t, ed);
	ss_ep_cluster_drop(t, c2);
	assert_int_equal(ss_ep_cluster_hold(t, 10, &c), 0);
	assert_int_equal(c, c2);
	ss_ep_table_free(t);
}

static void endless_reloads_leak_nothing(void **state)
{
	struct ss_ep_table *t;
	uint32_t held[8], c = 0, old_c = 0;
	bool have = false;

	assert_int_equal(ss_ep_table_create(&t, 16, 2), 0);
	for (uint32_t g = 0; g < 500; g++) {
		uint32_t now[8];
		assert_int_equal(ss_ep_cluster_hold(t, 1 + g % 2, &c), 0);
		for (uint32_t i = 0; i < 8; i++) {
			struct ss_addr a = addr_of(g * 3 + i);
			assert_int_equal(ss_ep_hold(t, c, &a, &now[i]), 0);
		}
		for (uint32_t i = 0; have && i < 8; i++)
			ss_ep_drop(t, held[i]);
		if (have)
			ss_ep_cluster_drop(t, old_c);
		memcpy(held, now, sizeof(held));
		old_c = c;
		have = true;
	}
	ss_ep_table_free(t);
}

/* -- threads -- */

#define N_THREADS 4
#define N_EPS 20
#define ROUNDS 20000

struct storm {
	struct ss_ep_table *t;
	const struct ss_outlier_conf *o;
	const uint32_t *eps;
	_Atomic uint32_t most, picked_late, ejections;
	_Atomic uint32_t gone[N_EPS]; /* ejection seen, and it does not end while the test runs */
	_Atomic uint32_t stop;
	bool ends; /* ejections end during the test */
};

struct thrower {
	struct storm *st;
	uint64_t seed;
};

static uint32_t truly_ejected(const struct ss_ep_table *t, uint64_t now)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < t->n_eps; i++)
		n += atomic_load(&t->ep[i].ejected_until) > now;
	return n;
}

static void *throw(void *arg)
{
	struct thrower *th = arg;
	struct storm *st = th->st;
	struct ss_rng r;

	ss_rng_seed(&r, th->seed);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint32_t k = ss_rng_below(&r, N_EPS), ep = st->eps[k];
		uint64_t now = st->ends ? S + i : S;
		bool gone = atomic_load(&st->gone[k]);

		if (ss_ep_pickable(st->t, ep, now)) {
			if (gone && !st->ends)
				atomic_fetch_add(&st->picked_late, 1);
			if (ss_ep_failure(st->t, ep, st->o, now)) {
				atomic_store(&st->gone[k], 1);
				atomic_fetch_add(&st->ejections, 1);
			}
		} else if (ss_rng_chance(&r, 1, 4)) {
			ss_ep_success(st->t, ep);
		}
	}
	return NULL;
}

/* Counts the ejected by two passes: what is in both passes was ejected at the moment between them. */
static void *watch(void *arg)
{
	struct storm *st = arg;

	while (!atomic_load(&st->stop)) {
		uint64_t first[N_EPS];
		uint32_t n = 0;
		for (uint32_t i = 0; i < N_EPS; i++)
			first[i] = atomic_load(&st->t->ep[st->eps[i]].ejected_until);
		for (uint32_t i = 0; i < N_EPS; i++)
			n += first[i] && atomic_load(&st->t->ep[st->eps[i]].ejected_until) == first[i];
		if (n > atomic_load(&st->most))
			atomic_store(&st->most, n);
	}
	return NULL;
}

static void run_storm(struct storm *st, uint64_t seed_no)
{
	pthread_t th[N_THREADS], w;
	struct thrower a[N_THREADS];

	pthread_create(&w, NULL, watch, st);
	for (int i = 0; i < N_THREADS; i++) {
		a[i] = (struct thrower){st, seed_no + (uint64_t)i};
		pthread_create(&th[i], NULL, throw, &a[i]);
	}
	for (int i = 0; i < N_THREADS; i++)
		pthread_join(th[i], NULL);
	atomic_store(&st->stop, 1);
	pthread_join(w, NULL);
}

static void many_threads_never_pass_the_cap(void **state)
{
	uint32_t eps[N_EPS];
	struct ss_ep_table *t = table_of(N_EPS, eps);
	struct ss_outlier_conf o = seed;
	struct storm st = {.t = t, .o = &o, .eps = eps};

	o.n_endpoints = N_EPS;
	run_storm(&st, 42);
	/* Everything failed all the time: exactly the cap is out, each endpoint once. */
	assert_int_equal(truly_ejected(t, S), 10);
	assert_int_equal(t->cluster[0].ejected, 10);
	assert_int_equal(st.ejections, 10);
	assert_true(st.most <= 10);
	assert_int_equal(st.picked_late, 0);
	for (uint32_t i = 0; i < N_EPS; i++)
		ss_ep_pickable(t, eps[i], 1000 * S);
	assert_int_equal(t->cluster[0].ejected, 0);
	ss_ep_table_free(t);
}

static void counts_return_to_zero(void **state)
{
	uint32_t eps[N_EPS];
	struct ss_ep_table *t = table_of(N_EPS, eps);
	struct ss_outlier_conf o = {.consecutive_errors = 1,
				    .base_ejection_ns = 3,
				    .max_ejection_ns = 20,
				    .interval_ns = 5,
				    .max_ejection_percent = 35,
				    .n_endpoints = N_EPS};
	struct storm st = {.t = t, .o = &o, .eps = eps, .ends = true};

	run_storm(&st, 4242);
	assert_true(st.ejections > 100);
	assert_true(st.most <= 7);
	assert_true(truly_ejected(t, S) <= 7);
	ss_ep_sweep(t, 10 * S);
	assert_int_equal(truly_ejected(t, 0), 0);
	assert_int_equal(t->cluster[0].ejected, 0);
	ss_ep_table_free(t);
}

/* -- kinds of failures -- */

static bool fails(struct ss_ep_table *t, uint32_t ep, const struct ss_outlier_conf *o, enum ss_ep_end how, int n,
		  struct ss_ep_ejection *out)
{
	bool ejected = false;

	while (n--)
		ejected |= ss_ep_failed(t, ep, o, how, 0, S, out);
	return ejected;
}

static void gateway_errors_are_told_apart(void **state)
{
	uint32_t eps[4];
	struct ss_ep_table *t = table_of(4, eps);
	struct ss_outlier_conf o = seed;
	struct ss_ep_ejection out;

	o.n_endpoints = 4;
	o.consecutive_gateway = 3;
	/* Another error between them begins the count anew, for gateway errors alone. */
	assert_false(fails(t, eps[0], &o, SS_EP_GATEWAY, 2, &out));
	assert_false(fails(t, eps[0], &o, SS_EP_ERROR, 1, &out));
	assert_false(fails(t, eps[0], &o, SS_EP_GATEWAY, 1, &out));
	assert_int_equal(ss_ep_errors(&t->ep[eps[0]]), 4);
	ss_ep_success(t, eps[0]);
	assert_int_equal(t->watch[eps[0]].gateway, 0);
	assert_false(fails(t, eps[0], &o, SS_EP_NO_ANSWER, 2, &out));
	assert_true(fails(t, eps[0], &o, SS_EP_GATEWAY, 1, &out));
	assert_int_equal(out.why, SS_EP_EJECT_GATEWAY);
	assert_int_equal(out.in_a_row, 3);
	assert_int_equal(out.limit, 3);
	/* Gateway errors are errors. */
	o.consecutive_gateway = 100;
	assert_true(fails(t, eps[1], &o, SS_EP_GATEWAY, 5, &out));
	assert_int_equal(out.why, SS_EP_EJECT_ERRORS);
	ss_ep_table_free(t);
}

static void no_answers_count_by_themselves_when_split(void **state)
{
	uint32_t eps[4];
	struct ss_ep_table *t = table_of(4, eps);
	struct ss_outlier_conf o = seed;
	struct ss_ep_ejection out;

	o.n_endpoints = 4;
	o.split = true;
	o.consecutive_local = 3;
	assert_false(fails(t, eps[0], &o, SS_EP_NO_ANSWER, 2, &out));
	assert_false(fails(t, eps[0], &o, SS_EP_ERROR, 4, &out));
	assert_int_equal(ss_ep_errors(&t->ep[eps[0]]), 4);
	/* A good one forgets both, whichever there were. */
	ss_ep_success(t, eps[0]);
	assert_int_equal(t->ep[eps[0]].errors, 0);
	assert_false(fails(t, eps[0], &o, SS_EP_NO_ANSWER, 2, &out));
	ss_ep_success(t, eps[0]);
	assert_false(fails(t, eps[0], &o, SS_EP_NO_ANSWER, 2, &out));
	assert_true(fails(t, eps[0], &o, SS_EP_NO_ANSWER, 1, &out));
	assert_int_equal(out.why, SS_EP_EJECT_LOCAL);
	o.consecutive_local = 0;
	assert_false(fails(t, eps[1], &o, SS_EP_NO_ANSWER, 100, &out));
	assert_int_equal(ss_ep_errors(&t->ep[eps[1]]), 0);
	ss_ep_table_free(t);
}

/* As ctrl/build leaves it: these percentages, all others 100. */
static void enforce(struct ss_outlier_conf *o, enum ss_ep_eject why, uint32_t percent)
{
	o->n_endpoints = 4;
	o->partly = true;
	for (uint32_t i = 0; i < SS_EP_EJECTS; i++)
		if (!o->enforcing[i])
			o->enforcing[i] = 100;
	o->enforcing[why] = percent;
}

/* Of 1000 rows of five errors with a draw each: how many ejected. All the others were told as spared. */
static uint32_t enforced(uint32_t percent, uint64_t random)
{
	struct ss_outlier_conf o = seed;
	struct ss_ep_ejection out;
	uint32_t eps[4], ejected = 0;
	struct ss_ep_table *t = table_of(4, eps);
	struct ss_rng rng;

	ss_rng_seed(&rng, random);
	enforce(&o, SS_EP_EJECT_ERRORS, percent);
	for (uint32_t i = 0; i < 1000; i++) {
		uint64_t now = (1 + i) * 1000 * S;
		assert_false(fails(t, eps[0], &o, SS_EP_ERROR, 4, &out));
		assert_false(out.spared);
		bool is = ss_ep_failed(t, eps[0], &o, SS_EP_ERROR, ss_rng_u64(&rng), now, &out);
		assert_int_equal(is, !out.spared);
		assert_int_equal(out.why, SS_EP_EJECT_ERRORS);
		assert_int_equal(out.in_a_row, 5);
		assert_int_equal(ss_ep_pickable(t, eps[0], now), !is);
		assert_int_equal(t->cluster[0].ejected, is);
		assert_int_equal(t->ep[eps[0]].errors, 0);
		ejected += is;
		ss_ep_uneject(t, eps[0], now);
	}
	assert_int_equal(t->ep[eps[0]].ejections, ejected);
	ss_ep_table_free(t);
	return ejected;
}

static void a_share_is_enforced(void **state)
{
	assert_int_equal(enforced(0, 7), 0);
	assert_int_equal(enforced(100, 7), 1000);
	/* Four standard deviations of 1000 draws at a half are 63; the seed is constant. */
	assert_in_range(enforced(50, 7), 437, 563);
	assert_in_range(enforced(1, 7), 1, 23);
}

static void who_is_spared_begins_anew(void **state)
{
	uint32_t eps[4];
	struct ss_ep_table *t = table_of(4, eps);
	struct ss_outlier_conf o = seed;
	struct ss_ep_ejection out;

	o.consecutive_gateway = 3;
	enforce(&o, SS_EP_EJECT_GATEWAY, 0);
	assert_false(fails(t, eps[0], &o, SS_EP_GATEWAY, 2, &out));
	assert_false(out.spared);
	assert_false(fails(t, eps[0], &o, SS_EP_GATEWAY, 1, &out));
	assert_true(out.spared);
	assert_int_equal(out.why, SS_EP_EJECT_GATEWAY);
	assert_int_equal(t->watch[eps[0]].gateway, 0);
	/* They are errors all the same, whose row goes on. */
	assert_int_equal(ss_ep_errors(&t->ep[eps[0]]), 3);
	assert_false(fails(t, eps[0], &o, SS_EP_GATEWAY, 1, &out));
	assert_false(out.spared);
	assert_true(fails(t, eps[0], &o, SS_EP_GATEWAY, 1, &out));
	assert_int_equal(out.why, SS_EP_EJECT_ERRORS);
	/* And the other way round, where one failure completes both rows: the line is of the one that ejects. */
	o.consecutive_gateway = 5;
	o.enforcing[SS_EP_EJECT_GATEWAY] = 100;
	enforce(&o, SS_EP_EJECT_ERRORS, 0);
	assert_true(fails(t, eps[1], &o, SS_EP_GATEWAY, 5, &out));
	assert_int_equal(out.why, SS_EP_EJECT_GATEWAY);
	/* Two of four are out: over the cap nobody is found. */
	assert_false(fails(t, eps[2], &o, SS_EP_ERROR, 5, &out));
	assert_false(out.spared);
	ss_ep_table_free(t);
}

static void one_may_always_go(void **state)
{
	uint32_t eps[4];
	struct ss_ep_table *t = table_of(4, eps);
	struct ss_outlier_conf o = seed;
	struct ss_ep_ejection out;

	o.n_endpoints = 4;
	o.max_ejection_percent = 0;
	assert_false(fails(t, eps[0], &o, SS_EP_ERROR, 5, &out));
	o.always_eject_one = true;
	assert_true(fails(t, eps[0], &o, SS_EP_ERROR, 5, &out));
	assert_false(fails(t, eps[1], &o, SS_EP_ERROR, 50, &out));
	o.n_endpoints = 1;
	assert_int_equal(ss_ep_cap(&o, 0), 0);
	ss_ep_table_free(t);
}

static void an_ejection_can_be_ended(void **state)
{
	uint32_t eps[4];
	struct ss_ep_table *t = table_of(4, eps);
	struct ss_outlier_conf o = seed;

	o.n_endpoints = 4;
	assert_false(ss_ep_uneject(t, eps[0], S));
	assert_true(fail_times(t, eps[0], &o, 5, S));
	assert_true(ss_ep_uneject(t, eps[0], 2 * S));
	assert_true(ss_ep_pickable(t, eps[0], 2 * S));
	assert_int_equal(t->cluster[0].ejected, 0);
	/* The next one counts as the second in a row; quiet time counts from when it came back. */
	assert_true(fail_times(t, eps[0], &o, 5, 3 * S));
	assert_int_equal(t->ep[eps[0]].ejected_until, 63 * S);
	assert_true(ss_ep_uneject(t, eps[0], 4 * S));
	assert_true(fail_times(t, eps[0], &o, 5, 4 * S + 60 * S));
	assert_int_equal(t->ep[eps[0]].ejected_until, (64 + 30) * S);
	ss_ep_table_free(t);
}

static void flags_are_counted_once(void **state)
{
	uint32_t eps[4];
	struct ss_ep_table *t = table_of(4, eps);

	assert_true(ss_ep_mark(t, eps[0], SS_EP_FAILED, 0));
	assert_false(ss_ep_mark(t, eps[0], SS_EP_FAILED, 0));
	assert_true(ss_ep_mark(t, eps[0], SS_EP_DRAINING, 0));
	assert_int_equal(t->cluster[0].unhealthy, 1);
	assert_true(ss_ep_mark(t, eps[0], 0, SS_EP_FAILED));
	assert_int_equal(t->cluster[0].unhealthy, 1);
	assert_false(ss_ep_pickable(t, eps[0], S));
	assert_true(ss_ep_mark(t, eps[0], SS_EP_DEGRADED, 0));
	assert_int_equal(t->cluster[0].last, 0); /* it is down besides */
	assert_true(ss_ep_mark(t, eps[0], 0, SS_EP_DRAINING));
	assert_int_equal(t->cluster[0].unhealthy, 0);
	assert_int_equal(t->cluster[0].last, 1);
	assert_true(ss_ep_pickable(t, eps[0], S));
	/* A slot that is given back counts no more. */
	ss_ep_drop(t, eps[0]);
	assert_int_equal(t->cluster[0].last, 0);
	ss_ep_table_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gateway_errors_are_told_apart),
		cmocka_unit_test(no_answers_count_by_themselves_when_split),
		cmocka_unit_test(a_share_is_enforced),
		cmocka_unit_test(who_is_spared_begins_anew),
		cmocka_unit_test(one_may_always_go),
		cmocka_unit_test(an_ejection_can_be_ended),
		cmocka_unit_test(flags_are_counted_once),
		cmocka_unit_test(five_failures_eject),
		cmocka_unit_test(the_time_grows_and_decays),
		cmocka_unit_test(caps),
		cmocka_unit_test(off_means_off),
		cmocka_unit_test(health_counts),
		cmocka_unit_test(slots_keep_history_and_recycle),
		cmocka_unit_test(endless_reloads_leak_nothing),
		cmocka_unit_test(many_threads_never_pass_the_cap),
		cmocka_unit_test(counts_return_to_zero),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
