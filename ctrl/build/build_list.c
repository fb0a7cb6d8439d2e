/* build_list.c - a list of routes: what can never be taken goes, and exact values get a table
 * (route_index.h). */
#include <stdlib.h>

#include "base/err.h"
#include "build/build_routes.h"

#define FEW 8  /* looked at one by one */
#define DEEP 4 /* tables within tables */

/* One exact match of one route. */
struct exact {
	uint8_t on;
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
	const struct exact *x = a, *y = b;
	int c = x->on - y->on;

	c = c ? c : cmp_span(x->name, y->name);
	c = c ? c : cmp_span(x->value, y->value);
	return c ? c : x->route < y->route ? -1 : x->route > y->route;
}

static int by_route(const void *a, const void *b)
{
	const struct exact *x = a, *y = b;

	if (x->route != y->route)
		return x->route < y->route ? -1 : 1;
	if (x->values != y->values)
		return x->values > y->values ? -1 : 1;
	return by_value(a, b);
}

static bool same_name(const struct exact *x, const struct exact *y)
{
	return x->on == y->on && ss_span_eq(x->name, y->name);
}

static bool is_above(const struct above *a, const struct ss_route_field *f)
{
	for (; a; a = a->up)
		if (a->on == f->on && ss_span_eq(a->name, f->name))
			return true;
	return false;
}

static uint32_t gather(const struct ss_route *routes, const uint32_t *ids, uint32_t n,
		       const struct above *above, struct exact *out)
{
	uint32_t found = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct ss_route *r = &routes[ids[i]];
		for (uint16_t f = 0; f < r->n_fields; f++) {
			const struct ss_route_field *m = &r->fields[f];
			if (m->kind != SS_HM_EXACT || m->invert || is_above(above, m))
				continue;
			if (out)
				out[found] = (struct exact){
					.on = m->on, .name = m->name, .value = m->value, .route = ids[i]};
			found++;
		}
	}
	return found;
}

/* How many values each name has: the more, the fewer routes stand under one. */
static void count_values(struct exact *e, uint32_t n)
{
	for (uint32_t first = 0, end; first < n; first = end) {
		uint32_t values = 1;
		for (end = first + 1; end < n && same_name(&e[first], &e[end]); end++)
			values += !ss_span_eq(e[end].value, e[end - 1].value);
		for (uint32_t i = first; i < end; i++)
			e[i].values = values;
	}
}

/* Leaves one match of each route, that of the name with most values, in the order of names and values. */
static uint32_t choose(struct exact *e, uint32_t n)
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

static const struct ss_route_name *put_name(struct ss_route_inner *in, struct ss_route_name *names,
					    const struct exact *e)
{
	uint64_t h = ss_route_hash(SS_ROUTE_HASH_START, e->name, e->on);
	uint32_t i = (uint32_t)h & in->names_mask;

	while (names[i].name.n)
		i = (i + 1) & in->names_mask;
	names[i] = (struct ss_route_name){.hash = h, .name = e->name, .on = e->on};
	in->filter[e->on] |= ss_route_name_bit(e->name);
	return &names[i];
}

static struct ss_route_value *put_value(const struct ss_route_inner *in, struct ss_route_value *values,
					const struct ss_route_name *name, struct ss_span value)
{
	uint64_t h = ss_route_hash(name->hash, value, 0);
	uint32_t i = (uint32_t)h & in->values_mask;

	while (values[i].name)
		i = (i + 1) & in->values_mask;
	values[i] = (struct ss_route_value){.hash = h, .name = name, .value = value};
	return &values[i];
}

static int fill(struct ss_build_job *j, const struct ss_route *routes, const struct exact *e, uint32_t n,
		const struct above *above, uint32_t depth, struct ss_route_inner *in)
{
	struct ss_route_name *names = ss_build_array(j, in->names_mask + 1, sizeof(*names));
	struct ss_route_value *values = ss_build_array(j, in->values_mask + 1, sizeof(*values));
	uint32_t *ids = ss_build_array(j, n, sizeof(*ids));
	const struct ss_route_name *name = NULL;
	int err = names && values && ids ? 0 : SS_ERR_NO_MEM;

	for (uint32_t first = 0, end; !err && first < n; first = end) {
		struct above here = {above, e[first].on, e[first].name};
		if (!first || !same_name(&e[first - 1], &e[first]))
			name = put_name(in, names, &e[first]);
		for (end = first;
		     end < n && same_name(&e[first], &e[end]) && ss_span_eq(e[first].value, e[end].value);
		     end++)
			ids[end] = e[end].route;
		err = make_list(j, routes, ids + first, end - first, &here, depth + 1,
				&put_value(in, values, name, e[first].value)->list);
	}
	in->names = names;
	in->values = values;
	return err;
}

/* The routes of ids that are not among e. */
static int make_rest(struct ss_build_job *j, const uint32_t *ids, uint32_t n, const struct exact *e,
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
	uint32_t most = gather(routes, list->ids, list->n, above, NULL), n, names = 0;
	struct exact *e = calloc(most + 1, sizeof(*e));
	struct ss_route_inner *in = ss_build_alloc(j, sizeof(*in));
	int err;

	if (!e || !in) {
		free(e);
		return SS_ERR_NO_MEM;
	}
	gather(routes, list->ids, list->n, above, e);
	n = choose(e, most);
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
