/* build_want.c - what the routes of a list want of a request: by which of it each is looked up. */
#include <stdlib.h>

#include "base/err.h"
#include "build/build_list.h"

static int cmp_span(struct ss_span a, struct ss_span b)
{
	uint32_t n = ss_min_u32(a.n, b.n);
	int c = n ? memcmp(a.p, b.p, n) : 0;

	return c ? c : a.n < b.n ? -1 : a.n > b.n;
}

static int by_value(const void *a, const void *b)
{
	const struct ss_build_want *x = a, *y = b;
	int c = x->on - y->on;

	c = c ? c : cmp_span(x->name, y->name);
	c = c ? c : x->fit - y->fit;
	c = c ? c : cmp_span(x->value, y->value);
	return c ? c : x->route < y->route ? -1 : x->route > y->route;
}

static int by_route(const void *a, const void *b)
{
	const struct ss_build_want *x = a, *y = b;

	if (x->route != y->route)
		return x->route < y->route ? -1 : 1;
	if (x->values != y->values)
		return x->values > y->values ? -1 : 1;
	if (x->match != y->match)
		return x->match < y->match ? -1 : 1;
	return by_value(a, b);
}

bool ss_build_same_name(const struct ss_build_want *x, const struct ss_build_want *y)
{
	return x->on == y->on && ss_span_eq(x->name, y->name);
}

bool ss_build_same_want(const struct ss_build_want *x, const struct ss_build_want *y)
{
	return ss_build_same_name(x, y) && x->fit == y->fit && ss_span_eq(x->value, y->value);
}

static bool is_above(const struct ss_build_above *a, const struct ss_build_want *w)
{
	for (; a; a = a->up)
		if (!a->want->field == !w->field &&
		    (w->field ? ss_build_same_want(a->want, w) : ss_build_same_name(a->want, w)))
			return true;
	return false;
}

/* -- matches of fields -- */

/* What begins so begins with less of it, too. */
static struct ss_span cut(struct ss_span s, bool end)
{
	uint32_t n = ss_min_u32(s.n, SS_ROUTE_AFFIX_MAX);

	return ss_span(end ? s.p + s.n - n : s.p, n);
}

/* What a request must have for this match to hold. */
static struct ss_build_want want_of(const struct ss_route_field *m)
{
	struct ss_build_want w = {.on = m->on, .fit = m->kind, .name = m->name};

	if (m->kind == SS_HM_EXACT)
		w.value = m->value;
	else if ((m->kind == SS_HM_PREFIX || m->kind == SS_HM_SUFFIX) && m->value.n)
		w.value = cut(m->value, m->kind == SS_HM_SUFFIX);
	else if (m->kind == SS_HM_RANGE)
		w.value = ss_span(&m->start, 2 * sizeof(m->start));
	else if (m->kind == SS_HM_REGEX)
		w.value = ss_span(&m->regex, sizeof(m->regex));
	else
		w.fit = SS_HM_PRESENT;
	return w;
}
_Static_assert(offsetof(struct ss_route_field, end) == offsetof(struct ss_route_field, start) + sizeof(int64_t),
	       "a range's bounds are one text");

/* -- lists of sources: any of a list will do -- */

/* False: what it matches cannot be looked up. */
static bool want_id(struct ss_build_job *j, const struct ss_id_match *m, struct ss_build_want *w)
{
	static const char scheme[] = "spiffe://";
	char *begin;

	*w = (struct ss_build_want){.on = SS_ROUTE_ON_ID, .fit = SS_HM_PREFIX, .name = SS_SPAN("id")};
	switch (m->kind) {
	case SS_ID_EXACT:
		w->fit = SS_HM_EXACT;
		w->value = m->value;
		return ss_id_has_key(m->value);
	case SS_ID_PREFIX:
	case SS_ID_BEGINS:
		w->value = cut(m->value, false);
		return m->value.n;
	case SS_ID_SUFFIX:
		w->fit = SS_HM_SUFFIX;
		w->value = cut(m->value, true);
		return m->value.n;
	case SS_ID_DOMAIN:
		begin = m->value.n ? ss_build_array(j, sizeof(scheme) + m->value.n, 1) : NULL;
		if (!begin)
			return false;
		memcpy(begin, scheme, sizeof(scheme) - 1);
		memcpy(begin + sizeof(scheme) - 1, m->value.p, m->value.n);
		w->value = cut(ss_span(begin, (uint32_t)sizeof(scheme) - 1 + m->value.n), false);
		return true;
	default:
		return false;
	}
}

static bool want_sni(struct ss_span sni, struct ss_build_want *w)
{
	bool suffix = sni.n && sni.p[0] == '.';

	*w = (struct ss_build_want){.on = SS_ROUTE_ON_SNI,
				    .fit = suffix ? SS_HM_SUFFIX : SS_HM_EXACT,
				    .name = SS_SPAN("sni"),
				    .value = suffix ? cut(sni, true) : sni};
	return sni.n;
}

/* Numbers its alternatives; none when one of them cannot be looked up. */
static uint32_t alternatives(struct ss_build_want *out, uint32_t n, bool all, uint32_t match)
{
	for (uint32_t i = 0; i < n; i++)
		out[i].match = match;
	return all ? n : 0;
}

/* At most as many as the three lists have. */
static uint32_t want_sources(struct ss_build_job *j, const struct ss_route_source *s, uint32_t match,
			     struct ss_build_want *out)
{
	uint32_t n = 0;
	bool all = true;

