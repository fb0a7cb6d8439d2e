#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "wire/uri.h"

static void paths_get_one_spelling(void **state)
{
	static const struct { const char *in, *out; uint32_t flags;
	} cases[] = {
		{"/", "/", 0},
		{"/a/b?c", "/a/b?c", 0},
		{"*", "*", 0},
		{"/%61%7E", "/a~", 0},
		{"/%c3%a4", "/%C3%A4", 0},
		{"/a/./b", "/a/b", 0},
		{"/a/../b", "/b", 0},
		{"/a/b/..", "/a/", 0},
		{"/a/.", "/a/", 0},
		{"/.", "/", 0},
		{"/a/%2e%2E/b", "/b", 0},
		{"/a/.b/..c/d.", "/a/.b/..c/d.", 0},
		{"/a/...", "/a/...", 0},
		{"//a///b", "//a///b", 0},
		{"//a///b", "/a/b", SS_URI_MERGE_SLASHES},
		{"/a//../b", "/a/b", 0},
		{"/a%2Fb%5cc", "/a%2Fb%5Cc", 0},
		{"/a%2f..%5Cb", "/b", SS_URI_ESCAPED_SLASH_DECODE},
		{"/a/..?x=/../%2e", "/?x=/../%2e", 0},
		{"/a?b?c[0]={|}", "/a?b?c[0]={|}", 0},
		{"/a;b=c,d@e:f$&'()*+!", "/a;b=c,d@e:f$&'()*+!", 0},
		{"/%20%25", "/%20%25", 0},
		{"/a/b/c/./../../g", "/a/g", 0},
		{"/?", "/?", 0},
	};

	for (size_t i = 0; i < SS_ARRAY_LEN(cases); i++) {
		uint8_t b[256];
		struct ss_out o = ss_out(b, sizeof(b));
		struct ss_span norm, again;
		int r = ss_uri_path(ss_span_str(cases[i].in), cases[i].flags, &o, &norm);
		if (r != 0 || !ss_span_eq(norm, ss_span_str(cases[i].out)))
			fail_msg("%s: %d %.*s", cases[i].in, r, (int)norm.n, (const char *)norm.p);
		/* What is normal stays what it is. */
		uint8_t b2[256];
		struct ss_out o2 = ss_out(b2, sizeof(b2));
		assert_int_equal(ss_uri_path(norm, cases[i].flags, &o2, &again), 0);
		assert_true(ss_span_eq(norm, again));
	}
}

static void bad_paths_are_refused(void **state)
{
	static const struct { const char *in; uint32_t flags;
	} bad[] = {
		{"", 0},
		{"a", 0},
		{"?a", 0},
		{"/%", 0},
		{"/%4", 0},
		{"/%4g", 0},
		{"/%00", 0},
		{"/%0a", 0},
		{"/%7f", 0},
		{"/a b", 0},
		{"/a\\b", 0},
		{"/a#b", 0},
		{"/a?b#c", 0},
		{"/\xc3\xa4", 0},
		{"/..", 0},
		{"/a/../..", 0},
		{"/%2e%2e/a", 0},
		{"/a?%4", 0},
		{"/a?\x01", 0},
		{"/a%2fb", SS_URI_ESCAPED_SLASH_REFUSE},
		{"/a%5Cb", SS_URI_ESCAPED_SLASH_REFUSE},
		{"/%2f..%2f..", SS_URI_ESCAPED_SLASH_DECODE},
		{"/a\"b", 0},
	};

	for (size_t i = 0; i < SS_ARRAY_LEN(bad); i++) {
		uint8_t b[256];
		struct ss_out o = ss_out(b, sizeof(b));
		struct ss_span norm;
		if (ss_uri_path(ss_span_str(bad[i].in), bad[i].flags, &o, &norm) == 0)
			fail_msg("%s: %.*s", bad[i].in, (int)norm.n, (const char *)norm.p);
	}
	struct ss_out none = ss_out(NULL, 0);
	struct ss_span norm;
	assert_int_equal(ss_uri_path(SS_SPAN("/./a"), 0, &none, &norm), SS_ERR_LIMIT);
	assert_int_equal(ss_uri_path(SS_SPAN("/a"), 0, &none, &norm), 0);
}

