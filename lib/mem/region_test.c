#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "mem/region.h"

static bool all(const uint8_t *p, size_t n, uint8_t value)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != value)
			return false;
	return true;
}

/* Sizes from nothing to more than a chunk, each written to its end: none reaches into another. */
static void objects_are_zero_and_apart(void **state)
{
	static const size_t sizes[] = {0, 1, 3, 8, 24, 63, 64, 65, 200, 4096, 8191, 8193, 70000, 5, 200000, 40};
	static const size_t aligns[] = {1, 16, SS_CACHE_LINE};
	enum { N = 4000 };
	static struct {
		uint8_t *p;
		size_t n;
	} o[N];
	struct ss_region r = {0};

	for (uint32_t i = 0; i < N; i++) {
		size_t align = aligns[i % SS_ARRAY_LEN(aligns)];
		o[i].n = sizes[i % (i < 64 ? SS_ARRAY_LEN(sizes) : 9)];
		o[i].p = ss_region_take(&r, o[i].n, align);
		assert_non_null(o[i].p);
		assert_int_equal((uintptr_t)o[i].p % align, 0);
		assert_true(all(o[i].p, o[i].n, 0));
		memset(o[i].p, (int)(i % 251) + 1, o[i].n);
	}
	for (uint32_t i = 0; i < N; i++)
		assert_true(all(o[i].p, o[i].n, (uint8_t)(i % 251 + 1)));
	ss_region_free(&r);
	assert_null(r.chunks);
}

/* Memory that was used before is zero again. */
static void a_region_begins_anew(void **state)
{
	struct ss_region r = {0};

	for (uint32_t i = 0; i < 3; i++) {
		for (uint32_t k = 0; k < 1000; k++) {
			uint8_t *p = ss_region_take(&r, 100, 8);
			assert_true(all(p, 100, 0));
			memset(p, 0xff, 100);
		}
		ss_region_free(&r);
	}
}

static void too_much_is_refused(void **state)
{
	struct ss_region r = {0};
	uint8_t *p = ss_region_take(&r, 10, 1);

	assert_null(ss_region_take(&r, SIZE_MAX, 1));
	assert_null(ss_region_take(&r, SIZE_MAX - 100, SS_CACHE_LINE));
	p[9] = 1;
	assert_non_null(ss_region_take(&r, 10, 1));
	ss_region_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_are_zero_and_apart),
		cmocka_unit_test(a_region_begins_anew),
		cmocka_unit_test(too_much_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
