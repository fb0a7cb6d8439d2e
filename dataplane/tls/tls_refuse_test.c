/*
 * Every refusal: the alert as libssl at the far end sees it, the name it is counted under, the record that
 * is logged; and that flipping only the fault lets the same connection through.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"
#include "tls/tls_world_sim.h"
#include "wire/tlsrec.h"

#define ID_A "URI:spiffe://mesh.local/ns/demo/sa/a"
#define ID_B "URI:spiffe://mesh.local/ns/demo/sa/b"
#define DAY 86400

static struct world world;

/* One fault of a peer's certificate, and what must come of it. */
struct fault {
	const char *name;
	struct sim_leaf leaf;
	bool no_cert, other_ca, client_only;
	enum ss_drop drop;
	int alert_13, alert_12;
	const char *detail; /* part of it */
};

static const struct fault faults[] = {
	{ .name = "none", .leaf = { .san = ID_A }, .alert_13 = -1, .alert_12 = -1 },
	{ .name = "no certificate", .no_cert = true, .drop = SS_DROP_TLS_NO_CERT,
	  .alert_13 = SSL_AD_CERTIFICATE_REQUIRED, .alert_12 = SSL_AD_HANDSHAKE_FAILURE,
	  .detail = "peer did not return a certificate" },
	{ .name = "wrong authority", .leaf = { .san = ID_A }, .other_ca = true, .drop = SS_DROP_TLS_UNTRUSTED,
	  .alert_13 = SSL_AD_UNKNOWN_CA, .alert_12 = SSL_AD_UNKNOWN_CA, .detail = "issuer certificate" },
	{ .name = "expired", .leaf = { .san = ID_A, .from_s = -2 * DAY, .to_s = -DAY }, .drop = SS_DROP_TLS_EXPIRED,
	  .alert_13 = SSL_AD_CERTIFICATE_EXPIRED, .alert_12 = SSL_AD_CERTIFICATE_EXPIRED, .detail = "has expired" },
	{ .name = "not yet valid", .leaf = { .san = ID_A, .from_s = DAY, .to_s = 2 * DAY },
	  .drop = SS_DROP_TLS_NOT_YET_VALID, .alert_13 = SSL_AD_BAD_CERTIFICATE, .alert_12 = SSL_AD_BAD_CERTIFICATE,
	  .detail = "not yet valid" },
	{ .name = "wrong identity", .leaf = { .san = "URI:spiffe://mesh.local/ns/demo/sa/ab" },
	  .drop = SS_DROP_TLS_IDENTITY, .alert_13 = SSL_AD_BAD_CERTIFICATE, .alert_12 = SSL_AD_BAD_CERTIFICATE,
	  .detail = "identity not accepted" },
	{ .name = "two URIs", .leaf = { .san = ID_A ",URI:spiffe://mesh.local/ns/demo/sa/c" },
	  .drop = SS_DROP_TLS_NOT_SVID, .alert_13 = SSL_AD_BAD_CERTIFICATE, .alert_12 = SSL_AD_BAD_CERTIFICATE,
	  .detail = "more than one URI" },
	{ .name = "malformed id", .leaf = { .san = "URI:spiffe://mesh.local/ns/demo/sa/a/" },
	  .drop = SS_DROP_TLS_NOT_SVID, .alert_13 = SSL_AD_BAD_CERTIFICATE, .alert_12 = SSL_AD_BAD_CERTIFICATE,
	  .detail = "malformed" },
	{ .name = "signing", .leaf = { .san = ID_A, .signing = true }, .drop = SS_DROP_TLS_NOT_SVID,
	  .alert_13 = SSL_AD_BAD_CERTIFICATE, .alert_12 = SSL_AD_BAD_CERTIFICATE, .detail = "signing" },
	{ .name = "no path", .leaf = { .san = "URI:spiffe://mesh.local" }, .drop = SS_DROP_TLS_NOT_SVID,
	  .alert_13 = SSL_AD_BAD_CERTIFICATE, .alert_12 = SSL_AD_BAD_CERTIFICATE, .detail = "without a path" },
	{ .name = "scheme in capitals", .leaf = { .san = "URI:SPIFFE://mesh.local/ns/demo/sa/a" },
	  .drop = SS_DROP_TLS_NOT_SVID, .alert_13 = SSL_AD_BAD_CERTIFICATE, .alert_12 = SSL_AD_BAD_CERTIFICATE,
	  .detail = "malformed" },
	{ .name = "id as a DNS name", .leaf = { .san = "DNS:spiffe://mesh.local/ns/demo/sa/a" },
	  .drop = SS_DROP_TLS_IDENTITY, .alert_13 = SSL_AD_BAD_CERTIFICATE, .alert_12 = SSL_AD_BAD_CERTIFICATE,
	  .detail = "identity not" },
	{ .name = "no key usage", .client_only = true, .leaf = { .san = ID_A, .usage = "critical,keyAgreement" },
	  .drop = SS_DROP_TLS_KEY_USAGE, .alert_13 = SSL_AD_UNSUPPORTED_CERTIFICATE,
	  .alert_12 = SSL_AD_UNSUPPORTED_CERTIFICATE, .detail = "digitalSignature" },
	{ .name = "no names", .drop = SS_DROP_TLS_IDENTITY, .alert_13 = SSL_AD_BAD_CERTIFICATE,
	  .alert_12 = SSL_AD_BAD_CERTIFICATE, .detail = "no identity" },
	{ .name = "DNS only", .leaf = { .san = "DNS:a.example" }, .drop = SS_DROP_TLS_IDENTITY,
	  .alert_13 = SSL_AD_BAD_CERTIFICATE, .alert_12 = SSL_AD_BAD_CERTIFICATE, .detail = "identity not" },
};

