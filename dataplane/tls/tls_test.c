/* Bytes through the room: both versions, both sides, every size, ends; ours against ours and against libssl. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "tls/tls_world_sim.h"

#define ID_A "URI:spiffe://mesh.local/ns/demo/sa/a"
#define ID_B "URI:spiffe://mesh.local/ns/demo/sa/b"

static struct world world;
static uint8_t pattern[300000];

static void certify(struct world *w, int max)
{
	struct sim_cert a = sim_leaf(&w->ca, &(struct sim_leaf){ .san = ID_A });
	struct sim_cert b = sim_leaf(&w->ca, &(struct sim_leaf){ .san = ID_B });

	w->client.ctx[0] = sim_ctx(false, &a, &w->ca, max);
	w->server.ctx[0] = sim_ctx(true, &b, &w->ca, max);
	sim_cert_free(&a);
	sim_cert_free(&b);
}

static struct world *setup(const char *name, uint64_t seed, int max)
{
	world_init(&world, name, seed);
	certify(&world, max);
	return &world;
}

static void make_pattern(void)
{
	struct ss_rng r;

	ss_rng_seed(&r, 99);
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)ss_rng_u64(&r);
}

static void test_both_sides_know_each_other(void **state)
{
	const int versions[] = { TLS1_3_VERSION, TLS1_2_VERSION };

	for (int i = 0; i < 2; i++) {
		struct world *w = setup("know", 1, versions[i]);
		struct app *a = world_connect_self(w, SS_PROTO_AUTO), *b;

		w->client.sni = SS_SPAN("b.example");
		world_turns(w, 60);
		b = world_served(w);
		assert_non_null(b);
		assert_int_equal(a->events, SS_TLS_EV_CONNECTED);
		assert_int_equal(b->events, SS_TLS_EV_ACCEPTED);
		assert_true(ss_span_eq(ss_peer_identity(ss_tls_peer(a->c)), ss_span_str(&ID_B[4])));
		assert_true(ss_span_eq(ss_peer_identity(ss_tls_peer(b->c)), ss_span_str(&ID_A[4])));
		assert_int_equal(ss_tls_peer(a->c)->tls, 2);
		assert_int_equal(ss_tls_peer(b->c)->tls, 2);
		assert_int_equal(ss_tls_peer(a->c)->alpn, SS_ALPN_H2);
		assert_int_equal(ss_tls_peer(b->c)->alpn, SS_ALPN_H2);
		assert_int_equal(ss_tls_cookie(b->c), SERVER_COOKIE);
		assert_int_equal(w->counters.v[SS_C_TLS_HANDSHAKES], 2);
		world_free(w);
	}
}

static void test_alpn_and_sni(void **state)
{
	struct world *w = setup("alpn", 2, TLS1_3_VERSION);

	w->client.sni = SS_SPAN("name.example");
	world_connect_self(w, SS_PROTO_H1);
	world_turns(w, 60);
	const struct ss_peer *p = ss_tls_peer(world_served(w)->c);
	assert_int_equal(p->alpn, SS_ALPN_H1);
	assert_true(ss_span_eq(ss_peer_sni(p), SS_SPAN("name.example")));
	world_free(w);
}

/* Sends all of n bytes as room allows, in portions of step, one way. */
static void push(struct world *w, struct app *from, const struct app *to, uint32_t n, uint32_t step)
{
	uint32_t sent = 0;

	for (int turn = 0; turn < 20000 && to->n < n; turn++) {
		uint32_t room = ss_tls_room(from->c), portions = 100;

		while (sent < n && room && portions--) {
			uint32_t k = ss_min_u32(ss_min_u32(step, n - sent), room);

			assert_int_equal(app_send(w, from, pattern + sent, k), 0);
			sent += k;
			room -= k;
		}
		world_turn(w);
	}
	assert_int_equal(to->n, n);
	assert_memory_equal(to->data, pattern, n);
}

