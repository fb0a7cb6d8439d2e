/*
 * endpoints.h - the endpoint table: the one home of health and ejection, for every worker.
 *
 * Takes:   outcomes of requests from workers, endpoints from control.
 * Gives:   "may this endpoint be picked", the same answer on every worker at once.
 * Owns:    its slots, for the life of the process; control assigns them by (cluster, address) so
 *          that an endpoint keeps its history over reloads.
 * Thread:  every worker and control; words of atomics, no locks.
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

#define SS_EP_NONE UINT32_MAX

/* Outlier detection of one cluster (defaults in docs/config.md). Immutable once published. */
struct ss_outlier_conf {
	uint32_t consecutive_errors; /* 0 turns ejection off */
	uint64_t base_ejection_ns, max_ejection_ns;
	uint32_t max_ejection_percent;
	uint32_t min_health_percent; /* below this share of healthy endpoints nothing is ejected */
};

/* Written by workers (compare-and-swap), read by all. One cache line each. */
struct ss_ep {
	_Atomic uint64_t ejected_until; /* 0: not ejected */
	_Atomic uint32_t errors;        /* consecutive */
	_Atomic uint32_t times_ejected; /* in a row: multiplies the base time */
	_Atomic uint32_t unhealthy;     /* active health check says no (control writes) */
	_Atomic uint32_t active;        /* requests in flight */
	_Atomic uint64_t requests, failures; /* totals, for status */
	_Atomic uint64_t ejections;
	/* Written by control before publication, then constant. */
	uint32_t cluster; /* slot of its cluster in ss_ep_table.cluster */
	uint16_t in_use;
} SS_CACHE_ALIGNED;

/* Per cluster: what the cap is measured against. */
struct ss_ep_cluster {
	_Atomic uint32_t ejected; /* how many of its endpoints are ejected now */
	_Atomic uint32_t total;   /* how many endpoints it has (control writes) */
	_Atomic uint32_t unhealthy;
} SS_CACHE_ALIGNED;

struct ss_ep_table {
	uint32_t n_eps, n_clusters; /* capacities */
	struct ss_ep *ep;
	struct ss_ep_cluster *cluster;
};

int ss_ep_table_create(struct ss_ep_table **out, uint32_t n_eps, uint32_t n_clusters);
void ss_ep_table_free(struct ss_ep_table *t);

/* May a pick that begins now return it? Un-ejects (and lowers the cluster's count) when its time is over. */
bool ss_ep_pickable(struct ss_ep_table *t, uint32_t ep, uint64_t now);
/* A request ended well: consecutive errors return to zero. */
void ss_ep_success(struct ss_ep_table *t, uint32_t ep);
/* A request failed (5xx, connect failure, reset, timeout). True when this call ejected it. */
bool ss_ep_failure(struct ss_ep_table *t, uint32_t ep, const struct ss_outlier_conf *o, uint64_t now);

#endif
