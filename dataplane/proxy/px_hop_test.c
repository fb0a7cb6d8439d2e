/*
 * px_hop_test.c - a whole hop in memory: a client and an origin, each with the real http room, and
 * between them http, upstream and proxy. The wire delivers in random pieces; in the stormy half of the runs
 * streams and connections break, endpoints refuse. A failure prints its seed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/rng.h"
#include "buf/testpool.h"
#include "contract/route_index.h"
#include "http/http_sim.h"
#include "proxy/px_int.h"

#define EPS 2
#define RQ_MAX 60
#define PAIRS_MAX 400

/* One request of the client, and what came of it. */
struct rq {
	struct hop *h;
	struct ss_http_stream *s;
	uint32_t len, sent, got;
	uint8_t base;
	uint16_t status;
	bool head_only, trailers, done, reset, wrong, got_trailers;
};

struct pair {
	struct ss_tls_conn *a, *b; /* a opened it; b is accepted when the connect is answered */
	struct ss_tls *to;
	uint32_t delay, ep;
	bool answered, eof_a, eof_b, dead;
};

struct hop {
	uint64_t seed;
	struct ss_rng rng;
	bool storm;
	struct http_sim c, p, o; /* client, proxy, origin */
	struct ss_ep_table *table;
	struct ss_up *up;
	struct ss_proxy *px;
	struct ss_event_ring *events;
	struct ss_list ready;
	struct ss_endpoint eps[EPS];
	struct ss_route route;
	struct ss_weighted_cluster split;
	struct ss_virtual_host host;
	struct ss_route_index index;
	struct ss_host_table hosts;
	struct ss_host_pattern any;
	struct ss_authz open;
	uint32_t ids[1];
	struct pair pairs[PAIRS_MAX];
	uint32_t n_pairs, linked;
	struct rq rq[RQ_MAX];
	uint32_t n_rq, n_done, n_conns;
	struct ss_http_conn *conn[8];
};

/* -- the origin: echoes, and in a storm now and then does not -- */

static void origin_stream(struct http_sim *r, struct ss_http_stream *s, uint32_t ev)
{
	struct hop *h = r->arg;

	if (h->storm && (ev & SS_HTTP_EV_HEAD) && ss_rng_chance(&h->rng, 1, 12)) {
		ss_http_reset(s,
			      ss_rng_chance(&h->rng, 1, 2) ? SS_HTTP_REFUSED_STREAM : SS_HTTP_INTERNAL_ERROR);
		ss_http_release(s);
		return;
	}
	if (h->storm && !(ev & SS_HTTP_EV_RESET) && ss_rng_chance(&h->rng, 1, 60)) {
		ss_http_reset(s, SS_HTTP_INTERNAL_ERROR);
		ss_http_release(s);
		return;
	}
	http_sim_echo(r, s, ev);
}

/* -- the client -- */

static void rq_send(struct rq *q)
{
	struct http_sim *r = &q->h->c;
	uint8_t bytes[3000];

	while (!q->reset && !q->head_only && q->sent < q->len) {
		uint32_t n = ss_min_u32(ss_min_u32(q->len - q->sent, sizeof(bytes)), ss_http_room(q->s));
		struct ss_bufq b;
		bool last = q->sent + n == q->len;
		if (!n)
			return;
		for (uint32_t i = 0; i < n; i++)
			bytes[i] = (uint8_t)(q->base + (q->sent + i) * 13);
		ss_bufq_init(&b);
		assert_int_equal(ss_bufq_append(&b, &r->bufs, bytes, n), 0);
		ss_http_send_body(q->s, &b, last && !q->trailers);
		q->sent += n;
		if (last && q->trailers) {
			struct ss_hdr v[1];
			struct ss_hdrs t;
			ss_hdrs_init(&t, v, 1);
			ss_hdrs_add(&t, SS_SPAN("x-sum"), SS_SPAN("7"), 0);
			ss_http_send_trailers(q->s, &t);
		}
	}
}

