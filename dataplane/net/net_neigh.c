/*
 * net_neigh.c - neighbours: who has which address, and the packets that wait to learn it.
 *
 * A fixed table, found by (address, interface) through a small direct-mapped cache. Only what ARP says
 * changes an address (RFC 826); traffic from a neighbour merely confirms that it lives, so that a busy
 * one is never probed. A known entry stays usable while it is probed (RFC 4861 7.3.3).
 */
#include "net/net_int.h"

#include <stdlib.h>

struct neigh_key {
	uint32_t ip, iface;
};

static uint32_t cache_slot(uint8_t iface, uint32_t ip)
{
	return (ip ^ (ip >> 8) ^ iface) % NEIGH_CACHE;
}

int ss_net_neigh_create(struct ss_net *n, uint32_t max)
{
	struct ss_sipkey key;

	if (max == 0 || max > NEIGH_MAX)
		return SS_ERR_CONFIG;
	ss_sipkey_random(&key);
	n->max_neighs = max;
	n->neighs = calloc(max, sizeof(n->neighs[0]));
	n->map = ss_map_create(sizeof(struct neigh_key), max, &key);
	if (!n->neighs || !n->map)
		return SS_ERR_NO_MEM;
	for (uint32_t i = 0; i < max; i++)
		n->neighs[i].first = i + 1 < max ? (uint16_t)(i + 1) : NEIGH_NONE;
	for (uint32_t i = 0; i < NEIGH_PARKED_ALL; i++)
		n->parked[i].next = i + 1 < NEIGH_PARKED_ALL ? (uint16_t)(i + 1) : NEIGH_NONE;
	memset(n->cache, 0xff, sizeof(n->cache)); /* NEIGH_NONE everywhere */
	return 0;
}

static struct neigh *find_cached(struct ss_net *n, uint8_t iface, uint32_t ip)
{
	uint16_t i = n->cache[cache_slot(iface, ip)];
	struct neigh *e = i == NEIGH_NONE ? NULL : &n->neighs[i];

	return e && e->ip == ip && e->iface == iface && e->state != NEIGH_FREE ? e : NULL;
}

static struct neigh *find(struct ss_net *n, uint8_t iface, uint32_t ip)
{
	struct neigh *e = find_cached(n, iface, ip);

	if (ss_likely(e != NULL))
		return e;
	struct neigh_key key = { ip, iface };
	uint32_t i = ss_map_get(n->map, &key);
	if (i == SS_MAP_NONE)
		return NULL;
	n->cache[cache_slot(iface, ip)] = (uint16_t)i;
	return &n->neighs[i];
}

/* Takes the first waiting packet, or NULL. */
static struct rte_mbuf *unpark(struct ss_net *n, struct neigh *e)
{
	if (!e->n_parked)
		return NULL;
	struct net_parked *p = &n->parked[e->first];
	uint16_t i = e->first;
	e->first = p->next;
	e->n_parked--;
	p->next = n->free_parked;
	n->free_parked = i;
	n->n_parked--;
	n->held -= p->m->nb_segs;
	return p->m;
}

static void park(struct ss_net *n, struct neigh *e, struct rte_mbuf *m)
{
	uint16_t i = n->free_parked;

	if (i == NEIGH_NONE || e->n_parked >= NEIGH_PARKED_ALL - n->n_parked) {
		ss_net_drop(n, m, SS_DROP_NEIGH_FULL);
		return;
	}
	n->free_parked = n->parked[i].next;
	n->parked[i] = (struct net_parked){ m, NEIGH_NONE };
	if (e->n_parked)
		n->parked[e->last].next = i;
	else
		e->first = i;
	e->last = i;
	e->n_parked++;
	n->n_parked++;
	n->held += m->nb_segs;
}

static void forget(struct ss_net *n, struct neigh *e)
{
	struct neigh_key key = { e->ip, e->iface };

	for (struct rte_mbuf *m; (m = unpark(n, e));)
		ss_net_drop(n, m, SS_DROP_NEIGH_DEAD);
	ss_map_del(n->map, &key);
	*e = (struct neigh){ .state = NEIGH_FREE, .first = n->free_neigh };
	n->free_neigh = (uint16_t)(e - n->neighs);
	n->n_neighs--;
}

void ss_net_stop(struct ss_net *n)
{
	for (uint32_t i = 0; i < n->max_neighs; i++)
		for (struct rte_mbuf *m; n->neighs[i].state != NEIGH_FREE && (m = unpark(n, &n->neighs[i]));)
			ss_net_drop(n, m, SS_DROP_NEIGH_DEAD);
}

