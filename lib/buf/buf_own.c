/*
 * buf_own.c - bytes changed where they lie: who may, and room before and behind them.
 */
#include <string.h>

#include "base/err.h"
#include "buf/buf.h"

static inline bool ours_alone(const struct rte_mbuf *m)
{
	return rte_mbuf_refcnt_read(m) == 1 && RTE_MBUF_DIRECT(m);
}

/* The bytes of m in fresh mbufs. */
static int copy_of(struct ss_bufq *out, const struct rte_mbuf *m, struct ss_bufpool *bp)
{
	ss_bufq_init(out);
	int err = ss_bufq_append(out, bp, rte_pktmbuf_mtod(m, const uint8_t *), m->data_len);
	if (err == 0)
		bp->copies += m->data_len;
	return err;
}

int ss_bufq_own(struct ss_bufq *q, struct ss_bufpool *bp)
{
	struct rte_mbuf **link = &q->head, *m;

	for (; (m = *link); link = &m->next) {
		struct ss_bufq copy;

		if (ss_likely(ours_alone(m)))
			continue;
		/* What was replaced before this one stays so: the same bytes. */
		if (copy_of(&copy, m, bp) < 0)
			return SS_ERR_NO_MEM;
		copy.tail->next = m->next;
		if (q->tail == m)
			q->tail = copy.tail;
		*link = copy.head;
		m->next = NULL;
		rte_pktmbuf_free_seg(m);
		m = copy.tail;
	}
	return 0;
}

uint8_t *ss_bufq_prepend(struct ss_bufq *q, uint32_t n, struct ss_bufpool *bp)
{
	struct rte_mbuf *m = q->head;

	assert(n <= SS_BUF_GROW);
	if (!m || !ours_alone(m) || rte_pktmbuf_headroom(m) < n) {
		m = ss_buf_alloc(bp);
		if (!m)
			return NULL;
		/* Default headroom stays before the bytes. */
		m->next = q->head;
		q->head = m;
		if (!q->tail)
			q->tail = m;
		m->data_len = (uint16_t)n;
	} else {
		m->data_off -= (uint16_t)n;
		m->data_len += (uint16_t)n;
	}
	m->pkt_len = m->data_len;
	q->len += n;
	return rte_pktmbuf_mtod(m, uint8_t *);
}

uint8_t *ss_bufq_extend(struct ss_bufq *q, uint32_t n, struct ss_bufpool *bp)
{
	struct rte_mbuf *m = q->tail;

	assert(n <= SS_BUF_GROW);
	if (!m || !ours_alone(m) || rte_pktmbuf_tailroom(m) < n) {
		m = ss_buf_alloc(bp);
		if (!m)
			return NULL;
		if (q->tail)
			q->tail->next = m;
		else
			q->head = m;
		q->tail = m;
	}
	uint8_t *p = rte_pktmbuf_mtod_offset(m, uint8_t *, m->data_len);
	m->data_len += (uint16_t)n;
	m->pkt_len = m->data_len;
	q->len += n;
	return p;
}

/* k bytes at off leave m, which is longer. */
static void close_gap(struct rte_mbuf *m, uint32_t off, uint32_t k)
{
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);
	uint32_t behind = m->data_len - off - k;

	if (off < behind) {
		memmove(p + k, p, off);
		m->data_off += (uint16_t)k;
	} else {
		memmove(p + off, p + off + k, behind);
	}
	m->data_len -= (uint16_t)k;
	m->pkt_len = m->data_len;
}

void ss_bufq_remove(struct ss_bufq *q, uint32_t off, uint32_t n)
{
	struct rte_mbuf *before = NULL, *m = q->head;

	assert(n <= q->len && off <= q->len - n);
	while (n && off >= m->data_len) {
		off -= m->data_len;
		before = m;
		m = m->next;
	}
	q->len -= n;
	while (n) {
		uint32_t k = ss_min_u32(n, m->data_len - off);

		n -= k;
		if (k < m->data_len) {
			close_gap(m, off, k);
			before = m;
			m = m->next;
			off = 0;
			continue;
		}
		struct rte_mbuf *gone = m;
		m = gone->next;
		if (before)
			before->next = m;
		else
			q->head = m;
		if (!m)
			q->tail = before;
		gone->next = NULL;
		rte_pktmbuf_free_seg(gone);
	}
}
