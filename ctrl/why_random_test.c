/*
 * why_random_test.c - random configurations, random requests: what is explained is what was decided, route by route and rule
 * by rule.
 */
#include "ctrl/authz_sim.h"
#include "ctrl/route_dice.h"
#include "route/route_why.h"
#include "why/why.h"

#define PICK(r, a) (a)[ss_rng_below(r, SS_ARRAY_LEN(a))]

static const char *const rules[] = {
	"allow a1 paths /a,/b/*",	"allow a2 methods GET,POST",	   "allow a3 ids spiffe://a/*",
	"deny d1 paths prefix:/ab",	"deny d2 methods DELETE ids any",  "deny d3 dry-run paths /b",
	"audit w1 paths /a/b",		"allow a4 dry-run methods GET",	   "allow a5 when request.headers[x-a]=1,2",
	"deny d4 when request.headers[x-b]~1.*", "deny d5 not_paths /,/a,/b methods PATCH",
};

static void random_authz(struct ss_rng *r, struct ss_model_authz *a)
{
	*a = (struct ss_model_authz){.present = true, .rules = world_array(AUTHZ_MAX, sizeof(*a->rules))};
	a->inherit = ss_rng_chance(r, 1, 2);
	a->default_deny = ss_rng_chance(r, 1, 8);
	for (uint32_t n = ss_rng_below(r, ss_rng_chance(r, 1, 4) ? 14 : 4); n; n--)
		authz_rule(a, world_text(PICK(r, rules)));
}

static void random_action(struct ss_rng *r, struct ss_model_route *m)
{
	static const char *const clusters[] = {"c", "d"};

	if (ss_rng_chance(r, 1, 4)) {
		m->action = SS_ACTION_DIRECT;
		m->direct_status = 204;
	} else if (ss_rng_chance(r, 1, 3)) {
		m->n_clusters = 2;
		m->clusters[0] = (struct ss_model_weighted){world_text("c"), 3000};
		m->clusters[1] = (struct ss_model_weighted){world_text("d"), SS_WEIGHT_SUM - 3000};
		if (ss_rng_chance(r, 1, 2))
			m->sticky = (struct ss_model_sticky){.present = true, .header = world_text("x-a")};
	} else {
		m->clusters[0].cluster = world_text(PICK(r, clusters));
	}
	if (ss_rng_chance(r, 1, 8))
		random_authz(r, &m->authz);
}

static void random_world(struct ss_rng *r, struct world *w)
{
	struct ss_model_host *m;
	uint32_t few = ss_rng_chance(r, 1, 3) ? 1 + ss_rng_below(r, 2) : DICE_TEXTS;

	world_start(w);
	w->m->clusters[w->m->n_clusters++].name = world_text("d");
	w->listener->src = (struct ss_model_src){"test.cfg", 7};
	m = world_host(w, "h");
	m->domains[m->n_domains++] = world_text(ss_rng_chance(r, 1, 2) ? "*" : "*.example");
	m->precedence = ss_rng_chance(r, 1, 3) ? SS_PRECEDENCE_GATEWAY : SS_FIRST_MATCH;
	for (uint32_t i = 0, n = 1 + ss_rng_below(r, 60); i < n; i++) {
		dice_route(r, m, i, few);
		random_action(r, &m->routes[i]);
	}
	if (ss_rng_chance(r, 1, 3))
		random_authz(r, &m->authz);
	random_authz(r, &w->listener->authz);
}

/* The same request in words. */
static void words_of(const struct dice_asked *q, struct ss_why_ask *ask, char text[][100])
{
	*ask = (struct ss_why_ask){.listener = "in",
				   .method = (const char *)q->h.method.p,
				   .authority = (const char *)q->h.authority.p,
				   .path = q->target,
				   .identity = q->who.id.n ? (const char *)q->who.id.p : NULL,
				   .sni = q->who.sni.n ? (const char *)q->who.sni.p : NULL};
	for (uint16_t i = 0; i < q->h.n; i++) {
		snprintf(text[i], 100, "%s: %s", q->h.v[i].name.p, q->h.v[i].value.p);
		ask->headers[ask->n_headers++] = text[i];
	}
}

/* Route by route, the first that fits is the one that the index has found. */
static void check_routes(struct world *w, const struct ss_route_request *rq, const struct ss_route_decision *d)
{
	struct ss_route_misfit m[100];
	uint32_t i = 0;

	if (!d->host)
		return;
	assert_true(ss_route_why_routes(&w->snap->listeners[0], d->host, rq, m));
	while (i < d->host->n_routes && m[i].part != SS_ROUTE_PART_NONE)
		i++;
	assert_ptr_equal(d->route, i < d->host->n_routes ? &d->host->routes[i] : NULL);
}

/* Rule by rule, the first of its class that holds in a scope is the one that decided; all scopes may be asked. */
static void check_rules(struct world *w, const struct ss_route_request *rq, const struct ss_route_decision *d,
			uint32_t *asked)
{
	const struct ss_listener *l = &w->snap->listeners[0];
	const struct ss_authz *scopes[] = {d->route->authz, d->host->authz, l->authz};
	const struct ss_authz_rule *first[SS_AUTHZ_CLASSES] = {0};
	uint16_t parts[AUTHZ_MAX];

	for (size_t s = 0; s < SS_ARRAY_LEN(scopes); s++) {
		if (!scopes[s])
			continue;
		assert_true(ss_route_why_rules(l, scopes[s], rq, parts));
		for (uint32_t i = 0; i < scopes[s]->n_rules; i++) {
			const struct ss_authz_rule *r = &scopes[s]->rules[i];
			if (parts[i] == r->n_parts && !first[r->class])
				first[r->class] = r;
		}
		if (!scopes[s]->inherit)
			break;
	}
	assert_ptr_equal(d->audit, first[SS_AUTHZ_C_AUDIT]);
	if (first[SS_AUTHZ_C_DENY])
		assert_ptr_equal(d->rule, first[SS_AUTHZ_C_DENY]);
	else if (d->drop != SS_DROP_DENIED)
		assert_ptr_equal(d->rule, first[SS_AUTHZ_C_ALLOW]);
	*asked += 1;
}

