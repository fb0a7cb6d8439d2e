/* policy_test.c - a file's rate limits, faults and mirrors, read and compiled; slots over generations;
 * mistakes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "build/build.h"
#include "cfg/cfg.h"

static struct ss_names *names;
static struct ss_ep_table *endpoints;
static struct ss_limit_table *limits;
static struct ss_build *build;
static uint64_t generation;
static char path[] = "/tmp/limits_test_XXXXXX";

/* %s: the limits, what the listener, the host and the route name. */
static const char form[] =
	"ports = ( { name = \"p\"; device = \"net_null0\"; addresses = [ \"10.0.0.1/24\" ]; } );\n"
	"memory = { rate_limits = 6; };\n"
	"rate_limits = ( %s );\n"
	"clusters = ( { name = \"c\"; endpoints = ( { address = \"10.0.0.2\"; port = 80; } ); } );\n"
	"virtual_hosts = ( { name = \"h\"; domains = [ \"*\" ]; %s\n"
	"  routes = ( { name = \"r\"; cluster = \"c\"; %s }, { name = \"s\"; cluster = \"c\"; } ); } );\n"
	"listeners = ( { name = \"l\"; address = \"10.0.0.1\"; port = 80; virtual_hosts = [ \"h\" ]; %s } "
	");\n";

static struct ss_snapshot *compile(const char *all, const char *host, const char *route, const char *listener,
				   struct ss_model_errors *e)
{
	struct ss_snapshot *snap = NULL;
	struct ss_model *m = NULL;
	FILE *f = fopen(path, "w");

	*e = (struct ss_model_errors){0};
	fprintf(f, form, all, host, route, listener);
	fclose(f);
	if (ss_cfg_load(path, &m, e) == 0)
		ss_build_snapshot(build, m, ++generation, &snap, e);
	ss_model_free(m);
	return snap;
}

static struct ss_snapshot *good(const char *all, const char *host, const char *route, const char *listener)
{
	struct ss_model_errors e;
	struct ss_snapshot *snap = compile(all, host, route, listener, &e);

	for (uint32_t i = 0; i < e.n; i++)
		print_message("%s\n", e.text[i]);
	assert_non_null(snap);
	return snap;
}

static const struct ss_route *route_of(const struct ss_snapshot *s, uint32_t i)
{
	return &s->listeners[0].hosts->hosts[0].routes[i];
}

static void each_is_compiled_as_it_is_written(void **state)
{
	struct ss_snapshot *s =
		good("{ name = \"a\"; rate = \"10/m\"; },"
		     "{ name = \"b\"; rate = \"5/s\"; burst = 7; key = \"identity\"; enforce = false;"
		     "  overrides = ( { ids = ( \"spiffe://m/x\", { any = true; } ); rate = \"1/h\"; } );"
		     "  response_headers = \"always\"; },"
		     "{ name = \"c\"; rate = \"2/d\"; key = \"header\"; header = \"X-Tenant\"; }",
		     "", "", "");
	const struct ss_limit *l = s->limits;

	assert_int_equal(s->n_limits, 3);
	assert_int_equal(l[0].pace.burst, 10);
	assert_int_equal(l[0].pace.cost, 6 * SS_NS_PER_SEC * SS_LIMIT_TICKS);
	assert_int_equal(l[0].key, SS_LIMIT_ALL);
	assert_int_equal(l[0].say, SS_LIMIT_SAY_LIMITED);
	assert_true(l[0].enforce);
	assert_int_equal(l[1].pace.burst, 7);
	assert_int_equal(l[1].key, SS_LIMIT_IDENTITY);
	assert_int_equal(l[1].say, SS_LIMIT_SAY_ALWAYS);
	assert_false(l[1].enforce);
	assert_int_equal(l[1].n_overrides, 1);
	assert_int_equal(l[1].overrides[0].n_ids, 2);
	assert_int_equal(l[1].overrides[0].pace.cost, 3600 * SS_NS_PER_SEC * SS_LIMIT_TICKS);
	assert_true(ss_span_eq(l[2].header, SS_SPAN("x-tenant")));
	assert_null(s->listeners[0].limits);
	assert_null(route_of(s, 0)->limits);
	ss_build_destroy(s);
}

