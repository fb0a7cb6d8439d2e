/*
 * tcp_sim.h - two whole stacks, a bad wire between them, and a clock that jumps: for tests.
 *
 * Takes:   a seed, the wire's vices, sizes, and an application per host.
 * Gives:   turns in virtual time; the same seed gives the same run.
 * Owns:    both stacks, their ports, the packets on the wire.
 * Thread:  the test's.
 * Time:    virtual nanoseconds.
 */
#ifndef SS_TCP_SIM_H
#define SS_TCP_SIM_H

#include "base/rng.h"
#include "tcp/tcp.h"

#define SS_TCP_SIM_FLIGHT 4096

/* Chances are out of 10,000. */
struct ss_tcp_sim_wire {
	uint32_t loss, dup, corrupt, reorder;
	uint64_t delay, jitter, reorder_by;  /* ns; a reordered packet comes this much later, at most */
	bool strip_sack, strip_ts, strip_wscale; /* a middlebox takes the option out of SYNs */
};

struct ss_tcp_sim;

struct ss_tcp_sim_host {
	struct ss_tcp *tcp;
	struct ss_net *net;
	struct ss_port_q *port;
	struct ss_counters counters;
	struct ss_ip ip;
	struct ss_list news;
	/* Sees the news of a turn, between input and flush. Must empty the list. */
	void (*app)(struct ss_tcp_sim *s, int host);
	uint64_t app_at; /* the application wants a turn at this time; SS_NEVER: only with news */
};

struct ss_tcp_sim_packet {
	uint64_t at, order;
	struct rte_mbuf *m;
	int to;
};

struct ss_tcp_sim {
	struct ss_rng rng;
	uint64_t now, order;
	struct ss_bufpool bufs;
	struct ss_tcp_sim_wire wire;
	struct ss_tcp_sim_host host[2];
	uint32_t n_flight;
	struct ss_tcp_sim_packet flight[SS_TCP_SIM_FLIGHT];
	uint64_t last_at[2]; /* without reordering, the wire is a queue */
	struct ss_segs segs;
	void *user;
	/* Sees each packet before the wire does; true: the packet is to vanish. May be NULL. */
	bool (*filter)(struct ss_tcp_sim *s, int from, struct rte_mbuf *m);
};

/* conf gives sizes and times; the rest is filled in here. mp is the test's pool. */
void ss_tcp_sim_open(struct ss_tcp_sim *s, uint64_t seed, const struct ss_bufpool *bufs,
		     const struct ss_tcp_conf *conf, const struct ss_tcp_sim_wire *wire);
void ss_tcp_sim_close(struct ss_tcp_sim *s);
/* Jumps to the next event and gives both hosts a turn. false: nothing will ever happen again. */
bool ss_tcp_sim_step(struct ss_tcp_sim *s);

#endif
