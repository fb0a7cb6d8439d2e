#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "cfg/cfg.h"

/* One file that uses every key; rows of bad_rows break it in one place each. */
static const char full[] =
	"node = \"node-a\";\n"
	"workers = { count = 2; control_core = 0; cores = [ 1, 1 ]; busy_poll = \"always\"; idle_sleep = \"100us\"; stage_sampling = 7; };\n"
	"memory = { hugepages = false; size_mb = 256; mbufs = 4096; connections = 64; streams = 128; half_open = 32;\n"
	"  receive_buffer = \"128KiB\"; send_buffer = 65536; endpoints = 64; clusters = 16; };\n"
	"tcp = { time_wait = \"1s\"; user_timeout = \"30s\"; }; tls = { records = \"evp\"; };\n"
	"drain_timeout = \"2m\";\n"
	"ports = ( { name = \"p0\"; device = \"net_tap0\"; queues = 2; mtu = 1400; rx_descriptors = 256;\n"
	"  tx_descriptors = 128; mbufs = 2048; addresses = [ \"10.1.0.2/24\", \"10.1.0.3/24\" ];\n"
	"  gateway = \"10.1.0.1\"; } );\n"
	"admin = { socket = \"admin.sock\"; };\n"
	"metrics = { address = \"127.0.0.1\"; port = 9000; };\n"
	"access_log = { path = \"-\"; };\n"
	"secrets = ( { name = \"node-a\"; certificate = \"a.pem\"; private_key = \"a.key\"; } );\n"
	"trust = ( { name = \"mesh\"; trust_domain = \"mesh.local\"; bundle = \"ca.pem\"; } );\n"
	"clusters = (\n"
	"  { name = \"v1\"; protocol = \"http2\"; load_balancing = \"round_robin\"; connect_timeout = \"250ms\";\n"
	"    max_connections = 10; max_pending = 20; max_requests = 30;\n"
	"    endpoints = ( { address = \"10.1.0.9\"; port = 80; weight = 3; }, { address = \"10.1.0.10\"; port = 80; } );\n"
	"    tls = { secret = \"node-a\"; trust = \"mesh\"; sni = \"b.mesh\"; min_version = \"1.3\";\n"
	"            allowed_ids = [ \"spiffe://mesh.local/b\" ]; handshake_timeout = \"1s\"; };\n"
	"    outlier = { consecutive_errors = 7; base_ejection_time = \"1m\"; max_ejection_time = \"2h\";\n"
	"                max_ejection_percent = 40; min_health_percent = 20; };\n"
	"    http = { max_streams = 7; }; },\n"
	"  { name = \"v2\"; endpoints = ( { address = \"fd00::9\"; port = 81; } ); } );\n"
	"virtual_hosts = ( { name = \"web\"; domains = [ \"a.example\", \"*.b.example\", \"*\" ]; routes = (\n"
	"  { name = \"split\"; match = { prefix = \"/api/\"; methods = [ \"GET\", \"POST\" ]; headers = (\n"
	"      { name = \"X-Env\"; exact = \"canary\"; }, { name = \"x-old\"; present = true; invert = true; } ); };\n"
	"    clusters = ( { name = \"v1\"; weight = 66.67; }, { name = \"v2\"; weight = 33.33; } );\n"
	"    timeout = \"1500ms\"; idle_timeout = \"10s\"; max_retries = 2; max_stream_duration = \"1h\"; retry = { on = \"5xx,connect-error\"; max_attempts = 3; backoff = { base = \"10ms\"; }; retriable_status = [ 502, 503 ]; retriable_headers = [ \"x-again\" ]; }; prefix_rewrite = \"/\";\n"
	"    request_headers = { set = ( { name = \"x-a\"; value = \"1\"; } ); add = ( { name = \"x-b\"; value = \"2\"; } );\n"
	"                        remove = [ \"x-c\" ]; };\n"
	"    response_headers = { set = ( { name = \"x-d\"; value = \"3\"; } ); };\n"
	"    authorization = { default = \"allow\"; rules = ( { name = \"no\"; action = \"deny\"; paths = [ \"/api/x\" ]; } ); }; },\n"
	"  { name = \"re\"; match = { regex = \"^/v[0-9]+/\"; query = ( { name = \"Q\"; range = [ -1, 10 ]; } );\
 cookies = ( { name = \"c\"; suffix = \"x\"; } ); source_ids = [ \"spiffe://mesh.local/d\" ]; sni = [ \"*.s.example\" ];\
 ports = [ 8443 ]; }; cluster = \"v2\"; rewrite = { regex = \"^/v(.)\"; substitution = \"/\\\\1\"; host = \"in\"; };\
 cors = { allow_origins = ( \"https://x\", { regex = \"h.*\"; } ); allow_headers = [ \"x-t\" ]; allow_credentials = true; };\
 sticky = { cookie = \"k\"; ttl = \"1h\"; }; maintenance = { enabled = false; retry_after = \"2m\"; }; },\n"
	"  { name = \"ok\"; match = { path = \"/health\"; }; direct_response = { status = 200; body = \"hi\\n\"; content_type = \"text/x\"; }; }\n"
	") } );\n"
	"listeners = ( { name = \"in\"; address = \"10.1.0.2\"; port = 8443; protocol = \"auto\"; max_connections = 50; edge = true;\n"
	"  tls = { mode = \"strict\"; secret = \"node-a\"; trust = \"mesh\"; client_certificate = true; min_version = \"1.2\";\n"
	"          allowed_ids = ( { prefix = \"spiffe://mesh.local/ns/demo\"; }, { trust_domain = \"mesh.local\"; } );\n"
	"          handshake_timeout = \"5s\"; };\n"
	"  virtual_hosts = [ \"web\" ];\n"
	"  authorization = { default = \"deny\"; rules = ( { name = \"r1\"; action = \"allow\";\n"
	"    ids = ( { any = true; }, \"spiffe://mesh.local/c\" ); methods = [ \"GET\" ]; paths = [ \"/users/\" ]; } ); };\n"
	"  http = { max_header_bytes = \"32KiB\"; max_headers = 50; max_streams = 64; stream_window = \"64KiB\";\n"
	"    connection_window = \"2MiB\"; hpack_table = 0; idle_timeout = \"1h\"; request_head_timeout = \"3s\";\n"
	"    keepalive_interval = \"10s\"; keepalive_timeout = \"3s\"; settings_timeout = \"4s\"; max_requests = 1000; max_connection_age = \"24h\"; };\n"
	"}, { name = \"plain\"; address = \"10.1.0.3\"; port = 80; virtual_hosts = [ \"web\" ]; } );\n";

