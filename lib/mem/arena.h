/*
 * arena.h - bump memory that dies with its stream.
 *
 * Takes:   two pools of chunks: small ones (most streams need one) and large ones (big header blocks).
 * Gives:   bytes that live until ss_arena_reset.
 * Owns:    the chunks it took.
 * Thread:  one owner.
 */
#ifndef SS_ARENA_H
#define SS_ARENA_H

#include "base/base.h"
#include "base/span.h"
#include "mem/pool.h"

#define SS_ARENA_SMALL 2048
#define SS_ARENA_LARGE 65536

/* Where arenas of one worker take their chunks; create one per worker. */
struct ss_arena_pools {
	struct ss_pool *small; /* objects of SS_ARENA_SMALL bytes */
	struct ss_pool *large; /* objects of SS_ARENA_LARGE bytes */
};

struct ss_arena_chunk;

struct ss_arena {
	struct ss_arena_pools *pools;
	struct ss_arena_chunk *chunks; /* newest first */
	uint8_t *p, *end;              /* free bytes of the newest chunk */
};

int ss_arena_pools_create(struct ss_arena_pools *ap, uint32_t n_small, uint32_t n_large);
void ss_arena_pools_free(struct ss_arena_pools *ap);

/* Takes no chunk yet. */
void ss_arena_init(struct ss_arena *a, struct ss_arena_pools *pools);
/* n bytes, 8-byte aligned, or NULL (pools empty, or n larger than a large chunk). */
void *ss_arena_alloc(struct ss_arena *a, size_t n);
/* A copy of s inside the arena; *ok turns false when there was no room (and stays false). */
struct ss_span ss_arena_copy(struct ss_arena *a, struct ss_span s, bool *ok);
/*
 * The free bytes of the newest chunk, for a writer that does not know yet how many it needs; a first chunk is
 * taken when there is none, and there is no room without one. What is written from out.p on stays only when
 * ss_arena_close says where it ends; no other call may come in between.
 */
struct ss_out ss_arena_open(struct ss_arena *a);
void ss_arena_close(struct ss_arena *a, uint8_t *end);
/* Gives every chunk back. */
void ss_arena_reset(struct ss_arena *a);

#endif
