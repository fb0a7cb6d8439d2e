/*
 * h1_recv.c - bytes of a connection to heads, bodies and trailers of its one exchange.
 */
#include "http/http_int.h"

/* Each step takes from the front of c->in; true when there may be more to do. */
typedef bool (*step_fn)(struct ss_http_conn *c);

/* A section has to fit the arena's largest chunk. */
static uint32_t section_max(const struct ss_http_conn *c)
{
	return ss_min_u32(c->limits->max_header_bytes, SS_ARENA_LARGE - 1024);
}

/* -- sections: heads and trailers -- */

/* Bytes of the section that c->in begins with, 0 while its end is missing, or an error. */
static int section(struct ss_http_conn *c)
{
	struct ss_h1_conn *k = &c->h1;
	int r = 0;

	while (r == 0 && k->scan.seen < c->in.len) {
		struct ss_span piece = ss_bufq_front(&c->in);
		if (k->scan.seen < piece.n) {
			piece = ss_span(piece.p + k->scan.seen, piece.n - k->scan.seen);
		} else {
			uint32_t n = ss_bufq_read_at(&c->in, &k->pos, k->scan.seen, c->http->scratch,
						     SS_HTTP_SCRATCH);
			piece = ss_span(c->http->scratch, n);
		}
		r = ss_h1_scan(&k->scan, piece.p, piece.n);
	}
	if (r >= 0 && k->scan.seen > section_max(c))
		return SS_ERR_LIMIT;
	return r > 0 ? (int)k->scan.seen : r;
}

/* Moves a section of n bytes into the stream's arena. */
static uint8_t *take_section(struct ss_http_stream *s, uint32_t n)
{
	struct ss_http_conn *c = s->conn;
	uint8_t *text = ss_arena_alloc(&s->arena, n);

	if (text) {
		ss_bufq_read(&c->in, 0, text, n);
		ss_bufq_drop(&c->in, n);
		memset(&c->h1.pos, 0, sizeof(c->h1.pos));
	}
	return text;
}

static void scratch_block(struct ss_http_conn *c, struct ss_hdrs *h)
{
	ss_hdrs_init(h, c->http->fields, (uint16_t)ss_min_u32(c->limits->max_headers, SS_HTTP_HDRS_MAX));
}

/* The fields' array moves from scratch to the arena; their bytes are there already. */
static int keep_block(struct ss_http_stream *s, struct ss_hdrs *to, const struct ss_hdrs *h)
{
	*to = *h;
	to->cap = h->n;
	to->v = ss_arena_alloc(&s->arena, h->n ? h->n * sizeof(*h->v) : 1);
	if (!to->v)
		return SS_ERR_NO_MEM;
	memcpy(to->v, h->v, h->n * sizeof(*h->v));
	return 0;
}

/* Why a section could not be read. */
static void section_refused(struct ss_http_conn *c, int err)
{
	if (err == SS_ERR_LIMIT)
		ss_h1_answer(c, 431, SS_DROP_HEADERS_TOO_LARGE);
	else
		ss_h1_refuse(c, (enum ss_h1_why)c->h1.scan.why);
}

/* No memory for a message: the newest work is shed. */
static void no_room(struct ss_http_conn *c, bool counted)
{
	if (!counted)
		ss_count_drop(c->http->conf.counters, SS_DROP_STREAMS_FULL);
	ss_h1_answer(c, 503, SS_DROP_NONE);
}

/* What the body that follows a head is. */
static void expect_body(struct ss_http_stream *s, const struct ss_h1_head *head)
{
	static const uint8_t next[] = {
		[SS_H1_BODY_NONE] = SS_H1_RX_DONE,
		[SS_H1_BODY_LENGTH] = SS_H1_RX_LENGTH,
		[SS_H1_BODY_CHUNKED] = SS_H1_RX_CHUNKED,
		[SS_H1_BODY_CLOSE] = SS_H1_RX_CLOSE,
		[SS_H1_BODY_TUNNEL] = SS_H1_RX_DONE,
	};

	s->conn->h1.rx = next[head->body];
	s->h1.rx_left = head->length;
	ss_h1_chunk_init(&s->h1.chunk);
}

/* The message is complete; `also` comes with END. */
static void message_end(struct ss_http_stream *s, uint32_t also)
{
	s->conn->h1.rx = SS_H1_RX_DONE;
	s->rx_end = true;
	ss_http_news(s, SS_HTTP_EV_END | also);
	ss_h1_maybe_complete(s->conn);
}

static void head_done(struct ss_http_stream *s)
{
	bool end = s->conn->h1.rx == SS_H1_RX_DONE;

	if (end)
		message_end(s, SS_HTTP_EV_HEAD);
	else
		ss_http_news(s, SS_HTTP_EV_HEAD);
}

/* -- requests -- */

