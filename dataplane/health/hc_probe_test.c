/* One probe: what it asks, over which connection, and whose failure it is when there is no answer. */
#include "health/hc_bed.h"

static void the_first_answer_makes_healthy(void **state)
{
	struct world *w = start(SS_HEALTH_HTTP);

	w->conf.healthy_threshold = 5;
	w->does[2] = BAD_STATUS;
	for (uint32_t i = 0; i < EPS; i++)
		assert_false(healthy(w, i));
	/* All first probes within as many times 250 us, not at the end of an interval. */
	run_until(w, w->now + SOON);
	for (uint32_t i = 0; i < EPS; i++)
		assert_int_equal(healthy(w, i), i != 2);
	assert_int_equal(last(w, 2), 500 << 16 | SS_HEALTH_WHY_STATUS);
	assert_int_equal(w->table->cluster[w->cluster.slot].unhealthy, 1);
	/* Its first result was a bad one: now the threshold holds. */
	w->does[2] = GOOD;
	assert_in_range(until_is(w, 2, true), 20 * S, 30 * S);
	end(w);
}

static void the_request_is_as_configured(void **state)
{
	static const struct ss_header_op ops[] = {{.name = SS_SPAN("x-health-check"), .value = SS_SPAN("mesh")}};
	struct world *w = start(SS_HEALTH_HTTP);
	struct ss_http_stream *s;

	w->conf.fields = ops;
	w->conf.n_fields = 1;
	for (uint32_t i = 0; i < EPS; i++)
		w->does[i] = HANG;
	run_until(w, w->now + SOON);
	s = ss_list_entry(ss_list_entry(w->http->conns.next, struct ss_http_conn, all)->streams.next,
			  struct ss_http_stream, all);
	assert_true(ss_span_eq(s->tx.method, SS_SPAN("GET")));
	assert_true(ss_span_eq(s->tx.authority, SS_SPAN("web")));
	assert_true(ss_span_eq(s->tx.path, SS_SPAN("/health")));
	assert_true(ss_span_eq(s->tx.scheme, SS_SPAN("http")));
	assert_string_equal(fake_field(&s->tx, "x-health-check"), "mesh");
	assert_true(s->tx_end);
	end(w);
}

static void connections_are_kept(void **state)
{
	struct world *w = start(SS_HEALTH_HTTP);

	run_until(w, w->now + 60 * S);
	for (uint32_t i = 0; i < EPS; i++) {
		assert_int_equal(w->opens[i], 1);
		assert_in_range(w->probes[i], 11, 14);
	}
	assert_int_equal(ss_health_conns(w->h), EPS);
	w->conf.reuse = false;
	run_until(w, w->now + 30 * S);
	for (uint32_t i = 0; i < EPS; i++)
		assert_in_range(w->opens[i], 5, 7);
	assert_int_equal(ss_health_conns(w->h), 0);
	end(w);
}

/* An origin may close a connection at the moment that we use it again: that is no failure. */
static void a_kept_connection_that_ended_is_no_failure(void **state)
{
	struct world *w = start(SS_HEALTH_HTTP);

	w->conf.unhealthy_threshold = 1;
	for (uint32_t i = 0; i < EPS; i++)
		w->does[i] = CUT_KEPT;
	run_until(w, w->now + 60 * S);
	for (uint32_t i = 0; i < EPS; i++) {
		assert_true(healthy(w, i));
		assert_in_range(w->opens[i], 11, 14);
	}
	assert_int_equal(w->counters->v[SS_C_HEALTH_FAILURES], 0);
	/* On a connection of its own it is one. */
	for (uint32_t i = 0; i < EPS; i++)
		w->does[i] = CUT;
	run_until(w, w->now + 6 * S);
	for (uint32_t i = 0; i < EPS; i++)
		assert_int_equal(last(w, i), SS_HEALTH_WHY_RESET);
	end(w);
}

static void bodies_are_searched(void **state)
{
	struct world *w = start(SS_HEALTH_HTTP);

	w->conf.expect = SS_SPAN("am well");
	run_until(w, w->now + SOON);
	assert_true(healthy(w, 0));
	w->conf.expect = SS_SPAN("am ill");
	assert_in_range(until_is(w, 0, false), 1, 10 * S + 2 * HC_TICK_NS);
	assert_int_equal(last(w, 0), 200 << 16 | SS_HEALTH_WHY_BODY);
	end(w);
}

static void tcp_only_connects(void **state)
{
	struct world *w = start(SS_HEALTH_TCP);

	run_until(w, w->now + 60 * S);
	for (uint32_t i = 0; i < EPS; i++) {
		assert_true(healthy(w, i));
		assert_int_equal(w->probes[i], 0);
		assert_in_range(w->opens[i], 11, 14);
	}
	assert_int_equal(ss_health_conns(w->h), 0);
	w->does[0] = REFUSE;
	until_is(w, 0, false);
	assert_int_equal(last(w, 0), SS_HEALTH_WHY_CONNECT);
	w->does[1] = NEVER_OPEN;
	until_is(w, 1, false);
	assert_int_equal(last(w, 1), SS_HEALTH_WHY_TIMEOUT);
	end(w);
}

/* Our own want of memory says nothing about an endpoint. */
static void our_own_failures_are_not_theirs(void **state)
{
	struct world *w = start(SS_HEALTH_HTTP);

	w->conf.unhealthy_threshold = 1;
	run_until(w, w->now + 6 * S);
	w->http->request_error = SS_ERR_NO_MEM;
	run_until(w, w->now + 11 * S);
	w->http->request_error = 0;
	w->http->connect_error = SS_ERR_NO_MEM;
	run_until(w, w->now + 11 * S);
	w->http->connect_error = 0;
	for (uint32_t i = 0; i < EPS; i++)
		assert_true(healthy(w, i));
	assert_in_range(w->counters->v[SS_C_HEALTH_SKIPPED], 12, 20);
	assert_int_equal(w->counters->v[SS_C_HEALTH_FAILURES], 0);
	end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_answer_makes_healthy),
		cmocka_unit_test(the_request_is_as_configured),
		cmocka_unit_test(connections_are_kept),
		cmocka_unit_test(a_kept_connection_that_ended_is_no_failure),
		cmocka_unit_test(bodies_are_searched),
		cmocka_unit_test(tcp_only_connects),
		cmocka_unit_test(our_own_failures_are_not_theirs),
	};

	return HC_RUN(tests);
}
