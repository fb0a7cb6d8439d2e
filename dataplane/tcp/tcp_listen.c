/*
 * tcp_listen.c - who may connect: listeners, SYNs, half-open connections.
 */
#include "tcp/tcp_int.h"

#include "base/err.h"

static bool ip_is_any(const struct ss_ip *ip)
{
	static const uint8_t zero[16];
	return memcmp(ip->b, zero, sizeof(zero)) == 0;
}

static bool listens_on(const struct ss_tcp_listener *l, const struct ss_tuple *u)
{
	return l->accepting && l->addr.port == u->local_port &&
	       (ss_ip_eq(&l->addr.ip, &u->local) ||
		(l->addr.ip.family == u->local.family && ip_is_any(&l->addr.ip)));
}

static struct ss_tcp_listener *listener_for(struct ss_tcp *t, const struct ss_tuple *u)
{
	for (uint32_t i = 0; i < SS_TCP_LISTENERS; i++)
		if (listens_on(&t->listeners[i], u))
			return &t->listeners[i];
	return NULL;
}

int ss_tcp_listen(struct ss_tcp *t, const struct ss_addr *addr, uint32_t cookie, uint32_t max_conns)
{
	struct ss_tcp_listener *slot = NULL;

	for (uint32_t i = 0; i < SS_TCP_LISTENERS; i++) {
		struct ss_tcp_listener *l = &t->listeners[i];
		if (l->accepting && ss_addr_eq(&l->addr, addr))
			return SS_ERR_REFUSED;
		if (!slot && !l->used)
			slot = l;
	}
	if (!slot)
		return SS_ERR_FULL;
	*slot = (struct ss_tcp_listener){ .addr = *addr, .cookie = cookie, .max_conns = max_conns,
					  .used = true, .accepting = true };
	return 0;
}

void ss_tcp_unlisten(struct ss_tcp *t, const struct ss_addr *addr)
{
	for (uint32_t i = 0; i < SS_TCP_LISTENERS; i++) {
		struct ss_tcp_listener *l = &t->listeners[i];
		if (l->accepting && ss_addr_eq(&l->addr, addr)) {
			l->accepting = false;
			/* Its connections are counted here until the last has gone. */
			l->used = l->n_conns > 0;
		}
	}
}

uint32_t ss_tcp_listener_conns(const struct ss_tcp *t, uint32_t cookie)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < SS_TCP_LISTENERS; i++) {
		const struct ss_tcp_listener *l = &t->listeners[i];
		if (l->used && l->cookie == cookie)
			n += l->n_conns - l->n_half;
	}
	return n;
}

void ss_tcp_listen_left(struct ss_tcp_conn *c, bool was_half)
{
	struct ss_tcp_listener *l = &c->t->listeners[c->listener - 1];

	l->n_conns--;
	if (was_half) {
		l->n_half--;
		c->t->n_half--;
	}
	if (l->n_conns == 0 && !l->accepting)
		l->used = false;
	c->listener = 0;
}

void ss_tcp_syn_options(struct ss_tcp_conn *c, const struct ss_tcphdr *h)
{
	/* RFC 9293 3.7.1 (MUST-15): without the option assume 536. */
	uint32_t peer = h->has_mss ? ss_max_u32(h->mss, SS_TCP_MSS_MIN) : SS_TCP_MSS_DEFAULT;

	c->peer_mss_room = ss_min_u32(c->peer_mss_room, peer);
	c->ts_ok = h->has_ts;
	c->sack_ok = h->has_sack_ok;
	/* RFC 6691: the option counts no options; what every segment carries comes off here. */
	c->mss = (uint16_t)(c->peer_mss_room - (c->ts_ok ? 12 : 0));
	c->rcv_mss = c->mss;
	if (h->has_wscale) {
		c->snd_wscale = h->wscale;
	} else {
		/* RFC 7323 2.2: both sides must send the option, else neither scales. */
		c->snd_wscale = c->rcv_wscale = 0;
		c->rcv_buf_max = ss_min_u32(c->rcv_buf_max, 65535);
	}
	if (h->has_ts) {
		c->ts_recent = h->ts_val;
		c->ts_recent_at = c->t->now;
	}
	c->irs = h->seq;
	c->rcv_nxt = h->seq + 1;
	c->rcv_adv = c->rcv_nxt + ss_min_u32(c->rcv_buf, 65535);
	c->last_ack_sent = c->rcv_nxt;
	/* RFC 7323 2.2: "The window field in a segment where the SYN bit is set ... MUST NOT be scaled". */
	c->snd_wnd = c->max_snd_wnd = h->window;
	c->snd_wl1 = h->seq;
	c->snd_wl2 = c->iss;
}

/* SS_DROP_NONE when one more connection may be started on l. */
static enum ss_drop admit(const struct ss_tcp *t, const struct ss_tcp_listener *l)
{
	if (l->n_conns >= l->max_conns)
		return SS_DROP_TCP_LISTEN_FULL;
	if (t->n_half >= t->conf.max_half_open)
		return SS_DROP_TCP_SYN_FLOOD;
	/* The last ones are for our own connects: what is accepted is of no use without them. */
	if (ss_pool_used(t->conns) - t->n_half >= t->conf.max_conns - t->conf.kept_conns)
		return SS_DROP_TCP_CONNS_FULL;
	return SS_DROP_NONE;
}

static void start_half_open(struct ss_tcp *t, struct ss_tcp_listener *l, const struct ss_seg *s,
			    uint32_t hash, uint32_t isn_floor, bool floor)
{
	struct ss_tcp_conn *c = ss_tcp_conn_new(t, &s->tuple, hash);
	if (!c)
		return;
	if (floor && ss_seq_lt(c->iss, isn_floor)) {
		c->iss = isn_floor;
		c->snd_una = c->snd_nxt = c->snd_max = c->recover = c->iss;
		c->snd_base = c->iss + 1;
	}
	c->state = SS_TCP_SYN_RCVD;
	c->listener = (uint16_t)(l - t->listeners + 1);
	c->cookie = l->cookie;
	l->n_conns++;
	l->n_half++;
	t->n_half++;
	ss_tcp_syn_options(c, &s->h);
	c->rtx_first = true;
	ss_tcp_conn_dirty(c);
}

/*
 * RFC 9293 3.10.7.2: "First, check for a RST ... Second, check for an ACK ... Third, check for a SYN".
 * Bytes and FIN in the SYN are not taken; the peer sends them again.
 */
void ss_tcp_listen_in(struct ss_tcp *t, struct ss_seg *s, uint32_t hash, uint32_t isn_floor, bool floor)
{
	uint8_t f = s->h.flags;
	struct ss_tcp_listener *l = listener_for(t, &s->tuple);

	if (f & SS_TCP_RST)
		return;
	if (!l || (f & SS_TCP_ACK) || !(f & SS_TCP_SYN)) {
		ss_count_drop(t->counters, SS_DROP_TCP_NO_CONN);
		ss_tcp_send_rst_to(t, s);
		return;
	}
	enum ss_drop no = admit(t, l);
	if (no == SS_DROP_NONE) {
		start_half_open(t, l, s, hash, isn_floor, floor);
		return;
	}
	ss_count_drop(t->counters, no);
	/* A flood has forged addresses: answering would only multiply it. At a limit the caller is told. */
	if (no != SS_DROP_TCP_SYN_FLOOD)
		ss_tcp_send_rst_to(t, s);
}
