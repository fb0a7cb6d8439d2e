/*
 * route_why.h - what a decision was made of: the questions of ss_route_decide, answered one by one.
 *
 * Takes:   what ss_route_decide takes.
 * Gives:   for each route and each rule the first of its parts that the request does not fit.
 * Owns:    nothing.
 * Thread:  as route.h; the control thread has a place of its own in the snapshot's scratch, after the last worker's.
 *
 * The parts are asked by the functions that decide. The index alone is gone around: every route and every rule is
 * looked at, so that what it would find and what is found here can be compared.
 */
#ifndef SS_ROUTE_WHY_H
#define SS_ROUTE_WHY_H

#include "route/route.h"

/* In the order in which they are asked. */
enum ss_route_part {
	SS_ROUTE_PART_NONE = 0, /* it fits */
	SS_ROUTE_PART_PATH, SS_ROUTE_PART_METHOD, SS_ROUTE_PART_IDENTITY, SS_ROUTE_PART_SNI, SS_ROUTE_PART_PORT,
	SS_ROUTE_PART_FIELD, /* `field` of ss_route.fields */
	SS_ROUTE_PARTS,
};

struct ss_route_misfit {
	uint8_t part; /* enum ss_route_part */
	uint16_t field;
};

/* The pattern that the request's host fits, or NULL. */
const struct ss_host_pattern *ss_route_why_host(const struct ss_listener *l, const struct ss_route_request *rq);
/* out has a place for each route of the host. False: an expression could not be asked. */
bool ss_route_why_routes(const struct ss_listener *l, const struct ss_virtual_host *host,
			 const struct ss_route_request *rq, struct ss_route_misfit *out);
/* The key by which a client keeps its share; false when it brought none. r->sticky is there. */
bool ss_route_why_key(const struct ss_listener *l, const struct ss_route *r, const struct ss_route_request *rq,
		      struct ss_span *key);
#define SS_ROUTE_RULE_METHOD UINT16_MAX
/* out has a place for each rule of the scope: its first part that does not hold, SS_ROUTE_RULE_METHOD, or its n_parts. */
bool ss_route_why_rules(const struct ss_listener *l, const struct ss_authz *a, const struct ss_route_request *rq,
			uint16_t *out);

#endif
