/*
 * buf.h - a byte queue made of mbufs. The only code that walks mbuf chains.
 *
 * Takes:   mbufs, by ownership; bytes, by copy.
 * Gives:   the same bytes in order; prefixes by ownership; contiguous views.
 * Owns:    the mbufs in the queue: one owner each, reference count one, unless said otherwise.
 * Thread:  the worker that owns the queue.
 * Errors:  SS_ERR_NO_MEM when the mbuf pool is empty; nothing is half done then.
 *
 * Spans into a queue are borrowed: any call that is not const ends them.
 * A queue never holds an mbuf of zero length.
 */
#ifndef SS_BUF_H
#define SS_BUF_H

#include <rte_mbuf.h>

#include "base/base.h"
#include "base/span.h"

/* One worker's source of mbufs, and what it holds of them right now. */
struct ss_bufpool {
	struct rte_mempool *mp;
	uint64_t copies;  /* bytes copied by split and pullup: a cost to watch */
	uint64_t fails;   /* allocations refused */
};

struct ss_bufq {
	struct rte_mbuf *head, *tail; /* linked by mbuf->next; each mbuf's nb_segs is 1 while queued */
	uint32_t len;                 /* bytes */
};

static inline void ss_bufq_init(struct ss_bufq *q)
{
	q->head = q->tail = NULL;
	q->len = 0;
}

/* Takes m always (a chain is taken apart into segments). Empty segments are freed. */
void ss_bufq_push(struct ss_bufq *q, struct rte_mbuf *m);
/* Copies n bytes to the back, into the tail's free room first. 0 or SS_ERR_NO_MEM (nothing appended). */
int ss_bufq_append(struct ss_bufq *q, struct ss_bufpool *bp, const void *src, uint32_t n);
/* Moves everything in `from` to the back of `to`; `from` is empty afterwards. */
void ss_bufq_move(struct ss_bufq *to, struct ss_bufq *from);
/*
 * Moves the first n bytes of `from` (n <= from->len) to the back of `to`. Whole mbufs move by
 * ownership; a cut inside an mbuf copies its smaller side. 0 or SS_ERR_NO_MEM (nothing moved).
 */
int ss_bufq_take(struct ss_bufq *to, struct ss_bufq *from, uint32_t n, struct ss_bufpool *bp);
/* Copies the first n bytes (n <= from->len) to the back of `to`, leaving `from` as it is. */
int ss_bufq_copy(struct ss_bufq *to, const struct ss_bufq *from, uint32_t off, uint32_t n,
		 struct ss_bufpool *bp);
/* Frees the first n bytes (n <= q->len). */
void ss_bufq_drop(struct ss_bufq *q, uint32_t n);
/* Frees everything. */
void ss_bufq_free(struct ss_bufq *q);
/* The bytes of the first mbuf: contiguous, maybe fewer than len. Borrowed. */
struct ss_span ss_bufq_front(const struct ss_bufq *q);
/*
 * n contiguous bytes at offset off (off + n <= len): a pointer into the mbuf when they lie in one,
 * else copied to scratch (n bytes, the caller's). Borrowed.
 */
const uint8_t *ss_bufq_peek(const struct ss_bufq *q, uint32_t off, uint32_t n, void *scratch);
/* Copies up to n bytes from offset off to dst; returns how many. */
uint32_t ss_bufq_read(const struct ss_bufq *q, uint32_t off, void *dst, uint32_t n);
/* How many mbufs the queue holds (walks it: for accounting). */
static inline uint32_t ss_bufq_mbufs(const struct ss_bufq *q)
{
	uint32_t n = 0;

	for (const struct rte_mbuf *m = q->head; m; m = m->next)
		n++;
	return n;
}
/* A fresh empty mbuf with default headroom, or NULL (counted in bp->fails). */
struct rte_mbuf *ss_buf_alloc(struct ss_bufpool *bp);

/* -- working on the bytes where they lie -- */

/* Makes every byte of the queue ours to change: what others can see too (reference count above one, or
 * memory of another mbuf) is replaced by copies. 0 or SS_ERR_NO_MEM (the queue is as it was). */
int ss_bufq_own(struct ss_bufq *q, struct ss_bufpool *bp);
/* n more bytes (at most SS_BUF_GROW) in one piece before the first or behind the last one; their contents are
 * the caller's to write. In the free room of an mbuf that is ours alone, else in a fresh one. NULL without. */
#define SS_BUF_GROW 128
uint8_t *ss_bufq_prepend(struct ss_bufq *q, uint32_t n, struct ss_bufpool *bp);
uint8_t *ss_bufq_extend(struct ss_bufq *q, uint32_t n, struct ss_bufpool *bp);

/* Takes n bytes at offset off (off + n <= len) out of the queue. Inside an mbuf (ours alone) the shorter of the
 * sides moves; nothing is allocated. */
void ss_bufq_remove(struct ss_bufq *q, uint32_t off, uint32_t n);
/* The mbuf that holds offset *off (below len); *off becomes the offset inside it. */
struct rte_mbuf *ss_bufq_at(const struct ss_bufq *q, uint32_t *off);

/* A remembered place in a queue, for reading on from it without walking from the head. Zero it first; the
 * bytes before it may leave the queue only by ss_bufq_drop_at. Appending to the queue is always fine. */
struct ss_bufpos {
	struct rte_mbuf *m; /* NULL: the head */
	uint32_t before;    /* bytes in the queue before m */
};

/* As ss_bufq_read, starting near *pos, which moves to off. */
uint32_t ss_bufq_read_at(const struct ss_bufq *q, struct ss_bufpos *pos, uint32_t off, void *dst, uint32_t n);
/* As ss_bufq_drop; keeps pos right. */
void ss_bufq_drop_at(struct ss_bufq *q, struct ss_bufpos *pos, uint32_t n);
#endif
