/*
 * tls_until.c - how long the certificates that a connection was made with are good for.
 */
#include <time.h>

#include <openssl/x509.h>

#include "tls/tls_shake.h"

static int64_t end_of(const X509 *x)
{
	struct tm tm;

	return x && ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

void ss_tls_until_learn(struct tls_shake *k)
{
	bool ours = k->server || k->cert_asked; /* else nobody has seen ours */
	int64_t own = ours ? end_of(SSL_get_certificate(k->ssl)) : 0;
	int64_t peer = SSL_get_verify_mode(k->ssl) != SSL_VERIFY_NONE ? end_of(SSL_get0_peer_certificate(k->ssl)) : 0;

	k->until = own && (!peer || own < peer) ? own : peer;
}
