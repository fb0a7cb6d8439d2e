/* route_rewrite.c - the path that goes upstream, or into a redirect's Location. */
#include "route/route_int.h"
#include "wire/params.h"

/* w in place of the path's first n bytes; never "//" where they meet, never nothing. */
static struct ss_span in_place_of(struct ss_span path, uint32_t n, struct ss_span w, struct ss_arena *a, bool *ok)
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

struct ss_span ss_route_new_path(const struct ss_route *r, uint8_t kind, struct ss_span text, struct ss_span path,
				 struct ss_arena *a, bool *ok)
{
	if (kind == SS_PATH_FULL)
		return in_place_of(path, ss_path_only(path).n, text, a, ok);
	if (kind == SS_PATH_PREFIX_NEW && path.n >= r->path.n)
		return in_place_of(path, r->path.n, text, a, ok);
	return path;
}
