/*
 * http_sim.h - the whole room over tls_sim with an upper room made by the test, in virtual time.
 *
 * Takes:   bytes as the peer, written as text; a function that plays the upper room.
 * Gives:   what http sent, as text.
 * Owns:    the room and its pools; http_sim_free checks that nothing is left.
 * Thread:  the test's.
 */
#ifndef SS_HTTP_SIM_H
#define SS_HTTP_SIM_H

#include "http/http.h"
#include "http/tls_sim.h"

#define HTTP_SIM_LISTENER 7u

/* Connections that may speak HTTP/2 in the rooms made from now on: 0, all, at first. */
extern uint32_t http_sim_h2_conns;

struct http_sim {
	struct ss_bufpool bufs;
	struct ss_arena_pools arenas;
	struct ss_counters counters;
	struct ss_tls tls;
	struct ss_http *http;
	struct ss_listener listener;
	struct ss_cluster cluster;
	struct ss_snapshot snap;
	struct ss_http_news news;
	uint64_t now;
	/* The upper room: one call per stream and connection with news. NULL: echo, and nothing. */
	void (*on_stream)(struct http_sim *r, struct ss_http_stream *s, uint32_t ev);
	void (*on_conn)(struct http_sim *r, struct ss_http_conn *c, uint32_t ev);
	void *arg;
};

/* A whole room; limits as shipped, small windows. mbufs: of its pool. */
void http_sim_init(struct http_sim *r, const char *name, uint32_t mbufs);
/* input, upper room, flush, bury. */
void http_sim_turn(struct http_sim *r);
/* Lets time pass: expire, upper room, flush, bury. */
void http_sim_wait(struct http_sim *r, uint64_t ns);
/* Aborts the test if a connection, stream, arena chunk or mbuf is still held. */
void http_sim_free(struct http_sim *r);
/* Answers 200: with the request's body and trailers, as they come. */
void http_sim_echo(struct http_sim *r, struct ss_http_stream *s, uint32_t ev);

/* The frames in what a connection sent (taken) as words: "set ack h1e:200 d1:5e rst1:CANCEL bye0:NO_ERROR". */
void http_sim_frames(struct ss_tls_conn *c, char *text, size_t n);
/*
 * Words to bytes; returns their number. P preface; S empty SETTINGS; A its acknowledgement;
 * F:type:flags:id:hex frame (*n: n zero bytes); H:flags:id:name=value,... literal HEADERS; @hex raw bytes.
 */
uint32_t http_sim_bytes(const char *words, uint8_t *out, uint32_t room);

#endif
