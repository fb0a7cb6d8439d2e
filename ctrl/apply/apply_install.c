/*
 * apply_install.c - another file, or an entry of history, takes the place of the configured file.
 *
 * The configured file is what a restart and a SIGHUP read: it is replaced, so that both find what is in force. What cannot
 * be kept as one text, or would mean something else in that place, is refused by name before anything changes.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apply/apply_int.h"
#include "base/err.h"
#include "cfg/cfg.h"
#include "loop/log.h"
#include "loop/pace.h"

/* Of one attempt: freed at its end. */
struct install {
	const struct ss_apply_want *want;
	char beside[PATH_MAX]; /* stands where the configured file does, so that its relative names mean the same */
	char *text;            /* that is to be in force */
	char *before;          /* the configured file's, byte by byte; NULL: there is none */
	char hash[17];
	struct ss_model *m;
};

static int refuse(struct ss_model_errors *errors, const char *why)
{
	ss_model_error(errors, NULL, NULL, "%s", why);
	return SS_ERR_CONFIG;
}

/* ---- what is to be in force ---- */

/* Everything that a reload checks. in->m is what it says. */
static int check(struct ss_apply *a, struct install *in, const char *path, struct ss_model_errors *errors)
{
	struct ss_snapshot *s;
	int err = ss_apply_candidate(a, path, &in->m, &s, errors);

	if (err < 0)
		return err;
	ss_build_destroy(s);
	memcpy(in->hash, in->m->hash, sizeof(in->hash));
	return 0;
}

static int put_beside(struct ss_apply *a, struct install *in, struct ss_model_errors *errors)
{
	char why[512];

	if (snprintf(in->beside, sizeof(in->beside), "%s.candidate", a->path) >= (int)sizeof(in->beside))
		return refuse(errors, "the configured file's path is too long");
	if (ss_state_replace(in->beside, 0600, in->text, strlen(in->text), why, sizeof(why)) < 0)
		return refuse(errors, why);
	return 0;
}

/* The file that names a discovery is compared, not what came of it: nobody has asked for the other one's. */
static void share_discovered(struct ss_model *there, const struct ss_model *m)
{
	for (uint32_t i = 0; i < there->n_clusters && i < m->n_clusters; i++) {
		if (!there->clusters[i].discovery.present || !m->clusters[i].discovery.present)
			continue;
		there->clusters[i].endpoints = m->clusters[i].endpoints;
		there->clusters[i].n_endpoints = m->clusters[i].n_endpoints;
	}
}

/* Does the text say the same where the configured file stands? Relative names are looked up from there. */
static int check_place(struct install *in, struct ss_model_errors *errors)
{
	struct ss_model *there;
	struct ss_json j;
	char why[PATH_MAX + 256], *changes;
	bool same;

	if (ss_cfg_load(in->beside, &there, errors) < 0)
		return SS_ERR_CONFIG;
	share_discovered(there, in->m);
	ss_json_open(&j);
	same = ss_cfg_diff(&j, in->m, there) == 0;
	changes = ss_json_close(&j);
	same = same && changes && !strcmp(changes, "{\"changes\":[]}");
	ss_model_free(there);
	if (!same) {
		snprintf(why, sizeof(why), "%s: its relative names mean other files in the configured file's folder; write them "
			 "whole, or put it into that folder: %.200s", in->want->path, changes ? changes : "no memory");
		refuse(errors, why);
	}
	free(changes);
	return same ? 0 : SS_ERR_CONFIG;
}

static int prepare_file(struct ss_apply *a, struct install *in, struct ss_model_errors *errors)
{
	char why[PATH_MAX + 256];
	int err = check(a, in, in->want->path, errors);

	if (err < 0)
		return err;
	in->text = ss_apply_text(in->want->path, in->hash, why, sizeof(why));
	if (!in->text)
		return refuse(errors, why);
	if ((err = put_beside(a, in, errors)) == 0)
		err = check_place(in, errors);
	return err;
}

static int prepare_entry(struct ss_apply *a, struct install *in, struct ss_model_errors *errors)
{
	char why[512];
	int err;

	in->text = ss_history_text(a->history, in->want->number, why, sizeof(why));
	if (!in->text)
		return refuse(errors, why);
	if ((err = put_beside(a, in, errors)) == 0)
		err = check(a, in, in->beside, errors);
	return err;
}

/* ---- what is there ---- */

static char *read_whole(const char *path)
{
	FILE *f = fopen(path, "re"), *out;
	char *text = NULL, some[65536];
	size_t n = 0, got;
	bool ok;

	if (!f)
		return NULL;
	out = open_memstream(&text, &n);
	while (out && (got = fread(some, 1, sizeof(some), f)) > 0)
		fwrite(some, 1, got, out);
	ok = out && !ferror(f) && fclose(out) == 0;
	fclose(f);
	if (ok)
		return text;
	free(text);
	return NULL;
}

