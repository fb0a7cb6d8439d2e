/*
 * discovery_test.c - files of endpoints: what is lent, what is offered when they change, what stays when they are no good.
 * Whatever the file system and the loop need, is waited for: no test knows how long that takes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "discovery/discovery.h"
#include "loop/log.h"

static char dir[] = "/tmp/ss-disco-XXXXXX";

struct world {
	struct ss_loop *loop;
	struct ss_clock clock;
	struct ss_disco *d;
	struct ss_model *m;
	const char *refuse; /* every offer, with this */
	uint32_t offers;
	uint32_t wanted; /* the loop ends when the cluster has so many endpoints, */
	bool until_failing, until_well; /* or its discovery stands so */
};

static const char *path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(path_of(name), "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

/* n endpoints, by a rename. */
static void put_list(const char *name, uint32_t n, const char *more)
{
	char from[256];
	FILE *f = fopen(path_of("new"), "w");

	assert_non_null(f);
	fputs("endpoints = (\n", f);
	for (uint32_t i = 0; i < n; i++)
		fprintf(f, "%s{ address = \"10.0.%u.%u\"; port = 80; %s }\n", i ? "," : "", i / 250, i % 250 + 1, more);
	fputs(");\n", f);
	assert_int_equal(fclose(f), 0);
	strcpy(from, path_of("new"));
	assert_int_equal(rename(from, path_of(name)), 0);
}

static struct ss_discovery_state state_of(const struct world *w, uint32_t i)
{
	struct ss_discovery_state s;

	assert_true(ss_disco_state(w->d, i, &s));
	return s;
}

static void on_change(void *arg)
{
	struct world *w = arg;
	struct ss_disco_offer o;

	while (ss_disco_offer(w->d, w->m, &o)) {
		w->offers++;
		if (!w->refuse) {
			w->m->clusters[o.at].endpoints = o.endpoints;
			w->m->clusters[o.at].n_endpoints = o.n;
		}
		ss_disco_settle(w->d, &o, w->refuse);
	}
}

static void on_tick(void *arg)
{
	struct world *w = arg;
	bool failing = state_of(w, 0).failing != NULL;

	if (w->m->clusters[0].n_endpoints == w->wanted && (!w->until_failing || failing) && (!w->until_well || !failing))
		ss_loop_stop(w->loop);
}

/* Turns the loop until it is so; a test that waits for ever is ended by its runner. */
static void wait_for(struct world *w, uint32_t endpoints, bool failing)
{
	struct ss_loop_event *tick = ss_loop_every(w->loop, SS_NS_PER_MS, on_tick, w);

	assert_non_null(tick);
	w->wanted = endpoints;
	w->until_failing = failing;
	w->until_well = !failing;
	ss_loop_run(w->loop);
	ss_loop_end(tick);
}

static struct ss_model *model_of(uint32_t n, const char *const *names, const char *const *files)
{
	struct ss_model *m = ss_model_new();

	m->n_clusters = n;
	m->clusters = ss_model_alloc(m, n * sizeof(*m->clusters));
	for (uint32_t i = 0; i < n; i++) {
		m->clusters[i].name = ss_model_text(m, names[i]);
		m->clusters[i].discovery.present = files[i] != NULL;
		m->clusters[i].discovery.path = files[i] ? ss_model_text(m, path_of(files[i])) : NULL;
	}
	return m;
}

static struct ss_model *one(const char *file)
{
	return model_of(1, (const char *const[]){"web"}, (const char *const[]){file});
}

static void begin(struct world *w, struct ss_model *m)
{
	memset(w, 0, sizeof(*w));
	assert_int_equal(ss_loop_create(&w->loop), 0);
	ss_clock_init(&w->clock, 0);
	struct ss_disco_conf conf = {.loop = w->loop, .clock = &w->clock, .max_endpoints = 1000, .changed = on_change, .arg = w};
	assert_int_equal(ss_disco_create(&w->d, &conf), 0);
	w->m = m;
	assert_int_equal(ss_disco_lend(w->d, m), 0);
	ss_disco_follow(w->d, m);
}

static void end(struct world *w)
{
	ss_model_free(w->m);
	ss_disco_free(w->d);
	ss_loop_free(w->loop);
}

static void a_file_is_lent_with_all_that_it_says(void **state)
{
	struct world w;

	put("a.cfg", "endpoints = (\n"
		     " { address = \"10.0.0.1\"; port = 80; weight = 7; priority = 2; region = \"eu\"; zone = \"z\"; },\n"
		     " { address = \"::1\"; port = 81; health = \"draining\"; labels = { version = \"v2\"; }; } );\n");
	begin(&w, one("a.cfg"));
	const struct ss_model_cluster *k = w.m->clusters;
	assert_int_equal(k->n_endpoints, 2);
	assert_int_equal(k->endpoints[0].weight, 7);
	assert_int_equal(k->endpoints[0].priority, 2);
	assert_string_equal(k->endpoints[0].locality.zone, "z");
	assert_int_equal(k->endpoints[0].src.line, 2);
	assert_string_equal(k->endpoints[0].src.file, path_of("a.cfg"));
	assert_int_equal(k->endpoints[1].addr.ip.family, 6);
	assert_int_equal(k->endpoints[1].said, SS_EP_DRAINING);
	assert_string_equal(k->endpoints[1].labels.v[0].value, "v2");
	struct ss_discovery_state s = state_of(&w, 0);
	assert_string_equal(s.cluster, "web");
	assert_int_equal(s.n_endpoints, 2);
	assert_true(s.answered);
	assert_null(s.failing);
	assert_false(ss_disco_state(w.d, 1, &s));
	end(&w);
}

static void a_change_is_offered(void **state)
{
	struct world w;

	put_list("b.cfg", 2, "");
	begin(&w, one("b.cfg"));
	put_list("b.cfg", 5, "");
	wait_for(&w, 5, false);
	put("b.cfg", "endpoints = ( { address = \"10.9.9.9\"; port = 1; } );"); /* in place */
	wait_for(&w, 1, false);
	put_list("b.cfg", 0, "");
	wait_for(&w, 0, false); /* an empty list is what the operator says */
	assert_int_equal(state_of(&w, 0).updates, w.offers + 1);
	assert_int_equal(state_of(&w, 0).failures, 0);
	end(&w);
}

static void many_changes_are_few_offers(void **state)
{
	struct world w;

	put_list("c.cfg", 1, "");
	begin(&w, one("c.cfg"));
	for (uint32_t i = 0; i < 500; i++)
		put_list("c.cfg", 2 + i % 100, "");
	put_list("c.cfg", 200, "");
	wait_for(&w, 200, false);
	assert_in_range(w.offers, 1, 100);
	end(&w);
}

static void what_is_no_good_is_refused_whole(void **state)
{
	static const char *const bad[] = {
		"endpoints = ( { address = \"10.0.0.1\"; port = 80; }, { address = \"10.0.0.2\"", /* cut off */
		"", /* truncated, and not written yet */
		"endpoints = ( { address = \"10.0.0.1\"; port = 80; }, { address = \"ten\"; port = 80; } );",
		"endpoints = ( { address = \"10.0.0.1\"; port = 80; }, { address = \"10.0.0.1\"; port = 80; } );",
		"endpoints = ( { address = \"10.0.0.1\"; port = 80; } );\nlisteners = ();",
		"endpoints = ( { address = \"10.0.0.1\"; } );",
	};
	struct world w;

	for (size_t i = 0; i < SS_ARRAY_LEN(bad); i++) {
		put_list("d.cfg", 3, "");
		begin(&w, one("d.cfg"));
		put("d.cfg", bad[i]);
		wait_for(&w, 3, true);
		struct ss_discovery_state s = state_of(&w, 0);
		assert_non_null(strstr(s.failing, "d.cfg:"));
		assert_int_equal(s.n_endpoints, 3);
		assert_true(s.failures > 0);
		put_list("d.cfg", 4, "");
		wait_for(&w, 4, false);
		assert_null(state_of(&w, 0).failing);
		unlink(path_of("d.cfg"));
		wait_for(&w, 4, true);
		end(&w);
	}
}

static void what_cannot_be_used_is_refused(void **state)
{
	struct world w;

	put_list("e.cfg", 3, "");
	begin(&w, one("e.cfg"));
	put_list("e.cfg", 1001, "");
	wait_for(&w, 3, true);
	assert_non_null(strstr(state_of(&w, 0).failing, "1001 endpoints"));
	assert_int_equal(w.offers, 0);
	w.refuse = "there is no place";
	put_list("e.cfg", 6, "");
	while (strcmp(state_of(&w, 0).failing, "there is no place") != 0) {
		w.wanted = 3;
		wait_for(&w, 3, true);
	}
	w.refuse = NULL;
	put_list("e.cfg", 7, "");
	wait_for(&w, 7, false);
	end(&w);
}

static void without_an_answer_there_are_none(void **state)
{
	struct world w;

	begin(&w, one("none.cfg"));
	assert_int_equal(w.m->clusters[0].n_endpoints, 0);
	assert_false(state_of(&w, 0).answered);
	assert_non_null(state_of(&w, 0).failing);
	put_list("none.cfg", 2, "");
	wait_for(&w, 2, false);
	end(&w);
}

/* A reload: who stays keeps its answer, who is given another file keeps the old answer until that one has one. */
static void a_new_model_borrows_what_there_is(void **state)
{
	const char *const names[] = {"web", "other", "static"};
	struct world w;

	put_list("f.cfg", 3, "");
	put_list("g.cfg", 4, "");
	begin(&w, one("f.cfg"));
	struct ss_model *two = model_of(3, names, (const char *const[]){"f.cfg", "g.cfg", NULL});
	assert_int_equal(ss_disco_lend(w.d, two), 0);
	assert_ptr_equal(two->clusters[0].endpoints, w.m->clusters[0].endpoints);
	assert_int_equal(two->clusters[1].n_endpoints, 4);
	assert_int_equal(two->clusters[2].n_endpoints, 0);
	/* A candidate that is only looked at changes nothing. */
	struct ss_model *candidate = one("h.cfg");
	assert_int_equal(ss_disco_lend(w.d, candidate), 0);
	assert_int_equal(candidate->clusters[0].n_endpoints, 3);
	ss_model_free(candidate);
	assert_int_equal(ss_disco_lend(w.d, two), 0);
	ss_disco_follow(w.d, two);
	ss_model_free(w.m);
	w.m = two;
	assert_int_equal(state_of(&w, 0).n_endpoints + state_of(&w, 1).n_endpoints, 7);
	struct ss_model *moved = one("h.cfg");
	assert_int_equal(ss_disco_lend(w.d, moved), 0);
	ss_disco_follow(w.d, moved);
	ss_model_free(w.m);
	w.m = moved;
	assert_int_equal(w.m->clusters[0].n_endpoints, 3);
	assert_non_null(state_of(&w, 0).failing);
	put_list("h.cfg", 8, "");
	wait_for(&w, 8, false);
	struct ss_discovery_state s;
	assert_false(ss_disco_state(w.d, 1, &s));
	end(&w);
}

/* For whoever asks before a model is in force: every fault of every file, and which files are not there. */
static void faults_are_told_line_by_line(void **state)
{
	const char *const names[] = {"good", "bad", "gone", "many", "static"};
	struct ss_model_errors bad = {0}, absent = {0};
	struct world w;

	put_list("i.cfg", 2, "");
	put("j.cfg", "endpoints = (\n { address = \"ten\"; port = 80; },\n { address = \"10.0.0.1\"; prot = 80; } );\n");
	put_list("k.cfg", 1001, "");
	begin(&w, model_of(5, names, (const char *const[]){"i.cfg", "j.cfg", "gone.cfg", "k.cfg", NULL}));
	for (uint32_t i = 0; i < 5; i++)
		w.m->clusters[i].src = (struct ss_model_src){"c.cfg", 10 + i};
	ss_disco_faults(w.d, w.m, &bad, &absent);
	assert_int_equal(absent.n, 1);
	assert_non_null(strstr(absent.text[0], "c.cfg:12: discovery.path: "));
	assert_non_null(strstr(absent.text[0], "gone.cfg is not there: cluster \"gone\" has 0 endpoints"));
	assert_int_equal(bad.n, 4);
	assert_non_null(strstr(bad.text[0], "j.cfg:2: endpoints[0].address: "));
	assert_non_null(strstr(bad.text[1], "j.cfg:3: endpoints[1].prot: unknown key"));
	assert_non_null(strstr(bad.text[2], "j.cfg:3: endpoints[1].port: is missing"));
	assert_non_null(strstr(bad.text[3], "c.cfg:13: discovery.path: "));
	assert_non_null(strstr(bad.text[3], "1001 endpoints"));
	ss_model_errors_free(&bad);
	ss_model_errors_free(&absent);
	/* Of a node that has had an answer the last one stays, and that is said, too. */
	unlink(path_of("i.cfg"));
	while (!state_of(&w, 3).failing) /* the newest is first: this is the cluster's */
		wait_for(&w, 2, true);
	ss_disco_faults(w.d, w.m, &bad, &absent);
	assert_int_equal(bad.n, 4);
	assert_int_equal(absent.n, 2);
	assert_non_null(strstr(absent.text[0], "cluster \"good\" has 2 endpoints"));
	ss_model_errors_free(&bad);
	ss_model_errors_free(&absent);
	end(&w);
}

static int start(void **state)
{
	ss_log_setup(SS_LOG_ERROR + 1, false);
	assert_non_null(mkdtemp(dir));
	return 0;
}

static int stop(void **state)
{
	char command[300];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(a_file_is_lent_with_all_that_it_says), cmocka_unit_test(a_change_is_offered),
		cmocka_unit_test(many_changes_are_few_offers),		cmocka_unit_test(what_is_no_good_is_refused_whole),
		cmocka_unit_test(what_cannot_be_used_is_refused),	cmocka_unit_test(without_an_answer_there_are_none),
		cmocka_unit_test(a_new_model_borrows_what_there_is),	cmocka_unit_test(faults_are_told_line_by_line),
	};

	return cmocka_run_group_tests(t, start, stop);
}
