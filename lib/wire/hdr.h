/*
 * hdr.h - a header block: (name, value) spans plus tokens for the names the product looks at.
 *
 * Takes:   spans that the caller keeps alive as long as the block (usually in the stream's arena).
 * Gives:   one shape for h1 and h2, requests and responses and trailers.
 * Owns:    nothing: the field array and all bytes belong to whoever filled it.
 * Thread:  any.
 *
 * Names are lower case. Pseudo-header fields (RFC 9113 8.3) stand in their own members and never
 * in the array; h1 fills them from the request or status line and Host.
 */
#ifndef SS_HDR_H
#define SS_HDR_H

#include "base/err.h"
#include "base/span.h"

/* X(token, "name"): names that the product reads or removes. */
#define SS_HDR_TOKENS(X)                                          \
	X(SS_H_CONNECTION, "connection")                          \
	X(SS_H_KEEP_ALIVE, "keep-alive")                          \
	X(SS_H_PROXY_CONNECTION, "proxy-connection")              \
	X(SS_H_TRANSFER_ENCODING, "transfer-encoding")            \
	X(SS_H_UPGRADE, "upgrade")                                \
	X(SS_H_TE, "te")                                          \
	X(SS_H_TRAILER, "trailer")                                \
	X(SS_H_HOST, "host")                                      \
	X(SS_H_CONTENT_LENGTH, "content-length")                  \
	X(SS_H_CONTENT_TYPE, "content-type")                      \
	X(SS_H_EXPECT, "expect")                                  \
	X(SS_H_COOKIE, "cookie")                                  \
	X(SS_H_SET_COOKIE, "set-cookie")                          \
	X(SS_H_AUTHORIZATION, "authorization")                    \
	X(SS_H_DATE, "date")                                      \
	X(SS_H_SERVER, "server")                                  \
	X(SS_H_LOCATION, "location")                              \
	X(SS_H_USER_AGENT, "user-agent")                          \
	X(SS_H_ACCEPT, "accept")                                  \
	X(SS_H_ACCEPT_ENCODING, "accept-encoding")                \
	X(SS_H_RETRY_AFTER, "retry-after")                        \
	X(SS_H_X_REQUEST_ID, "x-request-id")                      \
	X(SS_H_X_FORWARDED_FOR, "x-forwarded-for")                \
	X(SS_H_X_FORWARDED_PROTO, "x-forwarded-proto")            \
	X(SS_H_X_FORWARDED_HOST, "x-forwarded-host")              \
	X(SS_H_X_FORWARDED_CLIENT_CERT, "x-forwarded-client-cert") \
	X(SS_H_TRACEPARENT, "traceparent")                        \
	X(SS_H_TRACESTATE, "tracestate")                          \
	X(SS_H_GRPC_STATUS, "grpc-status")                        \
	X(SS_H_GRPC_MESSAGE, "grpc-message")                      \
	X(SS_H_GRPC_TIMEOUT, "grpc-timeout")                      \
	X(SS_H_X_ENVOY_ATTEMPT_COUNT, "x-envoy-attempt-count")    \
	X(SS_H_X_ENVOY_EXPECTED_RQ_TIMEOUT_MS, "x-envoy-expected-rq-timeout-ms") \
	X(SS_H_X_SIDESTEP_RETRIED, "x-sidestep-retried")          \
	X(SS_H_PRIORITY, "priority")

enum ss_hdr_token {
	SS_H_OTHER = 0,
#define SS_HDR_X(tok, name) tok,
	SS_HDR_TOKENS(SS_HDR_X)
#undef SS_HDR_X
	SS_H_COUNT
};

/* A field that no hop may put into a compression table (RFC 7541 7.1.3). */
#define SS_HDR_NEVER_INDEX 0x1

struct ss_hdr {
	struct ss_span name; /* lower case */
	struct ss_span value;
	uint16_t tok;   /* enum ss_hdr_token */
	uint16_t flags; /* SS_HDR_* */
	uint16_t number; /* ss_hpack_name_number; 0: not asked yet */
};

struct ss_hdrs {
	struct ss_hdr *v; /* n fields in the order received */
	uint16_t n, cap;
	uint16_t status;                                    /* responses: 100-599; requests: 0 */
	uint32_t bytes;                                     /* RFC 9113 6.5.2 size: names + values + 32 each */
	struct ss_span method, scheme, authority, path, protocol; /* requests; protocol: RFC 8441 */
};

/* An empty block over an array of cap fields. */
void ss_hdrs_init(struct ss_hdrs *h, struct ss_hdr *v, uint16_t cap);
/* Appends a field; sets its token. 0, or SS_ERR_LIMIT when the array is full. */
int ss_hdrs_add(struct ss_hdrs *h, struct ss_span name, struct ss_span value, uint16_t flags);
/* The same where the name's token is known. */
static inline int ss_hdrs_push(struct ss_hdrs *h, struct ss_span name, struct ss_span value, uint16_t tok,
			       uint16_t flags)
{
	if (h->n == h->cap)
		return SS_ERR_LIMIT;
	h->v[h->n++] = (struct ss_hdr){ name, value, tok, flags };
	h->bytes += name.n + value.n + 32;
	return 0;
}
/* The first field with this token, or NULL. */
const struct ss_hdr *ss_hdrs_find(const struct ss_hdrs *h, enum ss_hdr_token tok);
/* The first field with this lower-case name, or NULL. */
const struct ss_hdr *ss_hdrs_find_name(const struct ss_hdrs *h, struct ss_span name);
/* Removes every field with this token; returns how many there were. Order is kept. */
uint16_t ss_hdrs_remove(struct ss_hdrs *h, enum ss_hdr_token tok);
/* As above by lower-case name. */
uint16_t ss_hdrs_remove_name(struct ss_hdrs *h, struct ss_span name);
/* The token of a lower-case name; SS_H_OTHER when it is none of ours. */
enum ss_hdr_token ss_hdr_token(struct ss_span name);
/* Sets of tokens are words with one bit for each. */
_Static_assert(SS_H_COUNT <= 64, "tokens do not fit a word");
#define SS_HDR_BIT(tok) (1ull << (tok))
/* The tokens of a block's names: what is not in it need not be looked for. */
static inline uint64_t ss_hdrs_names(const struct ss_hdrs *h)
{
	uint64_t names = 0;

	for (uint16_t i = 0; i < h->n; i++)
		names |= SS_HDR_BIT(h->v[i].tok);
	return names;
}
#define SS_HDR_CONNECTION_SPECIFIC                                                                      \
	(SS_HDR_BIT(SS_H_CONNECTION) | SS_HDR_BIT(SS_H_KEEP_ALIVE) | SS_HDR_BIT(SS_H_PROXY_CONNECTION) | \
	 SS_HDR_BIT(SS_H_TRANSFER_ENCODING) | SS_HDR_BIT(SS_H_UPGRADE))
/*
 * Is the field about one connection only, so that no hop passes it on and HTTP/2 forbids it (RFC 9110 7.6.1,
 * RFC 9113 8.2.2)? TE is apart: each caller knows what "trailers" means to it.
 */
static inline bool ss_hdr_connection_specific(uint16_t tok)
{
	return SS_HDR_BIT(tok) & SS_HDR_CONNECTION_SPECIFIC;
}
/* The name of a token. */
struct ss_span ss_hdr_token_name(enum ss_hdr_token tok);

#endif
