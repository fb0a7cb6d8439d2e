/*
 * history.h - which configurations were in force, and what was tried: a bounded list with their whole texts.
 *
 * Takes:   the state folder; attempts (start, reload, apply, rollback) with their text and what came of them.
 * Gives:   the list, newest last; the text of an entry, to be applied again.
 * Owns:    the folder "history" in the state folder: a list ("list") and a file per text ("12.cfg"), mode 0600.
 * Thread:  control. Blocks on the disk.
 * Errors:  what cannot be written is logged and told; what runs goes on.
 *
 * An entry is a configuration, not an attempt: reading one that is in force already adds none. A refused attempt has no
 * text. SS_HISTORY_KEEP texts and as many refusals are kept; the one in force never goes.
 */
#ifndef SS_HISTORY_H
#define SS_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "model/json.h"
#include "state/state.h"

#define SS_HISTORY_KEEP 20

struct ss_history;

enum ss_history_how {
	SS_HISTORY_START,
	SS_HISTORY_RELOAD,
	SS_HISTORY_APPLY,
	SS_HISTORY_ROLLBACK,
	SS_HISTORY_FOUND, /* stood in the file and was never in force when it was replaced */
};

struct ss_history_note {
	enum ss_history_how how;
	const char *by;     /* who: "uid 0", "signal"; NULL: nobody said */
	const char *from;   /* the file that the operator named, or the entry; NULL: the configured file */
	const char *hash;   /* NULL: it is no configuration */
	uint64_t generation;
	const char *refused; /* why; NULL: it was not */
};

/* Reads the list that is there; state is borrowed and may be NULL: nothing is kept then, and *out is NULL, which every
 * function below takes. SS_ERR_NO_MEM, SS_ERR_CONFIG: the folder cannot be made. */
int ss_history_create(struct ss_history **out, struct ss_state *state);
void ss_history_free(struct ss_history *h);

/* The entry in force: its number, 0: none; and its hash, "" for none. */
uint32_t ss_history_number(const struct ss_history *h);
const char *ss_history_hash(const struct ss_history *h);
/* The number of the newest entry with a text that has this hash; 0: none has. */
uint32_t ss_history_find(const struct ss_history *h, const char *hash);

/* Keeps a text before it takes the place of another: the number of the entry that it will be, 0: it cannot be kept (errno). */
uint32_t ss_history_put(struct ss_history *h, const char *text);
/* What became of an attempt. number: of its text, from ss_history_put; 0: it has none. What was neither refused nor only found
 * is the entry in force from now on. False: the list could not be written (logged); it goes on in memory. */
bool ss_history_add(struct ss_history *h, uint32_t number, const struct ss_history_note *note);

/* An entry's text, free()d by the caller; NULL: why says what there is not. */
char *ss_history_text(struct ss_history *h, uint32_t number, char *why, size_t why_n);
/* "entries", the list, newest last: a member of the object that j is in. */
void ss_history_show(const struct ss_history *h, struct ss_json *j);

#endif