static char dir[] = "/tmp/ss-cfg-XXXXXX";

static void put(const char *name, const char *text)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
}

static struct ss_model *load(const char *text, struct ss_model_errors *e)
{
	char path[256];
	struct ss_model *m;
	put("t.cfg", text);
	snprintf(path, sizeof(path), "%s/t.cfg", dir);
	int r = ss_cfg_load(path, &m, e);
	assert_int_equal(r, m ? 0 : SS_ERR_CONFIG);
	assert_int_equal(e->n == 0, m != NULL);
	return m;
}

static struct ss_model *load_good(const char *text)
{
	struct ss_model_errors e = { 0 };
	struct ss_model *m = load(text, &e);
	for (uint32_t i = 0; i < e.n; i++)
		print_message("%s\n", e.text[i]);
	assert_non_null(m);
	return m;
}

static char *replaced(const char *from, const char *to)
{
	const char *at = strstr(full, from);
	char *out;
	assert_non_null(at);
	assert_true(asprintf(&out, "%.*s%s%s", (int)(at - full), full, to, at + strlen(from)) > 0);
	return out;
}

static void process_is_read(const struct ss_model_process *p)
{
	char path[256];
	assert_string_equal(p->node, "node-a");
	assert_int_equal(p->n_workers, 2);
	assert_int_equal(p->worker_core[1], 1);
	assert_true(p->busy_poll_always);
	assert_int_equal(p->idle_sleep_ns, 100000);
	assert_int_equal(p->tls_records, SS_TLS_RECORDS_EVP);
	assert_int_equal(p->stage_sampling, 7);
	assert_int_equal(p->memory_mb, 256);
	assert_int_equal(p->rcv_buf, 131072);
	assert_int_equal(p->snd_buf, 65536);
	assert_int_equal(p->time_wait_ns, SS_NS_PER_SEC);
	assert_int_equal(p->drain_timeout_ns, 120 * SS_NS_PER_SEC);
	assert_int_equal(p->metrics_port, 9000);
	assert_string_equal(p->access_log, "-");
	snprintf(path, sizeof(path), "%s/admin.sock", dir);
	assert_string_equal(p->admin_socket, path);
	assert_int_equal(p->n_ports, 1);
	assert_int_equal(p->ports[0].mtu, 1400);
	assert_int_equal(p->ports[0].n_addrs, 2);
	assert_int_equal(p->ports[0].addrs[1].prefix, 24);
	assert_int_equal(ss_ip4_u32(&p->ports[0].addrs[1].ip), 0x0a010003);
	assert_int_equal(ss_ip4_u32(&p->ports[0].gateway), 0x0a010001);
	assert_int_equal(p->ports[0].src.line, 7);
}

static void clusters_are_read(const struct ss_model *m)
{
	const struct ss_model_cluster *v1 = &m->clusters[0], *v2 = &m->clusters[1];
	assert_int_equal(m->n_clusters, 2);
	assert_int_equal(v1->protocol, SS_PROTO_H2);
	assert_int_equal(v1->connect_timeout_ns, 250 * SS_NS_PER_MS);
	assert_int_equal(v1->caps[0].max[SS_CAP_PENDING], 20);
	assert_int_equal(v1->n_endpoints, 2);
	assert_int_equal(v1->endpoints[0].weight, 3);
	assert_int_equal(v1->endpoints[1].weight, 1);
	assert_int_equal(v1->endpoints[1].addr.port, 80);
	assert_true(v1->tls.present);
	assert_string_equal(v1->tls.sni, "b.mesh");
	assert_string_equal(v1->tls.min_version, "1.3");
	assert_int_equal(v1->tls.n_ids, 1);
	assert_int_equal(v1->tls.ids[0].kind, SS_ID_EXACT);
	assert_string_equal(v1->tls.ids[0].value, "spiffe://mesh.local/b");
	assert_int_equal(v1->outlier.max_ejection_ns, 7200 * SS_NS_PER_SEC);
	assert_int_equal(v1->http.max_streams, 7);
	assert_int_equal(v2->endpoints[0].addr.ip.family, 6);
	/* The defaults of the seed profile. */
	assert_false(v2->tls.present);
	assert_int_equal(v2->connect_timeout_ns, 5 * SS_NS_PER_SEC);
	assert_int_equal(v2->outlier.consecutive_errors, 5);
	assert_int_equal(v2->outlier.base_ejection_ns, 30 * SS_NS_PER_SEC);
	assert_int_equal(v2->outlier.max_ejection_percent, 50);
	assert_int_equal(v2->outlier.min_health_percent, 30);
	assert_int_equal(v2->http.max_streams, 128);
}

