/*
 * http_int.h - what connections and streams are made of, and what a version of HTTP implements.
 *
 * Takes:   nothing.
 * Gives:   the structs and the version table that http_*.c, h1_*.c and h2_*.c share.
 * Owns:    nothing.
 * Thread:  one worker.
 * Time:    http->now is the time of the turn's last call that carried one.
 * Errors:  enum ss_err; what ends a stream or connection has a name in contract/drops.h.
 *
 * Division of labour. http_conn.c: accepting, choosing a version, timers, closing, burying.
 * http_stream.c: a stream's life, events, what callers queue. A version (struct ss_http_version):
 * turns c->in into events of streams and what streams have queued into c->out.
 */
#ifndef SS_HTTP_INT_H
#define SS_HTTP_INT_H

#include <stdlib.h>

#include "base/err.h"
#include "base/siphash.h"
#include "buf/buf.h"
#include "contract/counters.h"
#include "http/h1_int.h"
#include "http/h2_int.h"
#include "http/http.h"
#include "mem/pool.h"
#include "timer/wheel.h"

/* Plaintext held in c->in at most (a head of max_header_bytes has to fit); more stays in tls. */
#define SS_HTTP_IN_MAX 131072u
/* Body bytes a stream may have queued for sending before ss_http_room says 0. */
#define SS_HTTP_TX_MAX 65536u
/* Most fields of one block, whatever the configuration says: the size of the scratch array. */
#define SS_HTTP_HDRS_MAX 1024u
/* Bytes of the scratch that makes a frame or a head contiguous. */
#define SS_HTTP_SCRATCH 196608u
/* After our last byte and FIN: how long the peer may take to close (RFC 9112 9.6), then reset. */
#define SS_HTTP_LINGER_NS SS_NS_PER_SEC
/* Informational heads of one response that are passed on; more is a protocol error. */
#define SS_HTTP_INFO_MAX 16

/* Timers of a connection; a version arms the ones it needs with ss_http_arm. */
enum ss_http_timer {
	SS_HTTP_T_IDLE = 0,  /* no stream for too long: the version finishes with drop HTTP_IDLE */
	SS_HTTP_T_PHASE,     /* common: transport not ready in time; first bytes too slow; closing takes too long */
	SS_HTTP_T_HEAD,      /* h1: request head too slow */
	SS_HTTP_T_SETTINGS = SS_HTTP_T_HEAD, /* h2: SETTINGS not acknowledged */
	SS_HTTP_T_AGE,       /* common: lived long enough, or its certificate is about to end */
	SS_HTTP_T_H2,        /* those from here on are HTTP/2's alone */
	SS_HTTP_T_PING = SS_HTTP_T_H2, /* h2: keepalive interval, then timeout */
	SS_HTTP_T_DRAIN,     /* h2: the second GOAWAY */
	SS_HTTP_T_LATE_END,  /* h2: answered requests whose END_STREAM does not come */
	SS_HTTP_T_COUNT,
};

enum ss_http_conn_state {
	SS_HTTP_CONNECTING = 0, /* upstream: transport not ready */
	SS_HTTP_DETECT,         /* downstream plaintext: the first bytes choose the version */
	SS_HTTP_OPEN,           /* c->v is set and runs */
	SS_HTTP_CLOSING,        /* c->out goes out, then FIN, then we wait for the peer's */
	SS_HTTP_OVER,           /* no bytes either way; waits for bury */
};

/*
 * One version of HTTP. Everything is called from above or by the worker's line; nothing here calls
 * up: news is made with ss_http_news and friends below.
 */
