/*
 * load_delay.h - how long the origin waits before it answers, and which answer is due next.
 *
 * Takes:   shares of requests with their delays; things with a due time.
 * Gives:   a delay per request, in exact shares; the things that are due, to the nanosecond of the caller's clock.
 * Owns:    the heap's array.
 * Thread:  one owner.
 *
 * A wheel with a tick of a millisecond would not do: delays are set in microseconds, and the loop spins anyway.
 */
#ifndef SS_LOAD_DELAY_H
#define SS_LOAD_DELAY_H

#include "base/base.h"

#define SS_LOAD_MAX_DELAYS 8

struct ss_load_share {
	uint64_t ns;
	double share; /* 0..1 of the requests */
};

struct ss_load_delays {
	uint32_t n;
	struct ss_load_share v[SS_LOAD_MAX_DELAYS];
	uint64_t base_ns; /* of all other requests */
	uint64_t draw;    /* golden-ratio steps: any stretch meets every share to a request or two */
};

/* The next request's delay. */
uint64_t ss_load_delays_draw(struct ss_load_delays *d);

#define SS_LOAD_NOT_DUE UINT32_MAX

/* To be embedded in what waits. */
struct ss_load_due {
	uint64_t at;
	uint32_t place; /* in the heap, or SS_LOAD_NOT_DUE */
};

struct ss_load_heap {
	uint32_t n, cap;
	struct ss_load_due **v;
};

int ss_load_heap_create(struct ss_load_heap *h, uint32_t cap);
void ss_load_heap_free(struct ss_load_heap *h);
/* 0, or SS_ERR_FULL. */
int ss_load_heap_add(struct ss_load_heap *h, struct ss_load_due *d, uint64_t at);
/* Harmless for what is not in it. */
void ss_load_heap_remove(struct ss_load_heap *h, struct ss_load_due *d);
/* The earliest that is due at `now`, taken out; NULL: none. */
struct ss_load_due *ss_load_heap_pop(struct ss_load_heap *h, uint64_t now);

#endif
