/*
 * http_conn.c - a connection's life: accepted or opened, a version chosen, fed, flushed, ended, freed.
 */
#include "http/http_int.h"

#include "wire/h2frame.h"

static struct ss_http_conn *conn_new(struct ss_http *h, struct ss_tls_conn *t,
				     const struct ss_http_limits *limits)
{
	const struct ss_http_limits *held = ss_http_limits_hold(h->limits, limits);
	struct ss_http_conn *c = held ? ss_pool_take(h->conns) : NULL;

	if (!c) {
		if (held)
			ss_http_limits_drop(held);
		return NULL;
	}
	memset(c, 0, sizeof(*c));
	c->http = h;
	c->tls = t;
	c->limits = held;
	ss_bufq_init(&c->in);
	ss_bufq_init(&c->out);
	ss_list_init(&c->streams);
	ss_list_init(&c->all);
	ss_list_init(&c->todo);
	ss_list_init(&c->dirty);
	ss_list_init(&c->news);
	ss_http_timers_init(c);
	ss_list_push_back(&h->all, &c->all);
	return c;
}

/* -- choosing a version -- */

static void opened(struct ss_http_conn *c, const struct ss_http_version *v)
{
	ss_http_arm(c, SS_HTTP_T_PHASE, 0);
	c->v = v;
	c->state = SS_HTTP_OPEN;
	if (v->open(c) < 0) { /* HTTP/2: HTTP/1.1 takes nothing */
		enum ss_drop why = c->h2 ? SS_DROP_MBUF_EMPTY : SS_DROP_H2_CONNS_FULL;
		v->close(c);
		c->v = NULL;
		ss_count_drop(c->http->conf.counters, why);
		ss_http_conn_abort(c, why);
		return;
	}
	ss_http_age_begin(c);
	if (c->upstream)
		ss_http_conn_news(c, SS_HTTP_CONN_OPEN);
	ss_http_conn_quiet(c);
	ss_http_dirty(c);
}

/* ALPN decides where there is TLS (RFC 9113 3.2); else the configuration (3.3), if it says. */
static const struct ss_http_version *by_agreement(const struct ss_http_conn *c)
{
	const struct ss_peer *p = ss_tls_peer(c->tls);

	if (p->alpn == SS_ALPN_H2)
		return &ss_h2_version;
	if (p->alpn == SS_ALPN_H1)
		return &ss_h1_version;
	if (c->protocol == SS_PROTO_H2)
		return &ss_h2_version;
	if (c->protocol == SS_PROTO_H1 || c->upstream || p->tls)
		return &ss_h1_version;
	return NULL;
}

/* A client that knows that we speak HTTP/2 starts with its preface (RFC 9113 3.4). */
static const struct ss_http_version *by_first_bytes(const struct ss_http_conn *c)
{
	static const char sign[] = "PRI * HTTP/2.0";
	uint8_t scratch[sizeof(sign) - 1];
	uint32_t n = ss_min_u32(c->in.len, sizeof(sign) - 1);

	if (n && memcmp(ss_bufq_peek(&c->in, 0, n, scratch), sign, n) != 0)
		return &ss_h1_version;
	if (n == sizeof(sign) - 1)
		return &ss_h2_version;
	return c->eof ? &ss_h1_version : NULL;
}

static struct ss_http_conn *accepted(struct ss_http *h, const struct ss_snapshot *snap, struct ss_tls_conn *t)
{
	const struct ss_listener *l = ss_snapshot_listener(snap, ss_tls_cookie(t));
	const struct ss_http_version *v;
	struct ss_http_conn *c;

	if (!l || h->draining) {
		ss_count_drop(h->conf.counters, SS_DROP_DRAINING);
		ss_tls_abort(t);
		ss_tls_release(t);
		return NULL;
	}
	c = conn_new(h, t, &l->http);
	if (!c) {
		ss_count_drop(h->conf.counters, SS_DROP_HTTP_CONNS_FULL);
		ss_tls_abort(t);
		ss_tls_release(t);
		return NULL;
	}
	c->protocol = l->protocol;
	ss_tls_set_owner(t, c);
	v = by_agreement(c);
	if (v) {
		opened(c, v);
		return c;
	}
	c->state = SS_HTTP_DETECT;
	ss_http_arm(c, SS_HTTP_T_PHASE, c->limits->request_head_timeout_ns);
	return c;
}

int ss_http_connect(struct ss_http *h, const struct ss_cluster *cluster, const struct ss_addr *remote,
		    uint64_t now, struct ss_http_conn **out)
{
	struct ss_http_conn *c = conn_new(h, NULL, &cluster->http);
	int rc;

	h->now = now;
	if (!c)
		return SS_ERR_NO_MEM;
	c->upstream = true;
	c->protocol = cluster->protocol;
	c->state = SS_HTTP_CONNECTING;
	rc = ss_tls_connect(h->conf.tls, remote, cluster->tls, cluster->protocol, now, &c->tls);
	if (rc < 0) {
		ss_list_remove(&c->all);
		ss_http_limits_drop(c->limits);
		ss_pool_give(h->conns, c);
		return rc;
	}
	ss_tls_set_owner(c->tls, c);
	ss_http_arm(c, SS_HTTP_T_PHASE, cluster->connect_timeout_ns);
	*out = c;
	return 0;
}

