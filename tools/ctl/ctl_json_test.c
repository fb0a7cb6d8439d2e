#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tools/ctl/ctl_json.h"

static void documents_are_read(void **state)
{
	char text[] = " {\"a\":1 , \"b\":[true,false,null,-2.5e3],\"c\":{\"d\":\"x\\\"\\u00e4\\n\"},\"e\":[],\"f\":{},\"g\":null}\n";
	struct ctl_json *v = ctl_json_read(text);
	assert_non_null(v);
	assert_string_equal(ctl_json_text(v, "a"), "1");
	const struct ctl_json *b = ctl_json_get(v, "b");
	assert_int_equal(b->kind, CTL_LIST);
	assert_int_equal(b->child->kind, CTL_BOOL);
	assert_string_equal(b->child->text, "true");
	assert_int_equal(b->child->next->next->kind, CTL_NULL);
	assert_string_equal(b->child->next->next->next->text, "-2.5e3");
	assert_string_equal(ctl_json_text(ctl_json_get(v, "c"), "d"), "x\"\xc3\xa4\n");
	assert_null(ctl_json_get(v, "e")->child);
	assert_true(ctl_json_first(v, "b") == b->child && ctl_json_has(v, "b"));
	assert_null(ctl_json_first(v, "e"));
	assert_null(ctl_json_first(v, "none"));
	assert_false(ctl_json_has(v, "none") || ctl_json_has(NULL, "a") || ctl_json_has(v, "g"));
	assert_null(ctl_json_get(v, "none"));
	assert_string_equal(ctl_json_text(v, "none"), "-");
	assert_true(ctl_json_number(v, "a") == 1);
	ctl_json_free(v);
}

static void what_is_no_document_is_refused(void **state)
{
	static const char *const bad[] = {
		"", "{", "}", "[1", "[1,]", "{\"a\"}", "{\"a\":}", "{a:1}", "\"", "\"\\x\"", "\"\\u12\"", "tru", "1 2",
		"[1}", "{\"a\":1]", "--1", "\"a\nb\"", "{\"a\":1,}",
		"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
	};
	for (size_t i = 0; i < SS_ARRAY_LEN(bad); i++) {
		char *text = strdup(bad[i]);
		if (ctl_json_read(text))
			fail_msg("accepted: %s", bad[i]);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(documents_are_read),
		cmocka_unit_test(what_is_no_document_is_refused),
	};
	return cmocka_run_group_tests(t, NULL, NULL);
}
