/*
 * A listener with several certificates shows the one of the name asked for, of the kind that the client can verify; staples
 * go with the certificates that they are about. The argument is tools/ca, which makes the files.
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

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "base/err.h"
#include "build/build_certs.h"
#include "build/certs_folder_sim.h"

struct bench {
	struct ss_model_secret secret[4];
	struct ss_model_certificate more[3];
	struct ss_model_tls tls;
	struct ss_model model, *index; /* index: whose names it is */
	struct ss_snapshot snap;
	struct ss_model_errors errors;
	struct ss_build_job job;
};

/* names: of secrets, whose files these are; the first is the listener's own. */
static void bench_init(struct bench *b, const char *const *names, uint32_t n)
{
	memset(b, 0, sizeof(*b));
	for (uint32_t i = 0; i < n; i++) {
		char pem[64], key[64];

		snprintf(pem, sizeof(pem), "%s.pem", names[i]);
		snprintf(key, sizeof(key), "%s.key", names[i]);
		b->secret[i] = (struct ss_model_secret){ .src = { "t.cfg", 3 }, .name = (char *)(uintptr_t)names[i],
							 .certificate = strdup(in_dir(pem)),
							 .private_key = strdup(in_dir(key)) };
		if (i)
			b->more[i - 1].secret = b->secret[i].name;
	}
	b->tls = (struct ss_model_tls){ .src = { "t.cfg", 5 }, .present = true, .mode = SS_TLS_STRICT,
					.secret = b->secret[0].name, .n_certificates = n - 1, .certificates = b->more,
					.min_version = "1.2" };
	b->index = ss_model_new();
	b->model.names = b->index->names;
	b->model.secrets = b->secret;
	b->model.n_secrets = n;
	b->snap.memory = ss_build_mem_create();
	b->job = (struct ss_build_job){ .model = &b->model, .n_workers = 2, .snap = &b->snap, .errors = &b->errors };
}

static void bench_free(struct bench *b)
{
	for (uint32_t i = 0; i < b->model.n_secrets; i++) {
		free(b->secret[i].certificate);
		free(b->secret[i].private_key);
	}
	ss_build_mem_free(b->snap.memory);
	ss_model_free(b->index);
	ss_model_errors_free(&b->errors);
}

struct shown {
	char name[64]; /* common name of the certificate; empty: no handshake */
	int kind, alert, staple;
};

static int last_alert;

static void on_info(const SSL *ssl, int where, int ret)
{
	if ((where & SSL_CB_ALERT) && (where & SSL_CB_READ))
		last_alert = ret & 0xff;
}

/* What a client sees that asks for a name (or none), able to verify these signatures. */
static struct shown visit(const struct ss_tls_server *s, uint32_t worker, const char *name, const char *sigalgs, int max)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *x = SSL_new(ctx), *y = SSL_new(s->ctx[worker]);
	struct shown got = { "", 0, 0, 0 };
	BIO *xy, *yx;
	bool a = false, b = false;

	last_alert = 0;
	SSL_set_info_callback(x, on_info);
	SSL_set_max_proto_version(x, max);
	SSL_set_tlsext_status_type(x, TLSEXT_STATUSTYPE_ocsp);
	SSL_set_verify(y, SSL_VERIFY_NONE, NULL);
	if (name)
		SSL_set_tlsext_host_name(x, name);
	if (sigalgs)
		assert_int_equal(SSL_set1_sigalgs_list(x, sigalgs), 1);
	BIO_new_bio_pair(&xy, 0, &yx, 0);
	SSL_set_bio(x, xy, xy);
	SSL_set_bio(y, yx, yx);
	SSL_set_connect_state(x);
	SSL_set_accept_state(y);
	for (int i = 0; i < 20 && !(a && b); i++) {
		a = SSL_do_handshake(x) == 1;
		b = SSL_do_handshake(y) == 1;
	}
	X509 *cert = SSL_get0_peer_certificate(x);
	if (a && b && cert) {
		const unsigned char *der;

		X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, got.name, sizeof(got.name));
		got.kind = EVP_PKEY_base_id(X509_get0_pubkey(cert));
		got.staple = (int)SSL_get_tlsext_status_ocsp_resp(x, &der);
	}
	got.alert = last_alert;
	ERR_clear_error();
	SSL_free(x);
	SSL_free(y);
	SSL_CTX_free(ctx);
	return got;
}

static void shows(const struct ss_tls_server *s, const char *name, const char *sigalgs, const char *want)
{
	static const int versions[] = { TLS1_3_VERSION, TLS1_2_VERSION };

	for (uint32_t w = 0; w < 2; w++)
		for (uint32_t v = 0; v < 2; v++)
			if (strcmp(visit(s, w, name, sigalgs, versions[v]).name, want) != 0)
				fail_msg("%s was shown %s, not %s", name ? name : "nobody",
					 visit(s, w, name, sigalgs, versions[v]).name, want);
}

#define RSA_ALONE "rsa_pss_rsae_sha256:RSA+SHA256"
#define EC_ALONE "ECDSA+SHA256"

