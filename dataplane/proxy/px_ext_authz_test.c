/* px_ext_authz_test.c - external authorization: what is asked, what an answer does, and that none is the failure mode. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "contract/ext_authz.h"
#include "proxy/px_bed.h"

/* In constants SS_SPAN is not one. */
#define LIT(s) {(const uint8_t *)(s), sizeof(s) - 1}

static struct ss_cluster both[2];
static struct ss_endpoint aside;
static struct ss_ext_authz providers[2];
static struct ss_authz_rule rules[3];
static struct ss_authz policy;
static const struct ss_authz_text ask_names[] = {{SS_AUTHZ_EXACT, LIT("x-ask")},
						 {SS_AUTHZ_PREFIX, LIT("x-p-")}};
static const struct ss_authz_text up_names[] = {{SS_AUTHZ_EXACT, LIT("x-user")},
						{SS_AUTHZ_PREFIX, LIT("content-")}};
static const struct ss_authz_text allowed_names[] = {{SS_AUTHZ_EXACT, LIT("set-cookie")}};
static const struct ss_authz_text denied_names[] = {{SS_AUTHZ_EXACT, LIT("x-why")}};
static const struct ss_ext_authz_field add[] = {{LIT("x-from"), LIT("mesh")}};

/* One custom rule that holds for all; the request's cluster has one endpoint, the authorizer's another. */
static struct world *guarded(uint32_t max_checks)
{
	struct world *w = start();
	struct ss_proxy_conf pc = w->px->conf;

	ss_proxy_free(w->px);
	pc.max_checks = max_checks;
	assert_int_equal(ss_proxy_create(&w->px, &pc, w->now), 0);
	w->cluster.n_endpoints = 1;
	both[0] = w->cluster;
	both[1] = w->cluster;
	both[1].name = 8;
	both[1].endpoints = &aside;
	both[1].caps[SS_PRIORITY_DEFAULT].max[SS_CAP_PENDING] = 3;
	both[1].outlier.n_endpoints = 1;
	both[1].outlier.max_ejection_percent = 0;
	assert_int_equal(ss_ep_cluster_hold(w->table, 8, &both[1].slot), 0);
	aside = (struct ss_endpoint){.addr = {.ip = ss_ip4(0x0a000909), .port = 80}, .weight = 1};
	assert_int_equal(ss_ep_hold(w->table, both[1].slot, &aside.addr, &aside.ep), 0);
	w->snap.clusters = both;
	w->snap.n_clusters = 2;
	ss_up_adopt(w->up, &w->snap, w->now);
	providers[0] = (struct ss_ext_authz){.name = 70, .cluster = 1, .status_on_error = 403, .timeout_ns = 200 * MS};
	providers[1] = providers[0];
	providers[1].name = 71;
	rules[0] = (struct ss_authz_rule){.name = 80, .action = SS_AUTHZ_CUSTOM, .class = SS_AUTHZ_C_CUSTOM,
					  .provider = &providers[0]};
	policy = (struct ss_authz){.rules = rules, .n_rules = 1, .any_custom = true};
	w->listener.authz = &policy;
	w->snap.ext_authz = providers;
	w->snap.n_ext_authz = 2;
	w->route.retry = NULL;
	return w;
}

static struct ss_http_conn *conn_to(struct world *w, const struct ss_addr *a)
{
	struct ss_list *n;
	struct ss_http_conn *last = NULL;

	ss_list_for(n, &w->http->conns)
	{
		struct ss_http_conn *c = ss_list_entry(n, struct ss_http_conn, all);
		if (c->upstream && ss_addr_eq(&c->remote, a))
			last = c;
	}
	return last;
}

static struct ss_http_stream *newest_on(struct ss_http_conn *c)
{
	return !c || ss_list_empty(&c->streams) ? NULL : ss_list_entry(c->streams.prev, struct ss_http_stream, all);
}

