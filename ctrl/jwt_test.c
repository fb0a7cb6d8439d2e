/*
 * jwt_test.c - tokens as control's keys and the worker's room judge them: the RFCs' examples, tokens signed
 * here with every algorithm, and everything that must not be believed.
 */
#include "ctrl/world_sim.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <unistd.h>

#include "jwt/token.h"

#define NOW 1000000000ull

/* -- a token, made -- */

static char *b64(const void *p, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const uint8_t *b = p;
	char *out = calloc(1, n * 4 / 3 + 5), *o = out;

	for (size_t i = 0; i < n; i += 3) {
		uint32_t v =
			(uint32_t)b[i] << 16 | (i + 1 < n ? b[i + 1] << 8 : 0) | (i + 2 < n ? b[i + 2] : 0);
		for (size_t k = 0; k < (n - i > 2 ? 4 : n - i + 1); k++)
			*o++ = digits[v >> (18 - 6 * k) & 63];
	}
	return out;
}

static const struct {
	const char *name, *md;
	uint32_t ec_bytes;
} algs[] = {{"RS256", "SHA256", 0},  {"RS384", "SHA384", 0},  {"RS512", "SHA512", 0},  {"PS256", "SHA256", 0},
	    {"ES256", "SHA256", 32}, {"ES384", "SHA384", 48}, {"ES512", "SHA512", 66}, {"EdDSA", NULL, 0}};

static size_t raw_of(const uint8_t *der, size_t n, uint32_t bytes, uint8_t *out)
{
	ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &der, (long)n);

	BN_bn2binpad(ECDSA_SIG_get0_r(s), out, (int)bytes);
	BN_bn2binpad(ECDSA_SIG_get0_s(s), out + bytes, (int)bytes);
	ECDSA_SIG_free(s);
	return 2 * bytes;
}

static size_t sign(EVP_PKEY *key, uint32_t alg, const char *text, uint8_t *out)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	EVP_PKEY_CTX *p;
	uint8_t der[600];
	size_t n = sizeof(der);

	assert_int_equal(EVP_DigestSignInit(c, &p, algs[alg].md ? EVP_get_digestbyname(algs[alg].md) : NULL,
					    NULL, key),
			 1);
	if (alg == SS_JWT_PS256) {
		EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING);
		EVP_PKEY_CTX_set_rsa_pss_saltlen(p, RSA_PSS_SALTLEN_DIGEST);
	}
	assert_int_equal(EVP_DigestSign(c, der, &n, (const uint8_t *)text, strlen(text)), 1);
	EVP_MD_CTX_free(c);
	if (algs[alg].ec_bytes)
		return raw_of(der, n, algs[alg].ec_bytes, out);
	memcpy(out, der, n);
	return n;
}

/* free() it. */
static char *token(EVP_PKEY *key, uint32_t alg, const char *header, const char *payload)
{
	char *h = b64(header, strlen(header)), *p = b64(payload, strlen(payload)), *s, *signed_text, *all;
	uint8_t sig[600];

	assert_true(asprintf(&signed_text, "%s.%s", h, p) > 0);
	s = b64(sig, sign(key, alg, signed_text, sig));
	assert_true(asprintf(&all, "%s.%s", signed_text, s) > 0);
	free(h);
	free(p);
	free(s);
	free(signed_text);
	return all;
}

/* -- keys -- */

static EVP_PKEY *rsa, *rsa2, *ec[3], *ed;

static char *param64(EVP_PKEY *key, const char *name, int pad)
{
	BIGNUM *bn = NULL;
	uint8_t buf[600];
	int n;

	assert_int_equal(EVP_PKEY_get_bn_param(key, name, &bn), 1);
	n = pad ? BN_bn2binpad(bn, buf, pad) : BN_bn2bin(bn, buf);
	BN_free(bn);
	return b64(buf, (size_t)n);
}

static char *rsa_jwk(EVP_PKEY *key, const char *more)
{
	char *n = param64(key, OSSL_PKEY_PARAM_RSA_N, 0), *e = param64(key, OSSL_PKEY_PARAM_RSA_E, 0), *out;

	assert_true(asprintf(&out, "{\"kty\":\"RSA\",%s\"n\":\"%s\",\"e\":\"%s\"}", more, n, e) > 0);
	free(n);
	free(e);
	return out;
}