static void test_every_size_both_ways(void **state)
{
	const struct {
		int version;
		uint32_t n, step;
	} runs[] = {
		{ TLS1_3_VERSION, 1, 1 },           { TLS1_3_VERSION, 16384, 16384 }, { TLS1_3_VERSION, 16385, 16385 },
		{ TLS1_3_VERSION, 300000, 65000 },  { TLS1_3_VERSION, 50001, 7 },     { TLS1_2_VERSION, 300000, 3333 },
		{ TLS1_2_VERSION, 16383, 16383 },
	};

	for (size_t i = 0; i < SS_ARRAY_LEN(runs); i++) {
		struct world *w = setup("size", 10 + i, runs[i].version);
		struct app *a = world_connect_self(w, SS_PROTO_H2);

		world_turns(w, 60);
		push(w, a, world_served(w), runs[i].n, runs[i].step);
		push(w, world_served(w), a, runs[i].n, runs[i].step);
		world_free(w);
	}
}

/* What a turn queues in small portions leaves as one record: count them in the fake's queue. */
static void test_small_writes_share_a_record(void **state)
{
	struct world *w = setup("share", 3, TLS1_3_VERSION);
	struct far f;
	struct sim_cert c = sim_leaf(&w->ca, &(struct sim_leaf){ .san = ID_A });
	SSL_CTX *ctx = sim_ctx(false, &c, &w->ca, TLS1_3_VERSION);

	far_client(w, &f, ctx);
	far_run(w, &f, 60);
	struct app *b = world_served(w);
	for (int i = 0; i < 100; i++)
		assert_int_equal(app_send(w, b, pattern + i * 10, 10), 0);
	world_turn(w);
	assert_int_equal(f.tcp->tx.len, 5 + 1000 + 1 + 16); /* header, bytes, type, tag */
	far_run(w, &f, 3);
	assert_int_equal(f.n, 1000);
	assert_memory_equal(f.data, pattern, 1000);
	far_free(&f);
	SSL_CTX_free(ctx);
	sim_cert_free(&c);
	world_free(w);
}

/* A reader that takes nothing makes the writer stop, and loses nothing. */
static void test_backpressure(void **state)
{
	struct world *w = setup("press", 4, TLS1_3_VERSION);
	struct app *a = world_connect_self(w, SS_PROTO_H2), *b;
	uint32_t sent = 0;

	world_turns(w, 60);
	b = world_served(w);
	b->hold = true;
	for (int i = 0; i < 400; i++) {
		uint32_t n = ss_min_u32(ss_tls_room(a->c), (uint32_t)sizeof(pattern) - sent);

		if (n) {
			assert_int_equal(app_send(w, a, pattern + sent, n), 0);
			sent += n;
		}
		world_turn(w);
	}
	assert_true(sent < 200000); /* 64 KiB + window + max_plain, and a record of slack */
	assert_true(ss_tls_rx(b->c)->len <= 32768 + 2048);
	a->events = 0;
	b->hold = false;
	b->n = ss_bufq_read(ss_tls_rx(b->c), 0, b->data, WORLD_DATA);
	ss_bufq_drop(ss_tls_rx(b->c), b->n);
	ss_tls_consumed(b->c, b->n);
	world_turns(w, 400);
	assert_int_equal(b->n, sent);
	assert_memory_equal(b->data, pattern, sent);
	assert_true(a->events & SS_TLS_EV_ROOM);
	world_free(w);
}

static void test_close_notify_both_ways(void **state)
{
	struct world *w = setup("close", 5, TLS1_3_VERSION);
	struct app *a = world_connect_self(w, SS_PROTO_H2), *b;

	world_turns(w, 60);
	b = world_served(w);
	app_send(w, a, "last words", 10);
	ss_tls_shutdown(a->c);
	assert_int_equal(app_send(w, a, "x", 1), SS_ERR_CLOSED);
	world_turns(w, 30);
	assert_true(b->events & SS_TLS_EV_EOF);
	assert_int_equal(b->n, 10);
	/* The other half lives on. */
	app_send(w, b, "answer", 6);
	app_release(b);
	world_turns(w, 30);
	assert_true(a->events & SS_TLS_EV_EOF);
	assert_int_equal(a->n, 6);
	app_release(a);
	world_turns(w, 10);
	assert_int_equal(ss_tls_conns(w->tls), 0);
	assert_int_equal(world_drops(w, SS_DROP_TLS_TRUNCATED), 0);
	world_free(w);
}

