/* jwt_fuzz.c - any bytes as a token and as a query: nothing is read past them, and nothing of it is believed.
 */
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "jwt/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* One EC key, so that signatures of its length are turned into DER and asked about. */
static void *context(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	EVP_MD_CTX *c = EVP_MD_CTX_new();

	if (!key || !c || EVP_DigestVerifyInit(c, NULL, EVP_sha256(), NULL, key) != 1)
		abort();
	EVP_PKEY_free(key);
	return c;
}

static void ask(struct ss_jwt *j, const struct ss_jwt_policy *p, struct ss_span field, struct ss_span path)
{
	struct ss_hdrs h;
	struct ss_hdr v[1];
	struct ss_jwt_found found;

	ss_hdrs_init(&h, v, 1);
	h.path = path;
	if (field.n)
		ss_hdrs_add(&h, SS_SPAN("authorization"), field, 0);
	ss_jwt_check(j, p, &h, 1000, &found);
	if (found.why == SS_DROP_NONE || found.claims)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct ss_jwt *j;
	static struct ss_jwt_key key = {.alg = SS_JWT_ES256};
	struct ss_jwt_provider p = {.issuer = SS_SPAN("joe"),
				    .n_keys = 1,
				    .keys = &key,
				    .header = SS_SPAN("authorization"),
				    .prefix = SS_SPAN("Bearer "),
				    .param = SS_SPAN("t"),
				    .hash = 1};
	const struct ss_jwt_provider *one = &p;
	struct ss_jwt_policy policy = {.n_providers = 1, .providers = &one};
	uint8_t *copy = malloc(n + 7);

	if (!j) {
		j = ss_jwt_create(4, 0);
		key.md[0] = context();
	}
	if (!copy || !j || n > 16384) {
		free(copy);
		return 0;
	}
	memcpy(copy, "Bearer ", 7);
	memcpy(copy + 7, data, n);
	ask(j, &policy, ss_span(copy, (uint32_t)n + 7), SS_SPAN("/"));
	ask(j, &policy, SS_SPAN_NONE, ss_span(copy + 7, (uint32_t)n));
	free(copy);
	return 0;
}
