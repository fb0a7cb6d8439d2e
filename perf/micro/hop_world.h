/*
 * hop_world.h - what a hop is configured to decide: texts as an operator writes them, and their world.
 *
 * Takes:   the text of a configuration file.
 * Gives:   a world of it (model_world.h).
 * Owns:    nothing: the caller closes the world. The text made last stays until the next one.
 * Thread:  the program's only one.
 * Errors:  ends the program with the configuration's own.
 */
#ifndef SS_HOP_WORLD_H
#define SS_HOP_WORLD_H

#include "perf/micro/model_world.h"

void hop_world_open(struct model_world *w, const char *text);

/* What is decided for a request; none of it refuses. */
enum hop_with {
	HOP_ROUTES = 1,   /* a thousand with matches on headers, queries and methods before the one that is taken */
	HOP_SPLIT = 2,    /* two destinations */
	HOP_HEADERS = 4,  /* one set on requests, one removed from responses */
	HOP_LIMITS = 8,   /* a total, and one by source */
	HOP_AUTHZ = 16,   /* three rules, and what they imply */
	HOP_RETRIES = 32, /* three, with a timeout of a try */
	HOP_BALANCE = 64, /* least request with slow start */
	HOP_ALL = 127,
	HOP_CANARY = 128, /* the second of two destinations is a canary under way, at 0 %: both are worked out, one is asked */
};

/* A listener "in", and a cluster of one endpoint that speaks HTTP/2 or not. with: a set of the above. */
const char *hop_world_text(bool up_h2, unsigned with);

#endif
