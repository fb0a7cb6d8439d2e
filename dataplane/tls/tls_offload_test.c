/*
 * Handshakes that wait for an engine: the test engine (dts-tests/engine), whose words are memory of ours. The one
 * argument is its shared object. Threads are TestSuite_engine's: a fibre needs the one that began it, and the crew of
 * this room's tests has a new one for each round.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/engine.h>

#include "tls/tls_engine_sim.h"
#include "tls/tls_int.h"
#include "tls/tls_world_sim.h"

static struct world world;
static uint64_t *words;
static unsigned polls;

static void begin(void)
{
}

static void poll_engine(void *engine)
{
	polls++;
}

static struct ss_offload offload = { .begin = begin, .poll = poll_engine };

/* Before any key is made: it is the default for all of them. */
static ENGINE *load(const char *path)
{
	int fd = memfd_create("words", 0);
	char name[64];
	ENGINE *e;

	assert_int_equal(ftruncate(fd, 4096), 0);
	words = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(words, MAP_FAILED);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	OPENSSL_init_crypto(OPENSSL_INIT_ENGINE_DYNAMIC, NULL);
	e = ENGINE_by_id("dynamic");
	assert_int_equal(ENGINE_ctrl_cmd_string(e, "SO_PATH", path, 0), 1);
	assert_int_equal(ENGINE_ctrl_cmd_string(e, "LOAD", NULL, 0), 1);
	assert_int_equal(ENGINE_ctrl_cmd_string(e, "WORDS", name, 0), 1);
	assert_int_equal(ENGINE_init(e), 1);
	assert_int_equal(ENGINE_set_default(e, ENGINE_METHOD_EC), 1);
	return e;
}

static struct world *setup(const char *name, uint64_t seed)
{
	struct world *w = &world;
	struct sim_cert b;

	for (int i = 0; i <= TESTENGINE_DELAY_US; i++)
		words[i] = 0;
	polls = 0;
	atomic_store(&offload.in_row, 0);
	world_offload = &offload;
	world_init(w, name, seed);
	b = sim_leaf(&w->ca, &(struct sim_leaf){ .san = "URI:spiffe://mesh.local/b" });
	w->server.ctx[0] = sim_ctx(true, &b, &w->ca, TLS1_3_VERSION);
	w->client.ctx[0] = sim_ctx(false, &b, &w->ca, TLS1_3_VERSION);
	SSL_CTX_set_mode(w->server.ctx[0], SSL_MODE_ASYNC);
	SSL_CTX_set_mode(w->client.ctx[0], SSL_MODE_ASYNC);
	w->tcp.no_split = true;
	sim_cert_free(&b);
	return w;
}

static uint64_t counter(const struct world *w, enum ss_counter k)
{
	return w->counters.v[k];
}

/* Both sides sign once; each operation pauses, and the handshake is never seen by the worker while it does. */
static void test_pauses(void **state)
{
	struct world *w = setup("pauses", 1);
	uint64_t ops = words[TESTENGINE_OPS], sync = words[TESTENGINE_SYNC];
	struct app *a[3];

	words[TESTENGINE_PAUSE] = 5;
	for (int i = 0; i < 3; i++)
		a[i] = world_connect_self(w, SS_PROTO_H2);
	world_turns(w, 100);
	for (int i = 0; i < 3; i++)
		assert_true(a[i]->events & SS_TLS_EV_CONNECTED);
	assert_int_equal(words[TESTENGINE_OPS] - ops, 6);
	assert_int_equal(words[TESTENGINE_SYNC], sync);
	assert_int_equal(counter(w, SS_C_TLS_HANDSHAKES), 6);
	assert_int_equal(counter(w, SS_C_TLS_ENGINE_WAITED), 6);
	assert_int_equal(counter(w, SS_C_TLS_ENGINE_PAUSED), 0);
	assert_int_equal(counter(w, SS_C_TLS_STEPS_QUEUED), 0);
	assert_true(polls >= 5);
	/* Records go on without jobs. */
	assert_int_equal(app_send(w, a[0], "hello", 5), 0);
	world_turns(w, 5);
	assert_int_equal(words[TESTENGINE_OPS] - ops, 6);
	world_free(w);
}

