/* What a connection with nothing to do holds: its place in a pool, its keys, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tls/tls_int.h"
#include "tls/tls_world_sim.h"

#define ID_A "URI:spiffe://mesh.local/ns/demo/sa/a"
#define ID_B "URI:spiffe://mesh.local/ns/demo/sa/b"

static struct world world;

static struct world *setup(const char *name)
{
	struct world *w = &world;

	world_init(w, name, 5);
	struct sim_cert a = sim_leaf(&w->ca, &(struct sim_leaf){ .san = ID_A });
	struct sim_cert b = sim_leaf(&w->ca, &(struct sim_leaf){ .san = ID_B });
	w->client.ctx[0] = sim_ctx(false, &a, &w->ca, TLS1_3_VERSION);
	w->server.ctx[0] = sim_ctx(true, &b, &w->ca, TLS1_3_VERSION);
	sim_cert_free(&a);
	sim_cert_free(&b);
	return w;
}

static void say(struct world *w, struct app *from, struct app *to, uint32_t n)
{
	static const uint8_t bytes[20000];
	uint32_t before = to->n;

	assert_int_equal(app_send(w, from, bytes, n), 0);
	for (int i = 0; i < 1000 && to->n - before < n; i++)
		world_turn(w);
	assert_int_equal(to->n - before, n);
}

/* Neither OpenSSL's object, nor a step's bytes, nor a packet buffer. */
static void holds_nothing(struct world *w, const struct ss_tls_conn *c)
{
	assert_int_equal(c->state, TLS_ST_OPEN);
	assert_true(c->own.taken);
	assert_null(c->shake);
	assert_null(c->ssl);
	assert_null(c->trip);
	assert_null(c->tickets);
	assert_int_equal(c->rx.len + c->tx.len + c->out.len + c->own.in.len, 0);
	assert_int_equal(ss_tls_mbufs(w->tls), 0);
	assert_int_equal(ss_pool_used(w->tls->trips), 0);
}

static void an_idle_end_has_given_back(void **state)
{
	for (const struct world_backend *b = world_backends; b->name; b++) {
		if (b->records == SS_TLS_RECORDS_OPENSSL)
			continue; /* which needs its object for each record */
		world_records = b->records;
		struct world *w = setup("idle");
		struct app *a = world_connect_self(w, SS_PROTO_AUTO), *o;

		for (int i = 0; i < 1000 && !(o = world_served(w)); i++)
			world_turn(w);
		assert_non_null(o);
		say(w, a, o, 20000);
		say(w, o, a, 300);
		world_turns(w, 10);
		holds_nothing(w, a->c);
		holds_nothing(w, o->c);
		/* Expanded keys are lent: whoever takes them leaves what makes them again. */
		ss_tls_aead_rest(ss_tls_aead_of(w->tls, &o->c->own.rd), &o->c->own.rd);
		ss_tls_aead_rest(ss_tls_aead_of(w->tls, &o->c->own.wr), &o->c->own.wr);
		assert_null(o->c->own.rd.slot);
		assert_null(o->c->own.wr.slot);
		say(w, a, o, 1000);
		say(w, o, a, 1000);
		assert_int_equal(ss_tls_conns(w->tls), 2);
		world_free(w);
	}
	world_records = SS_TLS_RECORDS_AUTO;
}

