/* limit_find.c - the bucket of a policy, or of one of its keys: an identity, an address, a header's value. */
#include <string.h>

#include "limit/limit_int.h"

static struct ss_span header_of(const struct ss_limit *l, const struct ss_limit_request *rq)
{
	const struct ss_hdr *f = ss_hdrs_find_name(rq->head, l->header);

	return f ? f->value : SS_SPAN_NONE;
}

/* RFC 4291 2.5.4, RFC 6177: a site has a /64 at least, so one host has as many addresses as it likes. */
static struct ss_span address_of(const struct ss_ip *ip)
{
	return ss_span(ip->b, ip->family == 6 ? 8 : 4);
}

/* 64 bits instead of the key: with a secret that nobody outside knows, two keys share them once in 2^64. */
static uint64_t hash_of(const struct ss_limit_table *t, const struct ss_limit *l, struct ss_span key)
{
	struct ss_sipkey mine = {{t->key.k[0] ^ l->slot, t->key.k[1]}};
	uint64_t h = ss_siphash(&mine, key.n ? (const void *)key.p : "", key.n);

	return h ? h : 1;
}

/* Where a key's hash may be remembered: any place will do, what is there is compared. */
static struct ss_limit_memo *memo_of(const struct ss_limit_table *t, uint32_t slot, struct ss_span key, uint16_t worker)
{
	uint32_t mix = slot * 7 + key.n;

	if (key.n >= 4) {
		uint32_t last;
		memcpy(&last, key.p + key.n - 4, 4);
		mix += last * 0x9e3779b1u >> 16;
	}
	return &t->memo[worker * SS_LIMIT_MEMOS + mix % SS_LIMIT_MEMOS];
}

static uint64_t remembered(const struct ss_limit_table *t, const struct ss_limit *l, struct ss_span key, uint16_t worker)
{
	struct ss_limit_memo *m;

	if (!key.n || key.n > SS_LIMIT_MEMO_KEY)
		return hash_of(t, l, key);
	m = memo_of(t, l->slot, key, worker);
	if (m->hash && m->slot == l->slot && m->n == key.n && ss_bytes_eq(m->key, key.p, key.n))
		return m->hash;
	m->hash = hash_of(t, l, key);
	m->slot = l->slot;
	m->n = (uint8_t)key.n;
	memcpy(m->key, key.p, key.n);
	return m->hash;
}

static uint32_t fullest(const struct ss_limit_set *s, uint64_t *key, uint64_t *full_at)
{
	uint32_t best = 0;

	*full_at = UINT64_MAX;
	for (uint32_t i = 0; i < SS_LIMIT_WAYS; i++) {
		uint64_t at = atomic_load_explicit(&s->full_at[i], memory_order_relaxed);
		if (at >= *full_at)
			continue;
		best = i;
		*full_at = at;
		*key = atomic_load_explicit(&s->key[i], memory_order_relaxed);
	}
	return best;
}

/* The key's place, or SS_LIMIT_WAYS; *empty: the first place that no key has. */
static uint32_t place_of(const struct ss_limit_set *s, uint64_t h, uint32_t *empty)
{
	*empty = SS_LIMIT_WAYS;
	for (uint32_t i = 0; i < SS_LIMIT_WAYS; i++) {
		uint64_t key = atomic_load_explicit(&s->key[i], memory_order_relaxed);
		if (key == h)
			return i;
		if (!key && *empty == SS_LIMIT_WAYS)
			*empty = i;
	}
	return SS_LIMIT_WAYS;
}

/* Who loses the swap looks again: another worker may have made room for the same key. Empty places are taken in
 * their order and never given back, so two workers that both miss a key swap at the same place, and one bucket is
 * made. Only where all are taken may each throw out another, and the key then have a second burst. */
static _Atomic uint64_t *bucket_of(struct ss_limit_set *s, uint64_t h, uint64_t ticks, bool *evicted)
{
	for (;;) {
		uint64_t had = 0, full_at = 0;
		uint32_t empty, i = place_of(s, h, &empty);

		if (i < SS_LIMIT_WAYS)
			return &s->full_at[i];
		i = empty < SS_LIMIT_WAYS ? empty : fullest(s, &had, &full_at);
		if (!atomic_compare_exchange_strong_explicit(&s->key[i], &had, h, memory_order_relaxed,
							     memory_order_relaxed))
			continue;
		*evicted = full_at > ticks;
		if (*evicted)
			atomic_store_explicit(&s->full_at[i], ticks, memory_order_relaxed);
		return &s->full_at[i];
	}
}

static const struct ss_limit_pace *pace_of(const struct ss_limit *l, struct ss_span identity)
{
	for (uint16_t i = 0; i < l->n_overrides; i++)
		for (uint16_t k = 0; k < l->overrides[i].n_ids; k++)
			if (ss_id_matches(&l->overrides[i].ids[k], identity))
				return &l->overrides[i].pace;
	return &l->pace;
}

static struct ss_span key_of(const struct ss_limit *l, const struct ss_limit_request *rq)
{
	return l->key == SS_LIMIT_IDENTITY ? rq->identity
	       : l->key == SS_LIMIT_SOURCE ? address_of(rq->source)
					   : header_of(l, rq);
}

void ss_limit_find_key(struct ss_limit_table *t, const struct ss_limit *l, const struct ss_limit_request *rq,
		       uint64_t ticks, struct ss_limit_bucket *out)
{
	uint64_t h = remembered(t, l, key_of(l, rq), rq->worker);
	bool evicted = false;

	out->full_at = bucket_of(&t->set[h & t->set_mask], h, ticks, &evicted);
	if (l->n_overrides)
		out->pace = pace_of(l, rq->identity);
	if (evicted) {
		struct ss_limit_counts *c = ss_limit_counts_of(t, rq->worker, l->slot);
		__atomic_store_n(&c->evicted, c->evicted + 1, __ATOMIC_RELAXED);
	}
}
