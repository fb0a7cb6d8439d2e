#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/map.h"
#include "base/rng.h"

#define CAP 100
#define KEYS 140 /* more than fit, so that full is met often */

/* A capacity of 100 in a table of 128: runs are long and wrap around the end all the time. */
static void against_a_model(void **state)
{
	struct ss_rng r;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		ss_rng_seed(&r, seed);
		struct ss_sipkey key = { { ss_rng_u64(&r), seed } };
		struct ss_map *m = ss_map_create(12, CAP, &key);
		uint32_t model[KEYS], count = 0;
		for (int i = 0; i < KEYS; i++)
			model[i] = SS_MAP_NONE;
		for (int step = 0; step < 20000; step++) {
			uint32_t i = ss_rng_below(&r, KEYS), k[3] = { i, i * 7, 5 }, v = (uint32_t)step;
			if (ss_rng_chance(&r, 11, 20)) {
				bool refuse = model[i] == SS_MAP_NONE && count == CAP;
				assert_int_equal(ss_map_put(m, k, v), refuse ? SS_ERR_FULL : 0);
				count += !refuse && model[i] == SS_MAP_NONE;
				model[i] = refuse ? model[i] : v;
			} else {
				assert_int_equal(ss_map_del(m, k), model[i]);
				count -= model[i] != SS_MAP_NONE;
				model[i] = SS_MAP_NONE;
			}
			uint32_t j = ss_rng_below(&r, KEYS), q[3] = { j, j * 7, 5 };
			assert_int_equal(ss_map_get(m, q), model[j]);
			assert_int_equal(ss_map_count(m), count);
		}
		ss_map_free(m);
	}
}

static void tiny(void **state)
{
	struct ss_sipkey key = { { 1, 2 } };
	struct ss_map *m = ss_map_create(1, 1, &key);
	uint8_t a = 1, b = 2;
	assert_int_equal(ss_map_put(m, &a, 0), 0);
	assert_int_equal(ss_map_put(m, &a, 3), 0);
	assert_int_equal(ss_map_put(m, &b, 4), SS_ERR_FULL);
	assert_int_equal(ss_map_get(m, &a), 3);
	assert_int_equal(ss_map_del(m, &b), SS_MAP_NONE);
	ss_map_free(m);
	ss_map_free(NULL);
	assert_null(ss_map_create(4, UINT32_MAX, &key));
}

int main(void)
{
	const struct CMUnitTest t[] = { cmocka_unit_test(against_a_model), cmocka_unit_test(tiny) };
	return cmocka_run_group_tests(t, NULL, NULL);
}
