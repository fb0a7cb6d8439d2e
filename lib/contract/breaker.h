/*
 * breaker.h - the three-state breaker of a cluster, one for all workers.
 *
 * Takes:   how requests ended.
 * Gives:   "may a request go": closed all, open none, half-open a few at once, as probes.
 * Owns:    nothing: its words stand beside the endpoint table, by the cluster's slot, and live over reloads.
 * Thread:  every worker; words of atomics, no locks. Each change of state is one compare-and-swap: of the
 *          workers that see its cause together exactly one makes it.
 * Units:   nanoseconds of ss_clock.
 *
 * The window slides by tenths: what ended up to a window ago counts, the oldest tenth in part. A good request
 * costs one compare-and-swap, a bad one a look at the other tenths too. What was sent before the breaker opened
 * and ends while it is open or half-open says nothing; only probes decide then.
 */
#ifndef SS_BREAKER_H
#define SS_BREAKER_H

#include <stdatomic.h>

#include "base/base.h"

struct ss_ep_table;

struct ss_breaker_conf {
	uint32_t failure_percent; /* of the window's requests, failed or slow */
	uint32_t min_requests;    /* fewer in the window decide nothing */
	uint32_t successes;       /* probes in a row that close it */
	uint32_t probes;          /* at once while half-open */
	uint64_t slow_ns;         /* a head that takes longer counts as a failure; 0: none */
	uint64_t window_ns, open_ns;
};

#define SS_BREAKER_TENTHS 10

/* In the endpoint table, per cluster. */
struct ss_breaker {
	_Atomic uint64_t open_until; /* 0: closed; in the past: half-open */
	_Atomic uint64_t tenth[SS_BREAKER_TENTHS]; /* by number: number : 20, requests : 22, failures : 22 */
	_Atomic uint32_t probes;     /* under way */
	_Atomic uint32_t good;       /* successes in a row while half-open */
	_Atomic uint32_t opened;     /* times, in all */
};

enum ss_breaker_state { SS_BREAKER_CLOSED = 0, SS_BREAKER_OPEN, SS_BREAKER_HALF_OPEN };
enum ss_breaker_change { SS_BREAKER_SAME = 0, SS_BREAKER_OPENED, SS_BREAKER_REOPENED, SS_BREAKER_RECOVERED };

/* May a request go? *probe: it is one, and wants ss_breaker_probe_over at its end, however it ends. */
bool ss_breaker_admit(struct ss_ep_table *t, uint32_t slot, const struct ss_breaker_conf *c, uint64_t now,
		      bool *probe);
void ss_breaker_probe_over(struct ss_ep_table *t, uint32_t slot);
/* How a request ended. The one call that changed the state says so. */
enum ss_breaker_change ss_breaker_result(struct ss_ep_table *t, uint32_t slot, const struct ss_breaker_conf *c,
					 bool probe, bool good, uint64_t now);
enum ss_breaker_state ss_breaker_state(struct ss_ep_table *t, uint32_t slot, uint64_t now);

#endif
