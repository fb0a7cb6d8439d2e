#include "contract/events.h"

#include <stdlib.h>
#include <string.h>

/*
 * Head and tail only grow; each has one writer and a cache line of its own. Records are filled and
 * read in their slots, so that nothing is copied on the way.
 */
struct ss_event_ring {
	struct ss_event *slot;
	uint32_t mask;
	_Atomic uint32_t head SS_CACHE_ALIGNED; /* the producer's: records committed */
	_Atomic uint32_t tail SS_CACHE_ALIGNED; /* the consumer's: records released */
};

struct ss_event_ring *ss_event_ring_create(uint32_t size)
{
	if (size == 0 || (size & (size - 1)))
		return NULL;
	struct ss_event_ring *r = aligned_alloc(SS_CACHE_LINE, sizeof(*r));
	struct ss_event *slot = calloc(size, sizeof(*slot));
	if (!r || !slot) {
		free(r);
		free(slot);
		return NULL;
	}
	memset(r, 0, sizeof(*r));
	r->slot = slot;
	r->mask = size - 1;
	return r;
}

void ss_event_ring_free(struct ss_event_ring *r)
{
	if (!r)
		return;
	free(r->slot);
	free(r);
}

struct ss_event *ss_event_reserve(struct ss_event_ring *r)
{
	uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
	if (head - atomic_load_explicit(&r->tail, memory_order_acquire) > r->mask)
		return NULL;
	return &r->slot[head & r->mask];
}

void ss_event_commit(struct ss_event_ring *r)
{
	uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
	atomic_store_explicit(&r->head, head + 1, memory_order_release);
}

const struct ss_event *ss_event_peek(struct ss_event_ring *r)
{
	uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
	if (tail == atomic_load_explicit(&r->head, memory_order_acquire))
		return NULL;
	return &r->slot[tail & r->mask];
}

void ss_event_release(struct ss_event_ring *r)
{
	uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
	atomic_store_explicit(&r->tail, tail + 1, memory_order_release);
}

void ss_event_put(struct ss_event *ev, uint32_t *used, uint16_t *len, const void *s, uint32_t n)
{
	n = ss_min_u32(n, SS_EVENT_TEXT - *used);
	if (n)
		memcpy(ev->text + *used, s, n);
	*used += n;
	*len = (uint16_t)n;
}
