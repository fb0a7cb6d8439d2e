/*
 * h1_int.h - the private parts of an HTTP/1.1 connection and stream, and what h1_*.c share.
 *
 * Takes:   nothing.
 * Gives:   the structs that http_int.h embeds.
 * Owns:    nothing.
 * Thread:  one worker.
 *
 * One exchange at a time (RFC 9112 9.3.2 lets a server answer pipelined requests one by one): while
 * it lasts, what follows in c->in is left there. h1_recv.c reads, h1_send.c writes, h1_conn.c decides
 * what becomes of the connection.
 */
#ifndef SS_H1_INT_H
#define SS_H1_INT_H

#include "buf/buf.h"
#include "wire/h1.h"

struct ss_http_conn;
struct ss_http_stream;
struct ss_hdrs;

/* Body bytes handed up and not yet taken, before reading stops. */
#define SS_H1_UNREAD_MAX 65536u
/* Rest of a request that is read and thrown away after an early response; longer ones cost the connection. */
#define SS_H1_DISCARD_MAX 262144u

/* What comes next in c->in. */
enum ss_h1_rx {
	SS_H1_RX_HEAD,
	SS_H1_RX_LENGTH,
	SS_H1_RX_CHUNKED,
	SS_H1_RX_CLOSE,
	SS_H1_RX_TRAILERS,
	SS_H1_RX_DONE
};
/* How the body that we send ends. */
enum ss_h1_tx { SS_H1_TX_NONE, SS_H1_TX_LENGTH, SS_H1_TX_CHUNKED, SS_H1_TX_CLOSE };

struct ss_h1_conn {
	struct ss_http_stream *cur; /* the exchange; NULL between two */
	uint8_t rx, tx;             /* enum ss_h1_rx, ss_h1_tx */
	bool keep;        /* another message may follow this one */
	bool peer_old;    /* downstream: HTTP/1.0 */
	bool expect;      /* downstream: the client waits for 100 (RFC 9110 10.1.1) */
	bool owe_crlf;    /* the last chunk's end is not written yet */
	uint32_t discarded; /* body bytes thrown away for a released stream */
	uint64_t started; /* first byte of the head that is being read */
	struct ss_h1_scan scan;
	struct ss_bufpos pos;       /* of the scan in c->in */
};

struct ss_h1_stream {
	uint32_t unread; /* in body, or taken and not yet consumed */
	bool stalled;    /* reading stopped for it */
	uint64_t rx_left, tx_left;
	struct ss_h1_chunk chunk;
};

/* -- h1_conn.c -- */
/* Ready for the next head. */
void ss_h1_begin(struct ss_http_conn *c);
/* Ends the exchange when both messages are complete. */
void ss_h1_maybe_complete(struct ss_http_conn *c);
/* The peer broke HTTP: answered where that is possible, then the connection ends. */
void ss_h1_refuse(struct ss_http_conn *c, enum ss_h1_why why);
/* Answers with a bodiless status, unless a response has begun, and ends the connection because of drop. */
void ss_h1_answer(struct ss_http_conn *c, uint16_t status, uint16_t drop);
/* Ends the connection in a way that cannot look like the end of a body (RFC 9112 8). */
void ss_h1_cut(struct ss_http_conn *c, uint16_t drop);

/* -- h1_recv.c -- */
void ss_h1_input(struct ss_http_conn *c);

/* -- h1_send.c -- */
int ss_h1_send_head(struct ss_http_stream *s, const struct ss_hdrs *h, bool end);
bool ss_h1_flush(struct ss_http_conn *c, uint32_t room);

#endif
