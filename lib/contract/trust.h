/*
 * trust.h - whom a listener or a cluster believes: a bundle of authorities for each trust domain.
 *
 * Takes:   what ctrl/build made of bundles and revocation lists.
 * Gives:   the domain whose bundle a peer is judged by: the one that its own identity names, never another's;
 *          and a mark of each verified chain, by which a live connection is judged again under a later trust.
 * Owns:    itself, counted: a snapshot, and each handshake under way, hold one reference.
 * Thread:  immutable once made; hold and put from any thread.
 * Errors:  marks are 64 bits of each certificate: two taken for one would be a revocation too many.
 */
#ifndef SS_TRUST_H
#define SS_TRUST_H

#include <stdatomic.h>

#include "base/base.h"
#include "base/siphash.h"
#include "base/span.h"

/* A leaf and the intermediates above it: nobody's chain is longer, and each costs a signature's check. */
#define SS_TRUST_LINKS 4
#define SS_TRUST_HASH 32

/* Which certificates a revocation list is asked about. */
enum ss_crl_check {
	SS_CRL_CHAIN = 0, /* each below the authority; its issuer must have a list */
	SS_CRL_LEAF = 1,  /* the peer's own alone */
};

/* What of a verified chain outlives the handshake. */
struct ss_trust_mark {
	uint64_t trust;  /* begin of the hash of the trust that verified it; 0: nobody did */
	uint64_t anchor; /* the authority */
	uint32_t n;      /* links; 0 of a peer whose chain was not seen */
	struct {
		uint64_t issuer; /* the issuer's name */
		uint64_t cert;   /* issuer's name and serial number */
	} link[SS_TRUST_LINKS]; /* leaf first */
};

/* Sorted, without doubles. */
struct ss_trust_set {
	uint32_t n;
	const uint64_t *v;
};

struct ss_trust_domain {
	struct ss_span name;    /* "mesh.local"; empty: every identity that no other domain speaks for */
	void *anchors;          /* STACK_OF(X509) */
	struct ss_trust_set anchor;
	bool crls;              /* there are revocation lists */
	uint8_t crl_check;      /* enum ss_crl_check */
	struct ss_trust_set listed;  /* issuers that have one */
	const int64_t *listed_until; /* of each in listed: when its list is to be replaced, in Unix seconds; NULL: never */
	struct ss_trust_set revoked; /* issuer and serial number */
};

struct ss_trust {
	_Atomic uint32_t refs;
	void (*free)(struct ss_trust *);
	uint8_t hash[SS_TRUST_HASH]; /* over all that follows */
	bool chain_cache;
	uint32_t n_domains;
	const struct ss_trust_domain *domain; /* the trust's own first, then those it federates with */
};

enum ss_trust_verdict {
	SS_TRUST_GOOD,
	SS_TRUST_NO_DOMAIN, /* nobody speaks for its trust domain (any more) */
	SS_TRUST_NO_ANCHOR, /* its authority is not in the bundle (any more) */
	SS_TRUST_REVOKED,
	SS_TRUST_NO_LIST,   /* no revocation list of an issuer */
	SS_TRUST_OLD_LIST,  /* it should have been replaced by now */
};

static inline void ss_trust_hold(const struct ss_trust *t)
{
	if (t)
		atomic_fetch_add_explicit(&((struct ss_trust *)(uintptr_t)t)->refs, 1, memory_order_relaxed);
}
/* The last one frees it. NULL is nobody's. */
void ss_trust_put(const struct ss_trust *t);

bool ss_trust_set_has(const struct ss_trust_set *s, uint64_t v);
/* The domain that speaks for a SPIFFE id; for an identity of another kind (or none) the trust's own. NULL: none. */
const struct ss_trust_domain *ss_trust_find(const struct ss_trust *t, struct ss_span identity);
/* Do d's revocation lists let a chain pass? */
enum ss_trust_verdict ss_trust_unrevoked(const struct ss_trust_domain *d, const struct ss_trust_mark *m);
/* Are the lists that were asked about the chain still to be believed? now: Unix seconds. */
enum ss_trust_verdict ss_trust_fresh(const struct ss_trust_domain *d, const struct ss_trust_mark *m, int64_t now);
/* May a connection go on, whose peer was verified under another trust? */
enum ss_trust_verdict ss_trust_again(const struct ss_trust *t, struct ss_span identity, const struct ss_trust_mark *m);
/* A certificate or a name, as marks know it: a (and b) in DER. */
uint64_t ss_trust_digest(struct ss_span a, struct ss_span b);
/* In words, for ever. */
const char *ss_trust_why(enum ss_trust_verdict v);

/* The number by which marks know the trust. Never 0. */
static inline uint64_t ss_trust_number(const struct ss_trust *t)
{
	uint64_t n;

	memcpy(&n, t->hash, sizeof(n));
	return n | 1;
}

#endif
