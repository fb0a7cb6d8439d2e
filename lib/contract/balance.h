/*
 * balance.h - how a cluster's requests are spread: policies, tiers of endpoints, subsets, tables.
 *
 * Takes:   what ctrl/build/build_lb.c compiled of a cluster and of the routes that name its subsets.
 * Gives:   lists and tables that a pick reads; each worker's sight of who may be picked.
 * Owns:    nothing: the snapshot's memory.
 * Thread:  immutable once published, but sight[i] and what it points to are written by worker i.
 * Units:   nanoseconds; percent; hundredths where it says so.
 *
 * A set is what a request chooses among: the whole cluster, or its endpoints with certain labels. It has
 * one tier for each priority and distance (same subzone, zone, region, farther), the preferred first; or, where
 * requests are distributed, one for each priority and locality that gets a share. A place is an index into a tier's list.
 */
#ifndef SS_BALANCE_H
#define SS_BALANCE_H

#include "base/base.h"
#include "base/span.h"

enum ss_lb {
	SS_LB_ROUND_ROBIN = 0, SS_LB_LEAST_REQUEST = 1, SS_LB_PEAK_EWMA = 2,
	SS_LB_RANDOM = 3, SS_LB_MAGLEV = 4, SS_LB_RING_HASH = 5,
};

/* Defaults in docs/config.md. */
struct ss_balance_conf {
	uint32_t policy;         /* enum ss_lb */
	uint32_t choices;        /* least request: endpoints drawn, the best of which is picked */
	uint32_t bias;           /* least request with weights: hundredths; weight / (active + 1)^bias */
	uint64_t decay_ns;       /* peak EWMA: an observation's weight falls to 1/e in this time */
	uint64_t default_rtt_ns; /* peak EWMA: of an endpoint that has not answered yet */
	uint32_t table_size;     /* Maglev: places in the table, a prime */
	uint32_t ring_min, ring_max;  /* ring hash: points on the ring */
	uint32_t balance_factor; /* percent of the mean load that an endpoint may have; 0: no bound */
	uint32_t panic_percent;  /* a tier with less of its endpoints up uses all of them; 0: never */
	uint32_t overprovision;  /* percent: a tier carries so much more than its share of endpoints up */
	uint64_t slow_start_ns;  /* from min to full weight; 0: off */
	uint32_t slow_aggression; /* hundredths; weight grows with (age / window)^(1 / aggression) */
	uint32_t slow_min_percent;
};

/* -- hash policy of a route or a cluster -- */

enum ss_hash_kind {
	SS_HASH_HEADER = 0, SS_HASH_COOKIE = 1, SS_HASH_SOURCE = 2, SS_HASH_PATH = 3, SS_HASH_QUERY = 4,
};

struct ss_hash_part {
	uint8_t kind;        /* enum ss_hash_kind */
	bool terminal;       /* when it has a value, the parts after it play no role */
	struct ss_span name; /* of the header (lower case), cookie, query parameter */
	/* A cookie that a request lacks: set in the response, and hashed already. Empty: not made. */
	bool make;
	struct ss_span suffix;  /* what stands after the value in Set-Cookie, "; Max-Age=60; Path=/; HttpOnly" */
};

struct ss_hash_policy {
	uint32_t n;
	const struct ss_hash_part *part;
};

/* -- endpoints -- */

struct ss_ring_point {
	uint64_t hash;
	uint32_t place;
};

/* Walker 1977, Vose 1991: a place is drawn evenly, and stands for itself below its cut, for another above. */
struct ss_lb_alias {
	uint32_t cut; /* of 2^32 */
	uint32_t other;
};

struct ss_lb_tier {
	uint32_t n;
	const uint32_t *at; /* by place: index into ss_cluster.endpoints */
	uint64_t weight;    /* sum */
	uint32_t level;     /* those of one level stand beside each other; a lower one comes first */
	uint32_t share;     /* of its level, where requests are distributed by place; else 1 */
	uint32_t n_table, n_ring;
	const uint32_t *table;             /* Maglev: places */
	const struct ss_ring_point *ring;  /* by hash */
	const struct ss_lb_alias *alias;   /* by place; NULL: all weights are alike, or nothing is left to chance */
};

/* All requests of a set. */
#define SS_LB_WHOLE 10000u

struct ss_lb_set {
	uint32_t name; /* name id of its labels, "stage=beta,version=v2"; 0: the whole cluster */
	uint32_t first, n_tiers; /* in ss_balance.tiers; none: nobody has the labels and there is no fallback */
};

/* -- what one worker sees of a tier, and whose turn it is -- */

struct ss_lb_turn {
	uint64_t due; /* in units of work done; compared by difference, it may pass its end */
	uint32_t place;
};

struct ss_lb_sight {
	uint32_t n_up;
	uint32_t *up;    /* places of those that may be picked, ascending; all of them in panic */
	uint64_t weight; /* their sum */
	uint32_t upto;   /* of SS_LB_WHOLE: a draw below this and not below the tier's before falls here */
	bool panic;
	uint32_t cursor;
	uint64_t clock;           /* due of the turn taken last */
	uint32_t n_turns;
	struct ss_lb_turn *turns; /* a heap of those up, the soonest first; unused without weights */
	uint8_t *in;              /* by place: is in the heap */
};

struct ss_lb_worker {
	bool seen;
	bool all;          /* those that are to be spared are picked, too */
	uint32_t changes;  /* of the cluster in the endpoint table, when it was looked at last */
	uint64_t look_at;  /* then again at the latest */
	uint8_t *ok;       /* by endpoint */
	struct ss_lb_sight *sight; /* by tier */
};

struct ss_balance {
	struct ss_balance_conf conf;
	bool by_turn; /* weights differ or slow start is on: turns, not plain rotation */
	const struct ss_hash_policy *hash; /* NULL: only the route's */
	uint32_t n_tiers, n_sets;
	const struct ss_lb_tier *tiers;
	const struct ss_lb_set *sets; /* the first is the whole cluster */
	struct ss_lb_worker *worker;  /* by worker */
};

/* -- hashing: the same on every worker, in every process -- */

/* Of a key's bytes, and of a key in place number i. */
uint64_t ss_balance_hash(const void *p, uint32_t n);
uint64_t ss_balance_mix(uint64_t hash, uint64_t i);

#endif
