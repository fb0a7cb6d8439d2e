/* Every way in which a file gets other contents is told once it is there, by events and by looking. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "watch/watch.h"

static char dir[] = "/tmp/ss-watch-XXXXXX";

struct bed {
	struct ss_loop *loop;
	struct ss_watch *w;
	struct ss_loop_event *end;
	uint32_t told;
	bool late;
	char path[2][160];
};

static char *in_dir(const char *name)
{
	static char text[4][160];
	static int i;

	i = (i + 1) % 4;
	snprintf(text[i], sizeof(text[i]), "%s/%s", dir, name);
	return text[i];
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(in_dir(name), "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void on_change(void *arg)
{
	struct bed *b = arg;

	b->told++;
	ss_loop_stop(b->loop);
}

static void on_late(void *arg)
{
	struct bed *b = arg;

	b->late = true;
	ss_loop_stop(b->loop);
}

/* Runs until the watcher speaks; or, where it must not, for a moment. How often it has spoken. */
static uint32_t wait(struct bed *b, uint64_t ns)
{
	struct ss_loop_event *end = ss_loop_every(b->loop, ns, on_late, b);

	b->told = 0;
	b->late = false;
	ss_loop_run(b->loop);
	ss_loop_end(end);
	return b->told;
}

static void begin(struct bed *b, bool without_events, const char *one, const char *two)
{
	const char *paths[2] = { b->path[0], b->path[1] };

	memset(b, 0, sizeof(*b));
	snprintf(b->path[0], sizeof(b->path[0]), "%s", in_dir(one));
	snprintf(b->path[1], sizeof(b->path[1]), "%s", in_dir(two));
	assert_int_equal(ss_loop_create(&b->loop), 0);
	assert_int_equal(ss_watch_create(&b->w, b->loop, without_events, on_change, b), 0);
	assert_int_equal(ss_watch_files(b->w, paths, 2), 0);
}

static void end(struct bed *b)
{
	ss_watch_free(b->w);
	ss_loop_free(b->loop);
}

#define LONG (20 * SS_NS_PER_SEC)
#define SHORT (30 * SS_NS_PER_MS)

static void written_renamed_removed(struct bed *b)
{
	put("a", "longer than before");
	assert_int_equal(wait(b, LONG), 1);
	put("new", "y");
	assert_int_equal(rename(in_dir("new"), in_dir("a")), 0);
	assert_int_equal(wait(b, LONG), 1);
	/* A watch of the file would be one of the old file now. */
	put("new", "z!");
	assert_int_equal(rename(in_dir("new"), in_dir("a")), 0);
	assert_int_equal(wait(b, LONG), 1);
	assert_int_equal(unlink(in_dir("b")), 0);
	assert_int_equal(wait(b, LONG), 1);
	put("b", "again");
	assert_int_equal(wait(b, LONG), 1);
}

static void by_events(void **state)
{
	struct bed b;

	put("a", "1");
	put("b", "1");
	begin(&b, false, "a", "b");
	assert_int_equal(ss_watch_folders(b.w), 1);
	written_renamed_removed(&b);
	/* Both at once are one piece of news. */
	put("a", "both");
	put("b", "both");
	assert_int_equal(wait(&b, LONG), 1);
	assert_int_equal(wait(&b, SHORT), 0);
	/* A neighbour is none; neither is a file that somebody is still writing. */
	put("other", "1");
	assert_int_equal(wait(&b, SHORT), 0);
	FILE *f = fopen(in_dir("a"), "r+");
	assert_int_equal(fputs("half", f) >= 0 && fflush(f) == 0, 1);
	assert_int_equal(wait(&b, SHORT), 0);
	fclose(f);
	assert_int_equal(wait(&b, LONG), 1);
	assert_int_equal(chmod(in_dir("a"), 0), 0);
	assert_int_equal(wait(&b, LONG), 1);
	end(&b);
}

static void by_looking(void **state)
{
	struct bed b;

	put("a", "1");
	put("b", "1");
	begin(&b, true, "a", "b");
	assert_int_equal(ss_watch_folders(b.w), 0);
	written_renamed_removed(&b);
	assert_false(b.late);
	end(&b);
}

/* As Kubernetes does it: a -> data/a, data -> v1; then data is renamed over by a link to v2. */
static void links_on_the_way(void **state)
{
	struct bed b;

	assert_int_equal(mkdir(in_dir("v1"), 0700), 0);
	assert_int_equal(mkdir(in_dir("v2"), 0700), 0);
	put("v1/k", "1");
	put("v2/k", "2");
	assert_int_equal(symlink("v1", in_dir("data")), 0);
	assert_int_equal(symlink("data/k", in_dir("k")), 0);
	begin(&b, false, "k", "v2/k");
	assert_int_equal(symlink("v2", in_dir("data.new")), 0);
	assert_int_equal(rename(in_dir("data.new"), in_dir("data")), 0);
	assert_int_equal(wait(&b, LONG), 1);
	/* What is behind the link now, in its own folder. */
	put("v2/k", "3 and more");
	assert_int_equal(wait(&b, LONG), 1);
	end(&b);
	for (const char *const *p = (const char *const[]){ "k", "data", "v1/k", "v2/k", NULL }; *p; p++)
		unlink(in_dir(*p));
	rmdir(in_dir("v1"));
	rmdir(in_dir("v2"));
}

static int start(void **state)
{
	assert_non_null(mkdtemp(dir));
	return 0;
}

static int stop(void **state)
{
	unlink(in_dir("a"));
	unlink(in_dir("b"));
	unlink(in_dir("other"));
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest t[] = { cmocka_unit_test(by_events), cmocka_unit_test(by_looking),
					cmocka_unit_test(links_on_the_way) };
	return cmocka_run_group_tests(t, start, stop);
}
