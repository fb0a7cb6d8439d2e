/*
 * tcp.h - reliable byte streams over IP, for one worker.
 *
 * Takes:   segments from net; byte queues from tls.
 * Gives:   connections with news; segments to net.
 * Owns:    connections, send and reassembly queues. Freed by ss_tcp_bury at the end of a turn only.
 * Thread:  one worker. No function here may be called from another lcore.
 * Time:    nanoseconds, passed in. This room never reads a clock.
 * Errors:  enum ss_err; a refused segment is freed and counted here (contract/drops.h).
 *
 * A connection handed up (by news or by connect) stays valid until the upper room calls
 * ss_tcp_release; after that the upper room may not touch it, and this room ends it in its own time
 * (FIN exchange, TIME-WAIT). Events accumulate until ss_tcp_events takes them; a connection is on the
 * news list at most once.
 */
#ifndef SS_TCP_H
#define SS_TCP_H

#include "base/addr.h"
#include "base/list.h"
#include "buf/buf.h"
#include "contract/counters.h"
#include "net/net.h"

struct ss_tcp;
struct ss_tcp_conn;

enum ss_tcp_event {
	SS_TCP_EV_ACCEPTED = 1,  /* a listener's connection is established (first news of it) */
	SS_TCP_EV_CONNECTED = 2, /* our connect is established */
	SS_TCP_EV_READ = 4,      /* more bytes in ss_tcp_rx */
	SS_TCP_EV_ROOM = 8,      /* send room has returned after it was short */
	SS_TCP_EV_EOF = 16,      /* the peer has sent FIN: no bytes follow those in ss_tcp_rx */
	SS_TCP_EV_FAILED = 32,   /* reset, timeout, refused: over; ss_tcp_reason says why */
};

struct ss_tcp_conf {
	uint32_t max_conns;       /* connections in all */
	uint32_t kept_conns;      /* of them, those that are not given to accepts; 0: a quarter */
	uint32_t max_half_open;   /* SYN-RECEIVED; more are refused (SYN cookies: a later step) */
	uint32_t rcv_buf, snd_buf; /* bytes per connection, at most */
	uint64_t time_wait_ns;    /* default 2 x MSL = 60 s is set by the caller; reuse by RFC 6191 */
	uint64_t connect_timeout_ns; /* gives up on SYN after this */
	uint64_t user_timeout_ns; /* unacknowledged data: gives up */
	uint16_t port_low, port_high; /* local ports of active opens */
	uint16_t worker, n_workers;   /* a connect picks a port whose answer steers to this worker */
	struct ss_net *net;
	struct ss_bufpool *bufs;
	struct ss_counters *counters;
	uint64_t secret[2]; /* keys ISNs (RFC 6528) and the table */
};

int ss_tcp_create(struct ss_tcp **out, const struct ss_tcp_conf *conf, uint64_t now);
/* Frees everything; connections still held are reset first. */
void ss_tcp_free(struct ss_tcp *t);

/* Accepts on addr. cookie comes back from ss_tcp_cookie. SS_ERR_FULL, SS_ERR_REFUSED when taken. */
int ss_tcp_listen(struct ss_tcp *t, const struct ss_addr *addr, uint32_t cookie, uint32_t max_conns);
/* Stops accepting; established connections live on. */
void ss_tcp_unlisten(struct ss_tcp *t, const struct ss_addr *addr);

/* Takes all segments; puts connections with news on `news` (struct ss_tcp_conn via ss_tcp_from_news). */
void ss_tcp_input(struct ss_tcp *t, struct ss_segs *segs, uint64_t now, struct ss_list *news);
/* Timers: makes news of the same kind. */
void ss_tcp_expire(struct ss_tcp *t, uint64_t now, struct ss_list *news);
/* The next time ss_tcp_expire has work; SS_NEVER without. */
uint64_t ss_tcp_next(const struct ss_tcp *t);
/* Sends what connections have queued and the ACKs they owe. */
void ss_tcp_flush(struct ss_tcp *t, uint64_t now);
/* Ends every connection now, with RST: FAILED follows as news for each that an upper room holds. For
 * the end of a worker: what is still held some turns later is a leak. */
