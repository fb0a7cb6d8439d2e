/*
 * model_world.h - a model compiled as a node does it, for one worker.
 *
 * Takes:   desired state.
 * Gives:   the snapshot, and the tables that workers share.
 * Owns:    all of it, until model_world_close; the model ends with model_world_open.
 * Thread:  the program's only one.
 * Errors:  ends the program with the model's own.
 */
#ifndef SS_MODEL_WORLD_H
#define SS_MODEL_WORLD_H

#include "build/build.h"
#include "contract/canaries.h"
#include "contract/limits.h"

struct model_world {
	struct ss_names *names;
	struct ss_ep_table *endpoints;
	struct ss_limit_table *limits;
	struct ss_canary_table *canaries;
	struct ss_build *build;
	struct ss_snapshot *snap;
};

void model_world_open(struct model_world *w, struct ss_model *m, uint32_t max_names);
void model_world_close(struct model_world *w);
/* Tells all and ends the program. */
void model_world_fail(const struct ss_model_errors *e);

#endif
