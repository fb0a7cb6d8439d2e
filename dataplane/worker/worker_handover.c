/*
 * worker_handover.c - frames that arrived at one worker and belong to another.
 *
 * One single-producer single-consumer ring per ordered pair of workers: with more workers than cores
 * the default multi-producer rings spin while a preempted producer holds them up. The rings sit
 * between port and net: the owner of a frame treats it as if its own queue had received it.
 */
#include <rte_ring.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "worker/worker_int.h"

#define RING_SLOTS 1024

struct ss_handover {
	uint16_t n;
	struct rte_ring *ring[SS_MAX_WORKERS][SS_MAX_WORKERS]; /* [from][to] */
	struct ss_mailbox *mail[SS_MAX_WORKERS];               /* set when the worker is created */
	struct {
		_Atomic bool asleep; /* written by its worker, read by the others */
	} SS_CACHE_ALIGNED worker[SS_MAX_WORKERS];
};

int ss_handover_create(struct ss_handover **out, uint16_t n_workers)
{
	struct ss_handover *h = aligned_alloc(SS_CACHE_LINE, sizeof(*h));

	if (!h)
		return SS_ERR_NO_MEM;
	memset(h, 0, sizeof(*h));
	h->n = n_workers;
	for (unsigned from = 0; from < n_workers; from++) {
		for (unsigned to = 0; to < n_workers; to++) {
			char name[RTE_RING_NAMESIZE];
			snprintf(name, sizeof(name), "handover_%u_%u", (uint8_t)from, (uint8_t)to);
			if (from != to)
				h->ring[from][to] = rte_ring_create(name, RING_SLOTS, SOCKET_ID_ANY,
								    RING_F_SP_ENQ | RING_F_SC_DEQ);
			if (from != to && !h->ring[from][to]) {
				ss_handover_free(h);
				return SS_ERR_NO_MEM;
			}
		}
	}
	*out = h;
	return 0;
}

void ss_handover_free(struct ss_handover *h)
{
	if (!h)
		return;
	for (unsigned from = 0; from < h->n; from++) {
		for (unsigned to = 0; to < h->n; to++) {
			void *m;
			while (h->ring[from][to] && rte_ring_sc_dequeue(h->ring[from][to], &m) == 0)
				rte_pktmbuf_free(m);
			rte_ring_free(h->ring[from][to]);
		}
	}
	free(h);
}

void ss_handover_join(struct ss_handover *h, uint16_t worker, struct ss_mailbox *mail)
{
	h->mail[worker] = mail;
}

/* Takes m always. The receiver learns the interface from m->port, which net does not need before. */
static void hand(struct ss_worker *w, uint16_t to, uint8_t iface, struct rte_mbuf *m)
{
	m->port = iface;
	if (rte_ring_sp_enqueue(w->conf.handover->ring[w->index][to], m) < 0) {
		rte_pktmbuf_free(m);
		ss_count_drop(w->counters, SS_DROP_HANDOVER_FULL);
		return;
	}
	w->wake |= 1u << to;
	ss_count(w->counters, SS_C_HANDOVER_PACKETS, 1);
}

/* ARP is for every worker's table of neighbours: a copy for each of the others. */
static void hand_copies(struct ss_worker *w, uint8_t iface, const struct rte_mbuf *m)
{
	for (uint16_t to = 0; to < w->n_workers; to++) {
		struct rte_mbuf *copy;
		if (to == w->index)
			continue;
		copy = rte_pktmbuf_copy(m, w->bufs.mp, 0, UINT32_MAX);
		if (copy)
			hand(w, to, iface, copy);
		else
			ss_count_drop(w->counters, SS_DROP_MBUF_EMPTY);
	}
}

uint16_t ss_worker_sort(struct ss_worker *w, uint8_t iface, uint16_t n)
{
	uint16_t kept = 0;

	if (!w->conf.handover)
		return n;
	for (uint16_t i = 0; i < n; i++) {
		uint16_t to = ss_net_steer(w->pkts[i], w->n_workers);
		if (to == SS_NET_EVERYONE)
			hand_copies(w, iface, w->pkts[i]);
		if (to == w->index || to == SS_NET_EVERYONE)
			w->pkts[kept++] = w->pkts[i];
		else
			hand(w, to, iface, w->pkts[i]);
	}
	return kept;
}

uint16_t ss_worker_take(struct ss_worker *w, uint16_t from)
{
	struct rte_ring *r = w->conf.handover ? w->conf.handover->ring[from][w->index] : NULL;

	return r ? (uint16_t)rte_ring_sc_dequeue_burst(r, (void **)w->pkts, SS_BURST, NULL) : 0;
}

void ss_worker_wake_others(struct ss_worker *w)
{
	uint32_t wake = w->wake;

	if (!wake || !w->conf.handover)
		return;
	w->wake = 0;
	/* Orders "frame in ring" before "does it sleep"; the sleeper does the two the other way round. */
	atomic_thread_fence(memory_order_seq_cst);
	for (; wake; wake &= wake - 1) {
		unsigned i = (unsigned)__builtin_ctz(wake);
		if (atomic_load_explicit(&w->conf.handover->worker[i].asleep, memory_order_relaxed))
			ss_mailbox_wake(w->conf.handover->mail[i]);
	}
}

bool ss_worker_set_asleep(struct ss_worker *w)
{
	struct ss_handover *h = w->conf.handover;

	if (h) {
		atomic_store_explicit(&h->worker[w->index].asleep, true, memory_order_relaxed);
		atomic_thread_fence(memory_order_seq_cst);
		for (uint16_t from = 0; from < h->n; from++)
			if (h->ring[from][w->index] && !rte_ring_empty(h->ring[from][w->index]))
				return false;
	}
	for (uint16_t i = 0; i < w->n_ifs; i++)
		if (ss_port_pending(w->port[i].q))
			return false;
	return true;
}

void ss_worker_set_awake(struct ss_worker *w)
{
	struct ss_handover *h = w->conf.handover;

	if (h)
		atomic_store_explicit(&h->worker[w->index].asleep, false, memory_order_relaxed);
}
