/* httpdate_test.c - dates in field values, against the C library's calendar. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <time.h>

#include "base/rng.h"
#include "wire/httpdate.h"

#define NOW 1700000000ull /* November 2023 */

static void the_three_forms(void **state)
{
	static const struct {
		const char *text;
		uint64_t at;
	} good[] = {
		{ "Sun, 06 Nov 1994 08:49:37 GMT", 784111777 },
		{ "Sunday, 06-Nov-94 08:49:37 GMT", 784111777 },
		{ "Sun Nov  6 08:49:37 1994", 784111777 },
		{ "Sun Nov 16 08:49:37 1994", 784975777 },
		{ "Thu, 01 Jan 1970 00:00:00 GMT", 0 },
		{ "Wed, 31 Dec 1969 23:59:59 GMT", 0 },
		{ "Thu, 29 Feb 2024 12:00:00 GMT", 1709208000 },
		{ "Sat, 31 Dec 2016 23:59:60 GMT", 1483228800 }, /* a leap second */
		{ "Friday, 01-Jan-73 00:00:00 GMT", 3250454400 }, /* 2073: 50 years ahead */
		{ "Friday, 01-Jan-74 00:00:00 GMT", 126230400 },	 /* 1974 */
	};
	uint64_t at;

	for (size_t i = 0; i < SS_ARRAY_LEN(good); i++) {
		if (!ss_httpdate(ss_span_str(good[i].text), NOW, &at) || at != good[i].at)
			fail_msg("%s", good[i].text);
	}
}

static void what_is_no_date(void **state)
{
	static const char *const bad[] = {
		"", "0", "Sun", "Sun,", "Sun, 06 Nov 1994", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC",
		"Sun, 06 Nov 1994 08:49:37 GMT ", " Sun, 06 Nov 1994 08:49:37 GMT", "sun, 06 nov 1994 08:49:37 gmt",
		"Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 32 Jan 1994 08:49:37 GMT", "Sun, 00 Jan 1994 08:49:37 GMT",
		"Sun, 29 Feb 2023 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:37 GMT",
		"Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 06 Nov 0000 08:49:37 GMT", "Sun, 06 Foo 1994 08:49:37 GMT",
		"Sunday, 06 Nov 1994 08:49:37 GMT", "Sun, 06-Nov-94 08:49:37 GMT", "Sun Nov 6 08:49:37 1994",
		"Sun Nov  6 08:49:37 1994 GMT", "Xyz, 06 Nov 1994 08:49:37 GMT",
	};
	uint64_t at;

	for (size_t i = 0; i < SS_ARRAY_LEN(bad); i++)
		if (ss_httpdate(ss_span_str(bad[i]), NOW, &at))
			fail_msg("%s", bad[i]);
}

static void as_the_library_says(void **state)
{
	struct ss_rng rng;

	ss_rng_seed(&rng, 5);
	for (uint32_t i = 0; i < 20000; i++) {
		time_t t = (time_t)(((uint64_t)ss_rng_below(&rng, 1u << 31) * 118) % 253402300800ull);
		char want[64], got[SS_HTTPDATE_TEXT];
		struct tm tm;
		uint64_t at;
		assert_non_null(gmtime_r(&t, &tm));
		strftime(want, sizeof(want), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		ss_httpdate_put(got, (uint64_t)t);
		assert_string_equal(got, want);
		assert_true(ss_httpdate(ss_span_str(want), NOW, &at) && at == (uint64_t)t);
		strftime(want, sizeof(want), "%a %b %e %H:%M:%S %Y", &tm);
		assert_true(ss_httpdate(ss_span_str(want), NOW, &at) && at == (uint64_t)t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_three_forms),
		cmocka_unit_test(what_is_no_date),
		cmocka_unit_test(as_the_library_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
