/*
 * build_files.h - the files of secrets and trusts as they were read together, and which of them are used.
 *
 * Takes:   a model's paths.
 * Gives:   one unit per secret and trust: bytes that belong together, kept while they are the last good ones.
 * Owns:    the bytes (wiped when they go: keys are among them). Units are counted: two sets may share one.
 * Thread:  control. Blocks on files.
 * Errors:  a file that cannot be read is a unit with an errno; who opens it says so.
 *
 * What is judged and what is used are the same bytes: a file may change at any moment.
 */
#ifndef SS_BUILD_FILES_H
#define SS_BUILD_FILES_H

#include <openssl/bio.h>

#include "build/build_int.h"
#include "model/secret_state.h"

#define SS_BUILD_UNIT_FILES 4
/* A list of revoked certificates may be long; more than this is a mistake. */
#define SS_BUILD_FILE_MAX (64u << 20)

struct ss_build_unit {
	uint32_t refs;
	struct ss_secret_state state; /* its texts are the unit's */
	bool good; /* it runs, or ran: not judged by its dates again */
	uint32_t n;
	struct ss_build_file {
		char *path;
		uint8_t *bytes;
		size_t size;
		int error; /* errno; 0: read */
	} file[SS_BUILD_UNIT_FILES];
	uint8_t tried[32]; /* digest of the files that were refused last */
};

struct ss_build_files {
	uint32_t n;
	struct ss_build_unit *unit[];
};

/* Every unit of the model, read now; one whose bytes are the same as in before (may be NULL) is that unit. NULL
 * without memory. */
struct ss_build_files *ss_build_files_read(const struct ss_model *m, const struct ss_build_files *before);
/* A set of the same units. */
struct ss_build_files *ss_build_files_copy(const struct ss_build_files *f);
void ss_build_files_free(struct ss_build_files *f);
struct ss_build_unit *ss_build_files_find(const struct ss_build_files *f, bool trust, const char *name);
/* Puts a unit (held once more) in place of the one of its name. */
void ss_build_files_put(struct ss_build_files *f, struct ss_build_unit *u);
/* f's units are the ones that run from now on. */
void ss_build_files_good(struct ss_build_files *f, const struct ss_build_files *before);
/* Notes on u, which stays in use, that what is read was not taken. False: that has been noted before. */
bool ss_build_files_refuse(struct ss_build_unit *u, const struct ss_build_unit *read, const char *why);

/* What is there now is what runs: a refusal before it is over. */
void ss_build_files_forget(struct ss_build_unit *u);

/* build_snapshot.c: compiles m with these files. What they amount to is the caller's to keep. */
int ss_build_compile(struct ss_build *b, const struct ss_model *m, const struct ss_build_files *files,
		     uint64_t generation, struct ss_snapshot **out, struct ss_model_errors *errors);

/* The unit whose files the job opens from now on. */
void ss_build_files_use(struct ss_build_job *j, bool trust, const char *name);
/* A file of that unit; without a set of files (tests) from the disk. NULL after an error line. */
BIO *ss_build_open(struct ss_build_job *j, const struct ss_model_src *src, const char *key, const char *path);

#endif
