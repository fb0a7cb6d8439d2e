#include "start/fleet.h"

#include <rte_launch.h>
#include <rte_lcore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/siphash.h"
#include "crew/crew.h"
#include "tls/tls_device.h"

#define EVENT_RECORDS 8192
#define NEIGHBOURS 1024

struct ss_fleet {
	struct ss_fleet_conf conf;
	uint32_t n_workers, n_ports;
	bool launched;
	struct ss_tls_device *tls_device; /* NULL: none */
	struct ss_port *port[SS_MAX_PORTS];
	struct ss_worker_if ifs[SS_MAX_PORTS];
	struct ss_handover *handover;
	struct ss_crew *crew; /* NULL: workers do their handshakes themselves */
	struct ss_worker *worker[SS_MAX_WORKERS];
	struct ss_mailbox *mail[SS_MAX_WORKERS];
	struct ss_counters *counters[SS_MAX_WORKERS];
	struct ss_event_ring *events[SS_MAX_WORKERS];
};

static int open_port(struct ss_fleet *f, const struct ss_model_port *m, char *err, size_t err_n)
{
	struct ss_port_conf conf = { .name = m->name,
				     .device = m->device,
				     .queues = (uint16_t)m->queues,
				     .n_workers = (uint16_t)f->n_workers,
				     .mtu = (uint16_t)m->mtu,
				     .rx_descriptors = (uint16_t)m->rx_descriptors,
				     .tx_descriptors = (uint16_t)m->tx_descriptors,
				     .mbufs = m->mbufs };
	struct ss_worker_if *ifc = &f->ifs[f->n_ports];
	int code = ss_port_open(&f->port[f->n_ports], &conf, err, err_n);

	if (code < 0)
		return code;
	ifc->port = f->port[f->n_ports++];
	ifc->name = ss_port_name(ifc->port);
	ifc->gateway = m->gateway;
	ifc->n_addrs = (uint16_t)m->n_addrs;
	for (uint32_t i = 0; i < m->n_addrs; i++) {
		ifc->addrs[i].ip = m->addrs[i].ip;
		ifc->addrs[i].prefix = m->addrs[i].prefix;
	}
	return 0;
}

static struct ss_counters *new_counters(void)
{
	struct ss_counters *c = aligned_alloc(SS_CACHE_LINE, sizeof(*c));
	if (c)
		memset(c, 0, sizeof(*c));
	return c;
}

/* What control and workers share: it exists before the workers, and outlives them. */
static int make_shared(struct ss_fleet *f)
{
	for (uint32_t i = 0; i < f->n_workers; i++) {
		f->mail[i] = ss_mailbox_create();
		f->counters[i] = new_counters();
		f->events[i] = ss_event_ring_create(EVENT_RECORDS);
		if (!f->mail[i] || !f->counters[i] || !f->events[i])
			return SS_ERR_NO_MEM;
	}
	return f->n_workers > 1 ? ss_handover_create(&f->handover, (uint16_t)f->n_workers) : 0;
}

int ss_fleet_create(struct ss_fleet **out, const struct ss_fleet_conf *conf, char *err, size_t err_n)
{
	struct ss_fleet *f = calloc(1, sizeof(*f));

	if (!f) {
		snprintf(err, err_n, "no memory for the workers");
		return SS_ERR_NO_MEM;
	}
	f->conf = *conf;
	f->n_workers = conf->process->n_workers;
	int code = make_shared(f);
	if (code < 0)
		snprintf(err, err_n, "no memory for what %u workers share", f->n_workers);
	for (uint32_t i = 0; code == 0 && i < conf->process->n_ports; i++)
		code = open_port(f, &conf->process->ports[i], err, err_n);
	if (code == 0 && conf->process->crypto_device)
		code = ss_tls_device_open(&f->tls_device, conf->process->crypto_device, (uint16_t)f->n_workers,
					  conf->process->expanded_keys, err, err_n);
	if (code < 0) {
		ss_fleet_free(f);
		return code;
	}
	*out = f;
	return 0;
}