static void a_route_has_its_own_and_its_hosts(void **state)
{
	struct ss_snapshot *s = good("{ name = \"a\"; rate = \"1/s\"; }, { name = \"b\"; rate = \"1/s\"; },"
				     "{ name = \"c\"; rate = \"1/s\"; }",
				     "rate_limits = [ \"a\" ];", "rate_limits = [ \"b\", \"a\" ];",
				     "rate_limits = [ \"c\" ];");
	const struct ss_limit_list *r = route_of(s, 0)->limits;

	assert_int_equal(r->n, 2);
	assert_ptr_equal(r->limit[0], &s->limits[1]);
	assert_ptr_equal(r->limit[1], &s->limits[0]);
	assert_int_equal(route_of(s, 1)->limits->n, 1);
	assert_ptr_equal(s->listeners[0].limits->limit[0], &s->limits[2]);
	ss_build_destroy(s);
}

static void a_name_keeps_its_bucket(void **state)
{
	struct ss_snapshot *one =
		good("{ name = \"a\"; rate = \"1/s\"; }, { name = \"b\"; rate = \"1/s\"; }", "", "", "");
	struct ss_snapshot *two;
	uint32_t b = one->limits[1].slot;

	atomic_store(&limits->slot[b].full_at, 77);
	two = good("{ name = \"x\"; rate = \"1/s\"; }, { name = \"b\"; rate = \"9/s\"; }", "", "", "");
	assert_int_equal(two->limits[1].slot, b);
	assert_int_not_equal(two->limits[0].slot, one->limits[0].slot);
	ss_build_destroy(one);
	assert_int_equal(atomic_load(&limits->slot[b].full_at), 77);
	ss_build_destroy(two);
	/* Six slots, and every generation gives back what it held. */
	for (int i = 0; i < 20; i++) {
		char text[64];
		snprintf(text, sizeof(text), "{ name = \"n%d\"; rate = \"1/s\"; }", i);
		ss_build_destroy(good(text, "", "", ""));
	}
}

static void faults_are_compiled_as_they_are_written(void **state)
{
	struct ss_snapshot *s = good(
		"", "",
		"fault = { delay = { percent = 0.01; exponential = \"20ms\"; max = \"1s\"; };"
		"  abort = { percent = 99.99; grpc_status = 14; };"
		"  headers = ( { name = \"X-A\"; exact = \"1\"; }, \"x-b\", { name = \"x-c\"; regex = \"a+\"; invert = "
		"true; }, { name = \"x-d\"; range = [ 1, 9 ]; } ); max_active = 5; };",
		"");
	const struct ss_fault *f = route_of(s, 0)->fault;

	assert_int_equal(f->delay, SS_DELAY_EXPONENTIAL);
	assert_int_equal(f->delay_share, 1);
	assert_int_equal(f->delay_ns, 20 * SS_NS_PER_MS);
	assert_int_equal(f->delay_max_ns, SS_NS_PER_SEC);
	assert_int_equal(f->abort, SS_ABORT_GRPC);
	assert_int_equal(f->abort_share, 9999);
	assert_int_equal(f->status, 14);
	assert_int_equal(f->max_active, 5);
	assert_int_equal(f->headers.n, 4);
	assert_true(ss_span_eq(f->headers.v[0].name, SS_SPAN("x-a")));
	assert_int_equal(f->headers.v[0].kind, SS_HM_EXACT);
	assert_int_equal(f->headers.v[1].kind, SS_HM_PRESENT);
	assert_int_equal(f->headers.v[2].kind, SS_HM_REGEX);
	assert_true(f->headers.v[2].invert);
	assert_non_null(f->headers.dbs[f->headers.v[2].regex]);
	assert_int_equal(f->headers.v[3].end, 9);
	assert_null(route_of(s, 1)->fault);
	ss_build_destroy(s);
	s = good("", "", "fault = { abort = { percent = 1; header = true; }; };", "");
	assert_int_equal(route_of(s, 0)->fault->abort, SS_ABORT_BY_HEADER);
	assert_int_equal(route_of(s, 0)->fault->delay, SS_DELAY_NONE);
	ss_build_destroy(s);
}

