/* balance.c - the hash behind sticky picks. */
#include "contract/balance.h"

#include "base/siphash.h"

/*
 * A fixed key: the endpoint behind a key must be the same on every worker, on every node and after a
 * restart. A stranger may thus choose keys that meet at one endpoint; bounded load is the answer to that.
 */
static const struct ss_sipkey fixed = {{0x7369646573746570ull, 0x62616c616e636521ull}};

uint64_t ss_balance_hash(const void *p, uint32_t n)
{
	return ss_siphash(&fixed, p, n);
}

/* The finaliser of splitmix64 (Steele, Lea, Flood 2014): every bit in changes every bit out. */
uint64_t ss_balance_mix(uint64_t hash, uint64_t i)
{
	uint64_t z = hash + (i + 1) * 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}
