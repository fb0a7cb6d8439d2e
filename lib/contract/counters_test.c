#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ctype.h>
#include <string.h>

#include "base/rng.h"
#include "contract/counters.h"

static void check_name(const char *name)
{
	assert_true(strlen(name) > 1);
	for (const char *p = name; *p; p++)
		assert_true(islower(*p) || isdigit(*p) || *p == '_');
}

static void names_are_metric_names(void **state)
{
	for (int i = 0; i < SS_C_COUNT; i++) {
		check_name(ss_counter_name(i));
		assert_true(ss_counter_kind(i) == 'c' || ss_counter_kind(i) == 'g');
		assert_true(strlen(ss_counter_help(i)) > 5);
	}
	assert_string_equal(ss_counter_name(SS_C_TCP_RTO), "tcp_rto");
	assert_string_equal(ss_counter_name(SS_C_RESPONSES_2XX), "responses_2xx");
	assert_int_equal(ss_counter_kind(SS_C_MBUFS), 'g');
}

static void drops_have_words(void **state)
{
	for (int i = 1; i < SS_DROP_COUNT; i++) {
		check_name(ss_drop_name(i));
		assert_non_null(strchr("pcr", ss_drop_kind(i)));
		assert_true(strlen(ss_drop_text(i)) > 5);
		assert_true((ss_drop_kind(i) == 'r') == (strcmp(ss_drop_flag(i), "-") != 0));
	}
	assert_string_equal(ss_drop_name(SS_DROP_TLS_IDENTITY), "tls_identity");
	assert_string_equal(ss_drop_name(SS_DROP_NONE), "none");
	assert_string_equal(ss_drop_flag(SS_DROP_NONE), "-");
	assert_string_equal(ss_drop_text(SS_DROP_NONE), "");
}

static void counting(void **state)
{
	static struct ss_counters c;
	ss_count(&c, SS_C_REQUESTS, 2);
	ss_count(&c, SS_C_REQUESTS, 3);
	ss_gauge(&c, SS_C_MBUFS, 9);
	ss_count_drop(&c, SS_DROP_DENIED);
	assert_int_equal(ss_counter_read(&c, SS_C_REQUESTS), 5);
	assert_int_equal(ss_counter_read(&c, SS_C_MBUFS), 9);
	assert_int_equal(c.drops[SS_DROP_DENIED], 1);
}

/* Each bucket ends right before the next begins, and is at most a sixteenth of its values wide. */
static void buckets_meet(void **state)
{
	for (uint32_t i = 0; i + 1 < SS_HIST_BUCKETS; i++) {
		uint64_t upper = ss_hist_upper(i);
		assert_int_equal(ss_hist_index(upper), i);
		assert_int_equal(ss_hist_index(upper + 1), i + 1);
		assert_true((ss_hist_upper(i + 1) - upper) * 16 <= upper + 1 || upper < 16);
	}
	assert_true(ss_hist_upper(SS_HIST_BUCKETS - 1) == (1ull << 40) - 1);
	assert_int_equal(ss_hist_index(UINT64_MAX), SS_HIST_BUCKETS - 1);
}

static void quantiles(void **state)
{
	static struct ss_hist h, sum;
	struct ss_rng r;
	ss_rng_seed(&r, 5);
	assert_int_equal(ss_hist_quantile(&h, 0.5), 0);
	for (uint64_t v = 1; v <= 100000; v++)
		ss_hist_add(&h, v);
	static const double q[] = { 0.01, 0.5, 0.9, 0.99, 0.999 };
	for (size_t i = 0; i < SS_ARRAY_LEN(q); i++) {
		double got = (double)ss_hist_quantile(&h, q[i]), want = q[i] * 100000;
		assert_true(got >= want - 1 && got <= want * 17 / 16 + 1);
	}
	assert_int_equal(h.count, 100000);
	assert_true(h.sum == 100000ull * 100001 / 2);
	ss_hist_sum(&sum, &h);
	ss_hist_sum(&sum, &h);
	assert_int_equal(sum.count, 200000);
	assert_int_equal(ss_hist_quantile(&sum, 0.9), ss_hist_quantile(&h, 0.9));
	assert_true(ss_hist_quantile(&h, 0) >= 1);
	assert_true(ss_hist_quantile(&h, 1) >= 100000);
}

int main(void)
{
	const struct CMUnitTest t[] = { cmocka_unit_test(names_are_metric_names),
					cmocka_unit_test(drops_have_words), cmocka_unit_test(counting),
					cmocka_unit_test(buckets_meet), cmocka_unit_test(quantiles) };
	return cmocka_run_group_tests(t, NULL, NULL);
}
