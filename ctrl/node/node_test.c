/*
 * A whole node, its workers on real lcores, over a port that never receives: it starts, takes a reload, drains
 * and ends, and holds nothing then. The operator is a second thread; every step waits for an answer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "admin/admin.h"
#include "base/err.h"
#include "cfg/cfg.h"
#include "node/node.h"
#include "start/eal.h"

static const char form[] =
	"node = \"%s\";\n"
	"workers = { count = 2; control_core = %d; cores = [ %d, %d ]; };\n"
	"memory = { size_mb = 128; mbufs = 1024; connections = 16; streams = 16; half_open = 8; };\n"
	"drain_timeout = \"5s\";\n"
	"ports = ( { name = \"p0\"; device = \"net_null0,no-rx=1\"; mbufs = 2048; addresses = [ \"10.1.0.1/24\" ]; } );\n"
	"state_dir = \"state\";\n"
	"admin = { socket = \"admin.sock\"; };\n"
	"virtual_hosts = ( { name = \"web\"; domains = [ \"*\" ]; routes = (\n"
	"  { name = \"ok\"; match = { prefix = \"/\"; }; direct_response = { status = %s; body = \"hi\"; }; } ); } );\n"
	"listeners = ( { name = \"in\"; address = \"10.1.0.1\"; port = 80; virtual_hosts = [ \"web\" ]; } );\n";

static char dir[] = "/tmp/ss-node-XXXXXX";
static char file[64], sock[64];

static int first_cpu(void)
{
	cpu_set_t ours;
	int i = 0;
	assert_int_equal(sched_getaffinity(0, sizeof(ours), &ours), 0);
	while (!CPU_ISSET(i, &ours))
		i++;
	return i;
}

static void put(const char *name, const char *status)
{
	int cpu = first_cpu();
	FILE *f = fopen(file, "w");
	assert_non_null(f);
	fprintf(f, form, name, cpu, cpu, cpu, status);
	assert_int_equal(fclose(f), 0);
}

/* One line to the operator's socket; the whole answer. */
static const char *ask(const char *line, char *out, size_t room)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	size_t n = 0;
	ssize_t got;
	memcpy(to.sun_path, sock, sizeof(sock));
	out[0] = 0;
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 &&
	    write(fd, line, strlen(line)) == (ssize_t)strlen(line))
		while (n + 1 < room && (got = read(fd, out + n, room - 1 - n)) > 0)
			n += (size_t)got;
	out[n] = 0;
	close(fd);
	return out;
}

struct heard {
	char status[4096], refused[4096], reload[4096], drain[4096];
};

static void *operate(void *arg)
{
	struct heard *h = arg;
	ask("status\n", h->status, sizeof(h->status));
	put("test", "999");
	ask("reload\n", h->refused, sizeof(h->refused));
	put("test", "404");
	ask("reload\n", h->reload, sizeof(h->reload));
	ask("drain\n", h->drain, sizeof(h->drain));
	return NULL;
}

static void starts_reloads_drains_ends(void **state)
{
	static struct heard h;
	struct ss_model_errors errors = { 0 };
	struct ss_model *m = NULL;
	struct ss_node *n = NULL;
	char err[512] = "";
	pthread_t t;

	put("test", "200");
	assert_int_equal(ss_cfg_load(file, &m, &errors), 0);
	int admin = ss_admin_claim(m->process.admin_socket, err, sizeof(err));
	if (admin < 0 || ss_eal_start(&m->process, false, err, sizeof(err)) < 0 ||
	    ss_node_create(&n, file, m, admin, err, sizeof(err)) < 0)
		fail_msg("%s", err);
	assert_int_equal(pthread_create(&t, NULL, operate, &h), 0);
	assert_int_equal(ss_node_serve(n), 0); /* and so nothing was held */
	pthread_join(t, NULL);
	ss_node_free(n);
	ss_eal_stop();
	assert_non_null(strstr(h.status, "\"generation\":1"));
	assert_memory_equal(h.refused, "error", 5);
	assert_non_null(strstr(h.refused, "direct_response"));
	assert_memory_equal(h.reload, "ok", 2); /* both workers have adopted it */
	assert_memory_equal(h.drain, "ok", 2);
	assert_int_not_equal(access(sock, F_OK), 0);
}

static void check_says_what_is_wrong(void **state)
{
	put("test", "200");
	assert_int_equal(ss_node_check(file, false), 0);
	put("test", "20");
	assert_int_equal(ss_node_check(file, false), SS_ERR_CONFIG);
	assert_int_equal(ss_node_check("/nowhere/to/be.found", false), SS_ERR_CONFIG);
}

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

/* Files of endpoints are read, and compiled with the rest; one that is not there yet is no mistake. */
static void check_reads_files_of_endpoints(void **state)
{
	char list[128];
	FILE *f;

	put("test", "200");
	snprintf(list, sizeof(list), "%s/web.cfg", dir);
	f = fopen(file, "a");
	assert_non_null(f);
	fputs("clusters = ( { name = \"web\"; discovery = { type = \"file\"; path = \"web.cfg\"; }; } );\n", f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(ss_node_check(file, false), 0);
	write_text(list, "endpoints = ( { address = \"10.0.0.1\"; port = 80; } );");
	assert_int_equal(ss_node_check(file, false), 0);
	write_text(list, "endpoints = ( { address = \"10.0.0.1\"; port = 80000; } );");
	assert_int_equal(ss_node_check(file, false), SS_ERR_CONFIG);
	assert_int_equal(unlink(list), 0);
}

static int start(void **state)
{
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/t.cfg", dir);
	snprintf(sock, sizeof(sock), "%s/admin.sock", dir);
	return 0;
}

static int stop(void **state)
{
	static const char *const kept[] = { "state/.lock", "state/history/list", "state/history/1.cfg",
					     "state/history/2.cfg", "state/history/3.cfg", "state/history", "state" };

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		char path[128];
		snprintf(path, sizeof(path), "%s/%s", dir, kept[i]);
		remove(path);
	}
	unlink(file);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest t[] = { cmocka_unit_test(check_says_what_is_wrong), cmocka_unit_test(check_reads_files_of_endpoints),
					cmocka_unit_test(starts_reloads_drains_ends) };
	return cmocka_run_group_tests(t, start, stop);
}
