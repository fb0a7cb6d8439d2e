/*
 * tcp_input.c - is this segment acceptable, and what does it mean (RFC 9293 3.10.7).
 *
 * Nearly all segments of an open connection are the next expected bytes, or an ACK and nothing else: those
 * are recognised first (header prediction) and take a short way. Everything else walks the checks of
 * 3.10.7.4 in their order.
 */
#include "tcp/tcp_int.h"

#define PAWS_IDLE_NS (24ull * 24 * 3600 * SS_NS_PER_SEC) /* RFC 7323 5.5 */

/* RFC 9293 3.8.6.3: an ACK "within 0.5 seconds", and "for at least every second full-sized segment". */
static void owe_ack(struct ss_tcp_conn *c, uint32_t bytes)
{
	c->delack_bytes += bytes;
	if (c->delack_bytes >= 2u * c->rcv_mss) {
		c->acks_owed = (uint8_t)ss_max_u32(c->acks_owed, 1);
		ss_tcp_conn_dirty(c);
	} else if (c->due[SS_TCP_T_DELACK] == SS_NEVER) {
		ss_tcp_timer_set(c, SS_TCP_T_DELACK,
				 c->t->now + (c->active ? SS_TCP_DELACK_ACTIVE_NS : SS_TCP_DELACK_NS));
	}
}

/* Without SACK the peer counts duplicate ACKs: one for each segment. With it, one tells all. */
static void owe_ack_now(struct ss_tcp_conn *c)
{
	if (c->acks_owed == 0 || (!c->sack_ok && c->acks_owed < 8))
		c->acks_owed++;
	ss_tcp_conn_dirty(c);
}

static void take_in_order(struct ss_tcp_conn *c, struct ss_bufq *q)
{
	uint32_t n = q->len;

	c->rcv_nxt += n;
	ss_tcp_join(c->t, &c->rx, q);
	if (c->reasm) {
		n += ss_tcp_reasm_take(c, &c->rx);
		/* RFC 5681 4.2: "fills in all or part of a gap": at once. */
		owe_ack_now(c);
	}
	c->rcv_used += n;
	owe_ack(c, n);
	ss_tcp_conn_news(c, SS_TCP_EV_READ);
}

/* Cuts the payload to [rcv_nxt, rcv_adv). Returns its sequence number; s->payload is what is left. A chain
 * that cannot be cut is dropped whole; ports deliver one mbuf per frame. */
static uint32_t trim(struct ss_tcp_conn *c, struct ss_seg *s, bool *fin)
{
	uint32_t seq = s->h.seq, len = s->payload;

	if (ss_seq_lt(seq, c->rcv_nxt)) {
		uint32_t cut = ss_min_u32(c->rcv_nxt - seq, len);
		seq += cut;
		len = rte_pktmbuf_adj(s->m, (uint16_t)cut) ? len - cut : 0;
	}
	uint32_t room = ss_seq_lt(seq, c->rcv_adv) ? c->rcv_adv - seq : 0;
	if (len > room) {
		len = rte_pktmbuf_trim(s->m, (uint16_t)(len - room)) == 0 ? room : 0;
		*fin = false;
	}
	if (len != s->payload)
		owe_ack_now(c); /* something arrived twice or too early: say where we are */
	s->payload = (uint16_t)len;
	return seq;
}

/* Seventh and eighth of 3.10.7.4: the segment's text and its FIN. */
static void text_in(struct ss_tcp_conn *c, struct ss_seg *s)
{
	bool fin = (s->h.flags & SS_TCP_FIN) != 0;
	struct ss_bufq q;

	if (!ss_tcp_state_receives(c->state) || (!s->payload && !fin))
		return;
	if (s->payload > c->rcv_mss)
		c->rcv_mss = s->payload;
	uint32_t seq = trim(c, s, &fin);
	if (s->payload && c->released) {
		/* RFC 9293 3.10.7.1 in spirit, RFC 1122 4.2.2.13: nobody is left to read this. */
		ss_tcp_send_rst(c);
		ss_tcp_conn_done(c);
		return;
	}
	if (s->payload) {
		ss_bufq_init(&q);
		ss_bufq_push(&q, s->m);
		s->m = NULL;
		if (seq == c->rcv_nxt) {
			take_in_order(c, &q);
		} else {
			owe_ack_now(c);
			fin = ss_tcp_reasm_put(c, seq, &q) && fin;
		}
	}
	if (fin) {
		c->fin_early = true;
		c->fin_seq = seq + s->payload;
	}
	if (c->fin_early && c->fin_seq == c->rcv_nxt)
		ss_tcp_fin_in(c);
}

/* RFC 7323 5.3 R1, and 3.2: "If a non-<RST> segment is received without a TSopt, a TCP SHOULD silently
 * drop the segment." */
