/*
 * tcp_cc.h - congestion control: what an algorithm has to answer.
 *
 * Takes:   facts about one connection: bytes acknowledged, a loss found, a timeout.
 * Gives:   cwnd and ssthresh, written into the connection.
 * Owns:    nothing beyond those two fields.
 * Thread:  the connection's worker.
 *
 * flight is FlightSize (RFC 5681 2): bytes sent and not yet cumulatively acknowledged.
 */
#ifndef SS_TCP_CC_H
#define SS_TCP_CC_H

#include "base/base.h"

struct ss_tcp_conn;

struct ss_tcp_cc {
	const char *name;
	void (*open)(struct ss_tcp_conn *c); /* handshake done: initial window */
	/* outside recovery, when cwnd was in use */
	void (*acked)(struct ss_tcp_conn *c, uint32_t bytes);
	void (*loss)(struct ss_tcp_conn *c, uint32_t flight); /* recovery begins */
	void (*inflate)(struct ss_tcp_conn *c); /* duplicate ACK within NewReno recovery */
	void (*partial)(struct ss_tcp_conn *c, uint32_t bytes); /* partial ACK, likewise */
	void (*recovered)(struct ss_tcp_conn *c, uint32_t flight); /* recovery ends */
	/* first expiry of the retransmission timer */
	void (*timeout)(struct ss_tcp_conn *c, uint32_t flight);
	void (*idle)(struct ss_tcp_conn *c); /* sends again after an idle time over the RTO */
};

extern const struct ss_tcp_cc ss_tcp_newreno;

#endif
