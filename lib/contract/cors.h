/*
 * cors.h - which origins' scripts may read a route's responses (WHATWG Fetch 3.2, "HTTP-CORS protocol").
 *
 * Takes:   what ctrl/build/build_cors.c compiled.
 * Gives:   immutable tables.
 * Owns:    nothing: the snapshot's memory, hyperscan's database.
 * Thread:  immutable once published.
 */
#ifndef SS_CORS_H
#define SS_CORS_H

#include "base/base.h"
#include "base/span.h"

struct hs_database;

enum ss_origin_match { SS_ORIGIN_ANY = 0, SS_ORIGIN_EXACT = 1, SS_ORIGIN_PREFIX = 2 };

struct ss_origin {
	uint8_t kind; /* enum ss_origin_match */
	struct ss_span text;
};

struct ss_cors {
	uint16_t n_origins;
	const struct ss_origin *origins;
	const struct hs_database *regexes; /* of origins; NULL: none */
	bool any;                          /* "*": never with credentials */
	bool credentials;
	/* Values of the response's fields, as they are sent; n 0: not sent. */
	struct ss_span methods, headers, expose, max_age;
	bool echo_methods, echo_headers; /* "*" with credentials means what was asked for */
};

#endif
