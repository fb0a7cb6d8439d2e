/*
 * build_lb.c - a cluster's endpoints as tiers: of all of them, and of each subset that a route names; with
 * what every worker writes while it picks.
 */
#include <stdlib.h>

#include "base/err.h"
#include "build/build_int.h"

/* A cluster's balancing under way. */
struct lb {
	struct ss_build_job *j;
	const struct ss_model_cluster *m;
	const struct ss_cluster *c;
	struct ss_balance *b;
	const struct ss_model_distribute *shares; /* NULL: one tier behind the other */
	uint32_t *rank; /* by endpoint: priority, and distance or its portion of `shares` */
	struct ss_lb_tier *tiers;
	struct ss_lb_set *sets;
	uint32_t n_tiers;
};

/* -- how near an endpoint is -- */

static bool same(const char *a, const char *b)
{
	return a && b && !strcmp(a, b);
}

#define DISTANCES 5

static bool fails_over(const struct ss_model_balance *b, const char *from, const char *to)
{
	for (uint32_t i = 0; i < b->n_failover; i++)
		if (same(b->failover[i].from, from) && same(b->failover[i].to, to))
			return true;
	return false;
}

/* As Istio's locality failover: 0 same subzone, 1 same zone, 2 same region, 3 the region that this one fails
 * over to, 4 elsewhere. A part that this node does not name is the same everywhere. */
static uint32_t distance(const struct ss_model_balance *b, const struct ss_model_locality *here,
			 const struct ss_model_locality *e)
{
	if (!here->region)
		return 0;
	if (!same(here->region, e->region))
		return fails_over(b, here->region, e->region) ? 3 : 4;
	if (here->zone && !same(here->zone, e->zone))
		return 2;
	if (here->subzone && !same(here->subzone, e->subzone))
		return 1;
	return 0;
}

/* -- shares by place -- */

/* One part of "region/zone/subzone": taken off the pattern. What it does not say, or "*", fits everywhere. */
static bool part_fits(const char **pattern, const char *have)
{
	size_t n = strcspn(*pattern, "/");
	bool any = !n || (n == 1 && **pattern == '*');
	bool fits = any || (have && strlen(have) == n && !strncmp(*pattern, have, n));

	*pattern += n + ((*pattern)[n] == '/');
	return fits;
}

static bool stands_in(const char *pattern, const struct ss_model_locality *l)
{
	return part_fits(&pattern, l->region) && part_fits(&pattern, l->zone) && part_fits(&pattern, l->subzone);
}

/* What counts for this node; NULL: distances do. */
static const struct ss_model_distribute *distribution(const struct ss_build_job *j, const struct ss_model_balance *b)
{
	const struct ss_model_locality *here = &j->model->process.locality;

	for (uint32_t i = 0; i < b->n_distribute && here->region; i++)
		if (stands_in(b->distribute[i].from, here))
			return &b->distribute[i];
	return NULL;
}

/* The portion that an endpoint belongs to; UINT32_MAX: it gets nothing. */
static uint32_t portion_of(const struct ss_model_distribute *d, const struct ss_model_endpoint *e)
{
	for (uint32_t i = 0; i < d->n; i++)
		if (stands_in(d->to[i].locality, &e->locality))
			return i;
	return UINT32_MAX;
}

static uint32_t rank_of(const struct lb *l, uint32_t i)
{
	const struct ss_model_endpoint *e = &l->m->endpoints[i];
	bool near = l->m->balance.locality == SS_LB_LOCALITY_FAILOVER;

	if (l->shares) {
		uint32_t portion = portion_of(l->shares, e);
		return portion == UINT32_MAX ? UINT32_MAX : e->priority * l->shares->n + portion;
	}
	return e->priority * DISTANCES +
	       (near ? distance(&l->m->balance, &l->j->model->process.locality, &e->locality) : 0);
}

/* -- labels -- */

/* Both are sorted by name. */
static bool has_labels(const struct ss_model_labels *have, const struct ss_model_labels *want)
{
	uint32_t k = 0;

	for (uint32_t i = 0; i < want->n; i++, k++) {
		while (k < have->n && strcmp(have->v[k].name, want->v[i].name) < 0)
			k++;
		if (k == have->n || strcmp(have->v[k].name, want->v[i].name) ||
		    strcmp(have->v[k].value, want->v[i].value))
			return false;
	}
	return true;
}

static uint32_t members(const struct lb *l, const struct ss_model_labels *want)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < l->m->n_endpoints; i++)
		n += has_labels(&l->m->endpoints[i].labels, want);
	return n;
}