static void routes_are_read(const struct ss_model_host *h)
{
	const struct ss_model_route *r = &h->routes[0];
	assert_int_equal(h->n_domains, 3);
	assert_string_equal(h->domains[1], "*.b.example");
	assert_int_equal(h->n_routes, 3);
	assert_int_equal(r->path_kind, SS_PATH_PREFIX);
	assert_string_equal(r->path, "/api/");
	assert_int_equal(r->methods, SS_METHOD_GET | SS_METHOD_POST);
	assert_int_equal(r->n_headers, 2);
	assert_int_equal(r->headers[0].kind, SS_HM_EXACT);
	assert_string_equal(r->headers[0].value, "canary");
	assert_int_equal(r->headers[1].kind, SS_HM_PRESENT);
	assert_true(r->headers[1].invert);
	assert_int_equal(r->n_clusters, 2);
	assert_int_equal(r->clusters[0].weight, 6667);
	assert_int_equal(r->clusters[1].weight, 3333);
	assert_int_equal(r->timeout_ns, 1500 * SS_NS_PER_MS);
	assert_int_equal(r->max_retries, 2);
	assert_true(r->max_retries_set && r->retry.present);
	assert_int_equal(r->retry.on, SS_RETRY_5XX | SS_RETRY_CONNECT_FAILURE | SS_RETRY_STATUS_CODES | SS_RETRY_HEADERS);
	assert_int_equal(r->retry.max_retries, 2); /* three tries */
	assert_int_equal(r->retry.n_status, 2);
	assert_int_equal(r->retry.status[1], 503);
	assert_int_equal(r->retry.base_ns, 10 * SS_NS_PER_MS);
	assert_int_equal(r->retry.max_ns, SS_NS_PER_SEC);
	assert_int_equal(r->max_stream_ns, 3600 * SS_NS_PER_SEC);
	assert_int_equal(r->n_request_ops, 3);
	assert_int_equal(r->request_ops[0].kind, SS_OP_REMOVE);
	assert_string_equal(r->request_ops[0].name, "x-c");
	assert_int_equal(r->request_ops[2].kind, SS_OP_ADD);
	assert_string_equal(r->request_ops[2].value, "2");
	assert_int_equal(r->n_response_ops, 1);
	assert_true(r->authz.present);
	assert_false(r->authz.default_deny);
	assert_int_equal(r->authz.rules[0].action, SS_AUTHZ_DENY);
	r = &h->routes[1];
	assert_int_equal(r->path_kind, SS_PATH_REGEX);
	assert_int_equal(r->query[0].kind, SS_HM_RANGE);
	assert_int_equal(r->query[0].start, -1);
	assert_int_equal(r->query[0].end, 10);
	assert_int_equal(r->cookies[0].kind, SS_HM_SUFFIX);
	assert_int_equal(r->n_ids + r->n_snis + r->n_ports, 3);
	assert_int_equal(r->ports[0], 8443);
	assert_string_equal(r->rewrite.substitution, "/\\1");
	assert_int_equal(r->cors.n_origins, 2);
	assert_int_equal(r->cors.origins[1].kind, SS_MODEL_ORIGIN_REGEX);
	assert_int_equal(r->cors.max_age_ns, 5 * SS_NS_PER_SEC);
	assert_true(r->cors.credentials && r->sticky.present && r->maintenance.present && !r->maintenance.enabled);
	assert_int_equal(r->sticky.ttl_ns, 3600 * SS_NS_PER_SEC);
	assert_int_equal(r->maintenance.retry_after_ns, 120 * SS_NS_PER_SEC);
	assert_int_equal(r->n_clusters, 1);
	assert_string_equal(r->clusters[0].cluster, "v2");
	assert_int_equal(r->clusters[0].weight, SS_WEIGHT_SUM);
	assert_int_equal(r->timeout_ns, 5 * SS_NS_PER_SEC);
	assert_false(r->max_retries_set || r->retry.present);
	assert_int_equal(r->retry.max_retries, 3);
	assert_int_equal(r->retry.per_try_ns, SS_NS_PER_SEC);
	assert_int_equal(r->retry.base_ns, 100 * SS_NS_PER_MS);
	assert_false(r->authz.present);
	assert_false(r->authz.default_deny);
	r = &h->routes[2];
	assert_int_equal(r->path_kind, SS_PATH_EXACT);
	assert_int_equal(r->action, SS_ACTION_DIRECT);
	assert_int_equal(r->direct_status, 200);
	assert_string_equal(r->direct_body, "hi\n");
	assert_string_equal(r->direct_type, "text/x");
}

static void listeners_are_read(const struct ss_model *m)
{
	const struct ss_model_listener *l = &m->listeners[0], *plain = &m->listeners[1];
	assert_int_equal(m->n_listeners, 2);
	assert_int_equal(l->addr.port, 8443);
	assert_true(l->edge);
	assert_int_equal(l->tls.mode, SS_TLS_STRICT);
	assert_true(l->tls.client_certificate);
	assert_int_equal(l->tls.n_ids, 2);
	assert_int_equal(l->tls.ids[0].kind, SS_ID_PREFIX);
	assert_int_equal(l->tls.ids[1].kind, SS_ID_DOMAIN);
	assert_int_equal(l->tls.handshake_timeout_ns, 5 * SS_NS_PER_SEC);
	assert_true(l->authz.default_deny);
	assert_int_equal(l->authz.rules[0].source.n_ids, 2);
	assert_int_equal(l->authz.rules[0].source.ids[0].kind, SS_ID_ANY);
	assert_int_equal(l->authz.rules[0].source.ids[1].kind, SS_ID_EXACT);
	assert_int_equal(l->authz.rules[0].operation.methods, SS_METHOD_GET);
	assert_int_equal(l->http.max_header_bytes, 32768);
	assert_int_equal(l->http.hpack_table, 0);
	assert_int_equal(l->http.conn_window, 2097152);
	assert_int_equal(l->http.keepalive_interval_ns, 10 * SS_NS_PER_SEC);
	assert_int_equal(plain->tls.mode, SS_TLS_DISABLE);
	assert_false(plain->authz.default_deny);
	assert_int_equal(plain->http.max_header_bytes, 61440);
	assert_string_equal(plain->hosts[0], "web");
	assert_int_equal(plain->src.line, 47);
}

static void full_file_is_read(void **state)
{
	char path[256];
	struct ss_model *m = load_good(full);
	process_is_read(&m->process);
	clusters_are_read(m);
	assert_int_equal(m->n_hosts, 1);
	routes_are_read(&m->hosts[0]);
	listeners_are_read(m);
	snprintf(path, sizeof(path), "%s/a.key", dir);
	assert_string_equal(m->secrets[0].private_key, path);
	assert_string_equal(m->trusts[0].trust_domain, "mesh.local");
	assert_int_equal(strlen(m->hash), 16);
	ss_model_free(m);
}

struct bad {
	const char *from, *to;
	const char *says; /* the error, without the directory; the first of several */
};

