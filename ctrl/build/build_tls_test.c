/*
 * Contexts made from files: they shake hands as the policy says; every fault of a file or of a policy is a
 * line that names it. The argument is tools/ca, which makes the files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <openssl/ssl.h>

#include "base/err.h"
#include "build/build_tls.h"
#include "build/certs_folder_sim.h"

/* A model with one secret, one trust and the two groups under test. */
struct bench {
	struct ss_model_secret secret;
	struct ss_model_trust trust;
	struct ss_model_tls server, client;
	struct ss_model_id server_id, client_id;
	struct ss_model *model;
	struct ss_snapshot snap;
	struct ss_model_errors errors;
	struct ss_build_job job;
};

static void bench_init(struct bench *b)
{
	memset(b, 0, sizeof(*b));
	b->secret = (struct ss_model_secret){ .src = { "t.cfg", 3 }, .name = "own", .certificate = in_dir("a.pem"),
					      .private_key = in_dir("a.key") };
	b->trust = (struct ss_model_trust){ .src = { "t.cfg", 4 }, .name = "mesh", .trust_domain = "mesh.local",
					    .bundle = in_dir("mesh.pem") };
	b->server = (struct ss_model_tls){ .src = { "t.cfg", 5 }, .present = true, .mode = SS_TLS_STRICT,
					   .secret = "own", .trust = "mesh", .client_certificate = true,
					   .min_version = "1.2", .handshake_timeout_ns = 7 };
	b->client = b->server;
	b->client.src.line = 6;
	b->client.sni = "a.example";
	b->model = ss_model_new();
	b->model->secrets = &b->secret;
	b->model->trusts = &b->trust;
	b->model->n_secrets = b->model->n_trusts = 1;
	b->snap.memory = ss_build_mem_create();
	b->job = (struct ss_build_job){ .model = b->model, .n_workers = 2, .snap = &b->snap, .errors = &b->errors };
}

static void bench_free(struct bench *b)
{
	ss_build_mem_free(b->snap.memory);
	ss_model_free(b->model);
	ss_model_errors_free(&b->errors);
}

static void test_contexts_and_policy(void **state)
{
	const struct ss_tls_server *s;
	const struct ss_tls_client *c;
	struct bench b;

	bench_init(&b);
	assert_int_equal(ss_build_tls_server(&b.job, &b.server, SS_PROTO_AUTO, &s), 0);
	assert_int_equal(ss_build_tls_client(&b.job, &b.client, SS_PROTO_AUTO, &c), 0);
	assert_int_equal(b.errors.n, 0);
	assert_int_equal(s->mode, SS_TLS_STRICT);
	assert_true(s->client_certificate);
	assert_int_equal(s->handshake_timeout_ns, 7);
	assert_non_null(s->ctx[0]);
	assert_non_null(s->ctx[1]);
	assert_ptr_not_equal(s->ctx[0], s->ctx[1]);
	assert_null(s->ctx[2]);
	/* Nobody listed: everybody of the trust domain. */
	assert_int_equal(s->n_ids, 1);
	assert_int_equal(s->ids[0].kind, SS_ID_DOMAIN);
	assert_true(ss_span_eq(s->ids[0].value, SS_SPAN("mesh.local")));
	/* A client without ids verifies the name. */
	assert_int_equal(c->n_ids, 0);
	assert_true(ss_span_eq(c->sni, SS_SPAN("a.example")));
	bench_free(&b);
}

static void test_disabled_and_absent(void **state)
{
	const struct ss_tls_server *s;
	const struct ss_tls_client *c;
	struct bench b;

	bench_init(&b);
	b.server.mode = SS_TLS_DISABLE;
	b.client.present = false;
	assert_int_equal(ss_build_tls_server(&b.job, &b.server, SS_PROTO_AUTO, &s), 0);
	assert_int_equal(s->mode, SS_TLS_DISABLE);
	assert_null(s->ctx[0]);
	assert_int_equal(ss_build_tls_client(&b.job, &b.client, SS_PROTO_AUTO, &c), 0);
	assert_null(c);
	bench_free(&b);
}

