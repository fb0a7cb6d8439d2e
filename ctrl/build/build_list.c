/* build_list.c - a list of routes: what can never be taken goes, and what matches want gets a table
 * (route_index.h). */
#include <stdlib.h>

#include "base/err.h"
#include "build/build_list.h"

#define FEW 8  /* looked at one by one */
#define DEEP 4 /* tables within tables */

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

static struct ss_route_name *put_name(struct ss_route_inner *in, struct ss_route_name *names,
				      const struct ss_build_want *e)
{
	uint64_t h = ss_route_hash(SS_ROUTE_HASH_START, e->name, e->on);
	uint32_t i = (uint32_t)h & in->names_mask;

	while (names[i].name.n)
		i = (i + 1) & in->names_mask;
	names[i] = (struct ss_route_name){.hash = h, .name = e->name, .on = e->on};
	in->filter[e->on] |= ss_route_name_bit(e->name);
	return &names[i];
}

static uint32_t number_of(const struct ss_build_want *e)
{
	uint32_t n;

	memcpy(&n, e->value.p, sizeof(n));
	return n;
}

/* The list of the routes that want this. */
static struct ss_route_list *put_value(const struct ss_route_inner *in, struct ss_route_value *values,
				       struct ss_route_name *name, const struct ss_build_want *e)
{
	uint64_t h = ss_route_hash(name->hash, e->value, e->fit);
	uint32_t i = (uint32_t)h & in->values_mask;

	if (e->fit == SS_HM_PRESENT)
		return &name->there;
	if (e->fit == SS_HM_PREFIX)
		name->prefixes |= 1ull << e->value.n;
	if (e->fit == SS_HM_SUFFIX)
		name->suffixes |= 1ull << e->value.n;
	if (e->fit == SS_HM_REGEX) {
		name->expression_first = name->expression ? ss_min_u32(name->expression_first, e->route) : e->route;
		name->expression = number_of(e) + 1;
	}

	while (values[i].name)
		i = (i + 1) & in->values_mask;
	values[i] = (struct ss_route_value){.hash = h, .name = name, .value = e->value, .fit = e->fit};
	return &values[i].list;
}

/* The end of the entries that go together: of one value, or all ranges of a name. */
static uint32_t end_of(const struct ss_build_want *e, uint32_t n, uint32_t first)
{
	uint32_t end = first + 1;

	while (end < n && (e[first].fit == SS_HM_RANGE ? ss_build_same_name(&e[first], &e[end])
						       : ss_build_same_want(&e[first], &e[end])))
		end++;
	return end;
}

static int fill(struct ss_build_job *j, const struct ss_route *routes, const struct ss_build_want *e, uint32_t n,
		const struct ss_build_above *above, uint32_t depth, struct ss_route_inner *in)
{
	struct ss_route_name *names = ss_build_array(j, in->names_mask + 1, sizeof(*names));
	struct ss_route_value *values = ss_build_array(j, in->values_mask + 1, sizeof(*values));
	uint32_t *ids = ss_build_array(j, n, sizeof(*ids));
	struct ss_route_name *name = NULL;
	int err = names && values && ids ? 0 : SS_ERR_NO_MEM;

	for (uint32_t first = 0, end; !err && first < n; first = end) {
		struct ss_build_above here = {above, &e[first]};
		if (!first || !ss_build_same_name(&e[first - 1], &e[first]))
			name = put_name(in, names, &e[first]);
		end = end_of(e, n, first);
		if (e[first].fit == SS_HM_RANGE) {
			err = ss_build_ranges(j, routes, e + first, end - first, &here, depth + 1, &name->ranges);
			continue;
		}
		for (uint32_t i = first; i < end; i++)
			ids[i] = e[i].route;
		err = ss_build_inner_list(j, routes, ids + first, end - first, &here, depth + 1,
					  put_value(in, values, name, &e[first]));
	}
	in->names = names;
	in->values = values;
	return err;
}

/* The routes of ids that are not among e, ascending; *rest is the snapshot's memory. */
static int left_over(struct ss_build_job *j, const uint32_t *ids, uint32_t n, const struct ss_build_want *e,
		     uint32_t n_e, uint32_t **rest, uint32_t *n_rest)
{
	uint32_t *taken = calloc(n_e + 1, sizeof(*taken)), kept = 0;

	*rest = ss_build_array(j, n, sizeof(**rest));
	if (!*rest || !taken) {
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
			(*rest)[kept++] = ids[i];
	}
	free(taken);
	*n_rest = kept;
	return 0;
}

