/*
 * testpool.h - an EAL and mbuf pools for unit tests.
 *
 * Takes:   a name that no other test uses.
 * Gives:   a pool; the EAL is started with the first one, without hugepages, devices or files.
 * Owns:    nothing: the caller frees the pool.
 * Thread:  the test's main thread.
 */
#ifndef SS_TESTPOOL_H
#define SS_TESTPOOL_H

#include "buf/buf.h"

/* count mbufs with the default 2048 bytes of room and headroom. Aborts the test when it cannot. */
struct ss_bufpool ss_testpool_create(const char *name, uint32_t count);
/* mbufs of the pool that are out: 0 at the end of every test. */
uint32_t ss_testpool_used(const struct ss_bufpool *bp);
void ss_testpool_free(struct ss_bufpool *bp);

#endif
