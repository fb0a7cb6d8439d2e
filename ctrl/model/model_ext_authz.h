/*
 * model_ext_authz.h - external authorizers as the operator wants them; part of model.h, which includes it.
 *
 * Takes:   values from a configuration source.
 * Gives:   a list of struct ss_model.
 * Owns:    nothing: the model's memory.
 * Thread:  control.
 * Units:   nanoseconds.
 */
#ifndef SS_MODEL_EXT_AUTHZ_H
#define SS_MODEL_EXT_AUTHZ_H

#include "contract/ext_authz.h"

struct ss_model_ext_authz_field {
	char *name, *value;
};

struct ss_model_ext_authz {
	struct ss_model_src src;
	char *name, *cluster;
	enum ss_ext_authz_kind kind;
	char *path_prefix;
	uint64_t timeout_ns;
	bool fail_open;
	uint16_t status_on_error;
	struct ss_model_texts ask, upstream, allowed, denied; /* names of headers, with a star at either end */
	uint32_t n_add;
	struct ss_model_ext_authz_field *add;
};

#endif
