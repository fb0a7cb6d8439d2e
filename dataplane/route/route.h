/*
 * route.h - decides, and touches nothing: (snapshot, header block, peer, draw) -> decision.
 *
 * Takes:   a listener of the snapshot, a request's head, the peer, a random draw.
 * Gives:   a decision that points into the snapshot (valid within the turn).
 * Owns:    nothing.
 * Thread:  any; hyperscan scratch is the calling worker's.
 */
#ifndef SS_ROUTE_H
#define SS_ROUTE_H

#include "contract/drops.h"
#include "contract/snapshot.h"
#include "wire/hdr.h"

struct ss_route_request {
	const struct ss_hdrs *head;     /* path already normalised by http (wire/uri.h) */
	struct ss_span peer_identity;   /* verified, or empty */
	uint32_t draw;                  /* uniform in 0..9999: the weighted split */
	uint16_t worker;
};

struct ss_route_decision {
	enum ss_drop drop;                     /* SS_DROP_NONE, or why it is refused */
	const struct ss_virtual_host *host;    /* NULL when none matched */
	const struct ss_route *route;          /* NULL when none matched */
	const struct ss_cluster *cluster;      /* for SS_ACTION_CLUSTERS */
	uint32_t subset;                       /* of its endpoints: name id, 0: all */
	const struct ss_authz_rule *rule;      /* that denied or allowed, or NULL */
};

void ss_route_decide(const struct ss_snapshot *s, const struct ss_listener *l,
		     const struct ss_route_request *rq, struct ss_route_decision *out);

/* The bit of a method name. */
uint16_t ss_route_method_bit(struct ss_span method);

#endif
