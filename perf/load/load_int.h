/*
 * load_int.h - the parts of sidestep-load, seen only inside this room.
 *
 * load_loop.c is the line; load_client.c and load_conn.c make requests, load_origin.c answers them; load_phase.c
 * says when to measure; load_world.c makes and ends the rooms; load_setup.c makes the snapshot; load_report.c
 * writes what was seen; load_main.c is the control thread.
 */
#ifndef SS_LOAD_INT_H
#define SS_LOAD_INT_H


#include "base/clock.h"
#include "base/list.h"
#include "contract/names.h"
#include "http/http.h"
#include "mem/pool.h"
#include "net/net.h"
#include "perf/load/load_opts.h"
#include "perf/load/load_pace.h"
#include "perf/load/load_pattern.h"
#include "perf/load/load_tally.h"
#include "port/port.h"
#include "tcp/tcp.h"
#include "tls/tls.h"

#define SS_LOAD_VERSION "0.1.0"

struct ss_build;

/* -- the snapshot: control's, made once -- */

struct ss_load_setup {
	struct ss_names *names;
	struct ss_ep_table *endpoints;
	struct ss_build *build;
	struct ss_model *model;
	struct ss_snapshot *snap;
};

/* load_setup.c: the process part of the model is good for ss_eal_start. Prints what is wrong to standard error. */
int ss_load_setup_model(struct ss_load_setup *s, const struct ss_load_opts *o);
int ss_load_setup_build(struct ss_load_setup *s);
void ss_load_setup_free(struct ss_load_setup *s);

/* -- phases -- */

enum ss_load_phase {
	SS_LOAD_OPENING = 0, /* until every connection is open, or has failed for too long */
	SS_LOAD_WARMUP,
	SS_LOAD_MEASURE,
	SS_LOAD_DRAIN,   /* no new requests; those that count may still be answered */
	SS_LOAD_CLOSING, /* connections end politely */
	SS_LOAD_ENDED,
};

/* -- who owns a stream: its first word -- */

enum ss_load_role { SS_LOAD_CLIENT = 1, SS_LOAD_ORIGIN = 2 };

/* -- bodies -- */

/* load_body.c: bodies as byte queues. fill appends n bytes of a body from offset `at` on; 0 or SS_ERR_NO_MEM. */
int ss_load_body_fill(const struct ss_load_pattern *p, struct ss_bufq *q, struct ss_bufpool *bp, uint64_t at,
		      uint64_t n);
/*
 * How much of the packet buffers bodies may take: a quarter stays for frames, records and segments, without which
 * nothing of what is queued could leave. Who gets less than it wants is on `hungry` and asks again next turn.
 */
struct ss_load_feed {
	struct ss_bufpool *bufs;
	struct ss_list hungry;
	uint64_t turn; /* the time of the turn for which spare holds */
	uint32_t spare;
};
/* How many of n bytes may be queued now. */
uint64_t ss_load_feed_grant(struct ss_load_feed *f, uint64_t n, uint64_t now);

/* What a body is checked against. */
struct ss_load_reference {
	enum ss_load_check check;
	const struct ss_load_pattern *pattern;
	const uint8_t *file;
	uint64_t file_n;
};
/* Takes all that s has received of its body, which stands at *at. False when a byte of it is wrong. */
bool ss_load_body_take(struct ss_http_stream *s, const struct ss_load_reference *ref, uint64_t *at);

/* -- resumed handshakes -- */

struct ss_load_tickets {
	void *ctx;  /* SSL_CTX * of the client; NULL: nothing is resumed */
	void *last; /* SSL_SESSION * of the ticket that came last */
	void *now;  /* what the next handshake resumes: struct ss_tls_client.session points here */
	struct ss_tls_client client;
	struct ss_cluster cluster;
};

