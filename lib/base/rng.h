/*
 * rng.h - seedable random numbers (xoshiro256**).
 *
 * Takes:   a seed; tests print theirs.
 * Gives:   uniform numbers. Not for secrets: keys and ISNs have their own source.
 * Owns:    its 32 bytes of state.
 * Thread:  one owner per struct.
 */
#ifndef SS_RNG_H
#define SS_RNG_H

#include "base/base.h"

struct ss_rng {
	uint64_t s[4];
};

void ss_rng_seed(struct ss_rng *r, uint64_t seed);
uint64_t ss_rng_u64(struct ss_rng *r);
/* Uniform in [0, n); n must not be 0. */
uint32_t ss_rng_below(struct ss_rng *r, uint32_t n);
/* True with probability num/den. */
bool ss_rng_chance(struct ss_rng *r, uint32_t num, uint32_t den);

#endif
