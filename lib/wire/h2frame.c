#include "base/err.h"
#include "wire/h2frame.h"

#define RESERVED 0x80000000u
#define SETTING_SIZE 6u

/* RFC 9113 6: which stream a type belongs to and how long its payload is. */
enum where { ANY, STREAM, CONN };

static const struct rule {
	uint8_t where;
	uint8_t exact;    /* the length must be this; 0: no such rule */
	uint8_t least;
	uint8_t multiple;
	bool stream_size; /* a wrong size is the stream's error only (6.3) */
} rules[SS_H2_TYPES] = {
	[SS_H2_DATA] = { STREAM },
	[SS_H2_HEADERS] = { STREAM },
	[SS_H2_PRIORITY] = { STREAM, .exact = 5, .stream_size = true },
	[SS_H2_RST_STREAM] = { STREAM, .exact = 4 },
	[SS_H2_SETTINGS] = { CONN, .multiple = SETTING_SIZE },
	[SS_H2_PUSH_PROMISE] = { STREAM, .least = 4 },
	[SS_H2_PING] = { CONN, .exact = 8 },
	[SS_H2_GOAWAY] = { CONN, .least = 8 },
	[SS_H2_WINDOW_UPDATE] = { ANY, .exact = 4 },
	[SS_H2_CONTINUATION] = { STREAM },
};

static int refuse(struct ss_h2frame *f, int err, enum ss_h2_code code)
{
	f->code = code;
	return err;
}

void ss_h2frame_parse(struct ss_h2frame *f, const uint8_t *p)
{
	f->len = ss_get_be24(p);
	f->type = p[3];
	f->flags = p[4];
	f->stream = ss_get_be32(p + 5) & ~RESERVED;
	f->code = SS_H2_NO_ERROR;
}

/* RFC 9113 4.2: a size error in a frame that could change the connection's state ends the connection. */
static bool conn_wide(const struct ss_h2frame *f)
{
	return f->stream == 0 || f->type == SS_H2_HEADERS || f->type == SS_H2_PUSH_PROMISE ||
	       f->type == SS_H2_CONTINUATION || f->type == SS_H2_SETTINGS;
}

int ss_h2frame_check(struct ss_h2frame *f, uint32_t max_frame)
{
	/* What is too long is also not skipped: the peer knows our limit and broke it. */
	if (f->len > max_frame)
		return refuse(f, SS_ERR_BAD_CONN, SS_H2_FRAME_SIZE_ERROR);
	if (f->type >= SS_H2_TYPES)
		return 0;
	const struct rule *r = &rules[f->type];
	if ((r->where == STREAM && f->stream == 0) || (r->where == CONN && f->stream != 0))
		return refuse(f, SS_ERR_BAD_CONN, SS_H2_PROTOCOL_ERROR);
	if ((r->exact && f->len != r->exact) || f->len < r->least || (r->multiple && f->len % r->multiple)) {
		bool stream = r->stream_size && !conn_wide(f);
		return refuse(f, stream ? SS_ERR_BAD_STREAM : SS_ERR_BAD_CONN, SS_H2_FRAME_SIZE_ERROR);
	}
	/* 6.5: an acknowledgement carries nothing. */
	if (f->type == SS_H2_SETTINGS && (f->flags & SS_H2_F_ACK) && f->len)
		return refuse(f, SS_ERR_BAD_CONN, SS_H2_FRAME_SIZE_ERROR);
	if (f->len < ss_h2frame_prefix(f))
		return refuse(f, SS_ERR_BAD_CONN, SS_H2_FRAME_SIZE_ERROR);
	return 0;
}

uint32_t ss_h2frame_prefix(const struct ss_h2frame *f)
{
	uint32_t n = 0;

	if (f->type == SS_H2_DATA || f->type == SS_H2_HEADERS || f->type == SS_H2_PUSH_PROMISE)
		n += f->flags & SS_H2_F_PADDED ? 1 : 0;
	if (f->type == SS_H2_HEADERS)
		n += f->flags & SS_H2_F_PRIORITY ? 5 : 0;
	return n;
}

static int get_prio(struct ss_h2frame *f, const uint8_t *p, struct ss_h2prio *prio)
{
	uint32_t v = ss_get_be32(p);

	*prio = (struct ss_h2prio){ v & ~RESERVED, p[4], v & RESERVED };
	if (prio->depends == f->stream)
		return refuse(f, SS_ERR_BAD_STREAM, SS_H2_PROTOCOL_ERROR);
	return 0;
}

int ss_h2frame_body(struct ss_h2frame *f, const uint8_t *p, struct ss_h2body *b, struct ss_h2prio *prio)
{
	struct ss_h2prio unused;

	b->skip = ss_h2frame_prefix(f);
	b->pad = b->skip == 1 || b->skip == 6 ? p[0] : 0;
	/* 6.1: padding as long as the payload or longer. */
	if (b->skip + b->pad > f->len)
		return refuse(f, SS_ERR_BAD_CONN, SS_H2_PROTOCOL_ERROR);
	b->len = f->len - b->skip - b->pad;
	if (b->skip < 5)
		return 0;
	/* The header block has to be decoded all the same, so the caller gets its borders with the error. */
	return get_prio(f, p + b->skip - 5, prio ? prio : &unused);
}

