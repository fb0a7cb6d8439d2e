/*
 * crew_int.h - the struct behind crew.h, for its two files: crew.c is the workers' side, crew_thread.c the
 * threads'.
 */
#ifndef SS_CREW_INT_H
#define SS_CREW_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "crew/crew.h"

/* Head and tail only grow; each has one writer and a cache line of its own. slots is a power of two. */
struct crew_lane {
	_Atomic uint32_t head SS_CACHE_ALIGNED;
	_Atomic uint32_t tail SS_CACHE_ALIGNED;
	struct ss_crew_job **slot;
};

/* Between one worker and one thread. No lane can overflow: `out` bounds what is in both of them. */
struct crew_pair {
	struct crew_lane down, up;
	uint32_t out; /* jobs that the worker waits for; the worker's own */
	bool fresh;   /* given since the last flush; the same */
};

struct crew_thread {
	struct ss_crew *crew;
	uint16_t index;
	bool started;
	pthread_t id;
	int fd; /* wakes it */
	struct ss_crew_job *kept, **kept_end; /* jobs that wait for the offload, in order */
	_Atomic bool asleep SS_CACHE_ALIGNED;
};

struct crew_worker {
	_Atomic bool asleep SS_CACHE_ALIGNED;
	uint16_t next; /* the thread whose lane take looks at first */
};

struct ss_crew {
	struct ss_crew_conf conf;
	uint32_t mask; /* slots - 1 */
	_Atomic bool stop;
	bool stopped; /* no thread runs any more */
	struct ss_crew_job **slots;
	struct crew_thread thread[SS_MAX_CREW];
	struct crew_worker worker[SS_MAX_WORKERS];
	struct crew_pair pair[SS_MAX_WORKERS][SS_MAX_CREW];
};

static inline void ss_crew_put(const struct ss_crew *c, struct crew_lane *l, struct ss_crew_job *job)
{
	uint32_t head = atomic_load_explicit(&l->head, memory_order_relaxed);

	l->slot[head & c->mask] = job;
	atomic_store_explicit(&l->head, head + 1, memory_order_release);
}

static inline bool ss_crew_any(struct crew_lane *l)
{
	return atomic_load_explicit(&l->tail, memory_order_relaxed) !=
	       atomic_load_explicit(&l->head, memory_order_acquire);
}

static inline struct ss_crew_job *ss_crew_get(const struct ss_crew *c, struct crew_lane *l)
{
	uint32_t tail = atomic_load_explicit(&l->tail, memory_order_relaxed);
	struct ss_crew_job *job;

	if (!ss_crew_any(l))
		return NULL;
	job = l->slot[tail & c->mask];
	atomic_store_explicit(&l->tail, tail + 1, memory_order_release);
	return job;
}

/* crew_thread.c */
int ss_crew_start(struct crew_thread *t);
/* False: it does not end in time. */
bool ss_crew_join(struct crew_thread *t);
void ss_crew_wake(struct crew_thread *t);

#endif
