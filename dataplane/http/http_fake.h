/*
 * http_fake.h - for tests: http.h in memory. The test plays both peers; nothing is parsed.
 *
 * A stream's window is how much may be queued towards its peer; fake_drain lets it out. What was
 * sent is kept and can be looked at. Everything is freed by fake_free, which says what was left.
 */
#ifndef SS_HTTP_FAKE_H
#define SS_HTTP_FAKE_H

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "buf/testpool.h"
#include "http/http.h"

#define FAKE_WINDOW 65536u

struct ss_http {
	struct ss_http_news news;
	struct ss_bufpool *bufs;
	struct ss_arena_pools arenas;
	struct ss_list conns; /* struct ss_http_conn.all, also those that were released */
	uint32_t live_conns, live_streams;
	int connect_error; /* for the next connects */
	int request_error;
	uint32_t connects;
};

struct ss_http_conn {
	struct ss_http *h;
	struct ss_list all, news, streams;
	struct ss_addr remote;
	struct ss_peer peer;
	bool upstream, open, closing, released, gone, aside, killed;
	uint32_t slots, events, cookie;
	enum ss_drop reason;
	void *owner;
	int version;
};

struct ss_http_stream {
	struct ss_http_conn *conn;
	struct ss_list all, news;
	uint32_t events, window;
	void *owner;
	bool released, over, rx_end, tx_end, tx_sent, unprocessed, has_rx_trailers, tx_short, tx_head;
	enum ss_drop reason;
	int reset_code; /* -1: none */
	struct ss_hdr rx_v[32], tx_v[64], rx_tv[8], tx_tv[8];
	struct ss_hdrs rx, tx, rx_trailers, tx_trailers;
	uint16_t infos[4];
	unsigned n_infos;
	struct ss_bufq body, queued, out; /* received; sent and not drained; drained */
	struct ss_arena arena, sent_arena;
	uint64_t in, sent_bytes, consumed, started;
};

/* -- the room's functions -- */

static void fake_news(struct ss_http_stream *s, uint32_t events)
{
	if (s->released)
		return;
	s->events |= events;
	ss_list_push_once(s->conn->aside ? &s->conn->h->news.aside_streams : &s->conn->h->news.streams, &s->news);
}

static void fake_conn_news(struct ss_http_conn *c, uint32_t events)
{
	if (c->released)
		return;
	c->events |= events;
	ss_list_push_once(c->aside ? &c->h->news.aside_conns : &c->h->news.conns, &c->news);
}

static struct ss_http_stream *fake_stream(struct ss_http_conn *c)
{
	struct ss_http_stream *s = calloc(1, sizeof(*s));

	s->conn = c;
	s->window = FAKE_WINDOW;
	s->reset_code = -1;
	ss_list_init(&s->news);
	ss_list_push_back(&c->streams, &s->all);
	ss_hdrs_init(&s->rx, s->rx_v, 32);
	ss_hdrs_init(&s->rx_trailers, s->rx_tv, 8);
	ss_arena_init(&s->arena, &c->h->arenas);
	ss_arena_init(&s->sent_arena, &c->h->arenas);
	c->h->live_streams++;
	return s;
}

struct ss_http_stream *ss_http_stream_from_news(struct ss_list *n)
{
	return ss_list_entry(n, struct ss_http_stream, news);
}

uint32_t ss_http_events(struct ss_http_stream *s)
{
	uint32_t e = s->events;

	s->events = 0;
	return e;
}

const struct ss_hdrs *ss_http_head(const struct ss_http_stream *s)
{
	return &s->rx;
}

struct ss_bufq *ss_http_body(struct ss_http_stream *s)
{
	return &s->body;
}

void ss_http_consumed(struct ss_http_stream *s, uint32_t n)
{
	s->consumed += n;
}

bool ss_http_ended(const struct ss_http_stream *s)
{
	return s->rx_end;
}

const struct ss_hdrs *ss_http_trailers(const struct ss_http_stream *s)
{
	return s->has_rx_trailers ? &s->rx_trailers : NULL;
}

