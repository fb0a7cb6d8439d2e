/*
 * The handshake's secrets become keys of our own, and the SSL object goes: 35 KB for an idle connection.
 *
 * OpenSSL tells its traffic secrets through the key log, and of each record through the message callback. The
 * records that it has protected with an application key already (a server's session tickets, which it writes
 * at the end of its handshake) are counted, so that our sequence goes on where its own ends.
 */
#include "tls/tls_keys.h"
#include "tls/tls_shake.h"
#include "wire/tlsrec.h"

static bool hex(struct ss_span in, uint8_t *out)
{
	for (uint32_t i = 0; i < in.n; i++) {
		int v = OPENSSL_hexchar2int(in.p[i]);

		if (v < 0)
			return false;
		out[i / 2] = (uint8_t)(i & 1 ? out[i / 2] | v : v << 4);
	}
	return true;
}

/* "LABEL client-random secret" (the key log's format); the two labels that we want differ in one word. */
static void take_secret(struct tls_shake *k, const char *line)
{
	struct ss_span l = ss_span_str(line);
	bool client = ss_span_starts(l, SS_SPAN("CLIENT_TRAFFIC_SECRET_0 "));
	const char *at = client || ss_span_starts(l, SS_SPAN("SERVER_TRAFFIC_SECRET_0 ")) ? strrchr(line, ' ') : NULL;

	if (!at)
		return;
	struct tls_half *h = client == k->server ? &k->rd : &k->wr;
	uint32_t n = l.n - (uint32_t)(at + 1 - line);
	if (n != 64 && n != 96)
		return;
	if (hex(ss_span(at + 1, n), h->secret))
		h->secret_n = (uint8_t)(n / 2);
}

static void on_key(const SSL *ssl, const char *line)
{
	struct tls_shake *k = SSL_get_app_data(ssl);

	if (k && k->tools->secrets)
		take_secret(k, line);
}

/* Each record's header passes here, in the order of the records. */
static void on_record(int write, int version, int type, const void *buf, size_t n, SSL *ssl, void *arg)
{
	struct tls_shake *k = arg;
	struct tls_half *h = write ? &k->wr : &k->rd;

	if (type == SSL3_RT_HEADER && n == SS_TLSREC_HEADER && *(const uint8_t *)buf == SS_TLSREC_APPLICATION &&
	    h->secret_n && !k->taken)
		h->seq++;
}

void ss_tls_watch(struct tls_shake *k)
{
	if (!k->tools->secrets)
		return;
	/* The context is this executor's own. */
	if (SSL_CTX_get_keylog_callback(k->ctx) != on_key)
		SSL_CTX_set_keylog_callback(k->ctx, on_key);
	SSL_set_msg_callback(k->ssl, on_record);
	SSL_set_msg_callback_arg(k->ssl, k);
}

/* The keys of one direction; what the handshake has used of them stays counted. */
static bool derive(struct tls_half *h, const struct tls_suite *suite, bool sealing)
{
	uint64_t seq = h->seq;

	if (!suite || h->secret_n != suite->secret_n)
		return false;
	h->alg = suite->alg;
	h->sealing = sealing;
	bool ok = ss_tls_keys_derive(h);
	h->seq = seq;
	return ok;
}

void ss_tls_take_over(struct tls_shake *k)
{
	const struct tls_suite *suite = NULL;

	if (!k->tools->secrets)
		return;
	/* What OpenSSL holds of the peer's bytes we could not get back: it reads no further than it must. */
	if (SSL_version(k->ssl) == TLS1_3_VERSION && !SSL_has_pending(k->ssl))
		suite = ss_tls_suite(SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(k->ssl)));
	if (!derive(&k->rd, suite, false) || !derive(&k->wr, suite, true)) {
		OPENSSL_cleanse(&k->rd, sizeof(k->rd));
		OPENSSL_cleanse(&k->wr, sizeof(k->wr));
		return;
	}
	k->taken = true;
	/* A client that keeps sessions shows the SSL object the tickets that come later (tls_tickets.c). */
	if (k->server || !ss_tls_tickets_wanted(k->ssl))
		ss_tls_ssl_end(k);
}
