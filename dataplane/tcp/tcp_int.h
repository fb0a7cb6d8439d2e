/*
 * tcp_int.h - a connection from the inside. Seen only inside this room.
 *
 * Takes:   see tcp.h.
 * Gives:   the structs, and what the files of this room promise each other.
 * Owns:    see tcp.h.
 * Thread:  one worker.
 *
 * Input only changes state and leaves marks (acks_owed, rtx_first, the dirty list); every segment of a
 * connection leaves in ss_tcp_flush. So an answer that the rooms above write in the same turn carries
 * the ACK, and a burst of arrivals makes one ACK. Only RSTs and challenge ACKs leave at once.
 */
#ifndef SS_TCP_INT_H
#define SS_TCP_INT_H

#include "base/siphash.h"
#include "mem/pool.h"
#include "tcp/tcp.h"
#include "tcp/tcp_cc.h"
#include "timer/wheel.h"

#define SS_TCP_LISTENERS 256
#define SS_TCP_TICK_NS SS_NS_PER_MS
/* RFC 6298 2.4 asks for at least 1 s; within one data centre that is 10,000 round trips. 200 ms is what
 * deployed stacks use, and stays above every peer's delayed ACK. */
#define SS_TCP_RTO_MIN (200 * SS_NS_PER_MS)
#define SS_TCP_RTO_INIT (1 * SS_NS_PER_SEC) /* RFC 6298 2.1 */
#define SS_TCP_RTO_MAX (60 * SS_NS_PER_SEC) /* RFC 6298 2.5 */
#define SS_TCP_DELACK_NS (40 * SS_NS_PER_MS)
/* On a connection that we opened bytes are an answer: nothing may go back for long, and a server that writes
 * head and body apart waits for this ACK before the second (Nagle's algorithm, RFC 9293 3.7.4). */
#define SS_TCP_DELACK_ACTIVE_NS SS_NS_PER_MS
#define SS_TCP_CHALLENGE_NS (500 * SS_NS_PER_MS) /* per connection: no shared counter to probe */
/* What a connection may hold in each direction before it has shown that it moves. */
#define SS_TCP_BUF_START 32768u
#define SS_TCP_SYN_TRIES 6
#define SS_TCP_DUPTHRESH 3 /* RFC 6675 2 */
#define SS_TCP_MSS_DEFAULT 536 /* RFC 9293 3.7.1 */
#define SS_TCP_MSS_MIN 64 /* a peer that announces less is answered as if it had announced this */
#define SS_TCP_RANGES 32  /* out-of-order ranges held per connection */
#define SS_TCP_BOARD 64   /* SACKed ranges remembered per connection */
#define SS_TCP_COALESCE 256 /* received payloads up to this are copied behind their forerunner */
#define SS_TCP_TURN_SEGS 256 /* segments per flush, ACKs too: a port holds 512 between turns */
#define SS_TCP_CONN_SEGS 64  /* of them for one connection */

/* RFC 9293 3.3.2. TIME-WAIT has no conn: see struct ss_tcp_tw. */
enum ss_tcp_state {
	SS_TCP_CLOSED = 0,
	SS_TCP_SYN_SENT,
	SS_TCP_SYN_RCVD,
	SS_TCP_ESTABLISHED,
	SS_TCP_FIN_WAIT_1,
	SS_TCP_FIN_WAIT_2,
	SS_TCP_CLOSE_WAIT,
	SS_TCP_CLOSING,
	SS_TCP_LAST_ACK,
	SS_TCP_TIME_WAIT,
	SS_TCP_STATES
};

enum ss_tcp_step {
	SS_TCP_STEP_SYN = 0,     /* a SYN crossed ours */
	SS_TCP_STEP_OPEN,        /* both SYNs are acknowledged */
	SS_TCP_STEP_CLOSE,       /* our user closes */
	SS_TCP_STEP_FIN,         /* the peer's FIN, in order */
	SS_TCP_STEP_FIN_ACKED,   /* the peer has our FIN */
	SS_TCP_STEPS
};

enum ss_tcp_timer {
	SS_TCP_T_REXMT = 0,
	SS_TCP_T_PERSIST,
	SS_TCP_T_DELACK,
	SS_TCP_T_LIFE, /* connect timeout; later FIN-WAIT-2 without an owner */
	SS_TCP_TIMERS
};

enum ss_tcp_node_kind { SS_TCP_NODE_CONN = 1, SS_TCP_NODE_TW = 2 };

