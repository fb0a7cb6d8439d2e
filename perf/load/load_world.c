/* load_world.c - ports and rooms, made by hand in the order of the line, and ended in reverse. */
#include <rte_errno.h>
#include <rte_mempool.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/siphash.h"
#include "contract/tickets.h"
#include "perf/load/load_int.h"

#define PORT_LOW 16384
#define PORT_HIGH 65535
#define NEIGHBOURS 256
#define MAX_PLAIN (64 * 1024)
/* Enough that a body's rest does not wait for an acknowledgement on a short wire. */
#define TCP_BUF (256 * 1024)
/* Churn opens more connections a minute than there are ports: both ends are ours or tests', nothing of an
 * old connection is under way any more. */
#define TIME_WAIT_NS (10 * SS_NS_PER_MS)
/* Buffers that each lcore keeps at hand. */
#define MBUF_CACHE 256

/* How many of everything, by what is asked for. */
struct sizes {
	uint32_t conns, client_streams, origin_streams, streams;
};

static struct sizes sizes_of(const struct ss_load_opts *o)
{
	struct sizes z = { .conns = 256 };

	if (o->client) {
		/* With churn an old connection ends while the new one opens. */
		z.conns += 2 * (o->connections + o->idle);
		z.client_streams = 2 * o->connections * o->streams + 64;
	}
	if (o->n_listen) {
		z.conns += 2 * o->max_connections;
		z.origin_streams = ss_max_u32(8192, o->max_connections);
	}
	/* http gives half of the pool to requests that come in. */
	z.streams = z.client_streams + 2 * z.origin_streams;
	return z;
}

static int open_ports(struct ss_load *w, char *err, size_t err_n)
{
	for (uint32_t i = 0; i < w->o->n_ports; i++) {
		const struct ss_load_port *p = &w->o->ports[i];
		struct ss_load_if *f = &w->ifs[i];
		struct ss_port_conf conf = { .name = f->name,
					     .device = p->device,
					     .queues = 1,
					     .n_workers = 1,
					     .mtu = (uint16_t)p->mtu,
					     .rx_descriptors = (uint16_t)w->o->descriptors,
					     .tx_descriptors = (uint16_t)w->o->descriptors,
					     .mbufs = w->o->mbufs };

		snprintf(f->name, sizeof(f->name), "port%u", i);
		int code = ss_port_open(&f->port, &conf, err, err_n);
		if (code < 0)
			return code;
		f->q = ss_port_queue(f->port, 0, w->counters);
		w->n_ifs++;
	}
	return 0;
}

static int make_memory(struct ss_load *w, const struct sizes *z)
{
	w->bufs.mp = rte_pktmbuf_pool_create("load", w->o->mbufs, MBUF_CACHE, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
					     SOCKET_ID_ANY);
	if (!w->bufs.mp)
		return SS_ERR_NO_MEM;
	return ss_arena_pools_create(&w->arenas, z->streams + z->streams / 4, z->streams / 32 + 16);
}

static int make_net(struct ss_load *w)
{
	struct ss_net_if_conf *ifs = calloc(w->n_ifs, sizeof(*ifs));
	struct ss_net_conf conf = { .n_ifs = (uint16_t)w->n_ifs,
				    .ifs = ifs,
				    .max_neighbours = NEIGHBOURS,
				    .bufs = &w->bufs,
				    .counters = w->counters };

	if (!ifs)
		return SS_ERR_NO_MEM;
	for (uint32_t i = 0; i < w->n_ifs; i++) {
		const struct ss_load_port *p = &w->o->ports[i];
		struct ss_port_info info;

		ss_port_info(w->ifs[i].port, &info);
		ifs[i] = (struct ss_net_if_conf){ .name = w->ifs[i].name,
						  .mtu = info.mtu,
						  .n_addrs = (uint16_t)p->n_addrs,
						  .gateway = p->gateway,
						  .port = w->ifs[i].q,
						  .announce = true,
						  .answers = true };
		memcpy(ifs[i].mac, info.mac, sizeof(ifs[i].mac));
		for (uint32_t a = 0; a < p->n_addrs; a++)
			ifs[i].addrs[a] = (struct ss_net_addr){ p->addrs[a].ip, p->addrs[a].prefix };
	}
	int code = ss_net_create(&w->net, &conf, w->now);
	free(ifs);
	return code;
}

