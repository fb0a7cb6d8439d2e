/*
 * endpoints.h - the endpoint table: the one home of health and ejection, for every worker.
 *
 * Takes:   outcomes of requests from workers, endpoints from control.
 * Gives:   "may this endpoint be picked", the same answer on every worker at once.
 * Owns:    its slots, for the life of the process; control assigns them by (cluster, address) so
 *          that an endpoint keeps its history over reloads.
 * Thread:  every worker and control; words of atomics, no locks. The functions at the end: control only.
 * Units:   nanoseconds of ss_clock.
 *
 * Ejection is one compare-and-swap under the cluster-wide cap. No pick that begins after that
 * swap returns the endpoint, on any worker, until ejected_until.
 */
#ifndef SS_ENDPOINTS_H
#define SS_ENDPOINTS_H

#include <stdatomic.h>

#include "base/addr.h"
#include "base/base.h"
#include "contract/breaker.h"
#include "contract/caps.h"

#define SS_EP_NONE UINT32_MAX

/* Why an endpoint was ejected. X(NAME, "words") */
#define SS_EP_EJECT_LIST(X)                                        \
	X(ERRORS, "errors in a row")                               \
	X(GATEWAY, "gateway errors in a row")                      \
	X(LOCAL, "requests without an answer in a row")            \
	X(TRIAL, "a failure while on trial")                       \
	X(RATE, "success rate below that of the others")           \
	X(PERCENT, "share of failures")                            \
	X(LOCAL_RATE, "share of answers below that of the others") \
	X(LOCAL_PERCENT, "share of requests without an answer")

enum ss_ep_eject {
#define SS_EP_EJECT_X(name, words) SS_EP_EJECT_##name,
	SS_EP_EJECT_LIST(SS_EP_EJECT_X)
#undef SS_EP_EJECT_X
	SS_EP_EJECTS,
};
const char *ss_ep_eject_text(uint32_t why);

/* Outlier detection of one cluster (defaults in docs/config.md). Immutable once published. */
struct ss_outlier_conf {
	uint32_t consecutive_errors; /* 0 turns ejection off */
	uint64_t base_ejection_ns, max_ejection_ns;
	uint64_t interval_ns; /* each one that passes without ejection lowers the multiplier; 0: base time */
	uint32_t max_ejection_percent; /* of n_endpoints, rounded down */
	uint32_t min_health_percent; /* no ejection may take the share of healthy endpoints below this */
	uint32_t n_endpoints; /* of the cluster in this generation (ctrl/build fills it) */
	uint32_t trial; /* successes wanted of an endpoint that comes back; 0: it is trusted at once */
	uint32_t consecutive_gateway; /* 502, 503, 504 in a row; 0: not told apart */
	bool split;                   /* requests without an answer are counted apart, */
	uint32_t consecutive_local;   /* and so many of them in a row eject; 0: none do */
	bool always_eject_one;        /* whatever the percents say */
	uint64_t jitter_ns;           /* chance adds so much to an ejection, at most */
	/* Of what ended in an interval: control looks (ctrl/outlier). */
	uint32_t least_failures;      /* fewer of an endpoint never eject it */
	uint32_t rate_hosts, rate_requests; /* success rate: endpoints with so many requests; 0 endpoints: off */
	uint32_t rate_factor;         /* hundredths of a standard deviation below the mean */
	uint32_t percent_limit;       /* failures of an endpoint's requests; 0: off */
	uint32_t percent_hosts, percent_requests;
	/* Percent of those found that are really ejected, by enum ss_ep_eject. */
	bool partly; /* some is not 100 (ctrl/build fills it); else nobody looks at them */
	uint32_t enforcing[SS_EP_EJECTS];
};

/* How a request to an endpoint ended. */
enum ss_ep_end {
	SS_EP_GOOD = 0,
	SS_EP_ERROR,     /* a 5xx; gRPC's unknown, unimplemented, internal, data loss */
	SS_EP_GATEWAY,   /* 502, 503, 504; gRPC's unavailable, deadline exceeded */
	SS_EP_NO_ANSWER, /* no connection, a reset, a timeout */
};

