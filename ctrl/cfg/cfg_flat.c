/*
 * cfg_flat.c - one text out of a file and those that it includes: what is kept of a configuration must not depend on files
 * that somebody may change.
 *
 * libconfig's @include is lexical: the directive stands for the other file's text. So it does here, line by line. A directive
 * inside a comment or a text of several lines is none for libconfig: the hash of the outcome says whether both agree.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "cfg/cfg_int.h"

#define MAX_DEPTH 10 /* libconfig's own */

struct flat {
	const char *dir; /* of the first file, with its "/": where libconfig looks for included ones */
	char *text;
	size_t n, cap;
	char *why;
	size_t why_n;
};

static bool refuse(struct flat *f, const char *path, const char *why)
{
	snprintf(f->why, f->why_n, "%s: %s", path, why);
	return false;
}

static bool add(struct flat *f, const char *p, size_t n)
{
	if (f->n + n > SS_CFG_FLAT_MAX)
		return refuse(f, "the configuration with what it includes", "is larger than what is kept of one");
	if (f->n + n + 1 > f->cap) {
		size_t cap = (f->n + n + 1) * 2;
		char *grown = realloc(f->text, cap);
		if (!grown)
			return refuse(f, "the configuration", "no memory");
		f->text = grown;
		f->cap = cap;
	}
	memcpy(f->text + f->n, p, n);
	f->n += n;
	f->text[f->n] = '\0';
	return true;
}

/* The name in a line of @include, and where the line goes on; NULL: it is another line. */
static const char *included(const char *line, char *name, size_t room)
{
	size_t n = 0;

	line += strspn(line, " \t");
	if (strncmp(line, "@include", 8))
		return NULL;
	line += 8;
	line += strspn(line, " \t");
	if (*line++ != '"')
		return NULL;
	while (*line && *line != '"' && *line != '\n') {
		if (line[0] == '\\' && (line[1] == '"' || line[1] == '\\'))
			line++;
		if (n + 1 >= room)
			return NULL;
		name[n++] = *line++;
	}
	name[n] = '\0';
	return *line == '"' ? line + 1 : NULL;
}

static FILE *open_included(const struct flat *f, const char *name, char *path, size_t room)
{
	FILE *in = NULL;

	if (snprintf(path, room, "%s%s", f->dir, name) < (int)room)
		in = fopen(path, "re");
	if (!in && name[0] == '/' && snprintf(path, room, "%s", name) < (int)room)
		in = fopen(path, "re");
	return in;
}

static bool take_file(struct flat *f, FILE *in, const char *path, int depth);

static bool take_line(struct flat *f, const char *line, size_t n, int depth)
{
	char name[PATH_MAX], path[PATH_MAX];
	const char *rest = included(line, name, sizeof(name));
	FILE *in;
	bool ok;

	if (!rest)
		return add(f, line, n);
	in = open_included(f, name, path, sizeof(path));
	if (!in)
		return refuse(f, name, strerror(errno));
	ok = take_file(f, in, path, depth + 1);
	fclose(in);
	return ok && add(f, "\n", f->n && f->text[f->n - 1] != '\n') && add(f, rest, n - (size_t)(rest - line));
}

static bool take_file(struct flat *f, FILE *in, const char *path, int depth)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	bool ok = depth <= MAX_DEPTH || refuse(f, path, "is included too deep");

	while (ok && (n = getline(&line, &cap, in)) > 0)
		ok = memchr(line, 0, (size_t)n) ? refuse(f, path, "has a NUL byte") : take_line(f, line, (size_t)n, depth);
	free(line);
	return ok && (!ferror(in) || refuse(f, path, "cannot be read"));
}

char *ss_cfg_flat(const char *path, char *why, size_t why_n)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];
	struct flat f = { .dir = dir, .why = why, .why_n = why_n };
	FILE *in = fopen(path, "re");
	bool ok;

	snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash + 1 - path) : 0, path);
	if (!in) {
		refuse(&f, path, strerror(errno));
		return NULL;
	}
	ok = take_file(&f, in, path, 0) && add(&f, "", 0);
	fclose(in);
	if (ok)
		return f.text;
	free(f.text);
	return NULL;
}

bool ss_cfg_text_hash(const char *text, char hash[17])
{
	config_t file;
	bool ok;

	config_init(&file);
	ok = config_read_string(&file, text) == CONFIG_TRUE;
	if (ok)
		ss_cfg_digest(&file, hash);
	config_destroy(&file);
	return ok;
}
