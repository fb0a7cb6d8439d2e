/*
 * state.h - the folder in which control keeps what must survive its process (state_dir).
 *
 * Takes:   the folder's path; files' names and whole contents.
 * Gives:   files that are there wholly or not at all, also after a power cut.
 * Owns:    the folder's descriptor, and its lock: one process at a time keeps state in it.
 * Thread:  control. Blocks on the disk: for what an operator did or a policy decided, never for a request.
 * Errors:  a sentence at open, SS_ERR_CONFIG or SS_ERR_NO_MEM later, with errno. Who gets none goes without.
 *
 * The folder is made with mode 0700, files have 0600: configurations may have secrets' names in them.
 */
#ifndef SS_STATE_H
#define SS_STATE_H

#include <stddef.h>

struct ss_state;

/* Makes the folder where it is missing, and its parent when that is missing alone. SS_ERR_CONFIG: err says why there is
 * none, SS_ERR_NO_MEM. *out is NULL then, and every function below takes NULL: nothing is kept, nothing is found. */
int ss_state_open(struct ss_state **out, const char *dir, char *err, size_t err_n);
void ss_state_close(struct ss_state *s);
/* Its path; NULL for none. */
const char *ss_state_dir(const struct ss_state *s);

/* A folder inside; made where it is missing. */
int ss_state_make(struct ss_state *s, const char *folder);
/* Puts n bytes in place of the file: another file is written, synced and renamed onto it. name: "canary.json" or
 * "folder/file". SS_ERR_NOT_FOUND for NULL. */
int ss_state_write(struct ss_state *s, const char *name, const void *p, size_t n);
/* The whole file with a NUL behind it, free()d by the caller; NULL: not there, larger than max, or no memory. */
char *ss_state_read(struct ss_state *s, const char *name, size_t max, size_t *n);
/* 0 also when it was not there. */
int ss_state_remove(struct ss_state *s, const char *name);

/* Puts n bytes in place of a file anywhere, in the same way; its mode and owner stay when there is one, else it gets
 * `mode`. A symbolic link stays one: what it names is replaced. SS_ERR_CONFIG: err says why not, and nothing has changed. */
int ss_state_replace(const char *path, unsigned mode, const void *p, size_t n, char *err, size_t err_n);

#endif
