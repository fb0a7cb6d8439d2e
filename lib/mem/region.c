#include "mem/region.h"

#include <stdlib.h>
#include <string.h>

/* Less than what malloc asks the kernel for by itself: a chunk freed serves the next generation, without page
 * faults. */
#define CHUNK ((size_t)64 * 1024)

/* Under the sanitizer each object has its own chunk, so that it sees who reads beyond one. */
#ifdef __SANITIZE_ADDRESS__
#define LARGE 0
#else
#define LARGE (CHUNK / 8)
#endif

struct ss_region_chunk {
	struct ss_region_chunk *next;
	_Alignas(SS_CACHE_LINE) uint8_t bytes[];
};

static struct ss_region_chunk *chunk(size_t n)
{
	size_t rounded = (sizeof(struct ss_region_chunk) + n + SS_CACHE_LINE - 1) & ~(size_t)(SS_CACHE_LINE - 1);

	return n <= rounded ? aligned_alloc(SS_CACHE_LINE, rounded) : NULL;
}

/* Behind the chunk in use, which has room for others. */
static void *take_large(struct ss_region *r, size_t n)
{
	struct ss_region_chunk *c = chunk(n);

	if (!c)
		return NULL;
	if (r->chunks) {
		c->next = r->chunks->next;
		r->chunks->next = c;
	} else {
		c->next = NULL;
		r->chunks = c;
		r->p = r->end = c->bytes + n;
	}
	return memset(c->bytes, 0, n);
}

static bool refill(struct ss_region *r)
{
	struct ss_region_chunk *c = chunk(CHUNK);

	if (!c)
		return false;
	c->next = r->chunks;
	r->chunks = c;
	r->p = c->bytes;
	r->end = c->bytes + CHUNK;
	return true;
}

void *ss_region_take(struct ss_region *r, size_t n, size_t align)
{
	uintptr_t skip = -(uintptr_t)r->p & (align - 1);

	if (n > LARGE)
		return take_large(r, n);
	if (!r->p || skip + n > (size_t)(r->end - r->p)) {
		if (!refill(r))
			return NULL;
		skip = 0;
	}
	uint8_t *p = r->p + skip;
	r->p = p + n;
	return memset(p, 0, n);
}

void ss_region_free(struct ss_region *r)
{
	while (r->chunks) {
		struct ss_region_chunk *c = r->chunks;
		r->chunks = c->next;
		free(c);
	}
	*r = (struct ss_region){0};
}
