/*
 * apply.h - from a file to a configuration that every worker uses, or to a list of what is wrong with it.
 *
 * Takes:   the configuration's path.
 * Gives:   one answer per attempt, also in the log: published (hash, generation) or refused (every error).
 * Owns:    the model in force.
 * Thread:  control. ss_apply_reload blocks for the build; the acknowledgement is waited for by polling.
 * Errors:  a refused attempt changes nothing that runs.
 *
 * What is read at start only (workers, ports, memory, sockets) may not change in a reload: it is refused
 * with the key's name.
 */
#ifndef SS_APPLY_H
#define SS_APPLY_H

#include "build/build.h"
#include "history/history.h"
#include "discovery/discovery.h"
#include "model/json.h"
#include "model/model.h"
#include "publish/publish.h"

struct ss_apply;

struct ss_apply_conf {
	const char *path;          /* copied */
	struct ss_model *model;    /* loaded at start; taken */
	struct ss_build *build;    /* borrowed */
	struct ss_publish *publish; /* borrowed */
	struct ss_history *history; /* borrowed; NULL: nothing is kept */
	struct ss_disco *disco;    /* borrowed; NULL: clusters whose endpoints are discovered have none */
};

int ss_apply_create(struct ss_apply **out, const struct ss_apply_conf *conf);
void ss_apply_free(struct ss_apply *a);

/* Builds and publishes the model given at create: the first generation. */
int ss_apply_first(struct ss_apply *a, struct ss_model_errors *errors);
/* Loads, checks, builds and publishes, logs how it went, and keeps it in history. by: who wants it, or NULL. The generation (above 0) is in *generation;
 * it is acknowledged later. */
int ss_apply_reload(struct ss_apply *a, const char *by, uint64_t *generation, struct ss_model_errors *errors);
/* Files of secrets may have changed: takes those that are good, with the model in force, and logs which. False: some
 * are no good, and were not refused because judge is false: they are to be looked at again. */
bool ss_apply_refresh(struct ss_apply *a, bool judge);
/* Builds the model in force again, and publishes that. True: a generation was published; else the log says why. */
bool ss_apply_again(struct ss_apply *a);
/* Discovery has other endpoints: publishes them, an edition for each cluster. The generation stays. */
void ss_apply_offers(struct ss_apply *a);
/* What a file would be, were it applied now: compiled and checked as a reload does, and not published. Both are the
 * caller's: ss_build_destroy, then ss_model_free. */
int ss_apply_candidate(struct ss_apply *a, const char *path, struct ss_model **m, struct ss_snapshot **s,
		       struct ss_model_errors *errors);
/* What is wrong with a candidate's files of endpoints, which refuses nothing: the last good ones stay, or there are none.
 * "warnings" as a member of the object that j is in, if there are any. */
void ss_apply_warn(const struct ss_apply *a, const struct ss_model *m, struct ss_json *j);
/* What would change were it applied: "changes" (cfg/cfg.h) as a member of the object that j is in. 0 or SS_ERR_NO_MEM. */
int ss_apply_diff(const struct ss_apply *a, const struct ss_model *m, struct ss_json *j);

/* What is to take the configured file's place. */
struct ss_apply_want {
	const char *path; /* a file; NULL: an entry of history */
	uint32_t number;
	bool dry_run;     /* everything but that: what would change, or every error */
	const char *by;   /* who wants it */
};
struct ss_apply_done {
	uint64_t generation; /* 0: none was published */
	uint32_t number;     /* in history */
	char hash[17];
};
/* Checks all that a reload checks, writes "changes" (cfg/cfg.h) as a member of j's object, replaces the configured file, so
 * that a restart reads the same, publishes it, and keeps it in history. Included files become part of the one text. Refused
 * before anything changes: relative names that mean other files there, what cannot be kept. SS_ERR_CONFIG, SS_ERR_NO_MEM. */
int ss_apply_install(struct ss_apply *a, const struct ss_apply_want *want, struct ss_json *j, struct ss_apply_done *done,
		     struct ss_model_errors *errors);
/* NULL: nothing is kept. */
const struct ss_history *ss_apply_history(const struct ss_apply *a);
/* The model in force. */
const struct ss_model *ss_apply_model(const struct ss_apply *a);
/* Its keys, defaults filled in, as members of the object that j is in; secrets by their files' names. */
void ss_apply_show(const struct ss_apply *a, struct ss_json *j);
const char *ss_apply_path(const struct ss_apply *a);

#endif
