/*
 * How a connection ends when we end it. Every refusal is counted by its name and reported with the
 * peer's address, and its alert reaches the peer: after the FIN we go on taking what the peer sends,
 * because a RST on bytes that nobody reads would throw the alert away in the peer's receive queue
 * (RFC 1122 4.2.2.13, RFC 9112 9.6 tells the same story for HTTP).
 */
#include "tls/tls_int.h"

static void report(struct ss_tls *t, const struct ss_tuple *tuple, const struct ss_tls_conn *c,
		   enum ss_drop drop, struct ss_span detail)
{
	struct ss_event *ev = t->conf.events ? ss_event_reserve(t->conf.events) : NULL;
	uint32_t used = 0;

	ss_count_drop(t->conf.counters, drop);
	if (!ev) {
		if (t->conf.events)
			ss_count(t->conf.counters, SS_C_EVENTS_LOST, 1);
		return;
	}
	memset(ev, 0, offsetof(struct ss_event, text));
	ev->time_ns = t->now;
	ev->kind = SS_EVENT_REFUSED;
	ev->drop = (uint16_t)drop;
	ev->worker = (uint8_t)t->conf.worker;
	struct ss_addr remote = { .ip = tuple->remote, .port = tuple->remote_port };
	if (c && !c->server)
		ev->upstream = remote;
	else
		ev->downstream = remote;
	if (c) {
		ev->listener = c->cookie;
		ev->tls = c->peer.tls;
		struct ss_span sni = ss_peer_sni(&c->peer), identity = ss_peer_identity(&c->peer);

		ss_event_put(ev, &used, &ev->authority_n, sni.p, sni.n);
		ss_event_put(ev, &used, &ev->peer_n, identity.p, identity.n);
	}
	ss_event_put(ev, &used, &ev->detail_n, detail.p, detail.n);
	ss_event_commit(t->conf.events);
}

void ss_tls_refuse_tcp(struct ss_tls *t, struct ss_tcp_conn *tcp, enum ss_drop drop)
{
	report(t, ss_tcp_tuple(tcp), NULL, drop, SS_SPAN_NONE);
	ss_tcp_abort(tcp);
	ss_tcp_release(tcp);
}

void ss_tls_refuse(struct ss_tls_conn *c, enum ss_drop drop, struct ss_span detail)
{
	report(c->t, ss_tcp_tuple(c->tcp), c, drop, detail);
	c->reason = (uint16_t)drop;
	ss_tls_close(c);
	if (c->handed)
		ss_tls_raise(c, SS_TLS_EV_FAILED);
}

void ss_tls_shed(struct ss_tls_conn *c, enum ss_drop drop)
{
	report(c->t, ss_tcp_tuple(c->tcp), c, drop, SS_SPAN_NONE);
	c->reason = (uint16_t)drop;
	ss_tls_reset(c);
}

void ss_tls_refuse_openssl(struct ss_tls_conn *c, enum ss_drop drop)
{
	struct tls_shake *k = c->shake;

	ss_tls_explain(k, drop);
	ss_tls_refuse(c, (enum ss_drop)k->drop, ss_span(k->text, k->text_n));
}

void ss_tls_refuse_record(struct ss_tls_conn *c, enum ss_drop drop)
{
	/* Without mbufs it goes without its alert. */
	if (c->own.alert != TLS_NO_ALERT && !c->notified)
		(void)ss_tls_own_alert(c, SS_TLS_FATAL, c->own.alert);
	ss_tls_refuse(c, drop, ss_span_str(c->why));
}

void ss_tls_close(struct ss_tls_conn *c)
{
	struct ss_tls *t = c->t;

	if (c->state == TLS_ST_CLOSED)
		return;
	c->state = TLS_ST_CLOSED;
	ss_tls_unpark(c);
	ss_tls_out(c);
	if (!c->slim)
		ss_bufq_free(&c->tx);
	if (c->tcp_over) {
		ss_wheel_cancel(&t->wheel, &c->timer);
	} else {
		struct ss_bufq *in = ss_tcp_rx(c->tcp);
		uint32_t n = in->len;

		/* Plaintext that the upper room has not taken yet stays its own until the release. */
		if (!c->slim)
			ss_tls_own_ignore(c);
		if (ss_tls_is_tls(c) || !c->handed || c->released) {
			ss_bufq_drop(in, n);
			ss_tcp_consumed(c->tcp, n);
		}
		ss_tcp_shutdown(c->tcp);
		ss_wheel_cancel(&t->wheel, &c->timer);
		c->timer.kind = TLS_TIMER_LINGER;
		ss_wheel_arm(&t->wheel, &c->timer, t->now + TLS_LINGER_NS);
	}
	ss_tls_settle(c);
}

void ss_tls_reset(struct ss_tls_conn *c)
{
	if (!c->tcp_over) {
		ss_tcp_abort(c->tcp);
		c->tcp_over = true;
	}
	if (!c->slim) {
		ss_bufq_free(&c->out);
		ss_bufq_free(&c->tx);
	}
	c->state = TLS_ST_CLOSED;
	ss_tls_unpark(c);
	ss_wheel_cancel(&c->t->wheel, &c->timer);
	ss_tls_settle(c);
}
