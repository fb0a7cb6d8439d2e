/*
 * h1_send.c - heads, bodies and trailers of a connection's one exchange to bytes.
 */
#include "http/http_int.h"

/* n bytes of scratch to c->out. */
static int append(struct ss_http_conn *c, const struct ss_out *o)
{
	if (o->over)
		return SS_ERR_NO_MEM;
	return ss_bufq_append(&c->out, c->http->conf.bufs, c->http->scratch,
			      (uint32_t)(o->p - c->http->scratch));
}

/* The length that a head promises; false when it has none. */
static bool promised(const struct ss_hdrs *h, uint64_t *n)
{
	const struct ss_hdr *f = ss_hdrs_find(h, SS_H_CONTENT_LENGTH);

	*n = 0;
	for (uint32_t i = 0; f && i < f->value.n; i++)
		*n = *n * 10 + (f->value.p[i] - '0');
	return f != NULL;
}

/* How a message that ends here, with its head, is framed; flags for the emitter. */
static uint32_t bodiless(const struct ss_hdrs *h, bool wants_length)
{
	uint64_t n;

	/* A promise that nobody will keep would make the peer take the next message for a body. */
	if (promised(h, &n))
		return n ? SS_H1_EMIT_LENGTH_0 : 0;
	return wants_length ? SS_H1_EMIT_LENGTH_0 : 0;
}

/* Chooses tx for a message with a body. can_chunk: the peer knows the coding. */
static uint32_t with_body(struct ss_http_stream *s, const struct ss_hdrs *h, bool can_chunk)
{
	struct ss_h1_conn *k = &s->conn->h1;

	if (promised(h, &s->h1.tx_left)) {
		k->tx = SS_H1_TX_LENGTH;
		return 0;
	}
	k->tx = can_chunk ? SS_H1_TX_CHUNKED : SS_H1_TX_CLOSE;
	k->keep &= can_chunk;
	return can_chunk ? SS_H1_EMIT_CHUNKED : 0;
}

/* RFC 9110 8.6: a method that usually has a body says so when it has none. */
static bool has_usually_body(struct ss_span method)
{
	return ss_span_eq(method, SS_SPAN("POST")) || ss_span_eq(method, SS_SPAN("PUT")) ||
	       ss_span_eq(method, SS_SPAN("PATCH"));
}

static int request_head(struct ss_http_stream *s, const struct ss_hdrs *h, bool end)
{
	struct ss_http_conn *c = s->conn;
	struct ss_out o = ss_out(c->http->scratch, SS_HTTP_SCRATCH);
	uint32_t flags;

	if (c->h1.cur || !c->slots)
		return SS_ERR_FULL;
	ss_h1_begin(c);
	flags = end ? bodiless(h, has_usually_body(h->method)) : with_body(s, h, true);
	/* The last one we will send here is told so (RFC 9112 9.6). */
	if (c->limits->max_requests && c->requests >= c->limits->max_requests) {
		flags |= SS_H1_EMIT_CLOSE;
		c->h1.keep = false;
	}
	if (ss_h1_emit_request(h, flags, &o) < 0 || append(c, &o) < 0)
		return SS_ERR_NO_MEM;
	c->h1.cur = s;
	c->slots = 0;
	s->unprocessed = true; /* until flush */
	return 0;
}

/* RFC 9110 6.4.1: these never have a body. */
static bool no_body(const struct ss_http_stream *s, uint16_t status)
{
	return s->no_body || status < 200 || status == 204 || status == 304;
}

static int informational(struct ss_http_stream *s, const struct ss_hdrs *h)
{
	struct ss_http_conn *c = s->conn;
	struct ss_out o = ss_out(c->http->scratch, SS_HTTP_SCRATCH);

	if (h->status == 100)
		c->h1.expect = false;
	if (c->h1.peer_old)
		return 0; /* RFC 9110 15.2: never to an HTTP/1.0 client */
	return ss_h1_emit_response(h, 0, &o) < 0 ? SS_ERR_NO_MEM : append(c, &o);
}

static int response_head(struct ss_http_stream *s, const struct ss_hdrs *h, bool end)
{
	struct ss_http_conn *c = s->conn;
	struct ss_h1_conn *k = &c->h1;
	struct ss_out o = ss_out(c->http->scratch, SS_HTTP_SCRATCH);
	bool keep = k->keep;
	uint32_t flags = 0;

	k->tx = SS_H1_TX_NONE;
	if (!no_body(s, h->status))
		flags = end ? bodiless(h, true) : with_body(s, h, !k->peer_old);
	/* A client that waited for 100 may send its body now or not: only a close tells the two apart. */
	c->no_more = c->no_more || c->aged;
	if (k->expect || c->no_more)
		k->keep = false;
	flags |= !k->keep ? SS_H1_EMIT_CLOSE : k->peer_old ? SS_H1_EMIT_KEEP_ALIVE : 0;
	if (ss_h1_emit_response(h, flags, &o) < 0 || append(c, &o) < 0) {
		k->keep = keep;
		return SS_ERR_NO_MEM;
	}
	return 0;
}

