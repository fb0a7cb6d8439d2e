/* format.c - reads variables in values, one piece after the other. */
#include "contract/format.h"

static const struct {
	struct ss_span word;
	uint8_t kind;
} words[] = {
#define SS_FORMAT_X(name, text) {{(const uint8_t *)text, sizeof(text) - 1}, SS_FORMAT_##name},
	SS_FORMAT_LIST(SS_FORMAT_X)
#undef SS_FORMAT_X
};

/* Up to the first of these bytes, or all; *rest is what follows it. */
static struct ss_span until(struct ss_span s, char stop, struct ss_span *rest, bool *found)
{
	const uint8_t *p = s.n ? memchr(s.p, stop, s.n) : NULL;
	uint32_t n = p ? (uint32_t)(p - s.p) : s.n;

	*found = p != NULL;
	*rest = p ? ss_span(p + 1, s.n - n - 1) : SS_SPAN_NONE;
	return ss_span(s.p, n);
}

/* RFC 9110 5.6.2, or one of HTTP/2's names for parts of the request line. */
static bool is_name(struct ss_span s)
{
	static const char others[] = "!#$&'*+-.^_`|~";
	bool pseudo = s.n && s.p[0] == ':';

	for (uint32_t i = pseudo; i < s.n; i++) {
		uint8_t c = s.p[i], low = c | 0x20;
		if (!(c >= '0' && c <= '9') && !(low >= 'a' && low <= 'z') && !memchr(others, c, sizeof(others) - 1))
			return false;
	}
	if (!pseudo)
		return s.n > 0;
	return ss_span_eq(s, SS_SPAN(":authority")) || ss_span_eq(s, SS_SPAN(":path")) ||
	       ss_span_eq(s, SS_SPAN(":method")) || ss_span_eq(s, SS_SPAN(":scheme"));
}

/* ":12" behind the parenthesis; nothing is 0. */
static bool read_most(struct ss_span s, uint16_t *most)
{
	uint32_t v = 0;

	*most = 0;
	if (!s.n)
		return true;
	if (s.p[0] != ':' || s.n < 2 || s.n > 5)
		return false;
	for (uint32_t i = 1; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + s.p[i] - '0';
	}
	*most = (uint16_t)v;
	return v > 0;
}

/* "(x-user?x-account):12" */
static bool read_names(struct ss_span args, struct ss_format_piece *out)
{
	struct ss_span rest, other;
	bool closed, two;
	struct ss_span names = until(args, ')', &rest, &closed);

	out->text = until(names, '?', &other, &two);
	out->other = other;
	return closed && is_name(out->text) && (!two || is_name(other)) && read_most(rest, &out->most);
}

static bool read_variable(struct ss_span s, struct ss_format_piece *out)
{
	struct ss_span args;
	bool some;
	struct ss_span word = until(s, '(', &args, &some);

	for (size_t i = 0; i < SS_ARRAY_LEN(words); i++) {
		if (!ss_span_eq(words[i].word, word))
			continue;
		out->kind = words[i].kind;
		return (out->kind == SS_FORMAT_REQ) == some && (!some || read_names(args, out));
	}
	return false;
}

int ss_format_next(const char **at, struct ss_format_piece *out)
{
	const char *p = *at, *end;
	struct ss_span text;

	*out = (struct ss_format_piece){.kind = SS_FORMAT_TEXT};
	if (!*p)
		return 0;
	if (*p != '%') {
		out->text = ss_span(p, (uint32_t)strcspn(p, "%"));
		*at = p + out->text.n;
		return 1;
	}
	if (p[1] == '%') {
		out->text = ss_span(p, 1);
		*at = p + 2;
		return 1;
	}
	end = strchr(p + 1, '%');
	text = end ? ss_span(p, (uint32_t)(end - p) + 1) : ss_span_str(p);
	*at = p + text.n;
	if (end && read_variable(ss_span(text.p + 1, text.n - 2), out))
		return 1;
	*out = (struct ss_format_piece){.text = text};
	return -1;
}
