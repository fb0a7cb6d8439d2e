/* Heads, chunk borders and trailers to bytes. Field names go out in lower case, as they came in. */
#include "base/err.h"
#include "wire/h1.h"

#define LINE_SLACK 160u /* versions, status, phrase, the fields that flags add */

struct ss_span ss_h1_phrase(uint16_t status)
{
	static const struct {
		uint16_t status;
		const char *text;
	} phrases[] = {
		{200, "OK"},
		{404, "Not Found"},
		{503, "Service Unavailable"},
		{100, "Continue"},
		{101, "Switching Protocols"},
		{103, "Early Hints"},
		{201, "Created"},
		{202, "Accepted"},
		{204, "No Content"},
		{206, "Partial Content"},
		{301, "Moved Permanently"},
		{302, "Found"},
		{303, "See Other"},
		{304, "Not Modified"},
		{307, "Temporary Redirect"},
		{308, "Permanent Redirect"},
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{403, "Forbidden"},
		{405, "Method Not Allowed"},
		{406, "Not Acceptable"},
		{408, "Request Timeout"},
		{409, "Conflict"},
		{410, "Gone"},
		{411, "Length Required"},
		{412, "Precondition Failed"},
		{413, "Content Too Large"},
		{414, "URI Too Long"},
		{415, "Unsupported Media Type"},
		{416, "Range Not Satisfiable"},
		{417, "Expectation Failed"},
		{421, "Misdirected Request"},
		{422, "Unprocessable Content"},
		{425, "Too Early"},
		{426, "Upgrade Required"},
		{429, "Too Many Requests"},
		{431, "Request Header Fields Too Large"},
		{500, "Internal Server Error"},
		{501, "Not Implemented"},
		{502, "Bad Gateway"},
		{504, "Gateway Timeout"},
		{505, "HTTP Version Not Supported"},
	};

	for (size_t i = 0; i < SS_ARRAY_LEN(phrases); i++)
		if (phrases[i].status == status)
			return ss_span_str(phrases[i].text);
	return SS_SPAN_NONE;
}

uint32_t ss_h1_bound(const struct ss_hdrs *h)
{
	uint32_t n = LINE_SLACK + h->method.n + h->path.n + 2 * h->authority.n; /* CONNECT names it twice */

	for (uint16_t i = 0; i < h->n; i++)
		n += h->v[i].name.n + h->v[i].value.n + 4;
	return n;
}

/* What belongs to one hop or is written from elsewhere (RFC 9110 7.6.1). */
static bool skipped(const struct ss_hdr *f, uint32_t flags)
{
	if (ss_hdr_connection_specific(f->tok))
		return true;
	switch (f->tok) {
	case SS_H_TE:
	case SS_H_HOST:
		return true;
	case SS_H_CONTENT_LENGTH:
		return (flags & (SS_H1_EMIT_CHUNKED | SS_H1_EMIT_LENGTH_0)) != 0;
	default:
		return false;
	}
}

static void put_field(struct ss_out *o, struct ss_span name, struct ss_span value)
{
	ss_out_span(o, name);
	ss_out_bytes(o, ": ", 2);
	ss_out_span(o, value);
	ss_out_bytes(o, "\r\n", 2);
}

/* RFC 9113 8.2.3: HTTP/2 may split a cookie over several fields; here it is one. */
static void put_cookies(struct ss_out *o, const struct ss_hdrs *h)
{
	const char *before = "cookie: ";
	size_t n = 8;

	for (uint16_t i = 0; i < h->n; i++) {
		if (h->v[i].tok != SS_H_COOKIE)
			continue;
		ss_out_bytes(o, before, n);
		ss_out_span(o, h->v[i].value);
		before = "; ";
		n = 2;
	}
	ss_out_bytes(o, "\r\n", 2);
}

static void put_fields(struct ss_out *o, const struct ss_hdrs *h, uint32_t flags)
{
	bool cookies = false;

	for (uint16_t i = 0; i < h->n; i++) {
		const struct ss_hdr *f = &h->v[i];
		if (f->tok == SS_H_COOKIE && !cookies)
			put_cookies(o, h);
		cookies |= f->tok == SS_H_COOKIE;
		if (f->tok != SS_H_COOKIE && !skipped(f, flags))
			put_field(o, f->name, f->value);
	}
	if (flags & SS_H1_EMIT_CHUNKED)
		put_field(o, SS_SPAN("transfer-encoding"), SS_SPAN("chunked"));
	if (flags & SS_H1_EMIT_LENGTH_0)
		put_field(o, SS_SPAN("content-length"), SS_SPAN("0"));
	if (flags & SS_H1_EMIT_CLOSE)
		put_field(o, SS_SPAN("connection"), SS_SPAN("close"));
	else if (flags & SS_H1_EMIT_KEEP_ALIVE)
		put_field(o, SS_SPAN("connection"), SS_SPAN("keep-alive"));
	ss_out_bytes(o, "\r\n", 2);
}

/* Nothing is left behind when it did not all fit. */
static int finish(struct ss_out *o, const struct ss_out *before)
{
	if (!o->over)
		return 0;
	*o = *before;
	return SS_ERR_FULL;
}

int ss_h1_emit_request(const struct ss_hdrs *h, uint32_t flags, struct ss_out *o)
{
	struct ss_out before = *o;
	bool connect = ss_span_eq(h->method, SS_SPAN("CONNECT"));

	ss_out_span(o, h->method);
	ss_out_u8(o, ' ');
	ss_out_span(o, connect ? h->authority : h->path.n ? h->path : SS_SPAN("/"));
	ss_out_bytes(o, " HTTP/1.1\r\n", 11);
	put_field(o, SS_SPAN("host"), h->authority);
	put_fields(o, h, flags);
	return finish(o, &before);
}

int ss_h1_emit_response(const struct ss_hdrs *h, uint32_t flags, struct ss_out *o)
{
	struct ss_out before = *o;
	uint8_t line[] = "HTTP/1.1 000 ";

	line[9] = (uint8_t)('0' + h->status / 100 % 10);
	line[10] = (uint8_t)('0' + h->status / 10 % 10);
	line[11] = (uint8_t)('0' + h->status % 10);
	ss_out_bytes(o, line, sizeof(line) - 1);
	ss_out_span(o, ss_h1_phrase(h->status));
	ss_out_bytes(o, "\r\n", 2);
	put_fields(o, h, flags);
	return finish(o, &before);
}

uint32_t ss_h1_emit_chunk_head(uint8_t *p, uint32_t n)
{
	static const uint8_t hex[] = "0123456789abcdef";
	uint32_t len = (35 - (uint32_t)__builtin_clz(n)) / 4;

	for (uint32_t i = len; i-- > 0; n >>= 4)
		p[i] = hex[n & 15];
	p[len] = '\r';
	p[len + 1] = '\n';
	return len + 2;
}

int ss_h1_emit_last_chunk(const struct ss_hdrs *t, struct ss_out *o)
{
	struct ss_out before = *o;

	ss_out_bytes(o, "0\r\n", 3);
	for (uint16_t i = 0; t && i < t->n; i++)
		if (!skipped(&t->v[i], SS_H1_EMIT_CHUNKED))
			put_field(o, t->v[i].name, t->v[i].value);
	ss_out_bytes(o, "\r\n", 2);
	return finish(o, &before);
}
