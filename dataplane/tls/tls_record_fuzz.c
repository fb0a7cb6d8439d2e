/*
 * What comes as records after the handshake: raw bytes of a stranger on the path, and whatever a peer with the
 * right keys may put into records - alerts, messages, padding, nothing - cut at any place. Whatever comes, the
 * connection ends, all bytes are accounted for and nothing is held.
 */
#include <stdlib.h>

#include <openssl/evp.h>

#include "tls/tls_int.h"
#include "tls/tls_keys.h"
#include "tls/tls_world_sim.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static struct world world;
static struct tls_half peer; /* what the peer seals with */

static void start(struct world *w)
{
	struct sim_cert b;

	world_init(w, "fuzz", 1);
	b = sim_leaf(&w->ca, &(struct sim_leaf){ .san = "URI:spiffe://mesh.local/b" });
	w->server.ctx[0] = sim_ctx(true, &b, &w->ca, TLS1_3_VERSION);
	w->client.ctx[0] = sim_ctx(false, &b, &w->ca, TLS1_3_VERSION);
	w->tcp.sink = true;
	sim_cert_free(&b);
}

static void key(struct tls_half *h, uint8_t byte, bool sealing)
{
	memset(h, 0, sizeof(*h));
	h->alg = TLS_AES_128_GCM;
	h->secret_n = 32;
	h->sealing = sealing;
	memset(h->secret, byte, 32);
	if (!ss_tls_keys_derive(h))
		abort();
}

/* A connection as it is after its handshake. */
static struct ss_tls_conn *opened(struct world *w, bool server, struct ss_tcp_conn **tcp)
{
	struct ss_tls_conn *c;

	if (server) {
		*tcp = fake_accept(&w->tcp, SERVER_COOKIE);
		world_turn(w);
		c = ss_tcp_owner(*tcp);
		c->peer.tls = 1;
		ss_tls_raise(c, SS_TLS_EV_ACCEPTED);
		ss_wheel_cancel(&w->tls->wheel, &c->timer);
	} else {
		struct app *a = world_connect(w, SS_PROTO_H2);
		c = a->c;
		*tcp = w->tcp.newest;
		(*tcp)->established = true;
	}
	ss_tls_shake_free(c->shake);
	c->shake = NULL;
	c->state = TLS_ST_OPEN;
	c->own.taken = c->handed = true;
	key(&c->own.rd, 1, false);
	key(&c->own.wr, 2, true);
	key(&peer, 1, true);
	if (server)
		ss_tls_raise(c, SS_TLS_EV_ACCEPTED);
	return c;
}

static uint32_t seal(uint8_t *out, const uint8_t *inner, uint32_t n)
{
	EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
	uint8_t nonce[TLS_IV];
	int k;

	ss_tls_nonce(&peer, nonce);
	peer.seq++;
	ss_tlsrec_protect(out, (uint16_t)(n + TLS_TAG));
	if (EVP_EncryptInit_ex(x, EVP_aes_128_gcm(), NULL, peer.key, nonce) != 1 ||
	    EVP_EncryptUpdate(x, NULL, &k, out, SS_TLSREC_HEADER) != 1 ||
	    EVP_EncryptUpdate(x, out + SS_TLSREC_HEADER, &k, inner, (int)n) != 1 ||
	    EVP_EncryptFinal_ex(x, out, &k) != 1 ||
	    EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_GET_TAG, TLS_TAG, out + SS_TLSREC_HEADER + n) != 1)
		abort();
	EVP_CIPHER_CTX_free(x);
	return SS_TLSREC_HEADER + n + TLS_TAG;
}

static void deliver(struct world *w, struct ss_tcp_conn *tcp, const uint8_t *p, uint32_t n, uint32_t part)
{
	for (uint32_t at = 0; at < n; at += part) {
		fake_deliver(tcp, p + at, ss_min_u32(n - at, part));
		world_turn(w);
	}
}

static void forget(struct world *w)
{
	struct ss_event ev;

	for (int i = 0; i < WORLD_APPS; i++) {
		struct app *a = &w->app[i];

		if (a->c)
			app_release(a);
		free(a->data);
		memset(a, 0, sizeof(*a));
	}
	while (world_event(w, &ev))
		;
}

/*
 * The first byte: which side we are, how the rest is cut, whether the application waits. Then pieces: a byte
 * (0: raw bytes; 1: a key update of the peer follows; else the inner bytes of a record) and a length of two.
 */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static uint8_t out[70000];
	struct world *w = &world;
	struct ss_tcp_conn *tcp;

	if (!w->tls)
		start(w);
	if (n < 1 || n > 60000)
		return 0;
	uint32_t part = p[0] >> 2 ? (uint32_t)(p[0] >> 2) * 23 : 70000;
	struct ss_tls_conn *c = opened(w, p[0] & 1, &tcp);
	struct ss_bufq answer;
	size_t at = 1;

	while (at + 3 <= n && !tcp->released) {
		uint32_t len = ss_min_u32(ss_get_be16(p + at + 1), (uint32_t)(n - at - 3));

		len = ss_min_u32(len, 16384 + 256 - TLS_TAG);
		if (p[at] == 0)
			deliver(w, tcp, p + at + 3, len, part);
		else
			deliver(w, tcp, out, seal(out, p + at + 3, len), part);
		if (p[at] == 1 && !ss_tls_keys_update(&peer))
			abort();
		at += 3 + len;
		if (p[0] & 2 && c->state == TLS_ST_OPEN && !c->released) {
			ss_bufq_init(&answer);
			if (ss_bufq_append(&answer, &w->bufs, p, ss_min_u32(len, 100)) == 0)
				(void)ss_tls_send(c, &answer);
		}
	}
	fake_fin(tcp);
	world_turns(w, 3);
	forget(w);
	w->now += 2 * SS_NS_PER_SEC;
	world_turns(w, 3);
	if (ss_tls_conns(w->tls) || ss_tls_mbufs(w->tls) || fake_held(&w->tcp))
		abort();
	return 0;
}
