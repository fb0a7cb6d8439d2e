/*
 * http_stream.c - a stream's life, whatever the version: events, what was received, what is queued.
 */
#include "http/http_int.h"

#include "wire/uri.h"

/* Each request that we take may need one that we make: clients get half of the pool. If they could have
 * all of it, an overload would take in what it then cannot serve, and serve nothing. */
static struct ss_http_stream *take(const struct ss_http_conn *c)
{
	const struct ss_http *h = c->http;
	bool full = !c->upstream && h->n_requests >= (h->conf.max_streams + 1) / 2;

	return full ? NULL : ss_pool_take(h->streams);
}

struct ss_http_stream *ss_http_stream_new(struct ss_http_conn *c)
{
	struct ss_http *h = c->http;
	struct ss_http_stream *s = take(c);

	if (!s) {
		ss_count_drop(h->conf.counters, SS_DROP_STREAMS_FULL);
		return NULL;
	}
	memset(s, 0, sizeof(*s));
	s->conn = c;
	h->n_requests += !c->upstream;
	s->started = h->now;
	ss_list_init(&s->all);
	ss_list_init(&s->news);
	ss_bufq_init(&s->body);
	ss_bufq_init(&s->tx);
	ss_arena_init(&s->arena, h->conf.arenas);
	ss_list_push_back(&c->streams, &s->all);
	c->n_streams++;
	c->requests++;
	ss_http_arm(c, SS_HTTP_T_IDLE, 0);
	return s;
}

void ss_http_news(struct ss_http_stream *s, uint32_t events)
{
	struct ss_http_news *news = &s->conn->http->news;

	if (s->released)
		return;
	s->handed = true;
	s->events |= events;
	ss_list_push_once(s->conn->aside ? &news->aside_streams : &news->streams, &s->news);
}

static void to_the_dead(struct ss_http_stream *s)
{
	ss_list_remove(&s->all);
	ss_list_remove(&s->news);
	ss_list_push_back(&s->conn->http->dead, &s->all);
}

void ss_http_stream_over(struct ss_http_stream *s)
{
	if (s->over)
		return;
	s->over = true;
	s->conn->n_streams--;
	ss_bufq_free(&s->tx);
	if (s->released || !s->handed)
		to_the_dead(s);
	if (s->conn->v)
		s->conn->v->over(s);
}

void ss_http_stream_fail(struct ss_http_stream *s, enum ss_drop why, bool unprocessed)
{
	if (s->over)
		return;
	s->reason = (uint16_t)why;
	s->unprocessed = unprocessed;
	if (s->handed)
		ss_http_news(s, SS_HTTP_EV_RESET);
	ss_http_stream_over(s);
}

void ss_http_stream_free(struct ss_http_stream *s)
{
	struct ss_http_conn *c = s->conn;

	ss_bufq_free(&s->body);
	ss_bufq_free(&s->tx);
	ss_arena_reset(&s->arena);
	ss_list_remove(&s->all);
	ss_list_remove(&s->news);
	c->http->n_requests -= !c->upstream;
	ss_pool_give(c->http->streams, s);
	ss_http_conn_settle(c);
}

/* -- receiving -- */

int ss_http_body_take(struct ss_http_stream *s, uint32_t n)
{
	struct ss_http_conn *c = s->conn;

	if (s->released) {
		ss_bufq_drop(&c->in, n);
		s->bytes_in += n;
		c->v->consumed(s, n);
		return 0;
	}
	if (ss_bufq_take(&s->body, &c->in, n, c->http->conf.bufs) < 0)
		return SS_ERR_NO_MEM;
	s->bytes_in += n;
	ss_http_news(s, SS_HTTP_EV_BODY);
	return 0;
}

/* One span's bytes to *to, which moves on. */
static struct ss_span put(uint8_t **to, struct ss_span s)
{
	struct ss_span r = { *to, s.n };

	if (!s.n)
		return SS_SPAN_NONE;
	memcpy(*to, s.p, s.n);
	*to += s.n;
	return r;
}

