/* What has just happened, by its id: the newest first, bounded, failures for longer; each record once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "telemetry/tele_int.h"

static struct ss_tele t;

static void happens(const char *id, uint16_t status, uint64_t bytes)
{
	struct ss_event ev = { .kind = SS_EVENT_REQUEST, .status = status, .bytes_out = bytes };
	uint32_t used = 0;

	ss_event_put(&ev, &used, &ev.method_n, "GET", 3);
	ss_event_put(&ev, &used, &ev.path_n, "/p", 2);
	ss_event_put(&ev, &used, &ev.request_id_n, id, ss_min_u32((uint32_t)strlen(id), 40));
	ss_event_put(&ev, &used, &ev.peer_n, "someone", 7);
	ss_tele_recent_add(&t, &ev, (int64_t)bytes * 1000);
}

/* How many bytes went out in the skip-th; 0: there is none. */
static uint64_t of(const char *id, uint32_t skip)
{
	int64_t offset = -1;
	const struct ss_event *ev = ss_tele_recent(&t, ss_span_str(id), skip, &offset);

	/* The time of day is the one that the log has, whenever it is asked for. */
	assert_int_equal(offset, ev ? (int64_t)ev->bytes_out * 1000 : -1);
	return ev ? ev->bytes_out : 0;
}

static void test_by_id(void **state)
{
	char id[32];

	t = (struct ss_tele){ .conf.recent = 8 };
	assert_int_equal(ss_tele_recent_create(&t), 0);
	assert_int_equal(of("a", 0), 0);
	happens("a", 200, 1);
	happens("b", 503, 2);
	happens("a", 500, 3);
	assert_int_equal(of("a", 0), 3);
	assert_int_equal(of("a", 1), 1);
	assert_int_equal(of("a", 2), 0); /* not the failure once more */
	assert_int_equal(of("b", 0), 2);
	assert_int_equal(of("ab", 0), 0);
	assert_int_equal(of("", 0), 0);
	for (int i = 0; i < 7; i++) {
		snprintf(id, sizeof(id), "good-%d", i);
		happens(id, 200, 10 + (uint64_t)i);
	}
	assert_int_equal(of("a", 0), 3); /* still in both */
	assert_int_equal(of("a", 1), 0);
	happens("good-7", 200, 17);
	assert_int_equal(of("good-0", 0), 10);
	assert_int_equal(of("a", 0), 3); /* in the failures' ring alone */
	assert_int_equal(of("a", 1), 0);
	assert_int_equal(of("b", 0), 2);
	happens("c", 0, 20); /* the client left: it got no status */
	happens("d", 502, 21);
	assert_int_equal(of("b", 0), 0); /* two failures are kept */
	assert_int_equal(of("c", 0), 20);
	ss_tele_recent_free(&t);
}

static void test_long_ids(void **state)
{
	char id[64] = "0123456789012345678901234567890123456789and more";

	t = (struct ss_tele){ .conf.recent = 3 };
	assert_int_equal(ss_tele_recent_create(&t), 0);
	happens(id, 200, 1);
	assert_int_equal(of(id, 0), 1);
	id[39] = 0;
	assert_int_equal(of(id, 0), 0);
	happens("", 200, 2);
	assert_int_equal(of("", 0), 0);
	ss_tele_recent_free(&t);
	t = (struct ss_tele){ .conf.recent = 0 };
	assert_int_equal(ss_tele_recent_create(&t), 0);
	happens("x", 500, 1);
	assert_int_equal(of("x", 0), 0);
	ss_tele_recent_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_by_id), cmocka_unit_test(test_long_ids) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
