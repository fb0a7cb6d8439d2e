/*
 * httpdate.h - a date in a field value (RFC 9110 5.6.7).
 *
 * Takes:   the value as a stranger sent it, and the time of day: two digits of a year need a century.
 * Gives:   seconds since 1970, or false for anything that is no date.
 * Owns:    nothing.
 * Thread:  any.
 * Units:   seconds.
 * Errors:  false. A date before 1970 is 0: it is over.
 */
#ifndef SS_HTTPDATE_H
#define SS_HTTPDATE_H

#include "base/span.h"

/* Any of the three forms that a recipient must accept. The day's name must be one; whether it fits is not asked. */
bool ss_httpdate(struct ss_span v, uint64_t now_s, uint64_t *out);

#define SS_HTTPDATE_TEXT 30
/* The preferred form, "Sun, 06 Nov 1994 08:49:37 GMT", NUL-terminated; up to the year 9999. */
void ss_httpdate_put(char buf[SS_HTTPDATE_TEXT], uint64_t at_s);

#endif
