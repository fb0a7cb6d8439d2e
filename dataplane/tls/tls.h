/*
 * tls.h - a byte stream that may be encrypted; plain TCP is one of its modes.
 *
 * Takes:   tcp news; plaintext byte queues from http.
 * Gives:   connections with news, plaintext queues, the verified peer.
 * Owns:    TLS connections and their SSL objects; plaintext not yet taken.
 * Thread:  one worker.
 * Time:    nanoseconds, passed in.
 * Errors:  a refused connection is counted by reason, reported as an event record, and ends.
 *
 * The handshake is OpenSSL's, over memory, on a handshake thread where there is one: the connection is parked
 * meanwhile and makes news later. New ones are admitted by a rate and by how many wait. After a TLS 1.3 handshake records are
 * opened and sealed in the mbufs where they lie; what is sent must be nobody else's (else it is copied).
 * Contract of events and release as in tcp.h.
 */
#ifndef SS_TLS_H
#define SS_TLS_H

#include "contract/events.h"
#include "contract/snapshot.h"
#include "tcp/tcp.h"

struct ss_crew;
struct ss_offload;
struct ss_tls;
struct ss_tls_conn;

enum ss_tls_event {
	SS_TLS_EV_ACCEPTED = 1,  /* downstream connection is ready (plaintext, or handshake done) */
	SS_TLS_EV_CONNECTED = 2, /* upstream connection is ready */
	SS_TLS_EV_READ = 4,      /* more bytes in ss_tls_rx */
	SS_TLS_EV_ROOM = 8,      /* send room has returned */
	SS_TLS_EV_EOF = 16,      /* the peer has ended (close_notify; FIN in plaintext, or from a TLS client) */
	SS_TLS_EV_FAILED = 32,   /* over; ss_tls_reason says why */
};

struct ss_tls_conf {
	uint32_t max_conns;
	uint32_t max_tls_conns; /* of them, those that may be encrypted; 0: all */
	uint32_t expanded_keys; /* held at most for each family of ciphers; 0: 2,048 */
	uint32_t max_plain; /* bytes of plaintext held per connection before reading stops */
	uint16_t worker;
	enum ss_tls_records records; /* who opens and seals records after the handshake */
	struct ss_tls_device *device; /* tls_device.h; NULL unless they are a device's */
	const struct ss_ticket_ring *tickets; /* contract/tickets.h; NULL: a server gives none */
	struct ss_crew *crew;     /* runs handshakes; NULL: this worker does */
	struct ss_offload *offload; /* does key operations of handshakes; NULL: none */
	uint32_t handshake_queue; /* handshakes in a step or waiting for one, at most; 0: 64 */
	uint32_t handshake_rate;  /* of clients, a second; 0: any number */
	struct ss_tcp *tcp;
	struct ss_bufpool *bufs;
	struct ss_counters *counters;
	struct ss_event_ring *events;
};

/* What its certificate and its handshake say: one for all of a worker's connections of which they say the same. */
struct ss_peer_names {
	struct ss_span identity; /* SPIFFE URI, else first DNS SAN, of a verified certificate; else empty */
	struct ss_span sni;      /* server side: the name the client asked for */
	struct ss_span xfcc;     /* server side: the client's certificate as x-forwarded-client-cert has it; or empty */
	int64_t until;           /* when the first of the two certificates ends, in Unix seconds; 0: there is none */
};

/* Who the other side is. Names live as long as the connection. */
struct ss_peer {
	const struct ss_peer_names *names; /* NULL: there are none */
	struct ss_addr addr;
	struct ss_addr local;
	uint8_t tls;             /* 0 plaintext, 1 TLS, 2 mutual TLS */
	uint8_t alpn;            /* enum ss_alpn */
};

static inline struct ss_span ss_peer_identity(const struct ss_peer *p)
{
	return p->names ? p->names->identity : SS_SPAN_NONE;
}

static inline struct ss_span ss_peer_sni(const struct ss_peer *p)
{
	return p->names ? p->names->sni : SS_SPAN_NONE;
}

static inline struct ss_span ss_peer_xfcc(const struct ss_peer *p)
{
	return p->names ? p->names->xfcc : SS_SPAN_NONE;
}

static inline int64_t ss_peer_until(const struct ss_peer *p)
{
	return p->names ? p->names->until : 0;
}

int ss_tls_create(struct ss_tls **out, const struct ss_tls_conf *conf, uint64_t now);
void ss_tls_free(struct ss_tls *t);

/* Takes tcp's news list (emptied); snap finds a listener by the connection's cookie (= name id). */
void ss_tls_input(struct ss_tls *t, const struct ss_snapshot *snap, struct ss_list *tcp_news,
		  uint64_t now, struct ss_list *news);
/* Handshake timeouts, parked handshakes that are ready, connections with plaintext room again. */
void ss_tls_expire(struct ss_tls *t, uint64_t now, struct ss_list *news);
uint64_t ss_tls_next(const struct ss_tls *t);
/* Seals what was queued this turn: small writes of one turn share a record. */
void ss_tls_flush(struct ss_tls *t, uint64_t now);
void ss_tls_bury(struct ss_tls *t);

struct ss_tls_conn *ss_tls_from_news(struct ss_list *node);
uint32_t ss_tls_events(struct ss_tls_conn *c);

/* Active open; client NULL for plaintext. alpn: the protocol wanted (SS_PROTO_AUTO offers both).
 * client is borrowed for the call (the connection keeps its own references). Errors as ss_tcp_connect. */
int ss_tls_connect(struct ss_tls *t, const struct ss_addr *remote, const struct ss_tls_client *client,
		   enum ss_protocol protocol, uint64_t now, struct ss_tls_conn **out);

/* Plaintext, in order; take from it, then say ss_tls_consumed. */
struct ss_bufq *ss_tls_rx(struct ss_tls_conn *c);
void ss_tls_consumed(struct ss_tls_conn *c, uint32_t n);
uint32_t ss_tls_room(struct ss_tls_conn *c);
/* Takes everything in q always. SS_ERR_CLOSED when nothing can be sent any more. */
int ss_tls_send(struct ss_tls_conn *c, struct ss_bufq *q);
/* close_notify (if TLS) and FIN after what is queued. */
void ss_tls_shutdown(struct ss_tls_conn *c);
/* Reset now. */
void ss_tls_abort(struct ss_tls_conn *c);
void ss_tls_release(struct ss_tls_conn *c);

void ss_tls_set_owner(struct ss_tls_conn *c, void *owner);
void *ss_tls_owner(const struct ss_tls_conn *c);
const struct ss_peer *ss_tls_peer(const struct ss_tls_conn *c);
/* The listener's name id; 0 for a connect. */
uint32_t ss_tls_cookie(const struct ss_tls_conn *c);
enum ss_drop ss_tls_reason(const struct ss_tls_conn *c);
/* Who opens and seals records: never SS_TLS_RECORDS_AUTO. */
enum ss_tls_records ss_tls_records(const struct ss_tls *t);
uint32_t ss_tls_conns(const struct ss_tls *t);
/* Expanded keys held. Those of a connection that rests are given back. */
uint32_t ss_tls_keys_held(const struct ss_tls *t);
/* mbufs held in this room's queues. */
uint32_t ss_tls_mbufs(const struct ss_tls *t);

#endif
