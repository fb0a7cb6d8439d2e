/* px_failure_test.c - the same rooms when something fails, ends or runs out: endpoints, connections, time, limits, reloads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proxy/px_bed.h"

static void a_failed_connect_goes_elsewhere(void **state)
{
	struct world *w = start();
	struct ss_http_stream *d = get(w, "/"), *u;
	struct ss_http_conn *first;
	struct ss_event e;

	turn(w);
	first = newest(w);
	fake_gone(first, SS_DROP_TCP_RESET);
	u = opened(w, 100);
	assert_false(ss_addr_eq(&first->remote, &u->conn->remote));
	answer(w, u, 200, "ok");
	delivered(w, d);
	e = next_event(w);
	assert_int_equal(e.attempts, 2);
	assert_int_equal(e.status, 200);
	assert_true(ss_addr_eq(&e.upstream, &u->conn->remote));
	assert_int_equal(w->counters.v[SS_C_RETRIES], 1);
	assert_int_equal(w->table->ep[w->eps[0].ep].failures, 1);
	end(w);
}

static void connects_that_fail_at_once(void **state)
{
	struct world *w = start();
	struct ss_http_stream *d = get(w, "/");

	w->http->connect_error = SS_ERR_NO_MEM;
	for (int i = 0; i < 6; i++)
		turn(w);
	assert_int_equal(w->http->connects, 2);
	replied(w, d, 503, "UF");
	end(w);
}

static void all_down_is_said(void **state)
{
	struct world *w = start();
	struct ss_http_stream *d;

	/* No cap, no minimum: every endpoint may be ejected. */
	w->cluster.outlier.max_ejection_percent = 100;
	w->cluster.outlier.min_health_percent = 0;
	w->cluster.outlier.consecutive_errors = 1;
	w->cluster.outlier.base_ejection_ns = 30 * S;
	for (uint32_t i = 0; i < EPS; i++)
		ss_ep_failure(w->table, w->eps[i].ep, &w->cluster.outlier, w->now);
	d = get(w, "/");
	turn(w);
	replied(w, d, 503, "UH");
	/* Back after the base time. */
	w->now += 30 * S;
	d = get(w, "/");
	answer(w, opened(w, 10), 200, "");
	delivered(w, d);
	end(w);
}

static void a_tls_failure_is_named(void **state)
{
	struct world *w = start();
	struct ss_http_stream *d = get(w, "/");

	turn(w);
	fake_gone(newest(w), SS_DROP_TLS_UNTRUSTED);
	turn(w);
	fake_gone(newest(w), SS_DROP_TLS_IDENTITY);
	turn(w);
	assert_int_equal(w->counters.drops[SS_DROP_UPSTREAM_TLS], 1);
	replied(w, d, 503, "UF");
	end(w);
}

static void a_refused_stream_is_sent_again_with_its_body(void **state)
{
	struct world *w = start();
	struct ss_http_stream *d = request(w, "POST", "/"), *u;
	struct ss_http_conn *first;

	u = opened(w, 100);
	first = u->conn;
	fake_bytes(d, "first ", 6);
	turn(w);
	fake_bytes(d, "second", 6);
	fake_end(d);
	turn(w);
	fake_drain(u, 100);
	body_is(u, "first second");
	fake_reset(u, SS_DROP_UPSTREAM_STREAM_RESET, true);
	u = opened(w, 100);
	assert_ptr_not_equal(u->conn, first);
	fake_drain(u, 100);
	body_is(u, "first second");
	assert_true(u->tx_end);
	/* What refused a stream said nothing about its health. */
	assert_int_equal(w->table->ep[w->eps[0].ep].failures, 0);
	answer(w, u, 200, "");
	delivered(w, d);
	end(w);
}

static void a_long_body_is_not_sent_again(void **state)
{
	struct world *w = start();
	struct ss_http_stream *d = request(w, "PUT", "/"), *u;
	static uint8_t block[40000];

	u = opened(w, 100);
	for (int i = 0; i < 2; i++) {
		fake_bytes(d, block, sizeof(block));
		turn(w);
		fake_drain(u, sizeof(block));
	}
	turn(w);
	fake_reset(u, SS_DROP_UPSTREAM_STREAM_RESET, true);
	turn(w);
	replied(w, d, 502, "UR");
	assert_int_equal(w->counters.v[SS_C_RETRIES], 0);
	end(w);
}

