#include "wire/params.h"

struct ss_span ss_path_only(struct ss_span path)
{
	const uint8_t *q = path.n ? memchr(path.p, '?', path.n) : NULL;

	return q ? ss_span(path.p, (uint32_t)(q - path.p)) : path;
}

struct ss_span ss_path_query(struct ss_span path)
{
	struct ss_span only = ss_path_only(path);

	return only.n < path.n ? ss_span(path.p + only.n + 1, path.n - only.n - 1) : SS_SPAN_NONE;
}

/* Cuts what stands before the next `end` out of *rest, and `end` with it. */
static struct ss_span cut(struct ss_span *rest, uint8_t end)
{
	const uint8_t *p = memchr(rest->p, end, rest->n);
	uint32_t n = p ? (uint32_t)(p - rest->p) : rest->n, gone = p ? n + 1 : n;
	struct ss_span piece = ss_span(rest->p, n);

	*rest = ss_span(rest->p + gone, rest->n - gone);
	return piece;
}

static void split(struct ss_span pair, struct ss_span *name, struct ss_span *value)
{
	const uint8_t *eq = pair.n ? memchr(pair.p, '=', pair.n) : NULL;
	uint32_t n = eq ? (uint32_t)(eq - pair.p) : pair.n;

	*name = ss_span(pair.p, n);
	*value = eq ? ss_span(eq + 1, pair.n - n - 1) : ss_span("", 0);
}

bool ss_query_next(struct ss_span *rest, struct ss_span *name, struct ss_span *value)
{
	while (rest->n) {
		split(cut(rest, '&'), name, value);
		if (name->n)
			return true;
	}
	return false;
}

bool ss_cookie_next(struct ss_span *rest, struct ss_span *name, struct ss_span *value)
{
	while (rest->n) {
		split(cut(rest, ';'), name, value);
		*name = ss_span_trim(*name);
		*value = ss_span_trim(*value);
		if (value->n >= 2 && value->p[0] == '"' && value->p[value->n - 1] == '"')
			*value = ss_span(value->p + 1, value->n - 2);
		if (name->n)
			return true;
	}
	return false;
}

bool ss_whole_number(struct ss_span t, int64_t *out)
{
	bool minus = t.n && t.p[0] == '-';
	uint64_t v = 0, max = (uint64_t)INT64_MAX + minus;
	uint32_t i = t.n && (minus || t.p[0] == '+');

	if (i == t.n)
		return false;
	for (; i < t.n; i++) {
		uint64_t d = (uint64_t)t.p[i] - '0';
		if (d > 9 || v > (max - d) / 10)
			return false;
		v = v * 10 + d;
	}
	*out = minus ? (int64_t)(0 - v) : (int64_t)v;
	return true;
}
