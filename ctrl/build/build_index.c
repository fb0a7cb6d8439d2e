/* build_index.c - a host's paths as one hash table, its routes as lists (lib/contract/route_index.h). */
#include <stdlib.h>

#include "base/err.h"
#include "build/build_routes.h"

/* Groups routes by kind and text; within a group the order of precedence stays. */
static int by_text(const void *a, const void *b, void *arg)
{
	const struct ss_route *routes = arg;
	uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;
	const struct ss_route *x = &routes[i], *y = &routes[k];
	int c;

	if (x->path_kind != y->path_kind)
		return x->path_kind < y->path_kind ? -1 : 1;
	if (x->path.n != y->path.n)
		return x->path.n < y->path.n ? -1 : 1;
	c = x->path.n ? memcmp(x->path.p, y->path.p, x->path.n) : 0;
	return c ? c : i < k ? -1 : 1;
}

static bool same_text(const struct ss_route *x, const struct ss_route *y)
{
	return x->path_kind == y->path_kind && ss_span_eq(x->path, y->path);
}

/* The table under construction. */
struct table {
	struct ss_route_index *ix;
	uint8_t *tags;
	struct ss_route_slot *slots;
	struct ss_route_lengths *lengths;
};

static struct ss_route_slot *put_slot(struct table *t, struct ss_span text, uint8_t kind)
{
	uint64_t h = ss_route_hash(SS_ROUTE_HASH_START, text, kind);
	uint32_t i = (uint32_t)h & t->ix->mask;
	struct ss_route_lengths *l = &t->lengths[text.n / 8];
	uint8_t bit = (uint8_t)(1u << (text.n % 8));

	while (t->tags[i])
		i = (i + 1) & t->ix->mask;
	t->tags[i] = ss_route_tag(h);
	t->slots[i] = (struct ss_route_slot){.hash = h, .text = text, .kind = kind};
	t->ix->n_slots++;
	l->prefix |= kind == SS_PATH_PREFIX ? bit : 0;
	l->segments |= kind == SS_PATH_SEGMENTS ? bit : 0;
	l->regex |= kind == SS_PATH_REGEX ? bit : 0;
	return &t->slots[i];
}

/* One group: its list, where its kind is looked for. Expressions wait in h. */
static int put_group(struct ss_build_job *j, struct ss_build_host *h, struct table *t, uint32_t *ids,
		     uint32_t n)
{
	const struct ss_route *r = &h->routes[ids[0]];

	if (r->path_kind == SS_PATH_ANY)
		return ss_build_list(j, h->routes, ids, n, &t->ix->any);
	if (r->path_kind != SS_PATH_REGEX)
		return ss_build_list(j, h->routes, ids, n, &put_slot(t, r->path, r->path_kind)->list);
	h->regex[h->n_regex] = (struct ss_build_expr){.route = ids[0], .id = h->n_regex};
	return ss_build_list(j, h->routes, ids, n, &h->expressions[h->n_regex++]);
}

/* Hyperscan compiles a hundred expressions in more than ten times what it takes for thirty, and scans thirty
 * in less than half the time (docs/decisions/0008-routes.md). */
#define DB_EXPRESSIONS 32u

/* By beginning; within one by first route. */
static int by_start(const void *a, const void *b)
{
	const struct ss_build_expr *x = a, *y = b;
	int c;

	if (x->start.n != y->start.n)
		return x->start.n < y->start.n ? -1 : 1;
	c = x->start.n ? memcmp(x->start.p, y->start.p, x->start.n) : 0;
	return c ? c : x->first < y->first ? -1 : x->first > y->first;
}

static int compile_some(struct ss_build_job *j, struct ss_build_regex *x, const struct ss_build_host *h,
			const struct ss_build_expr *e, uint32_t n, struct ss_route_db *out)
{
	struct ss_build_pattern p[DB_EXPRESSIONS];

	for (uint32_t i = 0; i < n; i++) {
		const struct ss_model_route *m = ss_build_model_route(h, e[i].route);
		p[i] = (struct ss_build_pattern){m->path, e[i].id, &m->src};
	}
	out->first = e[0].first;
	return ss_build_regex_set(j, x, p, n, "path", &out->db);
}

