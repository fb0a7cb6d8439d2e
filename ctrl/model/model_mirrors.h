/*
 * model_mirrors.h - a route's mirrors as the operator wants them.
 *
 * Takes:   values from a configuration source.
 * Gives:   a member of ss_model_route.
 * Owns:    nothing: the model's memory.
 * Thread:  control.
 * Units:   nanoseconds, bytes; shares in hundredths of a percent.
 */
#ifndef SS_MODEL_MIRRORS_H
#define SS_MODEL_MIRRORS_H

#include "contract/mirrors.h"
#include "model/model_src.h"

struct ss_model_mirror {
	struct ss_model_src src;
	char *cluster;
	uint32_t share, max_body;
	uint64_t timeout_ns;
	bool shadow;
};

struct ss_model_mirrors {
	uint32_t n;
	struct ss_model_mirror *v;
};

#endif
