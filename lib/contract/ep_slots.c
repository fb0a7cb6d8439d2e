/* ep_slots.c - which cluster and which endpoint has which slot. Control thread only. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/map.h"
#include "contract/endpoints.h"

struct ep_key {
	uint32_t cluster;
	uint16_t port;
	uint8_t family, zero;
	uint8_t b[16];
};
static_assert(sizeof(struct ep_key) == 24, "no padding: the key is hashed as bytes");

struct ep_slot {
	struct ep_key key;
	uint32_t holds, next; /* next: in the line of free slots */
};

struct cluster_slot {
	uint32_t name, holds, next; /* holds: generations and endpoints */
};

/* Slots are given out in the order in which they became free: the longest unused first. */
struct line {
	uint32_t first, last;
};

struct ss_ep_slots {
	struct ss_map *eps, *clusters;
	struct ep_slot *ep;
	struct cluster_slot *cluster;
	struct line free_eps, free_clusters;
};

static struct ep_key key_of(uint32_t cluster, const struct ss_addr *a)
{
	struct ep_key k = {.cluster = cluster, .port = a->port, .family = a->ip.family};

	memcpy(k.b, a->ip.b, sizeof(k.b));
	return k;
}

static void free_ep(struct ss_ep_slots *s, uint32_t i)
{
	s->ep[i].next = SS_EP_NONE;
	if (s->free_eps.last == SS_EP_NONE)
		s->free_eps.first = i;
	else
		s->ep[s->free_eps.last].next = i;
	s->free_eps.last = i;
}

static void free_cluster(struct ss_ep_slots *s, uint32_t i)
{
	s->cluster[i].next = SS_EP_NONE;
	if (s->free_clusters.last == SS_EP_NONE)
		s->free_clusters.first = i;
	else
		s->cluster[s->free_clusters.last].next = i;
	s->free_clusters.last = i;
}

/* The first free slot of which nothing is in use any more. */
static uint32_t take_cluster(struct ss_ep_table *t)
{
	struct ss_ep_slots *s = t->slots;
	uint32_t prev = SS_EP_NONE;

	for (uint32_t i = s->free_clusters.first; i != SS_EP_NONE; prev = i, i = s->cluster[i].next) {
		if (!ss_cap_idle(t, i))
			continue;
		if (prev == SS_EP_NONE)
			s->free_clusters.first = s->cluster[i].next;
		else
			s->cluster[prev].next = s->cluster[i].next;
		if (s->free_clusters.last == i)
			s->free_clusters.last = prev;
		return i;
	}
	return SS_EP_NONE;
}

/* The first free slot that no request uses any more. */
static uint32_t take_ep(struct ss_ep_table *t)
{
	struct ss_ep_slots *s = t->slots;
	uint32_t prev = SS_EP_NONE;

	for (uint32_t i = s->free_eps.first; i != SS_EP_NONE; prev = i, i = s->ep[i].next) {
		if (atomic_load_explicit(&t->ep[i].active, memory_order_acquire))
			continue;
		if (prev == SS_EP_NONE)
			s->free_eps.first = s->ep[i].next;
		else
			s->ep[prev].next = s->ep[i].next;
		if (s->free_eps.last == i)
			s->free_eps.last = prev;
		return i;
	}
	return SS_EP_NONE;
}

/* Takes an endpoint out of its cluster's counts. */
static void leave_counts(struct ss_ep_table *t, struct ss_ep *e)
{
	ss_ep_mark(t, (uint32_t)(e - t->ep), 0, UINT32_MAX);
	if (atomic_exchange(&e->ejected_until, 0))
		atomic_fetch_sub(&t->cluster[e->cluster].ejected, 1);
}

int ss_ep_table_create(struct ss_ep_table **out, uint32_t n_eps, uint32_t n_clusters)
{
	struct ss_sipkey key;
	struct ss_ep_table *t = calloc(1, sizeof(*t));
	struct ss_ep_slots *s = calloc(1, sizeof(*s));

	if (!t || !s)
		goto fail;
	ss_sipkey_random(&key);
	t->slots = s;
	t->n_eps = n_eps;
	t->n_clusters = n_clusters;
	t->ep = aligned_alloc(SS_CACHE_LINE, (size_t)n_eps * sizeof(*t->ep));
	t->watch = aligned_alloc(SS_CACHE_LINE, (size_t)n_eps * sizeof(*t->watch));
	t->cluster = aligned_alloc(SS_CACHE_LINE, (size_t)n_clusters * sizeof(*t->cluster));
	s->ep = calloc(n_eps, sizeof(*s->ep));
	s->cluster = calloc(n_clusters, sizeof(*s->cluster));
	s->eps = ss_map_create(sizeof(struct ep_key), n_eps, &key);
	s->clusters = ss_map_create(sizeof(uint32_t), n_clusters, &key);
	if (!t->ep || !t->watch || !t->cluster || !s->ep || !s->cluster || !s->eps || !s->clusters)
		goto fail;
	memset(t->ep, 0, (size_t)n_eps * sizeof(*t->ep));
	memset(t->watch, 0, (size_t)n_eps * sizeof(*t->watch));
	memset(t->cluster, 0, (size_t)n_clusters * sizeof(*t->cluster));
	s->free_eps = s->free_clusters = (struct line){SS_EP_NONE, SS_EP_NONE};
	for (uint32_t i = 0; i < n_eps; i++)
		free_ep(s, i);
	for (uint32_t i = 0; i < n_clusters; i++)
		free_cluster(s, i);
	*out = t;
	return 0;
fail:
	if (!t)
		free(s);
	else
		t->slots = s;
	ss_ep_table_free(t);
	return SS_ERR_NO_MEM;
}