static void check_verdict(const struct world *w, const struct ss_route_decision *d, const struct ss_why_verdict *v)
{
	bool split = d->route && d->route->n_clusters > 1;

	assert_int_equal(v->end, ss_route_end(d, SS_DROP_NONE, SS_SPAN("GET")));
	assert_int_equal(v->host, d->host ? d->host->name : 0);
	assert_int_equal(v->route, d->route ? d->route->name : 0);
	if (!split || v->cluster) /* what is drawn is not foretold */
		assert_int_equal(v->cluster, d->cluster ? d->cluster->name : 0);
	if (d->drop != SS_DROP_NONE)
		assert_int_equal(v->status, ss_drop_answer(d->drop).status);
	else if (d->route->action == SS_ACTION_DIRECT)
		assert_int_equal(v->status, 204);
	else
		assert_int_equal(v->status, 503); /* the clusters have no endpoints */
}

static void one_request(struct ss_rng *r, struct world *w, struct ss_why *why, uint32_t *kinds)
{
	char text[8][100], err[400] = "";
	struct dice_asked q;
	struct ss_why_ask ask;
	struct ss_why_verdict v;
	struct ss_route_decision d;
	struct ss_json j;

	dice_request(r, &q);
	words_of(&q, &ask, text);
	struct ss_route_request rq = {.head = &q.h, .peer_identity = q.who.id, .sni = q.who.sni,
				      .local = &w->snap->listeners[0].addr, .draw = ss_rng_u64(r)};
	ss_route_decide(w->snap, &w->snap->listeners[0], &rq, &d);
	check_routes(w, &rq, &d);
	if (d.authorized)
		check_rules(w, &rq, &d, &kinds[4]);
	ss_json_open(&j);
	if (ss_why_explain(why, w->snap, w->m, &ask, &j, &v, err, sizeof(err)) < 0)
		fail_msg("%s %s: %s", ask.method, ask.path, err);
	free(ss_json_close(&j));
	check_verdict(w, &d, &v);
	kinds[0] += d.drop == SS_DROP_DENIED;
	kinds[1] += d.drop == SS_DROP_NO_ROUTE_MATCH;
	kinds[2] += d.drop == SS_DROP_NONE && d.route->action == SS_ACTION_DIRECT;
	kinds[3] += d.drop == SS_DROP_NONE && d.route->action == SS_ACTION_CLUSTERS;
}

static void one_world(uint64_t seed, uint32_t *kinds)
{
	struct ss_clock clock;
	struct ss_why *why;
	struct ss_rng r;
	struct world w;

	ss_rng_seed(&r, seed);
	ss_clock_init(&clock, 0);
	random_world(&r, &w);
	if (world_build(&w) != 0)
		fail_msg("seed %lu: %s", (unsigned long)seed, w.errors.n ? w.errors.text[0] : "?");
	assert_int_equal(ss_why_create(&why, &(struct ss_why_conf){w.names, w.endpoints, &clock, 1}), 0);
	for (int i = 0; i < 50; i++)
		one_request(&r, &w, why, kinds);
	ss_why_free(why);
	world_end(&w);
}

static void explained_is_decided(void **state)
{
	uint32_t kinds[5] = {0}, worlds = getenv("SEED") ? 1 : 120;

	for (uint32_t i = 0; i < worlds; i++)
		one_world(world_seed(1) + i, kinds);
	for (uint32_t i = 0; worlds > 1 && i < SS_ARRAY_LEN(kinds); i++)
		assert_true(kinds[i] > 100);
}

static void wrong_questions_are_named(void **state)
{
	static const struct {
		const char *line, *says;
	} cases[] = {
		{"listener=out", "no listener is named \"out\""},
		{"method=GET", "which listener"},
		{"listener=in\x1f" "header=no colon", "not a request that is read"},
		{"listener=in\x1f" "path=/../..", "a path that is refused with 400: \"/../..\""},
		{"listener=in\x1f" "source=10.0.0", "no address: \"10.0.0\""},
		{"listener=in\x1f" "listener=in", "said twice: \"listener\""},
		{"listener=in\x1f" "colour=red", "no such word: \"colour\""},
		{"listener=in\x1f" "path", "not NAME=VALUE: \"path\""},
	};
	struct ss_clock clock;
	struct ss_why *why;
	struct world w;

	ss_clock_init(&clock, 0);
	authz_world(&w);
	assert_int_equal(world_build(&w), 0);
	assert_int_equal(ss_why_create(&why, &(struct ss_why_conf){w.names, w.endpoints, &clock, 1}), 0);
	for (size_t i = 0; i < SS_ARRAY_LEN(cases); i++) {
		char line[100], err[400] = "";
		struct ss_why_ask ask;
		struct ss_json j;
		snprintf(line, sizeof(line), "%s", cases[i].line);
		ss_json_open(&j);
		if (ss_why_read(&ask, line, err, sizeof(err)) == 0) {
			if (!ask.authority)
				ask.authority = "a.example";
			assert_true(ss_why_explain(why, w.snap, w.m, &ask, &j, NULL, err, sizeof(err)) < 0);
		}
		free(ss_json_close(&j));
		if (!strstr(err, cases[i].says))
			fail_msg("%s: %s", cases[i].line, err);
	}
	ss_why_free(why);
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(explained_is_decided),
		cmocka_unit_test(wrong_questions_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
