/*
 * routes.h - compiled virtual hosts, routes and authorization: what route_decide reads.
 *
 * Takes:   what ctrl/build/build_routes.c compiled.
 * Gives:   immutable tables; the decision is a pure function over them.
 * Owns:    nothing: the snapshot's memory.
 * Thread:  immutable once published (scratch apart: contract/route_index.h).
 * Units:   nanoseconds; weights as the virtual host's precedence says: hundredths of a percent that sum to
 *          10,000, or shares of whatever they sum to.
 */
#ifndef SS_ROUTES_H
#define SS_ROUTES_H

#include "base/base.h"
#include "base/span.h"
#include "contract/authz.h"
#include "contract/balance.h"
#include "contract/canaries.h"
#include "contract/jwt.h"
#include "contract/faults.h"
#include "contract/fields.h"
#include "contract/limits.h"
#include "contract/mirrors.h"
#include "contract/retry.h"
#include "contract/tlsconf.h"

#define SS_WEIGHT_SUM 10000

enum ss_path_match {
	SS_PATH_ANY = 0, SS_PATH_EXACT = 1, SS_PATH_PREFIX = 2, SS_PATH_REGEX = 3,
	SS_PATH_SEGMENTS = 4, /* a prefix that ends where a segment does: "/a" takes "/a" and "/a/b", not "/ab" */
};
enum ss_route_action { SS_ACTION_CLUSTERS = 0, SS_ACTION_DIRECT = 1, SS_ACTION_REDIRECT = 2 };
/* Which of the routes that fit is taken. */
enum ss_precedence {
	SS_FIRST_MATCH = 0,
	/* Gateway API, HTTPRouteRule: exact path, longest prefix, method, most headers, most query parameters, then
	 * the order of the file. Expressions stand between exact paths and prefixes, the longest first. */
	SS_PRECEDENCE_GATEWAY = 1,
};

/* Methods as a bit set; SS_METHOD_OTHER stands for every method not named. 0 matches all. */
enum ss_method_bit {
	SS_METHOD_GET = 1, SS_METHOD_HEAD = 2, SS_METHOD_POST = 4, SS_METHOD_PUT = 8,
	SS_METHOD_DELETE = 16, SS_METHOD_OPTIONS = 32, SS_METHOD_PATCH = 64,
	SS_METHOD_CONNECT = 128, SS_METHOD_TRACE = 256, SS_METHOD_OTHER = 512,
};

/* Who asks, and where: one of each list that has entries must fit. */
struct ss_route_source {
	uint16_t n_ids, n_snis, n_ports;
	const struct ss_id_match *ids;
	const struct ss_span *snis;   /* lower case; one that begins with "." fits every name that ends so */
	const uint16_t *ports;        /* the listener's */
};

struct ss_format; /* contract/format.h */

enum ss_header_op_kind { SS_OP_SET = 0, SS_OP_ADD = 1, SS_OP_REMOVE = 2 };
struct ss_header_op {
	uint8_t kind; /* enum ss_header_op_kind */
	struct ss_span name, value; /* name lower case */
	uint16_t tok, number;       /* the name's (wire/hdr.h) */
	const struct ss_format *format; /* the value is made for each request; NULL: it stands */
};

struct ss_header_ops {
	uint16_t n;
	const struct ss_header_op *op;
	bool formats; /* some have one */
};

/* Operations that are set for one share alone stand before the route's and its host's (build joins them). */
struct ss_weighted_cluster {
	uint32_t cluster; /* index into ss_snapshot.clusters */
	uint32_t subset;  /* name id of labels, as ss_lb_set.name; 0: the whole cluster */
	uint32_t upto;    /* picked when the draw (below weight_sum) is below this and not below the one before */
	uint32_t weight;
	uint64_t salt; /* of the cluster's name: the same on every appliance */
	bool own_ops;  /* these in place of the route's */
	struct ss_header_ops request_ops, response_ops;
};