struct ss_http_version {
	int number; /* 1 or 2 */
	/* The transport is ready: set up c's private part, put a preface into c->out. 0, or SS_ERR_NO_MEM. */
	int (*open)(struct ss_http_conn *c);
	/* c->in has bytes or c->eof is set: take from the front what can be used, leave the rest. */
	void (*input)(struct ss_http_conn *c);
	/* Frame what streams have queued into c->out, up to `room` bytes or little more. The common part
	 * then hands c->out to tls. Say ss_http_sent for each stream whose end went. True: it stopped for
	 * want of room. */
	bool (*flush)(struct ss_http_conn *c, uint32_t room);
	/* A head: request on an upstream stream, (1xx or final) response on a downstream one. Goes to c->out
	 * now (the block is borrowed). s->tx_end is set already when end. 0, SS_ERR_CLOSED, SS_ERR_NO_MEM. */
	int (*send_head)(struct ss_http_stream *s, const struct ss_hdrs *h, bool end);
	/* s->tx, s->tx_end or s->tx_trailers has changed. */
	void (*ready)(struct ss_http_stream *s);
	/* n body bytes were taken by the upper room (or thrown away for a released stream). */
	void (*consumed)(struct ss_http_stream *s, uint32_t n);
	/* End s early with a code; the version calls ss_http_stream_over (at once, or when it is done). */
	void (*reset)(struct ss_http_stream *s, enum ss_http_code code);
	/* No new streams from now on; end when the ones there are have ended. May be called twice. */
	void (*drain)(struct ss_http_conn *c);
	/* s is over: take it off the version's own lists. ss_http_conn_quiet if it was the last. */
	void (*over)(struct ss_http_stream *s);
	/* SS_HTTP_T_IDLE (say goodbye and finish) or one of the version's own timers is due. */
	void (*expire)(struct ss_http_conn *c, enum ss_http_timer t);
	/* Give back what open took. Called once, streams are gone. */
	void (*close)(struct ss_http_conn *c);
};

extern const struct ss_http_version ss_h1_version, ss_h2_version;

struct ss_http {
	struct ss_http_conf conf;
	struct ss_pool *conns, *streams, *h2_conns;
	struct ss_h2_encoders *encoders;
	struct ss_http_limit_sets *limits;
	uint32_t n_requests;    /* streams of downstream connections */
	struct ss_wheel wheel;
	uint64_t now;
	uint64_t generation;    /* of the snapshot seen last */
	const struct ss_wall *wall; /* of the snapshots; they come and go, it stays. NULL: none yet */
	uint32_t spread;        /* moves with each connection that gets an age */
	bool draining;
	struct ss_list all;       /* ss_http_conn.all */
	struct ss_list todo;      /* ss_http_conn.todo: input has to run without tls news */
	struct ss_list dirty;     /* ss_http_conn.dirty: flush has something to do */
	struct ss_list dead;      /* ss_http_stream.all, ended and released: freed by bury */
	struct ss_list dead_conns; /* ss_http_conn.todo */
	struct ss_http_news news; /* made by calls down; handed over by the next input or expire */
	struct ss_http_stream **by_id; /* streams of HTTP/2, all connections' (h2_stream.c) */
	uint32_t by_id_mask;
	struct ss_sipkey places;  /* where in it a connection's begin */
	uint8_t *scratch;         /* SS_HTTP_SCRATCH bytes; contents live for one call */
	struct ss_hdr *fields;    /* SS_HTTP_HDRS_MAX fields; the same */
	struct ss_arena trash;    /* blocks that must be decoded and forgotten; reset after use */
};

