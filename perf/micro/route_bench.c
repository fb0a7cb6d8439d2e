/*
 * route_bench.c - dataplane/route: a decision among 10, 1,000 and 10,000 routes of each kind, over the tables
 * that ctrl/build makes.
 */
#include <stdio.h>
#include <stdlib.h>

#include "build/build.h"
#include "perf/micro/heads.h"
#include "perf/micro/micro.h"
#include "route/route.h"

#define ASKED 64u

struct table {
	enum ss_path_match kind;
	uint32_t n_routes;
	struct ss_names *names;
	struct ss_ep_table *endpoints;
	struct ss_build *build;
	struct ss_snapshot *snap;
	struct ss_hdr v[HEADS_FIELDS];
	struct ss_hdrs head;
	char *paths[ASKED]; /* asked for in turn */
	uint32_t next;
};

static char *text(struct ss_model *m, const char *form, uint32_t i)
{
	char t[96];

	snprintf(t, sizeof(t), form, i % 97, i);
	return ss_model_text(m, t);
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
	for (uint32_t i = 0; i < t->n_routes; i++)
		m->hosts[0].routes[i] = (struct ss_model_route){.name = text(m, "r%u-%u", i),
								.path_kind = t->kind,
								.path = text(m, forms[t->kind], i),
								.n_clusters = 1,
								.clusters = w};
	m->listeners[0] = (struct ss_model_listener){
		.name = domains[1], .addr = {ss_ip4(0x0a0000fe), 80}, .n_hosts = 1, .hosts = domains + 1};
}

static void make(struct table *t)
{
	struct ss_model *m = ss_model_new();
	struct ss_model_errors errors = {0};

	describe(m, t);
	t->names = ss_names_create(t->n_routes + 64);
	ss_ep_table_create(&t->endpoints, 8, 8);
	ss_build_create(&t->build, &(struct ss_build_conf){t->names, t->endpoints, 1});
	if (ss_build_snapshot(t->build, m, 1, &t->snap, &errors) < 0) {
		fprintf(stderr, "%s\n", errors.n ? errors.text[0] : "no snapshot");
		abort();
	}
	ss_model_free(m);
	t->head = head_block(&head_browser, t->v);
	for (uint32_t i = 0; i < ASKED; i++) {
		uint32_t route = (i * 7919u + t->n_routes / 2) % t->n_routes;
		if (asprintf(&t->paths[i], "/api/v%u/accounts/item-%u%s", route % 97, route,
			     t->kind == SS_PATH_PREFIX ? "/orders" : "") < 0)
			abort();
	}
}

static void drop(struct table *t)
{
	for (uint32_t i = 0; i < ASKED; i++)
		free(t->paths[i]);
	ss_build_destroy(t->snap);
	ss_build_free(t->build);
	ss_ep_table_free(t->endpoints);
	ss_names_free(t->names);
}

static void decide(void *at, uint32_t n)
{
	struct table *t = at;
	struct ss_route_request rq = {.head = &t->head};
	struct ss_route_decision d;

	for (uint32_t i = 0; i < n; i++) {
		t->head.path = ss_span_str(t->paths[t->next++ % ASKED]);
		ss_route_decide(t->snap, &t->snap->listeners[0], &rq, &d);
		assert(d.cluster);
		micro_keep(d.route);
	}
}

void micro_items(struct micro *m)
{
	static const struct {
		enum ss_path_match kind;
		const char *name;
	} kinds[] = {{SS_PATH_EXACT, "exact"}, {SS_PATH_PREFIX, "prefix"}, {SS_PATH_REGEX, "regex"}};
	static const uint32_t sizes[] = {10, 1000, 10000};
	char name[48];

	for (uint32_t k = 0; k < SS_ARRAY_LEN(kinds); k++) {
		for (uint32_t i = 0; i < SS_ARRAY_LEN(sizes); i++) {
			struct table t = {.kind = kinds[k].kind, .n_routes = sizes[i]};
			snprintf(name, sizeof(name), "route.%s.%u", kinds[k].name, sizes[i]);
			/* A thousand expressions take a second to compile. */
			if (!micro_wants(m, name) ||
			    (sizes[i] > 10 && !micro_patient(m) && t.kind == SS_PATH_REGEX))
				continue;
			make(&t);
			micro_run(m, name, decide, &t);
			drop(&t);
		}
	}
}
