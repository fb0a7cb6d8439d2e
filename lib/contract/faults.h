/*
 * faults.h - faults that a route injects on purpose, compiled.
 *
 * Takes:   what ctrl/build/build_faults.c compiled.
 * Gives:   immutable shares, times and answers.
 * Owns:    nothing: the snapshot's memory.
 * Thread:  immutable once published.
 * Units:   nanoseconds; shares in hundredths of a percent.
 */
#ifndef SS_FAULTS_H
#define SS_FAULTS_H

#include "base/base.h"
#include "base/span.h"
#include "contract/fields.h"

#define SS_FAULT_SHARE_SUM 10000

/* BY_HEADER: the request says it, and without the header there is none. */
enum ss_fault_delay {
	SS_DELAY_NONE = 0,
	SS_DELAY_FIXED = 1,
	SS_DELAY_EXPONENTIAL = 2,
	SS_DELAY_BY_HEADER = 3
};
enum ss_fault_abort { SS_ABORT_NONE = 0, SS_ABORT_HTTP = 1, SS_ABORT_GRPC = 2, SS_ABORT_BY_HEADER = 3 };

struct ss_fault {
	uint8_t delay, abort; /* enum ss_fault_delay, ss_fault_abort */
	uint16_t delay_share, abort_share;
	uint64_t delay_ns;     /* fixed, or the mean */
	uint64_t delay_max_ns; /* no delay that is drawn or asked for lasts longer */
	uint16_t status;       /* HTTP's or gRPC's */
	struct ss_field_set headers; /* of requests that it is meant for: all of them hold */
	uint32_t max_active; /* a worker's share, rounded up; 0: no bound */
};

#endif
