/*
 * build_jwt_keys.c - a JWKS file (RFC 7517) as OpenSSL contexts, one per key, algorithm and worker.
 *
 * RFC 8725 3.1: the algorithm belongs to the key. An RSA key that names none serves the RSA ones; symmetric
 * keys are no keys here. RFC 7517 5: keys of a type or use that we do not know are passed over; none left is
 * an error.
 */
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/siphash.h"
#include "build/build_int.h"
#include "wire/b64url.h"
#include "wire/jscan.h"

#define FILE_MAX 262144u
#define NODES_MAX 8192u
#define KEYS_MAX 256u
#define RSA_BITS_MIN 2048 /* RFC 7518 3.3: "A key of size 2048 bits or larger MUST be used" */

struct jwks {
	struct ss_build_job *j;
	const struct ss_model_jwt_provider *m;
	struct ss_jscan_node *nodes;
	struct ss_jwt_key *keys;
	uint16_t n, jwk; /* keys so far; the node under way */
	int err;
};

static void wrong(struct jwks *k, const char *why)
{
	ss_model_error(k->j->errors, &k->m->src, "jwks", "%s: %s", k->m->jwks, why);
	k->err = SS_ERR_CONFIG;
}

static struct ss_span text_of(const struct jwks *k, const char *name)
{
	uint16_t at = ss_jscan_member(k->nodes, k->jwk, ss_span_str(name));

	return at && k->nodes[at].type == SS_JSCAN_STRING ? k->nodes[at].text : SS_SPAN_NONE;
}

static bool is(struct ss_span a, const char *b)
{
	return ss_span_eq(a, ss_span_str(b));
}

/* -- keys of OpenSSL -- */

static int bytes_of(const struct jwks *k, const char *name, uint8_t *buf, uint32_t room)
{
	struct ss_span t = text_of(k, name);

	return t.n ? ss_b64url(t, buf, room) : SS_ERR_BAD_STREAM;
}

static EVP_PKEY *from_params(const char *type, OSSL_PARAM_BLD *b)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(b);
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	if (!params || !c || EVP_PKEY_fromdata_init(c) != 1 ||
	    EVP_PKEY_fromdata(c, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(c);
	OSSL_PARAM_free(params);
	return key;
}

static EVP_PKEY *rsa_key(struct jwks *k)
{
	uint8_t n[2048], e[16];
	int nn = bytes_of(k, "n", n, sizeof(n)), en = bytes_of(k, "e", e, sizeof(e));
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	BIGNUM *bn = nn > 0 ? BN_bin2bn(n, nn, NULL) : NULL, *be = en > 0 ? BN_bin2bn(e, en, NULL) : NULL;
	EVP_PKEY *key = NULL;

	if (bn && be && b && OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, bn) &&
	    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, be))
		key = from_params("RSA", b);
	if (key && EVP_PKEY_get_bits(key) < RSA_BITS_MIN) {
		wrong(k, "an RSA key has fewer than 2048 bits");
		EVP_PKEY_free(key);
		key = NULL;
	}
	OSSL_PARAM_BLD_free(b);
	BN_free(bn);
	BN_free(be);
	return key;
}

static const struct {
	const char *crv, *group;
	uint32_t bytes;
	enum ss_jwt_alg alg;
} curves[] = {{"P-256", "P-256", 32, SS_JWT_ES256},
	      {"P-384", "P-384", 48, SS_JWT_ES384},
	      {"P-521", "P-521", 66, SS_JWT_ES512}};

/* RFC 7518 6.2.1.2: each coordinate has the full length. A point that is not on the curve is refused by
 * OpenSSL. */
static EVP_PKEY *ec_key(struct jwks *k, uint32_t curve)
{
	uint8_t point[1 + 2 * 66] = {4};
	uint32_t n = curves[curve].bytes;
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	EVP_PKEY *key = NULL;

	if (b && bytes_of(k, "x", point + 1, n) == (int)n && bytes_of(k, "y", point + 1 + n, n) == (int)n &&
	    OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, curves[curve].group, 0) &&
	    OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * n))
		key = from_params("EC", b);
	OSSL_PARAM_BLD_free(b);
	return key;
}

