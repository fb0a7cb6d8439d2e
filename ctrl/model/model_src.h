/*
 * model_src.h - what parts of the model have in common: where a thing stands in the file, and who is meant.
 *
 * Takes:   nothing.
 * Gives:   the words that model.h and its parts (model_x.h) share.
 * Owns:    nothing: the model's memory.
 * Thread:  control.
 */
#ifndef SS_MODEL_SRC_H
#define SS_MODEL_SRC_H

#include "contract/tlsconf.h"

struct ss_model_src {
	const char *file;
	uint32_t line;
};

struct ss_model_id {
	enum ss_id_match_kind kind;
	char *value;
};

#endif
