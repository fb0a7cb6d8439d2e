/* px_test.c - the proxy and upstream rooms over an http in memory: requests and answers as they go through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proxy/px_bed.h"

static void a_request_and_its_answer(void **state)
{
	struct world *w = start();
	struct ss_http_stream *d = get(w, "/a?b=c"), *u;
	struct ss_event e;

	u = opened(w, 100);
	assert_true(u->tx_end);
	assert_memory_equal(u->tx.path.p, "/a?b=c", 6);
	assert_memory_equal(u->tx.authority.p, "shop.example", 12);
	fake_status(u, 200);
	fake_bytes(u, "hello", 5);
	turn(w);
	assert_int_equal(d->tx.status, 200);
	assert_false(d->tx_end);
	fake_end(u);
	turn(w);
	assert_true(d->tx_end);
	assert_true(u->released);
	assert_false(d->released);
	delivered(w, d);
	body_is(d, "hello");
	e = next_event(w);
	assert_int_equal(e.status, 200);
	assert_int_equal(e.drop, 0);
	assert_int_equal(e.attempts, 1);
	assert_int_equal(e.bytes_out, 5);
	assert_int_equal(e.route, 21);
	assert_int_equal(e.upstream.port, 80);
	assert_int_equal(e.trace_n, 32);
	assert_true(w->counters.v[SS_C_RESPONSES_2XX] == 1 && w->counters.v[SS_C_REQUESTS] == 1);
	assert_int_equal(w->table->ep[w->eps[0].ep].requests, 1);
	assert_int_equal(w->table->ep[w->eps[0].ep].failures, 0);
	end(w);
}

static void streams_share_a_connection(void **state)
{
	struct world *w = start();
	struct ss_http_stream *d[30], *u;

	w->cluster.n_endpoints = 1;
	for (int i = 0; i < 30; i++)
		d[i] = get(w, "/");
	turn(w);
	assert_int_equal(w->http->connects, 1);
	assert_int_equal(ss_up_waiting(w->up), 30);
	fake_open(newest(w), 20);
	turn(w);
	assert_int_equal(ss_up_waiting(w->up), 10);
	/* The first that ends makes room for the next in line, unless a second connection came first. */
	assert_int_equal(w->http->connects, 2);
	while ((u = routed(w)))
		answer(w, u, 204, "");
	fake_open(newest(w), 20);
	while ((u = routed(w)))
		answer(w, u, 204, "");
	for (int i = 0; i < 30; i++)
		delivered(w, d[i]);
	end(w);
}

static void h1_has_one_request_per_connection(void **state)
{
	struct world *w = start();
	struct ss_http_stream *d[3], *u[3];
	struct ss_list *n;
	unsigned k = 0;

	w->cluster.protocol = SS_PROTO_H1;
	w->cluster.n_endpoints = 1;
	for (int i = 0; i < 3; i++)
		d[i] = get(w, "/");
	turn(w);
	assert_int_equal(w->http->connects, 3);
	ss_list_for(n, &w->http->conns)
	{
		struct ss_http_conn *c = ss_list_entry(n, struct ss_http_conn, all);
		if (c->upstream)
			fake_open(c, 1);
	}
	while (k < 3 && (u[k] = routed(w)))
		u[k++]->rx.status = 1; /* seen */
	assert_int_equal(k, 3);
	for (k = 0; k < 3; k++)
		answer(w, u[k], 200, "x");
	for (k = 0; k < 3; k++)
		delivered(w, d[k]);
	/* The next one finds a warm connection. */
	d[0] = get(w, "/");
	u[0] = routed(w);
	assert_non_null(u[0]);
	assert_int_equal(w->http->connects, 3);
	answer(w, u[0], 200, "");
	delivered(w, d[0]);
	end(w);
}