static void rq_take(struct rq *q)
{
	struct ss_bufq *b = ss_http_body(q->s);
	uint32_t n = b->len;

	while (b->len) {
		struct ss_span f = ss_bufq_front(b);
		for (uint32_t i = 0; q->status == 200 && i < f.n; i++)
			q->wrong |= f.p[i] != (uint8_t)(q->base + (q->got + i) * 13);
		q->got += f.n;
		ss_bufq_drop(b, f.n);
	}
	ss_http_consumed(q->s, n);
}

static void rq_over(struct rq *q)
{
	ss_http_release(q->s);
	q->s = NULL;
	q->done = true;
	q->h->n_done++;
}

static void client_stream(struct http_sim *r, struct ss_http_stream *s, uint32_t ev)
{
	struct rq *q = ss_http_owner(s);

	if (ev & SS_HTTP_EV_HEAD)
		q->status = ss_http_head(s)->status;
	rq_take(q);
	if (ev & SS_HTTP_EV_RESET) {
		q->reset = true;
		rq_over(q);
		return;
	}
	if (ev & SS_HTTP_EV_ROOM)
		rq_send(q);
	if (ss_http_ended(s) && !ss_http_body(s)->len) {
		q->got_trailers = ss_http_trailers(s) != NULL;
		rq_over(q);
	} else if (q->h->storm && ss_rng_chance(&q->h->rng, 1, 80)) {
		q->reset = true;
		ss_http_reset(s, SS_HTTP_CANCEL);
		rq_over(q);
	}
}

static void client_conn(struct http_sim *r, struct ss_http_conn *c, uint32_t ev)
{
	struct hop *h = r->arg;

	if (!(ev & SS_HTTP_CONN_GONE))
		return;
	for (uint32_t i = 0; i < h->n_conns; i++)
		if (h->conn[i] == c)
			h->conn[i] = NULL;
	ss_http_conn_release(c);
}

static void client_connect(struct hop *h, uint32_t i)
{
	struct ss_addr a = {ss_ip4(0x0a0000fe), 80};

	assert_int_equal(ss_http_connect(h->c.http, &h->c.cluster, &a, h->c.now, &h->conn[i]), 0);
	h->pairs[h->n_pairs++] = (struct pair){.a = h->c.tls.last, .to = &h->p.tls, .ep = EPS};
}

static void client_request(struct hop *h)
{
	uint32_t i = ss_rng_below(&h->rng, h->n_conns);
	struct rq *q = &h->rq[h->n_rq];
	struct ss_hdr v[2];
	struct ss_hdrs head;
	static const uint32_t sizes[] = {0, 1, 200, 5000, 70000, 200000};

	if (!h->conn[i]) {
		client_connect(h, i);
		return;
	}
	if (!ss_http_slots(h->conn[i]))
		return;
	*q = (struct rq){.h = h, .base = (uint8_t)h->n_rq};
	q->len = ss_rng_below(&h->rng, 1 + sizes[ss_rng_below(&h->rng, 6)]);
	q->head_only = q->len == 0;
	q->trailers = !q->head_only && ss_rng_chance(&h->rng, 1, 3);
	ss_hdrs_init(&head, v, 2);
	head.method = q->head_only ? SS_SPAN("GET") : SS_SPAN("POST");
	head.scheme = SS_SPAN("http");
	head.authority = SS_SPAN("a.example");
	head.path = SS_SPAN("/echo?x=1");
	ss_hdrs_add(&head, SS_SPAN("user-agent"), SS_SPAN("hop"), 0);
	if (ss_http_request(h->conn[i], &head, q->head_only, h->c.now, &q->s) < 0)
		return;
	h->n_rq++;
	ss_http_set_owner(q->s, q);
	rq_send(q);
}

/* -- the wire -- */

static struct ss_tls_conn *accept_of(struct pair *w)
{
	return tls_sim_accept(w->to, HTTP_SIM_LISTENER, w->a->peer.alpn);
}

