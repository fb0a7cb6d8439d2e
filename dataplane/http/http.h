/*
 * http.h - streams of requests and responses, HTTP version hidden.
 *
 * Takes:   tls news; header blocks and body bytes from proxy.
 * Gives:   streams with news (heads, body bytes, trailers, resets) and upstream connections with news.
 * Owns:    HTTP connections and streams, their arenas, received body bytes not yet taken.
 * Thread:  one worker.
 * Time:    nanoseconds, passed in.
 * Errors:  protocol errors end the stream or the connection as RFC 9113 and 9112 say, counted by name.
 *
 * Both sides use the same stream functions: a downstream stream receives a request and is sent a
 * response; an upstream stream is sent a request and receives a response.
 * Events accumulate; a stream or connection is on its news list at most once. A stream handed up
 * stays valid until ss_http_release; an upstream connection until ss_http_conn_release.
 */
#ifndef SS_HTTP_H
#define SS_HTTP_H

#include "contract/events.h"
#include "contract/snapshot.h"
#include "mem/arena.h"
#include "tls/tls.h"
#include "wire/hdr.h"

struct ss_http;
struct ss_http_conn;
struct ss_http_stream;

enum ss_http_event {
	SS_HTTP_EV_HEAD = 1,   /* a request or final response head is complete: ss_http_head */
	SS_HTTP_EV_BODY = 2,   /* more bytes in ss_http_body */
	SS_HTTP_EV_END = 4,    /* the message is complete; trailers, if any, in ss_http_trailers */
	SS_HTTP_EV_ROOM = 8,   /* send room has returned after it was short */
	SS_HTTP_EV_RESET = 16, /* over, not complete; ss_http_reason, ss_http_unprocessed */
	SS_HTTP_EV_INFO = 32,  /* an informational (1xx) head: ss_http_head until HEAD follows */
	SS_HTTP_EV_SENT = 64,  /* all that was queued, end included, has been handed to the transport */
};

enum ss_http_conn_event {
	SS_HTTP_CONN_OPEN = 1,   /* upstream connection may carry requests */
	SS_HTTP_CONN_SLOT = 2,   /* a slot has become free */
	SS_HTTP_CONN_GOAWAY = 4, /* takes no new requests; streams it has go on */
	SS_HTTP_CONN_GONE = 8,   /* over; ss_http_conn_reason. Streams on it have got RESET */
};

/* RFC 9113 7 error codes that callers choose from; h1 ends the connection for all but NO_ERROR. */
enum ss_http_code {
	SS_HTTP_NO_ERROR = 0x0, SS_HTTP_PROTOCOL_ERROR = 0x1, SS_HTTP_INTERNAL_ERROR = 0x2,
	SS_HTTP_REFUSED_STREAM = 0x7, SS_HTTP_CANCEL = 0x8, SS_HTTP_ENHANCE_YOUR_CALM = 0xb,
};

struct ss_http_news {
	struct ss_list streams; /* ss_http_stream_from_news */
	struct ss_list conns;   /* upstream connections: ss_http_conn_from_news */
	struct ss_list aside_streams, aside_conns; /* the same of connections that were set aside */
};

struct ss_http_conf {
	/* Pools of this worker. Clients' requests get half of the streams: each may need one of the others. */
	uint32_t max_conns, max_streams;
	uint32_t max_h2_conns; /* of max_conns, those that may speak HTTP/2; 0: all */
	uint32_t spare_streams; /* besides these: for requests of ours that no client waits for */
	struct ss_tls *tls;
	struct ss_bufpool *bufs;
	struct ss_arena_pools *arenas;
	struct ss_counters *counters;
};

int ss_http_create(struct ss_http **out, const struct ss_http_conf *conf, uint64_t now);
void ss_http_free(struct ss_http *h);

/* Takes tls' news list (emptied). Connections of listeners that snap no longer has are drained. */
void ss_http_input(struct ss_http *h, const struct ss_snapshot *snap, struct ss_list *tls_news,
		   uint64_t now, struct ss_http_news *news);
void ss_http_expire(struct ss_http *h, uint64_t now, struct ss_http_news *news);
uint64_t ss_http_next(const struct ss_http *h);
/* Frames what streams have queued, fairly, as far as windows and send room allow. */
void ss_http_flush(struct ss_http *h, uint64_t now);
void ss_http_bury(struct ss_http *h);
/* Downstream: GOAWAY (h2), "connection: close" (h1); idle connections end now. */
void ss_http_drain(struct ss_http *h, uint64_t now);

struct ss_http_stream *ss_http_stream_from_news(struct ss_list *node);
uint32_t ss_http_events(struct ss_http_stream *s);