static void bodies_flow_with_backpressure(void **state)
{
	struct world *w = start();
	struct ss_http_stream *d = request(w, "POST", "/up"), *u;
	static uint8_t block[30000], got[400000];
	uint32_t sent = 0, total = 300000;

	for (uint32_t i = 0; i < sizeof(block); i++)
		block[i] = (uint8_t)(i * 7);
	u = opened(w, 100);
	assert_false(u->tx_end);
	for (; sent < total; sent += sizeof(block))
		fake_bytes(d, block, sizeof(block));
	fake_end(d);
	turn(w);
	/* The window is full, no more was taken than went on. */
	assert_int_equal(u->queued.len, FAKE_WINDOW);
	assert_int_equal(d->consumed, FAKE_WINDOW);
	turn(w);
	assert_int_equal(d->consumed, FAKE_WINDOW);
	while (!u->tx_sent) {
		fake_drain(u, 20000);
		turn(w);
		assert_true(u->queued.len <= FAKE_WINDOW);
	}
	assert_int_equal(u->out.len, total);
	assert_int_equal(ss_bufq_read(&u->out, 0, got, sizeof(got)), total);
	for (uint32_t at = 0; at < total; at += sizeof(block))
		assert_memory_equal(got + at, block, sizeof(block));
	/* And back. */
	fake_status(u, 200);
	for (sent = 0; sent < total; sent += sizeof(block))
		fake_bytes(u, block, sizeof(block));
	fake_end(u);
	turn(w);
	assert_int_equal(d->queued.len, FAKE_WINDOW);
	assert_int_equal(u->consumed, FAKE_WINDOW);
	while (!d->tx_sent) {
		fake_drain(d, 50000);
		turn(w);
	}
	assert_int_equal(d->out.len, total);
	assert_int_equal(ss_bufq_read(&d->out, 0, got, sizeof(got)), total);
	for (uint32_t at = 0; at < total; at += sizeof(block))
		assert_memory_equal(got + at, block, sizeof(block));
	turn(w);
	assert_true(d->released);
	end(w);
}

static void trailers_go_both_ways(void **state)
{
	struct world *w = start();
	struct ss_http_stream *d = request(w, "POST", "/grpc"), *u;

	field(d, "content-type", "application/grpc");
	field(d, "te", "trailers");
	u = opened(w, 100);
	assert_string_equal(fake_field(&u->tx, "te"), "trailers");
	fake_bytes(d, "ping", 4);
	ss_hdrs_add(&d->rx_trailers, SS_SPAN("x-sum"), SS_SPAN("1"), 0);
	d->has_rx_trailers = true;
	fake_end(d);
	turn(w);
	fake_drain(u, 100);
	body_is(u, "ping");
	assert_true(u->tx_end);
	assert_string_equal(fake_field(&u->tx_trailers, "x-sum"), "1");
	fake_status(u, 200);
	fake_bytes(u, "pong", 4);
	ss_hdrs_add(&u->rx_trailers, SS_SPAN("grpc-status"), SS_SPAN("0"), 0);
	ss_hdrs_add(&u->rx_trailers, SS_SPAN("connection"), SS_SPAN("x"), 0);
	u->has_rx_trailers = true;
	fake_end(u);
	turn(w);
	assert_string_equal(fake_field(&d->tx_trailers, "grpc-status"), "0");
	assert_null(fake_field(&d->tx_trailers, "connection"));
	delivered(w, d);
	body_is(d, "pong");
	end(w);
}

static void both_directions_run_at_once(void **state)
{
	struct world *w = start();
	struct ss_http_stream *d = request(w, "POST", "/bidi"), *u;

	u = opened(w, 100);
	fake_status(u, 200);
	for (int i = 0; i < 5; i++) {
		fake_bytes(d, "a", 1);
		fake_bytes(u, "b", 1);
		turn(w);
		wait_for(w, 100 * S); /* longer than the total timeout: only silence counts */
	}
	fake_drain(u, 10);
	fake_drain(d, 10);
	body_is(u, "aaaaa");
	body_is(d, "bbbbb");
	fake_end(d);
	turn(w);
	assert_true(u->tx_end);
	fake_end(u);
	turn(w);
	delivered(w, d);
	end(w);
}

