/*
 * Our record layer beside libssl. A peer that knows the keys sends what libssl's own API never would, cut at
 * every place; the same script runs against a room of ours and against a room whose records libssl does, and
 * both must deliver the same bytes, send the same alert and give the same reason. Then bulk: libssl at the far
 * end, random sizes, padding, new keys.
 *
 * usage: tls_records_test [scripts [records [seed]]]
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/err.h"
#include "contract/tickets.h"
#include "tls/tls_keys.h"
#include "tls/tls_world_sim.h"
#include "wire/tlsrec.h"

#define MAX_RECORD (SS_TLSREC_HEADER + 65535)

static const char *const suite_names[] = { "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
					   "TLS_CHACHA20_POLY1305_SHA256" };
static uint32_t n_scripts = 60, n_records = 1500;
static uint64_t seed = 1;

static struct world world;

/* -- a peer that holds its own keys -- */

struct attacker {
	struct far f;
	struct tls_half h; /* what it sends with, in place of libssl */
	struct ss_rng rng;
	bool server;
};

/* The key log of the peer: libssl tells the secret, the product's key schedule (checked elsewhere) uses it. */
static struct attacker *listening;

static void on_key(const SSL *ssl, const char *line)
{
	const char *label = listening->server ? "SERVER_TRAFFIC_SECRET_0 " : "CLIENT_TRAFFIC_SECRET_0 ";
	const char *at = strrchr(line, ' ') + 1;
	long n;

	if (strncmp(line, label, strlen(label)) != 0)
		return;
	unsigned char *secret = OPENSSL_hexstr2buf(at, &n);
	if (!secret)
		abort();
	memcpy(listening->h.secret, secret, (size_t)n);
	listening->h.secret_n = (uint8_t)n;
	OPENSSL_free(secret);
}

static SSL_CTX *peer_ctx(struct world *w, bool server, uint32_t suite)
{
	struct sim_cert c = sim_leaf(&w->ca, &(struct sim_leaf){ .san = "URI:spiffe://mesh.local/x" });
	SSL_CTX *ctx = sim_ctx(server, &c, &w->ca, TLS1_3_VERSION);

	sim_cert_free(&c);
	SSL_CTX_set_ciphersuites(ctx, suite_names[suite]);
	SSL_CTX_set_keylog_callback(ctx, on_key);
	return ctx;
}

static uint32_t seal(struct attacker *a, uint8_t *out, const uint8_t *inner, uint32_t n)
{
	static const struct {
		const EVP_CIPHER *(*get)(void);
	} by[] = { { EVP_aes_128_gcm }, { EVP_aes_256_gcm }, { EVP_chacha20_poly1305 } };
	EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
	uint8_t nonce[TLS_IV];
	int k;

	ss_tls_nonce(&a->h, nonce);
	a->h.seq++;
	ss_tlsrec_protect(out, (uint16_t)(n + TLS_TAG));
	if (EVP_EncryptInit_ex(x, by[a->h.alg].get(), NULL, a->h.key, nonce) != 1 ||
	    EVP_EncryptUpdate(x, NULL, &k, out, SS_TLSREC_HEADER) != 1 ||
	    EVP_EncryptUpdate(x, out + SS_TLSREC_HEADER, &k, inner, (int)n) != 1 ||
	    EVP_EncryptFinal_ex(x, out, &k) != 1 ||
	    EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_GET_TAG, TLS_TAG, out + SS_TLSREC_HEADER + n) != 1)
		abort();
	EVP_CIPHER_CTX_free(x);
	return SS_TLSREC_HEADER + n + TLS_TAG;
}

/* Delivers in pieces of random sizes; now and then byte by byte. */
static void deliver(struct world *w, struct attacker *a, const uint8_t *p, uint32_t n)
{
	uint32_t most = ss_rng_chance(&a->rng, 1, 10) ? 1 : ss_rng_chance(&a->rng, 1, 3) ? 40 : 1460;

	if (n > 3000 && most < 40)
		most = 1460;
	for (uint32_t i = 1; n; i++) {
		uint32_t k = ss_min_u32(1 + ss_rng_below(&a->rng, most), n);

		if (a->f.tcp->released)
			return;
		fake_deliver(a->f.tcp, p, k);
		/* Each piece is an mbuf until a turn has seen it. */
		if (ss_rng_chance(&a->rng, 1, 4) || i % 64 == 0)
			far_run(w, &a->f, 1);
		p += k;
		n -= k;
	}
}

