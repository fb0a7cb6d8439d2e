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
#include "contract/redirect.h"
#include "contract/snapshot.h"
#include "mem/arena.h"
#include "wire/hdr.h"
#include "wire/jscan.h"

struct ss_route_request {
	const struct ss_hdrs *head;     /* path already normalised by http (wire/uri.h) */
	struct ss_span peer_identity;   /* verified, or empty */
	struct ss_span sni;             /* the name that the client asked for, or empty */
	const struct ss_addr *peer;     /* NULL: matches no address */
	const struct ss_addr *local;    /* the same; its port is the listener's */
	const struct ss_claims *claims; /* of a verified token; NULL: none */
	const struct ss_authz_passed *passed; /* authorizers that need not be asked any more */
	uint8_t n_passed;
	uint64_t draw;                  /* uniform over its 64 bits: the weighted split, a new client's key */
	uint16_t worker;
};

#define SS_ROUTE_KEY 16u /* bytes of a key that we make */

struct ss_route_decision {
	enum ss_drop drop;                     /* SS_DROP_NONE, or why it is refused */
	const struct ss_virtual_host *host;    /* NULL when none matched */
	const struct ss_route *route;          /* NULL when none matched */
	const struct ss_cluster *cluster;      /* for SS_ACTION_CLUSTERS */
	uint32_t subset;                       /* of its endpoints: name id, 0: all */
	const struct ss_weighted_cluster *share; /* by which it was drawn */
	const struct ss_authz_rule *rule;      /* that denied or allowed, or NULL */
	const struct ss_authz_rule *dry_rule;  /* that would deny, were it in force, or NULL */
	const struct ss_authz_rule *custom;    /* whose authorizer is to be asked before all else, or NULL */
	const struct ss_authz_rule *audit;     /* that marks the request, or NULL */
	bool authorized;  /* policies were asked */
	bool dry_denied;  /* allowed, but would be denied with what is only tried */
	const struct ss_maintenance *maintenance; /* the listener's, the host's or the route's; NULL: open */
	struct ss_span origin;  /* that may read the response (route->cors); empty: not asked, or it may not */
	bool preflight;         /* to be answered by us: nothing behind it, authorization included, is asked */
	bool fresh;             /* the client gets `key` as its cookie (route->sticky) */
	uint8_t key[SS_ROUTE_KEY];
};

void ss_route_decide(const struct ss_snapshot *s, const struct ss_listener *l,
		     const struct ss_route_request *rq, struct ss_route_decision *out);

/* What becomes of a request, by what was decided about it. */
enum ss_route_end {
	SS_ROUTE_ASK,       /* d->custom's authorizer, then it is decided again */
	SS_ROUTE_PREFLIGHT, /* a preflight's answer */
	SS_ROUTE_TOKEN,     /* refused: for its token */
	SS_ROUTE_CLOSED,    /* d->maintenance's answer */
	SS_ROUTE_REFUSED,   /* for d->drop */
	SS_ROUTE_TUNNEL,    /* refused: CONNECT */
	SS_ROUTE_ON,        /* limits, faults, then what its route does */
};

/* wanting: what its route misses about its token. */
static inline enum ss_route_end ss_route_end(const struct ss_route_decision *d, enum ss_drop wanting,
					     struct ss_span method)
{
	if (ss_unlikely(d->custom != NULL) && wanting == SS_DROP_NONE)
		return SS_ROUTE_ASK;
	if (d->preflight)
		return SS_ROUTE_PREFLIGHT;
	if (wanting != SS_DROP_NONE)
		return SS_ROUTE_TOKEN;
	if (d->maintenance && d->drop != SS_DROP_DENIED)
		return SS_ROUTE_CLOSED;
	if (d->drop != SS_DROP_NONE)
		return SS_ROUTE_REFUSED;
	return ss_span_eq(method, SS_SPAN("CONNECT")) ? SS_ROUTE_TUNNEL : SS_ROUTE_ON;
}

/* A path and query with `text` in place of what kind (enum ss_new_path) says, in the arena; the path itself where
 * nothing changes. *ok becomes false without memory. */
struct ss_span ss_route_new_path(const struct ss_route *r, uint8_t kind, struct ss_span text, struct ss_span path,
				 struct ss_arena *a, bool *ok);

/* A path and query after the expression: 0 with *out in the arena, SS_ERR_NO_MEM, SS_ERR_LIMIT: too many steps,
 * too long, or no path any more. Match data is the worker's. */
int ss_route_regex_path(const struct ss_rewrite_regex *x, uint16_t worker, struct ss_span path, struct ss_arena *a,
			struct ss_span *out);

/* Do all of a set's matches hold for this head, or at least one? No other scan of the worker is under way. */
bool ss_route_all_hold(const struct ss_field_set *s, const struct ss_hdrs *h, uint16_t worker);
bool ss_route_one_holds(const struct ss_field_set *s, const struct ss_hdrs *h, uint16_t worker);

/* The bit of a method name. */
uint16_t ss_route_method_bit(struct ss_span method);

#endif
