#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "wire/chars.h"
#include "wire/hdr.h"

/* Fails when hdr.h got a token and tools/gen/hdr_names.py was not run again. */
static void every_token_is_found(void **state)
{
	static const char *names[SS_H_COUNT] = {
#define X(tok, name) [tok] = name,
		SS_HDR_TOKENS(X)
#undef X
	};

	for (int t = 1; t < SS_H_COUNT; t++) {
		struct ss_span s = ss_span_str(names[t]);
		assert_int_equal(ss_hdr_token(s), t);
		assert_true(ss_span_eq(ss_hdr_token_name((enum ss_hdr_token)t), s));
	}
	assert_int_equal(ss_hdr_token(SS_SPAN("x-unknown")), SS_H_OTHER);
	assert_int_equal(ss_hdr_token(SS_SPAN("Host")), SS_H_OTHER);
	assert_int_equal(ss_hdr_token(SS_SPAN(":path")), SS_H_OTHER);
	assert_int_equal(ss_hdr_token(SS_SPAN_NONE), SS_H_OTHER);
	assert_int_equal(ss_hdr_token_name(SS_H_OTHER).n, 0);
}

static void a_block_adds_finds_and_removes(void **state)
{
	struct ss_hdr v[4];
	struct ss_hdrs h;

	ss_hdrs_init(&h, v, 4);
	assert_int_equal(ss_hdrs_add(&h, SS_SPAN("te"), SS_SPAN("trailers"), 0), 0);
	assert_int_equal(ss_hdrs_add(&h, SS_SPAN("x-a"), SS_SPAN("1"), 0), 0);
	assert_int_equal(ss_hdrs_add(&h, SS_SPAN("te"), SS_SPAN("gzip"), 0), 0);
	assert_int_equal(ss_hdrs_add(&h, SS_SPAN("x-b"), SS_SPAN("2"), 0), 0);
	assert_int_equal(ss_hdrs_add(&h, SS_SPAN("x-c"), SS_SPAN("3"), 0), SS_ERR_LIMIT);
	assert_int_equal(h.bytes, 2 + 8 + 32 + 3 + 1 + 32 + 2 + 4 + 32 + 3 + 1 + 32);
	assert_true(ss_hdrs_find(&h, SS_H_TE) == &v[0]);
	assert_true(ss_hdrs_find_name(&h, SS_SPAN("x-b")) == &v[3]);
	assert_null(ss_hdrs_find(&h, SS_H_HOST));
	assert_int_equal(ss_hdrs_remove(&h, SS_H_TE), 2);
	assert_int_equal(h.n, 2);
	assert_int_equal(h.bytes, 36 + 36);
	assert_true(ss_span_eq(h.v[1].name, SS_SPAN("x-b")));
	assert_int_equal(ss_hdrs_remove_name(&h, SS_SPAN("x-a")), 1);
	assert_int_equal(ss_hdrs_remove_name(&h, SS_SPAN("x-a")), 0);
	assert_int_equal(h.n, 1);
}

/* The eight-at-a-time check against the definition, a bad byte at every place. */
static void value_bytes_are_checked_everywhere(void **state)
{
	for (unsigned len = 1; len < 24; len++)
		for (unsigned at = 0; at < len; at++)
			for (unsigned c = 0; c < 256; c++) {
				uint8_t b[24];
				memset(b, c & 1 ? 0x20 : 0x80, sizeof(b));
				b[at] = (uint8_t)c;
				bool good = (c >= 0x20 && c != 0x7f) || c == '\t';
				assert_int_equal(ss_chars_value(ss_span(b, len)), good);
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_token_is_found),
		cmocka_unit_test(a_block_adds_finds_and_removes),
		cmocka_unit_test(value_bytes_are_checked_everywhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
