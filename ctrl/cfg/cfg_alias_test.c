/* cfg_alias_test.c - names of others and whole sets of defaults: what is shown is ours, whatever was written.
 */
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

static char path[] = "/tmp/ss-alias-XXXXXX";

/* A file around a cluster's, a route's and a scope's keys; line 3, 6 and 10 are theirs. */
static struct ss_model *load(const char *top, const char *cluster, const char *route, const char *rule,
			     struct ss_model_errors *e)
{
	struct ss_model *m;
	FILE *f = fopen(path, "w");

	fprintf(f,
		"ports = ( { name = \"p\"; device = \"d\"; addresses = [ \"10.0.0.1/24\" ]; } ); %s\n"
		"clusters = ( { name = \"c\"; endpoints = ( { address = \"10.0.0.2\"; port = 80; } );\n%s\n} "
		");\n"
		"virtual_hosts = ( { name = \"v\"; domains = [ \"*\" ]; routes = ( { name = \"r\"; cluster = "
		"\"c\";\n%s\n} ); } );\n"
		"listeners = ( { name = \"l\"; address = \"10.0.0.1\"; port = 80; virtual_hosts = [ \"v\" "
		"];\n"
		" authorization = { rules = ( { name = \"r\"; action = \"allow\";\n%s\n } ); }; } );\n",
		top, cluster, route, rule);
	fclose(f);
	ss_cfg_load(path, &m, e);
	return m;
}

/* What is shown of the file, or the first error. free() it. */
static char *shown(const char *top, const char *cluster, const char *route, const char *rule)
{
	struct ss_model_errors e = { 0 };
	struct ss_model *m = load(top, cluster, route, rule, &e);
	struct ss_json j;
	char *text;

	if (m) {
		ss_json_open(&j);
		ss_cfg_show(&j, m);
		text = ss_json_close(&j);
	} else {
		text = strdup(e.text[0]);
	}
	ss_model_errors_free(&e);
	ss_model_free(m);
	return text;
}

static void both_say(const char *c1, const char *r1, const char *p1, const char *c2, const char *r2,
		     const char *p2)
{
	char *a = shown("", c1, r1, p1), *b = shown("", c2, r2, p2);

	if (strcmp(a, b) || a[0] != '{')
		fail_msg("%s %s %s:\n%s\n%s %s %s:\n%s", c1, r1, p1, a, c2, r2, p2, b);
	free(a);
	free(b);
}

static void an_authorizer_as_istio_has_it(void **state)
{
	char *a = shown("ext_authz = ( { name = \"e\"; envoyExtAuthzHttp = { service = \"c\"; timeout = \"1s\"; pathPrefix = "
			"\"/p\"; failOpen = true; statusOnError = 503; includeHeadersInCheck = [ \"x-a\" ]; "
			"headersToUpstreamOnAllow = [ \"x-b\" ]; headersToDownstreamOnAllow = [ \"x-c\" ]; "
			"headersToDownstreamOnDeny = [ \"x-d\" ]; }; } );", "", "", "");
	char *b = shown("ext_authz = ( { name = \"e\"; cluster = \"c\"; timeout = \"1s\"; path_prefix = \"/p\"; "
			"fail_open = true; status_on_error = 503; include_request_headers_in_check = [ \"x-a\" ]; "
			"headers_to_upstream_on_allow = [ \"x-b\" ]; headers_to_downstream_on_allow = [ \"x-c\" ]; "
			"headers_to_downstream_on_deny = [ \"x-d\" ]; } );", "", "", "");

	assert_int_equal(a[0], '{');
	assert_string_equal(a, b);
	free(a);
	free(b);
}

