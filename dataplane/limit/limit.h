/*
 * limit.h - may this request pass its rate limits?
 *
 * Takes:   the limits that a request meets, and what it says of itself.
 * Gives:   yes, with a token of each; or no, with none taken and the limit that refused.
 * Owns:    nothing: the buckets are the shared table's (lib/contract/limits.h has their error bounds).
 * Thread:  any worker; no lock, no memory.
 * Time:    nanoseconds, passed in.
 */
#ifndef SS_LIMIT_H
#define SS_LIMIT_H

#include "base/addr.h"
#include "contract/limits.h"
#include "wire/hdr.h"

struct ss_limit_request {
	const struct ss_hdrs *head;
	struct ss_span identity; /* verified, or empty: those without one share a bucket */
	const struct ss_ip *source;
	uint16_t worker;
};

/* What the answer may say: of the limit that refused, or of the one with the fewest tokens left. */
struct ss_limit_verdict {
	const struct ss_limit *limit; /* NULL: no limit that is enforced was met */
	bool refused;
	uint32_t burst, remaining;
	uint64_t window_ns; /* an empty bucket is full after this */
	uint64_t reset_ns;  /* this one is full after that */
	uint64_t retry_ns;  /* a token is there after that; 0: now */
};

/*
 * Takes a token of every limit of the lists (each may be NULL) that is enforced, or of none: who is refused
 * by one limit does not pay at another. Limits that are not enforced are charged when the others let it pass.
 * At most SS_LIMITS_MAX different ones; build refuses more.
 */
bool ss_limit_pass(struct ss_limit_table *t, const struct ss_limit_list *a, const struct ss_limit_list *b,
		   const struct ss_limit_request *rq, uint64_t now, struct ss_limit_verdict *out);

#endif
