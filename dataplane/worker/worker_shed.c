/*
 * worker_shed.c - says to the proxy which requests to refuse at once, before a pool is empty or a queue long.
 *
 * Three measures: packet buffers (ours and the ports'), connections, and how long a turn takes: what arrives
 * during a turn waits for its end, so the shortest busy turn of a while is a queue that stands (as in CoDel: Nichols,
 * Jacobson 2012). One long turn alone is none: the core may have been somebody else's. Requests of low rank go first,
 * well below the watermark; those of high rank last.
 */
#include "contract/shed.h"
#include "worker/worker_int.h"

/* A look at the pools visits every thread's cache. */
#define LOOK_EVERY_NS (10 * SS_NS_PER_MS)
/* The low ones are refused from this share of a watermark on. */
#define LOW_PART(mark) ((mark) - (mark) / 8)

/* Ranks refused (0 to 3) when `used` of 100 are in use: low, default, high. 0: no watermark. */
static uint32_t by_share(uint32_t used, uint32_t mark)
{
	if (!mark || used < LOW_PART(mark))
		return 0;
	return used < mark ? 1 : used < (mark + 100) / 2 ? 2 : 3;
}

uint32_t ss_worker_shed_level(const struct ss_worker_conf *c, const struct ss_worker_use *u)
{
	uint32_t level = ss_max_u32(by_share(u->mbufs, c->shed_mbufs), by_share(u->conns, c->shed_conns));

	return ss_max_u32(level, ss_shed_by_delay(u->delay_ns, c->shed_delay_ns));
}

static uint32_t mbufs_used(const struct ss_worker *w)
{
	const struct rte_mempool *mp = w->bufs.mp;
	uint32_t used = 100 - (uint32_t)((uint64_t)rte_mempool_avail_count(mp) * 100 / mp->size);

	for (uint16_t i = 0; i < w->n_ifs; i++)
		used = ss_max_u32(used, w->port_used[i]);
	return used;
}

/* A turn may be longer than what lies between two looks, and then it is all that a look has seen: two agree. */
static uint64_t standing_delay(struct ss_worker *w)
{
	uint64_t least = w->turn_min == SS_NEVER ? 0 : w->turn_min, before = w->turn_min_before;

	w->turn_min_before = least;
	w->turn_min = SS_NEVER;
	return ss_min_u64(least, before);
}

void ss_worker_shed(struct ss_worker *w, uint64_t now)
{
	struct ss_worker_use u;

	if (now < w->shed_at)
		return;
	w->shed_at = now + LOOK_EVERY_NS;
	u = (struct ss_worker_use){
		.mbufs = mbufs_used(w),
		.conns = (uint32_t)((uint64_t)ss_tcp_conns(w->tcp) * 100 / ss_max_u32(w->conf.conns, 1)),
		.delay_ns = standing_delay(w)};
	ss_proxy_shed(w->proxy, ss_worker_shed_level(&w->conf, &u));
}
