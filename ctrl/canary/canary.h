/*
 * canary.h - canaries under way: windows, steps, rollbacks, and what an operator says.
 *
 * Takes:   requests and failures of each share of a split, which workers count (contract/canaries.h); commands.
 * Gives:   the weights of splits; every decision, told with its numbers.
 * Owns:    how each canary stands, and the file that says so after a restart ("canaries" in state_dir).
 * Thread:  control; slots' weights are atomics.
 * Time:    nanoseconds of ss_clock, passed in. Nothing to do between two parts of a window.
 *
 * A run belongs to a split: the same two shares with the same configured weights on the same route. A reload that keeps it
 * changes nothing but the gates and steps that follow; one that does not ends the run, and the configuration's weights
 * count again.
 */
#ifndef SS_CANARY_H
#define SS_CANARY_H

#include "contract/events.h"
#include "contract/jwt.h"
#include "contract/names.h"
#include "contract/snapshot.h"
#include "model/canary_state.h"
#include "model/json.h"
#include "state/state.h"

struct ss_canary_room;

struct ss_canary_conf {
	struct ss_canary_table *table;
	const struct ss_names *names;
	struct ss_state *state;     /* NULL: nothing survives the process */
	const struct ss_wall *wall; /* NULL: times of day are not told */
	/* Told of each decision; ev is good for the call. May be NULL. */
	void (*tell)(void *arg, const struct ss_event *ev);
	void *arg;
};

int ss_canary_create(struct ss_canary_room **out, const struct ss_canary_conf *conf);
void ss_canary_free(struct ss_canary_room *r);
/* Adopts a new generation, and ends the parts of windows that are due. Cheap when none is. Before the workers run once:
 * then the first request finds the weights that the state file has. */
void ss_canary_poll(struct ss_canary_room *r, const struct ss_snapshot *snap, uint64_t now);

/*
 * "start", "pause", "resume" or "abort". name: "virtual host/route", or NULL where there is one canary. by: who says so, for
 * the logs. 0, or SS_ERR_CONFIG and a sentence in err.
 */
int ss_canary_command(struct ss_canary_room *r, const char *verb, const char *name, const char *by, uint64_t now, char *err,
		      size_t err_n);
/* Members of the object that j is in: "canaries", each with its last numbers; name: that one alone, NULL: all. */
void ss_canary_show(const struct ss_canary_room *r, const char *name, uint64_t now, struct ss_json *j);
/* The i-th; false: there are not so many. */
bool ss_canary_state(const struct ss_canary_room *r, uint32_t i, struct ss_canary_state *out);

#endif
