/*
 * tcp_output.c - which bytes leave now: windows, silly windows, retransmissions, ACKs owed.
 *
 * Runs once per turn for each connection with a mark (tcp_int.h). Payload is copied behind its header into
 * one fresh mbuf: the port below may take single segments only, and what is queued must outlive the ACK.
 */
#include "tcp/tcp_int.h"

/* Bytes on their way, as far as we know (the pipe of RFC 6675 outside recovery). */
static uint32_t in_flight(const struct ss_tcp_conn *c)
{
	return c->snd_nxt - c->snd_una - ss_tcp_board_bytes(c, c->snd_nxt);
}

/* What is sent from seq on: at most a segment, at most to the end of the hole and of the data. */
static uint32_t fit(const struct ss_tcp_conn *c, uint32_t seq, uint32_t hole_end)
{
	uint32_t end = ss_tcp_data_end(c);

	if (ss_seq_lt(hole_end, end))
		end = hole_end;
	return ss_seq_lt(seq, end) ? ss_min_u32(end - seq, c->mss) : 0;
}

static uint32_t window_room(const struct ss_tcp_conn *c, uint32_t seq)
{
	uint32_t edge = c->snd_una + c->snd_wnd;
	return ss_seq_lt(seq, edge) ? edge - seq : 0;
}

/* Is there anything at seq: a byte, or the FIN? */
static bool has_at(const struct ss_tcp_conn *c, uint32_t seq)
{
	uint32_t end = ss_tcp_data_end(c);
	return ss_seq_lt(seq, end) || (seq == end && c->fin_queued);
}

/* RFC 3042: each of the first two duplicate ACKs lets one new segment out. With SACK the pipe says so. */
static uint32_t limited_transmit(const struct ss_tcp_conn *c)
{
	return !c->in_recovery && c->dupacks < SS_TCP_DUPTHRESH && !c->board ? c->dupacks * c->mss : 0;
}

static bool pick_next(struct ss_tcp_conn *c, uint32_t pipe, uint32_t *seq, uint32_t *len)
{
	uint32_t hole_end;

	*seq = ss_tcp_board_hole(c, c->snd_nxt, &hole_end);
	if (!has_at(c, *seq))
		return false;
	*len = fit(c, *seq, hole_end);
	uint32_t cwnd = c->cwnd + limited_transmit(c);
	if (*len > cwnd - ss_min_u32(pipe, cwnd)) {
		c->cwnd_limited = true;
		return false;
	}
	uint32_t room = window_room(c, *seq);
	if (*len <= room || *len == 0)
		return true; /* a FIN takes no buffer: it may always leave */
	/* RFC 9293 3.8.6.2.1: of a window smaller than the data, use it only when it is worth half of
	 * the largest seen, or when the override timeout has passed. */
	if (room == 0 || (room < c->max_snd_wnd / 2 && !c->force))
		return false;
	*len = room;
	return true;
}

/* RFC 6675 5 step C and 4 NextSeg. */
static bool pick_recovery(struct ss_tcp_conn *c, uint32_t *seq, uint32_t *len)
{
	uint32_t pipe = ss_tcp_recover_pipe(c);

	if (c->cwnd < pipe + c->mss)
		return false;
	return ss_tcp_recover_next(c, false, seq, len) || pick_next(c, pipe, seq, len) ||
	       ss_tcp_recover_next(c, true, seq, len);
}

static bool pick(struct ss_tcp_conn *c, uint32_t *seq, uint32_t *len)
{
	uint32_t hole_end;

	c->rtx_first = c->rtx_first && has_at(c, c->snd_una);
	if (c->rtx_first) {
		*seq = c->snd_una;
		ss_tcp_board_hole(c, c->snd_una, &hole_end);
		/* RFC 9293 3.8.6.1: also into a shut window, but then one byte is enough. */
		*len = ss_min_u32(fit(c, *seq, hole_end), ss_max_u32(window_room(c, *seq), 1));
		return true;
	}
	if (c->in_recovery && c->board)
		return pick_recovery(c, seq, len);
	return pick_next(c, in_flight(c), seq, len);
}

