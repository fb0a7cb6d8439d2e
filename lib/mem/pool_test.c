#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/rng.h"
#include "mem/pool.h"

#define N 50
#define SIZE 100

static void runs_out_and_recovers(void **state)
{
	struct ss_pool *p = ss_pool_create("things", SIZE, N);
	void *obj[N];
	for (int i = 0; i < N; i++) {
		obj[i] = ss_pool_take(p);
		assert_non_null(obj[i]);
		assert_int_equal((uintptr_t)obj[i] % SS_CACHE_LINE, 0);
		assert_int_equal(ss_pool_used(p), i + 1);
	}
	assert_null(ss_pool_take(p));
	ss_pool_give(p, obj[7]);
	obj[7] = ss_pool_take(p);
	assert_non_null(obj[7]);
	assert_null(ss_pool_take(p));
	for (int i = 0; i < N; i++)
		ss_pool_give(p, obj[i]);
	assert_int_equal(ss_pool_used(p), 0);
	assert_int_equal(ss_pool_size(p), N);
	assert_string_equal(ss_pool_name(p), "things");
	ss_pool_free(p);
}

/* Every object is filled with its own number: two that overlap would show. */
static void objects_are_apart(void **state)
{
	struct ss_pool *p = ss_pool_create("things", SIZE, N);
	uint8_t *obj[N] = { 0 };
	struct ss_rng r;
	ss_rng_seed(&r, 3);
	for (int step = 0; step < 20000; step++) {
		uint32_t i = ss_rng_below(&r, N);
		if (obj[i]) {
			for (int b = 0; b < SIZE; b++)
				assert_int_equal(obj[i][b], i);
			ss_pool_give(p, obj[i]);
			obj[i] = NULL;
		} else {
			obj[i] = ss_pool_take(p);
			memset(obj[i], (int)i, SIZE);
		}
	}
	for (int i = 0; i < N; i++)
		if (obj[i])
			ss_pool_give(p, obj[i]);
	assert_int_equal(ss_pool_used(p), 0);
	ss_pool_free(p);
}

static void empty_pool(void **state)
{
	struct ss_pool *p = ss_pool_create("none", SIZE, 0);
	assert_null(ss_pool_take(p));
	ss_pool_free(p);
	ss_pool_free(NULL);
}

int main(void)
{
	const struct CMUnitTest t[] = { cmocka_unit_test(runs_out_and_recovers),
					cmocka_unit_test(objects_are_apart), cmocka_unit_test(empty_pool) };
	return cmocka_run_group_tests(t, NULL, NULL);
}