void ss_tcp_fail_all(struct ss_tcp *t, uint64_t now, struct ss_list *news);
/* Frees what ended this turn and was released. */
void ss_tcp_bury(struct ss_tcp *t);

/* The connection behind a node of a news list. */
struct ss_tcp_conn *ss_tcp_from_news(struct ss_list *node);
/* Takes the accumulated events (enum ss_tcp_event bits). */
uint32_t ss_tcp_events(struct ss_tcp_conn *c);

/*
 * Active open, from our address by route. 0 and a connection (CONNECTED or FAILED
 * follows as news), or SS_ERR_NO_MEM, SS_ERR_NOT_FOUND (no route), SS_ERR_FULL (no port).
 */
int ss_tcp_connect(struct ss_tcp *t, const struct ss_addr *remote, uint64_t now,
		   struct ss_tcp_conn **out);

/*
 * From now on a connection holds at most so many bytes in each direction, however large rcv_buf and
 * snd_buf are: memory runs short. A window once offered is not taken back. At least SS_TCP_LIMIT_MIN.
 */
#define SS_TCP_LIMIT_MIN 16384u
void ss_tcp_limit(struct ss_tcp *t, uint32_t bytes);

/* Received bytes, in order. The caller takes from it and then says so with ss_tcp_consumed. */
struct ss_bufq *ss_tcp_rx(struct ss_tcp_conn *c);
/* n bytes have left ss_tcp_rx: the receive window may open again. */
void ss_tcp_consumed(struct ss_tcp_conn *c, uint32_t n);
/* Bytes that may be sent now without passing snd_buf. When 0 was seen, ROOM follows as news. */
uint32_t ss_tcp_room(struct ss_tcp_conn *c);
/* Takes everything in q (also when it is more than the room). Leaves with ss_tcp_flush. SS_ERR_CLOSED
 * (q freed) when the connection can send no more. */
int ss_tcp_send(struct ss_tcp_conn *c, struct ss_bufq *q);
/* FIN after what is queued. Receiving goes on. */
void ss_tcp_shutdown(struct ss_tcp_conn *c);
/* RST now; everything queued is freed. No news follows. Release is still owed. */
void ss_tcp_abort(struct ss_tcp_conn *c);
/* The upper room is done with c: shutdown if that was not called; bytes that arrive later make a RST. */
void ss_tcp_release(struct ss_tcp_conn *c);
/* Bytes not yet acknowledged by the peer (queued or in flight). */
uint32_t ss_tcp_unacked(const struct ss_tcp_conn *c);

void ss_tcp_set_owner(struct ss_tcp_conn *c, void *owner);
void *ss_tcp_owner(const struct ss_tcp_conn *c);
const struct ss_tuple *ss_tcp_tuple(const struct ss_tcp_conn *c);
/* The listener's cookie; 0 for a connect. */
uint32_t ss_tcp_cookie(const struct ss_tcp_conn *c);
/* Why it FAILED (enum ss_drop). */
enum ss_drop ss_tcp_reason(const struct ss_tcp_conn *c);

/* Holdings, for accounting: connections (TIME-WAIT apart), TIME-WAIT entries, mbufs in queues. */
uint32_t ss_tcp_conns(const struct ss_tcp *t);
uint32_t ss_tcp_time_waits(const struct ss_tcp *t);
uint32_t ss_tcp_mbufs(const struct ss_tcp *t);
/* Connections accepted with this cookie that are still alive. */
uint32_t ss_tcp_listener_conns(const struct ss_tcp *t, uint32_t cookie);

/* Which worker a received tuple belongs to, where the port does not steer: the same on every worker. */
uint16_t ss_tcp_steer(const struct ss_tuple *t, uint16_t n_workers);

#endif
