/*
 * tls_certs_sim.h - certificates made in memory, for the tests of this room.
 *
 * Takes:   names and validity.
 * Gives:   authorities, leaves, SSL_CTX with them.
 * Owns:    nothing: the caller frees with sim_cert_free and SSL_CTX_free.
 * Thread:  the test's.
 */
#ifndef SS_TLS_CERTS_SIM_H
#define SS_TLS_CERTS_SIM_H

#include <openssl/ssl.h>

struct sim_cert {
	X509 *x;
	EVP_PKEY *key;
};

/* What a leaf shall carry; NULL: none. san is OpenSSL's notation ("URI:spiffe://a/b, DNS:c.example"). */
struct sim_leaf {
	const char *san;
	long from_s, to_s; /* validity, seconds from now; both 0: an hour ago to tomorrow */
	bool signing;      /* key usage keyCertSign */
	const char *usage; /* key usage, when it is another than digitalSignature */
};

struct sim_cert sim_ca(const char *name);
struct sim_cert sim_leaf(const struct sim_cert *ca, const struct sim_leaf *want);
void sim_cert_free(struct sim_cert *c);
/* A context with a certificate (or none) and a trusted authority (or none). max: TLS1_2_VERSION or TLS1_3_VERSION. */
SSL_CTX *sim_ctx(bool server, const struct sim_cert *own, const struct sim_cert *trust, int max);

#endif
