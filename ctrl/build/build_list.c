/* build_list.c - a list of routes: what can never be taken goes, and what matches want gets a table
 * (route_index.h). */
#include <stdlib.h>

#include "base/err.h"
#include "build/build_routes.h"

#define FEW 8  /* looked at one by one */
#define DEEP 4 /* tables within tables */

/* What one match of one route wants. */
struct want {
	uint8_t on, fit; /* fit: SS_HM_PRESENT stands for all that only need the name */
	struct ss_span name, value;
	uint32_t route;
	uint32_t values; /* distinct ones of its name */
};

/* The names that the lists around this one are about already. */
struct above {
	const struct above *up;
	uint8_t on;
	struct ss_span name;
};

static int make_list(struct ss_build_job *j, const struct ss_route *routes, uint32_t *ids, uint32_t n,
		     const struct above *above, uint32_t depth, struct ss_route_list *out);

/*
 * A route that asks for no more than its methods takes all that later ones of the same path and methods would
 * get. A route with CORS gets preflights besides (route_fit.c), which only another one with CORS takes from
 * it.
 */
static uint32_t drop_unreachable(const struct ss_route *routes, uint32_t *ids, uint32_t n)
{
	uint16_t taken = 0, taken_cors = 0;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct ss_route *r = &routes[ids[i]];
		uint16_t wants = r->methods ? r->methods : UINT16_MAX;
		if (!(wants & ~(r->cors && r->methods ? taken_cors : taken)))
			continue;
		ids[kept++] = ids[i];
		if (r->n_fields || r->source)
			continue;
		taken |= wants;
		if (r->cors || !r->methods)
			taken_cors |= wants;
	}
	return kept;
}

static int cmp_span(struct ss_span a, struct ss_span b)
{
	uint32_t n = ss_min_u32(a.n, b.n);
	int c = n ? memcmp(a.p, b.p, n) : 0;

	return c ? c : a.n < b.n ? -1 : a.n > b.n;
}

static int by_value(const void *a, const void *b)
{
	const struct want *x = a, *y = b;
	int c = x->on - y->on;

	c = c ? c : cmp_span(x->name, y->name);
	c = c ? c : x->fit - y->fit;
	c = c ? c : cmp_span(x->value, y->value);
	return c ? c : x->route < y->route ? -1 : x->route > y->route;
}

static int by_route(const void *a, const void *b)
{
	const struct want *x = a, *y = b;

	if (x->route != y->route)
		return x->route < y->route ? -1 : 1;
	if (x->values != y->values)
		return x->values > y->values ? -1 : 1;
	return by_value(a, b);
}

static bool same_name(const struct want *x, const struct want *y)
{
	return x->on == y->on && ss_span_eq(x->name, y->name);
}

static bool same_value(const struct want *x, const struct want *y)
{
	return same_name(x, y) && x->fit == y->fit && ss_span_eq(x->value, y->value);
}

static bool is_above(const struct above *a, const struct want *w)
{
	for (; a; a = a->up)
		if (a->on == w->on && ss_span_eq(a->name, w->name))
			return true;
	return false;
}

/* What a request must have for this match to hold. */
static struct want want_of(const struct ss_route_field *m)
{
	bool affix = (m->kind == SS_HM_PREFIX || m->kind == SS_HM_SUFFIX) && m->value.n &&
		     m->value.n <= SS_ROUTE_AFFIX_MAX;

	if (m->kind == SS_HM_EXACT || affix)
		return (struct want){.on = m->on, .fit = m->kind, .name = m->name, .value = m->value};
	return (struct want){.on = m->on, .fit = SS_HM_PRESENT, .name = m->name};
}

/* All that the route wants, at most n_fields + 2. A list of sources is satisfied by any: only one alone is
 * looked up. */