static void names_of_others_mean_ours(void **state)
{
	both_say("connectionPool = { http = { http2MaxRequests = 7; }; };", "", "", "max_requests = 7;", "",
		 "");
	both_say("connectionPool = { http = { http2MaxRequests = 7; maxRetries = 3; idleTimeout = \"9s\"; "
		 "maxRequestsPerConnection = 4; };"
		 " tcp = { maxConnections = 5; connectTimeout = \"2s\"; }; };",
		 "", "",
		 "max_requests = 7; max_retries = 3; http = { idle_timeout = \"9s\"; max_requests = 4; }; "
		 "max_connections = 5;"
		 " connect_timeout = \"2s\";",
		 "", "");
	both_say("outlierDetection = { consecutiveErrors = 4; baseEjectionTime = \"9s\"; maxEjectionPercent "
		 "= 20; };",
		 "", "",
		 "outlier = { consecutive_errors = 4; base_ejection_time = \"9s\"; max_ejection_percent = "
		 "20; };",
		 "", "");
	both_say("outlierDetection = { consecutive5xxErrors = 4; };", "", "",
		 "outlier = { consecutive_errors = 4; };", "", "");
	both_say("loadBalancer = { simple = \"LEAST_REQUEST\"; };", "", "",
		 "load_balancing = \"least_request\";", "", "");
	both_say("consistentHash = { httpCookie = { name = \"u\"; ttl = \"1h\"; path = \"/\"; }; };", "", "",
		 "load_balancing = \"ring_hash\"; balancing = { hash_policy = ( { cookie = { name = \"u\"; "
		 "ttl = \"1h\"; path = \"/\"; }; } ); };",
		 "", "");
	both_say(
		"loadBalancer = { consistentHash = { httpHeaderName = \"x-u\"; minimumRingSize = 2048; }; };",
		"", "",
		"load_balancing = \"ring_hash\"; balancing = { hash_policy = ( { header = \"x-u\"; } ); "
		"minimum_ring_size = 2048; };",
		"", "");
	both_say("", "retry = { perTryTimeout = \"2s\"; };", "", "", "retry = { per_try_timeout = \"2s\"; };",
		 "");
	both_say("", "retries = { attempts = 2; perTryTimeout = \"2s\"; };", "", "",
		 "retry = { max_retries = 2; per_try_timeout = \"2s\"; };", "");
	both_say("", "retries = { attempts = 2; retryOn = \"gateway-error,connect-failure,503\"; };", "", "",
		 "retry = { max_retries = 2; on = [ \"gateway-error\", \"connect-failure\" ];"
		 " retriable_status = [ 503 ]; };", "");
	both_say("", "retry = { retryOn = \"5xx, 429,409\"; };", "", "",
		 "retry = { retry_on = [ \"5xx\", \"429\" ]; retriable_status = [ 409 ]; };", "");
	both_say("", "retry = { attempts = 2; }; idleTimeout = \"3s\";", "", "",
		 "retry = { max_retries = 2; }; idle_timeout = \"3s\";", "");
	both_say(
		"", "",
		"principals = ( \"spiffe://d/x\" ); ipBlocks = [ \"10.0.0.0/8\" ]; notMethods = [ \"PUT\" ];",
		"", "",
		"ids = ( \"spiffe://d/x\" ); source_ips = [ \"10.0.0.0/8\" ]; not_methods = [ \"PUT\" ];");
	both_say("", "",
		 "from = ( { notPrincipals = ( \"spiffe://d/x\" ); requestPrincipals = [ \"*\" ]; } );", "",
		 "", "from = ( { not_ids = ( \"spiffe://d/x\" ); request_principals = [ \"*\" ]; } );");
}

static void says(char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("%s is not in %s", part, text);
	free(text);
}

static void both_ways_is_a_mistake_with_both_lines(void **state)
{
	says(shown("", "max_requests = 8;\nconnectionPool = { http = { http2MaxRequests = 7; }; };", "", ""),
	     ":4: clusters[0].connectionPool.http.http2MaxRequests: says the same as \"max_requests\" in "
	     "line 3");
	says(shown("", "outlier = { interval = \"1s\"; };\noutlierDetection = { interval = \"2s\"; };", "",
		   ""),
	     ":4: clusters[0].outlierDetection: says the same as \"outlier\" in line 3");
	says(shown("", "outlier = { base_ejection_time = \"1s\";\nbaseEjectionTime = \"2s\"; };", "", ""),
	     ":4: clusters[0].outlier.baseEjectionTime: says the same as \"base_ejection_time\" in line 3");
}

