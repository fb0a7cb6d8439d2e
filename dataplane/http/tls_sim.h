/*
 * tls_sim.h - a transport made of memory that stands in for dataplane/tls in this room's tests.
 *
 * Takes:   bytes that a test plays as the peer; what http sends.
 * Gives:   tls.h's functions; news as the real room makes it.
 * Owns:    its connections; they are freed by tls_sim_free.
 * Thread:  the test's.
 */
#ifndef SS_TLS_SIM_H
#define SS_TLS_SIM_H

#include "tls/tls.h"

struct ss_tls_conn {
	struct ss_list news, all;
	struct ss_tls *tls;
	uint32_t events;
	struct ss_bufq rx;  /* plaintext for http */
	struct ss_bufq sent; /* what http sent */
	uint32_t room;      /* what ss_tls_room says */
	uint64_t consumed;
	struct ss_peer peer;
	uint32_t cookie;
	void *owner;
	bool shutdown, aborted, released, client;
	enum ss_drop reason;
};

struct ss_tls {
	struct ss_list all, news;
	struct ss_bufpool *bufs;
	uint8_t alpn; /* of connections opened from now on */
	struct ss_tls_conn *last; /* opened by ss_tls_connect */
};

void tls_sim_init(struct ss_tls *t, struct ss_bufpool *bufs);
void tls_sim_free(struct ss_tls *t);
/* A connection that a client opened to the listener `cookie`; ACCEPTED is on the news. */
struct ss_tls_conn *tls_sim_accept(struct ss_tls *t, uint32_t cookie, uint8_t alpn);
/* The peer of our connect has answered. */
void tls_sim_connected(struct ss_tls_conn *c);
/* The peer sends n bytes. */
void tls_sim_deliver(struct ss_tls_conn *c, const void *p, uint32_t n);
/* The peer ends its direction; the peer resets. */
void tls_sim_eof(struct ss_tls_conn *c);
void tls_sim_fail(struct ss_tls_conn *c, enum ss_drop why);
/* Changes the room and says so. */
void tls_sim_room(struct ss_tls_conn *c, uint32_t room);
/* Moves up to n sent bytes of one connection to the other as received ones; returns how many. */
uint32_t tls_sim_carry(struct ss_tls_conn *from, struct ss_tls_conn *to, uint32_t n);

#endif
