/*
 * load_pace.h - when requests are to be sent, whatever the answers do.
 *
 * Takes:   a rate and the time of the first request.
 * Gives:   intended times, one after the other.
 * Owns:    nothing but itself.
 * Thread:  one owner.
 *
 * An open loop measures from the intended time, so an answer that is late cannot hide the requests that
 * it held up (coordinated omission).
 */
#ifndef SS_LOAD_PACE_H
#define SS_LOAD_PACE_H

#include "base/rng.h"

struct ss_load_pace {
	double gap;      /* nanoseconds between two requests, on average; 0: closed loop */
	double offset;   /* of the next one from start; a double counts 100 days of them exactly enough */
	uint64_t start, next;
	bool poisson;    /* exponential gaps, as independent users make them; else equal ones */
	struct ss_rng rng;
};

/* rate: requests a second, above 0. */
void ss_load_pace_init(struct ss_load_pace *p, double rate, bool poisson, uint64_t start);
/* The next request has been sent: makes the intended time of the one after it. */
void ss_load_pace_step(struct ss_load_pace *p);
/* How many are due and not sent at `now`; an estimate with exponential gaps. */
uint64_t ss_load_pace_behind(const struct ss_load_pace *p, uint64_t now);

#endif
