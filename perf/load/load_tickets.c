/*
 * load_tickets.c - resumed handshakes: each new connection resumes the session whose ticket came last.
 *
 * RFC 8446 C.4 wants a ticket used once, so that nobody links a client's connections. A generator has nothing to
 * hide, and servers that give no new ticket to who resumes (nginx) would see a full handshake every third time. So
 * a copy is used: OpenSSL marks what it has used. It allocates per handshake anyway.
 */
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include "contract/tickets.h"
#include "perf/load/load_int.h"

/* OpenSSL has a ticket's session for us; 1: we keep the reference. */
static int on_session(SSL *ssl, SSL_SESSION *s)
{
	struct ss_load_tickets *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	SSL_SESSION_free(t->last);
	t->last = s;
	return 1;
}

const struct ss_cluster *ss_load_tickets_create(struct ss_load_tickets *t, const struct ss_cluster *cluster)
{
	SSL_CTX *ctx = t->ctx = cluster->tls->ctx[0];

	SSL_CTX_clear_options(ctx, SSL_OP_NO_TICKET); /* as TLS 1.2 asks for them */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_session);
	SSL_CTX_set_app_data(ctx, t);
	t->client = *cluster->tls;
	t->client.session = &t->now;
	t->cluster = *cluster;
	t->cluster.tls = &t->client;
	return &t->cluster;
}

void ss_load_tickets_offer(struct ss_load_tickets *t)
{
	t->now = t->last ? SSL_SESSION_dup(t->last) : NULL;
}

void ss_load_tickets_offered(struct ss_load_tickets *t)
{
	SSL_SESSION_free(t->now);
	t->now = NULL;
}

void ss_load_tickets_free(struct ss_load_tickets *t)
{
	if (t->ctx)
		SSL_CTX_sess_set_new_cb(t->ctx, NULL);
	SSL_SESSION_free(t->last);
	t->last = NULL;
}

struct ss_ticket_ring *ss_load_tickets_keys(void)
{
	struct ss_ticket_ring *ring;
	struct ss_ticket_key key;

	if (ss_ticket_ring_create(&ring) < 0)
		return NULL;
	if (RAND_bytes((unsigned char *)&key, sizeof(key)) != 1) {
		ss_ticket_ring_free(ring);
		return NULL;
	}
	ss_ticket_ring_turn(ring, &key);
	OPENSSL_cleanse(&key, sizeof(key));
	return ring;
}

/* Stateless ones: the server keeps nothing. The context's id has to be set where clients have certificates. */
bool ss_load_tickets_give(const struct ss_tls_server *server)
{
	static const unsigned char id[] = "sidestep-load";
	SSL_CTX *ctx = server->ctx[0];

	SSL_CTX_clear_options(ctx, SSL_OP_NO_TICKET);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	return SSL_CTX_set_num_tickets(ctx, 2) == 1 && SSL_CTX_set_session_id_context(ctx, id, sizeof(id) - 1) == 1;
}