	for (uint16_t i = 0; i < s->n_ids; i++)
		all &= want_id(j, &s->ids[i], &out[i]);
	n += alternatives(out, s->n_ids, all, match);
	all = true;
	for (uint16_t i = 0; i < s->n_snis; i++)
		all &= want_sni(s->snis[i], &out[n + i]);
	n += alternatives(out + n, s->n_snis, all, match + 1);
	for (uint16_t i = 0; i < s->n_ports; i++)
		out[n + i] = (struct ss_build_want){.on = SS_ROUTE_ON_PORT,
						    .fit = SS_HM_EXACT,
						    .name = SS_SPAN("port"),
						    .value = ss_span(&s->ports[i], sizeof(s->ports[i])),
						    .match = match + 2};
	return n + s->n_ports;
}

/* -- all of a list -- */

static uint32_t wants_of(struct ss_build_job *j, const struct ss_route *r, struct ss_build_want *out)
{
	uint32_t n = 0;

	for (uint16_t f = 0; f < r->n_fields; f++) {
		if (r->fields[f].invert || !r->fields[f].name.n)
			continue;
		out[n] = want_of(&r->fields[f]);
		out[n++].match = f;
	}
	return r->source ? n + want_sources(j, r->source, r->n_fields, out + n) : n;
}

static uint32_t most_of(const struct ss_route *routes, const uint32_t *ids, uint32_t n)
{
	uint32_t most = 1;

	for (uint32_t i = 0; i < n; i++) {
		const struct ss_route_source *s = routes[ids[i]].source;
		most += routes[ids[i]].n_fields;
		most += s ? (uint32_t)s->n_ids + s->n_snis + s->n_ports : 0;
	}
	return most;
}

/* How many values each name has: the more, the fewer routes stand under one. To scan for expressions costs more than
 * all else, which is why they come last of what tells routes apart. */
static void count_values(struct ss_build_want *e, uint32_t n)
{
	for (uint32_t first = 0, end; first < n; first = end) {
		uint32_t values = 1;
		for (end = first + 1; end < n && ss_build_same_name(&e[first], &e[end]); end++)
			values += !ss_build_same_want(&e[end], &e[end - 1]);
		for (uint32_t i = first; i < end; i++)
			e[i].values = e[i].fit == SS_HM_PRESENT ? 1 : e[i].fit == SS_HM_REGEX ? ss_min_u32(values, 2) : values;
	}
}

/* Leaves one match of each route, that with most values. */
static uint32_t choose(struct ss_build_want *e, uint32_t n)
{
	uint32_t kept = 0;

	qsort(e, n, sizeof(*e), by_route);
	for (uint32_t i = 0; i < n; i++)
		if (!kept || e[kept - 1].route != e[i].route || e[kept - 1].match == e[i].match)
			e[kept++] = e[i];
	qsort(e, kept, sizeof(*e), by_value);
	return kept;
}

/* An alternative that is there twice would put the route into one list twice. */
static uint32_t drop_twins(struct ss_build_want *e, uint32_t n)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < n; i++)
		if (!kept || e[kept - 1].route != e[i].route || !ss_build_same_want(&e[kept - 1], &e[i]))
			e[kept++] = e[i];
	return kept;
}

int ss_build_wants(struct ss_build_job *j, const struct ss_route *routes, const uint32_t *ids, uint32_t n,
		   const struct ss_build_above *above, struct ss_build_want **out, uint32_t *n_out)
{
	struct ss_build_want *e = calloc(most_of(routes, ids, n), sizeof(*e));
	uint32_t found = 0;

	*out = e;
	if (!e)
		return SS_ERR_NO_MEM;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t some = wants_of(j, &routes[ids[i]], e + found), kept = 0;
		for (uint32_t k = 0; k < some; k++) {
			struct ss_build_want w = e[found + k];
			w.route = ids[i];
			if (!is_above(above, &w))
				e[found + kept++] = w;
		}
		found += kept;
	}
	qsort(e, found, sizeof(*e), by_value);
	count_values(e, found);
	*n_out = drop_twins(e, choose(e, found));
	return 0;
}

/* -- what must not be -- */

/* Each match as it is, but expressions by their text. */
static struct ss_build_want unwanted(const struct ss_route_field *m, uint32_t route, uint32_t match)
{
	return (struct ss_build_want){
		.on = m->on,
		.fit = m->kind,
		.name = m->name,
		.value = m->kind == SS_HM_RANGE     ? ss_span(&m->start, 2 * sizeof(m->start))
			 : m->kind == SS_HM_PRESENT ? SS_SPAN_NONE
						    : m->value,
		.route = route,
		.match = match,
		.field = m};
}

/* So many routes have it: the more, the more one look passes over. */
static void count_routes(struct ss_build_want *e, uint32_t n)
{
	for (uint32_t first = 0, end; first < n; first = end) {
		for (end = first + 1; end < n && ss_build_same_want(&e[first], &e[end]); end++)
			;
		for (uint32_t i = first; i < end; i++)
			e[i].values = end - first;
	}
}

int ss_build_unwanted(const struct ss_route *routes, const uint32_t *ids, uint32_t n,
		      const struct ss_build_above *above, struct ss_build_want **out, uint32_t *n_out)
{
	struct ss_build_want *e = calloc(most_of(routes, ids, n), sizeof(*e));
	uint32_t found = 0;

	*out = e;
	if (!e)
		return SS_ERR_NO_MEM;
	for (uint32_t i = 0; i < n; i++) {
		const struct ss_route *r = &routes[ids[i]];
		for (uint16_t f = 0; f < r->n_fields; f++) {
			struct ss_build_want w = unwanted(&r->fields[f], ids[i], f);
			if (r->fields[f].invert && r->fields[f].name.n && !is_above(above, &w))
				e[found++] = w;
		}
	}
	qsort(e, found, sizeof(*e), by_value);
	count_routes(e, found);
	*n_out = drop_twins(e, choose(e, found));
	return 0;
}
