/*
 * retry.h - when a request is sent again: the compiled policy of a route.
 *
 * Takes:   what ctrl/build/build_retry.c compiled.
 * Gives:   an immutable policy; ss_route.retry points to it, NULL: never sent again.
 * Owns:    nothing: the snapshot's memory.
 * Thread:  immutable once published.
 * Units:   nanoseconds, bytes.
 */
#ifndef SS_RETRY_H
#define SS_RETRY_H

#include "base/base.h"
#include "base/span.h"
#include "contract/fields.h"

/*
 * Conditions by Envoy's names. X(NAME, bit, "word"). The last five are gRPC's and look at a status that
 * comes in the head (a trailers-only answer): later the response has begun.
 */
#define SS_RETRY_LIST(X)                                        \
	X(5XX, 0, "5xx")                                        \
	X(GATEWAY_ERROR, 1, "gateway-error")                    \
	X(RESET, 2, "reset")                                    \
	X(RESET_BEFORE_REQUEST, 3, "reset-before-request")      \
	X(CONNECT_FAILURE, 4, "connect-failure")                \
	X(REFUSED_STREAM, 5, "refused-stream")                  \
	X(RETRIABLE_4XX, 6, "retriable-4xx")                    \
	X(STATUS_CODES, 7, "retriable-status-codes")            \
	X(HEADERS, 8, "retriable-headers")                      \
	X(RATELIMITED, 9, "envoy-ratelimited")                  \
	X(CANCELLED, 10, "cancelled")                           \
	X(DEADLINE_EXCEEDED, 11, "deadline-exceeded")           \
	X(INTERNAL, 12, "internal")                             \
	X(RESOURCE_EXHAUSTED, 13, "resource-exhausted")         \
	X(UNAVAILABLE, 14, "unavailable")

enum ss_retry_on {
#define SS_RETRY_X(name, bit, word) SS_RETRY_##name = 1 << bit,
	SS_RETRY_LIST(SS_RETRY_X)
#undef SS_RETRY_X
};
#define SS_RETRY_GRPC                                                                                       \
	(SS_RETRY_CANCELLED | SS_RETRY_DEADLINE_EXCEEDED | SS_RETRY_INTERNAL | SS_RETRY_RESOURCE_EXHAUSTED | \
	 SS_RETRY_UNAVAILABLE)
#define SS_RETRY_DEFAULT (SS_RETRY_5XX | SS_RETRY_CONNECT_FAILURE | SS_RETRY_REFUSED_STREAM)

struct ss_retry {
	uint32_t on;         /* set of enum ss_retry_on */
	uint8_t max_retries; /* tries after the first */
	bool non_idempotent; /* POST and PATCH too may be sent twice */
	bool hedge;          /* on a try's timeout the first try lives on beside the second */
	uint16_t n_status;
	const uint16_t *status;              /* SS_RETRY_STATUS_CODES */
	struct ss_field_set headers;         /* SS_RETRY_HEADERS: one of them holds for the response */
	struct ss_field_set request_headers; /* one of them holds, or the request is sent once; n 0: no matter */
	uint64_t per_try_ns;      /* from the whole request sent to the response's head; 0: none */
	uint64_t per_try_idle_ns; /* a try on which nothing moves before the head; 0: none */
	uint64_t base_ns, max_ns; /* back-off: uniform below base * 2^n, at most max; base 0: at once */
	uint64_t max_after_ns;    /* Retry-After and X-RateLimit-Reset up to here; 0: not looked at */
	uint32_t body_max;        /* a request's body is kept for another try up to this */
};

/* The condition of a name ("connect-error" is an alias), 0 for none. */
uint32_t ss_retry_condition(struct ss_span name);
/* The name of one bit. */
const char *ss_retry_word(uint32_t bit);

#endif