static void a_lost_connection_repeats_only_what_is_safe(void **state)
{
	static const struct {
		const char *method;
		bool again;
	} v[] = {{"GET", true},    {"HEAD", true},  {"PUT", true},
		 {"DELETE", true}, {"POST", false}, {"PATCH", false}};

	for (unsigned i = 0; i < SS_ARRAY_LEN(v); i++) {
		struct world *w = start();
		struct ss_http_stream *d = request(w, v[i].method, "/"), *u;
		fake_end(d);
		u = opened(w, 100);
		fake_gone(u->conn, SS_DROP_TCP_RESET);
		turn(w);
		assert_int_equal(w->counters.v[SS_C_RETRIES], v[i].again);
		assert_int_equal(w->table->ep[w->eps[0].ep].failures, 1);
		if (v[i].again) {
			answer(w, opened(w, 10), 200, "");
			delivered(w, d);
		} else {
			replied(w, d, 502, "UC");
		}
		end(w);
	}
}

static void a_reset_after_the_head_breaks_the_stream(void **state)
{
	struct world *w = start();
	struct ss_http_stream *d = get(w, "/"), *u = opened(w, 100);
	struct ss_event e;

	fake_status(u, 200);
	fake_bytes(u, "half", 4);
	turn(w);
	fake_reset(u, SS_DROP_UPSTREAM_STREAM_RESET, false);
	turn(w);
	assert_true(d->released);
	assert_int_equal(d->reset_code, SS_HTTP_INTERNAL_ERROR);
	e = next_event(w);
	assert_int_equal(e.status, 200);
	assert_int_equal(e.drop, SS_DROP_UPSTREAM_STREAM_RESET);
	assert_int_equal(w->table->ep[w->eps[0].ep].failures, 1);
	end(w);
}

static void a_client_that_goes_cancels_upstream(void **state)
{
	struct world *w = start();
	struct ss_http_stream *d = get(w, "/"), *u = opened(w, 100);

	fake_reset(d, SS_DROP_DOWNSTREAM_GONE, false);
	turn(w);
	assert_true(u->released);
	assert_int_equal(u->reset_code, SS_HTTP_CANCEL);
	assert_int_equal(next_event(w).drop, SS_DROP_DOWNSTREAM_GONE);
	assert_int_equal(w->counters.drops[SS_DROP_DOWNSTREAM_GONE], 1);
	assert_int_equal(w->table->ep[w->eps[0].ep].requests, 0);
	/* While it stands in line. */
	d = get(w, "/");
	turn(w);
	assert_int_equal(ss_up_waiting(w->up), 1);
	fake_reset(d, SS_DROP_DOWNSTREAM_GONE, false);
	turn(w);
	assert_int_equal(ss_up_waiting(w->up), 0);
	/* In the very turn in which it is served. */
	d = get(w, "/");
	turn(w);
	fake_open(newest(w), 1);
	fake_reset(d, SS_DROP_DOWNSTREAM_GONE, false);
	turn(w);
	assert_true(settled(w));
	end(w);
}

static void a_served_slot_that_is_not_used_serves_the_next(void **state)
{
	struct world *w = start();
	struct ss_http_stream *d[2], *u;

	w->cluster.n_endpoints = 1;
	w->cluster.caps[0].max[SS_CAP_CONNECTIONS] = 1;
	d[0] = get(w, "/");
	d[1] = get(w, "/");
	turn(w);
	assert_int_equal(w->http->connects, 1);
	fake_open(newest(w), 1);
	fake_reset(d[0], SS_DROP_DOWNSTREAM_GONE, false);
	turn(w);
	assert_int_equal(ss_up_next(w->up), 0); /* someone is due at once */
	u = routed(w);
	assert_non_null(u);
	answer(w, u, 200, "");
	delivered(w, d[1]);
	end(w);
}

