/*
 * caps.h - limits of a cluster, and what is in use of them, for all workers together.
 *
 * Takes:   one by one what a worker begins and ends.
 * Gives:   "there is room", exactly: a compare-and-swap takes a place only below the limit.
 * Owns:    nothing: the words stand beside the endpoint table, by the cluster's slot, and live over reloads.
 * Thread:  every worker; words of atomics, no locks.
 * Errors:  connections may pass their limit by one per worker and endpoint: a line that has none at all gets
 *          one (upstream). The retry budget looks at the requests under way of that moment.
 */
#ifndef SS_CAPS_H
#define SS_CAPS_H

#include <stdatomic.h>

#include "base/base.h"

struct ss_ep_table;

enum ss_priority { SS_PRIORITY_DEFAULT = 0, SS_PRIORITY_HIGH = 1, SS_PRIORITY_COUNT };
enum ss_cap { SS_CAP_CONNECTIONS = 0, SS_CAP_PENDING, SS_CAP_REQUESTS, SS_CAP_RETRIES, SS_CAP_COUNT };

/* Of one priority; 0: no limit. */
struct ss_caps {
	uint32_t max[SS_CAP_COUNT];
};

/* Retries at once: a share of the first tries under way, but never less than `least`. */
struct ss_retry_budget {
	uint32_t share; /* hundredths of a percent; 0: off */
	uint32_t least;
};

/* In the endpoint table, per cluster. */
struct ss_cap_use {
	_Atomic uint32_t n[SS_PRIORITY_COUNT][SS_CAP_COUNT];
};

/* Takes a place below max (0: always). */
bool ss_cap_take(struct ss_ep_table *t, uint32_t slot, uint8_t priority, enum ss_cap what, uint32_t max);
void ss_cap_give(struct ss_ep_table *t, uint32_t slot, uint8_t priority, enum ss_cap what);
uint32_t ss_cap_used(struct ss_ep_table *t, uint32_t slot, uint8_t priority, enum ss_cap what);
/* Is there a place among the retries: below the budget, and below caps' limit? Take it. */
bool ss_cap_retry_room(struct ss_ep_table *t, uint32_t slot, uint8_t priority, const struct ss_caps *caps,
		       const struct ss_retry_budget *b);
bool ss_cap_take_retry(struct ss_ep_table *t, uint32_t slot, uint8_t priority, const struct ss_caps *caps,
		       const struct ss_retry_budget *b);
/* Nothing of the slot's is in use. */
bool ss_cap_idle(struct ss_ep_table *t, uint32_t slot);

#endif
