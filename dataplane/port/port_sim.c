/*
 * port_sim.c - an in-memory port for tests and simulations: two queues of packets.
 *
 * Takes the same way through push and tx as a device (copying chains, counting), so that what a test sees
 * on the wire is what a wire would see.
 */
#include <stdlib.h>

#include "port/port_int.h"

#define SIM_QUEUE 4096 /* a power of two */

struct sim_fifo {
	uint32_t head, tail;
	struct rte_mbuf *m[SIM_QUEUE];
};

struct ss_port_sim {
	struct sim_fifo rx, tx;
};

static bool fifo_put(struct sim_fifo *f, struct rte_mbuf *m)
{
	if (f->tail - f->head == SIM_QUEUE)
		return false;
	f->m[f->tail++ % SIM_QUEUE] = m;
	return true;
}

static struct rte_mbuf *fifo_take(struct sim_fifo *f)
{
	return f->head == f->tail ? NULL : f->m[f->head++ % SIM_QUEUE];
}

static void fifo_free(struct sim_fifo *f)
{
	for (struct rte_mbuf *m; (m = fifo_take(f));)
		rte_pktmbuf_free(m);
}

struct ss_port_q *ss_port_sim_create(struct ss_counters *c, bool multi_segs)
{
	struct ss_port_q *q = calloc(1, sizeof(*q));
	struct ss_port_sim *s = calloc(1, sizeof(*s));

	if (!q || !s) {
		free(q);
		free(s);
		return NULL;
	}
	q->sim = s;
	q->counters = c;
	q->fd = -1;
	q->max_segs = multi_segs ? UINT16_MAX : 1;
	q->needs_tcp_csum = true;
	return q;
}

void ss_port_sim_free(struct ss_port_q *q)
{
	if (!q)
		return;
	fifo_free(&q->sim->rx);
	fifo_free(&q->sim->tx);
	for (uint16_t i = 0; i < q->n_out; i++)
		rte_pktmbuf_free(q->out[i]);
	free(q->sim);
	free(q);
}

void ss_port_sim_put(struct ss_port_q *q, struct rte_mbuf *m)
{
	if (!fifo_put(&q->sim->rx, m))
		rte_pktmbuf_free(m);
}

struct rte_mbuf *ss_port_sim_take(struct ss_port_q *q)
{
	return fifo_take(&q->sim->tx);
}

uint16_t ss_port_sim_rx(struct ss_port_sim *s, struct rte_mbuf **m, uint16_t n)
{
	uint16_t i = 0;

	while (i < n && (m[i] = fifo_take(&s->rx)))
		i++;
	return i;
}

uint16_t ss_port_sim_tx(struct ss_port_sim *s, struct rte_mbuf **m, uint16_t n)
{
	uint16_t i = 0;

	while (i < n && fifo_put(&s->tx, m[i]))
		i++;
	return i;
}

bool ss_port_sim_pending(const struct ss_port_sim *s)
{
	return s->rx.head != s->rx.tail;
}
