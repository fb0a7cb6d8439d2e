/*
 * tls_keys.c - RFC 8446 7.1 HKDF-Expand-Label, 7.2 the next secret, 7.3 keys and nonces.
 */
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/hmac.h>

#include "tls/tls_keys.h"
#include "wire/tlsrec.h"

/*
 * RFC 8446 5.5: "For AES-GCM, up to 2^24.5 full-size records ... may be encrypted on a given connection while
 * keeping a safety margin of approximately 2^-57"; new keys come at a third of that. "For ChaCha20/Poly1305,
 * the record sequence number would wrap before the safety limit is reached."
 */
#define GCM_RECORDS (1ull << 23)

static const struct tls_suite suites[] = {
	[TLS_AES_128_GCM] = { 0x1301, TLS_AES_128_GCM, 16, 32, GCM_RECORDS },
	[TLS_AES_256_GCM] = { 0x1302, TLS_AES_256_GCM, 32, 48, GCM_RECORDS },
	[TLS_CHACHA20_POLY1305] = { 0x1303, TLS_CHACHA20_POLY1305, 32, 32, UINT64_MAX },
};

const struct tls_suite *ss_tls_suite(uint16_t id)
{
	for (size_t i = 0; i < SS_ARRAY_LEN(suites); i++)
		if (suites[i].id == id)
			return &suites[i];
	return NULL;
}

const struct tls_suite *ss_tls_suite_of(uint8_t alg)
{
	return &suites[alg];
}

/* HKDF-Expand (RFC 5869 2.3) for outputs no longer than the hash: one block. */
static bool expand(const struct tls_half *h, const char *label, uint8_t *out, uint16_t n)
{
	uint8_t info[SS_TLSREC_LABEL + 1], block[EVP_MAX_MD_SIZE];
	uint32_t info_n = ss_tlsrec_label(info, label, n);
	const EVP_MD *md = h->secret_n == 48 ? EVP_sha384() : EVP_sha256();

	info[info_n++] = 1;
	assert(n <= h->secret_n);
	bool ok = HMAC(md, h->secret, h->secret_n, info, info_n, block, NULL) != NULL;
	if (ok)
		memcpy(out, block, n);
	else
		ERR_clear_error();
	OPENSSL_cleanse(block, sizeof(block));
	return ok;
}

bool ss_tls_keys_derive(struct tls_half *h)
{
	h->seq = 0;
	h->expanded = false;
	return expand(h, "key", h->key, suites[h->alg].key_n) && expand(h, "iv", h->iv, TLS_IV);
}

bool ss_tls_keys_update(struct tls_half *h)
{
	uint8_t next[TLS_SECRET_MAX];

	if (!expand(h, "traffic upd", next, h->secret_n))
		return false;
	memcpy(h->secret, next, h->secret_n);
	OPENSSL_cleanse(next, sizeof(next));
	return ss_tls_keys_derive(h);
}
