#include "contract/counters.h"

/*
 * Values below 16 have a bucket each. Above, the highest set bit picks a group of 16 buckets and the
 * four bits after it the bucket: the width of a bucket is a sixteenth of its power of two.
 */
#define SUB (1u << SS_HIST_SUB_BITS)

uint32_t ss_hist_index(uint64_t ns)
{
	if (ns < SUB)
		return (uint32_t)ns;
	uint32_t shift = 63 - (uint32_t)__builtin_clzll(ns) - SS_HIST_SUB_BITS;
	uint64_t i = ((uint64_t)(shift + 1) << SS_HIST_SUB_BITS) + ((ns >> shift) & (SUB - 1));
	return i < SS_HIST_BUCKETS ? (uint32_t)i : SS_HIST_BUCKETS - 1;
}

uint64_t ss_hist_upper(uint32_t i)
{
	if (i < SUB)
		return i;
	uint32_t shift = (i >> SS_HIST_SUB_BITS) - 1;
	return (((uint64_t)(i & (SUB - 1)) + SUB + 1) << shift) - 1;
}

static inline void add(uint64_t *to, uint64_t n)
{
	__atomic_store_n(to, *to + n, __ATOMIC_RELAXED);
}

void ss_hist_add(struct ss_hist *h, uint64_t ns)
{
	add(&h->bucket[ss_hist_index(ns)], 1);
	add(&h->sum, ns);
	add(&h->count, 1);
}

/*
 * The reader may look while the writer is between two fields; so the total is that of the buckets,
 * not h->count, and the answer always lies within them.
 */
uint64_t ss_hist_quantile(const struct ss_hist *h, double q)
{
	uint64_t total = 0, below = 0;
	for (uint32_t i = 0; i < SS_HIST_BUCKETS; i++)
		total += h->bucket[i];
	if (total == 0)
		return 0;
	double want = q * (double)total;
	for (uint32_t i = 0; i < SS_HIST_BUCKETS; i++) {
		below += h->bucket[i];
		if (below > 0 && (double)below >= want)
			return ss_hist_upper(i);
	}
	return ss_hist_upper(SS_HIST_BUCKETS - 1);
}

void ss_hist_sum(struct ss_hist *dst, const struct ss_hist *src)
{
	for (uint32_t i = 0; i < SS_HIST_BUCKETS; i++)
		dst->bucket[i] += __atomic_load_n(&src->bucket[i], __ATOMIC_RELAXED);
	dst->sum += __atomic_load_n(&src->sum, __ATOMIC_RELAXED);
	dst->count += __atomic_load_n(&src->count, __ATOMIC_RELAXED);
}
