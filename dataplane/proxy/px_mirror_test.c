/* px_mirror_test.c - copies of requests: what they carry, what ends them, and that the request never notices.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "proxy/px_two_bed.h"

static struct ss_mirror_list list;

/* The request's cluster has one endpoint; the mirror's another. */
static struct world *mirrored(uint32_t max_mirrors)
{
	struct world *w = start();
	struct ss_proxy_conf pc = w->px->conf;

	ss_proxy_free(w->px);
	pc.max_mirrors = max_mirrors;
	pc.mirror_bytes = 4000;
	assert_int_equal(ss_proxy_create(&w->px, &pc, w->now), 0);
	second_cluster(w);
	both[1].outlier.max_ejection_percent = 100;
	both[1].outlier.min_health_percent = 0;
	ss_up_adopt(w->up, &w->snap, w->now);
	list = (struct ss_mirror_list){.n = 1,
				       .mirror = {{.cluster = 1,
						   .share = 10000,
						   .max_body = 1000,
						   .timeout_ns = 3 * S,
						   .shadow = true}}};
	w->route.mirrors = &list;
	w->route.retry = NULL;
	return w;
}

static struct ss_http_conn *primary(struct world *w)
{
	return conn_to(w, &w->eps[0].addr);
}

static struct ss_http_conn *mirror(struct world *w)
{
	return conn_to(w, &aside.addr);
}

static void open_both(struct world *w)
{
	turn(w);
	fake_open(primary(w), 100);
	fake_open(mirror(w), 100);
	turn(w);
}

static void answered(struct world *w, struct ss_http_stream *d)
{
	answer(w, newest_on(primary(w)), 200, "primary");
	delivered(w, d);
	body_is(d, "primary");
	assert_int_equal(next_event(w).status, 200);
}

static void the_same_head_to_a_shadow(void **state)
{
	struct world *w = mirrored(8);
	struct ss_http_stream *d = request(w, "GET", "/x?y"), *m;

	field(d, "x-one", "1");
	d->rx.authority = SS_SPAN("shop.example:8443");
	fake_end(d);
	open_both(w);
	m = newest_on(mirror(w));
	assert_true(ss_span_eq(m->tx.authority, SS_SPAN("shop.example-shadow:8443")));
	assert_true(ss_span_eq(m->tx.path, SS_SPAN("/x?y")));
	assert_true(ss_span_eq(m->tx.method, SS_SPAN("GET")));
	assert_string_equal(fake_field(&m->tx, "x-one"), "1");
	assert_non_null(fake_field(&m->tx, "x-request-id"));
	assert_true(m->tx_end);
	assert_true(ss_span_eq(newest_on(primary(w))->tx.authority, SS_SPAN("shop.example:8443")));
	/* Its answer goes nowhere, whatever it is. */
	answer(w, m, 500, "mirror");
	assert_false(d->tx_head);
	answered(w, d);
	assert_int_equal(counter(w, SS_C_MIRRORS), 1);
	assert_int_equal(counter(w, SS_C_MIRRORS_ANSWERED), 1);
	end(w);
}

static void a_body_is_copied_as_it_comes(void **state)
{
	struct world *w = mirrored(8);
	struct ss_http_stream *d = request(w, "POST", "/"), *m;

	fake_bytes(d, "one ", 4);
	open_both(w);
	fake_bytes(d, "two ", 4);
	turn(w);
	fake_bytes(d, "three", 5);
	fake_end(d);
	turn(w);
	m = newest_on(mirror(w));
	fake_drain(m, UINT32_MAX);
	fake_drain(newest_on(primary(w)), UINT32_MAX);
	body_is(m, "one two three");
	body_is(newest_on(primary(w)), "one two three");
	assert_true(m->tx_end);
	assert_int_equal(w->px->mirrored, 13);
	answered(w, d);
	/* The request is over; the mirror is not, and nobody minds. */
	assert_int_equal(ss_proxy_exchanges(w->px), 1);
	answer(w, m, 200, "");
	assert_int_equal(w->px->mirrored, 0);
	end(w);
}