/* Whose endpoints a subset has when nobody has its labels; NULL: nobody's. */
static const struct ss_model_labels *fall_back(const struct lb *l)
{
	static const struct ss_model_labels all;
	const struct ss_model_balance *b = &l->m->balance;

	if (b->fallback == SS_LB_FALLBACK_ANY)
		return &all;
	return b->fallback == SS_LB_FALLBACK_DEFAULT ? &b->default_subset : NULL;
}

/* -- tiers -- */

static uint32_t next_rank(const struct lb *l, const struct ss_model_labels *want, uint32_t above, uint32_t *n)
{
	uint32_t best = UINT32_MAX;

	*n = 0;
	for (uint32_t i = 0; i < l->m->n_endpoints; i++) {
		uint32_t r = l->rank[i];
		if ((above != UINT32_MAX && r <= above) || r > best ||
		    !has_labels(&l->m->endpoints[i].labels, want))
			continue;
		*n = r == best ? *n + 1 : 1;
		best = r;
	}
	return best;
}

static bool all_alike(const struct ss_cluster *c, const struct ss_lb_tier *t)
{
	for (uint32_t i = 1; i < t->n; i++)
		if (c->endpoints[t->at[i]].weight != c->endpoints[t->at[0]].weight)
			return false;
	return true;
}

/*
 * Vose, "A linear algorithm for generating random numbers with a given distribution" (1991), in whole numbers: a
 * place with less than the mean is filled up by one with more.
 */
static void fill_alias(const struct ss_cluster *c, const struct ss_lb_tier *t, struct ss_lb_alias *a, uint64_t *left,
		       uint32_t *stack)
{
	uint32_t small = 0, large = t->n; /* two stacks in one array: from its begin and from its end */

	for (uint32_t i = 0; i < t->n; i++) {
		left[i] = (uint64_t)c->endpoints[t->at[i]].weight * t->n;
		stack[left[i] < t->weight ? small++ : --large] = i;
		a[i] = (struct ss_lb_alias){.cut = UINT32_MAX, .other = i};
	}
	while (small && large < t->n) {
		uint32_t s = stack[--small], g = stack[large];
		a[s] = (struct ss_lb_alias){(uint32_t)((double)left[s] / (double)t->weight * 4294967296.0), g};
		left[g] -= t->weight - left[s];
		if (left[g] >= t->weight)
			continue;
		large++;
		stack[small++] = g;
	}
}

/* For what is left to chance: random, and requests without a hash. */
static int build_alias(struct lb *l, struct ss_lb_tier *t)
{
	struct ss_lb_alias *a;
	uint64_t *left;
	uint32_t *stack;

	if (all_alike(l->c, t))
		return 0;
	a = ss_build_array(l->j, t->n, sizeof(*a));
	left = calloc(t->n, sizeof(*left));
	stack = calloc(t->n, sizeof(*stack));
	if (a && left && stack)
		fill_alias(l->c, t, a, left, stack);
	t->alias = a;
	free(stack);
	free(left);
	return a && left && stack ? 0 : SS_ERR_NO_MEM;
}

static int build_tables(struct lb *l, struct ss_lb_tier *t)
{
	const struct ss_balance_conf *c = &l->b->conf;

	if ((c->policy == SS_LB_RANDOM || c->policy == SS_LB_MAGLEV || c->policy == SS_LB_RING_HASH) &&
	    build_alias(l, t) < 0)
		return SS_ERR_NO_MEM;
	if (c->policy == SS_LB_MAGLEV)
		return ss_build_maglev(l->j, l->c, c->table_size, t);
	if (c->policy == SS_LB_RING_HASH)
		return ss_build_ring(l->j, l->c, c->ring_min, c->ring_max, t);
	return 0;
}

static int build_tier(struct lb *l, const struct ss_model_labels *want, uint32_t rank, uint32_t n)
{
	uint32_t *at = ss_build_array(l->j, n, sizeof(*at)), k = 0;
	struct ss_lb_tier *t = &l->tiers[l->n_tiers++];

	if (!at)
		return SS_ERR_NO_MEM;
	*t = (struct ss_lb_tier){.n = n, .at = at, .level = rank, .share = 1};
	if (l->shares) {
		t->level = rank / l->shares->n;
		t->share = l->shares->to[rank % l->shares->n].weight;
	}
	for (uint32_t i = 0; i < l->m->n_endpoints; i++) {
		if (l->rank[i] != rank || !has_labels(&l->m->endpoints[i].labels, want))
			continue;
		at[k++] = i;
		t->weight += l->c->endpoints[i].weight;
	}
	return build_tables(l, t);
}

static int build_set(struct lb *l, const struct ss_model_labels *want, struct ss_lb_set *s)
{
	uint32_t rank = UINT32_MAX, n;
	int err = 0;

	s->first = l->n_tiers;
	if (!members(l, want))
		want = fall_back(l);
	while (want && !err && (rank = next_rank(l, want, rank, &n)) != UINT32_MAX)
		err = build_tier(l, want, rank, n);
	s->n_tiers = l->n_tiers - s->first;
	return err;
}

