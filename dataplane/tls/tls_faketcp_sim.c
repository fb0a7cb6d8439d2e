/* tcp.h over memory. */
#include <stdlib.h>

#include "base/err.h"
#include "tls/tls_faketcp_sim.h"

static void raise(struct ss_tcp_conn *c, uint32_t ev)
{
	if (c->released)
		return;
	c->events |= ev;
	ss_list_push_once(&c->t->news, &c->news);
}

static struct ss_tcp_conn *fresh(struct ss_tcp *t)
{
	for (uint32_t i = 0; i < FAKE_CONNS; i++) {
		struct ss_tcp_conn *c = &t->conn[i];

		if (c->used)
			continue;
		memset(c, 0, sizeof(*c));
		c->used = true;
		c->t = t;
		c->snd_buf = 65536;
		c->tuple.local = ss_ip4(0x0a000001);
		c->tuple.remote = ss_ip4(0x0a000002);
		c->tuple.remote_port = (uint16_t)(4000 + i);
		ss_list_init(&c->news);
		t->newest = c;
		return c;
	}
	abort();
}

void fake_init(struct ss_tcp *t, struct ss_bufpool *bufs, struct ss_rng *rng)
{
	memset(t, 0, sizeof(*t));
	t->bufs = bufs;
	t->rng = rng;
	ss_list_init(&t->news);
}

struct ss_tcp_conn *fake_accept(struct ss_tcp *t, uint32_t cookie)
{
	struct ss_tcp_conn *c = fresh(t);

	c->cookie = cookie;
	c->established = true;
	raise(c, SS_TCP_EV_ACCEPTED);
	return c;
}

void fake_connected(struct ss_tcp_conn *c)
{
	c->established = true;
	raise(c, SS_TCP_EV_CONNECTED);
}

void fake_join(struct ss_tcp_conn *client, struct ss_tcp_conn *server)
{
	client->peer = server;
	server->peer = client;
	fake_connected(client);
}

void fake_deliver(struct ss_tcp_conn *c, const void *p, uint32_t n)
{
	if (c->released || n == 0)
		return;
	/* Its own mbuf, as a segment would be. */
	struct ss_bufq q;
	ss_bufq_init(&q);
	if (ss_bufq_append(&q, c->t->bufs, p, n) < 0)
		abort();
	ss_bufq_move(&c->rx, &q);
	c->unconsumed += n;
	raise(c, SS_TCP_EV_READ);
}

void fake_fin(struct ss_tcp_conn *c)
{
	if (!c->got_fin)
		raise(c, SS_TCP_EV_EOF);
	c->got_fin = true;
}

void fake_rst(struct ss_tcp_conn *c)
{
	c->reason = SS_DROP_TCP_RESET;
	c->established = false;
	ss_bufq_free(&c->tx);
	raise(c, SS_TCP_EV_FAILED);
}

static void put_away(struct ss_tcp_conn *c)
{
	ss_bufq_free(&c->rx);
	ss_bufq_free(&c->tx);
	c->used = false;
}

static void move_one(struct ss_tcp_conn *c)
{
	struct ss_tcp_conn *p = c->peer;

	if (p->released) {
		/* As RFC 9293 has it: bytes for nobody are answered by a RST. */
		if (c->tx.len)
			fake_rst(c);
		return;
	}
	uint32_t window = p->unconsumed < FAKE_WINDOW ? FAKE_WINDOW - p->unconsumed : 0;
	uint32_t n = ss_min_u32(c->tx.len, window);
	if (n && !c->t->no_split)
		n = ss_rng_chance(c->t->rng, 1, 4) ? ss_rng_below(c->t->rng, n + 1) :
						     1 + ss_rng_below(c->t->rng, ss_min_u32(n, 1460));
	if (n) {
		if (ss_bufq_take(&p->rx, &c->tx, n, c->t->bufs) < 0)
			return;
		p->unconsumed += n;
		raise(p, SS_TCP_EV_READ);
	}
	if (c->room_short && c->tx.len < c->snd_buf) {
		c->room_short = false;
		raise(c, SS_TCP_EV_ROOM);
	}
	if (c->fin && c->tx.len == 0 && !c->fin_moved) {
		c->fin_moved = true;
		fake_fin(p);
	}
}

