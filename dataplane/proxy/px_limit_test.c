/* px_limit_test.c - rate limits in a request's life: what is answered, and that nothing else happens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proxy/px_bed.h"

static struct ss_limit limit;
static const struct ss_limit *named = &limit;
static struct ss_limit_list list = {1, &named};

static struct world *limited(uint64_t count, uint32_t burst, uint8_t say)
{
	struct world *w = start();

	assert_int_equal(ss_limit_table_create(&w->px->conf.limits, 2, 64, 1), 0);
	limit = (struct ss_limit){.name = 40, .enforce = true, .say = say};
	assert_true(ss_limit_pace_of(&limit.pace, count, S, burst));
	assert_int_equal(ss_limit_hold(w->px->conf.limits, limit.name, &limit.slot), 0);
	return w;
}

static void finish(struct world *w)
{
	struct ss_limit_table *t = w->px->conf.limits;

	end(w);
	ss_limit_table_free(t);
}

static void serve(struct world *w, struct ss_http_stream *d)
{
	turn(w);
	if (!newest(w)->open)
		fake_open(newest(w), 100);
	answer(w, routed(w), 200, "ok");
	delivered(w, d);
	assert_int_equal(next_event(w).status, 200);
}

static void what_is_over_is_refused_and_goes_nowhere(void **state)
{
	struct world *w = limited(10, 1, SS_LIMIT_SAY_LIMITED);
	struct ss_http_stream *d = get(w, "/");

	w->route.limits = &list;
	serve(w, d);
	assert_null(fake_field(&d->tx, "x-ratelimit-limit"));
	d = get(w, "/");
	turn(w);
	assert_string_equal(fake_field(&d->tx, "x-ratelimit-limit"), "1, 1;w=1");
	assert_string_equal(fake_field(&d->tx, "x-ratelimit-remaining"), "0");
	assert_string_equal(fake_field(&d->tx, "x-ratelimit-reset"), "1");
	assert_string_equal(fake_field(&d->tx, "retry-after"), "1");
	assert_string_equal(fake_field(&d->tx, "x-envoy-ratelimited"), "true");
	replied(w, d, 429, "RL");
	assert_int_equal(w->counters.drops[SS_DROP_RATE_LIMITED], 1);
	assert_int_equal(w->http->connects, 1);
	wait_for(w, 100 * MS);
	serve(w, get(w, "/"));
	finish(w);
}

static void the_listeners_counts_too(void **state)
{
	struct world *w = limited(10, 2, SS_LIMIT_SAY_NEVER);
	struct ss_http_stream *d;

	w->listener.limits = &list;
	serve(w, get(w, "/"));
	serve(w, get(w, "/"));
	d = get(w, "/");
	turn(w);
	assert_null(fake_field(&d->tx, "x-ratelimit-limit"));
	assert_string_equal(fake_field(&d->tx, "retry-after"), "1");
	replied(w, d, 429, "RL");
	finish(w);
}

static void grpc_is_told_in_its_own_words(void **state)
{
	struct world *w = limited(10, 1, SS_LIMIT_SAY_LIMITED);
	struct ss_http_stream *d;

	w->route.limits = &list;
	serve(w, get(w, "/"));
	d = request(w, "POST", "/pkg.Service/Method");
	field(d, "content-type", "application/grpc");
	fake_end(d);
	turn(w);
	assert_int_equal(d->tx.status, 200);
	assert_true(d->tx_end);
	assert_string_equal(fake_field(&d->tx, "grpc-status"), "8");
	assert_string_equal(fake_field(&d->tx, "x-ratelimit-remaining"), "0");
	replied(w, d, 200, "RL");
	finish(w);
}

/* The endpoint's answers say what is left, after the route's own changes. */
static void those_that_pass_may_be_told(void **state)
{
	struct world *w = limited(10, 100, SS_LIMIT_SAY_ALWAYS);
	const struct ss_header_op own = {SS_OP_SET, SS_SPAN("x-own"), SS_SPAN("1")};
	struct ss_http_stream *d = get(w, "/");

	w->route.limits = &list;
	w->route.response_ops = (struct ss_header_ops){1, &own};
	serve(w, d);
	assert_string_equal(fake_field(&d->tx, "x-own"), "1");
	assert_string_equal(fake_field(&d->tx, "x-ratelimit-limit"), "100, 100;w=10");
	assert_string_equal(fake_field(&d->tx, "x-ratelimit-remaining"), "99");
	assert_string_equal(fake_field(&d->tx, "x-ratelimit-reset"), "1");
	finish(w);
}

static void who_may_not_come_in_takes_no_token(void **state)
{
	struct world *w = limited(10, 1, SS_LIMIT_SAY_LIMITED);
	struct ss_http_stream *d;

	w->route.limits = &list;
	w->listener.authz = &w->shut;
	for (int i = 0; i < 3; i++) {
		d = get(w, "/");
		turn(w);
		replied(w, d, 403, "RBAC");
	}
	w->listener.authz = &w->open;
	serve(w, get(w, "/"));
	finish(w);
}

static void a_dry_run_lets_all_pass(void **state)
{
	struct world *w = limited(10, 1, SS_LIMIT_SAY_ALWAYS);

	limit.enforce = false;
	w->route.limits = &list;
	serve(w, get(w, "/"));
	serve(w, get(w, "/"));
	assert_int_equal(ss_limit_counted(w->px->conf.limits, limit.slot).tolerated, 1);
	finish(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_over_is_refused_and_goes_nowhere),
		cmocka_unit_test(the_listeners_counts_too),
		cmocka_unit_test(grpc_is_told_in_its_own_words),
		cmocka_unit_test(those_that_pass_may_be_told),
		cmocka_unit_test(who_may_not_come_in_takes_no_token),
		cmocka_unit_test(a_dry_run_lets_all_pass),
	};

	return cmocka_run_group_tests(tests, open_bufs, close_bufs);
}