static void what_came_before_the_mirrors_connection(void **state)
{
	struct world *w = mirrored(8);
	struct ss_http_stream *d = request(w, "POST", "/"), *m;

	fake_bytes(d, "early", 5);
	fake_end(d);
	turn(w);
	fake_open(primary(w), 100);
	turn(w);
	answered(w, d);
	fake_open(mirror(w), 100);
	turn(w);
	m = newest_on(mirror(w));
	fake_drain(m, UINT32_MAX);
	body_is(m, "early");
	assert_true(m->tx_end);
	answer(w, m, 200, "");
	end(w);
}

static void too_much_ends_the_mirror_alone(void **state)
{
	struct world *w = mirrored(8);
	struct ss_http_stream *d = request(w, "POST", "/"), *m;
	char kilobyte[1000] = {0};

	fake_bytes(d, kilobyte, 1000);
	open_both(w);
	m = newest_on(mirror(w));
	assert_false(m->released);
	fake_bytes(d, "!", 1);
	turn(w);
	assert_true(m->released);
	assert_int_equal(counter(w, SS_C_MIRRORS_TOO_LARGE), 1);
	fake_end(d);
	turn(w);
	assert_int_equal(newest_on(primary(w))->sent_bytes, 1001);
	answered(w, d);
	end(w);
}

/* All that the mirrors of a worker may hold. */
static void the_bytes_of_all_are_bounded(void **state)
{
	struct world *w = mirrored(8);
	struct ss_http_stream *d[5];
	char kilobyte[1000] = {0};

	for (int i = 0; i < 5; i++) {
		d[i] = request(w, "POST", "/");
		fake_bytes(d[i], kilobyte, 1000);
		fake_end(d[i]);
		if (i)
			turn(w);
		else
			open_both(w);
	}
	assert_int_equal(counter(w, SS_C_MIRRORS_FULL), 1);
	assert_int_equal(w->px->mirrored, 4000);
	for (int i = 0; i < 5; i++)
		assert_int_equal(d[i]->consumed, 1000);
	struct ss_http_conn *c = primary(w);
	fake_gone(mirror(w), SS_DROP_NONE);
	fake_gone(c, SS_DROP_NONE);
	for (int i = 0; i < 5; i++) {
		turn(w);
		delivered(w, d[i]);
		assert_int_equal(d[i]->tx.status, 502);
	}
	assert_int_equal(w->px->mirrored, 0);
	end(w);
}

static void more_at_once_than_there_is_room_for(void **state)
{
	struct world *w = mirrored(1);
	struct ss_http_stream *a = get(w, "/"), *b;

	open_both(w);
	b = get(w, "/");
	turn(w);
	assert_int_equal(counter(w, SS_C_MIRRORS_FULL), 1);
	assert_int_equal(counter(w, SS_C_MIRRORS), 1);
	answer(w, newest_on(mirror(w)), 200, "");
	answered(w, b);
	answer(w, routed(w), 200, "primary");
	delivered(w, a);
	end(w);
}

/* It never connects, and the line for it is full: the request is as fast as ever. */
static void a_dead_mirror(void **state)
{
	struct world *w = mirrored(16);
	struct ss_http_stream *d = get(w, "/");

	turn(w);
	fake_open(primary(w), 100);
	turn(w);
	answered(w, d);
	for (int i = 0; i < 5; i++) {
		d = get(w, "/");
		turn(w);
		answered(w, d);
	}
	assert_int_equal(counter(w, SS_C_MIRRORS_REFUSED), 3); /* three may wait */
	assert_int_equal(ss_up_waiting(w->up), 3);
	fake_gone(mirror(w), SS_DROP_TCP_TIMEOUT);
	turn(w);
	assert_int_equal(counter(w, SS_C_MIRRORS_FAILED), 3);
	assert_int_equal(counter(w, SS_C_MIRRORS), 0);
	/* Its own cluster has heard of it, the request's has not. */
	assert_int_equal(w->table->ep[aside.ep].failures, 3);
	assert_int_equal(w->table->ep[w->eps[0].ep].failures, 0);
	end(w);
}

