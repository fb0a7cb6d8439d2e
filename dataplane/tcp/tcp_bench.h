/*
 * tcp_bench.h - one stack on a bench: put a segment in, look at what comes out, in virtual time.
 *
 * Takes:   segments as values; the test is the peer.
 * Gives:   the segments that the stack sent, as values; events of the connection under test.
 * Owns:    the stack; a net of its own (the bench defines ss_net_*), so that no frame is in the way.
 * Thread:  the test's.
 */
#ifndef SS_TCP_BENCH_H
#define SS_TCP_BENCH_H

#include "tcp/tcp_int.h"

#define PEER 0x0a000002u
#define US 0x0a000001u
#define PEER_PORT 5000
#define OUR_PORT 80
#define MS SS_NS_PER_MS
#define SEC SS_NS_PER_SEC

struct bench_out {
	struct ss_tcphdr h;
	struct ss_tuple tuple; /* local: the source */
	uint32_t len;
	uint8_t first; /* first payload byte */
};

struct bench {
	struct ss_tcp *t;
	struct ss_tcp_conn *c;
	struct ss_counters counters;
	struct ss_bufpool bufs;
	uint64_t now;
	uint32_t events;  /* of c, since last looked at */
	uint32_t accepted; /* connections in all */
	uint32_t iss;     /* ours */
	uint32_t irs;     /* the peer's */
	uint32_t ts;      /* the peer's timestamp clock; 0: option not used */
	uint16_t port;    /* the peer's */
	uint16_t our_port;
	uint32_t n_out, at; /* segments sent; the next one to look at */
	struct bench_out out[512];
	bool keep_peer;
};

extern struct bench *bench; /* the one in use: ss_net_output_tcp has no other way to find it */

void bench_open(struct bench *b, const struct ss_tcp_conf *conf);
/* Checks that nothing is left. */
void bench_close(struct bench *b);
struct ss_tcp_conf bench_conf(void);

/* Gives the stack one segment (sequence numbers absolute) and a turn. */
void bench_in(struct bench *b, struct ss_tcphdr h, uint32_t len);
/* A turn without input. */
void bench_turn(struct bench *b);
/* Time passes; every timer due on the way gets its own turn. */
void bench_wait(struct bench *b, uint64_t ns);
/* Queues n bytes and gives a turn. */
void bench_send(struct bench *b, uint32_t n);
/* The next segment that was sent; fails the test when there is none. */
struct bench_out bench_next(struct bench *b);
void bench_none(struct bench *b);
/* The next segment has these flags, sequence numbers relative to the ISNs, length. */
void bench_expect(struct bench *b, uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len);
/* Events so far, and forgets them. */
uint32_t bench_events(struct bench *b);

/* A listener and a connection to it, established. opts: has_* of the peer's SYN; its mss 1000. */
void bench_accept(struct bench *b, struct ss_tcphdr opts);
/* As above after connect. */
void bench_connect(struct bench *b, struct ss_tcphdr opts);

/* A segment of the peer: sequence numbers relative to the ISNs, more fields as needed. */
#define IN(b, f, s, a, n, ...)                                                                         \
	bench_in(b, (struct ss_tcphdr){ .flags = (f), .seq = (b)->irs + (s), .ack = (b)->iss + (a),   \
					.window = 60000, ##__VA_ARGS__ }, n)

/* The same with this window. */
#define INW(b, f, s, a, n, w)                                                                          \
	bench_in(b, (struct ss_tcphdr){ .flags = (f), .seq = (b)->irs + (s), .ack = (b)->iss + (a),   \
					.window = (w) }, n)

#define F SS_TCP_FIN
#define S SS_TCP_SYN
#define R SS_TCP_RST
#define P SS_TCP_PSH
#define A SS_TCP_ACK

#endif
