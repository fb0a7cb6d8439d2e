#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "wire/params.h"

/* All pairs as "name:value,". */
static const char *pairs(const char *text, bool (*next)(struct ss_span *, struct ss_span *, struct ss_span *))
{
	static char all[200];
	struct ss_span rest = ss_span_str(text), n, v;
	size_t at = 0;

	all[0] = '\0';
	while (next(&rest, &n, &v))
		at += (size_t)snprintf(all + at, sizeof(all) - at, "%.*s:%.*s,", (int)n.n, n.p, (int)v.n,
				       v.p);
	return all;
}

static void queries_are_walked(void **state)
{
	assert_string_equal(pairs("a=1&b=2", ss_query_next), "a:1,b:2,");
	assert_string_equal(pairs("a&b=&=c&&d=x=y", ss_query_next), "a:,b:,d:x=y,");
	assert_string_equal(pairs("a=%20+&a=2", ss_query_next), "a:%20+,a:2,");
	assert_string_equal(pairs("", ss_query_next), "");
}

static void cookies_are_walked(void **state)
{
	assert_string_equal(pairs("a=1; b=2", ss_cookie_next), "a:1,b:2,");
	assert_string_equal(pairs("a=1;b=\"2 3\" ;\tc ; =x;", ss_cookie_next), "a:1,b:2 3,c:,");
	assert_string_equal(pairs("a=\"", ss_cookie_next), "a:\",");
}

static void paths_are_cut(void **state)
{
	assert_int_equal(ss_path_only(SS_SPAN("/a?b?c")).n, 2);
	assert_true(ss_span_eq(ss_path_query(SS_SPAN("/a?b?c")), SS_SPAN("b?c")));
	assert_int_equal(ss_path_query(SS_SPAN("/a")).n, 0);
	assert_int_equal(ss_path_query(SS_SPAN("/a?")).n, 0);
}

static void whole_numbers_are_read(void **state)
{
	static const char *const bad[] = {
		"", "-", "+", "1 ", "0x1", "1.0", "9223372036854775808", "-9223372036854775809"};
	int64_t v;

	for (size_t i = 0; i < SS_ARRAY_LEN(bad); i++)
		assert_false(ss_whole_number(ss_span_str(bad[i]), &v));
	assert_true(ss_whole_number(SS_SPAN("-9223372036854775808"), &v) && v == INT64_MIN);
	assert_true(ss_whole_number(SS_SPAN("9223372036854775807"), &v) && v == INT64_MAX);
	assert_true(ss_whole_number(SS_SPAN("+007"), &v) && v == 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queries_are_walked),
		cmocka_unit_test(cookies_are_walked),
		cmocka_unit_test(paths_are_cut),
		cmocka_unit_test(whole_numbers_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
