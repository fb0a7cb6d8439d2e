/* What a connection with nothing to do holds, and how many may speak HTTP/2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/http_int.h"
#include "http/http_sim.h"

static struct http_sim sim;

static struct ss_tls_conn *client(struct http_sim *r, const char *words)
{
	struct ss_tls_conn *c = tls_sim_accept(&r->tls, HTTP_SIM_LISTENER, SS_ALPN_H2);
	uint8_t bytes[1024];
	uint32_t n = http_sim_bytes(words, bytes, sizeof(bytes));

	http_sim_turn(r);
	if (n)
		tls_sim_deliver(c, bytes, n);
	http_sim_turn(r);
	http_sim_turn(r);
	return c;
}

/* Everybody leaves. */
static void end(struct http_sim *r)
{
	struct ss_list *n;

	ss_list_for(n, &r->tls.all)
		tls_sim_fail(ss_list_entry(n, struct ss_tls_conn, all), SS_DROP_TCP_RESET);
	http_sim_turn(r);
	http_sim_turn(r);
	assert_int_equal(ss_pool_used(r->http->h2_conns), 0);
	http_sim_free(r);
}

/* Streams, arenas and packet buffers go back with each answer. */
static void holds_nothing(struct http_sim *r, uint32_t conns)
{
	assert_int_equal(ss_http_conns(r->http), conns);
	assert_int_equal(ss_http_streams(r->http), 0);
	assert_int_equal(ss_http_mbufs(r->http), 0);
	assert_int_equal(ss_pool_used(r->arenas.small) + ss_pool_used(r->arenas.large), 0);
}

static void an_idle_connection_has_given_back(void **state)
{
	struct http_sim *r = &sim;

	http_sim_init(r, "idle", 2047);
	client(r, "P S A H:5:1::method=GET,:scheme=http,:path=/,:authority=a "
		  "H:4:3::method=POST,:scheme=http,:path=/,:authority=a F:0:1:3:68656c6c6f");
	holds_nothing(r, 1);
	struct ss_tls_conn *h1 = tls_sim_accept(&r->tls, HTTP_SIM_LISTENER, SS_ALPN_H1);
	static const char ask[] = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
	tls_sim_deliver(h1, ask, sizeof(ask) - 1);
	http_sim_turn(r);
	http_sim_turn(r);
	holds_nothing(r, 2);
	assert_int_equal(ss_pool_used(r->http->h2_conns), 1); /* HTTP/1.1 takes none */
	end(r);
}

static void streams_of_many_share_a_table(void **state)
{
	struct http_sim *r = &sim;

	http_sim_init(r, "table", 2047);
	for (int i = 0; i < 8; i++) /* the same ids */
		client(r, "P S A H:4:1::method=POST,:scheme=http,:path=/,:authority=a "
			  "H:4:3::method=POST,:scheme=http,:path=/,:authority=a");
	assert_int_equal(ss_http_streams(r->http), 16);
	const struct ss_list *n;
	ss_list_for(n, &r->http->all) {
		const struct ss_http_conn *c = ss_list_entry(n, struct ss_http_conn, all);
		for (uint32_t id = 1; id <= 3; id += 2) {
			const struct ss_http_stream *s = ss_h2_find(c, id);
			assert_non_null(s);
			assert_ptr_equal(s->conn, c);
			assert_int_equal(s->h2.id, id);
		}
		assert_null(ss_h2_find(c, 5));
	}
	end(r);
}

/* Those of a listener are kept once; a connection keeps the ones that it was made with. */
static void limits_are_shared(void **state)
{
	struct http_sim *r = &sim;
	struct ss_http_conn *c[3];

	http_sim_init(r, "limits", 2047);
	assert_int_equal(ss_http_limits_sweep(r->http->limits), 0);
	for (int i = 0; i < 3; i++) {
		struct ss_tls_conn *t = client(r, i == 1 ? "P S" : "");

		if (i == 1) { /* a reload: the third comes after it */
			r->listener.http.max_requests = 7;
			r->snap.generation++;
		}
		c[i] = t->owner;
		assert_non_null(c[i]);
	}
	assert_ptr_equal(c[0]->limits, c[1]->limits);
	assert_int_equal(c[0]->limits->max_requests, 0);
	assert_int_equal(c[2]->limits->max_requests, 7);
	assert_int_equal(ss_http_limits_sweep(r->http->limits), 2);
	tls_sim_fail(c[2]->tls, SS_DROP_TCP_RESET);
	http_sim_turn(r);
	http_sim_turn(r);
	assert_int_equal(ss_http_conns(r->http), 2);
	r->snap.generation++;
	http_sim_turn(r); /* with a generation goes what nobody has */
	assert_int_equal(ss_http_limits_sweep(r->http->limits), 1);
	end(r);
}

static void one_more_is_refused_by_name(void **state)
{
	struct http_sim *r = &sim;

	http_sim_h2_conns = 2;
	http_sim_init(r, "full", 2047);
	client(r, "P S");
	client(r, "P S");
	assert_int_equal(ss_http_conns(r->http), 2);
	client(r, "");
	assert_int_equal(r->counters.drops[SS_DROP_H2_CONNS_FULL], 1);
	http_sim_turn(r);
	assert_int_equal(ss_http_conns(r->http), 2);
	assert_int_equal(ss_pool_used(r->http->h2_conns), 2);
	tls_sim_accept(&r->tls, HTTP_SIM_LISTENER, SS_ALPN_H1); /* is not concerned */
	http_sim_turn(r);
	assert_int_equal(ss_http_conns(r->http), 3);
	end(r);
	http_sim_h2_conns = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_idle_connection_has_given_back),
		cmocka_unit_test(streams_of_many_share_a_table),
		cmocka_unit_test(limits_are_shared),
		cmocka_unit_test(one_more_is_refused_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