/* What the four-tuple table holds: the head of a connection or of a TIME-WAIT entry. */
struct ss_tcp_node {
	struct ss_tcp_node *next;
	uint32_t hash;
	uint8_t kind;
	struct ss_tuple tuple;
};

struct ss_tcp_range {
	uint32_t left, right; /* [left, right) */
	uint32_t stamp;       /* larger: touched later */
	struct ss_bufq q;
};

/* Out-of-order bytes: sorted, disjoint, not adjacent. */
struct ss_tcp_reasm {
	uint32_t n, stamp;
	struct ss_tcp_range r[SS_TCP_RANGES];
};

/* What the peer has SACKed above snd_una: sorted, disjoint, not adjacent. */
struct ss_tcp_board {
	uint32_t n;
	struct ss_tcp_sack r[SS_TCP_BOARD];
};

struct ss_tcp_listener {
	struct ss_addr addr;
	uint32_t cookie, max_conns;
	uint32_t n_conns; /* accepted or half open, and alive */
	uint32_t n_half;
	bool used, accepting;
};

struct ss_tcp_conn {
	struct ss_tcp_node node;
	uint8_t state;        /* enum ss_tcp_state */
	uint8_t acks_owed;    /* ACKs that must leave in this turn's flush */
	uint8_t snd_wscale, rcv_wscale;
	bool ts_ok, sack_ok;
	bool in_recovery;
	bool rtx_first;       /* the segment at snd_una goes out again, whatever the windows say */

	/* written by every segment received */
	uint32_t rcv_nxt, rcv_adv;    /* next expected; right edge of the window announced */
	uint32_t last_ack_sent, ts_recent;
	uint32_t rcv_buf, rcv_used;   /* what may be held; bytes delivered and not yet consumed */
	uint32_t rcv_buf_max;         /* rcv_buf grows up to it while its owner keeps up */
	uint32_t rcv_round;           /* consumed since rcv_round_at */
	uint64_t rcv_round_at;
	uint32_t delack_bytes;        /* in order and not acknowledged yet */
	uint16_t rcv_mss;             /* largest payload seen */
	uint16_t mss;                 /* payload per segment we send, timestamps taken off */
	uint32_t snd_una, snd_nxt, snd_max;
	uint32_t snd_wnd, snd_wl1, snd_wl2, max_snd_wnd;
	uint32_t cwnd, ssthresh;
	uint32_t events;              /* enum ss_tcp_event bits not yet taken */
	struct ss_bufq rx, snd;
	struct ss_bufpos snd_pos;     /* where snd was read last */
	uint32_t snd_base;            /* sequence number of snd's first byte */
	struct ss_tcp_reasm *reasm;   /* NULL while everything came in order */
	struct ss_tcp_board *board;   /* NULL while nothing is SACKed */
	struct ss_list news, dirty; /* news: once nobody is told any more, on t->dead */
	struct ss_tcp *t;
	void *owner;

	/* marks */
	bool listed;         /* known to the room above */
	bool released, buried_soon;
	bool active;         /* we sent the first SYN */
	bool fin_queued;     /* FIN follows snd's last byte */
	bool fin_rcvd, fin_early; /* taken in order; known, but bytes before it are missing */
	bool want_room;
	bool cwnd_limited;   /* the last output stopped at cwnd */
	bool force;          /* the persist timer lets a small segment out */
	bool rescued;
	bool inflates;       /* this recovery goes without SACK */

	uint32_t iss, irs, fin_seq; /* fin_seq: the peer's, when fin_early */
	uint32_t peer_mss_room; /* smallest of both sides' MSS, before options */
	uint32_t dupacks, recover, high_rxt, rescue_rxt;
	uint32_t acked_frac;        /* bytes towards the next congestion avoidance step */
	const struct ss_tcp_cc *cc;

	uint64_t srtt, rttvar, rto; /* RFC 6298; srtt 0: no sample yet */
	uint32_t rtt_seq;           /* the ACK that ends the measurement */
	uint64_t rtt_at;            /* 0: none runs */
	bool rtt_by_ts;             /* sent again: only timestamps can tell */
	uint8_t backoff, persist_backoff, syn_tries;
	uint32_t ts_offset;
	uint64_t ts_recent_at, progress_at, last_send_at, challenge_at;
	uint64_t due[SS_TCP_TIMERS];
	struct ss_timer timer;

	struct ss_list all;  /* t->all */
	uint16_t listener;   /* index + 1; 0: active open */
	uint16_t reason;     /* enum ss_drop */
	uint32_t cookie;
};

