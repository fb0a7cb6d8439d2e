/* jscan.c - RFC 8259, strictly: no comments, no trailing commas, no bare words, no control characters. */
#include "wire/jscan.h"

#include "base/err.h"

struct scan {
	uint8_t *p, *end;
	struct ss_jscan_node *nodes;
	uint16_t n, cap;
};

static void skip_space(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
		s->p++;
}

static int add(struct scan *s, enum ss_jscan_type type, struct ss_span text)
{
	if (s->n == s->cap)
		return SS_ERR_LIMIT;
	s->nodes[s->n] = (struct ss_jscan_node){text, (uint8_t)type, (uint16_t)(s->n + 1)};
	s->n++;
	return 0;
}

/* -- strings -- */

static int hex4(struct scan *s, uint32_t *out)
{
	*out = 0;
	if (s->end - s->p < 4)
		return SS_ERR_BAD_STREAM;
	for (int i = 0; i < 4; i++) {
		uint8_t c = *s->p++, l = c | 0x20;
		if (c >= '0' && c <= '9')
			*out = *out << 4 | (uint32_t)(c - '0');
		else if (l >= 'a' && l <= 'f')
			*out = *out << 4 | (uint32_t)(l - 'a' + 10);
		else
			return SS_ERR_BAD_STREAM;
	}
	return 0;
}

/* A \u escape is six bytes and its UTF-8 three at most, a pair twelve and four: what is written never
 * overtakes what is read. */
static uint8_t *utf8(uint8_t *to, uint32_t c)
{
	if (c < 0x80) {
		*to++ = (uint8_t)c;
		return to;
	}
	if (c < 0x800) {
		*to++ = (uint8_t)(0xc0 | c >> 6);
	} else if (c < 0x10000) {
		*to++ = (uint8_t)(0xe0 | c >> 12);
		*to++ = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	} else {
		*to++ = (uint8_t)(0xf0 | c >> 18);
		*to++ = (uint8_t)(0x80 | (c >> 12 & 0x3f));
		*to++ = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	}
	*to++ = (uint8_t)(0x80 | (c & 0x3f));
	return to;
}

/* RFC 8259 7: characters outside the Basic Multilingual Plane are a pair of surrogates; half a pair is none.
 * NUL is refused: our paths of claims end names with it, and nobody needs it. */