static SSL_CTX *faulty_ctx(struct world *w, const struct fault *f, bool server, int version)
{
	struct sim_cert c = sim_leaf(f->other_ca ? &w->other_ca : &w->ca, &f->leaf);
	SSL_CTX *ctx = sim_ctx(server, f->no_cert ? NULL : &c, &w->ca, version);

	sim_cert_free(&c);
	return ctx;
}

static void want_only_a(struct ss_id_match *m)
{
	*m = (struct ss_id_match){ .kind = SS_ID_EXACT, .value = SS_SPAN("spiffe://mesh.local/ns/demo/sa/a") };
}

static void own_certs(struct world *w, int version)
{
	struct sim_cert b = sim_leaf(&w->ca, &(struct sim_leaf){ .san = ID_B });

	w->server.ctx[0] = sim_ctx(true, &b, &w->ca, version);
	w->client.ctx[0] = sim_ctx(false, &b, &w->ca, version);
	sim_cert_free(&b);
}

static void check_told(struct world *w, const struct fault *f, bool downstream)
{
	struct ss_event ev;

	assert_int_equal(world_drops(w, f->drop), f->drop != 0);
	assert_int_equal(world_event(w, &ev), f->drop != 0);
	if (!f->drop)
		return;
	assert_int_equal(ev.kind, SS_EVENT_REFUSED);
	assert_int_equal(ev.drop, f->drop);
	assert_int_equal(downstream ? ev.downstream.ip.family : ev.upstream.ip.family, 4);
	assert_int_equal(ev.listener, downstream ? SERVER_COOKIE : 0);
	char text[SS_EVENT_TEXT + 1];
	uint32_t before = (uint32_t)ev.authority_n + ev.peer_n;
	memcpy(text, ev.text + before, ev.detail_n);
	text[ev.detail_n] = 0;
	if (!strstr(text, f->detail))
		fail_msg("%s: detail is \"%s\"", f->name, text);
	assert_false(world_event(w, &ev));
}

static void one_client(const struct fault *f, int version, int alert)
{
	struct world *w = &world;
	struct far far;

	world_init(w, "refuse", 21);
	own_certs(w, version);
	want_only_a(&w->server_id);
	w->server.n_ids = 1;
	SSL_CTX *ctx = faulty_ctx(w, f, false, version);
	far_client(w, &far, ctx);
	far_run(w, &far, 80);
	if (far.alert != alert)
		fail_msg("%s: alert %d, not %d", f->name, far.alert, alert);
	assert_int_equal(world_served(w) != NULL, f->drop == 0);
	check_told(w, f, true);
	if (f->drop) {
		/* What the client still sends must not turn into a RST that overtakes the alert. */
		assert_true(far.tcp->fin);
		assert_false(far.tcp->released || far.tcp->aborted);
		fake_deliver(far.tcp, "more", 4);
		world_turns(w, 2);
		assert_false(far.tcp->released || far.tcp->aborted);
		fake_fin(far.tcp);
		world_turns(w, 2);
		assert_int_equal(ss_tls_conns(w->tls), 0);
	}
	far_free(&far);
	SSL_CTX_free(ctx);
	world_free(w);
}

