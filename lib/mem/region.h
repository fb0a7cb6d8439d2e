/*
 * region.h - memory of many small objects that are freed together: a model, a snapshot.
 *
 * Takes:   chunks from malloc, some thousand objects each.
 * Gives:   zeroed memory for as long as the region stands; nothing of it is freed alone.
 * Owns:    its chunks.
 * Thread:  one owner; control's, for it calls malloc.
 * Errors:  NULL without memory; the region stays as it was.
 */
#ifndef SS_REGION_H
#define SS_REGION_H

#include <stddef.h>

#include "base/base.h"

struct ss_region_chunk;

/* All zero: empty. */
struct ss_region {
	struct ss_region_chunk *chunks; /* the one in use first */
	uint8_t *p, *end;               /* free bytes of it */
};

/* n bytes (never NULL for 0), at a multiple of align: a power of two, SS_CACHE_LINE at most. */
void *ss_region_take(struct ss_region *r, size_t n, size_t align);
/* Frees all; the region is empty again. */
void ss_region_free(struct ss_region *r);

#endif