/* Beside the control thread, which has little to do, unless the configuration has cores for them. */
static int start_crew(struct ss_fleet *f, char *err, size_t err_n)
{
	const struct ss_model_process *p = f->conf.process;
	struct ss_crew_conf c = { .n_workers = (uint16_t)f->n_workers,
				  .n_threads = (uint16_t)p->handshake_threads,
				  .slots = p->handshake_queue,
				  .n_cores = p->n_handshake_cores ? p->n_handshake_cores : 1,
				  .core = p->n_handshake_cores ? p->handshake_core : &p->control_core,
				  .mail = f->mail,
				  .offload = f->conf.offload };
	int code = p->handshake_threads ? ss_crew_create(&f->crew, &c) : 0;

	if (code < 0)
		snprintf(err, err_n, "%u handshake threads do not start (tls.handshake_cores?): %s",
			 p->handshake_threads, ss_err_text(code));
	return code;
}

/* A stream takes one small chunk of memory, most often; large ones are for big heads. */
static void size_worker(struct ss_worker_conf *c, const struct ss_model_process *p)
{
	c->mbufs = p->mbufs;
	c->conns = p->conns;
	c->h2_conns = p->h2_conns;
	c->tls_conns = p->tls_conns;
	c->upstream_conns = p->upstream_conns;
	c->expanded_keys = p->expanded_keys;
	c->streams = p->streams;
	c->exchanges = p->streams;
	c->half_open = p->half_open;
	c->arena_small = p->streams + p->streams / 4;
	c->arena_large = p->streams / 32 + 16;
	c->neighbours = NEIGHBOURS;
	c->rcv_buf = p->rcv_buf;
	c->snd_buf = p->snd_buf;
	c->time_wait_ns = p->time_wait_ns;
	c->user_timeout_ns = p->user_timeout_ns;
	c->tls_records = p->tls_records;
	c->handshake_queue = p->handshake_queue;
	c->handshake_rate = (p->handshake_rate + p->n_workers - 1) / p->n_workers;
	c->busy_poll = p->busy_poll_always ? SS_POLL_ALWAYS : SS_POLL_ADAPTIVE;
	c->idle_sleep_ns = p->idle_sleep_ns;
	c->stage_sampling = p->stage_sampling;
	c->shed_mbufs = p->shed_mbufs;
	c->shed_conns = p->shed_conns;
	c->shed_delay_ns = p->shed_delay_ns;
}

/* With the control thread, or with another worker. */
static bool shares_core(const struct ss_model_process *p, uint32_t worker)
{
	return p->worker_core[worker] == p->control_core || ss_model_core_shared(p, p->worker_core[worker], 1);
}

static int make_worker(struct ss_fleet *f, uint32_t i, uint64_t seed, char *err, size_t err_n)
{
	struct ss_worker_conf c = { .index = (uint16_t)i,
				    .n_workers = (uint16_t)f->n_workers,
				    .n_ifs = (uint16_t)f->n_ports,
				    .ifs = f->ifs,
				    .clock = f->conf.clock,
				    .box = f->conf.box,
				    .endpoints = f->conf.endpoints,
				    .limits = f->conf.limits,
				    .tickets = f->conf.tickets,
				    .crew = f->crew,
				    .tls_device = f->tls_device,
				    .offload = f->conf.offload,
				    .counters = f->counters[i],
				    .mail = f->mail[i],
				    .events = f->events[i],
				    .handover = f->handover,
				    .shares_core = shares_core(f->conf.process, i),
				    .seed = seed };
	size_worker(&c, f->conf.process);
	return ss_worker_create(&f->worker[i], &c, err, err_n);
}

