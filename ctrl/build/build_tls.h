/*
 * build_tls.h - what PEM files hold, for build_tls.c.
 *
 * Takes:   secrets and trusts of the model.
 * Gives:   parsed certificates and keys, or an error line that names the file.
 * Owns:    what it parsed, until the matching free.
 * Thread:  control. Blocks on files.
 * Errors:  SS_ERR_CONFIG with lines in the job's errors.
 */
#ifndef SS_BUILD_TLS_H
#define SS_BUILD_TLS_H

#include <openssl/x509.h>

#include "build/build_int.h"

/* A certificate, those that lead to its authority, and its key. */
struct ss_build_secret {
	X509 *leaf;
	STACK_OF(X509) *chain;
	EVP_PKEY *key;
	uint8_t *staple; /* an OCSP response in DER, or NULL */
	uint32_t staple_n;
	int64_t staple_until; /* Unix seconds; INT64_MAX: it does not say */
};

int ss_build_secret_load(struct ss_build_job *j, const struct ss_model_secret *m, struct ss_build_secret *out);
void ss_build_secret_free(struct ss_build_secret *s);
/* The certificate's SPIFFE id, copied to the snapshot's memory; empty when it has none. */
struct ss_span ss_build_secret_id(struct ss_build_job *j, const struct ss_build_secret *s);

/* The authorities of a bundle; NULL after an error line. Free with sk_X509_pop_free. */
STACK_OF(X509) *ss_build_bundle_load(struct ss_build_job *j, const struct ss_model_trust *m);
/* build_bundle.c: does a file begin as JSON? It is at its begin afterwards. */
bool ss_build_is_json(BIO *b);
/* build_bundle.c: the authorities of a SPIFFE bundle; NULL after an error line. */
STACK_OF(X509) *ss_build_bundle_json(struct ss_build_job *j, const struct ss_model_trust *m, BIO *b);
/* build_trust.c: a trust of the model, made when first asked for; the snapshot holds it. NULL after an error line. */
const struct ss_trust *ss_build_trust(struct ss_build_job *j, uint32_t index);
/* build_crl.c: the revocation lists of m into d, whose anchors are there. 0 or SS_ERR_CONFIG after an error line. */
int ss_build_crls(struct ss_build_job *j, const struct ss_model_trust *m, struct ss_trust_domain *d);
/* Sorts v, drops doubles: it is the set's. */
struct ss_trust_set ss_build_trust_set(uint64_t *v, uint32_t n);

/* The end of a certificate's validity, in seconds of the calendar (Unix). */
int64_t ss_build_expiry(const X509 *x);

/* What OpenSSL said last, in words; its queue is empty afterwards. */
const char *ss_build_openssl_reason(void);

#endif
