#include "base/err.h"
#include "wire/chars.h"
#include "wire/uri.h"

/* -- authority -- */

static int port_value(struct ss_span s, uint16_t *port)
{
	uint32_t v = 0;

	if (s.n > 5 || !ss_chars_all(s, SS_CH_DIGIT))
		return SS_ERR_BAD_STREAM;
	for (uint32_t i = 0; i < s.n; i++)
		v = v * 10 + (s.p[i] - '0');
	if (v > UINT16_MAX || (s.n && v == 0))
		return SS_ERR_BAD_STREAM;
	*port = (uint16_t)v;
	return 0;
}

/* The inside of [brackets]: an IPv6 address's bytes; its meaning is for whoever resolves it. */
static bool literal_ok(struct ss_span s)
{
	bool colon = false;

	for (uint32_t i = 0; i < s.n; i++) {
		colon |= s.p[i] == ':';
		if (!ss_ch(s.p[i], SS_CH_HEX) && s.p[i] != ':' && s.p[i] != '.')
			return false;
	}
	return colon && s.n >= 2;
}

/* RFC 3986 3.2.2 reg-name with valid escapes; an IPv4 address is one too. */
static bool name_ok(struct ss_span s)
{
	for (uint32_t i = 0; i < s.n; i++) {
		if (ss_ch(s.p[i], SS_CH_REGNAME))
			continue;
		if (s.p[i] != '%' || s.n - i < 3 || !ss_ch(s.p[i + 1], SS_CH_HEX) ||
		    !ss_ch(s.p[i + 2], SS_CH_HEX))
			return false;
		i += 2;
	}
	return s.n > 0;
}

int ss_uri_authority(struct ss_span a, struct ss_span *host, uint16_t *port)
{
	const uint8_t *end = a.p + a.n, *colon = NULL;

	*port = 0;
	if (a.n == 0)
		return SS_ERR_BAD_STREAM;
	if (a.p[0] == '[') {
		const uint8_t *close = memchr(a.p, ']', a.n);
		if (!close || (close + 1 < end && close[1] != ':'))
			return SS_ERR_BAD_STREAM;
		*host = ss_span(a.p + 1, (uint32_t)(close - a.p - 1));
		colon = close + 1 < end ? close + 1 : NULL;
		if (!literal_ok(*host))
			return SS_ERR_BAD_STREAM;
	} else {
		colon = memchr(a.p, ':', a.n);
		*host = ss_span(a.p, (uint32_t)((colon ? colon : end) - a.p));
		if (!name_ok(*host))
			return SS_ERR_BAD_STREAM;
	}
	return colon ? port_value(ss_span(colon + 1, (uint32_t)(end - colon - 1)), port) : 0;
}

/* -- targets -- */

/* A byte that no target may hold raw: controls, space, "#", and all that is not ASCII. */
static bool target_bytes_ok(struct ss_span s)
{
	for (uint32_t i = 0; i < s.n; i++)
		if (s.p[i] <= 0x20 || s.p[i] >= 0x7f || s.p[i] == '#')
			return false;
	return true;
}

/* RFC 9112 3.2.2: scheme "://" authority path. http and https are all a proxy forwards. */
static int absolute(struct ss_span t, struct ss_uri *u)
{
	static const struct ss_span schemes[] = {{(const uint8_t *)"http", 4}, {(const uint8_t *)"https", 5}};
	struct ss_span host;
	uint16_t port;

	for (unsigned i = 0; i < SS_ARRAY_LEN(schemes); i++) {
		uint32_t n = schemes[i].n;
		if (t.n < n + 3 || !ss_span_ieq(ss_span(t.p, n), schemes[i]) ||
		    memcmp(t.p + n, "://", 3) != 0)
			continue;
		uint32_t at = n + 3, end = at;
		while (end < t.n && t.p[end] != '/' && t.p[end] != '?')
			end++;
		u->form = SS_URI_ABSOLUTE;
		u->scheme = schemes[i];
		u->authority = ss_span(t.p + at, end - at);
		u->path = end < t.n ? ss_span(t.p + end, t.n - end) : SS_SPAN("/");
		/* "http://host?q": the path is empty, and "/" cannot be put in front in place. */
		if (u->path.p[0] != '/')
			return SS_ERR_BAD_STREAM;
		return ss_uri_authority(u->authority, &host, &port);
	}
	return SS_ERR_BAD_STREAM;
}

int ss_uri_target(struct ss_span target, struct ss_span method, struct ss_uri *u)
{
	struct ss_span host;
	uint16_t port;

	*u = (struct ss_uri){ .form = SS_URI_ORIGIN };
	if (target.n == 0 || !target_bytes_ok(target))
		return SS_ERR_BAD_STREAM;
	if (ss_span_eq(method, SS_SPAN("CONNECT"))) {
		u->form = SS_URI_AUTHORITY;
		u->authority = target;
		int err = ss_uri_authority(target, &host, &port);
		return err == 0 && port == 0 ? SS_ERR_BAD_STREAM
					     : err; /* RFC 9110 9.3.6: the port is a must */
	}
	if (target.p[0] == '/') {
		u->path = target;
		return 0;
	}
	if (ss_span_eq(target, SS_SPAN("*"))) {
		u->form = SS_URI_ASTERISK;
		u->path = target;
		return ss_span_eq(method, SS_SPAN("OPTIONS")) ? 0 : SS_ERR_BAD_STREAM;
	}
	return absolute(target, u);
}