/* An ejection and the numbers that decided it. */
struct ss_ep_ejection {
	enum ss_ep_eject why;
	uint32_t in_a_row, limit; /* failures */
	uint32_t times;           /* ejections in a row */
	uint64_t for_ns;
	bool spared; /* found, and left in rotation: the enforcing percentage */
};

/* Why an endpoint is not picked, or not first: bits. */
enum ss_ep_flag {
	SS_EP_FAILED = 1,   /* its active health check says no */
	SS_EP_CLOSED = 2,   /* the configuration says that it is unhealthy, */
	SS_EP_DRAINING = 4, /* or that it goes away: nothing new, what is there may end */
	SS_EP_DEGRADED = 8, /* it works, but its check says that others should be asked first, */
	SS_EP_SPARED = 16,  /* or the configuration does */
};
#define SS_EP_DOWN (SS_EP_FAILED | SS_EP_CLOSED | SS_EP_DRAINING)
#define SS_EP_LAST (SS_EP_DEGRADED | SS_EP_SPARED)
#define SS_EP_CONFIGURED (SS_EP_CLOSED | SS_EP_DRAINING | SS_EP_SPARED)

/* One cache line each. */
struct ss_ep {
	/* Written by workers, read by all. */
	_Atomic uint64_t ejected_until; /* 0: not ejected */
	_Atomic uint64_t last_until;    /* when the last ejection ended or ends; for the decay */
	_Atomic uint32_t errors;        /* consecutive; its highest bit: ss_ep_watch counts some, too */
	_Atomic uint32_t times_ejected; /* in a row: multiplies the base time */
	_Atomic uint32_t active;        /* requests that have picked it and not ended */
	_Atomic uint32_t ejections;     /* total */
	_Atomic uint64_t requests, failures; /* totals, for status */
	_Atomic uint32_t flags; /* enum ss_ep_flag: ss_ep_mark */
	/* Written by control. */
	_Atomic uint32_t in_use;
	uint32_t cluster; /* slot of its cluster in ss_ep_table.cluster; constant while in use */
	_Atomic uint32_t trial; /* back from ejection: so many successes more, one failure ejects again */
} SS_CACHE_ALIGNED;
static_assert(sizeof(struct ss_ep) == SS_CACHE_LINE, "an endpoint fills one cache line");

/* More of the same endpoint, which no pick reads. */
struct ss_ep_watch {
	/* Written by the one worker that probes it (dataplane/health). */
	_Atomic uint64_t probes, probes_failed; /* totals */
	_Atomic uint64_t since; /* the last change of SS_EP_FAILED; 0: none yet */
	_Atomic uint32_t last;  /* status of HTTP or gRPC : 16, enum ss_health_why : 16, of the last probe */
	_Atomic uint32_t probed; /* it has a health check */
	/* Written by workers: in a row, as ss_ep.errors. */
	_Atomic uint32_t gateway, local;
	_Atomic uint64_t unanswered; /* total, of ss_ep.failures */
} SS_CACHE_ALIGNED;

/* Per cluster: what the cap is measured against. */
struct ss_ep_cluster {
	_Atomic uint32_t ejected;   /* never less than how many of its endpoints are ejected */
	_Atomic uint32_t unhealthy; /* how many of its endpoints have a flag of SS_EP_DOWN */
	_Atomic uint32_t last;      /* how many have a flag of SS_EP_LAST and none of SS_EP_DOWN */
	_Atomic uint32_t changes;   /* grows after any change of what ss_ep_pickable answers, but by time alone */
	_Atomic uint32_t panics;    /* picks that took no heed of health (upstream's panic threshold) */
	_Atomic uint32_t load[8];   /* requests under way by tier, the last for all beyond: only where
				     * balancing has a bound (contract/balance.h). Workers that pick at once
				     * do not see each other: off by n_workers - 1 at most */
	struct ss_breaker breaker;
	_Atomic uint32_t asked; /* somebody has picked from it */
	struct ss_cap_use use;
} SS_CACHE_ALIGNED;

struct ss_ep_slots; /* who has which slot: control's */

