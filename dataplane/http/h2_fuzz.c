/*
 * h2_fuzz.c - a stranger's bytes on an HTTP/2 connection, as its client or as its server.
 *
 * The first byte chooses: bit 0 the role, bits 1-2 how the bytes are cut, bit 3 whether preface and
 * SETTINGS are given for free. Nothing may be held when the connection has gone.
 */
#include <stdlib.h>

#include "buf/testpool.h"
#include "http/http_int.h"
#include "http/http_sim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ignore_conn(struct http_sim *r, struct ss_http_conn *c, uint32_t ev)
{
	if (ev & SS_HTTP_CONN_GONE) {
		ss_http_conn_release(c);
		r->arg = NULL;
	}
}

static void on_stream(struct http_sim *r, struct ss_http_stream *s, uint32_t ev)
{
	uint32_t n = ss_http_body(s)->len;

	if (!s->conn->upstream) {
		http_sim_echo(r, s, ev);
		return;
	}
	ss_bufq_drop(ss_http_body(s), n);
	ss_http_consumed(s, n);
	if (ev & (SS_HTTP_EV_RESET | SS_HTTP_EV_END))
		ss_http_release(s);
}

static struct ss_tls_conn *as_client(struct http_sim *r)
{
	static const struct ss_addr to;
	struct ss_http_stream *s;
	struct ss_http_conn *c;
	struct ss_hdrs h;

	if (ss_http_connect(r->http, &r->cluster, &to, r->now, &c) < 0)
		abort();
	r->arg = c;
	tls_sim_connected(r->tls.last);
	http_sim_turn(r);
	ss_hdrs_init(&h, NULL, 0);
	h.method = SS_SPAN("GET");
	h.scheme = SS_SPAN("https");
	h.authority = SS_SPAN("a");
	h.path = SS_SPAN("/");
	for (int i = 0; i < 3; i++)
		ss_http_request(c, &h, i != 1, r->now, &s);
	return r->tls.last;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t cuts[] = { 1, 7, 64, 16384 };
	static struct http_sim r;
	static bool ready;
	struct ss_tls_conn *c;
	uint8_t start[64];

	if (!ready) {
		http_sim_init(&r, "h2_fuzz", 2048);
		r.tls.alpn = SS_ALPN_H2;
		r.on_stream = on_stream;
		r.on_conn = ignore_conn;
		ready = true;
	}
	if (size < 1 || size > 65536)
		return 0;
	c = data[0] & 1 ? as_client(&r) : tls_sim_accept(&r.tls, HTTP_SIM_LISTENER, SS_ALPN_H2);
	if (data[0] & 8)
		tls_sim_deliver(c, start, http_sim_bytes(data[0] & 1 ? "S" : "P S", start, sizeof(start)));
	for (size_t at = 1; at < size;) {
		uint32_t n = ss_min_u32((uint32_t)(size - at), cuts[data[0] >> 1 & 3]);
		tls_sim_deliver(c, data + at, n);
		http_sim_turn(&r);
		ss_bufq_free(&c->sent);
		at += n;
	}
	if (r.arg)
		ss_http_conn_release(r.arg);
	r.arg = NULL;
	tls_sim_fail(c, SS_DROP_TCP_RESET);
	for (int i = 0; i < 3; i++)
		http_sim_turn(&r);
	if (ss_http_conns(r.http) || ss_http_streams(r.http) || ss_pool_used(r.arenas.small) ||
	    ss_pool_used(r.arenas.large))
		abort();
	tls_sim_free(&r.tls);
	if (ss_testpool_used(&r.bufs))
		abort();
	return 0;
}
