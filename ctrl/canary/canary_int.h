/*
 * canary_int.h - a run, seen only inside this room.
 *
 * canary.c has windows and steps; canary_ask.c what an operator says and sees; canary_tell.c what logs are told;
 * canary_file.c the state file; canary_judge.c, canary_stat.c what the numbers mean.
 */
#ifndef SS_CANARY_INT_H
#define SS_CANARY_INT_H

#include "canary/canary.h"
#include "canary/canary_judge.h"

#define CANARY_PARTS 60u /* of a window; of a long one they grow */
#define CANARY_PART_LEAST (20 * SS_NS_PER_MS)
#define CANARY_PART_MOST (5 * SS_NS_PER_SEC) /* at its beginning: what is bad is seen as soon in a window of hours */

struct canary_run {
	struct ss_canary c; /* the snapshot's, copied: name, split, slot, gates, steps */
	uint64_t generation;
	enum ss_canary_stand stand;
	uint32_t weight;    /* SS_CANARY_NONE: the configuration's */
	uint64_t since;     /* stands so */
	uint64_t step_since, window_since, part_ends, part_ns;
	uint32_t window;    /* the run's how-manieth */
	uint32_t n_parts;
	struct ss_canary_part *parts; /* CANARY_PARTS; NULL: never run */
	struct ss_canary_counts last[SS_CANARY_VARIANTS];  /* as counted when the part began */
	uint64_t first[SS_CANARY_VARIANTS][2]; /* requests and failures when the split came */
	uint64_t before[SS_CANARY_VARIANTS][2]; /* and those of the process before, of the state file */
	struct ss_canary_verdict verdict;
	bool judged;
	uint8_t held_for;   /* enum ss_canary_why that was told last */
	char by[96];        /* who gave the last command */
	uint64_t decisions[SS_CANARY_ACTS];
};

/* As the file has it; matched with a split when that comes. */
struct canary_saved {
	char *split;
	enum ss_canary_stand stand;
	uint32_t weight, window;
	uint64_t unix_s;
	bool met; /* its split is there */
	uint64_t counts[SS_CANARY_VARIANTS][2];
};

struct ss_canary_room {
	struct ss_canary_conf conf;
	uint32_t n, cap;
	struct canary_run *runs;
	uint32_t n_saved;
	struct canary_saved *saved;
	uint64_t generation, next;
};

/* canary.c */
void canary_set(struct canary_run *u, uint32_t weight);
void canary_begin_window(struct ss_canary_room *r, struct canary_run *u, uint64_t now);
/* The first step; false without memory. */
bool canary_start(struct ss_canary_room *r, struct canary_run *u, const char *by, uint64_t now);
bool canary_under_way(const struct canary_run *u);

/* canary_tell.c: counts it, logs it. */
void canary_tell(struct ss_canary_room *r, struct canary_run *u, enum ss_canary_act act, uint32_t from, uint64_t now);
uint64_t canary_unix(const struct ss_canary_room *r, uint64_t now);

/* canary_file.c: what cannot be written or read is logged, and no reason to stop. */
void canary_save(struct ss_canary_room *r, uint64_t now);
void canary_load(struct ss_canary_room *r);
void canary_forget_saved(struct ss_canary_room *r);

#endif
