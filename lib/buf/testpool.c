#include "buf/testpool.h"

#include <rte_eal.h>
#include <rte_lcore.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* One lcore (which may run on every processor), so that no pool keeps mbufs in per-lcore caches. */
static void start_eal(void)
{
	char prefix[32], lcores[32];
	snprintf(prefix, sizeof(prefix), "sstest%d", (int)getpid());
	snprintf(lcores, sizeof(lcores), "0@(0-%ld)", sysconf(_SC_NPROCESSORS_ONLN) - 1);
	char *argv[] = { "test", "--no-huge", "-m", "64", "--no-pci", "--no-telemetry", "--no-shconf",
			 "--file-prefix", prefix, "--lcores", lcores, "--log-level", "error", NULL };
	if (rte_eal_init((int)SS_ARRAY_LEN(argv) - 1, argv) < 0)
		abort();
	rmdir(rte_eal_get_runtime_dir()); /* made even when nothing is shared; empty */
}

struct ss_bufpool ss_testpool_create(const char *name, uint32_t count)
{
	struct ss_bufpool bp = { 0 };
	if (rte_lcore_count() == 0) /* as it is before rte_eal_init */
		start_eal();
	bp.mp = rte_pktmbuf_pool_create(name, count, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (!bp.mp)
		abort();
	return bp;
}

uint32_t ss_testpool_used(const struct ss_bufpool *bp)
{
	return rte_mempool_in_use_count(bp->mp);
}

void ss_testpool_free(struct ss_bufpool *bp)
{
	rte_mempool_free(bp->mp);
	bp->mp = NULL;
}
