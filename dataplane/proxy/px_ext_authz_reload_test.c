/* px_ext_authz_reload_test.c - checks under way while configurations come, time passes and everything happens at once. */
#include "proxy/px_ext_authz_bed.h"

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
		cmocka_unit_test(the_snapshot_of_then_decides),
		cmocka_unit_test(a_reload_before_it_was_sent),
		cmocka_unit_test(the_routes_time_begins_afterwards),
		cmocka_unit_test(whatever_happens_nothing_is_left),
	};

	return cmocka_run_group_tests(tests, open_bufs, close_bufs);
}
