/* canaries.c - the table of slots, and control's part: which split has which. */
#include "contract/canaries.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

/* Some dozens, looked up when a generation is built or ends: a scan of one array. */
struct ss_canary_owner {
	uint32_t split, holds;
};

static void *lines(size_t n, size_t size)
{
	void *p = aligned_alloc(SS_CACHE_LINE, ss_max_u64(n, 1) * size);

	if (p)
		memset(p, 0, n * size);
	return p;
}

int ss_canary_table_create(struct ss_canary_table **out, uint32_t n_slots, uint32_t n_workers)
{
	struct ss_canary_table *t = calloc(1, sizeof(*t));

	if (!t)
		return SS_ERR_NO_MEM;
	t->n_slots = n_slots;
	t->n_workers = n_workers;
	t->slot = lines(n_slots, sizeof(*t->slot));
	t->counts = lines((size_t)n_slots * n_workers * SS_CANARY_VARIANTS, sizeof(*t->counts));
	t->owner = calloc(ss_max_u32(n_slots, 1), sizeof(*t->owner));
	if (!t->slot || !t->counts || !t->owner) {
		ss_canary_table_free(t);
		return SS_ERR_NO_MEM;
	}
	for (uint32_t i = 0; i < n_slots; i++)
		atomic_init(&t->slot[i].weight, SS_CANARY_NONE);
	*out = t;
	return 0;
}

void ss_canary_table_free(struct ss_canary_table *t)
{
	if (!t)
		return;
	free(t->slot);
	free(t->counts);
	free(t->owner);
	free(t);
}

/* -- counts -- */

/* As ss_hist_index (contract/counters.h), with finer parts. */
#define SUB (1u << SS_CANARY_SUB_BITS)

uint32_t ss_canary_bucket(uint64_t ns)
{
	if (ns < SUB)
		return (uint32_t)ns;
	uint32_t shift = 63 - (uint32_t)__builtin_clzll(ns) - SS_CANARY_SUB_BITS;
	uint64_t i = ((uint64_t)(shift + 1) << SS_CANARY_SUB_BITS) + ((ns >> shift) & (SUB - 1));

	return i < SS_CANARY_BUCKETS ? (uint32_t)i : SS_CANARY_BUCKETS - 1;
}

uint64_t ss_canary_lower(uint32_t i)
{
	if (i < SUB)
		return i;
	return (uint64_t)((i & (SUB - 1)) + SUB) << ((i >> SS_CANARY_SUB_BITS) - 1);
}

void ss_canary_count(struct ss_canary_counts *c, uint64_t ns, bool failed)
{
	uint32_t *b = &c->bucket[ss_canary_bucket(ns)];

	__atomic_store_n(b, *b + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&c->failures, c->failures + failed, __ATOMIC_RELAXED);
	__atomic_store_n(&c->requests, c->requests + 1, __ATOMIC_RELAXED);
}

void ss_canary_counted(const struct ss_canary_table *t, uint32_t slot, uint32_t variant, struct ss_canary_counts *out)
{
	memset(out, 0, sizeof(*out));
	for (uint32_t w = 0; w < t->n_workers; w++) {
		const struct ss_canary_counts *c =
			&t->counts[((size_t)slot * t->n_workers + w) * SS_CANARY_VARIANTS + variant];
		out->requests += __atomic_load_n(&c->requests, __ATOMIC_RELAXED);
		out->failures += __atomic_load_n(&c->failures, __ATOMIC_RELAXED);
		for (uint32_t i = 0; i < SS_CANARY_BUCKETS; i++)
			out->bucket[i] += __atomic_load_n(&c->bucket[i], __ATOMIC_RELAXED);
	}
}

/* -- slots -- */

int ss_canary_hold(struct ss_canary_table *t, uint32_t split, uint32_t *slot)
{
	uint32_t unused = UINT32_MAX, i;

	for (i = 0; i < t->n_slots && !(t->owner[i].holds && t->owner[i].split == split); i++)
		if (!t->owner[i].holds && unused == UINT32_MAX)
			unused = i;
	if (i == t->n_slots) {
		if (unused == UINT32_MAX)
			return SS_ERR_FULL;
		i = unused;
		t->owner[i].split = split;
		atomic_store(&t->slot[i].weight, SS_CANARY_NONE);
	}
	t->owner[i].holds++;
	*slot = i;
	return 0;
}

void ss_canary_drop(struct ss_canary_table *t, uint32_t slot)
{
	assert(t->owner[slot].holds > 0);
	t->owner[slot].holds--;
}