/* A client keeps its share of a split: by a cookie, made when there is none, or by a header. */
struct ss_sticky {
	bool cookie;
	struct ss_span name;       /* headers: lower case */
	struct ss_span attributes; /* of Set-Cookie, from "; " on */
};

struct ss_redirect; /* contract/redirect.h */
struct ss_rewrite;
struct ss_cors;     /* contract/cors.h */

/* Answers in place of everything behind it, with 503. */
struct ss_maintenance {
	struct ss_span body, type;
	uint32_t retry_after_s; /* 0: not said */
};

/* What a decision reads comes first. Pointers that are NULL: the route does not use it. */
struct ss_route {
	uint32_t name; /* name id */
	uint32_t line; /* of the configuration file */
	uint16_t methods;
	uint16_t n_fields, n_clusters;
	uint8_t path_kind;
	uint8_t action;
	const struct ss_route_field *fields;
	const struct ss_route_source *source;
	const struct ss_weighted_cluster *clusters;
	uint32_t weight_sum;
	const struct ss_sticky *sticky;
	const struct ss_authz *authz; /* NULL: the host's */
	uint8_t token;                /* enum ss_jwt_need */
	const struct ss_cors *cors;
	const struct ss_maintenance *maintenance;
	/* Exact text, or how it begins (segments: without a slash at its end). The query plays no part. */
	struct ss_span path;
	uint16_t direct_status;
	struct ss_span direct_body, direct_type;
	const struct ss_redirect *redirect; /* SS_ACTION_REDIRECT */
	const struct ss_rewrite *rewrite;
	uint64_t timeout_ns;      /* to the response's headers, retries included; 0: none */
	uint64_t idle_timeout_ns; /* stream without a byte either way; 0: none */
	uint64_t max_stream_ns;   /* the whole exchange; 0: none */
	uint8_t priority;         /* enum ss_priority: whose limits of the cluster count */
	const struct ss_retry *retry; /* NULL: never sent again */
	struct ss_header_ops request_ops, response_ops; /* the route's, then its host's */
	const struct ss_hash_policy *hash; /* NULL: the cluster's */
	const struct ss_limit_list *limits; /* its own and its host's; NULL: none */
	const struct ss_fault *fault; /* NULL: none */
	const struct ss_mirror_list *mirrors; /* NULL: none */
	const struct ss_canary *canary; /* of its two shares one; NULL: control moves no weight */
};

/* What share i weighs now, and what all do together: where a canary is under way, not what the configuration says. */
static inline uint32_t ss_route_weight(const struct ss_route *r, uint32_t i, uint32_t *sum)
{
	uint32_t canary = r->canary ? ss_canary_weight(r->canary) : SS_CANARY_NONE;

	*sum = canary == SS_CANARY_NONE ? r->weight_sum : SS_CANARY_WHOLE;
	if (canary == SS_CANARY_NONE)
		return r->clusters[i].weight;
	return i == r->canary->at ? canary : SS_CANARY_WHOLE - canary;
}

struct ss_route_index; /* two tiers: contract/route_index.h */

struct ss_virtual_host {
	uint32_t name; /* name id */
	uint32_t n_routes;
	const struct ss_route *routes; /* in the order of precedence: the first that fits wins */
	const struct ss_route_index *index;
	const struct ss_maintenance *maintenance; /* of requests that no route takes, too */
	const struct ss_authz *authz; /* NULL: the listener's */
};

/* A host pattern: exact ("a.example"), suffix ("*.example" as ".example"), or any ("*"). */
struct ss_host_pattern {
	uint8_t kind; /* 0 exact, 1 suffix (longest wins), 2 any */
	struct ss_span text; /* lower case */
	uint32_t host; /* index of the virtual host */
};

struct ss_host_table {
	uint32_t n_hosts, n_patterns;
	const struct ss_virtual_host *hosts;
	const struct ss_host_pattern *patterns; /* exact ones sorted by text, then suffixes longest first, then any */
	uint32_t n_exact, n_suffix;
};

#endif
