/*
 * up_sight.c - which endpoints of a cluster are up, tier by tier, as one worker saw them last.
 *
 * A pick must not scan endpoints to know who is healthy. So each worker keeps lists of those that are up, and
 * makes them new when the endpoint table says that something changed, when an ejection ends, and every
 * tenth of a second while somebody is down. What is picked is asked of the table again: a list may be old.
 */
#include <math.h>

#include "upstream/up_choice_int.h"

#define LOOK_AGAIN_NS (100 * SS_NS_PER_MS)

/* -- slow start -- */

uint32_t up_ramp(const struct ss_balance_conf *b, const struct up_pool *p, uint64_t now)
{
	uint32_t least = b->slow_min_percent * 1024 / 100, at;
	uint64_t age = now - p->since;

	if (!b->slow_start_ns || age >= b->slow_start_ns)
		return 1024;
	if (b->slow_aggression == 100 || !b->slow_aggression)
		at = (uint32_t)((double)age * 1024 / (double)b->slow_start_ns);
	else
		at = (uint32_t)(1024 *
				pow((double)age / (double)b->slow_start_ns, 100.0 / b->slow_aggression));
	return ss_max_u32(ss_max_u32(at, least), 1);
}

/* -- who is up -- */

static void look_at_endpoints(struct ss_up *u, const struct ss_cluster *c, struct ss_lb_worker *w,
			      uint64_t now)
{
	w->look_at = SS_NEVER;
	for (uint32_t i = 0; i < c->n_endpoints; i++) {
		uint32_t ep = c->endpoints[i].ep;
		struct up_pool *p = up_pool_of(u, c, &c->endpoints[i]);
		uint64_t until;

		w->ok[i] = ss_ep_pickable(u->conf.endpoints, ep, now);
		/* New, or back: slow start begins. */
		if (!p->since || (p->down && w->ok[i]))
			p->since = now;
		p->down = !w->ok[i];
		if (w->ok[i])
			continue;
		until = atomic_load_explicit(&u->conf.endpoints->ep[ep].ejected_until, memory_order_relaxed);
		w->look_at = ss_min_u64(w->look_at, now + LOOK_AGAIN_NS);
		if (until > now)
			w->look_at = ss_min_u64(w->look_at, until);
	}
}

static void list_up(const struct ss_cluster *c, const struct ss_lb_worker *w, const struct ss_lb_tier *t,
		    struct ss_lb_sight *s)
{
	s->n_up = 0;
	s->weight = 0;
	for (uint32_t i = 0; i < t->n; i++) {
		if (!w->ok[t->at[i]] && !s->panic)
			continue;
		s->up[s->n_up++] = i;
		s->weight += c->endpoints[t->at[i]].weight;
	}
}

/* -- how much each tier carries (Envoy's priority load, with its panic) -- */

/* Percent of all requests that the tier's endpoints that are up can carry. */
static uint32_t carries(const struct ss_balance *b, const struct ss_lb_tier *t, const struct ss_lb_sight *s)
{
	uint64_t over = ss_max_u32(b->conf.overprovision, 100);

	return t->n ? (uint32_t)ss_min_u64(100, over * s->n_up / t->n) : 0;
}

static void share_by(struct ss_lb_sight *s, const uint64_t *part, uint32_t n, uint64_t sum)
{
	uint64_t run = 0;

	for (uint32_t i = 0; i < n; i++) {
		run += part[i];
		s[i].upto = (uint32_t)((run * 100 + sum / 2) / sum);
	}
	s[n - 1].upto = 100;
}

/* What the preferred tiers cannot carry goes on to the next; together they always carry everything. */
static void share_load(const struct ss_balance *b, const struct ss_lb_set *set, struct ss_lb_worker *w)
{
	const struct ss_lb_tier *t = &b->tiers[set->first];
	struct ss_lb_sight *s = &w->sight[set->first];
	uint64_t part[SS_LB_TIERS_MAX];
	uint32_t total = 0, left = 100, panics = 0;

	for (uint32_t i = 0; i < set->n_tiers; i++)
		total += carries(b, &t[i], &s[i]);
	for (uint32_t i = 0; i < set->n_tiers; i++) {
		s[i].panic =
			total < 100 && (uint64_t)s[i].n_up * 100 < (uint64_t)b->conf.panic_percent * t[i].n;
		panics += s[i].panic;
	}
	for (uint32_t i = 0; i < set->n_tiers; i++) {
		if (panics == set->n_tiers) {
			part[i] = t[i].n;
		} else if (total < 100) {
			part[i] = carries(b, &t[i], &s[i]);
		} else {
			part[i] = ss_min_u32(left, carries(b, &t[i], &s[i]));
			left -= (uint32_t)part[i];
		}
	}
	total = 0;
	for (uint32_t i = 0; i < set->n_tiers; i++)
		total += (uint32_t)part[i];
	if (total)
		share_by(s, part, set->n_tiers, total);
}

static void settle_turns(struct ss_up *u, struct up_cluster *k, const struct ss_cluster *c,
			 struct ss_lb_worker *w, uint64_t now)
{
	for (uint32_t i = 0; i < c->balance->n_tiers; i++) {
		struct up_choice p = {.u = u,
				      .c = c,
				      .tier = &c->balance->tiers[i],
				      .seen = w,
				      .sight = &w->sight[i],
				      .tier_at = i,
				      .now = now};
		/* Each worker begins elsewhere, and goes on where it was when a generation ends. */
		uint32_t start =
			(uint32_t)(((uint64_t)p.tier->n * u->conf.worker / ss_max_u32(u->conf.n_workers, 1) +
				    k->cursor) %
				   p.tier->n);
		if (!w->seen)
			p.sight->cursor = start;
		if (c->balance->by_turn)
			up_turn_settle(&p, start);
	}
}

static void look(struct ss_up *u, struct up_cluster *k, const struct ss_cluster *c, struct ss_lb_worker *w,
		 uint64_t now)
{
	const struct ss_balance *b = c->balance;

	look_at_endpoints(u, c, w, now);
	for (uint32_t i = 0; i < b->n_tiers; i++) {
		w->sight[i].panic = false;
		list_up(c, w, &b->tiers[i], &w->sight[i]);
	}
	for (uint32_t i = 0; i < b->n_sets; i++)
		if (b->sets[i].n_tiers)
			share_load(b, &b->sets[i], w);
	for (uint32_t i = 0; i < b->n_tiers; i++)
		if (w->sight[i].panic)
			list_up(c, w, &b->tiers[i], &w->sight[i]);
	settle_turns(u, k, c, w, now);
	w->seen = true;
}

struct ss_lb_worker *up_sight(struct ss_up *u, struct up_cluster *k, const struct ss_cluster *c, bool anyhow,
			      uint64_t now)
{
	struct ss_lb_worker *w = &c->balance->worker[u->conf.worker];
	/* Read first: a change that comes while we look makes us look again. */
	uint32_t changes = atomic_load(&u->conf.endpoints->cluster[c->slot].changes);

	if (ss_unlikely(!w->seen || anyhow || w->changes != changes || now >= w->look_at)) {
		w->changes = changes;
		look(u, k, c, w, now);
	}
	return w;
}
