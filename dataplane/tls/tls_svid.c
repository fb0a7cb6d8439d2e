/*
 * What a certificate says who it is, and whether it may say so: the rules of SPIFFE's X.509-SVID for what carries
 * a SPIFFE id. The certificate is a stranger's: it may be looked at before anything of it was verified.
 */
#include <string.h>

#include "tls/tls_shake.h"

static struct ss_span name_span(const GENERAL_NAME *g)
{
	int type;
	const ASN1_STRING *s = GENERAL_NAME_get0_value(g, &type);

	return ss_span(ASN1_STRING_get0_data(s), (uint32_t)ASN1_STRING_length(s));
}

/* RFC 5890 2.3.1, and the wildcard of RFC 6125: nothing that could be taken for an identity of another kind. */
static bool is_dns(struct ss_span s)
{
	for (uint32_t i = 0; i < s.n; i++) {
		uint8_t c = ss_lower(s.p[i]);

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && !strchr("-._*", c))
			return false;
	}
	return s.n > 0;
}

/* RFC 3986 3.1: a scheme is case-insensitive; one in capitals is a SPIFFE id too, and a malformed one. */
static bool begins_as_spiffe(struct ss_span s)
{
	return s.n >= 9 && ss_span_ieq(ss_span(s.p, 9), SS_SPAN("spiffe://"));
}

void ss_tls_names_read(X509 *cert, struct tls_names *out)
{
	memset(out, 0, sizeof(*out));
	/* NULL also where the extension stands twice (RFC 5280 4.2 forbids it) or does not parse. */
	out->all = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	for (int i = 0; i < sk_GENERAL_NAME_num(out->all); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(out->all, i);

		if (g->type == GEN_URI) {
			if (out->n_uri++ == 0 || begins_as_spiffe(name_span(g)))
				out->uri = name_span(g);
			out->spiffe |= begins_as_spiffe(name_span(g));
		} else if (g->type == GEN_DNS && is_dns(name_span(g)) && out->n_dns++ == 0) {
			out->dns = name_span(g);
		}
	}
}

void ss_tls_names_free(struct tls_names *n)
{
	GENERAL_NAMES_free(n->all);
	n->all = NULL;
}

bool ss_tls_names_dns(const struct tls_names *n, int i, struct ss_span *out)
{
	const GENERAL_NAME *g = sk_GENERAL_NAME_value(n->all, i);

	*out = g && g->type == GEN_DNS ? name_span(g) : SS_SPAN_NONE;
	return is_dns(*out);
}

struct ss_span ss_tls_names_identity(const struct tls_names *n)
{
	if (n->spiffe)
		return n->uri;
	return n->n_dns ? n->dns : SS_SPAN_NONE;
}

static const struct tls_fault two_uris = { SS_DROP_TLS_NOT_SVID, "more than one URI SAN beside a SPIFFE id",
					   X509_V_ERR_CERT_REJECTED };
static const struct tls_fault malformed = { SS_DROP_TLS_NOT_SVID, "malformed SPIFFE id", X509_V_ERR_CERT_REJECTED };
static const struct tls_fault no_path = { SS_DROP_TLS_NOT_SVID, "SPIFFE id without a path on a leaf",
					  X509_V_ERR_CERT_REJECTED };
static const struct tls_fault signing = { SS_DROP_TLS_NOT_SVID, "SPIFFE id on a signing certificate",
					  X509_V_ERR_CERT_REJECTED };
static const struct tls_fault no_signature = { SS_DROP_TLS_KEY_USAGE, "SPIFFE id without key usage digitalSignature",
					       X509_V_ERR_INVALID_PURPOSE };
static const struct tls_fault signer_path = { SS_DROP_TLS_NOT_SVID, "SPIFFE id with a path on an authority",
					      X509_V_ERR_CERT_REJECTED };
static const struct tls_fault signer_domain = { SS_DROP_TLS_TRUST_DOMAIN, "authority of another trust domain",
						X509_V_ERR_CERT_REJECTED };

/*
 * X509-SVID 2: "MUST contain exactly one URI SAN"; 4.1: a leaf has basic constraints CA false; 4.3: "Leaf SVIDs MUST
 * NOT set keyCertSign or cRLSign", "MUST set digitalSignature"; 3.1: a leaf's SPIFFE id has a path. What
 * 4.4 says of extended key usage OpenSSL checks, for the side that the peer is.
 */
const struct tls_fault *ss_tls_svid_fault(X509 *cert, const struct tls_names *n)
{
	uint32_t flags = X509_get_extension_flags(cert), usage = X509_get_key_usage(cert);

	if (n->n_uri > 1)
		return &two_uris;
	if (!ss_id_is_spiffe(n->uri))
		return &malformed;
	if (n->uri.n == ss_id_trust_domain(n->uri).n + 9)
		return &no_path;
	if ((flags & EXFLAG_CA) || ((flags & EXFLAG_KUSAGE) && (usage & (KU_KEY_CERT_SIGN | KU_CRL_SIGN))))
		return &signing;
	return (flags & EXFLAG_KUSAGE) && (usage & KU_DIGITAL_SIGNATURE) ? NULL : &no_signature;
}

/* X509-SVID 3.2: a signing certificate may have a SPIFFE id: its trust domain's, without a path. */
const struct tls_fault *ss_tls_signer_fault(X509 *cert, struct ss_span domain)
{
	struct tls_names n;
	const struct tls_fault *f = NULL;

	ss_tls_names_read(cert, &n);
	if (n.spiffe) {
		struct ss_span has = ss_id_trust_domain(n.uri);

		if (n.n_uri > 1)
			f = &two_uris;
		else if (!ss_id_is_spiffe(n.uri))
			f = &malformed;
		else if (n.uri.n != has.n + 9)
			f = &signer_path;
		else if (!ss_span_eq(has, domain))
			f = &signer_domain;
	}
	ss_tls_names_free(&n);
	return f;
}
