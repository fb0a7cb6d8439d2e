/*
 * up_share.c - how much of a set's requests each of its tiers gets.
 *
 * Tiers of one level stand beside each other: places that have shares, within one priority. Elsewhere every tier is a
 * level of its own. As Envoy's priority load, with its panic: levels are filled one after the other, each with what its
 * endpoints that are up can carry; then its places share what their level got, as Envoy's locality weights do, where a
 * place that cannot carry its share gets less.
 */
#include "upstream/up_choice_int.h"

struct level {
	uint32_t n; /* tiers */
	uint32_t up, all; /* endpoints */
};

static struct level level_at(const struct ss_lb_tier *t, const struct ss_lb_sight *s, uint32_t left)
{
	struct level v = {0};

	for (; v.n < left && t[v.n].level == t[0].level; v.n++) {
		v.up += s[v.n].n_up;
		v.all += t[v.n].n;
	}
	return v;
}

/* Percent of all that is asked of `all` endpoints that those of them that are up can carry. */
static uint32_t carries(const struct ss_balance *b, uint32_t up, uint32_t all)
{
	uint64_t over = ss_max_u32(b->conf.overprovision, 100);

	return all ? (uint32_t)ss_min_u64(100, over * up / all) : 0;
}

/* What all levels can carry, in percent; 100 and more: everything. */
struct whole {
	uint32_t percent;
	uint32_t n_levels, n_panics;
	uint32_t all; /* endpoints */
	bool flipped;
};

static void decide_panic(const struct ss_balance *b, const struct level *v, struct ss_lb_sight *s, struct whole *w)
{
	bool panic = w->percent < 100 && (uint64_t)v->up * 100 < (uint64_t)b->conf.panic_percent * v->all;

	for (uint32_t i = 0; i < v->n; i++) {
		w->flipped |= s[i].panic != panic;
		s[i].panic = panic;
	}
	w->n_levels++;
	w->n_panics += panic;
	w->all += v->all;
}

/* A place's part of its level: its share, by what it can carry. */
static uint64_t part_of(const struct ss_balance *b, const struct ss_lb_tier *t, const struct ss_lb_sight *s)
{
	return (uint64_t)t->share * (s->panic ? 100 : carries(b, s->n_up, t->n));
}

/* The level gets `load` of `total`, behind `before` of it. */
static void share_level(const struct ss_balance *b, const struct level *v, const struct ss_lb_tier *t, struct ss_lb_sight *s,
			uint64_t before, uint64_t load, uint64_t total)
{
	uint64_t sum = 0, run = 0;

	for (uint32_t i = 0; i < v->n; i++)
		sum += part_of(b, &t[i], &s[i]);
	for (uint32_t i = 0; i < v->n; i++) {
		run += part_of(b, &t[i], &s[i]);
		if (sum)
			s[i].upto = (uint32_t)(((before * sum + load * run) * SS_LB_WHOLE + total * sum / 2) / (total * sum));
		else
			s[i].upto = (uint32_t)(before * SS_LB_WHOLE / total);
	}
}

bool ss_up_share_load(const struct ss_balance *b, const struct ss_lb_set *set, struct ss_lb_worker *w)
{
	const struct ss_lb_tier *t = &b->tiers[set->first];
	struct ss_lb_sight *s = &w->sight[set->first];
	struct whole whole = {0};
	struct level v;
	uint32_t left = 100, total, before = 0, load;

	for (uint32_t i = 0; i < set->n_tiers; i += v.n) {
		v = level_at(t + i, s + i, set->n_tiers - i);
		whole.percent += carries(b, v.up, v.all);
	}
	for (uint32_t i = 0; i < set->n_tiers; i += v.n) {
		v = level_at(t + i, s + i, set->n_tiers - i);
		decide_panic(b, &v, s + i, &whole);
	}
	/* Where all panic nobody knows who is up: each gets what its size says. */
	total = whole.n_panics == whole.n_levels ? whole.all : ss_min_u32(whole.percent, 100);
	for (uint32_t i = 0; total && i < set->n_tiers; i += v.n) {
		v = level_at(t + i, s + i, set->n_tiers - i);
		load = whole.n_panics == whole.n_levels ? v.all : ss_min_u32(left, carries(b, v.up, v.all));
		left -= ss_min_u32(load, left);
		share_level(b, &v, t + i, s + i, before, load, total);
		before += load;
	}
	if (total)
		s[set->n_tiers - 1].upto = SS_LB_WHOLE;
	return whole.flipped;
}
