/* px_fault_test.c - injected faults: how often, how long, what is answered, and that nothing goes upstream.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "proxy/px_bed.h"
#include "proxy/px_fault.c"

static struct ss_fault fault;

static struct world *faulty(struct ss_fault f)
{
	struct world *w = start();

	fault = f;
	w->route.fault = &fault;
	w->route.retry = NULL;
	return w;
}

static void serve(struct world *w, struct ss_http_stream *d, uint16_t status)
{
	turn(w);
	if (!newest(w)->open)
		fake_open(newest(w), 100);
	answer(w, routed(w), status, "ok");
	delivered(w, d);
}

static const struct ss_fault always_503 = {.abort = SS_ABORT_HTTP, .abort_share = 10000, .status = 503};

static void an_abort_never_goes_upstream(void **state)
{
	struct world *w = faulty(always_503);

	for (int i = 0; i < 20; i++) {
		struct ss_http_stream *d = get(w, "/");
		turn(w);
		replied(w, d, 503, "FI");
	}
	assert_int_equal(w->http->connects, 0);
	assert_int_equal(w->counters.v[SS_C_FAULT_ABORTS], 20);
	assert_int_equal(w->counters.drops[SS_DROP_FAULT_ABORT], 20);
	end(w);
}

static struct ss_http_stream *call(struct world *w)
{
	struct ss_http_stream *d = request(w, "POST", "/pkg.Service/Method");

	field(d, "content-type", "application/grpc");
	fake_end(d);
	turn(w);
	return d;
}

static void statuses_of_both_kinds(void **state)
{
	static const struct {
		uint8_t abort;
		uint16_t status, http;
		const char *grpc;
	} rows[] = {
		{SS_ABORT_HTTP, 503, 503, "14"}, {SS_ABORT_HTTP, 404, 404, "12"},
		{SS_ABORT_HTTP, 418, 418, "2"},  {SS_ABORT_GRPC, 14, 503, "14"},
		{SS_ABORT_GRPC, 8, 429, "8"},    {SS_ABORT_GRPC, 16, 401, "16"},
	};

	for (size_t i = 0; i < SS_ARRAY_LEN(rows); i++) {
		struct world *w = faulty((struct ss_fault){
			.abort = rows[i].abort, .abort_share = 10000, .status = rows[i].status});
		struct ss_http_stream *d = get(w, "/");
		turn(w);
		replied(w, d, rows[i].http, "FI");
		d = call(w);
		assert_string_equal(fake_field(&d->tx, "grpc-status"), rows[i].grpc);
		replied(w, d, 200, "FI");
		end(w);
	}
}

static void a_fixed_delay_then_an_answer(void **state)
{
	struct world *w = faulty((struct ss_fault){
		.delay = SS_DELAY_FIXED, .delay_share = 10000, .delay_ns = 50 * MS, .delay_max_ns = S});
	struct ss_http_stream *d = get(w, "/");
	struct ss_event e;

	turn(w);
	wait_for(w, 48 * MS);
	assert_int_equal(w->http->connects, 0);
	wait_for(w, 3 * MS);
	serve(w, d, 200);
	e = next_event(w);
	assert_true(e.delayed);
	assert_int_equal(e.drop, SS_DROP_NONE);
	assert_int_equal(w->counters.v[SS_C_FAULT_DELAYS], 1);
	assert_int_equal(w->px->faults, 0);
	end(w);
}

static void a_delay_and_then_an_abort(void **state)
{
	struct ss_fault f = always_503;
	struct ss_http_stream *d;
	struct ss_event e;
	struct world *w;

	f.delay = SS_DELAY_FIXED;
	f.delay_share = 10000;
	f.delay_ns = 20 * MS;
	w = faulty(f);
	d = get(w, "/");
	turn(w);
	wait_for(w, 15 * MS);
	assert_false(d->tx_head);
	wait_for(w, 7 * MS);
	assert_int_equal(d->tx.status, 503);
	delivered(w, d);
	e = next_event(w);
	assert_true(e.delayed);
	assert_int_equal(e.drop, SS_DROP_FAULT_ABORT);
	assert_int_equal(w->http->connects, 0);
	end(w);
}

/* The route's own time is for the endpoint: it begins after the delay. */
static void a_delay_may_be_longer_than_the_routes_timeout(void **state)
{
	struct world *w = faulty((struct ss_fault){
		.delay = SS_DELAY_FIXED, .delay_share = 10000, .delay_ns = 8 * S, .delay_max_ns = 10 * S});
	struct ss_http_stream *d = get(w, "/");

	turn(w);
	wait_for(w, 6 * S);
	assert_false(d->tx_head);
	wait_for(w, 2 * S + 2 * MS);
	turn(w);
	fake_open(newest(w), 100);
	turn(w);
	wait_for(w, 5 * S + 10 * MS);
	replied(w, d, 504, "UT");
	end(w);
}

