/* px_hash_test.c - which parts of a request a sticky pick goes by, and the cookie that is made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proxy/px_bed.h"

static struct ss_hash_part parts[4];
static struct ss_hash_policy policy = {.part = parts};
static struct ss_balance balance;

/* A Maglev table of one place for each endpoint, as build would make it. */
static struct world *sticky(uint32_t n)
{
	static const uint32_t all[EPS] = {0, 1, 2};
	static const struct ss_lb_tier tier = {
		.n = EPS, .at = all, .weight = EPS, .n_table = EPS, .table = all};
	static const struct ss_lb_set set = {.n_tiers = 1};
	static uint32_t up[EPS];
	static uint8_t ok[EPS];
	static struct ss_lb_sight sight;
	static struct ss_lb_worker worker;
	struct world *w = start();

	sight = (struct ss_lb_sight){.up = up};
	worker = (struct ss_lb_worker){.ok = ok, .sight = &sight};
	balance = (struct ss_balance){.conf = {.policy = SS_LB_MAGLEV},
				      .n_tiers = 1,
				      .n_sets = 1,
				      .tiers = &tier,
				      .sets = &set,
				      .worker = &worker};
	w->cluster.balance = &balance;
	w->route.hash = &policy;
	policy.n = n;
	return w;
}

/* What one request is hashed to; 0: to nothing. fields: name, value, ..., NULL. */
static uint64_t hash_of(struct world *w, const char *path, const char *const *fields, const char **made)
{
	struct ss_http_stream *d = request(w, "GET", path);
	const struct px_leg *leg;
	uint64_t hash;

	for (; fields && fields[0]; fields += 2)
		field(d, fields[0], fields[1]);
	fake_end(d);
	turn(w);
	leg = ss_http_owner(d);
	assert_non_null(leg);
	hash = leg->x->wait.hashed ? leg->x->wait.hash : 0;
	if (hash)
		assert_int_equal(leg->x->wait.at.ep, w->eps[hash % EPS].ep);
	if (made) {
		static char text[200];
		const struct ss_header_ops *ops = &leg->x->response_ops;
		*made = NULL;
		if (ops->n && ss_span_eq(ops->op[ops->n - 1].name, SS_SPAN("set-cookie"))) {
			struct ss_span v = ops->op[ops->n - 1].value;
			assert_int_equal(ops->op[ops->n - 1].kind, SS_OP_ADD);
			snprintf(text, sizeof(text), "%.*s", (int)v.n, (const char *)v.p);
			*made = text;
		}
	}
	fake_reset(d, SS_DROP_DOWNSTREAM_GONE, false);
	turn(w);
	assert_true(d->released);
	return hash;
}

static uint64_t of(const char *text)
{
	return ss_balance_hash(text, (uint32_t)strlen(text));
}

static void each_kind_of_key(void **state)
{
	static const char *const user[] = {"x-user", "eve", "x-user", "bob", NULL};
	static const char *const cookies[] = {"cookie", "a=b; sidx=no; sid", "cookie",
					      "c; sid=\"4711\"; sid=2", NULL};
	struct world *w = sticky(1);

	parts[0] = (struct ss_hash_part){.kind = SS_HASH_HEADER, .name = SS_SPAN("x-user")};
	assert_int_equal(hash_of(w, "/", user, NULL), of("eve"));
	assert_int_equal(hash_of(w, "/", cookies, NULL), 0);
	parts[0] = (struct ss_hash_part){.kind = SS_HASH_COOKIE, .name = SS_SPAN("sid")};
	assert_int_equal(hash_of(w, "/", cookies, NULL), of("4711"));
	assert_int_equal(hash_of(w, "/", user, NULL), 0);
	parts[0] = (struct ss_hash_part){.kind = SS_HASH_PATH};
	assert_int_equal(hash_of(w, "/a/b?c=d", NULL, NULL), of("/a/b"));
	parts[0] = (struct ss_hash_part){.kind = SS_HASH_QUERY, .name = SS_SPAN("u")};
	assert_int_equal(hash_of(w, "/?x=u&u=1&u=2", NULL, NULL), of("1"));
	assert_int_equal(hash_of(w, "/u=1", NULL, NULL), 0);
	end(w);
}

