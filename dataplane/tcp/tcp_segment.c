/*
 * tcp_segment.c - one segment at a time: header, options, bytes, and down to net.
 */
#include "tcp/tcp_int.h"

static void push(struct ss_tcp *t, const struct ss_tuple *u, struct rte_mbuf *m, uint32_t len)
{
	m->data_len = (uint16_t)len;
	m->pkt_len = len;
	ss_net_output_tcp(t->net, m, &u->local, &u->remote, t->now);
}

static void set_ports(struct ss_tcphdr *h, const struct ss_tuple *u)
{
	h->src_port = u->local_port;
	h->dst_port = u->remote_port;
}

/* A segment without payload. */
static bool push_bare(struct ss_tcp *t, const struct ss_tuple *u, struct ss_tcphdr *h)
{
	struct rte_mbuf *m = ss_buf_alloc(t->bufs);
	if (!m)
		return false;
	set_ports(h, u);
	push(t, u, m, ss_tcphdr_emit(h, rte_pktmbuf_mtod(m, uint8_t *)));
	return true;
}

/*
 * The window to announce, in bytes. Its right edge never moves left (RFC 9293 3.8.6: "a TCP peer SHOULD
 * NOT shrink the window"), and moves right only by a step worth a segment (3.8.6.2.2).
 */
uint32_t ss_tcp_window(struct ss_tcp_conn *c)
{
	uint32_t left = c->rcv_adv - c->rcv_nxt;
	uint32_t most = ss_min_u32(c->rcv_buf, c->t->limit);
	uint32_t free = most - ss_min_u32(c->rcv_used, most);

	if (ss_seq_lt(c->rcv_adv, c->rcv_nxt))
		left = 0;
	return free >= left + ss_min_u32(c->rcv_buf / 2, c->rcv_mss) ? free : left;
}

/* What every segment of an open connection carries. */
static void fill(struct ss_tcp_conn *c, struct ss_tcphdr *h, uint32_t seq, uint8_t flags)
{
	uint32_t wnd = ss_min_u32(ss_tcp_window(c) >> c->rcv_wscale, 65535);

	h->seq = seq;
	h->ack = c->rcv_nxt;
	h->flags = flags;
	h->window = (uint16_t)wnd;
	h->n_sacks = 0;
	h->has_mss = h->has_wscale = h->has_sack_ok = false;
	h->has_ts = c->ts_ok;
	if (c->ts_ok) {
		h->ts_val = ss_tcp_ts_now(c->t, c->ts_offset);
		h->ts_ecr = c->ts_recent;
	}
}

/* A segment with an ACK has been built: no other is owed. */
static void acked(struct ss_tcp_conn *c, const struct ss_tcphdr *h)
{
	uint32_t edge = c->rcv_nxt + ((uint32_t)h->window << c->rcv_wscale);

	if (ss_seq_gt(edge, c->rcv_adv))
		c->rcv_adv = edge;
	c->last_ack_sent = c->rcv_nxt;
	c->delack_bytes = 0;
	c->due[SS_TCP_T_DELACK] = SS_NEVER;
}

/* Where the peer expects us, as far as we know: after all that was ever sent, but not past its window (a
 * probe of a shut window stands there, and may have been refused). */
static uint32_t bare_seq(const struct ss_tcp_conn *c)
{
	uint32_t edge = c->snd_una + c->snd_wnd;
	return ss_seq_lt(edge, c->snd_max) ? edge : c->snd_max;
}

bool ss_tcp_send_ack(struct ss_tcp_conn *c)
{
	struct ss_tcphdr h;

	fill(c, &h, bare_seq(c), SS_TCP_ACK);
	if (c->reasm && c->sack_ok)
		h.n_sacks = ss_tcp_reasm_sacks(c, h.sack, c->ts_ok ? 3 : SS_TCP_SACKS);
	if (!push_bare(c->t, &c->node.tuple, &h))
		return false;
	acked(c, &h);
	return true;
}

