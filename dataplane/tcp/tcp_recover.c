/*
 * tcp_recover.c - finding and mending losses: the SACK scoreboard, RFC 6675 with it, RFC 6582 without.
 */
#include "tcp/tcp_int.h"

/* Makes [left, right) part of the board. true: something in it was new. */
static bool board_add(struct ss_tcp_board *b, uint32_t left, uint32_t right)
{
	uint32_t i = 0, j;

	while (i < b->n && ss_seq_lt(b->r[i].right, left))
		i++;
	if (i < b->n && ss_seq_le(b->r[i].left, left) && ss_seq_ge(b->r[i].right, right))
		return false;
	/* r[i..j) touch the new range and melt into it. */
	for (j = i; j < b->n && ss_seq_le(b->r[j].left, right); j++) {
		if (ss_seq_lt(b->r[j].left, left))
			left = b->r[j].left;
		if (ss_seq_gt(b->r[j].right, right))
			right = b->r[j].right;
	}
	if (i == j && b->n == SS_TCP_BOARD)
		return false; /* forgetting costs a retransmission, nothing more */
	memmove(&b->r[i + 1], &b->r[j], (b->n - j) * sizeof(b->r[0]));
	b->r[i] = (struct ss_tcp_sack){ left, right };
	b->n = b->n - (j - i) + 1;
	return true;
}

bool ss_tcp_board_note(struct ss_tcp_conn *c, const struct ss_tcphdr *h)
{
	bool news = false;

	for (uint32_t i = 0; i < h->n_sacks; i++) {
		uint32_t left = h->sack[i].left, right = h->sack[i].right;
		/* A block at or below the ACK is a D-SACK (RFC 2883 4); one above what we sent is a lie. */
		if (ss_seq_ge(left, right) || ss_seq_le(left, c->snd_una) || ss_seq_le(left, h->ack) ||
		    ss_seq_gt(right, c->snd_max))
			continue;
		if (!c->board) {
			c->board = ss_pool_take(c->t->boards);
			if (!c->board)
				return false;
			c->board->n = 0;
		}
		news |= board_add(c->board, left, right);
	}
	return news;
}

void ss_tcp_board_free(struct ss_tcp_conn *c)
{
	if (c->board)
		ss_pool_give(c->t->boards, c->board);
	c->board = NULL;
}

void ss_tcp_board_trim(struct ss_tcp_conn *c)
{
	struct ss_tcp_board *b = c->board;
	uint32_t gone = 0;

	if (!b)
		return;
	while (gone < b->n && ss_seq_le(b->r[gone].right, c->snd_una))
		gone++;
	b->n -= gone;
	memmove(&b->r[0], &b->r[gone], b->n * sizeof(b->r[0]));
	/* The ACK stands inside a range: the peer has thrown away what it had SACKed (RFC 2018 8). */
	if (b->n && ss_seq_le(b->r[0].left, c->snd_una))
		b->n = 0;
	if (b->n == 0)
		ss_tcp_board_free(c);
}

uint32_t ss_tcp_board_bytes(const struct ss_tcp_conn *c, uint32_t seq)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; c->board && i < c->board->n; i++) {
		const struct ss_tcp_sack *r = &c->board->r[i];
		if (ss_seq_ge(r->left, seq))
			break;
		sum += (ss_seq_lt(r->right, seq) ? r->right : seq) - r->left;
	}
	return sum;
}

uint32_t ss_tcp_board_hole(const struct ss_tcp_conn *c, uint32_t seq, uint32_t *end)
{
	for (uint32_t i = 0; c->board && i < c->board->n; i++) {
		const struct ss_tcp_sack *r = &c->board->r[i];
		if (ss_seq_lt(seq, r->left)) {
			*end = r->left;
			return seq;
		}
		if (ss_seq_lt(seq, r->right))
			seq = r->right;
	}
	*end = seq + (1u << 30);
	return seq;
}

/* RFC 6675 4 IsLost: "DupThresh discontiguous SACKed sequences have arrived above SeqNum or more than
 * (DupThresh - 1) * SMSS bytes with sequence numbers greater than SeqNum have been SACKed". */
static bool is_lost(const struct ss_tcp_conn *c, uint32_t seq)
{
	uint32_t ranges = 0, bytes = 0;

	for (uint32_t i = c->board ? c->board->n : 0; i-- > 0;) {
		const struct ss_tcp_sack *r = &c->board->r[i];
		if (ss_seq_le(r->left, seq))
			break;
		ranges++;
		bytes += r->right - r->left;
		if (ranges >= SS_TCP_DUPTHRESH || bytes > (SS_TCP_DUPTHRESH - 1) * (uint32_t)c->mss)
			return true;
	}
	return false;
}

static uint32_t overlap_below(uint32_t left, uint32_t right, uint32_t limit)
{
	if (ss_seq_le(limit, left))
		return 0;
	return (ss_seq_lt(limit, right) ? limit : right) - left;
}

