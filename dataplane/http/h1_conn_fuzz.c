/*
 * h1_conn_fuzz.c - a peer that says anything, to both roles. The first byte chooses role and send room,
 * then come pieces: a length byte and as many bytes. After each input everything must have been given back.
 */
#include <stdlib.h>

#include "buf/testpool.h"
#include "http/http_int.h"
#include "http/http_sim.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define MUST(x) do { if (!(x)) abort(); } while (0)

static struct http_sim rig;
static struct ss_http_conn *up;

/* One request after the other, a HEAD and a POST among them. */
static void next_request(struct http_sim *r)
{
	static unsigned turn;
	struct ss_http_stream *s;
	struct ss_hdrs h;
	struct ss_bufq q;

	if (!up || !ss_http_slots(up))
		return;
	ss_hdrs_init(&h, NULL, 0);
	h.method = turn % 3 == 0 ? SS_SPAN("GET") : turn % 3 == 1 ? SS_SPAN("HEAD") : SS_SPAN("POST");
	h.authority = SS_SPAN("o");
	h.path = SS_SPAN("/");
	if (ss_http_request(up, &h, turn % 3 != 2, r->now, &s) < 0)
		return;
	if (turn++ % 3 == 2) {
		ss_bufq_init(&q);
		ss_bufq_append(&q, &r->bufs, "abc", 3);
		ss_http_send_body(s, &q, true);
	}
}

static void on_conn(struct http_sim *r, struct ss_http_conn *c, uint32_t ev)
{
	if (ev & SS_HTTP_CONN_GONE) {
		ss_http_conn_release(c);
		up = NULL;
		return;
	}
	next_request(r);
}

static void on_stream(struct http_sim *r, struct ss_http_stream *s, uint32_t ev)
{
	struct ss_bufq *b = ss_http_body(s);
	bool done = (ev & SS_HTTP_EV_RESET) || ss_http_ended(s);

	if (!ss_http_conn_owner(ss_http_stream_conn(s))) { /* downstream */
		http_sim_echo(r, s, ev);
		return;
	}
	ss_http_consumed(s, b->len);
	ss_bufq_free(b);
	if (done)
		ss_http_release(s);
}

static struct ss_tls_conn *begin(struct http_sim *r, bool client)
{
	struct ss_addr a = { 0 };

	if (!client)
		return tls_sim_accept(&r->tls, HTTP_SIM_LISTENER, SS_ALPN_H1);
	r->tls.alpn = SS_ALPN_H1;
	MUST(ss_http_connect(r->http, &r->cluster, &a, r->now, &up) == 0);
	ss_http_conn_set_owner(up, r);
	tls_sim_connected(r->tls.last);
	return r->tls.last;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct http_sim *r = &rig;

	if (!r->http) {
		http_sim_init(r, "h1_fuzz", 1024);
		r->on_stream = on_stream;
		r->on_conn = on_conn;
	}
	if (n < 1 || n > 20000)
		return 0;
	struct ss_tls_conn *t = begin(r, p[0] & 1);
	bool narrow = p[0] & 2;
	http_sim_turn(r);
	for (size_t at = 1; at < n;) {
		size_t piece = 1 + p[at++];
		piece = piece < n - at ? piece : n - at;
		tls_sim_deliver(t, p + at, (uint32_t)piece);
		at += piece;
		if (narrow && !t->released)
			tls_sim_room(t, 7);
		http_sim_turn(r);
		ss_bufq_free(&t->sent);
	}
	for (int i = 0; i < 8; i++)
		http_sim_turn(r);
	tls_sim_eof(t);
	for (int i = 0; i < 4; i++)
		http_sim_turn(r);
	tls_sim_fail(t, SS_DROP_TCP_RESET);
	for (int i = 0; i < 4; i++)
		http_sim_turn(r);
	MUST(ss_http_streams(r->http) == 0 && ss_http_conns(r->http) == 0 && ss_http_mbufs(r->http) == 0);
	MUST(ss_pool_used(r->arenas.small) == 0 && ss_pool_used(r->arenas.large) == 0);
	tls_sim_free(&r->tls);
	MUST(ss_testpool_used(&r->bufs) == 0);
	return 0;
}