static int unicode(struct scan *s, uint8_t **to)
{
	uint32_t c, low;

	if (hex4(s, &c) < 0 || c == 0 || (c >= 0xdc00 && c <= 0xdfff))
		return SS_ERR_BAD_STREAM;
	if (c >= 0xd800 && c <= 0xdbff) {
		if (s->end - s->p < 2 || s->p[0] != '\\' || s->p[1] != 'u')
			return SS_ERR_BAD_STREAM;
		s->p += 2;
		if (hex4(s, &low) < 0 || low < 0xdc00 || low > 0xdfff)
			return SS_ERR_BAD_STREAM;
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	*to = utf8(*to, c);
	return 0;
}

static int escape(struct scan *s, uint8_t **to)
{
	static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";

	if (s->p == s->end)
		return SS_ERR_BAD_STREAM;
	uint8_t c = *s->p++;
	if (c == 'u')
		return unicode(s, to);
	for (uint32_t i = 0; i < sizeof(from) - 1; i++) {
		if ((uint8_t)from[i] == c) {
			*(*to)++ = (uint8_t)into[i];
			return 0;
		}
	}
	return SS_ERR_BAD_STREAM;
}

/* RFC 3629 4: length of a well-formed sequence that starts with c >= 0x80, or 0. */
static uint32_t utf8_len(const uint8_t *p, const uint8_t *end)
{
	uint32_t n = p[0] >= 0xc2 && p[0] <= 0xdf   ? 2
		     : (p[0] & 0xf0) == 0xe0        ? 3
		     : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4
						    : 0;

	if (!n || (size_t)(end - p) < n)
		return 0;
	for (uint32_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
	    (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

static int string(struct scan *s)
{
	uint8_t *start = ++s->p, *to = start;

	while (s->p < s->end) {
		uint8_t c = *s->p;
		uint32_t n = 1;
		if (c == '"') {
			s->p++;
			return add(s, SS_JSCAN_STRING, ss_span(start, (uint32_t)(to - start)));
		}
		if (c < 0x20)
			return SS_ERR_BAD_STREAM;
		if (c == '\\') {
			s->p++;
			if (escape(s, &to) < 0)
				return SS_ERR_BAD_STREAM;
			continue;
		}
		if (c >= 0x80 && !(n = utf8_len(s->p, s->end)))
			return SS_ERR_BAD_STREAM;
		while (n--)
			*to++ = *s->p++;
	}
	return SS_ERR_BAD_STREAM;
}

/* -- numbers and words -- */

static uint32_t digits(struct scan *s)
{
	uint8_t *start = s->p;

	while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
		s->p++;
	return (uint32_t)(s->p - start);
}

static bool take(struct scan *s, const char *any)
{
	if (s->p == s->end || !*s->p || !strchr(any, *s->p))
		return false;
	s->p++;
	return true;
}

static int number(struct scan *s)
{
	uint8_t *start = s->p;

	take(s, "-");
	if (s->p < s->end && *s->p == '0')
		s->p++;
	else if (!digits(s))
		return SS_ERR_BAD_STREAM;
	if (take(s, ".") && !digits(s))
		return SS_ERR_BAD_STREAM;
	if (take(s, "eE")) {
		take(s, "+-");
		if (!digits(s))
			return SS_ERR_BAD_STREAM;
	}
	return add(s, SS_JSCAN_NUMBER, ss_span(start, (uint32_t)(s->p - start)));
}

static int word(struct scan *s)
{
	static const struct {
		const char *text;
		enum ss_jscan_type type;
	} words[] = {{"true", SS_JSCAN_TRUE}, {"false", SS_JSCAN_FALSE}, {"null", SS_JSCAN_NULL}};

	for (uint32_t i = 0; i < SS_ARRAY_LEN(words); i++) {
		struct ss_span w = ss_span_str(words[i].text);
		if (!ss_span_starts(ss_span(s->p, (uint32_t)(s->end - s->p)), w))
			continue;
		s->p += w.n;
		return add(s, words[i].type, w);
	}
	return SS_ERR_BAD_STREAM;
}

/* -- structure -- */

static int value(struct scan *s, uint32_t depth);

/* The name at s->n - 1 must not be another member's of the object at `at`. Bounded by the number of nodes. */
static bool twice(const struct scan *s, uint16_t at)
{
	uint16_t last = (uint16_t)(s->n - 1);

	for (uint16_t i = (uint16_t)(at + 1); i < last; i = s->nodes[i + 1].next)
		if (ss_span_eq(s->nodes[i].text, s->nodes[last].text))
			return true;
	return false;
}

static int member(struct scan *s, uint16_t at, uint32_t depth)
{
	int err;

	skip_space(s);
	if (s->p == s->end || *s->p != '"')
		return SS_ERR_BAD_STREAM;
	if ((err = string(s)) < 0)
		return err;
	if (twice(s, at))
		return SS_ERR_BAD_STREAM;
	skip_space(s);
	if (!take(s, ":"))
		return SS_ERR_BAD_STREAM;
	return value(s, depth);
}

static int container(struct scan *s, enum ss_jscan_type type, uint32_t depth)
{
	const char *close = type == SS_JSCAN_OBJECT ? "}" : "]";
	uint16_t at = s->n;
	int err;

	if (depth == SS_JSCAN_DEPTH)
		return SS_ERR_LIMIT;
	if ((err = add(s, type, SS_SPAN_NONE)) < 0)
		return err;
	s->p++;
	skip_space(s);
	if (!take(s, close)) {
		do {
			err = type == SS_JSCAN_OBJECT ? member(s, at, depth + 1) : value(s, depth + 1);
			if (err < 0)
				return err;
			skip_space(s);
		} while (take(s, ","));
		if (!take(s, close))
			return SS_ERR_BAD_STREAM;
	}
	s->nodes[at].next = s->n;
	return 0;
}

static int value(struct scan *s, uint32_t depth)
{
	skip_space(s);
	if (s->p == s->end)
		return SS_ERR_BAD_STREAM;
	switch (*s->p) {
	case '{':
		return container(s, SS_JSCAN_OBJECT, depth);
	case '[':
		return container(s, SS_JSCAN_ARRAY, depth);
	case '"':
		return string(s);
	case 't':
	case 'f':
	case 'n':
		return word(s);
	default:
		return number(s);
	}
}

int ss_jscan(uint8_t *text, uint32_t n, struct ss_jscan_node *nodes, uint16_t cap)
{
	struct scan s = {.p = text, .end = text + n, .nodes = nodes, .cap = cap};
	int err = value(&s, 0);

	if (err < 0)
		return err;
	skip_space(&s);
	return s.p == s.end ? s.n : SS_ERR_BAD_STREAM;
}

/* -- reading -- */

uint16_t ss_jscan_member(const struct ss_jscan_node *nodes, uint16_t at, struct ss_span name)
{
	if (nodes[at].type != SS_JSCAN_OBJECT)
		return 0;
	for (uint16_t i = (uint16_t)(at + 1); i < nodes[at].next; i = nodes[i + 1].next)
		if (ss_span_eq(nodes[i].text, name))
			return (uint16_t)(i + 1);
	return 0;
}

bool ss_jscan_seconds(const struct ss_jscan_node *node, uint64_t *out)
{
	struct ss_span t = node->text;
	uint64_t v = 0;
	uint32_t i = 0;

	if (node->type != SS_JSCAN_NUMBER)
		return false;
	for (; i < t.n && t.p[i] >= '0' && t.p[i] <= '9'; i++) {
		if (v > UINT64_MAX / 20)
			return false;
		v = v * 10 + (uint64_t)(t.p[i] - '0');
	}
	/* A sign or an exponent in a date is nobody's honest date. */
	for (uint32_t k = i; k < t.n; k++)
		if (t.p[k] != '.' && (t.p[k] < '0' || t.p[k] > '9'))
			return false;
	*out = v;
	return i > 0;
}

uint16_t ss_claims_find(const struct ss_claims *c, struct ss_span path)
{
	uint16_t at = 0;

	if (!c || !c->nodes)
		return 0;
	while (path.n) {
		uint32_t n = 0;
		while (n < path.n && path.p[n])
			n++;
		at = ss_jscan_member(c->nodes, at, ss_span(path.p, n));
		if (!at)
			return 0;
		n = ss_min_u32(n + 1, path.n);
		path = ss_span(path.p + n, path.n - n);
	}
	return at;
}
