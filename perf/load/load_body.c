/* load_body.c - bodies made from the pattern, and received ones compared with what they must be. */
#include "base/err.h"
#include "perf/load/load_int.h"

int ss_load_body_fill(const struct ss_load_pattern *p, struct ss_bufq *q, struct ss_bufpool *bp, uint64_t at,
		      uint64_t n)
{
	while (n) {
		struct ss_span piece = ss_load_pattern_at(p, at, n);

		if (ss_bufq_append(q, bp, piece.p, piece.n) < 0)
			return SS_ERR_NO_MEM;
		at += piece.n;
		n -= piece.n;
	}
	return 0;
}

/* What one packet buffer holds; a body that fits needs no grant: it is refused only when there is none. */
#define ONE (RTE_MBUF_DEFAULT_DATAROOM - RTE_PKTMBUF_HEADROOM)
#define RESERVE_PART 4

uint64_t ss_load_feed_grant(struct ss_load_feed *f, uint64_t n, uint64_t now)
{
	if (n <= ONE)
		return n;
	if (f->turn != now) { /* counting visits every lcore's cache: once a turn */
		uint32_t avail = rte_mempool_avail_count(f->bufs->mp), reserve = f->bufs->mp->size / RESERVE_PART;

		f->spare = avail > reserve ? avail - reserve : 0;
		f->turn = now;
	}
	n = ss_min_u64(n, (uint64_t)f->spare * ONE);
	f->spare -= (uint32_t)((n + ONE - 1) / ONE);
	return n;
}

static bool right(const struct ss_load_reference *r, uint64_t at, struct ss_span s)
{
	switch (r->check) {
	case SS_LOAD_CHECK_PATTERN:
		return ss_load_pattern_is(r->pattern, at, s);
	case SS_LOAD_CHECK_FILE: /* what goes beyond the file is a matter of length */
		return at >= r->file_n || memcmp(r->file + at, s.p, ss_min_u64(s.n, r->file_n - at)) == 0;
	case SS_LOAD_CHECK_ANY:
		break;
	}
	return true;
}

bool ss_load_body_take(struct ss_http_stream *s, const struct ss_load_reference *ref, uint64_t *at)
{
	struct ss_bufq *q = ss_http_body(s);
	uint32_t all = q->len;
	bool ok = true;

	while (q->len) {
		struct ss_span piece = ss_bufq_front(q);

		ok = ok && right(ref, *at, piece);
		*at += piece.n;
		ss_bufq_drop(q, piece.n);
	}
	if (all)
		ss_http_consumed(s, all);
	return ok;
}
