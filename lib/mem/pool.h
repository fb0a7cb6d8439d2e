/*
 * pool.h - objects of one size for one owner, all allocated at creation.
 *
 * Takes:   a size and a count.
 * Gives:   objects; NULL when all are out (the caller sheds the newest work, by name).
 * Owns:    the memory, until ss_pool_free; in sanitizer builds objects still out then show as leaks.
 * Thread:  one owner; ss_pool_used may be read by any thread (relaxed).
 */
#ifndef SS_POOL_H
#define SS_POOL_H

#include "base/base.h"

struct ss_pool;

/* count objects of size bytes, cache-line aligned. name is borrowed for ever. NULL without memory. */
struct ss_pool *ss_pool_create(const char *name, size_t size, uint32_t count);
/* Frees the pool. Objects still out become invalid: check ss_pool_used first. */
void ss_pool_free(struct ss_pool *p);
/* An object with unspecified contents, or NULL. */
void *ss_pool_take(struct ss_pool *p);
/* Takes obj back; it must have come from p. */
void ss_pool_give(struct ss_pool *p, void *obj);
uint32_t ss_pool_used(const struct ss_pool *p);
uint32_t ss_pool_size(const struct ss_pool *p);
const char *ss_pool_name(const struct ss_pool *p);

#endif
