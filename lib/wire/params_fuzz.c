/* Queries and cookies from a stranger: every piece lies in what was given, in order, and the walk ends. */
#include <stdlib.h>

#include "wire/params.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define MUST(x)                  \
	do {                     \
		if (!(x))        \
			abort(); \
	} while (0)

static bool inside(struct ss_span s, const uint8_t *from, const uint8_t *end)
{
	return s.n == 0 || (s.p >= from && s.p + s.n <= end);
}

static void walk(struct ss_span all, bool (*next)(struct ss_span *, struct ss_span *, struct ss_span *),
		 uint8_t end)
{
	const uint8_t *at = all.p, *stop = all.p + all.n;
	struct ss_span rest = all, name, value;

	while (next(&rest, &name, &value)) {
		MUST(name.n && inside(name, at, stop) && inside(value, at, stop));
		MUST(!memchr(name.p, '=', name.n) && !memchr(name.p, end, name.n));
		MUST(!value.n || !memchr(value.p, end, value.n));
		MUST(rest.p > at && rest.p + rest.n == stop);
		at = rest.p;
	}
	MUST(rest.n == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct ss_span all = ss_span(p, (uint32_t)n), query = ss_path_query(all);
	int64_t v;

	if (!n)
		return 0;
	MUST(ss_path_only(all).n + query.n <= n);
	walk(all, ss_query_next, '&');
	walk(all, ss_cookie_next, ';');
	if (query.n)
		walk(query, ss_query_next, '&');
	ss_whole_number(all, &v);
	return 0;
}
