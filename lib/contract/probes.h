/*
 * probes.h - how a cluster's endpoints are probed, and what a probe may come to.
 *
 * Takes:   what ctrl/build/build_health.c compiled.
 * Gives:   one immutable policy per cluster, for dataplane/health.
 * Owns:    nothing: the snapshot's memory.
 * Thread:  immutable once published.
 * Units:   nanoseconds; percent.
 */
#ifndef SS_PROBES_H
#define SS_PROBES_H

#include "base/base.h"
#include "base/span.h"
#include "contract/routes.h"

enum ss_health_kind { SS_HEALTH_HTTP = 0, SS_HEALTH_TCP = 1, SS_HEALTH_GRPC = 2 };

/* What the last probe came to. X(NAME, "words"): the words that operators see. */
#define SS_HEALTH_WHY_LIST(X)                                         \
	X(UNKNOWN, "not probed yet")                                  \
	X(GOOD, "healthy")                                            \
	X(TIMEOUT, "no answer in time")                               \
	X(CONNECT, "connection failed")                               \
	X(TLS, "TLS failed")                                          \
	X(RESET, "connection or stream ended early")                  \
	X(STATUS, "unexpected status")                                \
	X(BODY, "body lacks the expected text")                       \
	X(NOT_SERVING, "gRPC health says not serving")                \
	X(GRPC, "no good answer of gRPC health")                      \
	X(TOLD, "said so itself (x-envoy-immediate-health-check-fail)")

enum ss_health_why {
#define SS_HEALTH_WHY_X(name, words) SS_HEALTH_WHY_##name,
	SS_HEALTH_WHY_LIST(SS_HEALTH_WHY_X)
#undef SS_HEALTH_WHY_X
	SS_HEALTH_WHY_COUNT
};

#define SS_HEALTH_FIELDS 16 /* header fields of a probe, at most */
#define SS_HEALTH_BODY 1024 /* bytes of an answer that are searched for the expected text */

/* Defaults in docs/config.md. */
struct ss_health_conf {
	uint8_t kind;           /* enum ss_health_kind */
	bool initially_healthy; /* before the first probe of a new endpoint */
	bool reuse;             /* a connection serves many probes */
	bool uneject;           /* a good probe ends an ejection */
	uint16_t port;          /* 0: the endpoint's */
	uint32_t healthy_threshold, unhealthy_threshold;
	uint64_t interval_ns, timeout_ns;
	uint64_t unhealthy_interval_ns;   /* while it is unhealthy */
	uint64_t unhealthy_edge_ns;       /* the first one after it has become unhealthy */
	uint64_t healthy_edge_ns;         /* the same of healthy */
	uint64_t no_traffic_ns;           /* while its cluster has never been picked from */
	uint32_t jitter_percent;          /* of an interval, added by chance */
	uint64_t statuses[8];             /* bit s - 100: a good answer's */
	struct ss_span method, host, path;
	uint16_t n_fields;
	const struct ss_header_op *fields; /* kind plays no role */
	struct ss_span expect;             /* the body has this; empty: anything */
	struct ss_span message;            /* gRPC: the request, length prefix and all */
};

static inline bool ss_health_expects(const struct ss_health_conf *c, uint32_t status)
{
	return status >= 100 && status < 600 && (c->statuses[(status - 100) / 64] >> (status - 100) % 64 & 1);
}

/* "no answer in time" */
const char *ss_health_why_text(uint32_t why);

#endif