static void matches_of_retries_are_compiled(void **state)
{
	struct ss_snapshot *s = good("", "",
				     "retry = { retriable_headers = ( \"X-A\", { name = \"x-b\"; regex = \"b+\"; }, "
				     "{ name = \"x-c\"; regex = \"c+\"; invert = true; } );"
				     "  retriable_request_headers = ( { name = \"x-d\"; suffix = \"z\"; } ); };",
				     "");
	const struct ss_retry *r = route_of(s, 0)->retry;

	assert_true(r->on & SS_RETRY_HEADERS);
	assert_int_equal(r->headers.n, 3);
	assert_int_equal(r->headers.v[0].kind, SS_HM_PRESENT);
	assert_true(ss_span_eq(r->headers.v[0].name, SS_SPAN("x-a")));
	assert_non_null(r->headers.dbs[0]);
	assert_int_equal(r->headers.v[2].regex, 1);
	assert_non_null(r->headers.dbs[1]);
	assert_true(r->headers.v[2].invert);
	assert_int_equal(r->request_headers.n, 1);
	assert_int_equal(r->request_headers.v[0].kind, SS_HM_SUFFIX);
	assert_int_equal(route_of(s, 1)->retry->headers.n, 0);
	ss_build_destroy(s);
}

static void mirrors_are_compiled_as_they_are_written(void **state)
{
	struct ss_snapshot *s = good("", "",
				     "mirrors = ( { cluster = \"c\"; },"
				     "  { cluster = \"c\"; percent = 0.01; max_body = 0; timeout = \"1s\"; "
				     "shadow_host = false; } );",
				     "");
	const struct ss_mirror_list *l = route_of(s, 0)->mirrors;

	assert_int_equal(l->n, 2);
	assert_int_equal(l->mirror[0].share, 10000);
	assert_int_equal(l->mirror[0].max_body, 65536);
	assert_true(l->mirror[0].shadow);
	assert_int_equal(l->mirror[1].share, 1);
	assert_int_equal(l->mirror[1].max_body, 0);
	assert_int_equal(l->mirror[1].timeout_ns, SS_NS_PER_SEC);
	assert_false(l->mirror[1].shadow);
	assert_null(route_of(s, 1)->mirrors);
	ss_build_destroy(s);
}

