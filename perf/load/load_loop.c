/*
 * load_loop.c - THE LINE of sidestep-load: as dataplane/worker/worker_loop.c, with a client and an origin where
 * the appliance has its proxy. It always spins: a generator that sleeps would measure its own waking.
 */
#include <rte_pause.h>

#include "perf/load/load_int.h"

/* The turn's time; what the turn before took is booked as busy when it had packets, or made some. */
static uint64_t tick(struct ss_load *w)
{
	uint64_t now = ss_clock_ns(&w->clock), took = now - w->now;

	w->work.turns++;
	if (w->worked) {
		w->work.busy_turns++;
		w->work.busy_ns += took;
		w->work.longest_turn_ns = ss_max_u64(w->work.longest_turn_ns, took);
	}
	w->worked = false;
	return w->now = now;
}

/*
 * Packets are taken before the clock is read: a worker that loses its core in between then tells too long a
 * latency, never too short a one.
 */
static void poll(struct ss_load *w)
{
	for (uint32_t i = 0; i < w->n_ifs; i++)
		w->n_pkts[i] = ss_port_rx(w->ifs[i].q, w->pkts[i]);
}

static void input(struct ss_load *w, uint64_t now)
{
	for (uint32_t i = 0; i < w->n_ifs; i++) {
		if (!w->n_pkts[i])
			continue;
		w->worked = true;
		ss_net_input(w->net, (uint8_t)i, w->pkts[i], w->n_pkts[i], now, &w->segs);
		ss_tcp_input(w->tcp, &w->segs, now, &w->tcp_news);
		w->segs.n = 0;
	}
}

/* A stream belongs to who made it; what nobody owns yet is a request to us. */
static void streams(struct ss_load *w, uint64_t now)
{
	struct ss_list *n;

	while ((n = ss_list_pop(&w->http_news.streams))) {
		struct ss_http_stream *s = ss_http_stream_from_news(n);
		const uint32_t *role = ss_http_owner(s);

		if (role && *role == SS_LOAD_CLIENT)
			ss_load_client_news(&w->client, s, now);
		else
			ss_load_origin_news(&w->origin, s, now);
	}
}

static void bury(struct ss_load *w)
{
	ss_http_bury(w->http);
	ss_tls_bury(w->tls);
	ss_tcp_bury(w->tcp);
}

static void turn(struct ss_load *w)
{
	uint64_t now;

	poll(w);
	now = tick(w); /* the only clock read of a turn */
	input(w, now);
	ss_net_expire(w->net, now);
	ss_tcp_expire(w->tcp, now, &w->tcp_news);
	ss_tls_input(w->tls, w->snap, &w->tcp_news, now, &w->tls_news);
	ss_tls_expire(w->tls, now, &w->tls_news);
	ss_http_input(w->http, w->snap, &w->tls_news, now, &w->http_news);
	ss_http_expire(w->http, now, &w->http_news);
	streams(w, now);
	w->worked |= ss_load_client_run(&w->client, &w->http_news.conns, now);
	w->worked |= ss_load_origin_run(&w->origin, now);

	ss_http_flush(w->http, now);
	ss_tls_flush(w->tls, now);
	ss_tcp_flush(w->tcp, now);
	for (uint32_t i = 0; i < w->n_ifs; i++)
		ss_port_tx(w->ifs[i].q);
	bury(w);
	ss_load_phase(w, now);
}

int ss_load_run(void *arg)
{
	struct ss_load *w = arg;

	w->now = ss_clock_ns(&w->clock);
	while (w->phase != SS_LOAD_ENDED) {
		turn(w);
		if (!w->worked)
			rte_pause();
	}
	ss_net_stop(w->net);
	atomic_store(&w->ended, 1);
	return 0;
}
