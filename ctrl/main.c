/*
 * main.c - the appliance: reads the configuration, starts the workers, serves the operator, ends in order.
 */
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/admin.h"
#include "apply/apply.h"
#include "base/err.h"
#include "build/build.h"
#include "cfg/cfg.h"
#include "loop/log.h"
#include "loop/loop.h"
#include "publish/publish.h"
#include "start/eal.h"
#include "start/fleet.h"
#include "telemetry/tele.h"

#define SIDESTEP_VERSION "0.1.0"
#define DEFAULT_FILE "/etc/sidestep/sidestep.cfg"
#define MAX_NAMES 65536
/* How often mailboxes and event rings are looked at. */
#define POLL_NS (10 * SS_NS_PER_MS)

enum { EXIT_REFUSED = 1, EXIT_START = 2, EXIT_HELD = 3 };

struct options {
	const char *file;
	bool check, telemetry;
};

/* The whole process, in the order in which its parts are made. */
struct node {
	struct ss_loop *loop;
	struct ss_clock clock;
	struct ss_snapshot_box box;
	struct ss_names *names;
	struct ss_ep_table *endpoints;
	struct ss_build *build;
	struct ss_fleet *fleet;
	struct ss_publish *publish;
	struct ss_apply *apply;
	struct ss_admin *admin;
	struct ss_tele *tele;
	bool draining;
	uint32_t drained; /* workers that said so */
	uint64_t drain_deadline;
	uint64_t steered; /* generation whose listeners the ports have rules for */
};

static int print_errors(struct ss_model_errors *e)
{
	for (uint32_t i = 0; i < e->n; i++)
		fprintf(stderr, "%s\n", e->text[i]);
	ss_model_errors_free(e);
	return EXIT_REFUSED;
}

static void log_errors(const char *msg, struct ss_model_errors *e)
{
	for (uint32_t i = 0; i < e->n; i++)
		ss_log(SS_LOG_ERROR, msg, "reason", e->text[i], NULL);
	ss_model_errors_free(e);
}

/* What compiling a model needs; used by a check, too, which starts nothing. */
static int make_build(struct node *n, const struct ss_model_process *p)
{
	struct ss_build_conf conf = { .n_workers = p->n_workers };

	n->names = ss_names_create(MAX_NAMES);
	if (!n->names || ss_ep_table_create(&n->endpoints, p->max_endpoints, p->max_clusters) < 0)
		return SS_ERR_NO_MEM;
	conf.names = n->names;
	conf.endpoints = n->endpoints;
	return ss_build_create(&n->build, &conf);
}

static void free_build(struct node *n)
{
	if (n->build)
		ss_build_free(n->build);
	if (n->endpoints)
		ss_ep_table_free(n->endpoints);
	ss_names_free(n->names);
}

/* Reads and compiles, certificates and expressions included, and says everything that is wrong. */
static int check(const struct options *o)
{
	struct node n = { 0 };
	struct ss_model_errors errors = { 0 };
	struct ss_model *m = NULL;
	struct ss_snapshot *snap = NULL;
	int status = 0;

	if (ss_cfg_load(o->file, &m, &errors) < 0)
		return print_errors(&errors);
	if (make_build(&n, &m->process) < 0) {
		fprintf(stderr, "%s: no memory\n", o->file);
		status = EXIT_START;
	} else if (ss_build_snapshot(n.build, m, 1, &snap, &errors) < 0) {
		status = print_errors(&errors);
	} else {
		printf("%s: ok, configuration %s\n", o->file, m->hash);
	}
	ss_build_destroy(snap);
	free_build(&n);
	ss_model_free(m);
	return status;
}

static bool begin_drain(void *arg)
{
	struct node *n = arg;
	uint64_t limit = ss_apply_model(n->apply)->process.drain_timeout_ns;

	if (n->draining)
		return false;
	n->draining = true;
	n->drain_deadline = limit ? ss_clock_ns(&n->clock) + limit : SS_NEVER;
	ss_log(SS_LOG_INFO, "draining", "seconds", ss_log_u64(limit / SS_NS_PER_SEC), NULL);
	ss_fleet_drain(n->fleet, limit ? n->drain_deadline : 0);
	return true;
}

