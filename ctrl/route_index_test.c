/*
 * route_index_test.c - what holds of every table: all routes are found, weights are exact, databases are
 * shared, every mistake is told.
 */
#include "ctrl/route_sim.h"

#include "contract/route_index.h"

/* Every one of 10,000 routes is found, and the hash is not one long run. */
static void many_routes_stay_cheap(void **state)
{
	struct world w;
	struct ss_model_host *m;
	struct ss_hdrs h;
	struct ss_hdr v[1];
	char path[60];
	const struct ss_route_index *ix;
	uint32_t run = 0, longest = 0;

	world_start(&w);
	m = world_host(&w, "h");
	m->domains[m->n_domains++] = world_text("*");
	for (uint32_t i = 0; i < 10000; i++) {
		snprintf(path, sizeof(path), "/service/%u/%s", i, i % 2 ? "" : "exact");
		struct ss_model_route *r = route_add(m, path, i);
		r->path_kind = i % 2 ? SS_PATH_PREFIX : SS_PATH_EXACT;
		r->path = world_text(path);
	}
	assert_int_equal(world_build(&w), 0);
	ss_hdrs_init(&h, v, 1);
	h.method = SS_SPAN("GET");
	for (uint32_t i = 0; i < 10000; i++) {
		snprintf(path, sizeof(path), "/service/%u/%s", i, i % 2 ? "more" : "exact");
		h.path = ss_span_str(path);
		struct ss_route_decision d = route_decide(&w, &h, 0);
		assert_ptr_equal(d.route, &d.host->routes[i]);
	}
	ix = w.l.hosts->hosts[0].index;
	for (uint32_t i = 0; i <= ix->mask; i++) {
		run = ix->tags[i] ? run + 1 : 0;
		longest = ss_max_u32(longest, run);
	}
	assert_true(longest < 40);
	world_end(&w);
}

/* Of 1,000 routes of one path that only differ in what they ask of one name, a request meets few. */
static void routes_of_one_path_are_found(void **state)
{
	static const char *const forms[] = {"x-a=exact:v%u", "x-a=prefix:v%u-", "x-a=suffix:-v%u",
					    "x-%u=present:"};

	for (size_t f = 0; f <= SS_ARRAY_LEN(forms); f++) {
		struct world w;
		struct ss_model_host *m;
		const struct ss_route_inner *in;
		char text[60];
		world_start(&w);
		m = world_host(&w, "h");
		m->domains[m->n_domains++] = world_text("*");
		for (uint32_t i = 0; i < 1000; i++) {
			struct ss_model_route *r = route_add(m, "r", i);
			bool id = f == SS_ARRAY_LEN(forms);
			snprintf(text, sizeof(text), id ? "spiffe://d/sa/%u" : forms[f], i);
			if (id)
				r->ids[r->n_ids++] = world_id(text);
			else
				route_header(r, text, false);
		}
		assert_int_equal(world_build(&w), 0);
		in = w.l.hosts->hosts[0].index->any.inner;
		assert_non_null(in);
		assert_int_equal(in->rest.n, 0);
		for (uint32_t i = 0; i <= in->values_mask; i++)
			assert_true(!in->values[i].name || in->values[i].list.n == 1);
		for (uint32_t i = 0; i <= in->names_mask; i++)
			assert_true(!in->names[i].name.n || in->names[i].there.n <= 1);
		world_end(&w);
	}
}

/* -- splits and errors -- */

static void weights_draw_exactly(void **state)
{
	struct world w;
	struct ss_model_host *m;
	struct ss_model_route *r;
	struct ss_hdrs h;
	struct ss_hdr v[1];
	uint32_t got[3] = {0};

	world_start(&w);
	w.m->clusters[1].name = world_text("d");
	w.m->clusters[2].name = world_text("e");
	w.m->n_clusters = 3;
	m = world_host(&w, "h");
	m->domains[m->n_domains++] = world_text("*");
	r = route_add(m, "split", 1);
	r->clusters[0].weight = 9899;
	r->clusters[1] = (struct ss_model_weighted){world_text("d"), 0};
	r->clusters[2] = (struct ss_model_weighted){world_text("e"), 101};
	r->n_clusters = 3;
	assert_int_equal(world_build(&w), 0);
	ss_hdrs_init(&h, v, 1);
	h.method = SS_SPAN("GET");
	h.path = SS_SPAN("/");
	for (uint64_t draw = 0; draw < SS_WEIGHT_SUM; draw++) {
		struct ss_route_decision d =
			route_decide(&w, &h, (uint32_t)(((draw << 32) + SS_WEIGHT_SUM - 1) / SS_WEIGHT_SUM));
		assert_non_null(d.cluster);
		got[d.cluster - w.snap->clusters]++;
	}
	assert_int_equal(got[0], 9899);
	assert_int_equal(got[1], 0);
	assert_int_equal(got[2], 101);
	world_end(&w);
}

