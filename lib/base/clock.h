/*
 * clock.h - cycles to nanoseconds, monotonic since boot.
 *
 * Takes:   nothing.
 * Gives:   CLOCK_MONOTONIC-compatible nanoseconds from the TSC.
 * Owns:    a calibration, made once by ss_clock_init.
 * Thread:  init by the control thread; reading by any thread.
 *
 * A worker reads it once per turn, the control thread once per wake-up; every other
 * function takes the time as an argument (so simulations can run on virtual time).
 */
#ifndef SS_CLOCK_H
#define SS_CLOCK_H

#include "base/base.h"

struct ss_clock {
	uint64_t base_tsc, base_ns;
	uint64_t mult; /* nanoseconds per cycle, 32.32 fixed point */
};

/* Calibrates against CLOCK_MONOTONIC (blocks about 20 ms). tsc_hz 0 means: measure it. */
void ss_clock_init(struct ss_clock *c, uint64_t tsc_hz);
/* Nanoseconds, on the time line of CLOCK_MONOTONIC at init. */
uint64_t ss_clock_ns(const struct ss_clock *c);
/* The same of a moment whose TSC the caller has read. */
uint64_t ss_clock_at(const struct ss_clock *c, uint64_t tsc);

#endif
