#include "perf/load/load_hist.h"

#include <string.h>

#define SUB (1u << SS_LOAD_HIST_BITS)

/* Values below 128 have a bucket each; above, the highest bit picks a group of 128 and the bits after it one. */
static uint32_t index_of(uint64_t ns)
{
	if (ns < SUB)
		return (uint32_t)ns;
	uint32_t shift = 63 - (uint32_t)__builtin_clzll(ns) - SS_LOAD_HIST_BITS;
	uint64_t i = ((uint64_t)(shift + 1) << SS_LOAD_HIST_BITS) + ((ns >> shift) & (SUB - 1));

	return i < SS_LOAD_HIST_BUCKETS ? (uint32_t)i : SS_LOAD_HIST_BUCKETS - 1;
}

static uint64_t upper(uint32_t i)
{
	if (i < SUB)
		return i;
	uint32_t shift = (i >> SS_LOAD_HIST_BITS) - 1;

	return (((uint64_t)(i & (SUB - 1)) + SUB + 1) << shift) - 1;
}

void ss_load_hist_clear(struct ss_load_hist *h)
{
	memset(h, 0, sizeof(*h));
	h->min = UINT64_MAX;
}

void ss_load_hist_add(struct ss_load_hist *h, uint64_t ns)
{
	h->bucket[index_of(ns)]++;
	h->count++;
	h->sum += ns;
	h->min = ss_min_u64(h->min, ns);
	h->max = ss_max_u64(h->max, ns);
}

uint64_t ss_load_hist_quantile(const struct ss_load_hist *h, double q)
{
	double want = q * (double)h->count;
	uint64_t below = 0;

	for (uint32_t i = 0; i < SS_LOAD_HIST_BUCKETS && h->count; i++) {
		below += h->bucket[i];
		if (below && (double)below >= want)
			return i == SS_LOAD_HIST_BUCKETS - 1 ? h->max : ss_min_u64(upper(i), h->max);
	}
	return h->count ? h->max : 0;
}

double ss_load_hist_mean(const struct ss_load_hist *h)
{
	return h->count ? (double)h->sum / (double)h->count : 0;
}