static void test_clients_with_faults(void **state)
{
	for (size_t i = 0; i < SS_ARRAY_LEN(faults); i++) {
		one_client(&faults[i], TLS1_3_VERSION, faults[i].alert_13);
		one_client(&faults[i], TLS1_2_VERSION, faults[i].alert_12);
	}
}

/* As above, but we are the client; a server always has a certificate. */
static void one_server(const struct fault *f, int version)
{
	struct world *w = &world;
	struct far far;

	world_init(w, "origin", 22);
	own_certs(w, version);
	want_only_a(&w->client_id);
	SSL_CTX *ctx = faulty_ctx(w, f, true, version);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	struct app *a = world_connect(w, SS_PROTO_H2);
	far_server(w, &far, ctx, w->tcp.newest);
	far_run(w, &far, 80);
	if (far.alert != f->alert_12)
		fail_msg("%s: alert %d, not %d", f->name, far.alert, f->alert_12);
	assert_int_equal(a->events, f->drop ? SS_TLS_EV_FAILED : SS_TLS_EV_CONNECTED);
	assert_int_equal(a->reason, f->drop);
	assert_int_equal(far.done, f->drop == 0);
	check_told(w, f, false);
	far_free(&far);
	SSL_CTX_free(ctx);
	world_free(w);
}

static void test_servers_with_faults(void **state)
{
	for (size_t i = 0; i < SS_ARRAY_LEN(faults); i++) {
		if (faults[i].no_cert || faults[i].client_only)
			continue;
		one_server(&faults[i], TLS1_3_VERSION);
		one_server(&faults[i], TLS1_2_VERSION);
	}
}

/* Without identities the server's name is verified. */
static void test_names_of_servers(void **state)
{
	const struct {
		const char *san;
		struct ss_span sni;
		enum ss_drop drop;
	} runs[] = {
		{ "DNS:a.example", SS_SPAN("a.example"), 0 },
		{ "DNS:a.example", SS_SPAN("b.example"), SS_DROP_TLS_IDENTITY },
		{ "DNS:*.mesh.example", SS_SPAN("b.mesh.example"), 0 },
		{ "DNS:*.mesh.example", SS_SPAN("c.b.mesh.example"), SS_DROP_TLS_IDENTITY },
		{ "IP:10.0.0.9", SS_SPAN("10.0.0.9"), 0 },
		{ "IP:10.0.0.9", SS_SPAN("10.0.0.8"), SS_DROP_TLS_IDENTITY },
		{ ID_A, SS_SPAN("a.example"), SS_DROP_TLS_IDENTITY },
	};

	for (size_t i = 0; i < SS_ARRAY_LEN(runs); i++) {
		struct world *w = &world;
		const struct fault f = { .leaf = { .san = runs[i].san } };
		struct far far;

		world_init(w, "names", 23);
		own_certs(w, TLS1_3_VERSION);
		w->client.n_ids = 0;
		w->client.sni = runs[i].sni;
		SSL_CTX *ctx = faulty_ctx(w, &f, true, TLS1_3_VERSION);
		struct app *a = world_connect(w, SS_PROTO_H2);
		far_server(w, &far, ctx, w->tcp.newest);
		far_run(w, &far, 60);
		assert_int_equal(a->reason, runs[i].drop);
		assert_int_equal(a->events & SS_TLS_EV_CONNECTED, runs[i].drop ? 0 : SS_TLS_EV_CONNECTED);
		if (!runs[i].drop) /* the server did not ask for our certificate */
			assert_int_equal(ss_tls_peer(a->c)->tls, 1);
		far_free(&far);
		SSL_CTX_free(ctx);
		world_free(w);
	}
}

static void test_nobody_is_not_everybody(void **state)
{
	struct world *w = &world;
	const struct ss_addr remote = { .ip = ss_ip4(0x0a000009), .port = 8443 };
	struct ss_tls_conn *c;

	world_init(w, "nobody", 24);
	own_certs(w, TLS1_3_VERSION);
	w->client.n_ids = 0;
	assert_int_equal(ss_tls_connect(w->tls, &remote, &w->client, SS_PROTO_H2, w->now, &c), SS_ERR_REFUSED);
	world_turn(w);
	assert_int_equal(ss_tls_conns(w->tls), 0);
	world_free(w);
}

