/*
 * tls_int.h - what the files of this room share: the connection and who changes it.
 *
 * Takes:   nothing.
 * Gives:   struct ss_tls_conn, struct ss_tls, the room's inner calls.
 * Owns:    nothing by itself.
 * Thread:  one worker.
 *
 * tls_conn.c       life: create, connect, release, bury; what the upper room asks
 * tls_input.c      news from tcp and timers; which state does what with it
 * tls_bio.c        OpenSSL's input and output: flat bytes in a handshake, then tcp's queue and ours
 * tls_handshake.c  handshakes begun, and what a step brings back
 * tls_queue.c      admission; steps given to threads, or run here, a bounded number a turn
 * tls_shake.h      a handshake apart from its connection: tls_step.c, tls_secrets.c, tls_peer.c, tls_resume.c,
 *                  tls_until.c, tls_offload.c
 * tls_handover.c   who does records; the handshake's keys become the connection's
 * tls_record.c     what a turn does with records, whoever opens and seals them
 * tls_open.c       our records: opened where they lie
 * tls_post.c       alerts and messages that come as records after the handshake
 * tls_peers.c      what is known of peers, kept once
 * tls_tickets.c    session tickets for a client that keeps them
 * tls_sessions.c   the sessions kept
 * tls_seal.c       our records: sealed where they lie, KeyUpdate, alerts
 * tls_libssl.c     OpenSSL's records
 * tls_keys.c       traffic secrets to keys
 * tls_aead*.c      the ciphers, and who runs them
 * tls_xfcc.c       a client's certificate in a line, for upstream
 * tls_refuse.c     how a connection is ended by us, counted and reported
 */
#ifndef SS_TLS_INT_H
#define SS_TLS_INT_H

#include <openssl/ssl.h>

#include "base/err.h"
#include "mem/pool.h"
#include "timer/wheel.h"
#include "tls/tls.h"
#include "tls/tls_aead.h"
#include "tls/tls_shake.h"
#include "wire/tlsrec.h"

/* Handshake steps per turn of a worker that does them itself: one is 0.3 to 1 ms of asymmetric cryptography, a
 * turn is microseconds. */
#define TLS_STEPS_PER_TURN 4
/* How long we go on dropping what the peer still sends after our FIN (see ss_tls_close). */
#define TLS_LINGER_NS SS_NS_PER_SEC
#define TLS_TICK_NS (10 * SS_NS_PER_MS)
#define TLS_QUEUE 64
/* Handshakes taken back from their threads in one turn. */
#define TLS_BACK_PER_TURN 16
/* Expanded keys held by a worker: two for each of the connections that work at the same time. */
#define TLS_KEYS 2048
/* Keys that no record has needed for so long, twice at most, are given back. */
#define TLS_REST_NS (5 * SS_NS_PER_SEC)

enum tls_state {
	TLS_ST_FIRST,      /* downstream: waits for the byte that tells TLS from plaintext */
	TLS_ST_CONNECTING, /* upstream: waits for tcp */
	TLS_ST_SHAKING,    /* handshake under way */
	TLS_ST_OPEN,       /* records */
	TLS_ST_PLAIN,      /* plaintext passes through */
	TLS_ST_CLOSED,     /* FIN or RST sent, or tcp over: what still comes is dropped */
	TLS_ST_COUNT
};

enum tls_timer_kind { TLS_TIMER_HANDSHAKE = 1, TLS_TIMER_LINGER = 2 };

/* How an attempt to read ended. */
enum tls_got { TLS_GOT_ALL, TLS_GOT_MORE, TLS_GOT_NO_MEM, TLS_GOT_NOTIFY, TLS_GOT_ERROR };

/* An alert that is not sent: the peer's own came, or nothing fits. */
#define TLS_NO_ALERT 255

/* What our own records need, once the handshake's secrets are ours. */
struct tls_own {
	struct tls_half rd, wr;
	struct ss_bufq in;   /* ciphertext; before it, in the same mbuf, what is open already (tls_open.c) */
	uint32_t owed;       /* bytes at the back of it that tcp still counts as ours to take */
	uint32_t open;       /* bytes of plaintext at its front */
	uint32_t gap;        /* bytes behind those that mean nothing any more */
	uint32_t message_left; /* of a handshake message under way */
	uint8_t message[SS_TLS_MESSAGE_HEADER], message_n;
	uint8_t empties, warnings; /* in a row */
	uint8_t alert;       /* enum ss_tls_alert, with TLS_GOT_ERROR */
	bool taken;          /* records are ours */
	bool rekey;          /* the peer asked for new keys of ours */
	bool rekey_asked;    /* we asked for new keys of the peer's */
};