int ss_fleet_launch(struct ss_fleet *f, char *err, size_t err_n)
{
	struct ss_sipkey seed;

	int code = start_crew(f, err, err_n);

	ss_sipkey_random(&seed);
	for (uint32_t i = 0; code == 0 && i < f->n_workers; i++) {
		code = make_worker(f, i, seed.k[0], err, err_n);
	}
	if (code < 0)
		return code;
	f->conf.process = NULL;
	for (uint32_t i = 0; i < f->n_workers; i++) {
		f->launched = true;
		if (rte_eal_remote_launch(ss_worker_run, f->worker[i], i + 1) < 0) {
			snprintf(err, err_n, "worker %u cannot start on its core", i);
			return SS_ERR_FATAL;
		}
	}
	return 0;
}

static void tell_all(struct ss_fleet *f, struct ss_mail mail)
{
	for (uint32_t i = 0; i < f->n_workers; i++)
		ss_mailbox_send(f->mail[i], mail);
}

void ss_fleet_drain(struct ss_fleet *f, uint64_t deadline)
{
	tell_all(f, (struct ss_mail){ .kind = SS_MAIL_DRAIN, .a = deadline });
}

void ss_fleet_stop(struct ss_fleet *f)
{
	if (!f->launched)
		return;
	tell_all(f, (struct ss_mail){ .kind = SS_MAIL_STOP });
	for (uint32_t i = 0; i < f->n_workers; i++)
		rte_eal_wait_lcore(i + 1);
	f->launched = false;
	for (uint32_t i = 0; i < f->n_ports; i++)
		ss_port_settle(f->port[i]);
}

static bool has_addr(const struct ss_worker_if *ifc, const struct ss_ip *ip)
{
	for (uint16_t i = 0; i < ifc->n_addrs; i++)
		if (ss_ip_eq(&ifc->addrs[i].ip, ip))
			return true;
	return false;
}

void ss_fleet_steer(struct ss_fleet *f, const struct ss_snapshot *snap)
{
	struct ss_addr addr[SS_PORT_FLOWS];

	for (uint32_t p = 0; p < f->n_ports; p++) {
		uint16_t n = 0;
		for (uint32_t i = 0; i < snap->n_listeners && n < SS_PORT_FLOWS; i++)
			if (has_addr(&f->ifs[p], &snap->listeners[i].addr.ip))
				addr[n++] = snap->listeners[i].addr;
		ss_port_flows_set(f->port[p], addr, n); /* a refusal is kept for whoever asks for the flows */
	}
}

void ss_fleet_holdings(const struct ss_fleet *f, uint32_t worker, struct ss_worker_holdings *out)
{
	ss_worker_holdings(f->worker[worker], out);
}

/* Workers first: what they hold belongs to ports' pools; before them the threads that have jobs of theirs. A
 * thread that does not end keeps its job, its rings and the mailboxes that it would write to. */
void ss_fleet_free(struct ss_fleet *f)
{
	if (!f)
		return;
	ss_fleet_stop(f);
	bool ended = ss_crew_stop(f->crew);
	for (uint32_t i = 0; i < f->n_workers; i++)
		ss_worker_free(f->worker[i]);
	if (ended)
		ss_crew_free(f->crew);
	ss_handover_free(f->handover);
	for (uint32_t i = 0; i < f->n_ports; i++)
		ss_port_close(f->port[i]);
	ss_tls_device_close(f->tls_device);
	for (uint32_t i = 0; i < f->n_workers; i++) {
		if (ended)
			ss_mailbox_free(f->mail[i]);
		ss_event_ring_free(f->events[i]);
		free(f->counters[i]);
	}
	if (ended)
		free(f); /* else the crew still looks up the mailboxes in it */
}

uint32_t ss_fleet_workers(const struct ss_fleet *f)
{
	return f->n_workers;
}

struct ss_mailbox *const *ss_fleet_mail(const struct ss_fleet *f)
{
	return f->mail;
}

struct ss_counters *const *ss_fleet_counters(const struct ss_fleet *f)
{
	return f->counters;
}

struct ss_event_ring *const *ss_fleet_events(const struct ss_fleet *f)
{
	return f->events;
}

uint32_t ss_fleet_ports(const struct ss_fleet *f)
{
	return f->n_ports;
}

struct ss_port *ss_fleet_port(const struct ss_fleet *f, uint32_t i)
{
	return f->port[i];
}