/* load_tickets.c: a copy of the cluster whose handshakes look here for a session. */
const struct ss_cluster *ss_load_tickets_create(struct ss_load_tickets *t, const struct ss_cluster *cluster);
void ss_load_tickets_free(struct ss_load_tickets *t);
/* Before and after a connect. */
void ss_load_tickets_offer(struct ss_load_tickets *t);
void ss_load_tickets_offered(struct ss_load_tickets *t);
/* A listener's side: two for each full handshake. False without memory. */
/* An origin's keys; NULL without memory or randomness. */
struct ss_ticket_ring *ss_load_tickets_keys(void);
bool ss_load_tickets_give(const struct ss_tls_server *server);

/* -- the client -- */

struct ss_load_conn {
	struct ss_http_conn *http; /* NULL: closed */
	struct ss_list free;       /* on client->free: it may be able to carry a request */
	struct ss_list closed;     /* on client->closed: to be opened when again_at has come */
	uint64_t begun, again_at;
	uint32_t in_flight, done;  /* on the present connection */
	bool open, idle, ever; /* ever: it has been open once */
};

struct ss_load_request {
	uint32_t role;
	struct ss_load_conn *conn;
	struct ss_http_stream *stream;
	struct ss_list node;        /* client->in_flight, the oldest first */
	struct ss_list hungry;      /* client->feed */
	uint64_t from, sent;        /* what latency is measured from; when it was sent */
	uint64_t body_in, body_out; /* bytes checked; bytes given to http */
	uint64_t want;              /* bytes that the body must have; UINT64_MAX: not known */
	int error;                  /* enum ss_load_error: what was wrong first */
	bool counts;                /* was due, or sent, while measuring */
	bool body_ended;
};

struct ss_load_client {
	const struct ss_load_opts *o;
	const struct ss_cluster *cluster;
	const struct ss_load_pattern *pattern;
	struct ss_http *http;
	struct ss_load_feed feed;
	struct ss_load_live *live;
	struct ss_hdrs head; /* the same for every request */
	struct ss_hdr fields[SS_LOAD_MAX_HEADERS + 4];
	char authority[SS_ADDR_TEXT], length[24];
	uint8_t *lower;      /* names in lower case */
	struct ss_load_reference reference;
	struct ss_load_conn *conns;
	uint32_t n_conns, n_opening, n_open, n_ever; /* n_ever: of those that have been open once */
	uint64_t opened_at;  /* the last one; at first the start */
	struct ss_load_tickets tickets;
	struct ss_list free, closed, in_flight;
	struct ss_pool *requests;
	uint32_t n_in_flight;
	struct ss_load_pace pace;
	bool paced, sending, measuring;
	uint64_t left;       /* --requests: still to be started */
	struct ss_load_client_tally tally;
};

int ss_load_client_create(struct ss_load_client *c, uint64_t now, char *err, size_t err_n);
void ss_load_client_free(struct ss_load_client *c);
/* News of one of its streams. */
void ss_load_client_news(struct ss_load_client *c, struct ss_http_stream *s, uint64_t now);
/* Opens, sends, times out; conns is http's list of connections with news. True when there was work. */
bool ss_load_client_run(struct ss_load_client *c, struct ss_list *conns, uint64_t now);
/* The first request of an open loop is due now. */
void ss_load_client_pace(struct ss_load_client *c, uint64_t now);
void ss_load_client_measure(struct ss_load_client *c, uint64_t now);
/* No new requests. */
void ss_load_client_stop(struct ss_load_client *c, uint64_t now);
/* May a request that counts still be answered? Those that were not in time are counted then. */
bool ss_load_client_waits(const struct ss_load_client *c);
void ss_load_client_give_up(struct ss_load_client *c, uint64_t now);
/* Closes every connection. */
void ss_load_client_close(struct ss_load_client *c);
/* Has it opened what it shall, or stopped getting any further? */
bool ss_load_client_ready(const struct ss_load_client *c, uint64_t now);

