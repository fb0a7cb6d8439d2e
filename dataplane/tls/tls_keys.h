/*
 * tls_keys.h - the key schedule after the handshake (RFC 8446 7): traffic secret to key and nonce.
 *
 * Takes:   a traffic secret, as the handshake's key log gives it.
 * Gives:   keys of a direction, the next generation of them, nonces.
 * Owns:    nothing.
 * Thread:  any.
 */
#ifndef SS_TLS_KEYS_H
#define SS_TLS_KEYS_H

#include "base/span.h"
#include "tls/tls_aead.h"

struct tls_suite {
	uint16_t id; /* TLS 1.3 cipher suite (RFC 8446 B.4) */
	uint8_t alg; /* enum tls_alg */
	uint8_t key_n, secret_n;
	/* RFC 8446 5.5: records that one key may protect; we stay well below. UINT64_MAX: no such limit. */
	uint64_t limit;
};

/* NULL for a suite that is not ours. */
const struct tls_suite *ss_tls_suite(uint16_t id);
/* By enum tls_alg. */
const struct tls_suite *ss_tls_suite_of(uint8_t alg);
/* Keys from h->secret; the sequence starts at 0. h->alg, h->secret_n and h->sealing are set. false: no memory. */
bool ss_tls_keys_derive(struct tls_half *h);
/* RFC 8446 7.2: the next secret, and its keys. */
bool ss_tls_keys_update(struct tls_half *h);
/* RFC 8446 5.3: the nonce of record h->seq. */
static inline void ss_tls_nonce(const struct tls_half *h, uint8_t out[TLS_IV])
{
	memcpy(out, h->iv, TLS_IV);
	for (unsigned i = 0; i < 8; i++)
		out[TLS_IV - 1 - i] ^= (uint8_t)(h->seq >> (8 * i));
}

#endif
