/*
 * h2_int.h - the private parts of an HTTP/2 connection and stream, and what the h2_*.c share.
 *
 * Takes:   nothing.
 * Gives:   structs and functions for h2_*.c alone.
 * Thread:  one worker.
 */
#ifndef SS_H2_INT_H
#define SS_H2_INT_H

#include "base/list.h"
#include "buf/buf.h"
#include "contract/drops.h"
#include "wire/h2frame.h"
#include "wire/hdr.h"
#include "wire/hpack.h"

struct ss_http_conn;
struct ss_http_stream;

#define SS_H2_REMEMBER 32u   /* closed streams remembered, each way of closing */
#define SS_H2_COPY_MAX 512u  /* payloads up to this are copied into the batch instead of moved */
#define SS_H2_BLOCK_MAX 131072u /* encoded block: the scratch's first part; decoded bytes go behind it */
#define SS_H2_FIRST_SLOTS 100u /* requests at once before the peer's SETTINGS have come */
/* How long an answered request, whose every announced byte has come, may leave out its END_STREAM. */
#define SS_H2_LATE_END_NS SS_NS_PER_SEC
/* Encoders there are at least, of as many connections or more. */
#define SS_H2_ENCODERS_MIN 512u
#define SS_H2_DRAIN_NS (5 * SS_NS_PER_SEC) /* first to second GOAWAY, unless a PING comes back before */

/* Each stream's part (RFC 9113 5.1, as far as rx_end, tx_end and over do not say it). */
struct ss_h2_stream {
	uint32_t id;
	bool got_head;             /* a final head was received: more HEADERS are trailers */
	struct ss_http_stream *next_by_id;
	struct ss_list ready;      /* ss_h2_conn.ready: has something to send */
	struct ss_list window;     /* ss_h2_conn.windows: owes a WINDOW_UPDATE */
	struct ss_list late;       /* ss_h2_conn.late: answered, only its END_STREAM is missing */
	uint64_t late_at;          /* since when */
	int64_t send_window;       /* may be negative (RFC 9113 6.9.2) */
	int64_t recv_window;
	uint32_t credit;           /* bytes taken by the upper room, not yet given back */
	uint64_t length_left;      /* of content-length; SS_H2MSG_NO_LENGTH when there is none */
};

/* What is counted against abuse: h2_guard.c. */
enum ss_h2_bound {
	SS_H2_B_RESET = 0, SS_H2_B_CONTROL, SS_H2_B_EMPTY, SS_H2_B_CONTINUATION, SS_H2_B_PRIORITY,
	SS_H2_B_WINDOW, SS_H2_B_OUTBOUND, SS_H2_B_COUNT,
};

struct ss_h2_guard {
	uint32_t n[SS_H2_B_COUNT];  /* spent, or in a row */
	uint64_t at[SS_H2_B_COUNT]; /* when the refill was computed last */
	uint64_t data_in, data_out; /* DATA frames with bytes: each allows some control frames */
};

struct ss_h2_conn {
	/* Receiving: the frame that c->in stands in. */
	struct ss_h2frame f;
	bool in_frame;             /* f is parsed, its payload is not all taken */
	bool in_parts;             /* DATA whose prefix is taken, or a frame to be thrown away: then */
	                           /* data_left and pad_left count */
	struct ss_http_stream *data_stream; /* where data_left goes; NULL: nowhere */
	uint8_t preface;           /* bytes of the client's preface still to come */
	bool got_settings;         /* the peer's first frame has been seen (RFC 9113 3.4) */
	uint32_t data_left, pad_left;
	/* A header block that has not ended (RFC 9113 4.3): nothing else may come between. */
	struct ss_bufq block;
	uint32_t block_stream;     /* 0: none */
	uint8_t block_flags;
	/* Settings of the peer, and ours. */
	uint32_t peer_streams, peer_window, peer_frame;
	uint32_t our_window;       /* initial stream window that the peer works with */
	bool acked;                /* the peer has acknowledged our SETTINGS */
	/* Streams. */
	uint32_t last_peer;        /* highest id that the peer has opened */
	uint32_t next_id;          /* of our next request */
	uint32_t unsent_id;        /* first of those that no flush has seen */
	uint32_t place;            /* where its streams begin in http->by_id */
	uint32_t reset_ids[SS_H2_REMEMBER], done_ids[SS_H2_REMEMBER], gone_ids[SS_H2_REMEMBER];
	uint32_t n_reset, n_done, n_gone;
	/* Windows of the connection. */
	int64_t send_window, recv_window;
	uint32_t credit;
	struct ss_list ready, windows, late;
	/* Ending. */
	uint8_t draining;          /* 0 no, 1 first GOAWAY is out, 2 the final one is */
	uint32_t goaway_last;      /* what the final GOAWAY said */
	bool ping_out;             /* keepalive PING not answered yet */
	struct ss_h2_guard guard;
	struct ss_h2_encoder *encoder; /* NULL: none just now (h2_encoder.c) */
	uint32_t peer_table;       /* its SETTINGS_HEADER_TABLE_SIZE */
	bool enc_anew;             /* the next encoder has to empty the peer's table first */
	struct ss_hpack_dec dec;
};

