/*
 * Metrics, readiness and the access log. The argument is docs/metrics.md, which must name every metric and
 * every reason and nothing else; "--print" prints its tables instead.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <event2/event.h>
#include <event2/http.h>

#include "base/err.h"
#include "telemetry/tele_int.h"

static struct ss_counters counters[2];
static struct ss_counters *const counter_of[] = { &counters[0], &counters[1] };
static struct ss_event_ring *rings[2];
static struct ss_names *names;
static struct ss_ep_table *endpoints;
static struct ss_policies *policies;
static struct ss_loop *loop;
static struct ss_clock ss_test_clock;
static bool is_ready = true;
static char dir[] = "/tmp/tele_test_XXXXXX";
static const char *doc_path;

static struct ss_endpoint one_endpoint = { .addr = { .port = 80 }, .weight = 1 };
static struct ss_cluster one_cluster = { .n_endpoints = 1, .endpoints = &one_endpoint };
static struct ss_snapshot snap = { .generation = 3, .hash = "00112233aabbccdd", .n_clusters = 1,
				   .clusters = &one_cluster };

static const struct ss_snapshot *ask_snapshot(void *arg)
{
	return &snap;
}

static uint32_t ask_live(void *arg)
{
	return 1;
}

static bool ask_ready(void *arg)
{
	return is_ready;
}

static uint32_t ask_pools(void *arg, struct ss_tele_pool *out, uint32_t n)
{
	out[0] = (struct ss_tele_pool){ "port \"a\\b\"", 8192, 17 };
	return 1;
}

static char *in_dir(const char *name)
{
	static char paths[4][96];
	static int i;

	i = (i + 1) % 4;
	snprintf(paths[i], sizeof(paths[i]), "%s/%s", dir, name);
	return paths[i];
}

static bool ask_secret(void *arg, uint32_t i, struct ss_secret_state *out)
{
	const struct ss_secret_state all[] = {
		{ .name = "own", .expires = time(NULL) + 1000, .rotations = 3, .refusals = 2, .refused = "torn" },
		{ .name = "mesh", .trust = true, .expires = time(NULL) - 1000 },
		{ .name = "idle" },
	};

	if (i >= SS_ARRAY_LEN(all))
		return false;
	*out = all[i];
	return true;
}

static struct ss_tele_conf conf_for(const char *log)
{
	return (struct ss_tele_conf){ .loop = loop,
				      .version = "9.9",
				      .node = "n1",
				      .access_log = log,
				      .n_workers = 2,
				      .counters = counter_of,
				      .events = rings,
				      .names = names,
				      .endpoints = endpoints,
				      .policies = policies,
				      .clock = &ss_test_clock,
				      .ask = { ask_snapshot, ask_live, ask_ready, ask_pools, ask_secret, NULL } };
}

static struct ss_tele *tele_for(const char *log)
{
	struct ss_tele_conf conf = conf_for(log);
	struct ss_tele *t;
	char err[256];

	assert_int_equal(ss_tele_create(&t, &conf, err, sizeof(err)), 0);
	return t;
}

/* The metrics as text; free() it. */
static char *metrics(struct ss_tele *t)
{
	struct evbuffer *b = evbuffer_new();

	ss_tele_prom(t, b);
	size_t n = evbuffer_get_length(b);
	char *text = malloc(n + 1);
	evbuffer_remove(b, text, n);
	text[n] = 0;
	evbuffer_free(b);
	return text;
}

static void has_line(const char *text, const char *line)
{
	char want[256];

	snprintf(want, sizeof(want), "\n%s\n", line);
	if (!strstr(text, want))
		fail_msg("no line %s", line);
}

