/*
 * h2_headers.c - field blocks: assembled, decoded, judged, and made a stream's head or trailers.
 */
#include "http/http_int.h"

#include "wire/h2msg.h"

/*
 * Bytes of an encoded block; the number of its frames is guarded. A block somewhat over the limit is still
 * read, so that its stream can be answered and the connection goes on; beyond this the connection ends.
 */
static uint32_t block_max(const struct ss_http_conn *c)
{
	return ss_min_u32(2 * c->limits->max_header_bytes, SS_H2_BLOCK_MAX);
}

/* A decoded block. Its fields stand in the scratch array, its bytes in the stream's arena if there was room. */
struct block {
	struct ss_hdrs h;
	bool end;
	bool spilled;       /* some bytes are in the scratch */
	uint8_t *arena_end; /* of the bytes in the arena, which is open until the block is kept */
};

static int keep(struct ss_http_stream *s, struct ss_hdrs *to, const struct block *b)
{
	struct ss_hdr *v;

	if (b->spilled)
		return ss_http_hdrs_copy(&s->arena, to, &b->h);
	ss_arena_close(&s->arena, b->arena_end);
	v = ss_arena_alloc(&s->arena, (b->h.n + 1u) * sizeof(*v)); /* one more: none is no size */
	if (!v)
		return SS_ERR_NO_MEM;
	memcpy(v, b->h.v, b->h.n * sizeof(*v));
	*to = b->h;
	to->v = v;
	to->cap = b->h.n;
	return 0;
}

/* -- what a decoded block means -- */

/* rc of decoding or checking, for a stream that is open: over with it, or answered (RFC 9113 8.1.1). */
static void refuse_block(struct ss_http_stream *s, int rc)
{
	struct ss_http_conn *c = s->conn;
	enum ss_drop why = rc == SS_ERR_LIMIT ? SS_DROP_HEADERS_TOO_LARGE : SS_DROP_H2_STREAM;

	if (rc == SS_ERR_NO_MEM) {
		ss_count_drop(c->http->conf.counters, SS_DROP_STREAMS_FULL);
		if (s->handed)
			ss_http_stream_fail(s, SS_DROP_STREAMS_FULL, false);
		ss_h2_reset(s, SS_H2_REFUSED_STREAM);
	} else if (rc == SS_ERR_LIMIT && !c->upstream && !s->handed) {
		ss_count_drop(c->http->conf.counters, why);
		ss_h2_answer(s, 431);
	} else {
		ss_h2_stream_error(c, s->h2.id, s, SS_H2_PROTOCOL_ERROR, why);
	}
}

/* A request begins (8.3.1). */
static int take_request(struct ss_http_stream *s, struct block *b)
{
	struct ss_hdrs *h = &b->h;
	int rc = ss_h2msg_check_request(h, &s->h2.length_left);

	if (rc < 0)
		return rc;
	if (h->protocol.n)
		return SS_ERR_BAD_STREAM; /* RFC 8441 3: not without our SETTINGS_ENABLE_CONNECT_PROTOCOL */
	if (b->end && s->h2.length_left != SS_H2MSG_NO_LENGTH && s->h2.length_left)
		return SS_ERR_BAD_STREAM;
	if (keep(s, &s->head, b) < 0)
		return SS_ERR_NO_MEM;
	s->connect = ss_span_eq(s->head.method, SS_SPAN("CONNECT"));
	s->no_body = ss_span_eq(s->head.method, SS_SPAN("HEAD"));
	s->h2.got_head = true;
	rc = ss_http_request_clean(s);
	if (rc == SS_ERR_BAD_STREAM) {
		ss_count_drop(s->conn->http->conf.counters, SS_DROP_H2_STREAM);
		s->rx_end = b->end;
		ss_h2_answer(s, 400);
		return 0;
	}
	if (rc == 0)
		ss_http_news(s, SS_HTTP_EV_HEAD);
	return rc;
}

