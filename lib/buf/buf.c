#include "buf/buf.h"

#include <string.h>

#include "base/err.h"

struct rte_mbuf *ss_buf_alloc(struct ss_bufpool *bp)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(bp->mp);
	if (ss_unlikely(!m))
		bp->fails++;
	return m;
}

/* Links one mbuf that is alone (next NULL, nb_segs 1) to the back. */
static inline void link_back(struct ss_bufq *q, struct rte_mbuf *m)
{
	if (q->tail)
		q->tail->next = m;
	else
		q->head = m;
	q->tail = m;
	q->len += m->data_len;
}

void ss_bufq_push(struct ss_bufq *q, struct rte_mbuf *m)
{
	while (m) {
		struct rte_mbuf *next = m->next;
		m->next = NULL;
		m->nb_segs = 1;
		m->pkt_len = m->data_len;
		if (m->data_len)
			link_back(q, m);
		else
			rte_pktmbuf_free_seg(m);
		m = next;
	}
}

void ss_bufq_move(struct ss_bufq *to, struct ss_bufq *from)
{
	if (!from->head)
		return;
	if (to->tail)
		to->tail->next = from->head;
	else
		to->head = from->head;
	to->tail = from->tail;
	to->len += from->len;
	ss_bufq_init(from);
}

static inline struct rte_mbuf *unlink_front(struct ss_bufq *q)
{
	struct rte_mbuf *m = q->head;
	q->head = m->next;
	if (!q->head)
		q->tail = NULL;
	q->len -= m->data_len;
	m->next = NULL;
	return m;
}

void ss_bufq_drop(struct ss_bufq *q, uint32_t n)
{
	assert(n <= q->len);
	while (n && n >= q->head->data_len) {
		struct rte_mbuf *m = unlink_front(q);
		n -= m->data_len;
		rte_pktmbuf_free_seg(m);
	}
	if (n) {
		rte_pktmbuf_adj(q->head, (uint16_t)n);
		q->len -= n;
	}
}

void ss_bufq_free(struct ss_bufq *q)
{
	ss_bufq_drop(q, q->len);
}

struct ss_span ss_bufq_front(const struct ss_bufq *q)
{
	if (!q->head)
		return SS_SPAN_NONE;
	return ss_span(rte_pktmbuf_mtod(q->head, const uint8_t *), q->head->data_len);
}

struct rte_mbuf *ss_bufq_at(const struct ss_bufq *q, uint32_t *off)
{
	struct rte_mbuf *m = q->head;
	while (*off >= m->data_len) {
		*off -= m->data_len;
		m = m->next;
	}
	return m;
}

uint32_t ss_bufq_read(const struct ss_bufq *q, uint32_t off, void *dst, uint32_t n)
{
	if (off >= q->len)
		return 0;
	n = ss_min_u32(n, q->len - off);
	uint8_t *p = dst;
	const struct rte_mbuf *m = n ? ss_bufq_at(q, &off) : NULL;
	for (uint32_t left = n; left; m = m->next, off = 0) {
		uint32_t k = ss_min_u32(left, m->data_len - off);
		memcpy(p, rte_pktmbuf_mtod_offset(m, const uint8_t *, off), k);
		p += k;
		left -= k;
	}
	return n;
}

const uint8_t *ss_bufq_peek(const struct ss_bufq *q, uint32_t off, uint32_t n, void *scratch)
{
	assert(n <= q->len && off <= q->len - n);
	if (n == 0)
		return scratch;
	uint32_t inside = off;
	const struct rte_mbuf *m = ss_bufq_at(q, &inside);
	if (n <= m->data_len - inside)
		return rte_pktmbuf_mtod_offset(m, const uint8_t *, inside);
	ss_bufq_read(q, off, scratch, n);
	return scratch;
}
