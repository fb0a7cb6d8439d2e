#include "model/text_index.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* FNV-1a. The texts are the operator's: nobody chooses them to collide. */
static uint32_t hash_of(const struct ss_text_index *x, const char *text)
{
	uint32_t h = 2166136261u;

	for (; *text; text++)
		h = (h ^ (uint8_t)(x->any_case ? tolower((unsigned char)*text) : *text)) * 16777619u;
	return h;
}

static bool same(const struct ss_text_index *x, const char *a, const char *b)
{
	return x->any_case ? !strcasecmp(a, b) : !strcmp(a, b);
}

/* Where the text is, or where it would go. At most half of the places are taken. */
static struct ss_text_place *find(const struct ss_text_index *x, const char *text, uint32_t hash)
{
	uint32_t i = hash & (x->n_places - 1);

	while (x->places[i].text && (x->places[i].hash != hash || !same(x, x->places[i].text, text)))
		i = (i + 1) & (x->n_places - 1);
	return &x->places[i];
}

static bool grow(struct ss_text_index *x)
{
	struct ss_text_index wide = *x;

	if (2 * (x->n + 1) <= x->n_places)
		return true;
	wide.n_places = x->n_places ? 2 * x->n_places : 64;
	wide.places = calloc(wide.n_places, sizeof(*wide.places));
	if (!wide.places)
		return false;
	for (uint32_t i = 0; i < x->n_places; i++)
		if (x->places[i].text)
			*find(&wide, x->places[i].text, x->places[i].hash) = x->places[i];
	free(x->places);
	*x = wide;
	return true;
}

uint32_t ss_text_index_put(struct ss_text_index *x, const char *text, uint32_t number)
{
	uint32_t hash = hash_of(x, text);
	struct ss_text_place *p;

	if (!grow(x))
		return ss_text_index_get(x, text);
	p = find(x, text, hash);
	if (p->text)
		return p->number;
	*p = (struct ss_text_place){ text, hash, number };
	x->n++;
	return SS_TEXT_NONE;
}

uint32_t ss_text_index_get(const struct ss_text_index *x, const char *text)
{
	const struct ss_text_place *p = x->n ? find(x, text, hash_of(x, text)) : NULL;

	return p && p->text ? p->number : SS_TEXT_NONE;
}

void ss_text_index_free(struct ss_text_index *x)
{
	free(x->places);
	*x = (struct ss_text_index){ .any_case = x->any_case };
}