/* RFC 6675 4 SetPipe, hole by hole: all bytes of a hole have the same fate. */
uint32_t ss_tcp_recover_pipe(const struct ss_tcp_conn *c)
{
	uint32_t pipe = 0, seq = c->snd_una, end;

	while (ss_seq_lt(seq, c->snd_max)) {
		seq = ss_tcp_board_hole(c, seq, &end);
		if (ss_seq_gt(end, c->snd_max))
			end = c->snd_max;
		if (ss_seq_ge(seq, end))
			break;
		if (!is_lost(c, seq))
			pipe += end - seq;
		pipe += overlap_below(seq, end, c->high_rxt);
		seq = end;
	}
	return pipe;
}

/* Rule 4: once per recovery, the tail goes again when nothing above tells its fate. */
static bool rescue(struct ss_tcp_conn *c, uint32_t *seq, uint32_t *len)
{
	uint32_t end = ss_tcp_data_end(c), top = c->board->r[c->board->n - 1].right;

	if (c->rescued || ss_seq_ge(top, c->snd_max))
		return false;
	if (ss_seq_gt(end, c->snd_max))
		end = c->snd_max;
	*seq = ss_seq_gt(end - c->mss, top) ? end - c->mss : top;
	*len = end - *seq;
	c->rescued = true;
	return true;
}

bool ss_tcp_recover_next(struct ss_tcp_conn *c, bool late, uint32_t *seq, uint32_t *len)
{
	uint32_t end, data_end = ss_tcp_data_end(c);
	uint32_t from = ss_seq_gt(c->high_rxt, c->snd_una) ? c->high_rxt : c->snd_una;
	uint32_t top = c->board->r[c->board->n - 1].left;

	*seq = ss_tcp_board_hole(c, from, &end);
	/* Rules 1 and 3 look only below the highest SACKed byte. */
	if (ss_seq_lt(*seq, top) && (late || is_lost(c, *seq))) {
		if (ss_seq_gt(end, data_end))
			end = data_end;
		*len = ss_min_u32(end - *seq, c->mss);
		return true;
	}
	return late && rescue(c, seq, len);
}

static void enter(struct ss_tcp_conn *c)
{
	c->in_recovery = true;
	c->rescued = false;
	c->recover = c->snd_max;
	c->high_rxt = c->snd_una;
	c->cc->loss(c, c->snd_max - c->snd_una);
	/* RFC 6582 3.2 step 2: "plus 3*SMSS" for the segments that have left the network. */
	c->inflates = !c->board;
	for (int i = 0; i < SS_TCP_DUPTHRESH && c->inflates; i++)
		c->cc->inflate(c);
	c->rtx_first = true;
	c->snd_nxt = c->snd_max;
	ss_tcp_timer_rexmt(c);
	ss_count(c->t->counters, SS_C_TCP_FAST_RETRANS, 1);
}

/* A duplicate ACK, or one whose SACK blocks said something new. */
void ss_tcp_recover_dup(struct ss_tcp_conn *c, bool sacked)
{
	c->dupacks++;
	ss_tcp_conn_dirty(c);
	if (c->in_recovery) {
		if (c->inflates)
			c->cc->inflate(c);
		return;
	}
	/* RFC 6582 3.2 step 2 and RFC 6675 5.1: not again for losses of a window that a timeout has dealt
	 * with already. */
	if (ss_seq_lt(c->snd_una, c->recover))
		return;
	if (c->dupacks >= SS_TCP_DUPTHRESH || (sacked && is_lost(c, c->snd_una)))
		enter(c);
}

/* The cumulative ACK has moved by `acked`; flight is what was out before. */
void ss_tcp_recover_new(struct ss_tcp_conn *c, uint32_t acked, uint32_t flight)
{
	c->dupacks = 0;
	if (!c->in_recovery) {
		/* RFC 5681 3.1 with RFC 7661's aim: a window that was not used says nothing. */
		if (c->cwnd_limited || flight >= c->cwnd / 2)
			c->cc->acked(c, acked);
		return;
	}
	if (ss_seq_ge(c->snd_una, c->recover)) {
		c->in_recovery = false;
		c->rtx_first = false;
		c->cc->recovered(c, c->snd_max - c->snd_una);
		return;
	}
	/* A partial ACK: the next hole is lost too (RFC 6582 3.2 step 5). With SACK, only when it has not
	 * gone out again already. */
	if (c->inflates)
		c->cc->partial(c, acked);
	c->rtx_first = !c->board || ss_seq_ge(c->snd_una, c->high_rxt);
}

/* RFC 6298 5.4-5.6, RFC 5681 3.1: the earliest segment again, from a window of one. */
void ss_tcp_recover_timeout(struct ss_tcp_conn *c)
{
	uint32_t flight = c->snd_max - c->snd_una;

	/* "When a TCP sender detects segment loss using the retransmission timer and the given segment has
	 * not yet been resent": ssthresh falls once only. */
	if (c->backoff == 0)
		c->cc->timeout(c, flight);
	c->cwnd = c->mss;
	c->in_recovery = false;
	c->dupacks = 0;
	c->recover = c->snd_max;
	c->snd_nxt = c->snd_una;
	c->rtx_first = true;
	/* RFC 2018 8: "After a retransmit timeout the data sender SHOULD turn off all of the SACKed bits". */
	ss_tcp_board_free(c);
}