static const struct bad bad_rows[] = {
	{ "node = \"node-a\"", "node = 5", "t.cfg:1: node: must be a text in quotes" },
	{ "node = \"node-a\"", "node = \"\"", "t.cfg:1: node: must not be empty" },
	{ "node = \"node-a\"", "node = \"a\\nb\"", "t.cfg:1: node: contains a control character" },
	{ "drain_timeout", "drain_timout", "t.cfg:6: drain_timout: unknown key; did you mean \"drain_timeout\"?" },
	{ "drain_timeout", "zzz", "t.cfg:6: zzz: unknown key" },
	{ "count = 2", "count = 0", "t.cfg:2: workers.count: 0 is out of bounds: from 1 to 16" },
	{ "count = 2", "count = -1", "t.cfg:2: workers.count: -1 is no whole number from 0 up" },
	{ "count = 2", "count = \"2\"", "t.cfg:2: workers.count: must be a whole number" },
	{ "count = 2", "count = 3", "t.cfg:2: workers.cores: has 2 entries for 3 workers" },
	{ "\"always\"", "\"never\"", "t.cfg:2: workers.busy_poll: \"never\" is none of \"adaptive\", \"always\"" },
	{ "\"100us\"", "\"100\"",
	  "t.cfg:2: workers.idle_sleep: \"100\" is no duration: write a whole number and ns, us, ms, s, m or h" },
	{ "\"100us\"", "\"2s\"", "t.cfg:2: workers.idle_sleep: 2s is out of bounds: from 0s to 1s" },
	{ "\"100us\"", "200", "t.cfg:2: workers.idle_sleep: must be a duration in quotes, as \"250ms\"" },
	{ "\"100us\"", "\"99999999999999999999s\"",
	  "t.cfg:2: workers.idle_sleep: \"99999999999999999999s\" is no duration: write a whole number and ns, us, ms, s, m or h" },
	{ "\"128KiB\"", "\"128KB\"",
	  "t.cfg:4: memory.receive_buffer: \"128KB\" is no size: write a whole number and B, KiB, MiB or GiB" },
	{ "\"128KiB\"", "\"1KiB\"", "t.cfg:4: memory.receive_buffer: 1KiB is out of bounds: from 4KiB to 1GiB" },
	{ "hugepages = false", "hugepages = 0", "t.cfg:3: memory.hugepages: must be true or false" },
	{ "clusters = 16", "clusters = 1", "t.cfg:15: clusters: has 2 entries, memory.clusters allows 1" },
	{ "endpoints = 64", "endpoints = 2", "t.cfg:15: clusters: have 3 endpoints in all, memory.endpoints allows 2" },
	{ "connections = 64", "connections = 64; upstream_connections = 64",
	  "t.cfg:3: memory.upstream_connections: leaves clients none of 64 connections" },
	{ "memory = {", "memory = 5; tcp2 = {", "t.cfg:3: memory: must be a group in braces" },
	{ "name = \"p0\"; ", "", "t.cfg:7: ports[0].name: is missing" },
	{ "10.1.0.3/24", "10.1.0.3", "t.cfg:8: ports[0].addresses[1]: must be an address with its prefix, as \"10.0.0.1/24\"" },
	{ "10.1.0.3/24", "10.1.0.3/33", "t.cfg:8: ports[0].addresses[1]: must be an address with its prefix, as \"10.0.0.1/24\"" },
	{ "10.1.0.3/24", "10.1.0.2/24", "t.cfg:8: ports[0].addresses[1]: is there twice" },
	{ "gateway = \"10.1.0.1\"", "gateway = \"10.2.0.1\"", "t.cfg:9: ports[0].gateway: lies in no network of this port" },
	{ "gateway = \"10.1.0.1\"", "gateway = \"ten\"", "t.cfg:9: ports[0].gateway: \"ten\" is no IP address" },
	{ "mtu = 1400", "mtu = 100", "t.cfg:7: ports[0].mtu: 100 is out of bounds: from 576 to 9000" },
	{ "address = \"127.0.0.1\"", "address = \"localhost\"", "t.cfg:11: metrics.address: \"localhost\" is no IP address" },
	{ "\"a.pem\"", "\"none.pem\"", "t.cfg:13: secrets[0].certificate: cannot read none.pem: No such file or directory" },
	{ "\"ca.pem\"", "\"none.pem\"", "t.cfg:14: trust[0].bundle: cannot read none.pem: No such file or directory" },
	{ "trust_domain = \"mesh.local\"", "trust_domain = \"spiffe://m\"",
	  "t.cfg:14: trust[0].trust_domain: is a name as \"mesh.local\", without spiffe:// or a path" },
	{ "name = \"v2\"; endpoints", "name = \"v1\"; endpoints",
	  "t.cfg:24: clusters[1].name: there is a cluster named \"v1\" already, in line 16" },
	{ "\"http2\"", "\"http3\"", "t.cfg:16: clusters[0].protocol: \"http3\" is none of \"auto\", \"http1\", \"http2\"" },
	{ "10.1.0.10", "10.1.0.9", "t.cfg:18: clusters[0].endpoints: 10.1.0.9:80 is there twice, in lines 18 and 18" },
	{ "port = 81", "port = 0", "t.cfg:24: clusters[1].endpoints[0].port: 0 is out of bounds: from 1 to 65535" },
	{ "port = 81", "port = 70000", "t.cfg:24: clusters[1].endpoints[0].port: 70000 is out of bounds: from 1 to 65535" },
	{ "( { address = \"fd00::9\"; port = 81; } )", "()", "t.cfg:24: clusters[1].endpoints: must not be empty" },
	{ "tls = { secret = \"node-a\"", "tls = { secret = \"node-b\"",
	  "t.cfg:19: clusters[0].tls.secret: there is no secret named \"node-b\"" },
	{ "trust = \"mesh\"; sni", "sni", "t.cfg:19: clusters[0].tls.trust: is missing" },
	{ "min_version = \"1.3\"", "min_version = \"1.1\"",
	  "t.cfg:19: clusters[0].tls.min_version: \"1.1\" is none of \"1.2\", \"1.3\"" },
	{ "max_ejection_percent = 40", "max_ejection_percent = 101",
	  "t.cfg:22: clusters[0].outlier.max_ejection_percent: 101 is out of bounds: from 0 to 100" },
	{ "max_ejection_time = \"2h\"", "max_ejection_time = \"1s\"", "t.cfg:21: clusters[0].outlier.max_ejection_time: is shorter than base_ejection_time" },
	{ "*.b.example", "a.*.example",
	  "t.cfg:25: virtual_hosts[0].domains: \"a.*.example\" is neither a host name, nor \"*.name\", nor \"*\"" },
	{ "prefix = \"/api/\"", "prefix = \"api\"", "t.cfg:26: virtual_hosts[0].routes[0].match.prefix: must begin with /" },
	{ "prefix = \"/api/\"", "prefix = \"/api/\"; path = \"/x\"",
	  "t.cfg:26: virtual_hosts[0].routes[0].match: has more than one of path, prefix, regex, path_separated_prefix" },
	{ "\"GET\", \"POST\"", "\"GET\", \"POTS\"",
	  "t.cfg:26: virtual_hosts[0].routes[0].match.methods: \"POTS\" is no method known here; \"OTHER\" stands for all the rest" },
	{ "exact = \"canary\"", "exact = \"canary\"; prefix = \"c\"",
	  "t.cfg:27: virtual_hosts[0].routes[0].match.headers[0]: needs one of exact, prefix, suffix, present, regex, range" },
	{ "present = true", "present = false",
	  "t.cfg:27: virtual_hosts[0].routes[0].match.headers[1].present: only true makes sense here" },
	{ "\"X-Env\"", "\"X Env\"", "t.cfg:27: virtual_hosts[0].routes[0].match.headers[0].name: \"X Env\" is no header name" },
	{ "66.67", "66.66", "t.cfg:28: virtual_hosts[0].routes[0].clusters: the weights sum to 99.99, not to 100" },
	{ "66.67", "66.667", "t.cfg:28: virtual_hosts[0].routes[0].clusters[0].weight: 66.667 is no number with at most two decimals" },
	{ "66.67", "166.67", "t.cfg:28: virtual_hosts[0].routes[0].clusters: the weights sum to 200.00, not to 100" },
	{ "{ name = \"v2\"; weight = 33.33; }", "{ name = \"v3\"; weight = 33.33; }",
	  "t.cfg:28: virtual_hosts[0].routes[0].clusters[1].name: there is no cluster named \"v3\"" },
	{ "cluster = \"v2\"", "cluster = \"v3\"", "t.cfg:34: virtual_hosts[0].routes[1].cluster: there is no cluster named \"v3\"" },
	{ "cluster = \"v2\"; ", "", "t.cfg:34: virtual_hosts[0].routes[1]: needs one of cluster, clusters, direct_response, redirect" },
	{ "cluster = \"v2\"", "cluster = \"v2\"; prefix_rewrite = \"/\"",
	  "t.cfg:34: virtual_hosts[0].routes[1].prefix_rewrite: needs match.prefix: that is what it replaces" },
	{ "max_retries = 2", "max_retries = 11", "t.cfg:29: virtual_hosts[0].routes[0].max_retries: 11 is out of bounds: from 0 to 10" },
	{ "5xx,connect-error", "5xx,conect-error", "t.cfg:29: virtual_hosts[0].routes[0].retry.on: \"conect-error\" is no condition for a retry" },
	{ "\"5xx,connect-error\"", "[ ]", "t.cfg:29: virtual_hosts[0].routes[0].retry.on: must not be empty; max_retries = 0 turns retries off" },
	{ "max_attempts = 3", "max_attempts = 3; max_retries = 1",
	  "t.cfg:29: virtual_hosts[0].routes[0].retry.max_attempts: is there beside max_retries: one of the two" },
	{ "base = \"10ms\"", "base = \"10s\"", "t.cfg:29: virtual_hosts[0].routes[0].retry.backoff: max is shorter than base" },
	{ "[ 502, 503 ]", "[ 502, 700 ]", "t.cfg:29: virtual_hosts[0].routes[0].retry.retriable_status[1]: must be a status code from 200 to 599" },
	{ "name = \"x-a\"", "name = \"Host\"",
	  "t.cfg:30: virtual_hosts[0].routes[0].request_headers.set[0]: \"Host\" is not a route's to change" },
	{ "\"x-c\"", "\"x:c\"", "t.cfg:30: virtual_hosts[0].routes[0].request_headers.name: \"x:c\" is no header name" },
	{ "host = \"in\"", "host = \"a/b\"", "t.cfg:34: virtual_hosts[0].routes[1].rewrite.host: \"a/b\" is no host" },
	{ "host = \"in\"", "prefix = \"/x\"", "t.cfg:34: virtual_hosts[0].routes[1].rewrite: has more than one of path, prefix, regex" },
	{ "\"https://x\"", "\"*\"",
	  "t.cfg:34: virtual_hosts[0].routes[1].cors.allow_origins: \"*\" with allow_credentials would let every site act for its visitors" },
	{ "\"x-t\"", "\"x t\"", "t.cfg:34: virtual_hosts[0].routes[1].cors.allow_headers: \"x t\" is no name" },
	{ "cookie = \"k\"", "cookie = \"k;\"", "t.cfg:34: virtual_hosts[0].routes[1].sticky.cookie: \"k;\" is no cookie's name" },
	{ "cookie = \"k\"; ", "", "t.cfg:34: virtual_hosts[0].routes[1].sticky: needs one of cookie, header" },
	{ "cluster = \"v2\"; rewrite", "redirect = { status = 304; }; rewrite",
	  "t.cfg:34: virtual_hosts[0].routes[1].redirect.status: 304 is none of 301, 302, 303, 307, 308" },
	{ "cluster = \"v2\"; rewrite", "redirect = { prefix = \"/x\"; }; rewrite",
	  "t.cfg:34: virtual_hosts[0].routes[1].redirect: prefix needs match.prefix: that is what it replaces" },
	{ "range = [ -1, 10 ]", "range = [ 10, 10 ]",
	  "t.cfg:34: virtual_hosts[0].routes[1].match.query[0].range: is empty: the end is not in it" },
	{ "range = [ -1, 10 ]", "range = [ 1 ]",
	  "t.cfg:34: virtual_hosts[0].routes[1].match.query[0].range: must be two whole numbers, as [ 1, 10 ]: the end is not in it" },
	{ "ports = [ 8443 ]", "ports = [ 0 ]", "t.cfg:34: virtual_hosts[0].routes[1].match.ports[0]: is no port: from 1 to 65535" },
	{ "*.s.example", "s.*", "t.cfg:34: virtual_hosts[0].routes[1].match.sni: \"s.*\" is neither a host name nor \"*.name\"" },
	{ "status = 200", "status = 100", "t.cfg:35: virtual_hosts[0].routes[2].direct_response.status: 100 is out of bounds: from 200 to 599" },
	{ "status = 200", "status = 204", "t.cfg:35: virtual_hosts[0].routes[2].direct_response.body: a response with status 204 has none" },
	{ "name = \"re\"", "name = \"split\"",
	  "t.cfg:34: virtual_hosts[0].routes[1].name: there is a route named \"split\" already, in line 26" },
	{ "address = \"10.1.0.3\"; port = 80", "address = \"10.1.0.4\"; port = 80",
	  "t.cfg:47: listeners[1].address: no port has the address 10.1.0.4" },
	{ "address = \"10.1.0.3\"; port = 80", "address = \"10.1.0.2\"; port = 8443",
	  "t.cfg:47: listeners[1].address: 10.1.0.2:8443 is taken by listener \"in\" in line 37" },
	{ "port = 80; virtual_hosts = [ \"web\" ]", "port = 80; virtual_hosts = [ \"wob\" ]",
	  "t.cfg:47: listeners[1].virtual_hosts: there is no virtual host named \"wob\"" },
	{ "port = 80; virtual_hosts = [ \"web\" ]", "port = 80; virtual_hosts = [ \"web\", \"web\" ]",
	  "t.cfg:47: listeners[1].virtual_hosts: \"web\" is there twice" },
	{ "\"strict\"; secret = \"node-a\"; ", "\"strict\"; ",
	  "t.cfg:38: listeners[0].tls.secret: is missing: there is no TLS without a certificate" },
	{ "trust = \"mesh\"; client_certificate = true;", "client_certificate = true;",
	  "t.cfg:38: listeners[0].tls.client_certificate: needs a trust to verify it against" },
	{ "client_certificate = true", "client_certificate = false",
	  "t.cfg:39: listeners[0].tls.allowed_ids: needs client_certificate: without one nobody has an identity" },
	{ "{ trust_domain = \"mesh.local\"; } )", "{ any = true; exact = \"x\"; } )",
	  "t.cfg:39: listeners[0].tls.allowed_ids[1]: needs one of exact, prefix, trust_domain, any, suffix (in a rule: regex)" },
	{ "{ trust_domain = \"mesh.local\"; } )", "5 )", "t.cfg:39: listeners[0].tls.allowed_ids[1]: must be a group in braces" },
	{ "prefix = \"spiffe://mesh.local/ns/demo\"", "prefix = \"mesh\"",
	  "t.cfg:39: listeners[0].tls.allowed_ids[0].prefix: must begin with spiffe://" },
	{ "action = \"allow\"", "action = \"maybe\"",
	  "t.cfg:42: listeners[0].authorization.rules[0].action: \"maybe\" is none of \"allow\", \"deny\", \"audit\", \"custom\"" },
	{ "action = \"allow\"", "action = \"custom\"",
	  "t.cfg:42: listeners[0].authorization.rules[0].action: \"custom\" needs a provider, one of ext_authz" },
	{ "action = \"allow\"", "action = \"custom\"; provider = \"nobody\"",
	  "t.cfg:42: listeners[0].authorization.rules[0].provider: there is no external authorizer named \"nobody\"" },
	{ "listeners = (", "ext_authz = ( { name = \"e\"; cluster = \"nowhere\"; } );\nlisteners = (",
	  "t.cfg:37: ext_authz[0].cluster: there is no cluster named \"nowhere\"" },
	{ "listeners = (", "ext_authz = ( { name = \"e\"; cluster = \"web\"; path_prefix = \"x\"; } );\nlisteners = (",
	  "t.cfg:37: ext_authz[0].path_prefix: must begin with /" },
	{ "listeners = (", "ext_authz = ( { name = \"e\"; cluster = \"web\"; headers_to_upstream_on_allow = [ \"Host\" ]; } );\n"
	  "listeners = (",
	  "t.cfg:37: ext_authz[0].headers_to_upstream_on_allow: \"Host\" belongs to one connection: it is not passed on" },
	{ "listeners = (", "ext_authz = ( { name = \"e\"; cluster = \"web\"; headers_to_downstream_on_deny = [ \"a*b\" ]; } );\n"
	  "listeners = (",
	  "t.cfg:37: ext_authz[0].headers_to_downstream_on_deny: \"a*b\" is no header name (\"x-a\", \"x-*\", \"*-id\", \"*\")" },
	{ "listeners = (", "ext_authz = ( { name = \"e\"; cluster = \"web\"; with_request_body = { max = 1; }; } );\nlisteners = (",
	  "t.cfg:37: ext_authz[0].with_request_body: request bodies are not sent to an authorizer: it decides by the head" },
	{ "listeners = (", "ext_authz = ( { name = \"e\"; cluster = \"web\"; kind = \"grpc\"; } );\nlisteners = (",
	  "t.cfg:37: ext_authz[0].kind: \"grpc\" authorizers are not spoken to yet: \"http\"" },
	{ "action = \"allow\"", "action = \"audit\"; dry_run = true",
	  "t.cfg:42: listeners[0].authorization.rules[0].dry_run: an audit rule never decides: there is nothing to try" },
	{ "paths = [ \"/users/\" ]", "paths = [ \"/users/\" ]; to = ( { ports = [ \"80\" ]; } )",
	  "t.cfg:43: listeners[0].authorization.rules[0].to: stands beside an operation of the rule's own: move that into it" },
	{ "paths = [ \"/users/\" ]", "paths = [ \"/users/\" ]; from = ( { namespaces = [ \"a\" ]; } )",
	  "t.cfg:43: listeners[0].authorization.rules[0].from: stands beside a source of the rule's own: move that into it" },
	{ "paths = [ \"/users/\" ]", "when = ( { key = \"source.ip\"; } )",
	  "t.cfg:43: listeners[0].authorization.rules[0].when[0]: needs values, not_values, regex or not_regex" },
	{ "paths = [ \"/users/\" ]", "paths = ( { exact = \"/a\"; prefix = \"/b\"; } )",
	  "t.cfg:43: listeners[0].authorization.rules[0].paths[0]: needs one of exact, prefix, suffix, present, under, regex" },
	{ "listeners = (", "jwt_providers = ( { name = \"j\"; issuer = \"i\"; jwks = \"/nowhere\";\n"
	  " claims_to_headers = ( { claim = \"sub\"; header = \"Content-Length\"; } ); } );\nlisteners = (",
	  "t.cfg:38: jwt_providers[0].claims_to_headers[0].header: \"Content-Length\" is not a claim's to write" },
	{ "listeners = (", "jwt_providers = ( { name = \"j\"; issuer = \"i\"; jwks = \"/nowhere\"; } );\nlisteners = (",
	  "t.cfg:37: jwt_providers[0].jwks: cannot read /nowhere: No such file or directory" },
	{ "virtual_hosts = [ \"web\" ];", "virtual_hosts = [ \"web\" ]; jwt = { providers = [ \"nobody\" ]; };",
	  "t.cfg:41: listeners[0].jwt.providers: there is no JWT provider named \"nobody\"" },
	{ "paths = [ \"/users/\" ]", "paths = [ \"users\" ]",
	  "t.cfg:43: listeners[0].authorization.rules[0].paths[0]: \"users\" does not begin with /" },
	{ "paths = [ \"/users/\" ]", "paths = \"/users\"",
	  "t.cfg:43: listeners[0].authorization.rules[0].paths: must be a list in parentheses" },
	{ "max_headers = 50", "max_header = 50",
	  "t.cfg:44: listeners[0].http.max_header: unknown key; did you mean \"max_headers\"?" },
	{ "listeners = (", "listeners = ();\nlasteners = (", "t.cfg:37: listeners: must not be empty" },
	{ "admin = {", "admin = ", "t.cfg:10: syntax error" },
	{ "node = ", "node = \"x\"; node = ", "t.cfg:1: duplicate setting name" },
};