static void time_runs_out(void **state)
{
	struct world *w = start();
	struct ss_http_stream *d = get(w, "/"), *u;

	/* In line. */
	turn(w);
	wait_for(w, 4900 * MS);
	assert_false(d->tx_head);
	wait_for(w, 101 * MS);
	replied(w, d, 504, "UT");
	fake_gone(newest(w), SS_DROP_CONNECT_FAILED);
	/* At the endpoint. */
	d = get(w, "/");
	u = opened(w, 100);
	wait_for(w, 5001 * MS);
	assert_true(u->released);
	assert_int_equal(u->reset_code, SS_HTTP_CANCEL);
	replied(w, d, 504, "UT");
	assert_int_equal(w->table->ep[w->eps[1].ep].failures, 1);
	/* After the head only silence counts. */
	d = get(w, "/");
	u = opened(w, 100);
	fake_status(u, 200);
	turn(w);
	wait_for(w, 299 * S);
	fake_bytes(u, "x", 1);
	turn(w);
	wait_for(w, 299 * S);
	assert_false(d->released);
	wait_for(w, 2 * S);
	assert_true(d->released);
	assert_int_equal(d->reset_code, SS_HTTP_INTERNAL_ERROR);
	assert_int_equal(next_event(w).drop, SS_DROP_TIMEOUT_IDLE);
	/* A slow upload is not a slow answer; its end starts the clock. */
	d = request(w, "POST", "/");
	u = opened(w, 100);
	for (int i = 0; i < 5; i++) {
		fake_bytes(d, "x", 1);
		wait_for(w, 4 * S);
	}
	assert_false(d->tx_head);
	fake_end(d);
	turn(w);
	wait_for(w, 4900 * MS);
	assert_false(d->tx_head);
	wait_for(w, 200 * MS);
	replied(w, d, 504, "UT");
	end(w);
}

static void limits_are_kept(void **state)
{
	struct world *w = start();
	struct ss_http_stream *d[6];

	w->cluster.n_endpoints = 1;
	w->cluster.caps[0].max[SS_CAP_REQUESTS] = 4;
	w->cluster.caps[0].max[SS_CAP_PENDING] = 3;
	w->cluster.caps[0].max[SS_CAP_CONNECTIONS] = 1;
	for (int i = 0; i < 6; i++)
		d[i] = get(w, "/");
	turn(w);
	assert_int_equal(w->http->connects, 1);
	for (int i = 3; i < 6; i++)
		replied(w, d[i], 503, "UO");
	fake_open(newest(w), 3);
	for (int i = 0; i < 3; i++)
		turn(w);
	d[3] = get(w, "/");
	d[4] = get(w, "/");
	turn(w);
	replied(w, d[4], 503, "UO"); /* the fifth of four */
	fake_reset(d[3], SS_DROP_DOWNSTREAM_GONE, false);
	turn(w);
	for (int i = 0; i < 3; i++)
		answer(w, routed(w), 200, "");
	for (int i = 0; i < 3; i++)
		delivered(w, d[i]);
	end(w);
}

static void five_failures_eject(void **state)
{
	struct world *w = start();
	uint32_t hits[EPS] = {0};
	const struct ss_event *e;
	bool seen = false;

	for (int i = 0; i < 15; i++) {
		struct ss_http_stream *d = get(w, "/"), *u = i < EPS ? opened(w, 100) : routed(w);
		answer(w, u, ss_ip4_u32(&u->conn->remote.ip) == 0x0a000002 ? 500 : 200, "");
		delivered(w, d);
	}
	while ((e = ss_event_peek(w->events))) {
		seen |= e->kind == SS_EVENT_EJECTED && ss_ip4_u32(&e->upstream.ip) == 0x0a000002;
		ss_event_release(w->events);
	}
	assert_true(seen);
	assert_int_equal(w->counters.v[SS_C_EJECTIONS], 1);
	for (int i = 0; i < 20; i++) {
		struct ss_http_stream *d = get(w, "/"), *u = routed(w);
		hits[ss_ip4_u32(&u->conn->remote.ip) - 0x0a000001]++;
		answer(w, u, 200, "");
		delivered(w, d);
	}
	assert_int_equal(hits[0], 10);
	assert_int_equal(hits[1], 0);
	assert_int_equal(hits[2], 10);
	end(w);
}

static void who_waits_for_an_ejected_endpoint_picks_again(void **state)
{
	struct world *w = start();
	struct ss_http_stream *d = get(w, "/"), *u;
	struct ss_http_conn *slow;

	turn(w);
	slow = newest(w);
	for (int i = 0; i < 5; i++)
		ss_ep_failure(w->table, w->eps[0].ep, &w->cluster.outlier, w->now);
	fake_open(slow, 100);
	u = opened(w, 100);
	assert_ptr_not_equal(u->conn, slow);
	answer(w, u, 200, "");
	delivered(w, d);
	assert_int_equal(next_event(w).attempts, 1);
	end(w);
}

