#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "contract/events.h"

static void full_and_empty(void **state)
{
	struct ss_event_ring *r = ss_event_ring_create(4);
	assert_null(ss_event_peek(r));
	for (uint16_t round = 0; round < 10; round++) {
		for (uint16_t i = 0; i < 4; i++) {
			struct ss_event *ev = ss_event_reserve(r);
			assert_non_null(ev);
			ev->status = i;
			ss_event_commit(r);
		}
		assert_null(ss_event_reserve(r));
		for (uint16_t i = 0; i < 4; i++) {
			const struct ss_event *ev = ss_event_peek(r);
			assert_int_equal(ev->status, i);
			ss_event_release(r);
		}
		assert_null(ss_event_peek(r));
	}
	ss_event_ring_free(r);
	ss_event_ring_free(NULL);
	assert_null(ss_event_ring_create(3));
	assert_null(ss_event_ring_create(0));
}

/* A reserved record that is never committed stays invisible. */
static void reserve_alone_shows_nothing(void **state)
{
	struct ss_event_ring *r = ss_event_ring_create(2);
	assert_non_null(ss_event_reserve(r));
	assert_null(ss_event_peek(r));
	ss_event_ring_free(r);
}

static void text_is_cut(void **state)
{
	static struct ss_event ev;
	static char path[SS_EVENT_TEXT];
	uint32_t used = 0;
	memset(path, 'p', sizeof(path));
	ss_event_put(&ev, &used, &ev.method_n, "GET", 3);
	ss_event_put(&ev, &used, &ev.path_n, path, sizeof(path));
	ss_event_put(&ev, &used, &ev.peer_n, "x", 1);
	ss_event_put(&ev, &used, &ev.detail_n, NULL, 0);
	assert_int_equal(ev.method_n, 3);
	assert_int_equal(ev.path_n, SS_EVENT_TEXT - 3);
	assert_int_equal(ev.peer_n, 0);
	assert_int_equal(used, SS_EVENT_TEXT);
	assert_memory_equal(ev.text, "GETppp", 6);
}

#define MANY 50000

static void *produce(void *arg)
{
	for (uint64_t i = 0; i < MANY;) {
		struct ss_event *ev = ss_event_reserve(arg);
		if (!ev) {
			sched_yield();
			continue;
		}
		ev->time_ns = i;
		ev->bytes_in = ~i;
		ss_event_commit(arg);
		i++;
	}
	return NULL;
}

static void two_threads(void **state)
{
	struct ss_event_ring *r = ss_event_ring_create(64);
	pthread_t t;
	assert_int_equal(pthread_create(&t, NULL, produce, r), 0);
	for (uint64_t i = 0; i < MANY;) {
		const struct ss_event *ev = ss_event_peek(r);
		if (!ev) {
			sched_yield();
			continue;
		}
		assert_true(ev->time_ns == i && ev->bytes_in == ~i);
		ss_event_release(r);
		i++;
	}
	pthread_join(t, NULL);
	ss_event_ring_free(r);
}

int main(void)
{
	const struct CMUnitTest t[] = { cmocka_unit_test(full_and_empty),
					cmocka_unit_test(reserve_alone_shows_nothing),
					cmocka_unit_test(text_is_cut), cmocka_unit_test(two_threads) };
	return cmocka_run_group_tests(t, NULL, NULL);
}