static int make_tcp(struct ss_load *w, const struct sizes *z)
{
	struct ss_tcp_conf conf = { .max_conns = z->conns + z->conns / 2, /* accepts do not get the last quarter */
				    .max_half_open = z->conns,
				    .rcv_buf = TCP_BUF,
				    .snd_buf = TCP_BUF,
				    .time_wait_ns = TIME_WAIT_NS,
				    .connect_timeout_ns = w->o->timeout_ns,
				    .user_timeout_ns = 60 * SS_NS_PER_SEC,
				    .port_low = PORT_LOW,
				    .port_high = PORT_HIGH,
				    .n_workers = 1,
				    .net = w->net,
				    .bufs = &w->bufs,
				    .counters = w->counters };
	struct ss_sipkey secret;

	ss_sipkey_random(&secret);
	memcpy(conf.secret, secret.k, sizeof(conf.secret));
	return ss_tcp_create(&w->tcp, &conf, w->now);
}

static int make_upper(struct ss_load *w, const struct sizes *z)
{
	struct ss_tls_conf tls = { .max_conns = z->conns,
				   .max_plain = MAX_PLAIN,
				   /* Tickets come after the handshake: only OpenSSL keeps them. */
				   .records = w->o->resume ? SS_TLS_RECORDS_OPENSSL : SS_TLS_RECORDS_AUTO,
				   .tcp = w->tcp,
				   .bufs = &w->bufs,
				   .counters = w->counters }; /* no event ring: refusals are counted */
	struct ss_http_conf http = { .max_conns = z->conns,
				     .max_streams = z->streams,
				     .bufs = &w->bufs,
				     .arenas = &w->arenas,
				     .counters = w->counters };
	if (w->o->origin_tickets && !(tls.tickets = w->tickets = ss_load_tickets_keys()))
		return SS_ERR_NO_MEM;
	int code = ss_tls_create(&w->tls, &tls, w->now);

	http.tls = w->tls;
	return code < 0 ? code : ss_http_create(&w->http, &http, w->now);
}

static int make_client(struct ss_load *w, char *err, size_t err_n)
{
	struct ss_load_client *c = &w->client;

	c->o = w->o;
	c->pattern = &w->pattern;
	c->http = w->http;
	c->feed.bufs = &w->bufs;
	ss_list_init(&c->feed.hungry);
	c->live = &w->live;
	ss_list_init(&c->free);
	ss_list_init(&c->closed);
	ss_list_init(&c->in_flight);
	if (!w->o->client)
		return 0;
	c->cluster = &w->snap->clusters[0];
	if (w->o->resume)
		c->cluster = ss_load_tickets_create(&c->tickets, c->cluster);
	return ss_load_client_create(c, w->now, err, err_n);
}

static int make_origin(struct ss_load *w, const struct sizes *z, char *err, size_t err_n)
{
	struct ss_load_origin *g = &w->origin;
	int code = 0;

	g->o = w->o;
	g->pattern = &w->pattern;
	g->http = w->http;
	g->feed.bufs = &w->bufs;
	ss_list_init(&g->feed.hungry);
	g->live = &w->live;
	/* http may keep a stream a little longer than we keep its answer, never the other way round. */
	if (w->o->n_listen)
		code = ss_load_origin_create(g, z->streams);
	for (uint32_t i = 0; code == 0 && i < w->snap->n_listeners; i++) {
		const struct ss_listener *l = &w->snap->listeners[i];

		snprintf(err, err_n, "--origin-tickets: no memory");
		if (w->o->origin_tickets && l->tls->mode != SS_TLS_DISABLE && !ss_load_tickets_give(l->tls))
			return SS_ERR_NO_MEM;
		snprintf(err, err_n, "--listen: the address and port are there twice");
		code = ss_tcp_listen(w->tcp, &l->addr, l->name, l->max_connections);
	}
	return code;
}

