/*
 * build_trust.c - trusts of the model as the workers use them: a bundle of authorities for each trust domain.
 *
 * A bundle speaks for its trust domain alone (SPIFFE Trust Domain and Bundle 3), so a federated trust stays apart:
 * authorities are never thrown together. Signing certificates have rules of their own (X509-SVID 3.2, 4.1, 4.3).
 */
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "base/err.h"
#include "build/build_tls.h"
#include "contract/trust_digest.h"

static void domain_free(struct ss_trust_domain *d)
{
	sk_X509_pop_free(d->anchors, X509_free);
	free((void *)(uintptr_t)d->name.p);
	free((void *)(uintptr_t)d->anchor.v);
	free((void *)(uintptr_t)d->listed.v);
	free((void *)(uintptr_t)d->listed_until);
	free((void *)(uintptr_t)d->revoked.v);
}

/* By whom drops the last reference: control with the snapshot, or a worker with the last handshake. */
static void trust_free(struct ss_trust *t)
{
	for (uint32_t i = 0; i < t->n_domains; i++)
		domain_free((struct ss_trust_domain *)(uintptr_t)&t->domain[i]);
	free((void *)(uintptr_t)t->domain);
	free(t);
}

static void put(void *t)
{
	ss_trust_put(t);
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

struct ss_trust_set ss_build_trust_set(uint64_t *v, uint32_t n)
{
	uint32_t kept = 0;

	if (n)
		qsort(v, n, sizeof(*v), by_number);
	for (uint32_t i = 0; i < n; i++)
		if (kept == 0 || v[kept - 1] != v[i])
			v[kept++] = v[i];
	return (struct ss_trust_set){ kept, v };
}

/* ---- signing certificates ---- */

static struct ss_span uri_of(const GENERAL_NAME *g)
{
	int type;
	const ASN1_STRING *v = GENERAL_NAME_get0_value(g, &type);

	return type == GEN_URI ? ss_span(ASN1_STRING_get0_data(v), (uint32_t)ASN1_STRING_length(v)) : SS_SPAN_NONE;
}

/* X509-SVID 2: one URI at most; 3.2: an authority's SPIFFE id has no path; a bundle is one trust domain's. */
static const char *wrong_names(const GENERAL_NAMES *names, struct ss_span domain)
{
	unsigned uris = 0;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		struct ss_span uri = uri_of(sk_GENERAL_NAME_value(names, i)), has = ss_id_trust_domain(uri);

		if (uri.n == 0)
			continue;
		if (uris++ && has.n)
			return "has more than one URI beside its SPIFFE id";
		if (has.n == 0)
			continue;
		if (!ss_id_is_spiffe(uri) || uri.n != has.n + sizeof("spiffe://") - 1)
			return "has a SPIFFE id with a path, as only a leaf may";
		if (!ss_span_eq(has, domain))
			return "has the SPIFFE id of another trust domain";
	}
	return NULL;
}

static const char *wrong_signer(X509 *x, struct ss_span domain)
{
	if ((X509_get_extension_flags(x) & EXFLAG_KUSAGE) && !(X509_get_key_usage(x) & KU_KEY_CERT_SIGN))
		return "may not sign certificates (key usage)";
	GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	const char *why = domain.n ? wrong_names(names, domain) : NULL;

	GENERAL_NAMES_free(names);
	return why;
}

static int check_signers(struct ss_build_job *j, const struct ss_model_trust *m, STACK_OF(X509) *all)
{
	int err = 0;

	for (int i = 0; i < sk_X509_num(all); i++) {
		const char *why = wrong_signer(sk_X509_value(all, i), ss_span_str(m->trust_domain));

		if (!why)
			continue;
		ss_model_error(j->errors, &m->src, "bundle", "%s: certificate %d %s", m->bundle, i + 1, why);
		err = SS_ERR_CONFIG;
	}
	return err;
}

/* ---- domains ---- */

static int set_anchors(struct ss_trust_domain *d)
{
	int n = sk_X509_num(d->anchors);
	uint64_t *v = calloc((size_t)n, sizeof(*v));

	if (!v)
		return SS_ERR_NO_MEM;
	for (int i = 0; i < n; i++)
		v[i] = ss_trust_cert_digest(sk_X509_value(d->anchors, i));
	d->anchor = ss_build_trust_set(v, (uint32_t)n);
	return 0;
}

static int load_domain(struct ss_build_job *j, const struct ss_model_trust *m, struct ss_trust_domain *d)
{
	const char *name = m->trust_domain ? m->trust_domain : "";
	char *copy = strdup(name);
	int err;

	if (!copy)
		return SS_ERR_NO_MEM;
	d->name = ss_span(copy, (uint32_t)strlen(copy));
	d->crl_check = (uint8_t)m->crl_check;
	d->anchors = ss_build_bundle_load(j, m);
	if (!d->anchors)
		return SS_ERR_CONFIG;
	if ((err = check_signers(j, m, d->anchors)) < 0 || (err = set_anchors(d)) < 0)
		return err;
	return m->crl ? ss_build_crls(j, m, d) : 0;
}