/* content of inner type `type`, with `pad` zeros behind. */
static void send_record(struct world *w, struct attacker *a, uint8_t type, const void *content, uint32_t n, uint32_t pad)
{
	static uint8_t inner[MAX_RECORD], out[MAX_RECORD + 64];

	memcpy(inner, content, n);
	inner[n] = type;
	memset(inner + n + 1, 0, pad);
	deliver(w, a, out, seal(a, out, inner, n + 1 + pad));
}

/* -- the steps of a script -- */

static uint8_t noise[70000];

static void step_data(struct world *w, struct attacker *a)
{
	uint32_t n = ss_rng_below(&a->rng, ss_rng_chance(&a->rng, 1, 6) ? SS_TLSREC_MAX_PLAIN + 1 : 300);
	uint32_t most = SS_TLSREC_MAX_PROTECTED - TLS_TAG - 1 - n;
	uint32_t pad = ss_rng_chance(&a->rng, 1, 3) ? ss_rng_below(&a->rng, ss_min_u32(most, 5000)) : 0;

	send_record(w, a, 23, noise + ss_rng_below(&a->rng, 1000), n, pad);
}

static void step_full(struct world *w, struct attacker *a)
{
	/* 16384 to 16387 bytes; padding up to the last byte that a record may have, and one more. */
	uint32_t n = SS_TLSREC_MAX_PLAIN - 2 + ss_rng_below(&a->rng, 4);
	uint32_t most = SS_TLSREC_MAX_PROTECTED - TLS_TAG - 1 - n;

	send_record(w, a, 23, noise, n, ss_rng_chance(&a->rng, 1, 2) ? 0 : most + ss_rng_below(&a->rng, 2));
}

static void step_empty(struct world *w, struct attacker *a)
{
	uint32_t many = ss_rng_chance(&a->rng, 1, 4) ? 30 + ss_rng_below(&a->rng, 5) : 1 + ss_rng_below(&a->rng, 3);

	while (many--)
		send_record(w, a, 23, "", 0, ss_rng_below(&a->rng, 3));
}

static void step_zeros(struct world *w, struct attacker *a)
{
	send_record(w, a, 0, "\0\0\0\0\0\0\0\0", ss_rng_below(&a->rng, 8), 0);
}

static void step_type(struct world *w, struct attacker *a)
{
	send_record(w, a, (uint8_t)ss_rng_below(&a->rng, 30), noise, ss_rng_below(&a->rng, 20), 0);
}

static void step_alert(struct world *w, struct attacker *a)
{
	static const uint8_t known[] = { 0, 10, 20, 42, 48, 80, 90, 90, 100, 110, 255 };
	uint8_t alert[3] = { (uint8_t)(ss_rng_chance(&a->rng, 1, 10) ? ss_rng_below(&a->rng, 256) :
								       1 + ss_rng_below(&a->rng, 2)),
			     known[ss_rng_below(&a->rng, sizeof(known))], 0 };

	/* SSL_get_error() looks at the last warning: a "fatal" close_notify after another one confuses it. */
	if (alert[1] == SS_TLS_ALERT_CLOSE_NOTIFY)
		alert[0] = SS_TLS_WARNING;
	send_record(w, a, 21, alert, ss_rng_chance(&a->rng, 1, 6) ? ss_rng_below(&a->rng, 4) : 2, 0);
}

static void step_canceled(struct world *w, struct attacker *a)
{
	for (uint32_t many = 3 + ss_rng_below(&a->rng, 3); many; many--)
		send_record(w, a, 21, "\1\x5a", 2, 0);
}

/* A KeyUpdate as it should be, maybe in parts. */
static void step_update(struct world *w, struct attacker *a)
{
	const uint8_t m[] = { 24, 0, 0, 1, (uint8_t)ss_rng_below(&a->rng, 2) };
	uint32_t cut = ss_rng_chance(&a->rng, 1, 2) ? 5 : 1 + ss_rng_below(&a->rng, 4);

	send_record(w, a, 22, m, cut, ss_rng_below(&a->rng, 4));
	if (cut < 5) {
		if (ss_rng_chance(&a->rng, 1, 8))
			send_record(w, a, 23, "between", 7, 0);
		send_record(w, a, 22, m + cut, 5 - cut, 0);
	}
	if (!ss_tls_keys_update(&a->h))
		abort();
}

