/* What is read of a health check, what is shown of it, and what is refused with its line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cfg/cfg.h"

#define S SS_NS_PER_SEC

static char path[] = "/tmp/ss-cfg-health-XXXXXX";

/* The cluster's keys are in line 3. */
static struct ss_model *load(const char *cluster, const char *endpoint, struct ss_model_errors *e)
{
	struct ss_model *m;
	FILE *f = fopen(path, "w");

	fprintf(f,
		"ports = ( { name = \"p\"; device = \"d\"; addresses = [ \"10.0.0.1/24\" ]; } );\n"
		"clusters = ( { name = \"c\"; endpoints = ( { address = \"10.0.0.2\"; port = 80; %s } );\n%s } );\n"
		"listeners = ( { name = \"l\"; address = \"10.0.0.1\"; port = 80; virtual_hosts = [ ]; } );\n",
		endpoint, cluster);
	fclose(f);
	ss_cfg_load(path, &m, e);
	return m;
}

static struct ss_model *good(const char *cluster)
{
	struct ss_model_errors e = {0};
	struct ss_model *m = load(cluster, "", &e);

	if (e.n)
		fail_msg("%s: %s", cluster, e.text[0]);
	return m;
}

static void defaults_are_the_seeds(void **state)
{
	struct ss_model *m = good("");
	const struct ss_model_health *h = &m->clusters[0].health;

	assert_false(h->present);
	ss_model_free(m);
	m = good("health_check = { };");
	h = &m->clusters[0].health;
	assert_true(h->present);
	assert_int_equal(h->kind, SS_HEALTH_HTTP);
	assert_string_equal(h->path, "/health");
	assert_string_equal(h->method, "GET");
	assert_null(h->host);
	assert_int_equal(h->interval_ns, 5 * S);
	assert_int_equal(h->timeout_ns, 3 * S);
	assert_int_equal(h->unhealthy_threshold, 2);
	assert_int_equal(h->healthy_threshold, 1);
	assert_int_equal(h->unhealthy_interval_ns, 5 * S);
	assert_int_equal(h->unhealthy_edge_ns, 5 * S);
	assert_int_equal(h->healthy_edge_ns, 5 * S);
	assert_int_equal(h->no_traffic_ns, 60 * S);
	assert_int_equal(h->jitter_percent, 10);
	assert_false(h->initially_healthy);
	assert_true(h->reuse);
	assert_true(h->uneject);
	for (uint32_t i = 0; i < 500; i++)
		assert_int_equal(h->statuses.bits[i / 64] >> i % 64 & 1, i == 100);
	ss_model_free(m);
}

static void values_are_taken(void **state)
{
	struct ss_model *m = good("healthCheck = { interval = \"1s\"; unhealthyInterval = \"2s\"; initialState = \"healthy\"; "
				  "expected_statuses = ( 204, \"300-302\" ); http_health_check = { path = \"/x\"; host = \"h\"; "
				  "}; headers = ( { name = \"x-a\"; value = \"b\"; } ); };");
	const struct ss_model_health *h = &m->clusters[0].health;
	struct ss_json j;
	char *text;

	assert_string_equal(h->path, "/x");
	assert_string_equal(h->host, "h");
	assert_true(h->initially_healthy);
	assert_int_equal(h->unhealthy_interval_ns, 2 * S);
	assert_int_equal(h->unhealthy_edge_ns, 2 * S);
	assert_int_equal(h->healthy_edge_ns, S);
	for (uint32_t i = 0; i < 500; i++)
		assert_int_equal(h->statuses.bits[i / 64] >> i % 64 & 1, i == 104 || (i >= 200 && i <= 202));
	assert_int_equal(h->n_fields, 1);
	ss_json_open(&j);
	ss_cfg_show(&j, m);
	text = ss_json_close(&j);
	assert_non_null(strstr(text, "\"expected_statuses\":[204,\"300-302\"]"));
	free(text);
	ss_model_free(m);
}

static void endpoints_say_how_they_are(void **state)
{
	static const struct {
		const char *word;
		uint32_t said;
	} v[] = {{"healthy", 0}, {"unhealthy", SS_EP_CLOSED}, {"draining", SS_EP_DRAINING}, {"degraded", SS_EP_SPARED}};
	struct ss_model_errors e = {0};
	char text[64];

	for (unsigned i = 0; i < SS_ARRAY_LEN(v); i++) {
		snprintf(text, sizeof(text), "health = \"%s\";", v[i].word);
		struct ss_model *m = load("", text, &e);
		assert_int_equal(e.n, 0);
		assert_int_equal(m->clusters[0].endpoints[0].said, v[i].said);
		ss_model_free(m);
	}
}

static void mistakes_have_their_line(void **state)
{
	static const struct {
		const char *check, *says;
	} v[] = {
		{"path = \"health\";", ":3: clusters[0].health_check.path: must begin with /"},
		{"path = \"/a b\";", "has a space"},
		{"method = \"CONNECT\";", "must be GET"},
		{"expected_statuses = 99;", "must be a status code"},
		{"expected_statuses = ( );", "must not be empty"},
		{"expected_statuses = ( \"300-200\" );", "must be a status code"},
		{"expected_statuses = ( \"200-600\" );", "must be a status code"},
		{"expected_statuses = ( \"200-299x\" );", "must be a status code"},
		{"type = \"tcp\"; path = \"/x\";", "is of type \"http\" only"},
		{"type = \"tcp\"; host = \"x\";", "a tcp check only connects"},
		{"service_name = \"a.B\";", "is of type \"grpc\" only"},
		{"method = \"HEAD\"; expected_body = \"x\";", "has none"},
		{"unhealthy_interval = \"1ms\";", "is less than 10 ms"},
		{"interval = \"1ms\";", "interval"},
		{"headers = ( { name = \"Host\"; value = \"b\"; } );", "is not a probe's to say"},
		{"headers = ( { name = \"x a\"; value = \"b\"; } );", "name"},
		{"unhealthy_treshold = 3;", "did you mean \"unhealthy_threshold\"?"},
	};
	char text[200];

	for (unsigned i = 0; i < SS_ARRAY_LEN(v); i++) {
		struct ss_model_errors e = {0};
		snprintf(text, sizeof(text), "health_check = { %s };", v[i].check);
		struct ss_model *m = load(text, "", &e);
		if (!e.n || !strstr(e.text[0], v[i].says))
			fail_msg("%s: %s", v[i].check, e.n ? e.text[0] : "was taken");
		ss_model_errors_free(&e);
		ss_model_free(m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_the_seeds),
		cmocka_unit_test(values_are_taken),
		cmocka_unit_test(endpoints_say_how_they_are),
		cmocka_unit_test(mistakes_have_their_line),
	};
	int fd = mkstemp(path), failed;

	close(fd);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