/* The error without the temporary directory's path, wherever it stands. */
static const char *without_dir(const char *text, char *buf)
{
	size_t n = strlen(dir) + 1, used = 0;
	while (*text) {
		if (!strncmp(text, dir, n - 1) && text[n - 1] == '/')
			text += n;
		else
			buf[used++] = *text++;
	}
	buf[used] = '\0';
	return buf;
}

static void every_mistake_is_named(void **state)
{
	uint32_t wrong = 0;
	for (size_t i = 0; i < SS_ARRAY_LEN(bad_rows); i++) {
		char buf[4096];
		struct ss_model_errors e = { 0 };
		char *text = replaced(bad_rows[i].from, bad_rows[i].to);
		assert_null(load(text, &e));
		bool found = false;
		for (uint32_t k = 0; k < e.n; k++)
			found |= !strcmp(without_dir(e.text[k], buf), bad_rows[i].says);
		if (!found) {
			wrong++;
			print_message("row %zu: wanted: %s\n", i, bad_rows[i].says);
			for (uint32_t k = 0; k < e.n; k++)
				print_message("           got: %s\n", e.text[k]);
		}
		ss_model_errors_free(&e);
		free(text);
	}
	assert_int_equal(wrong, 0);
}

static void all_mistakes_are_told_at_once(void **state)
{
	struct ss_model_errors e = { 0 };
	assert_null(load("nood = 1; workers = { count = 99; };\n"
			 "ports = ( { name = \"a\"; device = \"d\"; addresses = [ \"10.0.0.1/8\" ]; },\n"
			 "          { name = \"a\"; device = \"d\"; addresses = [ \"x\" ]; mtu = true; } );\n"
			 "clusters = ( { name = \"c\"; endpoints = ( { port = 1; } ); } );\n",
			 &e));
	/* unknown key, count, twin name, twin device, address, mtu, endpoint's address, no listeners */
	assert_int_equal(e.n, 8);
	ss_model_errors_free(&e);
}

