/*
 * tls_step.c - the handshake is OpenSSL's: a step is SSL_do_handshake over flat bytes, as far as they lead.
 * Runs where the handshake is: on its worker, or on a handshake thread.
 */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>

#include "base/err.h"
#include "tls/tls_shake.h"

/* OpenSSL asks for our certificate only when the server has (RFC 8446 4.3.2): so it was mutual TLS. */
static int cert_was_asked(SSL *ssl, void *arg)
{
	struct tls_shake *k = arg;

	k->cert_asked = true;
	return 1;
}

/* The protocols we offer, in wire form (RFC 7301 3.1). */
static bool offer(SSL *ssl, enum ss_protocol protocol)
{
	static const uint8_t h1[] = "\x08http/1.1", h2[] = "\x02h2", both[] = "\x02h2\x08http/1.1";
	const struct ss_span list = protocol == SS_PROTO_H1   ? ss_span(h1, sizeof(h1) - 1)
				    : protocol == SS_PROTO_H2 ? ss_span(h2, sizeof(h2) - 1)
							      : ss_span(both, sizeof(both) - 1);

	return SSL_set_alpn_protos(ssl, list.p, list.n) == 0;
}

/* Asks for the name and, when no identities are listed, expects it in the certificate. */
static bool set_name(SSL *ssl, const char *name, bool expect)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

	/* An address is never sent as a server name (RFC 6066 3), but it can be expected. */
	if (X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1) {
		if (!expect)
			X509_VERIFY_PARAM_set1_ip(param, NULL, 0);
		return true;
	}
	ERR_clear_error();
	if (expect && X509_VERIFY_PARAM_set1_host(param, name, 0) != 1)
		return false;
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set_tlsext_host_name(ssl, name) == 1;
}

