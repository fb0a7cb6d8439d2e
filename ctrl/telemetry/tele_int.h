/*
 * tele_int.h - what the files of this room share.
 *
 * tele.c       create, poll, free
 * tele_prom.c  metrics as text
 * tele_http.c  the HTTP server
 * tele_log.c   event records as JSON lines
 * tele_pairs.c who calls what, and how it was protected
 * tele_recent.c what has just happened
 * tele_view.c, tele_top.c who looks on while requests end: lines, tables
 */
#ifndef SS_TELE_INT_H
#define SS_TELE_INT_H

#include <stdio.h>

#include <event2/buffer.h>

#include "telemetry/tele.h"
#include "telemetry/tele_view.h"

/* Hashes of past generations: records come a little later than the swap. */
#define TELE_HASHES 16

struct tele_log {
	char *path;
	FILE *file;     /* NULL: closed */
	bool broken;    /* the last write failed, and that has been said */
	uint64_t lost;  /* lines */
};

/* Rows of requests by source and cluster: three series each. */
#define TELE_PAIRS 1024

struct tele_pairs {
	uint32_t n, addresses; /* addresses: of the n, those whose source is one */
	struct ss_tele_pair *pair;
	uint16_t *table; /* open addressing; place + 1 */
};

/* The last so many records, the oldest overwritten. */
struct tele_record {
	uint64_t seen; /* how many there had been */
	int64_t offset; /* to the time of day, when it was logged */
	struct ss_event ev;
};
struct tele_ring {
	uint32_t cap, n, next;
	struct tele_record *record;
};

/* A table over an interval: rows by name and address. */
#define TELE_TOP_ROWS 512u
#define TELE_TOP_TABLE 1024u

struct tele_top_row {
	uint32_t name; /* name id of a cluster, or a listener */
	struct ss_addr addr;
	uint64_t requests, errors, refused, bytes_in, bytes_out;
	struct ss_hist *hist; /* NULL: others */
	uint8_t protocol, tls, peer_n;
	bool known; /* the numbers below are */
	uint32_t endpoints, ejected, unhealthy, ejections, active;
	char peer[120];
};

struct tele_top {
	uint64_t began, lost; /* lost: records, when it began */
	uint32_t n;
	uint16_t table[TELE_TOP_TABLE]; /* open addressing; place + 1 */
	struct tele_top_row row[TELE_TOP_ROWS], others;
};

enum tele_view_word {
	TELE_VIEW_AUTHORITY, TELE_VIEW_PATH, TELE_VIEW_CLUSTER, TELE_VIEW_ROUTE, TELE_VIEW_METHOD, TELE_VIEW_IDENTITY,
	TELE_VIEW_WORDS,
};

struct ss_tele_view {
	struct ss_tele *tele;
	struct ss_tele_view_conf conf; /* its texts are in word */
	char *word[TELE_VIEW_WORDS];
	char *text;
	uint32_t n, left; /* bytes of text; lines that this poll may still write */
	uint64_t lines, dropped; /* dropped: not yet said */
	struct tele_top *top; /* NULL: a tap */
};

struct ss_tele {
	struct ss_tele_conf conf;
	uint32_t n_views;
	struct ss_tele_view *view[SS_TELE_VIEWS];
	struct tele_pairs pairs;
	struct tele_ring recent, failed; /* failed: those of recent that did, for longer */
	uint64_t seen; /* requests, for recent */
	char *version, *node;
	struct evhttp *http;
	struct tele_log log, audit, health;
	struct {
		uint64_t from, until; /* generations, both among them */
		char hash[17];
	} hashes[TELE_HASHES];
	uint32_t next_hash;
	struct ss_hist sum; /* scratch for the histogram over all workers */
};

/* -- tele_prom.c -- */
void ss_tele_prom(struct ss_tele *t, struct evbuffer *out);

/* -- tele_http.c -- */
int ss_tele_http_start(struct ss_tele *t, char *err, size_t err_n);
void ss_tele_http_stop(struct ss_tele *t);

/* -- tele_log.c -- */
/* key: of the configuration, for errors. */
int ss_tele_log_open(struct tele_log *l, const char *key, const char *path, char *err, size_t err_n);
void ss_tele_log_close(struct tele_log *l);
/* One line, and one for the audit log where policies had a say. wall_ns: what to add to a record's time to get the time of day. */
void ss_tele_log_event(struct ss_tele *t, const struct ss_event *ev, int64_t wall_ns);
void ss_tele_log_flush(struct tele_log *l);

/* -- tele_recent.c -- */
int ss_tele_recent_create(struct ss_tele *t);
void ss_tele_recent_free(struct ss_tele *t);
void ss_tele_recent_add(struct ss_tele *t, const struct ss_event *ev, int64_t offset);

/* -- tele_view.c -- */
void ss_tele_views_event(struct ss_tele *t, const struct ss_event *ev, int64_t offset);
/* After the rings: tables whose interval is over. */
void ss_tele_views_poll(struct ss_tele *t, const struct ss_snapshot *s);

/* -- tele_top.c -- */
int ss_tele_top_create(struct tele_top **out, const struct ss_tele *t, uint64_t now);
void ss_tele_top_free(struct tele_top *p);
void ss_tele_top_count(struct tele_top *p, enum ss_tele_view_kind kind, const struct ss_event *ev);
/* The table as a JSON object, free()d by the caller; the next one begins. */
char *ss_tele_top_close(struct tele_top *p, enum ss_tele_view_kind kind, const struct ss_tele *t, const struct ss_snapshot *s,
			uint64_t now);

/* -- tele_pairs.c -- */
int ss_tele_pairs_create(struct tele_pairs *p);
void ss_tele_pairs_free(struct tele_pairs *p);
void ss_tele_pairs_count(struct tele_pairs *p, const struct ss_snapshot *s, const struct ss_event *ev);

#endif