/* Where a client keeps sessions: what gives its tickets to OpenSSL (tls_tickets.c). */
struct tls_tickets {
	struct tls_half as_server; /* the server's first keys */
	struct ss_bufq message;    /* of the ticket under way */
	struct ss_bufq in;         /* what OpenSSL will read next */
	bool failed;               /* this one cannot be kept */
	uint8_t kept;              /* so many were */
	uint8_t data;              /* times that data has come */
};

struct tls_sessions;
struct tls_peers;

/* Of a peer, or of several that are the same. */
struct tls_known {
	struct ss_peer_names names;
	struct ss_trust_mark mark; /* of its chain; its trust is the one that found it good last */
	struct tls_known *next;
	uint32_t refs, hash;
	uint8_t text[]; /* what names point to */
};

/*
 * What plaintext needs as well stands first: a connection that can never be TLS may have that part alone (slim).
 */
struct ss_tls_conn {
	struct ss_list news;  /* on a news list */
	struct ss_list dirty; /* on t->dirty: something to seal or to end; on t->dead */
	struct ss_list all;
	struct ss_timer timer;
	struct ss_tls *t;
	struct ss_tcp_conn *tcp;
	void *owner;
	struct ss_peer peer;
	uint32_t cookie;
	uint32_t events;
	uint16_t reason;  /* enum ss_drop, with SS_TLS_EV_FAILED */
	uint8_t state;
	bool slim;         /* nothing below `work` is there */
	bool server;
	bool waits;        /* in t->parked */
	bool handed;       /* the upper room knows it, and will release it */
	bool released;
	bool tcp_eof;      /* FIN has come */
	bool tcp_over;     /* reset by either side: nothing can be sent or received */
	bool got_data;     /* application data has come: later alerts are no handshake's */
	bool got_notify;   /* the peer's close_notify (or EOF) has been told */
	bool shut;         /* the upper room wants close_notify after what is queued */
	bool notified;     /* our close_notify is out */
	bool stalled;      /* reading stopped at max_plain or for want of mbufs */
	bool room_short;   /* the upper room saw no room */
	bool dead;         /* on t->dead */
	/* -- TLS alone -- */
	struct ss_list work;  /* on t->parked or t->ready */
	struct tls_shake *shake; /* the handshake; afterwards only while OpenSSL is needed */
	struct tls_trip *trip;   /* its bytes, in a step */
	SSL *ssl;                /* after the handshake, when OpenSSL is still needed */
	struct ss_bufq rx;  /* plaintext not yet taken */
	struct ss_bufq tx;  /* plaintext not yet sealed */
	struct ss_bufq out; /* ciphertext not yet given to tcp */
	struct tls_own own;
	struct tls_tickets *tickets; /* NULL: late tickets are dropped */
	uint32_t cluster;     /* name id; 0: of a listener, or nobody's */
	const char *why;  /* what refuses a record of ours, in words; lives for ever */
};

struct ss_tls {
	struct ss_tls_conf conf;
	struct ss_pool *pool, *slim, *trips; /* slim: connections without their part for TLS; NULL: none */
	struct tls_tools tools;
	struct tls_waits waits;
	uint32_t waiting; /* length of parked */
	uint64_t budget_at; /* when the budget of handshakes is whole again */
	struct tls_aead *gcm, *chacha; /* who does our records; NULL: OpenSSL does. chacha may be gcm */
	struct ss_wheel wheel;
	uint64_t now; /* the time this room was told last */
	uint64_t rest_at; /* when expanded keys are looked through again */
	uint32_t steps; /* handshake steps left in this turn */
	struct ss_list pending; /* news for the next list we are given */
	struct ss_list parked;  /* handshakes with something to do */
	struct ss_list paused;  /* trips of handshakes done here that wait for the offload */
	struct ss_list ready;   /* stalled connections that may read again */
	struct ss_list dirty;
	struct ss_list all;
	struct ss_list dead;
	struct tls_sessions *sessions;
	struct tls_peers *peers;
	uint64_t generation; /* of the snapshot that handshakes begin with */
	uint32_t again;      /* connections to be judged under it yet */
	uint8_t scratch[SS_TLSREC_MAX_PLAIN]; /* gathers small writes into one record */
};

