/*
 * build_ranges.c - matches of numbers: the line of numbers is cut where a range begins or ends, and each range is put
 * together of stretches of pieces (struct ss_route_ranges): twice the logarithm of their number at most.
 */
#include <stdlib.h>

#include "base/err.h"
#include "build/build_list.h"

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

static void put(uint32_t *at, uint32_t *ids, uint32_t stretch, uint32_t route)
{
	if (ids)
		ids[at[stretch]] = route;
	at[stretch]++;
}

/* Puts each range's route into its stretches, of n pieces; at[s] is where the next route of stretch s goes. */
static void spread(const struct ss_build_want *e, uint32_t n_e, const int64_t *from, uint32_t n, uint32_t *at, uint32_t *ids)
{
	for (uint32_t i = 0; i < n_e; i++) {
		uint32_t first = n + place(from, n + 1, bound(&e[i], false));
		uint32_t end = n + place(from, n + 1, bound(&e[i], true));
		for (; first < end; first /= 2, end /= 2) {
			if (first & 1)
				put(at, ids, first++, e[i].route);
			if (end & 1)
				put(at, ids, --end, e[i].route);
		}
	}
}

/* A route that has two ranges of the name stands in a stretch once. */
static uint32_t sorted(uint32_t *ids, uint32_t n)
{
	uint32_t kept = 0;

	qsort(ids, n, sizeof(*ids), ss_build_by_id);
	for (uint32_t i = 0; i < n; i++)
		if (!kept || ids[kept - 1] != ids[i])
			ids[kept++] = ids[i];
	return kept;
}

static int fill(struct ss_build_job *j, const struct ss_route *routes, const struct ss_build_want *e, uint32_t n_e,
		const struct ss_build_above *above, uint32_t depth, const int64_t *from, uint32_t n,
		struct ss_route_stretch *stretch)
{
	uint32_t *at = calloc(2 * (size_t)n + 1, sizeof(*at)), *ids, all = 0;
	int err = at ? 0 : SS_ERR_NO_MEM;

	if (err)
		return err;
	spread(e, n_e, from, n, at, NULL);
	for (uint32_t s = 0; s < 2 * n; s++) {
		uint32_t here = at[s];
		at[s] = all;
		all += here;
	}
	ids = ss_build_array(j, all, sizeof(*ids));
	if (ids)
		spread(e, n_e, from, n, at, ids);
	/* Now at[s] is where stretch s ends. Number 1 is the longest of all, what holds s is s / 2. */
	for (uint32_t s = 1; ids && !err && s < 2 * n; s++) {
		uint32_t first = at[s - 1];
		err = ss_build_inner_list(j, routes, ids + first, sorted(ids + first, at[s] - first), above, depth,
					  &stretch[s].list);
		stretch[s].up = stretch[s / 2].list.n ? s / 2 : stretch[s / 2].up;
	}
	free(at);
	return ids ? err : SS_ERR_NO_MEM;
}

int ss_build_ranges(struct ss_build_job *j, const struct ss_route *routes, const struct ss_build_want *e, uint32_t n_e,
		    const struct ss_build_above *above, uint32_t depth, const struct ss_route_ranges **out)
{
	struct ss_route_ranges *r = ss_build_alloc(j, sizeof(*r));
	int64_t *some, *from;
	uint32_t m = cuts(e, n_e, &some), n = m ? m - 1 : 0;
	struct ss_route_stretch *stretch = ss_build_array(j, 2 * (size_t)n, sizeof(*stretch));
	int err;

	from = ss_build_array(j, m, sizeof(*from));
	if (!m || !r || !stretch || !from) {
		free(some);
		return SS_ERR_NO_MEM;
	}
	memcpy(from, some, m * sizeof(*from));
	free(some);
	err = fill(j, routes, e, n_e, above, depth, from, n, stretch);
	*r = (struct ss_route_ranges){.n = n, .from = from, .stretch = stretch};
	*out = r;
	return err;
}
