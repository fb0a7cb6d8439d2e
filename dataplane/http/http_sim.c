/*
 * http_sim.c - the rig of this room's tests, and frames as words.
 */
#include "http/http_sim.h"

#include <stdio.h>
#include <stdlib.h>

#include "buf/testpool.h"
#include "wire/h2frame.h"
#include "wire/hpack.h"

/* -- the rig -- */

uint32_t http_sim_h2_conns;

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "http_sim: %s\n", what);
	abort();
}

void http_sim_init(struct http_sim *r, const char *name, uint32_t mbufs)
{
	struct ss_http_conf conf = { .max_conns = 16, .max_h2_conns = http_sim_h2_conns, .max_streams = 512 };
	struct ss_http_limits limits = {
		.max_header_bytes = 16384, .max_headers = 64, .max_streams = 4, .stream_window = 65535,
		.conn_window = 65535, .hpack_table = 4096, .idle_timeout_ns = 60 * SS_NS_PER_SEC,
		.request_head_timeout_ns = 10 * SS_NS_PER_SEC, .settings_timeout_ns = 5 * SS_NS_PER_SEC,
	};

	memset(r, 0, sizeof(*r));
	r->now = SS_NS_PER_SEC;
	r->bufs = ss_testpool_create(name, mbufs);
	must(ss_arena_pools_create(&r->arenas, 1024, 16) == 0, "no arenas");
	tls_sim_init(&r->tls, &r->bufs);
	r->listener.name = HTTP_SIM_LISTENER;
	r->listener.http = r->cluster.http = limits;
	r->cluster.connect_timeout_ns = 5 * SS_NS_PER_SEC;
	r->snap.generation = 1;
	r->snap.n_listeners = 1;
	r->snap.listeners = &r->listener;
	ss_list_init(&r->news.streams);
	ss_list_init(&r->news.conns);
	ss_list_init(&r->news.aside_streams);
	ss_list_init(&r->news.aside_conns);
	conf.tls = &r->tls;
	conf.bufs = &r->bufs;
	conf.arenas = &r->arenas;
	conf.counters = &r->counters;
	must(ss_http_create(&r->http, &conf, r->now) == 0, "no room");
}

static void upper_room(struct http_sim *r)
{
	struct ss_list *n;

	while ((n = ss_list_pop(&r->news.conns))) {
		struct ss_http_conn *c = ss_http_conn_from_news(n);
		uint32_t ev = ss_http_conn_events(c);
		if (r->on_conn)
			r->on_conn(r, c, ev);
		else if (ev & SS_HTTP_CONN_GONE)
			ss_http_conn_release(c);
	}
	while ((n = ss_list_pop(&r->news.streams))) {
		struct ss_http_stream *s = ss_http_stream_from_news(n);
		/* An upper room learns of a downstream stream by its head; one without belongs to nobody. */
		must(!ss_http_cookie(ss_http_stream_conn(s)) || ss_http_head(s)->method.n, "a stream came up without a head");
		(r->on_stream ? r->on_stream : http_sim_echo)(r, s, ss_http_events(s));
	}
}

void http_sim_turn(struct http_sim *r)
{
	r->now += SS_NS_PER_US;
	ss_http_input(r->http, &r->snap, &r->tls.news, r->now, &r->news);
	upper_room(r);
	ss_http_flush(r->http, r->now);
	ss_http_bury(r->http);
}

void http_sim_wait(struct http_sim *r, uint64_t ns)
{
	r->now += ns;
	ss_http_expire(r->http, r->now, &r->news);
	upper_room(r);
	ss_http_flush(r->http, r->now);
	ss_http_bury(r->http);
}

void http_sim_free(struct http_sim *r)
{
	must(ss_http_streams(r->http) == 0, "streams are left");
	must(ss_http_conns(r->http) == 0, "connections are left");
	must(ss_http_mbufs(r->http) == 0, "mbufs are left in queues");
	ss_http_free(r->http);
	must(ss_pool_used(r->arenas.small) == 0, "arena chunks are left");
	must(ss_pool_used(r->arenas.large) == 0, "large arena chunks are left");
	ss_arena_pools_free(&r->arenas);
	tls_sim_free(&r->tls);
	must(ss_testpool_used(&r->bufs) == 0, "mbufs are left");
	ss_testpool_free(&r->bufs);
}

