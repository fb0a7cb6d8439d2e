/*
 * route_index.h - the shape of a virtual host's index: the few routes that can fit a request, found without
 * looking at the others.
 *
 * Takes:   what ctrl/build made of a host's routes.
 * Gives:   lists of routes by path, and within a long list by the value of a header, parameter or cookie.
 * Owns:    nothing: the snapshot's memory, hyperscan's databases and scratch.
 * Thread:  immutable once published, but scratch[i] and what it points to are written by worker i.
 *
 * Paths: one hash table holds every distinct exact path, every distinct prefix, and the text with which
 * expressions begin. A path is hashed eight bytes at a time, and looked up as a prefix at each length that
 * some prefix has, and at its end as an exact path: the cost grows with the path's length, not with the
 * number of routes. Tags of one byte each say where a search ends, so that a miss touches little memory.
 * Expressions are grouped by the text that they surely begin with, in hyperscan databases of a few each: those
 * whose beginning does not fit the path are not scanned. An expression must match the whole subject, as if
 * it stood in ^(?:...)$, and lists the routes that have it.
 * Lists: the routes of one path stand under what one of their matches wants of a header, parameter, cookie, of the
 * peer's identity, the SNI or the port: a value, its beginning or its end, a number, an expression, or that the name is there
 * (struct ss_route_inner); under each, where any of several will do. Those that only say what must not be stand together
 * with others that say the same.
 */
#ifndef SS_ROUTE_INDEX_H
#define SS_ROUTE_INDEX_H

#include "base/base.h"
#include "base/span.h"
#include "contract/routes.h"

struct hs_database;
struct hs_scratch;
struct ss_route_inner;

/* Routes by index, ascending, which is the order of precedence. */
struct ss_route_list {
	const uint32_t *ids;
	const struct ss_route_inner *inner; /* NULL: few, looked at one by one */
	uint32_t n, first;                  /* first: ids[0] */
};

/* Besides enum ss_field_on: who asks, under names of our own. */
enum ss_route_on { SS_ROUTE_ON_ID = SS_FIELD_ONS, SS_ROUTE_ON_SNI, SS_ROUTE_ON_PORT, SS_ROUTE_ONS };

/* A beginning or an end of more bytes than this is not looked up: its routes stand under `there`. */
#define SS_ROUTE_AFFIX_MAX 63u

/* Routes that take every number of some pieces that lie beside each other. */
struct ss_route_stretch {
	struct ss_route_list list;
	uint32_t up; /* the next longer stretch that has routes and holds this one; 0: none */
};

/*
 * The routes that want a number of this name. The line of numbers is cut where a range begins or ends; piece i goes from
 * from[i] up to, and without, from[i + 1]. A range is put together of as few stretches as there are in a binary tree over
 * the pieces (Bentley 1977), however the ranges lie in each other: a number is in one stretch of each length.
 */
struct ss_route_ranges {
	uint32_t n;
	const int64_t *from; /* n + 1, ascending */
	const struct ss_route_stretch *stretch; /* 2 * n; that of piece i alone is n + i */
};

/* A name that some matches of a list are about. n 0: an empty place. */
struct ss_route_name {
	uint64_t hash;
	struct ss_span name;
	uint8_t on;                  /* enum ss_field_on or ss_route_on */
	uint64_t prefixes, suffixes; /* bit n: one is n bytes long */
	struct ss_route_list there;  /* routes that need it, whatever its value */
	const struct ss_route_ranges *ranges; /* NULL: none */
	uint32_t expression; /* some field expression of those that are wanted, and one more; 0: none */
	uint32_t expression_first; /* the lowest route that wants one */
};

/* The routes of a list that want this value of this name, or one that begins or ends so; or one that matches a field
 * expression, of which the value is the number. */
struct ss_route_value {
	uint64_t hash; /* of name, value and fit */
	const struct ss_route_name *name; /* NULL: an empty place */
	struct ss_span value;
	uint8_t fit; /* SS_HM_EXACT, SS_HM_PREFIX, SS_HM_SUFFIX, SS_HM_REGEX */
	struct ss_route_list list;
};

/* Routes that share an inverted match: one look at it passes over all of them. */
struct ss_route_unless {
	const struct ss_route_field *field;
	struct ss_route_list list;
};

