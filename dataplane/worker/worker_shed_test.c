/* worker_shed_test.c - who is refused at which watermark. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "worker/worker_int.h"

static const struct ss_worker_conf conf = { .shed_mbufs = 80, .shed_conns = 96, .shed_delay_ns = 100 * SS_NS_PER_MS };

static uint32_t level(uint32_t mbufs, uint32_t conns, uint64_t ms)
{
	struct ss_worker_use u = { mbufs, conns, ms * SS_NS_PER_MS };

	return ss_worker_shed_level(&conf, &u);
}

static void low_first_high_last(void **state)
{
	assert_int_equal(level(69, 0, 0), 0);
	assert_int_equal(level(70, 0, 0), 1);
	assert_int_equal(level(80, 0, 0), 2);
	assert_int_equal(level(89, 0, 0), 2);
	assert_int_equal(level(90, 0, 0), 3);
	assert_int_equal(level(0, 84, 0), 1);
	assert_int_equal(level(0, 96, 0), 2);
	assert_int_equal(level(0, 98, 0), 3);
	assert_int_equal(level(0, 0, 49), 0);
	assert_int_equal(level(0, 0, 50), 1);
	assert_int_equal(level(0, 0, 100), 2);
	assert_int_equal(level(0, 0, 200), 3);
}

static void the_worst_counts(void **state)
{
	assert_int_equal(level(70, 96, 0), 2);
	assert_int_equal(level(90, 0, 50), 3);
}

static void zero_is_off(void **state)
{
	struct ss_worker_conf off = { .shed_mbufs = 0 };
	struct ss_worker_use u = { 100, 100, 1000 * SS_NS_PER_SEC };

	assert_int_equal(ss_worker_shed_level(&off, &u), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(low_first_high_last),
		cmocka_unit_test(the_worst_counts),
		cmocka_unit_test(zero_is_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
