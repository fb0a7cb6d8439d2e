/* px_ext_authz_test.c - external authorization: what is asked, what an answer does, and that none is the failure mode. */
#include "proxy/px_ext_authz_bed.h"

/* -- what is asked -- */

static void the_check_says_who_wants_what(void **state)
{
	struct world *w = guarded(8);
	struct ss_http_stream *d = request(w, "POST", "/x?y"), *c;

	providers[0].path_prefix = SS_SPAN("/check");
	providers[0].ask = (struct ss_ext_authz_names){2, ask_names};
	providers[0].n_add = 1;
	providers[0].add = add;
	w->client->peer.names = &(struct ss_peer_names){.identity = SS_SPAN("spiffe://mesh/a")};
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
	};

	return cmocka_run_group_tests(tests, open_bufs, close_bufs);
}
