#include "contract/snapshot.h"

/* Tens of entries, looked up at turns of configuration and per connection: a scan of one array. */
const struct ss_listener *ss_snapshot_listener(const struct ss_snapshot *s, uint32_t name)
{
	for (uint32_t i = 0; i < s->n_listeners; i++)
		if (s->listeners[i].name == name)
			return &s->listeners[i];
	return NULL;
}

static const struct ss_cluster *scan(const struct ss_snapshot *s, uint32_t name)
{
	for (uint32_t i = 0; i < s->n_clusters; i++)
		if (s->clusters[i].name == name)
			return &s->clusters[i];
	return NULL;
}

/* Thousands, looked up by every request. */
const struct ss_cluster *ss_snapshot_cluster(const struct ss_snapshot *s, uint32_t name)
{
	uint32_t mask, i;

	if (!s->cluster_at)
		return scan(s, name);
	mask = (1u << s->cluster_bits) - 1;
	for (i = ss_snapshot_spread(name, s->cluster_bits); s->cluster_at[i]; i = (i + 1) & mask)
		if (s->clusters[s->cluster_at[i] - 1].name == name)
			return &s->clusters[s->cluster_at[i] - 1];
	return NULL;
}

const struct ss_endpoint *ss_snapshot_endpoint(const struct ss_snapshot *s, const struct ss_cluster *c, uint32_t ep)
{
	uint32_t i = s->ep_at ? s->ep_at[ep] : 0;

	while (!s->ep_at && i < c->n_endpoints && c->endpoints[i].ep != ep)
		i++;
	/* The slot may be another cluster's: what the map says is asked of this one. */
	return i < c->n_endpoints && c->endpoints[i].ep == ep ? &c->endpoints[i] : NULL;
}

const struct ss_ext_authz *ss_snapshot_ext_authz(const struct ss_snapshot *s, uint32_t name)
{
	for (uint32_t i = 0; i < s->n_ext_authz; i++)
		if (s->ext_authz[i].name == name)
			return &s->ext_authz[i];
	return NULL;
}
