/*
 * jwt_bench.c - dataplane/jwt: a token of some 230 bytes that is remembered, and one that is new each time
 * (the provider's hash changes under it), which pays for its signature.
 */
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "jwt/token.h"
#include "perf/micro/micro.h"

struct bench {
	struct ss_jwt *jwt;
	struct ss_jwt_key key;
	struct ss_jwt_provider provider;
	struct ss_hdrs head;
	struct ss_hdr v[1];
	char field[1024];
	bool fresh;
};

static const char *const header = "eyJhbGciOiJFZERTQSJ9"; /* {"alg":"EdDSA"} */
/* {"iss":"https://issuer.example","sub":"joe","aud":"shop","exp":4102444800,"roles":["reader","writer"]} */
static const char *const payload = "eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIiwic3ViIjoiam9lIiwiYXVkIjoic2hvc"
				   "CIsImV4cCI6NDEwMjQ0NDgwMCwicm9sZXMi"
				   "OlsicmVhZGVyIiwid3JpdGVyIl19";

static void b64(const uint8_t *p, size_t n, char *out)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

	for (size_t i = 0; i < n; i += 3) {
		uint32_t v =
			(uint32_t)p[i] << 16 | (i + 1 < n ? p[i + 1] << 8 : 0) | (i + 2 < n ? p[i + 2] : 0);
		for (size_t k = 0; k < (n - i > 2 ? 4 : n - i + 1); k++)
			*out++ = digits[v >> (18 - 6 * k) & 63];
	}
	*out = 0;
}

static void make(struct bench *b)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	EVP_MD_CTX *sign = EVP_MD_CTX_new(), *verify = EVP_MD_CTX_new();
	uint8_t sig[64];
	size_t n = sizeof(sig);
	int used = snprintf(b->field, sizeof(b->field), "Bearer %s.%s", header, payload);

	if (EVP_DigestSignInit(sign, NULL, NULL, NULL, key) != 1 ||
	    EVP_DigestSign(sign, sig, &n, (uint8_t *)b->field + 7, (size_t)used - 7) != 1 ||
	    EVP_DigestVerifyInit(verify, NULL, NULL, NULL, key) != 1)
		abort();
	b->field[used] = '.';
	b64(sig, n, b->field + used + 1);
	EVP_MD_CTX_free(sign);
	EVP_PKEY_free(key);
	b->key = (struct ss_jwt_key){.alg = SS_JWT_EdDSA, .md = {verify}};
	b->provider = (struct ss_jwt_provider){.issuer = SS_SPAN("https://issuer.example"),
					       .n_keys = 1,
					       .keys = &b->key,
					       .header = SS_SPAN("authorization"),
					       .prefix = SS_SPAN("Bearer "),
					       .hash = 1};
	b->jwt = ss_jwt_create(128, 0);
	ss_hdrs_init(&b->head, b->v, 1);
	ss_hdrs_add(&b->head, SS_SPAN("authorization"), ss_span_str(b->field), 0);
}

static void check(void *at, uint32_t n)
{
	struct bench *b = at;
	const struct ss_jwt_provider *one = &b->provider;
	struct ss_jwt_policy policy = {.n_providers = 1, .providers = &one};
	struct ss_jwt_found found;

	for (uint32_t i = 0; i < n; i++) {
		b->provider.hash += b->fresh;
		ss_jwt_check(b->jwt, &policy, &b->head, 1700000000, &found);
		assert(found.why == SS_DROP_NONE);
		micro_keep(found.claims);
	}
}

void micro_items(struct micro *m)
{
	static const char *const names[] = {"jwt.remembered", "jwt.new.EdDSA"};

	for (uint32_t i = 0; i < SS_ARRAY_LEN(names); i++) {
		static struct bench b;
		if (!micro_wants(m, names[i]))
			continue;
		memset(&b, 0, sizeof(b));
		make(&b);
		b.fresh = i == 1;
		micro_run(m, names[i], check, &b);
		EVP_MD_CTX_free(b.key.md[0]);
		ss_jwt_free(b.jwt);
	}
}
