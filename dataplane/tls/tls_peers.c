/*
 * tls_peers.c - what certificates and handshakes say of the other side, kept once for all connections of which they say
 * the same. A mesh has thousands of connections from few identities: a name, its line for upstream and the mark of its
 * chain are several hundred bytes.
 *
 * Each connection holds one of them at most, so there are never more than connections. Names come from peers, who shall
 * not choose where in the table they go: the hash has a key.
 */
#include <openssl/rand.h>

#include "base/err.h"
#include "base/siphash.h"
#include "tls/tls_int.h"

#define CHAIN 4 /* a list's length when each connection has a peer of its own */

struct tls_peers {
	struct ss_sipkey key;
	uint32_t n, mask;
	struct tls_known *at[];
};

int ss_tls_peers_create(struct tls_peers **out, uint32_t conns)
{
	uint32_t lists = 16;
	struct tls_peers *p;

	while (lists < conns / CHAIN)
		lists *= 2;
	*out = p = OPENSSL_zalloc(sizeof(*p) + lists * sizeof(p->at[0]));
	if (!p)
		return SS_ERR_NO_MEM;
	p->mask = lists - 1;
	return RAND_bytes((uint8_t *)&p->key, sizeof(p->key)) == 1 ? 0 : SS_ERR_NO_MEM;
}

void ss_tls_peers_free(struct tls_peers *p)
{
	OPENSSL_free(p);
}

uint32_t ss_tls_peers_n(const struct tls_peers *p)
{
	return p->n;
}

/* The trust is not in it: that one changes while the rest stays (tls_again.c). */
static uint32_t hash_of(const struct tls_peers *p, const struct ss_peer_names *n, const struct ss_trust_mark *m)
{
	const struct ss_span s[] = { n->identity, n->sni, n->xfcc };
	uint64_t h = (uint64_t)n->until ^ m->anchor ^ (m->n ? m->link[0].cert : 0);

	for (size_t i = 0; i < SS_ARRAY_LEN(s); i++)
		h = h * 0x9e3779b97f4a7c15u ^ (s[i].n ? ss_siphash(&p->key, s[i].p, s[i].n) : i);
	return (uint32_t)(h ^ h >> 32);
}

static bool mark_eq(const struct ss_trust_mark *a, const struct ss_trust_mark *b)
{
	if (a->trust != b->trust || a->anchor != b->anchor || a->n != b->n)
		return false;
	for (uint32_t i = 0; i < a->n && i < SS_TRUST_LINKS; i++)
		if (a->link[i].issuer != b->link[i].issuer || a->link[i].cert != b->link[i].cert)
			return false;
	return true;
}

static bool says(const struct tls_known *k, const struct ss_peer_names *n, const struct ss_trust_mark *m)
{
	return k->names.until == n->until && ss_span_eq(k->names.identity, n->identity) &&
	       ss_span_eq(k->names.sni, n->sni) && ss_span_eq(k->names.xfcc, n->xfcc) && mark_eq(&k->mark, m);
}

static struct ss_span copy(uint8_t **to, struct ss_span s)
{
	struct ss_span out = ss_span(*to, s.n);

	if (s.n == 0)
		return SS_SPAN_NONE;
	memcpy(*to, s.p, s.n);
	*to += s.n;
	return out;
}

static struct tls_known *make(const struct ss_peer_names *n, const struct ss_trust_mark *m)
{
	struct tls_known *k = OPENSSL_malloc(sizeof(*k) + n->identity.n + n->sni.n + n->xfcc.n);
	uint8_t *text;

	if (!k)
		return NULL;
	text = k->text;
	k->names.identity = copy(&text, n->identity);
	k->names.sni = copy(&text, n->sni);
	k->names.xfcc = copy(&text, n->xfcc);
	k->names.until = n->until;
	k->mark = *m;
	k->refs = 0;
	return k;
}

struct tls_known *ss_tls_peers_hold(struct tls_peers *p, const struct ss_peer_names *n, const struct ss_trust_mark *m)
{
	uint32_t hash = hash_of(p, n, m);
	struct tls_known **list = &p->at[hash & p->mask], *k;

	for (k = *list; k && !(k->hash == hash && says(k, n, m)); k = k->next)
		;
	if (!k) {
		k = make(n, m);
		if (!k)
			return NULL;
		k->hash = hash;
		k->next = *list;
		*list = k;
		p->n++;
	}
	k->refs++;
	return k;
}

void ss_tls_peers_drop(struct tls_peers *p, struct tls_known *k)
{
	struct tls_known **at;

	if (!k || --k->refs)
		return;
	for (at = &p->at[k->hash & p->mask]; *at != k; at = &(*at)->next)
		;
	*at = k->next;
	p->n--;
	OPENSSL_free(k);
}