static char *ec_jwk(EVP_PKEY *key, uint32_t i)
{
	static const char *const crv[] = {"P-256", "P-384", "P-521"};
	static const int bytes[] = {32, 48, 66};
	char *x = param64(key, OSSL_PKEY_PARAM_EC_PUB_X, bytes[i]),
	     *y = param64(key, OSSL_PKEY_PARAM_EC_PUB_Y, bytes[i]), *out;

	assert_true(asprintf(&out,
			     "{\"kty\":\"EC\",\"crv\":\"%s\",\"kid\":\"ec%u\",\"x\":\"%s\",\"y\":\"%s\"}",
			     crv[i], i, x, y) > 0);
	free(x);
	free(y);
	return out;
}

static char *ed_jwk(EVP_PKEY *key)
{
	uint8_t raw[32];
	size_t n = sizeof(raw);
	char *x, *out;

	EVP_PKEY_get_raw_public_key(key, raw, &n);
	x = b64(raw, n);
	assert_true(asprintf(&out, "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"ed\",\"x\":\"%s\"}", x) >
		    0);
	free(x);
	return out;
}

static char jwks_path[] = "/tmp/ss-jwks-XXXXXX";

static void write_jwks(const char *text)
{
	FILE *f = fopen(jwks_path, "w");

	fputs(text, f);
	fclose(f);
}

static void write_all_keys(void)
{
	char *k[] = {rsa_jwk(rsa, "\"kid\":\"r1\","), ec_jwk(ec[0], 0), ec_jwk(ec[1], 1), ec_jwk(ec[2], 2),
		     ed_jwk(ed)},
	     *text;

	assert_true(asprintf(&text,
			     "{\"keys\":[{\"kty\":\"oct\",\"k\":\"c2VjcmV0\",\"kid\":\"h\"},%s,%s,%s,%s,%s]}",
			     k[0], k[1], k[2], k[3], k[4]) > 0);
	write_jwks(text);
	for (size_t i = 0; i < SS_ARRAY_LEN(k); i++)
		free(k[i]);
	free(text);
}

/* -- a world -- */

struct bed {
	struct world w;
	struct ss_model_jwt_provider *provider;
	struct ss_jwt *jwt;
	struct ss_jwt_found found;
};

static int build(struct bed *b)
{
	return world_build(&b->w);
}

static void start(struct bed *b)
{
	static char *audiences[] = {"shop", "blog"}, *providers[] = {"p"};

	memset(b, 0, sizeof(*b));
	world_start(&b->w);
	b->w.m->n_jwt_providers = 1;
	b->w.m->jwt_providers = b->provider = world_array(1, sizeof(*b->provider));
	*b->provider = (struct ss_model_jwt_provider){.src = {"t.cfg", 9},
						      .name = "p",
						      .issuer = "joe",
						      .jwks = jwks_path,
						      .n_audiences = 2,
						      .audiences = audiences,
						      .header = "Authorization",
						      .prefix = "Bearer ",
						      .param = "access_token",
						      .skew_ns = 60 * SS_NS_PER_SEC};
	b->w.listener->jwt = (struct ss_model_jwt){.present = true, .n_providers = 1, .providers = providers};
	b->jwt = ss_jwt_create(16, 0);
}

static void end(struct bed *b)
{
	ss_jwt_free(b->jwt);
	world_end(&b->w);
}

static enum ss_drop ask_at(struct bed *b, const char *t, uint64_t now)
{
	struct ss_hdrs h;
	struct ss_hdr v[2];
	char field[8192];

	ss_hdrs_init(&h, v, 2);
	h.path = SS_SPAN("/");
	snprintf(field, sizeof(field), "bearer %s", t);
	ss_hdrs_add(&h, SS_SPAN("authorization"), ss_span_str(field), 0);
	ss_jwt_check(b->jwt, b->w.l.jwt, &h, now, &b->found);
	return b->found.why;
}

#define JOE "{\"iss\":\"joe\",\"sub\":\"me\",\"aud\":[\"x\",\"shop\"],\"exp\":1000000100,\"nbf\":999999900"

static enum ss_drop ask(struct bed *b, EVP_PKEY *key, uint32_t alg, const char *header, const char *payload)
{
	char *t = token(key, alg, header, payload);
	enum ss_drop why = ask_at(b, t, NOW);

	free(t);
	return why;
}

/* -- tests -- */

