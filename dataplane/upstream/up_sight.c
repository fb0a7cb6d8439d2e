/*
 * up_sight.c - which endpoints of a cluster are up, tier by tier, as one worker saw them last.
 *
 * A pick must not scan endpoints to know who is healthy. So each worker keeps lists of those that are up, and
 * makes them new when the endpoint table says that something changed, when an ejection ends, and every
 * tenth of a second while somebody is down. What is picked is asked of the table again: a list may be old.
 *
 * Of a cluster with more endpoints than a slice it looks at a slice in each turn in which somebody picks, and no
 * turn takes long; until all were looked at, a pick may meet some that are down, and says so. A generation begins with
 * the belief that all are up; where endpoints are taken by turns, some take theirs in each turn of ours.
 */
#include <math.h>

#include "upstream/up_choice_int.h"

#define LOOK_AGAIN_NS (100 * SS_NS_PER_MS)
#define SLICE 512u
/* Endpoints that take their place in the order of turns: each costs ten times a look. */
#define ENTER_MAX 96u

/* -- slow start -- */

uint32_t up_ramp_at(const struct ss_balance_conf *b, uint64_t age)
{
	uint32_t least = b->slow_min_percent * 1024 / 100, at;

	if (b->slow_aggression == 100 || !b->slow_aggression)
		at = (uint32_t)((double)age * 1024 / (double)b->slow_start_ns);
	else
		at = (uint32_t)(1024 *
				pow((double)age / (double)b->slow_start_ns, 100.0 / b->slow_aggression));
	return ss_max_u32(ss_max_u32(at, least), 1);
}

/* -- who is up -- */

/* Envoy's degraded: picked only where the others, with their over-provisioning, cannot carry everything. Of the
 * whole cluster at once: its tiers are not told apart. */
static bool spared(struct ss_up *u, uint32_t ep)
{
	return atomic_load_explicit(&u->conf.endpoints->ep[ep].flags, memory_order_relaxed) & SS_EP_LAST;
}

bool ss_up_all_needed(const struct ss_ep_table *t, const struct ss_cluster *c)
{
	const struct ss_ep_cluster *k = &t->cluster[c->slot];
	uint64_t gone = (uint64_t)atomic_load_explicit(&k->unhealthy, memory_order_relaxed) +
			atomic_load_explicit(&k->ejected, memory_order_relaxed) +
			atomic_load_explicit(&k->last, memory_order_relaxed);
	uint64_t first = c->n_endpoints > gone ? c->n_endpoints - gone : 0;

	return first * ss_max_u32(c->balance->conf.overprovision, 100) < 100ull * c->n_endpoints;
}

/* Is it up? True when that is news. *again: when it wants another look at the latest. */
static bool look_at_one(struct ss_up *u, const struct ss_cluster *c, struct ss_lb_worker *w, uint32_t i, uint64_t now,
			uint64_t *again)
{
	uint32_t ep = c->endpoints[i].ep;
	struct up_pool *p = up_pool_of(u, c, &c->endpoints[i]);
	bool was = w->ok[i], up = ss_ep_pickable(u->conf.endpoints, ep, now);
	uint64_t until;

	w->ok[i] = up && (w->all || !spared(u, ep));
	/* New, or back: slow start begins. */
	if (!p->since || (p->down && up))
		p->since = now;
	p->down = !up;
	if (up)
		return was != w->ok[i];
	until = atomic_load_explicit(&u->conf.endpoints->ep[ep].ejected_until, memory_order_relaxed);
	*again = ss_min_u64(*again, now + LOOK_AGAIN_NS);
	if (until > now)
		*again = ss_min_u64(*again, until);
	return was;
}

static void list_up(const struct ss_cluster *c, const struct ss_lb_worker *w, const struct ss_lb_tier *t,
		    struct ss_lb_sight *s, bool all)
{
	s->n_up = 0;
	s->weight = 0;
	for (uint32_t i = 0; i < t->n; i++) {
		if (!w->ok[t->at[i]] && !all)
			continue;
		s->up[s->n_up++] = i;
		if (c->balance->conf.balance_factor) /* who else asks for it would wait for as many cache lines */
			s->weight += c->endpoints[t->at[i]].weight;
	}
}

static struct up_choice choice_in(struct ss_up *u, const struct ss_cluster *c, struct ss_lb_worker *w, uint32_t tier,
				 uint64_t now)
{
	return (struct up_choice){.u = u,
				  .c = c,
				  .tier = &c->balance->tiers[tier],
				  .seen = w,
				  .sight = &w->sight[tier],
				  .tier_at = tier,
				  .now = now};
}

/* Each worker begins elsewhere, and goes on where it was when a generation ends. */
static uint32_t start_of(const struct ss_up *u, const struct up_cluster *k, uint32_t n)
{
	return (uint32_t)(((uint64_t)n * u->conf.worker / ss_max_u32(u->conf.n_workers, 1) + k->cursor) % n);
}

static void settle_turns(struct ss_up *u, struct up_cluster *k, const struct ss_cluster *c,
			 struct ss_lb_worker *w, uint32_t tier, uint64_t now)
{
	struct up_choice p = choice_in(u, c, w, tier, now);
	uint32_t start = start_of(u, k, p.tier->n);

	if (!w->seen)
		p.sight->cursor = start;
	if (c->balance->by_turn)
		up_turn_settle(&p, start);
}