/* Connections that the proxy opened since the last look. */
static void find_connects(struct hop *h)
{
	struct ss_list *n;

	ss_list_for(n, &h->p.tls.all)
	{
		struct ss_tls_conn *c = ss_list_entry(n, struct ss_tls_conn, all);
		bool known = !c->client;
		for (uint32_t i = 0; !known && i < h->n_pairs; i++)
			known = h->pairs[i].a == c;
		if (known)
			continue;
		assert_true(h->n_pairs < PAIRS_MAX);
		h->pairs[h->n_pairs++] = (struct pair){.a = c,
						       .to = &h->o.tls,
						       .delay = ss_rng_below(&h->rng, 4),
						       .ep = c->peer.addr.port == 81};
	}
}

static void carry(struct hop *h, struct ss_tls_conn *from, struct ss_tls_conn *to, bool *eof)
{
	bool full = ss_tls_room(from) == 0;

	if (from->sent.len && !ss_rng_chance(&h->rng, 1, 5))
		tls_sim_carry(from, to, 1 + ss_rng_below(&h->rng, 20000));
	if (full && ss_tls_room(from) && !from->released)
		tls_sim_room(from, from->room);
	if (from->shutdown && !from->sent.len && !*eof) {
		*eof = true;
		tls_sim_eof(to);
	}
}

static void kill_pair(struct pair *w, bool a, bool b)
{
	w->dead = true;
	if (a && !w->a->released)
		tls_sim_fail(w->a, SS_DROP_TCP_RESET);
	if (b && w->b && !w->b->released)
		tls_sim_fail(w->b, SS_DROP_TCP_RESET);
}

static void wire(struct hop *h)
{
	find_connects(h);
	for (uint32_t i = 0; i < h->n_pairs; i++) {
		struct pair *w = &h->pairs[i];
		if (w->dead)
			continue;
		if (!w->answered) {
			if (w->delay && w->delay--)
				continue;
			if (h->storm && w->ep < EPS && ss_rng_chance(&h->rng, 1, 6)) {
				kill_pair(w, true, false);
				continue;
			}
			w->answered = true;
			w->a->room = 60000;
			w->b = accept_of(w);
			w->b->room = 60000;
			if (!w->a->released)
				tls_sim_connected(w->a);
		}
		carry(h, w->a, w->b, &w->eof_a);
		carry(h, w->b, w->a, &w->eof_b);
		if (w->a->aborted || w->b->aborted)
			kill_pair(w, w->b->aborted, w->a->aborted);
		else if (h->storm && ss_rng_chance(&h->rng, 1, 3000))
			kill_pair(w, true, true);
	}
}

/* -- turns -- */

static void proxy_turn(struct hop *h, uint64_t ns)
{
	struct http_sim *r = &h->p;

	r->now += ns;
	ss_http_input(r->http, &r->snap, &r->tls.news, r->now, &r->news);
	ss_http_expire(r->http, r->now, &r->news);
	ss_up_input(h->up, &r->news.conns, r->now, &h->ready);
	ss_proxy_run(h->px, &r->snap, &r->news.streams, &h->ready, r->now);
	ss_proxy_expire(h->px, &r->snap, r->now);
	ss_http_flush(r->http, r->now);
	ss_proxy_bury(h->px);
	ss_up_bury(h->up);
	ss_http_bury(r->http);
}

static void turn(struct hop *h, uint64_t ns)
{
	http_sim_wait(&h->c, ns);
	http_sim_turn(&h->c);
	wire(h);
	proxy_turn(h, ns);
	wire(h);
	http_sim_wait(&h->o, ns);
	http_sim_turn(&h->o);
	wire(h);
}

static const struct ss_retry again = {.on = SS_RETRY_DEFAULT, .max_retries = 1, .body_max = 65536};

