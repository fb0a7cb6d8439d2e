/*
 * limits.h - rate limits: compiled policies, and the one table of token buckets that every worker takes from.
 *
 * Takes:   policies from control; tokens asked for by workers (dataplane/limit).
 * Gives:   the same bucket to every worker, so that a limit holds for the process, not for each of them.
 * Owns:    its buckets, for the life of the process; control gives them out by the policy's name, so that a
 *          reload does not fill a bucket again.
 * Thread:  every worker and control; words of atomics, no locks. The functions at the end: control only.
 * Units:   ticks, sixteenths of a nanosecond of ss_clock.
 *
 * A bucket is one word, the time at which it will be full again (the "theoretical arrival time" of GCRA,
 * ITU-T I.371 A.1.1): empty by (time - now) / cost tokens. It is a bucket of `depth / cost` tokens that
 * starts full and is filled without steps. Taking a token is one compare-and-swap, so workers together never
 * take more than burst + rate * T in T of their time. Against the wall's time a worker's is behind by at most
 * one turn d, which makes it burst + rate * (T + d). A cost in whole ticks is off by at most 1/32 ns: 0.003 %
 * at a million per second.
 *
 * Buckets of keys (an identity, an address, a header's value) share sets of eight. Where a key is not there,
 * the fullest bucket of its set makes room: one that is full is worth as much as a fresh one, so nothing is
 * lost unless more than eight keys of one set are below full at once (counted: evicted; that key starts full
 * again). While a bucket changes hands each other worker may charge one token to the wrong key.
 */
#ifndef SS_LIMITS_H
#define SS_LIMITS_H

#include <stdatomic.h>

#include "base/base.h"
#include "base/siphash.h"
#include "base/span.h"
#include "contract/tlsconf.h"

#define SS_LIMIT_TICKS 16u /* in a nanosecond */
#define SS_LIMIT_WAYS 8u
/* Limits that one request meets at most: its listener's, its host's and its route's. */
#define SS_LIMITS_MAX 8u
/* A bucket is full again after this at the latest. */
#define SS_LIMIT_LONGEST_NS (31ull * 86400 * SS_NS_PER_SEC)

enum ss_limit_key { SS_LIMIT_ALL = 0, SS_LIMIT_IDENTITY = 1, SS_LIMIT_SOURCE = 2, SS_LIMIT_HEADER = 3 };
/* Which answers carry X-RateLimit-*. */
enum ss_limit_say { SS_LIMIT_SAY_NEVER = 0, SS_LIMIT_SAY_LIMITED = 1, SS_LIMIT_SAY_ALWAYS = 2 };

struct ss_limit_pace {
	uint64_t cost;  /* ticks that a token takes to come */
	uint64_t depth; /* of a full bucket: burst * cost */
	uint32_t burst;
};

/* Another pace for some identities, each of which has a bucket of its own. */
struct ss_limit_override {
	struct ss_limit_pace pace;
	uint16_t n_ids;
	const struct ss_id_match *ids;
};

struct ss_limit {
	uint32_t name; /* name id */
	uint32_t slot; /* in ss_limit_table.slot: stable over generations */
	uint8_t key;   /* enum ss_limit_key */
	uint8_t say;   /* enum ss_limit_say */
	bool enforce;  /* false: counts what it would have refused */
	uint16_t n_overrides;
	const struct ss_limit_override *overrides; /* the first that fits */
	struct ss_limit_pace pace;
	struct ss_span header; /* lower case; SS_LIMIT_HEADER */
};

/* What a listener or a route names. */
struct ss_limit_list {
	uint16_t n;
	const struct ss_limit *const *limit;
};

/* One per policy. */
struct ss_limit_slot {
	_Atomic uint64_t full_at; /* SS_LIMIT_ALL */
} SS_CACHE_ALIGNED;

/* Keys in one line, their buckets in the next. Key 0: none. */
struct ss_limit_set {
	_Atomic uint64_t key[SS_LIMIT_WAYS];
	_Atomic uint64_t full_at[SS_LIMIT_WAYS];
} SS_CACHE_ALIGNED;

/* Written by one worker; control reads with relaxed loads. */
struct ss_limit_counts {
	uint64_t passed, limited;
	uint64_t tolerated; /* would have been limited, were it enforced */
	uint64_t evicted;   /* a key's bucket made room before it was full again */
};

/* What one worker has hashed last: most requests come again from the same few peers. */
#define SS_LIMIT_MEMOS 64u
#define SS_LIMIT_MEMO_KEY 51u /* longer keys are hashed each time */
struct ss_limit_memo {
	uint64_t hash; /* 0: nothing */
	uint32_t slot;
	uint8_t n, key[SS_LIMIT_MEMO_KEY];
} SS_CACHE_ALIGNED;

struct ss_limit_owner; /* who has which slot: control's */

struct ss_limit_table {
	uint32_t n_slots, n_workers;
	uint32_t set_mask; /* sets - 1, a power of two less one */
	struct ss_sipkey key;
	struct ss_limit_slot *slot;
	struct ss_limit_set *set;
	struct ss_limit_counts *counts; /* n_slots for each worker */
	struct ss_limit_memo *memo;     /* SS_LIMIT_MEMOS for each worker */
	struct ss_limit_owner *owner;   /* n_slots */
};

/* keys: buckets of keys, rounded up to a power of two sets. */
int ss_limit_table_create(struct ss_limit_table **out, uint32_t n_slots, uint32_t keys, uint32_t n_workers);
void ss_limit_table_free(struct ss_limit_table *t);

static inline struct ss_limit_counts *ss_limit_counts_of(struct ss_limit_table *t, uint32_t worker,
							 uint32_t slot)
{
	return &t->counts[(size_t)worker * t->n_slots + slot];
}

/* -- control -- */

/* The pace of `count` per `per_ns` with a bucket of `burst`; false when a full bucket would be too deep, or
 * a token comes in less than a tick. */
bool ss_limit_pace_of(struct ss_limit_pace *out, uint64_t count, uint64_t per_ns, uint32_t burst);
/*
 * The slot of a policy (by name id): the one it had, else a fresh one with a full bucket. Each call
 * holds it once for the generation being built; the generation's end gives it back. 0, or SS_ERR_FULL.
 */
int ss_limit_hold(struct ss_limit_table *t, uint32_t name, uint32_t *slot);
void ss_limit_drop(struct ss_limit_table *t, uint32_t slot);
/* Sums what the workers have counted. */
struct ss_limit_counts ss_limit_counted(const struct ss_limit_table *t, uint32_t slot);

#endif
