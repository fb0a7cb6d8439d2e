/*
 * text_index.h - which number belongs to a text: names to objects, where a list has thousands.
 *
 * Takes:   texts that outlive the index.
 * Gives:   the number that a text was put with first.
 * Owns:    its table, until ss_text_index_free; all zero is an empty index.
 * Thread:  control.
 * Errors:  without memory nothing is kept, and is not found later.
 */
#ifndef SS_TEXT_INDEX_H
#define SS_TEXT_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#define SS_TEXT_NONE UINT32_MAX

struct ss_text_place {
	const char *text; /* NULL: empty */
	uint32_t hash, number;
};

struct ss_text_index {
	bool any_case; /* ASCII letters of either case are the same */
	uint32_t n, n_places;
	struct ss_text_place *places;
};

/* SS_TEXT_NONE, or the number that an equal text has already; then the new one is not kept. */
uint32_t ss_text_index_put(struct ss_text_index *x, const char *text, uint32_t number);
/* SS_TEXT_NONE when it is not there. */
uint32_t ss_text_index_get(const struct ss_text_index *x, const char *text);
void ss_text_index_free(struct ss_text_index *x);

#endif
