/*
 * The handshake is OpenSSL's, over the queues of tls_bio.c. A handshake with something to do is parked on
 * a list; a bounded number of steps is taken from it each turn, after the connections that are open have
 * had theirs. A step that OpenSSL leaves unfinished (an asynchronous engine's job) is parked again, and a
 * handshake thread would take from the same list and give back to it.
 */
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "tls/tls_int.h"

static int begin(struct ss_tls_conn *c, SSL_CTX *ctx)
{
	c->ssl = ctx ? SSL_new(ctx) : NULL;
	if (!c->ssl || ss_tls_bio_attach(c, c->t->bio) < 0) {
		ERR_clear_error();
		return SS_ERR_NO_MEM;
	}
	SSL_set_app_data(c->ssl, c);
	/*
	 * Partial writes and a moving buffer: what is not sealed stays in our queue and is offered again
	 * from other memory. Not SSL_MODE_RELEASE_BUFFERS: it would allocate per burst of records what
	 * an idle connection saves (34 KB).
	 */
	SSL_set_mode(c->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	ss_tls_watch(c);
	return 0;
}

int ss_tls_server_begin(struct ss_tls_conn *c, const struct ss_tls_server *s)
{
	int err = begin(c, s->ctx[c->t->conf.worker]);

	if (err < 0)
		return err;
	if (s->client_certificate) {
		err = ss_tls_policy_copy(&c->policy, s->ids, s->n_ids);
		SSL_set_verify(c->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, ss_tls_verify);
	} else {
		SSL_set_verify(c->ssl, SSL_VERIFY_NONE, NULL);
	}
	SSL_set_accept_state(c->ssl);
	ss_tls_resume_offer(c);
	return err;
}

/* OpenSSL asks for our certificate only when the server has (RFC 8446 4.3.2): so it was mutual TLS. */
static int cert_was_asked(SSL *ssl, void *arg)
{
	struct ss_tls_conn *c = arg;

	c->cert_asked = true;
	return 1;
}

/* The protocols we offer, in wire form (RFC 7301 3.1). */
static int offer(SSL *ssl, enum ss_protocol protocol)
{
	static const uint8_t h1[] = "\x08http/1.1", h2[] = "\x02h2", both[] = "\x02h2\x08http/1.1";
	const struct ss_span list = protocol == SS_PROTO_H1   ? ss_span(h1, sizeof(h1) - 1)
				    : protocol == SS_PROTO_H2 ? ss_span(h2, sizeof(h2) - 1)
							      : ss_span(both, sizeof(both) - 1);

	return SSL_set_alpn_protos(ssl, list.p, list.n) == 0 ? 0 : SS_ERR_NO_MEM;
}

/* Asks for the name and, when no identities are listed, expects it in the certificate. */
static int set_name(struct ss_tls_conn *c, const char *name, bool expect)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(c->ssl);

	/* An address is never sent as a server name (RFC 6066 3), but it can be expected. */
	if (X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1) {
		if (!expect)
			X509_VERIFY_PARAM_set1_ip(param, NULL, 0);
		return 0;
	}
	ERR_clear_error();
	if (expect && X509_VERIFY_PARAM_set1_host(param, name, 0) != 1)
		return SS_ERR_NO_MEM;
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set_tlsext_host_name(c->ssl, name) == 1 ? 0 : SS_ERR_NO_MEM;
}

