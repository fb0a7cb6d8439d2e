/*
 * build_crl.c - certificate revocation lists (RFC 5280 5) as sets that a lookup answers.
 *
 * A file holds lists in PEM, or one in DER; certificates of intermediate authorities may stand beside them, for the
 * lists that those have signed. A list counts only when an authority of the bundle, or such an intermediate, signed
 * it and its nextUpdate has not passed: one that cannot be believed refuses the configuration, and the last
 * good one stays. What a list says holds until another replaces it. Whose list runs out meanwhile is not let in any
 * more (RFC 5280 6.3.3 asks for a current one), unless the trust has it otherwise.
 */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <time.h>

#include "base/err.h"
#include "build/build_files.h"
#include "build/build_tls.h"
#include "contract/trust_digest.h"

struct listed {
	uint64_t issuer;
	int64_t until;
};

struct crls {
	struct ss_build_job *j;
	const struct ss_model_trust *m;
	STACK_OF(X509_CRL) *lists;
	STACK_OF(X509) *issuers; /* intermediates of the file */
	struct listed *listed;
	uint64_t *revoked;
	uint32_t n_listed, n_revoked;
};

static int wrong(struct crls *c, int at, const char *why)
{
	if (at < 0)
		ss_model_error(c->j->errors, &c->m->src, "crl", "%s: %s", c->m->crl, why);
	else
		ss_model_error(c->j->errors, &c->m->src, "crl", "%s: list %d %s", c->m->crl, at + 1, why);
	ERR_clear_error();
	return SS_ERR_CONFIG;
}

static int push(struct crls *c, STACK_OF(X509_INFO) *all)
{
	for (int i = 0; i < sk_X509_INFO_num(all); i++) {
		X509_INFO *x = sk_X509_INFO_value(all, i);

		if (x->crl && sk_X509_CRL_push(c->lists, x->crl) > 0)
			X509_CRL_up_ref(x->crl);
		if (x->x509 && sk_X509_push(c->issuers, x->x509) > 0)
			X509_up_ref(x->x509);
	}
	sk_X509_INFO_pop_free(all, X509_INFO_free);
	return 0;
}

static int read_file(struct crls *c)
{
	BIO *b = ss_build_open(c->j, &c->m->src, "crl", c->m->crl);
	X509_CRL *der = b ? d2i_X509_CRL_bio(b, NULL) : NULL;
	STACK_OF(X509_INFO) *all = NULL;

	if (!b)
		return SS_ERR_CONFIG;
	ERR_clear_error();
	if (der)
		sk_X509_CRL_push(c->lists, der);
	else if (BIO_reset(b) >= 0 && (all = PEM_X509_INFO_read_bio(b, NULL, NULL, NULL)))
		push(c, all);
	BIO_free(b);
	if (!der && !all)
		return wrong(c, -1, ss_build_openssl_reason());
	return sk_X509_CRL_num(c->lists) ? 0 : wrong(c, -1, "no revocation list in it");
}

/* ---- who signed it ---- */

static bool may_sign(X509 *x)
{
	return X509_check_ca(x) &&
	       (!(X509_get_extension_flags(x) & EXFLAG_KUSAGE) || (X509_get_key_usage(x) & KU_CRL_SIGN));
}

static X509 *signer_among(X509_CRL *list, STACK_OF(X509) *all)
{
	for (int i = 0; i < sk_X509_num(all); i++) {
		X509 *x = sk_X509_value(all, i);

		if (X509_NAME_cmp(X509_get_subject_name(x), X509_CRL_get_issuer(list)) == 0 && may_sign(x) &&
		    X509_CRL_verify(list, X509_get0_pubkey(x)) == 1)
			return x;
	}
	ERR_clear_error();
	return NULL;
}

/* Intermediates that the bundle verifies; others are nobody's. */
static bool anchored(X509 *x, STACK_OF(X509) *anchors, STACK_OF(X509) *others)
{
	X509_STORE_CTX *s = X509_STORE_CTX_new();
	bool ok = s && X509_STORE_CTX_init(s, NULL, x, others) == 1;

	if (ok) {
		X509_STORE_CTX_set0_trusted_stack(s, anchors);
		ok = X509_verify_cert(s) == 1;
	}
	X509_STORE_CTX_free(s);
	ERR_clear_error();
	return ok;
}

static X509 *signer(struct crls *c, X509_CRL *list, STACK_OF(X509) *anchors)
{
	X509 *x = signer_among(list, anchors);

	if (x)
		return x;
	x = signer_among(list, c->issuers);
	return x && anchored(x, anchors, c->issuers) ? x : NULL;
}

/* ---- what it says ---- */