static void mistakes_in_them_have_their_line(void **state)
{
	says(shown("", "\nconnectionPool = { http = { http2MaxRequests = \"many\"; }; };", "", ""),
	     ":4: clusters[0].max_requests: ");
	says(shown("", "\nconnectionPool = { http = { http3 = 1; }; };", "", ""),
	     ":4: clusters[0].connectionPool: unknown key");
	says(shown("", "\noutlierDetection = { interceptExternalErrors = true; };", "", ""),
	     "interceptExternalErrors: unknown key");
	says(shown("profile = \"nginx\";", "", "", ""),
	     ":1: profile: \"nginx\" is none of \"default\", \"envoy\", \"istio\"");
}

static void profiles_change_defaults_and_nothing_else(void **state)
{
	static const struct {
		const char *profile;
		const char *has[6];
	} rows[] = {
		{ "",
		  { "\"timeout\":\"5s\"", "\"load_balancing\":\"round_robin\"", "\"interval\":\"30s\",",
		    "\"min_health_percent\":30" } },
		{ "profile = \"envoy\";",
		  { "\"profile\":\"envoy\"", "\"timeout\":\"15s\"", "\"interval\":\"10s\"",
		    "\"max_ejection_percent\":10", "\"max_requests\":1024", "\"panic_threshold\":50" } },
		{ "profile = \"istio\";",
		  { "\"timeout\":\"0s\"", "\"load_balancing\":\"least_request\"", "\"max_pending\":4194304",
		    "\"panic_threshold\":0", "\"default\":\"allow\",\"inherit\"" } },
	};

	for (size_t i = 0; i < SS_ARRAY_LEN(rows); i++)
		for (size_t k = 0; k < 6 && rows[i].has[k]; k++)
			says(shown(rows[i].profile, "", "", ""), rows[i].has[k]);
	/* What the file says wins. */
	says(shown("profile = \"istio\";", "load_balancing = \"round_robin\";", "timeout = \"7s\";", ""),
	     "\"load_balancing\":\"round_robin\"");
	says(shown("profile = \"istio\";", "load_balancing = \"round_robin\";", "timeout = \"7s\";", ""),
	     "\"timeout\":\"7s\"");
	/* Envoy sends nothing again unless it is told to; then the rest of its defaults counts. */
	says(shown("profile = \"envoy\";", "", "retry = { };", ""), "\"on\":[\"none\"],\"max_retries\":1");
	says(shown("profile = \"envoy\";", "", "retry = { on = \"5xx\"; };", ""), "\"on\":[\"5xx\"],\"max_retries\":1");
	says(shown("profile = \"istio\";", "", "retry = { };", ""),
	     "\"on\":[\"connect-failure\",\"refused-stream\",\"cancelled\",\"unavailable\"],\"max_retries\":2");
	says(shown("", "", "retry = { on = \"5xx,sometimes\"; };", ""), "\"sometimes\" is no condition for a retry");
	says(shown("", "", "retry = { on = \"700\"; };", ""), "\"700\" is no condition for a retry");
	/* The default profile is what no profile is. */
	char *a = shown("profile = \"default\";", "", "", ""), *b = shown("", "", "", "");
	assert_string_equal(a, b);
	free(a);
	free(b);
}

static void row(void *arg, const char *base, const char *alias, const char *ours)
{
	assert_non_null(base);
	(*(uint32_t *)arg)++;
}

static void named(void *arg, const char *p, const char *own, const char *envoy, const char *istio)
{
	if (!own || !envoy || !istio)
		fail_msg("%s is no key with a default", p);
	(*(uint32_t *)arg)++;
}

static void every_row_is_of_a_key(void **state)
{
	uint32_t aliases = 0, profiles = 0;

	ss_cfg_aliases(row, &aliases);
	ss_cfg_profiles(named, &profiles);
	assert_true(aliases > 10 && profiles > 10);
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(names_of_others_mean_ours),
		cmocka_unit_test(an_authorizer_as_istio_has_it),
		cmocka_unit_test(both_ways_is_a_mistake_with_both_lines),
		cmocka_unit_test(mistakes_in_them_have_their_line),
		cmocka_unit_test(profiles_change_defaults_and_nothing_else),
		cmocka_unit_test(every_row_is_of_a_key),
	};
	int failed, fd = mkstemp(path);

	failed = cmocka_run_group_tests(t, NULL, NULL);
	close(fd);
	unlink(path);
	return failed;
}
