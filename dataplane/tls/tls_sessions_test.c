/* Tickets of an endpoint (libssl alone): used once, for the same endpoint, under the same configuration, while what the
 * session was verified by holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <cmocka.h>

#include "contract/tickets.h"
#include "contract/trust_digest.h"
#include "tls/tls_sessions.c"
#include "tls/tls_world_sim.h"

#define ORIGIN "spiffe://mesh.local/ns/demo/sa/origin"

static struct world world;
static SSL_CTX *origin;
static struct ss_trust trust;
static struct ss_trust_domain domain;
static uint64_t anchor[1], listed[1];
static int64_t listed_until[1];
static const struct ss_cluster *clusters;

static void nobody_frees(struct ss_trust *t)
{
	fail();
}

static void begin(struct world *w, int max)
{
	static struct ss_cluster cl;

	world_init(w, "sessions", 21);
	struct sim_cert c = sim_leaf(&w->ca, &(struct sim_leaf){ .san = "URI:" ORIGIN });
	struct sim_cert own = sim_leaf(&w->ca, &(struct sim_leaf){ .san = "URI:spiffe://mesh.local/us" });
	origin = sim_ctx(true, &c, &w->ca, max);
	SSL_CTX_clear_options(origin, SSL_OP_NO_TICKET);
	SSL_CTX_set_num_tickets(origin, 1);
	SSL_CTX_set_session_id_context(origin, (const unsigned char *)"origin", 6);
	SSL_CTX_set_verify(origin, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	w->client.ctx[0] = sim_ctx(false, &own, &w->ca, TLS1_3_VERSION);
	SSL_CTX_set_session_cache_mode(w->client.ctx[0], SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	sim_cert_free(&c);
	sim_cert_free(&own);
	anchor[0] = ss_trust_cert_digest(w->ca.x);
	listed[0] = ss_trust_name_digest(X509_get_subject_name(w->ca.x), NULL);
	listed_until[0] = INT64_MAX;
	domain = (struct ss_trust_domain){ .name = SS_SPAN("mesh.local"), .anchors = sk_X509_new_null(), .crls = true,
					   .anchor = { 1, anchor }, .listed = { 1, listed }, .listed_until = listed_until };
	sk_X509_push(domain.anchors, w->ca.x);
	trust = (struct ss_trust){ .refs = 1, .free = nobody_frees, .n_domains = 1, .domain = &domain, .chain_cache = true };
	w->client.trust = &trust;
	w->client.resume = true;
	w->client.hash = 77;
	w->client.cluster = 5;
	cl = (struct ss_cluster){ .name = 5, .tls = &w->client };
	w->snap.n_clusters = 1;
	w->snap.clusters = clusters = &cl;
}

static void end(struct world *w)
{
	world_free(w);
	SSL_CTX_free(origin);
	sk_X509_free(domain.anchors);
	assert_int_equal(trust.refs, 1);
}

static uint64_t counted(const struct world *w, enum ss_counter k)
{
	return ss_counter_read(&w->counters, k);
}

/* Connects, and answers at once as servers do; true: the session was resumed. */
static bool visit(struct world *w)
{
	uint64_t before = counted(w, SS_C_TLS_UPSTREAM_RESUMED), tickets = counted(w, SS_C_TLS_TICKETS_KEPT);
	struct app *a = world_connect(w, SS_PROTO_H2);
	struct far f;

	far_server(w, &f, origin, w->tcp.newest);
	far_run(w, &f, 60);
	if (a->events & SS_TLS_EV_CONNECTED) {
		assert_true(ss_span_eq(ss_peer_identity(ss_tls_peer(a->c)), ss_span_str(ORIGIN)));
		assert_int_equal(ss_tls_peer(a->c)->tls, 2);
		assert_true(ss_peer_until(ss_tls_peer(a->c)) > time(NULL));
		assert_true(ss_tls_known(a->c)->mark.trust == ss_trust_number(&trust) && ss_tls_known(a->c)->mark.n == 1);
		far_send(&f, "hello", 5);
		assert_int_equal(app_send(w, a, "hi", 2), 0);
		far_run(w, &f, 20);
		assert_int_equal(a->n, 5);
		assert_int_equal(f.n, 2);
		if (a->c->own.taken && counted(w, SS_C_TLS_TICKETS_KEPT) > tickets)
			assert_null(a->c->ssl); /* nothing is left that waits for tickets */
		assert_int_equal(SSL_session_reused(f.ssl), counted(w, SS_C_TLS_UPSTREAM_RESUMED) - before);
	}
	SSL_set_shutdown(f.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	if (a->c)
		app_release(a);
	fake_fin(f.tcp);
	world_turns(w, 5);
	far_free(&f);
	return counted(w, SS_C_TLS_UPSTREAM_RESUMED) != before;
}

static uint32_t kept(const struct world *w)
{
	uint32_t n = 0;

	for (int i = 0; i < SETS * WAYS; i++)
		n += w->tls->sessions->slot[i / WAYS][i % WAYS].used != 0;
	return n;
}

static void test_resumes(void **state)
{
	for (const struct world_backend *b = world_backends; b->name; b++) {
		world_records = b->records;
		begin(&world, TLS1_3_VERSION);
		assert_false(visit(&world));
		assert_int_equal(kept(&world), 1);
		for (int i = 0; i < 4; i++) {
			assert_true(visit(&world));
			assert_int_equal(kept(&world), 1); /* used, and the next has come */
		}
		assert_int_equal(counted(&world, SS_C_TLS_TICKETS_KEPT), 5);
		assert_int_equal(counted(&world, SS_C_TLS_CHAINS_VERIFIED), 1);
		/* Used is used, whether it brought another or not. */
		SSL_CTX_set_num_tickets(origin, 0);
		assert_true(visit(&world));
		assert_int_equal(kept(&world), 0);
		assert_false(visit(&world));
		end(&world);
	}
	world_records = SS_TLS_RECORDS_AUTO;
}

/* Our own listener as the endpoint: the second hop of a mesh. */
static void test_our_own_listener(void **state)
{
	const struct ss_ticket_key key = { .name = "one" };
	struct ss_ticket_ring *ring;
	struct world *w = &world;

	assert_int_equal(ss_ticket_ring_create(&ring), 0);
	ss_ticket_ring_turn(ring, &key);
	world_tickets = ring;
	begin(w, TLS1_3_VERSION);
	SSL_CTX_set_session_cache_mode(origin, SSL_SESS_CACHE_OFF);
	SSL_CTX_up_ref(origin);
	w->server.ctx[0] = origin;
	w->server.trust = &trust;
	for (int i = 0; i < 4; i++) {
		struct app *a = world_connect_self(w, SS_PROTO_H2), *b;

		world_turns(w, 60);
		b = world_served(w);
		assert_true(b && b->c && a->events & SS_TLS_EV_CONNECTED);
		assert_int_equal(app_send(w, b, "hello", 5), 0);
		world_turns(w, 20);
		assert_int_equal(a->n, 5);
		assert_int_equal(ss_tls_peer(a->c)->tls, 2);
		assert_int_equal(ss_tls_peer(b->c)->tls, 2);
		assert_int_equal(counted(w, SS_C_TLS_UPSTREAM_RESUMED), i);
		assert_int_equal(counted(w, SS_C_TLS_RESUMED), 2 * i);
		app_release(a);
		app_release(b);
		world_turns(w, 20);
	}
	end(w);
	world_tickets = NULL;
	ss_ticket_ring_free(ring);
}

static void test_what_makes_a_full_handshake(void **state)
{
	struct ss_id_match id = { SS_ID_EXACT, SS_SPAN(ORIGIN) };
	struct world *w = &world;
	struct slot *s;

	begin(w, TLS1_3_VERSION);
	assert_false(visit(w));
	/* Another hash: another certificate, trust, name or list of identities. */
	w->client.hash = 78;
	assert_false(visit(w));
	w->client.hash = 77;
	assert_true(visit(w));
	/* A certificate of the chain has ended. */
	for (int i = 0; i < SETS * WAYS; i++)
		if ((s = &w->tls->sessions->slot[i / WAYS][i % WAYS])->used)
			s->kept.chain_until = time(NULL);
	assert_false(visit(w));
	assert_true(visit(w));
	/* Who it is is asked again; the same hash with other identities is a mistake that lets nobody in. */
	w->client_id = id;
	assert_true(visit(w));
	w->client_id = (struct ss_id_match){ SS_ID_EXACT, SS_SPAN("spiffe://mesh.local/other") };
	assert_false(visit(w));
	assert_int_equal(world_drops(w, SS_DROP_TLS_IDENTITY), 1);
	w->client_id.kind = SS_ID_ANY;
	assert_false(visit(w));
	assert_true(visit(w));
	/* The revocation list has run out. */
	listed_until[0] = time(NULL);
	assert_false(visit(w));
	assert_int_equal(world_drops(w, SS_DROP_TLS_REVOKED), 1);
	/* Not asked for. */
	listed_until[0] = INT64_MAX;
	assert_false(visit(w));
	w->client.resume = false;
	assert_false(visit(w));
	end(w);
}

static void test_not_before_13(void **state)
{
	begin(&world, TLS1_2_VERSION);
	for (int i = 0; i < 2; i++)
		assert_false(visit(&world));
	assert_int_equal(kept(&world), 0);
	end(&world);
}

/* Another configuration: what is none of it goes; so does what nobody has used for longest. */
static void test_forgotten(void **state)
{
	struct tls_session_key key = { .hash = 77, .cluster = 5, .protocol = SS_PROTO_H2 };
	struct world *w = &world;
	struct tls_kept k;

	begin(w, TLS1_3_VERSION);
	assert_false(visit(w));
	w->snap.generation++;
	world_turns(w, SETS * WAYS / PER_TURN + 1);
	assert_int_equal(kept(w), 1);
	w->client.hash = 79;
	w->snap.generation++;
	world_turns(w, SETS * WAYS / PER_TURN + 1);
	assert_int_equal(kept(w), 0);
	for (uint32_t i = 0; i < 2000; i++) {
		key.remote = (struct ss_addr){ ss_ip4(i / 3), 443 };
		ss_tls_sessions_put(w->tls->sessions, &key, &(struct tls_kept){ SSL_SESSION_new(), .chain_until = i });
	}
	assert_true(kept(w) > SETS * WAYS / 2 && kept(w) <= SETS * WAYS);
	/* The two newest of three, the newest first. */
	key.remote = (struct ss_addr){ ss_ip4(1997 / 3), 443 };
	for (uint32_t i = 0; i < EACH; i++) {
		assert_true(ss_tls_sessions_take(w->tls->sessions, &key, &k));
		assert_int_equal(k.chain_until, 1997 - i);
		SSL_SESSION_free(k.session);
	}
	assert_false(ss_tls_sessions_take(w->tls->sessions, &key, &k));
	end(w);
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(test_resumes),
		cmocka_unit_test(test_our_own_listener),
		cmocka_unit_test(test_what_makes_a_full_handshake),
		cmocka_unit_test(test_not_before_13),
		cmocka_unit_test(test_forgotten),
	};

	return cmocka_run_group_tests(t, NULL, NULL);
}
