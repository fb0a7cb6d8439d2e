/* Runs over a table that the test fills: steps, rollbacks, commands, reloads, and what a new process finds. */
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
#include "canary/canary.h"

#define S SS_NS_PER_SEC
#define MS SS_NS_PER_MS
#define WORKERS 2u

struct world {
	char dir[64];
	uint64_t now;
	struct ss_names *names;
	struct ss_canary_table *table;
	struct ss_state *state;
	struct ss_canary_room *room;
	struct ss_snapshot snap;
	struct ss_canary c;
	const struct ss_canary *list[1];
	struct ss_event last;
	uint32_t told[SS_CANARY_ACTS];
};

static void hear(void *arg, const struct ss_event *ev)
{
	struct world *w = arg;

	assert_int_equal(ev->kind, SS_EVENT_CANARY);
	w->last = *ev;
	w->told[ev->canary.act]++;
}

static void split(struct world *w, const char *text)
{
	if (w->c.split)
		ss_canary_drop(w->table, w->c.slot);
	w->c.split = ss_names_intern(w->names, text);
	assert_int_equal(ss_canary_hold(w->table, w->c.split, &w->c.slot), 0);
	w->c.now = &w->table->slot[w->c.slot];
	w->c.counts = &w->table->counts[w->c.slot * WORKERS * SS_CANARY_VARIANTS];
}

/* A process begins: the slot has no weight, the room finds what the folder has. */
static void begin(struct world *w)
{
	struct ss_canary_conf conf = {.tell = hear, .arg = w};
	char why[300];

	w->names = ss_names_create(100);
	assert_int_equal(ss_canary_table_create(&w->table, 4, WORKERS), 0);
	assert_int_equal(ss_state_open(&w->state, w->dir, why, sizeof(why)), 0);
	w->c = (struct ss_canary){.name = ss_names_intern(w->names, "shop/checkout"),
				  .stable_cluster = ss_names_intern(w->names, "v1"),
				  .canary_cluster = ss_names_intern(w->names, "v2"),
				  .at = 1,
				  .configured = 500,
				  .interval_ns = 60 * S,
				  .window_ns = 300 * S,
				  .gates = {.max_error_ratio = 110,
					    .max_p99_ratio = 120,
					    .error_margin = 100,
					    .latency_margin = 500,
					    .significance = 100,
					    .min_requests = 100},
				  .n_steps = 4,
				  .step = {100, 1000, 5000, 10000}};
	split(w, "shop/checkout: v1 95.00 v2 5.00");
	w->list[0] = &w->c;
	w->snap = (struct ss_snapshot){.generation = 1, .n_canaries = 1, .canaries = w->list};
	conf.table = w->table;
	conf.names = w->names;
	conf.state = w->state;
	assert_int_equal(ss_canary_create(&w->room, &conf), 0);
	memset(w->told, 0, sizeof(w->told));
	ss_canary_poll(w->room, &w->snap, w->now);
}

static void end(struct world *w)
{
	ss_canary_free(w->room);
	ss_state_close(w->state);
	ss_canary_table_free(w->table);
	ss_names_free(w->names);
}

