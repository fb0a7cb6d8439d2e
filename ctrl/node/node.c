#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/node_int.h"
#include "watch/watch.h"

/* How often mailboxes and event rings are looked at. */
#define POLL_NS (10 * SS_NS_PER_MS)

/* Traffic does not wait for a disk: who cannot keep anything serves all the same, and says so. */
static void open_state(struct ss_node *n, const char *dir)
{
	char why[512];

	if (strcmp(dir, "-") && ss_state_open(&n->state, dir, why, sizeof(why)) < 0)
		ss_log(SS_LOG_WARN, "nothing is kept over a restart", "reason", why, NULL);
	if (ss_history_create(&n->history, n->state) < 0)
		ss_log(SS_LOG_WARN, "there is no history of configurations", "state_dir", dir, NULL);
}

/* What was made when a step fails is ended by ss_node_free. apply takes m. */
static int make_parts(struct ss_node *n, const char *file, struct ss_model *m, char *err, size_t err_n)
{
	struct ss_model_errors errors = { 0 };
	struct ss_fleet_conf fleet = { .process = &m->process, .clock = &n->clock, .box = &n->box };
	struct ss_publish_conf publish = { .box = &n->box,
					   .n_workers = m->process.n_workers,
					   .paced = ss_model_core_shared(&m->process, m->process.control_core, 0),
					   .destroy = ss_build_destroy };
	struct ss_apply_conf apply = { .path = file, .model = m };
	int code;

	open_state(n, m->process.state_dir);
	if ((code = ss_node_make_engine(n, &m->process, err, err_n)) < 0)
		return code;
	snprintf(err, err_n, "no memory");
	if (ss_loop_create(&n->loop) < 0 || ss_node_make_build(n, &m->process) < 0)
		return SS_ERR_NO_MEM;
	if ((code = ss_node_make_tickets(n, &m->process, err, err_n)) < 0)
		return code;
	fleet.tickets = n->tickets;
	fleet.offload = ss_engine_offload(n->engine);
	fleet.endpoints = n->endpoints;
	fleet.limits = n->limits;
	if ((code = ss_fleet_create(&n->fleet, &fleet, err, err_n)) < 0)
		return code;
	publish.mail = ss_fleet_mail(n->fleet);
	if ((code = ss_publish_create(&n->publish, &publish)) < 0)
		return code;
	apply.build = n->build;
	apply.publish = n->publish;
	apply.history = n->history;
	if ((code = ss_node_make_disco(n, &m->process)) < 0)
		return code;
	apply.disco = n->disco;
	if ((code = ss_apply_create(&n->apply, &apply)) < 0)
		return code;
	if ((code = ss_apply_first(n->apply, &errors)) < 0) {
		ss_node_log_errors("configuration refused", &errors);
		snprintf(err, err_n, "the configuration cannot be built");
		return code;
	}
	ss_model_errors_free(&errors);
	if ((code = ss_node_make_canary(n)) < 0 || (code = ss_node_make_outlier(n)) < 0 ||
	    (code = ss_node_make_telemetry(n, err, err_n)) < 0 || (code = ss_node_make_admin(n)) < 0)
		return code;
	ss_node_watch_canaries(n); /* the first request finds their weights */
	return ss_fleet_launch(n->fleet, err, err_n);
}

int ss_node_create(struct ss_node **out, const char *file, struct ss_model *m, int admin_fd, char *err,
		   size_t err_n)
{
	struct ss_node *n = calloc(1, sizeof(*n));

	if (!n) {
		snprintf(err, err_n, "no memory");
		ss_admin_abandon(m->process.admin_socket, admin_fd);
		ss_model_free(m);
		return SS_ERR_NO_MEM;
	}
	n->admin_fd = admin_fd;
	ss_clock_init(&n->clock, 0);
	ss_node_tell_time(n);
	int code = make_parts(n, file, m, err, err_n);
	if (code < 0) {
		if (n->admin_fd >= 0)
			ss_admin_abandon(m->process.admin_socket, n->admin_fd);
		if (!n->apply)
			ss_model_free(m);
		ss_node_free(n);
		return code;
	}
	*out = n;
	return 0;
}

/* Snapshots go after the workers that read them and before the endpoint table that they hold slots of. */
void ss_node_free(struct ss_node *n)
{
	if (!n)
		return;
	ss_watch_free(n->watch);
	if (n->admin)
		ss_admin_free(n->admin);
	ss_tele_free(n->tele);
	ss_outlier_free(n->outlier);
	ss_canary_free(n->canary);
	if (n->fleet)
		ss_fleet_free(n->fleet);
	if (n->apply)
		ss_apply_free(n->apply);
	ss_disco_free(n->disco); /* what it has lent to models */
	if (n->publish)
		ss_publish_free(n->publish);
	ss_node_free_build(n);
	ss_ticket_ring_free(n->tickets);
	ss_engine_close(n->engine);
	ss_history_free(n->history);
	ss_state_close(n->state);
	ss_loop_free(n->loop);
	free(n);
}

/* Prints what each worker still holds; true when that is nothing. */
static bool nothing_held(const struct ss_node *n)
{
	bool clean = true;

	for (uint32_t i = 0; i < ss_fleet_workers(n->fleet); i++) {
		struct ss_worker_holdings h;
		ss_fleet_holdings(n->fleet, i, &h);
		if (!(h.mbufs || h.conns || h.tls_conns || h.http_conns || h.streams || h.exchanges || h.arenas))
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
		ss_log(SS_LOG_ERROR, "holdings: received packets", "port",
		       ss_port_name(ss_fleet_port(n->fleet, i)),
		       "used", ss_log_u64(f.pool_used), "driver", ss_log_u64(f.pool_held), NULL);
	}
	if (clean)
		ss_log(SS_LOG_INFO, "holdings: all zero", NULL);
	return clean;
}

int ss_node_serve(struct ss_node *n)
{
	const struct ss_model *m = ss_apply_model(n->apply);

	if (!ss_loop_signal(n->loop, SIGTERM, ss_node_on_end, n) ||
	    !ss_loop_signal(n->loop, SIGINT, ss_node_on_end, n) ||
	    !ss_loop_signal(n->loop, SIGHUP, ss_node_on_reload, n) ||
	    !ss_loop_every(n->loop, POLL_NS, ss_node_on_poll, n) || ss_node_watch_tickets(n, &m->process) < 0 ||
	    ss_node_watch_secrets(n) < 0) {
		ss_log(SS_LOG_ERROR, "cannot start", "reason", "no memory", NULL);
		return SS_ERR_NO_MEM;
	}
	ss_log(SS_LOG_INFO, "started", "version", SS_NODE_VERSION, "node", m->process.node, "workers",
	       ss_log_u64(m->process.n_workers), "ports", ss_log_u64(m->process.n_ports), "hash", m->hash, NULL);
	ss_loop_run(n->loop);
	ss_log(SS_LOG_INFO, "stopping", "drained_workers", ss_log_u64(n->drained), NULL);
	ss_fleet_stop(n->fleet);
	return nothing_held(n) ? 0 : SS_ERR_LIMIT;
}
