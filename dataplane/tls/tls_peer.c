/*
 * Who is the other side, and may it come in. The check runs inside OpenSSL's certificate verification,
 * so that a refusal leaves as a TLS alert like any other fault of a certificate; it reads and writes its
 * handshake and nothing else.
 */
#include <openssl/err.h>

#include "base/err.h"
#include "tls/tls_shake.h"

static bool policy_takes(const struct tls_policy *p, struct ss_span id)
{
	for (uint16_t i = 0; i < p->n; i++)
		if (ss_id_matches(&p->id[i], id))
			return true;
	return false;
}

static bool policy_takes_dns(const struct tls_policy *p, const struct tls_names *n)
{
	struct ss_span dns;

	for (int i = 0; i < sk_GENERAL_NAME_num(n->all); i++)
		if (ss_tls_names_dns(n, i, &dns) && policy_takes(p, dns))
			return true;
	return false;
}

static bool wants_svids(const struct tls_shake *k)
{
	for (uint16_t i = 0; i < k->policy->n; i++)
		if (k->policy->id[i].kind != SS_ID_DOMAIN && ss_id_trust_domain(k->policy->id[i].value).n == 0)
			return false;
	return true;
}

static const struct tls_fault not_accepted = { SS_DROP_TLS_IDENTITY, "identity not accepted",
					       X509_V_ERR_CERT_REJECTED };
static const struct tls_fault nobody = { SS_DROP_TLS_IDENTITY, "no identity in the certificate",
					 X509_V_ERR_CERT_REJECTED };
static const struct tls_fault not_svid = { SS_DROP_TLS_NOT_SVID, "no SPIFFE id in the certificate",
					   X509_V_ERR_CERT_REJECTED };

const struct tls_fault *ss_tls_judge(const struct tls_shake *k, const struct tls_names *n)
{
	if (!k->policy)
		return NULL;
	if (n->spiffe)
		return policy_takes(k->policy, n->uri) ? NULL : &not_accepted;
	if (policy_takes_dns(k->policy, n))
		return NULL;
	if (k->trust && k->trust->domain[0].name.n && wants_svids(k))
		return &not_svid;
	return n->all ? &not_accepted : &nobody;
}

void ss_tls_identify(struct tls_shake *k, struct ss_span id)
{
	OPENSSL_free(k->identity);
	k->identity = id.n ? OPENSSL_strndup((const char *)id.p, id.n) : NULL;
	k->identity_n = k->identity ? id.n : 0;
}

struct tls_fault ss_tls_fault_of(int error)
{
	static const struct {
		int error;
		enum ss_drop drop;
	} of[] = {
		{ X509_V_ERR_CERT_HAS_EXPIRED, SS_DROP_TLS_EXPIRED },
		{ X509_V_ERR_CERT_NOT_YET_VALID, SS_DROP_TLS_NOT_YET_VALID },
		{ X509_V_ERR_HOSTNAME_MISMATCH, SS_DROP_TLS_IDENTITY },
		{ X509_V_ERR_IP_ADDRESS_MISMATCH, SS_DROP_TLS_IDENTITY },
		{ X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, SS_DROP_TLS_SELF_SIGNED },
		{ X509_V_ERR_CERT_CHAIN_TOO_LONG, SS_DROP_TLS_CHAIN_LONG },
		{ X509_V_ERR_PATH_LENGTH_EXCEEDED, SS_DROP_TLS_CHAIN_LONG },
		{ X509_V_ERR_CERT_REVOKED, SS_DROP_TLS_REVOKED },
		{ X509_V_ERR_EE_KEY_TOO_SMALL, SS_DROP_TLS_WEAK_KEY },
		{ X509_V_ERR_CA_KEY_TOO_SMALL, SS_DROP_TLS_WEAK_KEY },
		{ X509_V_ERR_CA_MD_TOO_WEAK, SS_DROP_TLS_WEAK_KEY },
		{ X509_V_ERR_INVALID_PURPOSE, SS_DROP_TLS_KEY_USAGE },
		{ X509_V_ERR_INVALID_CA, SS_DROP_TLS_KEY_USAGE },
		{ X509_V_ERR_KEYUSAGE_NO_CERTSIGN, SS_DROP_TLS_KEY_USAGE },
	};
	struct tls_fault f = { SS_DROP_TLS_UNTRUSTED, X509_verify_cert_error_string(error), error };

	for (size_t i = 0; i < SS_ARRAY_LEN(of); i++)
		if (of[i].error == error)
			f.drop = of[i].drop;
	return f;
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
		ss_tls_identify(k, SS_SPAN_NONE);
}
