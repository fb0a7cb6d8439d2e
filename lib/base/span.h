/*
 * span.h - borrowed bytes, and bounded cursors over them.
 *
 * Takes:   pointers that the caller keeps alive.
 * Gives:   pointer+length values; reads and writes that cannot leave their bounds.
 * Owns:    nothing: a span is valid for as long as what it points into.
 * Thread:  any.
 */
#ifndef SS_SPAN_H
#define SS_SPAN_H

#include <string.h>

#include "base/base.h"

/* Borrowed bytes. p may be NULL only when n is 0. Not NUL-terminated. */
struct ss_span {
	const uint8_t *p;
	uint32_t n;
};

#define SS_SPAN_NONE ((struct ss_span){ NULL, 0 })
/* A span over a string literal, without its NUL. */
#define SS_SPAN(lit) ((struct ss_span){ (const uint8_t *)(lit), sizeof(lit) - 1 })

static inline struct ss_span ss_span(const void *p, uint32_t n)
{
	return (struct ss_span){ (const uint8_t *)p, n };
}

static inline struct ss_span ss_span_str(const char *s)
{
	return (struct ss_span){ (const uint8_t *)s, s ? (uint32_t)strlen(s) : 0 };
}

/* Most of what is compared is short: two loads that overlap where they can do it, no call. */
static inline bool ss_bytes_eq(const void *a, const void *b, uint32_t n)
{
	const uint8_t *p = (const uint8_t *)a, *q = (const uint8_t *)b;
	uint64_t x[4];
	uint32_t y[4];
	uint16_t z[4];

	if (n > 16)
		return memcmp(p, q, n) == 0;
	if (n >= 8) {
		memcpy(&x[0], p, 8);
		memcpy(&x[1], q, 8);
		memcpy(&x[2], p + n - 8, 8);
		memcpy(&x[3], q + n - 8, 8);
		return !((x[0] ^ x[1]) | (x[2] ^ x[3]));
	}
	if (n >= 4) {
		memcpy(&y[0], p, 4);
		memcpy(&y[1], q, 4);
		memcpy(&y[2], p + n - 4, 4);
		memcpy(&y[3], q + n - 4, 4);
		return !((y[0] ^ y[1]) | (y[2] ^ y[3]));
	}
	if (n < 2)
		return !n || *p == *q;
	memcpy(&z[0], p, 2);
	memcpy(&z[1], q, 2);
	memcpy(&z[2], p + n - 2, 2);
	memcpy(&z[3], q + n - 2, 2);
	return !((z[0] ^ z[1]) | (z[2] ^ z[3]));
}

/* Without the spaces and tabs at its ends (the OWS of RFC 9110 5.6.3). */
static inline struct ss_span ss_span_trim(struct ss_span s)
{
	while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = ss_span(s.p + 1, s.n - 1);
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

static inline bool ss_span_eq(struct ss_span a, struct ss_span b)
{
	return a.n == b.n && ss_bytes_eq(a.p, b.p, a.n);
}

static inline uint8_t ss_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

/* Equality without regard to ASCII case. */
static inline bool ss_span_ieq(struct ss_span a, struct ss_span b)
{
	if (a.n != b.n)
		return false;
	for (uint32_t i = 0; i < a.n; i++)
		if (ss_lower(a.p[i]) != ss_lower(b.p[i]))
			return false;
	return true;
}

static inline bool ss_span_starts(struct ss_span a, struct ss_span prefix)
{
	return a.n >= prefix.n && ss_bytes_eq(a.p, prefix.p, prefix.n);
}

static inline bool ss_span_ends(struct ss_span a, struct ss_span suffix)
{
	return a.n >= suffix.n && ss_bytes_eq(a.p + (a.n - suffix.n), suffix.p, suffix.n);
}

/* A write cursor: bytes that do not fit are refused and remembered in `over`. */
struct ss_out {
	uint8_t *p;    /* where the next byte goes */
	uint8_t *end;  /* one past the last writable byte */
	bool over;     /* true when something did not fit; nothing was written past end */
};

static inline struct ss_out ss_out(void *p, size_t n)
{
	return (struct ss_out){ (uint8_t *)p, (uint8_t *)p + n, false };
}

static inline size_t ss_out_room(const struct ss_out *o)
{
	return (size_t)(o->end - o->p);
}

static inline void ss_out_u8(struct ss_out *o, uint8_t v)
{
	if (ss_unlikely(o->p == o->end)) {
		o->over = true;
		return;
	}
	*o->p++ = v;
}

static inline void ss_out_bytes(struct ss_out *o, const void *src, size_t n)
{
	if (ss_unlikely(n > ss_out_room(o))) {
		o->over = true;
		return;
	}
	if (n)
		memcpy(o->p, src, n);
	o->p += n;
}

static inline void ss_out_span(struct ss_out *o, struct ss_span s)
{
	ss_out_bytes(o, s.p, s.n);
}

/* Big-endian loads and stores on any alignment. */
static inline uint16_t ss_get_be16(const uint8_t *p)
{
	return (uint16_t)((p[0] << 8) | p[1]);
}

static inline uint32_t ss_get_be24(const uint8_t *p)
{
	return ((uint32_t)p[0] << 16) | ((uint32_t)p[1] << 8) | p[2];
}

static inline uint32_t ss_get_be32(const uint8_t *p)
{
	return ((uint32_t)p[0] << 24) | ((uint32_t)p[1] << 16) | ((uint32_t)p[2] << 8) | p[3];
}

static inline void ss_put_be16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void ss_put_be24(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 16);
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)v;
}

static inline void ss_put_be32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

#endif
