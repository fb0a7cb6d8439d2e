#include "base/rng.h"

/* splitmix64: spreads one word of seed over the state, as xoshiro's authors advise. */
static uint64_t splitmix(uint64_t *x)
{
	uint64_t z = (*x += 0x9e3779b97f4a7c15ull);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static inline uint64_t rotl(uint64_t x, int k)
{
	return (x << k) | (x >> (64 - k));
}

void ss_rng_seed(struct ss_rng *r, uint64_t seed)
{
	for (int i = 0; i < 4; i++)
		r->s[i] = splitmix(&seed);
}

uint64_t ss_rng_u64(struct ss_rng *r)
{
	uint64_t *s = r->s;
	uint64_t result = rotl(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;
	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return result;
}

/* Multiply-shift; draws that would make some results likelier than others are thrown back. */
uint32_t ss_rng_below(struct ss_rng *r, uint32_t n)
{
	uint32_t unfair = (uint32_t)(-n) % n;
	for (;;) {
		uint64_t m = (uint64_t)(uint32_t)(ss_rng_u64(r) >> 32) * n;
		if ((uint32_t)m >= unfair)
			return (uint32_t)(m >> 32);
	}
}

bool ss_rng_chance(struct ss_rng *r, uint32_t num, uint32_t den)
{
	return ss_rng_below(r, den) < num;
}
