/*
 * apply_int.h - what the files of this room share.
 *
 * apply.c          the file in force: first, again, candidates
 * apply_keep.c     what was read is kept in history
 * apply_install.c  another file, or an entry of history, takes the configured file's place
 */
#ifndef SS_APPLY_INT_H
#define SS_APPLY_INT_H

#include "apply/apply.h"

struct ss_apply {
	struct ss_build *build;
	struct ss_publish *publish;
	struct ss_disco *disco;     /* NULL: nothing is discovered */
	struct ss_history *history; /* NULL: nothing is kept */
	char *path;
	struct ss_model *first; /* kept for ever: ports and workers borrow its texts */
	struct ss_model *current;
	uint64_t generation;
};

/* Reads the configured file, builds and publishes it. Neither logged nor kept. */
int ss_apply_read(struct ss_apply *a, struct ss_model_errors *errors);

/* apply_keep.c: the file was read, and is in force; or it was refused. */
void ss_apply_keep_read(struct ss_apply *a, enum ss_history_how how, const char *by);
void ss_apply_keep_refused(struct ss_apply *a, const struct ss_history_note *note);
/* A whole text of the file, the hash of which is this; NULL: why not. */
char *ss_apply_text(const char *path, const char *hash, char *why, size_t why_n);

#endif
