/*
 * build_certs.h - several certificates for one listener: which of them a client's name and abilities get.
 *
 * Takes:   the secrets that a listener names, their names or those of the certificates.
 * Gives:   sets of certificates, one of a key's kind each (OpenSSL chooses within a set, by what the client can verify),
 *          and an index from server names to sets.
 * Owns:    what it loaded, until ss_build_certs_free; what it attached to an SSL_CTX goes with that.
 * Thread:  control; the index is read by whoever shakes hands.
 * Errors:  SS_ERR_CONFIG with lines in the job's errors.
 *
 * An exact name is looked for before a wildcard, which stands for one label (RFC 6125 6.4.3). Of two certificates with the
 * same name and kind of key the first listed is taken. No name, or one that nobody has: the first set.
 */
#ifndef SS_BUILD_CERTS_H
#define SS_BUILD_CERTS_H

#include <openssl/ssl.h>

#include "build/build_tls.h"

#define SS_BUILD_KINDS 3 /* RSA, EC, the rest (Ed25519) */

struct ss_build_set {
	uint32_t cert[SS_BUILD_KINDS]; /* index + 1; 0: none of this kind */
};

struct ss_build_certs {
	uint32_t n; /* the first is tls.secret's, and not owned */
	struct ss_build_secret *cert;
	struct ss_build_server_name {
		char *name; /* in lower case; "*.a.example" */
		uint32_t cert, set;
	} *names; /* sorted, by set each once */
	uint32_t n_names, n_sets;
	struct ss_build_set *set; /* the first is for everybody else */
};

int ss_build_certs_load(struct ss_build_job *j, const struct ss_model_tls *t, const struct ss_build_secret *own,
			struct ss_build_certs *out);
void ss_build_certs_free(struct ss_build_certs *c);

/*
 * ctx[0 .. n_sets - 1] are one executor's contexts, with the certificates of their sets: names lead from the first to the
 * others. Takes a reference of each but the first. refuse: who asks for a name that nobody has gets the alert
 * unrecognized_name (RFC 6066 3). False without memory.
 */
bool ss_build_certs_attach(const struct ss_build_certs *c, SSL_CTX *const *ctx, bool refuse);

/* build_staple.c: reads m's staple into s, if it has one. 0; SS_ERR_CONFIG after an error line: it is not of this certificate,
 * out of date, or the certificate demands one and there is none. */
int ss_build_staple_load(struct ss_build_job *j, const struct ss_model_secret *m, struct ss_build_secret *s);
/* Clients that ask get the staple of the certificate that they are shown. False without memory. */
bool ss_build_staples_attach(SSL_CTX *ctx, const struct ss_build_secret *const *certs, uint32_t n);

#endif
