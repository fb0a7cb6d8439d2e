/*
 * route_test.c - from the file to the decision: shares and who keeps them, new paths, sets of expressions
 * over reloads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "build/build.h"
#include "cfg/cfg.h"
#include "contract/cors.h"
#include "contract/route_index.h"
#include "mem/arena.h"
#include "route/route.h"

static struct ss_names *names;
static struct ss_ep_table *endpoints;
static struct ss_build *build;
static char dir[] = "/tmp/ss-route-XXXXXX";
static uint32_t many = 200; /* expressions */

static uint64_t build_ns; /* of the last load: what came after the file was read */

static uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* others may use the machine, too */
	return (uint64_t)t.tv_sec * SS_NS_PER_SEC + (uint64_t)t.tv_nsec;
}

static int start(void **state)
{
	assert_non_null(mkdtemp(dir));
	names = ss_names_create(200000);
	assert_int_equal(ss_ep_table_create(&endpoints, 64, 64), 0);
	assert_int_equal(ss_build_create(&build, &(struct ss_build_conf){names, endpoints, 2}), 0);
	return 0;
}

static int finish(void **state)
{
	ss_build_free(build);
	ss_ep_table_free(endpoints);
	ss_names_free(names);
	return rmdir(dir);
}

/* A file with these keys and routes in its only virtual host; an error fails the test. */
static struct ss_snapshot *load(const char *keys, const char *routes)
{
	struct ss_model_errors errors = {0};
	struct ss_snapshot *snap = NULL;
	struct ss_model *m = NULL;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/t.cfg", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f,
		"ports = ( { name = \"p\"; device = \"net_tap0\"; addresses = [ \"10.1.0.2/24\" ]; } );\n");
	fprintf(f, "clusters = ( { name = \"a\"; endpoints = ( { address = \"10.1.0.3\"; port = 1; } ); },"
		   "{ name = \"b\"; endpoints = ( { address = \"10.1.0.4\"; port = 1; } ); },"
		   "{ name = \"c\"; endpoints = ( { address = \"10.1.0.5\"; port = 1; } ); } );\n");
	fprintf(f, "virtual_hosts = ( { name = \"h\"; domains = [ \"*\" ]; %s routes = ( %s ); } );\n", keys,
		routes);
	fprintf(f, "listeners = ( { name = \"l\"; address = \"10.1.0.2\"; port = 80; virtual_hosts = [ \"h\" "
		   "]; } );\n");
	assert_int_equal(fclose(f), 0);
	if (ss_cfg_load(path, &m, &errors) < 0)
		fail_msg("%s", errors.n ? errors.text[0] : "no memory");
	build_ns = clock_ns();
	if (ss_build_snapshot(build, m, 1, &snap, &errors) < 0)
		fail_msg("%s", errors.n ? errors.text[0] : "no memory");
	build_ns = clock_ns() - build_ns;
	ss_model_errors_free(&errors);
	ss_model_free(m);
	unlink(path);
	return snap;
}

static struct ss_route_decision ask(const struct ss_snapshot *s, const char *path, const char *name,
				    const char *value, uint64_t draw)
{
	struct ss_hdr v[1];
	struct ss_hdrs h;
	struct ss_route_request rq = {.head = &h, .draw = draw, .worker = 1};
	struct ss_route_decision d;

	ss_hdrs_init(&h, v, 1);
	h.method = SS_SPAN("GET");
	h.authority = SS_SPAN("x.example");
	h.path = ss_span_str(path);
	if (name)
		assert_int_equal(ss_hdrs_add(&h, ss_span_str(name), ss_span_str(value), 0), 0);
	ss_route_decide(s, &s->listeners[0], &rq, &d);
	return d;
}

/* -- shares -- */

#define CLIENTS 20000

static struct ss_snapshot *split(const char *keys, const char *sticky, double a, double b, double c)
{
	char text[400];

	snprintf(text, sizeof(text),
		 "{ name = \"r\"; %s clusters = ( { name = \"a\"; weight = %g; }, { name = \"b\"; weight = "
		 "%g; },"
		 "{ name = \"c\"; weight = %g; } ); }",
		 sticky, a, b, c);
	return load(keys, text);
}

