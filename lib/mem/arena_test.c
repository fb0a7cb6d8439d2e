#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "mem/arena.h"

static void keeps_every_copy(void **state)
{
	struct ss_arena_pools ap;
	struct ss_arena a;
	struct ss_rng r;
	static uint8_t src[3000];
	struct ss_span got[300], want[300];
	bool ok = true;
	assert_int_equal(ss_arena_pools_create(&ap, 8, 8), 0);
	ss_rng_seed(&r, 4);
	for (size_t i = 0; i < sizeof(src); i++)
		src[i] = (uint8_t)ss_rng_u64(&r);
	for (int round = 0; round < 20; round++) {
		ss_arena_init(&a, &ap);
		assert_int_equal(ss_pool_used(ap.small) + ss_pool_used(ap.large), 0);
		for (int i = 0; i < 300; i++) {
			uint32_t n = ss_rng_below(&r, i % 50 ? 200 : 2900);
			want[i] = ss_span(src + ss_rng_below(&r, (uint32_t)sizeof(src) - n), n);
			got[i] = ss_arena_copy(&a, want[i], &ok);
			assert_int_equal((uintptr_t)got[i].p % 8, 0);
		}
		assert_true(ok);
		for (int i = 0; i < 300; i++)
			assert_true(ss_span_eq(got[i], want[i]));
		ss_arena_reset(&a);
	}
	ss_arena_pools_free(&ap);
}

static void small_first_then_large(void **state)
{
	struct ss_arena_pools ap;
	struct ss_arena a;
	assert_int_equal(ss_arena_pools_create(&ap, 6, 1), 0);
	ss_arena_init(&a, &ap);
	for (int i = 0; i < 4; i++)
		assert_non_null(ss_arena_alloc(&a, 1900));
	assert_int_equal(ss_pool_used(ap.small), 4);
	assert_int_equal(ss_pool_used(ap.large), 0);
	assert_non_null(ss_arena_alloc(&a, 1900));
	assert_int_equal(ss_pool_used(ap.large), 1);
	assert_non_null(ss_arena_alloc(&a, 60000));
	assert_null(ss_arena_alloc(&a, 60000));
	ss_arena_reset(&a);
	assert_int_equal(ss_pool_used(ap.small) + ss_pool_used(ap.large), 0);
	ss_arena_pools_free(&ap);
}

static void out_of_memory_is_an_answer(void **state)
{
	struct ss_arena_pools ap;
	struct ss_arena a;
	bool ok = true;
	assert_int_equal(ss_arena_pools_create(&ap, 2, 0), 0);
	ss_arena_init(&a, &ap);
	assert_null(ss_arena_alloc(&a, SS_ARENA_LARGE));
	assert_null(ss_arena_alloc(&a, SIZE_MAX));
	assert_null(ss_arena_alloc(&a, 5000));
	assert_non_null(ss_arena_alloc(&a, 2000));
	assert_non_null(ss_arena_alloc(&a, 2000));
	assert_null(ss_arena_alloc(&a, 100));
	assert_int_equal(ss_arena_copy(&a, SS_SPAN_NONE, &ok).n, 0);
	assert_true(ok);
	static const uint8_t much[64];
	assert_null(ss_arena_copy(&a, ss_span(much, 64), &ok).p);
	assert_false(ok);
	ss_arena_reset(&a);
	ss_arena_reset(&a);
	assert_int_equal(ss_pool_used(ap.small), 0);
	ss_arena_pools_free(&ap);
}

static void written_without_knowing_how_much(void **state)
{
	struct ss_arena_pools ap;
	struct ss_arena a;
	assert_int_equal(ss_arena_pools_create(&ap, 1, 0), 0);
	ss_arena_init(&a, &ap);
	struct ss_out o = ss_arena_open(&a);
	size_t room = ss_out_room(&o);
	assert_true(room > 1900);
	memset(o.p, 'x', room); /* not kept */
	assert_ptr_equal(ss_arena_open(&a).p, o.p);
	memset(o.p, 'a', 13);
	ss_arena_close(&a, o.p + 13);
	uint8_t *p = ss_arena_alloc(&a, 8);
	assert_ptr_equal(p, o.p + 16);
	o = ss_arena_open(&a);
	assert_int_equal(ss_out_room(&o), room - 24);
	ss_arena_close(&a, o.end);
	o = ss_arena_open(&a);
	assert_int_equal(ss_out_room(&o), 0);
	assert_null(ss_arena_alloc(&a, 1));
	ss_arena_reset(&a);
	void *other = ss_pool_take(ap.small);
	o = ss_arena_open(&a); /* no chunk to be had */
	assert_int_equal(ss_out_room(&o), 0);
	ss_arena_close(&a, o.p);
	ss_pool_give(ap.small, other);
	ss_arena_pools_free(&ap);
}

int main(void)
{
	const struct CMUnitTest t[] = { cmocka_unit_test(keeps_every_copy),
					cmocka_unit_test(small_first_then_large),
					cmocka_unit_test(written_without_knowing_how_much),
					cmocka_unit_test(out_of_memory_is_an_answer) };
	return cmocka_run_group_tests(t, NULL, NULL);
}
