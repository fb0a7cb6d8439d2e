#include <string.h>

#include "base/err.h"
#include "buf/buf.h"

/*
 * The calls that copy. Each first takes every mbuf that it will need, so that an empty pool is found
 * out before anything has changed.
 */

/* A cut whose front part is this small joins the mbuf before it, when that has room. */
#define JOIN_MAX 256

/* Free bytes behind the queue's last byte; none when someone else can see that mbuf. */
static inline uint32_t tail_room(const struct ss_bufq *q)
{
	const struct rte_mbuf *t = q->tail;
	if (!t || rte_mbuf_refcnt_read(t) != 1 || !RTE_MBUF_DIRECT(t))
		return 0;
	return rte_pktmbuf_tailroom(t);
}

/* Empty mbufs for n bytes, linked by next. *out is NULL when n is 0. */
static int reserve(struct ss_bufpool *bp, uint32_t n, struct rte_mbuf **out)
{
	*out = NULL;
	while (n) {
		struct rte_mbuf *m = ss_buf_alloc(bp);
		if (!m) {
			rte_pktmbuf_free(*out);
			*out = NULL;
			return SS_ERR_NO_MEM;
		}
		n -= ss_min_u32(n, rte_pktmbuf_tailroom(m));
		m->next = *out;
		*out = m;
	}
	return 0;
}

/* Copies n bytes behind the tail, taking fresh mbufs as they are needed. */
static void feed(struct ss_bufq *q, struct rte_mbuf **fresh, const uint8_t *src, uint32_t n)
{
	while (n) {
		if (tail_room(q) == 0) {
			struct rte_mbuf *m = *fresh;
			*fresh = m->next;
			m->next = NULL;
			if (q->tail)
				q->tail->next = m;
			else
				q->head = m;
			q->tail = m;
		}
		uint32_t k = ss_min_u32(n, tail_room(q));
		memcpy(rte_pktmbuf_append(q->tail, (uint16_t)k), src, k);
		q->len += k;
		src += k;
		n -= k;
	}
}

int ss_bufq_append(struct ss_bufq *q, struct ss_bufpool *bp, const void *src, uint32_t n)
{
	struct rte_mbuf *fresh;
	uint32_t room = tail_room(q);
	int err = reserve(bp, n > room ? n - room : 0, &fresh);
	if (err < 0)
		return err;
	feed(q, &fresh, src, n);
	return 0;
}

int ss_bufq_copy(struct ss_bufq *to, const struct ss_bufq *from, uint32_t off, uint32_t n,
		 struct ss_bufpool *bp)
{
	assert(n <= from->len && off <= from->len - n);
	struct rte_mbuf *fresh;
	uint32_t room = tail_room(to);
	int err = reserve(bp, n > room ? n - room : 0, &fresh);
	if (err < 0)
		return err;
	bp->copies += n;
	for (const struct rte_mbuf *m = from->head; n; m = m->next) {
		if (off >= m->data_len) {
			off -= m->data_len;
			continue;
		}
		uint32_t k = ss_min_u32(n, m->data_len - off);
		feed(to, &fresh, rte_pktmbuf_mtod_offset(m, const uint8_t *, off), k);
		off = 0;
		n -= k;
	}
	return 0;
}

/* Takes the whole mbufs of the first n bytes over; returns what is left of n inside the next one. */
static uint32_t take_whole(struct ss_bufq *to, struct ss_bufq *from, uint32_t n)
{
	struct ss_bufq part = { from->head, NULL, 0 };
	struct rte_mbuf *m = from->head;
	while (m && n >= m->data_len) {
		n -= m->data_len;
		part.len += m->data_len;
		part.tail = m;
		m = m->next;
	}
	if (!part.tail)
		return n;
	part.tail->next = NULL;
	from->head = m;
	from->tail = m ? from->tail : NULL;
	from->len -= part.len;
	ss_bufq_move(to, &part);
	return n;
}

/* The front mbuf of `from` moves to `to`, but its last bytes (in fresh copies) stay. */
static void keep_end(struct ss_bufq *to, struct ss_bufq *from, uint32_t cut, struct rte_mbuf *fresh)
{
	struct rte_mbuf *m = from->head;
	struct ss_bufq end, rest = { m->next, m->next ? from->tail : NULL, from->len - m->data_len };
	ss_bufq_init(&end);
	feed(&end, &fresh, rte_pktmbuf_mtod_offset(m, const uint8_t *, cut), m->data_len - cut);
	m->next = NULL;
	rte_pktmbuf_trim(m, (uint16_t)(m->data_len - cut));
	ss_bufq_push(to, m);
	ss_bufq_move(&end, &rest);
	*from = end;
}

int ss_bufq_take(struct ss_bufq *to, struct ss_bufq *from, uint32_t n, struct ss_bufpool *bp)
{
	assert(n <= from->len);
	uint32_t cut = n;
	struct rte_mbuf *m = from->head, *last = to->tail, *fresh = NULL;
	for (; m && cut >= m->data_len; last = m, m = m->next)
		cut -= m->data_len;
	if (!cut) {
		take_whole(to, from, n);
		return 0;
	}
	struct ss_bufq before = { .tail = last }; /* what the copied front part would follow */
	uint32_t end = m->data_len - cut;
	bool join = cut <= JOIN_MAX && cut <= tail_room(&before);
	if (!join && reserve(bp, ss_min_u32(cut, end), &fresh) < 0)
		return SS_ERR_NO_MEM;
	take_whole(to, from, n);
	bp->copies += join ? cut : ss_min_u32(cut, end);
	if (!join && end < cut) {
		keep_end(to, from, cut, fresh);
		return 0;
	}
	struct ss_bufq front;
	ss_bufq_init(&front);
	feed(join ? to : &front, &fresh, rte_pktmbuf_mtod(m, const uint8_t *), cut);
	ss_bufq_move(to, &front);
	ss_bufq_drop(from, cut);
	return 0;
}
