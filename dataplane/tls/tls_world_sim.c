/* A worker's turn around the tls room. */
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>

#include "base/err.h"
#include "tls/tls_device.h"
#include "tls/tls_world_sim.h"

#define MBUFS 2048

enum ss_tls_records world_records;
const struct ss_ticket_ring *world_tickets;
uint32_t world_tls_conns;
uint32_t world_keys;
uint32_t world_rate;
struct ss_offload *world_offload;
uint16_t world_threads __attribute__((weak));

const struct world_backend world_backends[] = {
#ifdef SS_HAVE_IPSEC_MB
	{ "ipsec-mb", SS_TLS_RECORDS_IPSEC_MB },
#endif
	{ "evp", SS_TLS_RECORDS_EVP },
	{ "openssl", SS_TLS_RECORDS_OPENSSL },
#ifdef SS_HAVE_IPSEC_MB
	{ "cryptodev", SS_TLS_RECORDS_CRYPTODEV },
#endif
	{ NULL, SS_TLS_RECORDS_AUTO },
};

static void need(bool ok)
{
	if (!ok)
		abort();
}

/* The same for all worlds of a program, made when the first of them wants it. */
static struct ss_tls_device *the_device(void)
{
	static struct ss_tls_device *device;
	char err[256];

	if (world_records == SS_TLS_RECORDS_CRYPTODEV && !device &&
	    ss_tls_device_open(&device, "crypto_aesni_gcm", 1, 0, err, sizeof(err)) < 0) {
		fprintf(stderr, "%s\n", err);
		abort();
	}
	return device;
}

void world_init(struct world *w, const char *name, uint64_t seed)
{
	memset(w, 0, sizeof(*w));
	w->bufs = ss_testpool_create(name, MBUFS);
	ss_rng_seed(&w->rng, seed);
	fake_init(&w->tcp, &w->bufs, &w->rng);
	w->events = ss_event_ring_create(64);
	w->now = SS_NS_PER_SEC;
	w->crew = world_threads ? fake_crew_create() : NULL;
	struct ss_tls_conf conf = { .device = the_device(), .max_conns = 32, .max_tls_conns = world_tls_conns, .expanded_keys = world_keys, .max_plain = 32768, .records = world_records, .tcp = &w->tcp, .bufs = &w->bufs,
				    .tickets = world_tickets, .crew = w->crew, .handshake_rate = world_rate,
				    .offload = world_offload,
				    .handshake_queue = 32, .counters = &w->counters, .events = w->events };
	need(w->events && ss_tls_create(&w->tls, &conf, w->now) == 0);
	w->ca = sim_ca("mesh");
	w->other_ca = sim_ca("other");
	w->server.mode = SS_TLS_STRICT;
	w->server.client_certificate = true;
	w->server.handshake_timeout_ns = w->client.handshake_timeout_ns = 5 * SS_NS_PER_SEC;
	w->client_id.kind = w->server_id.kind = SS_ID_ANY;
	w->server.ids = &w->server_id;
	w->client.ids = &w->client_id;
	w->client.n_ids = 1;
	w->listener.name = SERVER_COOKIE;
	w->listener.tls = &w->server;
	w->snap.n_listeners = 1;
	w->snap.listeners = &w->listener;
}

void world_free(struct world *w)
{
	for (int i = 0; i < WORLD_APPS; i++) {
		if (w->app[i].c)
			app_release(&w->app[i]);
		free(w->app[i].data);
	}
	/* Everything ends: nobody answers any more, so the lingering has to run out. */
	w->tcp.sink = true;
	for (int i = 0; i < 100; i++) {
		w->now += SS_NS_PER_SEC / 2;
		world_turn(w);
	}
	need(ss_tls_conns(w->tls) == 0 && ss_tls_mbufs(w->tls) == 0);
	need(fake_held(&w->tcp) == 0);
	fake_crew_stop(w->crew);
	ss_tls_free(w->tls);
	fake_crew_free(w->crew);
	ss_tcp_free(&w->tcp);
	need(ss_testpool_used(&w->bufs) == 0);
	ss_testpool_free(&w->bufs);
	ss_event_ring_free(w->events);
	SSL_CTX_free(w->server.ctx[0]);
	SSL_CTX_free(w->client.ctx[0]);
	sim_cert_free(&w->ca);
	sim_cert_free(&w->other_ca);
}

static struct app *app_new(struct world *w, struct ss_tls_conn *c)
{
	for (int i = 0; i < WORLD_APPS; i++) {
		struct app *a = &w->app[i];

		if (a->data)
			continue;
		a->c = c;
		a->data = malloc(WORLD_DATA);
		need(a->data);
		ss_tls_set_owner(c, a);
		return a;
	}
	abort();
}

static void app_take(struct app *a)
{
	struct ss_bufq *rx = ss_tls_rx(a->c);
	uint32_t n = rx->len;

	if (n == 0 || a->hold)
		return;
	need(a->n + n <= WORLD_DATA);
	ss_bufq_read(rx, 0, a->data + a->n, n);
	ss_bufq_drop(rx, n);
	ss_tls_consumed(a->c, n);
	a->n += n;
}

void app_release(struct app *a)
{
	ss_tls_release(a->c);
	a->c = NULL;
}

