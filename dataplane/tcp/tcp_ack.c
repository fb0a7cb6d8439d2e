/*
 * tcp_ack.c - what an acknowledgement says: bytes taken, round-trip time, the peer's window.
 */
#include "tcp/tcp_int.h"

#define RTO_GRANULARITY SS_TCP_TICK_NS

/* RFC 6298 2.2 and 2.3, alpha 1/8, beta 1/4. */
void ss_tcp_rtt_sample(struct ss_tcp_conn *c, uint64_t rtt)
{
	if (rtt == 0)
		rtt = 1;
	if (c->srtt == 0) {
		c->srtt = rtt;
		c->rttvar = rtt / 2;
	} else {
		uint64_t diff = c->srtt > rtt ? c->srtt - rtt : rtt - c->srtt;
		c->rttvar = c->rttvar - c->rttvar / 4 + diff / 4;
		c->srtt = c->srtt - c->srtt / 8 + rtt / 8;
	}
	uint64_t rto = c->srtt + ss_max_u64(RTO_GRANULARITY, 4 * c->rttvar);
	c->rto = ss_min_u64(ss_max_u64(rto, SS_TCP_RTO_MIN), SS_TCP_RTO_MAX);
	/* RFC 6298 5.7 note: a sample taken anew ends the back-off. */
	c->backoff = 0;
}

/*
 * The segment that we timed is the finer clock. After a retransmission only timestamps tell which copy
 * was acknowledged (RFC 7323 4.1: "RTTM ... averted by the TSopt").
 */
static void measure(struct ss_tcp_conn *c, const struct ss_tcphdr *h)
{
	if (c->rtt_at) {
		if (ss_seq_ge(h->ack, c->rtt_seq)) {
			ss_tcp_rtt_sample(c, c->t->now - c->rtt_at);
			c->rtt_at = 0;
		}
	} else if (c->rtt_by_ts && h->has_ts && h->ts_ecr) {
		uint32_t ms = ss_tcp_ts_now(c->t, c->ts_offset) - h->ts_ecr;
		if (ms <= SS_TCP_RTO_MAX / SS_NS_PER_MS)
			ss_tcp_rtt_sample(c, ms * SS_NS_PER_MS);
	}
}

static void free_acked(struct ss_tcp_conn *c, uint32_t ack)
{
	uint32_t n = ss_seq_gt(ack, c->snd_base) ? ss_min_u32(ack - c->snd_base, c->snd.len) : 0;

	ss_bufq_drop_at(&c->snd, &c->snd_pos, n);
	c->snd_base += n;
	uint32_t cap = ss_tcp_snd_cap(c);
	if (c->want_room && c->snd.len <= cap - cap / 4) {
		c->want_room = false;
		ss_tcp_conn_news(c, SS_TCP_EV_ROOM);
	}
}

/* h->ack acknowledges something new: SND.UNA < SEG.ACK =< SND.NXT. */
void ss_tcp_ack_new(struct ss_tcp_conn *c, const struct ss_tcphdr *h)
{
	uint32_t flight = c->snd_max - c->snd_una, acked = h->ack - c->snd_una;

	measure(c, h);
	free_acked(c, h->ack);
	c->snd_una = h->ack;
	if (ss_seq_lt(c->snd_nxt, c->snd_una))
		c->snd_nxt = c->snd_una;
	c->progress_at = c->t->now;
	ss_tcp_board_trim(c);
	ss_tcp_recover_new(c, acked, flight);
	/* RFC 6298 5.2 and 5.3; output arms it again when something is still on its way. */
	c->due[SS_TCP_T_REXMT] = SS_NEVER;
	if (c->snd_nxt != c->snd_una)
		ss_tcp_timer_rexmt(c);
	if (c->snd.len || c->fin_queued)
		ss_tcp_conn_dirty(c);
	if (c->fin_queued && c->snd.len == 0 && ss_seq_gt(c->snd_una, c->snd_base))
		ss_tcp_fin_acked(c);
}

/* RFC 9293 3.10.7.4: "If SND.WL1 < SEG.SEQ or (SND.WL1 = SEG.SEQ and SND.WL2 =< SEG.ACK)". */
static void update_window(struct ss_tcp_conn *c, const struct ss_tcphdr *h)
{
	if (ss_seq_lt(h->ack, c->snd_una))
		return;
	if (!ss_seq_lt(c->snd_wl1, h->seq) && !(c->snd_wl1 == h->seq && ss_seq_le(c->snd_wl2, h->ack)))
		return;
	uint32_t wnd = (uint32_t)h->window << c->snd_wscale;
	if (wnd > c->snd_wnd)
		ss_tcp_conn_dirty(c);
	c->snd_wnd = wnd;
	c->max_snd_wnd = ss_max_u32(c->max_snd_wnd, wnd);
	c->snd_wl1 = h->seq;
	c->snd_wl2 = h->ack;
}

/* RFC 5681 2: what counts as a duplicate ACK. A window probe is not "outstanding data": snd_nxt stays. */
static bool is_duplicate(const struct ss_tcp_conn *c, const struct ss_seg *s)
{
	return s->h.ack == c->snd_una && s->payload == 0 && c->snd_nxt != c->snd_una &&
	       !(s->h.flags & (SS_TCP_SYN | SS_TCP_FIN)) &&
	       ((uint32_t)s->h.window << c->snd_wscale) == c->snd_wnd;
}

/* RFC 9293 3.10.7.4, fifth check. false: the segment goes no further. */
bool ss_tcp_ack_in(struct ss_tcp_conn *c, const struct ss_seg *s)
{
	const struct ss_tcphdr *h = &s->h;

	/* RFC 5961 5.2: acceptable only within "((SND.UNA - MAX.SND.WND) <= SEG.ACK <= SND.NXT)". */
	if (ss_seq_gt(h->ack, c->snd_max) || ss_seq_lt(h->ack, c->snd_una - c->max_snd_wnd)) {
		ss_count_drop(c->t->counters, SS_DROP_TCP_ACK);
		ss_tcp_challenge(c);
		return false;
	}
	bool news = c->sack_ok && h->n_sacks && ss_tcp_board_note(c, h);
	bool dup = is_duplicate(c, s);
	update_window(c, h);
	/* Zero-window probes that are answered keep the connection (RFC 9293 3.8.6.1 MUST-35). */
	if (c->snd_nxt == c->snd_una && !c->released)
		c->progress_at = c->t->now;
	if (ss_seq_gt(h->ack, c->snd_una))
		ss_tcp_ack_new(c, h);
	else if (dup || news)
		ss_tcp_recover_dup(c, news);
	return c->state != SS_TCP_CLOSED;
}