/* TLS 1.3: our handshake is done before the server looks at our certificate. */
static void test_refused_by_the_server_late(void **state)
{
	struct world *w = &world;
	const struct fault good = { .leaf = { .san = ID_A } };
	struct far far;
	struct ss_event ev;

	world_init(w, "late", 25);
	own_certs(w, TLS1_3_VERSION);
	SSL_CTX_free(w->client.ctx[0]);
	w->client.ctx[0] = sim_ctx(false, NULL, &w->ca, TLS1_3_VERSION);
	SSL_CTX *ctx = faulty_ctx(w, &good, true, TLS1_3_VERSION);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	struct app *a = world_connect(w, SS_PROTO_H2);
	far_server(w, &far, ctx, w->tcp.newest);
	far_run(w, &far, 60);
	assert_int_equal(a->events, SS_TLS_EV_CONNECTED | SS_TLS_EV_FAILED);
	assert_int_equal(a->reason, SS_DROP_TLS_HANDSHAKE);
	assert_true(world_event(w, &ev));
	assert_non_null(memmem(ev.text, sizeof(ev.text), "certificate required", 20));
	far_free(&far);
	SSL_CTX_free(ctx);
	world_free(w);
}

static void strict_gets(struct world *w, const void *p, uint32_t n, enum ss_drop drop, int alert)
{
	struct ss_tcp_conn *tcp = fake_accept(&w->tcp, SERVER_COOKIE);
	uint64_t before = world_drops(w, drop);
	uint8_t got[64];

	fake_deliver(tcp, p, n);
	world_turns(w, 4);
	assert_int_equal(world_drops(w, drop), before + 1);
	assert_int_equal(ss_bufq_read(&tcp->tx, 0, got, sizeof(got)), SS_TLSREC_ALERT);
	assert_int_equal(got[0], SS_TLSREC_TYPE_ALERT);
	assert_int_equal(got[6], alert);
	assert_true(tcp->fin && !tcp->released);
	fake_fin(tcp);
	world_turns(w, 2);
	assert_true(tcp->released);
}

static void test_plaintext_on_a_strict_port(void **state)
{
	struct world *w = &world;
	const uint8_t ssl2[] = { 0x80, 0x2e, 1, 0, 2, 0 };
	const uint8_t odd[] = { 22, 9, 9, 0, 1, 1 };
	uint8_t hello[600] = { 22, 3, 1, 0x02, 0x53, 9, 0, 0x02, 0x4f };

	world_init(w, "strict", 26);
	own_certs(w, TLS1_3_VERSION);
	strict_gets(w, "GET / HTTP/1.1\r\n\r\n", 18, SS_DROP_TLS_PLAINTEXT, SSL_AD_UNEXPECTED_MESSAGE);
	strict_gets(w, "PRI * HTTP/2.0\r\n\r\n", 18, SS_DROP_TLS_PLAINTEXT, SSL_AD_UNEXPECTED_MESSAGE);
	strict_gets(w, ssl2, sizeof(ssl2), SS_DROP_TLS_PLAINTEXT, SSL_AD_UNEXPECTED_MESSAGE);
	strict_gets(w, odd, sizeof(odd), SS_DROP_TLS_PLAINTEXT, SSL_AD_UNEXPECTED_MESSAGE);
	/* A handshake record, but no ClientHello in it. */
	strict_gets(w, hello, sizeof(hello), SS_DROP_TLS_HANDSHAKE, SSL_AD_UNEXPECTED_MESSAGE);
	assert_null(world_served(w));
	world_free(w);
}