static void mistakes_name_their_line(void **state)
{
	static const struct {
		const char *all, *route, *says;
	} rows[] = {
		{"{ name = \"a\"; }", "", ":3: rate_limits[0].rate: is missing"},
		{"{ name = \"a\"; rate = \"ten\"; }", "", ":3: rate_limits[0].rate: \"ten\" is no rate"},
		{"{ name = \"a\"; rate = \"10/w\"; }", "", ":3: rate_limits[0].rate: \"10/w\" is no rate"},
		{"{ name = \"a\"; rate = \"0/s\"; }", "", ":3: rate_limits[0].rate: \"0/s\" is no rate"},
		{"{ name = \"a\"; rate = \"-5/s\"; }", "", ":3: rate_limits[0].rate: \"-5/s\" is no rate"},
		{"{ name = \"a\"; rate = \"1/d\"; burst = 400; }", "",
		 ":3: rate_limits[0].burst: 400 tokens take longer than 31 days to come"},
		{"{ name = \"a\"; rate = \"1/s\"; key = \"header\"; }", "",
		 ":3: rate_limits[0].header: is missing"},
		{"{ name = \"a\"; rate = \"1/s\"; header = \"x\"; }", "",
		 ":3: rate_limits[0].header: needs key"},
		{"{ name = \"a\"; rate = \"1/s\"; key = \"cookie\"; }", "",
		 "is none of \"none\", \"identity\""},
		{"{ name = \"a\"; rate = \"1/s\"; overrides = ( { ids = ( \"x\" ); rate = \"1/s\"; } ); }",
		 "", "need key = \"identity\""},
		{"{ name = \"a\"; rate = \"1/s\"; }, { name = \"a\"; rate = \"1/s\"; }", "",
		 "there is a rate limit named \"a\" already"},
		{"{ name = \"a\"; rate = \"1/s\"; }", "rate_limits = [ \"b\" ];",
		 ":6: virtual_hosts[0].routes[0].rate_limits: there is no rate limit named \"b\""},
		{"{ name = \"a\"; rate = \"1/s\"; }, { name = \"b\"; rate = \"1/s\"; }, { name = \"c\"; rate "
		 "= \"1/s\"; },"
		 "{ name = \"d\"; rate = \"1/s\"; }, { name = \"e\"; rate = \"1/s\"; }",
		 "rate_limits = [ \"a\", \"b\", \"c\", \"d\", \"e\" ];", "5 are too many"},
		{"{ name = \"a\"; rate = \"1/s\"; }, { name = \"b\"; rate = \"1/s\"; }, { name = \"c\"; rate "
		 "= \"1/s\"; },"
		 "{ name = \"d\"; rate = \"1/s\"; }, { name = \"e\"; rate = \"1/s\"; }, { name = \"f\"; rate "
		 "= \"1/s\"; },"
		 "{ name = \"g\"; rate = \"1/s\"; }",
		 "", "rate_limits: has 7 entries, memory.rate_limits allows 6"},
		{"", "fault = { };", ":6: virtual_hosts[0].routes[0].fault: needs delay or abort"},
		{"", "fault = { delay = { fixed = \"1s\"; }; };", "fault.delay.percent: is missing"},
		{"", "fault = { delay = { percent = 1; }; };",
		 "fault.delay: needs one of fixed, exponential, header"},
		{"", "fault = { delay = { percent = 1; fixed = \"1s\"; header = true; }; };",
		 "fault.delay: needs one of fixed, exponential, header"},
		{"", "fault = { delay = { percent = 0.001; fixed = \"1s\"; }; };",
		 "fault.delay.percent: 0.001 is no number with at most two decimals"},
		{"", "fault = { delay = { percent = 101; fixed = \"1s\"; }; };",
		 "101 is out of bounds: from 0 to 100"},
		{"", "fault = { abort = { percent = 1; status = 600; }; };",
		 "fault.abort.status: 600 is out of bounds: from 200 to 599"},
		{"", "fault = { abort = { percent = 1; grpc_status = 17; }; };",
		 "must be a status of gRPC, 1 to 16"},
		{"", "fault = { abort = { percent = 1; header = false; }; };", "only true makes sense here"},
		{"",
		 "fault = { abort = { percent = 1; status = 503; }; headers = ( { name = \"a b\"; } ); };",
		 "\"a b\" is no header name"},
		{"",
		 "fault = { abort = { percent = 1; status = 503; }; headers = ( { name = \"a\"; regex = \"(\"; } ); };",
		 ":6: fault.headers: regular expression \"(\""},
		{"",
		 "fault = { abort = { percent = 1; status = 503; }; headers = ( { name = \"a\"; prefix = \"x\"; exact = "
		 "\"y\"; } ); };",
		 "fault.headers[0]: needs one of exact, prefix"},
		{"", "retry = { retriable_headers = ( { name = \"a\"; regex = \"[\"; } ); };",
		 "retry.retriable_headers: regular expression \"[\""},
		{"", "retry = { retriable_request_headers = [ \"a b\" ]; };", "\"a b\" is no header name"},
		{"", "mirrors = ( { cluster = \"none\"; } );",
		 "mirrors[0].cluster: there is no cluster named \"none\""},
		{"", "mirrors = ( { } );", "mirrors[0].cluster: is missing"},
		{"", "mirrors = ( { cluster = \"c\"; max_body = \"2MiB\"; } );",
		 "2MiB is out of bounds: from 0B to 1MiB"},
		{"",
		 "mirrors = ( { cluster = \"c\"; }, { cluster = \"c\"; }, { cluster = \"c\"; }, { cluster = "
		 "\"c\"; },"
		 " { cluster = \"c\"; } );",
		 "mirrors: more than 4"},
	};

	for (size_t i = 0; i < SS_ARRAY_LEN(rows); i++) {
		struct ss_model_errors e;
		struct ss_snapshot *s = compile(rows[i].all, "", rows[i].route, "", &e);
		assert_null(s);
		assert_true(e.n > 0);
		if (!strstr(e.text[0], rows[i].says))
			fail_msg("got %s, want %s", e.text[0], rows[i].says);
		ss_model_errors_free(&e);
	}
}

static int open_all(void **state)
{
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	names = ss_names_create(1000);
	assert_int_equal(ss_ep_table_create(&endpoints, 8, 8), 0);
	assert_int_equal(ss_limit_table_create(&limits, 6, 64, 1), 0);
	return ss_build_create(&build, &(struct ss_build_conf){names, endpoints, 1, limits});
}

static int close_all(void **state)
{
	ss_build_free(build);
	ss_limit_table_free(limits);
	ss_ep_table_free(endpoints);
	ss_names_free(names);
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_compiled_as_it_is_written),
		cmocka_unit_test(a_route_has_its_own_and_its_hosts),
		cmocka_unit_test(a_name_keeps_its_bucket),
		cmocka_unit_test(faults_are_compiled_as_they_are_written),
		cmocka_unit_test(matches_of_retries_are_compiled),
		cmocka_unit_test(mirrors_are_compiled_as_they_are_written),
		cmocka_unit_test(mistakes_name_their_line),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