int ss_h2frame_priority(struct ss_h2frame *f, const uint8_t *p, struct ss_h2prio *prio)
{
	return get_prio(f, p, prio);
}

uint32_t ss_h2frame_rst(const uint8_t *p)
{
	return ss_get_be32(p);
}

int ss_h2frame_setting(struct ss_h2frame *f, const uint8_t *p, uint16_t *id, uint32_t *value)
{
	uint32_t v = ss_get_be32(p + 2);

	*id = ss_get_be16(p);
	*value = v;
	switch (*id) {
	case SS_H2_SET_ENABLE_PUSH:
	case SS_H2_SET_ENABLE_CONNECT_PROTOCOL:
		return v > 1 ? refuse(f, SS_ERR_BAD_CONN, SS_H2_PROTOCOL_ERROR) : 0;
	case SS_H2_SET_INITIAL_WINDOW_SIZE:
		return v > SS_H2_MAX_WINDOW ? refuse(f, SS_ERR_BAD_CONN, SS_H2_FLOW_CONTROL_ERROR) : 0;
	case SS_H2_SET_MAX_FRAME_SIZE:
		return v < SS_H2_MAX_FRAME_MIN || v > SS_H2_MAX_FRAME_MAX ?
			       refuse(f, SS_ERR_BAD_CONN, SS_H2_PROTOCOL_ERROR) : 0;
	default:
		return 0;
	}
}

void ss_h2frame_goaway(const uint8_t *p, uint32_t *last, uint32_t *code)
{
	*last = ss_get_be32(p) & ~RESERVED;
	*code = ss_get_be32(p + 4);
}

int ss_h2frame_window(struct ss_h2frame *f, const uint8_t *p, uint32_t *increment)
{
	*increment = ss_get_be32(p) & ~RESERVED;
	if (*increment == 0)
		return refuse(f, f->stream ? SS_ERR_BAD_STREAM : SS_ERR_BAD_CONN, SS_H2_PROTOCOL_ERROR);
	return 0;
}

void ss_h2frame_put(uint8_t *p, uint32_t len, uint8_t type, uint8_t flags, uint32_t stream)
{
	ss_put_be24(p, len);
	p[3] = type;
	p[4] = flags;
	ss_put_be32(p + 5, stream);
}

/* A frame header and n bytes; all or nothing. */
static void put_frame(struct ss_out *o, uint8_t type, uint8_t flags, uint32_t stream, const uint8_t *p,
		      uint32_t n)
{
	if (ss_out_room(o) < SS_H2_HEAD + n) {
		o->over = true;
		return;
	}
	ss_h2frame_put(o->p, n, type, flags, stream);
	o->p += SS_H2_HEAD;
	ss_out_bytes(o, p, n);
}

void ss_h2frame_put_rst(struct ss_out *o, uint32_t stream, uint32_t code)
{
	uint8_t p[4];

	ss_put_be32(p, code);
	put_frame(o, SS_H2_RST_STREAM, 0, stream, p, sizeof(p));
}

void ss_h2frame_put_window(struct ss_out *o, uint32_t stream, uint32_t increment)
{
	uint8_t p[4];

	ss_put_be32(p, increment);
	put_frame(o, SS_H2_WINDOW_UPDATE, 0, stream, p, sizeof(p));
}

void ss_h2frame_put_ping(struct ss_out *o, const uint8_t opaque[8], bool ack)
{
	put_frame(o, SS_H2_PING, ack ? SS_H2_F_ACK : 0, 0, opaque, 8);
}

void ss_h2frame_put_goaway(struct ss_out *o, uint32_t last, uint32_t code)
{
	uint8_t p[8];

	ss_put_be32(p, last);
	ss_put_be32(p + 4, code);
	put_frame(o, SS_H2_GOAWAY, 0, 0, p, sizeof(p));
}

void ss_h2frame_put_priority(struct ss_out *o, uint32_t stream, const struct ss_h2prio *prio)
{
	uint8_t p[5];

	ss_put_be32(p, prio->depends | (prio->exclusive ? RESERVED : 0));
	p[4] = prio->weight;
	put_frame(o, SS_H2_PRIORITY, 0, stream, p, sizeof(p));
}

void ss_h2frame_put_settings(struct ss_out *o, const struct ss_h2setting *v, uint32_t n)
{
	if (ss_out_room(o) < SS_H2_HEAD + (size_t)n * SETTING_SIZE) {
		o->over = true;
		return;
	}
	ss_h2frame_put(o->p, n * SETTING_SIZE, SS_H2_SETTINGS, 0, 0);
	o->p += SS_H2_HEAD;
	for (uint32_t i = 0; i < n; i++) {
		ss_put_be16(o->p, v[i].id);
		ss_put_be32(o->p + 2, v[i].value);
		o->p += SETTING_SIZE;
	}
}

void ss_h2frame_put_settings_ack(struct ss_out *o)
{
	put_frame(o, SS_H2_SETTINGS, SS_H2_F_ACK, 0, NULL, 0);
}
