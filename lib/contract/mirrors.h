/*
 * mirrors.h - where copies of a route's requests go, compiled.
 *
 * Takes:   what ctrl/build/build_mirrors.c compiled.
 * Gives:   immutable lists.
 * Owns:    nothing: the snapshot's memory.
 * Thread:  immutable once published.
 * Units:   nanoseconds, bytes; shares in hundredths of a percent.
 */
#ifndef SS_MIRRORS_H
#define SS_MIRRORS_H

#include "base/base.h"

#define SS_MIRROR_SHARE_SUM 10000
#define SS_MIRRORS_MAX 4

struct ss_mirror {
	uint32_t cluster; /* index into ss_snapshot.clusters */
	uint32_t share;
	uint32_t max_body;   /* a request with more is not mirrored to its end */
	uint64_t timeout_ns; /* for all of it */
	bool shadow;         /* "-shadow" is added to the host's name */
};

struct ss_mirror_list {
	uint32_t n;
	struct ss_mirror mirror[SS_MIRRORS_MAX];
};

#endif