/* Keys that nobody needs go back by themselves: after two passes at the latest, and not while they are needed. */
static void expanded_keys_go_back(void **state)
{
	for (const struct world_backend *b = world_backends; b->name; b++) {
		if (b->records == SS_TLS_RECORDS_OPENSSL)
			continue;
		world_records = b->records;
		struct world *w = setup("rest");
		struct app *a = world_connect_self(w, SS_PROTO_AUTO), *o;

		for (int i = 0; i < 1000 && !(o = world_served(w)); i++)
			world_turn(w);
		say(w, a, o, 300);
		say(w, o, a, 300);
		uint64_t again = ss_counter_read(&w->counters, SS_C_TLS_KEYS_AGAIN);

		assert_int_equal(ss_tls_keys_held(w->tls), 4);
		for (int i = 0; i < 4; i++) { /* one way only works: its two keys stay */
			assert_true(ss_tls_next(w->tls) <= w->now + TLS_REST_NS);
			w->now += TLS_REST_NS;
			world_turn(w);
			assert_int_equal(ss_tls_keys_held(w->tls), i < 1 ? 4 : 2);
			say(w, a, o, 10);
		}
		assert_int_equal(ss_counter_read(&w->counters, SS_C_TLS_KEYS_AGAIN), again);
		for (int i = 0; i < 2; i++) {
			w->now += TLS_REST_NS;
			world_turn(w);
		}
		assert_int_equal(ss_tls_keys_held(w->tls), 0);
		assert_true(ss_tls_next(w->tls) > w->now + TLS_REST_NS); /* and nobody is woken for it */
		say(w, a, o, 1000);
		say(w, o, a, 1000);
		assert_int_equal(ss_counter_read(&w->counters, SS_C_TLS_KEYS_AGAIN), again + 4);
		assert_int_equal(ss_tls_keys_held(w->tls), 4);
		world_free(w);
	}
	world_records = SS_TLS_RECORDS_AUTO;
}

/* Twelve directions share three places, and get new keys meanwhile. */
static void fewer_keys_than_connections(void **state)
{
	world_keys = 3;
	for (const struct world_backend *b = world_backends; b->name; b++) {
		if (b->records == SS_TLS_RECORDS_OPENSSL)
			continue;
		world_records = b->records;
		struct world *w = setup("few");
		struct app *a[3], *o[3];

		for (int n = 0; n < 3; n++) {
			a[n] = world_connect_self(w, SS_PROTO_AUTO);
			for (int i = 0; i < 1000 && (!(o[n] = world_served(w)) || (n && o[n] == o[n - 1])); i++)
				world_turn(w);
			assert_non_null(o[n]);
		}
		for (int i = 0; i < 12; i++) {
			a[i % 3]->c->own.rekey = i == 4 || i == 7;
			say(w, a[i % 3], o[i % 3], 2000);
			say(w, o[i % 3], a[i % 3], 100);
			assert_true(ss_tls_keys_held(w->tls) <= 3);
		}
		assert_int_equal(ss_counter_read(&w->counters, SS_C_TLS_KEY_UPDATES), 2);
		assert_true(ss_counter_read(&w->counters, SS_C_TLS_KEYS_AGAIN) >= 12);
		world_free(w);
	}
	world_records = SS_TLS_RECORDS_AUTO;
	world_keys = 0;
}

/* Who is the same to several connections is kept once, and as long as one of them is there. */
static void a_peer_is_known_once(void **state)
{
	struct world *w = setup("peers");
	struct app *a[3], *o[3] = { NULL };

	w->client.sni = SS_SPAN("b.example");
	for (int n = 0; n < 3; n++) {
		if (n == 2)
			w->client.sni = SS_SPAN("other.example");
		a[n] = world_connect_self(w, SS_PROTO_AUTO);
		for (int i = 0; i < 1000 && (!(o[n] = world_served(w)) || (n && o[n] == o[n - 1])); i++)
			world_turn(w);
		assert_non_null(o[n]);
		say(w, a[n], o[n], 10);
		assert_true(ss_span_eq(ss_peer_identity(ss_tls_peer(o[n]->c)), ss_span_str(&ID_A[4])));
		assert_true(ss_span_eq(ss_peer_identity(ss_tls_peer(a[n]->c)), ss_span_str(&ID_B[4])));
		assert_true(ss_span_eq(ss_peer_sni(ss_tls_peer(o[n]->c)), w->client.sni));
		assert_true(ss_peer_until(ss_tls_peer(o[n]->c)) > 0);
	}
	/* Two at each end: by the name that was asked for. */
	assert_int_equal(ss_tls_peers_n(w->tls->peers), 4);
	assert_ptr_equal(ss_tls_peer(o[0]->c)->names, ss_tls_peer(o[1]->c)->names);
	assert_ptr_equal(ss_tls_peer(a[0]->c)->names, ss_tls_peer(a[1]->c)->names);
	assert_ptr_not_equal(ss_tls_peer(o[0]->c)->names, ss_tls_peer(o[2]->c)->names);
	assert_int_equal(ss_tls_known(o[0]->c)->refs, 2);
	for (int n = 2; n > 0; n--) {
		ss_tls_abort(a[n]->c);
		app_release(a[n]);
		for (int i = 0; i < 1000 && ss_tls_conns(w->tls) > 2u * (unsigned)n; i++)
			world_turn(w);
		assert_int_equal(ss_tls_peers_n(w->tls->peers), 2);
		assert_int_equal(ss_tls_known(o[0]->c)->refs, n);
	}
	say(w, a[0], o[0], 10);
	world_free(w);
}