int ss_tls_client_begin(struct ss_tls_conn *c, const struct ss_tls_client *cl, enum ss_protocol protocol)
{
	int err;

	/* Without a name and without identities anyone whom the bundle knows would do: never. */
	if (cl->n_ids == 0 && cl->sni.n == 0)
		return SS_ERR_REFUSED;
	if ((err = begin(c, cl->ctx[c->t->conf.worker])) < 0 ||
	    (err = ss_tls_policy_copy(&c->policy, cl->ids, cl->n_ids)) < 0 ||
	    (err = offer(c->ssl, protocol)) < 0)
		return err;
	SSL_set_verify(c->ssl, SSL_VERIFY_PEER, ss_tls_verify);
	SSL_set_cert_cb(c->ssl, cert_was_asked, c);
	SSL_set_connect_state(c->ssl);
	/* One that cannot be used any more (RFC 8446 C.4: once) makes a full handshake. */
	if (cl->session && *cl->session && SSL_set_session(c->ssl, *cl->session) != 1)
		return SS_ERR_NO_MEM;
	if (cl->sni.n == 0)
		return 0;
	c->sni = OPENSSL_strndup((const char *)cl->sni.p, cl->sni.n);
	if (!c->sni)
		return SS_ERR_NO_MEM;
	c->peer.sni = ss_span(c->sni, cl->sni.n);
	return set_name(c, c->sni, cl->n_ids == 0);
}

/* Server: the name the client asked for is worth having in a refusal's report too. */
static void learn_sni(struct ss_tls_conn *c)
{
	const char *name = c->server && !c->sni ? SSL_get_servername(c->ssl, TLSEXT_NAMETYPE_host_name) : NULL;

	if (!name)
		return;
	c->sni = OPENSSL_strdup(name);
	c->peer.sni = ss_span_str(c->sni);
}

static void done(struct ss_tls_conn *c)
{
	ss_wheel_cancel(&c->t->wheel, &c->timer);
	ss_count(c->t->conf.counters, SS_C_TLS_HANDSHAKES, 1);
	if (SSL_session_reused(c->ssl))
		ss_tls_resumed(c);
	ss_tls_peer_learn(c);
	ss_tls_take_over(c);
	c->state = TLS_ST_OPEN;
	c->handed = true;
	ss_tls_raise(c, c->server ? SS_TLS_EV_ACCEPTED : SS_TLS_EV_CONNECTED);
	if (c->tx.len || c->shut)
		ss_tls_dirty(c);
	/* The first request may have come with the client's Finished. */
	ss_tls_pump(c);
}

static void step(struct ss_tls_conn *c)
{
	ERR_clear_error();
	int r = SSL_do_handshake(c->ssl);

	ss_tls_out(c);
	learn_sni(c);
	if (r == 1) {
		done(c);
		return;
	}
	switch (SSL_get_error(c->ssl, r)) {
	case SSL_ERROR_WANT_READ:
		if (c->tcp_eof && ss_tcp_rx(c->tcp)->len == 0)
			ss_tls_refuse(c, SS_DROP_TLS_HANDSHAKE, SS_SPAN("peer closed during the handshake"));
		return;
	case SSL_ERROR_WANT_WRITE: /* no mbufs just now */
	case SSL_ERROR_WANT_ASYNC: /* an engine's job is pending */
	case SSL_ERROR_WANT_ASYNC_JOB:
		ss_list_push_once(&c->t->parked, &c->work);
		return;
	default:
		ss_tls_refuse_openssl(c, SS_DROP_TLS_HANDSHAKE);
	}
}

void ss_tls_park(struct ss_tls_conn *c)
{
	/* A client's first step has nothing to read. */
	bool first = !c->server && SSL_in_before(c->ssl);

	if (first || c->tcp_eof || ss_tcp_rx(c->tcp)->len)
		ss_list_push_once(&c->t->parked, &c->work);
}

void ss_tls_steps(struct ss_tls *t)
{
	/* Those that park themselves again are next turn's. */
	struct ss_list now;

	ss_list_init(&now);
	ss_list_splice(&now, &t->parked);
	for (; t->steps && !ss_list_empty(&now); t->steps--) {
		struct ss_tls_conn *c = ss_list_entry(ss_list_pop(&now), struct ss_tls_conn, work);

		step(c);
	}
	ss_list_splice(&now, &t->parked);
	ss_list_splice(&t->parked, &now);
}
