/*
 * buf_pos.c - reading on from a remembered place in a queue.
 */
#include "buf/buf.h"

static uint32_t copy_from(struct rte_mbuf *m, uint32_t skip, uint8_t *dst, uint32_t n)
{
	uint32_t done = 0;
	for (; m && done < n; m = m->next, skip = 0) {
		uint32_t k = ss_min_u32(n - done, m->data_len - skip);
		memcpy(dst + done, rte_pktmbuf_mtod_offset(m, uint8_t *, skip), k);
		done += k;
	}
	return done;
}

uint32_t ss_bufq_read_at(const struct ss_bufq *q, struct ss_bufpos *pos, uint32_t off, void *dst, uint32_t n)
{
	if (!pos->m || off < pos->before) {
		pos->m = q->head;
		pos->before = 0;
	}
	while (pos->m && off - pos->before >= pos->m->data_len) {
		if (!pos->m->next)
			break;
		pos->before += pos->m->data_len;
		pos->m = pos->m->next;
	}
	if (!pos->m || off - pos->before >= pos->m->data_len)
		return 0;
	return copy_from(pos->m, off - pos->before, dst, n);
}

void ss_bufq_drop_at(struct ss_bufq *q, struct ss_bufpos *pos, uint32_t n)
{
	/* When less than n lies before it, the mbuf may be gone or cut: start from the head again. */
	if (n > pos->before) {
		pos->m = NULL;
		pos->before = 0;
	} else {
		pos->before -= n;
	}
	ss_bufq_drop(q, n);
}
