/*
 * worker_init.c - every room of a worker, made by hand in the order of the line, and ended in reverse.
 */
#include <rte_errno.h>
#include <rte_mempool.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/siphash.h"
#include "worker/worker_int.h"

/* Local ports of our connects: above the ranges that services listen on. */
#define PORT_LOW 16384
#define PORT_HIGH 65535
/* A cluster's connect timeout ends most attempts earlier. */
#define CONNECT_NS (30 * SS_NS_PER_SEC)
/* Plaintext held per connection before reading stops: four full records. */
#define MAX_PLAIN (64 * 1024)
#define MBUF_CACHE 256

static int refuse(char *err, size_t err_n, int code, const char *what)
{
	snprintf(err, err_n, "worker: cannot make %s: %s", what, ss_err_text(code));
	return code;
}

/* Other workers give our mbufs back (a frame sent through their queue): relaxed-tail rings do not spin
 * when such a worker is preempted in the middle, as the default ones do. */
static int make_memory(struct ss_worker *w)
{
	const struct ss_worker_conf *c = &w->conf;
	char name[RTE_MEMPOOL_NAMESIZE];
	uint32_t cache = ss_min_u32(MBUF_CACHE, c->mbufs / 4);

	snprintf(name, sizeof(name), "worker_%u", c->index);
	w->bufs.mp = rte_pktmbuf_pool_create_by_ops(name, c->mbufs, cache, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
						    SOCKET_ID_ANY,
						    c->n_workers > 1 ? "ring_mt_rts" : "ring_mp_mc");
	if (!w->bufs.mp)
		return SS_ERR_NO_MEM;
	return ss_arena_pools_create(&w->arenas, c->arena_small, c->arena_large);
}

static int make_net(struct ss_worker *w, uint64_t now)
{
	const struct ss_worker_conf *c = &w->conf;
	struct ss_net_if_conf *ifs = calloc(c->n_ifs ? c->n_ifs : 1, sizeof(*ifs));
	struct ss_net_conf conf = { .n_ifs = c->n_ifs,
				    .ifs = ifs,
				    .max_neighbours = c->neighbours,
				    .bufs = &w->bufs,
				    .counters = c->counters };
	if (!ifs)
		return SS_ERR_NO_MEM;
	for (uint16_t i = 0; i < c->n_ifs; i++) {
		const struct ss_worker_if *f = &c->ifs[i];
		ifs[i].name = f->name;
		memcpy(ifs[i].mac, w->port[i].mac, sizeof(ifs[i].mac));
		ifs[i].mtu = w->port[i].mtu;
		ifs[i].gateway = f->gateway;
		ifs[i].port = w->port[i].q;
		/* Frames that are not TCP are steered to worker 0: it speaks for the interface. */
		ifs[i].announce = ifs[i].answers = c->index == 0;
		ifs[i].n_addrs = f->n_addrs;
		for (uint16_t a = 0; a < f->n_addrs; a++)
			ifs[i].addrs[a] = (struct ss_net_addr){ f->addrs[a].ip, f->addrs[a].prefix };
	}
	int err = ss_net_create(&w->net, &conf, now);
	free(ifs);
	return err;
}

static int make_tcp(struct ss_worker *w, uint64_t now)
{
	const struct ss_worker_conf *c = &w->conf;
	struct ss_tcp_conf conf = { .max_conns = c->conns,
				    .kept_conns = c->upstream_conns,
				    .max_half_open = c->half_open,
				    .rcv_buf = c->rcv_buf,
				    .snd_buf = c->snd_buf,
				    .time_wait_ns = c->time_wait_ns,
				    .connect_timeout_ns = CONNECT_NS,
				    .user_timeout_ns = c->user_timeout_ns,
				    .port_low = PORT_LOW,
				    .port_high = PORT_HIGH,
				    .worker = c->index,
				    .n_workers = c->n_workers,
				    .net = w->net,
				    .bufs = &w->bufs,
				    .counters = c->counters };
	struct ss_sipkey secret;

	ss_sipkey_random(&secret);
	memcpy(conf.secret, secret.k, sizeof(conf.secret));
	return ss_tcp_create(&w->tcp, &conf, now);
}

