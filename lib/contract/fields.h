/*
 * fields.h - what is asked of a header, a parameter or a cookie, compiled.
 *
 * Takes:   what ctrl/build/build_match.c compiled.
 * Gives:   immutable matches: of routes, and sets of their own for a route's faults and retries.
 * Owns:    nothing: the snapshot's memory, hyperscan's databases.
 * Thread:  immutable once published; a set's scratch[i] is written by worker i.
 */
#ifndef SS_FIELDS_H
#define SS_FIELDS_H

#include "base/base.h"
#include "base/span.h"

struct hs_database;
struct ss_route_scratch; /* contract/route_index.h */

/* RANGE: a whole number from start up to, and without, end. */
enum ss_header_match {
	SS_HM_EXACT = 0, SS_HM_PREFIX = 1, SS_HM_SUFFIX = 2, SS_HM_PRESENT = 3, SS_HM_REGEX = 4, SS_HM_RANGE = 5,
};
/* What a field match looks at. */
enum ss_field_on { SS_ON_HEADER = 0, SS_ON_QUERY = 1, SS_ON_COOKIE = 2 };
#define SS_FIELD_ONS 3u

/* One of the values of that name fits; inverted: none does. */
struct ss_route_field {
	struct ss_span name; /* headers: lower case */
	uint8_t kind;        /* enum ss_header_match */
	uint8_t on;          /* enum ss_field_on */
	bool invert;
	uint32_t regex; /* SS_HM_REGEX: id in its host's field databases, or in its set's */
	struct ss_span value;
	int64_t start, end; /* SS_HM_RANGE */
};

/* Matches of headers alone, with a database for each expression. */
struct ss_field_set {
	uint16_t n;
	const struct ss_route_field *v;
	const struct hs_database *const *dbs;   /* by ss_route_field.regex */
	const struct ss_route_scratch *scratch; /* by worker */
};

#endif
