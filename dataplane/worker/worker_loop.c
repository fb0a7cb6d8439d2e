/*
 * worker_loop.c - THE LINE: what one worker does with the packets of one turn. Read this file first.
 *
 * Calls go down, news comes up as lists, and each list is passed to the next room here. A room that
 * makes news for a room below it is seen next turn. Nothing is freed before the burial at the end.
 *
 * stage() says whose time it is from there on (contract/ledger.h); it does nothing else.
 */
#include <rte_cycles.h>
#include <rte_pause.h>
#include <rte_rcu_qsbr.h>
#include <sched.h>

#include "worker/worker_int.h"

/* The turn's time; what the turn before took is booked as busy or idle by what it had received. */
static uint64_t tick(struct ss_worker *w)
{
	uint64_t tsc = rte_rdtsc(), now = ss_clock_at(w->clock, tsc), took = now - w->now;

	ss_ledger_turn(&w->counters->ledger, tsc, w->rx, took);
	if (w->turns) {
		ss_count(w->counters, w->rx ? SS_C_BUSY_NS : SS_C_IDLE_NS, took);
		ss_count(w->counters, SS_C_LONG_TURNS, w->rx && took > SS_WORKER_LONG_TURN_NS);
		w->turn_max = ss_max_u64(w->turn_max, w->rx ? took : 0);
		w->turn_min = w->rx ? ss_min_u64(w->turn_min, took) : w->turn_min;
	}
	if (w->rx) {
		ss_count(w->counters, SS_C_BUSY_TURNS, 1);
		w->worked_at = w->now;
		w->quiet = 0;
	} else {
		w->quiet++;
	}
	ss_count(w->counters, SS_C_TURNS, 1);
	w->turns++;
	w->rx = 0;
	return w->now = now;
}

static void stage(struct ss_worker *w, enum ss_stage s)
{
	ss_stage(&w->counters->ledger, s);
}

/* Takes n frames of one interface as far as tcp's news. */
static void input(struct ss_worker *w, uint8_t iface, struct rte_mbuf **m, uint16_t n, uint64_t now)
{
	n = ss_worker_relieve(w, iface, m, n);             /* slow readers shall not hold the port's buffers */
	stage(w, SS_STAGE_NET_IN);
	ss_net_input(w->net, iface, m, n, now, &w->segs);  /* takes them all, gives segments */
	stage(w, SS_STAGE_TCP_IN);
	ss_tcp_input(w->tcp, &w->segs, now, &w->tcp_news); /* takes segments, lists connections */
	w->segs.n = 0;
	stage(w, SS_STAGE_PORT_RX);
}

static void receive(struct ss_worker *w, uint64_t now)
{
	for (uint8_t i = 0; i < w->n_ifs; i++) {
		uint16_t n = ss_port_rx(w->port[i].q, w->pkts); /* gives n mbufs */
		w->rx += n;
		if (n)
			input(w, i, w->pkts, ss_worker_sort(w, i, n), now);
	}
}

/* What other workers received for us: bursts in which one interface may follow another. */
static void receive_handed(struct ss_worker *w, uint64_t now)
{
	for (uint16_t from = 0; from < w->n_workers; from++) {
		uint16_t n = ss_worker_take(w, from), i = 0, end;
		for (w->rx += n; i < n; i = end) {
			for (end = i + 1; end < n && w->pkts[end]->port == w->pkts[i]->port;)
				end++;
			input(w, (uint8_t)w->pkts[i]->port, w->pkts + i, end - i, now);
		}
	}
}

static void transmit(struct ss_worker *w)
{
	for (uint16_t i = 0; i < w->n_ifs; i++)
		w->wake |= ss_port_tx(w->port[i].q); /* takes what it sends, drops and counts the rest */
	ss_worker_wake_others(w);
}

/* What ended this turn is freed only here, upper rooms first: they hold the lower rooms' objects. */
static void bury(struct ss_worker *w)
{
	ss_proxy_bury(w->proxy);
	ss_up_bury(w->up);
	ss_http_bury(w->http);
	ss_tls_bury(w->tls);
	ss_tcp_bury(w->tcp);
}

void ss_worker_turn(struct ss_worker *w)
{
	uint64_t now = tick(w);                                      /* the only clock read of a turn */
	const struct ss_snapshot *snap = ss_worker_snapshot(w, now); /* good until the turn's end */

	stage(w, SS_STAGE_PORT_RX);
	receive(w, now);
	receive_handed(w, now);
	stage(w, SS_STAGE_NET_IN);
	ss_net_expire(w->net, now);
	stage(w, SS_STAGE_TCP_IN);
	ss_tcp_expire(w->tcp, now, &w->tcp_news); /* timers make news of the same kind */
	stage(w, SS_STAGE_TLS_IN);
	ss_tls_input(w->tls, snap, &w->tcp_news, now, &w->tls_news);
	ss_tls_expire(w->tls, now, &w->tls_news);
	stage(w, SS_STAGE_HTTP_IN);
	ss_http_input(w->http, snap, &w->tls_news, now, &w->http_news);
	ss_http_expire(w->http, now, &w->http_news);
	stage(w, SS_STAGE_UPSTREAM);
	ss_up_input(w->up, &w->http_news.conns, now, &w->ready);
	ss_up_expire(w->up, now, &w->ready);
	ss_health_run(w->health, snap, &w->http_news, now); /* probes of endpoints: begins some, judges answers */
	stage(w, SS_STAGE_PROXY);
	ss_proxy_run(w->proxy, snap, &w->http_news.streams, &w->ready, now); /* routes, picks, pumps */
	ss_proxy_expire(w->proxy, snap, now);

	stage(w, SS_STAGE_HTTP_OUT);
	ss_http_flush(w->http, now); /* what the calls above queued becomes frames, */
	stage(w, SS_STAGE_TLS_OUT);
	ss_tls_flush(w->tls, now);   /* records, */
	stage(w, SS_STAGE_TCP_OUT);
	ss_tcp_flush(w->tcp, now);   /* segments, */
	stage(w, SS_STAGE_PORT_TX);
	transmit(w);                 /* packets */
	stage(w, SS_STAGE_BURY);
	bury(w);
	stage(w, SS_STAGE_OTHER);
	if (w->mail_in-- == 0)
		ss_worker_mail(w, now); /* mailbox, gauges, quiescent point */
}

int ss_worker_run(void *arg)
{
	struct ss_worker *w = arg;

	rte_rcu_qsbr_thread_online(w->box->qsv, w->index);
	while (!w->stopped) {
		ss_worker_turn(w);
		if (ss_worker_idle(w))
			ss_worker_sleep(w);
		else if (w->quiet && w->conf.shares_core)
			sched_yield(); /* who waits for the core waits for a turn, not for the end of our time slice */
		else if (w->quiet)
			rte_pause();
	}
	ss_net_stop(w->net);
	ss_worker_gauges(w);
	rte_rcu_qsbr_thread_offline(w->box->qsv, w->index);
	return 0;
}