/* Two ends over memory; true when both are done. */
static bool shake(SSL *a, SSL *b)
{
	BIO *ab, *ba;

	BIO_new_bio_pair(&ab, 0, &ba, 0);
	SSL_set_bio(a, ab, ab);
	SSL_set_bio(b, ba, ba);
	SSL_set_connect_state(a);
	SSL_set_accept_state(b);
	bool a_done = false, b_done = false;
	for (int i = 0; i < 20 && !(a_done && b_done); i++) {
		a_done = SSL_do_handshake(a) == 1;
		b_done = SSL_do_handshake(b) == 1;
	}
	return a_done && b_done;
}

/* Shakes hands between the two contexts; the client limited to max and offering one protocol. */
static bool meet(struct bench *b, enum ss_protocol protocol, int max, const char *suites, char alpn[16], char suite[64])
{
	const struct ss_tls_server *s;
	const struct ss_tls_client *c;
	const unsigned char *p;
	unsigned n;

	assert_int_equal(ss_build_tls_server(&b->job, &b->server, protocol, &s), 0);
	assert_int_equal(ss_build_tls_client(&b->job, &b->client, protocol, &c), 0);
	SSL *x = SSL_new(c->ctx[0]), *y = SSL_new(s->ctx[0]);
	SSL_set_max_proto_version(x, max);
	SSL_set_min_proto_version(x, TLS1_VERSION);
	if (suites)
		SSL_set_cipher_list(x, suites);
	SSL_set_alpn_protos(x, (const unsigned char *)"\x08http/1.1\x02h2", 12);
	bool ok = shake(x, y);
	SSL_get0_alpn_selected(x, &p, &n);
	snprintf(alpn, 16, "%.*s", (int)n, (const char *)p);
	snprintf(suite, 64, "%s", SSL_get_cipher_name(x));
	SSL_free(x);
	SSL_free(y);
	return ok;
}

