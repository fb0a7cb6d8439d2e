/* build_hash.c - Maglev tables, hash rings, and the parts of a hash policy. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "build/build_int.h"

/* An endpoint's own hash: of its address, so that the order of the file plays no role. */
static uint64_t identity(const struct ss_endpoint *e)
{
	char text[SS_ADDR_TEXT];

	ss_addr_text(&e->addr, text);
	return ss_balance_hash(text, (uint32_t)strlen(text));
}

/* -- Maglev (Eisenbud et al., NSDI 2016, 3.4) -- */

struct entry {
	uint64_t hash;
	uint64_t offset, skip, next; /* next: how many of its permutation it has tried */
	double weight, target;       /* largest weight of all: 1 */
	uint32_t place;
};

static int by_hash(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static struct entry *entries_of(const struct ss_cluster *c, uint32_t size, const struct ss_lb_tier *t)
{
	struct entry *e = calloc(t->n + 1, sizeof(*e));
	uint32_t most = 1;

	if (!e)
		return NULL;
	for (uint32_t i = 0; i < t->n; i++)
		most = ss_max_u32(most, c->endpoints[t->at[i]].weight);
	for (uint32_t i = 0; i < t->n; i++) {
		const struct ss_endpoint *k = &c->endpoints[t->at[i]];
		uint64_t h = identity(k);
		e[i] = (struct entry){.hash = h,
				      .offset = ss_balance_mix(h, 0) % size,
				      .skip = ss_balance_mix(h, 1) % (size - 1) + 1,
				      .weight = (double)k->weight / most,
				      .place = i};
	}
	/* They take their turns in this order, whatever the file's is. */
	qsort(e, t->n, sizeof(*e), by_hash);
	return e;
}

/*
 * "We let each backend fill empty table positions in its order of preference, in turns." A turn comes to an
 * endpoint as often as its weight says: in round r it may have taken r * weight places.
 */
static void fill(struct entry *e, uint32_t n, uint32_t size, uint32_t *table)
{
	uint32_t filled = 0;

	for (uint32_t i = 0; i < size; i++)
		table[i] = UINT32_MAX;
	for (uint64_t round = 1; filled < size; round++) {
		for (uint32_t i = 0; i < n && filled < size; i++) {
			if ((double)round * e[i].weight < e[i].target)
				continue;
			e[i].target += 1;
			uint64_t at = (e[i].offset + e[i].skip * e[i].next) % size;
			for (; table[at] != UINT32_MAX; at = (at + e[i].skip) % size)
				e[i].next++;
			e[i].next++;
			table[at] = e[i].place;
			filled++;
		}
	}
}

int ss_build_maglev(struct ss_build_job *j, const struct ss_cluster *c, uint32_t size, struct ss_lb_tier *t)
{
	uint32_t *table = ss_build_array(j, size, sizeof(*table));
	struct entry *e = table ? entries_of(c, size, t) : NULL;

	if (!e)
		return SS_ERR_NO_MEM;
	fill(e, t->n, size, table);
	free(e);
	t->table = table;
	t->n_table = size;
	return 0;
}

/* -- ring hash (Karger et al. 1997; weights and bounds as Envoy's) -- */

static int by_point(const void *a, const void *b)
{
	const struct ss_ring_point *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->place < y->place ? -1 : x->place > y->place;
}

/* So many points for a share of 1 that the lightest endpoint has a whole number and the ring at least `min`.
 */
static double scale_of(const struct ss_cluster *c, const struct ss_lb_tier *t, uint32_t min, uint32_t max)
{
	double least = 1;

	for (uint32_t i = 0; i < t->n; i++)
		least = fmin(least, (double)c->endpoints[t->at[i]].weight / (double)t->weight);
	return fmin(ceil(least * min) / least, max);
}

int ss_build_ring(struct ss_build_job *j, const struct ss_cluster *c, uint32_t min, uint32_t max,
		  struct ss_lb_tier *t)
{
	double scale = scale_of(c, t, min, max), want = 0;
	struct ss_ring_point *ring = ss_build_array(j, (size_t)ceil(scale) + 1, sizeof(*ring));
	uint32_t n = 0;

	if (!ring)
		return SS_ERR_NO_MEM;
	for (uint32_t i = 0; i < t->n; i++) {
		const struct ss_endpoint *e = &c->endpoints[t->at[i]];
		uint64_t h = identity(e);
		/* The sum's fractions go where they fall: no endpoint is off by more than one. */
		want += scale * e->weight / (double)t->weight;
		for (uint64_t k = 0; n < (uint32_t)ceil(scale) && n < want; k++)
			ring[n++] = (struct ss_ring_point){ss_balance_mix(h, k), i};
	}
	qsort(ring, n, sizeof(*ring), by_point);
	t->ring = ring;
	t->n_ring = n;
	return 0;
}

/* -- hash policy -- */

/* "none" is taken by browsers with Secure only. */
static struct ss_span cookie_suffix(struct ss_build_job *j, const struct ss_model_hash *m)
{
	static const char *const sites[] = {"", "; SameSite=Lax", "; SameSite=Strict", "; SameSite=None"};
	bool secure = m->secure || m->same_site == SS_LB_SITE_NONE;
	char text[1200], age[48] = "", path[1100] = "";

	if (m->ttl_ns)
		snprintf(age, sizeof(age), "; Max-Age=%llu", (unsigned long long)(m->ttl_ns / SS_NS_PER_SEC));
	if (m->path)
		snprintf(path, sizeof(path), "; Path=%s", m->path);
	snprintf(text, sizeof(text), "%s%s%s%s%s", age, path, m->http_only ? "; HttpOnly" : "",
		 secure ? "; Secure" : "", sites[m->same_site]);
	return ss_build_text(j, text);
}

int ss_build_hash_policy(struct ss_build_job *j, const struct ss_model_hashes *m,
			 const struct ss_hash_policy **out)
{
	struct ss_hash_policy *p;
	struct ss_hash_part *part;

	*out = NULL;
	if (!m->n)
		return 0;
	p = ss_build_alloc(j, sizeof(*p));
	part = ss_build_array(j, m->n, sizeof(*part));
	if (!p || !part)
		return SS_ERR_NO_MEM;
	for (uint32_t i = 0; i < m->n; i++) {
		const struct ss_model_hash *h = &m->v[i];
		part[i] = (struct ss_hash_part){.kind = (uint8_t)h->kind, .terminal = h->terminal};
		part[i].name =
			h->kind == SS_HASH_HEADER ? ss_build_lower(j, h->name) : ss_build_text(j, h->name);
		part[i].make = h->kind == SS_HASH_COOKIE && h->make;
		if (part[i].make)
			part[i].suffix = cookie_suffix(j, h);
	}
	*p = (struct ss_hash_policy){.n = m->n, .part = part};
	*out = p;
	return 0;
}