/* The newest request at the origin, or at the authorizer; their connections are opened when they are wanted. */
static struct ss_http_stream *at(struct world *w, const struct ss_addr *a)
{
	struct ss_http_conn *c;

	turn(w);
	c = conn_to(w, a);
	if (c && !c->open && !c->gone) {
		fake_open(c, 100);
		turn(w);
	}
	return newest_on(c);
}

static struct ss_http_stream *origin(struct world *w)
{
	return at(w, &w->eps[0].addr);
}

static struct ss_http_stream *authorizer(struct world *w)
{
	return at(w, &aside.addr);
}

static uint64_t counter(const struct world *w, enum ss_counter k)
{
	return w->counters.v[k];
}

static void answered(struct world *w, struct ss_http_stream *d)
{
	answer(w, origin(w), 200, "origin");
	delivered(w, d);
	body_is(d, "origin");
}

static struct ss_event logged(struct world *w, uint16_t status, const char *flag)
{
	struct ss_event e = next_event(w);

	assert_int_equal(e.status, status);
	assert_string_equal(ss_drop_flag(e.drop), flag);
	return e;
}

/* -- what is asked -- */

static void the_check_says_who_wants_what(void **state)
{
	struct world *w = guarded(8);
	struct ss_http_stream *d = request(w, "POST", "/x?y"), *c;

	providers[0].path_prefix = SS_SPAN("/check");
	providers[0].ask = (struct ss_ext_authz_names){2, ask_names};
	providers[0].n_add = 1;
	providers[0].add = add;
	w->client->peer.identity = SS_SPAN("spiffe://mesh/a");
	field(d, "authorization", "Bearer t");
	field(d, "x-ask", "1");
	field(d, "x-p-q", "2");
	field(d, "x-other", "3");
	field(d, "content-length", "4");
	field(d, "x-forwarded-for", "1.2.3.4");
	field(d, "x-forwarded-client-cert", "URI=spiffe://liar");
	fake_bytes(d, "body", 4);
	fake_end(d);
	c = authorizer(w);
	assert_true(ss_span_eq(c->tx.method, SS_SPAN("POST")));
	assert_true(ss_span_eq(c->tx.path, SS_SPAN("/check/x?y")));
	assert_true(ss_span_eq(c->tx.authority, SS_SPAN("shop.example")));
	assert_string_equal(fake_field(&c->tx, "authorization"), "Bearer t");
	assert_string_equal(fake_field(&c->tx, "x-ask"), "1");
	assert_string_equal(fake_field(&c->tx, "x-p-q"), "2");
	assert_null(fake_field(&c->tx, "x-other"));
	assert_string_equal(fake_field(&c->tx, "content-length"), "0");
	assert_string_equal(fake_field(&c->tx, "x-forwarded-for"), "1.2.3.4, 192.168.0.9");
	assert_string_equal(fake_field(&c->tx, "x-forwarded-proto"), "http");
	assert_string_equal(fake_field(&c->tx, "x-forwarded-client-cert"), "URI=spiffe://mesh/a");
	assert_string_equal(fake_field(&c->tx, "x-from"), "mesh");
	assert_true(c->tx_end);
	/* Nothing goes to the origin, and the body waits. */
	assert_null(conn_to(w, &w->eps[0].addr));
	assert_int_equal(d->consumed, 0);
	answer(w, c, 200, "fine");
	assert_int_equal(origin(w)->queued.len, 4);
	answered(w, d);
	logged(w, 200, "-");
	assert_int_equal(counter(w, SS_C_EXT_AUTHZ_CHECKS), 1);
	assert_int_equal(counter(w, SS_C_EXT_AUTHZ_ALLOWED), 1);
	end(w);
}

/* -- what an answer does -- */

