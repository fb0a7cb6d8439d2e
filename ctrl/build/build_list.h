/*
 * build_list.h - how the files that compile lists of routes divide the work.
 *
 * build_want.c finds what each route of a list wants of a request, and chooses by what it is looked up; build_list.c
 * makes the tables, build_ranges.c those of numbers. A route stands under every alternative of the match that is
 * chosen for it, or, when it wants nothing that can be looked up, under what it says must not be.
 */
#ifndef SS_BUILD_LIST_H
#define SS_BUILD_LIST_H

#include "build/build_routes.h"

/* One alternative of one match of one route. */
struct ss_build_want {
	uint8_t on, fit; /* fit: SS_HM_PRESENT stands for all that only need the name */
	struct ss_span name, value; /* SS_HM_RANGE: value has start and end, two of int64_t; SS_HM_REGEX: its number */
	uint32_t route;
	uint32_t match;  /* of the route: alternatives of one match have one number */
	uint32_t values; /* distinct ones of its name; of inverted matches: routes that have it */
	const struct ss_route_field *field; /* of inverted matches */
};

/* What the lists around this one are about already: names, and inverted matches. */
struct ss_build_above {
	const struct ss_build_above *up;
	const struct ss_build_want *want;
};

/* build_want.c: of the routes of ids, one match of each that wants something (its alternatives by name, fit and value),
 * and one inverted match of each other route that has one. *out is the caller's to free. */
int ss_build_wants(struct ss_build_job *j, const struct ss_route *routes, const uint32_t *ids, uint32_t n,
		   const struct ss_build_above *above, struct ss_build_want **out, uint32_t *n_out);
int ss_build_unwanted(const struct ss_route *routes, const uint32_t *ids, uint32_t n,
		      const struct ss_build_above *above, struct ss_build_want **out, uint32_t *n_out);
bool ss_build_same_name(const struct ss_build_want *x, const struct ss_build_want *y);
bool ss_build_same_want(const struct ss_build_want *x, const struct ss_build_want *y);

/* build_list.c: the list of routes in a table; ids is its memory, ascending. */
int ss_build_inner_list(struct ss_build_job *j, const struct ss_route *routes, uint32_t *ids, uint32_t n,
			const struct ss_build_above *above, uint32_t depth, struct ss_route_list *out);

/* build_ranges.c: ranges of one name. */
int ss_build_ranges(struct ss_build_job *j, const struct ss_route *routes, const struct ss_build_want *e, uint32_t n,
		    const struct ss_build_above *above, uint32_t depth, const struct ss_route_ranges **out);

#endif