static void the_rfcs_examples(void **state)
{
	/* RFC 7515 A.3. */
	static const char es[] =
		"eyJhbGciOiJFUzI1NiJ9."
		"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl"
		"fQ."
		"DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
	struct bed b;

	write_jwks("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
		   "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
		   "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}");
	start(&b);
	b.provider->n_audiences = 0;
	assert_int_equal(build(&b), 0);
	assert_int_equal(ask_at(&b, es, 1300819379), SS_DROP_NONE);
	assert_int_equal(
		b.found.claims
			->nodes[ss_claims_find(b.found.claims, ss_span("http://example.com/is_root\0", 27))]
			.type,
		SS_JSCAN_TRUE);
	assert_int_equal(ask_at(&b, es, 1300819380 + 59), SS_DROP_NONE);
	assert_int_equal(ask_at(&b, es, 1300819380 + 60), SS_DROP_TOKEN_EXPIRED);
	end(&b);
}

static void every_algorithm(void **state)
{
	EVP_PKEY *keys[] = {rsa, rsa, rsa, rsa, ec[0], ec[1], ec[2], ed};
	static const char *const kids[] = {"r1", "r1", "r1", "r1", "ec0", "ec1", "ec2", "ed"};
	struct bed b;

	write_all_keys();
	start(&b);
	assert_int_equal(build(&b), 0);
	for (uint32_t a = 0; a < SS_ARRAY_LEN(algs); a++) {
		char header[100], *t;
		uint64_t before = ss_jwt_verified(b.jwt);
		snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"%s\"}", algs[a].name, kids[a]);
		t = token(keys[a], a, header, JOE ",\"n\":[1,\"two\"]}");
		if (ask_at(&b, t, NOW) != SS_DROP_NONE)
			fail_msg("%s: %s", algs[a].name, ss_drop_name(b.found.why));
		assert_true(ss_span_eq(b.found.claims->principal, SS_SPAN("joe/me")));
		assert_int_equal(ss_jwt_verified(b.jwt), before + 1);
		/* The second time it is remembered. */
		assert_int_equal(ask_at(&b, t, NOW), SS_DROP_NONE);
		assert_int_equal(ss_jwt_verified(b.jwt), before + 1);
		assert_true(ss_span_eq(b.found.claims->principal, SS_SPAN("joe/me")));
		uint16_t at = ss_claims_find(b.found.claims, ss_span("n\0", 2));
		assert_true(ss_span_eq(b.found.claims->nodes[at + 2].text, SS_SPAN("two")));
		/* One bit of the signature, of the payload. */
		size_t n = strlen(t);
		t[n - 6] = t[n - 6] == 'A' ? 'B' : 'A';
		assert_int_equal(ask_at(&b, t, NOW), SS_DROP_TOKEN_INVALID);
		free(t);
		/* Without a key name, too; with another's not. */
		snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", algs[a].name);
		assert_int_equal(ask(&b, keys[a], a, header, JOE "}"), SS_DROP_NONE);
		snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"other\"}", algs[a].name);
		assert_int_equal(ask(&b, keys[a], a, header, JOE "}"), SS_DROP_TOKEN_INVALID);
	}
	assert_int_equal(ask(&b, rsa2, SS_JWT_RS256, "{\"alg\":\"RS256\",\"kid\":\"r1\"}", JOE "}"),
			 SS_DROP_TOKEN_INVALID);
	end(&b);
}