static void an_answer_that_allows_may_add(void **state)
{
	struct world *w = guarded(8);
	struct ss_http_stream *d = request(w, "GET", "/"), *c, *o;

	providers[0].upstream = (struct ss_ext_authz_names){2, up_names};
	providers[0].allowed = (struct ss_ext_authz_names){1, allowed_names};
	field(d, "x-user", "forged");
	field(d, "x-user", "twice");
	fake_end(d);
	c = authorizer(w);
	field(c, "x-user", "alice");
	field(c, "x-user", "admin");
	field(c, "content-length", "0");
	field(c, "set-cookie", "a=1");
	field(c, "set-cookie", "b=2");
	field(c, "x-secret", "s");
	answer(w, c, 200, "");
	assert_true(c->released);
	o = origin(w);
	assert_string_equal(fake_field(&o->tx, "x-user"), "alice");
	assert_null(fake_field(&o->tx, "content-length"));
	assert_null(fake_field(&o->tx, "x-secret"));
	for (uint16_t i = 0, n = 0; i < o->tx.n; i++)
		if (ss_span_eq(o->tx.v[i].name, SS_SPAN("x-user")))
			assert_true(ss_span_eq(o->tx.v[i].value, n++ ? SS_SPAN("admin") : SS_SPAN("alice")));
	field(o, "set-cookie", "o=3");
	answered(w, d);
	uint32_t cookies = 0;
	for (uint16_t i = 0; i < d->tx.n; i++)
		cookies += ss_span_eq(d->tx.v[i].name, SS_SPAN("set-cookie"));
	assert_int_equal(cookies, 3);
	logged(w, 200, "-");
	end(w);
}

static void an_answer_that_denies_is_the_clients(void **state)
{
	for (int listed = 0; listed < 2; listed++) {
		struct world *w = guarded(8);
		struct ss_http_stream *d = get(w, "/"), *c;
		struct ss_event e;
		if (listed)
			providers[0].denied = (struct ss_ext_authz_names){1, denied_names};
		c = authorizer(w);
		field(c, "x-why", "no");
		field(c, "x-more", "1");
		field(c, "location", "https://login.example/");
		field(c, "connection", "close");
		answer(w, c, 302, "to the door");
		assert_int_equal(d->tx.status, 302);
		assert_string_equal(fake_field(&d->tx, "x-why"), "no");
		assert_string_equal(fake_field(&d->tx, "location"), "https://login.example/");
		assert_int_equal(fake_field(&d->tx, "x-more") == NULL, listed);
		assert_null(fake_field(&d->tx, "connection"));
		assert_string_equal(fake_field(&d->tx, "content-length"), "11");
		assert_string_equal(fake_field(&d->tx, "x-sidestep-flag"), "UAEX");
		delivered(w, d);
		body_is(d, "to the door");
		e = logged(w, 302, "UAEX");
		assert_int_equal(e.authz, SS_EVENT_AUTHZ_DENIED);
		assert_int_equal(e.rule, 80);
		assert_null(conn_to(w, &w->eps[0].addr));
		assert_int_equal(counter(w, SS_C_EXT_AUTHZ_DENIED), 1);
		assert_int_equal(w->counters.drops[SS_DROP_EXT_AUTHZ_DENIED], 1);
		end(w);
	}
}

static void a_client_of_grpc_hears_grpc(void **state)
{
	struct world *w = guarded(8);
	struct ss_http_stream *d = request(w, "POST", "/"), *c;

	field(d, "content-type", "application/grpc");
	fake_end(d);
	c = authorizer(w);
	field(c, "content-type", "text/html");
	answer(w, c, 401, "who are you?");
	assert_int_equal(d->tx.status, 200);
	assert_string_equal(fake_field(&d->tx, "grpc-status"), "16");
	assert_string_equal(fake_field(&d->tx, "content-type"), "application/grpc");
	assert_true(d->tx_end);
	delivered(w, d);
	end(w);
}