/* Not the one without a body: for it libssl has two alerts, by what follows in the same read. */
static void step_bad_update(struct world *w, struct attacker *a)
{
	static const struct {
		uint8_t bytes[12];
		uint32_t n;
	} bad[] = { { { 24, 0, 0, 1, 2 }, 5 },	   { { 24, 0, 0, 2, 0, 0 }, 6 },
		    { { 24, 0, 0, 1, 0, 24, 0, 0, 1, 0 }, 10 }, { { 24, 1, 0, 0, 0 }, 5 },  { { 24, 0, 0, 1, 1, 0 }, 6 } };
	uint32_t i = ss_rng_below(&a->rng, SS_ARRAY_LEN(bad));

	send_record(w, a, 22, bad[i].bytes, bad[i].n, 0);
}

/* Messages that have no business here; a ticket comes from a server only. Never one without a body, as above;
 * an empty HelloRequest, which TLS 1.3 does not have, libssl's client even lets pass. */
static void step_message(struct world *w, struct attacker *a)
{
	static const uint8_t types[] = { 0, 1, 2, 8, 11, 13, 15, 20, 25, 254 };
	uint8_t m[64] = { types[ss_rng_below(&a->rng, sizeof(types))], 0, 0, (uint8_t)(1 + ss_rng_below(&a->rng, 19)) };

	if (!a->server && ss_rng_chance(&a->rng, 1, 4))
		m[0] = SS_TLS_NEW_SESSION_TICKET;
	send_record(w, a, 22, m, 4u + m[3], 0);
}

/* A well-formed NewSessionTicket of a server, one or two, in parts. */
static void step_ticket(struct world *w, struct attacker *a)
{
	uint8_t m[120] = { 4, 0, 0, 50, 0, 0, 14, 16, 1, 2, 3, 4, 3, 'n', 'o', 'n', 0, 34 };

	memcpy(m + 54, m, 54);
	uint32_t n = ss_rng_chance(&a->rng, 1, 2) ? 54 : 108, cut = 1 + ss_rng_below(&a->rng, n);
	if (!a->server)
		return;
	send_record(w, a, 22, m, cut, 0);
	if (cut < n)
		send_record(w, a, 22, m + cut, n - cut, 0);
}

/* One record of the right keys, one byte of it changed. */
static void step_mutant(struct world *w, struct attacker *a)
{
	static uint8_t inner[600], out[700];
	uint32_t n = 1 + ss_rng_below(&a->rng, sizeof(inner) - 1);

	memcpy(inner, noise, n);
	inner[n - 1] = 23;
	n = seal(a, out, inner, n);
	uint32_t at = ss_rng_below(&a->rng, ss_rng_chance(&a->rng, 1, 2) ? n : 7);
	/* A length that grows needs more bytes than come: it is no refusal. */
	out[at] ^= (uint8_t)(1 + ss_rng_below(&a->rng, 255));
	if (at == 3 || at == 4) {
		memset(out + 5, 7, sizeof(out) - 5);
		if (ss_get_be16(out + 3) < sizeof(out) - 5)
			n = 5u + ss_get_be16(out + 3);
	}
	deliver(w, a, out, n);
}

/* Records that were never protected: as an attacker on the wire could add them. A change_cipher_spec after Finished is an
 * unexpected_message (RFC 8446 5); libssl since 3.2 lets some pass, by what it has read before. */
static void step_plain(struct world *w, struct attacker *a)
{
	static const struct {
		uint8_t bytes[9];
		uint8_t n;
	} raw[] = { { { 20, 3, 3, 0, 1, 1 }, 6 }, { { 21, 3, 3, 0, 2, 2, 40 }, 7 }, { { 21, 3, 3, 0, 2, 1, 0 }, 7 },
		    { { 22, 3, 3, 0, 4, 1, 0, 0, 0 }, 9 }, { { 23, 3, 3, 0, 0 }, 5 }, { { 23, 3, 3, 0, 4, 1, 2, 3, 4 }, 9 },
		    { { 23, 3, 1, 0, 1, 0 }, 6 }, { { 'G', 'E', 'T', ' ', '/', 'x' }, 6 }, { { 24, 3, 3, 0, 1, 0 }, 6 } };
	uint32_t i = ss_rng_below(&a->rng, SS_ARRAY_LEN(raw));

	if (raw[i].bytes[0] == 20 && OPENSSL_VERSION_NUMBER >= 0x30200000L)
		i++;
	deliver(w, a, raw[i].bytes, raw[i].n);
}

