#include "contract/snapshot.h"

/* Tens of entries, looked up at turns of configuration and per new exchange: a scan of one array. */

const struct ss_listener *ss_snapshot_listener(const struct ss_snapshot *s, uint32_t name)
{
	for (uint32_t i = 0; i < s->n_listeners; i++)
		if (s->listeners[i].name == name)
			return &s->listeners[i];
	return NULL;
}

const struct ss_cluster *ss_snapshot_cluster(const struct ss_snapshot *s, uint32_t name)
{
	for (uint32_t i = 0; i < s->n_clusters; i++)
		if (s->clusters[i].name == name)
			return &s->clusters[i];
	return NULL;
}