/* Copies what is lent for the call only, so that a use after it shows. */
static void fake_copy(struct ss_http_stream *s, struct ss_hdrs *to, struct ss_hdr *v, uint16_t cap,
		      const struct ss_hdrs *from)
{
	bool ok = true;

	ss_hdrs_init(to, v, cap);
	to->status = from->status;
	to->method = ss_arena_copy(&s->sent_arena, from->method, &ok);
	to->scheme = ss_arena_copy(&s->sent_arena, from->scheme, &ok);
	to->authority = ss_arena_copy(&s->sent_arena, from->authority, &ok);
	to->path = ss_arena_copy(&s->sent_arena, from->path, &ok);
	for (uint16_t i = 0; i < from->n; i++)
		assert_int_equal(ss_hdrs_add(to, ss_arena_copy(&s->sent_arena, from->v[i].name, &ok),
					     ss_arena_copy(&s->sent_arena, from->v[i].value, &ok), 0),
				 0);
	assert_true(ok);
}

int ss_http_send_head(struct ss_http_stream *s, const struct ss_hdrs *h, bool end)
{
	if (s->over)
		return SS_ERR_CLOSED;
	if (h->status && h->status < 200) {
		s->infos[s->n_infos++ % 4] = h->status;
		return 0;
	}
	assert_false(s->tx_head);
	fake_copy(s, &s->tx, s->tx_v, 64, h);
	s->tx_head = true;
	s->tx_end = end;
	return 0;
}

int ss_http_send_body(struct ss_http_stream *s, struct ss_bufq *q, bool end)
{
	if (s->over || s->tx_end) {
		ss_bufq_free(q);
		return SS_ERR_CLOSED;
	}
	assert_true(s->tx_head);
	s->sent_bytes += q->len;
	ss_bufq_move(&s->queued, q);
	s->tx_end = end;
	s->tx_short = s->queued.len >= s->window;
	return 0;
}

int ss_http_send_trailers(struct ss_http_stream *s, const struct ss_hdrs *t)
{
	if (s->over || s->tx_end)
		return SS_ERR_CLOSED;
	fake_copy(s, &s->tx_trailers, s->tx_tv, 8, t);
	s->tx_end = true;
	return 0;
}

uint32_t ss_http_room(const struct ss_http_stream *s)
{
	return s->over || s->queued.len >= s->window ? 0 : s->window - s->queued.len;
}

static void fake_settle(struct ss_http_stream *s)
{
	if (s->released || !s->rx_end || !s->tx_sent)
		return;
	s->over = true;
}

void ss_http_reset(struct ss_http_stream *s, enum ss_http_code code)
{
	if (s->over)
		return;
	s->over = true;
	s->reset_code = (int)code;
	if (s->conn->version == 1)
		s->conn->gone = true;
}

void ss_http_release(struct ss_http_stream *s)
{
	assert_false(s->released);
	/* A request counts as sent when it was queued whole: the peer has answered it. */
	if (s->conn->upstream && s->rx_end && s->tx_end)
		s->over = true;
	if (!s->over && !(s->tx_end && !s->conn->upstream))
		ss_http_reset(s, SS_HTTP_CANCEL);
	s->released = true;
	s->owner = NULL;
	ss_list_remove(&s->news);
	ss_bufq_free(&s->body);
	ss_arena_reset(&s->arena);
	s->conn->h->live_streams--;
}

void ss_http_set_owner(struct ss_http_stream *s, void *owner)
{
	s->owner = owner;
}

void *ss_http_owner(const struct ss_http_stream *s)
{
	return s->owner;
}

enum ss_drop ss_http_reason(const struct ss_http_stream *s)
{
	return s->reason;
}

bool ss_http_unprocessed(const struct ss_http_stream *s)
{
	return s->unprocessed;
}

struct ss_http_conn *ss_http_stream_conn(const struct ss_http_stream *s)
{
	return s->conn;
}

struct ss_arena *ss_http_arena(struct ss_http_stream *s)
{
	return &s->arena;
}

uint64_t ss_http_started(const struct ss_http_stream *s)
{
	return s->started;
}