static uint32_t wants_of(const struct ss_route *r, struct want *out)
{
	const struct ss_route_source *s = r->source;
	uint32_t n = 0;

	for (uint16_t f = 0; f < r->n_fields; f++)
		if (!r->fields[f].invert && r->fields[f].name.n)
			out[n++] = want_of(&r->fields[f]);
	/* DNS names compare without regard to case. */
	if (s && s->n_ids == 1 && s->ids[0].kind == SS_ID_EXACT && ss_id_is_spiffe(s->ids[0].value))
		out[n++] =
			(struct want){.on = SS_ROUTE_ON_ID, .name = SS_SPAN("id"), .value = s->ids[0].value};
	if (s && s->n_snis == 1 && s->snis[0].n && s->snis[0].p[0] != '.')
		out[n++] = (struct want){.on = SS_ROUTE_ON_SNI, .name = SS_SPAN("sni"), .value = s->snis[0]};
	return n;
}

static uint32_t count(const struct ss_route *routes, const uint32_t *ids, uint32_t n)
{
	uint32_t most = 0;

	for (uint32_t i = 0; i < n; i++)
		most += routes[ids[i]].n_fields + 2u;
	return most;
}

static uint32_t gather(const struct ss_route *routes, const uint32_t *ids, uint32_t n,
		       const struct above *above, struct want *out)
{
	uint32_t found = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t some = wants_of(&routes[ids[i]], out + found), kept = 0;
		for (uint32_t k = 0; k < some; k++) {
			struct want w = out[found + k];
			if (is_above(above, &w))
				continue;
			w.route = ids[i];
			out[found + kept++] = w;
		}
		found += kept;
	}
	return found;
}

/* How many values each name has: the more, the fewer routes stand under one. */
static void count_values(struct want *e, uint32_t n)
{
	for (uint32_t first = 0, end; first < n; first = end) {
		uint32_t values = 1;
		for (end = first + 1; end < n && same_name(&e[first], &e[end]); end++)
			values += !same_value(&e[end], &e[end - 1]);
		for (uint32_t i = first; i < end; i++)
			e[i].values = e[i].fit == SS_HM_PRESENT ? 1 : values;
	}
}

/* Leaves one match of each route, that of the name with most values, in the order of names and values. */
static uint32_t choose(struct want *e, uint32_t n)
{
	uint32_t kept = 0;

	qsort(e, n, sizeof(*e), by_value);
	count_values(e, n);
	qsort(e, n, sizeof(*e), by_route);
	for (uint32_t i = 0; i < n; i++)
		if (!kept || e[kept - 1].route != e[i].route)
			e[kept++] = e[i];
	qsort(e, kept, sizeof(*e), by_value);
	return kept;
}

static struct ss_route_name *put_name(struct ss_route_inner *in, struct ss_route_name *names,
				      const struct want *e)
{
	uint64_t h = ss_route_hash(SS_ROUTE_HASH_START, e->name, e->on);
	uint32_t i = (uint32_t)h & in->names_mask;

	while (names[i].name.n)
		i = (i + 1) & in->names_mask;
	names[i] = (struct ss_route_name){.hash = h, .name = e->name, .on = e->on};
	in->filter[e->on] |= ss_route_name_bit(e->name);
	return &names[i];
}

/* The list of the routes that want this. */
static struct ss_route_list *put_value(const struct ss_route_inner *in, struct ss_route_value *values,
				       struct ss_route_name *name, const struct want *e)
{
	uint64_t h = ss_route_hash(name->hash, e->value, e->fit);
	uint32_t i = (uint32_t)h & in->values_mask;

	if (e->fit == SS_HM_PRESENT)
		return &name->there;
	if (e->fit == SS_HM_PREFIX)
		name->prefixes |= 1ull << e->value.n;
	if (e->fit == SS_HM_SUFFIX)
		name->suffixes |= 1ull << e->value.n;

	while (values[i].name)
		i = (i + 1) & in->values_mask;
	values[i] = (struct ss_route_value){.hash = h, .name = name, .value = e->value, .fit = e->fit};
	return &values[i].list;
}