/* -- tls_conn.c -- */
/* A connection over tcp, in state FIRST or CONNECTING; NULL when the pool is empty. plain: it will never be TLS. */
struct ss_tls_conn *ss_tls_conn_new(struct ss_tls *t, struct ss_tcp_conn *tcp, bool plain);
/* Connections that may be encrypted. */
uint32_t ss_tls_max_conns(const struct ss_tls_conf *conf);
/* Gives the connection back to tcp and to the pool (at the turn's end) when neither side needs it. */
void ss_tls_settle(struct ss_tls_conn *c);
/* Notes events; the connection comes up with the next list of news. */
void ss_tls_raise(struct ss_tls_conn *c, uint32_t events);
/* Asks for ss_tls_flush to look at c. */
void ss_tls_dirty(struct ss_tls_conn *c);

/* Encrypted, or to become so: not plaintext that passes through. */
static inline bool ss_tls_is_tls(const struct ss_tls_conn *c)
{
	return c->peer.tls != 0;
}
/* NULL: of a peer about whom nothing is known. */
static inline struct tls_known *ss_tls_known(const struct ss_tls_conn *c)
{
	return c->peer.names ? ss_container_of((struct ss_peer_names *)(uintptr_t)c->peer.names, struct tls_known, names) :
			       NULL;
}
static inline struct tls_aead *ss_tls_aead_of(const struct ss_tls *t, const struct tls_half *h)
{
	return h->alg == TLS_CHACHA20_POLY1305 ? t->chacha : t->gcm;
}

/* -- tls_bio.c -- */
/* Gives the ciphertext that OpenSSL has made to tcp. */
void ss_tls_out(struct ss_tls_conn *c);

/* -- tls_handshake.c -- */
/* Make what the handshake needs. 0, SS_ERR_NO_MEM. */
int ss_tls_server_begin(struct ss_tls_conn *c, const struct ss_listener *l);
int ss_tls_client_begin(struct ss_tls_conn *c, const struct ss_tls_client *cl, enum ss_protocol protocol);
/* A step is over: its bytes go to tcp, and the connection goes on. Comes again when there are no mbufs. */
void ss_tls_land(struct ss_tls_conn *c);

/* -- tls_peers.c -- */
/* conns: connections that may be encrypted. 0, SS_ERR_NO_MEM. */
int ss_tls_peers_create(struct tls_peers **out, uint32_t conns);
void ss_tls_peers_free(struct tls_peers *p);
uint32_t ss_tls_peers_n(const struct tls_peers *p);
/* A reference to the one with the same names and mark; NULL: no memory. */
struct tls_known *ss_tls_peers_hold(struct tls_peers *p, const struct ss_peer_names *n, const struct ss_trust_mark *m);
/* Gives it back; k may be NULL. */
void ss_tls_peers_drop(struct tls_peers *p, struct tls_known *k);

/* -- tls_queue.c -- */
/* A client asks for a handshake: SS_DROP_NONE, or the name under which it is refused. */
enum ss_drop ss_tls_admit(struct ss_tls *t);
/* Queues c's next handshake step when there are bytes for it. */
void ss_tls_park(struct ss_tls_conn *c);
/* The same whether there are or not. */
void ss_tls_park_anyway(struct ss_tls_conn *c);
/* Not queued any more; a step that is away brings its handshake back to nobody. */
void ss_tls_unpark(struct ss_tls_conn *c);
/* Takes back steps that are done; gives parked handshakes theirs, or runs them as far as this turn's budget goes. */
void ss_tls_steps(struct ss_tls *t);
/* The crew has stopped: frees what it still had. False: a thread is stuck in a step. */
bool ss_tls_queue_end(struct ss_tls *t);

/* -- tls_handover.c -- */
/* Chooses who does the records. 0, SS_ERR_NOT_FOUND (what was asked for by name cannot work here), SS_ERR_NO_MEM. */
int ss_tls_records_create(struct ss_tls *t);
void ss_tls_records_free(struct ss_tls *t);
/* Gives back the expanded keys of who rests, when it is time. */
void ss_tls_rest(struct ss_tls *t);
/* After the handshake: its keys become c's, and it is freed unless OpenSSL is still needed. */
void ss_tls_own_begin(struct ss_tls_conn *c);
/* Frees the handshake, clears keys, frees what is queued. */
void ss_tls_own_end(struct ss_tls_conn *c);

/* -- tls_record.c -- */
/* Opens records until the peer has sent no more or max_plain is reached. */
void ss_tls_pump(struct ss_tls_conn *c);
/* Seals what is queued; then close_notify and FIN when that was asked for. */
void ss_tls_seal(struct ss_tls_conn *c);

/* -- tls_open.c -- */
/* Opens what has come, up to max_plain. With TLS_GOT_ERROR own.alert and why are set. */
enum tls_got ss_tls_own_open(struct ss_tls_conn *c);
/* Forgets everything received. */
void ss_tls_own_ignore(struct ss_tls_conn *c);

