/*
 * tls_sim.c - tls.h over memory, for tests.
 */
#include "http/tls_sim.h"

#include <stdlib.h>

#include "base/err.h"

void tls_sim_init(struct ss_tls *t, struct ss_bufpool *bufs)
{
	memset(t, 0, sizeof(*t));
	ss_list_init(&t->all);
	ss_list_init(&t->news);
	t->bufs = bufs;
}

void tls_sim_free(struct ss_tls *t)
{
	struct ss_list *n;

	while ((n = ss_list_pop(&t->all))) {
		struct ss_tls_conn *c = ss_list_entry(n, struct ss_tls_conn, all);
		ss_list_remove(&c->news);
		ss_bufq_free(&c->rx);
		ss_bufq_free(&c->sent);
		free(c);
	}
}

static void say(struct ss_tls_conn *c, uint32_t events)
{
	if (c->released)
		return;
	c->events |= events;
	ss_list_push_once(&c->tls->news, &c->news);
}

static struct ss_tls_conn *conn_new(struct ss_tls *t, uint8_t alpn)
{
	struct ss_tls_conn *c = calloc(1, sizeof(*c));

	assert(c);
	c->tls = t;
	c->room = 1u << 20;
	ss_list_init(&c->news);
	ss_bufq_init(&c->rx);
	ss_bufq_init(&c->sent);
	c->peer.alpn = alpn;
	c->peer.tls = alpn != SS_ALPN_NONE;
	ss_list_push_back(&t->all, &c->all);
	return c;
}

struct ss_tls_conn *tls_sim_accept(struct ss_tls *t, uint32_t cookie, uint8_t alpn)
{
	struct ss_tls_conn *c = conn_new(t, alpn);

	c->cookie = cookie;
	say(c, SS_TLS_EV_ACCEPTED);
	return c;
}

void tls_sim_connected(struct ss_tls_conn *c)
{
	say(c, SS_TLS_EV_CONNECTED);
}

void tls_sim_deliver(struct ss_tls_conn *c, const void *p, uint32_t n)
{
	if (n && !c->released && ss_bufq_append(&c->rx, c->tls->bufs, p, n) == 0)
		say(c, SS_TLS_EV_READ);
}

void tls_sim_eof(struct ss_tls_conn *c)
{
	say(c, SS_TLS_EV_EOF);
}

void tls_sim_fail(struct ss_tls_conn *c, enum ss_drop why)
{
	c->reason = why;
	say(c, SS_TLS_EV_FAILED);
}

void tls_sim_room(struct ss_tls_conn *c, uint32_t room)
{
	c->room = room;
	if (room)
		say(c, SS_TLS_EV_ROOM);
}

uint32_t tls_sim_carry(struct ss_tls_conn *from, struct ss_tls_conn *to, uint32_t n)
{
	n = ss_min_u32(n, from->sent.len);
	if (to->released) {
		ss_bufq_drop(&from->sent, n);
		return n;
	}
	if (!n || ss_bufq_take(&to->rx, &from->sent, n, from->tls->bufs) < 0)
		return 0;
	say(to, SS_TLS_EV_READ);
	return n;
}

/* -- tls.h -- */

struct ss_tls_conn *ss_tls_from_news(struct ss_list *node)
{
	return ss_list_entry(node, struct ss_tls_conn, news);
}

uint32_t ss_tls_events(struct ss_tls_conn *c)
{
	uint32_t ev = c->events;

	c->events = 0;
	return ev;
}

int ss_tls_connect(struct ss_tls *t, const struct ss_addr *remote, const struct ss_tls_client *client,
		   enum ss_protocol protocol, uint64_t now, struct ss_tls_conn **out)
{
	struct ss_tls_conn *c = conn_new(t, t->alpn);

	c->client = true;
	c->peer.addr = *remote;
	t->last = *out = c;
	return 0;
}

struct ss_bufq *ss_tls_rx(struct ss_tls_conn *c)
{
	return &c->rx;
}

void ss_tls_consumed(struct ss_tls_conn *c, uint32_t n)
{
	c->consumed += n;
}

uint32_t ss_tls_room(struct ss_tls_conn *c)
{
	return c->room > c->sent.len ? c->room - c->sent.len : 0;
}

int ss_tls_send(struct ss_tls_conn *c, struct ss_bufq *q)
{
	assert(!c->released);
	if (c->shutdown || c->aborted) {
		ss_bufq_free(q);
		return SS_ERR_CLOSED;
	}
	ss_bufq_move(&c->sent, q);
	return 0;
}

void ss_tls_shutdown(struct ss_tls_conn *c)
{
	c->shutdown = true;
}

void ss_tls_abort(struct ss_tls_conn *c)
{
	c->aborted = true;
	ss_bufq_free(&c->rx);
}

void ss_tls_release(struct ss_tls_conn *c)
{
	assert(!c->released);
	c->released = true;
	c->owner = NULL;
	ss_bufq_free(&c->rx);
	ss_list_remove(&c->news);
}

void ss_tls_set_owner(struct ss_tls_conn *c, void *owner)
{
	c->owner = owner;
}

void *ss_tls_owner(const struct ss_tls_conn *c)
{
	return c->owner;
}

const struct ss_peer *ss_tls_peer(const struct ss_tls_conn *c)
{
	return &c->peer;
}

uint32_t ss_tls_cookie(const struct ss_tls_conn *c)
{
	return c->cookie;
}

enum ss_drop ss_tls_reason(const struct ss_tls_conn *c)
{
	return c->reason;
}
