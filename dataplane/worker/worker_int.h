/*
 * worker_int.h - the struct behind worker.h, seen only inside this room.
 *
 * worker_loop.c is the line; worker_init.c makes and ends the rooms; worker_mail.c speaks with control;
 * worker_handover.c passes frames between workers; worker_sleep.c waits; worker_drain.c winds down.
 */
#ifndef SS_WORKER_INT_H
#define SS_WORKER_INT_H

#include "base/list.h"
#include "buf/buf.h"
#include "mem/arena.h"
#include "health/health.h"
#include "http/http.h"
#include "net/net.h"
#include "proxy/proxy.h"
#include "tcp/tcp.h"
#include "tls/tls.h"
#include "upstream/upstream.h"
#include "worker/worker.h"

/* Turns between two looks into the mailbox, and between two quiescent reports. */
#define SS_WORKER_HOUSEKEEP 32
/* A turn that somebody who waits for an answer may notice. */
#define SS_WORKER_LONG_TURN_NS SS_NS_PER_MS
#define SS_WORKER_MAX_LISTENERS 256
#define SS_WORKER_GAUGES_NS (100 * SS_NS_PER_MS)

/* A listener as it was handed to tcp. */
struct ss_worker_listener {
	uint32_t name, max_conns;
	struct ss_addr addr;
};

/* What a worker needs to know of an interface, whoever opened the port below it. */
struct ss_worker_port {
	struct ss_port_q *q;
	uint8_t mac[6];
	uint16_t mtu;
	bool has_queue; /* frames arrive here, so sleeping depends on its descriptor */
};

struct ss_worker {
	/* read every turn */
	const struct ss_clock *clock;
	struct ss_snapshot_box *box;
	struct ss_counters *counters;
	struct ss_net *net;
	struct ss_tcp *tcp;
	struct ss_tls *tls;
	struct ss_http *http;
	struct ss_up *up;
	struct ss_health *health;
	struct ss_proxy *proxy;
	uint16_t index, n_workers, n_ifs;
	struct ss_worker_port port[SS_MAX_PORTS];
	struct rte_mbuf *pkts[SS_BURST];
	struct ss_segs segs;
	/* news, from the room that makes it to the room that takes it */
	struct ss_list tcp_news, tls_news, ready;
	struct ss_http_news http_news;
	/* the line's own state */
	uint64_t now, turns;
	uint64_t generation, told; /* in use; the last one that control has heard of */
	uint64_t edition;          /* of the one in use */
	uint64_t worked_at; /* the last turn that had packets */
	uint64_t turn_max, gauges_at;
	uint32_t rx;      /* packets of this turn */
	uint32_t quiet;   /* turns without packets, in a row */
	uint32_t mail_in; /* turns until the next look into the mailbox */
	uint8_t bursts[SS_MAX_PORTS]; /* since the start, for worker_relief.c */
	bool low[SS_MAX_PORTS];       /* the pool behind an interface runs low */
	uint32_t spare[SS_MAX_PORTS]; /* its buffers free above that */
	uint32_t port_used[SS_MAX_PORTS]; /* percent of its buffers, as seen last */
	uint64_t turn_min, shed_at;   /* shortest busy turn since the last look; the next one */
	uint64_t turn_min_before;     /* what the last look found */
	uint32_t wake;    /* workers to wake after this turn: bit i is worker i */
	bool stopping, stopped, draining, drained;
	uint64_t drain_deadline, stop_deadline;
	/* kept from creation */
	struct ss_worker_conf conf;
	struct ss_bufpool bufs;
	struct ss_arena_pools arenas;
	uint32_t n_listeners;
	struct ss_worker_listener listener[SS_WORKER_MAX_LISTENERS];
};

/* worker_init.c: as ss_worker_create, over ports that somebody has opened. One per conf->ifs. */
int ss_worker_create_on(struct ss_worker **out, const struct ss_worker_conf *conf,
			const struct ss_worker_port *ports, char *err, size_t err_n);

/* worker_loop.c: one turn; tests drive a worker with it. */
void ss_worker_turn(struct ss_worker *w);

/* worker_mail.c */
const struct ss_snapshot *ss_worker_snapshot(struct ss_worker *w, uint64_t now);
void ss_worker_mail(struct ss_worker *w, uint64_t now);
void ss_worker_gauges(struct ss_worker *w);
bool ss_worker_answer(struct ss_worker *w, enum ss_mail_kind kind, uint64_t a);

/* worker_drain.c */
void ss_worker_drain(struct ss_worker *w, uint64_t deadline, uint64_t now);
void ss_worker_stop(struct ss_worker *w, uint64_t now);
/* Looks whether a drain or a stop has come to its end. */
void ss_worker_wind_down(struct ss_worker *w, uint64_t now);

/* worker_relief.c: received frames of a pool that runs low move into our own buffers, or go. How many are left. */
uint16_t ss_worker_relieve(struct ss_worker *w, uint8_t iface, struct rte_mbuf **m, uint16_t n);

/* worker_shed.c: looks how full we are and tells the proxy whom to refuse. */
struct ss_worker_use {
	uint32_t mbufs, conns; /* percent */
	uint64_t delay_ns;
};
void ss_worker_shed(struct ss_worker *w, uint64_t now);
/* How many ranks of requests are refused: 0 none, 1 low, 2 default too, 3 all. */
uint32_t ss_worker_shed_level(const struct ss_worker_conf *c, const struct ss_worker_use *u);

/* worker_sleep.c */
bool ss_worker_idle(const struct ss_worker *w);
void ss_worker_sleep(struct ss_worker *w);

/*
 * worker_handover.c. join tells the others where to wake this worker. sort keeps this worker's frames of
 * w->pkts (received on iface) in front and hands the others to their workers; returns how many stay.
 * take fills w->pkts with a burst that worker `from` handed to us; m->port is the interface then.
 */
void ss_handover_join(struct ss_handover *h, uint16_t worker, struct ss_mailbox *mail);
uint16_t ss_worker_sort(struct ss_worker *w, uint8_t iface, uint16_t n);
uint16_t ss_worker_take(struct ss_worker *w, uint16_t from);
/* Wakes those of the workers in w->wake that sleep. */
void ss_worker_wake_others(struct ss_worker *w);
/* Tells the others that we sleep, or are awake again. False: something waits for us already. */
bool ss_worker_set_asleep(struct ss_worker *w);
void ss_worker_set_awake(struct ss_worker *w);

#endif
