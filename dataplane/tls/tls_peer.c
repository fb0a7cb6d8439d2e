/*
 * Who is the other side, and may it come in. The check runs inside OpenSSL's certificate verification,
 * so that a refusal leaves as a TLS alert like any other fault of a certificate.
 *
 * An identity is the certificate's SPIFFE id (X509-SVID 2: "an X.509 SVID MUST contain exactly one URI
 * SAN"), else its DNS names.
 */
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/err.h"
#include "tls/tls_shake.h"

struct names {
	struct ss_span uri;    /* the one URI SAN */
	struct ss_span dns;    /* the first DNS SAN */
	unsigned n_uri, n_dns;
};

static struct ss_span name_span(const GENERAL_NAME *g)
{
	int type;
	const ASN1_STRING *s = GENERAL_NAME_get0_value(g, &type);

	return ss_span(ASN1_STRING_get0_data(s), (uint32_t)ASN1_STRING_length(s));
}

static bool printable(struct ss_span s)
{
	for (uint32_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return s.n > 0;
}

/* Spans into gens. */
static void collect(const GENERAL_NAMES *gens, struct names *out)
{
	memset(out, 0, sizeof(*out));
	for (int i = 0; i < sk_GENERAL_NAME_num(gens); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(gens, i);

		if (g->type == GEN_URI && out->n_uri++ == 0)
			out->uri = name_span(g);
		else if (g->type == GEN_DNS && printable(name_span(g)) && out->n_dns++ == 0)
			out->dns = name_span(g);
	}
}

static bool policy_takes(const struct tls_policy *p, struct ss_span id)
{
	for (uint16_t i = 0; i < p->n; i++)
		if (ss_id_matches(&p->id[i], id))
			return true;
	return false;
}

static bool policy_takes_dns(const struct tls_policy *p, const GENERAL_NAMES *gens)
{
	for (int i = 0; i < sk_GENERAL_NAME_num(gens); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(gens, i);

		if (g->type == GEN_DNS && printable(name_span(g)) && policy_takes(p, name_span(g)))
			return true;
	}
	return false;
}

/* X509-SVID 5.2: a leaf must not be a certificate authority, nor sign certificates or revocation lists. */
static bool is_leaf(X509 *cert)
{
	uint32_t flags = X509_get_extension_flags(cert);

	if (flags & EXFLAG_CA)
		return false;
	return !(flags & EXFLAG_KUSAGE) || !(X509_get_key_usage(cert) & (KU_KEY_CERT_SIGN | KU_CRL_SIGN));
}

static void remember(struct tls_shake *k, struct ss_span id)
{
	OPENSSL_free(k->identity);
	k->identity = id.n ? OPENSSL_strndup((const char *)id.p, id.n) : NULL;
	k->identity_n = k->identity ? id.n : 0;
}

/* NULL, or why this certificate, which the bundle verifies, is not let in. id: who it says it is. */
static const char *judge(const struct tls_shake *k, X509 *cert, const GENERAL_NAMES *gens, struct ss_span *id)
{
	struct names n;

	collect(gens, &n);
	*id = n.n_dns ? n.dns : SS_SPAN_NONE;
	if (n.n_uri > 0 && ss_span_starts(n.uri, SS_SPAN("spiffe://"))) {
		if (n.n_uri > 1)
			return "more than one URI SAN beside a SPIFFE id";
		if (!ss_id_is_spiffe(n.uri))
			return "malformed SPIFFE id";
		if (!is_leaf(cert))
			return "SPIFFE id on a signing certificate";
		*id = n.uri;
		return !k->policy || policy_takes(k->policy, n.uri) ? NULL : "identity not accepted";
	}
	if (!k->policy)
		return NULL;
	return policy_takes_dns(k->policy, gens) ? NULL : "identity not accepted";
}

const char *ss_tls_judge(struct tls_shake *k, X509 *cert, bool keep)
{
	GENERAL_NAMES *gens = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	struct ss_span id = SS_SPAN_NONE;
	const char *why = gens ? judge(k, cert, gens, &id) : k->policy ? "no identity in the certificate" : NULL;

	if (keep)
		remember(k, id);
	GENERAL_NAMES_free(gens);
	return why;
}

static enum ss_drop drop_of_error(int error)
{
	switch (error) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return SS_DROP_TLS_EXPIRED;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return SS_DROP_TLS_IDENTITY;
	default:
		return SS_DROP_TLS_UNTRUSTED;
	}
}

int ss_tls_verify(int ok, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_shake *k = SSL_get_app_data(ssl);

	if (!ok) {
		int error = X509_STORE_CTX_get_error(store);

		k->refusal = (uint16_t)drop_of_error(error);
		k->why = X509_verify_cert_error_string(error);
		return 0;
	}
	if (X509_STORE_CTX_get_error_depth(store) != 0)
		return 1;
	X509 *cert = X509_STORE_CTX_get_current_cert(store);
	const char *why = ss_tls_judge(k, cert, true);

	if (!why)
		return 1;
	k->refusal = SS_DROP_TLS_IDENTITY;
	k->why = why;
	/* Leaves as bad_certificate. */
	X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
	return 0;
}

int ss_tls_policy_copy(struct tls_policy **out, const struct ss_id_match *ids, uint16_t n)
{
	size_t size = sizeof(struct tls_policy) + n * sizeof(struct ss_id_match);
	uint8_t *text;

	*out = NULL;
	if (n == 0)
		return 0;
	for (uint16_t i = 0; i < n; i++)
		size += ids[i].value.n;
	*out = OPENSSL_malloc(size);
	if (!*out)
		return SS_ERR_NO_MEM;
	(*out)->n = n;
	text = (uint8_t *)&(*out)->id[n];
	for (uint16_t i = 0; i < n; i++) {
		(*out)->id[i].kind = ids[i].kind;
		(*out)->id[i].value = ss_span(text, ids[i].value.n);
		if (ids[i].value.n)
			memcpy(text, ids[i].value.p, ids[i].value.n);
		text += ids[i].value.n;
	}
	return 0;
}

static enum ss_alpn alpn_of(const SSL *ssl)
{
	const unsigned char *p;
	unsigned n;

	SSL_get0_alpn_selected(ssl, &p, &n);
	if (ss_span_eq(ss_span(p, n), SS_SPAN("h2")))
		return SS_ALPN_H2;
	if (ss_span_eq(ss_span(p, n), SS_SPAN("http/1.1")))
		return SS_ALPN_H1;
	return SS_ALPN_NONE;
}

void ss_tls_peer_learn(struct tls_shake *k)
{
	bool verified = SSL_get0_peer_certificate(k->ssl) && SSL_get_verify_mode(k->ssl) != SSL_VERIFY_NONE;
	bool mutual = k->server ? verified : verified && k->cert_asked && SSL_get_certificate(k->ssl);

	k->alpn = (uint8_t)alpn_of(k->ssl);
	k->tls = mutual ? 2 : 1;
	if (!verified)
		remember(k, SS_SPAN_NONE);
}