static void every_error_is_told_at_once(void **state)
{
	struct world w;
	struct ss_model_host *m;
	struct ss_model_route *r;

	world_start(&w);
	m = world_host(&w, "h");
	m->domains[m->n_domains++] = world_text("*");
	r = route_add(m, "bad-regex", 10);
	r->path_kind = SS_PATH_REGEX;
	r->path = world_text("/a(b");
	r = route_add(m, "escape", 11);
	r->path_kind = SS_PATH_REGEX;
	r->path = world_text("/a)|(?:.*");
	r = route_add(m, "bad-header", 12);
	route_header(r, "x-a=regex:[z-a]", false);
	r = route_add(m, "bad-sum", 13);
	r->clusters[0].weight = 9999;
	r = route_add(m, "no-cluster", 14);
	r->clusters[0].cluster = world_text("ghost");
	assert_true(world_build(&w) < 0);
	assert_true(world_told(&w, "test.cfg:10: path: "));
	assert_true(world_told(&w, "test.cfg:11: path: "));
	assert_true(world_told(&w, "test.cfg:12: headers: "));
	assert_true(world_told(&w, "test.cfg:13: clusters: weights sum to 99.99 %"));
	assert_true(world_told(&w, "test.cfg:14: clusters: no cluster is named \"ghost\""));
	assert_int_equal(w.errors.n, 5);
	world_end(&w);
}

static uint32_t slot_of(const struct ss_route_index *ix)
{
	uint32_t i = 0;

	while (!ix->tags[i])
		i++;
	return i;
}

/* Two hosts with the same expressions share a database; another set has its own. */
static void databases_are_shared(void **state)
{
	static const char *const sets[] = {"/a+", "/a+", "/b+"};
	const struct hs_database *db[3];
	struct world w;

	world_start(&w);
	for (uint32_t i = 0; i < 3; i++) {
		char name[] = {(char)('x' + i), 0};
		struct ss_model_host *m = world_host(&w, name);
		struct ss_model_route *r = route_add(m, "r", 1);
		m->domains[m->n_domains++] = world_text(name);
		r->path_kind = SS_PATH_REGEX;
		r->path = world_text(sets[i]);
	}
	assert_int_equal(world_build(&w), 0);
	for (uint32_t i = 0; i < 3; i++) {
		const struct ss_route_index *ix = w.l.hosts->hosts[i].index;
		db[i] = ix->slots[slot_of(ix)].dbs[0].db;
	}
	assert_ptr_equal(db[0], db[1]);
	assert_ptr_not_equal(db[0], db[2]);
	world_end(&w);
}

static void hosts_are_checked(void **state)
{
	struct world w;
	struct ss_model_host *a, *b;

	world_start(&w);
	a = world_host(&w, "one");
	b = world_host(&w, "two");
	a->domains[a->n_domains++] = world_text("X.example");
	a->domains[a->n_domains++] = world_text("*.y.example");
	b->domains[b->n_domains++] = world_text("x.example");
	b->domains[b->n_domains++] = world_text("*.y.example");
	b->domains[b->n_domains++] = world_text("*x.example");
	assert_true(world_build(&w) < 0);
	assert_true(world_told(&w, "\"x.example\" belongs to both"));
	assert_true(world_told(&w, "\"*.y.example\" belongs to both"));
	assert_true(world_told(&w, "\"*x.example\" is neither"));
	world_end(&w);
}

/* A hundred expressions of one beginning, in several databases: still the first route that fits. */
static void many_expressions_of_one_beginning(void **state)
{
	struct world w;
	struct ss_model_host *m;
	struct ss_hdrs h;
	struct ss_hdr v[1];
	char path[60], end[12];

	world_start(&w);
	m = world_host(&w, "h");
	m->domains[m->n_domains++] = world_text("*");
	for (uint32_t i = 0; i < 100; i++) {
		snprintf(path, sizeof(path), "/x/[0-9]*%u", 99 - i);
		struct ss_model_route *r = route_add(m, path, i);
		r->path_kind = SS_PATH_REGEX;
		r->path = world_text(path);
	}
	assert_int_equal(world_build(&w), 0);
	ss_hdrs_init(&h, v, 1);
	h.method = SS_SPAN("GET");
	for (uint32_t i = 0; i < 1000; i++) {
		uint32_t want = 0;
		snprintf(path, sizeof(path), "/x/%u", i);
		h.path = ss_span_str(path);
		do
			snprintf(end, sizeof(end), "%u", 99 - want);
		while (!ss_span_ends(ss_span(path + 3, (uint32_t)strlen(path + 3)), ss_span_str(end)) &&
		       ++want);
		struct ss_route_decision d = route_decide(&w, &h, 0);
		assert_ptr_equal(d.route, &d.host->routes[want]);
	}
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_expressions_of_one_beginning),
		cmocka_unit_test(many_routes_stay_cheap),
		cmocka_unit_test(routes_of_one_path_are_found),
		cmocka_unit_test(weights_draw_exactly),
		cmocka_unit_test(every_error_is_told_at_once),
		cmocka_unit_test(databases_are_shared),
		cmocka_unit_test(hosts_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
