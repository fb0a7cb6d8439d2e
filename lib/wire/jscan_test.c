/* jscan_test.c - what is JSON, what is not, and what is found in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "base/err.h"
#include "wire/jscan.h"

static struct ss_jscan_node nodes[32];

static int scan(const char *text)
{
	static uint8_t buf[512];
	uint32_t n = (uint32_t)strlen(text);

	assert_true(n < sizeof(buf));
	memcpy(buf, text, n);
	return ss_jscan(buf, n, nodes, SS_ARRAY_LEN(nodes));
}

static void accepts(void **state)
{
	static const struct {
		const char *text;
		int nodes;
	} good[] = {
		{"1", 1},
		{" -0.5e+3 ", 1},
		{"0", 1},
		{"\"\"", 1},
		{"{}", 1},
		{"[ ]", 1},
		{"null", 1},
		{"[1,[2,[3]],4]", 7},
		{"{\"a\":1,\"b\":{\"a\":[true,false]}}", 9},
		{"\"\xf0\x9f\x8d\xb0\"", 1},
		{"{\"a\":{\"x\":1},\"x\":1}", 7},
	};

	for (size_t i = 0; i < SS_ARRAY_LEN(good); i++)
		if (scan(good[i].text) != good[i].nodes)
			fail_msg("%s: %d nodes", good[i].text, scan(good[i].text));
}

static void refuses(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"{",
		"}",
		"[1,]",
		"{\"a\":1,}",
		"{\"a\"}",
		"{a:1}",
		"{1:1}",
		"01",
		"-",
		"1.",
		".5",
		"1e",
		"+1",
		"1 2",
		"tru",
		"True",
		"\"",
		"\"\\x\"",
		"\"\\u12\"",
		"\"\\u0000\"",
		"\"\\ud800\"",
		"\"\\ud800\\u0041\"",
		"\"\\udc00\"",
		"\"\n\"",
		"\"\x80\"",
		"\"\xc0\x80\"",
		"\"\xed\xa0\x80\"",
		"\"\xf4\x90\x80\x80\"",
		"\"\xe2\x82\"",
		"{\"a\":1,\"a\":2}",
		"{\"a\":1,\"\\u0061\":2}",
		"[1 2]",
		"{\"a\" 1}",
		"// x\n1",
		"NaN",
		"'a'",
	};

	for (size_t i = 0; i < SS_ARRAY_LEN(bad); i++)
		if (scan(bad[i]) != SS_ERR_BAD_STREAM)
			fail_msg("%s: %d", bad[i], scan(bad[i]));
	assert_int_equal(scan("[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]"), 17);
	assert_int_equal(scan("[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]"), SS_ERR_LIMIT);
	assert_int_equal(scan("[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,"
			      "29,30,31,32]"),
			 SS_ERR_LIMIT);
}

static void strings_are_unescaped(void **state)
{
	assert_int_equal(scan("\"a\\u00e9\\ud83c\\udf70\\\"\\/\\n\""), 1);
	assert_true(ss_span_eq(nodes[0].text, SS_SPAN("a\xc3\xa9\xf0\x9f\x8d\xb0\"/\n")));
}

static void finds(void **state)
{
	struct ss_claims c = {.nodes = nodes};
	uint16_t at;

	scan("{\"sub\":\"me\",\"realm\":{\"x\":[1],\"roles\":[\"a\",\"b\"]},\"exp\":1700000000.5}");
	at = ss_claims_find(&c, ss_span("realm\0roles\0", 12));
	assert_int_equal(nodes[at].type, SS_JSCAN_ARRAY);
	assert_true(ss_span_eq(nodes[at + 2].text, SS_SPAN("b")));
	assert_int_equal(ss_claims_find(&c, ss_span("sub\0x\0", 6)), 0);
	assert_int_equal(ss_claims_find(&c, ss_span("nobody\0", 7)), 0);
	assert_int_equal(ss_claims_find(NULL, ss_span("sub\0", 4)), 0);
}

static void dates(void **state)
{
	static const struct {
		const char *text;
		bool good;
		uint64_t v;
	} d[] = {{"1700000000", true, 1700000000},
		 {"0", true, 0},
		 {"1.9", true, 1},
		 {"-1", false, 0},
		 {"1e9", false, 0},
		 {"99999999999999999999999", false, 0},
		 {"\"1\"", false, 0},
		 {"true", false, 0}};

	for (size_t i = 0; i < SS_ARRAY_LEN(d); i++) {
		uint64_t v = 0;
		assert_int_equal(scan(d[i].text), 1);
		assert_int_equal(ss_jscan_seconds(&nodes[0], &v), d[i].good);
		assert_true(!d[i].good || v == d[i].v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts),
		cmocka_unit_test(refuses),
		cmocka_unit_test(strings_are_unescaped),
		cmocka_unit_test(finds),
		cmocka_unit_test(dates),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
