/*
 * A client's tickets come as records after the handshake, when records are ours; but what resumes a session (the
 * resumption secret of RFC 8446 4.6.1) only OpenSSL knows. Where sessions are kept, the SSL object stays, and
 * gets each NewSessionTicket back: sealed again, under the first keys that the server had and at OpenSSL's own
 * next number, because it has seen none of the records between and none of the new keys.
 */
#include <openssl/err.h>

#include "base/err.h"
#include "tls/tls_int.h"

/* A longer one is not kept: it would have to be cut into records. */
#define TLS_TICKET_KEPT 16000

bool ss_tls_tickets_wanted(const SSL *ssl)
{
	return (SSL_CTX_get_session_cache_mode(SSL_get_SSL_CTX(ssl)) & SSL_SESS_CACHE_CLIENT) != 0;
}

void ss_tls_tickets_begin(struct ss_tls_conn *c)
{
	struct tls_tickets *k = OPENSSL_zalloc(sizeof(*k));

	if (!k)
		return;
	k->as_server = c->own.rd;
	k->as_server.slot = NULL;
	k->as_server.sealing = true;
	ss_bufq_init(&k->message);
	ss_bufq_init(&k->in);
	c->tickets = k;
}

void ss_tls_tickets_end(struct ss_tls_conn *c)
{
	struct tls_tickets *k = c->tickets;

	if (!k)
		return;
	c->tickets = NULL;
	ss_tls_aead_forget(ss_tls_aead_of(c->t, &k->as_server), &k->as_server);
	ss_bufq_free(&k->message);
	ss_bufq_free(&k->in);
	OPENSSL_free(k);
}

void ss_tls_ticket_part(struct ss_tls_conn *c, uint32_t off, uint32_t n)
{
	struct tls_tickets *k = c->tickets;
	struct ss_bufpool *bufs = c->t->conf.bufs;

	if (!k || k->failed)
		return;
	if (k->message.len == 0)
		k->failed = ss_bufq_append(&k->message, bufs, c->own.message, SS_TLS_MESSAGE_HEADER) < 0;
	if (k->failed || k->message.len + n > TLS_TICKET_KEPT ||
	    ss_bufq_copy(&k->message, &c->own.in, off, n, bufs) < 0)
		k->failed = true;
}

bool ss_tls_ticket_whole(struct ss_tls_conn *c)
{
	struct tls_tickets *k = c->tickets;
	bool kept = false;
	uint8_t none;
	size_t n;

	if (!k)
		return false;
	if (!k->failed &&
	    ss_tls_seal_record(c, &k->as_server, &k->message, k->message.len, SS_TLSREC_HANDSHAKE, &k->in) == 0) {
		ERR_clear_error();
		/* There is no application data in it: it takes the ticket and wants more. */
		kept = SSL_read_ex(c->ssl, &none, 1, &n) != 1 && SSL_get_error(c->ssl, 0) == SSL_ERROR_WANT_READ;
		ERR_clear_error();
	}
	ss_bufq_free(&k->message);
	k->failed = false;
	return kept;
}

/* Servers give their tickets when the handshake is over, before data; the SSL object is 35 KB that wait for them. */
#define TLS_TICKET_PATIENCE 4

void ss_tls_tickets_data(struct ss_tls_conn *c)
{
	if (c->own.message_n || (++c->tickets->data < TLS_TICKET_PATIENCE && c->tickets->kept == 0))
		return;
	ss_tls_tickets_end(c);
	c->ssl = NULL;
	ss_tls_shake_free(c->shake);
	c->shake = NULL;
}

/* OpenSSL has made a session of a ticket; 1: the reference is ours. TLS 1.3 alone: as for our own (tls_resume.c). */
int ss_tls_on_session(SSL *ssl, SSL_SESSION *s)
{
	struct tls_shake *k = SSL_get_app_data(ssl);
	struct ss_tls_conn *c = k->c;

	if (!k->keeps || k->went != TLS_WENT_DONE || SSL_version(ssl) < TLS1_3_VERSION || !SSL_SESSION_is_resumable(s))
		return 0;
	if (c->tickets)
		c->tickets->kept++;
	ss_tls_sessions_put(c->t->sessions, &k->key,
			    &(struct tls_kept){ s, k->mark, k->chain_until, k->tls == 2 });
	ss_count(c->t->conf.counters, SS_C_TLS_TICKETS_KEPT, 1);
	return 1;
}
