/*
 * upstream.h - which endpoint, over which connection.
 *
 * Takes:   clusters of the snapshot, requests that want a connection, connection news from http.
 * Gives:   a connection with a free slot, now or later as news.
 * Owns:    per-worker pools of upstream connections, waiting requests' places in line, balancing state.
 * Thread:  one worker. Health and ejection are shared, in the endpoint table.
 * Time:    nanoseconds, passed in.
 */
#ifndef SS_UPSTREAM_H
#define SS_UPSTREAM_H

#include "contract/endpoints.h"
#include "http/http.h"

struct ss_up;

struct ss_up_conf {
	uint32_t max_conns;
	uint32_t max_clusters, max_endpoints;
	uint16_t worker, n_workers; /* round robin starts at a different endpoint on each worker */
	struct ss_http *http;
	struct ss_ep_table *endpoints;
	struct ss_counters *counters;
	struct ss_event_ring *events;
};

/* A request's place in line; embedded in the exchange. */
struct ss_up_wait {
	struct ss_list node;       /* in a pool's line, or on the news list */
	uint32_t cluster;          /* name id */
	struct ss_endpoint at;     /* the endpoint picked (a copy) */
	struct ss_http_conn *conn; /* when it is served */
	int result;                /* 0 or enum ss_err */
	enum ss_drop reason;       /* when it failed */
	uint32_t tried[4];         /* endpoint slots already tried: not picked again unless nothing else is left */
	uint8_t n_tried;
};

int ss_up_create(struct ss_up **out, const struct ss_up_conf *conf);
void ss_up_free(struct ss_up *u);
/* A new generation: pools of endpoints that are gone let their connections finish and close. */
void ss_up_adopt(struct ss_up *u, const struct ss_snapshot *snap, uint64_t now);
/*
 * Picks an endpoint and finds a connection. 0: w->conn has a slot now (use it in this turn).
 * SS_ERR_WAIT: w is in line and comes back on a news list. Else refused: w->reason says why.
 */
int ss_up_acquire(struct ss_up *u, const struct ss_cluster *c, struct ss_up_wait *w, uint64_t now);
/* Leaves the line (client went away, timeout). Harmless when not in line. */
void ss_up_cancel(struct ss_up *u, struct ss_up_wait *w);
/* Takes http's connection news; serves waiters: each comes back on `ready` with conn or reason. */
void ss_up_input(struct ss_up *u, struct ss_list *conn_news, uint64_t now, struct ss_list *ready);
void ss_up_expire(struct ss_up *u, uint64_t now, struct ss_list *ready);
uint64_t ss_up_next(const struct ss_up *u);
/* How a request to w->at ended; feeds outlier detection. */
void ss_up_result(struct ss_up *u, const struct ss_cluster *c, const struct ss_up_wait *w, bool ok,
		  uint64_t now);
/* Drain: closes idle connections, refuses new ones at zero use. */
void ss_up_drain(struct ss_up *u, uint64_t now);
void ss_up_bury(struct ss_up *u);

#endif
