/* Tickets of our listener: a libssl client comes back with one, and things have changed or not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "contract/tickets.h"
#include "tls/tls_world_sim.h"

#define ID_A "spiffe://mesh.local/ns/demo/sa/a"

static struct world world;
static struct ss_ticket_ring *ring;
static SSL_SESSION *ticket;
static uint8_t keys;

static int keep(SSL *ssl, SSL_SESSION *s)
{
	SSL_SESSION_free(ticket);
	ticket = s;
	return 1;
}

static void turn_keys(void)
{
	struct ss_ticket_key k;

	memset(&k, ++keys, sizeof(k));
	ss_ticket_ring_turn(ring, &k);
}

static SSL_CTX *server_ctx(struct world *w, const char *trust)
{
	struct sim_cert c = sim_leaf(&w->ca, &(struct sim_leaf){ .san = "URI:spiffe://mesh.local/b" });
	SSL_CTX *ctx = sim_ctx(true, &c, &w->ca, TLS1_3_VERSION);

	sim_cert_free(&c);
	SSL_CTX_clear_options(ctx, SSL_OP_NO_TICKET);
	SSL_CTX_set_num_tickets(ctx, 1);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_session_id_context(ctx, (const unsigned char *)trust, (unsigned)strlen(trust));
	return ctx;
}

/* A listener with tickets, and a client that keeps them; its certificate lasts for so long. */
static SSL_CTX *begin(struct world *w, long lasts_s, int version)
{
	world_tickets = ring;
	world_init(w, "resume", 11);
	turn_keys();
	w->server.ctx[0] = server_ctx(w, "trust 1");
	struct sim_cert a = sim_leaf(&w->ca, &(struct sim_leaf){ .san = "URI:" ID_A, .from_s = -60, .to_s = lasts_s });
	SSL_CTX *ctx = sim_ctx(false, &a, &w->ca, version);
	sim_cert_free(&a);
	SSL_CTX_clear_options(ctx, SSL_OP_NO_TICKET);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, keep);
	return ctx;
}

static void end(struct world *w, SSL_CTX *ctx)
{
	SSL_SESSION_free(ticket);
	ticket = NULL;
	SSL_CTX_free(ctx);
	world_free(w);
}

/* In order: OpenSSL makes a session that ends otherwise one that cannot be resumed. */
static void leave(struct far *f)
{
	SSL_set_shutdown(f->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	far_free(f);
}

/* One visit, with the ticket that there is: did it get in, was it resumed. Bytes go both ways if it did. */
static bool visit(struct world *w, SSL_CTX *ctx, bool *resumed)
{
	struct far f;
	uint64_t before = ss_counter_read(&w->counters, SS_C_TLS_RESUMED);

	far_client(w, &f, ctx);
	if (ticket)
		assert_int_equal(SSL_set_session(f.ssl, ticket), 1);
	far_run(w, &f, 60);
	struct app *app = world_served(w);
	bool in = app && app->c && (app->events & SS_TLS_EV_ACCEPTED) && !(app->events & SS_TLS_EV_FAILED);
	if (in) {
		assert_true(ss_span_eq(ss_peer_identity(ss_tls_peer(app->c)), ss_span_str(ID_A)));
		assert_int_equal(ss_tls_peer(app->c)->tls, 2);
		assert_int_equal(app_send(w, app, "hello", 5), 0);
		far_send(&f, "hi", 2);
		far_run(w, &f, 20);
		assert_int_equal(f.n, 5);
		assert_int_equal(app->n, 2);
		assert_int_equal(SSL_session_reused(f.ssl),
				 ss_counter_read(&w->counters, SS_C_TLS_RESUMED) - before);
	}
	*resumed = SSL_session_reused(f.ssl);
	leave(&f);
	if (app && app->c)
		app_release(app);
	world_turns(w, 5);
	return in;
}

static void test_a_ticket_resumes(void **state)
{
	for (const struct world_backend *b = world_backends; b->name; b++) {
		bool resumed;

		world_records = b->records;
		SSL_CTX *ctx = begin(&world, 3600, TLS1_3_VERSION);
		assert_true(visit(&world, ctx, &resumed));
		assert_false(resumed);
		for (int i = 0; i < 3; i++) { /* each with the ticket of the one before */
			assert_non_null(ticket);
			assert_true(visit(&world, ctx, &resumed));
			assert_true(resumed);
		}
		end(&world, ctx);
	}
	world_records = SS_TLS_RECORDS_AUTO;
}

static void test_keys_are_forgotten_after_two_turns(void **state)
{
	bool resumed;
	SSL_CTX *ctx = begin(&world, 3600, TLS1_3_VERSION);

	assert_true(visit(&world, ctx, &resumed));
	turn_keys();
	assert_true(visit(&world, ctx, &resumed));
	assert_true(resumed);
	turn_keys();
	turn_keys();
	assert_true(visit(&world, ctx, &resumed));
	assert_false(resumed);
	end(&world, ctx);
}

/* Who is let in is asked now: the ticket says who it is, not that it may. */
static void test_an_identity_that_is_not_accepted_any_more(void **state)
{
	bool resumed;
	SSL_CTX *ctx = begin(&world, 3600, TLS1_3_VERSION);

	assert_true(visit(&world, ctx, &resumed));
	world.server_id = (struct ss_id_match){ SS_ID_EXACT, SS_SPAN("spiffe://mesh.local/somebody/else") };
	world.server.n_ids = 1;
	assert_false(visit(&world, ctx, &resumed));
	assert_false(resumed);
	assert_int_equal(world_drops(&world, SS_DROP_TLS_IDENTITY), 1);
	end(&world, ctx);
}

static void test_another_trust(void **state)
{
	bool resumed;
	SSL_CTX *ctx = begin(&world, 3600, TLS1_3_VERSION);

	assert_true(visit(&world, ctx, &resumed));
	SSL_CTX_free(world.server.ctx[0]);
	world.server.ctx[0] = server_ctx(&world, "trust 1");
	assert_true(visit(&world, ctx, &resumed));
	assert_true(resumed); /* a reload that changes nothing */
	SSL_CTX_free(world.server.ctx[0]);
	world.server.ctx[0] = server_ctx(&world, "trust 2");
	assert_true(visit(&world, ctx, &resumed));
	assert_false(resumed);
	end(&world, ctx);
}

static void test_a_certificate_that_has_expired(void **state)
{
	struct timespec until;
	bool resumed;
	SSL_CTX *ctx = begin(&world, 5, TLS1_3_VERSION); /* the first visit must end before: nobody's pause is that long */

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 6;
	assert_true(visit(&world, ctx, &resumed));
	clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL);
	assert_false(visit(&world, ctx, &resumed));
	assert_false(resumed);
	assert_int_equal(world_drops(&world, SS_DROP_TLS_EXPIRED), 1);
	end(&world, ctx);
}

