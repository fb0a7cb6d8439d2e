/*
 * build_places.c - where a snapshot's clusters and endpoints are: by name and by slot, not by looking.
 *
 * A worker that adopts a generation asks this of the endpoints that it has connections to, and of no others:
 * with tens of thousands of endpoints a walk over all of them would hold up the requests of that turn.
 */
#include "base/err.h"
#include "build/build_int.h"

static void put(struct ss_snapshot *s, uint32_t *at, uint32_t place)
{
	uint32_t i = ss_snapshot_spread(s->clusters[place].name, s->cluster_bits);

	while (at[i])
		i = (i + 1) & ((1u << s->cluster_bits) - 1);
	at[i] = place + 1;
}

int ss_build_places(struct ss_build_job *j)
{
	struct ss_snapshot *s = j->snap;
	uint32_t *clusters, *eps;

	for (s->cluster_bits = 1; 1u << s->cluster_bits <= 2 * (uint64_t)s->n_clusters;)
		s->cluster_bits++;
	clusters = ss_build_array(j, 1u << s->cluster_bits, sizeof(*clusters));
	eps = ss_build_array(j, j->endpoints->n_eps, sizeof(*eps));
	if (!clusters || !eps)
		return SS_ERR_NO_MEM;
	for (uint32_t i = 0; i < s->n_clusters; i++) {
		const struct ss_cluster *c = &s->clusters[i];
		put(s, clusters, i);
		for (uint32_t k = 0; k < c->n_endpoints; k++)
			if (c->endpoints[k].ep != SS_EP_NONE)
				eps[c->endpoints[k].ep] = k;
	}
	s->cluster_at = clusters;
	s->ep_at = eps;
	return 0;
}