/* RFC 8725 2.1: "none", and a MAC whose key is the public key. */
static void algorithms_are_not_confused(void **state)
{
	struct bed b;
	char *h, *p, *text, *t, *s;
	uint8_t mac[64], *pem;
	unsigned n = 0;
	BIO *bio = BIO_new(BIO_s_mem());

	write_all_keys();
	start(&b);
	assert_int_equal(build(&b), 0);
	h = b64("{\"alg\":\"none\"}", 14);
	p = b64(JOE "}", strlen(JOE "}"));
	assert_true(asprintf(&t, "%s.%s.", h, p) > 0);
	assert_int_equal(ask_at(&b, t, NOW), SS_DROP_TOKEN_INVALID);
	free(t);
	assert_true(asprintf(&t, "%s.%s.AAAA", h, p) > 0);
	assert_int_equal(ask_at(&b, t, NOW), SS_DROP_TOKEN_INVALID);
	free(t);
	free(h);
	PEM_write_bio_PUBKEY(bio, rsa);
	long pem_n = BIO_get_mem_data(bio, &pem);
	h = b64("{\"alg\":\"HS256\",\"kid\":\"r1\"}", 26);
	assert_true(asprintf(&text, "%s.%s", h, p) > 0);
	HMAC(EVP_sha256(), pem, (int)pem_n, (uint8_t *)text, strlen(text), mac, &n);
	s = b64(mac, n);
	assert_true(asprintf(&t, "%s.%s", text, s) > 0);
	assert_int_equal(ask_at(&b, t, NOW), SS_DROP_TOKEN_INVALID);
	BIO_free(bio);
	free(h), free(p), free(text), free(s), free(t);
	/* The header's algorithm must be the key's: none was even tried. */
	assert_int_equal(ask(&b, ec[0], SS_JWT_ES256, "{\"alg\":\"ES384\",\"kid\":\"ec0\"}", JOE "}"),
			 SS_DROP_TOKEN_INVALID);
	assert_int_equal(
		ask(&b, rsa, SS_JWT_RS256, "{\"alg\":\"RS256\",\"crit\":[\"b64\"],\"b64\":false}", JOE "}"),
		SS_DROP_TOKEN_INVALID);
	assert_int_equal(ask(&b, rsa, SS_JWT_RS256, "{\"alg\":\"rs256\"}", JOE "}"), SS_DROP_TOKEN_INVALID);
	assert_int_equal(ask(&b, rsa, SS_JWT_RS256, "{\"alg\":[\"RS256\"]}", JOE "}"), SS_DROP_TOKEN_INVALID);
	assert_int_equal(ask(&b, rsa, SS_JWT_RS256, "{}", JOE "}"), SS_DROP_TOKEN_INVALID);
	assert_int_equal(ss_jwt_verified(b.jwt), 0);
	end(&b);
}

static void claims_are_checked(void **state)
{
	static const struct {
		const char *payload;
		enum ss_drop why;
	} rows[] = {
		{"{\"iss\":\"joe\",\"aud\":\"shop\"}", SS_DROP_NONE},
		{"{\"iss\":\"joe\",\"aud\":[\"blog\"],\"exp\":999999941}", SS_DROP_NONE},
		{"{\"iss\":\"joe\",\"aud\":[\"blog\"],\"exp\":999999940}", SS_DROP_TOKEN_EXPIRED},
		{"{\"iss\":\"joe\",\"aud\":\"shop\",\"nbf\":1000000060}", SS_DROP_NONE},
		{"{\"iss\":\"joe\",\"aud\":\"shop\",\"nbf\":1000000061}", SS_DROP_TOKEN_EXPIRED},
		{"{\"iss\":\"jim\",\"aud\":\"shop\"}", SS_DROP_TOKEN_REFUSED},
		{"{\"aud\":\"shop\"}", SS_DROP_TOKEN_REFUSED},
		{"{\"iss\":[\"joe\"],\"aud\":\"shop\"}", SS_DROP_TOKEN_REFUSED},
		{"{\"iss\":\"joe\"}", SS_DROP_TOKEN_REFUSED},
		{"{\"iss\":\"joe\",\"aud\":[]}", SS_DROP_TOKEN_REFUSED},
		{"{\"iss\":\"joe\",\"aud\":[\"sho\",\"shopp\"]}", SS_DROP_TOKEN_REFUSED},
		{"{\"iss\":\"joe\",\"aud\":\"shop\",\"exp\":\"2000000000\"}", SS_DROP_TOKEN_INVALID},
		{"{\"iss\":\"joe\",\"aud\":\"shop\",\"exp\":null}", SS_DROP_TOKEN_INVALID},
		{"{\"iss\":\"joe\",\"aud\":\"shop\",\"exp\":-1}", SS_DROP_TOKEN_INVALID},
		{"{\"iss\":\"joe\",\"aud\":\"shop\",\"exp\":2000000000,\"exp\":1}", SS_DROP_TOKEN_INVALID},
		{"{\"iss\":\"joe\",\"aud\":\"shop\",\"nbf\":\"x\"}", SS_DROP_TOKEN_INVALID},
		{"[\"joe\"]", SS_DROP_TOKEN_INVALID},
		{"joe", SS_DROP_TOKEN_INVALID},
	};
	struct bed b;

	write_all_keys();
	start(&b);
	assert_int_equal(build(&b), 0);
	for (size_t i = 0; i < SS_ARRAY_LEN(rows); i++)
		if (ask(&b, ed, SS_JWT_EdDSA, "{\"alg\":\"EdDSA\"}", rows[i].payload) != rows[i].why)
			fail_msg("%s: %s", rows[i].payload, ss_drop_name(b.found.why));
	/* What was good yesterday: remembered, and expired all the same. */
	char *t = token(ed, SS_JWT_EdDSA, "{\"alg\":\"EdDSA\"}", JOE "}");
	assert_int_equal(ask_at(&b, t, NOW), SS_DROP_NONE);
	assert_int_equal(ask_at(&b, t, NOW + 1000), SS_DROP_TOKEN_EXPIRED);
	assert_int_equal(ask_at(&b, t, UINT64_MAX), SS_DROP_TOKEN_EXPIRED);
	free(t);
	end(&b);
}