int ss_http_version(const struct ss_http_stream *s)
{
	return s->conn->version;
}

uint64_t ss_http_bytes_in(const struct ss_http_stream *s)
{
	return s->in;
}

uint64_t ss_http_bytes_out(const struct ss_http_stream *s)
{
	return s->sent_bytes;
}

const struct ss_peer *ss_http_peer(const struct ss_http_conn *c)
{
	return &c->peer;
}

uint32_t ss_http_cookie(const struct ss_http_conn *c)
{
	return c->cookie;
}

struct ss_http_conn *ss_http_conn_from_news(struct ss_list *n)
{
	return ss_list_entry(n, struct ss_http_conn, news);
}

uint32_t ss_http_conn_events(struct ss_http_conn *c)
{
	uint32_t e = c->events;

	c->events = 0;
	return e;
}

static struct ss_http_conn *fake_conn(struct ss_http *h, bool upstream)
{
	struct ss_http_conn *c = calloc(1, sizeof(*c));

	c->h = h;
	c->upstream = upstream;
	c->version = 2;
	ss_list_init(&c->news);
	ss_list_init(&c->streams);
	ss_list_push_back(&h->conns, &c->all);
	return c;
}

int ss_http_connect(struct ss_http *h, const struct ss_cluster *cluster, const struct ss_addr *remote,
		    uint64_t now, struct ss_http_conn **out)
{
	struct ss_http_conn *c;

	h->connects++;
	if (h->connect_error)
		return h->connect_error;
	c = fake_conn(h, true);
	c->remote = *remote;
	h->live_conns++;
	*out = c;
	return 0;
}

uint32_t ss_http_slots(const struct ss_http_conn *c)
{
	return c->open && !c->closing && !c->gone ? c->slots : 0;
}

int ss_http_request(struct ss_http_conn *c, const struct ss_hdrs *h, bool end, uint64_t now,
		    struct ss_http_stream **out)
{
	struct ss_http_stream *s;

	if (c->h->request_error)
		return c->h->request_error;
	if (c->gone || c->closing || c->released)
		return SS_ERR_CLOSED;
	assert_true(c->slots > 0);
	c->slots--;
	s = fake_stream(c);
	ss_http_send_head(s, h, end);
	*out = s;
	return 0;
}

void ss_http_conn_close(struct ss_http_conn *c)
{
	c->closing = true;
}

void ss_http_conn_release(struct ss_http_conn *c)
{
	assert_false(c->released);
	c->released = true;
	ss_list_remove(&c->news);
	c->h->live_conns--;
}

void ss_http_conn_set_aside(struct ss_http_conn *c)
{
	c->aside = true;
}

void ss_http_conn_kill(struct ss_http_conn *c)
{
	c->gone = c->killed = true;
	ss_http_conn_release(c);
}

void ss_http_conn_set_owner(struct ss_http_conn *c, void *owner)
{
	c->owner = owner;
}

void *ss_http_conn_owner(const struct ss_http_conn *c)
{
	return c->owner;
}

enum ss_drop ss_http_conn_reason(const struct ss_http_conn *c)
{
	return c->reason;
}

/* -- what the test does as the peers -- */

static SS_UNUSED struct ss_http *fake_create(struct ss_bufpool *bufs)
{
	struct ss_http *h = calloc(1, sizeof(*h));

	h->bufs = bufs;
	ss_list_init(&h->news.streams);
	ss_list_init(&h->news.conns);
	ss_list_init(&h->news.aside_streams);
	ss_list_init(&h->news.aside_conns);
	ss_list_init(&h->conns);
	assert_int_equal(ss_arena_pools_create(&h->arenas, 4000, 64), 0);
	return h;
}

