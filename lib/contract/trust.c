/* trust.c - which domain judges a peer, and whether a chain that was good is good still. */
#include "contract/trust.h"

#include "contract/tlsconf.h"

void ss_trust_put(const struct ss_trust *t)
{
	struct ss_trust *own = (struct ss_trust *)(uintptr_t)t;

	if (own && atomic_fetch_sub_explicit(&own->refs, 1, memory_order_acq_rel) == 1)
		own->free(own);
}

/* Where v stands in s; s->n: nowhere. */
static uint32_t place(const struct ss_trust_set *s, uint64_t v)
{
	uint32_t low = 0, high = s->n;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (s->v[mid] == v)
			return mid;
		if (s->v[mid] < v)
			low = mid + 1;
		else
			high = mid;
	}
	return s->n;
}

bool ss_trust_set_has(const struct ss_trust_set *s, uint64_t v)
{
	return place(s, v) < s->n;
}

const struct ss_trust_domain *ss_trust_find(const struct ss_trust *t, struct ss_span identity)
{
	struct ss_span name = ss_id_trust_domain(identity);

	for (uint32_t i = 0; i < t->n_domains && name.n; i++)
		if (ss_span_eq(t->domain[i].name, name))
			return &t->domain[i];
	return t->n_domains && (name.n == 0 || t->domain[0].name.n == 0) ? &t->domain[0] : NULL;
}

/* How many links of the chain the lists are asked about. */
static uint32_t asked(const struct ss_trust_domain *d, const struct ss_trust_mark *m)
{
	if (!d->crls)
		return 0;
	return d->crl_check == SS_CRL_LEAF ? ss_min_u32(m->n, 1) : m->n;
}

enum ss_trust_verdict ss_trust_unrevoked(const struct ss_trust_domain *d, const struct ss_trust_mark *m)
{
	for (uint32_t i = 0, n = asked(d, m); i < n; i++) {
		if (ss_trust_set_has(&d->revoked, m->link[i].cert))
			return SS_TRUST_REVOKED;
		if (!ss_trust_set_has(&d->listed, m->link[i].issuer))
			return SS_TRUST_NO_LIST;
	}
	return SS_TRUST_GOOD;
}

enum ss_trust_verdict ss_trust_fresh(const struct ss_trust_domain *d, const struct ss_trust_mark *m, int64_t now)
{
	for (uint32_t i = 0, n = d->listed_until ? asked(d, m) : 0; i < n; i++) {
		uint32_t at = place(&d->listed, m->link[i].issuer);

		if (at < d->listed.n && now >= d->listed_until[at])
			return SS_TRUST_OLD_LIST;
	}
	return SS_TRUST_GOOD;
}

enum ss_trust_verdict ss_trust_again(const struct ss_trust *t, struct ss_span identity, const struct ss_trust_mark *m)
{
	const struct ss_trust_domain *d = ss_trust_find(t, identity);

	if (!d)
		return SS_TRUST_NO_DOMAIN;
	if (m->n == 0 || !ss_trust_set_has(&d->anchor, m->anchor))
		return SS_TRUST_NO_ANCHOR;
	return ss_trust_unrevoked(d, m);
}

const char *ss_trust_why(enum ss_trust_verdict v)
{
	static const char *const why[] = {
		[SS_TRUST_GOOD] = "",
		[SS_TRUST_NO_DOMAIN] = "no bundle for its trust domain",
		[SS_TRUST_NO_ANCHOR] = "its authority is not in the bundle",
		[SS_TRUST_REVOKED] = "certificate revoked",
		[SS_TRUST_NO_LIST] = "no revocation list of its issuer",
		[SS_TRUST_OLD_LIST] = "revocation list of its issuer has expired",
	};

	return why[v];
}

/* The key is nobody's secret: a mark is compared with what trusted authorities have signed. */
uint64_t ss_trust_digest(struct ss_span a, struct ss_span b)
{
	static const struct ss_sipkey first = { { 0x7472757374, 1 } };
	struct ss_sipkey second = { { ss_siphash(&first, a.p, a.n), 2 } };

	return ss_siphash(&second, b.p, b.n);
}
