/* admin_view.c - the words of "top" and "tap". */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "admin/admin_int.h"
#include "base/err.h"

#define V(field) offsetof(struct ss_tele_view_conf, field)

static const struct {
	const char *word;
	size_t at;
} texts[] = {
	{ "authority", V(authority) }, { "path-prefix", V(path_prefix) }, { "cluster", V(cluster) },
	{ "route", V(route) },	       { "method", V(method) },		  { "identity", V(identity) },
};

static const struct {
	const char *word;
	enum ss_tele_view_kind kind;
} tables[] = {
	{ "services", SS_TELE_TOP_SERVICES },
	{ "endpoints", SS_TELE_TOP_ENDPOINTS },
	{ "connections", SS_TELE_TOP_CONNECTIONS },
};

static bool read_number(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end && !errno && *out >= min && *out <= max;
}

/* "503" or "5xx"; "0": no answer was begun. */
static bool read_status(struct ss_tele_view_conf *c, const char *text)
{
	uint64_t n;

	if (text[0] >= '1' && text[0] <= '5' && !strcasecmp(text + 1, "xx")) {
		c->status_from = (uint16_t)((text[0] - '0') * 100);
		c->status_to = (uint16_t)(c->status_from + 99);
		return true;
	}
	if (!read_number(text, 100, 599, &n))
		return false;
	c->status_from = c->status_to = (uint16_t)n;
	return true;
}

static bool read_table(struct ss_tele_view_conf *c, const char *text)
{
	for (size_t i = 0; i < SS_ARRAY_LEN(tables); i++) {
		if (strcmp(tables[i].word, text))
			continue;
		c->kind = tables[i].kind;
		return true;
	}
	return false;
}

static const char *read_word(struct ss_tele_view_conf *c, bool top, char *word)
{
	char *value = strchr(word, '=');
	uint64_t n;

	if (!value)
		return "a word without a value";
	*value++ = '\0';
	for (size_t i = 0; i < SS_ARRAY_LEN(texts); i++) {
		if (strcmp(texts[i].word, word))
			continue;
		*(const char **)((char *)c + texts[i].at) = value;
		return NULL;
	}
	if (!strcmp(word, "status"))
		return read_status(c, value) ? NULL : "status: write it as 503 or 5xx";
	if (!strcmp(word, "min-ms")) {
		if (!read_number(value, 0, 86400000, &n))
			return "min-ms: write a number of milliseconds";
		c->min_ns = n * SS_NS_PER_MS;
		return NULL;
	}
	if (!strcmp(word, "max"))
		return read_number(value, 1, UINT32_MAX, &c->max) ? NULL : "max: write a number above 0";
	if (!top)
		return "no such word; known are authority, path-prefix, cluster, route, method, identity, status, min-ms, max";
	if (!strcmp(word, "of"))
		return read_table(c, value) ? NULL : "top of what? services, endpoints or connections";
	if (strcmp(word, "interval"))
		return "no such word; known are of, interval, max and those of tap";
	if (!read_number(value, 100, 600000, &n))
		return "interval: from 100ms to 10m";
	c->interval_ns = n * SS_NS_PER_MS;
	return NULL;
}

const char *ss_admin_look(struct ss_admin *a, bool top, char *line, struct ss_tele_view **out)
{
	struct ss_tele_view_conf c = { .kind = top ? SS_TELE_TOP_SERVICES : SS_TELE_TAP, .interval_ns = SS_NS_PER_SEC };
	const char sep[] = { SS_WHY_SEP, 0 };
	const char *why = NULL;

	*out = NULL;
	while (line && !why)
		why = read_word(&c, top, strsep(&line, sep));
	if (why)
		return why;
	if (!a->conf.tele)
		return "nobody looks at requests here";
	switch (ss_tele_view_open(out, a->conf.tele, &c)) {
	case 0:
		return NULL;
	case SS_ERR_FULL:
		return "too many look already";
	default:
		return "out of memory";
	}
}
