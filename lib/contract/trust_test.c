/* Whose bundle judges whom, and what a later trust says of a chain that an earlier one has verified. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "contract/trust.h"

static const uint64_t own[] = { 10, 20, 30 }, partner[] = { 40 }, listed[] = { 100, 200 }, revoked[] = { 501, 777 };

static const struct ss_trust_domain domains[] = {
	{ .name = SS_SPAN("mesh.local"), .anchor = { 3, own } },
	{ .name = SS_SPAN("partner.example"), .anchor = { 1, partner }, .crls = true, .listed = { 2, listed },
	  .revoked = { 2, revoked } },
};

static struct ss_span text(const char *s)
{
	return ss_span_str(s);
}

static void test_whose_bundle(void **state)
{
	const struct ss_trust t = { .n_domains = 2, .domain = domains };
	static const struct ss_trust_domain all = { .anchor = { 3, own } };
	const struct ss_trust anybody = { .n_domains = 1, .domain = &all };

	assert_ptr_equal(ss_trust_find(&t, text("spiffe://mesh.local/a")), &domains[0]);
	assert_ptr_equal(ss_trust_find(&t, text("spiffe://partner.example/a")), &domains[1]);
	assert_null(ss_trust_find(&t, text("spiffe://mesh.localx/a")));
	assert_null(ss_trust_find(&t, text("spiffe://other/a")));
	assert_ptr_equal(ss_trust_find(&t, text("a.example")), &domains[0]);
	assert_ptr_equal(ss_trust_find(&t, SS_SPAN_NONE), &domains[0]);
	assert_ptr_equal(ss_trust_find(&anybody, text("spiffe://other/a")), &all);
}

static void test_again(void **state)
{
	const struct ss_trust t = { .n_domains = 2, .domain = domains };
	const struct {
		const char *id;
		struct ss_trust_mark mark;
		enum ss_trust_verdict verdict;
	} runs[] = {
		{ "spiffe://mesh.local/a", { .anchor = 20, .n = 1 }, SS_TRUST_GOOD },
		{ "spiffe://mesh.local/a", { .anchor = 40, .n = 1 }, SS_TRUST_NO_ANCHOR }, /* another domain's */
		{ "spiffe://mesh.local/a", { .anchor = 20, .n = 0 }, SS_TRUST_NO_ANCHOR }, /* chain not seen */
		{ "spiffe://gone/a", { .anchor = 20, .n = 1 }, SS_TRUST_NO_DOMAIN },
		{ "spiffe://partner.example/a", { .anchor = 40, .n = 1, .link = { { 100, 1 } } }, SS_TRUST_GOOD },
		{ "spiffe://partner.example/a", { .anchor = 40, .n = 1, .link = { { 100, 777 } } }, SS_TRUST_REVOKED },
		{ "spiffe://partner.example/a", { .anchor = 40, .n = 1, .link = { { 300, 1 } } }, SS_TRUST_NO_LIST },
		{ "spiffe://partner.example/a", { .anchor = 40, .n = 2, .link = { { 100, 1 }, { 200, 501 } } },
		  SS_TRUST_REVOKED },
	};

	for (size_t i = 0; i < SS_ARRAY_LEN(runs); i++)
		assert_int_equal(ss_trust_again(&t, text(runs[i].id), &runs[i].mark), runs[i].verdict);
}

static void test_leaf_only(void **state)
{
	struct ss_trust_domain d = domains[1];
	const struct ss_trust_mark m = { .anchor = 40, .n = 2, .link = { { 100, 1 }, { 300, 501 } } };

	assert_int_equal(ss_trust_unrevoked(&d, &m), SS_TRUST_REVOKED);
	d.crl_check = SS_CRL_LEAF;
	assert_int_equal(ss_trust_unrevoked(&d, &m), SS_TRUST_GOOD);
	d.crls = false;
	d.crl_check = SS_CRL_CHAIN;
	assert_int_equal(ss_trust_unrevoked(&d, &m), SS_TRUST_GOOD);
}

/* Only new handshakes ask; each list has its own end. */
static void test_old_lists(void **state)
{
	static const int64_t until[] = { 1000, 2000 };
	const struct ss_trust_mark m = { .anchor = 40, .n = 2, .link = { { 200, 1 }, { 100, 2 } } };
	struct ss_trust_domain d = domains[1];

	assert_int_equal(ss_trust_fresh(&d, &m, INT64_MAX), SS_TRUST_GOOD);
	d.listed_until = until;
	assert_int_equal(ss_trust_fresh(&d, &m, 999), SS_TRUST_GOOD);
	assert_int_equal(ss_trust_fresh(&d, &m, 1000), SS_TRUST_OLD_LIST);
	assert_int_equal(ss_trust_unrevoked(&d, &m), SS_TRUST_GOOD);
	d.crl_check = SS_CRL_LEAF;
	assert_int_equal(ss_trust_fresh(&d, &m, 1999), SS_TRUST_GOOD);
	assert_int_equal(ss_trust_fresh(&d, &m, 2000), SS_TRUST_OLD_LIST);
	d.crls = false;
	assert_int_equal(ss_trust_fresh(&d, &m, 2000), SS_TRUST_GOOD);
}

static void test_sets(void **state)
{
	const struct ss_trust_set s = { 3, own }, none = { 0, NULL };

	for (uint64_t v = 0; v < 40; v++) {
		assert_int_equal(ss_trust_set_has(&s, v), v == 10 || v == 20 || v == 30);
		assert_false(ss_trust_set_has(&none, v));
	}
	assert_true(ss_trust_digest(text("a"), text("b")) != ss_trust_digest(text("ab"), SS_SPAN_NONE));
	assert_true(ss_trust_digest(text("a"), text("b")) != ss_trust_digest(text("b"), text("a")));
}

static unsigned freed;
static void count_free(struct ss_trust *t)
{
	freed++;
}

static void test_references(void **state)
{
	struct ss_trust t = { .refs = 1, .free = count_free };

	ss_trust_hold(&t);
	ss_trust_put(&t);
	assert_int_equal(freed, 0);
	ss_trust_put(&t);
	assert_int_equal(freed, 1);
	ss_trust_hold(NULL);
	ss_trust_put(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whose_bundle), cmocka_unit_test(test_again), cmocka_unit_test(test_leaf_only),
		cmocka_unit_test(test_old_lists),
		cmocka_unit_test(test_sets),	     cmocka_unit_test(test_references),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
