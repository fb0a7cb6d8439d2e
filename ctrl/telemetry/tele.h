/*
 * tele.h - what the outside learns: metrics and readiness over HTTP, an access log.
 *
 * Takes:   every worker's counters and event ring; facts that main can look up.
 * Gives:   /metrics (Prometheus text), /ready, /healthz on a socket of the kernel; JSON lines in a file.
 * Owns:    the HTTP server and the log file. It is the one consumer of the event rings.
 * Thread:  control. Writing the log may block on its file.
 * Errors:  a sentence at create; a log that cannot be written is said once, and lines lost are counted.
 *
 * docs/metrics.md lists every metric; a test keeps it true.
 */
#ifndef SS_TELE_H
#define SS_TELE_H

#include "base/clock.h"
#include "contract/counters.h"
#include "contract/endpoints.h"
#include "contract/events.h"
#include "contract/names.h"
#include "contract/policies.h"
#include "contract/snapshot.h"
#include "loop/loop.h"
#include "model/json.h"
#include "model/model_discovery.h"
#include "model/canary_state.h"
#include "model/secret_state.h"

struct ss_tele;

/* A pool that telemetry cannot see by itself: packet buffers of a port. */
struct ss_tele_pool {
	const char *name;
	uint32_t size, used;
};

/* What main looks up. Every function may be NULL: its metrics are left out, and "ready" means yes. */
struct ss_tele_ask {
	/* The generation in force, borrowed for the call that asked; NULL before the first. */
	const struct ss_snapshot *(*snapshot)(void *arg);
	/* Generations that are still in memory. */
	uint32_t (*live)(void *arg);
	/* Does every worker serve, and is no drain under way? */
	bool (*ready)(void *arg);
	/* Fills up to n; returns how many. */
	uint32_t (*pools)(void *arg, struct ss_tele_pool *out, uint32_t n);
	/* How the i-th secret or trust stands; false: there are not so many. */
	bool (*secret)(void *arg, uint32_t i, struct ss_secret_state *out);
	/* How the i-th cluster's discovery stands; false: there are not so many. */
	bool (*discovery)(void *arg, uint32_t i, struct ss_discovery_state *out);
	/* How the i-th canary stands; the same. */
	bool (*canary)(void *arg, uint32_t i, struct ss_canary_state *out);
	void *arg;
};

/* Requests of one source to one cluster. */
struct ss_tele_pair {
	const char *source;   /* identity, else address; "edge", "other" */
	uint32_t cluster;     /* name id; 0: none */
	uint64_t requests[3]; /* that came in plaintext, over TLS, over mutual TLS */
};

struct ss_tele_conf {
	struct ss_loop *loop;
	const char *version, *node;  /* copied */
	const char *metrics_address; /* NULL: no HTTP */
	uint16_t metrics_port;
	const char *access_log;      /* path, copied; "-": standard output; NULL: none */
	const char *audit_log;       /* the same: what policies denied, would deny, or mark */
	bool audit_allowed;          /* and what they allowed */
	uint32_t recent;             /* requests that are remembered; 0: none */
	const char *health_log;      /* the same: endpoints that leave rotation and come back, breakers */
	uint32_t n_workers;
	struct ss_counters *const *counters;
	struct ss_event_ring *const *events;
	const struct ss_names *names;
	struct ss_ep_table *endpoints;
	struct ss_limit_table *limits;
	const struct ss_policies *policies; /* NULL: none */
	const struct ss_clock *clock; /* the workers' */
	struct ss_tele_ask ask;
};

/* err (err_n bytes) gets a sentence on failure: SS_ERR_CONFIG, SS_ERR_NO_MEM. */
int ss_tele_create(struct ss_tele **out, const struct ss_tele_conf *conf, char *err, size_t err_n);
/* Writes what is left in the rings. */
void ss_tele_free(struct ss_tele *t);
/* Takes what is in the rings and writes it: call every few milliseconds. True while more is left. */
bool ss_tele_poll(struct ss_tele *t);
/* What control itself has to say, in the same words: written at once. */
void ss_tele_event(struct ss_tele *t, const struct ss_event *ev);
/* The i-th pair; false: there are not so many. The source is borrowed for the room's life. */
bool ss_tele_pair(const struct ss_tele *t, uint32_t i, struct ss_tele_pair *out);
/* The newest request with this id that has ended, or the skip-th before it; NULL: it is not remembered. The last
 * conf.recent ones are, and a quarter as many of those that failed. Good until the next poll.
 * offset, where wanted: what made its time the time of day in the access log, for ss_tele_show. */
const struct ss_event *ss_tele_recent(const struct ss_tele *t, struct ss_span request_id, uint32_t skip, int64_t *offset);
/* A request's record as in the access log: members of the object that j is in. offset: from its time to that of day, ns. */
void ss_tele_show(const struct ss_tele *t, const struct ss_event *ev, int64_t offset, struct ss_json *j);
/* The hash of the configuration of a generation, as long as it is known; NULL. */
const char *ss_tele_hash(const struct ss_tele *t, uint64_t generation);
/* Opens the log's path again: after a rotation. */
void ss_tele_reopen(struct ss_tele *t);

#endif
