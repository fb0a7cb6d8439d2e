/*
 * shed.h - by which delay requests of which rank are refused.
 *
 * Takes:   a delay and its watermark.
 * Gives:   how many ranks are refused, from the lowest on.
 * Owns:    nothing.
 * Thread:  any.
 * Units:   nanoseconds.
 */
#ifndef SS_SHED_H
#define SS_SHED_H

#include "base/base.h"

/* 0 none; 1 low, from half of the watermark on; 2 default too, from the watermark; 3 high too, from twice of it. */
static inline uint32_t ss_shed_by_delay(uint64_t ns, uint64_t mark)
{
	if (!mark || ns < mark / 2)
		return 0;
	return ns < mark ? 1 : ns < 2 * mark ? 2 : 3;
}

#endif