/* -- news of the transport, and time -- */

void ss_http_conn_feed(struct ss_http_conn *c)
{
	struct ss_bufq *rx = ss_tls_rx(c->tls);
	uint32_t n = ss_min_u32(rx->len, SS_HTTP_IN_MAX - ss_min_u32(c->in.len, SS_HTTP_IN_MAX));

	if (c->hold)
		n = 0;
	if (c->state == SS_HTTP_CLOSING || c->state == SS_HTTP_OVER)
		n = rx->len;
	if (n == rx->len) {
		ss_bufq_move(&c->in, rx);
	} else if (ss_bufq_take(&c->in, rx, n, c->http->conf.bufs) < 0) {
		n = 0; /* no packet buffer for the cut: the rest of c->in comes first, */
		ss_http_again(c); /* and no news tells when there is one again */
	}
	if (n)
		ss_tls_consumed(c->tls, n);
	c->eof = c->fin && rx->len == 0;
	if (c->state == SS_HTTP_DETECT) {
		const struct ss_http_version *v = by_first_bytes(c);
		if (v)
			opened(c, v);
	}
	if (c->state == SS_HTTP_OPEN) {
		c->v->input(c);
		if (c->state == SS_HTTP_OPEN && rx->len && !c->hold && c->in.len < SS_HTTP_IN_MAX)
			ss_http_again(c); /* there was more than fits at once, and it is no news any more */
	} else if (c->state >= SS_HTTP_CLOSING) {
		ss_bufq_free(&c->in);
		if (c->eof && c->shut)
			ss_http_conn_gone(c);
	}
}

void ss_http_conn_transport(struct ss_http *h, const struct ss_snapshot *snap, struct ss_tls_conn *t)
{
	uint32_t ev = ss_tls_events(t);
	struct ss_http_conn *c = ss_tls_owner(t);

	if (!c && (ev & SS_TLS_EV_ACCEPTED))
		c = accepted(h, snap, t);
	if (!c)
		return;
	if (ev & SS_TLS_EV_EOF)
		c->fin = true;
	if ((ev & SS_TLS_EV_CONNECTED) && c->state == SS_HTTP_CONNECTING)
		opened(c, by_agreement(c));
	if (ev & (SS_TLS_EV_READ | SS_TLS_EV_EOF | SS_TLS_EV_ACCEPTED | SS_TLS_EV_CONNECTED))
		ss_http_conn_feed(c);
	if (ev & SS_TLS_EV_ROOM)
		ss_http_dirty(c);
	if (ev & SS_TLS_EV_FAILED)
		ss_http_conn_abort(c, ss_tls_reason(t));
}

void ss_http_conn_timer(struct ss_http_conn *c, enum ss_http_timer t)
{
	if (c->state == SS_HTTP_OVER)
		return;
	if (t == SS_HTTP_T_PHASE && c->state == SS_HTTP_CLOSING)
		ss_http_conn_abort(c, c->reason);
	else if (t == SS_HTTP_T_PHASE && c->state == SS_HTTP_CONNECTING)
		ss_http_conn_abort(c, SS_DROP_CONNECT_FAILED);
	else if (t == SS_HTTP_T_PHASE)
		ss_http_conn_finish(c, SS_DROP_HTTP_IDLE);
	else if (t == SS_HTTP_T_AGE)
		ss_http_age_end(c);
	else if (c->state == SS_HTTP_OPEN)
		c->v->expire(c, t);
}

void ss_http_conn_flush(struct ss_http_conn *c)
{
	uint32_t room;
	bool more = false;

	if (c->state == SS_HTTP_OVER || c->state == SS_HTTP_CONNECTING)
		return;
	room = ss_tls_room(c->tls);
	if (c->state == SS_HTTP_OPEN)
		more = c->v->flush(c, room > c->out.len ? room - c->out.len : 0);
	/* Without room the bytes wait here, where the version counts them, until tls says ROOM. */
	if (c->out.len && (room || c->state == SS_HTTP_CLOSING))
		if (ss_tls_send(c->tls, &c->out) < 0 && c->state == SS_HTTP_CLOSING)
			ss_http_conn_gone(c);
	if (c->state == SS_HTTP_CLOSING && !c->shut) {
		c->shut = true;
		ss_tls_shutdown(c->tls);
		ss_http_arm(c, SS_HTTP_T_PHASE, SS_HTTP_LINGER_NS);
		if (c->eof)
			ss_http_conn_gone(c);
	}
	if (more && ss_tls_room(c->tls))
		ss_http_dirty(c);
}
