/* Files of a state folder: whole, private, one process at a time; and without a folder, nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "state/state.h"

static char root[] = "/tmp/ss-state-XXXXXX";

static const char *in_root(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	return path;
}

static unsigned mode_of(const char *name)
{
	struct stat st;

	assert_int_equal(stat(in_root(name), &st), 0);
	return st.st_mode & 07777;
}

static void test_files(void **state)
{
	struct ss_state *s, *second;
	char err[256];
	size_t n;
	char *text;

	assert_int_equal(ss_state_open(&s, in_root("var/lib"), err, sizeof(err)), 0);
	assert_int_equal(mode_of("var/lib"), 0700);
	assert_int_equal(ss_state_open(&second, in_root("var/lib"), err, sizeof(err)), SS_ERR_CONFIG);
	assert_null(second);
	assert_non_null(strstr(err, "another process"));

	assert_null(ss_state_read(s, "a", 100, &n));
	assert_int_equal(ss_state_write(s, "a", "one", 3), 0);
	assert_int_equal(ss_state_write(s, "a", "three", 5), 0);
	assert_int_equal(mode_of("var/lib/a"), 0600);
	text = ss_state_read(s, "a", 100, &n);
	assert_string_equal(text, "three");
	assert_int_equal(n, 5);
	free(text);
	assert_null(ss_state_read(s, "a", 4, &n)); /* larger than the bound */

	assert_int_equal(ss_state_write(s, "sub/a", "x", 1), SS_ERR_CONFIG); /* no such folder */
	assert_int_equal(ss_state_make(s, "sub"), 0);
	assert_int_equal(ss_state_make(s, "sub"), 0);
	assert_int_equal(ss_state_write(s, "sub/a", "x", 1), 0);
	assert_int_equal(mode_of("var/lib/sub"), 0700);
	assert_int_not_equal(access(in_root("var/lib/sub/a.new"), F_OK), 0);
	assert_int_equal(ss_state_remove(s, "sub/a"), 0);
	assert_int_equal(ss_state_remove(s, "sub/a"), 0);
	assert_null(ss_state_read(s, "sub/a", 100, &n));
	ss_state_close(s);

	/* The lock goes with the process that had it. */
	assert_int_equal(ss_state_open(&s, in_root("var/lib"), err, sizeof(err)), 0);
	text = ss_state_read(s, "a", 100, &n);
	assert_string_equal(text, "three");
	free(text);
	ss_state_close(s);
}

static void test_half_written(void **state)
{
	struct ss_state *s;
	char err[256];
	size_t n;
	FILE *f;

	assert_int_equal(ss_state_open(&s, in_root("half"), err, sizeof(err)), 0);
	assert_int_equal(ss_state_write(s, "a", "good", 4), 0);
	f = fopen(in_root("half/a.new"), "w"); /* as a process leaves it that is killed while it writes */
	assert_non_null(f);
	fputs("ba", f);
	fclose(f);
	char *text = ss_state_read(s, "a", 100, &n);
	assert_string_equal(text, "good");
	free(text);
	assert_int_equal(ss_state_write(s, "a", "better", 6), 0);
	text = ss_state_read(s, "a", 100, &n);
	assert_string_equal(text, "better");
	free(text);
	ss_state_close(s);
}

static void test_none(void **state)
{
	struct ss_state *s;
	char err[256];
	size_t n;
	FILE *f = fopen(in_root("file"), "w");

	assert_non_null(f);
	fclose(f);
	assert_int_equal(ss_state_open(&s, in_root("file"), err, sizeof(err)), SS_ERR_CONFIG);
	assert_non_null(strstr(err, "state_dir: "));
	assert_null(s);
	assert_int_equal(ss_state_open(&s, in_root("x/y/z"), err, sizeof(err)), SS_ERR_CONFIG);
	assert_null(s);
	assert_int_equal(ss_state_write(NULL, "a", "x", 1), SS_ERR_NOT_FOUND);
	assert_null(ss_state_read(NULL, "a", 10, &n));
	assert_int_equal(ss_state_make(NULL, "a"), SS_ERR_NOT_FOUND);
	assert_null(ss_state_dir(NULL));
	ss_state_close(NULL);
}

static void test_replace(void **state)
{
	char err[256], link_to[256], path[256];
	struct stat st;
	FILE *f = fopen(in_root("real.cfg"), "w");

	assert_non_null(f);
	fclose(f);
	assert_int_equal(chmod(in_root("real.cfg"), 0640), 0);
	snprintf(link_to, sizeof(link_to), "%s/link.cfg", root);
	assert_int_equal(symlink("real.cfg", link_to), 0);
	assert_int_equal(ss_state_replace(link_to, 0600, "text", 4, err, sizeof(err)), 0);
	assert_int_equal(lstat(link_to, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(mode_of("real.cfg"), 0640);
	assert_int_equal(stat(link_to, &st), 0);
	assert_int_equal(st.st_size, 4);

	snprintf(path, sizeof(path), "%s/fresh.cfg", root);
	assert_int_equal(ss_state_replace(path, 0600, "x", 1, err, sizeof(err)), 0);
	assert_int_equal(mode_of("fresh.cfg"), 0600);
	assert_int_equal(ss_state_replace("/proc/no/such.cfg", 0600, "x", 1, err, sizeof(err)), SS_ERR_CONFIG);
	assert_non_null(strstr(err, "cannot be replaced"));
}

static int start(void **state)
{
	return mkdtemp(root) ? 0 : -1;
}

static int stop(void **state)
{
	static const char *const files[] = { "var/lib/a", "var/lib/.lock", "half/a", "half/.lock", "file", "link.cfg",
					     "real.cfg", "fresh.cfg" };
	static const char *const folders[] = { "var/lib/sub", "var/lib", "var", "half", "" };

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		unlink(in_root(files[i]));
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		rmdir(in_root(folders[i]));
	return access(root, F_OK) == 0 ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_half_written),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_replace),
	};
	return cmocka_run_group_tests(t, start, stop);
}
