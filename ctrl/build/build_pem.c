/* build_pem.c - certificates, keys and bundles from PEM files, with errors that name the file. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/err.h"
#include "build/build_certs.h"
#include "build/build_files.h"
#include "build/build_tls.h"

const char *ss_build_openssl_reason(void)
{
	const char *why = ERR_reason_error_string(ERR_peek_error());

	ERR_clear_error();
	return why ? why : "no reason given";
}

/* Every certificate of a file. NULL after an error line: none at all, or one that does not parse. */
static STACK_OF(X509) *read_certs(struct ss_build_job *j, const struct ss_model_src *src, const char *key,
				  const char *path)
{
	BIO *b = ss_build_open(j, src, key, path);
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
	BIO *b = ss_build_open(j, &m->src, "private_key", m->private_key);

	if (!b)
		return NULL;
	EVP_PKEY *key = PEM_read_bio_PrivateKey(b, NULL, no_password, NULL);
	if (!key)
		ss_model_error(j->errors, &m->src, "private_key", "%s: %s", m->private_key,
			       ss_build_openssl_reason());
	BIO_free(b);
	return key;
}

/* Whether a certificate may be used now. What runs is not judged again: nothing better is there. */
static bool check_dates(struct ss_build_job *j, const struct ss_model_src *src, const char *key, const char *path,
			const X509 *x, int number)
{
	const char *wrong = X509_cmp_current_time(X509_get0_notBefore(x)) > 0  ? "is not valid yet"
			    : X509_cmp_current_time(X509_get0_notAfter(x)) < 0 ? "has expired"
									       : NULL;

	if (!wrong || (j->unit && j->unit->good))
		return true;
	ss_model_error(j->errors, src, key, "%s: certificate %d %s", path, number, wrong);
	return false;
}

int64_t ss_build_expiry(const X509 *x)
{
	struct tm tm;

	return ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

/* The certificate and those below its authority: the chain ends when the first of them does. */
static bool check_chain(struct ss_build_job *j, const struct ss_model_secret *m, const struct ss_build_secret *s)
{
	int64_t first = ss_build_expiry(s->leaf);
	bool ok = check_dates(j, &m->src, "certificate", m->certificate, s->leaf, 1);

	for (int i = 0; i < sk_X509_num(s->chain); i++) {
		int64_t end = ss_build_expiry(sk_X509_value(s->chain, i));

		ok = check_dates(j, &m->src, "certificate", m->certificate, sk_X509_value(s->chain, i), i + 2) && ok;
		first = end < first ? end : first;
	}
	if (j->unit)
		j->unit->state.expires = first;
	return ok;
}

int ss_build_secret_load(struct ss_build_job *j, const struct ss_model_secret *m, struct ss_build_secret *out)
{
	memset(out, 0, sizeof(*out));
	ss_build_files_use(j, false, m->name);
	out->chain = read_certs(j, &m->src, "certificate", m->certificate);
	out->key = read_key(j, m);
	if (out->chain)
		out->leaf = sk_X509_shift(out->chain);
	if (!out->leaf || !out->key || !check_chain(j, m, out))
		goto fail;
	if (X509_check_private_key(out->leaf, out->key) != 1) {
		ERR_clear_error();
		ss_model_error(j->errors, &m->src, "private_key", "%s is not the key of %s", m->private_key,
			       m->certificate);
		goto fail;
	}
	if (ss_build_staple_load(j, m, out) < 0)
		goto fail;
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
	free(s->staple);
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

/* Authorities overlap while they are renewed: an expired one among others is left alone, as is one to come. All
 * of them is a mistake. The bundle's end is that of the first that has not come to it yet. */
static bool check_authorities(struct ss_build_job *j, const struct ss_model_trust *m, const STACK_OF(X509) *all)
{
	int64_t now = (int64_t)time(NULL), first = 0, last = 0;

	for (int i = 0; i < sk_X509_num(all); i++) {
		int64_t end = ss_build_expiry(sk_X509_value(all, i));

		last = end > last ? end : last;
		if (end > now && (!first || end < first))
			first = end;
	}
	if (j->unit)
		j->unit->state.expires = first ? first : last;
	if (first || !all || (j->unit && j->unit->good))
		return true;
	ss_model_error(j->errors, &m->src, "bundle", "%s: every certificate in it has expired", m->bundle);
	return false;
}

STACK_OF(X509) *ss_build_bundle_load(struct ss_build_job *j, const struct ss_model_trust *m)
{
	ss_build_files_use(j, true, m->name);
	BIO *b = ss_build_open(j, &m->src, "bundle", m->bundle);
	bool json = b && ss_build_is_json(b);
	STACK_OF(X509) *all = json ? ss_build_bundle_json(j, m, b) : NULL;

	BIO_free(b);
	if (!b || (json && !all))
		return NULL;
	if (!json)
		all = read_certs(j, &m->src, "bundle", m->bundle);
	for (int i = 0; i < sk_X509_num(all); i++) {
		if (X509_check_ca(sk_X509_value(all, i)))
			continue;
		ss_model_error(j->errors, &m->src, "bundle", "%s: certificate %d is not a certificate authority's",
			       m->bundle, i + 1);
		sk_X509_pop_free(all, X509_free);
		return NULL;
	}
	if (all && !check_authorities(j, m, all)) {
		sk_X509_pop_free(all, X509_free);
		return NULL;
	}
	return all;
}