static void test_secrets_count_down(void **state)
{
	struct ss_tele *t = tele_for(NULL);
	char *text = metrics(t);
	const char *own = strstr(text, "sidestep_secret_expiry_seconds{secret=\"own\",kind=\"certificate\"} ");
	const char *mesh = strstr(text, "sidestep_secret_expiry_seconds{secret=\"mesh\",kind=\"trust\"} ");

	assert_non_null(own);
	assert_in_range(atoi(strchr(own, '}') + 2), 990, 1000);
	assert_non_null(mesh);
	assert_in_range(-atoi(strchr(mesh, '}') + 2), 1000, 1010);
	assert_null(strstr(text, "expiry_seconds{secret=\"idle\""));
	has_line(text, "sidestep_secret_rotations_total{secret=\"own\",kind=\"certificate\"} 3");
	has_line(text, "sidestep_secret_refusals_total{secret=\"own\",kind=\"certificate\"} 2");
	has_line(text, "sidestep_secret_refused{secret=\"own\",kind=\"certificate\"} 1");
	has_line(text, "sidestep_secret_refused{secret=\"mesh\",kind=\"trust\"} 0");
	free(text);
	ss_tele_free(t);
}

static void test_metrics_text(void **state)
{
	struct ss_tele *t = tele_for(NULL);
	struct ss_counters *c = &counters[1];

	memset(counters, 0, sizeof(counters));
	ss_count(c, SS_C_REQUESTS, 5);
	ss_count(c, SS_C_BUSY_NS, 1500000000);
	ss_gauge(c, SS_C_TCP_CONNS, 7);
	ss_count_drop(&counters[0], SS_DROP_TLS_EXPIRED);
	ss_count_drop(&counters[1], SS_DROP_TLS_EXPIRED);
	c->ledger.all_ns[SS_STAGE_TLS_OUT] = 2500000000;
	ss_hist_add(&counters[0].request_ns, 40000);      /* 40 us */
	ss_hist_add(&counters[1].request_ns, 90000000);   /* 90 ms */
	ss_hist_add(&counters[1].request_ns, 1000000000000); /* 1000 s */
	char *text = metrics(t);
	has_line(text, "sidestep_requests_total{worker=\"0\"} 0");
	has_line(text, "sidestep_requests_total{worker=\"1\"} 5");
	has_line(text, "# TYPE sidestep_requests_total counter");
	has_line(text, "sidestep_busy_seconds_total{worker=\"1\"} 1.500000000");
	has_line(text, "# HELP sidestep_busy_seconds_total seconds spent in turns that had work");
	has_line(text, "# TYPE sidestep_stage_seconds_total counter");
	has_line(text, "sidestep_stage_seconds_total{worker=\"0\",stage=\"tls_out\"} 0.000000000");
	has_line(text, "sidestep_stage_seconds_total{worker=\"1\",stage=\"tls_out\"} 2.500000000");
	has_line(text, "sidestep_tcp_conns{worker=\"1\"} 7");
	has_line(text, "# TYPE sidestep_tcp_conns gauge");
	has_line(text, "sidestep_drops_total{reason=\"tls_expired\",kind=\"connection\"} 2");
	has_line(text, "sidestep_request_duration_seconds_bucket{le=\"0.000025\"} 0");
	has_line(text, "sidestep_request_duration_seconds_bucket{le=\"0.00005\"} 1");
	has_line(text, "sidestep_request_duration_seconds_bucket{le=\"0.05\"} 1");
	has_line(text, "sidestep_request_duration_seconds_bucket{le=\"0.1\"} 2");
	has_line(text, "sidestep_request_duration_seconds_bucket{le=\"60\"} 2");
	has_line(text, "sidestep_request_duration_seconds_bucket{le=\"+Inf\"} 3");
	has_line(text, "sidestep_request_duration_seconds_count 3");
	has_line(text, "sidestep_config_info{hash=\"00112233aabbccdd\"} 1");
	has_line(text, "sidestep_build_info{version=\"9.9\",node=\"n1\"} 1");
	has_line(text, "sidestep_pool_used{pool=\"port \\\"a\\\\b\\\"\"} 17");
	has_line(text, "sidestep_endpoint_active{cluster=\"origin\",endpoint=\"10.3.0.1:80\"} 0");
	free(text);
	ss_tele_free(t);
}