static bool server_begin(struct tls_shake *k)
{
	if (k->asks)
		SSL_set_verify(k->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	else
		SSL_set_verify(k->ssl, SSL_VERIFY_NONE, NULL);
	SSL_set_accept_state(k->ssl);
	ss_tls_resume_offer(k);
	return true;
}

static bool client_begin(struct tls_shake *k)
{
	if (!offer(k->ssl, (enum ss_protocol)k->protocol))
		return false;
	SSL_set_verify(k->ssl, SSL_VERIFY_PEER, NULL);
	SSL_set_cert_cb(k->ssl, cert_was_asked, k);
	SSL_set_connect_state(k->ssl);
	if (!ss_tls_resume_ask(k))
		return false;
	return !k->name || set_name(k->ssl, k->name, k->expects_name);
}

static bool begin(struct tls_shake *k)
{
	k->ssl = SSL_new(k->ctx);
	if (!k->ssl || ss_tls_bio_attach(k) < 0)
		return false;
	SSL_set_app_data(k->ssl, k);
	/*
	 * Partial writes and a moving buffer: what is not sealed stays in our queue and is offered again
	 * from other memory. Not SSL_MODE_RELEASE_BUFFERS: it would allocate per burst of records what
	 * an idle connection saves (34 KB).
	 */
	SSL_set_mode(k->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	k->offloaded = k->tools->offload && SSL_get_mode(k->ssl) & SSL_MODE_ASYNC;
	ss_tls_watch(k);
	SSL_CTX_set_cert_verify_callback(k->ctx, ss_tls_chain_verify, NULL);
	return k->server ? server_begin(k) : client_begin(k);
}

/* The name the client asked for is worth having in a refusal's report too. */
static void learn_sni(struct tls_shake *k)
{
	const char *name = k->server && !k->sni ? SSL_get_servername(k->ssl, TLSEXT_NAMETYPE_host_name) : NULL;

	if (name)
		k->sni = OPENSSL_strdup(name);
}

static void done(struct tls_shake *k)
{
	k->went = TLS_WENT_DONE;
	/* Records are nothing to wait for. */
	SSL_clear_mode(k->ssl, SSL_MODE_ASYNC);
	k->resumed = SSL_session_reused(k->ssl) == 1;
	if (k->resumed)
		ss_tls_resumed(k);
	ss_tls_peer_learn(k);
	ss_tls_until_learn(k);
	ss_tls_xfcc_learn(k);
	ss_tls_take_over(k);
}

static void failed(struct tls_shake *k, enum ss_drop drop)
{
	k->went = TLS_WENT_FAILED;
	/* What libssl says when a signature of ours could not be made; no peer can make it say so. */
	k->engine_failed = k->offloaded && ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_EVP_LIB;
	ss_tls_explain(k, drop);
}

static void go_on(struct tls_shake *k)
{
	int r = SSL_do_handshake(k->ssl);

	learn_sni(k);
	if (r == 1) {
		done(k);
		return;
	}
	switch (SSL_get_error(k->ssl, r)) {
	case SSL_ERROR_WANT_READ:
		k->went = TLS_WENT_MORE;
		return;
	case SSL_ERROR_WANT_WRITE: /* the trip is full */
		k->went = TLS_WENT_AGAIN;
		return;
	case SSL_ERROR_WANT_ASYNC:     /* an engine's operation is under way */
	case SSL_ERROR_WANT_ASYNC_JOB: /* as many are as may be */
		k->went = TLS_WENT_PAUSED;
		return;
	default:
		failed(k, SS_DROP_TLS_HANDSHAKE);
	}
}

void ss_tls_step(struct tls_shake *k, struct tls_trip *trip)
{
	k->trip = trip;
	ERR_clear_error();
	if (k->ssl || begin(k))
		go_on(k);
	else
		failed(k, SS_DROP_TLS_CONNS_FULL);
	k->trip = NULL;
}

void ss_tls_run(struct ss_crew_job *job)
{
	struct tls_trip *trip = (struct tls_trip *)job;
	struct tls_shake *k = trip->k;

	/* One that is in the middle of an operation cannot be freed (libssl would leave the job and its stack
	 * behind): it goes on to where it can. */
	if (atomic_load_explicit(&k->unwanted, memory_order_relaxed) && !(k->ssl && SSL_waiting_for_async(k->ssl)))
		k->went = TLS_WENT_FAILED;
	else
		ss_tls_step(k, trip);
	job->again = k->went == TLS_WENT_PAUSED;
	if (k->tools->offload)
		ss_tls_waited(k);
}

/* What OpenSSL's reason means among our names; `drop` for all that have none of their own. */
static enum ss_drop drop_of_reason(int reason, enum ss_drop drop)
{
	switch (reason) {
	case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
		return SS_DROP_TLS_NO_CERT;
	case SSL_R_CALLBACK_FAILED: /* of the one that chooses by name: the others have words of their own */
		return SS_DROP_TLS_NAME;
	case SSL_R_HTTP_REQUEST:
	case SSL_R_HTTPS_PROXY_REQUEST:
		return SS_DROP_TLS_PLAINTEXT;
	/* The peer offers nothing newer, or says (RFC 7507) that somebody made it offer less; or we were told so. */
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_VERSION_TOO_LOW:
	case SSL_R_WRONG_SSL_VERSION:
	case SSL_R_INAPPROPRIATE_FALLBACK:
	case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
		return SS_DROP_TLS_VERSION;
	default:
		return drop;
	}
}

void ss_tls_explain(struct tls_shake *k, enum ss_drop drop)
{
	/* The first error is the cause; what follows it is the cause's way up through the library. */
	unsigned long e = ERR_peek_error();
	const char *why = ERR_reason_error_string(e);
	struct ss_out o = ss_out(k->text, sizeof(k->text));

	ss_out_span(&o, ss_span_str(why ? why : "no reason given"));
	if (k->refusal) {
		drop = (enum ss_drop)k->refusal;
		ss_out_span(&o, SS_SPAN(": "));
		ss_out_span(&o, ss_span_str(k->why));
	} else {
		drop = drop_of_reason(ERR_GET_REASON(e), drop);
	}
	ERR_clear_error();
	k->drop = (uint16_t)drop;
	k->text_n = (uint16_t)(o.p - (uint8_t *)k->text);
}

void ss_tls_ssl_end(struct tls_shake *k)
{
	/* Not an abrupt end, for OpenSSL: it would make the session one that cannot be resumed. */
	if (k->ssl && (k->taken || k->keeps))
		SSL_set_shutdown(k->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(k->ssl);
	k->ssl = NULL;
}

void ss_tls_shake_free(struct tls_shake *k)
{
	if (!k)
		return;
	ss_tls_ssl_end(k);
	SSL_SESSION_free(k->kept.session);
	SSL_CTX_free(k->ctx);
	OPENSSL_free(k->policy);
	ss_trust_put(k->trust);
	OPENSSL_free(k->name);
	OPENSSL_free(k->sni);
	OPENSSL_free(k->identity);
	OPENSSL_free(k->xfcc_line);
	OPENSSL_clear_free(k, sizeof(*k));
}
