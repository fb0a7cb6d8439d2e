/*
 * route_bench.c - dataplane/route: a decision among 10, 1,000 and 10,000 routes of each kind, over the tables
 * that ctrl/build makes. exact, prefix and regex: by path; mixed: by path, method and a header; header,
 * query, cookie, method and so on: all routes share one path.
 */
#include <stdio.h>
#include <stdlib.h>

#include "perf/micro/heads.h"
#include "perf/micro/micro.h"
#include "perf/micro/model_world.h"
#include "route/route.h"

#define ASKED 64u

/* What the routes of a table differ in. */
enum by { BY_PATH, BY_ALL, BY_HEADER, BY_BEGINNING, BY_QUERY, BY_COOKIE, BY_METHOD, BY_RANGE, BY_NESTED, BY_EXPRESSION, BY_SOURCES, BY_NAMES,
	  BY_UNLESS };

struct table {
	enum ss_path_match kind;
	enum by by;
	uint32_t n_routes;
	struct model_world world;
	struct ss_hdr v[HEADS_FIELDS];
	struct ss_hdrs head;
	char *paths[ASKED], *values[ASKED]; /* asked for in turn */
	uint32_t next;
};

static char *text(struct ss_model *m, const char *form, uint32_t i)
{
	char t[96];

	snprintf(t, sizeof(t), form, i % 97, i);
	return ss_model_text(m, t);
}

#define VALUE "tenant-%u-%u"

#define ID "spiffe://mesh.local/ns/tenant-%u-%u/sa/%s"

#define NAME "Api-%u-%u.%s.example"

/* A list of three identities: URIs or DNS names. */
static void add_sources(struct ss_model *m, const struct table *table, struct ss_model_route *r, uint32_t i)
{
	static const char *const accounts[] = {"web", "cart", "batch"};
	char t[96];

	r->ids = ss_model_alloc(m, SS_ARRAY_LEN(accounts) * sizeof(*r->ids));
	r->n_ids = SS_ARRAY_LEN(accounts);
	for (uint32_t k = 0; k < r->n_ids; k++) {
		snprintf(t, sizeof(t), table->by == BY_NAMES ? NAME : ID, i % 97, i, accounts[k]);
		r->ids[k] = (struct ss_model_id){.kind = SS_ID_EXACT, .value = ss_model_text(m, t)};
	}
}

/* All but the last say that the request must not have what each request has, and something of their own. */
static void add_unless(struct ss_model *m, const struct table *t, struct ss_model_route *r, uint32_t i)
{
	struct ss_model_header_match *h = ss_model_alloc(m, 2 * sizeof(*h));

	h[0] = (struct ss_model_header_match){.name = ss_model_text(m, "user-agent"),
					      .kind = SS_HM_PRESENT,
					      .invert = i + 1 < t->n_routes};
	h[1] = (struct ss_model_header_match){
		.name = ss_model_text(m, "x-own"), .value = text(m, VALUE, i), .invert = true};
	r->headers = h;
	r->n_headers = 2;
}

/* One more match for what the table's routes differ in. */
static void add_match(struct ss_model *m, const struct table *t, struct ss_model_route *r, uint32_t i)
{
	struct ss_model_header_match *h = ss_model_alloc(m, sizeof(*h));

	*h = (struct ss_model_header_match){.name = ss_model_text(m, "x-tenant"), .value = text(m, VALUE, i)};
	if (t->by == BY_BEGINNING)
		h->kind = SS_HM_PREFIX;
	if (t->by == BY_HEADER || t->by == BY_BEGINNING || t->by == BY_ALL) {
		r->headers = h;
		r->n_headers = 1;
	} else if (t->by == BY_QUERY) {
		r->query = h;
		r->n_query = 1;
	} else if (t->by == BY_COOKIE) {
		r->cookies = h;
		r->n_cookies = 1;
	} else if (t->by == BY_RANGE) {
		*h = (struct ss_model_header_match){
			.name = h->name, .kind = SS_HM_RANGE, .start = i * 10ll, .end = i * 10ll + 10};
		r->headers = h;
		r->n_headers = 1;
	} else if (t->by == BY_NESTED) { /* the narrowest first */
		*h = (struct ss_model_header_match){
			.name = h->name, .kind = SS_HM_RANGE, .start = t->n_routes - i, .end = t->n_routes + i + 1};
		r->headers = h;
		r->n_headers = 1;
	} else if (t->by == BY_EXPRESSION) {
		*h = (struct ss_model_header_match){
			.name = h->name, .kind = SS_HM_REGEX, .value = text(m, "tenant-%u-%u(-[a-z]+)?", i)};
		r->headers = h;
		r->n_headers = 1;
	} else if (t->by == BY_SOURCES || t->by == BY_NAMES) {
		add_sources(m, t, r, i);
	} else if (t->by == BY_UNLESS) {
		add_unless(m, t, r, i);
	}
	if (t->by == BY_ALL || t->by == BY_METHOD)
		r->methods =
			t->by == BY_ALL || i + 1 == t->n_routes ? SS_METHOD_GET : SS_METHOD_POST << i % 4;
}