static void test_promtool_has_no_complaint(void **state)
{
	struct ss_tele *t = tele_for(NULL);
	char *text = metrics(t), cmd[256];

	if (system("command -v promtool >/dev/null") != 0) {
		print_message("skip: promtool is not installed\n");
	} else {
		FILE *f = fopen(in_dir("metrics"), "w");

		fputs(text, f);
		fclose(f);
		snprintf(cmd, sizeof(cmd), "promtool check metrics <%s/metrics >%s/said 2>&1", dir, dir);
		assert_int_equal(system(cmd), 0);
		f = fopen(in_dir("said"), "r");
		char said[256] = "";
		if (fgets(said, sizeof(said), f))
			fail_msg("promtool: %s", said);
		fclose(f);
	}
	free(text);
	ss_tele_free(t);
}

/* -- the document -- */

static char *read_all(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, 1 << 20);

	if (!f || !text)
		fail_msg("cannot read %s", path);
	text[fread(text, 1, (1 << 20) - 1, f)] = 0;
	fclose(f);
	return text;
}

static void one_row(char *out, size_t n, const char *name, const char *what, const char *help)
{
	snprintf(out, n, "| `%s` | %s | %s |", name, what, help);
}

/* Calls fn with each table row that the document must have. */
static void each_row(struct ss_tele *t, void (*fn)(const char *row, void *arg), void *arg)
{
	char *text = metrics(t), *save = NULL, row[768], help[256] = "";

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char name[128], rest[256];

		if (sscanf(line, "# HELP %127s %255[^\n]", name, rest) == 2)
			strcpy(help, rest);
		else if (sscanf(line, "# TYPE %127s %255s", name, rest) == 2) {
			one_row(row, sizeof(row), name, rest, help);
			fn(row, arg);
		}
	}
	for (int d = SS_DROP_NONE + 1; d < SS_DROP_COUNT; d++) {
		enum ss_drop drop = (enum ss_drop)d;
		char kind = ss_drop_kind(drop), what[64];

		snprintf(what, sizeof(what), "%s | %s", kind == 'p' ? "packet" : kind == 'c' ? "connection" : "request",
			 ss_drop_flag(drop));
		one_row(row, sizeof(row), ss_drop_name(drop), what, ss_drop_text(drop));
		fn(row, arg);
	}
	free(text);
}

struct doc {
	const char *text;
	unsigned rows;
};

static void in_document(const char *row, void *arg)
{
	struct doc *d = arg;

	d->rows++;
	if (!strstr(d->text, row))
		fail_msg("docs/metrics.md lacks the row %s: run tools/gen/metrics", row);
}

static void test_document_is_true(void **state)
{
	struct ss_tele *t = tele_for(NULL);
	char *text = read_all(doc_path);
	struct doc d = { .text = text };
	unsigned rows = 0;

	each_row(t, in_document, &d);
	for (const char *p = text; (p = strstr(p, "\n| `")); p++)
		rows++;
	if (rows != d.rows)
		fail_msg("docs/metrics.md has %u rows, %u are true: run tools/gen/metrics", rows, d.rows);
	free(text);
	ss_tele_free(t);
}

static void print_row(const char *row, void *arg)
{
	puts(row);
}

/* -- HTTP -- */

struct reply {
	int status;
	char body[1 << 17];
	char type[64];
};

static void on_reply(struct evhttp_request *r, void *arg)
{
	struct reply *got = arg;

	if (r) {
		got->status = evhttp_request_get_response_code(r);
		const char *type = evhttp_find_header(evhttp_request_get_input_headers(r), "Content-Type");
		snprintf(got->type, sizeof(got->type), "%s", type ? type : "");
		int n = evbuffer_remove(evhttp_request_get_input_buffer(r), got->body, sizeof(got->body) - 1);
		got->body[n > 0 ? n : 0] = 0;
	}
	ss_loop_stop(loop);
}

