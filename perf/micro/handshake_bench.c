/*
 * handshake_bench.c - dataplane/tls by its door: a mutual TLS 1.3 handshake, P-256 and X25519, full and resumed, with a
 * client and with an endpoint. At the other end is libssl, whose share, about half, is in the figure. And what it costs
 * to judge a client's chain: signature by signature, and when it is known.
 */
#include <stdlib.h>

#include "contract/tickets.h"
#include "contract/trust_digest.h"
#include "perf/micro/micro.h"
#include "tls/tls_shake.h"
#include "tls/tls_world_sim.h"

struct hands {
	struct world *w;
	SSL_CTX *client, *server; /* the other ends' */
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

/* ---- with an endpoint, which gives a ticket each time ---- */

static void dial(struct hands *h)
{
	struct app *a = world_connect(h->w, SS_PROTO_H2);
	struct far f;

	far_server(h->w, &f, h->server, h->w->tcp.newest);
	for (int i = 0; i < 1000 && !(a->events & SS_TLS_EV_CONNECTED && f.done); i++) {
		far_turn(h->w, &f);
		world_turn(h->w);
	}
	far_send(&f, "hello", 5); /* the ticket is before it */
	for (int i = 0; i < 100 && !a->n; i++) {
		far_turn(h->w, &f);
		world_turn(h->w);
	}
	if (!a->n)
		abort();
	h->resumed += SSL_session_reused(f.ssl) == 1;
	ss_tls_abort(a->c);
	app_release(a);
	world_turn(h->w);
	free(a->data);
	*a = (struct app){.c = NULL}; /* its place is the next one's */
	SSL_set_shutdown(f.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	far_free(&f);
}

static void dials(void *at, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		dial(at);
}

static void with_endpoints(struct micro *m, struct hands *h)
{
	struct world *w = h->w;
	struct sim_cert a = sim_leaf(&w->ca, &(struct sim_leaf){.san = "URI:spiffe://mesh.local/a"});

	h->server = sim_ctx(true, &a, &w->ca, TLS1_3_VERSION);
	SSL_CTX_clear_options(h->server, SSL_OP_NO_TICKET);
	SSL_CTX_set_num_tickets(h->server, 1);
	SSL_CTX_set_session_id_context(h->server, (const unsigned char *)"micro", 5);
	SSL_CTX_set_verify(h->server, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	w->client.ctx[0] = sim_ctx(false, &a, &w->ca, TLS1_3_VERSION);
	w->client.hash = 1;
	SSL_CTX_set_session_cache_mode(w->client.ctx[0], SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	sim_cert_free(&a);
	micro_run(m, "tls.handshake.endpoint_full", dials, h);
	w->client.resume = true;
	dial(h);
	h->resumed = 0;
	micro_run(m, "tls.handshake.endpoint_resumed", dials, h);
	dial(h);
	if (!h->resumed)
		abort();
	SSL_CTX_free(h->server);
}

/* ---- a client's chain: a leaf under its root ---- */

struct judged {
	struct tls_shake k;
	X509_STORE *none;
	X509 *leaf;
	STACK_OF(X509) *sent;
};

static void judge_one(struct judged *j)
{
	X509_STORE_CTX *s = X509_STORE_CTX_new();

	if (!s || X509_STORE_CTX_init(s, j->none, j->leaf, j->sent) != 1 ||
	    X509_STORE_CTX_set_ex_data(s, SSL_get_ex_data_X509_STORE_CTX_idx(), j->k.ssl) != 1)
		abort();
	X509_STORE_CTX_set_default(s, "ssl_client");
	if (ss_tls_chain_verify(s, NULL) != 1)
		abort();
	X509_STORE_CTX_free(s);
}

static void judge(void *at, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		judge_one(at);
}

static void chains(struct micro *m, struct world *w)
{
	struct tls_chains *memory[1] = {NULL};
	struct tls_tools tools = {.chains = memory};
	struct sim_cert c = sim_leaf(&w->ca, &(struct sim_leaf){.san = "URI:spiffe://mesh.local/a"});
	uint64_t anchor = ss_trust_cert_digest(w->ca.x);
	struct ss_trust_domain domain = {.name = SS_SPAN("mesh.local"), .anchors = sk_X509_new_null(),
					 .anchor = {1, &anchor}};
	struct ss_trust trust = {.refs = 1, .n_domains = 1, .domain = &domain};
	struct judged j = {.k = {.tools = &tools, .trust = &trust, .server = true}, .none = X509_STORE_new(), .leaf = c.x,
			   .sent = sk_X509_new_null()};

	sk_X509_push(domain.anchors, w->ca.x);
	sk_X509_push(j.sent, c.x);
	j.k.ssl = SSL_new(w->server.ctx[0]);
	SSL_set_accept_state(j.k.ssl);
	SSL_set_app_data(j.k.ssl, &j.k);
	micro_run(m, "tls.chain.miss", judge, &j);
	trust.chain_cache = true;
	judge_one(&j);
	j.k.chain_known = false;
	micro_run(m, "tls.chain.hit", judge, &j);
	judge_one(&j);
	if (!j.k.chain_known)
		abort();
	ss_tls_chains_free(memory[0]);
	SSL_free(j.k.ssl);
	OPENSSL_free(j.k.identity);
	X509_STORE_free(j.none);
	sk_X509_free(j.sent);
	sk_X509_free(domain.anchors);
	sim_cert_free(&c);
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
	with_endpoints(m, &h);
	chains(m, &w);
	SSL_SESSION_free(h.ticket);
	SSL_SESSION_free(newest);
	SSL_CTX_free(h.client);
	world_free(&w);
	ss_ticket_ring_free(ring);
}
