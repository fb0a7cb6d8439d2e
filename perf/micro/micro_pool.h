/*
 * micro_pool.h - packet buffers for the benches. (The pool of the unit tests has no cache in front of it, and
 * hands out the buffer that was freed the longest time ago: each packet would be a cache miss.)
 *
 * Takes:   a name that no other pool has.
 * Gives:   a pool; the EAL is started with the first one. Free it with ss_testpool_free.
 * Owns:    nothing.
 * Thread:  the program's only one.
 */
#ifndef SS_MICRO_POOL_H
#define SS_MICRO_POOL_H

#include "buf/buf.h"

struct ss_bufpool micro_pool(const char *name, uint32_t count);

#endif