static int make(struct ss_load *w, char *err, size_t err_n)
{
	struct sizes z = sizes_of(w->o);
	int code = open_ports(w, err, err_n);

	if (code < 0)
		return code;
	snprintf(err, err_n, "no memory: --memory and --mbufs, --connections, --max-connections bound it");
	if ((code = make_memory(w, &z)) < 0 || (code = make_net(w)) < 0 || (code = make_tcp(w, &z)) < 0 ||
	    (code = make_upper(w, &z)) < 0)
		return code;
	code = make_client(w, err, err_n);
	return code < 0 ? code : make_origin(w, &z, err, err_n);
}

static void *lined_up(size_t n)
{
	size_t whole = (n + SS_CACHE_LINE - 1) & ~(size_t)(SS_CACHE_LINE - 1);
	void *p = aligned_alloc(SS_CACHE_LINE, whole);

	if (p)
		memset(p, 0, whole);
	return p;
}

int ss_load_create(struct ss_load **out, const struct ss_load_opts *o, const struct ss_load_setup *s, char *err,
		   size_t err_n)
{
	struct ss_load *w = lined_up(sizeof(*w));

	snprintf(err, err_n, "no memory");
	if (!w || !(w->counters = lined_up(sizeof(*w->counters)))) {
		free(w);
		return SS_ERR_NO_MEM;
	}
	w->o = o;
	w->snap = s->snap;
	ss_list_init(&w->tcp_news);
	ss_list_init(&w->tls_news);
	ss_list_init(&w->http_news.streams);
	ss_list_init(&w->http_news.conns);
	ss_list_init(&w->http_news.aside_streams);
	ss_list_init(&w->http_news.aside_conns);
	ss_load_pattern_init(&w->pattern);
	ss_clock_init(&w->clock, 0);
	w->now = ss_clock_ns(&w->clock);
	int code = make(w, err, err_n);
	if (code < 0) {
		ss_load_free(w);
		return code;
	}
	*out = w;
	return 0;
}

bool ss_load_nothing_held(struct ss_load *w)
{
	uint32_t mbufs = rte_mempool_in_use_count(w->bufs.mp), arenas;
	bool clean;

	for (uint32_t i = 0; i < w->n_ifs; i++)
		ss_port_settle(w->ifs[i].port);
	mbufs = rte_mempool_in_use_count(w->bufs.mp);
	arenas = ss_pool_used(w->arenas.small) + ss_pool_used(w->arenas.large);
	clean = !mbufs && !arenas && !ss_tcp_conns(w->tcp) && !ss_tls_conns(w->tls) && !ss_http_conns(w->http) &&
		!ss_http_streams(w->http);
	if (!clean)
		fprintf(stderr,
			"sidestep-load: held at the end: mbufs %u, conns %u, tls_conns %u, http_conns %u, streams %u, "
			"arenas %u\n", mbufs, ss_tcp_conns(w->tcp), ss_tls_conns(w->tls), ss_http_conns(w->http),
			ss_http_streams(w->http), arenas);
	for (uint32_t i = 0; i < w->n_ifs; i++) {
		struct ss_port_info f;

		ss_port_info(w->ifs[i].port, &f);
		if (f.pool_used == f.pool_held)
			continue;
		clean = false;
		fprintf(stderr, "sidestep-load: %s: %u received packets held at the end, %u of them by the driver\n",
			w->ifs[i].name, f.pool_used, f.pool_held);
	}
	return clean;
}

/* Upper rooms first: each gives back what it holds of the rooms below. */
void ss_load_free(struct ss_load *w)
{
	if (!w)
		return;
	if (w->client.requests)
		ss_load_client_free(&w->client);
	if (w->origin.answers)
		ss_load_origin_free(&w->origin);
	if (w->http)
		ss_http_free(w->http);
	if (w->tls)
		ss_tls_free(w->tls);
	ss_ticket_ring_free(w->tickets);
	if (w->tcp)
		ss_tcp_free(w->tcp);
	if (w->net)
		ss_net_free(w->net);
	if (w->arenas.small)
		ss_arena_pools_free(&w->arenas);
	rte_mempool_free(w->bufs.mp);
	for (uint32_t i = 0; i < w->n_ifs; i++)
		ss_port_close(w->ifs[i].port);
	free(w->counters);
	free(w);
}