static bool passes_paws(struct ss_tcp_conn *c, const struct ss_seg *s)
{
	const struct ss_tcphdr *h = &s->h;

	if (!c->ts_ok || (h->flags & SS_TCP_RST))
		return true;
	if (!h->has_ts) {
		ss_count_drop(c->t->counters, SS_DROP_TCP_PAWS);
		return false;
	}
	if (ss_seq_ge(h->ts_val, c->ts_recent) || c->t->now - c->ts_recent_at > PAWS_IDLE_NS)
		return true;
	ss_count_drop(c->t->counters, SS_DROP_TCP_PAWS);
	owe_ack_now(c);
	return false;
}

/* RFC 7323 4.3 (2): "If SEG.TSval >= TS.Recent and SEG.SEQ <= Last.ACK.sent". */
static void keep_ts(struct ss_tcp_conn *c, const struct ss_tcphdr *h)
{
	if (c->ts_ok && h->has_ts && ss_seq_le(h->seq, c->last_ack_sent)) {
		c->ts_recent = h->ts_val;
		c->ts_recent_at = c->t->now;
	}
}

/* First check of 3.10.7.4. seq = RCV.NXT always passes: with a window of zero "special allowance should be
 * made to accept valid ACKs", and trim takes the text off. A FIN needs no buffer. */
static bool in_window(const struct ss_tcp_conn *c, const struct ss_seg *s)
{
	uint32_t seq = s->h.seq, wnd = c->rcv_adv - c->rcv_nxt;
	uint32_t len = s->payload + !!(s->h.flags & SS_TCP_SYN) + !!(s->h.flags & SS_TCP_FIN);

	if (seq == c->rcv_nxt || seq - c->rcv_nxt < wnd)
		return true;
	return len && seq + len - 1 - c->rcv_nxt < wnd;
}

static void not_acceptable(struct ss_tcp_conn *c, const struct ss_seg *s)
{
	if (s->h.flags & SS_TCP_RST)
		return;
	ss_count_drop(c->t->counters, SS_DROP_TCP_SEQ);
	if (s->payload || (s->h.flags & SS_TCP_FIN))
		owe_ack_now(c);
	else
		ss_tcp_challenge(c); /* limited: two ends that disagree must not echo ACKs for ever */
	/* Its text is old, but its ACK may be new: when both ends have lost the other's ACKs and repeat old
	 * text, dropping it whole would leave them so. The check of RFC 5961 5 still guards it. */
	if ((s->h.flags & (SS_TCP_ACK | SS_TCP_SYN)) == SS_TCP_ACK && !ss_tcp_is_syncing(c) &&
	    c->rcv_nxt - s->h.seq <= c->rcv_buf)
		ss_tcp_ack_in(c, s);
}

/* SYN-RECEIVED: the peer's SYN once more, or the ACK that opens. false: the segment goes no further. */
static bool half_open_in(struct ss_tcp_conn *c, struct ss_seg *s)
{
	const struct ss_tcphdr *h = &s->h;

	if ((h->flags & SS_TCP_SYN) && h->seq == c->irs && !(h->flags & SS_TCP_RST)) {
		if (!(h->flags & SS_TCP_ACK)) {
			c->rtx_first = true; /* our SYN,ACK was lost */
			ss_tcp_conn_dirty(c);
			return false;
		}
		/* The answer to a simultaneous open carries its SYN again: what counts is the ACK. */
	} else if (!in_window(c, s)) {
		not_acceptable(c, s);
		return false;
	} else if (h->flags & SS_TCP_RST) {
		ss_tcp_rst_in(c, h);
		return false;
	} else if (h->flags & SS_TCP_SYN) {
		ss_tcp_challenge(c);
		return false;
	}
	if (!(h->flags & SS_TCP_ACK))
		return false;
	/* "If SND.UNA < SEG.ACK =< SND.NXT, then enter ESTABLISHED ... not acceptable, form a reset". */
	if (ss_seq_le(h->ack, c->snd_una) || ss_seq_gt(h->ack, c->snd_max) ||
	    (c->listener && !c->t->listeners[c->listener - 1].accepting)) {
		ss_count_drop(c->t->counters, SS_DROP_TCP_ACK);
		ss_tcp_send_rst_to(c->t, s);
		return false;
	}
	if (c->syn_tries == 1)
		ss_tcp_rtt_sample(c, c->t->now - c->rtt_at);
	c->rtt_at = 0;
	c->snd_una = c->snd_nxt = h->ack;
	bool syn = (h->flags & SS_TCP_SYN) != 0;
	c->snd_wnd = syn ? h->window : (uint32_t)h->window << c->snd_wscale;
	c->max_snd_wnd = ss_max_u32(c->max_snd_wnd, c->snd_wnd);
	c->snd_wl1 = h->seq;
	c->snd_wl2 = h->ack;
	c->rtx_first = false;
	ss_tcp_conn_open(c);
	if (syn)
		owe_ack_now(c);
	return !syn;
}

