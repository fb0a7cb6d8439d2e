/*
 * main.c - the appliance's command line: read the configuration, start DPDK, serve as a node, end.
 */
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#include "admin/admin.h"
#include "base/err.h"
#include "cfg/cfg.h"
#include "loop/log.h"
#include "node/node.h"
#include "start/eal.h"

#define DEFAULT_FILE "/etc/sidestep/sidestep.cfg"

enum { EXIT_REFUSED = 1, EXIT_START = 2, EXIT_HELD = 3 };

struct options {
	const char *file;
	bool check, show, telemetry;
};

static int print_errors(struct ss_model_errors *e)
{
	for (uint32_t i = 0; i < e->n; i++)
		fprintf(stderr, "%s\n", e->text[i]);
	ss_model_errors_free(e);
	return EXIT_REFUSED;
}

/* The EAL's threads are made with the signals blocked: they reach the control thread alone. */
static int start_eal(const struct ss_model_process *p, bool telemetry, char *err, size_t err_n)
{
	sigset_t ours, before;

	sigemptyset(&ours);
	sigaddset(&ours, SIGTERM);
	sigaddset(&ours, SIGINT);
	sigaddset(&ours, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &ours, &before);
	int code = ss_eal_start(p, telemetry, err, err_n);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return code;
}

static int run(const struct options *o)
{
	struct ss_model_errors errors = { 0 };
	struct ss_model *m = NULL;
	struct ss_node *n = NULL;
	char err[512];
	int code, admin;

	if (ss_cfg_load(o->file, &m, &errors) < 0)
		return print_errors(&errors);
	/* Before DPDK touches a device: a second process must not take them away from the first. */
	admin = ss_admin_claim(m->process.admin_socket, err, sizeof(err));
	if (admin < 0 || start_eal(&m->process, o->telemetry, err, sizeof(err)) < 0) {
		ss_log(SS_LOG_ERROR, "cannot start", "reason", err, NULL);
		if (admin >= 0)
			ss_admin_abandon(m->process.admin_socket, admin);
		ss_model_free(m);
		return EXIT_START;
	}
	signal(SIGPIPE, SIG_IGN);
	if ((code = ss_node_create(&n, o->file, m, admin, err, sizeof(err))) < 0)
		ss_log(SS_LOG_ERROR, "cannot start", "reason", err, NULL);
	else
		code = ss_node_serve(n);
	ss_node_free(n);
	ss_eal_stop();
	return code == 0 ? 0 : code == SS_ERR_LIMIT ? EXIT_HELD : EXIT_START;
}

static const char usage[] =
	"usage: sidestep [-c FILE]      run (default " DEFAULT_FILE ")\n"
	"       sidestep --check FILE   say everything that is wrong with a configuration\n"
	"                               with --show: and print every key as it would be in force\n"
	"       sidestep --version\n"
	"options: --log-level debug|info|warn|error  --log-json  --dpdk-telemetry\n";

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },    { "check", required_argument, NULL, 'k' },
		{ "show", no_argument, NULL, 's' },		       { "version", no_argument, NULL, 'v' },	       { "help", no_argument, NULL, 'h' },
		{ "log-level", required_argument, NULL, 'l' }, { "log-json", no_argument, NULL, 'j' },
		{ "dpdk-telemetry", no_argument, NULL, 't' },  { NULL, 0, NULL, 0 },
	};
	struct options o = { .file = DEFAULT_FILE };
	int level = SS_LOG_INFO;
	bool json = false;

	for (int opt; (opt = getopt_long(argc, argv, "c:hv", longs, NULL)) != -1;) {
		switch (opt) {
		case 'k':
			o.check = true;
			/* fall through */
		case 'c':
			o.file = optarg;
			break;
		case 's':
			o.show = true;
			break;
		case 'l':
			level = ss_log_level_of(optarg);
			break;
		case 'j':
			json = true;
			break;
		case 't':
			o.telemetry = true;
			break;
		case 'v':
			printf("sidestep %s\n", SS_NODE_VERSION);
			return 0;
		default:
			fputs(usage, opt == 'h' ? stdout : stderr);
			return opt == 'h' ? 0 : EXIT_START;
		}
	}
	if (optind < argc || level < 0) {
		fputs(usage, stderr);
		return EXIT_START;
	}
	ss_log_setup((enum ss_log_level)level, json);
	if (!o.check)
		return run(&o);
	int code = ss_node_check(o.file, o.show);
	return code == 0 ? 0 : code == SS_ERR_NO_MEM ? EXIT_START : EXIT_REFUSED;
}
