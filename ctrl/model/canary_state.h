/*
 * canary_state.h - how a canary stands, for who shows it.
 *
 * Takes:   nothing.
 * Gives:   what ctrl/canary tells metrics.
 * Owns:    nothing: texts are the name table's.
 * Thread:  control.
 * Units:   weights in hundredths of a percent; counts since the process knows the split.
 */
#ifndef SS_CANARY_STATE_H
#define SS_CANARY_STATE_H

#include "contract/canaries.h"

enum ss_canary_stand {
	SS_CANARY_IDLE = 0, /* the configuration's weights count */
	SS_CANARY_RUNNING,
	SS_CANARY_PAUSED,      /* no step is made; gates are watched */
	SS_CANARY_PROMOTED,    /* has all requests */
	SS_CANARY_ROLLED_BACK, /* has none, by a gate */
	SS_CANARY_ABORTED,     /* has none, by an operator */
	SS_CANARY_STANDS,
};

/* What was decided, by the judge, the schedule, an operator or a reload. */
enum ss_canary_act {
	SS_CANARY_DID_START = 0,
	SS_CANARY_DID_STEP,
	SS_CANARY_DID_PROMOTE,
	SS_CANARY_DID_HOLD,
	SS_CANARY_DID_ROLL_BACK,
	SS_CANARY_DID_PAUSE,
	SS_CANARY_DID_RESUME,
	SS_CANARY_DID_ABORT,
	SS_CANARY_DID_RESTORE, /* as it stood when the process ended */
	SS_CANARY_DID_FORGET,  /* the configuration has another split, or none */
	SS_CANARY_ACTS,
};

/* What a verdict stands on. */
enum ss_canary_why {
	SS_CANARY_WHY_NONE = 0,
	SS_CANARY_WHY_SAMPLE,        /* hold: fewer requests than min_requests */
	SS_CANARY_WHY_ERRORS,        /* the error rate is past its gate: rollback, or hold when it may be chance */
	SS_CANARY_WHY_P99,           /* the same of p99 */
	SS_CANARY_WHY_FAILS_MORE,    /* worse below the gate: rollback, or hold if so configured */
	SS_CANARY_WHY_SLOWER,
	SS_CANARY_WHY_ERROR_SAMPLE,  /* hold: too few requests to say that it fails no more than the margin allows */
	SS_CANARY_WHY_LATENCY_SAMPLE, /* the same of latency */
	SS_CANARY_WHYS,
};

struct ss_canary_state {
	const char *name, *cluster, *stable;
	enum ss_canary_stand stand;
	uint32_t weight; /* in force */
	uint64_t requests[SS_CANARY_VARIANTS], failures[SS_CANARY_VARIANTS];
	uint64_t decisions[SS_CANARY_ACTS];
};

static inline const char *ss_canary_stand_text(enum ss_canary_stand s)
{
	static const char *const text[SS_CANARY_STANDS] = {"idle", "running", "paused", "promoted", "rolled_back", "aborted"};

	return s < SS_CANARY_STANDS ? text[s] : "none";
}

static inline const char *ss_canary_act_text(enum ss_canary_act a)
{
	static const char *const text[SS_CANARY_ACTS] = {"start",  "step",  "promote", "hold",	  "rollback",
							 "pause", "resume", "abort",   "restore", "forget"};

	return a < SS_CANARY_ACTS ? text[a] : "none";
}

static inline const char *ss_canary_why_text(uint8_t why)
{
	static const char *const texts[SS_CANARY_WHYS] = {
		[SS_CANARY_WHY_NONE] = "none",
		[SS_CANARY_WHY_SAMPLE] = "too_few_requests",
		[SS_CANARY_WHY_ERRORS] = "error_rate",
		[SS_CANARY_WHY_P99] = "p99",
		[SS_CANARY_WHY_FAILS_MORE] = "fails_more",
		[SS_CANARY_WHY_SLOWER] = "slower",
		[SS_CANARY_WHY_ERROR_SAMPLE] = "sample_too_small_for_errors",
		[SS_CANARY_WHY_LATENCY_SAMPLE] = "sample_too_small_for_latency",
	};

	return why < SS_CANARY_WHYS ? texts[why] : "none";
}

#endif
