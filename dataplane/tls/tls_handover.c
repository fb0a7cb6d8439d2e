/*
 * The handshake's secrets become keys of our own, and the SSL object goes: 35 KB for an idle connection.
 *
 * OpenSSL tells its traffic secrets through the key log, and of each record through the message callback. The
 * records that it has protected with an application key already (a server's session tickets, which it writes
 * at the end of its handshake) are counted, so that our sequence goes on where its own ends.
 */
#include <openssl/err.h>

#include "tls/tls_int.h"
#include "tls/tls_keys.h"

static int pick(struct tls_aead **out, const struct tls_aead_ops *ops)
{
	return ss_tls_aead_create(out, ops, TLS_SLOTS);
}

static int pick_mb(struct ss_tls *t)
{
#ifdef SS_HAVE_IPSEC_MB
	return pick(&t->gcm, &ss_tls_mb_ops);
#else
	return SS_ERR_NOT_FOUND;
#endif
}

int ss_tls_records_create(struct ss_tls *t)
{
	enum ss_tls_records want = t->conf.records;
	int err;

	if (want == SS_TLS_RECORDS_OPENSSL)
		return 0;
	if ((err = pick(&t->chacha, &ss_tls_evp_ops)) < 0)
		return err;
	err = want == SS_TLS_RECORDS_EVP ? SS_ERR_NOT_FOUND : pick_mb(t);
	if (err == SS_ERR_NOT_FOUND && want != SS_TLS_RECORDS_IPSEC_MB) {
		t->gcm = t->chacha;
		err = 0;
	}
	return err;
}

void ss_tls_records_free(struct ss_tls *t)
{
	if (t->gcm != t->chacha)
		ss_tls_aead_free(t->gcm);
	ss_tls_aead_free(t->chacha);
	t->gcm = t->chacha = NULL;
}

enum ss_tls_records ss_tls_records(const struct ss_tls *t)
{
	if (!t->gcm)
		return SS_TLS_RECORDS_OPENSSL;
	return t->gcm == t->chacha ? SS_TLS_RECORDS_EVP : SS_TLS_RECORDS_IPSEC_MB;
}

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
static void take_secret(struct ss_tls_conn *c, const char *line)
{
	struct ss_span l = ss_span_str(line);
	bool client = ss_span_starts(l, SS_SPAN("CLIENT_TRAFFIC_SECRET_0 "));
	const char *at = client || ss_span_starts(l, SS_SPAN("SERVER_TRAFFIC_SECRET_0 ")) ? strrchr(line, ' ') : NULL;

	if (!at)
		return;
	struct tls_half *h = client == c->server ? &c->own.rd : &c->own.wr;
	uint32_t n = l.n - (uint32_t)(at + 1 - line);
	if (n != 64 && n != 96)
		return;
	if (hex(ss_span(at + 1, n), h->secret))
		h->secret_n = (uint8_t)(n / 2);
}

static void on_key(const SSL *ssl, const char *line)
{
	struct ss_tls_conn *c = SSL_get_app_data(ssl);

	if (c)
		take_secret(c, line);
}

/* Each record's header passes here, in the order of the records. */
static void on_record(int write, int version, int type, const void *buf, size_t n, SSL *ssl, void *arg)
{
	struct ss_tls_conn *c = arg;
	struct tls_half *h = write ? &c->own.wr : &c->own.rd;

	if (type == SSL3_RT_HEADER && n == SS_TLSREC_HEADER && *(const uint8_t *)buf == SS_TLSREC_APPLICATION &&
	    h->secret_n && !c->own.taken)
		h->seq++;
}

void ss_tls_watch(struct ss_tls_conn *c)
{
	if (!c->t->gcm)
		return;
	/* The context is this worker's own, and the same callback is set again each time. */
	SSL_CTX_set_keylog_callback(SSL_get_SSL_CTX(c->ssl), on_key);
	SSL_set_msg_callback(c->ssl, on_record);
	SSL_set_msg_callback_arg(c->ssl, c);
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

static void ssl_end(struct ss_tls_conn *c)
{
	/* Not an abrupt end, for OpenSSL: it would make the session one that cannot be resumed. */
	if (c->ssl && c->own.taken)
		SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(c->ssl);
	c->ssl = NULL;
}

void ss_tls_take_over(struct ss_tls_conn *c)
{
	struct tls_own *o = &c->own;

	if (!c->t->gcm)
		return;
	const struct tls_suite *suite = NULL;
	/* What OpenSSL holds of the peer's bytes we could not get back: it reads no further than it must. */
	if (SSL_version(c->ssl) == TLS1_3_VERSION && !SSL_has_pending(c->ssl))
		suite = ss_tls_suite(SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(c->ssl)));
	if (!derive(&o->rd, suite, false) || !derive(&o->wr, suite, true)) {
		OPENSSL_cleanse(&o->rd, sizeof(o->rd));
		OPENSSL_cleanse(&o->wr, sizeof(o->wr));
		return;
	}
	o->taken = true;
	if (!c->server && ss_tls_tickets_wanted(c->ssl))
		ss_tls_tickets_begin(c);
	if (!c->tickets)
		ssl_end(c);
}

void ss_tls_own_end(struct ss_tls_conn *c)
{
	struct ss_tls *t = c->t;

	ssl_end(c);
	ss_tls_tickets_end(c);
	if (c->own.taken) {
		ss_tls_aead_forget(ss_tls_aead_of(t, &c->own.rd), &c->own.rd);
		ss_tls_aead_forget(ss_tls_aead_of(t, &c->own.wr), &c->own.wr);
	} else {
		OPENSSL_cleanse(&c->own.rd, sizeof(c->own.rd));
		OPENSSL_cleanse(&c->own.wr, sizeof(c->own.wr));
	}
	ss_bufq_free(&c->own.in);
}
