#include "mem/pool.h"

#include <stdlib.h>
#include <string.h>

/*
 * The pool of sanitizer builds: one malloc per object, so that ASan sees each object's bounds, its
 * use after give, and what is still out at exit. Same door, same limits; only the count is kept.
 */
struct ss_pool {
	const char *name;
	size_t size;
	uint32_t count, used;
};

struct ss_pool *ss_pool_create(const char *name, size_t size, uint32_t count)
{
	struct ss_pool *p = malloc(sizeof(*p));
	if (p)
		*p = (struct ss_pool){ .name = name, .size = size, .count = count };
	return p;
}

void ss_pool_free(struct ss_pool *p)
{
	free(p);
}

void *ss_pool_take(struct ss_pool *p)
{
	if (p->used == p->count)
		return NULL;
	void *obj = NULL;
	if (posix_memalign(&obj, SS_CACHE_LINE, p->size) != 0)
		return NULL;
	memset(obj, 0xa5, p->size); /* whoever forgets to initialise a field shall notice */
	__atomic_store_n(&p->used, p->used + 1, __ATOMIC_RELAXED);
	return obj;
}

void ss_pool_give(struct ss_pool *p, void *obj)
{
	assert(p->used > 0);
	__atomic_store_n(&p->used, p->used - 1, __ATOMIC_RELAXED);
	free(obj);
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