static void authorities_are_checked(void **state)
{
	static const struct { const char *in, *host; uint16_t port;
	} good[] = {
		{"a", "a", 0},
		{"a.b-c_d:8080", "a.b-c_d", 8080},
		{"10.0.0.1:65535", "10.0.0.1", 65535},
		{"a:", "a", 0},
		{"[::1]", "::1", 0},
		{"[fd00::1]:80", "fd00::1", 80},
		{"[::ffff:1.2.3.4]", "::ffff:1.2.3.4", 0},
		{"%41b", "%41b", 0},
	};
	static const char *const bad[] = {
		"",    ":80", "a:b",   "a:65536",   "a:0",   "a:-1", "a:1:2",   "u@a",    "u:p@a",
		"a/b", "a b", "a?b",   "a#b",       "[::1",  "[]",   "[::1]x",  "[g::1]", "[1.2.3.4]",
		"a%",  "a%4", "a\x7f", "a\xc3\xa4", "a,b\"", "::1",  "a:000080"};
	struct ss_span host;
	uint16_t port;

	for (size_t i = 0; i < SS_ARRAY_LEN(good); i++) {
		assert_int_equal(ss_uri_authority(ss_span_str(good[i].in), &host, &port), 0);
		assert_true(ss_span_eq(host, ss_span_str(good[i].host)));
		assert_int_equal(port, good[i].port);
	}
	for (size_t i = 0; i < SS_ARRAY_LEN(bad); i++)
		if (ss_uri_authority(ss_span_str(bad[i]), &host, &port) == 0)
			fail_msg("%s: accepted", bad[i]);
}

static void targets_have_four_forms(void **state)
{
	struct ss_uri u;

	assert_int_equal(ss_uri_target(SS_SPAN("/a?b"), SS_SPAN("GET"), &u), 0);
	assert_int_equal(u.form, SS_URI_ORIGIN);
	assert_int_equal(ss_uri_target(SS_SPAN("HTTPS://h:1/a"), SS_SPAN("GET"), &u), 0);
	assert_int_equal(u.form, SS_URI_ABSOLUTE);
	assert_true(ss_span_eq(u.scheme, SS_SPAN("https")) && ss_span_eq(u.authority, SS_SPAN("h:1")) &&
		    ss_span_eq(u.path, SS_SPAN("/a")));
	assert_int_equal(ss_uri_target(SS_SPAN("http://h"), SS_SPAN("GET"), &u), 0);
	assert_true(ss_span_eq(u.path, SS_SPAN("/")));
	assert_int_equal(ss_uri_target(SS_SPAN("*"), SS_SPAN("OPTIONS"), &u), 0);
	assert_int_equal(u.form, SS_URI_ASTERISK);
	assert_int_equal(ss_uri_target(SS_SPAN("h:443"), SS_SPAN("CONNECT"), &u), 0);
	assert_int_equal(u.form, SS_URI_AUTHORITY);
	assert_true(ss_uri_target(SS_SPAN("h"), SS_SPAN("CONNECT"), &u) < 0);
	assert_true(ss_uri_target(SS_SPAN("/"), SS_SPAN("CONNECT"), &u) < 0);
	assert_true(ss_uri_target(SS_SPAN("http:///a"), SS_SPAN("GET"), &u) < 0);
	assert_true(ss_uri_target(SS_SPAN("http://u@h/a"), SS_SPAN("GET"), &u) < 0);
	assert_true(ss_uri_target(SS_SPAN_NONE, SS_SPAN("GET"), &u) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_get_one_spelling),
		cmocka_unit_test(bad_paths_are_refused),
		cmocka_unit_test(authorities_are_checked),
		cmocka_unit_test(targets_have_four_forms),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