static void ask(uint16_t port, enum evhttp_cmd_type verb, const char *path, struct reply *got)
{
	struct evhttp_connection *c = evhttp_connection_base_new(ss_loop_base(loop), NULL, "127.0.0.1", port);
	struct evhttp_request *r = evhttp_request_new(on_reply, got);

	memset(got, 0, sizeof(*got));
	evhttp_connection_set_timeout(c, 5);
	evhttp_make_request(c, r, verb, path);
	ss_loop_run(loop);
	evhttp_connection_free(c);
}

static void test_http(void **state)
{
	static struct reply got;
	struct ss_tele_conf conf = conf_for(NULL);
	struct ss_tele *t = NULL, *second = NULL;
	char err[256];
	int code = SS_ERR_CONFIG;

	conf.metrics_address = "127.0.0.1";
	for (int i = 0; i < 50 && code < 0; i++) {
		conf.metrics_port = (uint16_t)(20000 + (getpid() * 7 + i * 101) % 30000);
		code = ss_tele_create(&t, &conf, err, sizeof(err));
	}
	assert_int_equal(code, 0);
	ask(conf.metrics_port, EVHTTP_REQ_GET, "/metrics", &got);
	assert_int_equal(got.status, 200);
	assert_string_equal(got.type, "text/plain; version=0.0.4; charset=utf-8");
	assert_non_null(strstr(got.body, "sidestep_requests_total"));
	ask(conf.metrics_port, EVHTTP_REQ_GET, "/ready", &got);
	assert_int_equal(got.status, 200);
	is_ready = false;
	ask(conf.metrics_port, EVHTTP_REQ_GET, "/ready", &got);
	assert_int_equal(got.status, 503);
	is_ready = true;
	ask(conf.metrics_port, EVHTTP_REQ_GET, "/healthz", &got);
	assert_int_equal(got.status, 200);
	ask(conf.metrics_port, EVHTTP_REQ_GET, "/etc/passwd", &got);
	assert_int_equal(got.status, 404);
	ask(conf.metrics_port, EVHTTP_REQ_POST, "/metrics", &got);
	assert_int_not_equal(got.status, 200);
	/* The port is taken: a sentence that says which. */
	assert_int_equal(ss_tele_create(&second, &conf, err, sizeof(err)), SS_ERR_CONFIG);
	assert_non_null(strstr(err, "127.0.0.1:"));
	ss_tele_free(t);
}

/* -- the access log -- */

static void put_request_said(struct ss_event_ring *ring, const char *path, uint8_t authz)
{
	struct ss_event *ev = ss_event_reserve(ring);
	uint32_t used = 0;

	memset(ev, 0, sizeof(*ev));
	ev->kind = SS_EVENT_REQUEST;
	ev->authz = authz;
	ev->time_ns = 5 * SS_NS_PER_SEC;
	ev->duration_ns = 123456;
	ev->status = 503;
	ev->drop = SS_DROP_NO_HEALTHY;
	ev->protocol = 2;
	ev->tls = 2;
	ev->attempts = 1;
	ev->generation = 3;
	ev->bytes_out = 42;
	ev->cluster = ss_names_intern(names, "origin");
	ev->downstream = (struct ss_addr){ ss_ip4(0x0a010001), 4000 };
	ss_event_put(ev, &used, &ev->method_n, "GET", 3);
	ss_event_put(ev, &used, &ev->authority_n, "a.example", 9);
	ss_event_put(ev, &used, &ev->path_n, path, (uint32_t)strlen(path));
	ss_event_put(ev, &used, &ev->request_id_n, "id-1", 4);
	ss_event_put(ev, &used, &ev->peer_n, "spiffe://mesh.local/a", 21);
	ss_event_commit(ring);
}

static void put_request(struct ss_event_ring *ring, const char *path)
{
	put_request_said(ring, path, SS_EVENT_AUTHZ_NONE);
}