struct ss_http_conn {
	struct ss_http *http;
	struct ss_tls_conn *tls; /* kept until bury, so that ss_http_peer stays good */
	const struct ss_http_version *v; /* NULL until chosen */
	uint8_t state;           /* enum ss_http_conn_state */
	bool upstream;
	bool fin;                /* tls said EOF */
	bool eof;                /* ... and tls holds nothing any more: c->in has all that will ever come */
	bool no_more;            /* draining or GOAWAY: no new streams */
	bool aged;               /* h1, downstream: the next response is the last one */
	bool released;           /* upstream: the upper room is done with it */
	bool shut;               /* ss_tls_shutdown was called */
	bool aside;              /* upstream: its news go on lists of their own */
	bool hold;               /* the version cannot use more input now: it stays in tls, whose window closes */
	uint8_t protocol;        /* enum ss_protocol of the listener or cluster */
	uint16_t reason;         /* enum ss_drop; why it went */
	uint32_t events;         /* enum ss_http_conn_event not yet taken */
	uint32_t slots;          /* upstream: more requests it may carry now; the version keeps it */
	uint32_t n_streams;      /* not over */
	uint32_t requests;       /* streams ever opened */
	const struct ss_http_limits *limits; /* of the listener or cluster, at creation */
	struct ss_bufq in, out;
	struct ss_list streams;  /* ss_http_stream.all: also those that are over and wait for release */
	struct ss_list all, todo, dirty, news;
	struct ss_timer timer;           /* at the first of these, or earlier: see http_time.c */
	void *owner;
	union {
		uint64_t due[SS_HTTP_T_COUNT]; /* SS_NEVER: not armed. HTTP/1.1 has none from SS_HTTP_T_H2 on, */
		struct {
			uint64_t due_common[SS_HTTP_T_H2];
			union { /* the version's */
				struct ss_h1_conn h1; /* but this in their place */
				struct {
					uint64_t due_h2[SS_HTTP_T_COUNT - SS_HTTP_T_H2];
					struct ss_h2_conn *h2;
				};
			};
		};
	};
};

struct ss_http_stream {
	struct ss_http_conn *conn;
	struct ss_list all;      /* conn->streams, then http->dead */
	struct ss_list news;
	uint32_t events;         /* enum ss_http_event not yet taken */
	void *owner;
	bool handed;             /* the upper room has seen it (a downstream stream: with its HEAD) */
	bool released;           /* the upper room is done with it: no news, body bytes go */
	bool over;               /* nothing can come or go any more */
	bool rx_end;             /* END has been received */
	bool tx_head;            /* request or final response head has been sent */
	bool tx_end;             /* the caller has ended the message: nothing follows tx and tx_trailers */
	bool tx_sent;            /* ... and all of it was handed to the transport */
	bool tx_short;           /* ss_http_room was 0: ROOM is owed */
	bool no_body;            /* upstream: the response has none whatever it says (HEAD; RFC 9110 6.4.1) */
	bool connect;            /* the request is CONNECT */
	bool unprocessed;
	uint8_t infos;           /* 1xx heads received */
	uint16_t reason;         /* enum ss_drop */
	uint64_t started;
	uint64_t bytes_in, bytes_out;
	struct ss_hdrs head, trailers; /* received; trailers.n 0: none */
	bool has_trailers;
	struct ss_bufq body;     /* received, not yet taken */
	struct ss_bufq tx;       /* queued, not yet framed */
	struct ss_hdrs *tx_trailers; /* arena copy, or NULL */
	struct ss_arena arena;
	union { /* the version's */
		struct ss_h1_stream h1;
		struct ss_h2_stream h2;
	};
};

/* -- what HTTP/2's connections are made of is known in h2_*.c only -- */
size_t ss_h2_conn_size(void);
uint32_t ss_h2_mbufs(const struct ss_http_conn *c);

/* -- streams (http_stream.c) -- */
/* A stream on c with an empty arena; NULL when the pool, or the clients' half of it, is used up (counted:
 * STREAMS_FULL). */
struct ss_http_stream *ss_http_stream_new(struct ss_http_conn *c);
/* Adds events and puts s on the news; nothing for a released stream. Marks a downstream s as handed. */
void ss_http_news(struct ss_http_stream *s, uint32_t events);
/* Called by bury. */
void ss_http_stream_free(struct ss_http_stream *s);
/* Takes n bytes off conn->in into s->body (BODY as news), or throws them away for a released stream and
 * says consumed. 0, or SS_ERR_NO_MEM (nothing moved: try again next turn). */