/* Somebody's work that was never in force must not be lost with the file that it is in. */
static int keep_found(struct ss_apply *a, struct install *in, struct ss_model_errors *errors)
{
	struct ss_history_note note = { .how = SS_HISTORY_FOUND, .by = in->want->by };
	char why[512], hash[17] = "", *text;
	uint32_t number;
	bool known;

	in->before = read_whole(a->path);
	if (!in->before)
		return errno == ENOENT ? 0 : refuse(errors, "the configured file cannot be read, and so not be kept");
	text = ss_cfg_flat(a->path, why, sizeof(why));
	known = text && ss_cfg_text_hash(text, hash) && ss_history_find(a->history, hash) != 0;
	number = known ? 0 : ss_history_put(a->history, text ? text : in->before);
	free(text);
	if (known)
		return 0;
	if (!number)
		return refuse(errors, "the configured file cannot be kept in history (the log says why)");
	note.hash = hash[0] ? hash : NULL;
	ss_history_add(a->history, number, &note);
	return 0;
}

/* ---- the swap ---- */

static void put_back(struct ss_apply *a, struct install *in)
{
	char why[512];

	if (!in->before)
		(void)unlink(a->path);
	else if (ss_state_replace(a->path, 0600, in->before, strlen(in->before), why, sizeof(why)) < 0)
		ss_log(SS_LOG_ERROR, "the configured file is not what is in force", "reason", why, NULL);
}

static int swap(struct ss_apply *a, struct install *in, const struct ss_history_note *as, struct ss_apply_done *done,
		struct ss_model_errors *errors)
{
	struct ss_history_note note = *as;
	char why[512];
	int err = keep_found(a, in, errors);

	if (err < 0)
		return err;
	done->number = ss_history_put(a->history, in->text);
	if (!done->number)
		return refuse(errors, "it cannot be kept in history (the log says why)");
	if (ss_state_replace(a->path, 0600, in->text, strlen(in->text), why, sizeof(why)) < 0)
		err = refuse(errors, why);
	else if ((err = ss_apply_read(a, errors)) < 0)
		put_back(a, in);
	if (err < 0) {
		note.refused = errors->n ? errors->text[errors->n - 1] : "no memory";
		ss_history_add(a->history, done->number, &note);
		return err;
	}
	note.hash = in->hash;
	note.generation = done->generation = a->generation;
	ss_history_add(a->history, done->number, &note);
	return 0;
}

static int install(struct ss_apply *a, struct install *in, struct ss_json *j, struct ss_apply_done *done,
		   struct ss_model_errors *errors)
{
	const struct ss_apply_want *w = in->want;
	struct ss_history_note note = { .how = w->path ? SS_HISTORY_APPLY : SS_HISTORY_ROLLBACK, .by = w->by };
	char entry[16];
	uint32_t before = errors->n;
	int err;

	snprintf(entry, sizeof(entry), "%u", w->number);
	note.from = w->path ? w->path : entry;
	if (!a->history)
		return refuse(errors, "nothing is applied without history: state_dir is not in use (the log says why)");
	err = w->path ? prepare_file(a, in, errors) : prepare_entry(a, in, errors);
	if (err == 0 && ss_cfg_diff(j, a->current, in->m) < 0)
		err = SS_ERR_NO_MEM;
	if (err == 0)
		ss_apply_warn(a, in->m, j);
	if (err == 0 && !w->dry_run)
		return swap(a, in, &note, done, errors);
	if (err < 0 && !w->dry_run) {
		note.refused = errors->n > before ? errors->text[before] : "no memory";
		ss_apply_keep_refused(a, &note);
	}
	return err;
}

int ss_apply_install(struct ss_apply *a, const struct ss_apply_want *want, struct ss_json *j, struct ss_apply_done *done,
		     struct ss_model_errors *errors)
{
	struct install in = { .want = want };
	uint32_t before = errors->n;
	struct ss_pace pace;
	int err;

	*done = (struct ss_apply_done){ 0 };
	ss_pace_begin(&pace, ss_model_core_shared(&a->first->process, a->first->process.control_core, 0));
	err = install(a, &in, j, done, errors);
	ss_pace_end(&pace);
	memcpy(done->hash, in.hash, sizeof(in.hash));
	if (in.beside[0])
		(void)unlink(in.beside);
	for (uint32_t i = before; err < 0 && !want->dry_run && i < errors->n; i++)
		ss_log(SS_LOG_ERROR, "configuration refused", "reason", errors->text[i], NULL);
	if (err == 0 && !want->dry_run)
		ss_log(SS_LOG_INFO, "configuration published", "generation", ss_log_u64(a->generation), "hash", in.hash, "how",
		       want->path ? "apply" : "rollback", "by", want->by, "from", want->path ? want->path : "history", "history",
		       ss_log_u64(done->number), NULL);
	free(in.text);
	free(in.before);
	ss_model_free(in.m);
	return err;
}