static int make_tls(struct ss_worker *w, uint64_t now)
{
	struct ss_tls_conf conf = { .max_conns = w->conf.conns,
				    .max_tls_conns = w->conf.tls_conns,
				    .expanded_keys = w->conf.expanded_keys,
				    .max_plain = MAX_PLAIN,
				    .worker = w->index,
				    .records = w->conf.tls_records,
				    .device = w->conf.tls_device,
				    .tickets = w->conf.tickets,
				    .crew = w->conf.crew,
				    .offload = w->conf.offload,
				    .handshake_queue = w->conf.handshake_queue,
				    .handshake_rate = w->conf.handshake_rate,
				    .tcp = w->tcp,
				    .bufs = &w->bufs,
				    .counters = w->counters,
				    .events = w->conf.events };
	return ss_tls_create(&w->tls, &conf, now);
}

/* Copies of requests at once: some of the streams' number, with streams of their own. */
static uint32_t mirrors(const struct ss_worker_conf *c)
{
	return ss_min_u32(c->exchanges / 32 + 8, 1024);
}

/* Probes under way at once: all endpoints may hang, and then each holds a stream for its timeout. */
static uint32_t probes(const struct ss_worker_conf *c)
{
	return ss_min_u32(c->endpoints->n_eps / c->n_workers + 1, ss_max_u32(c->streams / 4, 64));
}

static int make_http(struct ss_worker *w, uint64_t now)
{
	struct ss_http_conf conf = { .max_conns = w->conf.conns,
				     .max_h2_conns = w->conf.h2_conns,
				     .max_streams = w->conf.streams,
				     .spare_streams = mirrors(&w->conf) + probes(&w->conf),
				     .tls = w->tls,
				     .bufs = &w->bufs,
				     .arenas = &w->arenas,
				     .counters = w->counters };
	return ss_http_create(&w->http, &conf, now);
}

static int make_up(struct ss_worker *w, uint64_t now)
{
	struct ss_up_conf conf = { .max_conns = w->conf.conns,
				   .max_clusters = w->conf.endpoints->n_clusters,
				   .max_endpoints = w->conf.endpoints->n_eps,
				   .worker = w->index,
				   .n_workers = w->n_workers,
				   .seed = w->conf.seed,
				   .http = w->http,
				   .endpoints = w->conf.endpoints,
				   .counters = w->counters,
				   .events = w->conf.events };
	return ss_up_create(&w->up, &conf);
}

static int make_health(struct ss_worker *w, uint64_t now)
{
	/* A quarter of the connections may stay open for the next probe; clients and requests have the rest. */
	struct ss_health_room conf = { .max_conns = w->conf.conns / 4,
				       .worker = w->index,
				       .n_workers = w->n_workers,
				       .seed = w->conf.seed,
				       .http = w->http,
				       .bufs = &w->bufs,
				       .endpoints = w->conf.endpoints,
				       .counters = w->counters,
				       .events = w->conf.events };
	return ss_health_create(&w->health, &conf, now);
}

static int make_proxy(struct ss_worker *w, uint64_t now)
{
	struct ss_proxy_conf conf = { .max_exchanges = w->conf.exchanges,
				      .max_mirrors = mirrors(&w->conf),
				      /* An eighth of the packet buffers. */
				      .mirror_bytes = w->conf.mbufs / 8 * 2048,
				      .max_checks = ss_max_u32(w->conf.exchanges / 4, 8),
				      .worker = w->index,
				      .seed = w->conf.seed + w->index,
				      .http = w->http,
				      .up = w->up,
				      .bufs = &w->bufs,
				      .counters = w->counters,
				      .events = w->conf.events,
				      .endpoints = w->conf.endpoints,
				      .limits = w->conf.limits };
	return ss_proxy_create(&w->proxy, &conf, now);
}

static int make_rooms(struct ss_worker *w, char *err, size_t err_n)
{
	static const struct {
		const char *what;
		int (*make)(struct ss_worker *w, uint64_t now);
	} steps[] = { { "net", make_net },   { "tcp", make_tcp }, { "TLS (does this machine have what tls.records asks for?)", make_tls },
		      { "http", make_http }, { "upstream pools", make_up }, { "health", make_health },
		      { "proxy", make_proxy } };
	int code = make_memory(w);

	if (code < 0)
		return refuse(err, err_n, code, "its packet buffers and arenas (memory.size_mb bounds them)");
	for (size_t i = 0; i < SS_ARRAY_LEN(steps); i++) {
		code = steps[i].make(w, w->now);
		if (code < 0)
			return refuse(err, err_n, code, steps[i].what);
	}
	return 0;
}

