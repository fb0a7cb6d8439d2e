/*
 * wheel.h - a hierarchical timer wheel; expiry is returned as a list.
 *
 * Takes:   timers embedded in the caller's objects, deadlines, the time.
 * Gives:   the timers that are due, on the caller's list; the next deadline.
 * Owns:    its slots.
 * Thread:  one owner.
 * Units:   nanoseconds; the tick is set at init (1 ms suits TCP). A timer never fires early;
 *          it fires at most one tick late plus the time between two calls.
 */
#ifndef SS_WHEEL_H
#define SS_WHEEL_H

#include "base/base.h"
#include "base/list.h"

#define SS_WHEEL_BITS 8
#define SS_WHEEL_SLOTS (1u << SS_WHEEL_BITS)
#define SS_WHEEL_LEVELS 4

struct ss_timer {
	struct ss_list node;
	uint64_t deadline; /* nanoseconds; SS_NEVER when not armed */
	uint32_t kind;     /* the owner's word: which of its timers this is */
};

struct ss_wheel {
	uint64_t tick_ns, now_tick;
	uint64_t due_at; /* nothing to do before this time; may be early, never late */
	uint32_t armed;
	uint64_t taken[SS_WHEEL_LEVELS][SS_WHEEL_SLOTS / 64]; /* a bit per slot that is not empty */
	struct ss_list slot[SS_WHEEL_LEVELS][SS_WHEEL_SLOTS];
};

void ss_wheel_init(struct ss_wheel *w, uint64_t tick_ns, uint64_t now);
void ss_timer_init(struct ss_timer *t, uint32_t kind);
static inline bool ss_timer_armed(const struct ss_timer *t)
{
	return t->deadline != SS_NEVER;
}
/* Arms or re-arms (a due timer leaves its list). A deadline in the past fires at the next expire. */
void ss_wheel_arm(struct ss_wheel *w, struct ss_timer *t, uint64_t deadline);
/* Also takes a due timer off the list that expire put it on. Harmless when neither armed nor due. */
void ss_wheel_cancel(struct ss_wheel *w, struct ss_timer *t);
/* Moves every due timer to the back of `due` (disarmed: deadline is SS_NEVER, node is linked there). */
void ss_wheel_expire(struct ss_wheel *w, uint64_t now, struct ss_list *due);
/* The earliest time at which expire may have something to do; SS_NEVER when nothing is armed.
 * May be early (a slot's start), never late. */
uint64_t ss_wheel_next(const struct ss_wheel *w);

#endif
