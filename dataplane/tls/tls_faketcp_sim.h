/*
 * tls_faketcp_sim.h - tcp.h over memory, for the tests of this room: no segments, only byte queues that
 * are cut at random.
 *
 * Takes:   what the room under test sends.
 * Gives:   the same to the other end, in random portions; news as tcp makes it.
 * Owns:    its connections, until ss_tcp_free.
 * Thread:  the test's.
 */
#ifndef SS_TLS_FAKETCP_SIM_H
#define SS_TLS_FAKETCP_SIM_H

#include "base/rng.h"
#include "tcp/tcp.h"

#define FAKE_CONNS 64
#define FAKE_WINDOW 20000

struct ss_tcp_conn {
	struct ss_list news;
	struct ss_tcp *t;
	struct ss_tcp_conn *peer; /* the other end, when it is ours too */
	struct ss_bufq rx, tx;
	void *owner;
	struct ss_tuple tuple;
	uint32_t cookie, events, snd_buf;
	uint32_t unconsumed; /* bytes that came and that ss_tcp_consumed has not been told of */
	enum ss_drop reason;
	bool used, established, fin, fin_moved, aborted, released, room_short, got_fin;
};

struct ss_tcp {
	struct ss_bufpool *bufs;
	struct ss_rng *rng;
	struct ss_list news;
	struct ss_tcp_conn conn[FAKE_CONNS];
	struct ss_tcp_conn *newest;
	bool no_split; /* whole queues move at once */
	bool sink;     /* what is for nobody of ours is acknowledged and forgotten */
};

void fake_init(struct ss_tcp *t, struct ss_bufpool *bufs, struct ss_rng *rng);
/* A listener's connection appears. */
struct ss_tcp_conn *fake_accept(struct ss_tcp *t, uint32_t cookie);
/* Joins a connect to an accepted connection: both are established. */
void fake_join(struct ss_tcp_conn *client, struct ss_tcp_conn *server);
/* A connect succeeds; the other end is the test itself. */
void fake_connected(struct ss_tcp_conn *c);
void fake_deliver(struct ss_tcp_conn *c, const void *p, uint32_t n);
void fake_fin(struct ss_tcp_conn *c);
void fake_rst(struct ss_tcp_conn *c);
/* Moves bytes between joined ends. */
void fake_move(struct ss_tcp *t);
/* Connections that the upper room still holds. */
uint32_t fake_held(const struct ss_tcp *t);

#endif