static void make_proxy(struct hop *h)
{
	struct http_sim *r = &h->p;
	struct ss_cluster *c = &r->cluster;

	assert_int_equal(ss_ep_table_create(&h->table, 8, 2), 0);
	c->name = 9;
	c->n_endpoints = EPS;
	c->endpoints = h->eps;
	c->protocol = h->p.tls.alpn == SS_ALPN_H1 ? SS_PROTO_H1 : SS_PROTO_H2;
	c->caps[0].max[SS_CAP_PENDING] = 1000;
	c->http.max_streams = 20;
	/* Nothing is ejected for long, so that the storm goes on. */
	c->outlier = (struct ss_outlier_conf){.consecutive_errors = 3,
					      .base_ejection_ns = SS_NS_PER_MS,
					      .max_ejection_ns = SS_NS_PER_MS,
					      .max_ejection_percent = 50,
					      .n_endpoints = EPS};
	assert_int_equal(ss_ep_cluster_hold(h->table, 9, &c->slot), 0);
	for (uint32_t i = 0; i < EPS; i++) {
		h->eps[i] =
			(struct ss_endpoint){.addr = {ss_ip4(0x0a000001), (uint16_t)(80 + i)}, .weight = 1};
		assert_int_equal(ss_ep_hold(h->table, c->slot, &h->eps[i].addr, &h->eps[i].ep), 0);
	}
	h->split.upto = SS_WEIGHT_SUM;
	h->route = (struct ss_route){.clusters = &h->split,
				     .n_clusters = 1,
				     .timeout_ns = 5 * SS_NS_PER_SEC,
				     .idle_timeout_ns = 20 * SS_NS_PER_SEC,
				     .retry = &again};
	h->index = (struct ss_route_index){.any = {.ids = h->ids, .n = 1}};
	h->host = (struct ss_virtual_host){.n_routes = 1, .routes = &h->route, .index = &h->index};
	h->any.kind = 2;
	h->hosts =
		(struct ss_host_table){.n_hosts = 1, .n_patterns = 1, .hosts = &h->host, .patterns = &h->any};
	r->listener.hosts = &h->hosts;
	r->listener.authz = &h->open;
	r->listener.http.max_streams = 20;
	r->snap.clusters = c;
	r->snap.n_clusters = 1;
	h->events = ss_event_ring_create(1024);
	struct ss_up_conf uc = {.max_conns = 16,
				.n_workers = 1,
				.http = r->http,
				.endpoints = h->table,
				.counters = &r->counters,
				.events = h->events};
	assert_int_equal(ss_up_create(&h->up, &uc), 0);
	struct ss_proxy_conf pc = {.max_exchanges = 256,
				   .seed = h->seed,
				   .http = r->http,
				   .up = h->up,
				   .bufs = &r->bufs,
				   .counters = &r->counters,
				   .events = h->events,
				   .endpoints = h->table};
	assert_int_equal(ss_proxy_create(&h->px, &pc, r->now), 0);
	ss_up_adopt(h->up, &r->snap, r->now);
	ss_list_init(&h->ready);
}

static struct hop *start(uint64_t seed, bool storm)
{
	struct hop *h = calloc(1, sizeof(*h));

	h->seed = seed;
	h->storm = storm;
	ss_rng_seed(&h->rng, seed);
	http_sim_init(&h->c, "hop_c", 2048);
	http_sim_init(&h->p, "hop_p", 4096);
	http_sim_init(&h->o, "hop_o", 2048);
	/* All four combinations of versions. */
	h->c.tls.alpn = seed & 1 ? SS_ALPN_H2 : SS_ALPN_H1;
	h->p.tls.alpn = seed & 2 ? SS_ALPN_H2 : SS_ALPN_H1;
	h->c.arg = h->o.arg = h;
	h->c.on_stream = client_stream;
	h->c.on_conn = client_conn;
	h->c.cluster.http.max_streams = 20;
	h->o.on_stream = origin_stream;
	h->o.listener.http.max_streams = 20;
	make_proxy(h);
	return h;
}

static void check(struct hop *h, uint32_t *ok)
{
	for (uint32_t i = 0; i < h->n_rq; i++) {
		struct rq *q = &h->rq[i];
		bool good = q->done && !q->reset && q->status == 200 && q->got == q->len && !q->wrong &&
			    q->got_trailers == q->trailers;
		/* In a storm a request may end badly, but it ends, and what looks whole is whole. */
		bool bad_end = q->reset || q->status >= 500;
		if (!q->done || q->wrong || (!good && !(h->storm && bad_end)))
			fail_msg("seed %lu, request %u: done %d reset %d status %u, %u of %u bytes%s",
				 (unsigned long)h->seed, i, q->done, q->reset, q->status, q->got, q->len,
				 q->wrong ? ", wrong" : "");
		*ok += good;
	}
}