/* DENY, ALLOW and the default are still asked. */
static void what_it_allows_others_may_deny(void **state)
{
	struct world *w = guarded(8);
	struct ss_http_stream *d;

	rules[1] = (struct ss_authz_rule){.name = 81, .action = SS_AUTHZ_DENY, .class = SS_AUTHZ_C_DENY};
	policy.n_rules = 2;
	d = get(w, "/");
	assert_non_null(authorizer(w));
	assert_false(d->tx_head);
	answer(w, authorizer(w), 200, "");
	replied(w, d, 403, "RBAC");
	/* Where it denies, its word is what the client hears. */
	d = get(w, "/");
	answer(w, authorizer(w), 401, "");
	replied(w, d, 401, "UAEX");
	policy.n_rules = 1;
	policy.default_deny = true;
	d = get(w, "/");
	answer(w, authorizer(w), 200, "");
	replied(w, d, 403, "RBAC");
	end(w);
}

static void each_authorizer_is_asked_once(void **state)
{
	struct world *w = guarded(8);
	struct ss_http_stream *d, *first;

	rules[1] = rules[2] = rules[0];
	rules[1].provider = &providers[1];
	rules[2].name = 82;
	policy.n_rules = 3;
	d = get(w, "/");
	first = authorizer(w);
	answer(w, first, 200, "");
	assert_ptr_not_equal(authorizer(w), first);
	assert_false(d->tx_head);
	answer(w, authorizer(w), 200, "");
	answered(w, d);
	assert_int_equal(counter(w, SS_C_EXT_AUTHZ_CHECKS), 2);
	end(w);
}

static void a_dry_run_refuses_nothing(void **state)
{
	struct world *w = guarded(8);
	struct ss_http_stream *d;
	struct ss_event e;

	rules[0].class = SS_AUTHZ_C_DRY_CUSTOM;
	rules[0].dry_run = true;
	providers[0].upstream = (struct ss_ext_authz_names){2, up_names};
	d = get(w, "/");
	answer(w, authorizer(w), 401, "no");
	answered(w, d);
	e = logged(w, 200, "-");
	assert_int_equal(e.authz, SS_EVENT_AUTHZ_DRY_RUN_DENIED);
	assert_int_equal(e.rule, 80);
	d = get(w, "/");
	field(authorizer(w), "x-user", "a");
	answer(w, authorizer(w), 200, "");
	assert_null(fake_field(&origin(w)->tx, "x-user"));
	answered(w, d);
	assert_int_equal(logged(w, 200, "-").authz, SS_EVENT_AUTHZ_ALLOWED);
	d = get(w, "/");
	fake_reset(authorizer(w), SS_DROP_UPSTREAM_STREAM_RESET, false);
	turn(w);
	answered(w, d);
	assert_int_equal(logged(w, 200, "-").authz, SS_EVENT_AUTHZ_DRY_RUN_DENIED);
	/* In force beside it, the same authorizer is asked once, and its word counts. */
	rules[1] = rules[0];
	rules[1].class = SS_AUTHZ_C_CUSTOM;
	rules[1].dry_run = false;
	policy.n_rules = 2;
	d = get(w, "/");
	answer(w, authorizer(w), 401, "no");
	replied(w, d, 401, "UAEX");
	end(w);
}

/* -- no answer -- */

enum trouble { RESET, SERVER_ERROR, STALL, STALL_AFTER_HEAD, TOO_LONG, LIE, NO_ENDPOINT, CONNECT, TROUBLES };