static void by_name_and_kind(void **state)
{
	static const char *const names[] = { "a", "a-rsa", "b", "wild" };
	const struct ss_tls_server *s;
	struct bench b;

	bench_init(&b, names, 4);
	assert_int_equal(ss_build_tls_server(&b.job, &b.tls, SS_PROTO_AUTO, &s), 0);
	shows(s, "a.example", NULL, "a");
	shows(s, "A.EXAMPLE", EC_ALONE, "a");
	shows(s, "a.example", RSA_ALONE, "a-rsa");
	shows(s, "b.example", NULL, "b");
	shows(s, "x.w.example", NULL, "wild");
	shows(s, "b.w.example", NULL, "b"); /* exact before the wildcard */
	shows(s, "x.y.w.example", NULL, "a"); /* a star is one label: nobody's name, so the first */
	shows(s, "w.example", NULL, "a");
	shows(s, "nobody.example", RSA_ALONE, "a-rsa");
	shows(s, NULL, NULL, "a");
	assert_string_equal(visit(s, 0, "b.example", RSA_ALONE, TLS1_3_VERSION).name, ""); /* it has no such kind */
	bench_free(&b);
}

static void names_of_a_list(void **state)
{
	static const char *const names[] = { "a", "b" };
	const struct ss_tls_server *s;
	struct bench b;
	char *listed[] = { "Listed.example" };

	bench_init(&b, names, 2);
	b.more[0].names = listed;
	b.more[0].n_names = 1;
	assert_int_equal(ss_build_tls_server(&b.job, &b.tls, SS_PROTO_AUTO, &s), 0);
	shows(s, "listed.example", NULL, "b");
	shows(s, "b.example", NULL, "a"); /* a list stands in place of the certificate's own names */
	bench_free(&b);
}

static void unknown_names_are_refused(void **state)
{
	static const char *const names[] = { "a", "b" };
	const struct ss_tls_server *s;
	struct bench b;

	for (uint32_t n = 1; n <= 2; n++) {
		bench_init(&b, names, n);
		b.tls.unknown_name = SS_UNKNOWN_NAME_REFUSE;
		assert_int_equal(ss_build_tls_server(&b.job, &b.tls, SS_PROTO_AUTO, &s), 0);
		shows(s, "a.example", NULL, "a");
		shows(s, NULL, NULL, "a"); /* who names nobody is not refused */
		struct shown got = visit(s, 0, "c.example", NULL, TLS1_3_VERSION);
		assert_string_equal(got.name, "");
		assert_int_equal(got.alert, SSL_AD_UNRECOGNIZED_NAME);
		bench_free(&b);
	}
}

/* ---- staples ---- */

static X509 *read_cert(const char *name)
{
	FILE *f = fopen(in_dir(name), "r");
	X509 *x = PEM_read_X509(f, NULL, NULL, NULL);

	fclose(f);
	return x;
}

/* A response about a certificate: status, and when it was and will be made, in seconds from now. */
static void write_staple(const char *about, int status, long from, long to)
{
	FILE *f = fopen(in_dir("mesh.key"), "r");
	EVP_PKEY *key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
	X509 *leaf = read_cert(about), *issuer = read_cert("mesh.pem");
	OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
	OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), leaf, issuer);
	ASN1_TIME *this = X509_gmtime_adj(NULL, from), *next = X509_gmtime_adj(NULL, to), *gone = X509_gmtime_adj(NULL, -9);

	fclose(f);
	ASN1_GENERALIZEDTIME *a = ASN1_TIME_to_generalizedtime(this, NULL), *b = ASN1_TIME_to_generalizedtime(next, NULL);
	assert_non_null(OCSP_basic_add1_status(basic, id, status, 0, gone, a, b));
	assert_int_equal(OCSP_basic_sign(basic, issuer, key, EVP_sha256(), NULL, OCSP_NOCERTS), 1);
	OCSP_RESPONSE *r = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
	unsigned char *der = NULL;
	int n = i2d_OCSP_RESPONSE(r, &der);
	f = fopen(in_dir("staple.der"), "w");
	assert_true(n > 0 && fwrite(der, (size_t)n, 1, f) == 1);
	fclose(f);
	OPENSSL_free(der);
	OCSP_RESPONSE_free(r);
	OCSP_BASICRESP_free(basic);
	OCSP_CERTID_free(id);
	ASN1_TIME_free(this);
	ASN1_TIME_free(next);
	ASN1_TIME_free(gone);
	ASN1_GENERALIZEDTIME_free(a);
	ASN1_GENERALIZEDTIME_free(b);
	X509_free(leaf);
	X509_free(issuer);
	EVP_PKEY_free(key);
}

static void a_staple_goes_with_its_certificate(void **state)
{
	static const char *const names[] = { "a", "a-rsa", "b" };
	const struct ss_tls_server *s;
	struct bench b;

	write_staple("a-rsa.pem", V_OCSP_CERTSTATUS_GOOD, -60, 3600);
	bench_init(&b, names, 3);
	b.secret[1].staple = in_dir("staple.der");
	assert_int_equal(ss_build_tls_server(&b.job, &b.tls, SS_PROTO_AUTO, &s), 0);
	assert_true(visit(s, 0, "a.example", RSA_ALONE, TLS1_3_VERSION).staple > 100);
	assert_true(visit(s, 0, "a.example", RSA_ALONE, TLS1_2_VERSION).staple > 100);
	assert_int_equal(visit(s, 0, "a.example", EC_ALONE, TLS1_3_VERSION).staple, -1);
	assert_int_equal(visit(s, 0, "b.example", NULL, TLS1_3_VERSION).staple, -1);
	bench_free(&b);
}