/* -- one context per algorithm and worker -- */

static const EVP_MD *digest_of(enum ss_jwt_alg alg)
{
	switch (alg) {
	case SS_JWT_RS384:
	case SS_JWT_ES384:
		return EVP_sha384();
	case SS_JWT_RS512:
	case SS_JWT_ES512:
		return EVP_sha512();
	case SS_JWT_EdDSA:
		return NULL;
	default:
		return EVP_sha256();
	}
}

static void free_key_context(void *c)
{
	EVP_PKEY_CTX_free(c);
}

static void free_context(void *c)
{
	EVP_MD_CTX_free(c);
}

/* RFC 7518 3.5: MGF1 with the same digest, a salt of its length. */
static bool padded(EVP_PKEY_CTX *p, enum ss_jwt_alg alg)
{
	return alg != SS_JWT_PS256 || (EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING) == 1 &&
				       EVP_PKEY_CTX_set_rsa_pss_saltlen(p, RSA_PSS_SALTLEN_DIGEST) == 1);
}

static bool ready(EVP_MD_CTX *c, EVP_PKEY_CTX *p, EVP_PKEY *key, enum ss_jwt_alg alg)
{
	const EVP_MD *md = digest_of(alg);

	if (!md)
		return EVP_DigestVerifyInit(c, NULL, NULL, NULL, key) == 1;
	return EVP_DigestInit_ex2(c, md, NULL) == 1 && EVP_PKEY_verify_init(p) == 1 && padded(p, alg) &&
	       EVP_PKEY_CTX_set_signature_md(p, md) == 1;
}

/* One worker's contexts. */
static bool add_contexts(struct jwks *k, EVP_PKEY *key, struct ss_jwt_key *to, uint32_t w)
{
	enum ss_jwt_alg alg = (enum ss_jwt_alg)to->alg;
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	EVP_PKEY_CTX *p = digest_of(alg) ? EVP_PKEY_CTX_new(key, NULL) : NULL;
	bool kept = c && ss_build_on_free(k->j, free_context, c) == 0;

	/* What cannot be remembered is freed at once. */
	if (p && ss_build_on_free(k->j, free_key_context, p) < 0)
		return false;
	to->md[w] = c;
	to->pkey[w] = p;
	return kept && ready(c, p, key, alg);
}

static void add(struct jwks *k, EVP_PKEY *key, enum ss_jwt_alg alg)
{
	struct ss_jwt_key *to = &k->keys[k->n];
	struct ss_span kid = text_of(k, "kid");
	char *text = ss_build_alloc(k->j, kid.n + 1);

	if (!text || k->n == KEYS_MAX) {
		wrong(k, "has too many keys");
		return;
	}
	if (kid.n)
		memcpy(text, kid.p, kid.n);
	*to = (struct ss_jwt_key){.kid = ss_span(text, kid.n), .alg = (uint8_t)alg};
	for (uint32_t w = 0; w < ss_build_seats(k->j); w++) {
		if (add_contexts(k, key, to, w))
			continue;
		wrong(k, "OpenSSL does not take a key");
		return;
	}
	k->n++;
}

static const char *const rsa_algs[] = {"RS256", "RS384", "RS512", "PS256"}; /* enum's order */

static void add_rsa(struct jwks *k)
{
	struct ss_span named = text_of(k, "alg");
	EVP_PKEY *key = rsa_key(k);

	if (!key && !k->err)
		wrong(k, "an RSA key without a good n and e");
	for (uint32_t i = 0; key && i < SS_ARRAY_LEN(rsa_algs); i++)
		if (!named.n || is(named, rsa_algs[i]))
			add(k, key, (enum ss_jwt_alg)i);
	EVP_PKEY_free(key);
}

