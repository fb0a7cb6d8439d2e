#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>

#include "admin/admin.h"
#include "base/err.h"
#include "cfg/cfg.h"

/* In place of the real builder: one cluster with two endpoints, named by what the tests look for. */
static struct ss_names *names;
int ss_build_refresh(struct ss_build *b, const struct ss_model *m, uint64_t generation, bool judge,
		     struct ss_snapshot **out)
{
	*out = NULL;
	return 0;
}

int ss_build_snapshot(struct ss_build *b, const struct ss_model *m, uint64_t generation, struct ss_snapshot **out,
		      struct ss_model_errors *errors)
{
	static struct ss_endpoint eps[2] = { { .ep = 0, .weight = 1 }, { .ep = 1, .weight = 3 } };
	static struct ss_cluster cluster;
	eps[0].addr = (struct ss_addr){ ss_ip4(0x0a000009), 80 };
	eps[1].addr = (struct ss_addr){ ss_ip4(0x0a00000a), 81 };
	cluster = (struct ss_cluster){ .name = ss_names_intern(names, "v1"), .protocol = SS_PROTO_H2,
				       .n_endpoints = 2, .endpoints = eps };
	*out = calloc(1, sizeof(**out));
	(*out)->generation = generation;
	(*out)->n_clusters = 1;
	(*out)->clusters = &cluster;
	memcpy((*out)->hash, m->hash, sizeof(m->hash));
	return 0;
}

int ss_build_candidate(struct ss_build *b, const struct ss_model *m, uint64_t generation, struct ss_snapshot **out,
		       struct ss_model_errors *errors)
{
	return ss_build_snapshot(b, m, generation, out, errors);
}

const struct ss_model_authz_rule *ss_build_rule_of(const struct ss_model *m, const struct ss_model_authz *a, uint32_t i,
						   const struct ss_model_policy **policy)
{
	return NULL;
}

int ss_build_again(struct ss_build *b, const struct ss_model *m, uint64_t generation, struct ss_snapshot **out,
		   struct ss_model_errors *errors)
{
	return ss_build_snapshot(b, m, generation, out, errors);
}

int ss_build_endpoints(struct ss_build *b, const struct ss_model *m, uint32_t at, const struct ss_snapshot *now,
		       struct ss_snapshot **out, struct ss_model_errors *errors)
{
	return ss_build_snapshot(b, m, now->generation, out, errors);
}

void ss_build_destroy(struct ss_snapshot *s)
{
	free(s);
}

#define WORKERS 2
static struct desk {
	char dir[64], file[96], socket[96];
	struct event_base *base;
	struct ss_clock clock;
	struct ss_snapshot_box box;
	struct ss_publish *publish;
	struct ss_apply *apply;
	struct ss_ep_table *endpoints;
	struct ss_counters *counters[WORKERS];
	struct ss_admin_conf conf;
	struct ss_admin *admin;
	uint32_t drains;
} d;

static uint32_t ports(void *arg, struct ss_admin_port *out, uint32_t n)
{
	out[0] = (struct ss_admin_port){ .name = "p", .device = "dev0", .driver = "net_none", .mtu = 1500,
					 .link_up = true, .rss = true, .pool_size = 100, .pool_held = 7 };
	return 1;
}

static bool secret(void *arg, uint32_t i, struct ss_secret_state *out)
{
	const struct ss_secret_state all[] = {
		{ .name = "own", .expires = 1, .rotations = 2, .refusals = 1, .refused = "torn" },
		{ .name = "mesh", .trust = true },
	};

	if (i < SS_ARRAY_LEN(all))
		*out = all[i];
	return i < SS_ARRAY_LEN(all);
}

static bool pair(void *arg, uint32_t i, struct ss_admin_pair *out)
{
	*out = i ? (struct ss_admin_pair){ .source = "10.0.0.9" }
		 : (struct ss_admin_pair){ .source = "spiffe://mesh/a", .requests = { 1, 0, 2 } };
	return i < 2;
}