/* Lists and shares by what `ok` says. True when a tier began or ended its panic. */
static bool list_all(const struct ss_cluster *c, struct ss_lb_worker *w)
{
	const struct ss_balance *b = c->balance;
	bool flipped = false;

	for (uint32_t i = 0; i < b->n_tiers; i++)
		list_up(c, w, &b->tiers[i], &w->sight[i], false);
	for (uint32_t i = 0; i < b->n_sets; i++)
		if (b->sets[i].n_tiers)
			flipped |= ss_up_share_load(b, &b->sets[i], w);
	for (uint32_t i = 0; i < b->n_tiers; i++)
		if (w->sight[i].panic)
			list_up(c, w, &b->tiers[i], &w->sight[i], true);
	return flipped;
}

static void look(struct ss_up *u, struct up_cluster *k, const struct ss_cluster *c, struct ss_lb_worker *w,
		 uint64_t now)
{
	w->look_at = SS_NEVER;
	w->all = ss_up_all_needed(u->conf.endpoints, c);
	for (uint32_t i = 0; i < c->n_endpoints; i++)
		look_at_one(u, c, w, i, now, &w->look_at);
	list_all(c, w);
	for (uint32_t i = 0; i < c->balance->n_tiers; i++)
		settle_turns(u, k, c, w, i, now);
	k->scan_at = k->scan_left = 0;
	k->stale = false;
	w->seen = true;
}

/* -- a large cluster: some in each turn -- */

/* The first place in the tier of endpoint i or one behind it: its list ascends. */
static uint32_t place_of(const struct ss_lb_tier *t, uint32_t i)
{
	uint32_t low = 0, high = t->n;

	while (low < high) {
		uint32_t mid = (low + high) / 2;
		if (t->at[mid] < i)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Those of endpoints first to end that have no turn in this tier get one. Answers where it had to stop. */
static uint32_t enter_some(struct up_choice *p, uint32_t first, uint32_t end, uint32_t *left)
{
	for (uint32_t place = place_of(p->tier, first); place < p->tier->n && p->tier->at[place] < end; place++) {
		if (p->sight->in[place] || !up_usable(p, place))
			continue;
		if (!*left)
			return p->tier->at[place];
		up_turn_enter(p, place);
		(*left)--;
	}
	return end;
}

static uint32_t enter_turns(struct ss_up *u, const struct ss_cluster *c, struct ss_lb_worker *w, uint32_t first,
			    uint32_t end, uint64_t now)
{
	uint32_t left = ENTER_MAX, stopped = end;

	for (uint32_t t = 0; t < c->balance->n_tiers; t++) {
		struct up_choice p = choice_in(u, c, w, t, now);
		stopped = ss_min_u32(stopped, enter_some(&p, first, end, &left));
	}
	return stopped;
}

/* The next slice: those that came up take their turns, those that went lose them when these would come. */
static void look_on(struct ss_up *u, struct up_cluster *k, const struct ss_cluster *c, struct ss_lb_worker *w,
		    uint64_t now)
{
	uint32_t first = k->scan_at < c->n_endpoints ? k->scan_at : 0;
	uint32_t end = ss_min_u32(first + ss_min_u32(SLICE, k->scan_left), c->n_endpoints);
	bool changed = k->stale, looking = k->scan_left > 0, flipped;

	for (uint32_t i = first; i < end; i++)
		changed |= look_at_one(u, c, w, i, now, &k->scan_due);
	k->stale = false;
	k->scanned = now;
	flipped = changed && list_all(c, w);
	if (c->balance->by_turn)
		end = enter_turns(u, c, w, first, end, now);
	k->scan_at = end;
	k->scan_left -= end - first;
	if (flipped && c->balance->by_turn)
		k->scan_left = c->n_endpoints; /* who is down has a turn in a panic */
	if (looking && !k->scan_left)
		w->look_at = k->scan_due;
}

/* Nobody was looked at yet in this generation. */
static void begin(struct ss_up *u, struct up_cluster *k, const struct ss_cluster *c, struct ss_lb_worker *w)
{
	memset(w->ok, true, c->n_endpoints * sizeof(*w->ok));
	list_all(c, w);
	for (uint32_t i = 0; i < c->balance->n_tiers; i++)
		w->sight[i].cursor = start_of(u, k, c->balance->tiers[i].n);
	k->scan_at = start_of(u, k, c->n_endpoints);
	k->stale = false;
	k->scanned = 0;
	w->seen = true;
}

void up_sight_lost(struct up_choice *p, struct up_cluster *k, uint32_t place)
{
	uint32_t i = p->tier->at[place];

	p->seen->ok[i] = false;
	p->u->pools[p->c->endpoints[i].ep].down = true;
	k->stale = true;
}

struct ss_lb_worker *up_sight(struct ss_up *u, struct up_cluster *k, const struct ss_cluster *c, uint32_t attempt,
			      uint64_t now)
{
	struct ss_lb_worker *w = &c->balance->worker[u->conf.worker];
	bool large = c->n_endpoints > SLICE;
	/* Read first: a change that comes while we look makes us look again. */
	uint32_t changes = atomic_load(&u->conf.endpoints->cluster[c->slot].changes);
	bool news = w->changes != changes || now >= w->look_at;

	if (ss_unlikely(large && !w->seen)) {
		begin(u, k, c, w);
		news = true;
	}
	if (ss_unlikely(large ? attempt == UP_PICKS - 2 : !w->seen || attempt > 0 || news)) {
		w->changes = changes;
		look(u, k, c, w, now);
	} else if (ss_unlikely(news)) {
		w->changes = changes;
		w->look_at = k->scan_due = SS_NEVER;
		w->all = ss_up_all_needed(u->conf.endpoints, c);
		k->scan_left = c->n_endpoints; /* from wherever it is */
	}
	if (ss_unlikely(k->scan_left || k->stale) && large && k->scanned != now)
		look_on(u, k, c, w, now);
	return w;
}
