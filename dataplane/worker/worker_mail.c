/*
 * worker_mail.c - what a worker and control tell each other: configuration, orders, levels.
 */
#include <rte_mempool.h>
#include <rte_rcu_qsbr.h>

#include "worker/worker_int.h"

/* False when control has not taken enough yet: what must be heard is said again later. */
bool ss_worker_answer(struct ss_worker *w, enum ss_mail_kind kind, uint64_t a)
{
	return ss_mailbox_answer(w->conf.mail, (struct ss_mail){ .kind = kind, .a = a }) == 0;
}

/* Does the generation still have this listener, unchanged? */
static bool kept(const struct ss_worker_listener *have, const struct ss_snapshot *snap)
{
	const struct ss_listener *l = ss_snapshot_listener(snap, have->name);
	return l && ss_addr_eq(&l->addr, &have->addr) && l->max_connections == have->max_conns;
}

static bool listening(const struct ss_worker *w, uint32_t name)
{
	for (uint32_t i = 0; i < w->n_listeners; i++)
		if (w->listener[i].name == name)
			return true;
	return false;
}

static void listen_on(struct ss_worker *w, const struct ss_listener *l)
{
	if (w->n_listeners == SS_WORKER_MAX_LISTENERS ||
	    ss_tcp_listen(w->tcp, &l->addr, l->name, l->max_connections) < 0) {
		ss_worker_answer(w, SS_MAIL_LISTEN_FAILED, l->name);
		return;
	}
	w->listener[w->n_listeners++] = (struct ss_worker_listener){ .name = l->name,
								     .max_conns = l->max_connections,
								     .addr = l->addr };
}

/* A reload waits for this word, and the older generations' memory: requests may still point into it. */
static void tell_adopted(struct ss_worker *w)
{
	if (w->told != w->generation && ss_proxy_settled(w->proxy) && ss_worker_answer(w, SS_MAIL_ADOPTED, w->generation))
		w->told = w->generation;
}

/* Listeners that went away or changed close first, so that an address may move between names. */
static void adopt(struct ss_worker *w, const struct ss_snapshot *snap, uint64_t now)
{
	for (uint32_t i = 0; i < w->n_listeners;) {
		if (kept(&w->listener[i], snap) && !w->draining) {
			i++;
			continue;
		}
		ss_tcp_unlisten(w->tcp, &w->listener[i].addr);
		w->listener[i] = w->listener[--w->n_listeners];
	}
	for (uint32_t i = 0; i < snap->n_listeners && !w->draining; i++)
		if (!listening(w, snap->listeners[i].name))
			listen_on(w, &snap->listeners[i]);
	ss_up_adopt(w->up, snap, now);
	ss_health_adopt(w->health, snap);
	ss_proxy_adopt(w->proxy, now);
	w->generation = snap->generation;
	w->edition = snap->edition;
	tell_adopted(w);
}

/* Other endpoints; all else is the same, down to where it lies. */
static void adopt_edition(struct ss_worker *w, const struct ss_snapshot *snap, uint64_t now)
{
	ss_up_adopt(w->up, snap, now);
	ss_health_adopt(w->health, snap);
	w->edition = snap->edition;
}

const struct ss_snapshot *ss_worker_snapshot(struct ss_worker *w, uint64_t now)
{
	const struct ss_snapshot *snap = atomic_load_explicit(&w->box->current, memory_order_acquire);

	if (ss_unlikely(snap->generation != w->generation))
		adopt(w, snap, now);
	else if (ss_unlikely(snap->edition != w->edition))
		adopt_edition(w, snap, now);
	return snap;
}

void ss_worker_gauges(struct ss_worker *w)
{
	struct ss_counters *c = w->counters;

	ss_gauge(c, SS_C_TCP_CONNS, ss_tcp_conns(w->tcp));
	ss_gauge(c, SS_C_TLS_CONNS, ss_tls_conns(w->tls));
	ss_gauge(c, SS_C_TLS_KEYS_HELD, ss_tls_keys_held(w->tls));
	ss_gauge(c, SS_C_HTTP_CONNS, ss_http_conns(w->http));
	ss_gauge(c, SS_C_HTTP_STREAMS, ss_http_streams(w->http));
	ss_gauge(c, SS_C_HTTP_ARENAS, ss_pool_used(w->arenas.small) + ss_pool_used(w->arenas.large));
	ss_gauge(c, SS_C_HEALTH_ENDPOINTS, ss_health_endpoints(w->health));
	ss_gauge(c, SS_C_HEALTH_CONNS, ss_health_conns(w->health));
	ss_gauge(c, SS_C_EXCHANGES, ss_proxy_exchanges(w->proxy));
	/* What the pool says, not what the rooms' queues add up to: with 20,000 connections that walk is a millisecond. */
	ss_gauge(c, SS_C_MBUFS, rte_mempool_in_use_count(w->bufs.mp));
	ss_gauge(c, SS_C_SNAPSHOT_GENERATION, w->generation);
	ss_gauge(c, SS_C_TURN_MAX_NS, w->turn_max);
}

static void read_mail(struct ss_worker *w, uint64_t now)
{
	struct ss_mail mail;

	while (ss_mailbox_take(w->conf.mail, &mail)) {
		if (mail.kind == SS_MAIL_DRAIN)
			ss_worker_drain(w, mail.a, now);
		else if (mail.kind == SS_MAIL_STOP)
			ss_worker_stop(w, now);
	}
}

void ss_worker_mail(struct ss_worker *w, uint64_t now)
{
	w->mail_in = SS_WORKER_HOUSEKEEP;
	read_mail(w, now);
	tell_adopted(w);
	ss_worker_shed(w, now);
	if (w->draining || w->stopping)
		ss_worker_wind_down(w, now);
	if (now >= w->gauges_at) {
		ss_worker_gauges(w);
		w->turn_max = 0;
		w->gauges_at = now + SS_WORKER_GAUGES_NS;
	}
	/* The turn is over: no pointer into the snapshot is held but those that tell_adopted waits for. */
	rte_rcu_qsbr_quiescent(w->box->qsv, w->index);
}