/* The first request ends politely; the second does not wait. */
static void on_end(void *arg)
{
	struct node *n = arg;

	if (!begin_drain(n))
		ss_loop_stop(n->loop);
}

static void on_reload(void *arg)
{
	struct node *n = arg;
	struct ss_model_errors errors = { 0 };
	uint64_t generation = 0;

	ss_tele_reopen(n->tele);
	if (ss_apply_reload(n->apply, &generation, &errors) < 0) {
		log_errors("configuration refused", &errors);
		return;
	}
	ss_log(SS_LOG_INFO, "configuration published", "generation", ss_log_u64(generation), "hash",
	       ss_apply_model(n->apply)->hash, NULL);
	ss_model_errors_free(&errors);
}

static void read_answer(struct node *n, uint32_t worker, const struct ss_mail *mail)
{
	switch (mail->kind) {
	case SS_MAIL_ADOPTED:
		ss_publish_adopted(n->publish, worker, mail->a);
		break;
	case SS_MAIL_DRAINED:
		n->drained++;
		break;
	case SS_MAIL_LISTEN_FAILED:
		ss_log(SS_LOG_ERROR, "cannot listen", "listener", ss_names_text(n->names, (uint32_t)mail->a),
		       "worker", ss_log_u64(worker), NULL);
		break;
	}
}

/* A new generation may have other listeners. Only this thread publishes, so the pointer stays good. */
static void steer(struct node *n)
{
	const struct ss_snapshot *snap = n->box.current;

	if (snap && snap->generation != n->steered) {
		ss_fleet_steer(n->fleet, snap);
		n->steered = snap->generation;
	}
}

static void on_poll(void *arg)
{
	struct node *n = arg;
	uint32_t workers = ss_fleet_workers(n->fleet);
	struct ss_mail mail;

	for (uint32_t i = 0; i < workers; i++) {
		while (ss_mailbox_take_answer(ss_fleet_mail(n->fleet)[i], &mail))
			read_answer(n, i, &mail);
	}
	ss_tele_poll(n->tele);
	steer(n);
	ss_publish_poll(n->publish);
	ss_admin_poll(n->admin);
	if (n->draining && (n->drained >= workers || ss_clock_ns(&n->clock) >= n->drain_deadline))
		ss_loop_stop(n->loop);
}

static uint32_t ask_ports(void *arg, struct ss_admin_port *out, uint32_t max)
{
	struct node *n = arg;
	uint32_t ports = ss_fleet_ports(n->fleet);
	const struct ss_model_process *p = &ss_apply_model(n->apply)->process;

	for (uint32_t i = 0; i < ports && i < max; i++) {
		struct ss_port_info f;
		ss_port_info(ss_fleet_port(n->fleet, i), &f);
		out[i] = (struct ss_admin_port){ .name = p->ports[i].name,
						 .device = p->ports[i].device,
						 .mtu = f.mtu,
						 .queues = f.queues,
						 .link_up = f.link_up,
						 .tx_ip_csum = f.tx_ip_csum,
						 .tx_tcp_csum = f.tx_tcp_csum,
						 .rx_csum = f.rx_csum,
						 .multi_segs = f.multi_segs,
						 .rss = f.rss,
						 .pool_size = f.pool_size,
						 .pool_held = f.pool_held };
		memcpy(out[i].driver, f.driver, sizeof(out[i].driver));
		memcpy(out[i].mac, f.mac, sizeof(out[i].mac));
	}
	return ports;
}

static void ask_flows(void *arg, uint32_t port, char *out, size_t size)
{
	struct node *n = arg;

	if (port < ss_fleet_ports(n->fleet))
		ss_port_flows(ss_fleet_port(n->fleet, port), out, size);
}

static int make_admin(struct node *n, char *err, size_t err_n)
{
	struct ss_admin_conf conf = { .socket = ss_apply_model(n->apply)->process.admin_socket,
				      .base = ss_loop_base(n->loop),
				      .apply = n->apply,
				      .publish = n->publish,
				      .names = n->names,
				      .endpoints = n->endpoints,
				      .n_workers = ss_fleet_workers(n->fleet),
				      .counters = ss_fleet_counters(n->fleet),
				      .clock = &n->clock,
				      .ask = { .ports = ask_ports,
					       .flows = ask_flows,
					       .drain = begin_drain,
					       .arg = n } };
	return ss_admin_create(&n->admin, &conf, err, err_n);
}

