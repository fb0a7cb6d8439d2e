/*
 * up_choice_int.h - one pick under way, and what the files that pick do for each other.
 *
 * up_pick.c is the door: set, tier, policy. up_sight.c keeps what the worker sees of a cluster; up_share.c
 * says how much its tiers get; up_turn.c
 * picks by turns, up_draw.c by chance, up_hash.c by the request's hash; up_ewma.c knows how slow endpoints
 * are.
 */
#ifndef SS_UP_CHOICE_INT_H
#define SS_UP_CHOICE_INT_H

#include "base/rng.h"
#include "upstream/up_int.h"

struct up_choice {
	struct ss_up *u;
	const struct ss_cluster *c;
	const struct ss_lb_tier *tier;
	struct ss_lb_worker *seen;
	struct ss_lb_sight *sight;
	const struct ss_up_wait *wait;
	uint64_t now;
	uint32_t tier_at; /* in c->balance->tiers */
	bool again;       /* endpoints tried already are allowed */
};

/* Picks that find who is down before it is nobody's turn: then all are looked at. */
#define UP_PICKS 16u
/* up_sight.c: looks at the cluster's health where something has changed since the last time. attempt: of this pick,
 * 0 for its first. */
struct ss_lb_worker *up_sight(struct ss_up *u, struct up_cluster *k, const struct ss_cluster *c, uint32_t attempt,
			      uint64_t now);
/* What was picked is down. */
void up_sight_lost(struct up_choice *p, struct up_cluster *k, uint32_t place);
/* 1024ths of an endpoint's weight that slow start leaves it; up_ramp_at: within its window. */
uint32_t up_ramp_at(const struct ss_balance_conf *b, uint64_t age);
static inline uint32_t up_ramp(const struct ss_balance_conf *b, const struct up_pool *p, uint64_t now)
{
	return !b->slow_start_ns || now - p->since >= b->slow_start_ns ? 1024 : up_ramp_at(b, now - p->since);
}

/* The policies: a place in the tier, UINT32_MAX when all that are up were tried. The tier has some that are
 * up. */
uint32_t up_pick_rotate(struct up_choice *p);
uint32_t up_pick_turn(struct up_choice *p);
uint32_t up_pick_random(struct up_choice *p);
uint32_t up_pick_least(struct up_choice *p);
uint32_t up_pick_ewma(struct up_choice *p);
uint32_t up_pick_maglev(struct up_choice *p);
uint32_t up_pick_ring(struct up_choice *p);

/* Every endpoint that came up takes its place in the order of turns, those that went leave it. */
void up_turn_settle(struct up_choice *p, uint32_t start);
/* This one came up. */
void up_turn_enter(struct up_choice *p, uint32_t place);

/* up_ewma.c: nanoseconds that a request would wait there, by all this worker knows. */
double up_ewma_cost(const struct up_choice *p, uint32_t place);

static inline const struct ss_endpoint *up_at(const struct up_choice *p, uint32_t place)
{
	return &p->c->endpoints[p->tier->at[place]];
}

/* Down endpoints stand in lists for a moment; in panic for as long as it lasts. */
static inline bool up_usable(const struct up_choice *p, uint32_t place)
{
	return p->sight->panic || p->seen->ok[p->tier->at[place]];
}

static inline bool up_tried(const struct up_choice *p, uint32_t place)
{
	uint32_t ep = up_at(p, place)->ep;

	for (uint8_t i = 0; !p->again && i < p->wait->n_tried; i++)
		if (p->wait->tried[i] == ep)
			return true;
	return false;
}

/* Requests under way there, of all workers; those that pick at this moment are not in it. */
static inline uint32_t up_active(const struct up_choice *p, uint32_t place)
{
	return atomic_load_explicit(&p->u->conf.endpoints->ep[up_at(p, place)->ep].active,
				    memory_order_relaxed);
}

/*
 * The first one not tried, as an index into sight->up, from one of them on. They differ from each other, so
 * one among n_tried + 1 neighbours is new unless there are no more.
 */
static inline uint32_t up_next_new(const struct up_choice *p, uint32_t from)
{
	uint32_t most = ss_min_u32(p->sight->n_up, p->again ? 1 : p->wait->n_tried + 1u);

	for (uint32_t i = 0; i < most; i++) {
		uint32_t k = from + i < p->sight->n_up ? from + i : from + i - p->sight->n_up;
		if (!up_tried(p, p->sight->up[k]))
			return k;
	}
	return UINT32_MAX;
}

#endif
