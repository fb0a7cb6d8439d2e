/*
 * hop_world.h - a configuration's text, read and compiled as a node does it, for one worker.
 *
 * Takes:   the text of a configuration file.
 * Gives:   the snapshot, and the tables that workers share.
 * Owns:    all of it, until hop_world_close.
 * Thread:  the program's only one.
 * Errors:  ends the program with the configuration's own.
 */
#ifndef SS_HOP_WORLD_H
#define SS_HOP_WORLD_H

#include "build/build.h"
#include "contract/limits.h"

struct hop_world {
	struct ss_names *names;
	struct ss_ep_table *endpoints;
	struct ss_limit_table *limits;
	struct ss_build *build;
	struct ss_snapshot *snap;
};

void hop_world_open(struct hop_world *w, const char *text);
void hop_world_close(struct hop_world *w);

/*
 * A listener "in", a cluster of four endpoints that speaks HTTP/2 or not. rich: everything that can be decided
 * for a request is decided, and none of it refuses: a thousand routes with matches on headers and queries
 * before the one that is taken, a split with sticky variants, limits, authorization, retries, balancing.
 */
const char *hop_world_text(bool up_h2, bool rich);

#endif
