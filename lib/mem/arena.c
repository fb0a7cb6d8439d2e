#include "mem/arena.h"

#include "base/err.h"

/* A stream takes this many small chunks before it takes a large one. */
#define SMALL_FIRST 4

struct ss_arena_chunk {
	struct ss_arena_chunk *older;
	uint32_t size;  /* of the whole object */
	uint32_t depth; /* chunks of this arena up to this one */
};

int ss_arena_pools_create(struct ss_arena_pools *ap, uint32_t n_small, uint32_t n_large)
{
	ap->small = ss_pool_create("arena_small", SS_ARENA_SMALL, n_small);
	ap->large = ss_pool_create("arena_large", SS_ARENA_LARGE, n_large);
	if (ap->small && ap->large)
		return 0;
	ss_arena_pools_free(ap);
	return SS_ERR_NO_MEM;
}

void ss_arena_pools_free(struct ss_arena_pools *ap)
{
	ss_pool_free(ap->small);
	ss_pool_free(ap->large);
	ap->small = ap->large = NULL;
}

void ss_arena_init(struct ss_arena *a, struct ss_arena_pools *pools)
{
	*a = (struct ss_arena){ .pools = pools };
}

/* A chunk with room for n bytes, or NULL. The small pool falls back on the large one, and back. */
static struct ss_arena_chunk *take_chunk(struct ss_arena *a, size_t n)
{
	uint32_t depth = a->chunks ? a->chunks->depth : 0, size = SS_ARENA_SMALL;
	bool fits_small = n <= SS_ARENA_SMALL - sizeof(struct ss_arena_chunk);
	struct ss_arena_chunk *c = NULL;
	if (fits_small && depth < SMALL_FIRST)
		c = ss_pool_take(a->pools->small);
	if (!c) {
		size = SS_ARENA_LARGE;
		c = ss_pool_take(a->pools->large);
	}
	if (!c && fits_small) {
		size = SS_ARENA_SMALL;
		c = ss_pool_take(a->pools->small);
	}
	if (c)
		*c = (struct ss_arena_chunk){ .older = a->chunks, .size = size, .depth = depth + 1 };
	return c;
}

/* Goes on in a chunk with room for n bytes. False: there is none. */
static bool grow(struct ss_arena *a, size_t n)
{
	struct ss_arena_chunk *c = take_chunk(a, n);
	if (!c)
		return false;
	a->chunks = c;
	a->p = (uint8_t *)(c + 1);
	a->end = (uint8_t *)c + c->size;
	return true;
}

void *ss_arena_alloc(struct ss_arena *a, size_t n)
{
	if (n > SS_ARENA_LARGE - sizeof(struct ss_arena_chunk))
		return NULL;
	n = (n + 7) & ~(size_t)7;
	if ((!a->chunks || n > (size_t)(a->end - a->p)) && !grow(a, n))
		return NULL;
	void *p = a->p;
	a->p += n;
	return p;
}

struct ss_span ss_arena_copy(struct ss_arena *a, struct ss_span s, bool *ok)
{
	if (s.n == 0)
		return SS_SPAN_NONE;
	uint8_t *p = ss_arena_alloc(a, s.n);
	if (!p) {
		*ok = false;
		return SS_SPAN_NONE;
	}
	memcpy(p, s.p, s.n);
	return ss_span(p, s.n);
}

struct ss_out ss_arena_open(struct ss_arena *a)
{
	if (!a->chunks)
		grow(a, 1);
	return (struct ss_out){ a->p, a->end, false };
}

void ss_arena_close(struct ss_arena *a, uint8_t *end)
{
	size_t left = (size_t)(a->end - end);

	a->p = a->end - (left & ~(size_t)7); /* a chunk ends on a multiple of eight */
}

void ss_arena_reset(struct ss_arena *a)
{
	struct ss_arena_chunk *c = a->chunks;
	while (c) {
		struct ss_arena_chunk *older = c->older;
		ss_pool_give(c->size == SS_ARENA_SMALL ? a->pools->small : a->pools->large, c);
		c = older;
	}
	ss_arena_init(a, a->pools);
}