static void included_files_are_named(void **state)
{
	struct ss_model_errors e = { 0 };
	char *text = replaced("drain_timeout = \"2m\";\n", "@include \"part.cfg\"\n");
	char buf[4096];
	put("part.cfg", "\n\ndrain_timeout = \"never\";\n");
	assert_null(load(text, &e));
	assert_int_equal(e.n, 1);
	assert_string_equal(without_dir(e.text[0], buf),
			    "part.cfg:3: drain_timeout: \"never\" is no duration: write a whole number and ns, us, "
			    "ms, s, m or h");
	ss_model_errors_free(&e);
	free(text);
}

static void hash_follows_meaning(void **state)
{
	struct ss_model *a = load_good(full);
	char *spaced = replaced("drain_timeout = \"2m\";\n", "# a comment\n\n  drain_timeout   =   \"2m\";\n");
	char *changed = replaced("weight = 3", "weight = 4");
	char *split = replaced("drain_timeout = \"2m\";\n", "@include \"part.cfg\"\n");
	struct ss_model *b = load_good(spaced), *c = load_good(changed);
	put("part.cfg", "drain_timeout = \"2m\";\n");
	struct ss_model *d = load_good(split);
	put("part.cfg", "drain_timeout = \"3m\";\n");
	struct ss_model *e = load_good(split);
	assert_string_equal(a->hash, b->hash);
	assert_string_not_equal(a->hash, c->hash);
	assert_string_equal(a->hash, d->hash);
	assert_string_not_equal(a->hash, e->hash);
	ss_model_free(a);
	ss_model_free(b);
	ss_model_free(c);
	ss_model_free(d);
	ss_model_free(e);
	free(spaced);
	free(changed);
	free(split);
}

