/*
 * worker.h - one lcore's whole world.
 *
 * Takes:   ports, sizes, the snapshot box, the endpoint table, a mailbox, an event ring.
 * Gives:   a loop to run on an lcore; holdings to check when it has ended.
 * Owns:    one instance of every dataplane room, and its pools.
 * Thread:  create/free/holdings: control, while the loop does not run. run: the worker.
 */
#ifndef SS_WORKER_H
#define SS_WORKER_H

#include "base/clock.h"
#include "contract/counters.h"
#include "contract/endpoints.h"
#include "contract/events.h"
#include "contract/mailbox.h"
#include "contract/snapshot.h"
#include "port/port.h"

struct ss_worker;
struct ss_crew;
struct ss_offload;
struct ss_handover; /* rings between workers: one per ordered pair */

enum ss_busy_poll { SS_POLL_ADAPTIVE = 0, SS_POLL_ALWAYS = 1 };

/* An interface as every worker sees it. */
struct ss_worker_if {
	const char *name;
	struct ss_port *port;
	uint16_t n_addrs;
	struct { struct ss_ip ip; uint8_t prefix; } addrs[64];
	struct ss_ip gateway;
};

/* Sizes are per worker. */
struct ss_worker_conf {
	uint16_t index, n_workers;
	uint16_t n_ifs;
	const struct ss_worker_if *ifs;
	uint32_t mbufs, conns, streams, exchanges, half_open;
	uint32_t h2_conns, tls_conns; /* of conns, those that may be; 0: all */
	uint32_t upstream_conns;      /* of conns, those kept for endpoints; 0: a quarter */
	uint32_t expanded_keys;       /* of TLS connections, held at most; 0: 2,048 */
	uint32_t arena_small, arena_large, neighbours;
	uint32_t rcv_buf, snd_buf;
	uint64_t time_wait_ns, user_timeout_ns;
	enum ss_tls_records tls_records;
	struct ss_tls_device *tls_device;          /* as in tls.h */
	struct ss_crew *crew;                      /* runs handshakes; NULL: this worker does */
	struct ss_offload *offload;                /* as in tls.h */
	uint32_t handshake_queue, handshake_rate;  /* as in tls.h */
	const struct ss_ticket_ring *tickets; /* NULL: no session is resumed */
	enum ss_busy_poll busy_poll;
	bool shares_core;       /* with the control thread or another worker: idle turns give it away */
	uint64_t idle_sleep_ns; /* adaptive: sleep after this long without work */
	uint32_t shed_mbufs, shed_conns; /* percent in use from which requests are refused; 0: never */
	uint64_t shed_delay_ns;          /* the same of a turn's time */
	uint32_t stage_sampling; /* one of so many busy turns goes into the stage ledger; 0: none */
	const struct ss_clock *clock;
	struct ss_snapshot_box *box;
	struct ss_ep_table *endpoints;
	struct ss_limit_table *limits; /* NULL where no snapshot has rate limits */
	struct ss_counters *counters;
	struct ss_mailbox *mail;
	struct ss_event_ring *events;
	struct ss_handover *handover; /* NULL with one worker */
	uint64_t seed;
};

/* What must be zero at exit (ports apart). */
struct ss_worker_holdings {
	uint32_t mbufs, conns, tls_conns, http_conns, streams, exchanges, arenas;
};

int ss_worker_create(struct ss_worker **out, const struct ss_worker_conf *conf, char *err, size_t err_n);
void ss_worker_free(struct ss_worker *w);
/* Runs until SS_MAIL_STOP. Suits rte_eal_remote_launch; arg is the ss_worker. The first generation must
 * have been published before, and every worker that shares a hand-over must have been created. */
int ss_worker_run(void *arg);
void ss_worker_holdings(const struct ss_worker *w, struct ss_worker_holdings *out);

int ss_handover_create(struct ss_handover **out, uint16_t n_workers);
void ss_handover_free(struct ss_handover *h);

#endif
