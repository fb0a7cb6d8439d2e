/* build_start_test.c - what an expression's subjects begin with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "build/build_routes.h"

/* What an expression's subjects surely begin with: never too much. */
static void beginnings_are_seen(void **state)
{
	static const struct {
		const char *pattern, *start;
	} rows[] = {
		{"/a/[0-9]+", "/a/"},
		{"^/a$", "/a"},
		{"/ab*", "/a"},
		{"/ab?c", "/a"},
		{"/ab+", "/ab"},
		{"/ab{2}", "/a"},
		{"/a\\.b", "/a.b"},
		{"/a\\d", "/a"},
		{"/a|/b", ""},
		{"/a(b|c)", "/a"},
		{"(?i)/a", ""},
		{"/a[|]b", "/a"},
		{"/a[(]|/b", ""},
		{"/a\\(|/b", ""},
		{"/\\Q(\\E|b", ""},
		{"", ""},
		{"a*", ""},
		{"/a[[:alpha:](]|b", ""},
		{"/a(?#()|b", ""},
		{"\\", ""},
		{"[", ""},
		{"/x[^]]|y", ""},
	};
	struct ss_snapshot snap = {.memory = ss_build_mem_create()};
	struct ss_build_job j = {.snap = &snap};

	for (size_t i = 0; i < SS_ARRAY_LEN(rows); i++) {
		struct ss_span got = ss_build_start(&j, ss_build_text(&j, rows[i].pattern));
		if (!ss_span_eq(got, ss_span_str(rows[i].start)))
			fail_msg("%s: wanted \"%s\", got \"%.*s\"", rows[i].pattern, rows[i].start,
				 (int)got.n, got.p);
	}
	ss_build_mem_free(snap.memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(beginnings_are_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
