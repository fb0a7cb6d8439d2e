#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/span.h"

/* Every length around the borders between its ways, and every place where two may differ. */
static void bytes_are_compared_whole(void **state)
{
	uint8_t a[48], b[48];

	for (uint32_t n = 0; n < sizeof(a); n++) {
		for (uint32_t i = 0; i < sizeof(a); i++)
			a[i] = b[i] = (uint8_t)(i * 37 + n);
		for (uint32_t i = n; i < sizeof(b); i++)
			b[i] ^= 0xff; /* what is behind plays no part */
		assert_true(ss_bytes_eq(a, b, n));
		for (uint32_t i = 0; i < n; i++) {
			b[i] ^= 0x80;
			assert_false(ss_bytes_eq(a, b, n));
			assert_false(ss_span_eq(ss_span(a, n), ss_span(b, n)));
			b[i] ^= 0x80;
		}
	}
}

static void ends_and_beginnings(void **state)
{
	struct ss_span s = SS_SPAN("spiffe://a/ns/b");

	assert_true(ss_span_starts(s, SS_SPAN("spiffe://")));
	assert_true(ss_span_starts(s, SS_SPAN_NONE));
	assert_true(ss_span_starts(s, s));
	assert_false(ss_span_starts(SS_SPAN("spiffe:/"), SS_SPAN("spiffe://")));
	assert_false(ss_span_starts(s, SS_SPAN("spiffe:/x")));
	assert_true(ss_span_ends(s, SS_SPAN("/b")));
	assert_true(ss_span_ends(s, SS_SPAN_NONE));
	assert_true(ss_span_ends(SS_SPAN_NONE, SS_SPAN_NONE));
	assert_false(ss_span_ends(SS_SPAN("b"), SS_SPAN("/b")));
	assert_false(ss_span_eq(SS_SPAN("a"), SS_SPAN("ab")));
	assert_true(ss_span_eq(SS_SPAN_NONE, SS_SPAN("")));
}

static void only_ends_are_trimmed(void **state)
{
	assert_true(ss_span_eq(ss_span_trim(SS_SPAN(" \t a b\t ")), SS_SPAN("a b")));
	assert_true(ss_span_eq(ss_span_trim(SS_SPAN("a")), SS_SPAN("a")));
	assert_true(ss_span_eq(ss_span_trim(SS_SPAN("\na\r")), SS_SPAN("\na\r")));
	assert_int_equal(ss_span_trim(SS_SPAN(" \t ")).n, 0);
	assert_int_equal(ss_span_trim(SS_SPAN_NONE).n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_are_compared_whole),
		cmocka_unit_test(ends_and_beginnings),
		cmocka_unit_test(only_ends_are_trimmed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