int ss_http_body_take(struct ss_http_stream *s, uint32_t n);
/* s is complete both ways, or reset: calls v->over; freed by bury once released (or never handed up). */
void ss_http_stream_over(struct ss_http_stream *s);
/* RESET as news with a reason (the caller counts it), then over. */
void ss_http_stream_fail(struct ss_http_stream *s, enum ss_drop why, bool unprocessed);
/* Copies a block (fields, pseudo fields, bytes) into the stream's arena. 0 or SS_ERR_NO_MEM. */
int ss_http_hdrs_copy(struct ss_arena *a, struct ss_hdrs *to, const struct ss_hdrs *from);
/* A downstream request's authority is valid and its path in normal spelling (wire/uri.h), or
 * SS_ERR_BAD_STREAM (answer 400), SS_ERR_NO_MEM. For a head that the version has found well-formed. */
int ss_http_request_clean(struct ss_http_stream *s);
/* All of s's message was handed to the transport: SENT as news. */
void ss_http_sent(struct ss_http_stream *s);
/* tx has shrunk: ROOM as news if it was owed and half of the room is back. */
void ss_http_tx_shrunk(struct ss_http_stream *s);

/* -- limits (http_limits.c) -- */
struct ss_http_limit_sets *ss_http_limits_create(void);
/* A copy that lives until the connection that asked for it drops it; NULL: no memory. */
const struct ss_http_limits *ss_http_limits_hold(struct ss_http_limit_sets *t, const struct ss_http_limits *l);
void ss_http_limits_drop(const struct ss_http_limits *l);
/* Frees those that nobody holds. How many are left. */
uint32_t ss_http_limits_sweep(struct ss_http_limit_sets *t);
void ss_http_limits_free(struct ss_http_limit_sets *t);

/* -- time (http_time.c) -- */
void ss_http_timers_init(struct ss_http_conn *c);
/* (Re)arms a timer `after` nanoseconds from now; 0 cancels it. */
void ss_http_arm(struct ss_http_conn *c, enum ss_http_timer t, uint64_t after);
/* Cancels all. */
void ss_http_timers_stop(struct ss_http_conn *c);
/* Those that are due at http->now. */
void ss_http_timers_run(struct ss_http *h);

/* -- age (http_age.c) -- */
/* c has just opened: sets its last moment. And that has come. */
void ss_http_age_begin(struct ss_http_conn *c);
void ss_http_age_end(struct ss_http_conn *c);

/* -- connections (http_conn.c) -- */
void ss_http_conn_news(struct ss_http_conn *c, uint32_t events);
/* flush will be called this turn. */
void ss_http_dirty(struct ss_http_conn *c);
/* input will be called at the next ss_http_input, also without news from tls. */
void ss_http_again(struct ss_http_conn *c);
/*
 * The connection ends because of why (counted unless NONE): streams left get RESET (unprocessed:
 * what the caller knows per stream must be said before), upstream GONE. What is in c->out still
 * goes out, then FIN and a bounded wait.
 */
void ss_http_conn_finish(struct ss_http_conn *c, enum ss_drop why);
/* The same, at once, without flushing and counting: the transport is dead or must be. */
void ss_http_conn_abort(struct ss_http_conn *c, enum ss_drop why);
/* No bytes either way from now on. */
void ss_http_conn_gone(struct ss_http_conn *c);
/* Gone, without streams and without an owner above: bury takes it. */
void ss_http_conn_settle(struct ss_http_conn *c);
/* Graceful end as the version does it. */
void ss_http_conn_drain(struct ss_http_conn *c);
void ss_http_conn_free(struct ss_http_conn *c);
/* Ends c and its streams and frees them: for ss_http_free only. */
void ss_http_conn_discard(struct ss_http_conn *c);
/* Pulls plaintext out of tls and runs the version's input. */
void ss_http_conn_feed(struct ss_http_conn *c);
/* Runs the version's flush, hands c->out to tls, ends a closing connection. */
void ss_http_conn_flush(struct ss_http_conn *c);
/* tls has news of t. */
void ss_http_conn_transport(struct ss_http *h, const struct ss_snapshot *snap, struct ss_tls_conn *t);
void ss_http_conn_timer(struct ss_http_conn *c, enum ss_http_timer t);
/* Called by a version when c has no stream and nothing to wait for: idle timer, or end when no_more. */
void ss_http_conn_quiet(struct ss_http_conn *c);

#endif
