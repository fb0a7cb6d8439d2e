#include "perf/load/load_delay.h"

#include <stdlib.h>

#include "base/err.h"

/* 2^64 over the golden ratio: of all steps round a circle it leaves the most even gaps (Knuth 6.4). */
#define GOLDEN 0x9e3779b97f4a7c15ull

uint64_t ss_load_delays_draw(struct ss_load_delays *d)
{
	double at = (double)(d->draw += GOLDEN) / 18446744073709551616.0;

	for (uint32_t i = 0; i < d->n; i++) {
		if (at < d->v[i].share)
			return d->v[i].ns;
		at -= d->v[i].share;
	}
	return d->base_ns;
}

int ss_load_heap_create(struct ss_load_heap *h, uint32_t cap)
{
	h->v = calloc(cap ? cap : 1, sizeof(struct ss_load_due *));
	h->n = 0;
	h->cap = cap;
	return h->v ? 0 : SS_ERR_NO_MEM;
}

void ss_load_heap_free(struct ss_load_heap *h)
{
	free(h->v);
	h->v = NULL;
	h->n = 0;
}

static void put(struct ss_load_heap *h, uint32_t i, struct ss_load_due *d)
{
	h->v[i] = d;
	d->place = i;
}

static void rise(struct ss_load_heap *h, uint32_t i, struct ss_load_due *d)
{
	for (; i && h->v[(i - 1) / 2]->at > d->at; i = (i - 1) / 2)
		put(h, i, h->v[(i - 1) / 2]);
	put(h, i, d);
}

static void sink(struct ss_load_heap *h, uint32_t i, struct ss_load_due *d)
{
	for (uint32_t k; (k = 2 * i + 1) < h->n; i = k) {
		if (k + 1 < h->n && h->v[k + 1]->at < h->v[k]->at)
			k++;
		if (h->v[k]->at >= d->at)
			break;
		put(h, i, h->v[k]);
	}
	put(h, i, d);
}

int ss_load_heap_add(struct ss_load_heap *h, struct ss_load_due *d, uint64_t at)
{
	if (h->n == h->cap)
		return SS_ERR_FULL;
	d->at = at;
	rise(h, h->n++, d);
	return 0;
}

void ss_load_heap_remove(struct ss_load_heap *h, struct ss_load_due *d)
{
	uint32_t i = d->place;
	struct ss_load_due *last;

	if (i == SS_LOAD_NOT_DUE)
		return;
	d->place = SS_LOAD_NOT_DUE;
	last = h->v[--h->n];
	if (last == d)
		return;
	if (i && h->v[(i - 1) / 2]->at > last->at)
		rise(h, i, last);
	else
		sink(h, i, last);
}

struct ss_load_due *ss_load_heap_pop(struct ss_load_heap *h, uint64_t now)
{
	struct ss_load_due *d = h->n ? h->v[0] : NULL;

	if (!d || d->at > now)
		return NULL;
	ss_load_heap_remove(h, d);
	return d;
}