/* The record before once more, out of its order. */
static void step_replay(struct world *w, struct attacker *a)
{
	if (a->h.seq == 0)
		return;
	a->h.seq--;
	send_record(w, a, 23, "replay", 6, 0);
}

static void step_skip(struct world *w, struct attacker *a)
{
	a->h.seq++;
	send_record(w, a, 23, "skipped one", 11, 0);
}

static void step_answer(struct world *w, struct attacker *a);

/* Data and new keys often, so that scripts get somewhere before they are refused. */
static void (*const steps[])(struct world *w, struct attacker *a) = {
	step_data,  step_data,	 step_data,  step_data,	      step_data,    step_data, step_data,  step_data,
	step_data,  step_data,	 step_data,  step_update,     step_update,  step_update, step_answer, step_answer,
	step_ticket, step_ticket, step_empty, step_full,	      step_canceled, step_zeros, step_type, step_alert,
	step_bad_update, step_message, step_mutant, step_mutant, step_plain,   step_replay, step_skip,
};

/* -- what came of it -- */

struct result {
	uint32_t n, events, told, answered;
	int alert;
	enum ss_drop reason;
	uint32_t digest;
	bool eof, fin;
};

static uint32_t digest(const uint8_t *p, uint32_t n)
{
	uint32_t d = 17;

	while (n--)
		d = d * 31 + *p++;
	return d;
}

static struct app *ours(struct world *w)
{
	return &w->app[0];
}

/* The other direction works in between: the peer reads it with libssl. */
static void step_answer(struct world *w, struct attacker *a)
{
	struct app *app = ours(w);
	uint32_t n = 1 + ss_rng_below(&a->rng, 500);

	if (app->c && !(app->events & SS_TLS_EV_FAILED))
		(void)app_send(w, app, noise, n);
	far_run(w, &a->f, 2);
}

static void one_run(struct result *out, uint64_t script, enum ss_tls_records records)
{
	struct world *w = &world;
	struct attacker a = { .server = script & 1 };
	uint32_t suite = (uint32_t)(script / 2) % 3;

	world_records = records;
	world_init(w, "script", script);
	w->server.client_certificate = false;
	struct sim_cert c = sim_leaf(&w->ca, &(struct sim_leaf){ .san = "URI:spiffe://mesh.local/y" });
	w->server.ctx[0] = sim_ctx(true, &c, &w->ca, TLS1_3_VERSION);
	w->client.ctx[0] = sim_ctx(false, &c, &w->ca, TLS1_3_VERSION);
	sim_cert_free(&c);
	ss_rng_seed(&a.rng, script + 1000);
	SSL_CTX *ctx = peer_ctx(w, a.server, suite);
	listening = &a;
	w->tcp.no_split = true;
	if (a.server) {
		world_connect(w, SS_PROTO_H2);
		far_server(w, &a.f, ctx, w->tcp.newest);
	} else {
		far_client(w, &a.f, ctx);
	}
	for (int i = 0; i < 60 && !(a.f.done && w->app[0].events); i++)
		far_run(w, &a.f, 1);
	a.h.alg = ss_tls_suite_of((uint8_t)suite)->alg;
	if (!a.f.done || !ours(w)->events || !ss_tls_keys_derive(&a.h))
		fail_msg("script %llu: no handshake", (unsigned long long)script);
	far_run(w, &a.f, 5);
	struct app *app = ours(w);
	uint32_t many = 2 + ss_rng_below(&a.rng, 12);
	while (many-- && app->c && !(app->events & (SS_TLS_EV_FAILED | SS_TLS_EV_EOF)))
		steps[ss_rng_below(&a.rng, SS_ARRAY_LEN(steps))](w, &a);
	far_run(w, &a.f, 10);
	bool fin = a.f.tcp->fin;
	fake_fin(a.f.tcp);
	far_run(w, &a.f, 6);
	*out = (struct result){ .n = app->n, .events = app->events, .answered = a.f.n, .alert = a.f.alert,
				.reason = app->reason, .digest = digest(app->data, app->n), .eof = a.f.eof, .fin = fin };
	for (int d = 0; d < SS_DROP_COUNT; d++)
		out->told += (uint32_t)w->counters.drops[d];
	far_free(&a.f);
	SSL_CTX_free(ctx);
	world_free(w);
}