static int build_sets(struct lb *l)
{
	static const struct ss_model_labels all;
	const struct ss_build_subset *first = l->j->subsets[l->m - l->j->model->clusters].next;
	struct ss_lb_set *s = l->sets;
	int err = build_set(l, &all, s++);

	for (const struct ss_build_subset *k = first; k && !err; k = k->next, s++) {
		s->name = k->name;
		err = build_set(l, k->labels, s);
	}
	return err;
}

/* -- what workers write -- */

static int build_sight(struct lb *l, const struct ss_lb_tier *t, struct ss_lb_sight *s)
{
	s->up = ss_build_array(l->j, t->n, sizeof(*s->up));
	if (!s->up || !l->b->by_turn)
		return s->up ? 0 : SS_ERR_NO_MEM;
	s->turns = ss_build_array(l->j, t->n, sizeof(*s->turns));
	s->in = ss_build_array(l->j, t->n, sizeof(*s->in));
	return s->turns && s->in ? 0 : SS_ERR_NO_MEM;
}

static int build_worker(struct lb *l, struct ss_lb_worker *w)
{
	int err = 0;

	w->ok = ss_build_array(l->j, l->m->n_endpoints, sizeof(*w->ok));
	w->sight = ss_build_array(l->j, l->n_tiers, sizeof(*w->sight));
	if (!w->ok || !w->sight)
		return SS_ERR_NO_MEM;
	for (uint32_t i = 0; i < l->n_tiers && !err; i++)
		err = build_sight(l, &l->tiers[i], &w->sight[i]);
	return err;
}

static int build_workers(struct lb *l)
{
	struct ss_lb_worker *w = ss_build_array(l->j, l->j->n_workers, sizeof(*w));
	int err = w ? 0 : SS_ERR_NO_MEM;

	for (uint32_t i = 0; i < l->j->n_workers && !err; i++)
		err = build_worker(l, &w[i]);
	l->b->worker = w;
	return err;
}

/* -- the whole -- */

static bool by_turn(const struct lb *l)
{
	const struct ss_balance_conf *c = &l->m->balance.conf;
	bool equal = true;

	for (uint32_t i = 1; i < l->c->n_endpoints; i++)
		equal &= l->c->endpoints[i].weight == l->c->endpoints[0].weight;
	return (c->policy == SS_LB_ROUND_ROBIN || c->policy == SS_LB_LEAST_REQUEST) &&
	       (!equal || c->slow_start_ns);
}

/* An endpoint is in one tier of each set: so many tiers suffice. */
static int prepare(struct lb *l)
{
	uint32_t ranks = 0, rank = UINT32_MAX, n;
	static const struct ss_model_labels all;

	l->rank = ss_build_array(l->j, l->m->n_endpoints, sizeof(*l->rank));
	if (!l->rank)
		return SS_ERR_NO_MEM;
	for (uint32_t i = 0; i < l->m->n_endpoints; i++)
		l->rank[i] = rank_of(l, i);
	while ((rank = next_rank(l, &all, rank, &n)) != UINT32_MAX)
		ranks++;
	if (l->shares && !ranks && l->m->n_endpoints) {
		ss_model_error(l->j->errors, &l->m->src, "balancing.distribute",
			       "sends everything where no endpoint stands");
		return SS_ERR_CONFIG;
	}
	l->b->n_sets = 1;
	for (const struct ss_build_subset *k = l->j->subsets[l->m - l->j->model->clusters].next; k;
	     k = k->next)
		l->b->n_sets++;
	l->tiers = ss_build_array(l->j, (size_t)ranks * l->b->n_sets, sizeof(*l->tiers));
	l->sets = ss_build_array(l->j, l->b->n_sets, sizeof(*l->sets));
	return l->tiers && l->sets ? 0 : SS_ERR_NO_MEM;
}

int ss_build_balance(struct ss_build_job *j, const struct ss_model_cluster *m, struct ss_cluster *c)
{
	struct lb l = {.j = j, .m = m, .c = c, .b = ss_build_alloc(j, sizeof(*l.b))};
	int err;

	if (!l.b)
		return SS_ERR_NO_MEM;
	l.b->conf = m->balance.conf;
	l.b->by_turn = by_turn(&l);
	l.shares = distribution(j, &m->balance);
	err = ss_build_hash_policy(j, &m->balance.hash, &l.b->hash);
	if (!err)
		err = prepare(&l);
	if (!err)
		err = build_sets(&l);
	if (!err)
		err = build_workers(&l);
	l.b->n_tiers = l.n_tiers;
	l.b->tiers = l.tiers;
	l.b->sets = l.sets;
	c->balance = l.b;
	return err;
}
