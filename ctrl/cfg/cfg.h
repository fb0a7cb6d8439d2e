/*
 * cfg.h - a libconfig file, read into a model.
 *
 * Takes:   a file's path (@include is followed).
 * Gives:   a complete model with every default filled in, or every error at once.
 * Owns:    nothing; the model is the caller's (ss_model_free).
 * Thread:  control. Blocks on file reads.
 * Units:   the file's durations and sizes carry their unit ("250ms", "64KiB"); the model has ns and bytes.
 * Errors:  SS_ERR_CONFIG with at least one line in `errors`: "file:line: key: what is wrong".
 *
 * Unknown keys are errors, references are resolved, relative paths are relative to the file.
 * PEM files must be readable, but are not parsed here, and regular expressions are not compiled: ctrl/build
 * does that.
 */
#ifndef SS_CFG_H
#define SS_CFG_H

#include "model/json.h"
#include "model/model.h"

/* On success *out is the caller's; on failure it is NULL. errors may hold earlier lines: none is lost. */
int ss_cfg_load(const char *path, struct ss_model **out, struct ss_model_errors *errors);

#define SS_CFG_FLAT_MAX (64u << 20)
/* The file's text with those of the files that it includes in the place of each @include, free()d by the caller: what it
 * says, whatever becomes of them. NULL: why not. */
char *ss_cfg_flat(const char *path, char *why, size_t why_n);
/* The hash of the model that this text would be; false: it is no configuration. */
bool ss_cfg_text_hash(const char *text, char hash[17]);

/* A file of endpoints alone: a model with one cluster, of which nothing but the endpoints is set, and
 * the file's hash. An empty list is an answer, no list is an error. Otherwise as ss_cfg_load. */
int ss_cfg_endpoints(const char *path, struct ss_model **out, struct ss_model_errors *errors);
/* Writes the model's keys, defaults filled in, as members of the object that j is in. Secrets are named
 * by their files. */
void ss_cfg_show(struct ss_json *j, const struct ss_model *m);
/* Writes what differs as the list "changes" of the object that j is in: {"what": "added", "removed" or "changed", "kind",
 * "name", "of": what it is in, "at" and "was_at": file and line, "keys": those that changed}. 0 or SS_ERR_NO_MEM. */
int ss_cfg_diff(struct ss_json *j, const struct ss_model *before, const struct ss_model *after);
/* 0 when both agree in what is read at start only (struct ss_model_process), else SS_ERR_CONFIG and a line
 * for every key that differs. */
int ss_cfg_same_process(const struct ss_model *running, const struct ss_model *wanted,
			struct ss_model_errors *errors);

/*
 * Every key the reader knows, as a path with [] for list entries ("listeners[].tls.mode"), in the
 * order of the tables: for documentation checks. def is the default as the file would say it, or NULL.
 */
typedef void (*ss_cfg_key_fn)(void *arg, const char *path, const char *type, const char *def,
			      bool required);
void ss_cfg_keys(ss_cfg_key_fn fn, void *arg);
/* Every name of others: in a group of `base`, `path` means the key `ours`. */
typedef void (*ss_cfg_alias_fn)(void *arg, const char *base, const char *path, const char *ours);
void ss_cfg_aliases(ss_cfg_alias_fn fn, void *arg);
/* Every default that a profile changes, by profile. */
typedef void (*ss_cfg_profile_fn)(void *arg, const char *path, const char *own, const char *envoy, const char *istio);
void ss_cfg_profiles(ss_cfg_profile_fn fn, void *arg);

#endif
