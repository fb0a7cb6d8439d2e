/*
 * authz_bench.c - authorization: a decision under 10, 1,000 and 10,000 rules, each for one identity and one
 * path below it, or for a DNS name, a source address, one value of a header, or an expression that a header matches.
 */
#include <stdio.h>
#include <stdlib.h>

#include "perf/micro/heads.h"
#include "perf/micro/micro.h"
#include "perf/micro/model_world.h"
#include "route/route.h"

enum by { BY_IDENTITY, BY_NAME, BY_ADDRESS, BY_HEADER, BY_EXPRESSION };

struct table {
	uint32_t n_rules;
	enum by by;
	struct model_world world;
	struct ss_hdr v[HEADS_FIELDS + 1];
	struct ss_hdrs head;
	char id[96], tenant[32];
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
	if (t->by == BY_IDENTITY) {
		r->source.ids = ss_model_alloc(m, sizeof(*r->source.ids));
		r->source.ids[r->source.n_ids++] = (struct ss_model_id){
			SS_ID_EXACT, text(m, "spiffe://mesh.local/ns/shop/sa/service-%u", i)};
		r->operation.paths.v = ss_model_alloc(m, sizeof(*r->operation.paths.v));
		r->operation.paths.v[r->operation.paths.n++] =
			(struct ss_model_path){SS_AUTHZ_UNDER, ss_model_text(m, "/")};
		return;
	}
	if (t->by == BY_NAME) {
		r->source.ids = ss_model_alloc(m, sizeof(*r->source.ids));
		r->source.ids[r->source.n_ids++] = (struct ss_model_id){SS_ID_EXACT, text(m, "Service-%u.example", i)};
		return;
	}
	if (t->by == BY_ADDRESS) {
		char net[32];
		snprintf(net, sizeof(net), "10.%u.%u.0/24", i / 256, i % 256);
		r->source.source_ips.v = ss_model_alloc(m, sizeof(char *));
		r->source.source_ips.v[r->source.source_ips.n++] = ss_model_text(m, net);
		return;
	}
	r->when = ss_model_alloc(m, sizeof(*r->when));
	struct ss_model_condition *c = &r->when[r->n_when++];
	c->key = ss_model_text(m, "request.headers[x-tenant]");
	struct ss_model_texts *to = t->by == BY_HEADER ? &c->values : &c->regex;
	to->v = ss_model_alloc(m, sizeof(char *));
	to->v[to->n++] = text(m, t->by == BY_HEADER ? "tenant-%u" : "tenant-0*%u", i);
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

	describe(m, t);
	model_world_open(&t->world, m, t->n_rules + 64);
	t->head = head_block(&head_browser, t->v);
	snprintf(t->tenant, sizeof(t->tenant), "tenant-%u", t->n_rules / 2);
	t->head.v[t->head.n++] = (struct ss_hdr){.name = SS_SPAN("x-tenant"), .value = ss_span_str(t->tenant)};
	snprintf(t->id, sizeof(t->id), t->by == BY_NAME ? "service-%u.example" : "spiffe://mesh.local/ns/shop/sa/service-%u",
		 t->n_rules / 2);
}

static void drop(struct table *t)
{
	model_world_close(&t->world);
}

static void decide(void *at, uint32_t n)
{
	struct table *t = at;
	struct ss_addr source = {ss_ip4(0x0a000007 | t->n_rules / 2 << 8), 4711};
	struct ss_route_request rq = {.head = &t->head, .peer_identity = ss_span_str(t->id), .peer = &source};
	struct ss_route_decision d;

	for (uint32_t i = 0; i < n; i++) {
		ss_route_decide(t->world.snap, &t->world.snap->listeners[0], &rq, &d);
		assert(d.drop == SS_DROP_NONE || !t->n_rules);
		micro_keep(d.route);
	}
}

void micro_items(struct micro *m)
{
	static const struct {
		const char *name;
		enum by by;
		uint32_t n;
	} rows[] = {{"authz.none", BY_IDENTITY, 0},
		    {"authz.identity.10", BY_IDENTITY, 10},
		    {"authz.identity.1000", BY_IDENTITY, 1000},
		    {"authz.identity.10000", BY_IDENTITY, 10000},
		    {"authz.name.10", BY_NAME, 10},
		    {"authz.name.1000", BY_NAME, 1000},
		    {"authz.name.10000", BY_NAME, 10000},
		    {"authz.address.10", BY_ADDRESS, 10},
		    {"authz.address.1000", BY_ADDRESS, 1000},
		    {"authz.address.10000", BY_ADDRESS, 10000},
		    {"authz.header.10", BY_HEADER, 10},
		    {"authz.header.1000", BY_HEADER, 1000},
		    {"authz.header.10000", BY_HEADER, 10000},
		    {"authz.regex.10", BY_EXPRESSION, 10},
		    {"authz.regex.1000", BY_EXPRESSION, 1000}};

	for (uint32_t i = 0; i < SS_ARRAY_LEN(rows); i++) {
		struct table t = {.n_rules = rows[i].n, .by = rows[i].by};
		if (!micro_wants(m, rows[i].name))
			continue;
		make(&t);
		micro_run(m, rows[i].name, decide, &t);
		drop(&t);
	}
}