static void wrong_staples_are_refused(void **state)
{
	static const struct {
		const char *secret, *about, *why;
		int status;
		long from, to;
		bool garbage, none;
	} wrongs[] = {
		{ "a", "b.pem", "is not about this certificate", V_OCSP_CERTSTATUS_GOOD, -60, 3600, false, false },
		{ "a", "a.pem", "is out of date", V_OCSP_CERTSTATUS_GOOD, -7200, -3600, false, false },
		{ "a", "a.pem", "is out of date", V_OCSP_CERTSTATUS_GOOD, 3600, 7200, false, false },
		{ "a", "a.pem", "says that the certificate is not good", V_OCSP_CERTSTATUS_REVOKED, -60, 3600, false, false },
		{ "a", "a.pem", "says that the certificate is not good", V_OCSP_CERTSTATUS_UNKNOWN, -60, 3600, false, false },
		{ "a", "a.pem", "is no OCSP response (DER)", V_OCSP_CERTSTATUS_GOOD, -60, 3600, true, false },
		{ "chained", "a.pem", "is not about this certificate", V_OCSP_CERTSTATUS_GOOD, -60, 3600, false, false },
		{ "must", "must.pem", "must.pem demands an OCSP staple, and there is none", V_OCSP_CERTSTATUS_GOOD, -60, 3600, false, true },
	};

	for (size_t i = 0; i < SS_ARRAY_LEN(wrongs); i++) {
		const struct ss_tls_server *s;
		struct bench b;

		write_staple(wrongs[i].about, wrongs[i].status, wrongs[i].from, wrongs[i].to);
		bench_init(&b, &wrongs[i].secret, 1);
		if (!wrongs[i].none)
			b.secret[0].staple = in_dir(wrongs[i].garbage ? "a.pem" : "staple.der");
		assert_int_equal(ss_build_tls_server(&b.job, &b.tls, SS_PROTO_AUTO, &s), SS_ERR_CONFIG);
		assert_int_equal(b.errors.n, 1);
		if (!strstr(b.errors.text[0], wrongs[i].why) || !strstr(b.errors.text[0], "t.cfg:3: ocsp_staple: "))
			fail_msg("\"%s\" instead of \"%s\"", b.errors.text[0], wrongs[i].why);
		bench_free(&b);
	}
}

static void who_demands_one_has_one(void **state)
{
	static const char *const names[] = { "must" }, *const chained[] = { "chained" };
	const struct ss_tls_server *s;
	struct bench b;

	write_staple("must.pem", V_OCSP_CERTSTATUS_GOOD, -60, 3600);
	bench_init(&b, names, 1);
	b.secret[0].staple = in_dir("staple.der");
	assert_int_equal(ss_build_tls_server(&b.job, &b.tls, SS_PROTO_AUTO, &s), 0);
	assert_true(visit(s, 1, NULL, NULL, TLS1_3_VERSION).staple > 100);
	bench_free(&b);
	/* With the issuer in the file the signature is looked at, too. */
	write_staple("chained.pem", V_OCSP_CERTSTATUS_GOOD, -60, 3600);
	bench_init(&b, chained, 1);
	b.secret[0].staple = in_dir("staple.der");
	assert_int_equal(ss_build_tls_server(&b.job, &b.tls, SS_PROTO_AUTO, &s), 0);
	bench_free(&b);
	run("printf 'x' | dd of=staple.der bs=1 conv=notrunc status=none seek=$(($(stat -c %s staple.der) - 4))");
	bench_init(&b, chained, 1);
	b.secret[0].staple = in_dir("staple.der");
	assert_int_equal(ss_build_tls_server(&b.job, &b.tls, SS_PROTO_AUTO, &s), SS_ERR_CONFIG);
	bench_free(&b);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_name_and_kind),
		cmocka_unit_test(names_of_a_list),
		cmocka_unit_test(unknown_names_are_refused),
		cmocka_unit_test(a_staple_goes_with_its_certificate),
		cmocka_unit_test(wrong_staples_are_refused),
		cmocka_unit_test(who_demands_one_has_one),
	};

	make_dir(argc, argv);
	ca("init mesh");
	ca("leaf --ca mesh --out a --dns a.example");
	ca("leaf --ca mesh --out a-rsa --rsa --dns a.example");
	ca("leaf --ca mesh --out b --dns b.example --dns b.w.example");
	ca("leaf --ca mesh --out wild --dns '*.w.example'");
	ca("leaf --ca mesh --out must --must-staple --dns must.example");
	ca("leaf --ca mesh --out chained --dns chained.example");
	run("cat mesh.pem >> chained.pem");
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	remove_dir();
	return failed;
}