static void add_ec(struct jwks *k)
{
	for (uint32_t i = 0; i < SS_ARRAY_LEN(curves); i++) {
		if (!is(text_of(k, "crv"), curves[i].crv))
			continue;
		EVP_PKEY *key = ec_key(k, i);
		if (key)
			add(k, key, curves[i].alg);
		else
			wrong(k, "an EC key without a good x and y");
		EVP_PKEY_free(key);
	}
}

static void add_okp(struct jwks *k)
{
	uint8_t x[32];
	EVP_PKEY *key;

	if (!is(text_of(k, "crv"), "Ed25519"))
		return;
	key = bytes_of(k, "x", x, sizeof(x)) == 32
		      ? EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x, 32)
		      : NULL;
	if (key)
		add(k, key, SS_JWT_EdDSA);
	else
		wrong(k, "an Ed25519 key without a good x");
	EVP_PKEY_free(key);
}

static void add_jwk(struct jwks *k)
{
	static const struct {
		const char *kty;
		void (*add)(struct jwks *k);
	} types[] = {{"RSA", add_rsa}, {"EC", add_ec}, {"OKP", add_okp}};
	struct ss_span use = text_of(k, "use");

	if (use.n && !is(use, "sig"))
		return;
	for (uint32_t i = 0; i < SS_ARRAY_LEN(types); i++)
		if (is(text_of(k, "kty"), types[i].kty))
			types[i].add(k);
}

/* -- the file -- */

static uint8_t *read_whole(struct jwks *k, uint32_t *n)
{
	FILE *f = fopen(k->m->jwks, "re");
	uint8_t *text = malloc(FILE_MAX + 1);
	size_t got = f && text ? fread(text, 1, FILE_MAX + 1, f) : 0;

	if (!f || !text || ferror(f))
		ss_model_error(k->j->errors, &k->m->src, "jwks", "cannot read %s: %m", k->m->jwks);
	else if (got > FILE_MAX)
		wrong(k, "is longer than 256 KiB");
	k->err = !f || !text || ferror(f) || got > FILE_MAX ? SS_ERR_CONFIG : 0;
	if (f)
		fclose(f);
	*n = (uint32_t)got;
	return text;
}

static void read_keys(struct jwks *k, uint8_t *text, uint32_t n)
{
	uint16_t list, end;

	if (ss_jscan(text, n, k->nodes, NODES_MAX) < 0) {
		wrong(k, "is no JSON, or too much of it");
		return;
	}
	list = ss_jscan_member(k->nodes, 0, SS_SPAN("keys"));
	if (!list || k->nodes[list].type != SS_JSCAN_ARRAY) {
		wrong(k, "has no list \"keys\"");
		return;
	}
	end = k->nodes[list].next;
	for (k->jwk = (uint16_t)(list + 1); k->jwk < end && !k->err; k->jwk = k->nodes[k->jwk].next)
		add_jwk(k);
	if (!k->n && !k->err)
		wrong(k, "has no key for RS256, RS384, RS512, PS256, ES256, ES384, ES512 or EdDSA");
}

int ss_build_jwks(struct ss_build_job *j, const struct ss_model_jwt_provider *m, struct ss_jwt_provider *p)
{
	static const struct ss_sipkey key = {{0x6a776b73, 0}};
	struct jwks k = {.j = j, .m = m};
	uint32_t n = 0;
	uint8_t *text = read_whole(&k, &n);

	k.keys = ss_build_array(j, KEYS_MAX, sizeof(*k.keys));
	k.nodes = calloc(NODES_MAX, sizeof(*k.nodes));
	if (!k.keys || !k.nodes)
		k.err = SS_ERR_NO_MEM;
	if (!k.err) {
		p->hash = ss_siphash(&key, text, n);
		read_keys(&k, text, n);
	}
	p->keys = k.keys;
	p->n_keys = k.n;
	free(k.nodes);
	free(text);
	return k.err;
}
