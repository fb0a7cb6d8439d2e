/* Identities: what a SPIFFE id is, and which matcher it satisfies. */
#include "contract/tlsconf.h"

/* SPIFFE-ID 2.4: "the maximum URI length of 2048 bytes"; 2.1: a trust domain is at most 255 bytes. */
#define SPIFFE_MAX 2048
#define DOMAIN_MAX 255

static const struct ss_span scheme = { (const uint8_t *)"spiffe://", 9 };

static bool domain_char(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

static bool path_char(uint8_t c)
{
	return domain_char(c) || (c >= 'A' && c <= 'Z');
}

struct ss_span ss_id_trust_domain(struct ss_span id)
{
	uint32_t n = scheme.n;

	if (!ss_span_starts(id, scheme))
		return SS_SPAN_NONE;
	while (n < id.n && id.p[n] != '/')
		n++;
	return ss_span(id.p + scheme.n, n - scheme.n);
}

/* SPIFFE-ID 2.2: no empty segment, no "." or "..", no trailing slash, only letters, digits, '.', '-', '_'. */
static bool path_is_valid(const uint8_t *p, const uint8_t *end)
{
	while (p < end) {
		const uint8_t *seg = ++p; /* past the '/' */

		while (p < end && path_char(*p))
			p++;
		if (p < end && *p != '/')
			return false;
		size_t n = (size_t)(p - seg);
		if (n == 0 || (n == 1 && seg[0] == '.') || (n == 2 && seg[0] == '.' && seg[1] == '.'))
			return false;
	}
	return true;
}

bool ss_id_is_spiffe(struct ss_span id)
{
	struct ss_span domain = ss_id_trust_domain(id);

	if (id.n > SPIFFE_MAX || domain.n == 0 || domain.n > DOMAIN_MAX)
		return false;
	for (uint32_t i = 0; i < domain.n; i++)
		if (!domain_char(domain.p[i]))
			return false;
	return path_is_valid(domain.p + domain.n, id.p + id.n);
}

/* A prefix ends where a segment ends: else ".../ns/a" would let the namespace "ab" in. */
static bool prefix_matches(struct ss_span prefix, struct ss_span id)
{
	if (prefix.n == 0 || !ss_span_starts(id, prefix))
		return false;
	return id.n == prefix.n || prefix.p[prefix.n - 1] == '/' || id.p[prefix.n] == '/';
}

struct ss_span ss_id_dns_key(struct ss_span id, uint8_t *buf)
{
	if (ss_span_starts(id, scheme) || id.n > SS_ID_DNS_MAX)
		return SS_SPAN_NONE;
	for (uint32_t i = 0; i < id.n; i++)
		buf[i] = ss_lower(id.p[i]);
	return ss_span(buf, id.n);
}

bool ss_id_has_key(struct ss_span value)
{
	uint8_t buf[SS_ID_DNS_MAX];

	return ss_span_starts(value, scheme) || (value.n && ss_span_eq(value, ss_id_dns_key(value, buf)));
}

bool ss_id_matches(const struct ss_id_match *m, struct ss_span id)
{
	if (id.n == 0)
		return false;
	switch (m->kind) {
	case SS_ID_EXACT:
		return ss_span_starts(id, scheme) ? ss_span_eq(m->value, id) : ss_span_ieq(m->value, id);
	case SS_ID_PREFIX:
		return prefix_matches(m->value, id);
	case SS_ID_DOMAIN:
		return m->value.n && ss_span_eq(m->value, ss_id_trust_domain(id));
	case SS_ID_ANY:
		return true;
	case SS_ID_SUFFIX:
		return m->value.n && ss_span_ends(id, m->value);
	case SS_ID_BEGINS:
		return m->value.n && ss_span_starts(id, m->value);
	}
	return false;
}

const char *ss_tls_records_name(enum ss_tls_records r)
{
	static const char *const names[] = { [SS_TLS_RECORDS_AUTO] = "auto",
					     [SS_TLS_RECORDS_IPSEC_MB] = "ipsec-mb",
					     [SS_TLS_RECORDS_EVP] = "evp",
					     [SS_TLS_RECORDS_OPENSSL] = "openssl",
					     [SS_TLS_RECORDS_CRYPTODEV] = "cryptodev" };

	return names[r];
}