static void source_is_the_address(void **state)
{
	struct world *w = sticky(1);
	uint64_t first;

	parts[0] = (struct ss_hash_part){.kind = SS_HASH_SOURCE};
	first = hash_of(w, "/", NULL, NULL);
	assert_int_equal(first, ss_balance_hash("\xc0\xa8\x00\x09", 4));
	w->client->peer.addr.port = 4711;
	assert_int_equal(hash_of(w, "/", NULL, NULL), first);
	w->client->peer.addr.ip = ss_ip4(0xc0a8000a);
	assert_int_not_equal(hash_of(w, "/", NULL, NULL), first);
	end(w);
}

static void keys_are_joined_until_one_ends_them(void **state)
{
	static const char *const user[] = {"x-user", "eve", NULL};
	struct world *w = sticky(2);
	uint64_t user_first, both;

	parts[0] = (struct ss_hash_part){.kind = SS_HASH_HEADER, .name = SS_SPAN("x-user")};
	parts[1] = (struct ss_hash_part){.kind = SS_HASH_PATH};
	both = hash_of(w, "/p", user, NULL);
	assert_int_equal(both, (of("eve") << 1 | of("eve") >> 63) ^ of("/p"));
	assert_int_equal(hash_of(w, "/p", NULL, NULL), of("/p"));
	parts[0].terminal = true;
	user_first = hash_of(w, "/p", user, NULL);
	assert_int_equal(user_first, of("eve"));
	assert_int_equal(hash_of(w, "/p", NULL, NULL), of("/p"));
	end(w);
}

static void a_cookie_is_made_for_who_has_none(void **state)
{
	static const char *const has[] = {"cookie", "sid=x", NULL};
	struct ss_header_op op = {.kind = SS_OP_SET, .name = SS_SPAN("x-a"), .value = SS_SPAN("b")};
	struct world *w = sticky(1);
	const char *made;
	char value[17];
	uint64_t hash;

	parts[0] = (struct ss_hash_part){.kind = SS_HASH_COOKIE,
					 .name = SS_SPAN("sid"),
					 .make = true,
					 .suffix = SS_SPAN("; Path=/; HttpOnly")};
	w->route.response_ops = (struct ss_header_ops){.n = 1, .op = &op};
	assert_int_equal(hash_of(w, "/", has, &made), of("x"));
	assert_null(made);
	for (int i = 0; i < 100; i++) {
		hash = hash_of(w, "/", NULL, &made);
		assert_non_null(made);
		assert_int_equal(sscanf(made, "sid=%16[0-9a-f]", value), 1);
		assert_string_equal(made + 4 + 16, "; Path=/; HttpOnly");
		/* As the client will send it. */
		assert_int_equal(hash, of(value));
	}
	end(w);
}

static void others_are_not_hashed(void **state)
{
	struct world *w = sticky(1);

	parts[0] = (struct ss_hash_part){.kind = SS_HASH_PATH};
	balance.conf.policy = SS_LB_RANDOM;
	assert_int_equal(hash_of(w, "/", NULL, NULL), 0);
	/* The cluster's keys serve routes that have none. */
	balance.conf.policy = SS_LB_MAGLEV;
	w->route.hash = NULL;
	assert_int_equal(hash_of(w, "/", NULL, NULL), 0);
	balance.hash = &policy;
	assert_int_equal(hash_of(w, "/", NULL, NULL), of("/"));
	end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_of_key),
		cmocka_unit_test(source_is_the_address),
		cmocka_unit_test(keys_are_joined_until_one_ends_them),
		cmocka_unit_test(a_cookie_is_made_for_who_has_none),
		cmocka_unit_test(others_are_not_hashed),
	};

	return cmocka_run_group_tests(tests, open_bufs, close_bufs);
}