static void an_early_answer_ends_the_request(void **state)
{
	struct world *w = start();
	struct ss_http_stream *d = request(w, "POST", "/"), *u;

	u = opened(w, 100);
	fake_bytes(d, "part", 4);
	turn(w);
	answer(w, u, 413, "too much");
	/* The endpoint has spoken: its stream goes, the client gets the answer whole. */
	assert_true(u->released);
	assert_int_equal(u->reset_code, SS_HTTP_CANCEL);
	fake_bytes(d, "more", 4);
	turn(w);
	delivered(w, d);
	body_is(d, "too much");
	assert_int_equal(d->tx.status, 413);
	assert_int_equal(w->table->ep[w->eps[0].ep].failures, 0);
	end(w);
}

static void informational_heads_pass(void **state)
{
	struct world *w = start();
	struct ss_http_stream *d = request(w, "POST", "/"), *u;

	field(d, "expect", "100-continue");
	u = opened(w, 100);
	assert_string_equal(fake_field(&u->tx, "expect"), "100-continue");
	fake_status(u, 100);
	turn(w);
	assert_int_equal(d->infos[0], 100);
	assert_false(d->tx_head);
	fake_bytes(d, "x", 1);
	fake_end(d);
	turn(w);
	answer(w, u, 200, "");
	assert_int_equal(d->tx.status, 200);
	assert_true(d->tx_end);
	delivered(w, d);
	end(w);
}

/* What came, and what our own handshake found, by the listener's mode. */
static void client_certificates_by_mode(void **state)
{
	static const struct {
		enum ss_xfcc_mode mode;
		uint8_t tls;
		const char *sent;
	} runs[] = {
		{ SS_XFCC_SANITIZE, 2, NULL },
		{ SS_XFCC_FORWARD_ONLY, 2, "URI=a,URI=b" },
		{ SS_XFCC_FORWARD_ONLY, 1, NULL },
		{ SS_XFCC_APPEND_FORWARD, 2, "URI=a,URI=b,Hash=1;URI=c" },
		{ SS_XFCC_APPEND_FORWARD, 1, NULL },
		{ SS_XFCC_SANITIZE_SET, 2, "Hash=1;URI=c" },
		{ SS_XFCC_SANITIZE_SET, 0, NULL },
		{ SS_XFCC_ALWAYS_FORWARD_ONLY, 0, "URI=a,URI=b" },
	};

	for (size_t i = 0; i < SS_ARRAY_LEN(runs); i++) {
		const struct ss_peer_names names = { .xfcc = SS_SPAN("Hash=1;URI=c") };
		const struct ss_peer peer = { .tls = runs[i].tls, .names = &names };
		struct ss_arena_pools pools;
		struct ss_arena a;
		struct ss_hdr v[4], sent[4];
		struct ss_hdrs from, to;

		assert_int_equal(ss_arena_pools_create(&pools, 4, 1), 0);
		ss_arena_init(&a, &pools);
		ss_hdrs_init(&from, v, 4);
		ss_hdrs_add(&from, SS_SPAN("x-forwarded-client-cert"), SS_SPAN("URI=a"), 0);
		ss_hdrs_add(&from, SS_SPAN("x-other"), SS_SPAN("1"), 0);
		ss_hdrs_add(&from, SS_SPAN("x-forwarded-client-cert"), SS_SPAN("URI=b"), 0);
		ss_hdrs_init(&to, sent, 4);
		assert_int_equal(px_client_cert(runs[i].mode, &peer, &from, &a, &to), 0);
		assert_int_equal(to.n, runs[i].sent ? 1 : 0);
		if (to.n) {
			assert_int_equal(to.v[0].tok, SS_H_X_FORWARDED_CLIENT_CERT);
			assert_true(ss_span_eq(to.v[0].value, ss_span_str(runs[i].sent)));
		}
		ss_arena_reset(&a);
		ss_arena_pools_free(&pools);
	}
}

