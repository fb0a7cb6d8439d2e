#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/ctl/ctl_stages.h"

/* An answer of one worker with two stages. */
#define WORKER(n, busy, turns, requests, packets, s_turns, s_requests, s_packets, a, b)                            \
	"{\"worker\":" #n ",\"turns\":" #turns ",\"busy_ns\":" #busy ",\"idle_ns\":1000,\"requests\":" #requests     \
	",\"packets_received\":" #packets ",\"packets_sent\":7,\"sampled\":{\"turns\":" #s_turns                     \
	",\"busy_ns\":" #s_turns "25,\"marks_ns\":20,\"requests\":" #s_requests ",\"packets_received\":" #s_packets     \
	",\"packets_sent\":3},\"stages\":[{\"stage\":\"port_rx\",\"sampled_ns\":" #a ",\"all_ns\":" #a "0},"         \
	"{\"stage\":\"other\",\"sampled_ns\":" #b ",\"all_ns\":" #b "0}]}"
#define ANSWER(time, workers) "{\"sampling\":64,\"time_ns\":" #time ",\"workers\":[" workers "]}"

static const char early[] = ANSWER(1000000000, WORKER(0, 1000, 10, 5, 20, 2, 1, 4, 100, 50));
static const char late[] = ANSWER(3500000000, WORKER(0, 5000, 50, 15, 60, 6, 3, 12, 400, 150));
static const char two[] = ANSWER(5, WORKER(0, 4000, 40, 10, 40, 4, 2, 8, 300, 100) "," WORKER(
					    1, 4000, 40, 10, 40, 4, 2, 8, 100, 300));
static const char none[] = ANSWER(5, WORKER(0, 4000, 40, 10, 40, 0, 0, 0, 0, 0));

typedef void show_fn(const struct ctl_json *before, const struct ctl_json *after, FILE *out);

/* What show prints; the next call uses the memory again. */
static char *shown(show_fn *show, const char *before, const char *after)
{
	static char *text;
	size_t n;
	char *b = before ? strdup(before) : NULL, *a = strdup(after);
	struct ctl_json *vb = b ? ctl_json_read(b) : NULL, *va = ctl_json_read(a);
	free(text);
	FILE *f = open_memstream(&text, &n);
	show(vb, va, f);
	fclose(f);
	ctl_json_free(vb);
	ctl_json_free(va);
	free(a);
	free(b);
	return text;
}

static void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no %s in %s", part, text);
}

static void near(const struct ctl_json *v, const char *key, double want)
{
	if (fabs(ctl_json_number(v, key) - want) > 1e-4)
		fail_msg("%s is %s, not %f", key, ctl_json_text(v, key), want);
}

/* Differences of the two answers: shares of sampled turns, of the busy time of all. */
static void an_interval_is_a_difference(void **state)
{
	struct ctl_json *v = ctl_json_read(shown(ctl_stages_json, early, late));
	const struct ctl_json *all = ctl_json_get(v, "all"), *s = ctl_json_get(all, "stages")->child;
	near(v, "seconds", 2.5);
	near(v, "sampling", 64);
	near(all, "busy_ns", 4000);
	near(all, "turns", 40);
	near(all, "sum_of_sampled", 1);
	near(all, "sum_of_busy", 1); /* 3000 + 1000, and no mark */
	near(all, "busy_ns_per_request", 400);
	near(ctl_json_get(all, "sampled"), "turns", 4);
	assert_string_equal(ctl_json_text(s, "stage"), "port_rx");
	near(s, "sampled_ns", 300);
	near(s, "share", 0.75);
	near(s, "ns_per_request", 300);
	near(s, "ns_per_packet", 75);
	near(s->next, "share", 0.25);
	near(ctl_json_get(v, "workers")->child, "busy_ns", 4000);
	ctl_json_free(v);
}

static void workers_are_summed(void **state)
{
	struct ctl_json *v = ctl_json_read(shown(ctl_stages_json, NULL, two));
	const struct ctl_json *all = ctl_json_get(v, "all"), *w = ctl_json_get(v, "workers")->child;
	near(all, "busy_ns", 8000);
	near(ctl_json_get(all, "stages")->child, "share", 0.5);
	near(ctl_json_get(w, "stages")->child, "share", 0.75);
	near(w->next, "worker", 1);
	near(ctl_json_get(w->next, "stages")->child, "share", 0.25);
	ctl_json_free(v);
	char *text = shown(ctl_stages_table, NULL, two);
	has(text, "worker 0, busy 80.0 %\n");
	has(text, "worker 1, busy");
	has(text, "all workers\n");
	has(text, "port_rx       50.0       200.0       50.0\n");
}

static void the_table_says_what_was_sampled(void **state)
{
	char *text = shown(ctl_stages_table, early, late);
	has(text, "port_rx       75.0       300.0       75.0\n");
	has(text, "other         25.0       100.0       25.0\n");
	has(text, "busy         100.0       400.0      100.0\n");
	has(text, "a busy turn: 1.00 packets in, 0.00 out, 0.25 requests\n");
	has(text, "4 of 40 busy turns sampled: stages and marks sum to 100.0 % of them; 100.0 % of busy time shared out; "
		  "marks took 0.00 %\n");
	has(text, "over 2.5 s, one of 64 busy turns");
	assert_null(strstr(text, "all workers"));
}

static void nothing_sampled_is_no_division(void **state)
{
	has(shown(ctl_stages_table, NULL, none), "no turn was sampled\n");
	struct ctl_json *v = ctl_json_read(shown(ctl_stages_json, NULL, none));
	near(ctl_json_get(ctl_json_get(v, "all"), "stages")->child, "share", 0);
	ctl_json_free(v);
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(an_interval_is_a_difference),
		cmocka_unit_test(workers_are_summed),
		cmocka_unit_test(the_table_says_what_was_sampled),
		cmocka_unit_test(nothing_sampled_is_no_division),
	};
	return cmocka_run_group_tests(t, NULL, NULL);
}