static void test_time_for_a_handshake(void **state)
{
	struct world *w = &world;

	world_init(w, "slow", 27);
	own_certs(w, TLS1_3_VERSION);
	struct ss_tcp_conn *silent = fake_accept(&w->tcp, SERVER_COOKIE);
	struct ss_tcp_conn *slow = fake_accept(&w->tcp, SERVER_COOKIE);
	fake_deliver(slow, "\x16\x03\x01\x02", 4);
	world_turns(w, 4);
	w->now += 4 * SS_NS_PER_SEC;
	world_turns(w, 4);
	assert_false(silent->fin || slow->fin);
	w->now += SS_NS_PER_SEC + 20 * SS_NS_PER_MS;
	world_turns(w, 4);
	assert_true(silent->fin && slow->fin);
	assert_int_equal(world_drops(w, SS_DROP_TLS_TIMEOUT), 2);
	/* Those that do not answer our FIN are let go, too. */
	w->now += SS_NS_PER_SEC + 20 * SS_NS_PER_MS;
	world_turns(w, 4);
	assert_int_equal(ss_tls_conns(w->tls), 0);
	assert_int_equal(ss_tls_next(w->tls), SS_NEVER);
	world_free(w);
}

static void test_gone_in_the_handshake(void **state)
{
	struct world *w = &world;

	world_init(w, "gone", 28);
	own_certs(w, TLS1_3_VERSION);
	struct ss_tcp_conn *probe = fake_accept(&w->tcp, SERVER_COOKIE);
	fake_fin(probe);
	struct ss_tcp_conn *half = fake_accept(&w->tcp, SERVER_COOKIE);
	fake_deliver(half, "\x16\x03\x01\x02\x00\x01", 6);
	fake_fin(half);
	struct ss_tcp_conn *reset = fake_accept(&w->tcp, SERVER_COOKIE);
	fake_deliver(reset, "\x16\x03\x01\x02\x00\x01", 6);
	world_turns(w, 2);
	fake_rst(reset);
	world_turns(w, 4);
	/* A port probe is no refusal, and tcp has counted the reset. */
	assert_int_equal(world_drops(w, SS_DROP_TLS_HANDSHAKE), 1);
	assert_int_equal(ss_tls_conns(w->tls), 0);
	world_free(w);
}

static void test_a_record_that_was_touched(void **state)
{
	struct world *w = &world;
	const struct fault good = { .leaf = { .san = ID_A } };
	struct far far;
	uint8_t record[] = { 23, 3, 3, 0, 20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20 };

	world_init(w, "touched", 29);
	own_certs(w, TLS1_3_VERSION);
	SSL_CTX *ctx = faulty_ctx(w, &good, false, TLS1_3_VERSION);
	far_client(w, &far, ctx);
	far_run(w, &far, 60);
	far_send(&far, "good", 4);
	far_run(w, &far, 10);
	fake_deliver(far.tcp, record, sizeof(record));
	far_run(w, &far, 10);
	struct app *b = world_served(w);
	assert_int_equal(b->n, 4);
	assert_int_equal(b->reason, SS_DROP_TLS_RECORD);
	assert_int_equal(far.alert, SSL_AD_BAD_RECORD_MAC);
	assert_int_equal(world_drops(w, SS_DROP_TLS_RECORD), 1);
	far_free(&far);
	SSL_CTX_free(ctx);
	world_free(w);
}

static void test_too_many_connections(void **state)
{
	struct world *w = &world;

	world_init(w, "many", 30);
	own_certs(w, TLS1_3_VERSION);
	for (int i = 0; i < 33; i++)
		fake_accept(&w->tcp, SERVER_COOKIE);
	world_turns(w, 2);
	assert_int_equal(world_drops(w, SS_DROP_TLS_CONNS_FULL), 1);
	assert_true(w->tcp.newest->aborted);
	assert_int_equal(ss_tls_conns(w->tls), 32);
	w->now += 6 * SS_NS_PER_SEC;
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clients_with_faults),
		cmocka_unit_test(test_servers_with_faults),
		cmocka_unit_test(test_names_of_servers),
		cmocka_unit_test(test_nobody_is_not_everybody),
		cmocka_unit_test(test_refused_by_the_server_late),
		cmocka_unit_test(test_plaintext_on_a_strict_port),
		cmocka_unit_test(test_time_for_a_handshake),
		cmocka_unit_test(test_gone_in_the_handshake),
		cmocka_unit_test(test_a_record_that_was_touched),
		cmocka_unit_test(test_too_many_connections),
	};

	int failed = 0;
	for (const struct world_backend *b = world_backends; b->name; b++) {
		world_records = b->records;
		failed += cmocka_run_group_tests_name(b->name, tests, NULL, NULL);
	}
	return failed;
}