static const struct ss_snapshot *ask_snapshot(void *arg)
{
	const struct node *n = arg;

	return ss_publish_current(n->publish);
}

static uint32_t ask_live(void *arg)
{
	const struct node *n = arg;

	return ss_publish_live(n->publish);
}

static bool ask_ready(void *arg)
{
	const struct node *n = arg;
	const struct ss_snapshot *s = ss_publish_current(n->publish);

	return s && !n->draining && ss_publish_acknowledged(n->publish, s->generation);
}

static uint32_t ask_pools(void *arg, struct ss_tele_pool *out, uint32_t max)
{
	struct node *n = arg;
	uint32_t ports = ss_fleet_ports(n->fleet);

	for (uint32_t i = 0; i < ports && i < max; i++) {
		struct ss_port_info f;
		ss_port_info(ss_fleet_port(n->fleet, i), &f);
		out[i] = (struct ss_tele_pool){ .name = ss_port_name(ss_fleet_port(n->fleet, i)),
						.size = f.pool_size,
						.used = f.pool_used };
	}
	return ports < max ? ports : max;
}

static int make_telemetry(struct node *n, char *err, size_t err_n)
{
	const struct ss_model_process *p = &ss_apply_model(n->apply)->process;
	struct ss_tele_conf conf = { .loop = n->loop,
				     .version = SIDESTEP_VERSION,
				     .node = p->node,
				     .metrics_address = p->metrics_address,
				     .metrics_port = (uint16_t)p->metrics_port,
				     .access_log = p->access_log,
				     .n_workers = ss_fleet_workers(n->fleet),
				     .counters = ss_fleet_counters(n->fleet),
				     .events = ss_fleet_events(n->fleet),
				     .names = n->names,
				     .endpoints = n->endpoints,
				     .clock = &n->clock,
				     .ask = { .snapshot = ask_snapshot,
					      .live = ask_live,
					      .ready = ask_ready,
					      .pools = ask_pools,
					      .arg = n } };
	return ss_tele_create(&n->tele, &conf, err, err_n);
}

/* Takes m (through apply). What was made when a step fails is ended by end_node. */
static int make_node(struct node *n, const struct options *o, struct ss_model *m, char *err, size_t err_n)
{
	struct ss_model_errors errors = { 0 };
	struct ss_fleet_conf fleet = { .process = &m->process, .clock = &n->clock, .box = &n->box };
	struct ss_publish_conf publish = { .box = &n->box,
					   .n_workers = m->process.n_workers,
					   .destroy = ss_build_destroy };
	struct ss_apply_conf apply = { .path = o->file, .model = m };
	int code;

	snprintf(err, err_n, "no memory");
	if (ss_loop_create(&n->loop) < 0 || make_build(n, &m->process) < 0)
		return SS_ERR_NO_MEM;
	fleet.endpoints = n->endpoints;
	if ((code = ss_fleet_create(&n->fleet, &fleet, err, err_n)) < 0)
		return code;
	publish.mail = ss_fleet_mail(n->fleet);
	if ((code = ss_publish_create(&n->publish, &publish)) < 0)
		return code;
	apply.build = n->build;
	apply.publish = n->publish;
	if ((code = ss_apply_create(&n->apply, &apply)) < 0)
		return code;
	if ((code = ss_apply_first(n->apply, &errors)) < 0) {
		log_errors("configuration refused", &errors);
		snprintf(err, err_n, "the configuration cannot be built");
		return code;
	}
	ss_model_errors_free(&errors);
	if ((code = make_admin(n, err, err_n)) < 0 || (code = make_telemetry(n, err, err_n)) < 0)
		return code;
	return ss_fleet_launch(n->fleet, err, err_n);
}

