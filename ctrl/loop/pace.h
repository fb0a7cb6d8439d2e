/*
 * pace.h - long work of the control thread in short pieces, for the sake of a worker on the same core.
 *
 * Takes:   nothing: what is done between begin and end is paced, whoever's code it is (a parser's, OpenSSL's).
 * Gives:   the core, every SS_PACE_NS, to whoever waits for it: a worker's packets wait that long, not a time slice.
 * Owns:    a timer that signals this thread.
 * Thread:  the caller's own; one pace at a time.
 * Time:    two per cent of the work, for the signals.
 * Errors:  none: without a timer the work is done in one piece.
 */
#ifndef SS_PACE_H
#define SS_PACE_H

#include <time.h>

#include "base/base.h"

#define SS_PACE_NS (100 * SS_NS_PER_US)

struct ss_pace {
	timer_t timer;
	bool on;
};

/* shared: somebody else of ours runs on this core; false: nothing is done. */
void ss_pace_begin(struct ss_pace *p, bool shared);
void ss_pace_end(struct ss_pace *p);

#endif
