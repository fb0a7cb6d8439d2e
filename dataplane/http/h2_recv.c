/*
 * h2_recv.c - from bytes to frames to the function that knows what a frame means.
 */
#include "http/http_int.h"

/* Whole frames: p has f.len bytes, borrowed for the call. DATA and unknown types go in parts. */
typedef void (*whole_fn)(struct ss_http_conn *c, const uint8_t *p);

/* RFC 9113 8.4: we never allow server push, and a client must not push. */
static void on_push_promise(struct ss_http_conn *c, const uint8_t *p)
{
	(void)p;
	ss_h2_conn_error(c, SS_H2_PROTOCOL_ERROR, SS_DROP_H2_PROTOCOL);
}

static const whole_fn whole[SS_H2_TYPES] = {
	[SS_H2_HEADERS] = ss_h2_on_headers,
	[SS_H2_PRIORITY] = ss_h2_on_priority,
	[SS_H2_RST_STREAM] = ss_h2_on_rst,
	[SS_H2_SETTINGS] = ss_h2_on_settings,
	[SS_H2_PUSH_PROMISE] = on_push_promise,
	[SS_H2_PING] = ss_h2_on_ping,
	[SS_H2_GOAWAY] = ss_h2_on_goaway,
	[SS_H2_WINDOW_UPDATE] = ss_h2_on_window,
	[SS_H2_CONTINUATION] = ss_h2_on_continuation,
};

/* The rest of the client's preface (RFC 9113 3.4). False: it is not complete, or wrong. */
static bool take_preface(struct ss_http_conn *c)
{
	struct ss_h2_conn *k = c->h2;
	uint8_t scratch[SS_H2_PREFACE_LEN];
	uint32_t n = ss_min_u32(k->preface, c->in.len);
	static const char preface[] = SS_H2_PREFACE;
	const char *want = preface + sizeof(preface) - 1 - k->preface;

	if (n && memcmp(ss_bufq_peek(&c->in, 0, n, scratch), want, n) != 0) {
		ss_h2_conn_error(c, SS_H2_PROTOCOL_ERROR, SS_DROP_H2_PREFACE);
		return false;
	}
	ss_bufq_drop(&c->in, n);
	k->preface -= n;
	return k->preface == 0;
}

/* What must hold of any frame header before its type is looked at. */
static bool in_order(struct ss_http_conn *c)
{
	struct ss_h2_conn *k = c->h2;
	const struct ss_h2frame *f = &k->f;
	bool continues = f->type == SS_H2_CONTINUATION && f->stream == k->block_stream;

	/* "This sequence MUST be followed by a SETTINGS frame" (3.4), from either side. */
	if (!k->got_settings && (f->type != SS_H2_SETTINGS || (f->flags & SS_H2_F_ACK))) {
		ss_h2_conn_error(c, SS_H2_PROTOCOL_ERROR, SS_DROP_H2_PREFACE);
		return false;
	}
	k->got_settings = true;
	/* A field block is "a contiguous sequence of frames" (4.3); CONTINUATION needs one begun (6.10). */
	if (k->block_stream ? !continues : f->type == SS_H2_CONTINUATION) {
		ss_h2_conn_error(c, SS_H2_PROTOCOL_ERROR, SS_DROP_H2_PROTOCOL);
		return false;
	}
	if (f->len > SS_H2_MAX_FRAME_MIN) {
		ss_h2_conn_error(c, SS_H2_FRAME_SIZE_ERROR, SS_DROP_H2_PROTOCOL);
		return false;
	}
	return true;
}

/* The rest of this frame is to be thrown away. */
static void throw_away(struct ss_h2_conn *k, uint32_t n)
{
	k->in_parts = true;
	k->data_stream = NULL;
	k->data_left = 0;
	k->pad_left = n;
}

/* Takes nine bytes. False: they are not there, or the connection has ended. */
static bool begin_frame(struct ss_http_conn *c)
{
	struct ss_h2_conn *k = c->h2;
	uint8_t scratch[SS_H2_HEAD];
	int rc;

	if (c->in.len < SS_H2_HEAD)
		return false;
	ss_h2frame_parse(&k->f, ss_bufq_peek(&c->in, 0, SS_H2_HEAD, scratch));
	ss_bufq_drop(&c->in, SS_H2_HEAD);
	k->in_frame = true;
	k->in_parts = false;
	if (!in_order(c))
		return false;
	rc = ss_h2frame_check(&k->f, SS_H2_MAX_FRAME_MIN);
	if (ss_err_class(rc) == SS_CLASS_STREAM) {
		ss_h2_stream_error(c, k->f.stream, ss_h2_find(c, k->f.stream), k->f.code, SS_DROP_H2_STREAM);
		throw_away(k, k->f.len);
	} else if (rc < 0) {
		ss_h2_conn_error(c, k->f.code, SS_DROP_H2_PROTOCOL);
	} else if (k->f.type >= SS_H2_TYPES) {
		throw_away(k, k->f.len); /* "MUST ignore and discard frames of unknown types" (4.1) */
		ss_h2_guard(c, SS_H2_B_CONTROL);
	}
	return c->state == SS_HTTP_OPEN;
}