/* An origin's FIN without close_notify may be an attacker's; a client's is its habit. */
static void test_truncation_is_not_an_end(void **state)
{
	for (int i = 0; i < 4; i++) {
		int version = i & 1 ? TLS1_2_VERSION : TLS1_3_VERSION;
		bool origin = i & 2;
		struct world *w = setup("trunc", 6, version);
		struct sim_cert c = sim_leaf(&w->ca, &(struct sim_leaf){ .san = ID_A });
		SSL_CTX *ctx = sim_ctx(origin, &c, &w->ca, version);
		struct app *a = NULL;
		struct far f;

		if (origin) {
			a = world_connect(w, SS_PROTO_H1);
			far_server(w, &f, ctx, w->tcp.newest);
		} else {
			far_client(w, &f, ctx);
		}
		far_run(w, &f, 60);
		far_send(&f, "half a bo", 9);
		far_run(w, &f, 10);
		if (!origin)
			a = world_served(w);
		fake_fin(f.tcp);
		world_turns(w, 5);
		assert_int_equal(a->n, 9);
		assert_int_equal(a->events & (SS_TLS_EV_FAILED | SS_TLS_EV_EOF), origin ? SS_TLS_EV_FAILED : SS_TLS_EV_EOF);
		assert_int_equal(a->reason, origin ? SS_DROP_TLS_TRUNCATED : SS_DROP_NONE);
		assert_int_equal(world_drops(w, SS_DROP_TLS_TRUNCATED), origin);
		far_free(&f);
		SSL_CTX_free(ctx);
		sim_cert_free(&c);
		world_free(w);
	}
}

static void test_plaintext_passes_through(void **state)
{
	struct world *w = setup("plain", 7, TLS1_3_VERSION);

	w->server.mode = SS_TLS_DISABLE;
	SSL_CTX_free(w->client.ctx[0]);
	w->client.ctx[0] = NULL;
	struct app *a = world_connect_self(w, SS_PROTO_H1);
	world_turns(w, 5);
	struct app *b = world_served(w);
	assert_int_equal(ss_tls_peer(b->c)->tls, 0);
	push(w, a, b, 100000, 5000);
	push(w, b, a, 1, 1);
	ss_tls_shutdown(a->c);
	world_turns(w, 10);
	assert_true(b->events & SS_TLS_EV_EOF);
	fake_rst(w->tcp.newest);
	world_turns(w, 5);
	assert_int_equal(b->reason, SS_DROP_TCP_RESET);
	world_free(w);
}

static void test_permissive_takes_both(void **state)
{
	struct world *w = setup("permit", 8, TLS1_3_VERSION);

	w->server.mode = SS_TLS_PERMISSIVE;
	world_connect_self(w, SS_PROTO_H1);
	world_turns(w, 60);
	assert_int_equal(ss_tls_peer(world_served(w)->c)->tls, 2);
	struct ss_tcp_conn *plain = fake_accept(&w->tcp, SERVER_COOKIE);
	world_turns(w, 5);
	fake_deliver(plain, "GET / HTTP/1.1\r\n", 16);
	world_turns(w, 5);
	struct app *b = world_served(w);
	assert_int_equal(ss_tls_peer(b->c)->tls, 0);
	assert_int_equal(ss_peer_identity(ss_tls_peer(b->c)).n, 0);
	assert_int_equal(b->n, 16);
	world_free(w);
}

/* Bytes of an aborted or reset connection are accounted for. */
static void test_resets(void **state)
{
	struct world *w = setup("reset", 9, TLS1_3_VERSION);
	struct app *a = world_connect_self(w, SS_PROTO_H2), *b;

	world_turns(w, 60);
	b = world_served(w);
	app_send(w, a, pattern, 50000);
	ss_tls_abort(a->c);
	world_turns(w, 5);
	assert_int_equal(b->reason, SS_DROP_TCP_RESET);
	assert_false(a->events & SS_TLS_EV_FAILED);
	world_free(w);
}

