#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "loop/log.h"
#include "loop/loop.h"
#include "loop/pace.h"

struct seen {
	struct ss_loop *l;
	struct ss_loop_event *timer, *watch;
	int ticks, reads, signals, pipe[2];
};

static void on_read(void *arg)
{
	struct seen *s = arg;
	char c;
	assert_int_equal(read(s->pipe[0], &c, 1), 1);
	if (++s->reads == 2)
		raise(SIGUSR1);
}

static void on_tick(void *arg)
{
	struct seen *s = arg;
	if (++s->ticks < 3)
		return;
	ss_loop_end(s->timer); /* from its own call */
	s->timer = NULL;
	assert_int_equal(write(s->pipe[1], "ab", 2), 2);
}

static void on_signal(void *arg)
{
	struct seen *s = arg;
	s->signals++;
	ss_loop_stop(s->l);
}

static void *count_turns(void *arg)
{
	_Atomic uint32_t *turns = arg;

	while (*turns != UINT32_MAX) {
		if (*turns < 1000000)
			(*turns)++;
		sched_yield();
	}
	return NULL;
}

/* How often a thread on the same core got a turn while this one worked for 40 ms without a pause. */
static uint64_t turns_of_another(void)
{
	_Atomic uint32_t turns = 0;
	struct ss_pace pace;
	struct timespec begun, t;
	pthread_t other;
	uint64_t switches = 0, ns = 0;
	uint32_t last = 0;

	assert_int_equal(pthread_create(&other, NULL, count_turns, &turns), 0);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begun);
	ss_pace_begin(&pace, true);
	while (ns < 40 * SS_NS_PER_MS) { /* of our own time, whoever else is here */
		switches += turns != last;
		last = turns;
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
		ns = (uint64_t)(t.tv_sec - begun.tv_sec) * SS_NS_PER_SEC + (uint64_t)(t.tv_nsec - begun.tv_nsec);
	}
	ss_pace_end(&pace);
	turns = UINT32_MAX;
	pthread_join(other, NULL);
	return switches;
}

static void long_work_gives_the_core_away(void **state)
{
	cpu_set_t before, one;
	int cpu = sched_getcpu();
	uint64_t most = 0;

	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	/* By time slices of some milliseconds it would be ten times or fewer, however often it is tried. A host that takes
	 * the core away may be counted as our own time, so one try alone says nothing. */
	for (int i = 0; i < 10 && most <= 40; i++)
		most = ss_max_u64(most, turns_of_another());
	sched_setaffinity(0, sizeof(before), &before);
	assert_true(most > 40);
}

static void timers_descriptors_signals(void **state)
{
	struct seen s = { 0 };
	assert_int_equal(ss_loop_create(&s.l), 0);
	assert_int_equal(pipe(s.pipe), 0);
	assert_non_null(ss_loop_base(s.l));
	s.timer = ss_loop_every(s.l, 2 * SS_NS_PER_MS, on_tick, &s);
	s.watch = ss_loop_watch(s.l, s.pipe[0], on_read, &s);
	assert_non_null(s.timer);
	assert_non_null(s.watch);
	assert_non_null(ss_loop_signal(s.l, SIGUSR1, on_signal, &s));
	ss_loop_run(s.l);
	assert_int_equal(s.ticks, 3);
	assert_int_equal(s.reads, 2);
	assert_int_equal(s.signals, 1);
	ss_loop_end(s.watch);
	ss_loop_end(NULL);
	ss_loop_free(s.l); /* the signal's event goes with it */
	ss_loop_free(NULL);
	close(s.pipe[0]);
	close(s.pipe[1]);
}

static void print(FILE *f, bool json, const char *msg, ...)
{
	va_list ap;
	va_start(ap, msg);
	ss_log_line(f, json, 1700000000123456789ull, SS_LOG_WARN, msg, ap);
	va_end(ap);
}

static void lines(void **state)
{
	char *out = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&out, &n);
	print(f, false, "port opened", "port", "front", "driver", "net_af_xdp x", "why", "a\"b\\\n\x01", "e", "",
	      "null", NULL, NULL);
	print(f, true, "port opened", "port", "fr\"ont", "n", ss_log_u64(UINT64_MAX), NULL);
	fclose(f);
	assert_string_equal(out,
			    "time=2023-11-14T22:13:20.123Z level=warn msg=\"port opened\" port=front "
			    "driver=\"net_af_xdp x\" why=\"a\\\"b\\\\\\n\\u0001\" e=\"\" null=-\n"
			    "{\"time\":\"2023-11-14T22:13:20.123Z\",\"level\":\"warn\",\"msg\":\"port opened\","
			    "\"port\":\"fr\\\"ont\",\"n\":\"18446744073709551615\"}\n");
	free(out);
	assert_int_equal(ss_log_level_of("warn"), SS_LOG_WARN);
	assert_int_equal(ss_log_level_of("loud"), -1);
}

int main(void)
{
	const struct CMUnitTest t[] = { cmocka_unit_test(timers_descriptors_signals),
					cmocka_unit_test(long_work_gives_the_core_away),
					cmocka_unit_test(lines) };
	return cmocka_run_group_tests(t, NULL, NULL);
}
