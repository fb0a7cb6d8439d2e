#include "contract/names.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"

/*
 * An id is the position in `text`. Names are never taken out, so the text of an id can be lent for
 * ever. The map knows a name by 128 bits of keyed hash; the text decides when two should meet.
 */
struct ss_names {
	struct ss_map *ids;
	struct ss_sipkey key[2];
	uint32_t capacity, count;
	char **text;
};

struct name_key {
	uint64_t h[2];
};

static struct name_key key_of(const struct ss_names *t, const char *name)
{
	size_t n = strlen(name);
	return (struct name_key){ { ss_siphash(&t->key[0], name, n), ss_siphash(&t->key[1], name, n) } };
}

struct ss_names *ss_names_create(uint32_t capacity)
{
	struct ss_names *t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	ss_sipkey_random(&t->key[0]);
	ss_sipkey_random(&t->key[1]);
	t->capacity = capacity;
	t->count = 1; /* id 0 is "-" */
	t->ids = ss_map_create(sizeof(struct name_key), capacity, &t->key[0]);
	t->text = calloc(capacity + 1, sizeof(*t->text));
	if (!t->ids || !t->text) {
		ss_names_free(t);
		return NULL;
	}
	return t;
}

void ss_names_free(struct ss_names *t)
{
	if (!t)
		return;
	for (uint32_t i = 1; t->text && i < t->count; i++)
		free(t->text[i]);
	free(t->text);
	ss_map_free(t->ids);
	free(t);
}

uint32_t ss_names_intern(struct ss_names *t, const char *name)
{
	struct name_key k = key_of(t, name);
	uint32_t id = ss_map_get(t->ids, &k);
	if (id != SS_MAP_NONE)
		return strcmp(t->text[id], name) == 0 ? id : 0;
	char *copy = t->count <= t->capacity ? strdup(name) : NULL;
	if (!copy)
		return 0;
	if (ss_map_put(t->ids, &k, t->count) < 0) {
		free(copy);
		return 0;
	}
	t->text[t->count] = copy;
	return t->count++;
}

const char *ss_names_text(const struct ss_names *t, uint32_t id)
{
	return id == 0 || id >= t->count ? "-" : t->text[id];
}