static void goaway_moves_new_requests(void **state)
{
	struct world *w = start();
	struct ss_http_stream *d[2], *u[2];

	w->cluster.n_endpoints = 1;
	d[0] = get(w, "/");
	u[0] = opened(w, 100);
	fake_conn_news(u[0]->conn, SS_HTTP_CONN_GOAWAY);
	turn(w);
	d[1] = get(w, "/");
	u[1] = opened(w, 100);
	assert_ptr_not_equal(u[0]->conn, u[1]->conn);
	answer(w, u[0], 200, "old");
	answer(w, u[1], 200, "new");
	delivered(w, d[0]);
	delivered(w, d[1]);
	body_is(d[0], "old");
	end(w);
}

static void reloads_move_connections(void **state)
{
	struct world *w = start();
	struct ss_tls_client tls = {.hash = 1};
	struct ss_http_stream *d, *u;

	w->cluster.tls = &tls;
	w->cluster.n_endpoints = 1;
	w->snap.generation = 2;
	ss_up_adopt(w->up, &w->snap, w->now);
	d = get(w, "/");
	u = opened(w, 100);
	assert_memory_equal(u->tx.scheme.p, "https", 5);
	/* The same policy: the connection stays. Another: it takes no more and ends when it is idle. */
	w->snap.generation = 3;
	ss_up_adopt(w->up, &w->snap, w->now);
	assert_false(u->conn->closing);
	tls.hash = 2;
	w->snap.generation = 4;
	ss_up_adopt(w->up, &w->snap, w->now);
	assert_true(u->conn->closing);
	answer(w, u, 200, "");
	delivered(w, d);
	/* The endpoint goes while someone stands in its line: it picks from what there is. */
	d = get(w, "/");
	turn(w);
	assert_int_equal(ss_up_waiting(w->up), 1);
	w->cluster.endpoints = w->eps + 1;
	w->snap.generation = 5;
	ss_up_adopt(w->up, &w->snap, w->now);
	u = opened(w, 100);
	assert_int_equal(ss_ip4_u32(&u->conn->remote.ip), 0x0a000002);
	answer(w, u, 200, "");
	delivered(w, d);
	end(w);
}

static void draws_are_even(void **state)
{
	struct world *w = start();
	uint32_t n = 0;

	for (int i = 0; i < 100000; i++)
		n += ss_rng_below(&w->px->rng, SS_WEIGHT_SUM) < 500;
	assert_in_range(n, 4000, 6000); /* 5 % within 1 % of all */
	end(w);
}

static void exchanges_run_out(void **state)
{
	struct world *w = start();
	struct ss_http_stream *d[501];
	uint32_t refused = 0;

	w->route.action = SS_ACTION_DIRECT;
	w->route.direct_status = 200;
	for (int i = 0; i < 501; i++)
		d[i] = get(w, "/");
	turn(w);
	for (int i = 0; i < 501; i++)
		refused += d[i]->reset_code == SS_HTTP_REFUSED_STREAM;
	assert_int_equal(refused, 1);
	assert_int_equal(w->counters.drops[SS_DROP_STREAMS_FULL], 1);
	for (int i = 0; i < 500; i++)
		delivered(w, d[i]);
	end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failed_connect_goes_elsewhere),
		cmocka_unit_test(connects_that_fail_at_once),
		cmocka_unit_test(all_down_is_said),
		cmocka_unit_test(a_tls_failure_is_named),
		cmocka_unit_test(a_refused_stream_is_sent_again_with_its_body),
		cmocka_unit_test(a_long_body_is_not_sent_again),
		cmocka_unit_test(a_lost_connection_repeats_only_what_is_safe),
		cmocka_unit_test(a_reset_after_the_head_breaks_the_stream),
		cmocka_unit_test(a_client_that_goes_cancels_upstream),
		cmocka_unit_test(a_served_slot_that_is_not_used_serves_the_next),
		cmocka_unit_test(time_runs_out),
		cmocka_unit_test(limits_are_kept),
		cmocka_unit_test(five_failures_eject),
		cmocka_unit_test(who_waits_for_an_ejected_endpoint_picks_again),
		cmocka_unit_test(goaway_moves_new_requests),
		cmocka_unit_test(reloads_move_connections),
		cmocka_unit_test(draws_are_even),
		cmocka_unit_test(exchanges_run_out),
	};

	return cmocka_run_group_tests(tests, open_bufs, close_bufs);
}
