/* px_time_test.c - an exchange that waits before its next step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proxy/px_bed.h"

/* A request that stood in line and is made to wait instead. */
static struct ss_http_stream *delayed(struct world *w, uint64_t ns)
{
	struct ss_http_stream *d = get(w, "/");
	struct px_exchange *x;

	turn(w);
	x = ((struct px_leg *)ss_http_owner(d))->x;
	px_drop_upstream(x);
	px_delay(x, w->now + ns, PX_STEP_SEND);
	return d;
}

static void goes_on_when_its_time_has_come(void **state)
{
	struct world *w = start();
	struct ss_http_stream *d = delayed(w, 50 * MS);

	wait_for(w, 40 * MS);
	assert_int_equal(ss_up_waiting(w->up), 0);
	wait_for(w, 12 * MS);
	assert_int_equal(ss_up_waiting(w->up), 1);
	answer(w, opened(w, 100), 200, "late");
	delivered(w, d);
	body_is(d, "late");
	end(w);
}

static void the_routes_timeout_runs_on(void **state)
{
	struct world *w = start();
	struct ss_http_stream *d = delayed(w, 10 * S);

	wait_for(w, 5 * S + 2 * MS);
	replied(w, d, 504, "UT");
	fake_gone(newest(w), SS_DROP_NONE);
	end(w);
}

static void a_client_may_go_away_meanwhile(void **state)
{
	struct world *w = start();
	struct ss_http_stream *d = delayed(w, S);

	fake_reset(d, SS_DROP_DOWNSTREAM_GONE, false);
	turn(w);
	assert_true(d->released);
	wait_for(w, 2 * S);
	fake_gone(newest(w), SS_DROP_NONE);
	end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goes_on_when_its_time_has_come),
		cmocka_unit_test(the_routes_timeout_runs_on),
		cmocka_unit_test(a_client_may_go_away_meanwhile),
	};

	return cmocka_run_group_tests(tests, open_bufs, close_bufs);
}
