/* History over processes: bounded, in order, what is in force stays; damage and a full disk are survived. */
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
#include "history/history.h"

static char root[] = "/tmp/ss-history-XXXXXX";
static struct ss_state *kept;
static struct ss_history *h;

static void begin(void)
{
	char err[256];

	assert_int_equal(ss_state_open(&kept, root, err, sizeof(err)), 0);
	assert_int_equal(ss_history_create(&h, kept), 0);
}

static void end(void)
{
	ss_history_free(h);
	ss_state_close(kept);
}

static uint32_t add(enum ss_history_how how, const char *hash, const char *text, const char *refused)
{
	struct ss_history_note note = { .how = how, .by = "uid 0", .from = "/a\tb", .hash = hash, .generation = 7, .refused = refused };
	uint32_t number = text ? ss_history_put(h, text) : 0;

	assert_true(ss_history_add(h, number, &note));
	return number;
}

static char *shown(void)
{
	struct ss_json j;

	ss_json_open(&j);
	ss_history_show(h, &j);
	return ss_json_close(&j);
}

static uint32_t count(const char *text, const char *what)
{
	uint32_t n = 0;

	for (const char *p = text; (p = strstr(p, what)); p++)
		n++;
	return n;
}

static void has_text(uint32_t number, const char *want)
{
	char why[256] = "", *text = ss_history_text(h, number, why, sizeof(why));

	if (want)
		assert_string_equal(text, want);
	else
		assert_null(text);
	free(text);
}

static void test_over_processes(void **state)
{
	char why[256], *text;

	begin();
	assert_int_equal(ss_history_number(h), 0);
	assert_string_equal(ss_history_hash(h), "");
	assert_int_equal(add(SS_HISTORY_START, "aaaaaaaaaaaaaaaa", "a", NULL), 1);
	assert_int_equal(add(SS_HISTORY_APPLY, "bbbbbbbbbbbbbbbb", "b", NULL), 2);
	add(SS_HISTORY_RELOAD, NULL, NULL, "line\none\tand two");
	end();

	begin();
	assert_int_equal(ss_history_number(h), 2);
	assert_string_equal(ss_history_hash(h), "bbbbbbbbbbbbbbbb");
	assert_int_equal(ss_history_find(h, "aaaaaaaaaaaaaaaa"), 1);
	assert_int_equal(ss_history_find(h, "cccccccccccccccc"), 0);
	has_text(1, "a");
	has_text(2, "b");
	assert_null(ss_history_text(h, 3, why, sizeof(why)));
	assert_non_null(strstr(why, "was refused"));
	assert_null(ss_history_text(h, 9, why, sizeof(why)));
	assert_non_null(strstr(why, "has no entry 9"));
	text = shown();
	assert_non_null(strstr(text, "line one and two"));
	assert_non_null(strstr(text, "\"from\":\"/a b\""));
	assert_int_equal(count(text, "in force"), 1);
	free(text);
	/* A text that was kept and then refused is gone; its number is not used again. */
	assert_int_equal(add(SS_HISTORY_APPLY, NULL, "d", "no"), 4);
	has_text(4, NULL);
	assert_int_equal(ss_history_number(h), 2);
	/* What is only found is in force at no time. */
	assert_int_equal(add(SS_HISTORY_FOUND, "eeeeeeeeeeeeeeee", "e", NULL), 5);
	assert_int_equal(ss_history_number(h), 2);
	has_text(5, "e");
	end();
}

static void test_bounds(void **state)
{
	char body[16], name[64], *text;

	begin();
	uint32_t in_force = ss_history_number(h), last = 0;
	for (int i = 0; i < 3 * SS_HISTORY_KEEP; i++) {
		snprintf(body, sizeof(body), "%d", i);
		last = add(SS_HISTORY_FOUND, "ffffffffffffffff", body, NULL);
		add(SS_HISTORY_RELOAD, NULL, NULL, "no");
	}
	assert_int_equal(ss_history_number(h), in_force);
	has_text(in_force, "b"); /* however old */
	has_text(last, body);
	text = shown();
	assert_int_equal(count(text, "\"kept\""), SS_HISTORY_KEEP);
	assert_int_equal(count(text, "\"why\""), SS_HISTORY_KEEP);
	free(text);
	snprintf(name, sizeof(name), "%s/history/1.cfg", root);
	assert_int_not_equal(access(name, F_OK), 0);
	end();
	begin(); /* and all of them are read again */
	text = shown();
	assert_int_equal(count(text, "\"number\""), 2 * SS_HISTORY_KEEP + 1);
	free(text);
	end();
}

static void test_damage(void **state)
{
	char name[64];
	uint32_t last;
	FILE *f;

	snprintf(name, sizeof(name), "%s/history/list", root);
	f = fopen(name, "w");
	assert_non_null(f);
	fputs("2\t70\nnonsense\n71\t5\tapply\taaaaaaaaaaaaaaaa\t1\t1\t-\t-\t-\n70\t5\tapply\tx\t1\t1\t-\t-\t-\n", f);
	fclose(f);
	begin();
	assert_int_equal(ss_history_number(h), 0); /* the list does not have it */
	assert_int_equal(ss_history_find(h, "aaaaaaaaaaaaaaaa"), 71);
	has_text(71, NULL);
	last = add(SS_HISTORY_START, "bbbbbbbbbbbbbbbb", "again", NULL);
	assert_int_equal(last, 72);
	has_text(72, "again");
	end();
	assert_int_equal(ss_history_create(&h, NULL), 0);
	assert_null(h);
	assert_int_equal(ss_history_put(h, "x"), 0);
	has_text(1, NULL);
	ss_history_free(h);
}

static int start(void **state)
{
	return mkdtemp(root) ? 0 : -1;
}

static int stop(void **state)
{
	char path[64];

	for (int i = 1; i < 500; i++) {
		snprintf(path, sizeof(path), "%s/history/%d.cfg", root, i);
		unlink(path);
	}
	static const char *const rest[] = { "history/list", "history", ".lock", "" };
	for (size_t i = 0; i < SS_ARRAY_LEN(rest); i++) {
		snprintf(path, sizeof(path), "%s/%s", root, rest[i]);
		remove(path);
	}
	return access(root, F_OK) == 0 ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(test_over_processes),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_damage),
	};
	return cmocka_run_group_tests(t, start, stop);
}