static void flows(void *arg, uint32_t port, char *out, size_t n)
{
	snprintf(out, n, "rule one\nrule \"two\"\n");
}

static bool drain(void *arg)
{
	return d.drains++ == 0;
}

static void write_file(const char *body)
{
	FILE *f = fopen(d.file, "w");
	assert_non_null(f);
	fprintf(f,
		"node = \"desk\"; workers = { count = 2; };\n"
		"ports = ( { name = \"p\"; device = \"d\"; addresses = [ \"10.0.0.1/8\" ]; } );\n"
		"clusters = ( { name = \"v1\"; endpoints = ( { address = \"10.0.0.9\"; port = 80; } ); } );\n"
		"virtual_hosts = ( { name = \"h\"; domains = [ \"*\" ]; routes = ( { name = \"r\";\n"
		"  direct_response = { status = 200; body = \"%s\"; }; } ); } );\n"
		"listeners = ( { name = \"l\"; address = \"10.0.0.1\"; port = 80; virtual_hosts = [ \"h\" ]; } );\n",
		body);
	assert_int_equal(fclose(f), 0);
}

static int connect_desk(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", d.socket);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

/* Runs the loop until the other side has closed; what it sent is in a buffer that the next call uses again. */
static char *read_all(int fd)
{
	static char text[1 << 20];
	size_t n = 0;
	for (;;) {
		event_base_loop(d.base, EVLOOP_NONBLOCK);
		ssize_t got = read(fd, text + n, sizeof(text) - 1 - n);
		if (got == 0 || (got < 0 && errno != EAGAIN))
			break;
		n += got > 0 ? (size_t)got : 0;
	}
	text[n] = '\0';
	close(fd);
	return text;
}

static char *ask(const char *line)
{
	int fd = connect_desk();
	assert_int_equal(write(fd, line, strlen(line)), strlen(line));
	return read_all(fd);
}

static void has(const char *text, const char *part)
{
	if (!text || !strstr(text, part))
		fail_msg("no %s in %s", part, text ? text : "nothing");
}

static void status_says_what_runs(void **state)
{
	char pid[32];
	char *t = ask("status\n");
	assert_int_equal(strncmp(t, "ok\n{", 4), 0);
	has(t, "\"node\":\"desk\"");
	snprintf(pid, sizeof(pid), "\"pid\":%d,", getpid());
	has(t, pid);
	has(t, ss_apply_model(d.apply)->hash);
	has(t, "\"live_snapshots\":1");
	has(t, "\"worker\":1,\"core\":");
	has(t, "\"connections\":12,");
	has(t, "\"tls_records\":\"evp\"");
	has(t, "\"name\":\"p\",\"device\":\"dev0\",\"driver\":\"net_none\"");
	has(t, "\"link\":\"up\"");
	has(t, "\"offloads\":[\"rss\"]");
	has(t, "\"pool_held\":7");
	has(t, "\"connections\":{\"used\":15,\"size\":8192}");
}

static void stats_are_summed(void **state)
{
	char *t = ask("stats\n");
	has(t, "\"tcp_conns\":{\"workers\":[12,3],\"all\":15}");
	has(t, "\"turn_max_ns\":{\"workers\":[5,9],\"all\":9}");
	has(t, "\"denied\":{\"workers\":[0,2],\"all\":2}");
	has(t, "\"request_ns\":{\"count\":3,\"mean\":2000,");
}

static void stages_are_shown_per_worker(void **state)
{
	d.counters[1]->ledger.ns[SS_STAGE_TLS_OUT] = 17;
	d.counters[1]->ledger.all_ns[SS_STAGE_TLS_OUT] = 1088;
	ss_count(d.counters[1], SS_C_SAMPLED_TURNS, 2);
	char *t = ask("stages\n");
	has(t, "ok\n{\"sampling\":16,\"time_ns\":");
	has(t, "\"workers\":[{\"worker\":0,\"turns\":0,\"busy_ns\":");
	has(t, "{\"worker\":1,");
	has(t, "\"sampled\":{\"turns\":2,\"busy_ns\":0,");
	has(t, "{\"stage\":\"tls_out\",\"sampled_ns\":17,\"all_ns\":1088}");
}

static void clusters_show_health(void **state)
{
	uint64_t now = ss_clock_ns(&d.clock);
	atomic_store(&d.endpoints->ep[1].ejected_until, now + 3600 * SS_NS_PER_SEC);
	atomic_store(&d.endpoints->ep[1].active, 4);
	char *t = ask("clusters\r\n");
	has(t, "\"name\":\"v1\",\"protocol\":\"http2\",\"tls\":false");
	has(t, "\"address\":\"10.0.0.9:80\",\"weight\":1,\"health\":\"healthy\",\"ejected\":false,\"ejected_for_seconds\":0.000");
	has(t, "\"address\":\"10.0.0.10:81\",\"weight\":3,\"health\":\"ejected\",\"ejected\":true,\"ejected_for_seconds\":3");
	has(t, "\"active\":4");
	atomic_store(&d.endpoints->ep[1].ejected_until, now - 1);
	has(ask("clusters\n"), "\"address\":\"10.0.0.10:81\",\"weight\":3,\"health\":\"healthy\"");
}

static void config_and_flows_are_shown(void **state)
{
	char *t = ask("config\n");
	has(t, "\"config\":{\"node\":\"desk\"");
	has(t, "\"timeout\":\"5s\"");
	has(ask("flows\n"), "\"port\":\"p\",\"driver\":\"net_none\",\"flows\":[\"rule one\",\"rule \\\"two\\\"\"]");
}

static void secrets_say_why_they_are_refused(void **state)
{
	char *t = ask("secrets\n");
	has(t, "\"secrets\":[{\"name\":\"own\",\"kind\":\"certificate\",\"expires_in_seconds\":");
	has(t, "\"rotations\":2,\"refusals\":1,\"refused\":\"torn\"}");
	has(t, "{\"name\":\"mesh\",\"kind\":\"trust\",\"expires_in_seconds\":null,\"rotations\":0,\"refusals\":0,\"refused\":null}");
}

static void pairs_say_what_is_encrypted(void **state)
{
	char *t = ask("pairs\n");
	has(t, "\"pairs\":[{\"source\":\"spiffe://mesh/a\",\"cluster\":\"-\",\"mutual_tls\":2,\"tls\":0,\"plaintext\":1,"
	       "\"encrypted_percent\":66.67},");
	has(t, "{\"source\":\"10.0.0.9\",\"cluster\":\"-\",\"mutual_tls\":0,\"tls\":0,\"plaintext\":0,\"encrypted_percent\":null}");
}

static void nonsense_is_refused(void **state)
{
	static char longer[70000];
	has(ask("make coffee\n"), "error\n{\"errors\":[\"unknown command; known are status");
	has(ask("\n"), "error\n{\"errors\":[\"unknown command");
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	has(ask(longer), "error\n{\"errors\":[\"command line too long\"]}");
	int fd = connect_desk(); /* says nothing and goes */
	event_base_loop(d.base, EVLOOP_NONBLOCK);
	close(fd);
	has(ask("status\n"), "ok\n");
}

static void reload_waits_for_every_worker(void **state)
{
	uint64_t before = ss_publish_current(d.publish)->generation;
	char byte;
	write_file("changed");
	int fd = connect_desk();
	assert_int_equal(write(fd, "reload\n", 7), 7);
	while (ss_publish_current(d.publish)->generation == before)
		event_base_loop(d.base, EVLOOP_NONBLOCK);
	uint64_t generation = ss_publish_current(d.publish)->generation;
	assert_true(ss_admin_poll(d.admin));
	ss_publish_adopted(d.publish, 0, generation);
	assert_true(ss_admin_poll(d.admin));
	event_base_loop(d.base, EVLOOP_NONBLOCK);
	assert_int_equal(read(fd, &byte, 1), -1);
	assert_int_equal(errno, EAGAIN);
	ss_publish_adopted(d.publish, 1, generation);
	assert_false(ss_admin_poll(d.admin));
	char *t = read_all(fd);
	assert_int_equal(strncmp(t, "ok\n{\"config_hash\":\"", 19), 0);
	has(t, ss_apply_model(d.apply)->hash);
}

/* The waiting client has gone away: its place is given back, and nobody else is hurt. */
static void a_client_may_leave_while_it_waits(void **state)
{
	uint64_t before = ss_publish_current(d.publish)->generation;
	int fd = connect_desk();
	assert_int_equal(write(fd, "reload\n", 7), 7);
	while (ss_publish_current(d.publish)->generation == before)
		event_base_loop(d.base, EVLOOP_NONBLOCK);
	close(fd);
	event_base_loop(d.base, EVLOOP_NONBLOCK);
	for (uint32_t i = 0; i < WORKERS; i++)
		ss_publish_adopted(d.publish, i, ss_publish_current(d.publish)->generation);
	assert_false(ss_admin_poll(d.admin));
	has(ask("status\n"), "\"acknowledged\":true");
}

static void bad_reload_names_every_error(void **state)
{
	const struct ss_snapshot *before = ss_publish_current(d.publish);
	write_file("x\"; a = 1; b = \"");
	char *t = ask("reload\n");
	has(t, "error\n{\"errors\":[\"");
	has(t, "t.cfg:5: virtual_hosts[0].routes[0].direct_response.a: unknown key\",\"");
	has(t, "t.cfg:5: virtual_hosts[0].routes[0].direct_response.b: unknown key");
	assert_ptr_equal(ss_publish_current(d.publish), before);
	write_file("one");
}

static void drain_is_started_once(void **state)
{
	has(ask("drain\n"), "ok\n{\"draining\":true}");
	has(ask("drain\n"), "error\n{\"errors\":[\"is draining already\"]}");
}

static void the_socket_is_ours_alone(void **state)
{
	struct stat st;
	char err[256], plain[128];
	assert_int_equal(stat(d.socket, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(ss_admin_claim(d.socket, err, sizeof(err)), SS_ERR_CONFIG);
	has(err, "another process answers there");
	event_base_loop(d.base, EVLOOP_NONBLOCK); /* that question came and went */
	snprintf(plain, sizeof(plain), "%s/plain", d.dir);
	close(open(plain, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(ss_admin_claim(plain, err, sizeof(err)), SS_ERR_CONFIG);
	has(err, "exists and is no socket");
	unlink(plain);
	assert_int_equal(ss_admin_claim("/nonexistent/x.sock", err, sizeof(err)), SS_ERR_CONFIG);
	has(err, "No such file or directory");

	/* One that nobody answers at is replaced; a claim that is given up leaves nothing. */
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/stale", d.dir);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	close(fd);
	fd = ss_admin_claim(sa.sun_path, err, sizeof(err));
	assert_true(fd >= 0);
	assert_int_equal(ss_admin_claim(sa.sun_path, err, sizeof(err)), SS_ERR_CONFIG);
	ss_admin_abandon(sa.sun_path, fd);
	assert_int_equal(stat(sa.sun_path, &st), -1);
}

static void too_many_clients_do_not_hurt(void **state)
{
	int fd[40];
	for (size_t i = 0; i < SS_ARRAY_LEN(fd); i++) {
		fd[i] = connect_desk();
		event_base_loop(d.base, EVLOOP_NONBLOCK);
	}
	char byte;
	assert_int_equal(read(fd[39], &byte, 1), 0); /* closed at once */
	for (size_t i = 0; i < SS_ARRAY_LEN(fd); i++)
		close(fd[i]);
	event_base_loop(d.base, EVLOOP_NONBLOCK);
	has(ask("status\n"), "ok\n");
}

static int open_desk(void **state)
{
	struct ss_model_errors e = { 0 };
	struct ss_model *m;
	char err[256];
	signal(SIGPIPE, SIG_IGN);
	strcpy(d.dir, "/tmp/ss-admin-XXXXXX");
	assert_non_null(mkdtemp(d.dir));
	snprintf(d.file, sizeof(d.file), "%s/t.cfg", d.dir);
	snprintf(d.socket, sizeof(d.socket), "%s/s", d.dir);
	write_file("one");
	assert_int_equal(ss_cfg_load(d.file, &m, &e), 0);
	names = ss_names_create(64);
	ss_clock_init(&d.clock, 0);
	d.base = event_base_new();
	assert_int_equal(ss_ep_table_create(&d.endpoints, 4, 4), 0);
	assert_int_equal(ss_publish_create(&d.publish,
					   &(struct ss_publish_conf){ &d.box, WORKERS, NULL, ss_build_destroy }), 0);
	assert_int_equal(ss_apply_create(&d.apply, &(struct ss_apply_conf){ d.file, m, NULL, d.publish }), 0);
	assert_int_equal(ss_apply_first(d.apply, &e), 0);
	for (int i = 0; i < WORKERS; i++)
		d.counters[i] = aligned_alloc(64, sizeof(struct ss_counters));
	for (int i = 0; i < WORKERS; i++)
		memset(d.counters[i], 0, sizeof(struct ss_counters));
	ss_gauge(d.counters[0], SS_C_TCP_CONNS, 12);
	ss_gauge(d.counters[1], SS_C_TCP_CONNS, 3);
	ss_gauge(d.counters[0], SS_C_TLS_RECORD_LAYER, SS_TLS_RECORDS_EVP);
	ss_gauge(d.counters[0], SS_C_TURN_MAX_NS, 5);
	ss_gauge(d.counters[1], SS_C_TURN_MAX_NS, 9);
	ss_count_drop(d.counters[1], SS_DROP_DENIED);
	ss_count_drop(d.counters[1], SS_DROP_DENIED);
	for (uint64_t v = 1000; v <= 3000; v += 1000)
		ss_hist_add(&d.counters[v == 2000]->request_ns, v);
	d.conf = (struct ss_admin_conf){ .socket = d.socket, .base = d.base, .apply = d.apply, .publish = d.publish,
					 .names = names, .endpoints = d.endpoints, .n_workers = WORKERS,
					 .counters = d.counters, .clock = &d.clock,
					 .ask = { ports, flows, drain, secret, pair, NULL },
					 .fd = ss_admin_claim(d.socket, err, sizeof(err)) };
	assert_true(d.conf.fd >= 0);
	assert_int_equal(ss_admin_create(&d.admin, &d.conf), 0);
	return 0;
}

static int close_desk(void **state)
{
	ss_admin_free(d.admin);
	ss_apply_free(d.apply);
	ss_publish_free(d.publish);
	ss_ep_table_free(d.endpoints);
	ss_names_free(names);
	event_base_free(d.base);
	for (int i = 0; i < WORKERS; i++)
		free(d.counters[i]);
	unlink(d.file);
	return rmdir(d.dir);
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(status_says_what_runs),
		cmocka_unit_test(stats_are_summed),
		cmocka_unit_test(stages_are_shown_per_worker),
		cmocka_unit_test(clusters_show_health),
		cmocka_unit_test(config_and_flows_are_shown),
		cmocka_unit_test(secrets_say_why_they_are_refused),
		cmocka_unit_test(pairs_say_what_is_encrypted),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(reload_waits_for_every_worker),
		cmocka_unit_test(a_client_may_leave_while_it_waits),
		cmocka_unit_test(bad_reload_names_every_error),
		cmocka_unit_test(drain_is_started_once),
		cmocka_unit_test(the_socket_is_ours_alone),
		cmocka_unit_test(too_many_clients_do_not_hurt),
	};
	return cmocka_run_group_tests(t, open_desk, close_desk);
}
