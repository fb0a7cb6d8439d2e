/*
 * route_index.h - the shape of a virtual host's index: first tier exact and prefix paths, second tier
 * regular expressions.
 *
 * Takes:   what ctrl/build made of a host's routes.
 * Gives:   the few routes whose path fits a request's, without looking at the others.
 * Owns:    nothing: the snapshot's memory, hyperscan's databases and scratch.
 * Thread:  immutable once published, but scratch[i] and what it points to are written by worker i.
 *
 * First tier: one hash table holds every distinct exact path and every distinct prefix. A path is
 * hashed byte by byte, and looked up as a prefix at each length that some prefix has, and at its end as
 * an exact path: the cost grows with the path's length, not with the number of routes. Each entry lists
 * its routes in the order of the file.
 * Second tier: all regular expressions over the path in one hyperscan database (expression id = route's
 * index); for each header name that has any, one database (expression id = ss_route_header.regex). An
 * expression must match the whole subject, as if it stood in ^(?:...)$.
 */
#ifndef SS_ROUTE_INDEX_H
#define SS_ROUTE_INDEX_H

#include "base/base.h"
#include "base/span.h"
#include "contract/routes.h"

struct hs_database;
struct hs_scratch;

/* Routes that share one exact path or one prefix. n 0: an empty place in the table. */
struct ss_route_slot {
	uint64_t hash;
	struct ss_span text;
	uint32_t first, n; /* in ss_route_index.ids */
	uint8_t kind;      /* SS_PATH_EXACT or SS_PATH_PREFIX */
};

struct ss_route_header_db {
	struct ss_span name;
	const struct hs_database *db;
};

/* What one worker writes while it decides. A path scan and a header scan may be under way at once. */
struct ss_route_scratch {
	struct hs_scratch *path, *header; /* NULL when the snapshot has no expressions */
	uint64_t *hits;                   /* bit: header expression that matched this request */
};

struct ss_route_index {
	uint32_t mask; /* places in slots, less one */
	uint32_t longest; /* length of the longest exact path or prefix */
	const struct ss_route_slot *slots;
	const uint64_t *lengths; /* bit n: some prefix is n bytes long; longest + 1 bits */
	const uint32_t *ids;     /* indexes of routes */
	uint32_t any_first, any_n; /* routes of any path, in ids */
	const struct hs_database *paths; /* NULL: no expression over paths */
	uint32_t first_regex;            /* lowest route index that has one */
	uint32_t n_header_dbs, n_header_regex;
	const struct ss_route_header_db *header_dbs;
	const uint32_t *header_db_of; /* by header expression id */
	const struct ss_route_scratch *scratch; /* by worker */
};

#define SS_ROUTE_HASH_START 0xcbf29ce484222325ull

/* One byte more of the path (FNV-1a: cheap per byte; the table's content is the operator's alone). */
static inline uint64_t ss_route_hash_byte(uint64_t h, uint8_t c)
{
	return (h ^ c) * 0x100000001b3ull;
}

/* The hash of an entry, of the running hash of its text. */
static inline uint64_t ss_route_hash_end(uint64_t h, uint8_t kind)
{
	h ^= (uint64_t)kind << 56;
	return h ^ (h >> 29) ^ (h >> 47);
}

#endif