static void put_refused(struct ss_event_ring *ring)
{
	struct ss_event *ev = ss_event_reserve(ring);
	uint32_t used = 0;

	memset(ev, 0, sizeof(*ev));
	ev->kind = SS_EVENT_REFUSED;
	ev->drop = SS_DROP_TLS_IDENTITY;
	ev->tls = 1;
	ss_event_put(ev, &used, &ev->authority_n, "b.example", 9);
	ss_event_put(ev, &used, &ev->detail_n, "identity not accepted", 21);
	ss_event_commit(ring);
}

static void has(const char *text, const char *part)
{
	if (!text || !strstr(text, part))
		fail_msg("%s is not in %s", part, text ? text : "nothing");
}

static void test_access_log_lines(void **state)
{
	struct ss_tele *t = tele_for(in_dir("log"));

	put_request(rings[0], "/a\"b\n\x01?q=1");
	put_refused(rings[1]);
	assert_false(ss_tele_poll(t));
	char *text = read_all(in_dir("log"));
	char *second = strchr(text, '\n') + 1;
	assert_null(strchr(strchr(second, '\n') + 1, '\n'));
	second[-1] = 0;
	has(text, "\"kind\":\"request\"");
	has(text, "\"duration_us\":123.5");
	has(text, "\"path\":\"/a\\\"b\\u000a\\u0001?q=1\"");
	has(text, "\"protocol\":\"HTTP/2\",\"status\":503,\"flag\":\"UH\",\"reason\":\"no_healthy\"");
	has(text, "\"request_id\":\"id-1\"");
	has(text, "\"cluster\":\"origin\",\"downstream\":\"10.1.0.1:4000\"");
	has(text, "\"peer\":\"spiffe://mesh.local/a\",\"tls\":\"mutual\",\"attempts\":1");
	has(text, "\"generation\":3,\"config\":\"00112233aabbccdd\"");
	assert_null(strstr(text, "\"upstream\""));
	has(second, "\"kind\":\"refused\",\"reason\":\"tls_identity\"");
	has(second, "\"detail\":\"identity not accepted\"");
	has(second, "\"sni\":\"b.example\",\"tls\":\"tls\"");
	free(text);
	ss_tele_free(t);
}

/* Denied and marked requests have a line of their own; what is allowed only when asked for. Policies are counted. */
static void test_audit_log(void **state)
{
	static const uint8_t said[] = { SS_EVENT_AUTHZ_NONE, SS_EVENT_AUTHZ_ALLOWED, SS_EVENT_AUTHZ_DENIED,
					SS_EVENT_AUTHZ_DRY_RUN_DENIED };
	struct ss_tele_conf conf = conf_for(NULL);
	struct ss_tele *t;
	char err[256], path[32];

	conf.audit_log = in_dir("audit");
	assert_int_equal(ss_tele_create(&t, &conf, err, sizeof(err)), 0);
	for (size_t i = 0; i < SS_ARRAY_LEN(said); i++) {
		snprintf(path, sizeof(path), "/said-%zu", i);
		put_request_said(rings[0], path, said[i]);
	}
	ss_tele_poll(t);
	char *text = read_all(in_dir("audit"));
	assert_null(strstr(text, "/said-0"));
	assert_null(strstr(text, "/said-1"));
	has(text, "\"authorization\":\"denied\"");
	has(text, "\"path\":\"/said-2\"");
	has(text, "\"authorization\":\"dry_run_denied\"");
	has(text, "\"peer\":\"spiffe://mesh.local/a\"");
	free(text);
	uint32_t slot = ss_policies_slot(policies, "p\"1");
	assert_int_equal(ss_policies_slot(policies, "p\"1"), slot);
	ss_policy_count(&ss_policies_row(policies, 0, slot)->denied);
	ss_policy_count(&ss_policies_row(policies, 1, slot)->denied);
	text = metrics(t);
	has_line(text, "sidestep_authorization_total{policy=\"p\\\"1\",result=\"denied\"} 2");
	has_line(text, "sidestep_authorization_total{policy=\"default\",result=\"denied\"} 0");
	free(text);
	/* A full table tells no more apart, and loses no count. */
	for (int i = 0; i < 20; i++) {
		snprintf(path, sizeof(path), "more-%d", i);
		slot = ss_policies_slot(policies, path);
	}
	assert_int_equal(slot, SS_POLICY_OTHER);
	ss_tele_free(t);
}