static void describe(struct ss_model *m, const struct table *t)
{
	static const char *const forms[] = {
		[SS_PATH_EXACT] = "/api/v%u/accounts/item-%u",
		[SS_PATH_PREFIX] = "/api/v%u/accounts/item-%u/",
		[SS_PATH_REGEX] = "/api/v%u/accounts/[a-z]+-%u(/[a-z0-9]+)?",
	};
	struct ss_model_weighted *w = ss_model_alloc(m, sizeof(*w));
	struct ss_model_endpoint *e = ss_model_alloc(m, sizeof(*e));
	char **domains = ss_model_alloc(m, 2 * sizeof(char *));

	*e = (struct ss_model_endpoint){.addr = {ss_ip4(0x0a000001), 80}, .weight = 1};
	*w = (struct ss_model_weighted){ss_model_text(m, "origin"), SS_WEIGHT_SUM};
	domains[0] = ss_model_text(m, "www.example.com");
	domains[1] = ss_model_text(m, "web");
	m->n_clusters = m->n_hosts = m->n_listeners = 1;
	m->clusters = ss_model_alloc(m, sizeof(*m->clusters));
	m->hosts = ss_model_alloc(m, sizeof(*m->hosts));
	m->listeners = ss_model_alloc(m, sizeof(*m->listeners));
	m->clusters[0] = (struct ss_model_cluster){.name = w->cluster, .n_endpoints = 1, .endpoints = e};
	m->hosts[0] = (struct ss_model_host){
		.name = domains[1], .n_domains = 1, .domains = domains, .n_routes = t->n_routes};
	m->hosts[0].routes = ss_model_alloc(m, t->n_routes * sizeof(struct ss_model_route));
	for (uint32_t i = 0; i < t->n_routes; i++) {
		m->hosts[0].routes[i] =
			(struct ss_model_route){.name = text(m, "r%u-%u", i),
						.path_kind = t->kind,
						.path = text(m, forms[t->kind], t->by <= BY_ALL ? i : 0),
						.n_clusters = 1,
						.clusters = w};
		add_match(m, t, &m->hosts[0].routes[i], i);
	}
	m->listeners[0] = (struct ss_model_listener){
		.name = domains[1], .addr = {ss_ip4(0x0a0000fe), 80}, .n_hosts = 1, .hosts = domains + 1};
}

/* What route number `route` of the table wants. */
static int make_value(const struct table *t, uint32_t route, char **out)
{
	if (t->by == BY_RANGE)
		return asprintf(out, "%u", route * 10 + 5);
	if (t->by == BY_NESTED)
		return asprintf(out, "%u", t->n_routes + route);
	if (t->by == BY_SOURCES || t->by == BY_NAMES)
		return asprintf(out, t->by == BY_NAMES ? NAME : ID, route % 97, route, "cart");
	return asprintf(out, t->by == BY_COOKIE ? "a=1; x-tenant=" VALUE : VALUE, route % 97, route);
}

