/* up_pick.c - the next endpoint of a cluster: its set, its tier, its policy. */
#include "contract/counters.h"
#include "upstream/up_choice_int.h"

struct up_cluster *up_cluster_of(struct ss_up *u, const struct ss_cluster *c)
{
	struct up_cluster *k = &u->clusters[c->slot];

	if (k->name != c->name) {
		*k = (struct up_cluster){.name = c->name};
		/* Each worker starts elsewhere: else all of them begin with the same endpoint. */
		if (!c->balance)
			k->cursor = (uint32_t)((uint64_t)c->n_endpoints * u->conf.worker /
					       ss_max_u32(u->conf.n_workers, 1));
	}
	return k;
}

_Atomic uint32_t *up_load_of(struct ss_up *u, uint32_t slot, uint32_t tier)
{
	struct ss_ep_cluster *c = &u->conf.endpoints->cluster[slot];

	return &c->load[ss_min_u32(tier, SS_ARRAY_LEN(c->load) - 1)];
}

/* A cluster without balancing: each in its turn. */
static uint32_t plain(struct ss_up *u, struct up_cluster *k, const struct ss_cluster *c,
		      const struct ss_up_wait *w, bool again, uint64_t now)
{
	for (uint32_t n = 0; n < c->n_endpoints; n++) {
		uint32_t i = (k->cursor + n) % c->n_endpoints, ep = c->endpoints[i].ep;
		bool tried = false;
		for (uint8_t t = 0; t < w->n_tried; t++)
			tried |= w->tried[t] == ep;
		if ((tried && !again) || !ss_ep_pickable(u->conf.endpoints, ep, now))
			continue;
		k->cursor = (i + 1) % c->n_endpoints;
		return i;
	}
	return UINT32_MAX;
}

/* -- policies -- */

static uint32_t by_policy(struct up_choice *p)
{
	static uint32_t (*const policies[])(struct up_choice *) = {
		[SS_LB_ROUND_ROBIN] = up_pick_rotate, [SS_LB_LEAST_REQUEST] = up_pick_least,
		[SS_LB_PEAK_EWMA] = up_pick_ewma,     [SS_LB_RANDOM] = up_pick_random,
		[SS_LB_MAGLEV] = up_pick_maglev,      [SS_LB_RING_HASH] = up_pick_ring,
	};
	const struct ss_balance *b = p->c->balance;

	return b->by_turn ? up_pick_turn(p) : policies[b->conf.policy](p);
}

/* -- sets and tiers -- */

static const struct ss_lb_set *set_of(const struct ss_balance *b, uint32_t name)
{
	for (uint32_t i = 0; i < b->n_sets; i++)
		if (b->sets[i].name == name)
			return &b->sets[i];
	return NULL;
}

static uint32_t draw_tier(struct ss_up *u, const struct ss_lb_set *set, const struct ss_lb_sight *s,
			  const struct ss_up_wait *w)
{
	uint32_t draw;

	if (s[0].upto >= SS_LB_WHOLE)
		return 0;
	/* A key stays in its tier as long as the tiers carry what they carry. */
	draw = w->hashed ? (uint32_t)((w->hash >> 32) % SS_LB_WHOLE) : ss_rng_below(&u->rng, SS_LB_WHOLE);
	for (uint32_t i = 0; i < set->n_tiers; i++)
		if (draw < s[i].upto)
			return i;
	return set->n_tiers - 1;
}

static uint32_t pick_in(struct up_choice *p, const struct ss_lb_set *set, uint32_t tier)
{
	p->tier_at = set->first + tier;
	p->tier = &p->c->balance->tiers[p->tier_at];
	p->sight = &p->seen->sight[p->tier_at];
	return p->sight->n_up ? by_policy(p) : UINT32_MAX;
}

/* The tier that was drawn; where all of it was tried another one; at last one that was tried. */
static uint32_t pick_place(struct up_choice *p, const struct ss_lb_set *set)
{
	uint32_t drawn = draw_tier(p->u, set, &p->seen->sight[set->first], p->wait);
	uint32_t place = pick_in(p, set, drawn);

	for (uint32_t i = 0; place == UINT32_MAX && i < set->n_tiers; i++)
		place = i == drawn ? place : pick_in(p, set, i);
	p->again = true;
	if (place == UINT32_MAX && p->wait->n_tried)
		place = pick_in(p, set, drawn);
	for (uint32_t i = 0; place == UINT32_MAX && p->wait->n_tried && i < set->n_tiers; i++)
		place = pick_in(p, set, i);
	return place;
}

/* -- the door -- */

static uint32_t chosen(struct up_choice *p, struct up_cluster *k, uint32_t place, struct ss_up_wait *w)
{
	k->cursor++;
	w->panic = p->sight->panic;
	w->tier = p->tier_at;
	if (w->panic) {
		ss_count(p->u->conf.counters, SS_C_PANIC_PICKS, 1);
		atomic_fetch_add_explicit(&p->u->conf.endpoints->cluster[p->c->slot].panics, 1,
					  memory_order_relaxed);
	}
	return p->tier->at[place];
}

/*
 * The lists may be a moment old: what they say is asked of the table. An endpoint that left rotation in
 * between makes them new, at once or (large clusters) by and by; that no attempt finds one happens only when
 * endpoints flap by the nanosecond.
 */
uint32_t up_pick(struct ss_up *u, const struct ss_cluster *c, struct ss_up_wait *w, uint64_t now,
		 enum ss_drop *why)
{
	struct up_cluster *k = up_cluster_of(u, c);
	const struct ss_lb_set *set = c->balance ? set_of(c->balance, w->subset) : NULL;

	*why = SS_DROP_NO_HEALTHY;
	if (!c->balance) {
		uint32_t i = plain(u, k, c, w, false, now);
		return i == UINT32_MAX && w->n_tried ? plain(u, k, c, w, true, now) : i;
	}
	if (!set || !set->n_tiers) {
		*why = SS_DROP_NO_SUBSET;
		return UINT32_MAX;
	}
	for (uint32_t i = 0; i < UP_PICKS; i++) {
		struct up_choice p = {
			.u = u, .c = c, .wait = w, .now = now, .seen = up_sight(u, k, c, i, now)};
		uint32_t place = pick_place(&p, set);
		if (place == UINT32_MAX)
			return place;
		if (p.sight->panic || ss_ep_pickable(u->conf.endpoints, up_at(&p, place)->ep, now))
			return chosen(&p, k, place, w);
		up_sight_lost(&p, k, place);
	}
	return UINT32_MAX;
}

void up_pick_begin(struct ss_up *u, const struct ss_cluster *c, struct ss_up_wait *w)
{
	w->bounded = c->balance && c->balance->conf.balance_factor;
	if (w->bounded)
		atomic_fetch_add_explicit(up_load_of(u, c->slot, w->tier), 1, memory_order_relaxed);
}

void up_pick_end(struct ss_up *u, struct ss_up_wait *w)
{
	if (w->bounded)
		atomic_fetch_sub_explicit(up_load_of(u, w->slot, w->tier), 1, memory_order_relaxed);
	w->bounded = false;
}

void up_pick_forget(struct up_pool *p)
{
	p->since = 0;
	p->rtt_at = 0;
	p->rtt_ns = 0;
	p->down = false;
}