static void make_trouble(struct world *w, enum trouble t)
{
	static const char long_text[4096];
	struct ss_http_stream *c;

	if (t == NO_ENDPOINT)
		return;
	if (t == CONNECT) {
		turn(w);
		fake_gone(conn_to(w, &aside.addr), SS_DROP_CONNECT_FAILED);
		turn(w);
		return;
	}
	c = authorizer(w);
	if (t == RESET)
		fake_reset(c, SS_DROP_UPSTREAM_STREAM_RESET, false);
	else if (t == LIE)
		fake_reset(c, SS_DROP_UPSTREAM_PROTOCOL, false);
	else if (t == SERVER_ERROR)
		answer(w, c, 503, "sorry");
	else if (t == STALL_AFTER_HEAD)
		fake_status(c, 200);
	else if (t == TOO_LONG) {
		fake_status(c, 200);
		for (int i = 0; i < 5; i++)
			fake_bytes(c, long_text, sizeof(long_text));
	}
	turn(w);
	if (t == STALL || t == STALL_AFTER_HEAD)
		wait_for(w, 201 * MS);
}

static void no_answer_is_the_failure_mode(void **state)
{
	for (int t = 0; t < TROUBLES; t++) {
		for (int open = 0; open < 2; open++) {
			struct world *w = guarded(8);
			struct ss_http_stream *d;
			providers[0].fail_open = open;
			providers[0].status_on_error = 503;
			if (t == NO_ENDPOINT)
				both[1].n_endpoints = 0;
			d = get(w, "/");
			make_trouble(w, (enum trouble)t);
			if (open) {
				answered(w, d);
				logged(w, 200, "-");
			} else {
				turn(w);
				replied(w, d, 503, "UAEX");
				assert_int_equal(w->counters.drops[SS_DROP_EXT_AUTHZ_FAILED], 1);
			}
			assert_int_equal(counter(w, SS_C_EXT_AUTHZ_FAILED), 1);
			assert_int_equal(counter(w, SS_C_EXT_AUTHZ_FAIL_OPEN), open);
			assert_int_equal(counter(w, SS_C_EXT_AUTHZ_LATE), t == STALL || t == STALL_AFTER_HEAD);
			assert_int_equal(counter(w, SS_C_EXT_AUTHZ_REFUSED), t == NO_ENDPOINT || t == CONNECT);
			end(w);
		}
	}
}

/* Whatever becomes of the rest: what was denied stays denied, also where failures pass. */
static void a_head_that_denies_is_enough(void **state)
{
	static const char long_text[4096];

	for (int how = 0; how < 3; how++) {
		struct world *w = guarded(8);
		struct ss_http_stream *d = get(w, "/"), *c = authorizer(w);
		providers[0].fail_open = true;
		fake_status(c, 401);
		turn(w);
		assert_false(d->tx_head);
		for (int i = 0; i < (how == 0 ? 5 : 1); i++)
			fake_bytes(c, long_text, sizeof(long_text));
		if (how == 1)
			fake_reset(c, SS_DROP_UPSTREAM_STREAM_RESET, false);
		turn(w);
		if (how == 2)
			wait_for(w, 201 * MS);
		assert_string_equal(fake_field(&d->tx, "content-length"), "0");
		replied(w, d, 401, "UAEX");
		end(w);
	}
}

/* A kept connection that the authorizer closed meanwhile is no answer, and no failure. */
static void what_it_has_not_seen_is_asked_again(void **state)
{
	struct world *w = guarded(8);
	struct ss_http_stream *d = get(w, "/"), *c = authorizer(w);

	fake_reset(c, SS_DROP_UPSTREAM_STREAM_RESET, true);
	turn(w);
	assert_ptr_not_equal(authorizer(w), c);
	answer(w, authorizer(w), 200, "");
	answered(w, d);
	d = get(w, "/");
	fake_reset(authorizer(w), SS_DROP_UPSTREAM_STREAM_RESET, true);
	turn(w);
	fake_reset(authorizer(w), SS_DROP_UPSTREAM_STREAM_RESET, true);
	turn(w);
	logged(w, 200, "-");
	replied(w, d, 403, "UAEX");
	end(w);
}

