/* up_draw.c - by chance: one at random, or the better of a few drawn at random (Mitzenmacher 1996). */
#include "upstream/up_choice_int.h"

static uint32_t draw(struct up_choice *p)
{
	return up_next_new(p, p->sight->n_up > 1 ? ss_rng_below(&p->u->rng, p->sight->n_up) : 0);
}

/* Further draws by weight while what is drawn is down or was tried. */
#define DRAWS 32

/* Whoever is drawn among all by weight, and is up, was drawn among those up by weight. */
static uint32_t draw_weighted(struct up_choice *p)
{
	for (uint32_t i = 0; i < DRAWS; i++) {
		uint64_t bits = ss_rng_u64(&p->u->rng);
		uint32_t place = (uint32_t)((bits >> 32) * p->tier->n >> 32);
		const struct ss_lb_alias *a = &p->tier->alias[place];
		if ((uint32_t)bits >= a->cut)
			place = a->other;
		if (up_usable(p, place) && !up_tried(p, place))
			return place;
	}
	return UINT32_MAX;
}

uint32_t up_pick_random(struct up_choice *p)
{
	uint32_t k = p->tier->alias ? draw_weighted(p) : UINT32_MAX;

	if (k != UINT32_MAX)
		return k;
	/* All alike; or nearly all of the weight is down. */
	k = draw(p);

	return k == UINT32_MAX ? k : p->sight->up[k];
}

/* The cheapest of n; the second is never the first again while there are two. */
static uint32_t cheapest(struct up_choice *p, uint32_t n, double (*cost)(const struct up_choice *, uint32_t))
{
	const struct ss_lb_sight *s = p->sight;
	uint32_t first = draw(p), best = first;
	double least;

	if (first == UINT32_MAX || s->n_up == 1)
		return first == UINT32_MAX ? first : s->up[first];
	least = cost(p, s->up[first]);
	for (uint32_t i = 1; i < n; i++) {
		uint32_t step = 1 + ss_rng_below(&p->u->rng, s->n_up - 1);
		uint32_t k = up_next_new(p, (uint32_t)(((uint64_t)first + step) % s->n_up));
		double c = k == UINT32_MAX ? least : cost(p, s->up[k]);
		if (c < least) {
			least = c;
			best = k;
		}
	}
	return s->up[best];
}

static double active(const struct up_choice *p, uint32_t place)
{
	return up_active(p, place);
}

uint32_t up_pick_least(struct up_choice *p)
{
	return cheapest(p, ss_max_u32(p->c->balance->conf.choices, 2), active);
}

uint32_t up_pick_ewma(struct up_choice *p)
{
	return cheapest(p, 2, up_ewma_cost);
}
