/* Token buckets: what passes when, what an answer may say, keys and their sets. Times are driven. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "limit/limit_int.h"

#define S SS_NS_PER_SEC
#define MS SS_NS_PER_MS

static struct ss_limit_table *table;
static struct ss_hdr fields[4];
static struct ss_hdrs head;
static struct ss_ip source;
static struct ss_limit_request rq;
static struct ss_limit_verdict verdict;
static uint32_t names;

static int begin(void **state)
{
	assert_int_equal(ss_limit_table_create(&table, 16, 64, 2), 0);
	ss_hdrs_init(&head, fields, SS_ARRAY_LEN(fields));
	source = ss_ip4(0x0a000001);
	rq = (struct ss_limit_request){.head = &head, .source = &source};
	names = 100;
	return 0;
}

static int finish(void **state)
{
	ss_limit_table_free(table);
	return 0;
}

static struct ss_limit limit(uint8_t key, uint64_t count, uint32_t burst)
{
	struct ss_limit l = {.name = names++, .key = key, .enforce = true, .say = SS_LIMIT_SAY_ALWAYS};

	assert_true(ss_limit_pace_of(&l.pace, count, S, burst));
	assert_int_equal(ss_limit_hold(table, l.name, &l.slot), 0);
	return l;
}

static bool pass2(const struct ss_limit *a, const struct ss_limit *b, uint64_t now)
{
	const struct ss_limit *v[] = {a, b};
	struct ss_limit_list one = {1, &v[0]}, two = {1, &v[1]};

	return ss_limit_pass(table, a ? &one : NULL, b ? &two : NULL, &rq, now, &verdict);
}

static bool pass(const struct ss_limit *l, uint64_t now)
{
	return pass2(l, NULL, now);
}

static uint32_t passes(const struct ss_limit *l, uint32_t tries, uint64_t now)
{
	uint32_t n = 0;

	while (tries--)
		n += pass(l, now);
	return n;
}

static struct ss_limit_counts counted(const struct ss_limit *l)
{
	return ss_limit_counted(table, l->slot);
}

static void a_full_bucket_then_one_by_one(void **state)
{
	struct ss_limit l = limit(SS_LIMIT_ALL, 10, 5);

	assert_int_equal(passes(&l, 20, 7 * S), 5);
	assert_false(pass(&l, 7 * S + 99 * MS));
	assert_true(pass(&l, 7 * S + 100 * MS));
	assert_false(pass(&l, 7 * S + 100 * MS));
	/* Filled again, and not fuller than full. */
	assert_int_equal(passes(&l, 20, 60 * S), 5);
	assert_int_equal(counted(&l).passed, 11);
	assert_int_equal(counted(&l).limited, 15 + 2 + 15);
}

static void the_answer_says_what_is_left(void **state)
{
	struct ss_limit l = limit(SS_LIMIT_ALL, 10, 3);

	assert_true(pass(&l, 9 * S));
	assert_ptr_equal(verdict.limit, &l);
	assert_false(verdict.refused);
	assert_int_equal(verdict.burst, 3);
	assert_int_equal(verdict.remaining, 2);
	assert_int_equal(verdict.reset_ns, 100 * MS);
	assert_int_equal(verdict.window_ns, 300 * MS);
	assert_int_equal(verdict.retry_ns, 0);
	assert_int_equal(passes(&l, 5, 9 * S), 2);
	assert_true(verdict.refused);
	assert_int_equal(verdict.remaining, 0);
	assert_int_equal(verdict.reset_ns, 300 * MS);
	assert_int_equal(verdict.retry_ns, 100 * MS);
	assert_false(pass(&l, 9 * S + 40 * MS));
	assert_int_equal(verdict.retry_ns, 60 * MS);
	assert_true(pass(&l, 9 * S + 100 * MS));
}

/* A worker's clock lags behind another's by up to a turn: it must not gain by that, nor wrap. */
static void an_older_time_is_no_gain(void **state)
{
	struct ss_limit l = limit(SS_LIMIT_ALL, 1000, 2);

	assert_int_equal(passes(&l, 9, 5 * S), 2);
	assert_false(pass(&l, 5 * S - 10 * MS));
	assert_int_equal(verdict.remaining, 0);
	assert_int_equal(verdict.retry_ns, 11 * MS);
	assert_true(pass(&l, 5 * S + MS));
}

static void who_is_refused_by_one_pays_at_none(void **state)
{
	struct ss_limit tight = limit(SS_LIMIT_ALL, 1, 1), wide = limit(SS_LIMIT_ALL, 10, 10);

	assert_true(pass2(&wide, &tight, S));
	for (int i = 0; i < 20; i++)
		assert_false(pass2(&wide, &tight, S));
	assert_ptr_equal(verdict.limit, &tight);
	assert_int_equal(counted(&wide).limited, 0);
	assert_int_equal(counted(&tight).limited, 20);
	/* All but one of the wide one's tokens are there. */
	assert_int_equal(passes(&wide, 20, S), 9);
}