/* Books a segment that has left: [seq, end), FIN included. */
static void sent(struct ss_tcp_conn *c, uint32_t seq, uint32_t end)
{
	struct ss_tcp *t = c->t;

	if (ss_seq_lt(seq, c->snd_max)) {
		ss_count(t->counters, SS_C_TCP_RETRANS, 1);
		c->rtt_at = 0; /* Karn: what was sent twice measures nothing (RFC 6298 3) */
		c->rtt_by_ts = c->ts_ok;
		if (c->in_recovery && ss_seq_gt(end, c->high_rxt))
			c->high_rxt = end;
	} else if (!c->rtt_at) {
		c->rtt_seq = end;
		c->rtt_at = t->now;
		c->rtt_by_ts = false;
	}
	if (ss_seq_gt(end, c->snd_nxt))
		c->snd_nxt = end;
	if (ss_seq_gt(end, c->snd_max))
		c->snd_max = end;
	c->rtx_first = false;
	c->force = false;
	c->last_send_at = t->now;
}

static bool send_one(struct ss_tcp_conn *c, uint32_t seq, uint32_t len)
{
	uint32_t end = seq + len, data_end = ss_tcp_data_end(c);
	uint8_t flags = SS_TCP_ACK;

	if (end == data_end && len)
		flags |= SS_TCP_PSH;
	if (end == data_end && c->fin_queued) {
		flags |= SS_TCP_FIN;
		end++;
	}
	if (!ss_tcp_send_bytes(c, seq, len, flags))
		return false;
	sent(c, seq, end);
	return true;
}

/* RFC 6298 5.1, and the persist timer of RFC 9293 3.8.6.1 when nothing is on its way. */
static void arm(struct ss_tcp_conn *c)
{
	if (c->snd_nxt != c->snd_una) {
		c->due[SS_TCP_T_PERSIST] = SS_NEVER;
		c->persist_backoff = 0;
		if (c->due[SS_TCP_T_REXMT] == SS_NEVER)
			ss_tcp_timer_rexmt(c);
		return;
	}
	c->due[SS_TCP_T_REXMT] = SS_NEVER;
	if (has_at(c, c->snd_nxt)) {
		if (c->due[SS_TCP_T_PERSIST] == SS_NEVER)
			ss_tcp_timer_persist(c);
	} else {
		c->due[SS_TCP_T_PERSIST] = SS_NEVER;
	}
}

static bool output_syn(struct ss_tcp_conn *c)
{
	if (!c->rtx_first)
		return true;
	if (!ss_tcp_send_syn(c))
		return false;
	c->rtx_first = false;
	c->syn_tries++;
	c->rtt_at = c->t->now;
	c->snd_nxt = c->snd_max = c->iss + 1;
	ss_tcp_timer_rexmt(c);
	return true;
}

/* false: out of packet buffers; comes back next turn. */
static bool output_acks(struct ss_tcp_conn *c)
{
	while (c->acks_owed) {
		if (!ss_tcp_send_ack(c))
			return false;
		c->acks_owed--;
		c->t->budget -= ss_min_u32(c->t->budget, 1);
	}
	return true;
}

static void restart_after_idle(struct ss_tcp_conn *c)
{
	if (c->snd_nxt == c->snd_una && c->snd.len && c->t->now - c->last_send_at > c->rto)
		c->cc->idle(c);
}

void ss_tcp_output(struct ss_tcp *t, struct ss_tcp_conn *c)
{
	uint32_t seq, len, left = ss_min_u32(t->budget, SS_TCP_CONN_SEGS);
	bool more = false;

	if (t->budget == 0) {
		ss_tcp_conn_dirty(c);
		return;
	}
	if (ss_tcp_is_syncing(c)) {
		t->budget--;
		if (!output_syn(c))
			ss_tcp_conn_dirty(c);
		return;
	}
	restart_after_idle(c);
	c->cwnd_limited = false;
	while (pick(c, &seq, &len)) {
		if (left == 0 || !send_one(c, seq, len)) {
			more = true;
			break;
		}
		left--;
		t->budget--;
	}
	more |= !output_acks(c);
	arm(c);
	if (more)
		ss_tcp_conn_dirty(c);
}

void ss_tcp_flush(struct ss_tcp *t, uint64_t now)
{
	struct ss_list work, *n;

	t->now = now;
	t->budget = SS_TCP_TURN_SEGS;
	ss_list_init(&work);
	ss_list_splice(&work, &t->dirty);
	while ((n = ss_list_pop(&work)))
		ss_tcp_output(t, ss_list_entry(n, struct ss_tcp_conn, dirty));
}
