/*
 * trust_digest.h - a certificate, and an issuer's name with a serial number, in the 64 bits of a mark (trust.h).
 *
 * Takes:   OpenSSL's objects, borrowed for the call.
 * Gives:   what control puts into a trust's sets, and what a handshake puts into its chain's mark: one is looked
 *          up among the other, so both must come from here.
 * Owns:    nothing.
 * Thread:  any.
 * Errors:  none.
 */
#ifndef SS_TRUST_DIGEST_H
#define SS_TRUST_DIGEST_H

#include <openssl/x509.h>

#include "contract/trust.h"

/* serial NULL: of the name alone. */
static inline uint64_t ss_trust_name_digest(const X509_NAME *name, const ASN1_INTEGER *serial)
{
	const unsigned char *der = NULL;
	size_t n = 0;

	X509_NAME_get0_der(name, &der, &n);
	return ss_trust_digest(ss_span(der, (uint32_t)n),
			       serial ? ss_span(ASN1_STRING_get0_data(serial), (uint32_t)ASN1_STRING_length(serial))
				      : SS_SPAN_NONE);
}

static inline uint64_t ss_trust_cert_digest(const X509 *x)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	X509_digest(x, EVP_sha256(), digest, &n);
	return ss_trust_digest(ss_span(digest, n), SS_SPAN_NONE);
}

#endif
