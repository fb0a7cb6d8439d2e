/*
 * h2_pair_test.c - our client and our server talk to each other: random bodies, windows, cuts and resets.
 *
 * A failure prints its seed; SEED=n in the environment runs that one alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rng.h"
#include "http/http_int.h"
#include "http/http_sim.h"

#define JOBS 24

/* One request: `size` bytes that depend on seed and place, which have to come back. */
struct job {
	struct ss_http_stream *s;
	uint32_t seed, size, sent, got, give_up; /* resets once so many came back */
	bool trailers, ended, done, reset;
};

struct pair {
	struct http_sim sim;
	struct ss_rng rng;
	struct ss_http_conn *client;
	struct ss_tls_conn *a, *b; /* client's end, server's end */
	struct job job[JOBS];
	uint32_t started, finished;
};

static uint8_t byte_at(uint32_t seed, uint32_t i)
{
	return (uint8_t)((seed + i) * 2654435761u >> 24);
}

static void check_body(struct pair *p, struct job *j)
{
	struct ss_bufq *body = ss_http_body(j->s);
	uint32_t n = body->len;
	uint8_t got[512];

	if (n && ss_rng_chance(&p->rng, 1, 2))
		n = ss_rng_below(&p->rng, n) + 1; /* sometimes only a part is taken now */
	for (uint32_t left = n; left;) {
		uint32_t some = ss_bufq_read(body, 0, got, ss_min_u32(left, sizeof(got)));
		for (uint32_t i = 0; i < some; i++)
			assert_int_equal(got[i], byte_at(j->seed, j->got + i));
		ss_bufq_drop(body, some);
		j->got += some;
		left -= some;
	}
	if (n)
		ss_http_consumed(j->s, n);
}

static void send_more(struct pair *p, struct job *j)
{
	struct ss_hdr v[1];
	struct ss_hdrs t;
	struct ss_bufq q;
	uint8_t some[2000];
	uint32_t room = ss_http_room(j->s);

	ss_bufq_init(&q);
	while (j->sent < j->size && q.len < room) {
		uint32_t n = ss_min_u32(ss_min_u32(j->size - j->sent, room - q.len),
					ss_rng_below(&p->rng, sizeof(some)) + 1);
		for (uint32_t i = 0; i < n; i++)
			some[i] = byte_at(j->seed, j->sent + i);
		if (ss_bufq_append(&q, &p->sim.bufs, some, n) < 0)
			break;
		j->sent += n;
	}
	if (j->ended)
		return;
	j->ended = j->sent == j->size;
	if (q.len || (j->ended && !j->trailers))
		assert_int_equal(ss_http_send_body(j->s, &q, j->ended && !j->trailers), 0);
	if (!j->ended || !j->trailers)
		return;
	ss_hdrs_init(&t, v, 1);
	assert_int_equal(ss_hdrs_add(&t, SS_SPAN("x-sum"), SS_SPAN("1234"), 0), 0);
	assert_int_equal(ss_http_send_trailers(j->s, &t), 0);
}

static void finish(struct pair *p, struct job *j)
{
	ss_http_release(j->s);
	j->s = NULL;
	j->done = true;
	p->finished++;
}

static void on_stream(struct http_sim *r, struct ss_http_stream *s, uint32_t ev)
{
	struct pair *p = r->arg;
	struct job *j = ss_http_owner(s);

	if (!s->conn->upstream) {
		http_sim_echo(r, s, ev);
		return;
	}
	if (ev & SS_HTTP_EV_RESET) {
		assert_true(j->reset);
		finish(p, j);
	}
}

/* Every stream is looked at in every turn: news alone would not wake one that took only a part. */
static void work(struct pair *p)
{
	for (uint32_t i = 0; i < JOBS; i++) {
		struct job *j = &p->job[i];
		if (!j->s)
			continue;
		check_body(p, j);
		if (j->got >= j->give_up) {
			ss_http_reset(j->s, SS_HTTP_CANCEL);
			finish(p, j);
			continue;
		}
		send_more(p, j);
		if (!ss_http_ended(j->s) || ss_http_body(j->s)->len)
			continue;
		assert_int_equal(j->got, j->size);
		assert_int_equal(ss_http_head(j->s)->status, 200);
		assert_true(!!ss_http_trailers(j->s) == j->trailers);
		finish(p, j);
	}
}