/* An operation that never ends: the handshake times out by name, others go on; what is left of it is kept until the
 * engine answers, and no longer. */
static void test_never(void **state)
{
	struct world *w = setup("never", 2);
	struct app *open = world_connect_self(w, SS_PROTO_H2), *a;

	world_turns(w, 50);
	assert_true(open->events & SS_TLS_EV_CONNECTED);
	words[TESTENGINE_NEVER] = 1;
	a = world_connect_self(w, SS_PROTO_H2);
	world_turns(w, 50);
	assert_int_equal(words[TESTENGINE_IN_FLIGHT], 1);
	assert_int_equal(counter(w, SS_C_TLS_ENGINE_PAUSED), 1);
	assert_int_equal(app_send(w, open, "hello", 5), 0);
	world_turns(w, 5);
	w->now += 6 * SS_NS_PER_SEC;
	world_turns(w, 10);
	assert_true(world_drops(w, SS_DROP_TLS_TIMEOUT) >= 1);
	assert_true(a->events & SS_TLS_EV_FAILED);
	assert_int_equal(counter(w, SS_C_TLS_ENGINE_LOST), 1);
	assert_int_equal(counter(w, SS_C_TLS_STEPS_QUEUED), 1);
	words[TESTENGINE_NEVER] = 0;
	world_turns(w, 10);
	assert_int_equal(words[TESTENGINE_IN_FLIGHT], 0);
	assert_int_equal(counter(w, SS_C_TLS_STEPS_QUEUED), 0);
	assert_int_equal(counter(w, SS_C_TLS_ENGINE_PAUSED), 0);
	world_free(w);
}

/* The end of the process waits for an operation that ends soon: nothing is left behind. */
static void test_end(void **state)
{
	struct world *w = setup("end", 4);

	words[TESTENGINE_DELAY_US] = 150000;
	world_connect_self(w, SS_PROTO_H2);
	world_turns(w, 20);
	assert_int_equal(words[TESTENGINE_IN_FLIGHT], 1);
	world_free(w);
	assert_int_equal(words[TESTENGINE_IN_FLIGHT], 0);
}

/* Each failed operation is one, and a success in between starts again from zero. A client that is not let in for
 * what it is has nothing to do with the engine. */
static void test_failures_in_a_row(void **state)
{
	struct world *w = setup("fails", 3);

	words[TESTENGINE_FAIL_EVERY] = 1;
	for (int i = 0; i < 3; i++) {
		world_connect_self(w, SS_PROTO_H2);
		world_turns(w, 50);
	}
	assert_int_equal(counter(w, SS_C_TLS_ENGINE_FAILED), 3);
	assert_int_equal(atomic_load(&offload.in_row), 3);
	assert_int_equal(counter(w, SS_C_TLS_HANDSHAKES), 0);
	words[TESTENGINE_FAIL_EVERY] = 0;
	w->server_id = (struct ss_id_match){ .kind = SS_ID_EXACT, .value = SS_SPAN("spiffe://mesh.local/other") };
	w->server.n_ids = 1;
	world_connect_self(w, SS_PROTO_H2);
	world_turns(w, 50);
	assert_int_equal(world_drops(w, SS_DROP_TLS_IDENTITY), 1);
	assert_int_equal(counter(w, SS_C_TLS_ENGINE_FAILED), 3);
	w->server.n_ids = 0;
	world_connect_self(w, SS_PROTO_H2);
	world_turns(w, 50);
	assert_int_equal(atomic_load(&offload.in_row), 0);
	world_free(w);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pauses),
		cmocka_unit_test(test_never),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_failures_in_a_row),
	};
	ENGINE *e = load(argv[1]);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	ENGINE_finish(e);
	ENGINE_free(e);
	return failed;
}