static void the_client_leaves(void **state)
{
	for (int in_line = 0; in_line < 2; in_line++) {
		struct world *w = guarded(8);
		struct ss_http_stream *d = get(w, "/"), *c = NULL;
		if (in_line)
			turn(w);
		else
			c = authorizer(w);
		fake_reset(d, SS_DROP_DOWNSTREAM_GONE, false);
		turn(w);
		assert_true(!c || c->released);
		assert_int_equal(counter(w, SS_C_EXT_AUTHZ_CUT), 1);
		logged(w, 0, "DC");
		end(w);
	}
}

/* As many at once as the pool has; the next one is the failure mode. */
static void many_are_bounded(void **state)
{
	struct world *w = guarded(3);
	struct ss_http_stream *d[5];

	for (int i = 0; i < 5; i++)
		d[i] = get(w, "/");
	turn(w);
	replied(w, d[3], 403, "UAEX");
	replied(w, d[4], 403, "UAEX");
	assert_int_equal(counter(w, SS_C_EXT_AUTHZ_FULL), 2);
	assert_int_equal(ss_pool_used(w->px->checks), 3);
	assert_non_null(authorizer(w));
	for (int i = 0; i < 3; i++)
		fake_reset(d[i], SS_DROP_DOWNSTREAM_GONE, false);
	turn(w);
	assert_int_equal(ss_pool_used(w->px->checks), 0);
	end(w);
}

/* The cluster's own limits bound it, too. */
static void its_cluster_has_limits(void **state)
{
	struct world *w = guarded(100);
	struct ss_http_stream *d[6];

	for (int i = 0; i < 6; i++)
		d[i] = get(w, "/");
	turn(w);
	assert_int_equal(counter(w, SS_C_EXT_AUTHZ_REFUSED), 3);
	for (int i = 3; i < 6; i++)
		replied(w, d[i], 403, "UAEX");
	for (int i = 0; i < 3; i++)
		fake_reset(d[i], SS_DROP_DOWNSTREAM_GONE, false);
	turn(w);
	end(w);
}

/* -- reloads while it waits -- */

/* Nothing of the old snapshot may be looked at again: it is overwritten. */
static void reload(struct world *w, struct ss_authz *authz)
{
	w->snap.generation++;
	w->listener.authz = authz;
	memset(rules, 0x5a, sizeof(rules));
	memset(&policy, 0x5a, sizeof(policy));
}

static void the_snapshot_of_then_decides(void **state)
{
	struct world *w = guarded(8);
	struct ss_http_stream *d = get(w, "/"), *c = authorizer(w);

	/* The rule is gone, and so is the provider: it may say what it wants about headers. */
	reload(w, &w->open);
	w->snap.n_ext_authz = 0;
	memset(providers, 0x5a, sizeof(providers));
	field(c, "x-user", "a");
	answer(w, c, 200, "");
	assert_null(fake_field(&origin(w)->tx, "x-user"));
	answered(w, d);
	assert_int_equal(logged(w, 200, "-").generation, 2);
	end(w);

	/* Denied by what is in force when it comes back. */
	w = guarded(8);
	d = get(w, "/");
	c = authorizer(w);
	reload(w, &w->shut);
	answer(w, c, 200, "");
	replied(w, d, 403, "RBAC");
	end(w);

	/* What was asked for before the reload is still denied, with nothing but the status. */
	w = guarded(8);
	d = get(w, "/");
	c = authorizer(w);
	reload(w, &w->open);
	w->snap.n_ext_authz = 0;
	field(c, "x-why", "no");
	answer(w, c, 401, "no");
	assert_null(fake_field(&d->tx, "x-why"));
	replied(w, d, 401, "UAEX");
	end(w);
}

