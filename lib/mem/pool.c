#include "mem/pool.h"

#include <stdlib.h>
#include <string.h>

/*
 * Free objects lie on a stack: the one given back last is the one taken next, and is still in the
 * cache. Every page is touched at creation, so that running short of memory stops the start of the
 * program and never a worker in flight.
 */
struct ss_pool {
	const char *name;
	uint8_t *memory;
	size_t stride;
	uint32_t count, used;
	void *free[]; /* the first count - used are free */
};

struct ss_pool *ss_pool_create(const char *name, size_t size, uint32_t count)
{
	struct ss_pool *p = malloc(sizeof(*p) + (size_t)count * sizeof(p->free[0]));
	size_t stride = (size + SS_CACHE_LINE - 1) & ~(size_t)(SS_CACHE_LINE - 1);
	uint8_t *memory = count && stride > SIZE_MAX / count ? NULL :
			  aligned_alloc(SS_CACHE_LINE, stride * count + SS_CACHE_LINE);
	if (!p || !memory) {
		free(p);
		free(memory);
		return NULL;
	}
	memset(memory, 0, stride * count);
	*p = (struct ss_pool){ .name = name, .memory = memory, .stride = stride, .count = count };
	for (uint32_t i = 0; i < count; i++)
		p->free[i] = memory + (size_t)(count - 1 - i) * stride;
	return p;
}

void ss_pool_free(struct ss_pool *p)
{
	if (!p)
		return;
	free(p->memory);
	free(p);
}

void *ss_pool_take(struct ss_pool *p)
{
	if (ss_unlikely(p->used == p->count))
		return NULL;
	void *obj = p->free[p->count - p->used - 1];
	__atomic_store_n(&p->used, p->used + 1, __ATOMIC_RELAXED);
	return obj;
}

void ss_pool_give(struct ss_pool *p, void *obj)
{
	assert(p->used > 0);
	assert((uint8_t *)obj >= p->memory && (uint8_t *)obj < p->memory + p->stride * p->count);
	__atomic_store_n(&p->used, p->used - 1, __ATOMIC_RELAXED);
	p->free[p->count - p->used - 1] = obj;
}

uint32_t ss_pool_used(const struct ss_pool *p)
{
	return __atomic_load_n(&p->used, __ATOMIC_RELAXED);
}

uint32_t ss_pool_size(const struct ss_pool *p)
{
	return p->count;
}

const char *ss_pool_name(const struct ss_pool *p)
{
	return p->name;
}
