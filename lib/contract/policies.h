/*
 * policies.h - how often each policy allowed, denied, or would have denied.
 *
 * Takes:   a slot per policy name, given by control when it builds; counts from workers.
 * Gives:   sums to control. A name keeps its slot for the life of the process, so that counters go on over reloads.
 * Owns:    one row of counters per worker.
 * Thread:  slots: control. Each worker writes its own row; control reads with relaxed loads.
 * Errors:  a full table answers slot 1 ("other"): counted, but not told apart. Slot 0 is "default": no rule held.
 */
#ifndef SS_POLICIES_H
#define SS_POLICIES_H

#include "base/base.h"

#define SS_POLICY_DEFAULT 0u
#define SS_POLICY_OTHER 1u

struct ss_policy_counts {
	uint64_t allowed, denied, dry_run_denied, audited;
};

struct ss_policies;

struct ss_policies *ss_policies_create(uint32_t capacity, uint32_t n_workers);
void ss_policies_free(struct ss_policies *p);
/* The slot of a name (copied); the same for the same name. */
uint32_t ss_policies_slot(struct ss_policies *p, const char *name);
uint32_t ss_policies_n(const struct ss_policies *p);
const char *ss_policies_name(const struct ss_policies *p, uint32_t slot);
/* A worker's row for a slot. */
struct ss_policy_counts *ss_policies_row(struct ss_policies *p, uint32_t worker, uint32_t slot);
/* All workers' together. */
struct ss_policy_counts ss_policies_sum(const struct ss_policies *p, uint32_t slot);

static inline void ss_policy_count(uint64_t *n)
{
	__atomic_store_n(n, *n + 1, __ATOMIC_RELAXED);
}

#endif