static void app_news(struct world *w, struct ss_tls_conn *c)
{
	uint32_t ev = ss_tls_events(c);
	struct app *a = ss_tls_owner(c);

	if (ev & SS_TLS_EV_ACCEPTED)
		need(!a);
	if (!a)
		a = app_new(w, c);
	a->events |= ev;
	app_take(a);
	if (!(ev & SS_TLS_EV_FAILED))
		return;
	a->reason = ss_tls_reason(c);
	if (!a->keep)
		app_release(a);
}

void world_turn(struct world *w)
{
	struct ss_list news, *n;

	ss_list_init(&news);
	fake_move(&w->tcp);
	ss_tls_input(w->tls, &w->snap, &w->tcp.news, w->now, &news);
	ss_tls_expire(w->tls, w->now, &news);
	while ((n = ss_list_pop(&news)))
		app_news(w, ss_tls_from_news(n));
	ss_tls_flush(w->tls, w->now);
	fake_crew_run(w->crew);
	ss_tls_bury(w->tls);
	need(ERR_peek_error() == 0);
	w->now += 100 * SS_NS_PER_US;
}

void world_turns(struct world *w, unsigned n)
{
	while (n--)
		world_turn(w);
}

struct app *world_served(struct world *w)
{
	for (int i = WORLD_APPS - 1; i >= 0; i--)
		if (w->app[i].data && (w->app[i].events & SS_TLS_EV_ACCEPTED))
			return &w->app[i];
	return NULL;
}

struct app *world_connect(struct world *w, enum ss_protocol protocol)
{
	const struct ss_addr remote = { .ip = ss_ip4(0x0a000009), .port = 8443 };
	struct ss_tls_conn *c;

	need(ss_tls_connect(w->tls, &remote, w->client.ctx[0] ? &w->client : NULL, protocol, w->now, &c) == 0);
	return app_new(w, c);
}

struct app *world_connect_self(struct world *w, enum ss_protocol protocol)
{
	struct app *a = world_connect(w, protocol);
	struct ss_tcp_conn *out = w->tcp.newest;

	fake_join(out, fake_accept(&w->tcp, SERVER_COOKIE));
	return a;
}

int app_send(struct world *w, struct app *a, const void *p, uint32_t n)
{
	struct ss_bufq q;

	ss_bufq_init(&q);
	need(ss_bufq_append(&q, &w->bufs, p, n) == 0);
	return ss_tls_send(a->c, &q);
}

uint64_t world_drops(const struct world *w, enum ss_drop d)
{
	return w->counters.drops[d];
}

bool world_event(struct world *w, struct ss_event *out)
{
	const struct ss_event *ev = ss_event_peek(w->events);

	if (!ev)
		return false;
	*out = *ev;
	ss_event_release(w->events);
	return true;
}

/* -- the libssl peer -- */

static void far_told(const SSL *ssl, int where, int ret)
{
	struct far *f = SSL_get_app_data(ssl);

	if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && (ret & 0xff) != SSL_AD_CLOSE_NOTIFY)
		f->alert = ret & 0xff;
}

static void far_init(struct far *f, SSL_CTX *ctx, struct ss_tcp_conn *tcp)
{
	memset(f, 0, sizeof(*f));
	f->alert = -1;
	f->tcp = tcp;
	f->ssl = SSL_new(ctx);
	need(f->ssl);
	SSL_set_app_data(f->ssl, f);
	SSL_set_bio(f->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	BIO_set_mem_eof_return(SSL_get_rbio(f->ssl), -1);
	SSL_set_info_callback(f->ssl, far_told);
}

void far_client(struct world *w, struct far *f, SSL_CTX *ctx)
{
	far_init(f, ctx, fake_accept(&w->tcp, SERVER_COOKIE));
	SSL_set_connect_state(f->ssl);
}

void far_server(struct world *w, struct far *f, SSL_CTX *ctx, struct ss_tcp_conn *tcp)
{
	far_init(f, ctx, tcp);
	fake_connected(tcp);
	SSL_set_accept_state(f->ssl);
}

static void far_take(struct far *f)
{
	uint8_t part[4096];
	uint32_t n;

	while ((n = ss_bufq_read(&f->tcp->tx, 0, part, sizeof(part)))) {
		BIO_write(SSL_get_rbio(f->ssl), part, (int)n);
		ss_bufq_drop(&f->tcp->tx, n);
	}
}

static void far_give(struct world *w, struct far *f)
{
	uint8_t part[3000];
	int n = BIO_read(SSL_get_wbio(f->ssl), part, 1 + (int)ss_rng_below(&w->rng, sizeof(part)));

	if (n > 0)
		fake_deliver(f->tcp, part, (uint32_t)n);
}

void far_turn(struct world *w, struct far *f)
{
	far_take(f);
	if (!f->done)
		f->done = SSL_do_handshake(f->ssl) == 1;
	f->verify = SSL_get_verify_result(f->ssl);
	if (f->done) {
		int n = SSL_read(f->ssl, f->data + f->n, (int)(sizeof(f->data) - f->n));

		if (n > 0)
			f->n += (uint32_t)n;
		f->eof |= (SSL_get_shutdown(f->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
	}
	ERR_clear_error();
	far_give(w, f);
}

void far_run(struct world *w, struct far *f, unsigned turns)
{
	while (turns--) {
		far_turn(w, f);
		world_turn(w);
	}
	far_take(f);
	far_turn(w, f);
}

void far_send(struct far *f, const void *p, int n)
{
	need(SSL_write(f->ssl, p, n) == n);
}

void far_free(struct far *f)
{
	SSL_free(f->ssl);
}