struct ss_ep_table {
	uint32_t n_eps, n_clusters; /* capacities */
	struct ss_ep *ep;
	struct ss_ep_watch *watch; /* by the same index */
	struct ss_ep_cluster *cluster;
	struct ss_ep_slots *slots;
};

int ss_ep_table_create(struct ss_ep_table **out, uint32_t n_eps, uint32_t n_clusters);
void ss_ep_table_free(struct ss_ep_table *t);

/* -- workers -- */

/* May a pick that begins now return it? Un-ejects (and lowers the cluster's count) when its time is over. */
bool ss_ep_pickable(struct ss_ep_table *t, uint32_t ep, uint64_t now);
/*
 * Back from ejection and under trial, with as many requests under way as a trial may have (one): pick another
 * if there is one. Workers that look at once may each send one.
 */
bool ss_ep_on_trial(const struct ss_ep_table *t, uint32_t ep);
/* A request has picked it, and has ended. A slot is not given to another endpoint in between. */
void ss_ep_begin(struct ss_ep_table *t, uint32_t ep);
void ss_ep_end(struct ss_ep_table *t, uint32_t ep);
/* A request ended well: consecutive errors return to zero. */
void ss_ep_success(struct ss_ep_table *t, uint32_t ep);
/*
 * A request failed. True when this call ejected it, with the numbers; these are there, too, when it was spared.
 * chance: a random number, of which the jitter and the enforcing percentages are drawn. Who is spared begins anew:
 * one draw for so many failures in a row.
 */
bool ss_ep_failed(struct ss_ep_table *t, uint32_t ep, const struct ss_outlier_conf *o, enum ss_ep_end how,
		  uint64_t chance, uint64_t now, struct ss_ep_ejection *out);
/* The same of a 5xx, where nobody asks for more. */
bool ss_ep_failure(struct ss_ep_table *t, uint32_t ep, const struct ss_outlier_conf *o, uint64_t now);
/*
 * Ejects for the reason out->why, under the same caps and draws. Also control's. False: spared, over the caps (which
 * nobody draws for), or ejected already.
 */
bool ss_ep_eject(struct ss_ep_table *t, uint32_t ep, const struct ss_outlier_conf *o, uint64_t chance, uint64_t now,
		 struct ss_ep_ejection *out);
/* Failures in a row, of those that count together. */
static inline uint32_t ss_ep_errors(const struct ss_ep *e)
{
	return atomic_load_explicit(&e->errors, memory_order_relaxed) & 0x7fffffff;
}
/* Ends its ejection now: an active check has found it well. False when it was not ejected. */
bool ss_ep_uneject(struct ss_ep_table *t, uint32_t ep, uint64_t now);
/* Changes its flags, and its cluster's counts with them. False when that was so already. */
bool ss_ep_mark(struct ss_ep_table *t, uint32_t ep, uint32_t set, uint32_t clear);
/* ss_ep_mark of SS_EP_FAILED. */
void ss_ep_set_unhealthy(struct ss_ep_table *t, uint32_t ep, bool unhealthy);
/* How many endpoints of the cluster may be ejected at once. */
uint32_t ss_ep_cap(const struct ss_outlier_conf *o, uint32_t unhealthy);

/* -- control -- */

/*
 * The slot of a cluster (by name id) and of its endpoint at addr: the one it had, else a fresh one.
 * Each call holds the slot once for the generation being built; the generation's end gives it
 * back. A slot that nobody holds and no request uses is given to another.
 * 0, or SS_ERR_FULL (nothing held).
 */
int ss_ep_cluster_hold(struct ss_ep_table *t, uint32_t name, uint32_t *slot);
void ss_ep_cluster_drop(struct ss_ep_table *t, uint32_t slot);
int ss_ep_hold(struct ss_ep_table *t, uint32_t cluster, const struct ss_addr *addr, uint32_t *ep);
void ss_ep_drop(struct ss_ep_table *t, uint32_t ep);
/* Un-ejects what is due although no worker picks it any more. */
void ss_ep_sweep(struct ss_ep_table *t, uint64_t now);
/* Held once: by the generation that is being built. */
bool ss_ep_is_new(const struct ss_ep_table *t, uint32_t ep);

#endif
