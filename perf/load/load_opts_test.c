/* load_opts_test.c - the command line: what is taken, and that each refusal names its option. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "perf/load/load_opts.h"

#define PORT "--port net_tap0 --address 10.0.0.1/16 "
#define CLIENT PORT "--target 10.0.1.2:8080 "

static struct ss_load_opts o;
static char err[256], text[512];

/* Splits at spaces. */
static int parse(const char *line)
{
	char *argv[64] = { (char *)"sidestep-load" }, *save;
	int argc = 1;

	snprintf(text, sizeof(text), "%s", line);
	for (char *w = strtok_r(text, " ", &save); w; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	err[0] = '\0';
	ss_load_opts_free(&o); /* of the parse before */
	return ss_load_opts_parse(&o, argc, argv, err, sizeof(err));
}

static void defaults_are_those_of_the_manual(void **state)
{
	assert_int_equal(parse(CLIENT), 0);
	assert_true(o.client);
	assert_int_equal(o.target.port, 8080);
	assert_int_equal(o.proto, SS_PROTO_H1);
	assert_int_equal(o.connections, 1);
	assert_int_equal(o.streams, 1);
	assert_string_equal(o.method, "GET");
	assert_string_equal(o.path, "/");
	assert_int_equal(o.warmup_ns, SS_NS_PER_SEC);
	assert_int_equal(o.duration_ns, 10 * SS_NS_PER_SEC);
	assert_int_equal(o.expect_status, 200);
	assert_true(o.expect_size == UINT64_MAX);
	assert_int_equal(o.check, SS_LOAD_CHECK_PATTERN);
	assert_true(o.rate == 0);
	assert_int_equal(o.lcore, 1);
	assert_int_equal(o.control_core, 1);
	assert_int_equal(o.ports[0].addrs[0].prefix, 16);
	assert_int_equal(o.ports[0].mtu, 1500);
}

static void client_options(void **state)
{
	assert_int_equal(parse(CLIENT "--proto h2 --connections 64 --streams 8 --rate 2000.5 --arrival poisson --churn 3 "
			       "--duration 500ms --warmup 0s --timeout 2s --request-size 16KiB --header A-B:c --header "
			       "x:y --header-set browser --expect-size 1MiB --expect-status 404 --expect-body any "
			       "--lcore 3 --control-core 0"), 0);
	assert_int_equal(o.proto, SS_PROTO_H2);
	assert_int_equal(o.connections, 64);
	assert_int_equal(o.streams, 8);
	assert_true(o.rate == 2000.5 && o.poisson);
	assert_int_equal(o.churn, 3);
	assert_int_equal(o.duration_ns, 500 * SS_NS_PER_MS);
	assert_int_equal(o.warmup_ns, 0);
	assert_int_equal(o.request_size, 16384);
	assert_string_equal(o.method, "POST");
	assert_int_equal(o.n_headers, 12);
	assert_true(ss_span_eq(o.headers[0].name, SS_SPAN("A-B")) && ss_span_eq(o.headers[0].value, SS_SPAN("c")));
	assert_int_equal(o.expect_size, 1048576);
	assert_int_equal(o.check, SS_LOAD_CHECK_ANY);
	assert_int_equal(o.lcore, 3);
	assert_int_equal(o.control_core, 0);
}

static void ports_take_what_follows_them(void **state)
{
	assert_int_equal(parse("--port a --address 10.0.0.1 --address 10.0.0.2 --prefix 30 --gateway 10.0.0.9 --port b "
			       "--address 10.1.0.1/8 --mtu 9000 --listen 10.1.0.1:80"), 0);
	assert_int_equal(o.n_ports, 2);
	assert_int_equal(o.ports[0].n_addrs, 2);
	assert_int_equal(o.ports[0].addrs[0].prefix, 24);
	assert_int_equal(o.ports[0].addrs[1].prefix, 30);
	assert_int_equal(o.ports[0].gateway.b[3], 9);
	assert_int_equal(o.ports[1].mtu, 9000);
	assert_int_equal(o.ports[1].addrs[0].prefix, 8);
	assert_int_equal(o.duration_ns, 0); /* an origin alone goes on */
}

static void delays(void **state)
{
	assert_int_equal(parse(PORT "--listen 10.0.0.1:80 --delay 100us --delay 10ms:1% --delay 1.5ms:0.2"), 0);
	assert_int_equal(o.delays.base_ns, 100000);
	assert_int_equal(o.delays.n, 2);
	assert_int_equal(o.delays.v[0].ns, 10000000);
	assert_true(o.delays.v[0].share == 0.01);
	assert_int_equal(o.delays.v[1].ns, 1500000);
	assert_true(o.delays.v[1].share == 0.2);
}

static void tls_options_fit_together(void **state)
{
	assert_int_equal(parse(CLIENT "--tls --ca a --sni b"), 0);
	assert_int_equal(parse(CLIENT "--tls --ca a --server-id spiffe://x/y --cert c --key k"), 0);
	assert_int_equal(parse(PORT "--listen-tls 10.0.0.1:443 --origin-cert a --origin-key b --origin-ca c"), 0);
	assert_true(o.listen[0].tls);
}

static const struct {
	const char *line, *says;
} refused[] = {
	{ "", "--port" },
	{ "--port a", "--address" },
	{ "--address 1.2.3.4", "--address" },
	{ "--prefix 4", "--prefix" },
	{ "--port a --address 1.2.3", "--address" },
	{ "--port a --address 1.2.3.4/33", "--address" },
	{ "--port a --address 1.2.3.4 --prefix 0", "--prefix" },
	{ "--port a --gateway x", "--gateway" },
	{ "--port a --mtu 70", "--mtu" },
	{ PORT, "--listen" },
	{ PORT "--target 10.0.0.2", "--target" },
	{ PORT "--target 10.0.0.2:0", "--target" },
	{ PORT "--target 10.0.0.2:70000", "--target" },
	{ PORT "--target ::1:80", "--target" },
	{ PORT "--target 10.0.0.1:80", "--target" },
	{ PORT "--listen 10.0.0.2:80", "--listen" },
	{ PORT "--listen-tls 10.0.0.1:80", "--listen-tls" },
	{ CLIENT "--proto h3", "--proto" },
	{ CLIENT "--tls", "--tls" },
	{ CLIENT "--tls --ca x", "--tls" },
	{ CLIENT "--resume", "--resume" },
	{ CLIENT "--sni x", "--tls" },
	{ CLIENT "--tls --ca x --sni y --cert z", "--cert" },
	{ CLIENT "--streams 2", "--streams" },
	{ CLIENT "--streams 0 --proto h2", "--streams" },
	{ CLIENT "--connections 0", "--connections" },
	{ CLIENT "--connections -1", "--connections" },
	{ CLIENT "--connections 5x", "--connections" },
	{ CLIENT "--rate 0", "--rate" },
	{ CLIENT "--rate ten", "--rate" },
	{ CLIENT "--arrival odd", "--arrival" },
	{ CLIENT "--duration 5", "--duration" },
	{ CLIENT "--timeout 1us", "--timeout" },
	{ CLIENT "--request-size 5KB", "--request-size" },
	{ CLIENT "--header x", "--header" },
	{ CLIENT "--header :x", "--header" },
	{ CLIENT "--header-set none", "--header-set" },
	{ CLIENT "--expect-status 99", "--expect-status" },
	{ PORT "--listen 10.0.0.1:80 --delay 10", "--delay" },
	{ PORT "--listen 10.0.0.1:80 --delay 10ms:101%", "--delay" },
	{ PORT "--listen 10.0.0.1:80 --delay 10ms:60% --delay 1ms:60%", "--delay" },
	{ CLIENT "--nonsense", "--nonsense" },
	{ CLIENT "--rate", "--rate" },
	{ CLIENT "extra", "extra" },
};

static void refusals_name_the_option(void **state)
{
	for (size_t i = 0; i < SS_ARRAY_LEN(refused); i++) {
		if (parse(refused[i].line) != SS_ERR_CONFIG || !strstr(err, refused[i].says))
			fail_msg("\"%s\": \"%s\" does not name %s", refused[i].line, err, refused[i].says);
	}
}

static void a_file_of_headers(void **state)
{
	char path[] = "/tmp/ss-load-headers-XXXXXX", line[256];
	int fd = mkstemp(path);
	FILE *f = fdopen(fd, "w");

	assert_non_null(f);
	fputs("# what a client of ours sends\nAccept: */*\n\nx-id: 7 8\r\n", f);
	fclose(f);
	snprintf(line, sizeof(line), CLIENT "--header a:b --header-set %s", path);
	assert_int_equal(parse(line), 0);
	assert_int_equal(o.n_headers, 3);
	assert_true(ss_span_eq(o.headers[1].name, SS_SPAN("Accept")) && ss_span_eq(o.headers[1].value, SS_SPAN("*/*")));
	assert_true(ss_span_eq(o.headers[2].value, SS_SPAN("7 8")));
	f = fopen(path, "w");
	fputs("no field\n", f);
	fclose(f);
	assert_int_equal(parse(line), SS_ERR_CONFIG);
	assert_non_null(strstr(err, "--header-set"));
	unlink(path);
}

/* What asks for no run needs nothing else. */
static void help_needs_nothing(void **state)
{
	FILE *f = tmpfile();

	assert_non_null(f);
	assert_int_equal(parse("--help"), 0);
	assert_true(o.help);
	assert_int_equal(parse("--print-body 10KiB"), 0);
	assert_true(o.print_body);
	assert_int_equal(o.print_bytes, 10240);
	ss_load_opts_usage(f);
	assert_true(ftell(f) > 2000);
	fclose(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_those_of_the_manual),
		cmocka_unit_test(client_options),
		cmocka_unit_test(ports_take_what_follows_them),
		cmocka_unit_test(delays),
		cmocka_unit_test(tls_options_fit_together),
		cmocka_unit_test(refusals_name_the_option),
		cmocka_unit_test(a_file_of_headers),
		cmocka_unit_test(help_needs_nothing),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	ss_load_opts_free(&o);
	return failed;
}