void http_sim_echo(struct http_sim *r, struct ss_http_stream *s, uint32_t ev)
{
	struct ss_bufq *body = ss_http_body(s), q;
	bool end = ss_http_ended(s);
	uint32_t n;

	if (ev & SS_HTTP_EV_RESET) {
		ss_http_release(s);
		return;
	}
	if (ev & SS_HTTP_EV_HEAD) {
		struct ss_hdrs h;
		ss_hdrs_init(&h, NULL, 0);
		h.status = 200;
		ss_http_send_head(s, &h, end && !body->len && !ss_http_trailers(s));
		if (end && !body->len && !ss_http_trailers(s))
			return;
	}
	n = ss_min_u32(body->len, ss_http_room(s));
	ss_bufq_init(&q);
	if (n && ss_bufq_take(&q, body, n, &r->bufs) == 0)
		ss_http_consumed(s, n);
	end = end && !body->len;
	if (q.len || (end && !ss_http_trailers(s)))
		ss_http_send_body(s, &q, end && !ss_http_trailers(s));
	if (end && ss_http_trailers(s))
		ss_http_send_trailers(s, ss_http_trailers(s));
	if (ev & SS_HTTP_EV_SENT)
		ss_http_release(s);
}

/* -- frames to words -- */

static const char *code_name(uint32_t code)
{
	static const char *const names[] = { "NO_ERROR", "PROTOCOL", "INTERNAL", "FLOW", "SETTINGS_TIMEOUT",
					     "CLOSED", "SIZE", "REFUSED", "CANCEL", "COMPRESSION", "CONNECT",
					     "CALM", "SECURITY", "H1" };
	return code < SS_ARRAY_LEN(names) ? names[code] : "?";
}

static int say_frame(char *text, size_t n, const struct ss_h2frame *f, const uint8_t *p,
		     struct ss_hpack_dec *dec)
{
	const char *end = (f->flags & SS_H2_F_END_STREAM) ? "e" : "";
	static uint8_t bytes[65536];
	struct ss_out out = ss_out(bytes, sizeof(bytes));
	struct ss_hdr v[128];
	struct ss_hdrs h;

	switch (f->type) {
	case SS_H2_DATA:
		return snprintf(text, n, " d%u:%u%s", f->stream, f->len, end);
	case SS_H2_HEADERS:
		ss_hdrs_init(&h, v, SS_ARRAY_LEN(v));
		if (ss_hpack_decode(dec, p, f->len, sizeof(bytes), &out, &h) < 0)
			return snprintf(text, n, " h%u%s:?", f->stream, end);
		if (h.status)
			return snprintf(text, n, " h%u%s:%u", f->stream, end, h.status);
		return snprintf(text, n, " h%u%s:%.*s", f->stream, end, (int)h.path.n,
				(const char *)h.path.p);
	case SS_H2_RST_STREAM:
		return snprintf(text, n, " rst%u:%s", f->stream, code_name(ss_h2frame_rst(p)));
	case SS_H2_SETTINGS:
		return snprintf(text, n, f->flags & SS_H2_F_ACK ? " ack" : " set");
	case SS_H2_PING:
		return snprintf(text, n, f->flags & SS_H2_F_ACK ? " pong" : " ping");
	case SS_H2_GOAWAY:
		return snprintf(text, n, " bye%u:%s", ss_get_be32(p), code_name(ss_get_be32(p + 4)));
	case SS_H2_WINDOW_UPDATE:
		return snprintf(text, n, " win%u:%u", f->stream, ss_get_be32(p));
	default:
		return snprintf(text, n, " f%u", f->type);
	}
}

