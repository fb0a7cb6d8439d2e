/*
 * canary_judge.h - is the canary worse than stable, good enough, or can nobody tell yet?
 *
 * Takes:   what both shares of a split did in a window, in parts of some seconds; the gates.
 * Gives:   a verdict with its reason and every number that it stands on.
 * Owns:    nothing: a pure function.
 * Thread:  control, or a test.
 * Units:   shares and ratios as they are (1.1); latencies in nanoseconds.
 *
 * Three answers. ROLLBACK: it is worse, past a gate or by more than half of a margin, and chance would show that less often
 * than `significance` (over all looks and windows of a run); also without the part that speaks most against it, so that
 * one hiccup is no evidence. PASS: it is surely not worse by a whole margin. HOLD: neither, and the reason says what is
 * missing.
 */
#ifndef SS_CANARY_JUDGE_H
#define SS_CANARY_JUDGE_H

#include "model/canary_state.h"

enum ss_canary_say { SS_CANARY_HOLD = 0, SS_CANARY_PASS, SS_CANARY_ROLLBACK };

/* Some seconds of a window. */
struct ss_canary_part {
	struct ss_canary_counts of[SS_CANARY_VARIANTS];
};

struct ss_canary_verdict {
	uint8_t say; /* enum ss_canary_say */
	uint8_t why; /* enum ss_canary_why */
	bool sure;   /* of what `why` names: p is below alpha */
	uint64_t requests[SS_CANARY_VARIANTS], failures[SS_CANARY_VARIANTS];
	double p99_ns[SS_CANARY_VARIANTS];
	double error_ratio, p99_ratio;
	double error_high;                     /* it fails at most so much more (a share of requests) */
	double slowdown, slow_low, slow_high;  /* of the geometric mean: 0.05 is 5 % slower */
	double p_errors, p_p99, p_fails_more, p_slower; /* of chance; always valid */
	double alpha;                          /* what each has to be below */
};

/* Adds c, or takes it away again. */
void ss_canary_add(struct ss_canary_counts *to, const struct ss_canary_counts *c, bool away);
/* window: the run's how-manieth, from 1 on: each has its part of the significance. */
void ss_canary_judge(const struct ss_canary_gates *g, const struct ss_canary_part *parts, uint32_t n_parts, uint32_t window,
		     struct ss_canary_verdict *out);

#endif
