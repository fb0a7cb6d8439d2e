/* ctl_apply.c - a line for each change; a table of history. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tools/ctl/ctl_apply.h"

static void show_change(const struct ctl_json *c)
{
	const char *what = ctl_json_text(c, "what");
	printf("%c %s ", *what == 'a' ? '+' : *what == 'r' ? '-' : '~', ctl_json_text(c, "kind"));
	if (ctl_json_has(c, "of"))
		printf("%s.", ctl_json_text(c, "of"));
	printf("%s", ctl_json_text(c, "name"));
	if (ctl_json_has(c, "at") || ctl_json_has(c, "was_at"))
		printf("  (%s)", ctl_json_text(c, ctl_json_has(c, "at") ? "at" : "was_at"));
	for (const struct ctl_json *k = ctl_json_first(c, "keys"); k; k = k->next)
		printf("%s %s", k == ctl_json_first(c, "keys") ? ":" : ",", k->text);
	printf("\n");
}

void ctl_show_diff(const struct ctl_json *v)
{
	uint32_t n = 0;
	for (const struct ctl_json *c = ctl_json_first(v, "changes"); c; c = c->next, n++)
		show_change(c);
	if (!n)
		printf("nothing would change\n");
}

void ctl_show_install(const struct ctl_json *v)
{
	const char *from = ctl_json_text(v, "from");

	ctl_show_diff(v);
	if (!strcmp(ctl_json_text(v, "dry_run"), "yes")) {
		printf("dry run: %s would be %s; nothing was done\n", ctl_json_text(v, "file"), ctl_json_text(v, "config_hash"));
		return;
	}
	printf("applied: %s %s, generation %s, used by every worker; %s is replaced, history %s\n",
	       *from == '/' ? "configuration" : "again", ctl_json_text(v, "config_hash"), ctl_json_text(v, "generation"),
	       ctl_json_text(v, "file"), ctl_json_text(v, "number"));
}

static void show_entry(const struct ctl_json *e)
{
	time_t at = (time_t)ctl_json_number(e, "time");
	char when[32];
	struct tm tm;

	gmtime_r(&at, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	printf("%6s  %s  %-8s  %-8s  %-16s  %s", ctl_json_text(e, "number"), when, ctl_json_text(e, "how"),
	       ctl_json_text(e, "outcome"), ctl_json_text(e, "config_hash"), ctl_json_text(e, "by"));
	if (ctl_json_has(e, "from"))
		printf("  from %s", ctl_json_text(e, "from"));
	if (ctl_json_has(e, "why"))
		printf("  %s", ctl_json_text(e, "why"));
	printf("\n");
}

void ctl_show_history(const struct ctl_json *v)
{
	if (strcmp(ctl_json_text(v, "kept"), "yes")) {
		printf("no history is kept: state_dir %s is not in use (the log says why)\n", ctl_json_text(v, "state_dir"));
		return;
	}
	printf("%6s  %-20s  %-8s  %-8s  %-16s  %s\n", "NUMBER", "TIME", "HOW", "OUTCOME", "CONFIG", "BY");
	for (const struct ctl_json *e = ctl_json_first(v, "entries"); e; e = e->next)
		show_entry(e);
}