static void a_mirror_that_stalls_is_given_up(void **state)
{
	struct world *w = mirrored(8);
	struct ss_http_stream *d = get(w, "/"), *m;

	open_both(w);
	m = newest_on(mirror(w));
	answered(w, d);
	wait_for(w, 2900 * MS);
	assert_false(m->released);
	wait_for(w, 150 * MS);
	assert_true(m->released);
	assert_int_equal(counter(w, SS_C_MIRRORS_LATE), 1);
	assert_int_equal(w->table->ep[aside.ep].failures, 1);
	end(w);
}

static void a_client_that_leaves_takes_its_mirror_along(void **state)
{
	struct world *w = mirrored(8);
	struct ss_http_stream *d = request(w, "POST", "/"), *m;

	fake_bytes(d, "half", 4);
	open_both(w);
	m = newest_on(mirror(w));
	fake_reset(d, SS_DROP_DOWNSTREAM_GONE, false);
	turn(w);
	assert_true(m->released);
	assert_int_equal(counter(w, SS_C_MIRRORS_CUT), 1);
	assert_int_equal(w->table->ep[aside.ep].failures, 0);
	end(w);
}

static void a_reset_and_an_early_answer(void **state)
{
	struct world *w = mirrored(8);
	struct ss_http_stream *d = request(w, "POST", "/");

	fake_bytes(d, "half", 4);
	open_both(w);
	answer(w, newest_on(mirror(w)), 200, "done already");
	assert_int_equal(counter(w, SS_C_MIRRORS_ANSWERED), 1);
	fake_bytes(d, "half", 4);
	fake_end(d);
	turn(w);
	answered(w, d);
	d = get(w, "/");
	turn(w);
	fake_reset(newest_on(mirror(w)), SS_DROP_UPSTREAM_STREAM_RESET, false);
	turn(w);
	assert_int_equal(counter(w, SS_C_MIRRORS_FAILED), 1);
	answered(w, d);
	end(w);
}

/* A fault's delay is the mirror's too; a reload meanwhile takes the mirror's cluster away. */
static void after_a_delay_and_a_reload(void **state)
{
	struct ss_fault slow = {.delay = SS_DELAY_FIXED, .delay_share = 10000, .delay_ns = 50 * MS};
	struct world *w = mirrored(8);
	struct ss_http_stream *d = get(w, "/");

	w->route.fault = &slow;
	turn(w);
	assert_int_equal(w->http->connects, 0);
	w->route.mirrors = NULL;
	w->snap.n_clusters = 1;
	w->snap.generation = 2;
	ss_up_adopt(w->up, &w->snap, w->now);
	wait_for(w, 52 * MS);
	assert_int_equal(counter(w, SS_C_MIRRORS_REFUSED), 1);
	fake_open(primary(w), 100);
	turn(w);
	answered(w, d);
	end(w);
}

static void a_share_of_the_requests(void **state)
{
	struct world *w = mirrored(500);
	uint64_t n;

	list.mirror[0].share = 1250;
	for (int i = 0; i < 400; i++) {
		struct ss_http_stream *d = get(w, "/");
		turn(w);
		if (!i)
			fake_open(primary(w), 100);
		turn(w);
		answered(w, d);
	}
	n = counter(w, SS_C_MIRRORS_REFUSED) + ss_up_waiting(w->up); /* for a connection that never comes */
	/* 50 of 400 are meant; five standard deviations are 33. */
	assert_in_range(n, 17, 83);
	wait_for(w, 4 * S);
	if (mirror(w))
		fake_gone(mirror(w), SS_DROP_TCP_TIMEOUT);
	turn(w);
	end(w);
}