static void test_access_log_rotates(void **state)
{
	struct ss_tele *t = tele_for(in_dir("turn"));

	put_request(rings[0], "/one");
	ss_tele_poll(t);
	assert_int_equal(rename(in_dir("turn"), in_dir("turn.1")), 0);
	put_request(rings[0], "/two");
	ss_tele_poll(t);
	ss_tele_reopen(t);
	put_request(rings[0], "/three");
	/* What waits in a ring at the end is written, too. */
	ss_tele_free(t);
	char *old = read_all(in_dir("turn.1")), *fresh = read_all(in_dir("turn"));
	has(old, "/one");
	has(old, "/two");
	has(fresh, "/three");
	assert_null(strstr(fresh, "/two"));
	free(old);
	free(fresh);
}

static void test_access_log_cannot_be_written(void **state)
{
	struct ss_tele_conf conf = conf_for("/nonexistent/folder/log");
	struct ss_tele *t = NULL;
	char err[256];

	assert_int_equal(ss_tele_create(&t, &conf, err, sizeof(err)), SS_ERR_CONFIG);
	has(err, "/nonexistent/folder/log: No such file");
	/* Reopening into nothing loses lines, counts them, and recovers. */
	t = tele_for(in_dir("gone"));
	char *kept = t->log.path;
	t->log.path = strdup("/nonexistent/folder/log");
	ss_tele_reopen(t);
	put_request(rings[0], "/lost");
	ss_tele_poll(t);
	char *text = metrics(t);
	has_line(text, "sidestep_access_log_lost_total 1");
	free(text);
	free(t->log.path);
	t->log.path = kept;
	ss_tele_reopen(t);
	put_request(rings[0], "/back");
	ss_tele_free(t);
	text = read_all(in_dir("gone"));
	has(text, "/back");
	free(text);
}

static void start(void)
{
	names = ss_names_create(64);
	one_cluster.name = ss_names_intern(names, "origin");
	one_endpoint.addr.ip = ss_ip4(0x0a030001);
	for (int i = 0; i < 2; i++)
		rings[i] = ss_event_ring_create(64);
	policies = ss_policies_create(16, 2);
	if (ss_ep_table_create(&endpoints, 4, 4) < 0 || ss_loop_create(&loop) < 0 || !mkdtemp(dir))
		abort();
	ss_clock_init(&ss_test_clock, 0);
}

/* A finished request, from an identity or an address. */
static void call(const char *peer, uint32_t address, uint32_t listener, uint8_t tls)
{
	struct ss_event *ev = ss_event_reserve(rings[0]);
	uint32_t used = 0;

	memset(ev, 0, sizeof(*ev));
	ev->kind = SS_EVENT_REQUEST;
	ev->tls = tls;
	ev->listener = listener;
	ev->downstream.ip = ss_ip4(address);
	ss_event_put(ev, &used, &ev->method_n, "GET", 3);
	ss_event_put(ev, &used, &ev->path_n, "/", 1);
	if (peer)
		ss_event_put(ev, &used, &ev->peer_n, peer, (uint32_t)strlen(peer));
	ss_event_commit(rings[0]);
}

