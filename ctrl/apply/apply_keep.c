/* apply_keep.c - history of what was read from the configured file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply/apply_int.h"
#include "cfg/cfg.h"
#include "loop/log.h"

char *ss_apply_text(const char *path, const char *hash, char *why, size_t why_n)
{
	char *text = ss_cfg_flat(path, why, why_n), is[17] = "";

	if (!text || (ss_cfg_text_hash(text, is) && !strcmp(is, hash)))
		return text;
	snprintf(why, why_n, "%s: cannot be kept: it has changed meanwhile, or an @include stands within a comment or a text", path);
	free(text);
	return NULL;
}

void ss_apply_keep_read(struct ss_apply *a, enum ss_history_how how, const char *by)
{
	struct ss_history_note note = { .how = how, .by = by, .hash = a->current->hash, .generation = a->generation };
	char why[512], *text;
	uint32_t number = 0;

	/* What is in force already is no new entry: a SIGHUP a minute would push all others out. */
	if (!a->history || !strcmp(ss_history_hash(a->history), a->current->hash))
		return;
	text = ss_apply_text(a->path, a->current->hash, why, sizeof(why));
	if (text)
		number = ss_history_put(a->history, text);
	else
		ss_log(SS_LOG_WARN, "configuration is not kept", "reason", why, NULL);
	free(text);
	ss_history_add(a->history, number, &note);
}

void ss_apply_keep_refused(struct ss_apply *a, const struct ss_history_note *note)
{
	struct ss_history_note refused = *note;

	refused.hash = NULL;
	refused.generation = 0;
	ss_history_add(a->history, 0, &refused);
}