/* Which alert a record gets that has both another type and another version, or a version of another protocol, RFC 8446
 * 5.1 leaves open. Ours is libssl 3.0's; since 3.2 libssl looks at the type first, and at the version as a whole. And it
 * takes an unknown warning for a fatal alert before it counts that there were five, so that it answers none and the peer's
 * libssl sees no end that was announced. */
static void allow(const struct result *libssl, struct result *ours)
{
	bool header = libssl->alert == SS_TLS_ALERT_UNEXPECTED_MESSAGE || libssl->alert == SS_TLS_ALERT_DECODE_ERROR;

	if (OPENSSL_VERSION_NUMBER < 0x30200000L)
		return;
	if (ours->alert == SS_TLS_ALERT_PROTOCOL_VERSION && header)
		ours->alert = libssl->alert;
	if (ours->alert == SS_TLS_ALERT_UNEXPECTED_MESSAGE && libssl->alert < 0) {
		ours->alert = libssl->alert;
		ours->eof = libssl->eof;
	}
}

static void compare(uint64_t script, const struct result *a, struct result *b, const char *name)
{
	allow(a, b);
	if (memcmp(a, b, sizeof(*a)) != 0)
		fail_msg("script %llu, libssl and %s: bytes %u %u, alert %d %d, reason %s %s, events %x %x, refusals %u %u, "
			 "answer %u %u, fin %d %d",
			 (unsigned long long)script, name, a->n, b->n, a->alert, b->alert, ss_drop_name(a->reason),
			 ss_drop_name(b->reason), a->events, b->events, a->told, b->told, a->answered, b->answered, a->fin,
			 b->fin);
}

static void test_scripts_as_libssl(void **state)
{
	uint32_t refused = 0, alerts[256] = { 0 };

	for (uint64_t i = 0; i < n_scripts; i++) {
		struct result want, got;

		memset(&want, 0, sizeof(want));
		one_run(&want, seed + i, SS_TLS_RECORDS_OPENSSL);
		refused += want.reason != 0;
		if (want.alert >= 0)
			alerts[want.alert]++;
		for (const struct world_backend *b = world_backends; b->name; b++) {
			if (b->records == SS_TLS_RECORDS_OPENSSL)
				continue;
			memset(&got, 0, sizeof(got));
			one_run(&got, seed + i, b->records);
			compare(seed + i, &want, &got, b->name);
		}
	}
	print_message("%u scripts from seed %llu: %u refused; by alert", n_scripts, (unsigned long long)seed, refused);
	for (int i = 0; i < 256; i++)
		if (alerts[i])
			print_message(" %d:%u", i, alerts[i]);
	print_message("\n");
	/* The scripts must do what they are for. */
	assert_true(refused > n_scripts / 4);
}

/* -- bulk -- */

static size_t padding(SSL *ssl, int type, size_t len, void *arg)
{
	struct ss_rng *r = arg;

	return type == SSL3_RT_APPLICATION_DATA && ss_rng_chance(r, 1, 4) ? ss_rng_below(r, 300) : 0;
}

/* Segments of the application's own sizes, some of them seen by someone else as well. */
static void send_pieces(struct world *w, struct app *app, const uint8_t *p, uint32_t n, struct rte_mbuf **keep)
{
	struct ss_bufq q;

	ss_bufq_init(&q);
	while (n) {
		struct rte_mbuf *m = ss_buf_alloc(&w->bufs);
		uint32_t k = ss_min_u32(1 + ss_rng_below(&w->rng, ss_rng_chance(&w->rng, 1, 3) ? 20 : 1800), n);

		if (!m)
			abort();
		if (ss_rng_chance(&w->rng, 1, 8))
			m->data_off = (uint16_t)ss_rng_below(&w->rng, 5);
		memcpy(rte_pktmbuf_append(m, (uint16_t)k), p, k);
		if (!*keep && ss_rng_chance(&w->rng, 1, 10)) {
			*keep = m;
			rte_mbuf_refcnt_update(m, 1);
		}
		ss_bufq_push(&q, m);
		p += k;
		n -= k;
	}
	(void)ss_tls_send(app->c, &q);
}

