/*
 * tcp_reasm.c - bytes that came before their turn.
 *
 * Held as sorted ranges, each a byte queue, so that the SACK blocks (RFC 2018) are there for the reading and
 * a refilled hole moves up by ownership. Bounded: bytes by the receive window, ranges by SS_TCP_RANGES.
 */
#include "tcp/tcp_int.h"

void ss_tcp_join(struct ss_tcp *t, struct ss_bufq *to, struct ss_bufq *q)
{
	if (to->len && q->len <= SS_TCP_COALESCE && q->head == q->tail) {
		struct ss_span s = ss_bufq_front(q);
		if (s.n == q->len && ss_bufq_append(to, t->bufs, s.p, s.n) == 0) {
			ss_bufq_free(q);
			return;
		}
	}
	ss_bufq_move(to, q);
}

static void remove_range(struct ss_tcp_reasm *r, uint32_t i)
{
	r->n--;
	memmove(&r->r[i], &r->r[i + 1], (r->n - i) * sizeof(r->r[0]));
}

/* r[i] has grown to the right: swallow what it now touches. */
static void swallow(struct ss_tcp *t, struct ss_tcp_reasm *r, uint32_t i)
{
	struct ss_tcp_range *a = &r->r[i];

	while (i + 1 < r->n && ss_seq_le(r->r[i + 1].left, a->right)) {
		struct ss_tcp_range *b = &r->r[i + 1];
		if (ss_seq_gt(b->right, a->right)) {
			ss_bufq_drop(&b->q, a->right - b->left);
			a->right = b->right;
			ss_tcp_join(t, &a->q, &b->q);
		} else {
			ss_bufq_free(&b->q);
		}
		remove_range(r, i + 1);
	}
}

static bool grow(struct ss_tcp *t, struct ss_tcp_range *a, uint32_t seq, struct ss_bufq *q)
{
	uint32_t known = a->right - seq;

	if (known >= q->len) {
		ss_bufq_free(q);
		return false;
	}
	ss_bufq_drop(q, known);
	a->right += q->len;
	ss_tcp_join(t, &a->q, q);
	return true;
}

static void insert_range(struct ss_tcp_reasm *r, uint32_t i, uint32_t seq, struct ss_bufq *q)
{
	memmove(&r->r[i + 1], &r->r[i], (r->n - i) * sizeof(r->r[0]));
	r->n++;
	r->r[i] = (struct ss_tcp_range){ .left = seq, .right = seq + q->len };
	ss_bufq_init(&r->r[i].q);
	ss_bufq_move(&r->r[i].q, q);
}

static struct ss_tcp_reasm *need(struct ss_tcp_conn *c)
{
	if (!c->reasm) {
		c->reasm = ss_pool_take(c->t->reasms);
		if (c->reasm)
			c->reasm->n = c->reasm->stamp = 0;
	}
	return c->reasm;
}

bool ss_tcp_reasm_put(struct ss_tcp_conn *c, uint32_t seq, struct ss_bufq *q)
{
	struct ss_tcp_reasm *r = need(c);
	uint32_t i = 0;

	while (r && i < r->n && ss_seq_lt(r->r[i].right, seq))
		i++;
	bool touches = r && i < r->n && ss_seq_le(r->r[i].left, seq);
	if (!r || (!touches && r->n == SS_TCP_RANGES)) {
		ss_count_drop(c->t->counters, SS_DROP_TCP_REASM_FULL);
		ss_bufq_free(q);
		return false;
	}
	if (!touches)
		insert_range(r, i, seq, q);
	if (!touches || grow(c->t, &r->r[i], seq, q))
		swallow(c->t, r, i);
	r->r[i].stamp = ++r->stamp;
	return true;
}

uint32_t ss_tcp_reasm_take(struct ss_tcp_conn *c, struct ss_bufq *to)
{
	struct ss_tcp_reasm *r = c->reasm;
	uint32_t start = c->rcv_nxt;

	while (r && r->n && ss_seq_le(r->r[0].left, c->rcv_nxt)) {
		struct ss_tcp_range *a = &r->r[0];
		if (ss_seq_gt(a->right, c->rcv_nxt)) {
			ss_bufq_drop(&a->q, c->rcv_nxt - a->left);
			c->rcv_nxt = a->right;
			ss_tcp_join(c->t, to, &a->q);
		} else {
			ss_bufq_free(&a->q);
		}
		remove_range(r, 0);
	}
	if (r && r->n == 0)
		ss_tcp_reasm_free(c);
	return c->rcv_nxt - start;
}

/* RFC 2018 4: "The first SACK block ... MUST specify the contiguous block of data containing the segment
 * which triggered this ACK"; then the ones touched most recently. */
uint8_t ss_tcp_reasm_sacks(const struct ss_tcp_conn *c, struct ss_tcp_sack *v, uint8_t max)
{
	const struct ss_tcp_reasm *r = c->reasm;
	uint32_t below = UINT32_MAX;
	uint8_t n = 0;

	while (n < max) {
		const struct ss_tcp_range *best = NULL;
		for (uint32_t i = 0; i < r->n; i++)
			if (r->r[i].stamp < below && (!best || r->r[i].stamp > best->stamp))
				best = &r->r[i];
		if (!best)
			break;
		v[n++] = (struct ss_tcp_sack){ best->left, best->right };
		below = best->stamp;
	}
	return n;
}

void ss_tcp_reasm_free(struct ss_tcp_conn *c)
{
	if (!c->reasm)
		return;
	for (uint32_t i = 0; i < c->reasm->n; i++)
		ss_bufq_free(&c->reasm->r[i].q);
	ss_pool_give(c->t->reasms, c->reasm);
	c->reasm = NULL;
}