void http_sim_frames(struct ss_tls_conn *c, char *text, size_t n)
{
	static uint8_t flat[1u << 20];
	static struct ss_hpack_dec dec;
	uint32_t len = ss_bufq_read(&c->sent, 0, flat, sizeof(flat)), at = 0;
	struct ss_h2frame f;
	char *t = text;

	ss_hpack_dec_init(&dec, 4096); /* good as long as one connection's output is read whole */
	*t = 0;
	if (len >= SS_H2_PREFACE_LEN && memcmp(flat, SS_H2_PREFACE, SS_H2_PREFACE_LEN) == 0) {
		t += snprintf(t, n, " P");
		at = SS_H2_PREFACE_LEN;
	}
	while (at + SS_H2_HEAD <= len) {
		ss_h2frame_parse(&f, flat + at);
		must(at + SS_H2_HEAD + f.len <= len, "half a frame was sent");
		t += say_frame(t, n - (size_t)(t - text), &f, flat + at + SS_H2_HEAD, &dec);
		must((size_t)(t - text) < n, "too many frames for the text");
		at += SS_H2_HEAD + f.len;
	}
	must(at == len, "bytes that are no frame");
	ss_bufq_free(&c->sent);
	if (c->aborted)
		snprintf(t, n - (size_t)(t - text), " abort");
	else if (c->shutdown)
		snprintf(t, n - (size_t)(t - text), " fin");
}

/* -- words to bytes -- */

static uint32_t put_hex(const char *w, uint8_t *out, uint32_t room)
{
	uint32_t n = 0;
	unsigned v;

	if (*w == '*') {
		n = (uint32_t)strtoul(w + 1, NULL, 10);
		must(n <= room, "no room");
		memset(out, 0, n);
		return n;
	}
	for (; sscanf(w, "%2x", &v) == 1 && w[0] != ' '; w += 2) {
		must(n < room, "no room");
		out[n++] = (uint8_t)v;
	}
	return n;
}

static uint32_t put_fields(const char *w, uint8_t *out, uint32_t room)
{
	struct ss_out o = ss_out(out, room);

	while (*w && *w != ' ') {
		size_t n = strcspn(w + 1, "=") + 1, v; /* a pseudo field's name begins with a colon */
		v = strcspn(w + n + 1, ", ");
		ss_out_u8(&o, 0);
		ss_out_u8(&o, (uint8_t)n);
		ss_out_bytes(&o, w, n);
		ss_out_u8(&o, (uint8_t)v);
		ss_out_bytes(&o, w + n + 1, v);
		w += n + 1 + v;
		w += *w == ',';
	}
	must(!o.over, "no room");
	return (uint32_t)(o.p - out);
}

static uint32_t put_frame(const char *w, uint8_t *out, uint32_t room)
{
	bool fields = *w == 'H';
	unsigned type = SS_H2_HEADERS, flags, id;
	int at = 0;
	uint32_t n;

	must(room > SS_H2_HEAD, "no room");
	if (fields)
		must(sscanf(w, "H:%x:%u:%n", &flags, &id, &at) == 2 && at, w);
	else
		must(sscanf(w, "F:%u:%x:%u:%n", &type, &flags, &id, &at) == 3 && at, w);
	n = (fields ? put_fields : put_hex)(w + at, out + SS_H2_HEAD, room - SS_H2_HEAD);
	ss_h2frame_put(out, n, (uint8_t)type, (uint8_t)flags, id);
	return SS_H2_HEAD + n;
}

uint32_t http_sim_bytes(const char *words, uint8_t *out, uint32_t room)
{
	uint32_t n = 0;

	for (const char *w = words; *w; w += strcspn(w, " "), w += *w == ' ') {
		if (*w == 'P')
			n += put_hex("505249202a20485454502f322e300d0a0d0a534d0d0a0d0a", out + n, room - n);
		else if (*w == 'S')
			n += put_frame("F:4:0:0:", out + n, room - n);
		else if (*w == 'A')
			n += put_frame("F:4:1:0:", out + n, room - n);
		else if (*w == '@')
			n += put_hex(w + 1, out + n, room - n);
		else
			n += put_frame(w, out + n, room - n);
	}
	return n;
}