static void malformed(void **state)
{
	static const char *const bad[] = {"a",
					  "a.b",
					  "a.b.c",
					  "..",
					  "a..c",
					  "a.b.c.d",
					  "eyJhbGciOiJFZERTQSJ9.e30=.AA",
					  "%.%.%",
					  "eyJhbGciOiJFZERTQSJ9.e30.",
					  ".e30.AA"};
	struct bed b;
	char *t, *longer, *pad;

	write_all_keys();
	start(&b);
	assert_int_equal(build(&b), 0);
	for (size_t i = 0; i < SS_ARRAY_LEN(bad); i++)
		if (ask_at(&b, bad[i], NOW) == SS_DROP_NONE)
			fail_msg("%s", bad[i]);
	assert_int_equal(ask_at(&b, "", NOW), SS_DROP_TOKEN_MISSING);
	/* Longer than what we take. */
	pad = calloc(1, 4001);
	memset(pad, 'x', 4000);
	assert_true(asprintf(&longer, JOE ",\"pad\":\"%s\"}", pad) > 0);
	t = token(ed, SS_JWT_EdDSA, "{\"alg\":\"EdDSA\"}", longer);
	assert_int_equal(ask_at(&b, t, NOW), SS_DROP_TOKEN_INVALID);
	free(pad), free(longer), free(t);
	end(&b);
}

/* New keys: what was verified with the old ones is verified again. Many tokens: the cache forgets, and stays
 * right. */
static void the_cache_follows_the_keys(void **state)
{
	struct bed b;
	char *k = rsa_jwk(rsa2, "\"kid\":\"r2\","), *text,
	     *t = token(ed, SS_JWT_EdDSA, "{\"alg\":\"EdDSA\"}", JOE "}"), payload[200];

	write_all_keys();
	start(&b);
	assert_int_equal(build(&b), 0);
	assert_int_equal(ask_at(&b, t, NOW), SS_DROP_NONE);
	assert_true(asprintf(&text, "{\"keys\":[%s]}", k) > 0);
	write_jwks(text);
	assert_int_equal(build(&b), 0);
	assert_int_equal(ask_at(&b, t, NOW), SS_DROP_TOKEN_INVALID);
	write_all_keys();
	assert_int_equal(build(&b), 0);
	uint64_t before = ss_jwt_verified(b.jwt);
	for (int i = 0; i < 100; i++) {
		snprintf(payload, sizeof(payload), JOE ",\"i\":%d}", i);
		assert_int_equal(ask(&b, ed, SS_JWT_EdDSA, "{\"alg\":\"EdDSA\"}", payload), SS_DROP_NONE);
	}
	assert_int_equal(ss_jwt_verified(b.jwt), before + 100);
	free(k), free(text), free(t);
	end(&b);
}

static void wrong_keys_are_named(void **state)
{
	static const struct {
		const char *text, *say;
	} bad[] = {{"", "no JSON"},
		   {"{}", "no list"},
		   {"{\"keys\":[]}", "no key for"},
		   {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}", "no key for"},
		   {"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}", "RSA key"},
		   {"{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\"}]}", "RSA key without"},
		   {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAA\",\"y\":\"AAAA\"}]}",
		    "EC key without"},
		   /* The point of RFC 7515 A.3, one bit off: not on the curve. */
		   {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
		    "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
		    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a8\"}]}",
		    "EC key"},
		   {"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}]}", "Ed25519 key"},
		   {"{\"keys\":[{\"kty\":\"RSA\",\"use\":\"enc\",\"n\":\"x\",\"e\":\"x\"}]}", "no key for"}};

	for (size_t i = 0; i < SS_ARRAY_LEN(bad); i++) {
		struct bed b;
		start(&b);
		write_jwks(bad[i].text);
		if (build(&b) >= 0)
			fail_msg("%s was taken", bad[i].text);
		assert_true(b.w.errors.n > 0);
		if (strncmp(b.w.errors.text[0], "t.cfg:9: jwks: ", 15) ||
		    !strstr(b.w.errors.text[0], bad[i].say))
			fail_msg("%s: %s", bad[i].text, b.w.errors.text[0]);
		end(&b);
	}
}