/* One thing that may happen to an upstream connection or to a stream on it. */
static void something(struct world *w, struct ss_rng *r, struct ss_http_conn *c, bool rough)
{
	struct ss_http_stream *s = c ? newest_on(c) : NULL;

	if (!c || c->gone)
		return;
	if (!c->open) {
		if (ss_rng_chance(r, 1, 3))
			fake_open(c, 100);
		return;
	}
	if (rough && ss_rng_chance(r, 1, 20)) {
		fake_gone(c, SS_DROP_TCP_RESET);
		return;
	}
	if (!s || s->over || s->released || s->rx_end)
		return;
	fake_drain(s, ss_rng_below(r, 700));
	if (ss_rng_chance(r, 1, 3)) {
		if (rough && ss_rng_chance(r, 1, 4)) {
			fake_reset(s, SS_DROP_UPSTREAM_STREAM_RESET, ss_rng_chance(r, 1, 2));
			return;
		}
		if (!s->rx.status)
			fake_status(s, rough && ss_rng_chance(r, 1, 3) ? 503 : 200);
		fake_bytes(s, "some bytes", 10);
		if (ss_rng_chance(r, 1, 2))
			fake_end(s);
	}
}

#define CLIENTS 12

/* Anything may happen to mirrors, and clients may leave; requests are answered, and in the end nothing is
 * held. The primary endpoint answers slowly but has the time to: what mirrors do is never put down to it. */
static void whatever_happens(uint64_t seed)
{
	struct ss_http_stream *d[CLIENTS] = {NULL};
	struct world *w = mirrored(8);
	char bytes[400] = {0};
	struct ss_rng r;

	print_message("seed %llu\n", (unsigned long long)seed);
	ss_rng_seed(&r, seed);
	w->route.timeout_ns = 1000 * S;
	both[1].outlier.consecutive_errors = 0;
	for (int step = 0; step < 4000; step++) {
		uint32_t i = ss_rng_below(&r, CLIENTS);
		if (!d[i]) {
			d[i] = request(w, "POST", "/");
		} else if (d[i]->released) {
			d[i] = NULL;
		} else if (ss_rng_chance(&r, 1, 30)) {
			fake_reset(d[i], SS_DROP_DOWNSTREAM_GONE, false);
		} else if (!d[i]->rx_end && !d[i]->over) {
			fake_bytes(d[i], bytes, 1 + ss_rng_below(&r, sizeof(bytes) - 1));
			if (ss_rng_chance(&r, 1, 3))
				fake_end(d[i]);
		} else {
			fake_drain(d[i], UINT32_MAX);
		}
		something(w, &r, primary(w), false);
		something(w, &r, mirror(w), true);
		if (ss_rng_chance(&r, 1, 50))
			w->now += ss_rng_below(&r, 2000) * MS;
		turn(w);
		assert_true(w->px->mirrored <= 4000);
	}
	for (uint32_t i = 0; i < CLIENTS; i++)
		if (d[i] && !d[i]->released)
			fake_reset(d[i], SS_DROP_DOWNSTREAM_GONE, false);
	turn(w);
	wait_for(w, 4 * S);
	assert_int_equal(w->px->mirrored, 0);
	assert_true(counter(w, SS_C_MIRRORS_ANSWERED) > 0 && counter(w, SS_C_MIRRORS_FAILED) > 0);
	assert_int_equal(w->table->ep[w->eps[0].ep].ejections, 0);
	end(w);
}

static void whatever_happens_nothing_is_left(void **state)
{
	each_seed(whatever_happens);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_head_to_a_shadow),
		cmocka_unit_test(a_body_is_copied_as_it_comes),
		cmocka_unit_test(what_came_before_the_mirrors_connection),
		cmocka_unit_test(too_much_ends_the_mirror_alone),
		cmocka_unit_test(the_bytes_of_all_are_bounded),
		cmocka_unit_test(more_at_once_than_there_is_room_for),
		cmocka_unit_test(a_dead_mirror),
		cmocka_unit_test(a_mirror_that_stalls_is_given_up),
		cmocka_unit_test(a_client_that_leaves_takes_its_mirror_along),
		cmocka_unit_test(a_reset_and_an_early_answer),
		cmocka_unit_test(after_a_delay_and_a_reload),
		cmocka_unit_test(a_share_of_the_requests),
		cmocka_unit_test(whatever_happens_nothing_is_left),
	};

	return cmocka_run_group_tests(tests, open_bufs, close_bufs);
}
