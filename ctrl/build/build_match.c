/* build_match.c - what a route asks of a request, and which of a host's routes is asked first. */
#include <stdlib.h>

#include "base/err.h"
#include "build/build_routes.h"

static void build_fields(struct ss_build_job *j, const struct ss_model_header_match *m, uint32_t n,
			 enum ss_field_on on, struct ss_route_field *f)
{
	for (uint32_t i = 0; i < n; i++) {
		f[i] = (struct ss_route_field){.kind = (uint8_t)m[i].kind,
					       .on = (uint8_t)on,
					       .invert = m[i].invert,
					       .value = ss_build_text(j, m[i].value),
					       .start = m[i].start,
					       .end = m[i].end};
		f[i].name = on == SS_ON_HEADER ? ss_build_lower(j, m[i].name) : ss_build_text(j, m[i].name);
		if (ss_span_eq(f[i].name, SS_SPAN(":authority")))
			f[i].name = SS_SPAN("host");
	}
}

/* A database for each expression: sets are short, and what one worker scans is one value. */
static int build_expressions(struct ss_build_job *j, const struct ss_model_src *src, const char *key,
			     struct ss_route_field *f, uint32_t n, const struct hs_database **dbs)
{
	uint32_t found = 0;
	int err = 0, one;

	for (uint32_t i = 0; i < n; i++) {
		struct ss_build_pattern p = {(const char *)f[i].value.p, 0, src};
		if (f[i].kind != SS_HM_REGEX)
			continue;
		f[i].regex = found;
		one = ss_build_regex_set(j, j->regex, &p, 1, key, &dbs[found++]);
		err = one < 0 ? one : err;
	}
	return err;
}

int ss_build_field_set(struct ss_build_job *j, const struct ss_model_src *src, const char *key,
		       const struct ss_model_field_set *m, struct ss_field_set *out)
{
	struct ss_route_field *f = ss_build_array(j, m->n, sizeof(*f));
	const struct hs_database **dbs = ss_build_array(j, m->n, sizeof(*dbs));

	if (!f || !dbs)
		return SS_ERR_NO_MEM;
	build_fields(j, m->v, m->n, SS_ON_HEADER, f);
	*out = (struct ss_field_set){.n = (uint16_t)m->n, .v = f, .dbs = dbs, .scratch = j->regex->scratch};
	return build_expressions(j, src, key, f, m->n, dbs);
}

/* "*.x" becomes ".x": every name that ends so. */
static struct ss_span sni_pattern(struct ss_build_job *j, const char *text)
{
	return ss_build_lower(j, text[0] == '*' ? text + 1 : text);
}

static int build_source(struct ss_build_job *j, const struct ss_model_route *m, struct ss_route *r)
{
	struct ss_route_source *s = ss_build_alloc(j, sizeof(*s));
	struct ss_span *snis = ss_build_array(j, m->n_snis, sizeof(*snis));
	uint16_t *ports = ss_build_array(j, m->n_ports, sizeof(*ports));

	if (!s || !snis || !ports)
		return SS_ERR_NO_MEM;
	for (uint32_t i = 0; i < m->n_snis; i++)
		snis[i] = sni_pattern(j, m->snis[i]);
	for (uint32_t i = 0; i < m->n_ports; i++)
		ports[i] = (uint16_t)m->ports[i];
	*s = (struct ss_route_source){
		.n_snis = (uint16_t)m->n_snis, .n_ports = (uint16_t)m->n_ports, .snis = snis, .ports = ports};
	r->source = s;
	return ss_build_ids(j, m->n_ids, m->ids, &s->n_ids, &s->ids);
}

/* Gateway API: a path prefix is made of whole segments, whatever the file calls it. */
static void build_path(struct ss_build_job *j, const struct ss_model_host *h, const struct ss_model_route *m,
		       struct ss_route *r)
{
	r->path_kind = (uint8_t)m->path_kind;
	r->path = ss_build_text(j, m->path);
	if (r->path_kind == SS_PATH_PREFIX && h->precedence == SS_PRECEDENCE_GATEWAY)
		r->path_kind = SS_PATH_SEGMENTS;
	if (r->path_kind == SS_PATH_SEGMENTS && r->path.n && r->path.p[r->path.n - 1] == '/')
		r->path.n--;
}

int ss_build_match(struct ss_build_job *j, const struct ss_model_host *h, const struct ss_model_route *m,
		   struct ss_route *r)
{
	uint32_t n = m->n_headers + m->n_query + m->n_cookies;
	struct ss_route_field *f = ss_build_array(j, n, sizeof(*f));

	if (!f)
		return SS_ERR_NO_MEM;
	build_path(j, h, m, r);
	build_fields(j, m->headers, m->n_headers, SS_ON_HEADER, f);
	build_fields(j, m->query, m->n_query, SS_ON_QUERY, f + m->n_headers);
	build_fields(j, m->cookies, m->n_cookies, SS_ON_COOKIE, f + m->n_headers + m->n_query);
	r->fields = f;
	r->n_fields = (uint16_t)n;
	return m->n_ids || m->n_snis || m->n_ports ? build_source(j, m, r) : 0;
}

/* -- order -- */

static int rank_of(const struct ss_model_route *m)
{
	switch (m->path_kind) {
	case SS_PATH_EXACT:
		return 0;
	case SS_PATH_REGEX:
		return 1;
	default:
		return 2; /* a route of any path is one with the prefix "/" */
	}
}

/* Without the slash at its end, which says nothing in segments. */
static size_t path_length(const struct ss_model_route *m)
{
	size_t n = m->path ? strlen(m->path) : 0;

	return m->path_kind != SS_PATH_REGEX && n && m->path[n - 1] == '/' ? n - 1 : n;
}

static int more_first(uint64_t x, uint64_t y)
{
	return x > y ? -1 : x < y;
}

static int by_gateway(const void *a, const void *b, void *arg)
{
	const struct ss_model_route *routes = arg;
	uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;
	const struct ss_model_route *x = &routes[i], *y = &routes[k];
	int c = rank_of(x) - rank_of(y);

	c = c || rank_of(x) == 0 ? c : more_first(path_length(x), path_length(y));
	c = c ? c : more_first(x->methods != 0, y->methods != 0);
	/* Cookies are a header's parts. */
	c = c ? c : more_first(x->n_headers + x->n_cookies, y->n_headers + y->n_cookies);
	c = c ? c : more_first(x->n_query, y->n_query);
	return c ? c : i < k ? -1 : i > k;
}

void ss_build_order(const struct ss_model_host *h, uint32_t *order)
{
	for (uint32_t i = 0; i < h->n_routes; i++)
		order[i] = i;
	if (h->precedence == SS_PRECEDENCE_GATEWAY)
		qsort_r(order, h->n_routes, sizeof(*order), by_gateway, h->routes);
}