static void a_reload_before_it_was_sent(void **state)
{
	struct world *w = guarded(8);
	struct ss_http_stream *d = get(w, "/");

	turn(w);
	reload(w, &w->open);
	w->snap.n_ext_authz = 0;
	assert_null(authorizer(w));
	answered(w, d);
	end(w);

	/* Its cluster is gone, too, before there was a connection: whoever waited there is told at once. */
	w = guarded(8);
	d = get(w, "/");
	turn(w);
	w->snap.n_clusters = 1;
	w->snap.n_ext_authz = 0;
	w->listener.authz = &w->open;
	w->snap.generation++;
	ss_up_adopt(w->up, &w->snap, w->now);
	turn(w);
	turn(w);
	replied(w, d, 403, "UAEX");
	assert_int_equal(counter(w, SS_C_EXT_AUTHZ_REFUSED), 1);
	end(w);

	/* The listener is gone. */
	w = guarded(8);
	d = get(w, "/");
	struct ss_http_stream *c = authorizer(w);
	w->snap.n_listeners = 0;
	answer(w, c, 200, "");
	replied(w, d, 503, "DR");
	end(w);
}

/* -- time -- */

static void the_routes_time_begins_afterwards(void **state)
{
	struct world *w = guarded(8);
	struct ss_http_stream *d;

	w->route.timeout_ns = 100 * MS;
	d = get(w, "/");
	assert_non_null(authorizer(w));
	wait_for(w, 150 * MS);
	assert_false(d->tx_head);
	answer(w, authorizer(w), 200, "");
	assert_non_null(origin(w));
	wait_for(w, 90 * MS);
	assert_false(d->tx_head);
	wait_for(w, 20 * MS);
	replied(w, d, 504, "UT");
	/* But what the hop above has set goes on. */
	d = request(w, "GET", "/");
	field(d, "x-envoy-expected-rq-timeout-ms", "180");
	fake_end(d);
	assert_non_null(authorizer(w));
	wait_for(w, 150 * MS);
	answer(w, authorizer(w), 200, "");
	assert_non_null(origin(w));
	wait_for(w, 35 * MS);
	replied(w, d, 504, "UT");
	d = request(w, "GET", "/");
	field(d, "x-envoy-expected-rq-timeout-ms", "90");
	fake_end(d);
	assert_non_null(authorizer(w));
	wait_for(w, 95 * MS);
	replied(w, d, 504, "UT");
	end(w);
}

/* -- all at once -- */

#define CLIENTS 12

static void something(struct world *w, struct ss_rng *r, struct ss_http_conn *c)
{
	struct ss_http_stream *s = newest_on(c);
	struct ss_list *n;

	if (c && !c->open && !c->gone)
		fake_open(c, 100);
	if (!c || !c->open || c->gone)
		return;
	ss_list_for(n, &c->streams)
	{
		struct ss_http_stream *one = ss_list_entry(n, struct ss_http_stream, all);
		if (!one->released && !one->over && ss_rng_chance(r, 1, 2))
			s = one;
	}
	if (!s || s->released || s->over || s->rx_end)
		return;
	switch (ss_rng_below(r, 8)) {
	case 0:
		fake_reset(s, SS_DROP_UPSTREAM_STREAM_RESET, ss_rng_chance(r, 1, 2));
		break;
	case 1:
		fake_gone(c, SS_DROP_UPSTREAM_RESET);
		break;
	case 2:
		break;
	default:
		if (!s->rx.status)
			fake_status(s, ss_rng_chance(r, 2, 3) ? 200 : ss_rng_chance(r, 1, 2) ? 401 : 503);
		fake_bytes(s, "some bytes", 1 + ss_rng_below(r, 9));
		if (ss_rng_chance(r, 2, 3))
			fake_end(s);
	}
}

