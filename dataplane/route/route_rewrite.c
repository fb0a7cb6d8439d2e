/* route_rewrite.c - the path that goes upstream, or into a redirect's Location. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/err.h"
#include "route/route_int.h"
#include "wire/params.h"
#include "wire/uri.h"

/* w in place of the path's first n bytes; never "//" where they meet, never nothing. */
static struct ss_span in_place_of(struct ss_span path, uint32_t n, struct ss_span w, struct ss_arena *a,
				  bool *ok)
{
	struct ss_span rest = ss_span(path.p + n, path.n - n);
	uint8_t *p;

	if (rest.n && rest.p[0] == '/' && w.n && w.p[w.n - 1] == '/')
		w.n--;
	p = ss_arena_alloc(a, w.n + rest.n + 1);
	if (!p) {
		*ok = false;
		return path;
	}
	memcpy(p, w.p, w.n);
	if (rest.n)
		memcpy(p + w.n, rest.p, rest.n);
	return ss_span(p, w.n + rest.n);
}

struct ss_span ss_route_new_path(const struct ss_route *r, uint8_t kind, struct ss_span text,
				 struct ss_span path, struct ss_arena *a, bool *ok)
{
	if (kind == SS_PATH_FULL)
		return in_place_of(path, ss_path_only(path).n, text, a, ok);
	if (kind == SS_PATH_PREFIX_NEW && path.n >= r->path.n)
		return in_place_of(path, r->path.n, text, a, ok);
	return path;
}

/* -- expressions -- */

#define OUT_MAX 8192 /* a longer path is none that a rewrite was meant for */

/* The substitution, of what has just matched. */
static void put_parts(struct ss_out *o, const struct ss_rewrite_regex *x, const uint8_t *path,
		      pcre2_match_data *m, int groups)
{
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(m);

	for (uint16_t i = 0; i < x->n_parts; i++) {
		int g = x->parts[i].group;
		if (g < 0)
			ss_out_span(o, x->parts[i].text);
		else if (g < groups && at[2 * g] != PCRE2_UNSET && at[2 * g + 1] >= at[2 * g])
			ss_out_bytes(o, path + at[2 * g], at[2 * g + 1] - at[2 * g]);
	}
}

/* Every part of the path that matches is replaced, as Envoy does; after an empty match one byte is passed
 * over. 0 or SS_ERR_LIMIT. */
static int replace_all(const struct ss_rewrite_regex *x, pcre2_match_data *m, struct ss_span path,
		       struct ss_out *o)
{
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(m);
	size_t from = 0;

	while (from <= path.n) {
		/* The bounds are only read; PCRE2's declaration lacks the const. */
		int n = pcre2_match(x->code, path.p, path.n, from, PCRE2_NO_UTF_CHECK, m,
				    (pcre2_match_context *)x->bounds);
		if (n == PCRE2_ERROR_NOMATCH)
			break;
		if (n < 0)
			return SS_ERR_LIMIT;
		/* \K may set the start behind `from`, or behind the end. */
		if (at[0] < from || at[1] < at[0])
			return SS_ERR_LIMIT;
		ss_out_bytes(o, path.p + from, at[0] - from);
		put_parts(o, x, path.p, m, n ? n : 10);
		from = at[1];
		if (at[0] != at[1])
			continue;
		if (from < path.n)
			ss_out_u8(o, path.p[from]);
		from++;
	}
	if (from < path.n)
		ss_out_bytes(o, path.p + from, path.n - from);
	return o->over ? SS_ERR_LIMIT : 0;
}

int ss_route_regex_path(const struct ss_rewrite_regex *x, uint16_t worker, struct ss_span path,
			struct ss_arena *a, struct ss_span *out)
{
	uint8_t buf[OUT_MAX], tidy[OUT_MAX];
	struct ss_out o = ss_out(buf + 1, sizeof(buf) - 1), t = ss_out(tidy, sizeof(tidy));
	struct ss_span only = ss_path_only(path), new;
	bool ok = true;

	if (replace_all(x, x->match[worker], only, &o) < 0)
		return SS_ERR_LIMIT;
	new = ss_span(buf + 1, (uint32_t)(o.p - buf - 1));
	/* A request target begins with a slash (RFC 9112 3.2.1). */
	if (!new.n || new.p[0] != '/') {
		buf[0] = '/';
		new = ss_span(buf, new.n + 1);
	}
	/* Pieces of a path in its normal spelling may make one that is not: "/../" is no way around anything.
	 */
	if (ss_uri_path(new, 0, &t, &new) < 0)
		return SS_ERR_LIMIT;
	*out = in_place_of(path, only.n, new, a, &ok);
	return ok ? 0 : SS_ERR_NO_MEM;
}