/* An informational or final response (8.1, 8.3.2). */
static int take_response(struct ss_http_stream *s, struct block *b)
{
	struct ss_hdrs *h = &b->h;
	uint64_t length;
	int rc = ss_h2msg_check_response(h, &length);

	if (rc < 0)
		return rc;
	if (h->status < 200) {
		/* "END_STREAM ... informational (1xx) status code is malformed"; there is no 101 (8.6) */
		if (b->end || h->status == 101 || ++s->infos > SS_HTTP_INFO_MAX)
			return SS_ERR_BAD_STREAM;
	} else if (!s->no_body && h->status != 304 && h->status != 204) {
		s->h2.length_left = length;
	} else {
		s->h2.length_left = 0; /* no DATA may follow (RFC 9110 6.4.1) */
	}
	if (keep(s, &s->head, b) < 0)
		return SS_ERR_NO_MEM;
	if (h->status >= 200)
		s->h2.got_head = true;
	ss_http_news(s, h->status < 200 ? SS_HTTP_EV_INFO : SS_HTTP_EV_HEAD);
	return 0;
}

/* "Trailers MUST NOT include pseudo-header fields" (8.1); without END_STREAM they are malformed. */
static int take_trailers(struct ss_http_stream *s, struct block *b)
{
	if (!b->end || ss_h2msg_check_trailers(&b->h) < 0)
		return SS_ERR_BAD_STREAM;
	if (s->released || !b->h.n)
		return 0;
	if (keep(s, &s->trailers, b) < 0)
		return SS_ERR_NO_MEM;
	s->has_trailers = true;
	return 0;
}

static int take_block(struct ss_http_stream *s, struct block *b)
{
	if (s->h2.got_head)
		return take_trailers(s, b);
	return s->conn->upstream ? take_response(s, b) : take_request(s, b);
}

/* -- which stream it is for -- */

/* A new request stream; NULL when it is refused, or the connection has ended. */
static struct ss_http_stream *open_request(struct ss_http_conn *c, uint32_t id)
{
	struct ss_h2_conn *k = c->h2;
	struct ss_http_stream *s;

	k->last_peer = id;
	if (k->draining == 2)
		return NULL; /* above GOAWAY's last id: "ignore frames on streams" (6.8) */
	if (c->n_streams >= c->limits->max_streams) {
		ss_h2_stream_error(c, id, NULL, SS_H2_REFUSED_STREAM, SS_DROP_H2_STREAM); /* 5.1.2 */
		return NULL;
	}
	s = ss_http_stream_new(c);
	if (!s) {
		ss_h2_stream_error(c, id, NULL, SS_H2_REFUSED_STREAM, SS_DROP_H2_STREAM);
		return NULL;
	}
	ss_h2_stream_open(s, id);
	if (c->limits->max_requests && c->requests >= c->limits->max_requests)
		ss_http_conn_drain(c);
	return s;
}

/*
 * The stream of a HEADERS frame. NULL: the block is to be decoded (4.3: both tables must stay in step) and
 * forgotten; c->state says whether the connection has ended.
 */
static struct ss_http_stream *block_stream(struct ss_http_conn *c, uint32_t id)
{
	struct ss_http_stream *s = ss_h2_find(c, id);
	enum ss_h2_id what;

	if (s && s->rx_end) {
		ss_h2_stream_error(c, id, s, SS_H2_STREAM_CLOSED, SS_DROP_H2_STREAM);
		return NULL;
	}
	if (s)
		return s;
	what = ss_h2_id(c, id);
	if (what == SS_H2_ID_IDLE && !c->upstream && id % 2)
		return open_request(c, id);
	/* 5.1.1: even ids, and ids at or below one used before, "MUST ... connection error". */
	if (what == SS_H2_ID_IDLE || (what == SS_H2_ID_FORGOTTEN && !c->upstream))
		ss_h2_conn_error(c, SS_H2_PROTOCOL_ERROR, SS_DROP_H2_PROTOCOL);
	else if (what == SS_H2_ID_DONE)
		ss_h2_conn_error(c, SS_H2_STREAM_CLOSED, SS_DROP_H2_PROTOCOL);
	else if (what == SS_H2_ID_GONE)
		ss_h2_stream_error(c, id, NULL, SS_H2_STREAM_CLOSED, SS_DROP_H2_STREAM);
	return NULL;
}

/* p's n bytes as fields: of s, or (NULL) of nobody. */
static int decode(struct ss_http_conn *c, struct ss_http_stream *s, const uint8_t *p, uint32_t n,
		  struct block *b)
{
	struct ss_http *http = c->http;
	struct ss_out spare = ss_out(http->scratch + SS_H2_BLOCK_MAX, SS_HTTP_SCRATCH - SS_H2_BLOCK_MAX);
	struct ss_hpack_run r;
	int rc;

