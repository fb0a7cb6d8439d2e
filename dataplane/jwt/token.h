/*
 * token.h - a request's token: found, verified, remembered.
 *
 * Takes:   a listener's providers, a request's head, the time of day.
 * Gives:   what became of it, and the claims of a good one.
 * Owns:    a cache of verified tokens (per worker, bounded), so that only a new one pays for its signature.
 * Thread:  one worker.
 * Time:    seconds since the epoch, passed in.
 * Errors:  a drop that says what is wrong with the token.
 *
 * RFC 7515, 7519, 7518, 8037, 8725. The algorithm is the key's: a token that names another is refused before
 * anything is computed. OpenSSL allocates while it verifies: docs/decisions says how much, and why that is
 * borne.
 */
#ifndef SS_TOKEN_H
#define SS_TOKEN_H

#include "contract/drops.h"
#include "contract/jwt.h"
#include "mem/arena.h"
#include "wire/hdr.h"
#include "wire/jscan.h"

struct ss_jwt;

struct ss_jwt_found {
	enum ss_drop why; /* SS_DROP_NONE: good; SS_DROP_TOKEN_MISSING: there is none; else what is wrong with
			     it */
	const struct ss_jwt_provider *provider; /* of a good one */
	const struct ss_claims *claims;         /* the same; good until the next ss_jwt_check */
};

/* entries: tokens remembered; a power of two, 4 or more. NULL without memory. */
struct ss_jwt *ss_jwt_create(uint32_t entries, uint16_t worker);
void ss_jwt_free(struct ss_jwt *j);
void ss_jwt_check(struct ss_jwt *j, const struct ss_jwt_policy *p, const struct ss_hdrs *head, uint64_t now_s,
		  struct ss_jwt_found *out);
/* *out becomes the head without the token and with its claims, in the arena; it stays as it is where that is the same.
 * 0 or SS_ERR_NO_MEM. */
int ss_jwt_head(const struct ss_jwt_policy *p, const struct ss_jwt_found *t, const struct ss_hdrs *from,
		struct ss_arena *a, const struct ss_hdrs **out);
/* What a request lacks that a route (its enum ss_jwt_need) asks for; SS_DROP_NONE: nothing. p: the listener's, or
 * NULL. */
enum ss_drop ss_jwt_wanting(const struct ss_jwt_policy *p, uint8_t route, const struct ss_jwt_found *t);
/* Where a provider's token stands in this head; empty when there is none. */
struct ss_span ss_jwt_token(const struct ss_jwt_provider *p, const struct ss_hdrs *head);
/* How many signatures were computed: the rest came from the cache. */
uint64_t ss_jwt_verified(const struct ss_jwt *j);

#endif