/* -- tls_post.c -- */
/* n bytes of inner type `type` (alert, handshake), opened, at off in own.in. They stay there. */
enum tls_got ss_tls_post(struct ss_tls_conn *c, uint8_t type, uint32_t off, uint32_t n);
/* Notes what refuses the connection. why lives for ever. */
enum tls_got ss_tls_own_fail(struct ss_tls_conn *c, enum ss_tls_alert alert, const char *why);

/* -- tls_tickets.c -- */
/* Before anything of own.rd was used. Without memory tickets are dropped. */
void ss_tls_tickets_begin(struct ss_tls_conn *c);
void ss_tls_tickets_end(struct ss_tls_conn *c);
/* n bytes of a ticket's body at off in own.in; then, all of it has come: false when it is not kept. */
void ss_tls_ticket_part(struct ss_tls_conn *c, uint32_t off, uint32_t n);
bool ss_tls_ticket_whole(struct ss_tls_conn *c);

/* Data has come: no more tickets are waited for when there is one, or when none came for long. */
void ss_tls_tickets_data(struct ss_tls_conn *c);
/* struct tls_tools. */
int ss_tls_on_session(SSL *ssl, SSL_SESSION *s);

/* -- tls_sessions.c -- */
int ss_tls_sessions_create(struct tls_sessions **out);
void ss_tls_sessions_free(struct tls_sessions *s);
/* The newest for key, which is not kept any more. */
bool ss_tls_sessions_take(struct tls_sessions *s, const struct tls_session_key *key, struct tls_kept *out);
/* Takes kept's reference. Whoever was used longest ago makes room. */
void ss_tls_sessions_put(struct tls_sessions *s, const struct tls_session_key *key, const struct tls_kept *kept);
/* There is another configuration: its turns forget what is none of it. */
void ss_tls_sessions_again(struct tls_sessions *s);
void ss_tls_sessions_turn(struct tls_sessions *s, const struct ss_snapshot *snap);

/* -- tls_seal.c -- */
/* The first n bytes of q become one record of inner type `type` at the back of out. 0; SS_ERR_FULL (q is as it
 * was); SS_ERR_CLOSED (refused). */
int ss_tls_seal_record(struct ss_tls_conn *c, struct tls_half *h, struct ss_bufq *q, uint32_t n, uint8_t type,
		       struct ss_bufq *out);
/* Seals what is queued, the KeyUpdate that is due before it. 0; SS_ERR_FULL when there are no mbufs just now. */
int ss_tls_own_seal(struct ss_tls_conn *c);
/* Seals an alert. 0, SS_ERR_FULL. */
int ss_tls_own_alert(struct ss_tls_conn *c, enum ss_tls_alert_level level, uint8_t alert);

/* -- tls_libssl.c: as above; SS_ERR_CLOSED when the connection was refused -- */
enum tls_got ss_tls_libssl_open(struct ss_tls_conn *c);
int ss_tls_libssl_seal(struct ss_tls_conn *c);
int ss_tls_libssl_notify(struct ss_tls_conn *c);

/* -- tls_again.c -- */
/* Judges some more connections, when their trust is another than the one that verified them. */
void ss_tls_again(struct ss_tls *t, const struct ss_snapshot *snap);
/* Begins with all of them: one was verified by an older generation. */
void ss_tls_again_all(struct ss_tls *t);

/* -- tls_refuse.c -- */
/* Counts, reports and ends: alerts OpenSSL has made leave first. detail may be empty. */
void ss_tls_refuse(struct ss_tls_conn *c, enum ss_drop drop, struct ss_span detail);
/* As above for what refused a record of ours (own.alert, why): the alert is sent. */
void ss_tls_refuse_record(struct ss_tls_conn *c, enum ss_drop drop);
/* As above for a failed OpenSSL call: reason and detail come from its error queue and the certificate check. */
void ss_tls_refuse_openssl(struct ss_tls_conn *c, enum ss_drop drop);
/* Counts, reports and resets: one that costs nothing more. */
void ss_tls_shed(struct ss_tls_conn *c, enum ss_drop drop);
/* A connection that never became one of ours. */
void ss_tls_refuse_tcp(struct ss_tls *t, struct ss_tcp_conn *tcp, enum ss_drop drop);
/* Sends FIN after what is queued and drops what still comes, until the peer's FIN or a while later. */
void ss_tls_close(struct ss_tls_conn *c);
/* Resets. */
void ss_tls_reset(struct ss_tls_conn *c);

#endif
