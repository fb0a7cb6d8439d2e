/*
 * tele_int.h - what the files of this room share.
 *
 * tele.c       create, poll, free
 * tele_prom.c  metrics as text
 * tele_http.c  the HTTP server
 * tele_log.c   event records as JSON lines
 * tele_pairs.c who calls what, and how it was protected
 * tele_recent.c what has just happened
 */
#ifndef SS_TELE_INT_H
#define SS_TELE_INT_H

#include <stdio.h>

#include <event2/buffer.h>

#include "telemetry/tele.h"

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
	struct ss_event ev;
};
struct tele_ring {
	uint32_t cap, n, next;
	struct tele_record *record;
};

struct ss_tele {
	struct ss_tele_conf conf;
	struct tele_pairs pairs;
	struct tele_ring recent, failed; /* failed: those of recent that did, for longer */
	uint64_t seen; /* requests, for recent */
	char *version, *node;
	struct evhttp *http;
	struct tele_log log, audit, health;
	struct {
		uint64_t generation;
		char hash[17];
	} hashes[TELE_HASHES];
	uint32_t next_hash;
	struct ss_hist sum; /* scratch for the histogram over all workers */
};

/* -- tele.c: what to add to a record's time to get the time of day. -- */
int64_t ss_tele_wall_offset(void);

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
void ss_tele_recent_add(struct ss_tele *t, const struct ss_event *ev);

/* -- tele_pairs.c -- */
int ss_tele_pairs_create(struct tele_pairs *p);
void ss_tele_pairs_free(struct tele_pairs *p);
void ss_tele_pairs_count(struct tele_pairs *p, const struct ss_snapshot *s, const struct ss_event *ev);

#endif