static void slow_in(struct ss_tcp_conn *c, struct ss_seg *s)
{
	const struct ss_tcphdr *h = &s->h;

	if (c->state == SS_TCP_SYN_SENT) {
		ss_tcp_syn_sent_in(c, s);
		return;
	}
	if (!passes_paws(c, s))
		return;
	if (c->state == SS_TCP_SYN_RCVD && !half_open_in(c, s))
		return;
	if (!in_window(c, s)) {
		not_acceptable(c, s);
		return;
	}
	keep_ts(c, h);
	if (h->flags & SS_TCP_RST) {
		ss_tcp_rst_in(c, h);
		return;
	}
	/* RFC 5961 4.2: "If the SYN bit is set, irrespective of the sequence number", an ACK. */
	if (h->flags & SS_TCP_SYN) {
		ss_tcp_challenge(c);
		return;
	}
	if (!(h->flags & SS_TCP_ACK) || !ss_tcp_ack_in(c, s))
		return;
	text_in(c, s);
}

/*
 * Header prediction: open, nothing lost in either direction, flags ACK (and PSH), the next byte, the same
 * window; then either only the ACK is news or only the text.
 */
static bool fast_in(struct ss_tcp_conn *c, struct ss_seg *s)
{
	const struct ss_tcphdr *h = &s->h;
	struct ss_bufq q;

	if (c->state != SS_TCP_ESTABLISHED || (h->flags & ~SS_TCP_PSH) != SS_TCP_ACK ||
	    h->seq != c->rcv_nxt || c->reasm || c->board || c->in_recovery || c->rtx_first || c->fin_early ||
	    h->n_sacks || h->has_ts != c->ts_ok || ((uint32_t)h->window << c->snd_wscale) != c->snd_wnd)
		return false;
	if (c->ts_ok && ss_seq_lt(h->ts_val, c->ts_recent))
		return false;
	if (s->payload == 0) {
		if (ss_seq_le(h->ack, c->snd_una) || ss_seq_gt(h->ack, c->snd_max))
			return false;
		keep_ts(c, h);
		c->snd_wl1 = h->seq;
		c->snd_wl2 = h->ack;
		ss_tcp_ack_new(c, h);
		return true;
	}
	if (h->ack != c->snd_una || s->payload > c->rcv_adv - c->rcv_nxt)
		return false;
	keep_ts(c, h);
	c->snd_wl1 = h->seq;
	if (s->payload > c->rcv_mss)
		c->rcv_mss = s->payload;
	ss_bufq_init(&q);
	ss_bufq_push(&q, s->m);
	s->m = NULL;
	take_in_order(c, &q);
	return true;
}

static void segment_in(struct ss_tcp *t, struct ss_seg *s, uint32_t hash)
{
	struct ss_tcp_node *n = ss_tcp_find(t, &s->tuple, hash);

	if (!n) {
		ss_tcp_listen_in(t, s, hash, 0, false);
	} else if (n->kind == SS_TCP_NODE_TW) {
		ss_tcp_tw_in(t, ss_container_of(n, struct ss_tcp_tw, node), s);
	} else {
		struct ss_tcp_conn *c = ss_container_of(n, struct ss_tcp_conn, node);
		if (!fast_in(c, s))
			slow_in(c, s);
	}
	if (s->m)
		rte_pktmbuf_free(s->m);
}

void ss_tcp_input(struct ss_tcp *t, struct ss_segs *segs, uint64_t now, struct ss_list *news)
{
	uint32_t hash[SS_ARRAY_LEN(segs->v)];

	t->now = now;
	t->news = news;
	/* Two passes over the burst: with many connections each lookup misses the cache, and the misses of
	 * a burst overlap (performance.md, technique 4). */
	for (uint32_t i = 0; i < segs->n; i++) {
		hash[i] = ss_tcp_hash(t, &segs->v[i].tuple);
		__builtin_prefetch(&t->table[hash[i] & t->table_mask]);
	}
	for (uint32_t i = 0; i < segs->n; i++) {
		const struct ss_tcp_node *n = t->table[hash[i] & t->table_mask];
		if (n) {
			__builtin_prefetch(n);
			__builtin_prefetch((const uint8_t *)n + SS_CACHE_LINE);
		}
	}
	for (uint32_t i = 0; i < segs->n; i++)
		segment_in(t, &segs->v[i], hash[i]);
	segs->n = 0;
	t->news = NULL;
}
