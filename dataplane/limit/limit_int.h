/*
 * limit_int.h - a bucket found, and what the files of this room do for each other.
 *
 * limit_bucket.c takes and gives back tokens; limit_find.c finds the bucket of a key; limit.c is the door.
 */
#ifndef SS_LIMIT_INT_H
#define SS_LIMIT_INT_H

#include "limit/limit.h"

struct ss_limit_bucket {
	const struct ss_limit *limit;
	const struct ss_limit_pace *pace;
	_Atomic uint64_t *full_at;
	uint64_t seen; /* there, by ss_limit_has */
};

/* limit_bucket.c; ticks: the time. A take begins with a look. */
bool ss_limit_has(struct ss_limit_bucket *b, uint64_t ticks);
bool ss_limit_take(struct ss_limit_bucket *b, uint64_t ticks);
/* Undoes a take: as if it had never been. */
void ss_limit_give(const struct ss_limit_bucket *b);
/* Whole tokens that are there; *wait: ticks until one is. */
uint32_t ss_limit_left(const struct ss_limit_bucket *b, uint64_t ticks, uint64_t *wait, uint64_t *full);

/* limit_find.c: out as of the policy's one bucket becomes that of its key; rq has what the key asks for. */
void ss_limit_find_key(struct ss_limit_table *t, const struct ss_limit *l, const struct ss_limit_request *rq,
		       uint64_t ticks, struct ss_limit_bucket *out);

static inline void ss_limit_find(struct ss_limit_table *t, const struct ss_limit *l,
				 const struct ss_limit_request *rq, uint64_t ticks, struct ss_limit_bucket *out)
{
	out->limit = l;
	out->pace = &l->pace;
	out->full_at = &t->slot[l->slot].full_at;
	if (l->key != SS_LIMIT_ALL)
		ss_limit_find_key(t, l, rq, ticks, out);
}

#endif