/* TIME-WAIT: what is needed to answer a late FIN and to let a new SYN in (RFC 6191). */
struct ss_tcp_tw {
	struct ss_tcp_node node;
	struct ss_list link; /* t->tw, oldest first: all wait equally long */
	uint64_t deadline, challenge_at;
	uint32_t snd_nxt, rcv_nxt, ts_recent, ts_offset, window;
	bool ts_ok;
};

struct ss_tcp {
	struct ss_tcp_conf conf;
	struct ss_net *net;
	struct ss_bufpool *bufs;
	struct ss_counters *counters;
	struct ss_sipkey key;
	uint64_t now;
	struct ss_list *news; /* of the call that runs; NULL outside input and expire */
	struct ss_tcp_node **table;
	uint32_t table_mask;
	struct ss_pool *conns, *tws, *reasms, *boards;
	struct ss_wheel wheel;
	struct ss_list all, dead, dirty, tw;
	uint32_t n_tw, n_half, budget;
	uint32_t limit; /* bytes per connection and direction: ss_tcp_limit */
	uint16_t next_port;
	uint8_t rcv_wscale;
	struct ss_tcp_listener listeners[SS_TCP_LISTENERS];
};

/* tcp_state.c */
enum ss_tcp_state ss_tcp_state_step(enum ss_tcp_state s, enum ss_tcp_step e);
/* May the peer still send us bytes? */
bool ss_tcp_state_receives(enum ss_tcp_state s);

/* tcp_table.c */
uint32_t ss_tcp_hash(const struct ss_tcp *t, const struct ss_tuple *u);
struct ss_tcp_node *ss_tcp_find(const struct ss_tcp *t, const struct ss_tuple *u, uint32_t hash);
void ss_tcp_insert(struct ss_tcp *t, struct ss_tcp_node *n);
void ss_tcp_remove(struct ss_tcp *t, struct ss_tcp_node *n);

/* tcp_conn.c */
struct ss_tcp_conn *ss_tcp_conn_new(struct ss_tcp *t, const struct ss_tuple *u, uint32_t hash);
void ss_tcp_conn_news(struct ss_tcp_conn *c, uint32_t events);
/* Over: FAILED is told (unless nobody knows the connection), queues to send are freed. */
void ss_tcp_conn_fail(struct ss_tcp_conn *c, enum ss_drop reason);
/* Over, without news: what was received stays readable until release. */
void ss_tcp_conn_done(struct ss_tcp_conn *c);
void ss_tcp_conn_dirty(struct ss_tcp_conn *c);
/* The handshake is complete. */
void ss_tcp_conn_open(struct ss_tcp_conn *c);
uint32_t ss_tcp_isn(const struct ss_tcp *t, const struct ss_tuple *u);

/* tcp_listen.c */
void ss_tcp_listen_in(struct ss_tcp *t, struct ss_seg *s, uint32_t hash, uint32_t isn_floor, bool floor);
void ss_tcp_listen_left(struct ss_tcp_conn *c, bool was_half);
/* What a SYN says about its sender. */
void ss_tcp_syn_options(struct ss_tcp_conn *c, const struct ss_tcphdr *h);

/* tcp_connect.c */
void ss_tcp_syn_sent_in(struct ss_tcp_conn *c, struct ss_seg *s);

/* tcp_ack.c */
bool ss_tcp_ack_in(struct ss_tcp_conn *c, const struct ss_seg *s);
void ss_tcp_ack_new(struct ss_tcp_conn *c, const struct ss_tcphdr *h);
void ss_tcp_rtt_sample(struct ss_tcp_conn *c, uint64_t rtt);

/* tcp_reasm.c */
/* Moves q to the back of `to`; small ones are copied, so that they do not hold an mbuf each. */
void ss_tcp_join(struct ss_tcp *t, struct ss_bufq *to, struct ss_bufq *q);
/* Takes q, the bytes from seq on, seq after rcv_nxt. false: refused (freed, counted). */
bool ss_tcp_reasm_put(struct ss_tcp_conn *c, uint32_t seq, struct ss_bufq *q);
/* Moves what has become in order to `to`. Returns its bytes. */
uint32_t ss_tcp_reasm_take(struct ss_tcp_conn *c, struct ss_bufq *to);
uint8_t ss_tcp_reasm_sacks(const struct ss_tcp_conn *c, struct ss_tcp_sack *v, uint8_t max);
void ss_tcp_reasm_free(struct ss_tcp_conn *c);

