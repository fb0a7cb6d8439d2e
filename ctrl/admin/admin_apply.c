/* admin_apply.c - "apply", "rollback" and "history": a file, or what was in force once, takes the configured file's place. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/admin_int.h"

/* "config=FILE" or "number=N", and "dry_run=yes". NULL, or what is wrong. */
static const char *read_words(char *line, struct ss_apply_want *w)
{
	char *word, *end;

	while (line && (word = strsep(&line, (char[]){ SS_WHY_SEP, 0 }))) {
		if (!strncmp(word, "config=", 7) && word[7] == '/') {
			w->path = word + 7;
		} else if (!strncmp(word, "number=", 7)) {
			errno = 0;
			unsigned long n = strtoul(word + 7, &end, 10);
			if (errno || end == word + 7 || *end || word[7] < '0' || word[7] > '9' || n == 0 || n > UINT_MAX)
				return "which entry? say a number of history";
			w->number = (uint32_t)n;
		} else if (!strcmp(word, "dry_run=yes")) {
			w->dry_run = true;
		} else {
			return "known words are config=/FILE, number=N, dry_run=yes";
		}
	}
	return (w->path != NULL) == (w->number != 0) ? "which file, or which entry of history?" : NULL;
}

static void put_done(struct ss_admin *a, struct ss_json *j, const struct ss_apply_want *w, const struct ss_apply_done *done)
{
	ss_json_text(j, "file", ss_apply_path(a->conf.apply));
	ss_json_text(j, "config_hash", done->hash);
	ss_json_bool(j, "dry_run", w->dry_run);
	if (w->path)
		ss_json_text(j, "from", w->path);
	else
		ss_json_u64(j, "from", w->number);
	if (done->generation) {
		ss_json_u64(j, "generation", done->generation);
		ss_json_u64(j, "number", done->number);
	}
}

void ss_admin_install(struct ss_admin *a, char *line, const char *by, struct ss_admin_install *out)
{
	struct ss_model_errors errors = { 0 };
	struct ss_apply_want want = { .by = by };
	struct ss_apply_done done = { 0 };
	const char *why = read_words(line, &want);
	struct ss_json j;

	*out = (struct ss_admin_install){ 0 };
	if (why) {
		out->text = ss_admin_refusal(&errors, why);
		return;
	}
	ss_json_open(&j);
	out->ok = ss_apply_install(a->conf.apply, &want, &j, &done, &errors) == 0;
	if (out->ok)
		put_done(a, &j, &want, &done);
	out->text = ss_json_close(&j);
	out->generation = done.generation;
	if (!out->ok) {
		free(out->text);
		out->text = ss_admin_refusal(&errors, NULL);
	}
	ss_model_errors_free(&errors);
}

void ss_admin_show_history(struct ss_admin *a, struct ss_json *j)
{
	const struct ss_history *h = ss_apply_history(a->conf.apply);

	ss_json_bool(j, "kept", h != NULL);
	if (ss_history_number(h))
		ss_json_u64(j, "number", ss_history_number(h));
	ss_json_text(j, "file", ss_apply_path(a->conf.apply));
	ss_json_text(j, "state_dir", ss_apply_model(a->conf.apply)->process.state_dir);
	ss_history_show(h, j);
}