static void who_goes_away_meanwhile_leaves_nothing(void **state)
{
	struct world *w = faulty((struct ss_fault){
		.delay = SS_DELAY_FIXED, .delay_share = 10000, .delay_ns = S, .delay_max_ns = S});
	struct ss_http_stream *d = request(w, "POST", "/");

	fake_bytes(d, "waits", 5);
	turn(w);
	assert_int_equal(w->px->faults, 1);
	fake_reset(d, SS_DROP_DOWNSTREAM_GONE, false);
	turn(w);
	assert_true(d->released);
	assert_int_equal(w->px->faults, 0);
	wait_for(w, 2 * S);
	assert_int_equal(w->http->connects, 0);
	end(w);
}

/* A reload takes the fault, or the cluster, away while a request waits. */
static void a_reload_meanwhile(void **state)
{
	struct world *w = faulty((struct ss_fault){
		.delay = SS_DELAY_FIXED, .delay_share = 10000, .delay_ns = 50 * MS, .delay_max_ns = S});
	struct ss_http_stream *d = get(w, "/");

	turn(w);
	w->route.fault = NULL;
	memset(&fault, 0xee, sizeof(fault));
	w->snap.n_clusters = 0;
	w->snap.generation = 2;
	ss_up_adopt(w->up, &w->snap, w->now);
	wait_for(w, 52 * MS);
	assert_int_equal(d->tx.status, 503);
	delivered(w, d);
	assert_string_equal(ss_drop_flag(next_event(w).drop), "NC");
	end(w);
}

static void only_so_many_at_once(void **state)
{
	struct world *w = faulty((struct ss_fault){.delay = SS_DELAY_FIXED,
						   .delay_share = 10000,
						   .delay_ns = 50 * MS,
						   .delay_max_ns = S,
						   .max_active = 2});
	struct ss_http_stream *a = get(w, "/"), *b, *c;

	w->cluster.n_endpoints = 1;
	turn(w);
	b = get(w, "/");
	turn(w);
	c = get(w, "/");
	serve(w, c, 200);
	assert_int_equal(w->counters.v[SS_C_FAULTS_OVER], 1);
	wait_for(w, 52 * MS);
	answer(w, routed(w), 200, "ok");
	answer(w, routed(w), 200, "ok");
	delivered(w, a);
	delivered(w, b);
	assert_int_equal(w->px->faults, 0);
	end(w);
}

static void by_header_from_inside_only(void **state)
{
	struct world *w = faulty((struct ss_fault){.delay = SS_DELAY_BY_HEADER,
						   .abort = SS_ABORT_BY_HEADER,
						   .delay_share = 10000,
						   .abort_share = 10000,
						   .delay_max_ns = 100 * MS});
	struct ss_http_stream *d = request(w, "GET", "/");

	field(d, "x-envoy-fault-abort-request", "451");
	fake_end(d);
	turn(w);
	replied(w, d, 451, "FI");
	d = request(w, "GET", "/");
	field(d, "x-envoy-fault-delay-request", "999999");
	fake_end(d);
	turn(w);
	wait_for(w, 98 * MS);
	assert_int_equal(w->http->connects, 0);
	wait_for(w, 4 * MS); /* no longer than the bound */
	serve(w, d, 200);
	next_event(w);
	static const char *const nonsense[] = {"", "10000000000", "-5", "99", "600", "5o3"};
	for (size_t i = 0; i < SS_ARRAY_LEN(nonsense); i++) {
		d = request(w, "GET", "/");
		field(d, "x-envoy-fault-abort-request", nonsense[i]);
		fake_end(d);
		serve(w, d, 200);
		assert_int_equal(next_event(w).drop, SS_DROP_NONE);
	}
	w->listener.edge = true;
	d = request(w, "GET", "/");
	field(d, "x-envoy-fault-abort-request", "451");
	field(d, "x-envoy-fault-delay-request", "50");
	fake_end(d);
	serve(w, d, 200);
	assert_false(next_event(w).delayed);
	end(w);
}