/* RFC 8446 4.6.3: new keys in both directions, with bytes on their way. */
static void test_key_update(void **state)
{
	struct world *w = setup("keys", 13, TLS1_3_VERSION);
	struct sim_cert c = sim_leaf(&w->ca, &(struct sim_leaf){ .san = ID_A });
	SSL_CTX *ctx = sim_ctx(false, &c, &w->ca, TLS1_3_VERSION);
	struct far f;

	far_client(w, &f, ctx);
	far_run(w, &f, 60);
	struct app *b = world_served(w);
	for (int i = 0; i < 3; i++) {
		app_send(w, b, pattern + i * 5000, 5000);
		assert_int_equal(SSL_key_update(f.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
		far_send(&f, pattern + i * 3000, 3000);
		far_run(w, &f, 20);
		assert_int_equal(f.n, (i + 1) * 5000);
		assert_int_equal(b->n, (i + 1) * 3000);
	}
	assert_memory_equal(f.data, pattern, f.n);
	assert_memory_equal(b->data, pattern, b->n);
	far_free(&f);
	SSL_CTX_free(ctx);
	sim_cert_free(&c);
	world_free(w);
}

/* A key share that the server does not take first: HelloRetryRequest (RFC 8446 4.1.4). */
static void test_hello_retry(void **state)
{
	struct world *w = setup("retry", 14, TLS1_3_VERSION);

	SSL_CTX_set1_groups_list(w->client.ctx[0], "P-384:X25519");
	SSL_CTX_set1_groups_list(w->server.ctx[0], "X25519:P-256");
	struct app *a = world_connect_self(w, SS_PROTO_H2);
	world_turns(w, 80);
	assert_int_equal(a->events, SS_TLS_EV_CONNECTED);
	push(w, a, world_served(w), 20000, 1000);
	world_free(w);
}

/* An empty mbuf pool delays bytes and harms nothing. */
static void test_no_mbufs_for_a_while(void **state)
{
	struct world *w = setup("hunger", 11, TLS1_3_VERSION);
	struct app *a = world_connect_self(w, SS_PROTO_H2), *b;
	struct rte_mbuf *hog[2048];
	unsigned n = 0;

	world_turns(w, 60);
	b = world_served(w);
	app_send(w, a, pattern, 40000);
	while (n < SS_ARRAY_LEN(hog) && (hog[n] = ss_buf_alloc(&w->bufs)))
		n++;
	world_turns(w, 50);
	assert_int_equal(b->n, 0);
	while (n)
		rte_pktmbuf_free(hog[--n]);
	world_turns(w, 200);
	assert_int_equal(b->n, 40000);
	assert_memory_equal(b->data, pattern, 40000);
	world_free(w);
}

/* Many at once: the steps of a turn are bounded, and everyone gets through. */
static void test_handshakes_share_turns(void **state)
{
	struct world *w = setup("share", 12, TLS1_3_VERSION);

	w->tcp.no_split = true;
	for (int i = 0; i < 8; i++)
		world_connect_self(w, SS_PROTO_H2);
	world_turns(w, 2);
	assert_true(w->counters.v[SS_C_TLS_HANDSHAKES] < 16);
	world_turns(w, 30);
	assert_int_equal(w->counters.v[SS_C_TLS_HANDSHAKES], 16);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_sides_know_each_other),
		cmocka_unit_test(test_alpn_and_sni),
		cmocka_unit_test(test_every_size_both_ways),
		cmocka_unit_test(test_small_writes_share_a_record),
		cmocka_unit_test(test_backpressure),
		cmocka_unit_test(test_close_notify_both_ways),
		cmocka_unit_test(test_truncation_is_not_an_end),
		cmocka_unit_test(test_plaintext_passes_through),
		cmocka_unit_test(test_permissive_takes_both),
		cmocka_unit_test(test_resets),
		cmocka_unit_test(test_key_update),
		cmocka_unit_test(test_hello_retry),
		cmocka_unit_test(test_no_mbufs_for_a_while),
		cmocka_unit_test(test_handshakes_share_turns),
	};

	make_pattern();
	int failed = 0;
	for (const struct world_backend *b = world_backends; b->name; b++) {
		world_records = b->records;
		failed += cmocka_run_group_tests_name(b->name, tests, NULL, NULL);
	}
	return failed;
}