static void fields_of_one_hop_stay_there(void **state)
{
	struct world *w = start();
	struct ss_http_stream *d = request(w, "GET", "/"), *u;

	field(d, "connection", "close, X-Private");
	field(d, "x-private", "1");
	field(d, "keep-alive", "5");
	field(d, "te", "deflate");
	field(d, "upgrade", "h2c");
	field(d, "x-forwarded-for", "1.1.1.1");
	field(d, "x-forwarded-for", "2.2.2.2");
	field(d, "x-forwarded-client-cert", "URI=spiffe://mesh/root");
	field(d, "x-request-id", "mine");
	field(d, "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
	field(d, "x-kept", "yes");
	fake_end(d);
	u = opened(w, 100);
	assert_null(fake_field(&u->tx, "connection"));
	assert_null(fake_field(&u->tx, "x-private"));
	assert_null(fake_field(&u->tx, "keep-alive"));
	assert_null(fake_field(&u->tx, "te"));
	assert_null(fake_field(&u->tx, "upgrade"));
	assert_null(fake_field(&u->tx, "via"));
	assert_null(fake_field(&u->tx, "x-forwarded-client-cert"));
	assert_string_equal(fake_field(&u->tx, "x-kept"), "yes");
	assert_string_equal(fake_field(&u->tx, "x-request-id"), "mine");
	assert_string_equal(fake_field(&u->tx, "x-forwarded-for"), "1.1.1.1, 2.2.2.2, 192.168.0.9");
	assert_string_equal(fake_field(&u->tx, "x-forwarded-proto"), "http");
	assert_string_equal(fake_field(&u->tx, "x-forwarded-host"), "shop.example");
	assert_string_equal(fake_field(&u->tx, "traceparent"),
			    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
	ss_hdrs_add(&u->rx, SS_SPAN("connection"), SS_SPAN("x-hop"), 0);
	ss_hdrs_add(&u->rx, SS_SPAN("x-hop"), SS_SPAN("1"), 0);
	ss_hdrs_add(&u->rx, SS_SPAN("server"), SS_SPAN("origin"), 0);
	answer(w, u, 200, "");
	assert_null(fake_field(&d->tx, "x-hop"));
	assert_string_equal(fake_field(&d->tx, "server"), "origin");
	delivered(w, d);
	end(w);
}

static void the_edge_believes_nobody(void **state)
{
	struct world *w = start();
	struct ss_http_stream *d = request(w, "GET", "/"), *u;
	const char *id, *trace;

	w->listener.edge = true;
	w->client->peer.tls = 1;
	field(d, "x-request-id", "forged");
	field(d, "x-forwarded-for", "1.1.1.1");
	field(d, "x-forwarded-proto", "gopher");
	field(d, "x-forwarded-host", "bank.example");
	field(d, "traceparent", "00-00000000000000000000000000000000-b7ad6b7169203331-01");
	field(d, "tracestate", "a=b");
	fake_end(d);
	u = opened(w, 100);
	id = fake_field(&u->tx, "x-request-id");
	assert_int_equal(strlen(id), 36);
	assert_int_equal(strspn(id, "0123456789abcdef-"), 36);
	assert_true(id[8] == '-' && id[13] == '-' && id[18] == '-' && id[23] == '-');
	assert_int_equal(id[14], '4');
	assert_non_null(strchr("89ab", id[19]));
	assert_string_equal(fake_field(&u->tx, "x-forwarded-for"), "192.168.0.9");
	assert_string_equal(fake_field(&u->tx, "x-forwarded-proto"), "https");
	assert_string_equal(fake_field(&u->tx, "x-forwarded-host"), "shop.example");
	trace = fake_field(&u->tx, "traceparent");
	assert_int_equal(strlen(trace), 55);
	assert_int_equal(strspn(trace, "0123456789abcdef-"), 55);
	assert_true(trace[2] == '-' && trace[35] == '-' && trace[52] == '-');
	assert_true(strncmp(trace + 3, "0000000000000000", 16) != 0);
	assert_null(fake_field(&u->tx, "tracestate"));
	answer(w, u, 200, "");
	delivered(w, d);
	end(w);
}

static void header_operations_apply(void **state)
{
	struct world *w = start();
	char old[] = "x-a new x-b 2 inner.example x-frame deny";
	struct ss_header_op rq[] = {{SS_OP_SET, ss_span(old, 3), ss_span(old + 4, 3)},
				    {SS_OP_ADD, ss_span(old + 8, 3), ss_span(old + 12, 1)},
				    {SS_OP_REMOVE, SS_SPAN("x-c"), SS_SPAN("")},
				    {SS_OP_SET, SS_SPAN("host"), ss_span(old + 14, 13), SS_H_HOST}};
	struct ss_header_op rs[] = {{SS_OP_SET, ss_span(old + 28, 7), ss_span(old + 36, 4)}};
	struct ss_http_stream *d = request(w, "GET", "/api/v1/x?q=/api"), *u;

	w->route.request_ops = (struct ss_header_ops){4, rq};
	w->route.response_ops = (struct ss_header_ops){1, rs};
	w->route.path_kind = SS_PATH_PREFIX;
	w->route.path = SS_SPAN("/api/");
	w->route.rewrite = &(struct ss_rewrite){.kind = SS_PATH_PREFIX_NEW, .path = SS_SPAN("/")};
	field(d, "x-a", "old");
	field(d, "x-b", "1");
	field(d, "x-c", "1");
	fake_end(d);
	turn(w);
	/* A reload between decision and answer: the exchange gets its own copy, all else is overwritten. */
	assert_true(ss_proxy_settled(w->px));
	ss_proxy_adopt(w->px, w->now);
	assert_true(ss_proxy_settled(w->px));
	memset(old, 'z', sizeof(old));
	memset(rq, 0, sizeof(rq));
	memset(rs, 0, sizeof(rs));
	w->route.request_ops = w->route.response_ops = (struct ss_header_ops){0};
	fake_open(newest(w), 100);
	u = routed(w);
	assert_string_equal(fake_field(&u->tx, "x-a"), "new");
	assert_null(fake_field(&u->tx, "x-c"));
	assert_int_equal(u->tx.authority.n, 13);
	assert_int_equal(u->tx.path.n, strlen("/v1/x?q=/api"));
	assert_memory_equal(u->tx.path.p, "/v1/x?q=/api", u->tx.path.n);
	answer(w, u, 200, "");
	assert_string_equal(fake_field(&d->tx, "x-frame"), "deny");
	delivered(w, d);
	end(w);
}

/* However many there are: some in each turn, and none is left behind. */
static void a_reload_copies_a_few_per_turn(void **state)
{
	enum { N = 300 };
	struct world *w = start();
	char value[] = "old";
	struct ss_header_op op = {SS_OP_SET, SS_SPAN("x-a"), ss_span(value, 3)};
	struct ss_http_stream *d[N], *u;
	uint32_t turns = 0;

	w->route.request_ops = w->route.response_ops = (struct ss_header_ops){1, &op};
	w->cluster.n_endpoints = 1;
	w->cluster.caps[0].max[SS_CAP_PENDING] = N;
	for (int i = 0; i < N; i++)
		d[i] = get(w, "/");
	turn(w);
	ss_proxy_adopt(w->px, w->now);
	for (; !ss_proxy_settled(w->px); turns++) {
		assert_int_equal(ss_proxy_next(w->px), 0);
		turn(w);
	}
	assert_in_range(turns, 2, N / 16);
	memset(value, 'z', sizeof(value));
	memset(&op, 0, sizeof(op));
	w->route.request_ops = w->route.response_ops = (struct ss_header_ops){0};
	fake_open(newest(w), N);
	for (int i = 0; i < N; i++) {
		u = routed(w);
		assert_non_null(u);
		assert_string_equal(fake_field(&u->tx, "x-a"), "old");
		answer(w, u, 200, "");
	}
	for (int i = 0; i < N; i++) {
		assert_string_equal(fake_field(&d[i]->tx, "x-a"), "old");
		delivered(w, d[i]);
	}
	end(w);
}

static void own_answers(void **state)
{
	struct world *w = start();
	struct ss_http_stream *d;

	w->hosts.n_patterns = 0;
	d = get(w, "/");
	turn(w);
	assert_string_equal(fake_field(&d->tx, "content-type"), "text/plain");
	replied(w, d, 404, "NR");
	body_is(d, "sidestep: no route matches (NR)\n");
	w->hosts.n_patterns = 1;

	w->listener.authz = &w->shut;
	d = get(w, "/");
	turn(w);
	replied(w, d, 403, "RBAC");
	/* HEAD: the length stands, the body does not. */
	d = request(w, "HEAD", "/");
	fake_end(d);
	turn(w);
	assert_non_null(fake_field(&d->tx, "content-length"));
	assert_true(d->tx_end);
	replied(w, d, 403, "RBAC");
	assert_int_equal(d->out.len, 0);
	/* gRPC: trailers only, HTTP 200. */
	d = request(w, "POST", "/svc/m");
	field(d, "content-type", "application/grpc+proto");
	turn(w);
	assert_string_equal(fake_field(&d->tx, "grpc-status"), "7");
	assert_true(d->tx_end);
	replied(w, d, 200, "RBAC");
	w->listener.authz = &w->open;

	w->split.upto = 0;
	d = get(w, "/");
	turn(w);
	replied(w, d, 503, "NC");
	w->split.upto = SS_WEIGHT_SUM;

	d = request(w, "CONNECT", "");
	turn(w);
	replied(w, d, 501, "DPE");
	assert_int_equal(w->counters.drops[SS_DROP_DENIED], 3);
	assert_int_equal(w->http->connects, 0);
	end(w);
}

static void direct_response(void **state)
{
	struct world *w = start();
	struct ss_http_stream *d;
	const struct ss_header_op op = {SS_OP_SET, SS_SPAN("x-maintenance"), SS_SPAN("1")};

	w->route.action = SS_ACTION_DIRECT;
	w->route.direct_status = 503;
	w->route.direct_body = SS_SPAN("be right back\n");
	w->route.direct_type = SS_SPAN("text/html");
	w->route.response_ops = (struct ss_header_ops){1, &op};
	d = get(w, "/");
	turn(w);
	assert_int_equal(d->tx.status, 503);
	assert_string_equal(fake_field(&d->tx, "content-length"), "14");
	assert_string_equal(fake_field(&d->tx, "x-maintenance"), "1");
	delivered(w, d);
	body_is(d, "be right back\n");
	assert_int_equal(next_event(w).drop, 0);
	w->route.direct_status = 204;
	d = get(w, "/");
	turn(w);
	assert_true(d->tx_end);
	assert_null(fake_field(&d->tx, "content-length"));
	delivered(w, d);
	end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_and_its_answer),
		cmocka_unit_test(streams_share_a_connection),
		cmocka_unit_test(h1_has_one_request_per_connection),
		cmocka_unit_test(bodies_flow_with_backpressure),
		cmocka_unit_test(trailers_go_both_ways),
		cmocka_unit_test(both_directions_run_at_once),
		cmocka_unit_test(an_early_answer_ends_the_request),
		cmocka_unit_test(informational_heads_pass),
		cmocka_unit_test(client_certificates_by_mode),
		cmocka_unit_test(fields_of_one_hop_stay_there),
		cmocka_unit_test(the_edge_believes_nobody),
		cmocka_unit_test(header_operations_apply),
		cmocka_unit_test(a_reload_copies_a_few_per_turn),
		cmocka_unit_test(own_answers),
		cmocka_unit_test(direct_response),
	};

	return cmocka_run_group_tests(tests, open_bufs, close_bufs);
}
