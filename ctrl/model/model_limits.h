/*
 * model_limits.h - rate limits as the operator wants them.
 *
 * Takes:   values from a configuration source.
 * Gives:   the model's list of policies, which listeners, virtual hosts and routes name.
 * Owns:    nothing: the model's memory.
 * Thread:  control.
 * Units:   nanoseconds.
 */
#ifndef SS_MODEL_LIMITS_H
#define SS_MODEL_LIMITS_H

#include "contract/limits.h"
#include "model/model_src.h"

/* "1000/s" with a bucket of `burst`. */
struct ss_model_rate {
	char *text;
	uint64_t count, per_ns;
	uint32_t burst; /* as much as `count` unless said otherwise */
};

struct ss_model_limit_override {
	struct ss_model_src src;
	struct ss_model_rate rate;
	uint32_t n_ids;
	struct ss_model_id *ids;
};

struct ss_model_limit {
	struct ss_model_src src;
	char *name;
	struct ss_model_rate rate;
	enum ss_limit_key key;
	char *header;
	enum ss_limit_say say;
	bool enforce;
	uint32_t n_overrides;
	struct ss_model_limit_override *overrides;
};

/* Names of policies. */
struct ss_model_limit_names {
	uint32_t n;
	char **name;
};

#endif
