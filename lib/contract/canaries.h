/*
 * canaries.h - splits whose weights control moves while it compares their two shares.
 *
 * Takes:   requests that ended, by share, from workers; weights from control (ctrl/canary).
 * Gives:   each decision the share of requests that is the canary's now, without another snapshot.
 * Owns:    its slots, for the life of the process; control gives them out by the split's name, so that a reload that
 *          leaves the split as it is changes neither weight nor counts.
 * Thread:  a slot's weight: written by control, read by workers. Counts: written by one worker each, read by control
 *          with relaxed loads. The functions at the end: control only.
 * Units:   weights, shares: hundredths of a percent. Ratios: hundredths. Latencies: buckets of nanoseconds.
 *
 * Error: control may read a worker's counts between two of their fields, so a look may have a request without its latency,
 * once per worker. A request that ends after its split has left the configuration counts for nobody, or, when another
 * split has got the slot meanwhile, for that one.
 */
#ifndef SS_CANARIES_H
#define SS_CANARIES_H

#include <stdatomic.h>

#include "base/base.h"

/*
 * Log-linear as struct ss_hist, 64 parts for each power of two: 1.6 % apart, so that a shift of 5 % is one of several
 * buckets. To 2^40 ns. Counts of 32 bits, of which differences are taken: they may wrap.
 */
#define SS_CANARY_SUB_BITS 6
#define SS_CANARY_BUCKETS ((41 - SS_CANARY_SUB_BITS) << SS_CANARY_SUB_BITS)

#define SS_CANARY_STEPS 32u
/* Weight of a slot: the configuration's weights count. */
#define SS_CANARY_NONE UINT32_MAX
#define SS_CANARY_WHOLE 10000u

enum ss_canary_variant { SS_CANARY_STABLE = 0, SS_CANARY_CANARY = 1, SS_CANARY_VARIANTS = 2 };

/* What becomes of a canary that is worse, and by less than the gates. */
enum ss_canary_regression { SS_CANARY_REGRESSION_ROLLBACK = 0, SS_CANARY_REGRESSION_HOLD = 1 };

struct ss_canary_counts {
	uint64_t requests, failures;
	uint32_t bucket[SS_CANARY_BUCKETS];
} SS_CACHE_ALIGNED;

struct ss_canary_slot {
	_Atomic uint32_t weight; /* the canary's, or SS_CANARY_NONE */
} SS_CACHE_ALIGNED;

/* What decides; docs/canary.md says how. */
struct ss_canary_gates {
	uint32_t max_error_ratio, max_p99_ratio; /* hundredths */
	uint32_t error_margin;                   /* hundredths of a percentage point */
	uint32_t latency_margin;                 /* hundredths of a percent */
	uint32_t significance;                   /* hundredths of a percent */
	uint32_t min_requests;                   /* of each share */
	uint8_t regression;                      /* enum ss_canary_regression */
};

struct ss_canary {
	uint32_t name;  /* name id: "virtual host/route" */
	uint32_t split; /* name id: what is split, and how */
	uint32_t stable_cluster, canary_cluster; /* name ids */
	uint32_t slot;
	uint16_t at;    /* which of the route's shares is the canary's */
	bool auto_start;
	struct ss_canary_slot *now;      /* its slot; outlives snapshots */
	struct ss_canary_counts *counts; /* of all workers: ss_canary_counts_of */
	uint64_t interval_ns, window_ns;
	struct ss_canary_gates gates;
	uint16_t n_steps;
	uint32_t step[SS_CANARY_STEPS]; /* weights, growing */
	uint32_t configured; /* what the configuration's weights give the canary */
	uint32_t line;
};

struct ss_canary_owner; /* who has which slot: control's */

struct ss_canary_table {
	uint32_t n_slots, n_workers;
	struct ss_canary_slot *slot;
	struct ss_canary_counts *counts; /* by slot, then worker, then variant */
	struct ss_canary_owner *owner;   /* n_slots */
};

int ss_canary_table_create(struct ss_canary_table **out, uint32_t n_slots, uint32_t n_workers);
void ss_canary_table_free(struct ss_canary_table *t);

/* -- workers -- */

static inline uint32_t ss_canary_weight(const struct ss_canary *c)
{
	return atomic_load_explicit(&c->now->weight, memory_order_relaxed);
}

static inline struct ss_canary_counts *ss_canary_counts_of(const struct ss_canary *c, uint32_t worker, bool canary)
{
	return &c->counts[(size_t)worker * SS_CANARY_VARIANTS + canary];
}

void ss_canary_count(struct ss_canary_counts *c, uint64_t ns, bool failed);

/* -- control -- */

uint32_t ss_canary_bucket(uint64_t ns);
/* Where bucket i begins. */
uint64_t ss_canary_lower(uint32_t i);
/*
 * The slot of a split (by name id): the one that it has, else a fresh one whose weight is SS_CANARY_NONE. Each call holds
 * it once for the generation being built; the generation's end gives it back. 0, or SS_ERR_FULL.
 */
int ss_canary_hold(struct ss_canary_table *t, uint32_t split, uint32_t *slot);
void ss_canary_drop(struct ss_canary_table *t, uint32_t slot);
/* Sums what the workers have counted, ever. */
void ss_canary_counted(const struct ss_canary_table *t, uint32_t slot, uint32_t variant, struct ss_canary_counts *out);

#endif