void ss_ep_table_free(struct ss_ep_table *t)
{
	if (!t)
		return;
	if (t->slots) {
		if (t->slots->eps)
			ss_map_free(t->slots->eps);
		if (t->slots->clusters)
			ss_map_free(t->slots->clusters);
		free(t->slots->ep);
		free(t->slots->cluster);
		free(t->slots);
	}
	free(t->ep);
	free(t->watch);
	free(t->cluster);
	free(t);
}

/*
 * A free slot still holds its last owner's cluster, because requests may be under way that count
 * there. Lets go where there are none left.
 */
static void settle(struct ss_ep_table *t, uint32_t i)
{
	struct ep_slot *p = &t->slots->ep[i];

	if (!p->key.family)
		return;
	leave_counts(t, &t->ep[i]);
	ss_ep_cluster_drop(t, t->ep[i].cluster);
	p->key.family = 0;
}

static void settle_all(struct ss_ep_table *t)
{
	for (uint32_t i = t->slots->free_eps.first; i != SS_EP_NONE; i = t->slots->ep[i].next)
		if (!atomic_load_explicit(&t->ep[i].active, memory_order_acquire))
			settle(t, i);
}

int ss_ep_cluster_hold(struct ss_ep_table *t, uint32_t name, uint32_t *slot)
{
	struct ss_ep_slots *s = t->slots;
	uint32_t i = ss_map_get(s->clusters, &name);

	if (i == SS_MAP_NONE) {
		if (s->free_clusters.first == SS_EP_NONE)
			settle_all(t);
		i = take_cluster(t);
		if (i == SS_EP_NONE)
			return SS_ERR_FULL;
		if (ss_map_put(s->clusters, &name, i) < 0) {
			free_cluster(s, i);
			return SS_ERR_FULL;
		}
		s->cluster[i].name = name;
		s->cluster[i].holds = 0;
		atomic_store(&t->cluster[i].ejected, 0);
		atomic_store(&t->cluster[i].unhealthy, 0);
		atomic_store(&t->cluster[i].last, 0);
		atomic_store(&t->cluster[i].asked, 0);
		memset(&t->cluster[i].breaker, 0, sizeof(t->cluster[i].breaker));
	}
	s->cluster[i].holds++;
	*slot = i;
	return 0;
}

void ss_ep_cluster_drop(struct ss_ep_table *t, uint32_t slot)
{
	struct ss_ep_slots *s = t->slots;

	assert(s->cluster[slot].holds > 0);
	if (--s->cluster[slot].holds)
		return;
	ss_map_del(s->clusters, &s->cluster[slot].name);
	free_cluster(s, slot);
}

static void begin_ep(struct ss_ep_table *t, uint32_t i, uint32_t cluster)
{
	struct ss_ep *e = &t->ep[i];

	settle(t, i);
	memset(e, 0, sizeof(*e));
	memset(&t->watch[i], 0, sizeof(t->watch[i]));
	e->cluster = cluster;
	t->slots->cluster[cluster].holds++;
	atomic_store(&e->in_use, 1);
}

int ss_ep_hold(struct ss_ep_table *t, uint32_t cluster, const struct ss_addr *addr, uint32_t *ep)
{
	struct ss_ep_slots *s = t->slots;
	struct ep_key k = key_of(cluster, addr);
	uint32_t i = ss_map_get(s->eps, &k);

	if (i == SS_MAP_NONE) {
		i = take_ep(t);
		if (i == SS_EP_NONE)
			return SS_ERR_FULL;
		begin_ep(t, i, cluster);
		s->ep[i].key = k;
		s->ep[i].holds = 0;
		/* Its map is as large as the table: a free slot means a free place. */
		if (ss_map_put(s->eps, &k, i) < 0) {
			atomic_store(&t->ep[i].in_use, 0);
			free_ep(s, i);
			return SS_ERR_FULL;
		}
	}
	s->ep[i].holds++;
	*ep = i;
	return 0;
}

void ss_ep_drop(struct ss_ep_table *t, uint32_t ep)
{
	struct ss_ep_slots *s = t->slots;

	assert(s->ep[ep].holds > 0);
	if (--s->ep[ep].holds)
		return;
	ss_map_del(s->eps, &s->ep[ep].key);
	atomic_store(&t->ep[ep].in_use, 0);
	leave_counts(t, &t->ep[ep]);
	free_ep(s, ep);
}

bool ss_ep_is_new(const struct ss_ep_table *t, uint32_t ep)
{
	return t->slots->ep[ep].holds == 1;
}