int ss_h1_send_head(struct ss_http_stream *s, const struct ss_hdrs *h, bool end)
{
	if (s->conn->upstream)
		return request_head(s, h, end);
	if (s->conn->h1.cur != s || h->status == 101)
		return SS_ERR_CLOSED; /* no upgrade is ever accepted */
	return h->status < 200 ? informational(s, h) : response_head(s, h, end);
}

/* -- bodies -- */

/* n bytes of s->tx as one chunk. The bytes move first: then nothing can fail halfway. */
static int put_chunk(struct ss_http_stream *s, uint32_t n)
{
	struct ss_http_conn *c = s->conn;
	uint8_t head[2 + SS_H1_CHUNK_HEAD_MAX] = "\r\n";
	uint32_t skip = c->h1.owe_crlf ? 0 : 2, len = 2 + ss_h1_emit_chunk_head(head + 2, n);
	struct ss_bufq q;

	ss_bufq_init(&q);
	if (ss_bufq_take(&q, &s->tx, n, c->http->conf.bufs) < 0)
		return SS_ERR_NO_MEM;
	if (ss_bufq_append(&c->out, c->http->conf.bufs, head + skip, len - skip) < 0) {
		ss_bufq_move(&q, &s->tx);
		s->tx = q;
		return SS_ERR_NO_MEM;
	}
	ss_bufq_move(&c->out, &q);
	c->h1.owe_crlf = ss_bufq_append(&c->out, c->http->conf.bufs, "\r\n", 2) < 0;
	return 0;
}

/* Up to room bytes of the body. 0, SS_ERR_NO_MEM, or SS_ERR_BAD_STREAM: more than the head promised. */
static int put_body(struct ss_http_stream *s, uint32_t room)
{
	struct ss_http_conn *c = s->conn;
	struct ss_h1_conn *k = &c->h1;
	uint32_t n = ss_min_u32(s->tx.len, room);

	if (n == 0)
		return 0;
	if (k->tx == SS_H1_TX_NONE) {
		ss_bufq_free(&s->tx);
		return 0;
	}
	if (k->tx == SS_H1_TX_CHUNKED)
		return put_chunk(s, n);
	if (k->tx == SS_H1_TX_LENGTH && s->tx.len > s->h1.tx_left)
		return SS_ERR_BAD_STREAM;
	if (ss_bufq_take(&c->out, &s->tx, n, c->http->conf.bufs) < 0)
		return SS_ERR_NO_MEM;
	if (k->tx == SS_H1_TX_LENGTH)
		s->h1.tx_left -= n;
	return 0;
}

/* The message's end. Errors as put_body. */
static int put_end(struct ss_http_stream *s)
{
	struct ss_http_conn *c = s->conn;
	struct ss_out o = ss_out(c->http->scratch, SS_HTTP_SCRATCH);

	if (c->h1.tx == SS_H1_TX_LENGTH && s->h1.tx_left)
		return SS_ERR_BAD_STREAM;
	if (c->h1.tx != SS_H1_TX_CHUNKED)
		return 0;
	if (c->h1.owe_crlf)
		ss_out_bytes(&o, "\r\n", 2);
	/* Trailers go to whoever can carry them: chunked is what does (RFC 9110 6.5.1). */
	if (ss_h1_emit_last_chunk(s->tx_trailers, &o) < 0 || append(c, &o) < 0)
		return SS_ERR_NO_MEM;
	c->h1.owe_crlf = false;
	return 0;
}

/* RFC 9110 10.1.1: the upper room has seen the head and has not answered, so the body is wanted. */
static void go_on(struct ss_http_conn *c)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

	if (ss_bufq_append(&c->out, c->http->conf.bufs, text, sizeof(text) - 1) == 0)
		c->h1.expect = false;
}

bool ss_h1_flush(struct ss_http_conn *c, uint32_t room)
{
	struct ss_http_stream *s = c->h1.cur;
	int rc;

	if (!s)
		return false;
	if (c->out.len)
		s->unprocessed = false; /* from now on nobody can be sure */
	if (c->h1.expect && !s->tx_head)
		go_on(c);
	if (!s->tx_head || s->tx_sent)
		return false;
	rc = put_body(s, room);
	if (rc == 0)
		ss_http_tx_shrunk(s);
	if (rc == 0 && s->tx_end && s->tx.len == 0)
		rc = put_end(s);
	if (rc == SS_ERR_BAD_STREAM) {
		/* The head promised another length: only a broken connection tells the peer. */
		ss_count_drop(c->http->conf.counters, SS_DROP_H1_SYNTAX);
		ss_http_conn_abort(c, SS_DROP_H1_SYNTAX);
		return false;
	}
	if (rc == 0 && s->tx_end && s->tx.len == 0) {
		ss_http_sent(s);
		ss_h1_maybe_complete(c);
		return false;
	}
	return rc < 0 || s->tx.len > 0;
}
