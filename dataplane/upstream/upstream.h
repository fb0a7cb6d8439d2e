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
	uint64_t seed;
	struct ss_http *http;
	struct ss_ep_table *endpoints;
	struct ss_counters *counters;
	struct ss_event_ring *events;
};

enum ss_up_place {
	SS_UP_NOWHERE = 0,
	SS_UP_IN_LINE, /* waits for a connection */
	SS_UP_SERVED,  /* conn holds a slot for it, until ss_up_took or ss_up_cancel */
	SS_UP_FAILED,  /* result and reason say why; wants ss_up_result or ss_up_cancel */
	SS_UP_RUNNING, /* ss_up_took: its request is on its way; wants ss_up_result or ss_up_cancel */
};

/* A request's place in line; embedded in the exchange. All zero but node (ss_list_init) before its first use. */
struct ss_up_wait {
	struct ss_list node;       /* in a pool's line, or on the news list */
	uint32_t cluster;          /* name id */
	uint32_t slot;             /* of the cluster, in the endpoint table */
	struct ss_endpoint at;     /* the endpoint picked (a copy) */
	struct ss_http_conn *conn; /* when it is served; good in that turn */
	int result;                /* 0, or enum ss_err. SS_ERR_MORE: its endpoint was ejected or removed
				    * while it stood in line; acquire again */
	enum ss_drop reason;       /* when it failed */
	uint8_t place;             /* enum ss_up_place */
	uint8_t n_tried;
	uint8_t whose;             /* the caller's mark; not looked at here */
	uint8_t priority;          /* enum ss_priority: whose limits count */
	uint8_t rank;              /* how urgent: the lowest are refused first where a line stands */
	bool probe;                /* of the cluster's half-open breaker */
	bool again;                /* the request is sent again: the cluster may still serve it */
	bool slow;                 /* its head took longer than the breaker likes */
	bool hashed;               /* hash is the request's: sticky policies go by it */
	bool panic;                /* picked without heed of health */
	bool bounded;              /* counts in its tier's load */
	uint32_t tier;             /* of the pick */
	uint32_t subset;           /* name id of the labels wanted; 0: any endpoint */
	uint64_t hash;
	uint64_t since;            /* it stands in line */
	uint32_t tried[4];         /* endpoint slots already tried: not picked again unless nothing else is left */
};

int ss_up_create(struct ss_up **out, const struct ss_up_conf *conf);
void ss_up_free(struct ss_up *u);
/* A new generation or edition: pools of endpoints that are gone let their connections finish and close. */
void ss_up_adopt(struct ss_up *u, const struct ss_snapshot *snap, uint64_t now);
/*
 * Picks an endpoint and finds a connection. 0: w->conn has a slot now (use it in this turn).
 * SS_ERR_WAIT: w is in line and comes back on a news list. Else refused: w->reason says why.
 */
int ss_up_acquire(struct ss_up *u, const struct ss_cluster *c, struct ss_up_wait *w, uint64_t now);
/* Are those needed, too, that are to be spared (SS_EP_LAST)? Of a cluster with balancing. */
bool ss_up_all_needed(const struct ss_ep_table *t, const struct ss_cluster *c);
/* How much of a set's requests each of its tiers gets, and which of them panic: fills `upto` and `panic` of w->sight by
 * its n_up, and touches nothing else. True when a tier began or ended its panic. */
bool ss_up_share_load(const struct ss_balance *b, const struct ss_lb_set *set, struct ss_lb_worker *w);
/* Would there be a place for a retry now? */
bool ss_up_retry_room(struct ss_up *u, const struct ss_cluster *c, const struct ss_up_wait *w);
/* May one more request to w's cluster be a retry? Holds a place under its budget until ss_up_retry_over. */
bool ss_up_retry(struct ss_up *u, const struct ss_cluster *c, const struct ss_up_wait *w);
void ss_up_retry_over(struct ss_up *u, uint32_t slot, uint8_t priority);
/* The slot that w was served with has been used, or could not be. */
void ss_up_took(struct ss_up *u, struct ss_up_wait *w);
/* w is no longer wanted and says nothing about its endpoint (client went away). Harmless when nowhere. */
void ss_up_cancel(struct ss_up *u, struct ss_up_wait *w);
/* How a request to w->at ended; feeds outlier detection. c: its cluster now, NULL when it is gone. */
void ss_up_result(struct ss_up *u, const struct ss_cluster *c, struct ss_up_wait *w, enum ss_ep_end how, uint64_t now);
/* w's endpoint, which is probed, says on a response that it is not well: it is out until its probes say otherwise. */
void ss_up_unwell(struct ss_up *u, const struct ss_cluster *c, const struct ss_up_wait *w, uint64_t now);
/* The response's head came ns after the request went out: what peak EWMA learns from. */
void ss_up_answered(struct ss_up *u, const struct ss_cluster *c, struct ss_up_wait *w, uint64_t ns,
		    uint64_t now);
/* Takes http's connection news; serves waiters: each comes back on `ready` with conn or reason. */
void ss_up_input(struct ss_up *u, struct ss_list *conn_news, uint64_t now, struct ss_list *ready);
/* Opens the connections that those in line need. Called at the end of the proxy's run. */
void ss_up_feed(struct ss_up *u, const struct ss_snapshot *snap, uint64_t now);
void ss_up_expire(struct ss_up *u, uint64_t now, struct ss_list *ready);
uint64_t ss_up_next(const struct ss_up *u);
/* Connections held, waiters in line: zero when drained. */
uint32_t ss_up_conns(const struct ss_up *u);
uint32_t ss_up_waiting(const struct ss_up *u);
/* Drain: closes idle connections, refuses new ones at zero use. */
void ss_up_drain(struct ss_up *u, uint64_t now);
void ss_up_bury(struct ss_up *u);

#endif