static void make(struct table *t)
{
	struct ss_model *m = ss_model_new();

	describe(m, t);
	model_world_open(&t->world, m, t->n_routes + 64);
	t->head = head_block(&head_browser, t->v);
	ss_hdrs_add(&t->head, SS_SPAN("x-tenant"), SS_SPAN(""), 0);
	ss_hdrs_add(&t->head, SS_SPAN("cookie"), SS_SPAN(""), 0);
	for (uint32_t i = 0; i < ASKED; i++) {
		uint32_t route = (i * 7919u + t->n_routes / 2) % t->n_routes,
			 at = t->by <= BY_ALL ? route : 0;
		const char *more = t->kind == SS_PATH_PREFIX ? "/orders" : "";
		if (make_value(t, route, &t->values[i]) < 0 ||
		    asprintf(&t->paths[i], "/api/v%u/accounts/item-%u%s%s%s", at % 97, at, more,
			     t->by == BY_QUERY ? "?a=1&x-tenant=" : "",
			     t->by == BY_QUERY ? t->values[i] : "") < 0)
			abort();
	}
}

static void drop(struct table *t)
{
	for (uint32_t i = 0; i < ASKED; i++) {
		free(t->paths[i]);
		free(t->values[i]);
	}
	model_world_close(&t->world);
}

static void decide(void *at, uint32_t n)
{
	struct table *t = at;
	struct ss_route_request rq = {.head = &t->head};
	struct ss_route_decision d;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t asked = t->next++ % ASKED;
		t->head.path = ss_span_str(t->paths[asked]);
		if (t->by == BY_SOURCES || t->by == BY_NAMES)
			rq.peer_identity = ss_span_str(t->values[asked]);
		if (t->by != BY_PATH)
			t->head.v[t->head.n - (t->by == BY_COOKIE ? 1 : 2)].value =
				ss_span_str(t->values[asked]);
		ss_route_decide(t->world.snap, &t->world.snap->listeners[0], &rq, &d);
		assert(d.cluster);
		micro_keep(d.route);
	}
}

void micro_items(struct micro *m)
{
	static const struct {
		enum ss_path_match kind;
		enum by by;
		const char *name;
	} kinds[] = {{SS_PATH_EXACT, BY_PATH, "exact"},    {SS_PATH_PREFIX, BY_PATH, "prefix"},
		     {SS_PATH_EXACT, BY_ALL, "mixed"},     {SS_PATH_EXACT, BY_HEADER, "header"},
		     {SS_PATH_EXACT, BY_BEGINNING, "beginning"},
		     {SS_PATH_EXACT, BY_QUERY, "query"},   {SS_PATH_EXACT, BY_COOKIE, "cookie"},
		     {SS_PATH_EXACT, BY_METHOD, "method"},
		     {SS_PATH_EXACT, BY_RANGE, "range"},   {SS_PATH_EXACT, BY_NESTED, "nested"},
		     {SS_PATH_EXACT, BY_SOURCES, "sources"}, {SS_PATH_EXACT, BY_NAMES, "names"},
		     {SS_PATH_EXACT, BY_EXPRESSION, "expression"},
		     {SS_PATH_EXACT, BY_UNLESS, "unless"}, {SS_PATH_REGEX, BY_PATH, "regex"}};
	static const uint32_t sizes[] = {10, 1000, 10000};
	char name[48];

	for (uint32_t k = 0; k < SS_ARRAY_LEN(kinds); k++) {
		for (uint32_t i = 0; i < SS_ARRAY_LEN(sizes); i++) {
			struct table t = {.kind = kinds[k].kind, .by = kinds[k].by, .n_routes = sizes[i]};
			snprintf(name, sizeof(name), "route.%s.%u", kinds[k].name, sizes[i]);
			/* A thousand expressions take a second to compile; ten thousand of one name, half a minute. */
			if (!micro_wants(m, name) || (sizes[i] > 1000 && t.by == BY_EXPRESSION && !micro_asked(m, name)) ||
			    (sizes[i] > 10 && !micro_patient(m) && (t.kind == SS_PATH_REGEX || t.by == BY_EXPRESSION)))
				continue;
			make(&t);
			micro_run(m, name, decide, &t);
			drop(&t);
		}
	}
}
