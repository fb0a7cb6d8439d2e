/*
 * tls_resume.c - session tickets (RFC 8446 4.6.1). A server's: sealed with keys that all workers share, and
 * judged anew when they come back. A client's: what was verified when the session began is remembered beside it
 * (tls_sessions.c), and judged anew when it is used.
 *
 * A ticket carries the client's certificate, and OpenSSL's verdict on it. The verdict holds as long as the trust
 * that it was made by: ctrl/build puts that into the session id context, so a ticket of another trust opens a
 * full handshake. Ours is asked again here: who it is, whether this listener takes it now, whether the
 * certificate is still valid. Tickets are for TLS 1.3 only: earlier ones give away past traffic with their
 * key (RFC 9325 3.4 has them with care; we have nobody to be careful for).
 */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "tls/tls_shake.h"

#define IV_LEN 16

static bool mac_key(EVP_MAC_CTX *mac, struct ss_ticket_key *k)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, k->mac, sizeof(k->mac)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"sha256"}, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, params) == 1;
}

static const struct tls_tools *tools_of(const SSL *ssl)
{
	return ((const struct tls_shake *)SSL_get_app_data(ssl))->tools;
}

/* For OpenSSL: 1 the key is set, 0 there is none, -1 it failed. */
static int seal_with(SSL *ssl, struct ss_ticket_key *k, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
		     EVP_MAC_CTX *mac)
{
	const struct tls_tools *tools = tools_of(ssl);

	if (SSL_version(ssl) < TLS1_3_VERSION || !ss_ticket_newest(tools->tickets, k))
		return 0;
	memcpy(name, k->name, sizeof(k->name));
	if (RAND_bytes(iv, IV_LEN) != 1 ||
	    EVP_EncryptInit_ex(cipher, tools->ticket_cipher, NULL, k->aes, iv) != 1 || !mac_key(mac, k))
		return -1;
	return 1;
}

static int open_with(SSL *ssl, struct ss_ticket_key *k, const unsigned char *name, const unsigned char *iv,
		     EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	const struct tls_tools *tools = tools_of(ssl);

	if (SSL_version(ssl) < TLS1_3_VERSION || !ss_ticket_find(tools->tickets, name, k))
		return 0;
	if (EVP_DecryptInit_ex(cipher, tools->ticket_cipher, NULL, k->aes, iv) != 1 || !mac_key(mac, k))
		return -1;
	return 1;
}

static int on_ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
			 int seal)
{
	struct ss_ticket_key k;
	int r = seal ? seal_with(ssl, &k, name, iv, cipher, mac) : open_with(ssl, &k, name, iv, cipher, mac);

	OPENSSL_cleanse(&k, sizeof(k));
	return r;
}

/* What was verified when the session began, for tls_again.c: a ticket has the leaf alone. */
static int on_new_ticket(SSL *ssl, void *arg)
{
	const struct tls_shake *k = SSL_get_app_data(ssl);

	return SSL_SESSION_set1_ticket_appdata(SSL_get0_session(ssl), &k->mark, sizeof(k->mark));
}

static void take_mark(struct tls_shake *k, const SSL_SESSION *s)
{
	void *mark = NULL;
	size_t n = 0;

	if (SSL_SESSION_get0_ticket_appdata((SSL_SESSION *)(uintptr_t)s, &mark, &n) == 1 && n == sizeof(k->mark))
		memcpy(&k->mark, mark, n);
}

/* The lists that the chain passed say the same (else it were another trust); but they may have run out. */
static bool lists_hold(const struct tls_shake *k, const struct tls_names *n, const struct ss_trust_mark *m)
{
	const struct ss_trust_domain *d = k->trust ? ss_trust_find(k->trust, ss_tls_names_identity(n)) : NULL;

	return !d || ss_trust_fresh(d, m, (int64_t)time(NULL)) == SS_TRUST_GOOD;
}

static bool still_good(struct tls_shake *k, const SSL_SESSION *s)
{
	X509 *cert = SSL_SESSION_get0_peer((SSL_SESSION *)(uintptr_t)s);
	struct tls_names n;

	if (SSL_get_verify_mode(k->ssl) == SSL_VERIFY_NONE)
		return true;
	if (!cert || X509_cmp_current_time(X509_get0_notAfter(cert)) <= 0)
		return false;
	ss_tls_names_read(cert, &n);
	take_mark(k, s);
	bool good = !ss_tls_judge(k, &n) && lists_hold(k, &n, &k->mark);
	ss_tls_names_free(&n);
	if (!good)
		memset(&k->mark, 0, sizeof(k->mark));
	return good;
}

/* What does not resume makes a full handshake, which says what is wrong, if something is. */
static SSL_TICKET_RETURN on_ticket(SSL *ssl, SSL_SESSION *s, const unsigned char *name, size_t name_n,
				   SSL_TICKET_STATUS status, void *arg)
{
	struct tls_shake *k = SSL_get_app_data(ssl);

	if (status == SSL_TICKET_FATAL_ERR_MALLOC || status == SSL_TICKET_FATAL_ERR_OTHER)
		return SSL_TICKET_RETURN_ABORT;
	if ((status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW) && still_good(k, s))
		return SSL_TICKET_RETURN_USE_RENEW;
	return SSL_TICKET_RETURN_IGNORE_RENEW;
}

void ss_tls_resume_offer(struct tls_shake *k)
{
	if (!k->tools->tickets || (SSL_CTX_get_options(k->ctx) & SSL_OP_NO_TICKET)) {
		SSL_set_num_tickets(k->ssl, 0);
		SSL_set_options(k->ssl, SSL_OP_NO_TICKET);
		return;
	}
	/* The context is this executor's own, and the same callbacks are set again each time: plain stores. */
	SSL_CTX_set_tlsext_ticket_key_evp_cb(k->ctx, on_ticket_key);
	SSL_CTX_set_session_ticket_cb(k->ctx, on_new_ticket, on_ticket, NULL);
}

/* Is the origin of a kept session one that a full handshake would let in now? */
static bool may_be_used(const struct tls_shake *k)
{
	X509 *cert = SSL_SESSION_get0_peer(k->kept.session);
	struct tls_names n;

	if (!cert || (int64_t)time(NULL) >= k->kept.chain_until)
		return false;
	ss_tls_names_read(cert, &n);
	bool good = !ss_tls_judge(k, &n) && lists_hold(k, &n, &k->kept.mark);
	ss_tls_names_free(&n);
	return good;
}

bool ss_tls_resume_ask(struct tls_shake *k)
{
	/* The context is this executor's own. */
	if (k->keeps && SSL_CTX_sess_get_new_cb(k->ctx) != k->tools->on_session)
		SSL_CTX_sess_set_new_cb(k->ctx, k->tools->on_session);
	if (!k->kept.session || (k->keeps && !may_be_used(k)))
		return true;
	/* One that cannot be used any more (RFC 8446 C.4: once) makes a full handshake. */
	return SSL_set_session(k->ssl, k->kept.session) == 1;
}

void ss_tls_resumed(struct tls_shake *k)
{
	X509 *cert = SSL_get0_peer_certificate(k->ssl);
	struct tls_names n;

	if (!cert)
		return;
	if (k->keeps) {
		k->mark = k->kept.mark;
		k->chain_until = k->kept.chain_until;
		k->cert_asked = k->kept.mutual;
	}
	ss_tls_names_read(cert, &n);
	ss_tls_identify(k, ss_tls_names_identity(&n));
	ss_tls_names_free(&n);
}