void fake_move(struct ss_tcp *t)
{
	for (uint32_t i = 0; i < FAKE_CONNS; i++) {
		struct ss_tcp_conn *c = &t->conn[i];

		if (c->used && c->peer && c->established)
			move_one(c);
		if (c->used && !c->peer && t->sink)
			ss_bufq_free(&c->tx);
		if (c->used && c->released && c->tx.len == 0 && (!c->peer || c->fin_moved || !c->established)) {
			if (c->peer)
				c->peer->peer = NULL;
			put_away(c);
		}
	}
}

uint32_t fake_held(const struct ss_tcp *t)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < FAKE_CONNS; i++)
		n += t->conn[i].used && !t->conn[i].released;
	return n;
}

/* -- the door -- */

void ss_tcp_free(struct ss_tcp *t)
{
	for (uint32_t i = 0; i < FAKE_CONNS; i++)
		if (t->conn[i].used)
			put_away(&t->conn[i]);
}

struct ss_tcp_conn *ss_tcp_from_news(struct ss_list *node)
{
	return ss_list_entry(node, struct ss_tcp_conn, news);
}

uint32_t ss_tcp_events(struct ss_tcp_conn *c)
{
	uint32_t ev = c->events;

	c->events = 0;
	return ev;
}

int ss_tcp_connect(struct ss_tcp *t, const struct ss_addr *remote, uint64_t now, struct ss_tcp_conn **out)
{
	*out = fresh(t);
	(*out)->tuple.remote = remote->ip;
	(*out)->tuple.remote_port = remote->port;
	return 0;
}

struct ss_bufq *ss_tcp_rx(struct ss_tcp_conn *c)
{
	return &c->rx;
}

void ss_tcp_consumed(struct ss_tcp_conn *c, uint32_t n)
{
	/* Told once for each byte, and never before it has left the queue. */
	if (n > c->unconsumed || c->unconsumed - n < c->rx.len)
		abort();
	c->unconsumed -= n;
}

uint32_t ss_tcp_room(struct ss_tcp_conn *c)
{
	uint32_t room = c->tx.len < c->snd_buf ? c->snd_buf - c->tx.len : 0;

	c->room_short |= room == 0;
	return room;
}

int ss_tcp_send(struct ss_tcp_conn *c, struct ss_bufq *q)
{
	if (!c->established || c->fin || c->released) {
		ss_bufq_free(q);
		return SS_ERR_CLOSED;
	}
	ss_bufq_move(&c->tx, q);
	return 0;
}

void ss_tcp_shutdown(struct ss_tcp_conn *c)
{
	c->fin = true;
}

void ss_tcp_abort(struct ss_tcp_conn *c)
{
	c->established = false;
	c->aborted = true;
	ss_bufq_free(&c->tx);
	if (c->peer)
		fake_rst(c->peer);
}

void ss_tcp_release(struct ss_tcp_conn *c)
{
	c->fin = true;
	c->released = true;
	ss_list_remove(&c->news);
	ss_bufq_free(&c->rx);
}

uint32_t ss_tcp_unacked(const struct ss_tcp_conn *c)
{
	return c->tx.len;
}

void ss_tcp_set_owner(struct ss_tcp_conn *c, void *owner)
{
	c->owner = owner;
}

void *ss_tcp_owner(const struct ss_tcp_conn *c)
{
	return c->owner;
}

const struct ss_tuple *ss_tcp_tuple(const struct ss_tcp_conn *c)
{
	return &c->tuple;
}

uint32_t ss_tcp_cookie(const struct ss_tcp_conn *c)
{
	return c->cookie;
}

enum ss_drop ss_tcp_reason(const struct ss_tcp_conn *c)
{
	return c->reason;
}