static void where_it_stands(void **state)
{
	struct ss_jwt_provider p = {.header = SS_SPAN("authorization"),
				    .prefix = SS_SPAN("Bearer "),
				    .param = SS_SPAN("access_token")};
	struct ss_hdrs h;
	struct ss_hdr v[3];

	ss_hdrs_init(&h, v, 3);
	h.path = SS_SPAN("/a?x=1&access_token=t.o.k&y=2");
	assert_true(ss_span_eq(ss_jwt_token(&p, &h), SS_SPAN("t.o.k")));
	h.path = SS_SPAN("/a?xaccess_token=1&access_token");
	assert_int_equal(ss_jwt_token(&p, &h).n, 0);
	ss_hdrs_add(&h, SS_SPAN("authorization"), SS_SPAN("Basic abc"), 0);
	assert_int_equal(ss_jwt_token(&p, &h).n, 0);
	ss_hdrs_add(&h, SS_SPAN("authorization"), SS_SPAN("BEARER   q"), 0);
	assert_true(ss_span_eq(ss_jwt_token(&p, &h), SS_SPAN("q")));
	p.param = SS_SPAN_NONE;
	p.header = SS_SPAN("x-token");
	assert_int_equal(ss_jwt_token(&p, &h).n, 0);
}

/* -- what OpenSSL takes for a new token -- */

static uint64_t allocations;

static void *counted(size_t n, const char *file, int line)
{
	allocations++;
	return malloc(n);
}

static void *counted_again(void *p, size_t n, const char *file, int line)
{
	allocations++;
	return realloc(p, n);
}

static void uncounted(void *p, const char *file, int line)
{
	free(p);
}

static void a_remembered_token_allocates_nothing(void **state)
{
	static const char *const headers[] = {"{\"alg\":\"RS256\"}", "{\"alg\":\"ES256\"}",
					      "{\"alg\":\"EdDSA\"}"};
	static const uint32_t alg[] = {SS_JWT_RS256, SS_JWT_ES256, SS_JWT_EdDSA};
	EVP_PKEY *keys[] = {rsa, ec[0], ed};
	struct bed b;

	write_all_keys();
	start(&b);
	assert_int_equal(build(&b), 0);
	for (size_t i = 0; i < SS_ARRAY_LEN(headers); i++) {
		char *t = token(keys[i], alg[i], headers[i], JOE "}");
		uint64_t before = allocations;
		assert_int_equal(ask_at(&b, t, NOW), SS_DROP_NONE);
		print_message("%s: a new token makes OpenSSL allocate %llu times\n", algs[alg[i]].name,
			      (unsigned long long)(allocations - before));
		before = allocations;
		assert_int_equal(ask_at(&b, t, NOW), SS_DROP_NONE);
		assert_int_equal(allocations, before);
		free(t);
	}
	end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rfcs_examples),
		cmocka_unit_test(every_algorithm),
		cmocka_unit_test(algorithms_are_not_confused),
		cmocka_unit_test(claims_are_checked),
		cmocka_unit_test(malformed),
		cmocka_unit_test(the_cache_follows_the_keys),
		cmocka_unit_test(wrong_keys_are_named),
		cmocka_unit_test(where_it_stands),
		cmocka_unit_test(a_remembered_token_allocates_nothing),
	};
	int failed, fd;

	CRYPTO_set_mem_functions(counted, counted_again, uncounted);
	fd = mkstemp(jwks_path);
	rsa = EVP_RSA_gen(2048);
	rsa2 = EVP_RSA_gen(2048);
	ec[0] = EVP_EC_gen("P-256");
	ec[1] = EVP_EC_gen("P-384");
	ec[2] = EVP_EC_gen("P-521");
	ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	close(fd);
	unlink(jwks_path);
	return failed;
}