/* Makes room by forgetting the entry that was idle for longest; one that is being asked for stays. */
static void evict(struct ss_net *n)
{
	struct neigh *oldest = NULL;

	for (uint32_t i = 0; i < n->max_neighs; i++) {
		struct neigh *e = &n->neighs[i];
		if (e->state == NEIGH_KNOWN && (!oldest || e->used < oldest->used))
			oldest = e;
	}
	if (oldest)
		forget(n, oldest);
}

static struct neigh *add(struct ss_net *n, uint8_t iface, uint32_t ip, uint64_t now)
{
	struct neigh_key key = { ip, iface };

	if (n->n_neighs == n->max_neighs)
		evict(n);
	if (n->n_neighs == n->max_neighs)
		return NULL;
	uint16_t i = n->free_neigh;
	if (ss_map_put(n->map, &key, i) < 0)
		return NULL;
	struct neigh *e = &n->neighs[i];
	n->free_neigh = e->first;
	n->n_neighs++;
	*e = (struct neigh){ .ip = ip, .iface = iface, .state = NEIGH_ASKING, .due = SS_NEVER, .used = now };
	n->cache[cache_slot(iface, ip)] = i;
	return e;
}

/* Asks, and asks again NEIGH_RETRY_NS later. */
static void ask(struct ss_net *n, struct neigh *e, uint64_t now)
{
	ss_net_arp_ask(n, e->iface, e->ip, e->state == NEIGH_PROBING ? e->mac : NULL);
	e->tries++;
	e->due = now + NEIGH_RETRY_NS;
	n->next = ss_min_u64(n->next, e->due);
}

void ss_net_neigh_send(struct ss_net *n, uint8_t iface, uint32_t ip, struct rte_mbuf *m, uint64_t now)
{
	struct neigh *e = find(n, iface, ip);

	if (!e) {
		e = add(n, iface, ip, now);
		if (!e) {
			ss_net_drop(n, m, SS_DROP_NEIGH_FULL);
			return;
		}
		ask(n, e, now);
	}
	e->used = now;
	if (e->state == NEIGH_ASKING) {
		park(n, e, m);
		return;
	}
	if (e->state == NEIGH_KNOWN && now - e->confirmed > NEIGH_REACHABLE_NS) {
		e->state = NEIGH_PROBING;
		e->tries = 0;
		ask(n, e, now);
	}
	ss_net_frame(n, iface, e->mac, SS_ETH_IP4, m);
}

static void confirm(struct neigh *e, uint64_t now)
{
	e->state = NEIGH_KNOWN;
	e->confirmed = now;
	e->tries = 0;
	e->due = SS_NEVER;
}

void ss_net_neigh_learn(struct ss_net *n, uint8_t iface, uint32_t ip, const uint8_t mac[6], bool create,
			uint64_t now)
{
	struct neigh *e = find(n, iface, ip);

	if (!e && create)
		e = add(n, iface, ip, now);
	if (!e)
		return;
	memcpy(e->mac, mac, sizeof(e->mac));
	confirm(e, now);
	for (struct rte_mbuf *m; (m = unpark(n, e));)
		ss_net_frame(n, iface, e->mac, SS_ETH_IP4, m);
}

void ss_net_neigh_confirm(struct ss_net *n, uint8_t iface, uint32_t ip, const uint8_t mac[6], uint64_t now)
{
	/* The cache is enough: it holds whom we talk to. */
	struct neigh *e = find_cached(n, iface, ip);

	if (e && e->state != NEIGH_ASKING && memcmp(e->mac, mac, sizeof(e->mac)) == 0)
		confirm(e, now);
}

static void overdue(struct ss_net *n, struct neigh *e, uint64_t now)
{
	if (e->tries < NEIGH_TRIES) {
		ask(n, e, now);
	} else if (e->state == NEIGH_PROBING) { /* it may have moved: ask everyone */
		e->state = NEIGH_ASKING;
		e->tries = 0;
		ask(n, e, now);
	} else {
		forget(n, e);
	}
}

void ss_net_neigh_expire(struct ss_net *n, uint64_t now)
{
	for (uint32_t i = 0; i < n->max_neighs; i++) {
		struct neigh *e = &n->neighs[i];
		if (e->state == NEIGH_FREE || e->due == SS_NEVER)
			continue;
		if (e->due <= now)
			overdue(n, e, now);
		if (e->state != NEIGH_FREE)
			n->next = ss_min_u64(n->next, e->due);
	}
}

void ss_net_neigh_free(struct ss_net *n)
{
	for (uint32_t i = 0; n->neighs && i < n->max_neighs; i++)
		for (struct rte_mbuf *m; (m = unpark(n, &n->neighs[i]));)
			rte_pktmbuf_free(m);
	ss_map_free(n->map);
	free(n->neighs);
}