static void note_request(struct ss_http_stream *s, const struct ss_h1_head *head)
{
	struct ss_http_conn *c = s->conn;
	struct ss_h1_conn *k = &c->h1;

	k->cur = s;
	k->peer_old = head->minor == 0;
	k->keep = head->keep_alive && !(c->limits->max_requests && c->requests >= c->limits->max_requests);
	s->started = k->started;
	s->connect = ss_span_eq(s->head.method, SS_SPAN("CONNECT"));
	s->no_body = ss_span_eq(s->head.method, SS_SPAN("HEAD"));
	/* RFC 9110 9.3.6: what follows a CONNECT is no HTTP, whatever the answer says. */
	k->keep &= !s->connect;
	if (s->head.scheme.n == 0)
		s->head.scheme = ss_tls_peer(c->tls)->tls ? SS_SPAN("https") : SS_SPAN("http");
	expect_body(s, head);
	k->expect = head->expect_continue && k->rx != SS_H1_RX_DONE;
	if (k->expect)
		ss_http_dirty(c); /* flush asks for the body when nobody has answered by then */
	/* We answer 100 ourselves: the next hop is not to wait as well. */
	ss_hdrs_remove(&s->head, SS_H_EXPECT);
}

static bool request_head(struct ss_http_conn *c, uint32_t n)
{
	struct ss_http_stream *s = ss_http_stream_new(c);
	struct ss_h1_head head;
	struct ss_hdrs h;
	uint8_t *text;

	if (!s) {
		no_room(c, true);
		return false;
	}
	text = take_section(s, n);
	scratch_block(c, &h);
	int rc = text ? ss_h1_parse_request(text, n, &head, &h) : SS_ERR_NO_MEM;
	if (rc > 0)
		rc = keep_block(s, &s->head, &h);
	if (rc == 0) {
		note_request(s, &head);
		rc = ss_http_request_clean(s);
	}
	if (rc == 0) {
		head_done(s);
		return true;
	}
	/* Never handed up: it ends with the connection. */
	if (rc == SS_ERR_NO_MEM)
		no_room(c, false);
	else
		ss_h1_refuse(c, head.why ? head.why : SS_H1_WHY_TARGET);
	return false;
}

/* -- responses -- */

static bool informational(struct ss_http_stream *s)
{
	struct ss_http_conn *c = s->conn;

	/* 101 answers an upgrade, which we never ask for. */
	if (s->head.status == 101 || ++s->infos > SS_HTTP_INFO_MAX) {
		ss_http_conn_finish(c, SS_DROP_H1_SYNTAX);
		return false;
	}
	ss_h1_scan_init(&c->h1.scan, true);
	ss_http_news(s, SS_HTTP_EV_INFO);
	/* The next head would take this one's place before anybody has seen it. */
	if (c->in.len)
		ss_http_again(c);
	return false;
}

static bool response_head(struct ss_http_conn *c, uint32_t n)
{
	struct ss_http_stream *s = c->h1.cur;
	struct ss_h1_head head = { .head_request = s->no_body, .connect_request = s->connect };
	uint8_t *text = take_section(s, n);
	struct ss_hdrs h;

	scratch_block(c, &h);
	int rc = text ? ss_h1_parse_response(text, n, &head, &h) : SS_ERR_NO_MEM;
	if (rc > 0)
		rc = keep_block(s, &s->head, &h);
	if (rc == SS_ERR_NO_MEM) {
		no_room(c, false);
		return false;
	}
	if (rc < 0) {
		ss_h1_refuse(c, head.why);
		return false;
	}
	if (s->head.status < 200)
		return informational(s);
	c->h1.keep &= head.keep_alive && head.body != SS_H1_BODY_TUNNEL;
	expect_body(s, &head);
	head_done(s);
	return true;
}

static bool step_head(struct ss_http_conn *c)
{
	struct ss_h1_conn *k = &c->h1;

	if (c->in.len == 0)
		return false;
	if (c->upstream && !k->cur) {
		/* Nobody asked: a farewell like 408, or worse. It must not answer the next request. */
		ss_http_conn_finish(c, SS_DROP_NONE);
		return false;
	}
	if (!c->upstream && k->scan.seen == 0) {
		k->started = c->http->now;
		ss_http_arm(c, SS_HTTP_T_IDLE, 0);
		ss_http_arm(c, SS_HTTP_T_HEAD, c->limits->request_head_timeout_ns);
	}
	int n = section(c);
	if (n == 0)
		return false;
	ss_http_arm(c, SS_HTTP_T_HEAD, 0);
	if (n < 0) {
		section_refused(c, n);
		return false;
	}
	return c->upstream ? response_head(c, (uint32_t)n) : request_head(c, (uint32_t)n);
}

/* -- bodies -- */

