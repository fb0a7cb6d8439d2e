/*
 * build_ranges.c - matches of numbers: the line of numbers is cut where a range begins or ends, and each piece has the
 * list of the routes whose range covers it.
 */
#include <stdlib.h>

#include "base/err.h"
#include "build/build_list.h"

/* Places of all pieces together, for each range. */
#define SPREAD 8u

static int by_number(const void *a, const void *b)
{
	int64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x < y ? -1 : x > y;
}

static int64_t bound(const struct ss_build_want *w, bool end)
{
	int64_t v;

	memcpy(&v, w->value.p + (end ? sizeof(v) : 0), sizeof(v));
	return v;
}

/* All that begins or ends a range, once each, ascending; 0 without memory. The caller frees *out. */
static uint32_t cuts(const struct ss_build_want *e, uint32_t n, int64_t **out)
{
	int64_t *v = *out = calloc(2 * (size_t)n, sizeof(*v));
	uint32_t kept = 0;

	for (uint32_t i = 0; v && i < n; i++) {
		v[2 * i] = bound(&e[i], false);
		v[2 * i + 1] = bound(&e[i], true);
	}
	if (v)
		qsort(v, 2 * (size_t)n, sizeof(*v), by_number);
	for (uint32_t i = 0; v && i < 2 * n; i++)
		if (!kept || v[kept - 1] != v[i])
			v[kept++] = v[i];
	return kept;
}

static uint32_t place(const int64_t *from, uint32_t n, int64_t v)
{
	const int64_t *at = bsearch(&v, from, n, sizeof(v), by_number);

	return (uint32_t)(at - from); /* every bound is there */
}

bool ss_build_ranges_fit(const struct ss_build_want *e, uint32_t n)
{
	int64_t *from;
	uint32_t m = cuts(e, n, &from);
	uint64_t places = 0;

	for (uint32_t i = 0; m && i < n; i++)
		places += place(from, m, bound(&e[i], true)) - place(from, m, bound(&e[i], false));
	free(from);
	return places <= (uint64_t)SPREAD * n;
}

/* Puts each range's route into the pieces that it covers; at[p] is where the next route of piece p goes. */
static void spread(const struct ss_build_want *e, uint32_t n, const int64_t *from, uint32_t m, uint32_t *at,
		   uint32_t *ids)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t end = place(from, m, bound(&e[i], true));
		for (uint32_t p = place(from, m, bound(&e[i], false)); p < end; p++) {
			if (ids)
				ids[at[p]] = e[i].route;
			at[p]++;
		}
	}
}

/* A route that has two ranges of the name stands in a piece once. */
static uint32_t sorted(uint32_t *ids, uint32_t n)
{
	uint32_t kept = 0;

	qsort(ids, n, sizeof(*ids), ss_build_by_id);
	for (uint32_t i = 0; i < n; i++)
		if (!kept || ids[kept - 1] != ids[i])
			ids[kept++] = ids[i];
	return kept;
}

static int fill(struct ss_build_job *j, const struct ss_route *routes, const struct ss_build_want *e, uint32_t n,
		const struct ss_build_above *above, uint32_t depth, const int64_t *from, uint32_t m,
		struct ss_route_list *list)
{
	uint32_t *at = calloc(m + 1, sizeof(*at)), *ids, all = 0;
	int err = at ? 0 : SS_ERR_NO_MEM;

	if (err)
		return err;
	spread(e, n, from, m, at, NULL);
	for (uint32_t p = 0; p < m; p++) {
		uint32_t here = at[p];
		at[p] = all;
		all += here;
	}
	ids = ss_build_array(j, all, sizeof(*ids));
	if (ids)
		spread(e, n, from, m, at, ids);
	/* Now at[p] is where piece p ends. */
	for (uint32_t p = 0; ids && !err && p + 1 < m; p++) {
		uint32_t first = p ? at[p - 1] : 0;
		err = ss_build_inner_list(j, routes, ids + first, sorted(ids + first, at[p] - first), above, depth,
					  &list[p]);
	}
	free(at);
	return ids ? err : SS_ERR_NO_MEM;
}

int ss_build_ranges(struct ss_build_job *j, const struct ss_route *routes, const struct ss_build_want *e, uint32_t n,
		    const struct ss_build_above *above, uint32_t depth, const struct ss_route_ranges **out)
{
	struct ss_route_ranges *r = ss_build_alloc(j, sizeof(*r));
	int64_t *some, *from;
	uint32_t m = cuts(e, n, &some);
	struct ss_route_list *list = ss_build_array(j, m, sizeof(*list));
	int err;

	from = ss_build_array(j, m, sizeof(*from));
	if (!m || !r || !list || !from) {
		free(some);
		return SS_ERR_NO_MEM;
	}
	memcpy(from, some, m * sizeof(*from));
	free(some);
	err = fill(j, routes, e, n, above, depth, from, m, list);
	*r = (struct ss_route_ranges){.n = m - 1, .from = from, .list = list};
	*out = r;
	return err;
}