static void test_pairs(void **state)
{
	static const struct ss_listener edge = { .name = 77, .edge = true };
	struct ss_tele *t = tele_for(NULL);
	char id[32];

	snap.n_listeners = 1;
	snap.listeners = &edge;
	for (int i = 0; i < 3; i++)
		call("spiffe://mesh/a", 1, 1, 2);
	call(NULL, 0x0a000009, 1, 0);
	call(NULL, 0x0a000009, 1, 1);
	call(NULL, 0x0a00000a, 77, 1);
	call(NULL, 0x0a00000b, 77, 1);
	while (ss_tele_poll(t))
		;
	char *m = metrics(t);
	has(m, "sidestep_pair_requests_total{source=\"spiffe://mesh/a\",cluster=\"-\",security=\"mutual_tls\"} 3\n");
	has(m, "sidestep_pair_requests_total{source=\"10.0.0.9\",cluster=\"-\",security=\"none\"} 1\n");
	has(m, "sidestep_pair_requests_total{source=\"10.0.0.9\",cluster=\"-\",security=\"tls\"} 1\n");
	has(m, "sidestep_pair_requests_total{source=\"edge\",cluster=\"-\",security=\"tls\"} 2\n");
	has(m, "sidestep_pair_requests_total{source=\"other\",cluster=\"-\",security=\"none\"} 0\n");
	free(m);
	/* Addresses crowd out nobody, and the table has an end. */
	for (uint32_t i = 0; i < 3 * TELE_PAIRS; i++) {
		call(NULL, 0x0b000000 + i, 1, 0);
		ss_tele_poll(t);
	}
	assert_int_equal(t->pairs.addresses, TELE_PAIRS / 2);
	for (uint32_t i = 0; i < TELE_PAIRS; i++) {
		snprintf(id, sizeof(id), "spiffe://mesh/%u", i);
		call(id, 1, 1, 2);
		ss_tele_poll(t);
	}
	assert_int_equal(t->pairs.n, TELE_PAIRS);
	assert_int_equal(t->pairs.pair[0].requests[0], 3 * TELE_PAIRS - (TELE_PAIRS / 2 - 1));
	assert_true(t->pairs.pair[0].requests[2] > 0);
	snap.n_listeners = 0;
	ss_tele_free(t);
}

/* Hundreds of generations of one configuration push out no other; one that was never seen is not guessed at. */
static void test_hashes(void **state)
{
	struct ss_tele *t = tele_for(NULL);
	const struct ss_snapshot kept = snap;

	ss_tele_poll(t);
	for (uint64_t g = kept.generation + 1; g < 500; g++) {
		snap.generation = g;
		ss_tele_poll(t);
	}
	snap.generation = 501;
	snap.hash[0] = 'f';
	ss_tele_poll(t);
	assert_string_equal(ss_tele_hash(t, kept.generation), kept.hash);
	assert_string_equal(ss_tele_hash(t, 499), kept.hash);
	assert_null(ss_tele_hash(t, 500));
	assert_string_equal(ss_tele_hash(t, 501), snap.hash);
	assert_null(ss_tele_hash(t, 502));
	assert_null(ss_tele_hash(t, 0));
	snap = kept;
	ss_tele_free(t);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_metrics_text),
		cmocka_unit_test(test_secrets_count_down),
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_hashes),
		cmocka_unit_test(test_promtool_has_no_complaint),
		cmocka_unit_test(test_document_is_true),
		cmocka_unit_test(test_http),
		cmocka_unit_test(test_access_log_lines),
		cmocka_unit_test(test_audit_log),
		cmocka_unit_test(test_access_log_rotates),
		cmocka_unit_test(test_access_log_cannot_be_written),
	};
	char cmd[64];
	int failed;

	start();
	if (argc > 1 && strcmp(argv[1], "--print") == 0) {
		struct ss_tele *t = tele_for(NULL);

		each_row(t, print_row, NULL);
		ss_tele_free(t);
		failed = 0;
	} else {
		doc_path = argc > 1 ? argv[1] : "docs/metrics.md";
		failed = cmocka_run_group_tests(tests, NULL, NULL);
	}
	snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	failed |= system(cmd) != 0;
	for (int i = 0; i < 2; i++)
		ss_event_ring_free(rings[i]);
	ss_policies_free(policies);
	ss_ep_table_free(endpoints);
	ss_names_free(names);
	ss_loop_free(loop);
	return failed;
}