static int by_first(const void *a, const void *b)
{
	const struct ss_route_unless *x = a, *y = b;

	return x->list.first < y->list.first ? -1 : x->list.first > y->list.first;
}

/* One list for each inverted match of e. */
static int make_unless(struct ss_build_job *j, const struct ss_route *routes, const struct ss_build_want *e, uint32_t n,
		       const struct ss_build_above *above, uint32_t depth, struct ss_route_inner *in)
{
	struct ss_route_unless *u = ss_build_array(j, n, sizeof(*u));
	uint32_t *ids = ss_build_array(j, n, sizeof(*ids));
	int err = u && ids ? 0 : SS_ERR_NO_MEM;

	in->unless = u;
	for (uint32_t first = 0, end; !err && first < n; first = end) {
		struct ss_build_above here = {above, &e[first]};
		for (end = first; end < n && ss_build_same_want(&e[first], &e[end]); end++)
			ids[end] = e[end].route;
		u[in->n_unless].field = e[first].field;
		err = ss_build_inner_list(j, routes, ids + first, end - first, &here, depth + 1,
					  &u[in->n_unless++].list);
	}
	if (!err)
		qsort(u, in->n_unless, sizeof(*u), by_first);
	return err;
}

/* The routes that want nothing which can be looked up: by what must not be, and the rest. */
static int make_rest(struct ss_build_job *j, const struct ss_route *routes, const uint32_t *ids, uint32_t n,
		     const struct ss_build_above *above, uint32_t depth, struct ss_route_inner *in)
{
	struct ss_build_want *e = NULL;
	uint32_t *rest = NULL, n_e = 0, n_rest = 0;
	int err = n > FEW ? ss_build_unwanted(routes, ids, n, above, &e, &n_e) : 0;

	if (!err && n_e)
		err = make_unless(j, routes, e, n_e, above, depth, in);
	if (!err)
		err = left_over(j, ids, n, e, n_e, &rest, &n_rest);
	free(e);
	in->rest = (struct ss_route_list){.ids = rest, .n = n_rest, .first = n_rest ? rest[0] : 0};
	return err;
}

static int make_inner(struct ss_build_job *j, const struct ss_route *routes, const struct ss_build_above *above,
		      uint32_t depth, struct ss_route_list *list)
{
	struct ss_route_inner *in = ss_build_alloc(j, sizeof(*in));
	struct ss_build_want *e = NULL;
	uint32_t *rest = NULL, n = 0, n_rest = 0, names = 0;
	int err = in ? ss_build_wants(j, routes, list->ids, list->n, above, &e, &n) : SS_ERR_NO_MEM;

	for (uint32_t i = 0; !err && i < n; i++)
		names += !i || !ss_build_same_name(&e[i - 1], &e[i]);
	if (!err) {
		in->names_mask = ss_build_mask(names);
		in->values_mask = ss_build_mask(n);
		err = fill(j, routes, e, n, above, depth, in);
	}
	if (!err)
		err = left_over(j, list->ids, list->n, e, n, &rest, &n_rest);
	if (!err)
		err = make_rest(j, routes, rest, n_rest, above, depth, in);
	if (!err && (n || in->n_unless))
		list->inner = in;
	free(e);
	return err;
}

int ss_build_inner_list(struct ss_build_job *j, const struct ss_route *routes, uint32_t *ids, uint32_t n,
			const struct ss_build_above *above, uint32_t depth, struct ss_route_list *out)
{
	n = drop_unreachable(routes, ids, n);
	*out = (struct ss_route_list){.ids = ids, .n = n, .first = n ? ids[0] : 0};
	return n > FEW && depth < DEEP ? make_inner(j, routes, above, depth, out) : 0;
}

int ss_build_list(struct ss_build_job *j, const struct ss_route *routes, uint32_t *ids, uint32_t n,
		  struct ss_route_list *out)
{
	return ss_build_inner_list(j, routes, ids, n, NULL, 0, out);
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
