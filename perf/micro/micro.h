/*
 * micro.h - runs small pieces of the product many times and says what one of them costs.
 *
 * Takes:   a function that does one thing n times, and what it works on.
 * Gives:   nanoseconds per item by the TSC (minimum and median of several rounds), as text or JSON; under
 *          callgrind two calls of micro_measured per item, whose difference is instructions per item.
 * Owns:    nothing.
 * Thread:  the program's only one.
 *
 * A program is micro.c and one x_bench.c, which defines micro_items. perf/bench/micro.py runs them all.
 */
#ifndef SS_MICRO_H
#define SS_MICRO_H

#include "base/base.h"

struct micro;

/* The bench's one function: makes what its items need and gives each to micro_run. */
void micro_items(struct micro *m);

/* Measures fn(at, n), which does n items, under this name. */
void micro_run(struct micro *m, const char *name, void (*fn)(void *at, uint32_t n), void *at);
/* Is some item whose name begins so asked for? Asked before a set-up that only those items need. */
bool micro_wants(const struct micro *m, const char *group);
/* The same, and no other: for what takes half a minute to set up. */
bool micro_asked(const struct micro *m, const char *name);
/* May a set-up take seconds? Not in a smoke test, nor under callgrind. */
bool micro_patient(const struct micro *m);

/* The compiler must have made v, and must not guess what became of it. */
#define micro_keep(v) __asm__ volatile("" : : "r,m"(v) : "memory")

#endif
