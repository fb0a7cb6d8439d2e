/* number_test.c - numbers and spans of time in field values, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "wire/number.h"

static void digits_and_nothing_else(void **state)
{
	static const char *const bad[] = { "", "-1", "+1", "1 ", " 1", "1.5", "0x1", "1234567890123456789", "a" };
	uint64_t n;

	assert_true(ss_number(SS_SPAN("0"), &n) && n == 0);
	assert_true(ss_number(SS_SPAN("123456789012345678"), &n) && n == 123456789012345678ull);
	for (size_t i = 0; i < SS_ARRAY_LEN(bad); i++)
		assert_false(ss_number(ss_span_str(bad[i]), &n));
}

static void grpc_timeouts(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = { { "1S", SS_NS_PER_SEC },	      { "100m", 100 * SS_NS_PER_MS }, { "5u", 5000 },
		     { "7n", 7 },		      { "2M", 120 * SS_NS_PER_SEC },  { "1H", 3600 * SS_NS_PER_SEC },
		     { "99999999H", UINT64_MAX / 4 }, { "0n", 0 } };
	static const char *const bad[] = { "", "S", "1", "1s", "123456789S", "1 S", "-1S", "1.5S", "1SS" };
	uint64_t ns;

	for (size_t i = 0; i < SS_ARRAY_LEN(good); i++) {
		assert_true(ss_number_grpc_timeout(ss_span_str(good[i].text), &ns));
		assert_true(ns == good[i].ns);
	}
	for (size_t i = 0; i < SS_ARRAY_LEN(bad); i++)
		assert_false(ss_number_grpc_timeout(ss_span_str(bad[i]), &ns));
}

static void written_as_read(void **state)
{
	static const uint64_t v[] = { 0, 9, 10, 1500, UINT64_MAX };
	static const char *const text[] = { "0", "9", "10", "1500", "18446744073709551615" };
	char buf[SS_NUMBER_TEXT];

	for (size_t i = 0; i < SS_ARRAY_LEN(v); i++)
		assert_true(ss_span_eq(ss_number_put(buf, v[i], 0), ss_span_str(text[i])));
	assert_true(ss_span_eq(ss_number_put(buf, 250, 'm'), SS_SPAN("250m")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digits_and_nothing_else),
		cmocka_unit_test(grpc_timeouts),
		cmocka_unit_test(written_as_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