/* Who has which share, by a header of their own. Frees s. */
static void assign(struct ss_snapshot *s, uint8_t *to, uint32_t *count)
{
	char key[20];

	memset(count, 0, 3 * sizeof(*count));
	for (uint32_t i = 0; i < CLIENTS; i++) {
		snprintf(key, sizeof(key), "user-%u", i);
		struct ss_route_decision d = ask(s, "/", "x-user", key, 0);
		assert_non_null(d.cluster);
		to[i] = (uint8_t)(d.cluster - s->clusters);
		count[to[i]]++;
	}
	ss_build_destroy(s);
}

/* Within four standard deviations: one in 15,000 seeds would miss it, and there is only one. */
static void about(uint32_t got, double share)
{
	double want = CLIENTS * share, wide = 4 * sqrt(CLIENTS * share * (1 - share));

	assert_true(fabs(got - want) <= wide);
}

static const char by_header[] = "sticky = { header = \"X-User\"; };";

static void weights_hold_for_sticky_clients(void **state)
{
	static uint8_t to[CLIENTS];
	uint32_t n[3];

	assign(split("", by_header, 89.99, 10, 0.01), to, n);
	about(n[0], 0.8999);
	about(n[1], 0.1);
	assert_true(n[2] < 12);
	assign(split("precedence = \"gateway\";", by_header, 1, 2, 0), to, n);
	about(n[0], 1 / 3.);
	about(n[1], 2 / 3.);
	assert_int_equal(n[2], 0);
}

static uint32_t moves(const uint8_t *before, const uint8_t *after, uint32_t from, uint32_t to)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < CLIENTS; i++)
		n += before[i] == from && after[i] == to;
	return n;
}

static void only_those_who_must_move(void **state)
{
	static uint8_t x[CLIENTS], y[CLIENTS];
	uint32_t n[3];

	/* Of two shares exactly the difference moves, one way. */
	assign(split("", by_header, 90, 10, 0), x, n);
	assign(split("", by_header, 80, 20, 0), y, n);
	assert_int_equal(moves(x, y, 1, 0), 0);
	about(moves(x, y, 0, 1), 0.1);
	/* A share that goes takes nobody along. */
	assign(split("precedence = \"gateway\";", by_header, 50, 30, 20), x, n);
	assign(split("precedence = \"gateway\";", by_header, 50, 30, 0), y, n);
	assert_int_equal(moves(x, y, 0, 1) + moves(x, y, 1, 0), 0);
	/* Of three: away from what shrank, to what grew; little more than the least possible, a tenth. */
	assign(split("", by_header, 50, 30, 20), x, n);
	assign(split("", by_header, 40, 30, 30), y, n);
	assert_int_equal(moves(x, y, 1, 0) + moves(x, y, 2, 0) + moves(x, y, 2, 1), 0);
	assert_true(moves(x, y, 0, 1) + moves(x, y, 0, 2) + moves(x, y, 1, 2) < CLIENTS * 0.14);
}

static void a_fresh_key_is_kept(void **state)
{
	struct ss_snapshot *s = split("", "sticky = { cookie = \"k\"; };", 40, 30, 30);
	char cookie[40];

	for (uint64_t i = 1; i < 500; i++) {
		struct ss_route_decision d = ask(s, "/", NULL, NULL, i * 0x9e3779b97f4a7c15ull), again;
		assert_true(d.fresh);
		snprintf(cookie, sizeof(cookie), "a=b; k=%.16s", d.key);
		again = ask(s, "/", "cookie", cookie, 0);
		assert_false(again.fresh);
		assert_ptr_equal(again.cluster, d.cluster);
	}
	ss_build_destroy(s);
}

static void shares_are_relative_or_percents(void **state)
{
	static const struct {
		const char *keys;
		double a, b, c;
		uint32_t want[3];
	} rows[] = {
		{"", 98.99, 0, 1.01, {98990, 0, 1010}},
		{"precedence = \"gateway\";", 1, 2, 0, {33333, 66667, 0}},
		{"precedence = \"gateway\";", 1000000, 0.01, 0, {100000, 0, 0}},
	};

	for (size_t r = 0; r < SS_ARRAY_LEN(rows); r++) {
		struct ss_snapshot *s = split(rows[r].keys, "", rows[r].a, rows[r].b, rows[r].c);
		int64_t n[3] = {0};
		for (uint64_t i = 0; i < 100000; i++)
			n[ask(s, "/", NULL, NULL, UINT64_MAX / 100000 * i).cluster - s->clusters]++;
		for (int i = 0; i < 3; i++)
			assert_in_range(n[i] - rows[r].want[i] + 2, 0, 4);
		ss_build_destroy(s);
	}
}

