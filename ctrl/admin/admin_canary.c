/* admin_canary.c - "canary": how canaries stand; start, pause, resume or abort one, in somebody's name. */
#include <string.h>

#include "admin/admin_int.h"

static char *sentence(const char *why)
{
	static const struct ss_model_errors none;

	return ss_admin_refusal(&none, why);
}

/* "do=VERB", "route=HOST/ROUTE"; false: something else. */
static bool read_words(char *words, const char **verb, const char **route)
{
	char *word, sep[] = { SS_WHY_SEP, '\0' };

	while ((word = strsep(&words, sep))) {
		if (!strncmp(word, "do=", 3))
			*verb = word + 3;
		else if (!strncmp(word, "route=", 6))
			*route = word + 6;
		else
			return false;
	}
	return true;
}

char *ss_admin_canary(struct ss_admin *a, char *words, const char *by, bool *ok)
{
	const char *verb = "status", *route = NULL;
	uint64_t now = ss_clock_ns(a->conf.clock);
	char err[300];
	struct ss_json j;

	*ok = false;
	if (!read_words(words, &verb, &route))
		return sentence("which canary? say do=VERB and route=VIRTUAL HOST/ROUTE");
	if (!a->conf.canary)
		return sentence("no route has a canary");
	if (strcmp(verb, "status") &&
	    ss_canary_command(a->conf.canary, verb, route, by, now, err, sizeof(err)) < 0)
		return sentence(err);
	*ok = true;
	ss_json_open(&j);
	ss_canary_show(a->conf.canary, route, now, &j);
	return ss_json_close(&j);
}