static void the_smaller_rest_is_told(void **state)
{
	struct ss_limit a = limit(SS_LIMIT_ALL, 10, 10), b = limit(SS_LIMIT_ALL, 10, 4);

	assert_true(pass2(&a, &b, S));
	assert_ptr_equal(verdict.limit, &b);
	assert_int_equal(verdict.remaining, 3);
	assert_true(pass2(&b, &a, S));
	assert_ptr_equal(verdict.limit, &b);
}

static void a_policy_named_twice_is_met_once(void **state)
{
	struct ss_limit l = limit(SS_LIMIT_ALL, 10, 4);

	assert_true(pass2(&l, &l, S));
	assert_int_equal(verdict.remaining, 3);
	assert_int_equal(counted(&l).passed, 1);
}

static void a_dry_run_counts_only(void **state)
{
	struct ss_limit dry = limit(SS_LIMIT_ALL, 10, 2), hard = limit(SS_LIMIT_ALL, 10, 3);

	dry.enforce = false;
	for (int i = 0; i < 5; i++)
		assert_int_equal(pass2(&dry, &hard, S), i < 3);
	assert_int_equal(counted(&dry).passed, 2);
	assert_int_equal(counted(&dry).tolerated, 1);
	assert_int_equal(counted(&dry).limited, 0);
	assert_true(pass(&dry, S));
	assert_null(verdict.limit);
}

static void each_identity_has_its_own(void **state)
{
	static const char *const who[] = {"spiffe://m/a", "spiffe://m/b", "spiffe://m/c", ""};
	struct ss_limit l = limit(SS_LIMIT_IDENTITY, 10, 5);

	for (size_t i = 0; i < SS_ARRAY_LEN(who); i++) {
		rq.identity = ss_span_str(who[i]);
		assert_int_equal(passes(&l, 9, S), 5);
	}
	for (size_t i = 0; i < SS_ARRAY_LEN(who); i++) {
		rq.identity = ss_span_str(who[i]);
		assert_int_equal(passes(&l, 9, S + 200 * MS), 2);
	}
	assert_int_equal(counted(&l).evicted, 0);
}

static void two_policies_do_not_share_a_key(void **state)
{
	struct ss_limit a = limit(SS_LIMIT_IDENTITY, 10, 5), b = limit(SS_LIMIT_IDENTITY, 10, 5);

	rq.identity = SS_SPAN("spiffe://m/a");
	assert_int_equal(passes(&a, 9, S), 5);
	assert_int_equal(passes(&b, 9, S), 5);
}

static void overrides_by_identity(void **state)
{
	struct ss_id_match ids[] = {{SS_ID_EXACT, SS_SPAN("spiffe://m/ns/big")},
				    {SS_ID_PREFIX, SS_SPAN("spiffe://m/ns/x/")}};
	struct ss_limit_override o = {.n_ids = 2, .ids = ids};
	struct ss_limit l = limit(SS_LIMIT_IDENTITY, 10, 2);

	assert_true(ss_limit_pace_of(&o.pace, 100, S, 7));
	l.n_overrides = 1;
	l.overrides = &o;
	rq.identity = SS_SPAN("spiffe://m/ns/small");
	assert_int_equal(passes(&l, 20, S), 2);
	rq.identity = SS_SPAN("spiffe://m/ns/big");
	assert_int_equal(passes(&l, 20, S), 7);
	assert_int_equal(verdict.burst, 7);
	/* One bucket each, not one for all who match. */
	rq.identity = SS_SPAN("spiffe://m/ns/x/1");
	assert_int_equal(passes(&l, 20, S), 7);
	rq.identity = SS_SPAN("spiffe://m/ns/x/2");
	assert_int_equal(passes(&l, 20, S), 7);
	rq.identity = SS_SPAN_NONE;
	assert_int_equal(passes(&l, 20, S), 2);
}

static void sources_and_headers(void **state)
{
	struct ss_limit by_source = limit(SS_LIMIT_SOURCE, 10, 3), by_header = limit(SS_LIMIT_HEADER, 10, 3);

	by_header.header = SS_SPAN("x-tenant");
	assert_int_equal(passes(&by_source, 9, S), 3);
	source = ss_ip4(0x0a000002);
	assert_int_equal(passes(&by_source, 9, S), 3);
	/* One /64 of IPv6 is one client. */
	assert_int_equal(ss_ip_parse("fd00:1::1", &source), 0);
	assert_int_equal(passes(&by_source, 9, S), 3);
	assert_int_equal(ss_ip_parse("fd00:1::ffff:2", &source), 0);
	assert_int_equal(passes(&by_source, 9, S), 0);
	assert_int_equal(ss_ip_parse("fd00:1:0:1::1", &source), 0);
	assert_int_equal(passes(&by_source, 9, S), 3);
	/* Those without the header share a bucket. */
	assert_int_equal(passes(&by_header, 9, S), 3);
	assert_int_equal(ss_hdrs_add(&head, SS_SPAN("x-tenant"), SS_SPAN("one"), 0), 0);
	assert_int_equal(passes(&by_header, 9, S), 3);
	head.v[0].value = SS_SPAN("two");
	assert_int_equal(passes(&by_header, 9, S), 3);
	head.v[0].value = SS_SPAN("one");
	assert_int_equal(passes(&by_header, 9, S), 0);
}

