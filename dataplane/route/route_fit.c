/* route_fit.c - does a route fit, its path apart: method, headers, parameters, cookies, who asks and where.
 */
#include "route/route_int.h"
#include "wire/params.h"

bool ss_route_next_field(const struct ss_hdrs *h, struct ss_span name, uint16_t *i, struct ss_span *value)
{
	if (ss_span_eq(name, SS_SPAN("host")) || ss_span_eq(name, SS_SPAN(":authority"))) {
		*value = h->authority;
		return *i == 0 && h->authority.n;
	}
	for (; *i < h->n; (*i)++) {
		if (ss_span_eq(h->v[*i].name, name)) {
			*value = h->v[*i].value;
			return true;
		}
	}
	return false;
}

/* Of a parameter that is there twice the first counts, as Envoy has it and the Gateway API recommends. */
static bool next_param(const struct ss_route_look *k, struct ss_span name, struct ss_route_walk *w,
		       struct ss_span *value)
{
	struct ss_span n;

	if (w->begun)
		return false;
	w->rest = k->query;
	w->begun = true;
	while (ss_query_next(&w->rest, &n, value))
		if (ss_span_eq(n, name))
			return true;
	return false;
}

/* Cookies may be spread over several fields (RFC 9113 8.2.3). */
static bool next_cookie(const struct ss_route_look *k, struct ss_span name, struct ss_route_walk *w,
			struct ss_span *value)
{
	struct ss_span n;

	for (;;) {
		while (ss_cookie_next(&w->rest, &n, value))
			if (ss_span_eq(n, name))
				return true;
		while (w->i < k->head->n && k->head->v[w->i].tok != SS_H_COOKIE)
			w->i++;
		if (w->i == k->head->n)
			return false;
		w->rest = k->head->v[w->i++].value;
	}
}

bool ss_route_next_value(const struct ss_route_look *k, uint8_t on, struct ss_span name,
			 struct ss_route_walk *w, struct ss_span *value)
{
	bool found;

	if (on == SS_ON_QUERY)
		return next_param(k, name, w, value);
	if (on == SS_ON_COOKIE)
		return next_cookie(k, name, w, value);
	found = ss_route_next_field(k->head, name, &w->i, value);
	w->i++;
	return found;
}

static bool in_range(const struct ss_route_field *m, struct ss_span value)
{
	int64_t v;

	return ss_whole_number(value, &v) && v >= m->start && v < m->end;
}

bool ss_route_value_fits(const struct ss_route_field *m, struct ss_span value)
{
	switch (m->kind) {
	case SS_HM_EXACT:
		return ss_span_eq(value, m->value);
	case SS_HM_PREFIX:
		return ss_span_starts(value, m->value);
	case SS_HM_SUFFIX:
		return ss_span_ends(value, m->value);
	case SS_HM_RANGE:
		return in_range(m, value);
	default:
		return m->kind == SS_HM_PRESENT;
	}
}

bool ss_route_field_fits(struct ss_route_look *k, const struct ss_route_field *m)
{
	struct ss_route_walk w = {0};
	struct ss_span value;
	bool fits = false;

	if (m->kind == SS_HM_REGEX)
		fits = ss_route_scan_field(k, m->regex);
	else
		while (!fits && ss_route_next_value(k, m->on, m->name, &w, &value))
			fits = ss_route_value_fits(m, value);
	return fits != m->invert;
}

/* RFC 6066 3: names are compared without regard to case. */
static bool sni_fits(struct ss_span pattern, struct ss_span sni)
{
	if (pattern.n && pattern.p[0] == '.' && sni.n > pattern.n)
		sni = ss_span(sni.p + sni.n - pattern.n, pattern.n);
	return ss_span_ieq(pattern, sni);
}

static bool some_id(const struct ss_route_look *k, const struct ss_route_source *s)
{
	bool fits = !s->n_ids;

	for (uint16_t i = 0; i < s->n_ids && !fits; i++)
		fits = ss_id_matches(&s->ids[i], k->rq->peer_identity);
	return fits;
}

static bool some_sni(const struct ss_route_look *k, const struct ss_route_source *s)
{
	bool fits = !s->n_snis;

	for (uint16_t i = 0; i < s->n_snis && !fits; i++)
		fits = k->rq->sni.n && sni_fits(s->snis[i], k->rq->sni);
	return fits;
}

static bool some_port(const struct ss_route_look *k, const struct ss_route_source *s)
{
	bool fits = !s->n_ports;

	for (uint16_t i = 0; i < s->n_ports && !fits; i++)
		fits = s->ports[i] == k->port;
	return fits;
}

static bool source_fits(const struct ss_route_look *k, const struct ss_route_source *s)
{
	return some_id(k, s) && some_sni(k, s) && some_port(k, s);
}

/* A preflight is about a request that will come: with CORS a route takes it for the methods that it has. */
static bool method_fits(const struct ss_route_look *k, const struct ss_route *r)
{
	return !r->methods || (r->methods & k->method) || (r->cors && (r->methods & k->asked));
}

bool ss_route_rest_fits(struct ss_route_look *k, uint32_t i)
{
	const struct ss_route *r = &k->host->routes[i];

	if (!method_fits(k, r) || (r->source && !source_fits(k, r->source)))
		return false;
	for (uint16_t f = 0; f < r->n_fields; f++)
		if (!ss_route_field_fits(k, &r->fields[f]))
			return false;
	return true;
}

struct ss_route_misfit ss_route_rest_misfit(struct ss_route_look *k, uint32_t i)
{
	const struct ss_route *r = &k->host->routes[i];
	const struct ss_route_source *s = r->source;

	if (!method_fits(k, r))
		return (struct ss_route_misfit){SS_ROUTE_PART_METHOD, 0};
	if (s && !some_id(k, s))
		return (struct ss_route_misfit){SS_ROUTE_PART_IDENTITY, 0};
	if (s && !some_sni(k, s))
		return (struct ss_route_misfit){SS_ROUTE_PART_SNI, 0};
	if (s && !some_port(k, s))
		return (struct ss_route_misfit){SS_ROUTE_PART_PORT, 0};
	for (uint16_t f = 0; f < r->n_fields; f++)
		if (!ss_route_field_fits(k, &r->fields[f]))
			return (struct ss_route_misfit){SS_ROUTE_PART_FIELD, f};
	return (struct ss_route_misfit){SS_ROUTE_PART_NONE, 0};
}