static SS_UNUSED void fake_free(struct ss_http *h)
{
	struct ss_list *c, *s, *t, *u;

	ss_list_for_safe(c, t, &h->conns)
	{
		struct ss_http_conn *conn = ss_list_entry(c, struct ss_http_conn, all);
		ss_list_for_safe(s, u, &conn->streams)
		{
			struct ss_http_stream *st = ss_list_entry(s, struct ss_http_stream, all);
			ss_bufq_free(&st->body);
			ss_bufq_free(&st->queued);
			ss_bufq_free(&st->out);
			ss_arena_reset(&st->arena);
			ss_arena_reset(&st->sent_arena);
			free(st);
		}
		free(conn);
	}
	assert_int_equal(ss_pool_used(h->arenas.small) + ss_pool_used(h->arenas.large), 0);
	ss_arena_pools_free(&h->arenas);
	free(h);
}

/* An upstream connection is ready, or is not to be. */
static SS_UNUSED void fake_open(struct ss_http_conn *c, uint32_t slots)
{
	c->open = true;
	c->slots = slots;
	c->version = slots > 1 ? 2 : 1;
	fake_conn_news(c, SS_HTTP_CONN_OPEN);
}

static SS_UNUSED void fake_gone(struct ss_http_conn *c, enum ss_drop why)
{
	struct ss_list *n;

	c->gone = true;
	c->reason = why;
	ss_list_for(n, &c->streams)
	{
		struct ss_http_stream *s = ss_list_entry(n, struct ss_http_stream, all);
		if (s->over || s->released)
			continue;
		s->over = true;
		s->reason = c->upstream ? SS_DROP_UPSTREAM_RESET : SS_DROP_DOWNSTREAM_GONE;
		fake_news(s, SS_HTTP_EV_RESET);
	}
	if (c->upstream)
		fake_conn_news(c, SS_HTTP_CONN_GONE);
}

static SS_UNUSED void fake_bytes(struct ss_http_stream *s, const void *p, uint32_t n)
{
	if (s->released)
		return;
	assert_int_equal(ss_bufq_append(&s->body, s->conn->h->bufs, p, n), 0);
	s->in += n;
	fake_news(s, SS_HTTP_EV_BODY);
}

static SS_UNUSED void fake_end(struct ss_http_stream *s)
{
	s->rx_end = true;
	fake_news(s, SS_HTTP_EV_END);
	if (s->conn->upstream && !s->conn->gone) {
		s->conn->slots++;
		fake_conn_news(s->conn, SS_HTTP_CONN_SLOT);
	}
}

static SS_UNUSED void fake_status(struct ss_http_stream *s, uint16_t status)
{
	s->rx.status = status;
	fake_news(s, status < 200 ? SS_HTTP_EV_INFO : SS_HTTP_EV_HEAD);
}

static SS_UNUSED void fake_reset(struct ss_http_stream *s, enum ss_drop why, bool unprocessed)
{
	if (s->over)
		return;
	s->over = true;
	s->reason = why;
	s->unprocessed = unprocessed;
	fake_news(s, SS_HTTP_EV_RESET);
	if (s->conn->upstream && !s->conn->gone) {
		s->conn->slots++;
		fake_conn_news(s->conn, SS_HTTP_CONN_SLOT);
	}
}

/* The peer reads up to n bytes of what was queued. */
static SS_UNUSED void fake_drain(struct ss_http_stream *s, uint32_t n)
{
	n = ss_min_u32(n, s->queued.len);
	if (n)
		assert_int_equal(ss_bufq_take(&s->out, &s->queued, n, s->conn->h->bufs), 0);
	if (s->tx_short && s->queued.len <= s->window / 2) {
		s->tx_short = false;
		fake_news(s, SS_HTTP_EV_ROOM);
	}
	if (s->tx_end && !s->queued.len && !s->tx_sent && !s->over) {
		s->tx_sent = true;
		fake_news(s, SS_HTTP_EV_SENT);
		fake_settle(s);
	}
}

static SS_UNUSED const char *fake_field(const struct ss_hdrs *h, const char *name)
{
	static char buf[8][600];
	static unsigned at;
	const struct ss_hdr *f = ss_hdrs_find_name(h, ss_span_str(name));
	char *p = buf[at++ % 8];

	if (!f)
		return NULL;
	memcpy(p, f->value.p, f->value.n);
	p[f->value.n] = 0;
	return p;
}

#endif