static void start_one(struct pair *p)
{
	static const uint32_t sizes[] = { 0, 1, 500, 513, 16384, 16385, 70000, 300000 };
	struct job *j = &p->job[p->started];
	struct ss_hdrs h;

	ss_hdrs_init(&h, NULL, 0);
	h.method = SS_SPAN("POST");
	h.scheme = SS_SPAN("https");
	h.authority = SS_SPAN("pair.test");
	h.path = SS_SPAN("/a/b?c");
	j->seed = (uint32_t)ss_rng_u64(&p->rng);
	j->size = sizes[ss_rng_below(&p->rng, SS_ARRAY_LEN(sizes))];
	j->size = j->size ? ss_rng_below(&p->rng, j->size) + 1 : 0;
	j->trailers = ss_rng_chance(&p->rng, 1, 3);
	j->give_up = ss_rng_chance(&p->rng, 1, 6) ? ss_rng_below(&p->rng, j->size + 1) : UINT32_MAX;
	if (ss_http_request(p->client, &h, false, p->sim.now, &j->s) == 0) {
		ss_http_set_owner(j->s, j);
		p->started++;
	}
}

static void carry(struct pair *p)
{
	static const uint32_t cuts[] = { 1, 9, 100, 1500, 20000, 1u << 20 };
	uint32_t most = cuts[ss_rng_below(&p->rng, SS_ARRAY_LEN(cuts))];

	tls_sim_carry(p->a, p->b, ss_rng_below(&p->rng, most) + 1);
	tls_sim_carry(p->b, p->a, ss_rng_below(&p->rng, most) + 1);
	tls_sim_room(p->a, p->a->room);
	tls_sim_room(p->b, p->b->room);
}

static void talk(uint64_t seed)
{
	struct pair *p = calloc(1, sizeof(*p));
	struct ss_addr to = { ss_ip4(0x0a000001), 443 };
	struct ss_http_limits *l;
	uint32_t turns = 0;

	assert_non_null(p);
	ss_rng_seed(&p->rng, seed);
	http_sim_init(&p->sim, "h2_pair", 4096);
	p->sim.on_stream = on_stream;
	p->sim.arg = p;
	p->sim.tls.alpn = SS_ALPN_H2;
	for (int i = 0; i < 2; i++) {
		l = i ? &p->sim.cluster.http : &p->sim.listener.http;
		l->max_streams = 1 + ss_rng_below(&p->rng, 20);
		l->stream_window = 1 + ss_rng_below(&p->rng, ss_rng_chance(&p->rng, 1, 2) ? 5000 : 300000);
		l->conn_window = 65535 + ss_rng_below(&p->rng, 300000);
		l->hpack_table = ss_rng_below(&p->rng, 2) ? 4096 : ss_rng_below(&p->rng, 4096);
	}
	if (seed & 1) { /* one encoder for both ends: each takes it from the other */
		ss_h2_encoders_free(p->sim.http->encoders);
		p->sim.http->encoders = ss_h2_encoders_create(1);
	}
	assert_int_equal(ss_http_connect(p->sim.http, &p->sim.cluster, &to, p->sim.now, &p->client), 0);
	p->a = p->sim.tls.last;
	p->b = tls_sim_accept(&p->sim.tls, HTTP_SIM_LISTENER, SS_ALPN_H2);
	p->a->room = 1 + ss_rng_below(&p->rng, 200000);
	p->b->room = 1 + ss_rng_below(&p->rng, 200000);
	tls_sim_connected(p->a);
	while (p->finished < JOBS && turns++ < 200000) {
		if (p->started < JOBS && ss_http_slots(p->client))
			start_one(p);
		carry(p);
		http_sim_turn(&p->sim);
		work(p);
	}
	if (p->finished < JOBS)
		printf("seed %llu: %u of %u requests finished in %u turns\n", (unsigned long long)seed,
		       p->finished, JOBS, turns);
	assert_int_equal(p->finished, JOBS);
	ss_http_conn_release(p->client);
	for (int i = 0; i < 100; i++) {
		tls_sim_carry(p->a, p->b, UINT32_MAX);
		tls_sim_carry(p->b, p->a, UINT32_MAX);
		if (p->a->shutdown)
			tls_sim_eof(p->b);
		if (p->b->shutdown)
			tls_sim_eof(p->a);
		http_sim_turn(&p->sim);
	}
	for (uint32_t d = 1; d < SS_DROP_COUNT; d++) /* a peer that is right is never refused */
		if (p->sim.counters.drops[d])
			fail_msg("seed %llu: drop %s", (unsigned long long)seed, ss_drop_name(d));
	http_sim_free(&p->sim);
	free(p);
}

static void random_talk(void **state)
{
	const char *one = getenv("SEED");
	uint64_t seed = one ? strtoull(one, NULL, 10) : 1;

	for (uint64_t n = 0; n < (one ? 1 : 60); n++) {
		char note[40];
		snprintf(note, sizeof(note), "seed %llu", (unsigned long long)(seed + n));
		*state = note;
		print_message("%s\n", note);
		talk(seed + n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_talk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