/* -- receiving -- */
/* The head received last (request, 1xx or final response); borrowed until release. */
const struct ss_hdrs *ss_http_head(const struct ss_http_stream *s);
/* Body bytes, in order; take from it, then say ss_http_consumed: that opens the peer's window. */
struct ss_bufq *ss_http_body(struct ss_http_stream *s);
void ss_http_consumed(struct ss_http_stream *s, uint32_t n);
/* True when END has been seen and ss_http_body holds all that is left. */
bool ss_http_ended(const struct ss_http_stream *s);
/* Trailers, or NULL. */
const struct ss_hdrs *ss_http_trailers(const struct ss_http_stream *s);

/* -- sending -- */
/*
 * A response's head on a downstream stream. The block and its bytes are borrowed for the call only.
 * Hop-by-hop fields must not be in it; framing (content-length kept if present, else chunked or
 * close on h1) is this room's. end: no body follows. 1xx heads may precede. 0, SS_ERR_CLOSED, SS_ERR_NO_MEM.
 */
int ss_http_send_head(struct ss_http_stream *s, const struct ss_hdrs *h, bool end);
/* Takes q's bytes always. end: the message is complete. SS_ERR_CLOSED when the stream is over. */
int ss_http_send_body(struct ss_http_stream *s, struct ss_bufq *q, bool end);
/* Ends the message with trailers (dropped where the version or peer cannot carry them). */
int ss_http_send_trailers(struct ss_http_stream *s, const struct ss_hdrs *t);
/* Body bytes that may be queued now; ROOM follows as news once 0 was seen. */
uint32_t ss_http_room(const struct ss_http_stream *s);
/* Ends the stream early: RST_STREAM, or the h1 connection's end. */
void ss_http_reset(struct ss_http_stream *s, enum ss_http_code code);
/* The upper room is done with s; an unfinished stream is reset with CANCEL (a downstream one whose
 * response is complete but whose request is not: NO_ERROR, RFC 9113 8.1, but not before a client that has
 * sent all that it announced has had time for its END_STREAM). */
void ss_http_release(struct ss_http_stream *s);

void ss_http_set_owner(struct ss_http_stream *s, void *owner);
void *ss_http_owner(const struct ss_http_stream *s);
/* Why RESET came (enum ss_drop); whether the peer surely did not process the request
 * (REFUSED_STREAM, above GOAWAY's last id, connection closed before a byte of it was sent). */
enum ss_drop ss_http_reason(const struct ss_http_stream *s);
bool ss_http_unprocessed(const struct ss_http_stream *s);
struct ss_http_conn *ss_http_stream_conn(const struct ss_http_stream *s);
struct ss_arena *ss_http_arena(struct ss_http_stream *s);
/* When the first byte of a downstream request arrived. */
uint64_t ss_http_started(const struct ss_http_stream *s);
/* 1 or 2. */
int ss_http_version(const struct ss_http_stream *s);
/* Body bytes received and sent so far. */
uint64_t ss_http_bytes_in(const struct ss_http_stream *s);
uint64_t ss_http_bytes_out(const struct ss_http_stream *s);

/* -- connections -- */
const struct ss_peer *ss_http_peer(const struct ss_http_conn *c);
/* The listener's name id of a downstream connection. */
uint32_t ss_http_cookie(const struct ss_http_conn *c);
struct ss_http_conn *ss_http_conn_from_news(struct ss_list *node);
uint32_t ss_http_conn_events(struct ss_http_conn *c);

/* Active open towards an endpoint of a cluster. OPEN or GONE follows as news. Errors as ss_tcp_connect. */
int ss_http_connect(struct ss_http *h, const struct ss_cluster *cluster, const struct ss_addr *remote,
		    uint64_t now, struct ss_http_conn **out);
/* How many more requests it may carry now: h1 0 or 1, h2 by the peer's SETTINGS. */
uint32_t ss_http_slots(const struct ss_http_conn *c);
/* Starts a request. Borrowing and end as ss_http_send_head. 0, SS_ERR_FULL, SS_ERR_CLOSED, SS_ERR_NO_MEM. */
int ss_http_request(struct ss_http_conn *c, const struct ss_hdrs *h, bool end, uint64_t now,
		    struct ss_http_stream **out);
/* Graceful: no new requests, ends when its streams have. */
void ss_http_conn_close(struct ss_http_conn *c);
/* Not one of the pools': its news, and that of its streams, go on lists of their own. Said right after connect. */
void ss_http_conn_set_aside(struct ss_http_conn *c);
/* Ends c with a reset, at once and without news, and lets it go. Its streams were released. */
void ss_http_conn_kill(struct ss_http_conn *c);
/* The upper room is done with c (after GONE, or to let it go after close). */
void ss_http_conn_release(struct ss_http_conn *c);
void ss_http_conn_set_owner(struct ss_http_conn *c, void *owner);
void *ss_http_conn_owner(const struct ss_http_conn *c);
enum ss_drop ss_http_conn_reason(const struct ss_http_conn *c);

/* Holdings. */
uint32_t ss_http_conns(const struct ss_http *h);
uint32_t ss_http_streams(const struct ss_http *h);
uint32_t ss_http_mbufs(const struct ss_http *h);

#endif
