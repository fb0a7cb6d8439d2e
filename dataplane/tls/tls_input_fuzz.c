/*
 * What a stranger can send to a TLS listener before it is anyone: the first byte's decision, plaintext
 * passed on, handshake bytes that OpenSSL judges. Whatever comes, the connection ends and nothing is held.
 */
#include <stdlib.h>

#include "tls/tls_world_sim.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static struct world world;

static void start(struct world *w)
{
	struct sim_cert b;

	world_init(w, "fuzz", 1);
	b = sim_leaf(&w->ca, &(struct sim_leaf){ .san = "URI:spiffe://mesh.local/b" });
	w->server.ctx[0] = sim_ctx(true, &b, &w->ca, TLS1_3_VERSION);
	w->tcp.sink = true;
	sim_cert_free(&b);
}

static void forget(struct world *w)
{
	struct ss_event ev;

	for (int i = 0; i < WORLD_APPS; i++) {
		struct app *a = &w->app[i];

		if (a->c)
			app_release(a);
		free(a->data);
		memset(a, 0, sizeof(*a));
	}
	while (world_event(w, &ev))
		;
}

/* The first byte chooses the mode and how the rest is cut. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct world *w = &world;

	if (!w->tls)
		start(w);
	if (n == 0 || n > 20000)
		return 0;
	w->server.mode = p[0] & 1 ? SS_TLS_PERMISSIVE : SS_TLS_STRICT;
	size_t part = p[0] >> 1 ? (size_t)(p[0] >> 1) * 8 : n;
	struct ss_tcp_conn *tcp = fake_accept(&w->tcp, SERVER_COOKIE);

	for (size_t at = 1; at < n; at += part) {
		fake_deliver(tcp, p + at, (uint32_t)(n - at < part ? n - at : part));
		world_turn(w);
	}
	fake_fin(tcp);
	world_turns(w, 3);
	forget(w);
	w->now += 2 * SS_NS_PER_SEC;
	world_turns(w, 3);
	if (ss_tls_conns(w->tls) || ss_tls_mbufs(w->tls) || fake_held(&w->tcp))
		abort();
	return 0;
}