static void bulk(enum ss_tls_records records, bool server, uint32_t suite, uint32_t records_n)
{
	struct world *w = &world;
	struct attacker a = { .server = server };

	world_records = records;
	world_init(w, "bulk", seed + suite);
	struct sim_cert c = sim_leaf(&w->ca, &(struct sim_leaf){ .san = "URI:spiffe://mesh.local/y" });
	w->server.ctx[0] = sim_ctx(true, &c, &w->ca, TLS1_3_VERSION);
	w->client.ctx[0] = sim_ctx(false, &c, &w->ca, TLS1_3_VERSION);
	sim_cert_free(&c);
	SSL_CTX *ctx = peer_ctx(w, server, suite);
	SSL_CTX_set_record_padding_callback(ctx, padding);
	SSL_CTX_set_record_padding_callback_arg(ctx, &w->rng);
	if (server) /* tickets: the client drops them */
		SSL_CTX_clear_options(ctx, SSL_OP_NO_TICKET), SSL_CTX_set_num_tickets(ctx, 2);
	listening = &a;
	if (server) {
		world_connect(w, SS_PROTO_H2);
		far_server(w, &a.f, ctx, w->tcp.newest);
	} else {
		far_client(w, &a.f, ctx);
	}
	far_run(w, &a.f, 80);
	struct app *app = ours(w);
	assert_true(a.f.done && app->events);
	for (uint32_t i = 0; i < records_n; i++) {
		uint32_t up = ss_rng_below(&w->rng, ss_rng_chance(&w->rng, 1, 10) ? 16385 : 500), up_at = ss_rng_below(&w->rng, 1000);
		uint32_t down = 1 + ss_rng_below(&w->rng, ss_rng_chance(&w->rng, 1, 10) ? 30000 : 500);
		struct rte_mbuf *keep = NULL;
		const uint8_t *kept_at = NULL;
		uint32_t kept_n = 0;
		uint8_t before[64];

		app->n = a.f.n = 0;
		if (up)
			far_send(&a.f, noise + up_at, (int)up);
		if (ss_rng_chance(&w->rng, 1, 20))
			SSL_key_update(a.f.ssl, ss_rng_chance(&w->rng, 1, 2) ? SSL_KEY_UPDATE_REQUESTED :
									       SSL_KEY_UPDATE_NOT_REQUESTED);
		send_pieces(w, app, noise + up_at, down, &keep);
		if (keep) {
			kept_at = rte_pktmbuf_mtod(keep, uint8_t *);
			kept_n = ss_min_u32(keep->data_len, sizeof(before));
			memcpy(before, kept_at, kept_n);
		}
		for (int t = 0; t < 200 && (app->n < up || a.f.n < down); t++)
			far_run(w, &a.f, 1);
		assert_int_equal(app->n, up);
		assert_int_equal(a.f.n, down);
		assert_memory_equal(app->data, noise + up_at, up);
		assert_memory_equal(a.f.data, noise + up_at, down);
		if (keep) { /* what someone else can see is never sealed in place */
			assert_memory_equal(before, kept_at, kept_n);
			rte_pktmbuf_free(keep);
		}
	}
	if (server && records != SS_TLS_RECORDS_OPENSSL)
		assert_int_equal(w->counters.v[SS_C_TLS_TICKETS_DROPPED], 2);
	far_free(&a.f);
	SSL_CTX_free(ctx);
	world_free(w);
}

static void test_bulk_with_libssl(void **state)
{
	for (const struct world_backend *b = world_backends; b->name; b++)
		for (uint32_t i = 0; i < 6; i++)
			bulk(b->records, i & 1, i / 2, n_records / 6);
}

/* A server's tickets take the first numbers of its sequence: ours goes on behind them. */
static void test_tickets_of_a_server(void **state)
{
	for (const struct world_backend *b = world_backends; b->name; b++)
		for (uint32_t k = 0; k < 4; k++) {
			struct world *w = &world;
			struct attacker a = { 0 };

			struct ss_ticket_ring *ring;

			assert_int_equal(ss_ticket_ring_create(&ring), 0);
			ss_ticket_ring_turn(ring, &(struct ss_ticket_key){ .name = "k" });
			world_records = b->records;
			world_tickets = ring;
			world_init(w, "tickets", 5);
			struct sim_cert c = sim_leaf(&w->ca, &(struct sim_leaf){ .san = "URI:spiffe://mesh.local/y" });
			w->server.ctx[0] = sim_ctx(true, &c, &w->ca, TLS1_3_VERSION);
			SSL_CTX_set_session_id_context(w->server.ctx[0], (const unsigned char *)"s", 1);
			SSL_CTX_clear_options(w->server.ctx[0], SSL_OP_NO_TICKET);
			SSL_CTX_set_num_tickets(w->server.ctx[0], k);
			sim_cert_free(&c);
			SSL_CTX *ctx = peer_ctx(w, false, 0);
			SSL_CTX_clear_options(ctx, SSL_OP_NO_TICKET);
			listening = &a;
			far_client(w, &a.f, ctx);
			far_run(w, &a.f, 60);
			struct app *app = ours(w);
			assert_int_equal(app_send(w, app, "hello", 5), 0);
			far_send(&a.f, "hi", 2);
			far_run(w, &a.f, 20);
			assert_int_equal(a.f.n, 5);
			assert_int_equal(app->n, 2);
			assert_int_equal(SSL_SESSION_is_resumable(SSL_get_session(a.f.ssl)), k > 0);
			far_free(&a.f);
			SSL_CTX_free(ctx);
			world_free(w);
			world_tickets = NULL;
			ss_ticket_ring_free(ring);
		}
}