	ss_hdrs_init(&b->h, http->fields, (uint16_t)ss_min_u32(c->limits->max_headers, SS_HTTP_HDRS_MAX));
	ss_hpack_begin(&r, &c->h2->dec, p, n, c->limits->max_header_bytes, &b->h);
	rc = ss_hpack_go(&r, s ? ss_arena_open(&s->arena) : spare);
	b->arena_end = r.out.p;
	if (rc == SS_ERR_FULL && s) {
		ss_arena_close(&s->arena, r.out.p);
		b->spilled = true;
		rc = ss_hpack_go(&r, spare);
	}
	return rc == SS_ERR_FULL ? ss_hpack_drain(&r, SS_ERR_LIMIT) : rc;
}

/* A whole field block of stream id: p has n bytes, in the scratch's first part or in an mbuf. */
static void whole_block(struct ss_http_conn *c, uint32_t id, uint8_t flags, const uint8_t *p, uint32_t n)
{
	struct block b = {.end = flags & SS_H2_F_END_STREAM};
	struct ss_http_stream *s = block_stream(c, id);
	int rc;

	if (c->state != SS_HTTP_OPEN)
		return;
	rc = decode(c, s, p, n, &b);
	if (rc == SS_ERR_BAD_HPACK) {
		ss_h2_conn_error(c, SS_H2_COMPRESSION_ERROR, SS_DROP_H2_HPACK);
		return;
	}
	if (!s)
		return;
	if (rc == 0)
		rc = take_block(s, &b);
	if (rc < 0) {
		s->rx_end = b.end;
		refuse_block(s, rc);
	} else if (b.end && !s->over && !s->rx_end) {
		ss_h2_rx_end(s);
	}
}

/* -- frames -- */

/* One more fragment of a block that has not ended. False: the connection has ended. */
static bool add_fragment(struct ss_http_conn *c, const uint8_t *p, uint32_t n)
{
	struct ss_h2_conn *k = c->h2;

	if (k->block.len + n > block_max(c)) {
		ss_h2_conn_error(c, SS_H2_ENHANCE_YOUR_CALM, SS_DROP_HEADERS_TOO_LARGE);
		return false;
	}
	if (n && ss_bufq_append(&k->block, c->http->conf.bufs, p, n) < 0) {
		ss_h2_conn_error(c, SS_H2_INTERNAL_ERROR, SS_DROP_MBUF_EMPTY);
		return false;
	}
	return true;
}

void ss_h2_on_headers(struct ss_http_conn *c, const uint8_t *p)
{
	struct ss_h2_conn *k = c->h2;
	struct ss_h2frame f = k->f;
	struct ss_h2prio prio = { 0 };
	struct ss_h2body b;

	if (ss_h2frame_body(&f, p, &b, &prio) < 0) {
		ss_h2_conn_error(c, f.code, SS_DROP_H2_PROTOCOL);
		return;
	}
	if (f.flags & SS_H2_F_END_HEADERS) {
		whole_block(c, f.stream, f.flags, p + b.skip, b.len);
		return;
	}
	if (b.len == 0 && !ss_h2_guard(c, SS_H2_B_EMPTY))
		return;
	k->block_stream = f.stream;
	k->block_flags = f.flags;
	add_fragment(c, p + b.skip, b.len);
}

void ss_h2_on_continuation(struct ss_http_conn *c, const uint8_t *p)
{
	struct ss_h2_conn *k = c->h2;
	uint32_t id = k->block_stream, n;

	if (!ss_h2_guard(c, SS_H2_B_CONTINUATION))
		return;
	if (k->f.len == 0 && !(k->f.flags & SS_H2_F_END_HEADERS) && !ss_h2_guard(c, SS_H2_B_EMPTY))
		return;
	if (!add_fragment(c, p, k->f.len) || !(k->f.flags & SS_H2_F_END_HEADERS))
		return;
	ss_h2_guard_clear(c, SS_H2_B_CONTINUATION);
	k->block_stream = 0;
	n = k->block.len;
	/* p is done with: the scratch is free for the joined block. */
	if (n)
		p = ss_bufq_peek(&k->block, 0, n, c->http->scratch);
	whole_block(c, id, k->block_flags, p, n);
	ss_bufq_free(&k->block);
}