static void whatever_happens(uint64_t seed)
{
	struct ss_http_stream *d[CLIENTS] = {NULL};
	struct world *w = guarded(6);
	struct ss_rng r;

	print_message("seed %llu\n", (unsigned long long)seed);
	ss_rng_seed(&r, seed);
	rules[1] = rules[0];
	rules[1].provider = &providers[1];
	rules[1].class = SS_AUTHZ_C_DRY_CUSTOM;
	rules[1].dry_run = true;
	providers[0].upstream = (struct ss_ext_authz_names){2, up_names};
	both[0].outlier.consecutive_errors = both[1].outlier.consecutive_errors = 0;
	for (int step = 0; step < 4000; step++) {
		uint32_t i = ss_rng_below(&r, CLIENTS);
		if (!d[i]) {
			d[i] = request(w, "POST", "/");
		} else if (d[i]->released) {
			d[i] = NULL;
		} else if (ss_rng_chance(&r, 1, 30)) {
			fake_reset(d[i], SS_DROP_DOWNSTREAM_GONE, false);
		} else if (!d[i]->rx_end && !d[i]->over) {
			fake_bytes(d[i], "body", 4);
			if (ss_rng_chance(&r, 1, 3))
				fake_end(d[i]);
		} else {
			fake_drain(d[i], UINT32_MAX);
		}
		something(w, &r, conn_to(w, &w->eps[0].addr));
		something(w, &r, conn_to(w, &aside.addr));
		if (ss_rng_chance(&r, 1, 50))
			w->now += ss_rng_below(&r, 300) * MS;
		/* Reloads: without rules, with a second one that is only tried, without providers. */
		if (ss_rng_chance(&r, 1, 40)) {
			policy.n_rules = ss_rng_below(&r, 3);
			w->snap.n_ext_authz = policy.n_rules ? 2 : ss_rng_below(&r, 2) * 2;
			providers[0].fail_open = ss_rng_chance(&r, 1, 2);
		}
		turn(w);
		while (ss_event_peek(w->events))
			ss_event_release(w->events);
	}
	for (uint32_t i = 0; i < CLIENTS; i++)
		if (d[i] && !d[i]->released)
			fake_reset(d[i], SS_DROP_DOWNSTREAM_GONE, false);
	turn(w);
	assert_int_equal(ss_pool_used(w->px->checks), 0);
	assert_true(counter(w, SS_C_EXT_AUTHZ_ALLOWED) > 20 && counter(w, SS_C_EXT_AUTHZ_DENIED) > 20);
	assert_true(counter(w, SS_C_EXT_AUTHZ_FAILED) > 5);
	/* Each check came to one end; those whose provider a reload took came to none. */
	assert_true(counter(w, SS_C_EXT_AUTHZ_ALLOWED) + counter(w, SS_C_EXT_AUTHZ_DENIED) +
			    counter(w, SS_C_EXT_AUTHZ_FAILED) + counter(w, SS_C_EXT_AUTHZ_CUT) <=
		    counter(w, SS_C_EXT_AUTHZ_CHECKS));
	end(w);
}

static void whatever_happens_nothing_is_left(void **state)
{
	each_seed(whatever_happens);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_check_says_who_wants_what),
		cmocka_unit_test(an_answer_that_allows_may_add),
		cmocka_unit_test(an_answer_that_denies_is_the_clients),
		cmocka_unit_test(a_client_of_grpc_hears_grpc),
		cmocka_unit_test(what_it_allows_others_may_deny),
		cmocka_unit_test(each_authorizer_is_asked_once),
		cmocka_unit_test(a_dry_run_refuses_nothing),
		cmocka_unit_test(no_answer_is_the_failure_mode),
		cmocka_unit_test(a_head_that_denies_is_enough),
		cmocka_unit_test(what_it_has_not_seen_is_asked_again),
		cmocka_unit_test(the_client_leaves),
		cmocka_unit_test(many_are_bounded),
		cmocka_unit_test(its_cluster_has_limits),
		cmocka_unit_test(the_snapshot_of_then_decides),
		cmocka_unit_test(a_reload_before_it_was_sent),
		cmocka_unit_test(the_routes_time_begins_afterwards),
		cmocka_unit_test(whatever_happens_nothing_is_left),
	};

	return cmocka_run_group_tests(tests, open_bufs, close_bufs);
}