static int start(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	strcpy(w->dir, "/tmp/ss_canary_XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->now = 1000 * S;
	begin(w);
	*state = w;
	return 0;
}

static int stop(void **state)
{
	static const char *const files[] = {"canaries", ".lock"};
	struct world *w = *state;
	char path[200];

	end(w);
	for (size_t i = 0; i < SS_ARRAY_LEN(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", w->dir, files[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(w->dir), 0);
	free(w);
	return 0;
}

static int say(struct world *w, const char *verb)
{
	char err[200] = "";

	return ss_canary_command(w->room, verb, "shop/checkout", "uid 7", w->now, err, sizeof(err));
}

static struct ss_canary_state stands(const struct world *w)
{
	struct ss_canary_state s;

	assert_true(ss_canary_state(w->room, 0, &s));
	return s;
}

static uint32_t weight(const struct world *w)
{
	return ss_canary_weight(&w->c);
}

/* Seconds of a thousand requests each, on both workers; each request takes some 10 ms, the canary's `slow` times that. */
static void run(struct world *w, uint32_t seconds, uint32_t fail_every, double slow)
{
	static uint32_t n;

	for (uint32_t i = 0; i < seconds; i++) {
		for (uint32_t k = 0; k < 1000; k++, n++) {
			uint64_t ns = 8 * MS + (n * 7919u % 4000) * SS_NS_PER_US;
			ss_canary_count(ss_canary_counts_of(&w->c, n % WORKERS, false), ns, n % 1000 == 0);
			if (n % 2)
				continue;
			ss_canary_count(ss_canary_counts_of(&w->c, n % WORKERS, true), (uint64_t)((double)ns * slow),
					fail_every ? n % fail_every == 0 : n % 2000 == 0);
		}
		w->now += S;
		ss_canary_poll(w->room, &w->snap, w->now);
	}
}

static void nothing_is_moved_unasked(void **state)
{
	struct world *w = *state;

	run(w, 100, 0, 1);
	assert_int_equal(weight(w), SS_CANARY_NONE);
	assert_int_equal(stands(w).stand, SS_CANARY_IDLE);
	assert_int_equal(stands(w).weight, 500);
	assert_int_equal(say(w, "pause"), SS_ERR_CONFIG);
	assert_int_equal(say(w, "resume"), SS_ERR_CONFIG);
	assert_int_equal(say(w, "sing"), SS_ERR_CONFIG);
}

static void good_goes_to_the_top(void **state)
{
	struct world *w = *state;

	assert_int_equal(say(w, "start"), 0);
	assert_string_equal(w->last.canary.by, "uid 7");
	assert_int_equal(say(w, "start"), SS_ERR_CONFIG);
	assert_int_equal(weight(w), 100);
	run(w, 58, 0, 1);
	assert_int_equal(weight(w), 100);
	run(w, 8, 0, 1);
	assert_int_equal(weight(w), 1000);
	assert_int_equal(w->last.canary.act, SS_CANARY_DID_STEP);
	assert_int_equal(w->last.canary.from, 100);
	assert_true(w->last.canary.judged && w->last.canary.requests[1] > 25000);
	run(w, 66, 0, 1);
	assert_int_equal(weight(w), 5000);
	run(w, 66, 0, 1);
	assert_int_equal(weight(w), SS_CANARY_WHOLE);
	assert_int_equal(stands(w).stand, SS_CANARY_PROMOTED);
	assert_int_equal(w->told[SS_CANARY_DID_PROMOTE], 1);
	assert_int_equal(w->told[SS_CANARY_DID_HOLD], 0);
	run(w, 100, 2, 3); /* nobody is compared with any more */
	assert_int_equal(weight(w), SS_CANARY_WHOLE);
}

static void bad_is_rolled_back(void **state)
{
	struct world *w = *state;

	assert_int_equal(say(w, "start"), 0);
	run(w, 30, 0, 1);
	assert_int_equal(say(w, "pause"), 0); /* gates are watched all the same */
	run(w, 30, 10, 1);
	assert_int_equal(weight(w), 0);
	assert_int_equal(stands(w).stand, SS_CANARY_ROLLED_BACK);
	assert_int_equal(w->last.canary.act, SS_CANARY_DID_ROLL_BACK);
	assert_int_equal(w->last.canary.why, SS_CANARY_WHY_ERRORS);
	assert_int_equal(say(w, "start"), 0); /* another try */
	assert_int_equal(weight(w), 100);
	run(w, 60, 0, 1.5);
	assert_int_equal(weight(w), 0);
	assert_int_equal(w->last.canary.why, SS_CANARY_WHY_P99);
}

/* Without traffic it stays where it is: said once, and at the end of each window. */
static void no_sample_is_held(void **state)
{
	struct world *w = *state;

	assert_int_equal(say(w, "start"), 0);
	for (uint32_t i = 0; i < 295; i++) {
		w->now += S;
		ss_canary_poll(w->room, &w->snap, w->now);
	}
	assert_int_equal(weight(w), 100);
	assert_int_equal(w->told[SS_CANARY_DID_HOLD], 1);
	assert_int_equal(w->last.canary.why, SS_CANARY_WHY_SAMPLE);
	for (uint32_t i = 0; i < 320; i++) {
		w->now += S;
		ss_canary_poll(w->room, &w->snap, w->now);
	}
	assert_int_equal(w->told[SS_CANARY_DID_HOLD], 3);
	assert_int_equal(stands(w).stand, SS_CANARY_RUNNING);
}

static void pause_and_abort(void **state)
{
	struct world *w = *state;

	assert_int_equal(say(w, "start"), 0);
	assert_int_equal(say(w, "pause"), 0);
	run(w, 200, 0, 1);
	assert_int_equal(weight(w), 100);
	assert_int_equal(say(w, "resume"), 0);
	run(w, 10, 0, 1);
	assert_int_equal(weight(w), 1000); /* its time had passed long ago */
	assert_int_equal(say(w, "abort"), 0);
	assert_string_equal(w->last.canary.by, "uid 7");
	assert_int_equal(weight(w), 0);
	run(w, 100, 0, 1);
	assert_int_equal(weight(w), 0);
	assert_int_equal(say(w, "abort"), SS_ERR_CONFIG);
	assert_int_equal(say(w, "resume"), SS_ERR_CONFIG);
}

static void a_new_process_goes_on(void **state)
{
	struct world *w = *state;
	uint64_t before;

	assert_int_equal(say(w, "start"), 0);
	run(w, 66, 0, 1);
	assert_int_equal(weight(w), 1000);
	before = stands(w).requests[SS_CANARY_CANARY];
	end(w);
	begin(w);
	assert_int_equal(w->told[SS_CANARY_DID_RESTORE], 1);
	assert_int_equal(weight(w), 1000);
	assert_int_equal(stands(w).stand, SS_CANARY_RUNNING);
	assert_true(before >= 32000 && stands(w).requests[SS_CANARY_CANARY] >= 30000); /* as of the last decision */
	run(w, 66, 0, 1);
	assert_int_equal(weight(w), 5000);
	assert_int_equal(say(w, "abort"), 0);
	end(w);
	begin(w);
	assert_int_equal(weight(w), 0);
	assert_int_equal(stands(w).stand, SS_CANARY_ABORTED);
}

static void what_is_no_state_is_not_believed(void **state)
{
	struct world *w = *state;
	static const char text[] = "sidestep canaries 1\nrunning\t10001\t1\t0\t0\t0\t0\t0\tshop/checkout: v1 95.00 v2 5.00\n"
				   "flying\t1\t1\t0\t0\t0\t0\t0\tx\nrubbish\n\npaused\t700\t3\t9\t1\t2\t3\t4\tanother: a 1 b 2\n";

	assert_int_equal(ss_state_write(w->state, "canaries", text, sizeof(text) - 1), 0);
	end(w);
	begin(w);
	assert_int_equal(stands(w).stand, SS_CANARY_IDLE);
	assert_int_equal(weight(w), SS_CANARY_NONE);
	assert_int_equal(ss_state_write(w->state, "canaries", "sidestep", 8), 0);
	end(w);
	begin(w);
	assert_int_equal(stands(w).stand, SS_CANARY_IDLE);
}

static void reloads(void **state)
{
	struct world *w = *state;

	assert_int_equal(say(w, "start"), 0);
	run(w, 66, 0, 1);
	assert_int_equal(weight(w), 1000);
	/* Other steps, the same split. */
	w->snap.generation = 2;
	w->c.n_steps = 3;
	w->c.step[0] = 200;
	w->c.step[1] = 2000;
	w->c.step[2] = 10000;
	run(w, 66, 0, 1);
	assert_int_equal(weight(w), 2000);
	assert_int_equal(stands(w).stand, SS_CANARY_RUNNING);
	/* Another split. */
	split(w, "shop/checkout: v1 90.00 v2 10.00");
	assert_int_equal(weight(w), SS_CANARY_NONE);
	w->snap.generation = 3;
	run(w, 1, 0, 1);
	assert_int_equal(w->told[SS_CANARY_DID_FORGET], 1);
	assert_int_equal(stands(w).stand, SS_CANARY_IDLE);
	assert_int_equal(weight(w), SS_CANARY_NONE);
	/* None. */
	assert_int_equal(say(w, "start"), 0);
	w->snap.generation = 4;
	w->snap.n_canaries = 0;
	ss_canary_poll(w->room, &w->snap, w->now);
	assert_int_equal(weight(w), SS_CANARY_NONE);
	assert_int_equal(say(w, "start"), SS_ERR_CONFIG);
	/* And it comes back as one that was never started. */
	w->snap.generation = 5;
	w->snap.n_canaries = 1;
	ss_canary_poll(w->room, &w->snap, w->now);
	assert_int_equal(stands(w).stand, SS_CANARY_IDLE);
}

static void starts_by_itself(void **state)
{
	struct world *w = *state;

	split(w, "shop/checkout: v1 50.00 v2 50.00");
	w->c.auto_start = true;
	w->snap.generation = 2;
	ss_canary_poll(w->room, &w->snap, w->now);
	assert_int_equal(weight(w), 100);
	assert_int_equal(say(w, "abort"), 0);
	end(w);
	begin(w); /* of the first split, and aborted is not asked to start again */
	split(w, "shop/checkout: v1 50.00 v2 50.00");
	w->c.auto_start = true;
	assert_int_equal(stands(w).stand, SS_CANARY_IDLE);
}

/* What is bad is seen as soon in a window of ten hours; what is not outlives the sixty parts that there is room for. */
static void long_windows(void **state)
{
	struct world *w = *state;

	w->snap.generation = 2;
	w->c.window_ns = w->c.interval_ns = 36000 * S;
	ss_canary_poll(w->room, &w->snap, w->now);
	assert_int_equal(say(w, "start"), 0);
	run(w, 700, 0, 1);
	assert_int_equal(weight(w), 100);
	run(w, 40, 20, 1);
	assert_int_equal(weight(w), 0);
	assert_true(w->last.canary.requests[0] > 700000);
	assert_int_equal(w->last.canary.window, 1);
}

static void shown(void **state)
{
	struct world *w = *state;
	struct ss_json j;
	char *text;

	assert_int_equal(say(w, "start"), 0);
	run(w, 20, 0, 1);
	ss_json_open(&j);
	ss_canary_show(w->room, NULL, w->now, &j);
	text = ss_json_close(&j);
	assert_non_null(text);
	assert_non_null(strstr(text, "\"state\":\"running\""));
	assert_non_null(strstr(text, "\"percent\":1.00"));
	assert_non_null(strstr(text, "\"verdict\""));
	free(text);
}

/* -- the table -- */

static void slots(void **state)
{
	struct ss_canary_table *t;
	uint32_t a, b, c;

	assert_int_equal(ss_canary_table_create(&t, 2, 1), 0);
	assert_int_equal(ss_canary_hold(t, 10, &a), 0);
	atomic_store(&t->slot[a].weight, 700);
	assert_int_equal(ss_canary_hold(t, 10, &b), 0); /* the next generation */
	assert_int_equal(a, b);
	assert_int_equal(ss_canary_hold(t, 11, &b), 0);
	assert_int_not_equal(a, b);
	assert_int_equal(ss_canary_hold(t, 12, &c), SS_ERR_FULL);
	ss_canary_drop(t, a);
	assert_int_equal(atomic_load(&t->slot[a].weight), 700);
	ss_canary_drop(t, a);
	assert_int_equal(ss_canary_hold(t, 12, &c), 0);
	assert_int_equal(c, a);
	assert_int_equal(atomic_load(&t->slot[c].weight), SS_CANARY_NONE);
	ss_canary_table_free(t);
}

static void buckets(void **state)
{
	for (uint64_t ns = 1; ns < 1ull << 39; ns += 1 + ns / 50) {
		uint32_t i = ss_canary_bucket(ns);
		assert_true(ss_canary_lower(i) <= ns && ns < ss_canary_lower(i + 1));
	}
	assert_int_equal(ss_canary_bucket(UINT64_MAX), SS_CANARY_BUCKETS - 1);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(nothing_is_moved_unasked), CASE(good_goes_to_the_top), CASE(bad_is_rolled_back),
		CASE(no_sample_is_held), CASE(pause_and_abort), CASE(a_new_process_goes_on),
		CASE(what_is_no_state_is_not_believed), CASE(reloads), CASE(starts_by_itself), CASE(long_windows), CASE(shown),
		cmocka_unit_test(slots), cmocka_unit_test(buckets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
