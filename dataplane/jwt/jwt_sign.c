/* jwt_sign.c - one signature, by OpenSSL over contexts that control has made ready. */
#include <openssl/err.h>
#include <openssl/evp.h>

#include "jwt/jwt_int.h"

/* A positive DER INTEGER of a big-endian number without its leading zeros; n is at most 66. */
static uint8_t *put_integer(uint8_t *to, const uint8_t *p, uint32_t n)
{
	uint32_t pad;

	while (n > 1 && !*p) {
		p++;
		n--;
	}
	pad = *p >> 7;
	*to++ = 0x02;
	*to++ = (uint8_t)(n + pad);
	if (pad)
		*to++ = 0;
	memcpy(to, p, n);
	return to + n;
}

/* RFC 7518 3.4: R and S, each as long as the curve's order; OpenSSL wants SEQUENCE { INTEGER, INTEGER }. */
static struct ss_span der_of(struct ss_span rs, uint8_t *buf)
{
	uint8_t body[2 * (66 + 3)], *end = put_integer(body, rs.p, rs.n / 2), *to = buf;
	uint32_t n;

	end = put_integer(end, rs.p + rs.n / 2, rs.n / 2);
	n = (uint32_t)(end - body);
	*to++ = 0x30;
	if (n > 127)
		*to++ = 0x81;
	*to++ = (uint8_t)n;
	memcpy(to, body, n);
	return ss_span(buf, (uint32_t)(to - buf) + n);
}

/* The length that the algorithm fixes; 0: the key's. */
static uint32_t fixed_length(enum ss_jwt_alg alg)
{
	return alg == SS_JWT_ES256 || alg == SS_JWT_EdDSA ? 64
	       : alg == SS_JWT_ES384                      ? 96
	       : alg == SS_JWT_ES512                      ? 132
							  : 0;
}

static bool is_ec(enum ss_jwt_alg alg)
{
	return alg == SS_JWT_ES256 || alg == SS_JWT_ES384 || alg == SS_JWT_ES512;
}

/* RFC 8032 signs the text itself. Without a digest and a key: once more with those that the context has. */
static bool text_signed(EVP_MD_CTX *c, struct ss_span text, struct ss_span sig)
{
	return EVP_DigestVerifyInit(c, NULL, NULL, NULL, NULL) == 1 &&
	       EVP_DigestVerify(c, sig.p, sig.n, text.p, text.n) == 1;
}

/* Digest, then signature, each over a context that stays: EVP_DigestVerify would copy both for every token. */
static bool digest_signed(EVP_MD_CTX *c, EVP_PKEY_CTX *p, struct ss_span text, struct ss_span sig)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned int n = 0;

	return EVP_DigestInit_ex2(c, NULL, NULL) == 1 && EVP_DigestUpdate(c, text.p, text.n) == 1 &&
	       EVP_DigestFinal_ex(c, digest, &n) == 1 && EVP_PKEY_verify(p, sig.p, sig.n, digest, n) == 1;
}

bool ss_jwt_signed(const struct ss_jwt_key *k, uint16_t worker, struct ss_span text, struct ss_span sig)
{
	EVP_MD_CTX *c = k->md[worker];
	uint8_t der[160];
	uint32_t want = fixed_length((enum ss_jwt_alg)k->alg);
	bool ok;

	if (!c || (want && sig.n != want))
		return false;
	if (is_ec((enum ss_jwt_alg)k->alg))
		sig = der_of(sig, der);
	ok = k->pkey[worker] ? digest_signed(c, k->pkey[worker], text, sig) : text_signed(c, text, sig);
	ERR_clear_error();
	return ok;
}
