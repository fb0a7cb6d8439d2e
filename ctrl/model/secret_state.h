/*
 * secret_state.h - how a secret or a trust bundle stands: what the operator and the metrics see of it.
 *
 * Takes:   nothing.
 * Gives:   one struct, filled by ctrl/build, read by ctrl/admin and ctrl/telemetry.
 * Owns:    nothing: texts live as long as the builder's present files.
 * Thread:  control.
 * Units:   seconds of the calendar (Unix).
 */
#ifndef SS_MODEL_SECRET_STATE_H
#define SS_MODEL_SECRET_STATE_H

#include "base/base.h"

struct ss_secret_state {
	const char *name;
	bool trust;         /* a bundle of authorities, not a certificate of our own */
	int64_t expires;    /* of what is used; 0: not known */
	uint64_t rotations; /* times other files were taken while we ran */
	uint64_t refusals;  /* times they were not */
	const char *refused; /* why the files that are there now are not used; NULL: they are */
};

#endif
