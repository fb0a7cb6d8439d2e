/* Who is let in by which matcher; what is a SPIFFE id. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "contract/tlsconf.h"

static bool match(enum ss_id_match_kind kind, const char *value, const char *id)
{
	struct ss_id_match m = { .kind = (uint8_t)kind, .value = ss_span_str(value) };

	return ss_id_matches(&m, ss_span_str(id));
}

static void test_exact(void **state)
{
	assert_true(match(SS_ID_EXACT, "spiffe://mesh.local/ns/a", "spiffe://mesh.local/ns/a"));
	assert_false(match(SS_ID_EXACT, "spiffe://mesh.local/ns/a", "spiffe://mesh.local/ns/A"));
	assert_false(match(SS_ID_EXACT, "spiffe://mesh.local/ns/a", "spiffe://mesh.local/ns/ab"));
	assert_true(match(SS_ID_EXACT, "b.example", "B.Example"));
	assert_false(match(SS_ID_EXACT, "b.example", "b.example."));
}

static void test_prefix_takes_whole_segments(void **state)
{
	const char *a = "spiffe://mesh.local/ns/a";

	assert_true(match(SS_ID_PREFIX, a, "spiffe://mesh.local/ns/a"));
	assert_true(match(SS_ID_PREFIX, a, "spiffe://mesh.local/ns/a/sa/b"));
	assert_false(match(SS_ID_PREFIX, a, "spiffe://mesh.local/ns/ab"));
	assert_true(match(SS_ID_PREFIX, "spiffe://mesh.local/ns/", "spiffe://mesh.local/ns/a"));
	assert_false(match(SS_ID_PREFIX, "spiffe://mesh.local/ns/", "spiffe://mesh.local/ns"));
	/* A domain as prefix must not take a longer domain. */
	assert_false(match(SS_ID_PREFIX, "spiffe://mesh.local", "spiffe://mesh.local.evil/ns/a"));
	assert_false(match(SS_ID_PREFIX, "", "spiffe://mesh.local/ns/a"));
}

static void test_domain(void **state)
{
	assert_true(match(SS_ID_DOMAIN, "mesh.local", "spiffe://mesh.local/ns/a"));
	assert_true(match(SS_ID_DOMAIN, "mesh.local", "spiffe://mesh.local"));
	assert_false(match(SS_ID_DOMAIN, "mesh.local", "spiffe://mesh.local.evil/ns/a"));
	assert_false(match(SS_ID_DOMAIN, "mesh.local", "mesh.local"));
	assert_false(match(SS_ID_DOMAIN, "", "spiffe:///ns/a"));
}

static void test_any_needs_an_identity(void **state)
{
	assert_true(match(SS_ID_ANY, "", "a.example"));
	assert_false(match(SS_ID_ANY, "", ""));
	assert_false(match(SS_ID_EXACT, "", ""));
}

static void test_spiffe_form(void **state)
{
	const char *good[] = { "spiffe://mesh.local/ns/demo/sa/node-a", "spiffe://mesh.local",
			       "spiffe://a/B_c.d-9" };
	const char *bad[] = { "", "spiffe://", "spiffe:///a", "spiffe://mesh.local/", "spiffe://mesh.local//a",
			      "spiffe://Mesh.local/a", "spiffe://mesh.local/a/", "spiffe://mesh.local/../a",
			      "spiffe://mesh.local/./a", "spiffe://mesh.local:80/a", "spiffe://u@mesh.local/a",
			      "spiffe://mesh.local/a?b", "spiffe://mesh.local/a#b", "spiffe://mesh.local/%61",
			      "https://mesh.local/a", "SPIFFE://mesh.local/a" };

	for (size_t i = 0; i < SS_ARRAY_LEN(good); i++)
		assert_true(ss_id_is_spiffe(ss_span_str(good[i])));
	for (size_t i = 0; i < SS_ARRAY_LEN(bad); i++)
		assert_false(ss_id_is_spiffe(ss_span_str(bad[i])));
	assert_false(ss_id_is_spiffe(ss_span("spiffe://mesh.local/a\0b", 23)));
}

/* What is looked up finds what the match takes: URIs by their bytes, DNS names whatever their case. */
static void test_keys(void **state)
{
	uint8_t buf[SS_ID_DNS_MAX], long_name[SS_ID_DNS_MAX + 1];

	memset(long_name, 'a', sizeof(long_name));
	assert_true(ss_span_eq(ss_id_dns_key(SS_SPAN("Api.Example"), buf), SS_SPAN("api.example")));
	assert_int_equal(ss_id_dns_key(SS_SPAN("spiffe://d/x"), buf).n, 0);
	assert_int_equal(ss_id_dns_key(SS_SPAN_NONE, buf).n, 0);
	assert_int_equal(ss_id_dns_key(ss_span(long_name, SS_ID_DNS_MAX), buf).n, SS_ID_DNS_MAX);
	assert_int_equal(ss_id_dns_key(ss_span(long_name, sizeof(long_name)), buf).n, 0);
	assert_true(ss_id_has_key(SS_SPAN("spiffe://d/X")));
	assert_true(ss_id_has_key(SS_SPAN("api.example")));
	assert_false(ss_id_has_key(SS_SPAN("SPIFFE://d/x"))); /* no URI of ours, and in lower case another one */
	assert_false(ss_id_has_key(SS_SPAN_NONE));
	assert_false(ss_id_has_key(ss_span(long_name, sizeof(long_name))));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_prefix_takes_whole_segments),
		cmocka_unit_test(test_domain),
		cmocka_unit_test(test_any_needs_an_identity),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_spiffe_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