/* What an id means that finds no open stream (RFC 9113 5.1). */
enum ss_h2_id {
	SS_H2_ID_IDLE,      /* not opened yet, or never can be */
	SS_H2_ID_RESET,     /* we reset it: what comes was in flight, ignore it */
	SS_H2_ID_DONE,      /* the peer had ended it (END_STREAM) */
	SS_H2_ID_GONE,      /* the peer had reset it */
	SS_H2_ID_FORGOTTEN, /* closed, long ago */
};

/* -- h2_conn.c -- */
/* Frames of a few bytes to c->out. */
void ss_h2_put(struct ss_http_conn *c, const struct ss_out *o, const uint8_t *from);
/* GOAWAY, then the connection ends; why is counted (RFC 9113 5.4.1). */
void ss_h2_conn_error(struct ss_http_conn *c, enum ss_h2_code code, enum ss_drop why);
void ss_h2_on_settings(struct ss_http_conn *c, const uint8_t *p);
void ss_h2_on_ping(struct ss_http_conn *c, const uint8_t *p);
void ss_h2_on_goaway(struct ss_http_conn *c, const uint8_t *p);
/* Upstream: c->slots follows the peer's limit and what is in use; SLOT as news when there is one more. */
void ss_h2_slots(struct ss_http_conn *c);

/* -- h2_encoder.c -- */
struct ss_h2_encoders;
struct ss_h2_encoders *ss_h2_encoders_create(uint32_t max_conns);
void ss_h2_encoders_free(struct ss_h2_encoders *all);
/* The connection's, for a block that will be sent: good until another connection asks. */
struct ss_hpack_enc *ss_h2_encoder(struct ss_http_conn *c);
/* The peer's SETTINGS_HEADER_TABLE_SIZE has come. */
void ss_h2_encoder_limit(struct ss_http_conn *c, uint32_t limit);
void ss_h2_encoder_end(struct ss_http_conn *c);

/* -- h2_recv.c -- */
void ss_h2_input(struct ss_http_conn *c);

/* -- h2_headers.c -- */
void ss_h2_on_headers(struct ss_http_conn *c, const uint8_t *p);
void ss_h2_on_continuation(struct ss_http_conn *c, const uint8_t *p);

/* -- h2_stream.c -- */
struct ss_http_stream *ss_h2_find(const struct ss_http_conn *c, uint32_t id);
void ss_h2_stream_open(struct ss_http_stream *s, uint32_t id);
void ss_h2_stream_over(struct ss_http_stream *s);
enum ss_h2_id ss_h2_id(const struct ss_http_conn *c, uint32_t id);
/* The peer has ended its message: END, or an error when content-length says that bytes are missing. */
void ss_h2_rx_end(struct ss_http_stream *s);
/* RST_STREAM because of what the peer did; why is counted; s may be NULL (RFC 9113 5.4.2). */
void ss_h2_stream_error(struct ss_http_conn *c, uint32_t id, struct ss_http_stream *s, enum ss_h2_code code,
			enum ss_drop why);
/* s is answered and released, its request has not ended: it is reset (RFC 9113 8.1), at once or, where nothing
 * but END_STREAM can be missing, when that does not come in time. */
void ss_h2_answered(struct ss_http_stream *s);
/* The time is up for the requests that have waited longest. */
void ss_h2_late_end(struct ss_http_conn *c);
/* RST_STREAM for reasons of ours. */
void ss_h2_reset(struct ss_http_stream *s, uint32_t code);
void ss_h2_on_rst(struct ss_http_conn *c, const uint8_t *p);
void ss_h2_on_priority(struct ss_http_conn *c, const uint8_t *p);

/* -- h2_flow.c -- */
void ss_h2_consumed(struct ss_http_stream *s, uint32_t n);
/* n bytes of the connection's window are free again, whosever they were. */
void ss_h2_credit(struct ss_http_conn *c, uint32_t n);
/* n bytes of DATA's payload begin to arrive on s (NULL: on no open stream). False: an error was sent. */
bool ss_h2_flow_in(struct ss_http_conn *c, struct ss_http_stream *s, uint32_t n);
/* The WINDOW_UPDATEs that are owed. */
void ss_h2_flow_out(struct ss_http_conn *c);
void ss_h2_on_window(struct ss_http_conn *c, const uint8_t *p);
/* The peer's SETTINGS_INITIAL_WINDOW_SIZE. False: a window went over its maximum. */
bool ss_h2_peer_window(struct ss_http_conn *c, uint32_t size);
/* Ours, once acknowledged. */
void ss_h2_our_window(struct ss_http_conn *c, uint32_t size);

/* -- h2_send.c -- */
int ss_h2_send_head(struct ss_http_stream *s, const struct ss_hdrs *h, bool end);
/* A response without a body that this room makes (400, 431), then the stream's end. */
void ss_h2_answer(struct ss_http_stream *s, uint16_t status);
void ss_h2_ready(struct ss_http_stream *s);
bool ss_h2_flush(struct ss_http_conn *c, uint32_t room);

/* -- h2_guard.c -- */
/* Counts one more of b; false when that was one too many (GOAWAY ENHANCE_YOUR_CALM is out). */
bool ss_h2_guard(struct ss_http_conn *c, enum ss_h2_bound b);
/* A run of b has ended. */
void ss_h2_guard_clear(struct ss_http_conn *c, enum ss_h2_bound b);

#endif
