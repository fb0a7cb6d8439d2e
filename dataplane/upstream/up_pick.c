/* up_pick.c - the next endpoint of a cluster: round robin, plain or smoothly weighted. */
#include "upstream/up_int.h"

struct up_cluster *up_cluster_of(struct ss_up *u, const struct ss_cluster *c, uint64_t generation)
{
	struct up_cluster *k = &u->clusters[c->slot];

	if (k->name != c->name) {
		*k = (struct up_cluster){.name = c->name};
		/* Each worker starts elsewhere: else all of them begin with the same endpoint. */
		k->cursor = (uint32_t)((uint64_t)c->n_endpoints * u->conf.worker /
				       ss_max_u32(u->conf.n_workers, 1));
	}
	if (k->generation != generation || !k->generation) {
		k->generation = generation;
		k->equal = true;
		for (uint32_t i = 1; i < c->n_endpoints; i++)
			k->equal &= c->endpoints[i].weight == c->endpoints[0].weight;
	}
	return k;
}

static bool was_tried(const struct ss_up_wait *w, uint32_t ep)
{
	for (uint8_t i = 0; i < w->n_tried; i++)
		if (w->tried[i] == ep)
			return true;
	return false;
}

static bool may(struct ss_up *u, const struct ss_endpoint *e, const struct ss_up_wait *w, bool again,
		uint64_t now)
{
	return (again || !was_tried(w, e->ep)) && ss_ep_pickable(u->conf.endpoints, e->ep, now);
}

static uint32_t plain(struct ss_up *u, struct up_cluster *k, const struct ss_cluster *c,
		      const struct ss_up_wait *w, bool again, uint64_t now)
{
	for (uint32_t n = 0; n < c->n_endpoints; n++) {
		uint32_t i = (k->cursor + n) % c->n_endpoints;
		if (may(u, &c->endpoints[i], w, again, now)) {
			k->cursor = (i + 1) % c->n_endpoints;
			return i;
		}
	}
	return UINT32_MAX;
}

/*
 * Smooth: everyone's turn grows by its weight, the largest goes and pays the sum. Among n picks each
 * endpoint gets its share, spread out. The scan starts at the worker's own place, so that ties differ.
 */
static uint32_t weighted(struct ss_up *u, struct up_cluster *k, const struct ss_cluster *c,
			 const struct ss_up_wait *w, bool again, uint64_t now)
{
	uint32_t best = UINT32_MAX;
	int64_t sum = 0;

	for (uint32_t n = 0; n < c->n_endpoints; n++) {
		uint32_t i = (k->cursor + n) % c->n_endpoints;
		const struct ss_endpoint *e = &c->endpoints[i];
		if (!may(u, e, w, again, now))
			continue;
		u->pools[e->ep].turn += e->weight;
		sum += e->weight;
		if (best == UINT32_MAX || u->pools[e->ep].turn > u->pools[c->endpoints[best].ep].turn)
			best = i;
	}
	if (best != UINT32_MAX)
		u->pools[c->endpoints[best].ep].turn -= sum;
	return best;
}

uint32_t up_pick(struct ss_up *u, const struct ss_cluster *c, const struct ss_up_wait *w, uint64_t now)
{
	struct up_cluster *k = up_cluster_of(u, c, u->generation);
	uint32_t i = UINT32_MAX;

	for (int again = 0; again <= (w->n_tried ? 1 : 0) && i == UINT32_MAX; again++)
		i = k->equal ? plain(u, k, c, w, again, now) : weighted(u, k, c, w, again, now);
	return i;
}
