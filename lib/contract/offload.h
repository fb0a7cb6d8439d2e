/*
 * offload.h - an engine that does key operations of handshakes, as those see it who run handshakes.
 *
 * Takes:   how each handshake's operations went.
 * Gives:   the two calls an executor of handshakes owes the engine; whether it is still in use.
 * Owns:    nothing; control makes it (ctrl/engine), and it outlives workers and handshake threads.
 * Thread:  begin, poll, failed, worked: any executor; off is set by control alone. Atomics, no locks.
 * Errors:  none.
 *
 * No word of OpenSSL's ENGINE here: a provider can stand behind the same struct.
 */
#ifndef SS_OFFLOAD_H
#define SS_OFFLOAD_H

#include <stdatomic.h>

#include "base/base.h"

/* An operation that has not come back after so long counts as failed, once. */
#define SS_OFFLOAD_LATE_NS SS_NS_PER_SEC
/* So many handshakes failed or late with none that succeeded between them: control turns it off. */
#define SS_OFFLOAD_FAILURES 8

struct ss_offload {
	void (*begin)(void);         /* first on each thread that runs handshakes */
	void (*poll)(void *engine);  /* fetches what is done; often while any handshake is paused, else now and then */
	void *engine;
	_Atomic bool off;            /* no handshake that begins now gets it */
	_Atomic uint32_t in_row;     /* failures since the last success */
};

static inline void ss_offload_begin(const struct ss_offload *o)
{
	if (o)
		o->begin();
}

static inline void ss_offload_poll(const struct ss_offload *o)
{
	if (o)
		o->poll(o->engine);
}

static inline void ss_offload_failed(struct ss_offload *o)
{
	atomic_fetch_add_explicit(&o->in_row, 1, memory_order_relaxed);
}

static inline void ss_offload_worked(struct ss_offload *o)
{
	if (atomic_load_explicit(&o->in_row, memory_order_relaxed))
		atomic_store_explicit(&o->in_row, 0, memory_order_relaxed);
}

static inline bool ss_offload_is_off(const struct ss_offload *o)
{
	return atomic_load_explicit(&o->off, memory_order_relaxed);
}

#endif