/* The stream that DATA is for; NULL when its bytes are to be thrown away, *ok false when that is all over. */
static struct ss_http_stream *data_stream(struct ss_http_conn *c, bool *ok)
{
	uint32_t id = c->h2->f.stream;
	struct ss_http_stream *s = ss_h2_find(c, id);
	enum ss_h2_id what;

	*ok = true;
	if (s && !s->rx_end && s->h2.got_head)
		return s;
	if (s) {
		/* Half-closed (remote): STREAM_CLOSED (5.1); DATA before a final head is malformed (8.1). */
		ss_h2_stream_error(c, id, s, s->rx_end ? SS_H2_STREAM_CLOSED : SS_H2_PROTOCOL_ERROR,
				   SS_DROP_H2_STREAM);
		return NULL;
	}
	what = ss_h2_id(c, id);
	if (what == SS_H2_ID_IDLE) {
		ss_h2_conn_error(c, SS_H2_PROTOCOL_ERROR, SS_DROP_H2_PROTOCOL);
		*ok = false;
	} else if (what != SS_H2_ID_RESET) {
		ss_h2_stream_error(c, id, NULL, SS_H2_STREAM_CLOSED, SS_DROP_H2_STREAM);
	}
	return NULL;
}

/* DATA's beginning: window, padding, content-length (RFC 9113 6.1, 6.9.1, 8.1.1). */
static bool begin_data(struct ss_http_conn *c)
{
	struct ss_h2_conn *k = c->h2;
	uint32_t prefix = ss_h2frame_prefix(&k->f);
	struct ss_http_stream *s;
	struct ss_h2body b;
	uint8_t scratch[8];
	bool ok;

	if (c->in.len < prefix)
		return false;
	if (ss_h2frame_body(&k->f, ss_bufq_peek(&c->in, 0, prefix, scratch), &b, NULL) < 0) {
		ss_h2_conn_error(c, k->f.code, SS_DROP_H2_PROTOCOL);
		return false;
	}
	ss_bufq_drop(&c->in, prefix);
	if (b.len == 0 && !(k->f.flags & SS_H2_F_END_STREAM)) {
		if (!ss_h2_guard(c, SS_H2_B_EMPTY))
			return false;
	} else {
		ss_h2_guard_clear(c, SS_H2_B_EMPTY);
		k->guard.data_in += b.len > 0;
	}
	s = data_stream(c, &ok);
	if (!ok || c->state != SS_HTTP_OPEN || !ss_h2_flow_in(c, s, k->f.len))
		return false;
	if (s && s->over)
		s = NULL; /* it went over its window */
	if (s && s->h2.length_left != UINT64_MAX && b.len > s->h2.length_left) {
		ss_h2_stream_error(c, k->f.stream, s, SS_H2_PROTOCOL_ERROR, SS_DROP_H2_STREAM);
		s = NULL;
	}
	if (s && s->h2.length_left != UINT64_MAX)
		s->h2.length_left -= b.len;
	if (s) /* padding counts against both windows (6.9.1) and is read at once */
		ss_h2_consumed(s, k->f.len - b.len);
	else
		ss_h2_credit(c, k->f.len - b.len);
	k->in_parts = true;
	k->data_stream = s;
	k->data_left = b.len;
	k->pad_left = b.pad;
	return true;
}

/* Moves on what has arrived of a frame that goes in parts. True: the frame is complete. */
static bool take_parts(struct ss_http_conn *c)
{
	struct ss_h2_conn *k = c->h2;
	uint32_t n = ss_min_u32(c->in.len, k->data_left);

	if (n && k->data_stream) {
		if (ss_http_body_take(k->data_stream, n) < 0) {
			ss_http_again(c);
			return false;
		}
	} else if (n) {
		ss_bufq_drop(&c->in, n);
		ss_h2_credit(c, n);
	}
	k->data_left -= n;
	if (k->data_left)
		return false;
	n = ss_min_u32(c->in.len, k->pad_left);
	ss_bufq_drop(&c->in, n);
	k->pad_left -= n;
	if (k->pad_left)
		return false;
	if (k->f.type == SS_H2_DATA && (k->f.flags & SS_H2_F_END_STREAM) && k->data_stream)
		ss_h2_rx_end(k->data_stream);
	return true;
}

/* True: the frame is complete. */
static bool take_payload(struct ss_http_conn *c)
{
	struct ss_h2_conn *k = c->h2;
	uint32_t n = k->f.len;

	if (!k->in_parts && k->f.type == SS_H2_DATA && !begin_data(c))
		return false;
	if (k->in_parts)
		return take_parts(c);
	if (c->in.len < n)
		return false;
	whole[k->f.type](c, n ? ss_bufq_peek(&c->in, 0, n, c->http->scratch) : c->http->scratch);
	if (c->state == SS_HTTP_OPEN)
		ss_bufq_drop(&c->in, n);
	return true;
}

void ss_h2_input(struct ss_http_conn *c)
{
	struct ss_h2_conn *k = c->h2;

	if (k->preface && !take_preface(c))
		goto out;
	while (c->state == SS_HTTP_OPEN) {
		if (!k->in_frame && !begin_frame(c))
			break;
		if (!take_payload(c))
			break;
		k->in_frame = false;
	}
out:
	if (c->state == SS_HTTP_OPEN && c->eof)
		ss_http_conn_finish(c, SS_DROP_NONE);
}
