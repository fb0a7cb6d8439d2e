/* Every key that the reader knows is documented, with its type and default, and shown in the shipped file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "cfg/cfg.h"

static const char *root; /* the repository's */
static char *manual, *shipped;
static uint32_t wrong;

static char *read_file(const char *name)
{
	char path[4096], *text = NULL;
	size_t n = 0, cap = 0;
	snprintf(path, sizeof(path), "%s/%s", root, name);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	ssize_t got = getdelim(&text, &cap, '\0', f);
	assert_true(got > 0);
	n = (size_t)got;
	fclose(f);
	assert_int_equal(strlen(text), n);
	return text;
}

/* The section whose heading names the group; its length up to the next heading. */
static const char *section(const char *group, size_t *n)
{
	char name[300];
	snprintf(name, sizeof(name), *group ? "`%s`" : "The file", group);
	for (const char *h = strstr(manual, "\n## "); h; h = strstr(h + 1, "\n## ")) {
		const char *line = h + 1, *end = strchr(line, '\n'), *next = strstr(line, "\n## ");
		const char *at = strstr(line, name);
		if (at && at < end) {
			*n = next ? (size_t)(next - line) : strlen(line);
			return line;
		}
	}
	return NULL;
}

static void documented(void *arg, const char *path, const char *type, const char *def, bool required)
{
	char group[300], key[100], row[500], cell[100];
	const char *dot = strrchr(path, '.');
	size_t n;
	snprintf(group, sizeof(group), "%.*s", dot ? (int)(dot - path) : 0, path);
	snprintf(key, sizeof(key), "%s", dot ? dot + 1 : path);
	if (strchr(key, '['))
		*strchr(key, '[') = '\0';
	if (def)
		snprintf(cell, sizeof(cell), "`%s`", def);
	else
		strcpy(cell, required ? "**required**" : "–");
	snprintf(row, sizeof(row), "\n| `%s` | %s | %s | ", key, type, cell);
	const char *at = section(group, &n), *found = at ? strstr(at, row) : NULL;
	if (!found || found >= at + n) {
		print_message("docs/config.md lacks, in the section of `%s`: %s\n", group, row + 1);
		wrong++;
	}
}

static void shown(void *arg, const char *path, const char *type, const char *def, bool required)
{
	char bare[200], quoted[200];
	const char *dot = strrchr(path, '.'), *key = dot ? dot + 1 : path;
	int n = (int)strcspn(key, "[");
	snprintf(bare, sizeof(bare), "%.*s = %s", n, key, def ? def : "");
	snprintf(quoted, sizeof(quoted), "%.*s = \"%s\"", n, key, def ? def : "");
	if (!strstr(shipped, bare) && !(def && strstr(shipped, quoted))) {
		print_message("config/sidestep.cfg lacks %s (%s)\n", quoted, path);
		wrong++;
	}
}

static void every_key_is_documented(void **state)
{
	wrong = 0;
	ss_cfg_keys(documented, NULL);
	assert_int_equal(wrong, 0);
}

static void every_key_is_shown(void **state)
{
	wrong = 0;
	ss_cfg_keys(shown, NULL);
	assert_int_equal(wrong, 0);
}

struct row {
	const char *line, *end;
	bool known;
};

static void count(void *arg, const char *path, const char *type, const char *def, bool required)
{
	char name[120];
	const char *dot = strrchr(path, '.'), *key = dot ? dot + 1 : path;
	snprintf(name, sizeof(name), "| `%.*s` |", (int)strcspn(key, "["), key);
	struct row *r = arg;
	r->known |= strncmp(r->line, name, strlen(name)) == 0;
}

static void has_row(const char *row)
{
	if (!strstr(manual, row)) {
		print_message("docs/config.md lacks: %s", row + 1);
		wrong++;
	}
}

static void profiled(void *arg, const char *path, const char *own, const char *envoy, const char *istio)
{
	char row[400];
	assert_non_null(own); /* the path is a key's, and it has a default */
	snprintf(row, sizeof(row), "\n| %s | `%s` | `%s` | `%s` |\n", path, own, envoy, istio);
	has_row(row);
}

static void aliased(void *arg, const char *base, const char *path, const char *ours)
{
	char row[400];
	snprintf(row, sizeof(row), "\n| %s | `%s` | `%s` |\n", path, base, ours);
	has_row(row);
}

static void profiles_and_aliases_are_documented(void **state)
{
	wrong = 0;
	ss_cfg_profiles(profiled, NULL);
	ss_cfg_aliases(aliased, NULL);
	assert_int_equal(wrong, 0);
}

/* And the manual promises no key that is not there. */
static void no_key_is_invented(void **state)
{
	for (const char *l = strstr(manual, "\n| `"); l; l = strstr(l + 1, "\n| `")) {
		struct row r = { .line = l + 1 };
		ss_cfg_keys(count, &r);
		if (!r.known)
			fail_msg("docs/config.md has a key that nothing reads: %.40s", l + 1);
	}
}

/* The shipped files are right, but for the certificates that this machine does not have. */
static void shipped_files_load(void **state)
{
	static const char *const names[] = { "sidestep.cfg",	     "examples/minimal.cfg",   "examples/ingress.cfg",
					     "examples/egress.cfg", "examples/mesh-node.cfg" };
	for (size_t i = 0; i < SS_ARRAY_LEN(names); i++) {
		char path[4096];
		struct ss_model_errors e = { 0 };
		struct ss_model *m;
		snprintf(path, sizeof(path), "%s/config/%s", root, names[i]);
		ss_cfg_load(path, &m, &e);
		for (uint32_t k = 0; k < e.n; k++)
			if (!strstr(e.text[k], ": cannot read /"))
				fail_msg("%s", e.text[k]);
		ss_model_errors_free(&e);
		ss_model_free(m);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(every_key_is_documented),
		cmocka_unit_test(every_key_is_shown),
		cmocka_unit_test(profiles_and_aliases_are_documented),
		cmocka_unit_test(no_key_is_invented),
		cmocka_unit_test(shipped_files_load),
	};
	if (argc < 2)
		return 2;
	root = argv[1];
	manual = read_file("docs/config.md");
	shipped = read_file("config/sidestep.cfg");
	int failed = cmocka_run_group_tests(t, NULL, NULL);
	free(manual);
	free(shipped);
	return failed;
}
