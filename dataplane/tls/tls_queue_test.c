/*
 * Handshakes that are away: the thread is late, stuck, full, or brings back what nobody waits for; and clients
 * that are not admitted. tls_test.c and its like, linked with tls_threads_sim.c, show that all else is the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tls/tls_int.h"
#include "tls/tls_world_sim.h"

static struct world world;

static struct world *setup(const char *name, uint64_t seed)
{
	struct world *w = &world;
	struct sim_cert b;

	world_init(w, name, seed);
	b = sim_leaf(&w->ca, &(struct sim_leaf){ .san = "URI:spiffe://mesh.local/b" });
	w->server.ctx[0] = sim_ctx(true, &b, &w->ca, TLS1_3_VERSION);
	w->client.ctx[0] = sim_ctx(false, &b, &w->ca, TLS1_3_VERSION);
	w->tcp.no_split = true;
	sim_cert_free(&b);
	return w;
}

static uint64_t counter(const struct world *w, enum ss_counter k)
{
	return w->counters.v[k];
}

/* Turns of a fake thread that works at once. */
static void shake_hands(struct world *w)
{
	world_turns(w, 20);
}

static void test_on_the_thread(void **state)
{
	struct world *w = setup("away", 1);
	struct app *a = world_connect_self(w, SS_PROTO_H2);

	shake_hands(w);
	assert_true(a->events & SS_TLS_EV_CONNECTED);
	assert_int_equal(counter(w, SS_C_TLS_HANDSHAKES), 2);
	assert_true(counter(w, SS_C_TLS_STEPS) >= 4);
	assert_int_equal(counter(w, SS_C_TLS_STEPS), counter(w, SS_C_TLS_STEPS_AWAY));
	assert_int_equal(counter(w, SS_C_TLS_STEPS_NS), 1000 * counter(w, SS_C_TLS_STEPS));
	assert_int_equal(counter(w, SS_C_TLS_STEPS_QUEUED), 0);
	world_free(w);
}

/* Nothing of the connection moves while its step is away, whatever comes; then all of it does. */
static void test_a_late_thread(void **state)
{
	struct world *w = setup("late", 2);
	struct app *open = world_connect_self(w, SS_PROTO_H2), *a;

	shake_hands(w);
	fake_crew_stick(w->crew, true);
	a = world_connect_self(w, SS_PROTO_H2);
	world_turns(w, 50);
	assert_int_equal(fake_crew_waiting(w->crew), 1);
	assert_int_equal(a->events, 0);
	/* Another one's records go on meanwhile. */
	assert_int_equal(app_send(w, open, "hello", 5), 0);
	world_turns(w, 5);
	assert_int_equal(world_served(w)->n, 5);
	fake_crew_stick(w->crew, false);
	shake_hands(w);
	assert_true(a->events & SS_TLS_EV_CONNECTED);
	assert_int_equal(counter(w, SS_C_TLS_HANDSHAKES), 4);
	world_free(w);
}

/* The handshake's time is up while its step is away: it ends by name, and what comes back later is nobody's. */
static void test_timeout_while_away(void **state)
{
	struct world *w = setup("timeout", 3);
	struct ss_tcp_conn *tcp = fake_accept(&w->tcp, SERVER_COOKIE);
	static const uint8_t hello[] = { 22, 3, 1, 0, 200, 1 };

	fake_crew_stick(w->crew, true);
	fake_deliver(tcp, hello, sizeof(hello));
	world_turns(w, 3);
	assert_int_equal(fake_crew_waiting(w->crew), 1);
	w->now += 6 * SS_NS_PER_SEC;
	world_turns(w, 2);
	assert_int_equal(world_drops(w, SS_DROP_TLS_TIMEOUT), 1);
	assert_int_equal(counter(w, SS_C_TLS_STEPS_QUEUED), 1); /* the thread still has it */
	fake_crew_stick(w->crew, false);
	world_turns(w, 3);
	assert_int_equal(counter(w, SS_C_TLS_STEPS_QUEUED), 0);
	assert_int_equal(world_drops(w, SS_DROP_TLS_HANDSHAKE), 0);
	world_free(w);
}