int ss_http_hdrs_copy(struct ss_arena *a, struct ss_hdrs *to, const struct ss_hdrs *from)
{
	size_t bytes = from->n * sizeof(struct ss_hdr) + from->method.n + from->scheme.n + from->authority.n +
		       from->path.n + from->protocol.n;
	struct ss_hdr *v;
	uint8_t *p;

	for (uint16_t i = 0; i < from->n; i++)
		bytes += from->v[i].name.n + from->v[i].value.n;
	v = ss_arena_alloc(a, bytes ? bytes : 1);
	if (!v)
		return SS_ERR_NO_MEM;
	p = (uint8_t *)(v + from->n);
	*to = *from;
	to->v = v;
	to->cap = from->n;
	to->method = put(&p, from->method);
	to->scheme = put(&p, from->scheme);
	to->authority = put(&p, from->authority);
	to->path = put(&p, from->path);
	to->protocol = put(&p, from->protocol);
	for (uint16_t i = 0; i < from->n; i++) {
		v[i] = from->v[i];
		v[i].name = put(&p, from->v[i].name);
		v[i].value = put(&p, from->v[i].value);
	}
	return 0;
}

int ss_http_request_clean(struct ss_http_stream *s)
{
	struct ss_http *h = s->conn->http;
	struct ss_out out = ss_out(h->scratch, SS_HTTP_SCRATCH);
	struct ss_span host, norm;
	uint16_t port;
	bool ok = true;

	if (s->head.authority.n && ss_uri_authority(s->head.authority, &host, &port) < 0)
		return SS_ERR_BAD_STREAM;
	if (s->connect && !s->head.protocol.n)
		return 0; /* CONNECT has no path (RFC 9113 8.5) */
	if (ss_uri_path(s->head.path, 0, &out, &norm) < 0)
		return SS_ERR_BAD_STREAM;
	if (norm.p != s->head.path.p)
		s->head.path = ss_arena_copy(&s->arena, norm, &ok);
	return ok ? 0 : SS_ERR_NO_MEM;
}

uint32_t ss_http_events(struct ss_http_stream *s)
{
	uint32_t ev = s->events;

	s->events = 0;
	return ev;
}

struct ss_http_stream *ss_http_stream_from_news(struct ss_list *node)
{
	return ss_list_entry(node, struct ss_http_stream, news);
}

const struct ss_hdrs *ss_http_head(const struct ss_http_stream *s)
{
	return &s->head;
}

struct ss_bufq *ss_http_body(struct ss_http_stream *s)
{
	return &s->body;
}

void ss_http_consumed(struct ss_http_stream *s, uint32_t n)
{
	/* Also for a stream that is over: the connection's window counts its bytes (RFC 9113 6.9). */
	if (n && s->conn->state == SS_HTTP_OPEN)
		s->conn->v->consumed(s, n);
}

bool ss_http_ended(const struct ss_http_stream *s)
{
	return s->rx_end;
}

const struct ss_hdrs *ss_http_trailers(const struct ss_http_stream *s)
{
	return s->has_trailers ? &s->trailers : NULL;
}

/* -- sending -- */

int ss_http_send_head(struct ss_http_stream *s, const struct ss_hdrs *h, bool end)
{
	SS_STAGE_HERE(s->conn->http->conf.counters, SS_STAGE_HTTP_OUT);
	bool final = s->conn->upstream || h->status >= 200 || h->status == 101;
	int rc;

	if (s->over || s->tx_end || s->tx_head)
		return SS_ERR_CLOSED;
	s->tx_head = final;
	s->tx_end = final && end;
	rc = s->conn->v->send_head(s, h, s->tx_end);
	if (rc < 0) {
		s->tx_head = s->tx_end = false;
		return rc;
	}
	ss_http_dirty(s->conn);
	return 0;
}

int ss_http_send_body(struct ss_http_stream *s, struct ss_bufq *q, bool end)
{
	if (s->over || s->tx_end || !s->tx_head) {
		ss_bufq_free(q);
		return SS_ERR_CLOSED;
	}
	s->bytes_out += q->len;
	ss_bufq_move(&s->tx, q);
	s->tx_end = end;
	s->tx_short = s->tx.len >= SS_HTTP_TX_MAX;
	s->conn->v->ready(s);
	ss_http_dirty(s->conn);
	return 0;
}

