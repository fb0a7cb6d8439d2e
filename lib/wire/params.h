/*
 * params.h - walks the parameters of a query and the cookies of a Cookie field.
 *
 * Takes:   bytes a stranger sent.
 * Gives:   names and values, as spans into them, one at a time.
 * Owns:    nothing.
 * Thread:  any.
 * Errors:  none: what has no name is passed over.
 *
 * Nothing is decoded: "a%20b" and "a b" are two values, as they are for Envoy.
 */
#ifndef SS_PARAMS_H
#define SS_PARAMS_H

#include "base/span.h"

/* A path without its query. */
struct ss_span ss_path_only(struct ss_span path);
/* What follows the first "?" of a path; empty when there is none. */
struct ss_span ss_path_query(struct ss_span path);

/* Takes the next "name=value" from *rest, up to "&"; without "=" the value is empty. False at the end. */
bool ss_query_next(struct ss_span *rest, struct ss_span *name, struct ss_span *value);
/* The same for the pairs of a Cookie field (RFC 6265 4.2.1), up to ";". Quotes around a value go. */
bool ss_cookie_next(struct ss_span *rest, struct ss_span *name, struct ss_span *value);

/* A whole number with an optional sign, nothing else, within 64 bits. */
bool ss_whole_number(struct ss_span text, int64_t *out);

#endif
