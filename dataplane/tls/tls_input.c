/*
 * News from tcp and timers, and what each state does with it.
 */
#include "tls/tls_int.h"

/* What a state does with tcp's events (flags for EOF and FAILED are set already). */
typedef void (*tcp_news_fn)(struct ss_tls_conn *c, const struct ss_snapshot *snap, uint32_t ev);

static void go_plain(struct ss_tls_conn *c, uint32_t ev)
{
	ss_wheel_cancel(&c->t->wheel, &c->timer);
	c->state = TLS_ST_PLAIN;
	c->handed = true;
	ss_tls_raise(c, ev);
}

static void plain(struct ss_tls_conn *c, const struct ss_snapshot *snap, uint32_t ev)
{
	/* tcp's events and ours have the same meaning; its queue is the one that ss_tls_rx lends. */
	const struct {
		uint32_t tcp, tls;
	} same[] = { { SS_TCP_EV_READ, SS_TLS_EV_READ },
		     { SS_TCP_EV_ROOM, SS_TLS_EV_ROOM },
		     { SS_TCP_EV_EOF, SS_TLS_EV_EOF },
		     { SS_TCP_EV_FAILED, SS_TLS_EV_FAILED } };
	uint32_t up = 0;

	for (size_t i = 0; i < SS_ARRAY_LEN(same); i++)
		if (ev & same[i].tcp)
			up |= same[i].tls;
	if (ev & SS_TCP_EV_FAILED) {
		c->reason = (uint16_t)ss_tcp_reason(c->tcp);
		c->state = TLS_ST_CLOSED;
	}
	if (up)
		ss_tls_raise(c, up);
}

/* tcp is over: nothing can be said to the peer; tcp has counted why. */
static void lost(struct ss_tls_conn *c)
{
	c->reason = (uint16_t)ss_tcp_reason(c->tcp);
	ss_tls_close(c);
	if (c->handed)
		ss_tls_raise(c, SS_TLS_EV_FAILED);
}

static bool looks_like_tls(const struct ss_bufq *in)
{
	uint8_t scratch[SS_TLSREC_HEADER];
	struct ss_tlsrec r;

	if (*ss_bufq_peek(in, 0, 1, scratch) != SS_TLSREC_HANDSHAKE)
		return false;
	if (in->len < SS_TLSREC_HEADER)
		return true;
	return ss_tlsrec_parse(ss_bufq_peek(in, 0, SS_TLSREC_HEADER, scratch), SS_TLSREC_HEADER, &r) > 0;
}

/* RFC 8446 5: an unexpected record type is answered with unexpected_message, here in plaintext. */
static void refuse_plaintext(struct ss_tls_conn *c)
{
	uint8_t alert[SS_TLSREC_ALERT];

	ss_tlsrec_fatal(alert, SS_TLS_ALERT_UNEXPECTED_MESSAGE);
	(void)ss_bufq_append(&c->out, c->t->conf.bufs, alert, sizeof(alert));
	ss_tls_refuse(c, SS_DROP_TLS_PLAINTEXT, SS_SPAN("not a TLS record"));
}

/* The first byte of a downstream connection decides. The listener is looked up now: the SSL takes what it
 * needs, so that a snapshot may go while the handshake lasts. */
static void first_byte(struct ss_tls_conn *c, const struct ss_snapshot *snap)
{
	const struct ss_listener *l = ss_snapshot_listener(snap, c->cookie);

	if (!l) { /* removed by a reload since the connection was accepted */
		ss_tls_reset(c);
		return;
	}
	if (l->tls->mode == SS_TLS_DISABLE ||
	    (l->tls->mode == SS_TLS_PERMISSIVE && !looks_like_tls(ss_tcp_rx(c->tcp)))) {
		go_plain(c, SS_TLS_EV_ACCEPTED | SS_TLS_EV_READ | (c->tcp_eof ? SS_TLS_EV_EOF : 0));
		return;
	}
	if (!looks_like_tls(ss_tcp_rx(c->tcp))) {
		refuse_plaintext(c);
		return;
	}
	c->peer.tls = 1;
	enum ss_drop drop = ss_tls_admit(c->t);
	if (drop) { /* before it has cost us anything */
		ss_tls_shed(c, drop);
		return;
	}
	if (ss_tls_server_begin(c, l) < 0) {
		ss_tls_refuse(c, SS_DROP_TLS_CONNS_FULL, SS_SPAN("out of memory"));
		return;
	}
	c->state = TLS_ST_SHAKING;
	ss_tls_park(c);
}

static void in_first(struct ss_tls_conn *c, const struct ss_snapshot *snap, uint32_t ev)
{
	if (c->tcp_over)
		lost(c);
	else if (ss_tcp_rx(c->tcp)->len)
		first_byte(c, snap);
	else if (c->tcp_eof) /* came and went without a byte: a port probe, nothing to refuse */
		ss_tls_close(c);
}

static void in_connecting(struct ss_tls_conn *c, const struct ss_snapshot *snap, uint32_t ev)
{
	if (c->tcp_over) {
		lost(c);
		return;
	}
	if (!(ev & SS_TCP_EV_CONNECTED))
		return;
	if (!ss_tls_is_tls(c)) {
		go_plain(c, SS_TLS_EV_CONNECTED);
		plain(c, snap, ev);
		return;
	}
	c->state = TLS_ST_SHAKING;
	c->timer.kind = TLS_TIMER_HANDSHAKE;
	ss_wheel_arm(&c->t->wheel, &c->timer, c->t->now + c->shake->allowed_ns);
	ss_tls_park(c);
}

