/* build_pem.c - certificates, keys and bundles from PEM files, with errors that name the file. */
#include <errno.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/err.h"
#include "build/build_tls.h"

const char *ss_build_openssl_reason(void)
{
	const char *why = ERR_reason_error_string(ERR_peek_error());

	ERR_clear_error();
	return why ? why : "no reason given";
}

static BIO *open_pem(struct ss_build_job *j, const struct ss_model_src *src, const char *key, const char *path)
{
	errno = 0;
	BIO *b = BIO_new_file(path, "r");

	if (!b) {
		ss_model_error(j->errors, src, key, "cannot read %s: %s", path, strerror(errno));
		ERR_clear_error();
	}
	return b;
}

/* Every certificate of a file. NULL after an error line: none at all, or one that does not parse. */
static STACK_OF(X509) *read_certs(struct ss_build_job *j, const struct ss_model_src *src, const char *key,
				  const char *path)
{
	BIO *b = open_pem(j, src, key, path);
	STACK_OF(X509) *all = b ? sk_X509_new_null() : NULL;
	X509 *x;

	if (!all)
		goto out;
	while ((x = PEM_read_bio_X509(b, NULL, NULL, NULL)))
		sk_X509_push(all, x);
	/* PEM_R_NO_START_LINE is how the end of the file looks. */
	bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
	if (!at_end || sk_X509_num(all) == 0) {
		ss_model_error(j->errors, src, key, "%s: %s", path,
			       at_end ? "no certificate in it" : ss_build_openssl_reason());
		sk_X509_pop_free(all, X509_free);
		all = NULL;
	}
	ERR_clear_error();
out:
	BIO_free(b);
	return all;
}

/* Keys under a password are refused: nobody is there to type it. */
static int no_password(char *buf, int size, int rwflag, void *arg)
{
	return 0;
}

static EVP_PKEY *read_key(struct ss_build_job *j, const struct ss_model_secret *m)
{
	BIO *b = open_pem(j, &m->src, "private_key", m->private_key);

	if (!b)
		return NULL;
	EVP_PKEY *key = PEM_read_bio_PrivateKey(b, NULL, no_password, NULL);
	if (!key)
		ss_model_error(j->errors, &m->src, "private_key", "%s: %s", m->private_key,
			       ss_build_openssl_reason());
	BIO_free(b);
	return key;
}

int ss_build_secret_load(struct ss_build_job *j, const struct ss_model_secret *m, struct ss_build_secret *out)
{
	memset(out, 0, sizeof(*out));
	out->chain = read_certs(j, &m->src, "certificate", m->certificate);
	out->key = read_key(j, m);
	if (out->chain)
		out->leaf = sk_X509_shift(out->chain);
	if (!out->leaf || !out->key)
		goto fail;
	if (X509_check_private_key(out->leaf, out->key) != 1) {
		ERR_clear_error();
		ss_model_error(j->errors, &m->src, "private_key", "%s is not the key of %s", m->private_key,
			       m->certificate);
		goto fail;
	}
	return 0;
fail:
	ss_build_secret_free(out);
	return SS_ERR_CONFIG;
}

void ss_build_secret_free(struct ss_build_secret *s)
{
	X509_free(s->leaf);
	sk_X509_pop_free(s->chain, X509_free);
	EVP_PKEY_free(s->key);
	memset(s, 0, sizeof(*s));
}

struct ss_span ss_build_secret_id(struct ss_build_job *j, const struct ss_build_secret *s)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(s->leaf, NID_subject_alt_name, NULL, NULL);
	struct ss_span id = SS_SPAN_NONE;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
		int type;
		const ASN1_STRING *v = GENERAL_NAME_get0_value(g, &type);

		if (type != GEN_URI || !ss_id_is_spiffe(ss_span(ASN1_STRING_get0_data(v),
								(uint32_t)ASN1_STRING_length(v))))
			continue;
		/* Well-formed, so without a NUL inside; ASN1_STRING ends with one. */
		id = ss_build_text(j, (const char *)ASN1_STRING_get0_data(v));
		break;
	}
	GENERAL_NAMES_free(names);
	return id;
}

STACK_OF(X509) *ss_build_bundle_load(struct ss_build_job *j, const struct ss_model_trust *m)
{
	STACK_OF(X509) *all = read_certs(j, &m->src, "bundle", m->bundle);

	for (int i = 0; i < sk_X509_num(all); i++) {
		if (X509_check_ca(sk_X509_value(all, i)))
			continue;
		ss_model_error(j->errors, &m->src, "bundle", "%s: certificate %d is not a certificate authority's",
			       m->bundle, i + 1);
		sk_X509_pop_free(all, X509_free);
		return NULL;
	}
	return all;
}