/* The trust that entry i of m's federation names; NULL after an error line. */
static const struct ss_model_trust *federate(struct ss_build_job *j, const struct ss_model_trust *m, uint32_t i)
{
	uint32_t at = ss_model_trust(j->model, m->federates[i]);
	const struct ss_model_trust *f = at == SS_MODEL_NONE ? NULL : &j->model->trusts[at];

	if (f && f != m && f->trust_domain && (!m->trust_domain || strcmp(f->trust_domain, m->trust_domain) != 0))
		return f;
	ss_model_error(j->errors, &m->src, "federates_with", "\"%s\" %s", m->federates[i],
		       !f		  ? "is no trust"
		       : !f->trust_domain ? "has no trust_domain"
					  : "is of the same trust domain");
	return NULL;
}

static bool taken(const struct ss_trust *t, const char *domain)
{
	for (uint32_t i = 0; i < t->n_domains; i++)
		if (ss_span_eq(t->domain[i].name, ss_span_str(domain)))
			return true;
	return false;
}

static int load_all(struct ss_build_job *j, const struct ss_model_trust *m, struct ss_trust *t,
		    struct ss_trust_domain *domain)
{
	int err;

	t->n_domains = 1;
	if ((err = load_domain(j, m, &domain[0])) < 0)
		return err;
	for (uint32_t i = 0; i < m->n_federates; i++) {
		const struct ss_model_trust *f = federate(j, m, i);

		if (!f)
			return SS_ERR_CONFIG;
		if (taken(t, f->trust_domain)) {
			ss_model_error(j->errors, &m->src, "federates_with", "two bundles for trust domain %s",
				       f->trust_domain);
			return SS_ERR_CONFIG;
		}
		t->n_domains++;
		if ((err = load_domain(j, f, &domain[i + 1])) < 0)
			return err;
	}
	return 0;
}

/* ---- the number by which two trusts are the same ---- */

static void hash_bytes(EVP_MD_CTX *md, const void *p, size_t n)
{
	uint64_t len = n; /* before the bytes, so that no two lists of fields read the same */

	EVP_DigestUpdate(md, &len, sizeof(len));
	EVP_DigestUpdate(md, p, n);
}

static void hash_domain(EVP_MD_CTX *md, const struct ss_trust_domain *d)
{
	const STACK_OF(X509) *all = d->anchors;

	hash_bytes(md, d->name.p, d->name.n);
	hash_bytes(md, &d->crls, sizeof(d->crls));
	hash_bytes(md, &d->crl_check, sizeof(d->crl_check));
	hash_bytes(md, d->listed.v, d->listed.n * sizeof(uint64_t));
	hash_bytes(md, d->revoked.v, d->revoked.n * sizeof(uint64_t));
	for (int i = 0; i < sk_X509_num(all); i++) {
		uint8_t digest[EVP_MAX_MD_SIZE];
		unsigned n = 0;

		X509_digest(sk_X509_value(all, i), EVP_sha256(), digest, &n);
		hash_bytes(md, digest, n);
	}
}

static bool set_hash(struct ss_trust *t)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;

	for (uint32_t i = 0; i < t->n_domains && ok; i++)
		hash_domain(md, &t->domain[i]);
	ok = ok && EVP_DigestFinal_ex(md, t->hash, NULL) == 1;
	EVP_MD_CTX_free(md);
	return ok;
}

static struct ss_trust *make(struct ss_build_job *j, const struct ss_model_trust *m)
{
	struct ss_trust *t = calloc(1, sizeof(*t));
	struct ss_trust_domain *domain = calloc(m->n_federates + 1, sizeof(*domain));

	if (!t || !domain) {
		free(t);
		free(domain);
		return NULL;
	}
	atomic_init(&t->refs, 1);
	t->free = trust_free;
	t->domain = domain;
	t->chain_cache = m->chain_cache;
	if (load_all(j, m, t, domain) < 0 || !set_hash(t)) {
		ss_trust_put(t);
		return NULL;
	}
	return t;
}

/* Stands for one whose error has been said. */
static const struct ss_trust broken;

const struct ss_trust *ss_build_trust(struct ss_build_job *j, uint32_t index)
{
	if (!j->trusts)
		j->trusts = ss_build_array(j, j->model->n_trusts, sizeof(*j->trusts));
	if (!j->trusts)
		return NULL;
	if (!j->trusts[index]) {
		struct ss_trust *t = make(j, &j->model->trusts[index]);

		j->trusts[index] = t && ss_build_on_free(j, put, t) == 0 ? t : &broken;
	}
	return j->trusts[index] == &broken ? NULL : j->trusts[index];
}
