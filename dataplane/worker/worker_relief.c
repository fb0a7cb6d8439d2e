/*
 * worker_relief.c - keeps slow readers from starving the port.
 *
 * Received bytes stay in the packet buffers they came in until the other side has taken them. Many slow
 * readers could hold all of a port's buffers that way, and then the very acknowledgements that would let
 * them go could not be received. So, when a port's pool runs low, what carries a payload is copied
 * into our own buffers; when those run low too it is dropped, and its sender sends it again later.
 */
#include "worker/worker_int.h"

/* What is smaller carries no payload to speak of and is freed within the turn. */
#define SMALL 128u
/* A pool with less than this share free is low. */
#define LOW_PART 4u
/* Counting what is free visits every thread's cache: done for one burst in so many. */
#define LOOK_EVERY 16u

/* A connection may hold this share of what is free, counted in full segments. */
#define SHARE 128u
#define PAYLOAD 1448u

/* Buffers that are free before the pool is low; 0: it is. */
static uint32_t spare(const struct rte_mempool *mp)
{
	uint32_t avail = rte_mempool_avail_count(mp), reserve = mp->size / LOW_PART;

	return avail > reserve ? avail - reserve : 0;
}

/*
 * What a connection may hold shrinks with what is free (dynamic thresholds: Choudhury, Hahne 1998): however
 * many readers stand still, a share stays free for those that do not.
 */
static void share(struct ss_worker *w, uint8_t iface, const struct rte_mempool *mp)
{
	uint32_t least = w->spare[iface] = spare(mp);

	w->low[iface] = least == 0;
	w->port_used[iface] = 100 - (uint32_t)((uint64_t)rte_mempool_avail_count(mp) * 100 / mp->size);
	for (uint16_t i = 0; i < w->n_ifs; i++)
		least = ss_min_u32(least, w->spare[i]);
	ss_tcp_limit(w->tcp, (uint32_t)ss_min_u64((uint64_t)(least + spare(w->bufs.mp)) * PAYLOAD / SHARE,
						  UINT32_MAX));
}

static struct rte_mbuf *move(struct ss_worker *w, struct rte_mbuf *m, bool room)
{
	struct rte_mbuf *own = room ? rte_pktmbuf_copy(m, w->bufs.mp, 0, UINT32_MAX) : NULL;

	rte_pktmbuf_free(m);
	if (!own)
		ss_count_drop(w->counters, SS_DROP_MBUF_EMPTY);
	else
		w->bufs.copies += own->pkt_len;
	return own;
}

uint16_t ss_worker_relieve(struct ss_worker *w, uint8_t iface, struct rte_mbuf **m, uint16_t n)
{
	uint16_t left = 0;
	bool room;

	if (n && w->bursts[iface]++ % LOOK_EVERY == 0)
		share(w, iface, m[0]->pool);
	if (!n || !w->low[iface] || m[0]->pool == w->bufs.mp)
		return n;
	room = spare(w->bufs.mp) != 0;
	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *kept = m[i]->pkt_len > SMALL ? move(w, m[i], room) : m[i];
		if (kept)
			m[left++] = kept;
	}
	return left;
}
