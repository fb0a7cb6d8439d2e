/*
 * log.h - text logs: one line per event, to standard error. They exist only on this side of the wall.
 *
 * Takes:   a level, a short sentence that never varies, and what varies as keys and values.
 * Gives:   logfmt lines (time=... level=... msg="..." key=value), or the same as JSON.
 * Owns:    the format and level chosen at start.
 * Thread:  control.
 */
#ifndef SS_LOG_H
#define SS_LOG_H

#include <stdarg.h>
#include <stdio.h>

#include "base/base.h"

enum ss_log_level { SS_LOG_DEBUG = 0, SS_LOG_INFO = 1, SS_LOG_WARN = 2, SS_LOG_ERROR = 3 };

/* Lines below `lowest` are left out. */
void ss_log_setup(enum ss_log_level lowest, bool json);
/* Level of a name ("debug", "info", "warn", "error"), or -1. */
int ss_log_level_of(const char *name);

/* Pairs of key and value (const char *, a NULL value is "-"), ended by NULL. */
void ss_log(enum ss_log_level level, const char *msg, ...) __attribute__((sentinel));
/* The same line to a stream, for tests; unix_ns is the time to print. */
void ss_log_line(FILE *f, bool json, uint64_t unix_ns, enum ss_log_level level, const char *msg, va_list ap);

#define SS_LOG_NUM 24
/* The decimal digits of v in buf (SS_LOG_NUM bytes); returns buf. */
const char *ss_log_num(char *buf, uint64_t v);
/* A value out of a number, good until the end of the statement's block. */
#define ss_log_u64(v) ss_log_num((char[SS_LOG_NUM]){ 0 }, (v))

#endif