static int fill(struct ss_build_job *j, const struct ss_route *routes, const struct want *e, uint32_t n,
		const struct above *above, uint32_t depth, struct ss_route_inner *in)
{
	struct ss_route_name *names = ss_build_array(j, in->names_mask + 1, sizeof(*names));
	struct ss_route_value *values = ss_build_array(j, in->values_mask + 1, sizeof(*values));
	uint32_t *ids = ss_build_array(j, n, sizeof(*ids));
	struct ss_route_name *name = NULL;
	int err = names && values && ids ? 0 : SS_ERR_NO_MEM;

	for (uint32_t first = 0, end; !err && first < n; first = end) {
		struct above here = {above, e[first].on, e[first].name};
		if (!first || !same_name(&e[first - 1], &e[first]))
			name = put_name(in, names, &e[first]);
		for (end = first; end < n && same_value(&e[first], &e[end]); end++)
			ids[end] = e[end].route;
		err = make_list(j, routes, ids + first, end - first, &here, depth + 1,
				put_value(in, values, name, &e[first]));
	}
	in->names = names;
	in->values = values;
	return err;
}

/* The routes of ids that are not among e. */
static int make_rest(struct ss_build_job *j, const uint32_t *ids, uint32_t n, const struct want *e,
		     uint32_t n_e, struct ss_route_list *out)
{
	uint32_t *rest = ss_build_array(j, n, sizeof(*rest)), kept = 0;
	uint32_t *taken = calloc(n_e + 1, sizeof(*taken));

	if (!rest || !taken) {
		free(taken);
		return SS_ERR_NO_MEM;
	}
	for (uint32_t i = 0; i < n_e; i++)
		taken[i] = e[i].route;
	qsort(taken, n_e, sizeof(*taken), ss_build_by_id);
	for (uint32_t i = 0, t = 0; i < n; i++) {
		while (t < n_e && taken[t] < ids[i])
			t++;
		if (t == n_e || taken[t] != ids[i])
			rest[kept++] = ids[i];
	}
	free(taken);
	*out = (struct ss_route_list){.ids = rest, .n = kept, .first = kept ? rest[0] : 0};
	return 0;
}

static int make_inner(struct ss_build_job *j, const struct ss_route *routes, const struct above *above,
		      uint32_t depth, struct ss_route_list *list)
{
	uint32_t most = count(routes, list->ids, list->n), n, names = 0;
	struct want *e = calloc(most + 1, sizeof(*e));
	struct ss_route_inner *in = ss_build_alloc(j, sizeof(*in));
	int err;

	if (!e || !in) {
		free(e);
		return SS_ERR_NO_MEM;
	}
	n = choose(e, gather(routes, list->ids, list->n, above, e));
	for (uint32_t i = 0; i < n; i++)
		names += !i || !same_name(&e[i - 1], &e[i]);
	in->names_mask = ss_build_mask(names);
	in->values_mask = ss_build_mask(n);
	err = n ? fill(j, routes, e, n, above, depth, in) : 0;
	if (!err && n)
		err = make_rest(j, list->ids, list->n, e, n, &in->rest);
	if (n)
		list->inner = in;
	free(e);
	return err;
}

static int make_list(struct ss_build_job *j, const struct ss_route *routes, uint32_t *ids, uint32_t n,
		     const struct above *above, uint32_t depth, struct ss_route_list *out)
{
	n = drop_unreachable(routes, ids, n);
	*out = (struct ss_route_list){.ids = ids, .n = n, .first = n ? ids[0] : 0};
	return n > FEW && depth < DEEP ? make_inner(j, routes, above, depth, out) : 0;
}

int ss_build_list(struct ss_build_job *j, const struct ss_route *routes, uint32_t *ids, uint32_t n,
		  struct ss_route_list *out)
{
	return make_list(j, routes, ids, n, NULL, 0, out);
}

int ss_build_by_id(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Places for twice as many entries as there are: an empty one always ends a search. */
uint32_t ss_build_mask(uint32_t n)
{
	uint32_t places = 2;

	while (places < 2 * n + 1)
		places *= 2;
	return places - 1;
}