/* Ends everything; http_sim_free aborts when something is left. */
static void end(struct hop *h)
{
	for (uint32_t i = 0; i < EPS; i++)
		assert_int_equal(h->table->ep[h->eps[i].ep].active, 0);
	assert_int_equal(ss_proxy_exchanges(h->px), 0);
	assert_int_equal(ss_up_waiting(h->up), 0);
	for (uint32_t i = 0; i < h->n_conns; i++)
		if (h->conn[i])
			ss_http_conn_close(h->conn[i]);
	ss_http_drain(h->p.http, h->p.now);
	ss_up_drain(h->up, h->p.now);
	ss_http_drain(h->o.http, h->o.now);
	h->storm = false;
	for (int i = 0; i < 400; i++)
		turn(h, 20 * SS_NS_PER_MS);
	assert_int_equal(ss_up_conns(h->up), 0);
	ss_proxy_free(h->px);
	ss_up_free(h->up);
	ss_event_ring_free(h->events);
	ss_ep_table_free(h->table);
	/* What was on the wire when it broke; the packet buffers are of all three pools. */
	for (uint32_t i = 0; i < h->n_pairs; i++) {
		ss_bufq_free(&h->pairs[i].a->sent);
		if (h->pairs[i].b)
			ss_bufq_free(&h->pairs[i].b->sent);
	}
	http_sim_free(&h->c);
	http_sim_free(&h->o);
	http_sim_free(&h->p);
	free(h);
}

static uint64_t last_seed;

static uint32_t run(uint64_t seed, bool storm)
{
	last_seed = seed;
	struct hop *h = start(seed, storm);
	uint32_t want = 10 + ss_rng_below(&h->rng, RQ_MAX - 10), ok = 0, turns = 0;

	h->n_conns = 1 + ss_rng_below(&h->rng, 4);
	for (uint32_t i = 0; i < h->n_conns; i++)
		client_connect(h, i);
	while (h->n_done < want) {
		if (h->n_rq < want && ss_rng_chance(&h->rng, 1, 3))
			client_request(h);
		turn(h, 10 * SS_NS_PER_US);
		if (++turns > 200000)
			fail_msg("seed %lu: stuck with %u of %u done", (unsigned long)seed, h->n_done, want);
	}
	/* What the client let go of on its way out is cancelled at the origin too. */
	for (int i = 0; i < 50; i++)
		turn(h, SS_NS_PER_MS);
	check(h, &ok);
	end(h);
	return ok;
}

/* Seeds from 1; SEED=n in the environment runs that one alone. */
static uint64_t first_seed(uint32_t *n)
{
	const char *env = getenv("SEED");

	if (env)
		*n = 1;
	return env ? strtoull(env, NULL, 0) : 1;
}

static uint32_t runs = 100;

static int say_seed(void **state)
{
	print_message("the last seed was %lu (SEED=n runs one again)\n", (unsigned long)last_seed);
	return 0;
}

static void fair_weather_loses_nothing(void **state)
{
	uint32_t n = runs * 2 / 5;
	uint64_t seed = first_seed(&n);

	for (uint32_t i = 0; i < n; i++)
		run(seed + i, false);
}

static void a_storm_ends_every_request(void **state)
{
	uint32_t n = runs * 3 / 5, ok = 0;
	uint64_t seed = first_seed(&n);

	for (uint32_t i = 0; i < n; i++)
		ok += run(seed + i, true);
	assert_true(ok > n);
}

/* px_hop_test [runs] */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(fair_weather_loses_nothing, say_seed),
		cmocka_unit_test_teardown(a_storm_ends_every_request, say_seed),
	};

	if (argc > 1)
		runs = (uint32_t)strtoul(argv[1], NULL, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