/* n expressions that begin alike. */
static int compile_group(struct ss_build_job *j, struct ss_build_regex *x, const struct ss_build_host *h,
			 const struct ss_build_expr *e, uint32_t n, struct ss_route_slot *s)
{
	uint32_t n_dbs = (n + DB_EXPRESSIONS - 1) / DB_EXPRESSIONS;
	struct ss_route_db *dbs = ss_build_array(j, n_dbs, sizeof(*dbs));
	int err = dbs ? 0 : SS_ERR_NO_MEM, one;

	for (uint32_t i = 0; err != SS_ERR_NO_MEM && i < n_dbs; i++) {
		uint32_t at = i * DB_EXPRESSIONS;
		one = compile_some(j, x, h, e + at, ss_min_u32(n - at, DB_EXPRESSIONS), &dbs[i]);
		err = one < 0 ? one : err;
	}
	s->dbs = dbs;
	s->n_dbs = (uint16_t)n_dbs; /* at most LIST_MAX / DB_EXPRESSIONS */
	return err;
}

static int put_regexes(struct ss_build_job *j, struct ss_build_regex *x, struct ss_build_host *h,
		       struct table *t)
{
	int err = 0, one;

	for (uint32_t i = 0; i < h->n_regex; i++) {
		h->regex[i].start = ss_build_start(j, h->routes[h->regex[i].route].path);
		h->regex[i].first = h->expressions[h->regex[i].id].first;
	}
	qsort(h->regex, h->n_regex, sizeof(*h->regex), by_start);
	for (uint32_t first = 0, end; first < h->n_regex && err != SS_ERR_NO_MEM; first = end) {
		struct ss_route_slot *s = put_slot(t, h->regex[first].start, SS_PATH_REGEX);
		for (end = first; end < h->n_regex && ss_span_eq(h->regex[first].start, h->regex[end].start);
		     end++)
			;
		one = compile_group(j, x, h, h->regex + first, end - first, s);
		err = one < 0 ? one : err;
	}
	return err;
}

static int make_table(struct ss_build_job *j, struct ss_build_host *h, struct table *t)
{
	uint32_t n = h->model->n_routes;

	t->ix->mask = ss_build_mask(n);
	for (uint32_t i = 0; i < n; i++)
		t->ix->longest = ss_max_u32(t->ix->longest, h->routes[i].path.n);
	t->ix->tags = t->tags = ss_build_array(j, t->ix->mask + 1, sizeof(*t->tags));
	t->ix->slots = t->slots = ss_build_array(j, t->ix->mask + 1, sizeof(*t->slots));
	t->ix->lengths = t->lengths = ss_build_array(j, t->ix->longest / 8 + 1, sizeof(*t->lengths));
	t->ix->expressions = h->expressions = ss_build_array(j, n, sizeof(*h->expressions));
	return t->tags && t->slots && t->lengths && h->expressions ? 0 : SS_ERR_NO_MEM;
}

int ss_build_index(struct ss_build_job *j, struct ss_build_regex *x, struct ss_build_host *h)
{
	struct table t = {.ix = h->index};
	uint32_t n = h->model->n_routes, end;
	uint32_t *ids = ss_build_array(j, n, sizeof(*ids));
	int err = ids ? make_table(j, h, &t) : SS_ERR_NO_MEM;

	h->regex = calloc(n + 1, sizeof(*h->regex));
	for (uint32_t i = 0; !err && i < n; i++)
		ids[i] = i;
	if (!err)
		qsort_r(ids, n, sizeof(*ids), by_text, h->routes);
	for (uint32_t first = 0; !err && h->regex && first < n; first = end) {
		for (end = first + 1; end < n && same_text(&h->routes[ids[first]], &h->routes[ids[end]]);
		     end++)
			;
		err = put_group(j, h, &t, ids + first, end - first);
	}
	if (!err)
		err = h->regex ? put_regexes(j, x, h, &t) : SS_ERR_NO_MEM;
	free(h->regex);
	h->regex = NULL;
	return err;
}
