/*
 * up_hash.c - by the request's hash: a place in the Maglev table or on the ring, and where a key goes when
 * its endpoint is down, was tried, or has more than its bound (Mirrokni, Thorup, Zadimoghaddam 2018).
 */
#include "upstream/up_choice_int.h"

/* Further places that are looked at before the list of those up is searched, and how far that is. */
#define STEPS 32
#define SEARCH_MAX 256u

/* How many requests an endpoint may have: ceil(factor * (requests + 1) * its share of the weight). */
static bool full(const struct up_choice *p, uint32_t place)
{
	uint64_t factor = p->c->balance->conf.balance_factor, all, bound;

	if (!factor)
		return false;
	all = atomic_load_explicit(up_load_of(p->u, p->c->slot, p->tier_at), memory_order_relaxed) + 1ull;
	bound = (factor * all * up_at(p, place)->weight + 100 * p->sight->weight - 1) /
		(100 * p->sight->weight);
	return up_active(p, place) >= bound;
}

static bool fits(const struct up_choice *p, uint32_t place)
{
	return up_usable(p, place) && !up_tried(p, place) && !full(p, place);
}

/*
 * In a small tier from a place on that every worker finds alike. Bounds of all that are up sum to more than there are
 * requests, so one of them is not full; at a factor f at most one in f of them is (four of five at 125 %), and
 * few are looked at. In a large tier they are drawn by chance, for the one key that all ask for fills whatever
 * the key alone says; where so many are full, which at 125 % is once in 10^24, the least busy of them is taken.
 */
static uint32_t search(struct up_choice *p)
{
	const struct ss_lb_sight *s = p->sight;
	uint32_t from = (uint32_t)(ss_balance_mix(p->wait->hash, STEPS) % s->n_up);
	uint32_t most = p->c->balance->conf.balance_factor ? ss_min_u32(s->n_up, SEARCH_MAX) : 0;
	uint32_t best = UINT32_MAX, least = UINT32_MAX;

	for (uint32_t i = 0; i < most; i++) {
		uint32_t place = s->up[s->n_up <= SEARCH_MAX ? (from + i) % s->n_up : ss_rng_below(&p->u->rng, s->n_up)];
		if (fits(p, place))
			return place;
		if (up_usable(p, place) && !up_tried(p, place) && up_active(p, place) < least) {
			least = up_active(p, place);
			best = place;
		}
	}
	if (best != UINT32_MAX)
		return best;
	from = up_next_new(p, from);
	return from == UINT32_MAX ? from : s->up[from];
}

uint32_t up_pick_maglev(struct up_choice *p)
{
	uint64_t h = p->wait->hash;

	if (!p->wait->hashed)
		return up_pick_random(p);
	for (uint32_t i = 0; i < STEPS; i++) {
		uint32_t place = p->tier->table[h % p->tier->n_table];
		if (fits(p, place))
			return place;
		h = ss_balance_mix(p->wait->hash, i);
	}
	return search(p);
}

/* The first point at or after the hash; past the last comes the first. */
static uint32_t first_point(const struct ss_lb_tier *t, uint64_t hash)
{
	uint32_t low = 0, high = t->n_ring;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		if (t->ring[mid].hash < hash)
			low = mid + 1;
		else
			high = mid;
	}
	return low == t->n_ring ? 0 : low;
}

uint32_t up_pick_ring(struct up_choice *p)
{
	uint32_t at;

	if (!p->wait->hashed)
		return up_pick_random(p);
	at = first_point(p->tier, p->wait->hash);
	for (uint32_t i = 0; i < STEPS; i++) {
		uint32_t place = p->tier->ring[at].place;
		if (fits(p, place))
			return place;
		at = at + 1 == p->tier->n_ring ? 0 : at + 1;
	}
	return search(p);
}
