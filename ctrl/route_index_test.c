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
					    "x-%u=present:", "spiffe://d/sa/%u"};

	for (size_t f = 0; f < SS_ARRAY_LEN(forms); f++) {
		struct world w;
		struct ss_model_host *m;
		const struct ss_route_inner *in;
		char text[60];
		world_start(&w);
		m = world_host(&w, "h");
		m->domains[m->n_domains++] = world_text("*");
		for (uint32_t i = 0; i < 1000; i++) {
			struct ss_model_route *r = route_add(m, "r", i);
			bool id = f + 1 == SS_ARRAY_LEN(forms);
			snprintf(text, sizeof(text), forms[f], i);
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

/* 1,000 routes of one path, each with what `tell` says of it. */
static const struct ss_route_inner *index_of(struct world *w, void (*tell)(struct ss_model_route *r, uint32_t i))
{
	struct ss_model_host *m;

	world_start(w);
	m = world_host(w, "h");
	m->domains[m->n_domains++] = world_text("*");
	for (uint32_t i = 0; i < 1000; i++)
		tell(route_add(m, "r", i), i);
	assert_int_equal(world_build(w), 0);
	assert_non_null(w->l.hosts->hosts[0].index->any.inner);
	return w->l.hosts->hosts[0].index->any.inner;
}

/* How many routes a request meets at most where it meets one value. */
static uint32_t longest_value(const struct ss_route_inner *in)
{
	uint32_t most = 0;

	for (uint32_t i = 0; i <= in->values_mask; i++)
		if (in->values[i].name)
			most = ss_max_u32(most, in->values[i].list.n);
	return most;
}

static void tell_ids(struct ss_model_route *r, uint32_t i)
{
	char text[60];

	for (uint32_t k = 0; k < 3; k++) {
		snprintf(text, sizeof(text), "spiffe://d/ns/%u/sa/%u", i, k);
		r->ids[r->n_ids++] = world_id(text);
	}
}

static void tell_domains(struct ss_model_route *r, uint32_t i)
{
	char text[60];

	snprintf(text, sizeof(text), "domain:d%u.example", i);
	r->ids[r->n_ids++] = world_id(text);
	snprintf(text, sizeof(text), "spiffe://e/%u/*", i);
	r->ids[r->n_ids++] = world_id(text);
}

/* In the file in upper case. */
static void tell_names(struct ss_model_route *r, uint32_t i)
{
	char text[60];

	snprintf(text, sizeof(text), "API-%u.Example", i);
	r->ids[r->n_ids++] = world_id(text);
	snprintf(text, sizeof(text), "spiffe://d/%u", i);
	r->ids[r->n_ids++] = world_id(text);
}

static void tell_snis(struct ss_model_route *r, uint32_t i)
{
	char text[60];

	snprintf(text, sizeof(text), "a%u.example", i);
	r->snis[r->n_snis++] = world_text(text);
	snprintf(text, sizeof(text), "*.b%u.example", i);
	r->snis[r->n_snis++] = world_text(text);
}

static void tell_ports(struct ss_model_route *r, uint32_t i)
{
	r->ports[r->n_ports++] = 1000 + 2 * i;
	r->ports[r->n_ports++] = 1001 + 2 * i;
}

/* Whoever a list names finds it. */
static void lists_of_sources_are_found(void **state)
{
	void (*const kinds[])(struct ss_model_route *, uint32_t) = {tell_ids,   tell_domains, tell_names,
								     tell_names, tell_snis,    tell_ports};
	static const struct asker who[] = {{.id = {(const uint8_t *)"spiffe://d/ns/700/sa/2", 22}},
					   {.id = {(const uint8_t *)"spiffe://e/700/x", 16}},
					   {.id = {(const uint8_t *)"api-700.eXample", 15}},
					   {.id = {(const uint8_t *)"spiffe://d/700", 14}},
					   {.sni = {(const uint8_t *)"x.b700.example", 14}},
					   {.port = 2401}};
	struct ss_hdr v[1];
	struct ss_hdrs h;

	ss_hdrs_init(&h, v, 1);
	h.method = SS_SPAN("GET");
	h.path = SS_SPAN("/");
	for (size_t k = 0; k < SS_ARRAY_LEN(kinds); k++) {
		struct world w;
		const struct ss_route_inner *in = index_of(&w, kinds[k]);
		struct ss_route_decision d;
		assert_int_equal(in->rest.n, 0);
		assert_int_equal(longest_value(in), 1);
		d = route_ask(&w, &h, &who[k], 0);
		assert_non_null(d.route);
		assert_int_equal(d.route - d.host->routes, 700);
		world_end(&w);
	}
}

static void tell_range(struct ss_model_route *r, uint32_t i)
{
	char text[60];

	snprintf(text, sizeof(text), "x-n=range:%u..%u", i * 10, i * 10 + 15); /* its end is in the next one's begin */
	route_header(r, text, false);
}

static void tell_nested_range(struct ss_model_route *r, uint32_t i)
{
	char text[60];

	snprintf(text, sizeof(text), "x-n=range:%u..%u", i, 2000 - i);
	route_header(r, text, false);
}

static const struct ss_route_name *name_of(const struct ss_route_inner *in)
{
	uint32_t i = 0;

	while (!in->names[i].name.n)
		i++;
	return &in->names[i];
}

/* How many routes a number of this piece meets at most. */
static uint32_t routes_at(const struct ss_route_ranges *r, uint32_t piece)
{
	uint32_t n = 0;

	for (uint32_t s = r->n + piece; s; s = r->stretch[s].up)
		n += r->stretch[s].list.n;
	return n;
}

/* Who takes a request whose field x-n is this number. */
static struct ss_route_decision decide_number(struct world *w, uint32_t n)
{
	struct ss_hdr v[1];
	struct ss_hdrs h;
	char number[12];

	snprintf(number, sizeof(number), "%u", n);
	ss_hdrs_init(&h, v, 1);
	h.method = SS_SPAN("GET");
	h.path = SS_SPAN("/");
	ss_hdrs_add(&h, SS_SPAN("x-n"), ss_span_str(number), 0);
	return route_decide(w, &h, 0);
}

/* Pieces of a line of numbers. */
static void ranges_are_found(void **state)
{
	struct world w;
	const struct ss_route_ranges *r = name_of(index_of(&w, tell_range))->ranges;

	assert_non_null(r);
	for (uint32_t i = 0; i < r->n; i++)
		assert_true(r->from[i] < r->from[i + 1] && routes_at(r, i) <= 2);
	for (uint32_t n = 0; n < 10020; n++) {
		struct ss_route_decision d = decide_number(&w, n);
		if (n >= 10005)
			assert_null(d.route);
		else
			assert_int_equal(d.route - d.host->routes, n < 10 ? 0 : n % 10 < 5 ? n / 10 - 1 : n / 10);
	}
	world_end(&w);
}

/* Where all lie in each other, a number meets one list of each length, and of each list the first route takes it. */
static void ranges_in_each_other_are_found(void **state)
{
	struct world w;
	const struct ss_route_ranges *r = name_of(index_of(&w, tell_nested_range))->ranges;
	uint64_t all = 0;

	assert_int_equal(name_of(w.l.hosts->hosts[0].index->any.inner)->there.n, 0);
	for (uint32_t i = 0; i < r->n; i++) {
		uint32_t lists = 0;
		for (uint32_t s = r->n + i; s; s = r->stretch[s].up)
			lists++;
		assert_true(lists <= 12);
	}
	for (uint32_t s = 1; s < 2 * r->n; s++)
		all += r->stretch[s].list.n;
	assert_true(all <= 1000 * 2 * 11); /* not 1,000 in each of 2,000 pieces */
	for (uint32_t n = 0; n < 2010; n++) {
		struct ss_route_decision d = decide_number(&w, n);
		if (n >= 2000)
			assert_null(d.route);
		else
			assert_int_equal(d.route - d.host->routes, 0);
	}
	world_end(&w);
}

/* The narrowest first. */
static void tell_narrow_first(struct ss_model_route *r, uint32_t i)
{
	tell_nested_range(r, 999 - i);
}

static void the_narrowest_range_is_found(void **state)
{
	struct world w;

	index_of(&w, tell_narrow_first);
	for (uint32_t n = 0; n < 2000; n++) {
		struct ss_route_decision d = decide_number(&w, n);
		assert_non_null(d.route);
		assert_int_equal(d.route - d.host->routes, 999 - ss_min_u32(ss_min_u32(n, 1999 - n), 999));
	}
	world_end(&w);
}

static void tell_expression(struct ss_model_route *r, uint32_t i)
{
	char text[60];

	snprintf(text, sizeof(text), "x-a=regex:v%u-[a-z]+", i / 2);
	route_header(r, text, false);
	if (i % 2 == 0)
		route_header(r, "x-b=exact:1", false);
}

/* Of 500 expressions that two routes have each, a request meets the routes of those that match. */
static void expressions_over_one_name_are_found(void **state)
{
	static const struct {
		const char *a, *b;
		uint32_t route;
	} asked[] = {{"v0-a", "1", 0}, {"v0-a", "2", 1}, {"v321-x", "1", 642}, {"v321-x", "", 643}, {"v499-zz", "1", 998}};
	struct world w;
	const struct ss_route_name *n = name_of(index_of(&w, tell_expression));
	struct ss_hdr v[3];
	struct ss_hdrs h;
	struct ss_route_decision d;

	assert_true(n->expression && n->there.n == 0);
	assert_int_equal(w.l.hosts->hosts[0].index->any.inner->rest.n, 0);
	assert_int_equal(longest_value(w.l.hosts->hosts[0].index->any.inner), 2);
	for (size_t i = 0; i < SS_ARRAY_LEN(asked); i++) {
		ss_hdrs_init(&h, v, 3);
		h.method = SS_SPAN("GET");
		h.path = SS_SPAN("/");
		ss_hdrs_add(&h, SS_SPAN("x-a"), SS_SPAN("v-none"), 0);
		ss_hdrs_add(&h, SS_SPAN("x-a"), ss_span_str(asked[i].a), 0);
		ss_hdrs_add(&h, SS_SPAN("x-b"), ss_span_str(asked[i].b), 0);
		d = route_decide(&w, &h, 0);
		assert_non_null(d.route);
		assert_int_equal(d.route - d.host->routes, asked[i].route);
	}
	h.v[1].value = SS_SPAN("v500-a");
	d = route_decide(&w, &h, 0);
	assert_null(d.route);
	world_end(&w);
}

/* Half of them say "not x-a: 1", the others "not x-b: 1" besides something of their own. */
static void tell_unless(struct ss_model_route *r, uint32_t i)
{
	char text[60];

	snprintf(text, sizeof(text), "x-own=exact:%u", i);
	route_header(r, i % 2 ? "x-a=exact:1" : "x-b=exact:1", true);
	route_header(r, text, true);
}

/* What must not be is looked at once for all that share it. */
static void what_must_not_be_is_shared(void **state)
{
	struct world w;
	const struct ss_route_inner *in = index_of(&w, tell_unless);
	struct ss_hdr v[3];
	struct ss_hdrs h;

	assert_int_equal(in->rest.n, 0);
	assert_int_equal(in->n_unless, 2);
	assert_int_equal(in->unless[0].list.n, 500);
	for (uint32_t i = 0; i < 8; i++) {
		struct ss_route_decision d;
		uint32_t want = i & 2 ? 1 : 0;
		ss_hdrs_init(&h, v, 3);
		h.method = SS_SPAN("GET");
		h.path = SS_SPAN("/");
		if (i & 1)
			ss_hdrs_add(&h, SS_SPAN("x-a"), SS_SPAN("1"), 0);
		if (i & 2)
			ss_hdrs_add(&h, SS_SPAN("x-b"), SS_SPAN("1"), 0);
		if (i & 4)
			ss_hdrs_add(&h, SS_SPAN("x-own"), want ? SS_SPAN("1") : SS_SPAN("0"), 0);
		d = route_decide(&w, &h, 0);
		if ((i & 3) == 3) {
			assert_null(d.route);
			continue;
		}
		/* Its own number is the next one's turn, of the same half or of the other one. */
		if (i & 4)
			want = i & 1 ? 2 : i & 2 ? 3 : 1;
		assert_int_equal(d.route - d.host->routes, want);
	}
	world_end(&w);
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
		cmocka_unit_test(lists_of_sources_are_found),
		cmocka_unit_test(ranges_are_found),
		cmocka_unit_test(ranges_in_each_other_are_found),
		cmocka_unit_test(the_narrowest_range_is_found),
		cmocka_unit_test(expressions_over_one_name_are_found),
		cmocka_unit_test(what_must_not_be_is_shared),
		cmocka_unit_test(weights_draw_exactly),
		cmocka_unit_test(every_error_is_told_at_once),
		cmocka_unit_test(databases_are_shared),
		cmocka_unit_test(hosts_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
