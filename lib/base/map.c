#include "base/map.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

/*
 * Linear probing over a power of two; a deletion moves later entries of the run back into the hole,
 * so there are no tombstones and lookups stay short for ever. Each slot keeps the low bits of its
 * key's hash beside the value: most probes that miss never touch the key.
 */
struct slot {
	uint32_t hash, value; /* value SS_MAP_NONE: empty */
};

struct ss_map {
	struct ss_sipkey sip;
	uint32_t key_size, capacity, mask, count;
	struct slot *slots;
	uint8_t *keys;
};

static uint32_t table_size(uint32_t capacity)
{
	uint64_t want = (uint64_t)capacity + capacity / 4 + 1, n = 8;
	while (n < want)
		n *= 2;
	return n <= UINT32_MAX / 2 ? (uint32_t)n : 0;
}

struct ss_map *ss_map_create(uint32_t key_size, uint32_t capacity, const struct ss_sipkey *key)
{
	uint32_t n = table_size(capacity);
	struct ss_map *m = n ? calloc(1, sizeof(*m)) : NULL;
	if (!m)
		return NULL;
	m->sip = *key;
	m->key_size = key_size;
	m->capacity = capacity;
	m->mask = n - 1;
	m->slots = malloc((size_t)n * sizeof(*m->slots));
	m->keys = calloc(n, key_size);
	if (!m->slots || !m->keys) {
		ss_map_free(m);
		return NULL;
	}
	for (uint32_t i = 0; i < n; i++)
		m->slots[i] = (struct slot){ 0, SS_MAP_NONE };
	return m;
}

void ss_map_free(struct ss_map *m)
{
	if (!m)
		return;
	free(m->slots);
	free(m->keys);
	free(m);
}

static inline uint8_t *key_at(const struct ss_map *m, uint32_t i)
{
	return m->keys + (size_t)i * m->key_size;
}

/* The slot that holds key, or the empty slot where its run ends. */
static uint32_t find(const struct ss_map *m, const void *key, uint32_t hash)
{
	uint32_t i = hash & m->mask;
	while (m->slots[i].value != SS_MAP_NONE &&
	       (m->slots[i].hash != hash || memcmp(key_at(m, i), key, m->key_size) != 0))
		i = (i + 1) & m->mask;
	return i;
}

static inline uint32_t hash_of(const struct ss_map *m, const void *key)
{
	return (uint32_t)ss_siphash(&m->sip, key, m->key_size);
}

int ss_map_put(struct ss_map *m, const void *key, uint32_t value)
{
	uint32_t hash = hash_of(m, key), i = find(m, key, hash);
	if (m->slots[i].value == SS_MAP_NONE) {
		if (m->count == m->capacity)
			return SS_ERR_FULL;
		m->count++;
		memcpy(key_at(m, i), key, m->key_size);
	}
	m->slots[i] = (struct slot){ hash, value };
	return 0;
}

uint32_t ss_map_get(const struct ss_map *m, const void *key)
{
	return m->slots[find(m, key, hash_of(m, key))].value;
}

/* Closes the hole at i: a later entry of the run moves back unless its home lies after the hole. */
static void close_hole(struct ss_map *m, uint32_t hole)
{
	for (uint32_t i = (hole + 1) & m->mask; m->slots[i].value != SS_MAP_NONE; i = (i + 1) & m->mask) {
		uint32_t home = m->slots[i].hash & m->mask;
		if (((i - home) & m->mask) < ((i - hole) & m->mask))
			continue;
		m->slots[hole] = m->slots[i];
		memcpy(key_at(m, hole), key_at(m, i), m->key_size);
		hole = i;
	}
	m->slots[hole].value = SS_MAP_NONE;
}

uint32_t ss_map_del(struct ss_map *m, const void *key)
{
	uint32_t i = find(m, key, hash_of(m, key)), value = m->slots[i].value;
	if (value != SS_MAP_NONE) {
		close_hole(m, i);
		m->count--;
	}
	return value;
}

uint32_t ss_map_count(const struct ss_map *m)
{
	return m->count;
}
