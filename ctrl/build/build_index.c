/* build_index.c - a host's exact paths and prefixes as one hash table. */
#include <stdlib.h>

#include "base/err.h"
#include "build/build_routes.h"

/* Groups routes by kind and text; within a group the order of the file stays. */
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

static void put_slot(struct ss_route_slot *slots, uint32_t mask, const struct ss_route *r, uint32_t first,
		     uint32_t n)
{
	uint64_t h = SS_ROUTE_HASH_START;
	uint32_t i;

	for (uint32_t b = 0; b < r->path.n; b++)
		h = ss_route_hash_byte(h, r->path.p[b]);
	h = ss_route_hash_end(h, r->path_kind);
	for (i = (uint32_t)h & mask; slots[i].n; i = (i + 1) & mask)
		;
	slots[i] = (struct ss_route_slot){
		.hash = h, .text = r->path, .first = first, .n = n, .kind = r->path_kind};
}

static bool is_text(const struct ss_route *r)
{
	return r->path_kind == SS_PATH_EXACT || r->path_kind == SS_PATH_PREFIX;
}

/* Places for twice as many entries as there can be: an empty one always ends a search. */
static uint32_t mask_for(uint32_t n)
{
	uint32_t places = 2;

	while (places < 2 * n + 1)
		places *= 2;
	return places - 1;
}

static void fill(struct ss_build_host *h, const uint32_t *ids, struct ss_route_slot *slots, uint64_t *lengths)
{
	struct ss_route_index *ix = h->index;
	uint32_t n = h->model->n_routes, end;

	for (uint32_t first = 0; first < n; first = end) {
		const struct ss_route *r = &h->routes[ids[first]];
		for (end = first + 1; end < n && same_text(r, &h->routes[ids[end]]); end++)
			;
		if (r->path_kind == SS_PATH_ANY) {
			ix->any_first = first;
			ix->any_n = end - first;
		}
		if (is_text(r))
			put_slot(slots, ix->mask, r, first, end - first);
		if (r->path_kind == SS_PATH_PREFIX)
			lengths[r->path.n / 64] |= 1ull << (r->path.n % 64);
	}
}

int ss_build_index(struct ss_build_job *j, struct ss_build_host *h)
{
	struct ss_route_index *ix = h->index;
	uint32_t n = h->model->n_routes;
	uint32_t *ids = ss_build_array(j, n, sizeof(*ids));
	struct ss_route_slot *slots;
	uint64_t *lengths;

	ix->mask = mask_for(n);
	for (uint32_t i = 0; i < n; i++)
		if (is_text(&h->routes[i]))
			ix->longest = ss_max_u32(ix->longest, h->routes[i].path.n);
	slots = ss_build_array(j, ix->mask + 1, sizeof(*slots));
	lengths = ss_build_array(j, ix->longest / 64 + 1, sizeof(*lengths));
	if (!ids || !slots || !lengths)
		return SS_ERR_NO_MEM;
	for (uint32_t i = 0; i < n; i++)
		ids[i] = i;
	qsort_r(ids, n, sizeof(*ids), by_text, h->routes);
	fill(h, ids, slots, lengths);
	ix->ids = ids;
	ix->slots = slots;
	ix->lengths = lengths;
	return 0;
}
