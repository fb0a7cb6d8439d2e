/*
 * micro_pool.c - packet buffers as a worker has them: those freed last are taken first, and are in the cache.
 */
#include <stdlib.h>

#include "buf/testpool.h"
#include "perf/micro/micro_pool.h"

struct ss_bufpool micro_pool(const char *name, uint32_t count)
{
	struct ss_bufpool first = ss_testpool_create("micro-first", 1), p = {0}; /* starts the EAL */

	ss_testpool_free(&first);
	p.mp = rte_pktmbuf_pool_create(name, count, RTE_MEMPOOL_CACHE_MAX_SIZE, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
				       SOCKET_ID_ANY);
	if (!p.mp)
		abort();
	return p;
}