/* tcp_recover.c */
/* Notes the SACK blocks of an ACK; true when one said something new. */
bool ss_tcp_board_note(struct ss_tcp_conn *c, const struct ss_tcphdr *h);
void ss_tcp_board_trim(struct ss_tcp_conn *c);
void ss_tcp_board_free(struct ss_tcp_conn *c);
/* SACKed bytes below seq. */
uint32_t ss_tcp_board_bytes(const struct ss_tcp_conn *c, uint32_t seq);
/* The first byte at or after seq that is not SACKed, and how far the hole goes. */
uint32_t ss_tcp_board_hole(const struct ss_tcp_conn *c, uint32_t seq, uint32_t *end);
void ss_tcp_recover_dup(struct ss_tcp_conn *c, bool sacked);
void ss_tcp_recover_new(struct ss_tcp_conn *c, uint32_t acked, uint32_t flight);
void ss_tcp_recover_timeout(struct ss_tcp_conn *c);
/* NextSeg of RFC 6675 4 for holes: rule 1, or 3 and 4 when `late`. */
bool ss_tcp_recover_next(struct ss_tcp_conn *c, bool late, uint32_t *seq, uint32_t *len);
uint32_t ss_tcp_recover_pipe(const struct ss_tcp_conn *c);

/* tcp_output.c */
void ss_tcp_output(struct ss_tcp *t, struct ss_tcp_conn *c);

/* tcp_segment.c: each returns false without a packet buffer. */
bool ss_tcp_send_syn(struct ss_tcp_conn *c);
bool ss_tcp_send_bytes(struct ss_tcp_conn *c, uint32_t seq, uint32_t len, uint8_t flags);
bool ss_tcp_send_ack(struct ss_tcp_conn *c);
void ss_tcp_send_rst(struct ss_tcp_conn *c);
void ss_tcp_send_rst_to(struct ss_tcp *t, const struct ss_seg *s);
void ss_tcp_send_tw_ack(struct ss_tcp *t, const struct ss_tcp_tw *w);
/* Bytes that the send queue may hold now: what the path and the peer can take soon. */
uint32_t ss_tcp_snd_cap(const struct ss_tcp_conn *c);
/* The window that the next segment announces. */
uint32_t ss_tcp_window(struct ss_tcp_conn *c);

/* tcp_timer.c */
void ss_tcp_timer_set(struct ss_tcp_conn *c, enum ss_tcp_timer k, uint64_t when);
void ss_tcp_timer_off(struct ss_tcp_conn *c, enum ss_tcp_timer k);
void ss_tcp_timer_stop(struct ss_tcp_conn *c);
void ss_tcp_timer_rexmt(struct ss_tcp_conn *c);
void ss_tcp_timer_persist(struct ss_tcp_conn *c);

/* tcp_close.c */
/* An ACK at once, at most one per SS_TCP_CHALLENGE_NS (RFC 5961 7). */
void ss_tcp_challenge(struct ss_tcp_conn *c);
/* RFC 5961 3.2: what an RST does. */
void ss_tcp_rst_in(struct ss_tcp_conn *c, const struct ss_tcphdr *h);
/* The peer's FIN stands at rcv_nxt. */
void ss_tcp_fin_in(struct ss_tcp_conn *c);
/* Our FIN is acknowledged. */
void ss_tcp_fin_acked(struct ss_tcp_conn *c);
/* Gives the tuple to a TIME-WAIT entry; the connection itself is done. */
void ss_tcp_tw_enter(struct ss_tcp_conn *c);
void ss_tcp_tw_in(struct ss_tcp *t, struct ss_tcp_tw *w, struct ss_seg *s);
void ss_tcp_tw_expire(struct ss_tcp *t, uint64_t now);
void ss_tcp_tw_free(struct ss_tcp *t, struct ss_tcp_tw *w);

/* First sequence number after everything queued; our FIN stands there. */
static inline uint32_t ss_tcp_data_end(const struct ss_tcp_conn *c)
{
	return c->snd_base + c->snd.len;
}

static inline uint32_t ss_tcp_ts_now(const struct ss_tcp *t, uint32_t offset)
{
	return (uint32_t)(t->now / SS_NS_PER_MS) + offset;
}

static inline bool ss_tcp_is_syncing(const struct ss_tcp_conn *c)
{
	return c->state == SS_TCP_SYN_SENT || c->state == SS_TCP_SYN_RCVD;
}

#endif
