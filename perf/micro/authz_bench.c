/*
 * authz_bench.c - authorization: a decision under 10, 1,000 and 10,000 rules, each for one identity and one
 * path below it, and under rules that nothing but a look at each finds (a header).
 */
#include <stdio.h>
#include <stdlib.h>

#include "build/build.h"
#include "perf/micro/heads.h"
#include "perf/micro/micro.h"
#include "route/route.h"

struct table {
	uint32_t n_rules;
	bool indexed;
	struct ss_names *names;
	struct ss_ep_table *endpoints;
	struct ss_build *build;
	struct ss_snapshot *snap;
	struct ss_hdr v[HEADS_FIELDS];
	struct ss_hdrs head;
	char id[96];
};

static char *text(struct ss_model *m, const char *form, uint32_t i)
{
	char t[96];

	snprintf(t, sizeof(t), form, i);
	return ss_model_text(m, t);
}

static void add_rule(struct ss_model *m, const struct table *t, struct ss_model_authz_rule *r, uint32_t i)
{
	r->name = text(m, "rule-%u", i);
	r->action = SS_AUTHZ_ALLOW;
	r->operation.methods = SS_METHOD_GET;
	if (t->indexed) {
		r->source.ids = ss_model_alloc(m, sizeof(*r->source.ids));
		r->source.ids[r->source.n_ids++] = (struct ss_model_id){
			SS_ID_EXACT, text(m, "spiffe://mesh.local/ns/shop/sa/service-%u", i)};
		r->operation.paths.v = ss_model_alloc(m, sizeof(*r->operation.paths.v));
		r->operation.paths.v[r->operation.paths.n++] =
			(struct ss_model_path){SS_AUTHZ_UNDER, ss_model_text(m, "/")};
		return;
	}
	r->when = ss_model_alloc(m, sizeof(*r->when));
	r->when[r->n_when].key = ss_model_text(m, "request.headers[x-tenant]");
	r->when[r->n_when].values.v = ss_model_alloc(m, sizeof(char *));
	r->when[r->n_when].values.v[r->when[r->n_when].values.n++] = text(m, "tenant-%u", i);
	r->n_when++;
}

static void describe(struct ss_model *m, const struct table *t)
{
	char **domains = ss_model_alloc(m, 2 * sizeof(char *));
	struct ss_model_authz *a;

	domains[0] = ss_model_text(m, "*");
	domains[1] = ss_model_text(m, "web");
	m->n_hosts = m->n_listeners = 1;
	m->hosts = ss_model_alloc(m, sizeof(*m->hosts));
	m->listeners = ss_model_alloc(m, sizeof(*m->listeners));
	m->hosts[0] =
		(struct ss_model_host){.name = domains[1], .n_domains = 1, .domains = domains, .n_routes = 1};
	m->hosts[0].routes = ss_model_alloc(m, sizeof(struct ss_model_route));
	m->hosts[0].routes[0] =
		(struct ss_model_route){.name = domains[1], .action = SS_ACTION_DIRECT, .direct_status = 200};
	m->listeners[0] = (struct ss_model_listener){
		.name = domains[1], .addr = {ss_ip4(0x0a0000fe), 80}, .n_hosts = 1, .hosts = domains + 1};
	a = &m->listeners[0].authz;
	a->present = true;
	a->rules = ss_model_alloc(m, (t->n_rules + 1) * sizeof(*a->rules));
	for (; a->n_rules < t->n_rules; a->n_rules++)
		add_rule(m, t, &a->rules[a->n_rules], a->n_rules);
}

static void make(struct table *t)
{
	struct ss_model *m = ss_model_new();
	struct ss_model_errors errors = {0};

	describe(m, t);
	t->names = ss_names_create(t->n_rules + 64);
	ss_ep_table_create(&t->endpoints, 8, 8);
	ss_build_create(&t->build, &(struct ss_build_conf){t->names, t->endpoints, 1});
	if (ss_build_snapshot(t->build, m, 1, &t->snap, &errors) < 0) {
		fprintf(stderr, "%s\n", errors.n ? errors.text[0] : "no snapshot");
		abort();
	}
	ss_model_free(m);
	t->head = head_block(&head_browser, t->v);
	snprintf(t->id, sizeof(t->id), "spiffe://mesh.local/ns/shop/sa/service-%u", t->n_rules / 2);
}

static void drop(struct table *t)
{
	ss_build_destroy(t->snap);
	ss_build_free(t->build);
	ss_ep_table_free(t->endpoints);
	ss_names_free(t->names);
}

static void decide(void *at, uint32_t n)
{
	struct table *t = at;
	struct ss_route_request rq = {.head = &t->head, .peer_identity = ss_span_str(t->id)};
	struct ss_route_decision d;

	for (uint32_t i = 0; i < n; i++) {
		ss_route_decide(t->snap, &t->snap->listeners[0], &rq, &d);
		assert(!t->n_rules || (d.drop == SS_DROP_NONE) == t->indexed);
		micro_keep(d.route);
	}
}

void micro_items(struct micro *m)
{
	static const struct {
		const char *name;
		bool indexed;
		uint32_t n;
	} rows[] = {{"authz.none", true, 0},
		    {"authz.identity.10", true, 10},
		    {"authz.identity.1000", true, 1000},
		    {"authz.identity.10000", true, 10000},
		    {"authz.header.10", false, 10},
		    {"authz.header.1000", false, 1000}};

	for (uint32_t i = 0; i < SS_ARRAY_LEN(rows); i++) {
		struct table t = {.n_rules = rows[i].n, .indexed = rows[i].indexed};
		if (!micro_wants(m, rows[i].name))
			continue;
		make(&t);
		micro_run(m, rows[i].name, decide, &t);
		drop(&t);
	}
}