static void nothing_has_weight(void **state)
{
	struct ss_snapshot *s = split("precedence = \"gateway\";", "", 0, 0, 0);

	assert_int_equal(ask(s, "/", NULL, NULL, 7).drop, SS_DROP_NO_CLUSTER);
	ss_build_destroy(s);
	s = split("precedence = \"gateway\";", by_header, 0, 0, 0);
	assert_int_equal(ask(s, "/", "x-user", "u", 7).drop, SS_DROP_NO_CLUSTER);
	ss_build_destroy(s);
}

/* -- new paths -- */

static void paths_are_rewritten(void **state)
{
	static const struct {
		const char *match, *rewrite, *path, *want;
	} rows[] = {
		{"path = \"/a\"", "path = \"/b\"", "/a?q=/a", "/b?q=/a"},
		{"prefix = \"/a\"", "prefix = \"/b\"", "/ax?q", "/bx?q"},
		{"prefix = \"/a/\"", "prefix = \"/\"", "/a/b/", "/b/"},
		{"path_separated_prefix = \"/a\"", "prefix = \"/\"", "/a/b", "/b"},
		{"path_separated_prefix = \"/a\"", "prefix = \"/\"", "/a", "/"},
		{"path_separated_prefix = \"/a/\"", "prefix = \"/x/\"", "/a/b", "/x/b"},
		{"path_separated_prefix = \"/\"", "prefix = \"/x\"", "/a?b", "/x/a?b"},
		{"prefix = \"/\"", "regex = \"^/([a-z]+)/([0-9]+)\"; substitution = \"/\\\\2-\\\\1\"",
		 "/ab/12/x?/cd/3", "/12-ab/x?/cd/3"},
		{"prefix = \"/\"", "regex = \"a\"; substitution = \"b\\\\0\"", "/a/a", "/ba/ba"},
		{"prefix = \"/\"", "regex = \"-\"; substitution = \".\"", "/a/--/b", "/b"},
		{"prefix = \"/\"", "regex = \"x*\"; substitution = \"-\"", "/xx", "/-/--"},
		{"prefix = \"/\"", "regex = \"none\"; substitution = \"\"", "/a?b", "/a?b"},
		{"prefix = \"/\"", "regex = \".*\"; substitution = \"\"", "/a?b", "/?b"},
		{"prefix = \"/\"", "regex = \"/(b)?(c)\"; substitution = \"/\\\\1\\\\2\"", "/c", "/c"},
	};
	struct ss_arena_pools pools;
	struct ss_arena a;

	assert_int_equal(ss_arena_pools_create(&pools, 64, 4), 0);
	ss_arena_init(&a, &pools);
	for (size_t i = 0; i < SS_ARRAY_LEN(rows); i++) {
		char text[400];
		snprintf(text, sizeof(text),
			 "{ name = \"r\"; match = { %s; }; cluster = \"a\"; rewrite = { %s; }; }",
			 rows[i].match, rows[i].rewrite);
		struct ss_snapshot *s = load("", text);
		struct ss_route_decision d = ask(s, rows[i].path, NULL, NULL, 0);
		struct ss_span path = ss_span_str(rows[i].path), got = path;
		bool ok = true;
		assert_non_null(d.route);
		const struct ss_rewrite *w = d.route->rewrite;
		if (w->kind == SS_PATH_REGEX_NEW)
			assert_int_equal(ss_route_regex_path(w->regex, 1, path, &a, &got), 0);
		else
			got = ss_route_new_path(d.route, w->kind, w->path, path, &a, &ok);
		if (!ok || !ss_span_eq(got, ss_span_str(rows[i].want)))
			fail_msg("%s with { %s }: wanted %s, got %.*s", rows[i].path, rows[i].rewrite,
				 rows[i].want, (int)got.n, got.p);
		ss_build_destroy(s);
	}
	ss_arena_reset(&a);
	ss_arena_pools_free(&pools);
}