/* load_conn.c */
void ss_load_conn_open(struct ss_load_client *c, uint64_t now);
void ss_load_conn_news(struct ss_load_client *c, struct ss_http_conn *h, uint64_t now);
/* A request on it has ended: the next may go, or the connection goes. */
void ss_load_conn_settle(struct ss_load_client *c, struct ss_load_conn *k, uint64_t now);
/* The next that can carry a request; NULL: none. */
struct ss_load_conn *ss_load_conn_free(struct ss_load_client *c);
void ss_load_client_error(struct ss_load_client *c, enum ss_load_error e);

/* -- the origin -- */

struct ss_load_answer {
	uint32_t role;
	struct ss_http_stream *stream;
	struct ss_load_due due;
	struct ss_list hungry; /* origin->feed */
	uint64_t size, sent, body_in;
	bool begun, wrong;
};

struct ss_load_origin {
	const struct ss_load_opts *o;
	const struct ss_load_pattern *pattern;
	struct ss_http *http;
	struct ss_load_feed feed;
	struct ss_load_live *live;
	struct ss_load_delays delays;
	struct ss_load_heap heap;
	struct ss_pool *answers;
	struct ss_load_origin_tally tally;
};

int ss_load_origin_create(struct ss_load_origin *g, uint32_t max_answers);
void ss_load_origin_free(struct ss_load_origin *g);
void ss_load_origin_news(struct ss_load_origin *g, struct ss_http_stream *s, uint64_t now);
/* Answers that are due. True when there were any. */
bool ss_load_origin_run(struct ss_load_origin *g, uint64_t now);

/* -- the line -- */

struct ss_load_if {
	struct ss_port *port;
	struct ss_port_q *q;
	char name[16];
};

struct ss_load {
	const struct ss_load_opts *o;
	const struct ss_snapshot *snap;
	struct ss_clock clock;
	struct ss_counters *counters;
	uint32_t n_ifs;
	struct ss_load_if ifs[SS_MAX_PORTS];
	struct ss_net *net;
	struct ss_tcp *tcp;
	struct ss_ticket_ring *tickets; /* an origin's; NULL: it gives none */
	struct ss_tls *tls;
	struct ss_http *http;
	struct ss_bufpool bufs;
	struct ss_arena_pools arenas;
	struct rte_mbuf *pkts[SS_MAX_PORTS][SS_BURST];
	uint16_t n_pkts[SS_MAX_PORTS];
	struct ss_segs segs;
	struct ss_list tcp_news, tls_news;
	struct ss_http_news http_news;
	struct ss_load_pattern pattern;
	struct ss_load_client client;
	struct ss_load_origin origin;
	/* the line's own state */
	uint64_t now, phase_until, close_ns;
	enum ss_load_phase phase;
	bool worked; /* this turn had packets, or made some */
	bool complete; /* measured to the end, not interrupted */
	struct ss_load_work work, seen; /* going on; of the time of measuring */
	struct ss_counters at_begin, at_end; /* of that time */
	/* shared with control */
	_Atomic uint32_t stop, ended;
	struct ss_load_live live;
};

/* load_world.c: the EAL must run. */
int ss_load_create(struct ss_load **out, const struct ss_load_opts *o, const struct ss_load_setup *s, char *err,
		   size_t err_n);
/* Says on standard error what is still held; true when that is nothing. After the loop, before free. */
bool ss_load_nothing_held(struct ss_load *w);
void ss_load_free(struct ss_load *w);

/* load_loop.c; arg is the ss_load. */
int ss_load_run(void *arg);

/* load_phase.c: once a turn. */
void ss_load_phase(struct ss_load *w, uint64_t now);

/* load_report.c */
void ss_load_report_text(const struct ss_load *w, FILE *to);
/* The JSON text; free() it. NULL without memory. */
char *ss_load_report_json(const struct ss_load *w);
uint64_t ss_load_errors(const struct ss_load *w);

#endif