/* SACK blocks that fit beside len bytes; all of those that are due, or the count that fits. */
static void add_sacks(struct ss_tcp_conn *c, struct ss_tcphdr *h, uint32_t len)
{
	uint32_t used = len + (c->ts_ok ? 12 : 0);
	uint32_t room = c->peer_mss_room > used ? c->peer_mss_room - used : 0;

	if (room >= 12)
		h->n_sacks = ss_tcp_reasm_sacks(
			c, h->sack, (uint8_t)ss_min_u32((room - 4) / 8, c->ts_ok ? 3 : SS_TCP_SACKS));
}

bool ss_tcp_send_bytes(struct ss_tcp_conn *c, uint32_t seq, uint32_t len, uint8_t flags)
{
	struct ss_tcphdr h;
	struct rte_mbuf *m = ss_buf_alloc(c->t->bufs);

	if (!m)
		return false;
	fill(c, &h, seq, flags);
	set_ports(&h, &c->node.tuple);
	if (c->reasm && c->sack_ok)
		add_sacks(c, &h, len);
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);
	uint32_t n = ss_tcphdr_emit(&h, p);
	if (len) {
		uint32_t got = ss_bufq_read_at(&c->snd, &c->snd_pos, seq - c->snd_base, p + n, len);
		assert(got == len);
		(void)got;
	}
	push(c->t, &c->node.tuple, m, n + len);
	acked(c, &h);
	/* What came out of order must be told, if not here then by a segment of its own. */
	if (!c->reasm || h.n_sacks)
		c->acks_owed = 0;
	return true;
}

bool ss_tcp_send_syn(struct ss_tcp_conn *c)
{
	bool answer = c->state == SS_TCP_SYN_RCVD;
	struct ss_tcphdr h = {
		.seq = c->iss,
		.ack = answer ? c->rcv_nxt : 0,
		.flags = SS_TCP_SYN | (answer ? SS_TCP_ACK : 0),
		.window = (uint16_t)ss_min_u32(c->rcv_buf, 65535),
		.has_mss = true,
		.mss = ss_net_mss(c->t->net, &c->node.tuple.remote),
		/* RFC 7323 1.3, RFC 2018 2: an answer repeats only what was offered. */
		.has_wscale = !answer || c->rcv_wscale || c->snd_wscale || c->rcv_buf_max > 65535,
		.wscale = c->rcv_wscale,
		.has_sack_ok = !answer || c->sack_ok,
		.has_ts = !answer || c->ts_ok,
		.ts_val = ss_tcp_ts_now(c->t, c->ts_offset),
		.ts_ecr = answer ? c->ts_recent : 0,
	};
	return push_bare(c->t, &c->node.tuple, &h);
}

/* RFC 9293 3.10.5: "Send a reset segment: <SEQ=SND.NXT><CTL=RST>". The ACK does no harm and helps a
 * peer that wants one (RFC 9293 3.10.7.3). */
void ss_tcp_send_rst(struct ss_tcp_conn *c)
{
	struct ss_tcphdr h = { .seq = bare_seq(c), .ack = c->rcv_nxt, .flags = SS_TCP_RST | SS_TCP_ACK };
	push_bare(c->t, &c->node.tuple, &h);
}

/* RFC 9293 3.10.7.1: the answer to a segment for which there is no connection. */
void ss_tcp_send_rst_to(struct ss_tcp *t, const struct ss_seg *s)
{
	struct ss_tcphdr h = { .flags = SS_TCP_RST };

	if (s->h.flags & SS_TCP_RST)
		return;
	if (s->h.flags & SS_TCP_ACK) {
		h.seq = s->h.ack;
	} else {
		h.flags |= SS_TCP_ACK;
		h.ack = s->h.seq + s->payload + !!(s->h.flags & SS_TCP_SYN) + !!(s->h.flags & SS_TCP_FIN);
	}
	push_bare(t, &s->tuple, &h);
}

void ss_tcp_send_tw_ack(struct ss_tcp *t, const struct ss_tcp_tw *w)
{
	struct ss_tcphdr h = { .seq = w->snd_nxt, .ack = w->rcv_nxt, .flags = SS_TCP_ACK,
			       .window = (uint16_t)w->window, .has_ts = w->ts_ok,
			       .ts_val = ss_tcp_ts_now(t, w->ts_offset), .ts_ecr = w->ts_recent };
	push_bare(t, &w->node.tuple, &h);
}
