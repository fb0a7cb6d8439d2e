#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <time.h>

#include "base/clock.h"

static uint64_t kernel_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SS_NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* The machine may be busy: the best of several comparisons is what the calibration is judged by. */
static void follows_the_kernel(void **state)
{
	struct ss_clock c;
	ss_clock_init(&c, 0);
	uint64_t best = UINT64_MAX, start = kernel_ns();
	for (int i = 0; i < 1000 || kernel_ns() - start < 50 * SS_NS_PER_MS; i++) {
		uint64_t a = kernel_ns(), b = ss_clock_ns(&c);
		best = ss_min_u64(best, a > b ? a - b : b - a);
	}
	assert_true(best < 200 * SS_NS_PER_US);
}

static void never_backwards(void **state)
{
	struct ss_clock c;
	ss_clock_init(&c, 0);
	uint64_t last = 0;
	for (int i = 0; i < 100000; i++) {
		uint64_t now = ss_clock_ns(&c);
		assert_true(now >= last);
		last = now;
	}
}

static void known_frequency(void **state)
{
	struct ss_clock c;
	ss_clock_init(&c, 2000000000);
	assert_int_equal(c.mult, 1ull << 31);
}

int main(void)
{
	const struct CMUnitTest t[] = { cmocka_unit_test(follows_the_kernel),
					cmocka_unit_test(never_backwards), cmocka_unit_test(known_frequency) };
	return cmocka_run_group_tests(t, NULL, NULL);
}