int ss_http_send_trailers(struct ss_http_stream *s, const struct ss_hdrs *t)
{
	if (s->over || s->tx_end || !s->tx_head)
		return SS_ERR_CLOSED;
	if (t->n) {
		struct ss_hdrs *copy = ss_arena_alloc(&s->arena, sizeof(*copy));
		if (!copy || ss_http_hdrs_copy(&s->arena, copy, t) < 0)
			return SS_ERR_NO_MEM;
		s->tx_trailers = copy;
	}
	s->tx_end = true;
	s->conn->v->ready(s);
	ss_http_dirty(s->conn);
	return 0;
}

uint32_t ss_http_room(const struct ss_http_stream *s)
{
	return s->over || s->tx.len >= SS_HTTP_TX_MAX ? 0 : SS_HTTP_TX_MAX - s->tx.len;
}

void ss_http_tx_shrunk(struct ss_http_stream *s)
{
	if (!s->tx_short || s->tx.len > SS_HTTP_TX_MAX / 2)
		return;
	s->tx_short = false;
	ss_http_news(s, SS_HTTP_EV_ROOM);
}

void ss_http_sent(struct ss_http_stream *s)
{
	s->tx_sent = true;
	if (!s->released)
		ss_http_news(s, SS_HTTP_EV_SENT);
	else if (!s->over && !s->rx_end)
		s->conn->v->reset(s, SS_HTTP_NO_ERROR);
}

void ss_http_reset(struct ss_http_stream *s, enum ss_http_code code)
{
	if (!s->over)
		s->conn->v->reset(s, code);
}

void ss_http_release(struct ss_http_stream *s)
{
	uint32_t unread = s->body.len;

	if (s->released)
		return;
	s->released = true;
	s->events = 0;
	s->owner = NULL;
	ss_list_remove(&s->news);
	ss_bufq_free(&s->body);
	ss_http_consumed(s, unread);
	if (s->over) {
		to_the_dead(s);
		return;
	}
	if (!s->conn->upstream && s->tx_end) {
		/* The response is complete: what is queued still goes (RFC 9113 8.1). */
		if (s->tx_sent)
			s->conn->v->reset(s, SS_HTTP_NO_ERROR);
		return;
	}
	s->conn->v->reset(s, SS_HTTP_CANCEL);
}

void ss_http_set_owner(struct ss_http_stream *s, void *owner)
{
	s->owner = owner;
}

void *ss_http_owner(const struct ss_http_stream *s)
{
	return s->owner;
}

enum ss_drop ss_http_reason(const struct ss_http_stream *s)
{
	return s->reason;
}

bool ss_http_unprocessed(const struct ss_http_stream *s)
{
	return s->unprocessed;
}

struct ss_http_conn *ss_http_stream_conn(const struct ss_http_stream *s)
{
	return s->conn;
}

struct ss_arena *ss_http_arena(struct ss_http_stream *s)
{
	return &s->arena;
}

uint64_t ss_http_started(const struct ss_http_stream *s)
{
	return s->started;
}

int ss_http_version(const struct ss_http_stream *s)
{
	return s->conn->v->number;
}

uint64_t ss_http_bytes_in(const struct ss_http_stream *s)
{
	return s->bytes_in;
}

uint64_t ss_http_bytes_out(const struct ss_http_stream *s)
{
	return s->bytes_out;
}

/* -- starting a request -- */

int ss_http_request(struct ss_http_conn *c, const struct ss_hdrs *h, bool end, uint64_t now,
		    struct ss_http_stream **out)
{
	SS_STAGE_HERE(c->http->conf.counters, SS_STAGE_HTTP_OUT);
	struct ss_http_stream *s;
	int rc;

	c->http->now = now;
	if (c->state != SS_HTTP_OPEN || c->no_more)
		return SS_ERR_CLOSED;
	if (!c->slots)
		return SS_ERR_FULL;
	s = ss_http_stream_new(c);
	if (!s)
		return SS_ERR_NO_MEM;
	s->connect = ss_span_eq(h->method, SS_SPAN("CONNECT"));
	s->no_body = ss_span_eq(h->method, SS_SPAN("HEAD"));
	rc = ss_http_send_head(s, h, end);
	if (rc < 0) {
		s->unprocessed = true;
		ss_http_stream_over(s); /* never handed up: bury frees it */
		return rc;
	}
	s->handed = true;
	*out = s;
	return 0;
}
