/*
 * build_staple.c - an OCSP response from a file (RFC 6960), stapled to the certificate that it is about (RFC 6066 8): a
 * program beside us fetches it, we judge and show it.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include "base/err.h"
#include "build/build_certs.h"
#include "build/build_files.h"

/* How far the responder's clock may be off. */
#define SKEW_S 300
/* status_request among the features that a certificate demands (RFC 7633). */
#define FEATURE_STATUS 5
#define STAPLE_MAX 65536

static bool demands_staple(const X509 *x)
{
	TLS_FEATURE *all = X509_get_ext_d2i(x, NID_tlsfeature, NULL, NULL);
	bool found = false;

	for (int i = 0; i < sk_ASN1_INTEGER_num(all); i++)
		found = found || ASN1_INTEGER_get(sk_ASN1_INTEGER_value(all, i)) == FEATURE_STATUS;
	sk_ASN1_INTEGER_pop_free(all, ASN1_INTEGER_free);
	return found;
}

/* Is this the name of leaf: issuer by digest (and its key, when the chain has it), and serial number (4.1.1)? */
static bool names_leaf(const OCSP_CERTID *id, const struct ss_build_secret *s)
{
	ASN1_OBJECT *alg;
	ASN1_INTEGER *serial;
	uint8_t md[EVP_MAX_MD_SIZE];
	ASN1_OCTET_STRING *name, *key;
	unsigned n = 0;

	if (OCSP_id_get0_info(&name, &alg, &key, &serial, (OCSP_CERTID *)(uintptr_t)id) != 1 ||
	    ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(s->leaf)) != 0)
		return false;
	const EVP_MD *digest = EVP_get_digestbyobj(alg);
	if (!digest || X509_NAME_digest(X509_get_issuer_name(s->leaf), digest, md, &n) != 1 ||
	    n != (unsigned)ASN1_STRING_length(name) || memcmp(md, ASN1_STRING_get0_data(name), n) != 0)
		return false;
	X509 *issuer = sk_X509_num(s->chain) > 0 ? sk_X509_value(s->chain, 0) : NULL;
	return !issuer || (X509_pubkey_digest(issuer, digest, md, &n) == 1 && n == (unsigned)ASN1_STRING_length(key) &&
			   memcmp(md, ASN1_STRING_get0_data(key), n) == 0);
}

static OCSP_SINGLERESP *find_leaf(OCSP_BASICRESP *basic, const struct ss_build_secret *s)
{
	for (int i = 0; i < OCSP_resp_count(basic); i++) {
		OCSP_SINGLERESP *one = OCSP_resp_get0(basic, i);

		if (names_leaf(OCSP_SINGLERESP_get0_id(one), s))
			return one;
	}
	return NULL;
}

/* Signed by the issuer, or by whom it has named for that (4.2.2.2), as far as the file's chain has the issuer. */
static bool signed_well(OCSP_BASICRESP *basic, const struct ss_build_secret *s)
{
	X509_STORE *store = X509_STORE_new();
	bool ok = sk_X509_num(s->chain) == 0;

	if (!ok && store) {
		for (int i = 0; i < sk_X509_num(s->chain); i++)
			X509_STORE_add_cert(store, sk_X509_value(s->chain, i));
		X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
		ok = OCSP_basic_verify(basic, s->chain, store, 0) == 1;
	}
	X509_STORE_free(store);
	ERR_clear_error();
	return ok;
}