struct ss_route_inner {
	uint64_t filter[SS_ROUTE_ONS]; /* ss_route_name_bit of every name: what misses is not looked up */
	uint32_t names_mask, values_mask;
	const struct ss_route_name *names;
	const struct ss_route_value *values;
	struct ss_route_list rest; /* routes that need no name: looked at one by one */
	uint32_t n_unless;
	const struct ss_route_unless *unless; /* by first route; routes that need no name and have inverted matches */
};

/* Some expressions: ids in ss_route_index.expressions. first: the lowest route that has one. */
struct ss_route_db {
	const struct hs_database *db;
	uint32_t first;
};

/* Routes that share one exact path or one prefix; or expressions that begin alike, by ascending first routes. */
struct ss_route_slot {
	uint64_t hash;
	struct ss_span text;
	struct ss_route_list list;
	const struct ss_route_db *dbs;
	uint16_t n_dbs;
	uint8_t kind; /* enum ss_path_match */
};

/* For eight lengths in a row, one bit each: something of that kind is so long. */
struct ss_route_lengths {
	uint8_t prefix, segments, regex;
};

/* All expressions over one header, parameter or cookie; expression id = ss_route_field.regex. */
struct ss_route_field_db {
	struct ss_span name;
	uint8_t on;
	const struct hs_database *db;
};

/* What one worker writes while it decides. A path scan and a field scan may be under way at once. */
struct ss_route_scratch {
	struct hs_scratch *path, *field; /* NULL when the snapshot has no expressions */
	uint64_t *hits;                  /* bit: field expression that matched this request */
	uint32_t *hit;                   /* the same, one after the other as they were found */
};

struct ss_route_index {
	struct ss_route_list any; /* routes of any path */
	uint32_t n_slots;         /* in use; 0: no path is looked up */
	uint32_t mask;            /* places in tags and slots, less one */
	uint32_t longest;         /* length of the longest text */
	const uint8_t *tags;      /* 0: an empty place */
	const struct ss_route_slot *slots;
	const struct ss_route_lengths *lengths; /* longest / 8 + 1 */
	const struct ss_route_list *expressions;
	uint32_t n_field_dbs, n_field_regex;
	const struct ss_route_field_db *field_dbs;
	const uint32_t *field_db_of; /* by field expression id */
	const struct ss_route_scratch *scratch; /* by worker */
};

#define SS_ROUTE_HASH_START 0x9e3779b97f4a7c15ull

/* Eight bytes more. The table's content is the operator's alone: a stranger cannot fill it with collisions. */
static inline uint64_t ss_route_mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * 0xd6e8feb86659fd93ull;
	return h ^ (h >> 32);
}

/* Up to eight bytes of s from `at` on, those beyond its end as zero. */
static inline uint64_t ss_route_word(struct ss_span s, uint32_t at)
{
	uint64_t w = 0;

	if (at + 8 <= s.n) {
		memcpy(&w, s.p + at, 8);
	} else if (at < s.n && s.n >= 8) {
		memcpy(&w, s.p + s.n - 8, 8);
		w >>= 8 * (at + 8 - s.n);
	} else {
		for (uint32_t i = at; i < s.n; i++)
			w |= (uint64_t)s.p[i] << 8 * (i - at);
	}
	return w;
}

/* The hash of a text of n bytes: h over its whole words, tail its last n % 8 bytes. */
static inline uint64_t ss_route_hash_end(uint64_t h, uint64_t tail, uint32_t n, uint8_t kind)
{
	return ss_route_mix(ss_route_mix(h, tail), (uint64_t)n << 8 | kind);
}

static inline uint64_t ss_route_hash(uint64_t h, struct ss_span s, uint8_t kind)
{
	uint32_t at = 0;

	for (; at + 8 <= s.n; at += 8)
		h = ss_route_mix(h, ss_route_word(s, at));
	return ss_route_hash_end(h, ss_route_word(s, at), s.n, kind);
}

static inline uint8_t ss_route_tag(uint64_t hash)
{
	return (uint8_t)(hash >> 56) | 1;
}

/* names are not empty */
static inline uint64_t ss_route_name_bit(struct ss_span name)
{
	return 1ull << ((name.n * 7 + name.p[0] + name.p[name.n - 1] * 3u) & 63);
}

#endif
