#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/json.h"

static void nesting_and_commas(void **state)
{
	struct ss_json j;
	ss_json_open(&j);
	ss_json_u64(&j, "a", UINT64_MAX);
	ss_json_list(&j, "b");
	ss_json_end_list(&j);
	ss_json_list(&j, "c");
	ss_json_text(&j, NULL, "x");
	ss_json_object(&j, NULL);
	ss_json_bool(&j, "t", true);
	ss_json_double(&j, "d", 12.345, 2);
	ss_json_end_object(&j);
	ss_json_text(&j, NULL, NULL);
	ss_json_end_list(&j);
	ss_json_object(&j, "e");
	ss_json_end_object(&j);
	char *text = ss_json_close(&j);
	assert_string_equal(text, "{\"a\":18446744073709551615,\"b\":[],\"c\":[\"x\",{\"t\":true,\"d\":12.35},null],"
				  "\"e\":{}}");
	free(text);
}

static void one(const char *bytes, uint32_t n, const char *want)
{
	struct ss_json j;
	ss_json_open(&j);
	ss_json_span(&j, "s", ss_span(bytes, n));
	char *text = ss_json_close(&j), all[128];
	snprintf(all, sizeof(all), "{\"s\":\"%s\"}", want);
	assert_string_equal(text, all);
	free(text);
}

static void strings_are_escaped(void **state)
{
	one("a\"b\\c", 5, "a\\\"b\\\\c");
	one("\n\t\x7f\0", 4, "\\u000a\\u0009\\u007f\\u0000");
	one("\xc3\xa4", 2, "\xc3\xa4");
	one("\xc3", 1, "\xef\xbf\xbd");                            /* cut off */
	one("\xc0\xaf", 2, "\xef\xbf\xbd\xef\xbf\xbd");             /* overlong */
	one("\xed\xa0\x80", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"); /* surrogate */
	one("\xf0\x9f\x98\x80", 4, "\xf0\x9f\x98\x80");
	one("\xf5\x80\x80\x80", 4, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(nesting_and_commas),
		cmocka_unit_test(strings_are_escaped),
	};
	return cmocka_run_group_tests(t, NULL, NULL);
}