static struct ss_tls_conn *accept_plain(struct world *w)
{
	struct ss_tcp_conn *tcp = fake_accept(&w->tcp, SERVER_COOKIE);

	world_turn(w);
	return ss_tcp_owner(tcp);
}

/* Connections of a plaintext listener have no part for TLS, as long as there are such places. */
static void plaintext_is_slim(void **state)
{
	world_tls_conns = 26; /* of 32 */
	struct world *w = setup("slim");
	w->server.mode = SS_TLS_DISABLE;

	for (int i = 0; i < 8; i++) {
		struct ss_tls_conn *c = accept_plain(w);

		assert_non_null(c);
		assert_int_equal(c->slim, i < 6);
		assert_int_equal(ss_pool_used(w->tls->slim), ss_min_u32((uint32_t)i + 1, 6));
	}
	assert_int_equal(ss_pool_used(w->tls->pool), 2);
	assert_int_equal(ss_tls_conns(w->tls), 8);
	struct app *o = world_served(w);
	assert_int_equal(app_send(w, o, "hello", 5), 0);
	world_turns(w, 5);
	/* Each way out: by the upper room in order, by it at once, and by the peer. */
	for (int i = 0; i < 4; i++) {
		if (i % 2)
			ss_tls_abort(w->app[i].c);
		app_release(&w->app[i]);
	}
	world_turns(w, 5);
	world_free(w); /* which asks that all are gone */
	world_tls_conns = 0;
}

static void encrypted_ones_are_refused_by_name(void **state)
{
	world_tls_conns = 2;
	struct world *w = setup("full");
	struct app *a = world_connect_self(w, SS_PROTO_AUTO);

	for (int i = 0; i < 1000 && !world_served(w); i++)
		world_turn(w);
	assert_int_equal(ss_pool_used(w->tls->pool), 2);
	fake_accept(&w->tcp, SERVER_COOKIE); /* a strict listener's third */
	world_turn(w);
	assert_int_equal(world_drops(w, SS_DROP_TLS_CONNS_FULL), 1);
	const struct ss_addr remote = { .ip = ss_ip4(0x0a000009), .port = 8443 };
	struct ss_tls_conn *c;
	assert_int_equal(ss_tls_connect(w->tls, &remote, &w->client, SS_PROTO_AUTO, w->now, &c), SS_ERR_NO_MEM);
	assert_int_equal(world_drops(w, SS_DROP_TLS_CONNS_FULL), 2);
	/* Plaintext is not concerned. */
	assert_int_equal(ss_tls_connect(w->tls, &remote, NULL, SS_PROTO_AUTO, w->now, &c), 0);
	assert_true(c->slim);
	ss_tls_abort(c);
	ss_tls_release(c);
	say(w, a, world_served(w), 100);
	world_free(w);
	world_tls_conns = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_idle_end_has_given_back),
		cmocka_unit_test(expanded_keys_go_back),
		cmocka_unit_test(fewer_keys_than_connections),
		cmocka_unit_test(a_peer_is_known_once),
		cmocka_unit_test(plaintext_is_slim),
		cmocka_unit_test(encrypted_ones_are_refused_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