static void missing_file_is_named(void **state)
{
	struct ss_model_errors e = { 0 };
	struct ss_model *m;
	assert_int_equal(ss_cfg_load("/nonexistent/x.cfg", &m, &e), SS_ERR_CONFIG);
	assert_null(m);
	assert_int_equal(e.n, 1);
	assert_string_equal(e.text[0], "/nonexistent/x.cfg: cannot be read: No such file or directory");
	ss_model_errors_free(&e);
}

static char *shown(const struct ss_model *m)
{
	struct ss_json j;
	ss_json_open(&j);
	ss_cfg_show(&j, m);
	return ss_json_close(&j);
}

static void model_is_shown_as_the_file_says_it(void **state)
{
	static const char *const parts[] = {
		"{\"node\":\"node-a\",\"profile\":\"default\",\"workers\":{\"count\":2,\"control_core\":0,\"cores\":[1,1],"
		"\"busy_poll\":\"always\",\"idle_sleep\":\"100us\",\"stage_sampling\":7}",
		"\"receive_buffer\":\"128KiB\"",
		"\"tls\":{\"records\":\"evp\",\"handshake_threads\":1,\"handshake_cores\":[],\"handshake_queue\":256,\"handshake_rate\":0,"
		"\"engine_commands\":[],\"ticket_lifetime\":\"1h\"}",
		"\"drain_timeout\":\"2m\"",
		"\"addresses\":[\"10.1.0.2/24\",\"10.1.0.3/24\"],\"gateway\":\"10.1.0.1\"",
		"\"allowed_ids\":[{\"exact\":\"spiffe://mesh.local/b\"}]",
		"\"match\":{\"prefix\":\"/api/\",\"methods\":[\"GET\",\"POST\"],\"headers\":[{\"name\":\"X-Env\","
		"\"exact\":\"canary\",\"invert\":false},{\"name\":\"x-old\",\"present\":true,\"invert\":true}],"
		"\"query\":[],\"cookies\":[],\"source_ids\":[],\"sni\":[],\"ports\":[]}",
		"{\"regex\":\"^/v[0-9]+/\",\"methods\":[],\"headers\":[],"
		"\"query\":[{\"name\":\"Q\",\"range\":[-1,10],\"invert\":false}],"
		"\"cookies\":[{\"name\":\"c\",\"suffix\":\"x\",\"invert\":false}],"
		"\"source_ids\":[{\"exact\":\"spiffe://mesh.local/d\"}],\"sni\":[\"*.s.example\"],\"ports\":[8443]}",
		"\"clusters\":[{\"name\":\"v1\",\"weight\":66.67},{\"name\":\"v2\",\"weight\":33.33}],\"timeout\"",
		"\"request_headers\":{\"remove\":[\"x-c\"],\"set\":[{\"name\":\"x-a\",\"value\":\"1\"}],\"add\":"
		"[{\"name\":\"x-b\",\"value\":\"2\"}]}",
		"\"direct_response\":{\"status\":200,\"body\":\"hi\\u000a\",\"content_type\":\"text/x\"}",
		"\"authorization\":{\"default\":\"deny\"",
		"\"ids\":[{\"any\":true},{\"exact\":\"spiffe://mesh.local/c\"}]",
		"\"hpack_table\":\"0B\"",
	};
	struct ss_model *m = load_good(full);
	char *text = shown(m);
	for (size_t i = 0; i < SS_ARRAY_LEN(parts); i++)
		if (!strstr(text, parts[i]))
			fail_msg("no %s in %s", parts[i], text);
	free(text);
	ss_model_free(m);
}

