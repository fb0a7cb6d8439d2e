/*
 * port_io.c - bursts in, bursts out.
 *
 * A worker that owns a queue sends to the device; one that owns none sends to the ring of the worker that
 * does. Chains are copied by the owner, at the last moment, because only there is the device's pool at
 * hand: a copy into the device's own pool is the only copy that AF_XDP then makes.
 */
#include <rte_ethdev.h>

#include "port/port_int.h"

#define IN_BURST 32

static bool owns_queue(const struct ss_port_q *q)
{
	return !q->to_owner;
}

uint16_t ss_port_rx(struct ss_port_q *q, struct rte_mbuf **m)
{
	uint16_t n;
	uint64_t bytes = 0;

	if (q->sim)
		n = ss_port_sim_rx(q->sim, m, SS_BURST);
	else if (owns_queue(q))
		n = rte_eth_rx_burst(q->dev, q->queue, m, SS_BURST);
	else
		return 0;
	if (n == 0)
		return 0;
	for (uint16_t i = 0; i < n; i++)
		bytes += m[i]->pkt_len;
	q->fd_errors = 0;
	ss_count(q->counters, SS_C_RX_PACKETS, n);
	ss_count(q->counters, SS_C_RX_BYTES, bytes);
	return n;
}

static void refuse(struct ss_port_q *q, struct rte_mbuf *m, enum ss_drop why)
{
	ss_count_drop(q->counters, why);
	rte_pktmbuf_free(m);
}

/* The same packet in one buffer; m is freed. NULL (counted) when there is no buffer, or none so large. */
static struct rte_mbuf *linearize(struct ss_port_q *q, struct rte_mbuf *m)
{
	SS_STAGE_HERE(q->counters, SS_STAGE_PORT_TX);
	struct rte_mbuf *one = rte_pktmbuf_alloc(q->copy_pool ? q->copy_pool : m->pool);

	if (!one) {
		refuse(q, m, SS_DROP_MBUF_EMPTY);
		return NULL;
	}
	char *dst = rte_pktmbuf_append(one, (uint16_t)ss_min_u32(m->pkt_len, UINT16_MAX));
	if (!dst || one->pkt_len != m->pkt_len) {
		rte_pktmbuf_free(one);
		refuse(q, m, SS_DROP_PORT_TX_LONG);
		return NULL;
	}
	for (const struct rte_mbuf *s = m; s; s = s->next) {
		memcpy(dst, rte_pktmbuf_mtod(s, const char *), s->data_len);
		dst += s->data_len;
	}
	one->ol_flags = m->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK;
	one->tx_offload = m->tx_offload;
	rte_pktmbuf_free(m);
	ss_count(q->counters, SS_C_TX_LINEARIZED, 1);
	return one;
}

static uint64_t bytes_of(struct rte_mbuf *const *m, uint16_t n)
{
	uint64_t bytes = 0;

	for (uint16_t i = 0; i < n; i++)
		bytes += m[i]->pkt_len;
	return bytes;
}

/* Lets the device take what it will from out[]; the rest moves to the front. */
static void flush_device(struct ss_port_q *q)
{
	uint64_t bytes = bytes_of(q->out, q->n_out); /* the device frees what it takes */
	uint16_t sent = q->sim ? ss_port_sim_tx(q->sim, q->out, q->n_out)
			       : rte_eth_tx_burst(q->dev, q->queue, q->out, q->n_out);

	q->n_out -= sent;
	memmove(q->out, q->out + sent, q->n_out * sizeof(q->out[0]));
	ss_count(q->counters, SS_C_TX_PACKETS, sent);
	ss_count(q->counters, SS_C_TX_BYTES, bytes - bytes_of(q->out, q->n_out));
	q->stalled = sent || !q->n_out ? 0 : q->stalled + 1;
	if (q->stalled < PORT_STALL_CALLS)
		return;
	for (uint16_t i = 0; i < q->n_out; i++)
		refuse(q, q->out[i], SS_DROP_PORT_TX_FULL);
	q->n_out = q->stalled = 0;
}

static void put_out(struct ss_port_q *q, struct rte_mbuf *m)
{
	if (owns_queue(q) && m->nb_segs > q->max_segs) {
		m = linearize(q, m);
		if (!m)
			return;
	}
	q->out[q->n_out++] = m;
}

/* Packets of workers without a queue, as many as there is room for. */
static void drain_rings(struct ss_port_q *q)
{
	struct rte_mbuf *m[IN_BURST];

	for (uint16_t i = 0; i < q->n_in; i++) {
		uint32_t n;
		do {
			uint32_t room = ss_min_u32(IN_BURST, (uint32_t)(PORT_OUT - q->n_out));
			n = room ? rte_ring_sc_dequeue_burst(q->in[i], (void **)m, room, NULL) : 0;
			for (uint32_t k = 0; k < n; k++)
				put_out(q, m[k]);
			if (q->n_out == PORT_OUT)
				flush_device(q);
		} while (n);
	}
}

static uint32_t flush_ring(struct ss_port_q *q)
{
	uint32_t sent = rte_ring_sp_enqueue_burst(q->to_owner, (void *const *)q->out, q->n_out, NULL);

	ss_count(q->counters, SS_C_HANDOVER_PACKETS, sent);
	for (uint32_t i = sent; i < q->n_out; i++)
		refuse(q, q->out[i], SS_DROP_HANDOVER_FULL);
	q->n_out = 0;
	return 1u << q->owner;
}

void ss_port_push(struct ss_port_q *q, struct rte_mbuf *m)
{
	if (ss_unlikely(q->n_out == PORT_OUT)) {
		if (owns_queue(q))
			flush_device(q);
		else
			flush_ring(q);
		if (q->n_out == PORT_OUT) {
			refuse(q, m, SS_DROP_PORT_TX_FULL);
			return;
		}
	}
	put_out(q, m);
}

uint32_t ss_port_tx(struct ss_port_q *q)
{
	if (!owns_queue(q))
		return q->n_out ? flush_ring(q) : 0;
	if (q->n_in)
		drain_rings(q);
	if (q->n_out)
		flush_device(q);
	return 0;
}

bool ss_port_pending(const struct ss_port_q *q)
{
	if (q->n_out || (q->sim && ss_port_sim_pending(q->sim)))
		return true;
	for (uint16_t i = 0; i < q->n_in; i++)
		if (!rte_ring_empty(q->in[i]))
			return true;
	return false;
}

int ss_port_fd(struct ss_port_q *q)
{
	return q->fd;
}

bool ss_port_needs_tcp_csum(const struct ss_port_q *q)
{
	return q->needs_tcp_csum;
}