/* RFC 5280 5.2.4, 5.2.5: a delta, or a list for some certificates only, would be taken for the whole. */
static const char *unusable(const struct crls *c, X509_CRL *list)
{
	if (X509_CRL_get_ext_by_NID(list, NID_delta_crl, -1) >= 0)
		return "is a delta list";
	if (X509_CRL_get_ext_by_NID(list, NID_issuing_distribution_point, -1) >= 0)
		return "is for some certificates only (issuing distribution point)";
	if (X509_cmp_current_time(X509_CRL_get0_lastUpdate(list)) > 0)
		return "is not valid yet";
	if (!X509_CRL_get0_nextUpdate(list))
		return "has no nextUpdate";
	/* One that is in use already stays: a reload does not fail because it is old, handshakes do. */
	if (c->m->crl_stale || (c->j->unit && c->j->unit->good))
		return NULL;
	return X509_cmp_current_time(X509_CRL_get0_nextUpdate(list)) > 0 ? NULL : "has expired (nextUpdate)";
}

static int64_t end_of(const X509_CRL *list)
{
	struct tm tm;

	return ASN1_TIME_to_tm(X509_CRL_get0_nextUpdate(list), &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static int take_entries(struct crls *c, X509_CRL *list, const X509 *issuer)
{
	STACK_OF(X509_REVOKED) *all = X509_CRL_get_REVOKED(list);
	int n = all ? sk_X509_REVOKED_num(all) : 0;
	uint64_t *v = realloc(c->revoked, (c->n_revoked + (size_t)n + 1) * sizeof(*v));

	if (!v)
		return SS_ERR_NO_MEM;
	c->revoked = v;
	for (int i = 0; i < n; i++)
		v[c->n_revoked++] = ss_trust_name_digest(X509_get_subject_name(issuer),
							 X509_REVOKED_get0_serialNumber(sk_X509_REVOKED_value(all, i)));
	c->listed[c->n_listed++] =
		(struct listed){ ss_trust_name_digest(X509_get_subject_name(issuer), NULL), end_of(list) };
	return 0;
}

/* A trust is as old as the first thing of it. */
static void note_end(struct crls *c, X509_CRL *list)
{
	int64_t end = end_of(list);

	if (c->j->unit && (c->j->unit->state.expires == 0 || end < c->j->unit->state.expires))
		c->j->unit->state.expires = end;
}

static int take_list(struct crls *c, int i, STACK_OF(X509) *anchors)
{
	X509_CRL *list = sk_X509_CRL_value(c->lists, i);
	const char *why = unusable(c, list);
	X509 *by = why ? NULL : signer(c, list, anchors);

	if (why || !by)
		return wrong(c, i, why ? why : "is signed by no authority of the bundle");
	note_end(c, list);
	return take_entries(c, list, by);
}

/* By issuer; of two lists of one issuer the later first: what is in either is revoked, so it is the later's to end. */
static int by_issuer(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;

	if (x->issuer != y->issuer)
		return x->issuer < y->issuer ? -1 : 1;
	return x->until > y->until ? -1 : x->until < y->until;
}

static int set_listed(const struct crls *c, struct ss_trust_domain *d)
{
	uint64_t *issuer = calloc(c->n_listed + 1, sizeof(*issuer));
	int64_t *until = calloc(c->n_listed + 1, sizeof(*until));
	uint32_t n = 0;

	if (!issuer || !until) {
		free(issuer);
		free(until);
		return SS_ERR_NO_MEM;
	}
	if (c->n_listed)
		qsort(c->listed, c->n_listed, sizeof(*c->listed), by_issuer);
	for (uint32_t i = 0; i < c->n_listed; i++) {
		if (n && issuer[n - 1] == c->listed[i].issuer)
			continue;
		issuer[n] = c->listed[i].issuer;
		until[n++] = c->m->crl_stale ? INT64_MAX : c->listed[i].until;
	}
	d->listed = (struct ss_trust_set){ n, issuer };
	d->listed_until = until;
	return 0;
}

int ss_build_crls(struct ss_build_job *j, const struct ss_model_trust *m, struct ss_trust_domain *d)
{
	struct crls c = { .j = j, .m = m, .lists = sk_X509_CRL_new_null(), .issuers = sk_X509_new_null() };
	int err = c.lists && c.issuers ? read_file(&c) : SS_ERR_NO_MEM;
	int n = err == 0 ? sk_X509_CRL_num(c.lists) : 0;

	if (err == 0 && !(c.listed = calloc((size_t)n, sizeof(*c.listed))))
		err = SS_ERR_NO_MEM;
	for (int i = 0; i < n && err == 0; i++)
		err = take_list(&c, i, d->anchors);
	/* The domain's, also after an error: it frees them. */
	d->crls = true;
	if (err == 0)
		err = set_listed(&c, d);
	free(c.listed);
	d->revoked = ss_build_trust_set(c.revoked, c.n_revoked);
	sk_X509_CRL_pop_free(c.lists, X509_CRL_free);
	sk_X509_pop_free(c.issuers, X509_free);
	return err;
}
