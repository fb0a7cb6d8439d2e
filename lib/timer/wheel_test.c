#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "base/rng.h"
#include "timer/wheel.h"

#define N 200
#define TICK SS_NS_PER_MS

struct model {
	struct ss_wheel w;
	struct ss_timer t[N];
	uint64_t want[N]; /* deadline, or SS_NEVER */
	uint64_t now;
};

static uint64_t ticks_of(uint64_t ns)
{
	return ns / TICK;
}

/* Deadlines over every level: from the past to weeks ahead. */
static uint64_t random_deadline(struct ss_rng *r, uint64_t now)
{
	static const uint64_t reach[] = { 1000, SS_NS_PER_MS, 300 * SS_NS_PER_MS, 70 * SS_NS_PER_SEC,
					  5 * 3600 * SS_NS_PER_SEC, 60ull * 86400 * SS_NS_PER_SEC };
	uint64_t span = reach[ss_rng_below(r, SS_ARRAY_LEN(reach))];
	return ss_rng_chance(r, 1, 20) ? now - ss_rng_u64(r) % 1000000 : now + ss_rng_u64(r) % span;
}

static void expire_and_compare(struct model *m)
{
	struct ss_list due, *n;
	ss_list_init(&due);
	ss_wheel_expire(&m->w, m->now, &due);
	while ((n = ss_list_pop(&due))) {
		struct ss_timer *t = ss_list_entry(n, struct ss_timer, node);
		assert_ptr_equal(t, &m->t[t->kind]);
		assert_false(ss_timer_armed(t));
		assert_true(m->want[t->kind] <= m->now); /* never early */
		m->want[t->kind] = SS_NEVER;
	}
	uint32_t armed = 0;
	for (int i = 0; i < N; i++) {
		if (m->want[i] == SS_NEVER)
			continue;
		armed++;
		assert_true(ticks_of(m->want[i]) >= ticks_of(m->now)); /* at most one tick late */
	}
	assert_int_equal(m->w.armed, armed);
}

/* What next promises: nothing becomes due before it, and waiting for it always makes progress. */
static void next_is_never_late(struct model *m)
{
	uint64_t earliest = SS_NEVER, next = ss_wheel_next(&m->w);
	for (int i = 0; i < N; i++)
		earliest = ss_min_u64(earliest, m->want[i]);
	if (earliest == SS_NEVER)
		assert_true(next == SS_NEVER);
	else
		assert_true(next < earliest + TICK);
}

static void against_a_model(void **state)
{
	static struct model m;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct ss_rng r;
		ss_rng_seed(&r, seed);
		m.now = 3 * SS_NS_PER_SEC + ss_rng_u64(&r) % (1ull << 50);
		ss_wheel_init(&m.w, TICK, m.now);
		for (int i = 0; i < N; i++) {
			ss_timer_init(&m.t[i], (uint32_t)i);
			m.want[i] = SS_NEVER;
		}
		for (int step = 0; step < 5000; step++) {
			uint32_t i = ss_rng_below(&r, N);
			if (ss_rng_chance(&r, 1, 4)) {
				ss_wheel_cancel(&m.w, &m.t[i]);
				m.want[i] = SS_NEVER;
			} else {
				m.want[i] = random_deadline(&r, m.now);
				ss_wheel_arm(&m.w, &m.t[i], m.want[i]);
			}
			if (ss_rng_chance(&r, 1, 2))
				continue;
			m.now = ss_rng_chance(&r, 1, 8) ? ss_max_u64(m.now, random_deadline(&r, m.now)) :
							  m.now + ss_rng_u64(&r) % (3 * TICK);
			expire_and_compare(&m);
			next_is_never_late(&m);
		}
	}
}

/* Sleeping until next, again and again, meets each deadline within a tick, and in few steps. */
static void sleeping_by_next(void **state)
{
	static struct model m;
	struct ss_rng r;
	ss_rng_seed(&r, 9);
	m.now = 12345;
	ss_wheel_init(&m.w, TICK, m.now);
	for (int i = 0; i < N; i++) {
		ss_timer_init(&m.t[i], (uint32_t)i);
		m.want[i] = random_deadline(&r, 10 * SS_NS_PER_SEC);
		ss_wheel_arm(&m.w, &m.t[i], m.want[i]);
	}
	int naps = 0;
	for (uint64_t next; (next = ss_wheel_next(&m.w)) != SS_NEVER; naps++) {
		m.now = ss_max_u64(m.now, next);
		expire_and_compare(&m);
		assert_true(naps < N * SS_WHEEL_LEVELS);
	}
	assert_int_equal(m.w.armed, 0);
}

static void beyond_the_top(void **state)
{
	static struct ss_wheel w;
	struct ss_timer t;
	struct ss_list due;
	uint64_t far = 3 * (TICK << 32) + 17;
	ss_list_init(&due);
	ss_wheel_init(&w, TICK, 0);
	ss_timer_init(&t, 0);
	ss_wheel_arm(&w, &t, far);
	ss_wheel_expire(&w, far - 1, &due);
	assert_true(ss_list_empty(&due));
	ss_wheel_expire(&w, far + TICK, &due);
	assert_false(ss_list_empty(&due));
	ss_wheel_cancel(&w, &t); /* takes it off the list of due timers */
	assert_true(ss_list_empty(&due));
	ss_wheel_arm(&w, &t, SS_NEVER - 1);
	assert_true(ss_wheel_next(&w) > far);
	ss_wheel_arm(&w, &t, SS_NEVER);
	assert_false(ss_timer_armed(&t));
	assert_true(ss_wheel_next(&w) == SS_NEVER);
}

/* Re-arming a due timer takes it off the due list: the later word counts. */
static void rearm_while_due(void **state)
{
	static struct ss_wheel w;
	struct ss_timer a, b;
	struct ss_list due;
	ss_list_init(&due);
	ss_wheel_init(&w, TICK, 0);
	ss_timer_init(&a, 0);
	ss_timer_init(&b, 1);
	ss_wheel_arm(&w, &a, 5);
	ss_wheel_arm(&w, &b, 6);
	ss_wheel_expire(&w, TICK, &due);
	assert_ptr_equal(ss_list_pop(&due), &a.node);
	ss_wheel_arm(&w, &b, 2 * TICK);
	assert_true(ss_list_empty(&due));
	ss_wheel_expire(&w, 2 * TICK - 1, &due);
	assert_true(ss_list_empty(&due));
	ss_wheel_expire(&w, 2 * TICK, &due);
	assert_ptr_equal(ss_list_pop(&due), &b.node);
	assert_int_equal(w.armed, 0);
}

int main(void)
{
	const struct CMUnitTest t[] = { cmocka_unit_test(against_a_model), cmocka_unit_test(sleeping_by_next),
					cmocka_unit_test(beyond_the_top), cmocka_unit_test(rearm_while_due) };
	return cmocka_run_group_tests(t, NULL, NULL);
}