static void only_for_those_who_say_so(void **state)
{
	const struct ss_route_field h[] = {
		{.name = SS_SPAN("x-chaos"), .value = SS_SPAN("yes"), .kind = SS_HM_EXACT},
		{.name = SS_SPAN("x-who"), .kind = SS_HM_PRESENT}};
	struct ss_fault f = always_503;
	struct ss_http_stream *d;
	struct world *w;

	f.headers = (struct ss_field_set){.n = 2, .v = h};
	w = faulty(f);
	for (int i = 0; i < 4; i++) {
		d = request(w, "GET", "/");
		if (i & 1)
			field(d, "x-chaos", "yes");
		if (i & 2)
			field(d, "x-who", "");
		fake_end(d);
		if (i < 3) {
			serve(w, d, 200);
			next_event(w);
		}
	}
	turn(w);
	replied(w, d, 503, "FI");
	end(w);
}

/* Five standard deviations of a binomial of n draws. */
static void about(uint32_t got, uint32_t n, double share)
{
	double want = n * share, sigma = sqrt(n * share * (1 - share));

	if (fabs(got - want) > 5 * sigma + 1)
		fail_msg("%u of %u, want %.1f +- %.1f", got, n, want, 5 * sigma);
}

/* Draws alone, without streams: how many of n are delayed, aborted, both. */
static void shares_are_independent(void **state)
{
	static const uint16_t shares[] = {1, 50, 1250, 5000, 9999};
	struct world *w = start();
	struct px_exchange x = {.p = w->px};
	const uint32_t n = 200000;

	for (size_t i = 0; i < SS_ARRAY_LEN(shares); i++) {
		uint32_t late = 0, ends = 0, both = 0;
		double p = shares[i] / 10000.0;
		for (uint32_t k = 0; k < n; k++) {
			bool a = drawn(&x, shares[i]), b = drawn(&x, shares[i]);
			late += a;
			ends += b;
			both += a && b;
		}
		about(late, n, p);
		about(ends, n, p);
		about(both, n, p * p);
	}
	assert_false(drawn(&x, 0));
	end(w);
}

/* The mean, and the share below it: 1 - 1/e. */
static void delays_are_exponential(void **state)
{
	struct ss_rng r;
	const uint32_t n = 200000;
	uint32_t below = 0, twice = 0;
	double sum = 0;

	ss_rng_seed(&r, 7);
	for (uint32_t i = 0; i < n; i++) {
		uint64_t ns = exponential(&r, 20 * MS);
		sum += (double)ns;
		below += ns < 20 * MS;
		twice += ns < 40 * MS;
	}
	/* The standard deviation is the mean itself. */
	assert_true(fabs(sum / n / (20.0 * MS) - 1) < 5 / sqrt(n));
	about(below, n, 1 - exp(-1));
	about(twice, n, 1 - exp(-2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_abort_never_goes_upstream),
		cmocka_unit_test(statuses_of_both_kinds),
		cmocka_unit_test(a_fixed_delay_then_an_answer),
		cmocka_unit_test(a_delay_and_then_an_abort),
		cmocka_unit_test(a_delay_may_be_longer_than_the_routes_timeout),
		cmocka_unit_test(who_goes_away_meanwhile_leaves_nothing),
		cmocka_unit_test(a_reload_meanwhile),
		cmocka_unit_test(only_so_many_at_once),
		cmocka_unit_test(by_header_from_inside_only),
		cmocka_unit_test(only_for_those_who_say_so),
		cmocka_unit_test(shares_are_independent),
		cmocka_unit_test(delays_are_exponential),
	};

	return cmocka_run_group_tests(tests, open_bufs, close_bufs);
}