static void test_handshakes(void **state)
{
	char alpn[16], suite[64];
	struct bench b;

	bench_init(&b);
	assert_true(meet(&b, SS_PROTO_AUTO, TLS1_3_VERSION, NULL, alpn, suite));
	assert_string_equal(alpn, "h2"); /* the server's preference, not the client's */
	assert_string_equal(suite, "TLS_AES_128_GCM_SHA256");
	assert_true(meet(&b, SS_PROTO_H1, TLS1_2_VERSION, NULL, alpn, suite));
	assert_string_equal(alpn, "http/1.1");
	assert_string_equal(suite, "ECDHE-ECDSA-AES128-GCM-SHA256");
	/* Old versions and suites without AEAD find nobody. */
	assert_false(meet(&b, SS_PROTO_AUTO, TLS1_1_VERSION, "ALL:@SECLEVEL=0", alpn, suite));
	assert_false(meet(&b, SS_PROTO_AUTO, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256", alpn, suite));
	b.server.min_version = "1.3";
	assert_false(meet(&b, SS_PROTO_AUTO, TLS1_2_VERSION, NULL, alpn, suite));
	bench_free(&b);
}

static void test_no_protocol_in_common(void **state)
{
	const struct ss_tls_server *s;
	const struct ss_tls_client *c;
	struct bench b;

	bench_init(&b);
	assert_int_equal(ss_build_tls_server(&b.job, &b.server, SS_PROTO_H2, &s), 0);
	assert_int_equal(ss_build_tls_client(&b.job, &b.client, SS_PROTO_H1, &c), 0);
	for (int offer = 0; offer < 2; offer++) {
		SSL *x = SSL_new(c->ctx[0]), *y = SSL_new(s->ctx[0]);

		if (offer)
			SSL_set_alpn_protos(x, (const unsigned char *)"\x08http/1.1", 9);
		/* Who offers nothing is let in: the first bytes decide then. */
		assert_int_equal(shake(x, y), !offer);
		SSL_free(x);
		SSL_free(y);
	}
	bench_free(&b);
}

static uint64_t hash_of(struct bench *b)
{
	const struct ss_tls_client *c;

	assert_int_equal(ss_build_tls_client(&b->job, &b->client, SS_PROTO_AUTO, &c), 0);
	assert_int_not_equal(c->hash, 0);
	return c->hash;
}

static void test_hash_tells_policies_apart(void **state)
{
	uint64_t seen[6];
	struct bench b;

	bench_init(&b);
	seen[0] = hash_of(&b);
	assert_int_equal(hash_of(&b), seen[0]);
	b.client.min_version = "1.3";
	seen[1] = hash_of(&b);
	b.client.sni = "b.example";
	seen[2] = hash_of(&b);
	b.client.ids = &b.client_id;
	b.client.n_ids = 1;
	b.client_id.kind = SS_ID_ANY;
	seen[3] = hash_of(&b);
	b.secret.certificate = in_dir("b.pem");
	b.secret.private_key = in_dir("b.key");
	seen[4] = hash_of(&b);
	b.trust.bundle = in_dir("other.pem");
	b.job.trusts = NULL; /* a later build */
	seen[5] = hash_of(&b);
	for (int i = 0; i < 6; i++)
		for (int k = 0; k < i; k++)
			assert_int_not_equal(seen[i], seen[k]);
	bench_free(&b);
}

/* SPIFFE's form of a bundle, and PEM: the same trust. */
static void test_bundle_as_json(void **state)
{
	static const struct {
		const char *text, *why;
	} wrong_ones[] = {
		{ "{\"keys\":[]}", "no key with use" },
		{ "{\"keys\":{}}", "no list" },
		{ "{\"keys\":[{\"x5c\":[\"AAAA\"]}]}", "without \"use\"" },
		{ "{\"keys\":[{\"use\":\"x509-svid\"}]}", "not one certificate" },
		{ "{\"keys\":[{\"use\":\"x509-svid\",\"x5c\":[]}]}", "not one certificate" },
		{ "{\"keys\":[{\"use\":\"x509-svid\",\"x5c\":[\"AAAA\",\"AAAA\"]}]}", "not one certificate" },
		{ "{\"keys\":[{\"use\":\"x509-svid\",\"x5c\":[\"AAAA\"]}]}", "is no certificate" },
		{ "{\"keys\":[{\"use\":\"x509-svid\",\"x5c\":[\"=\"]}]}", "is no certificate" },
		{ "{\"keys\":", "no JSON" },
	};
	const struct ss_tls_client *c;
	struct bench b;

	bench_init(&b);
	uint64_t pem = hash_of(&b);
	b.trust.bundle = in_dir("mesh.json");
	b.job.trusts = NULL;
	assert_int_equal(hash_of(&b), pem);
	bench_free(&b);
	for (size_t i = 0; i < SS_ARRAY_LEN(wrong_ones); i++) {
		bench_init(&b);
		b.trust.bundle = in_dir("wrong.json");
		FILE *f = fopen(b.trust.bundle, "w");
		assert_non_null(f);
		fputs(wrong_ones[i].text, f);
		fclose(f);
		assert_true(ss_build_tls_client(&b.job, &b.client, SS_PROTO_AUTO, &c) < 0);
		assert_int_equal(b.errors.n, 1);
		if (!strstr(b.errors.text[0], wrong_ones[i].why))
			fail_msg("\"%s\" instead of \"%s\"", b.errors.text[0], wrong_ones[i].why);
		bench_free(&b);
	}
}

/* One thing changed in a good configuration, and the line that must come of it. */
struct wrong {
	const char *line; /* "%s" is the folder */
	const char *certificate, *private_key, *bundle, *domain;
	struct ss_model_id id;
	bool no_trust, no_name;
};

static const struct wrong wrongs[] = {
	{ .line = "t.cfg:3: certificate: cannot read %s/none.pem: No such file or directory", .certificate = "none.pem" },
	{ .line = "t.cfg:3: private_key: cannot read %s/none.key: No such file or directory", .private_key = "none.key" },
	{ .line = "t.cfg:3: certificate: %s/a.key: no certificate in it", .certificate = "a.key" },
	{ .line = "t.cfg:3: private_key: %s/b.key is not the key of %s/a.pem", .private_key = "b.key" },
	{ .line = "t.cfg:3: private_key: %s/locked.key:", .private_key = "locked.key" },
	{ .line = "t.cfg:3: certificate: %s/torn.pem:", .certificate = "torn.pem" },
	{ .line = "t.cfg:4: bundle: cannot read %s/none.pem: No such file or directory", .bundle = "none.pem" },
	{ .line = "t.cfg:4: bundle: %s/a.pem: certificate 1 is not a certificate authority's", .bundle = "a.pem" },
	{ .line = "t.cfg:6: tls.secret: %s/a.pem says spiffe://mesh.local/a, which is not in trust domain other.local (trust mesh)",
	  .domain = "other.local" },
	{ .line = "t.cfg:6: tls.allowed_ids: [0] \"spiffe://evil.local/x\" is outside trust domain mesh.local",
	  .id = { SS_ID_EXACT, "spiffe://evil.local/x" } },
	{ .line = "t.cfg:6: tls.allowed_ids: [0] \"evil.local\" is outside trust domain mesh.local",
	  .id = { SS_ID_DOMAIN, "evil.local" } },
	{ .line = "t.cfg:6: tls: needs a trust, and allowed_ids or sni", .no_trust = true },
	{ .line = "t.cfg:6: tls: needs a trust, and allowed_ids or sni", .no_name = true },
};

static void test_every_fault_is_named(void **state)
{
	for (size_t i = 0; i < SS_ARRAY_LEN(wrongs); i++) {
		const struct wrong *w = &wrongs[i];
		const struct ss_tls_client *c;
		char want[256];
		struct bench b;

		bench_init(&b);
		if (w->certificate)
			b.secret.certificate = in_dir(w->certificate);
		if (w->private_key)
			b.secret.private_key = in_dir(w->private_key);
		if (w->bundle)
			b.trust.bundle = in_dir(w->bundle);
		if (w->domain)
			b.trust.trust_domain = (char *)(uintptr_t)w->domain;
		if (w->id.value) {
			b.client_id = w->id;
			b.client.ids = &b.client_id;
			b.client.n_ids = 1;
		}
		if (w->no_trust)
			b.client.trust = NULL;
		if (w->no_name)
			b.client.sni = NULL;
		assert_true(ss_build_tls_client(&b.job, &b.client, SS_PROTO_AUTO, &c) < 0);
		assert_int_equal(b.errors.n, 1);
		snprintf(want, sizeof(want), w->line, dir, dir);
		if (!strstr(b.errors.text[0], want))
			fail_msg("\"%s\" instead of \"%s\"", b.errors.text[0], want);
		bench_free(&b);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_contexts_and_policy),
		cmocka_unit_test(test_disabled_and_absent),
		cmocka_unit_test(test_handshakes),
		cmocka_unit_test(test_no_protocol_in_common),
		cmocka_unit_test(test_hash_tells_policies_apart),
		cmocka_unit_test(test_every_fault_is_named),
		cmocka_unit_test(test_bundle_as_json),
	};

	make_dir(argc, argv);
	ca("init mesh");
	ca("init other");
	ca("leaf --ca mesh --out a --spiffe spiffe://mesh.local/a --dns a.example");
	ca("leaf --ca mesh --out b --dns b.example");
	run("openssl pkcs8 -topk8 -in a.key -passout pass:secret -out locked.key");
	run("head -c 300 a.pem > torn.pem && echo '-----END CERTIFICATE-----' >> torn.pem");
	run("printf '\n {\"keys\":[{\"use\":\"jwt-svid\"},{\"use\":\"x509-svid\",\"x5c\":[\"%s\"]}],\"spiffe_sequence\":1}' "
	    "$(openssl x509 -in mesh.pem -outform DER | base64 -w0) > mesh.json");
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	remove_dir();
	return failed;
}
