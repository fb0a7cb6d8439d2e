/*
 * number.h - numbers and spans of time in field values.
 *
 * Takes:   a field's value, as a stranger sent it.
 * Gives:   the number, or false: no other bytes, no sign, no overflow.
 * Owns:    nothing.
 * Thread:  any.
 * Units:   nanoseconds.
 */
#ifndef SS_NUMBER_H
#define SS_NUMBER_H

#include "base/span.h"

/* Room for any number that ss_number_put writes. */
#define SS_NUMBER_TEXT 24

/* 1 to 18 digits and nothing else. */
bool ss_number(struct ss_span v, uint64_t *out);
/* gRPC over HTTP/2, Requests: Timeout = 1 to 8 digits and a unit (H M S m u n). */
bool ss_number_grpc_timeout(struct ss_span v, uint64_t *ns);
/* v in digits at the end of buf, with `unit` after it when it is not 0. */
struct ss_span ss_number_put(char buf[SS_NUMBER_TEXT], uint64_t v, char unit);

#endif
