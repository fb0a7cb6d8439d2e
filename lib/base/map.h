/*
 * map.h - a fixed-capacity open-addressing map from fixed-size keys to 32-bit values.
 *
 * Takes:   a key size and a capacity at creation; keys are copied in.
 * Gives:   lookups in one or two cache lines; no allocation after creation.
 * Owns:    its table.
 * Thread:  one owner.
 * Errors:  SS_ERR_FULL at capacity.
 */
#ifndef SS_MAP_H
#define SS_MAP_H

#include "base/base.h"
#include "base/siphash.h"

struct ss_map;

#define SS_MAP_NONE UINT32_MAX

/* capacity is the most keys held; the table is at least a quarter larger. NULL without memory. */
struct ss_map *ss_map_create(uint32_t key_size, uint32_t capacity, const struct ss_sipkey *key);
void ss_map_free(struct ss_map *m);
/* Inserts or replaces. 0, or SS_ERR_FULL. value must not be SS_MAP_NONE. */
int ss_map_put(struct ss_map *m, const void *key, uint32_t value);
/* The value, or SS_MAP_NONE. */
uint32_t ss_map_get(const struct ss_map *m, const void *key);
/* Removes and returns the value, or SS_MAP_NONE. */
uint32_t ss_map_del(struct ss_map *m, const void *key);
uint32_t ss_map_count(const struct ss_map *m);

#endif
