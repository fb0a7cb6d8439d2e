/*
 * One spelling for a path (RFC 3986 6.2.2), so that what a policy matches is what the endpoint serves.
 * A path that already is in that spelling, nearly all of them, is checked and not copied.
 */
#include "base/err.h"
#include "wire/chars.h"
#include "wire/uri.h"

static uint32_t path_length(struct ss_span s)
{
	const uint8_t *q = s.n ? memchr(s.p, '?', s.n) : NULL;

	return q ? (uint32_t)(q - s.p) : s.n;
}

static bool escape_ok(struct ss_span s, uint32_t i)
{
	return s.n - i >= 3 && ss_ch(s.p[i + 1], SS_CH_HEX) && ss_ch(s.p[i + 2], SS_CH_HEX);
}

/* The query behind "?": valid bytes and escapes, and no escaped control bytes. */
static bool query_ok(struct ss_span s, uint32_t from)
{
	for (uint32_t i = from; i < s.n; i++) {
		if (ss_ch(s.p[i], SS_CH_QUERY))
			continue;
		if (s.p[i] != '%' || !escape_ok(s, i))
			return false;
		i += 2;
	}
	return true;
}

/* True when nothing needs a change: no escape, no "//" to merge, no segment that starts with a dot. */
static bool is_normal(struct ss_span s, uint32_t n, uint32_t flags)
{
	uint8_t before = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint8_t c = s.p[i];
		if (c == '/' ? before == '/' && (flags & SS_URI_MERGE_SLASHES) :
			       !ss_ch(c, SS_CH_PCHAR) || (c == '.' && before == '/'))
			return false;
		before = c;
	}
	return true;
}

static uint8_t upper(uint8_t c)
{
	return c >= 'a' && c <= 'f' ? (uint8_t)(c - 0x20) : c;
}

/* A byte of the path or an escape in its normal spelling. Gives how much of s it was, or an error. */
static int one_char(struct ss_span s, uint32_t i, uint32_t flags, uint8_t out[3], unsigned *n)
{
	uint8_t c = s.p[i];

	*n = 1;
	out[0] = c;
	if (c != '%')
		/* What RFC 3986 wants escaped could be seen in two ways by two policies. */
		return c == '/' || ss_ch(c, SS_CH_PCHAR) ? 1 : SS_ERR_BAD_STREAM;
	if (!escape_ok(s, i))
		return SS_ERR_BAD_STREAM;
	c = (uint8_t)(ss_hex_value(s.p[i + 1]) << 4 | ss_hex_value(s.p[i + 2]));
	out[0] = c;
	if (c < 0x20 || c == 0x7f)
		return SS_ERR_BAD_STREAM;
	if (ss_ch(c, SS_CH_UNRESERVED))
		return 3;
	if (c == '/' || c == '\\') {
		if (flags & SS_URI_ESCAPED_SLASH_REFUSE)
			return SS_ERR_BAD_STREAM;
		out[0] = '/';
		if (flags & SS_URI_ESCAPED_SLASH_DECODE)
			return 3;
	}
	out[0] = '%';
	out[1] = upper(s.p[i + 1]);
	out[2] = upper(s.p[i + 2]);
	*n = 3;
	return 3;
}

/* The last segment is complete ("/a/.."): takes dots away. SS_ERR_BAD_STREAM above the root. */
static int close_segment(const uint8_t *start, uint8_t **end, bool last)
{
	uint8_t *seg = *end;

	while (seg[-1] != '/')
		seg--;
	uint32_t n = (uint32_t)(*end - seg);
	if (n == 1 && seg[0] == '.') {
		*end = seg;
	} else if (n == 2 && seg[0] == '.' && seg[1] == '.') {
		if (seg - 1 == start)
			return SS_ERR_BAD_STREAM;
		seg--;
		while (seg[-1] != '/')
			seg--;
		*end = seg;
	} else {
		return last ? 0 : 1;
	}
	return 0;
}

/* Writes the normal path of s.p[0, n) to o, which has room for it. */
static int rewrite(struct ss_span s, uint32_t n, uint32_t flags, struct ss_out *o)
{
	uint8_t *start = o->p, *p = start, c[3];
	struct ss_span path = ss_span(s.p, n);
	unsigned len;

	*p++ = '/';
	for (uint32_t i = 1; i < n;) {
		int used = one_char(path, i, flags, c, &len);
		if (used < 0)
			return used;
		i += (uint32_t)used;
		if (len > 1 || c[0] != '/') {
			memcpy(p, c, len);
			p += len;
			continue;
		}
		/* A slash ends a segment; when the segment was dots, the slash before it stands already. */
		int slash = close_segment(start, &p, false);
		if (slash < 0)
			return slash;
		if (slash && !(p[-1] == '/' && (flags & SS_URI_MERGE_SLASHES)))
			*p++ = '/';
	}
	int err = close_segment(start, &p, true);
	o->p = p;
	return err < 0 ? err : 0;
}

int ss_uri_path(struct ss_span path, uint32_t flags, struct ss_out *out, struct ss_span *norm)
{
	uint32_t n = path_length(path);

	*norm = path;
	if (ss_span_eq(path, SS_SPAN("*")))
		return 0;
	if (n == 0 || path.p[0] != '/' || (n < path.n && !query_ok(path, n + 1)))
		return SS_ERR_BAD_STREAM;
	if (ss_likely(is_normal(path, n, flags)))
		return 0;
	if (ss_out_room(out) < path.n)
		return SS_ERR_LIMIT;
	const uint8_t *start = out->p;
	int err = rewrite(path, n, flags, out);
	if (err < 0)
		return err;
	ss_out_bytes(out, path.p + n, path.n - n);
	*norm = ss_span(start, (uint32_t)(out->p - start));
	return 0;
}
