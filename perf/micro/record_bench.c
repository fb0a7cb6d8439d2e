/*
 * record_bench.c - dataplane/tls by its door: one record sealed, and one sealed and opened, by size. Below
 * is a tcp made of memory; moving a record's bytes through it is part of the figure, and is the same for all.
 */
#include <stdio.h>
#include <stdlib.h>

#include "perf/micro/micro.h"
#include "tls/tls_world_sim.h"

struct records {
	struct world *w;
	struct app *a, *b;
	struct ss_tcp_conn *tcp; /* a's */
	uint32_t len;
};

static uint8_t bytes[16384];

static void seal(struct records *r)
{
	app_send(r->w, r->a, bytes, r->len);
	ss_tls_flush(r->w->tls, r->w->now);
	ss_tls_bury(r->w->tls);
}

/* The memory that r->a seals into. */
static struct ss_tcp_conn *below(struct records *r)
{
	seal(r);
	for (uint32_t c = 0; c < FAKE_CONNS; c++)
		if (r->w->tcp.conn[c].tx.len)
			return &r->w->tcp.conn[c];
	abort();
}

/* What is sealed goes nowhere. The other end never hears of this connection again. */
static void seal_only(void *at, uint32_t n)
{
	struct records *r = at;

	for (uint32_t i = 0; i < n; i++) {
		seal(r);
		ss_bufq_free(&r->tcp->tx);
	}
}

/* The bench's own share of seal_and_open: moving nothing, and a turn without news. */
static void nothing(void *at, uint32_t n)
{
	struct records *r = at;
	struct ss_list news;

	ss_list_init(&news);
	for (uint32_t i = 0; i < n; i++) {
		fake_move(&r->w->tcp);
		ss_tls_input(r->w->tls, &r->w->snap, &r->w->tcp.news, r->w->now, &news);
		ss_tls_flush(r->w->tls, r->w->now);
	}
}

static void seal_and_open(void *at, uint32_t n)
{
	struct records *r = at;
	struct ss_list news;

	ss_list_init(&news);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t got = 0;
		seal(r);
		while (got < r->len) {
			struct ss_bufq *rx = ss_tls_rx(r->b->c);
			fake_move(&r->w->tcp);
			ss_tls_input(r->w->tls, &r->w->snap, &r->w->tcp.news, r->w->now, &news);
			for (struct ss_list *l; (l = ss_list_pop(&news));)
				ss_tls_events(ss_tls_from_news(l));
			got += rx->len;
			ss_tls_consumed(r->b->c, rx->len);
			ss_bufq_free(rx);
			ss_tls_flush(r->w->tls, r->w->now);
		}
	}
}

static struct app *join(struct world *w)
{
	struct app *a = world_connect_self(w, SS_PROTO_H2);

	for (int i = 0; i < 1000 && !(a->events & SS_TLS_EV_CONNECTED && world_served(w)); i++)
		world_turn(w);
	world_turns(w, 60);
	assert(a->events == SS_TLS_EV_CONNECTED);
	return a;
}

static void certify(struct world *w)
{
	struct sim_cert a = sim_leaf(&w->ca, &(struct sim_leaf){.san = "URI:spiffe://mesh.local/a"});
	struct sim_cert b = sim_leaf(&w->ca, &(struct sim_leaf){.san = "URI:spiffe://mesh.local/b"});

	w->client.ctx[0] = sim_ctx(false, &a, &w->ca, TLS1_3_VERSION);
	w->server.ctx[0] = sim_ctx(true, &b, &w->ca, TLS1_3_VERSION);
	sim_cert_free(&a);
	sim_cert_free(&b);
}

void micro_items(struct micro *m)
{
	static const uint32_t sizes[] = {64, 256, 1024, 1400, 4096, 16384};
	static struct world w;
	struct records r = {.w = &w}, thrown = {.w = &w};
	char name[48];

	world_init(&w, "micro-tls", 1);
	certify(&w);
	w.tcp.no_split = true;
	r.a = join(&w);
	r.b = world_served(&w);
	for (uint32_t i = 0; i < SS_ARRAY_LEN(sizes); i++) {
		snprintf(name, sizeof(name), "tls.seal_open.%u", sizes[i]);
		r.len = sizes[i];
		micro_run(m, name, seal_and_open, &r);
	}
	micro_run(m, "tls.nothing", nothing, &r);
	thrown.a = join(&w);
	thrown.len = 1;
	thrown.tcp = below(&thrown);
	for (uint32_t i = 0; i < SS_ARRAY_LEN(sizes); i++) {
		snprintf(name, sizeof(name), "tls.seal.%u", sizes[i]);
		thrown.len = sizes[i];
		micro_run(m, name, seal_only, &thrown);
	}
	world_free(&w);
}