static void in_shaking(struct ss_tls_conn *c, const struct ss_snapshot *snap, uint32_t ev)
{
	if (c->tcp_over)
		lost(c);
	else
		ss_tls_park(c);
}

static void in_open(struct ss_tls_conn *c, const struct ss_snapshot *snap, uint32_t ev)
{
	ss_tls_pump(c);
	if (c->state != TLS_ST_OPEN)
		return;
	if (c->tcp_over)
		lost(c);
	else if ((ev & SS_TCP_EV_ROOM) && c->room_short && ss_tls_room(c))
		ss_tls_raise(c, SS_TLS_EV_ROOM);
}

static void in_closed(struct ss_tls_conn *c, const struct ss_snapshot *snap, uint32_t ev)
{
	uint32_t n = ss_tcp_rx(c->tcp)->len;

	if (n) {
		ss_bufq_drop(ss_tcp_rx(c->tcp), n);
		ss_tcp_consumed(c->tcp, n);
	}
	ss_tls_settle(c);
}

static const tcp_news_fn on_tcp[TLS_ST_COUNT] = {
	[TLS_ST_FIRST] = in_first, [TLS_ST_CONNECTING] = in_connecting, [TLS_ST_SHAKING] = in_shaking,
	[TLS_ST_OPEN] = in_open,   [TLS_ST_PLAIN] = plain,              [TLS_ST_CLOSED] = in_closed,
};

static struct ss_tls_conn *accept_one(struct ss_tls *t, const struct ss_snapshot *snap,
				      struct ss_tcp_conn *tcp)
{
	const struct ss_listener *l = ss_snapshot_listener(snap, ss_tcp_cookie(tcp));
	struct ss_tls_conn *c;

	if (!l) {
		ss_tcp_abort(tcp);
		ss_tcp_release(tcp);
		return NULL;
	}
	c = ss_tls_conn_new(t, tcp, l->tls->mode == SS_TLS_DISABLE);
	if (!c) {
		ss_tls_refuse_tcp(t, tcp, SS_DROP_TLS_CONNS_FULL);
		return NULL;
	}
	c->server = true;
	c->cookie = l->name;
	c->state = TLS_ST_FIRST;
	if (l->tls->mode == SS_TLS_DISABLE) {
		go_plain(c, SS_TLS_EV_ACCEPTED);
		return c;
	}
	c->timer.kind = TLS_TIMER_HANDSHAKE;
	ss_wheel_arm(&t->wheel, &c->timer, t->now + l->tls->handshake_timeout_ns);
	return c;
}

void ss_tls_input(struct ss_tls *t, const struct ss_snapshot *snap, struct ss_list *tcp_news, uint64_t now,
		  struct ss_list *news)
{
	struct ss_list *n;

	t->now = now;
	while ((n = ss_list_pop(tcp_news))) {
		struct ss_tcp_conn *tcp = ss_tcp_from_news(n);
		uint32_t ev = ss_tcp_events(tcp);
		struct ss_tls_conn *c = ss_tcp_owner(tcp);

		if (ev & SS_TCP_EV_ACCEPTED)
			c = accept_one(t, snap, tcp);
		if (!c || c->dead)
			continue;
		c->tcp_eof |= (ev & SS_TCP_EV_EOF) != 0;
		c->tcp_over |= (ev & SS_TCP_EV_FAILED) != 0;
		on_tcp[c->state](c, snap, ev);
	}
	ss_tls_steps(t);
	ss_tls_again(t, snap);
	ss_list_splice(news, &t->pending);
}

/* The time for a handshake is up, or for a peer to answer our FIN. */
static void timer_due(struct ss_tls_conn *c)
{
	if (c->timer.kind == TLS_TIMER_HANDSHAKE) {
		ss_tls_refuse(c, SS_DROP_TLS_TIMEOUT,
			      c->state == TLS_ST_FIRST ? SS_SPAN("no byte came") : SS_SPAN("handshake not finished"));
		return;
	}
	/* While tcp still has bytes of ours to deliver the peer cannot have seen our FIN; whether it
	 * answers at all is tcp's to judge. */
	if (ss_tcp_unacked(c->tcp) && !c->tcp_over) {
		ss_wheel_arm(&c->t->wheel, &c->timer, c->t->now + TLS_LINGER_NS);
		return;
	}
	c->tcp_eof = true;
	ss_tls_settle(c);
}

void ss_tls_expire(struct ss_tls *t, uint64_t now, struct ss_list *news)
{
	struct ss_list due, again, *n;

	t->now = now;
	ss_list_init(&due);
	ss_wheel_expire(&t->wheel, now, &due);
	while ((n = ss_list_pop(&due)))
		timer_due(ss_list_entry(n, struct ss_tls_conn, timer.node));
	ss_list_init(&again);
	ss_list_splice(&again, &t->ready);
	while ((n = ss_list_pop(&again))) {
		struct ss_tls_conn *c = ss_list_entry(n, struct ss_tls_conn, work);

		in_open(c, NULL, 0);
	}
	ss_tls_steps(t);
	ss_tls_rest(t);
	ss_list_splice(news, &t->pending);
}

uint64_t ss_tls_next(const struct ss_tls *t)
{
	if (!ss_list_empty(&t->pending) || !ss_list_empty(&t->parked) || !ss_list_empty(&t->paused) ||
	    !ss_list_empty(&t->ready) || !ss_list_empty(&t->dirty) || t->again)
		return t->now;
	return ss_tls_keys_held(t) ? ss_min_u64(ss_wheel_next(&t->wheel), t->rest_at) : ss_wheel_next(&t->wheel);
}
