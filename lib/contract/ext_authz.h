/*
 * ext_authz.h - external authorizers: whom to ask about requests that a rule of action CUSTOM takes, compiled.
 *
 * Takes:   what ctrl/build/build_ext_authz.c made of ext_authz.
 * Gives:   immutable providers; rules point to theirs, an exchange finds its own again by name.
 * Owns:    nothing: the snapshot's memory.
 * Thread:  immutable once published.
 * Units:   nanoseconds.
 *
 * Names of headers are lower case. A list of names takes what fits one of its texts (exact, prefix, suffix, any).
 */
#ifndef SS_EXT_AUTHZ_H
#define SS_EXT_AUTHZ_H

#include "contract/authz.h"

enum ss_ext_authz_kind { SS_EXT_AUTHZ_HTTP = 0, SS_EXT_AUTHZ_GRPC = 1 };

struct ss_ext_authz_names {
	uint16_t n;
	const struct ss_authz_text *texts;
};

struct ss_ext_authz_field {
	struct ss_span name, value;
};

struct ss_ext_authz {
	uint32_t name;    /* name id: stable over generations */
	uint32_t cluster; /* index into ss_snapshot.clusters */
	uint8_t kind;     /* enum ss_ext_authz_kind */
	bool fail_open;   /* no answer lets the request through */
	uint16_t status_on_error;
	struct ss_span path_prefix;
	uint64_t timeout_ns;
	struct ss_ext_authz_names ask;      /* of the request: go to it */
	struct ss_ext_authz_names upstream; /* of its answer that allows: go upstream */
	struct ss_ext_authz_names allowed;  /* of the same: go onto the client's response */
	struct ss_ext_authz_names denied;   /* of its answer that denies: go to the client; none: all */
	uint16_t n_add;
	const struct ss_ext_authz_field *add; /* go to it besides */
};

#endif
