/*
 * loop.h - what the control thread waits for: descriptors, times, signals.
 *
 * Takes:   functions to call back, with their argument.
 * Gives:   calls, one at a time, from ss_loop_run.
 * Owns:    the libevent base and the events made here; descriptors stay the caller's.
 * Thread:  control.
 * Units:   nanoseconds (rounded up to microseconds).
 * Errors:  NULL without memory.
 */
#ifndef SS_LOOP_H
#define SS_LOOP_H

#include "base/base.h"

struct event_base;
struct ss_loop;
struct ss_loop_event;

typedef void (*ss_loop_fn)(void *arg);

int ss_loop_create(struct ss_loop **out);
/* Frees what was made here and is still there, too. */
void ss_loop_free(struct ss_loop *l);
/* Borrowed: for libraries that speak libevent (evhttp, bufferevents). */
struct event_base *ss_loop_base(struct ss_loop *l);

/* Calls fn each time fd is readable. */
struct ss_loop_event *ss_loop_watch(struct ss_loop *l, int fd, ss_loop_fn fn, void *arg);
/* Calls fn every period_ns. */
struct ss_loop_event *ss_loop_every(struct ss_loop *l, uint64_t period_ns, ss_loop_fn fn, void *arg);
/* Calls fn each time the process gets the signal. */
struct ss_loop_event *ss_loop_signal(struct ss_loop *l, int signo, ss_loop_fn fn, void *arg);
/* Ends an event; NULL is allowed. May be called from its own fn. */
void ss_loop_end(struct ss_loop_event *e);

/* Returns after ss_loop_stop, which may be called from any fn. */
void ss_loop_run(struct ss_loop *l);
void ss_loop_stop(struct ss_loop *l);

#endif
