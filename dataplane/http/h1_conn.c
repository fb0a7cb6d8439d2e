/*
 * h1_conn.c - an HTTP/1.1 connection: when it may carry the next message, and how it ends.
 */
#include "http/http_int.h"

static int open(struct ss_http_conn *c)
{
	memset(&c->h1, 0, sizeof(c->h1));
	c->slots = c->upstream ? 1 : 0;
	ss_h1_begin(c);
	return 0;
}

static void close(struct ss_http_conn *c)
{
	c->h1.cur = NULL;
}

void ss_h1_begin(struct ss_http_conn *c)
{
	struct ss_h1_conn *k = &c->h1;

	*k = (struct ss_h1_conn){ .keep = true, .rx = SS_H1_RX_HEAD };
	c->hold = false;
	ss_h1_scan_init(&k->scan, true);
}

/* -- the end of an exchange -- */

void ss_h1_maybe_complete(struct ss_http_conn *c)
{
	struct ss_http_stream *s = c->h1.cur;

	if (s && s->rx_end && s->tx_sent && !s->over)
		ss_http_stream_over(s);
}

/* May the connection carry another exchange? For an upstream one, bytes that nobody asked for say no. */
static bool reusable(const struct ss_http_conn *c, const struct ss_http_stream *s)
{
	if (!s->rx_end || !s->tx_sent || !c->h1.keep || c->no_more)
		return false;
	return !c->upstream || (c->in.len == 0 && !c->fin);
}

static void over(struct ss_http_stream *s)
{
	struct ss_http_conn *c = s->conn;

	if (c->h1.cur != s)
		return;
	c->h1.cur = NULL;
	if (c->state != SS_HTTP_OPEN)
		return;
	if (!reusable(c, s)) {
		ss_http_conn_finish(c, SS_DROP_NONE);
		return;
	}
	ss_h1_begin(c);
	if (c->upstream) {
		c->slots = 1;
		ss_http_conn_news(c, SS_HTTP_CONN_SLOT);
	} else {
		ss_http_again(c); /* the next request may lie in c->in, or the end of them all */
	}
	ss_http_conn_quiet(c);
}

/* -- the end of a connection -- */

void ss_h1_cut(struct ss_http_conn *c, uint16_t drop)
{
	/* RFC 9112 8: a body that ends with the connection would look complete after an orderly end. */
	if (c->h1.cur && c->h1.cur->tx_head && c->h1.tx == SS_H1_TX_CLOSE) {
		if (drop != SS_DROP_NONE)
			ss_count_drop(c->http->conf.counters, drop);
		ss_http_conn_abort(c, drop);
	} else {
		ss_http_conn_finish(c, drop);
	}
}

void ss_h1_answer(struct ss_http_conn *c, uint16_t status, uint16_t drop)
{
	struct ss_out o = ss_out(c->http->scratch, SS_HTTP_SCRATCH);
	struct ss_hdrs h;

	if (!c->upstream && !(c->h1.cur && c->h1.cur->tx_head)) {
		ss_hdrs_init(&h, NULL, 0);
		h.status = status;
		ss_h1_emit_response(&h, SS_H1_EMIT_CLOSE | SS_H1_EMIT_LENGTH_0, &o);
		/* Without a packet buffer the client sees the connection end, which says enough. */
		ss_bufq_append(&c->out, c->http->conf.bufs, c->http->scratch,
			       (uint32_t)(o.p - c->http->scratch));
	}
	ss_h1_cut(c, drop);
}

void ss_h1_refuse(struct ss_http_conn *c, enum ss_h1_why why)
{
	enum ss_drop drop = why == SS_H1_WHY_FIELDS ? SS_DROP_HEADERS_TOO_LARGE :
			    ss_h1_why_smuggling(why) ? SS_DROP_H1_SMUGGLING : SS_DROP_H1_SYNTAX;

	ss_h1_answer(c, ss_h1_why_status(why), drop);
}

/* -- what the upper room wants -- */

static void reset(struct ss_http_stream *s, enum ss_http_code code)
{
	struct ss_http_conn *c = s->conn;

	/* A response that is complete stays so: what is left of the request is read and thrown away. */
	if (!c->upstream && code == SS_HTTP_NO_ERROR && s->tx_end) {
		ss_http_again(c);
		return;
	}
	c->h1.keep = false;
	if (c->state != SS_HTTP_OPEN || c->h1.cur != s) {
		ss_http_stream_over(s);
		return;
	}
	/* One request, one connection: there is no other way to say that it is over. */
	bool abort = c->upstream || (s->tx_head && c->h1.tx == SS_H1_TX_CLOSE);
	c->h1.cur = NULL;
	ss_http_stream_over(s);
	if (abort)
		ss_http_conn_abort(c, SS_DROP_NONE);
	else
		ss_http_conn_finish(c, SS_DROP_NONE);
}

static void ready(struct ss_http_stream *s)
{
	/* flush frames what is queued; nothing has to be noted before. */
	(void)s;
}

static void consumed(struct ss_http_stream *s, uint32_t n)
{
	s->h1.unread -= ss_min_u32(n, s->h1.unread);
	if (s->h1.stalled && s->h1.unread <= SS_H1_UNREAD_MAX / 2) {
		s->h1.stalled = s->conn->hold = false;
		ss_http_again(s->conn);
	}
}

static void drain(struct ss_http_conn *c)
{
	c->no_more = true;
	/* A request whose first bytes are here is served; its head timer bounds the wait. */
	if (!c->h1.cur && c->in.len == 0)
		ss_http_conn_quiet(c);
}

static void expire(struct ss_http_conn *c, enum ss_http_timer t)
{
	if (t == SS_HTTP_T_IDLE)
		ss_http_conn_finish(c, SS_DROP_HTTP_IDLE);
	else if (t == SS_HTTP_T_HEAD)
		ss_h1_answer(c, 408, SS_DROP_H1_HEAD_TIMEOUT);
}

const struct ss_http_version ss_h1_version = {
	.number = 1,
	.open = open,
	.input = ss_h1_input,
	.flush = ss_h1_flush,
	.send_head = ss_h1_send_head,
	.ready = ready,
	.consumed = consumed,
	.reset = reset,
	.drain = drain,
	.over = over,
	.expire = expire,
	.close = close,
};