static SSL_SESSION *kept[8];
static int n_kept;

static int keep(SSL *ssl, SSL_SESSION *s)
{
	kept[n_kept++ % 8] = s;
	return 1;
}

/* A client that keeps sessions gets every ticket, also behind new keys of the server, and can resume with it. */
static void test_tickets_of_a_client(void **state)
{
	for (const struct world_backend *b = world_backends; b->name; b++) {
		struct world *w = &world;
		struct attacker a = { .server = true };

		world_records = b->records;
		world_init(w, "kept", 6);
		struct sim_cert c = sim_leaf(&w->ca, &(struct sim_leaf){ .san = "URI:spiffe://mesh.local/y" });
		w->client.ctx[0] = sim_ctx(false, &c, &w->ca, TLS1_3_VERSION);
		SSL_CTX_set_session_cache_mode(w->client.ctx[0], SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(w->client.ctx[0], keep);
		sim_cert_free(&c);
		SSL_CTX *ctx = peer_ctx(w, true, 1);
		SSL_CTX_clear_options(ctx, SSL_OP_NO_TICKET);
		SSL_CTX_set_num_tickets(ctx, 2);
		listening = &a;
		n_kept = 0;
		struct app *app = world_connect(w, SS_PROTO_H2);
		far_server(w, &a.f, ctx, w->tcp.newest);
		far_run(w, &a.f, 60);
		assert_int_equal(n_kept, 2);
		far_send(&a.f, "data", 4);
		SSL_key_update(a.f.ssl, SSL_KEY_UPDATE_REQUESTED);
		far_send(&a.f, "more", 4);
		assert_int_equal(SSL_new_session_ticket(a.f.ssl), 1);
		SSL_do_handshake(a.f.ssl);
		far_send(&a.f, "last", 4);
		assert_int_equal(app_send(w, app, "answer", 6), 0);
		far_run(w, &a.f, 40);
		assert_int_equal(app->n, 12);
		assert_int_equal(a.f.n, 6);
		assert_int_equal(n_kept, 3);
		assert_int_equal(w->counters.v[SS_C_TLS_TICKETS_DROPPED], 0);
		assert_int_equal(w->counters.v[SS_C_TLS_RESUMED], 0);
		app_release(app);
		far_run(w, &a.f, 10);
		far_free(&a.f);
		void *last = kept[2];
		w->client.session = &last;
		world_connect(w, SS_PROTO_H2);
		far_server(w, &a.f, ctx, w->tcp.newest);
		far_run(w, &a.f, 60);
		assert_int_equal(w->counters.v[SS_C_TLS_RESUMED], 1);
		for (int i = 0; i < n_kept; i++)
			SSL_SESSION_free(kept[i]);
		far_free(&a.f);
		SSL_CTX_free(ctx);
		w->client.session = NULL;
		world_free(w);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scripts_as_libssl),
		cmocka_unit_test(test_bulk_with_libssl),
		cmocka_unit_test(test_tickets_of_a_server),
		cmocka_unit_test(test_tickets_of_a_client),
	};
	struct ss_rng r;

	if (argc > 1)
		n_scripts = (uint32_t)atol(argv[1]);
	if (argc > 2)
		n_records = (uint32_t)atol(argv[2]);
	if (argc > 3)
		seed = (uint64_t)atoll(argv[3]);
	ss_rng_seed(&r, 42);
	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (uint8_t)ss_rng_u64(&r);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