int ss_worker_create_on(struct ss_worker **out, const struct ss_worker_conf *conf,
			const struct ss_worker_port *ports, char *err, size_t err_n)
{
	struct ss_worker *w = aligned_alloc(SS_CACHE_LINE, (sizeof(*w) + SS_CACHE_LINE - 1) &
								   ~(size_t)(SS_CACHE_LINE - 1));
	if (!w)
		return refuse(err, err_n, SS_ERR_NO_MEM, "its struct");
	memset(w, 0, sizeof(*w));
	w->conf = *conf;
	w->clock = conf->clock;
	w->box = conf->box;
	w->counters = conf->counters;
	w->index = conf->index;
	w->n_workers = conf->n_workers;
	w->n_ifs = conf->n_ifs;
	ss_ledger_init(&w->counters->ledger, w->clock, conf->stage_sampling, conf->seed + conf->index);
	for (uint16_t i = 0; i < w->n_ifs; i++)
		w->spare[i] = conf->mbufs; /* until worker_relief.c has looked */
	memcpy(w->port, ports, conf->n_ifs * sizeof(*ports));
	ss_list_init(&w->tcp_news);
	ss_list_init(&w->tls_news);
	ss_list_init(&w->ready);
	ss_list_init(&w->http_news.streams);
	ss_list_init(&w->http_news.conns);
	ss_list_init(&w->http_news.aside_streams);
	ss_list_init(&w->http_news.aside_conns);
	w->now = w->worked_at = ss_clock_ns(w->clock);
	int code = make_rooms(w, err, err_n);
	if (code < 0) {
		ss_worker_free(w);
		return code;
	}
	if (conf->handover)
		ss_handover_join(conf->handover, w->index, conf->mail);
	*out = w;
	return 0;
}

int ss_worker_create(struct ss_worker **out, const struct ss_worker_conf *conf, char *err, size_t err_n)
{
	struct ss_worker_port ports[SS_MAX_PORTS];

	if (conf->n_ifs > SS_MAX_PORTS) {
		snprintf(err, err_n, "worker: more than %d interfaces", SS_MAX_PORTS);
		return SS_ERR_CONFIG;
	}
	for (uint16_t i = 0; i < conf->n_ifs; i++) {
		struct ss_port_info info;
		ss_port_info(conf->ifs[i].port, &info);
		memcpy(ports[i].mac, info.mac, sizeof(info.mac));
		ports[i].mtu = info.mtu;
		ports[i].has_queue = conf->index < info.queues;
		ports[i].q = ss_port_queue(conf->ifs[i].port, conf->index, conf->counters);
	}
	return ss_worker_create_on(out, conf, ports, err, err_n);
}

/* Upper rooms first: each gives back what it holds of the rooms below. A room not made is NULL. */
static void end_rooms(struct ss_worker *w)
{
	if (w->proxy)
		ss_proxy_free(w->proxy);
	ss_health_free(w->health);
	if (w->up)
		ss_up_free(w->up);
	if (w->http)
		ss_http_free(w->http);
	if (w->tls)
		ss_tls_free(w->tls);
	if (w->tcp)
		ss_tcp_free(w->tcp);
	if (w->net)
		ss_net_free(w->net);
}

void ss_worker_free(struct ss_worker *w)
{
	if (!w)
		return;
	end_rooms(w);
	ss_arena_pools_free(&w->arenas);
	rte_mempool_free(w->bufs.mp);
	free(w);
}

void ss_worker_holdings(const struct ss_worker *w, struct ss_worker_holdings *out)
{
	*out = (struct ss_worker_holdings){ .mbufs = rte_mempool_in_use_count(w->bufs.mp),
					    .conns = ss_tcp_conns(w->tcp),
					    .tls_conns = ss_tls_conns(w->tls),
					    .http_conns = ss_http_conns(w->http),
					    .streams = ss_http_streams(w->http),
					    .exchanges = ss_proxy_exchanges(w->proxy),
					    .arenas = ss_pool_used(w->arenas.small) +
						      ss_pool_used(w->arenas.large) };
}
