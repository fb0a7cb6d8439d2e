/*
 * handshake_bench.c - dataplane/tls by its door: a mutual TLS 1.3 handshake, P-256 and X25519, full and resumed. At
 * the other end is a libssl client, whose share, about half, is in the figure.
 */
#include <stdlib.h>

#include "contract/tickets.h"
#include "perf/micro/micro.h"
#include "tls/tls_world_sim.h"

struct hands {
	struct world *w;
	SSL_CTX *client;
	SSL_SESSION *ticket; /* NULL: full handshakes */
	uint64_t resumed;
};

static SSL_SESSION *newest;

static int keep(SSL *ssl, SSL_SESSION *s)
{
	SSL_SESSION_free(newest);
	newest = s;
	return 1;
}

/* Our end's turn; the connection that is ready, or NULL. */
static struct ss_tls_conn *turn(struct world *w)
{
	struct ss_tls_conn *ready = NULL;
	struct ss_list news, *n;

	ss_list_init(&news);
	fake_move(&w->tcp);
	ss_tls_input(w->tls, &w->snap, &w->tcp.news, w->now, &news);
	ss_tls_expire(w->tls, w->now, &news);
	while ((n = ss_list_pop(&news))) {
		struct ss_tls_conn *c = ss_tls_from_news(n);
		if (ss_tls_events(c) & SS_TLS_EV_ACCEPTED)
			ready = c;
	}
	ss_tls_flush(w->tls, w->now);
	ss_tls_bury(w->tls);
	return ready;
}

static void shake(struct hands *h)
{
	struct ss_tls_conn *c = NULL;
	struct far f;

	far_client(h->w, &f, h->client);
	if (h->ticket && SSL_set_session(f.ssl, h->ticket) != 1)
		abort();
	for (int i = 0; i < 1000 && !(c && f.done); i++) {
		struct ss_tls_conn *ready;
		far_turn(h->w, &f);
		ready = turn(h->w);
		c = ready ? ready : c;
	}
	far_turn(h->w, &f); /* takes the ticket */
	if (!c)
		abort();
	h->resumed += SSL_session_reused(f.ssl) == 1;
	ss_tls_abort(c);
	ss_tls_release(c);
	turn(h->w);
	SSL_set_shutdown(f.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	far_free(&f);
}

static void shakes(void *at, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		shake(at);
}

static SSL_CTX *certify(struct world *w)
{
	struct sim_cert a = sim_leaf(&w->ca, &(struct sim_leaf){.san = "URI:spiffe://mesh.local/a"});
	struct sim_cert b = sim_leaf(&w->ca, &(struct sim_leaf){.san = "URI:spiffe://mesh.local/b"});
	SSL_CTX *ctx = sim_ctx(false, &a, &w->ca, TLS1_3_VERSION), *server;

	server = w->server.ctx[0] = sim_ctx(true, &b, &w->ca, TLS1_3_VERSION);
	SSL_CTX_clear_options(server, SSL_OP_NO_TICKET);
	SSL_CTX_set_num_tickets(server, 1);
	SSL_CTX_set_session_cache_mode(server, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_session_id_context(server, (const unsigned char *)"micro", 5);
	SSL_CTX_clear_options(ctx, SSL_OP_NO_TICKET);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, keep);
	sim_cert_free(&a);
	sim_cert_free(&b);
	return ctx;
}

void micro_items(struct micro *m)
{
	static struct world w;
	const struct ss_ticket_key key = {.name = "micro"};
	struct ss_ticket_ring *ring;
	struct hands h = {.w = &w};

	if (ss_ticket_ring_create(&ring) < 0)
		abort();
	ss_ticket_ring_turn(ring, &key);
	world_tickets = ring;
	world_init(&w, "micro-handshake", 1);
	h.client = certify(&w);
	w.tcp.no_split = true;
	micro_run(m, "tls.handshake.full", shakes, &h);
	shake(&h);
	h.ticket = newest;
	newest = NULL;
	h.resumed = 0;
	micro_run(m, "tls.handshake.resumed", shakes, &h);
	shake(&h);
	if (!h.resumed)
		abort(); /* it measured something else */
	SSL_SESSION_free(h.ticket);
	SSL_SESSION_free(newest);
	SSL_CTX_free(h.client);
	world_free(&w);
	ss_ticket_ring_free(ring);
}