/* A ticket of a listener that asks for no certificate is no way into one that does. */
static void test_a_ticket_without_a_certificate(void **state)
{
	bool resumed;
	struct far f;
	SSL_CTX *ctx = begin(&world, 3600, TLS1_3_VERSION);

	world.server.client_certificate = false;
	far_client(&world, &f, ctx);
	far_run(&world, &f, 60);
	assert_non_null(ticket);
	assert_true(world_served(&world)->events & SS_TLS_EV_ACCEPTED);
	leave(&f);
	app_release(world_served(&world));
	world_turns(&world, 5);
	world.server.client_certificate = true;
	assert_true(visit(&world, ctx, &resumed));
	assert_false(resumed);
	end(&world, ctx);
}

static void test_no_tickets(void **state)
{
	bool resumed;
	SSL_CTX *ctx = begin(&world, 3600, TLS1_2_VERSION);

	for (int i = 0; i < 2; i++) {
		assert_true(visit(&world, ctx, &resumed));
		assert_false(resumed);
		assert_true(!ticket || !SSL_SESSION_has_ticket(ticket));
	}
	end(&world, ctx);

	ss_ticket_ring_set(ring, NULL, 0);
	ctx = begin(&world, 3600, TLS1_3_VERSION);
	ss_ticket_ring_set(ring, NULL, 0); /* no key */
	assert_true(visit(&world, ctx, &resumed));
	assert_null(ticket);
	end(&world, ctx);

	ctx = begin(&world, 3600, TLS1_3_VERSION);
	world_free(&world);
	world_tickets = NULL; /* no ring */
	world_init(&world, "none", 12);
	SSL_CTX_free(ctx);
	struct sim_cert a = sim_leaf(&world.ca, &(struct sim_leaf){ .san = "URI:" ID_A });
	ctx = sim_ctx(false, &a, &world.ca, TLS1_3_VERSION);
	sim_cert_free(&a);
	SSL_CTX_sess_set_new_cb(ctx, keep);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	world.server.ctx[0] = server_ctx(&world, "trust 1");
	assert_true(visit(&world, ctx, &resumed));
	assert_null(ticket);
	end(&world, ctx);
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(test_a_ticket_resumes),
		cmocka_unit_test(test_keys_are_forgotten_after_two_turns),
		cmocka_unit_test(test_an_identity_that_is_not_accepted_any_more),
		cmocka_unit_test(test_another_trust),
		cmocka_unit_test(test_a_certificate_that_has_expired),
		cmocka_unit_test(test_a_ticket_without_a_certificate),
		cmocka_unit_test(test_no_tickets),
	};

	if (ss_ticket_ring_create(&ring) < 0)
		return 1;
	int failed = cmocka_run_group_tests(t, NULL, NULL);
	ss_ticket_ring_free(ring);
	return failed;
}
