/*
 * route_sticky.c - which share of a split a client keeps.
 *
 * Weighted rendezvous hashing (Thaler and Ravishankar 1998; Schindelhauer and Schomaker 2005): each share
 * draws a number u from the client's key and its own name, and the least -ln(u) / weight wins. It needs no
 * memory and is the same on every appliance. When a share's weight changes, clients move only to it or away
 * from it; of two shares exactly the difference moves, and a share that goes away, or comes, leaves all
 * others where they are as long as their weights keep their ratio. A canary under way is such a change of weights.
 */
#include <math.h>

#include "route/route_int.h"

static uint64_t finish(uint64_t h)
{
	h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdull;
	h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53ull;
	return h ^ (h >> 33);
}

static uint64_t hash_of(struct ss_span key)
{
	uint64_t h = 0xcbf29ce484222325ull;

	for (uint32_t i = 0; i < key.n; i++)
		h = (h ^ key.p[i]) * 0x100000001b3ull;
	return h;
}

const struct ss_weighted_cluster *ss_route_keep_share(const struct ss_route *r, struct ss_span key)
{
	const struct ss_weighted_cluster *best = NULL;
	uint64_t h = hash_of(key);
	double least = INFINITY;

	for (uint16_t i = 0; i < r->n_clusters; i++) {
		const struct ss_weighted_cluster *w = &r->clusters[i];
		double u = ((double)(finish(h ^ w->salt) >> 11) + 0.5) * 0x1p-53, score;
		uint32_t sum, weight = ss_route_weight(r, i, &sum);
		if (!weight)
			continue;
		score = -log(u) / weight;
		if (score < least) {
			least = score;
			best = w;
		}
	}
	return best;
}

bool ss_route_sticky_key(const struct ss_route_look *k, const struct ss_sticky *s, struct ss_span *key)
{
	struct ss_route_walk w = {0};

	return ss_route_next_value(k, s->cookie ? SS_ON_COOKIE : SS_ON_HEADER, s->name, &w, key) && key->n;
}

/* Sixteen hexadecimal digits: as good as any name for a client that has none. */
struct ss_span ss_route_fresh_key(uint64_t draw, uint8_t *p)
{
	for (uint32_t i = 0; i < SS_ROUTE_KEY; i++)
		p[i] = (uint8_t) "0123456789abcdef"[draw >> (60 - 4 * i) & 15];
	return ss_span(p, SS_ROUTE_KEY);
}
