/*
 * tcp_close.c - FIN, RST, TIME-WAIT, and the ACKs that challenge a doubtful end.
 */
#include "tcp/tcp_int.h"

static bool may_challenge(const struct ss_tcp *t, uint64_t *last)
{
	if (*last && t->now - *last < SS_TCP_CHALLENGE_NS)
		return false;
	*last = ss_max_u64(t->now, 1);
	return true;
}

void ss_tcp_challenge(struct ss_tcp_conn *c)
{
	if (!may_challenge(c->t, &c->challenge_at))
		return;
	ss_count_drop(c->t->counters, SS_DROP_TCP_CHALLENGE);
	ss_tcp_send_ack(c);
}

/*
 * RFC 5961 3.2: "If the RST bit is set and the sequence number exactly matches the next expected sequence
 * number (RCV.NXT), then TCP MUST reset the connection"; elsewhere in the window it "MUST send an
 * acknowledgment (challenge ACK)". Outside the window it does not come here.
 */
void ss_tcp_rst_in(struct ss_tcp_conn *c, const struct ss_tcphdr *h)
{
	if (h->seq != c->rcv_nxt) {
		ss_tcp_challenge(c);
		return;
	}
	/* RFC 9293 3.10.7.4: after both sides have closed nobody is told. */
	bool over = (c->state == SS_TCP_CLOSING || c->state == SS_TCP_LAST_ACK) && c->snd.len == 0;
	if (over || !c->listed || c->released)
		ss_tcp_conn_done(c);
	else
		ss_tcp_conn_fail(c, SS_DROP_TCP_RESET);
}

void ss_tcp_fin_in(struct ss_tcp_conn *c)
{
	c->rcv_nxt++;
	/* The FIN takes no room in the window; the edge must not fall behind. */
	if (ss_seq_lt(c->rcv_adv, c->rcv_nxt))
		c->rcv_adv = c->rcv_nxt;
	c->fin_rcvd = true;
	c->fin_early = false;
	ss_tcp_reasm_free(c);
	c->acks_owed = (uint8_t)ss_max_u32(c->acks_owed, 1);
	ss_tcp_conn_news(c, SS_TCP_EV_EOF);
	c->state = ss_tcp_state_step(c->state, SS_TCP_STEP_FIN);
	if (c->state == SS_TCP_TIME_WAIT)
		ss_tcp_tw_enter(c);
	else
		ss_tcp_conn_dirty(c);
}

void ss_tcp_fin_acked(struct ss_tcp_conn *c)
{
	c->state = ss_tcp_state_step(c->state, SS_TCP_STEP_FIN_ACKED);
	if (c->state == SS_TCP_CLOSED) {
		c->state = SS_TCP_LAST_ACK; /* done() books the end of a connection that is not closed yet */
		ss_tcp_conn_done(c);
	} else if (c->state == SS_TCP_TIME_WAIT) {
		ss_tcp_tw_enter(c);
	} else if (c->state == SS_TCP_FIN_WAIT_2 && c->released) {
		ss_tcp_timer_set(c, SS_TCP_T_LIFE, c->t->now + c->t->conf.time_wait_ns);
	}
}

void ss_tcp_tw_free(struct ss_tcp *t, struct ss_tcp_tw *w)
{
	ss_list_remove(&w->link);
	ss_tcp_remove(t, &w->node);
	ss_pool_give(t->tws, w);
	t->n_tw--;
}

static void tw_restart(struct ss_tcp *t, struct ss_tcp_tw *w)
{
	w->deadline = t->now + t->conf.time_wait_ns;
	ss_list_remove(&w->link);
	ss_list_push_back(&t->tw, &w->link);
}

void ss_tcp_tw_enter(struct ss_tcp_conn *c)
{
	struct ss_tcp *t = c->t;
	struct ss_tcp_tw *w = ss_pool_take(t->tws);

	if (!w) {
		/* The oldest has waited longest: giving it up is the smallest risk. */
		ss_tcp_tw_free(t, ss_list_entry(t->tw.next, struct ss_tcp_tw, link));
		w = ss_pool_take(t->tws);
	}
	if (c->acks_owed)
		ss_tcp_send_ack(c);
	*w = (struct ss_tcp_tw){
		.node = { .hash = c->node.hash, .kind = SS_TCP_NODE_TW, .tuple = c->node.tuple },
		.snd_nxt = c->snd_nxt, .rcv_nxt = c->rcv_nxt, .ts_recent = c->ts_recent,
		.ts_offset = c->ts_offset, .ts_ok = c->ts_ok,
		.window = ss_min_u32(ss_tcp_window(c) >> c->rcv_wscale, 65535),
	};
	ss_list_init(&w->link);
	t->n_tw++;
	tw_restart(t, w);
	ss_tcp_conn_done(c);
	ss_tcp_insert(t, &w->node);
}

/*
 * RFC 6191 2: a SYN may open a new incarnation when its timestamp, or without timestamps its sequence
 * number, is beyond the old one's.
 */
static bool tw_reusable(const struct ss_tcp_tw *w, const struct ss_tcphdr *h)
{
	if ((h->flags & (SS_TCP_SYN | SS_TCP_ACK | SS_TCP_RST)) != SS_TCP_SYN)
		return false;
	if (w->ts_ok && h->has_ts && h->ts_val != w->ts_recent)
		return ss_seq_gt(h->ts_val, w->ts_recent);
	return ss_seq_gt(h->seq, w->rcv_nxt);
}

void ss_tcp_tw_in(struct ss_tcp *t, struct ss_tcp_tw *w, struct ss_seg *s)
{
	const struct ss_tcphdr *h = &s->h;

	/* RFC 1337 3 (F1): "Ignore RST segments in TIME-WAIT state". */
	if (h->flags & SS_TCP_RST)
		return;
	if (tw_reusable(w, h)) {
		uint32_t hash = w->node.hash;
		/* RFC 9293 3.4.1: the new ISN must lie beyond what the old incarnation used. */
		uint32_t floor = w->snd_nxt + 65536;
		ss_tcp_tw_free(t, w);
		ss_tcp_listen_in(t, s, hash, floor, true);
		return;
	}
	/* RFC 9293 3.10.7.4: "The only thing that can arrive in this state is a retransmission of the
	 * remote FIN. Acknowledge it, and restart the 2 MSL timeout." */
	if ((h->flags & SS_TCP_FIN) && h->seq + s->payload + 1 == w->rcv_nxt) {
		ss_tcp_send_tw_ack(t, w);
		tw_restart(t, w);
	} else if (s->payload || (h->flags & (SS_TCP_SYN | SS_TCP_FIN)) || h->seq != w->rcv_nxt) {
		ss_count_drop(t->counters, SS_DROP_TCP_SEQ);
		if (may_challenge(t, &w->challenge_at))
			ss_tcp_send_tw_ack(t, w);
	}
}

void ss_tcp_tw_expire(struct ss_tcp *t, uint64_t now)
{
	while (!ss_list_empty(&t->tw)) {
		struct ss_tcp_tw *w = ss_list_entry(t->tw.next, struct ss_tcp_tw, link);
		if (w->deadline > now)
			break;
		ss_tcp_tw_free(t, w);
	}
}