/* Prints what each worker still holds; true when that is nothing. */
static bool nothing_held(const struct node *n)
{
	bool clean = true;

	for (uint32_t i = 0; i < ss_fleet_workers(n->fleet); i++) {
		struct ss_worker_holdings h;
		ss_fleet_holdings(n->fleet, i, &h);
		if (!h.mbufs && !h.conns && !h.tls_conns && !h.http_conns && !h.streams && !h.exchanges && !h.arenas)
			continue;
		clean = false;
		ss_log(SS_LOG_ERROR, "holdings: not zero", "worker", ss_log_u64(i), "mbufs",
		       ss_log_u64(h.mbufs), "conns", ss_log_u64(h.conns), "tls_conns", ss_log_u64(h.tls_conns),
		       "http_conns", ss_log_u64(h.http_conns), "streams", ss_log_u64(h.streams), "exchanges",
		       ss_log_u64(h.exchanges), "arenas", ss_log_u64(h.arenas), NULL);
	}
	for (uint32_t i = 0; i < ss_fleet_ports(n->fleet); i++) {
		struct ss_port_info f;
		ss_port_info(ss_fleet_port(n->fleet, i), &f);
		if (f.pool_used == f.pool_held)
			continue;
		clean = false;
		ss_log(SS_LOG_ERROR, "holdings: received packets", "port", ss_port_name(ss_fleet_port(n->fleet, i)),
		       "used", ss_log_u64(f.pool_used), "driver", ss_log_u64(f.pool_held), NULL);
	}
	if (clean)
		ss_log(SS_LOG_INFO, "holdings: all zero", NULL);
	return clean;
}

/* Snapshots go after the workers that read them and before the endpoint table that they hold slots of. */
static void end_node(struct node *n)
{
	if (n->admin)
		ss_admin_free(n->admin);
	ss_tele_free(n->tele);
	if (n->fleet)
		ss_fleet_free(n->fleet);
	if (n->apply)
		ss_apply_free(n->apply);
	if (n->publish)
		ss_publish_free(n->publish);
	free_build(n);
	ss_loop_free(n->loop);
}

static int serve(struct node *n)
{
	const struct ss_model *m = ss_apply_model(n->apply);

	if (!ss_loop_signal(n->loop, SIGTERM, on_end, n) || !ss_loop_signal(n->loop, SIGINT, on_end, n) ||
	    !ss_loop_signal(n->loop, SIGHUP, on_reload, n) || !ss_loop_every(n->loop, POLL_NS, on_poll, n)) {
		ss_log(SS_LOG_ERROR, "cannot start", "reason", "no memory", NULL);
		return EXIT_START;
	}
	ss_log(SS_LOG_INFO, "started", "version", SIDESTEP_VERSION, "node", m->process.node, "workers",
	       ss_log_u64(m->process.n_workers), "ports", ss_log_u64(m->process.n_ports), "hash", m->hash, NULL);
	ss_loop_run(n->loop);
	ss_log(SS_LOG_INFO, "stopping", "drained_workers", ss_log_u64(n->drained), NULL);
	ss_fleet_stop(n->fleet);
	return nothing_held(n) ? 0 : EXIT_HELD;
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
	static struct node n;
	struct ss_model_errors errors = { 0 };
	struct ss_model *m = NULL;
	char err[512];
	int status = EXIT_START;

	if (ss_cfg_load(o->file, &m, &errors) < 0)
		return print_errors(&errors);
	if (start_eal(&m->process, o->telemetry, err, sizeof(err)) < 0) {
		ss_log(SS_LOG_ERROR, "cannot start", "reason", err, NULL);
		ss_model_free(m);
		return EXIT_START;
	}
	signal(SIGPIPE, SIG_IGN);
	ss_clock_init(&n.clock, 0);
	if (make_node(&n, o, m, err, sizeof(err)) < 0)
		ss_log(SS_LOG_ERROR, "cannot start", "reason", err, NULL);
	else
		status = serve(&n);
	if (!n.apply)
		ss_model_free(m);
	end_node(&n);
	ss_eal_stop();
	return status;
}

static const char usage[] =
	"usage: sidestep [-c FILE]      run (default " DEFAULT_FILE ")\n"
	"       sidestep --check FILE   say everything that is wrong with a configuration\n"
	"       sidestep --version\n"
	"options: --log-level debug|info|warn|error  --log-json  --dpdk-telemetry\n";

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },    { "check", required_argument, NULL, 'k' },
		{ "version", no_argument, NULL, 'v' },	       { "help", no_argument, NULL, 'h' },
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
			printf("sidestep %s\n", SIDESTEP_VERSION);
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
	return o.check ? check(&o) : run(&o);
}