/* An expression that would take for ever is given up, one that makes a path too long as well. */
static void rewrites_are_bounded(void **state)
{
	static const char *const rewrites[] = {
		"regex = \"^/(a+)+$\"; substitution = \"/\"",
		"regex = \"a\"; substitution = \"\\\\0bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\"",
		"regex = \"a.*\"; substitution = \"../..\""};
	static char path[1000];
	struct ss_arena_pools pools;
	struct ss_arena a;
	struct ss_span got;

	assert_int_equal(ss_arena_pools_create(&pools, 64, 4), 0);
	ss_arena_init(&a, &pools);
	memset(path, 'a', sizeof(path) - 2);
	path[0] = '/';
	path[sizeof(path) - 2] = '!';
	for (size_t i = 0; i < SS_ARRAY_LEN(rewrites); i++) {
		char text[400];
		snprintf(text, sizeof(text), "{ name = \"r\"; cluster = \"a\"; rewrite = { %s; }; }",
			 rewrites[i]);
		struct ss_snapshot *s = load("", text);
		const struct ss_route *r = ask(s, path, NULL, NULL, 0).route;
		uint64_t begun = clock_ns();
		assert_int_equal(ss_route_regex_path(r->rewrite->regex, 1, ss_span_str(path), &a, &got),
				 SS_ERR_LIMIT);
		print_message("given up after %llu us\n", (unsigned long long)(clock_ns() - begun) / 1000);
		ss_build_destroy(s);
	}
	ss_arena_reset(&a);
	ss_arena_pools_free(&pools);
}

/* -- sets of expressions over reloads -- */

static char *many_routes(uint32_t n)
{
	char *text = malloc((size_t)n * 400 + 1), *p = text;

	assert_non_null(text);
	for (uint32_t i = 0; i < n; i++)
		p += sprintf(
			p,
			"%s{ name = \"r%u\"; match = { regex = \"/api/v%u/accounts/[a-z]+-%u(/[a-z0-9]+)?\";"
			"headers = ( { name = \"x-a\"; regex = \"[a-z]+-%u\"; } ); };"
			"cluster = \"a\"; rewrite = { regex = \"^/api/v%u/(.*)\"; substitution = "
			"\"/%u/\\\\1\"; }; }\n",
			i ? "," : "", i, i % 97, i, i % 50, i % 97, i);
	return text;
}

static struct ss_snapshot *timed(const char *what, const char *routes)
{
	struct ss_snapshot *s;
	uint64_t begun = clock_ns();

	s = load("", routes);
	print_message("%s: %.1f ms of CPU time, without the file's %.1f ms\n", what,
		      (double)(clock_ns() - begun) / 1e6, (double)build_ns / 1e6);
	return s;
}

static const void *first_db(const struct ss_snapshot *s)
{
	const struct ss_route_index *ix = s->listeners[0].hosts->hosts[0].index;

	for (uint32_t i = 0; i <= ix->mask; i++)
		if (ix->tags[i] && ix->slots[i].kind == SS_PATH_REGEX)
			return ix->slots[i].dbs[0].db;
	return NULL;
}

static void unchanged_sets_are_not_compiled_again(void **state)
{
	char *routes = many_routes(many);
	struct ss_snapshot *x, *y, *z;
	const struct ss_route *r[2];

	print_message("%u routes with expressions\n", many);
	x = timed("first load", routes);
	y = timed("reload", routes);
	assert_non_null(first_db(x));
	assert_ptr_equal(first_db(x), first_db(y));
	r[0] = x->listeners[0].hosts->hosts[0].routes;
	r[1] = y->listeners[0].hosts->hosts[0].routes;
	assert_ptr_equal(r[0]->rewrite->regex->code, r[1]->rewrite->regex->code);
	/* The generation that made them goes; they stay for the next, and work. */
	ss_build_destroy(x);
	z = timed("reload after the first is gone", routes);
	ss_build_destroy(y);
	assert_ptr_equal(ask(z, "/api/v3/accounts/ab-3/c", "x-a", "q-3", 0).route,
			 &z->listeners[0].hosts->hosts[0].routes[3]);
	ss_build_destroy(z);
	free(routes);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(weights_hold_for_sticky_clients),
		cmocka_unit_test(only_those_who_must_move),
		cmocka_unit_test(a_fresh_key_is_kept),
		cmocka_unit_test(shares_are_relative_or_percents),
		cmocka_unit_test(nothing_has_weight),
		cmocka_unit_test(paths_are_rewritten),
		cmocka_unit_test(rewrites_are_bounded),
		cmocka_unit_test(unchanged_sets_are_not_compiled_again),
	};

	if (argc > 1)
		many = (uint32_t)atoi(argv[1]);
	return cmocka_run_group_tests(tests, start, finish);
}