/* Moves up to `most` body bytes up; how many, 0 when reading has to stop. */
static uint32_t take_body(struct ss_http_conn *c, uint64_t most)
{
	struct ss_http_stream *s = c->h1.cur;
	uint32_t room = SS_H1_UNREAD_MAX - ss_min_u32(s->h1.unread, SS_H1_UNREAD_MAX);
	uint32_t n = (uint32_t)ss_min_u64(most, ss_min_u32(c->in.len, room));

	s->h1.stalled = c->hold = room == 0;
	if (n == 0)
		return 0;
	c->h1.expect = false; /* it did not wait */
	if (s->released && (c->h1.discarded += n) > SS_H1_DISCARD_MAX) {
		ss_h1_cut(c, SS_DROP_NONE);
		return 0;
	}
	s->h1.unread += n;
	if (ss_http_body_take(s, n) < 0) {
		s->h1.unread -= n;
		ss_http_again(c);
		return 0;
	}
	return n;
}

static bool step_length(struct ss_http_conn *c)
{
	struct ss_http_stream *s = c->h1.cur;
	uint32_t n = take_body(c, s->h1.rx_left);

	s->h1.rx_left -= n;
	if (n && s->h1.rx_left == 0)
		message_end(s, 0);
	return n != 0;
}

static bool step_close(struct ss_http_conn *c)
{
	return take_body(c, UINT64_MAX) != 0;
}

static bool step_chunked(struct ss_http_conn *c)
{
	struct ss_h1_chunk *k = &c->h1.cur->h1.chunk;
	uint64_t data = ss_h1_chunk_data(k);
	struct ss_span front;

	if (data) {
		uint32_t n = take_body(c, data);
		if (n)
			ss_h1_chunk_took(k, n);
		return n != 0;
	}
	if (c->in.len == 0)
		return false;
	front = ss_bufq_front(&c->in);
	int used = ss_h1_chunk(k, front.p, front.n);
	if (used < 0) {
		ss_h1_refuse(c, (enum ss_h1_why)k->why);
		return false;
	}
	ss_bufq_drop(&c->in, (uint32_t)used);
	if (k->last) {
		c->h1.rx = SS_H1_RX_TRAILERS;
		ss_h1_scan_init(&c->h1.scan, false);
		memset(&c->h1.pos, 0, sizeof(c->h1.pos));
	}
	return true;
}

static bool step_trailers(struct ss_http_conn *c)
{
	struct ss_http_stream *s = c->h1.cur;
	struct ss_h1_head head;
	struct ss_hdrs h;
	int n = section(c), rc;

	if (n <= 0) {
		if (n < 0)
			section_refused(c, n);
		return false;
	}
	if (n == 2) { /* the empty line alone */
		ss_bufq_drop(&c->in, 2);
		message_end(s, 0);
		return true;
	}
	uint8_t *text = take_section(s, (uint32_t)n);
	scratch_block(c, &h);
	rc = text ? ss_h1_parse_trailers(text, (uint32_t)n, &head, &h) : SS_ERR_NO_MEM;
	if (rc > 0)
		rc = keep_block(s, &s->trailers, &h);
	if (rc < 0) {
		if (rc == SS_ERR_NO_MEM)
			no_room(c, false);
		else
			ss_h1_refuse(c, head.why);
		return false;
	}
	s->has_trailers = true;
	message_end(s, 0);
	return true;
}

/* The exchange goes on in the other direction; a next message stays where it is. */
static bool step_done(struct ss_http_conn *c)
{
	return false;
}

/* -- the end of input -- */

static void input_end(struct ss_http_conn *c)
{
	struct ss_http_stream *s = c->h1.cur;

	if (!s) {
		ss_http_conn_finish(c, SS_DROP_NONE);
	} else if (c->h1.rx == SS_H1_RX_CLOSE && c->in.len == 0) {
		message_end(s, 0); /* RFC 9112 6.3: the close is the length */
	} else if (c->h1.rx == SS_H1_RX_DONE) {
		/* A client may end its direction and still wait for the answer (RFC 9112 9.6). */
	} else if (!s->h1.stalled) {
		ss_h1_cut(c, SS_DROP_NONE);
	}
}

void ss_h1_input(struct ss_http_conn *c)
{
	static const step_fn steps[] = {
		[SS_H1_RX_HEAD] = step_head,
		[SS_H1_RX_LENGTH] = step_length,
		[SS_H1_RX_CHUNKED] = step_chunked,
		[SS_H1_RX_CLOSE] = step_close,
		[SS_H1_RX_TRAILERS] = step_trailers,
		[SS_H1_RX_DONE] = step_done,
	};

	while (c->state == SS_HTTP_OPEN && steps[c->h1.rx](c))
		;
	/* Bytes that could not be moved for want of a packet buffer are still to come. */
	if (c->state == SS_HTTP_OPEN && c->eof && ss_list_empty(&c->todo))
		input_end(c);
}