static void only_the_process_is_fixed(void **state)
{
	static const struct {
		const char *from, *to, *says; /* NULL: a reload may change it */
	} rows[] = {
		{ "weight = 3", "weight = 4", NULL },
		{ "port = 8443", "port = 8444", NULL },
		{ "# ", "# ", NULL },
		{ "count = 2; control_core = 0; cores = [ 1, 1 ]", "count = 1; control_core = 0; cores = [ 1 ]",
		  "t.cfg: workers.count: is read at start only: restart to change it" },
		{ "\"always\"", "\"adaptive\"", "t.cfg: workers.busy_poll: is read at start only: restart to change it" },
		{ "mtu = 1400", "mtu = 1500", "t.cfg: ports[0].mtu: is read at start only: restart to change it" },
		{ "10.1.0.3/24", "10.1.0.3/23", "t.cfg: ports[0].addresses: is read at start only: restart to change it" },
		{ "\"admin.sock\"", "\"b.sock\"", "t.cfg: admin.socket: is read at start only: restart to change it" },
		{ "metrics = {", "# metrics = {", "t.cfg: metrics.address: is read at start only: restart to change it" },
		{ "\"2m\"", "\"3m\"", "t.cfg: drain_timeout: is read at start only: restart to change it" },
	};
	struct ss_model *running = load_good(full);
	for (size_t i = 0; i < SS_ARRAY_LEN(rows); i++) {
		char buf[4096];
		struct ss_model_errors e = { 0 };
		char *text = rows[i].from[0] == '#' ? strdup(full) : replaced(rows[i].from, rows[i].to);
		struct ss_model *wanted = load_good(text);
		int r = ss_cfg_same_process(running, wanted, &e);
		assert_int_equal(r, rows[i].says ? SS_ERR_CONFIG : 0);
		if (rows[i].says)
			assert_string_equal(without_dir(e.text[0], buf), rows[i].says);
		ss_model_errors_free(&e);
		ss_model_free(wanted);
		free(text);
	}
	ss_model_free(running);
}

static int make_dir(void **state)
{
	assert_non_null(mkdtemp(dir));
	put("a.pem", "");
	put("a.key", "");
	put("ca.pem", "");
	return 0;
}

static int remove_dir(void **state)
{
	static const char *const names[] = { "a.pem", "a.key", "ca.pem", "t.cfg", "part.cfg" };
	char path[256];
	for (size_t i = 0; i < SS_ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(full_file_is_read),
		cmocka_unit_test(every_mistake_is_named),
		cmocka_unit_test(all_mistakes_are_told_at_once),
		cmocka_unit_test(included_files_are_named),
		cmocka_unit_test(hash_follows_meaning),
		cmocka_unit_test(missing_file_is_named),
		cmocka_unit_test(model_is_shown_as_the_file_says_it),
		cmocka_unit_test(only_the_process_is_fixed),
	};
	return cmocka_run_group_tests(t, make_dir, remove_dir);
}
