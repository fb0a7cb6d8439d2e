/*
 * route_int.h - one decision under way, and what the files of this room do for each other.
 */
#ifndef SS_ROUTE_INT_H
#define SS_ROUTE_INT_H

#include "contract/route_index.h"
#include "route/route.h"

struct ss_route_look {
	const struct ss_hdrs *head;
	struct ss_span path;  /* without its query */
	uint16_t method;      /* ss_method_bit */
	uint16_t worker;
	const struct ss_virtual_host *host;
	uint32_t best;        /* lowest index of a route that matches, SS_ROUTE_NONE */
	uint64_t scanned;     /* bit: header database that has been scanned for this request */
	bool broken;          /* hyperscan failed: decide nothing */
};

#define SS_ROUTE_NONE UINT32_MAX

/* route_match.c: methods and headers of route i; the path fits already. */
bool ss_route_rest_fits(struct ss_route_look *k, uint32_t i);
/* route_scan.c: lowers k->best to the first route whose path expression and the rest fit. */
void ss_route_scan_path(struct ss_route_look *k);
/* route_scan.c: does some field of the expression's header match it? */
bool ss_route_scan_header(struct ss_route_look *k, uint32_t regex);
/* route_policy.c */
bool ss_route_allowed(const struct ss_authz *a, uint16_t method, struct ss_span path, struct ss_span identity,
		      const struct ss_authz_rule **rule);

/* The next field with this name at or after *i, as a value; false when there is none. "host" and
 * ":authority" mean the authority. */
bool ss_route_next_field(const struct ss_hdrs *h, struct ss_span name, uint16_t *i, struct ss_span *value);

#endif