/* Any number of keys, one after the other, as long as each is full again before it is forgotten. */
static void a_full_bucket_is_forgotten_without_loss(void **state)
{
	struct ss_limit l = limit(SS_LIMIT_HEADER, 1000, 2);
	char text[16];

	l.header = SS_SPAN("x-tenant");
	assert_int_equal(ss_hdrs_add(&head, l.header, SS_SPAN("?"), 0), 0);
	for (uint32_t i = 0; i < 5000; i++) {
		head.v[0].value = ss_span(text, (uint32_t)snprintf(text, sizeof(text), "%u", i));
		assert_int_equal(passes(&l, 5, S + i * 2 * MS), 2);
	}
	assert_int_equal(counted(&l).evicted, 0);
	assert_int_equal(counted(&l).passed, 10000);
}

/* More keys at once than there are buckets: the fullest makes room, and it is counted. */
static void too_many_keys_at_once_are_counted(void **state)
{
	struct ss_limit l = limit(SS_LIMIT_HEADER, 1, 1);
	char text[16];

	l.header = SS_SPAN("x-tenant");
	assert_int_equal(ss_hdrs_add(&head, l.header, SS_SPAN("?"), 0), 0);
	for (uint32_t i = 0; i < 200; i++) {
		head.v[0].value = ss_span(text, (uint32_t)snprintf(text, sizeof(text), "%u", i));
		assert_true(pass(&l, S));
		assert_false(pass(&l, S));
	}
	/* 64 buckets in sets of eight. */
	assert_true(counted(&l).evicted >= 200 - 64);
	assert_true(counted(&l).evicted < 200);
}

/* The last configuration's debt stays: neither a wider nor a narrower bucket is filled by a reload. */
static void another_pace_keeps_the_debt(void **state)
{
	struct ss_limit l = limit(SS_LIMIT_ALL, 10, 10);

	assert_int_equal(passes(&l, 20, S), 10);
	assert_true(ss_limit_pace_of(&l.pace, 10, S, 2));
	assert_false(pass(&l, S + 500 * MS));
	assert_int_equal(passes(&l, 20, 3 * S), 2);
	assert_true(ss_limit_pace_of(&l.pace, 10, S, 5));
	assert_int_equal(passes(&l, 20, 3 * S), 3);
}

/* Against the textbook's bucket in floating point, with random times and bursts of tries. */
static void as_a_bucket_of_tokens(void **state)
{
	uint64_t seed = (uint64_t)(uintptr_t)&table ^ 0x9e3779b97f4a7c15ull;
	struct ss_rng r;

	print_message("seed %llu\n", (unsigned long long)seed);
	ss_rng_seed(&r, seed);
	for (int round = 0; round < 12; round++) {
		uint64_t count = 1 + ss_rng_below(&r, 5000), now = S;
		uint32_t burst = 1 + ss_rng_below(&r, 100);
		struct ss_limit l = limit(SS_LIMIT_ALL, count, burst);
		double tokens = burst;
		for (int i = 0; i < 20000; i++) {
			uint64_t step = ss_rng_below(&r, (uint32_t)(2 * S / count));
			bool want;
			now += step;
			tokens += (double)step * (double)count / 1e9;
			tokens = tokens > burst ? burst : tokens;
			want = tokens >= 1;
			if (tokens > 0.999 && tokens < 1.001)
				want = pass(&l, now); /* a tick decides */
			else
				assert_int_equal(pass(&l, now), want);
			tokens -= want;
		}
		ss_limit_drop(table, l.slot);
	}
}

int main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, begin, finish)
	const struct CMUnitTest tests[] = {
		CASE(a_full_bucket_then_one_by_one),
		CASE(the_answer_says_what_is_left),
		CASE(an_older_time_is_no_gain),
		CASE(who_is_refused_by_one_pays_at_none),
		CASE(the_smaller_rest_is_told),
		CASE(a_policy_named_twice_is_met_once),
		CASE(a_dry_run_counts_only),
		CASE(each_identity_has_its_own),
		CASE(two_policies_do_not_share_a_key),
		CASE(overrides_by_identity),
		CASE(sources_and_headers),
		CASE(a_full_bucket_is_forgotten_without_loss),
		CASE(too_many_keys_at_once_are_counted),
		CASE(another_pace_keeps_the_debt),
		CASE(as_a_bucket_of_tokens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