/* NULL: it may be shown. again: it was judged good before, and has only grown old since. */
static const char *judge(OCSP_RESPONSE *r, struct ss_build_secret *s, bool again)
{
	ASN1_GENERALIZEDTIME *this, *next = NULL, *revoked;
	const char *wrong = NULL;
	struct tm end;
	int reason;

	if (OCSP_response_status(r) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
		return "is the responder's refusal, not an answer";
	OCSP_BASICRESP *basic = OCSP_response_get1_basic(r);
	OCSP_SINGLERESP *one = basic ? find_leaf(basic, s) : NULL;
	if (!one)
		wrong = "is not about this certificate";
	else if (OCSP_single_get0_status(one, &reason, &revoked, &this, &next) != V_OCSP_CERTSTATUS_GOOD)
		wrong = "says that the certificate is not good";
	else if (!again && OCSP_check_validity(this, next, SKEW_S, -1) != 1)
		wrong = "is out of date";
	else if (!signed_well(basic, s))
		wrong = "is not signed by the certificate's issuer";
	s->staple_until = next && ASN1_TIME_to_tm(next, &end) == 1 ? (int64_t)timegm(&end) : INT64_MAX;
	OCSP_BASICRESP_free(basic);
	ERR_clear_error();
	return wrong;
}

static int refuse(struct ss_build_job *j, const struct ss_model_secret *m, const char *wrong)
{
	ss_model_error(j->errors, &m->src, "ocsp_staple", "%s %s", m->staple ? m->staple : m->certificate, wrong);
	return SS_ERR_CONFIG;
}

int ss_build_staple_load(struct ss_build_job *j, const struct ss_model_secret *m, struct ss_build_secret *s)
{
	uint8_t *der;
	int n;

	if (!m->staple)
		return demands_staple(s->leaf) ? refuse(j, m, "demands an OCSP staple, and there is none") : 0;
	BIO *b = ss_build_open(j, &m->src, "ocsp_staple", m->staple);
	if (!b)
		return SS_ERR_CONFIG;
	der = malloc(STAPLE_MAX);
	n = der ? BIO_read(b, der, STAPLE_MAX) : 0;
	BIO_free(b);
	const unsigned char *p = der;
	OCSP_RESPONSE *r = n > 0 ? d2i_OCSP_RESPONSE(NULL, &p, n) : NULL;
	const char *wrong = r ? judge(r, s, j->unit && j->unit->good) : "is no OCSP response (DER)";
	OCSP_RESPONSE_free(r);
	ERR_clear_error();
	if (wrong) {
		free(der);
		return refuse(j, m, wrong);
	}
	s->staple = der;
	s->staple_n = (uint32_t)n;
	return 0;
}

/* ---- what handshakes read ---- */

struct staples {
	uint32_t n;
	struct staple {
		X509 *leaf;
		uint8_t *der;
		uint32_t n;
		int64_t until;
	} one[SS_BUILD_KINDS];
};

static void staples_free(struct staples *s)
{
	for (uint32_t i = 0; i < s->n; i++) {
		X509_free(s->one[i].leaf);
		free(s->one[i].der);
	}
	free(s);
}

static void on_ctx_free(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int index, long argl, void *argp)
{
	if (ptr)
		staples_free(ptr);
}

/* Control is one thread. */
static int slot(void)
{
	static int index = -1;

	if (index < 0)
		index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, on_ctx_free);
	return index;
}

static int on_status(SSL *ssl, void *arg)
{
	const struct staples *s = arg;
	const X509 *shown = SSL_get_certificate(ssl);

	for (uint32_t i = 0; i < s->n; i++) {
		uint8_t *copy;

		if (X509_cmp(s->one[i].leaf, shown) != 0)
			continue;
		if (s->one[i].until < (int64_t)time(NULL))
			break; /* nobody has brought a new one: better none than one that is refused */
		copy = OPENSSL_memdup(s->one[i].der, s->one[i].n);
		if (!copy || SSL_set_tlsext_status_ocsp_resp(ssl, copy, s->one[i].n) != 1)
			break;
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_NOACK;
}

bool ss_build_staples_attach(SSL_CTX *ctx, const struct ss_build_secret *const *certs, uint32_t n)
{
	struct staples *s = calloc(1, sizeof(*s));
	bool ok = s != NULL;

	for (uint32_t i = 0; ok && i < n; i++) {
		struct staple *one = &s->one[s->n];

		if (!certs[i]->staple)
			continue;
		one->der = malloc(certs[i]->staple_n);
		if (!(ok = one->der && X509_up_ref(certs[i]->leaf) == 1)) {
			free(one->der);
			break;
		}
		memcpy(one->der, certs[i]->staple, certs[i]->staple_n);
		one->n = certs[i]->staple_n;
		one->until = certs[i]->staple_until;
		one->leaf = certs[i]->leaf;
		s->n++;
	}
	ok = ok && (s->n == 0 || (slot() >= 0 && SSL_CTX_set_ex_data(ctx, slot(), s) == 1));
	if (ok && s->n) {
		SSL_CTX_set_tlsext_status_cb(ctx, on_status);
		SSL_CTX_set_tlsext_status_arg(ctx, s);
	} else if (s) {
		staples_free(s);
	}
	return ok;
}
