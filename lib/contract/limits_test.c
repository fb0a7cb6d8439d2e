/* Slots of rate limits over generations, the arithmetic of a pace, sums of counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "contract/limits.h"

static void a_reload_keeps_the_slot_and_the_bucket(void **state)
{
	struct ss_limit_table *t;
	uint32_t a, b, again;

	assert_int_equal(ss_limit_table_create(&t, 2, 64, 1), 0);
	assert_int_equal(ss_limit_hold(t, 7, &a), 0);
	assert_int_equal(ss_limit_hold(t, 8, &b), 0);
	assert_int_not_equal(a, b);
	atomic_store(&t->slot[a].full_at, 500);
	/* The next generation holds it before the last one lets go. */
	assert_int_equal(ss_limit_hold(t, 7, &again), 0);
	ss_limit_drop(t, a);
	assert_int_equal(again, a);
	assert_int_equal(atomic_load(&t->slot[a].full_at), 500);
	assert_int_equal(ss_limit_hold(t, 9, &b), SS_ERR_FULL);
	ss_limit_table_free(t);
}

static void another_policy_gets_a_full_bucket_and_counts_from_zero(void **state)
{
	struct ss_limit_table *t;
	uint32_t slot;

	assert_int_equal(ss_limit_table_create(&t, 1, 64, 2), 0);
	assert_int_equal(ss_limit_hold(t, 7, &slot), 0);
	atomic_store(&t->slot[slot].full_at, 500);
	ss_limit_counts_of(t, 0, slot)->limited = 3;
	ss_limit_counts_of(t, 1, slot)->limited = 4;
	ss_limit_counts_of(t, 1, slot)->passed = 1;
	assert_int_equal(ss_limit_counted(t, slot).limited, 7);
	ss_limit_drop(t, slot);
	/* It comes back before anyone else wants the slot: nothing is lost. */
	assert_int_equal(ss_limit_hold(t, 7, &slot), 0);
	assert_int_equal(ss_limit_counted(t, slot).limited, 7);
	assert_int_equal(atomic_load(&t->slot[slot].full_at), 500);
	ss_limit_drop(t, slot);
	assert_int_equal(ss_limit_hold(t, 8, &slot), 0);
	assert_int_equal(atomic_load(&t->slot[slot].full_at), 0);
	assert_int_equal(ss_limit_counted(t, slot).limited, 0);
	ss_limit_counts_of(t, 0, slot)->limited = 5;
	assert_int_equal(ss_limit_counted(t, slot).limited, 2);
	ss_limit_table_free(t);
}

static void paces(void **state)
{
	struct ss_limit_pace p;

	assert_true(ss_limit_pace_of(&p, 1000, SS_NS_PER_SEC, 1000));
	assert_int_equal(p.cost, SS_NS_PER_MS * SS_LIMIT_TICKS);
	assert_int_equal(p.depth, SS_NS_PER_SEC * SS_LIMIT_TICKS);
	/* A third of a second is not whole ticks: rounded to the nearest. */
	assert_true(ss_limit_pace_of(&p, 3, SS_NS_PER_SEC, 1));
	assert_int_equal(p.cost, 5333333333);
	assert_false(ss_limit_pace_of(&p, 0, SS_NS_PER_SEC, 1));
	assert_false(ss_limit_pace_of(&p, 10, SS_NS_PER_SEC, 0));
	assert_false(ss_limit_pace_of(&p, 100 * SS_NS_PER_SEC, SS_NS_PER_SEC, 1));
	/* A year's worth does not fit. */
	assert_false(ss_limit_pace_of(&p, 1, 86400 * SS_NS_PER_SEC, 365));
	assert_true(ss_limit_pace_of(&p, 1, 86400 * SS_NS_PER_SEC, 31));
}

static void sets_hold_the_keys_asked_for(void **state)
{
	static const uint32_t keys[] = {0, 1, 8, 9, 64, 65, 65536};
	static const uint32_t mask[] = {0, 0, 0, 1, 7, 15, 8191};

	for (size_t i = 0; i < SS_ARRAY_LEN(keys); i++) {
		struct ss_limit_table *t;
		assert_int_equal(ss_limit_table_create(&t, 1, keys[i], 1), 0);
		assert_int_equal(t->set_mask, mask[i]);
		ss_limit_table_free(t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reload_keeps_the_slot_and_the_bucket),
		cmocka_unit_test(another_policy_gets_a_full_bucket_and_counts_from_zero),
		cmocka_unit_test(paces),
		cmocka_unit_test(sets_hold_the_keys_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
