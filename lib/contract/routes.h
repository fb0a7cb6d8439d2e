/*
 * routes.h - compiled virtual hosts, routes and authorization: what route_decide reads.
 *
 * Takes:   what ctrl/build/build_routes.c compiled.
 * Gives:   immutable tables; the decision is a pure function over them.
 * Owns:    nothing: the snapshot's memory.
 * Thread:  immutable once published (scratch apart: contract/route_index.h).
 * Units:   nanoseconds; weights in hundredths of a percent (sum 10,000).
 */
#ifndef SS_ROUTES_H
#define SS_ROUTES_H

#include "base/base.h"
#include "base/span.h"
#include "contract/balance.h"
#include "contract/tlsconf.h"

#define SS_WEIGHT_SUM 10000

enum ss_path_match { SS_PATH_ANY = 0, SS_PATH_EXACT = 1, SS_PATH_PREFIX = 2, SS_PATH_REGEX = 3 };
enum ss_header_match {
	SS_HM_EXACT = 0, SS_HM_PREFIX = 1, SS_HM_SUFFIX = 2, SS_HM_PRESENT = 3, SS_HM_REGEX = 4,
};
enum ss_route_action { SS_ACTION_CLUSTERS = 0, SS_ACTION_DIRECT = 1 };

/* Methods as a bit set; SS_METHOD_OTHER stands for every method not named. 0 matches all. */
enum ss_method_bit {
	SS_METHOD_GET = 1, SS_METHOD_HEAD = 2, SS_METHOD_POST = 4, SS_METHOD_PUT = 8,
	SS_METHOD_DELETE = 16, SS_METHOD_OPTIONS = 32, SS_METHOD_PATCH = 64,
	SS_METHOD_CONNECT = 128, SS_METHOD_TRACE = 256, SS_METHOD_OTHER = 512,
};

struct ss_route_header {
	struct ss_span name; /* lower case */
	uint8_t kind;        /* enum ss_header_match */
	bool invert;
	struct ss_span value;
	uint32_t regex; /* SS_HM_REGEX: id in its host's header database */
};

struct ss_weighted_cluster {
	uint32_t cluster; /* index into ss_snapshot.clusters */
	uint32_t subset;  /* name id of labels, as ss_lb_set.name; 0: the whole cluster */
	uint32_t upto;    /* picked when the draw (0..9999) is below this and not below the one before */
};

enum ss_header_op_kind { SS_OP_SET = 0, SS_OP_ADD = 1, SS_OP_REMOVE = 2 };
struct ss_header_op {
	uint8_t kind; /* enum ss_header_op_kind */
	struct ss_span name, value; /* name lower case */
};

struct ss_header_ops {
	uint16_t n;
	const struct ss_header_op *op;
};

enum ss_authz_action { SS_AUTHZ_ALLOW = 0, SS_AUTHZ_DENY = 1 };
/* All stated parts must hold; a part with no entries holds always. */
struct ss_authz_rule {
	uint32_t name;       /* name id */
	uint8_t action;      /* enum ss_authz_action */
	uint16_t methods;    /* ss_method_bit set; 0: any */
	uint16_t n_ids, n_paths;
	const struct ss_id_match *ids;
	const struct ss_span *paths; /* prefixes of whole segments: "/a" and "/a/" cover "/a" and "/a/b", not "/ab" */
};
/* Deny rules stand first, then allow rules; no allow rule at all means allow unless default_deny. */
struct ss_authz {
	bool default_deny;
	uint16_t n_rules;
	const struct ss_authz_rule *rules;
};

struct ss_route {
	uint32_t name; /* name id */
	uint32_t line; /* of the configuration file */
	uint8_t path_kind;
	uint8_t action;
	uint16_t methods;
	struct ss_span path; /* exact text, or prefix: any bytes may follow it. The query plays no part. */
	uint32_t regex;      /* SS_PATH_REGEX: id in its host's path database (its own index) */
	uint16_t n_headers, n_clusters;
	const struct ss_route_header *headers;
	const struct ss_weighted_cluster *clusters;
	uint16_t direct_status;
	struct ss_span direct_body, direct_type;
	uint64_t timeout_ns;      /* to the response's headers, retries included; 0: none */
	uint64_t idle_timeout_ns; /* stream without a byte either way; 0: none */
	uint32_t max_retries;     /* on failed connect and refused stream */
	struct ss_header_ops request_ops, response_ops;
	struct ss_span prefix_rewrite; /* n 0: none */
	const struct ss_authz *authz;  /* NULL: the listener's */
	const struct ss_hash_policy *hash; /* NULL: the cluster's */
};

struct ss_route_index; /* two tiers: contract/route_index.h */

struct ss_virtual_host {
	uint32_t name; /* name id */
	uint32_t n_routes;
	const struct ss_route *routes; /* in the order of the file; the first match wins */
	const struct ss_route_index *index;
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