/* The peer resets, or the upper room gives up, while the step is away. */
static void test_gone_while_away(void **state)
{
	struct world *w = setup("gone", 4);
	struct app *a = world_connect_self(w, SS_PROTO_H2), *b = world_connect_self(w, SS_PROTO_H2);
	struct ss_tcp_conn *tcp = w->tcp.newest;

	fake_crew_stick(w->crew, true);
	world_turns(w, 3);
	assert_int_equal(fake_crew_waiting(w->crew), 2);
	app_release(a);
	fake_rst(tcp);
	world_turns(w, 3);
	assert_int_equal(fake_crew_waiting(w->crew), 2);
	fake_crew_stick(w->crew, false);
	world_turns(w, 3);
	assert_int_equal(fake_crew_waiting(w->crew), 0);
	assert_int_equal(counter(w, SS_C_TLS_HANDSHAKES), 0);
	assert_int_equal(counter(w, SS_C_TLS_STEPS_QUEUED), 0);
	(void)b;
	world_free(w);
}

/* The process ends while a thread is stuck with a job, and others wait. */
static void test_never(void **state)
{
	struct world *w = setup("never", 5);

	for (int i = 0; i < 3; i++)
		world_connect_self(w, SS_PROTO_H2);
	fake_crew_stick(w->crew, true);
	world_turns(w, 3);
	assert_true(fake_crew_waiting(w->crew) > 0);
	world_free(w); /* checks that nothing is held */
}

/* The ring to the thread takes one job: the others wait for their turn, and all are done. */
static void test_a_full_ring(void **state)
{
	struct world *w = setup("ring", 6);

	fake_crew_room(w->crew, 1);
	for (int i = 0; i < 6; i++)
		world_connect_self(w, SS_PROTO_H2);
	world_turns(w, 3);
	assert_true(fake_crew_waiting(w->crew) <= 1);
	world_turns(w, 200);
	assert_int_equal(counter(w, SS_C_TLS_HANDSHAKES), 12);
	assert_int_equal(counter(w, SS_C_TLS_STEPS_QUEUED), 0);
	world_free(w);
}

/* A thread that is stuck, and more clients than may wait: the newest are refused by name, before they cost. */
static void test_too_many_wait(void **state)
{
	struct world *w = setup("queue", 7);
	static const uint8_t hello[] = { 22, 3, 1, 0, 200, 1 };

	w->tcp.sink = true;
	ss_pool_free(w->tls->trips);
	w->tls->trips = ss_pool_create("tls trips", sizeof(struct tls_trip), 4);
	fake_crew_stick(w->crew, true);
	for (int i = 0; i < 10; i++)
		fake_deliver(fake_accept(&w->tcp, SERVER_COOKIE), hello, sizeof(hello));
	world_turns(w, 3);
	assert_int_equal(fake_crew_waiting(w->crew), 4);
	assert_int_equal(world_drops(w, SS_DROP_TLS_QUEUE_FULL), 6);
	assert_int_equal(ss_tls_conns(w->tls), 4);
	world_free(w);
}

/* A second's number may come at once; after that, one for each that the time earns. */
static void test_more_than_the_rate(void **state)
{
	static const uint8_t hello[] = { 22, 3, 1, 0, 200, 1 };
	struct world *w;

	world_rate = 4;
	w = setup("rate", 8);
	world_rate = 0;
	w->tcp.sink = true;
	for (int i = 0; i < 10; i++)
		fake_deliver(fake_accept(&w->tcp, SERVER_COOKIE), hello, sizeof(hello));
	world_turns(w, 1);
	assert_int_equal(world_drops(w, SS_DROP_TLS_RATE), 6);
	w->now += SS_NS_PER_SEC / 2;
	for (int i = 0; i < 10; i++)
		fake_deliver(fake_accept(&w->tcp, SERVER_COOKIE), hello, sizeof(hello));
	world_turns(w, 1);
	assert_int_equal(world_drops(w, SS_DROP_TLS_RATE), 14);
	assert_int_equal(ss_tls_conns(w->tls), 6);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_on_the_thread),	   cmocka_unit_test(test_a_late_thread),
		cmocka_unit_test(test_timeout_while_away), cmocka_unit_test(test_gone_while_away),
		cmocka_unit_test(test_never),		   cmocka_unit_test(test_a_full_ring),
		cmocka_unit_test(test_too_many_wait),	   cmocka_unit_test(test_more_than_the_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
