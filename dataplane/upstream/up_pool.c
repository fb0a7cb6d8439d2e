/* up_pool.c - connections to one endpoint, and the line of requests that wait for one. */
#include "base/err.h"
#include "upstream/up_int.h"

static uint64_t hash_of(const struct ss_cluster *c)
{
	return c->tls ? c->tls->hash : 1;
}

static bool same_way(const struct up_pool *p, const struct ss_cluster *c, const struct ss_endpoint *e)
{
	return p->cluster == c->name && ss_addr_eq(&p->addr, &e->addr) && p->protocol == c->protocol &&
	       p->tls_hash == hash_of(c);
}

/* -- connections -- */

void up_conn_retire(struct ss_up *u, struct up_conn *c)
{
	ss_list_remove(&c->usable);
	if (c->counted) {
		c->counted = false;
		ss_cap_give(u->conf.endpoints, c->pool->slot, c->priority, SS_CAP_CONNECTIONS);
		c->pool->n_conns--;
	}
	if (c->state == UP_CONNECTING)
		c->pool->n_connecting--;
	if (c->state == UP_CLOSING)
		return;
	c->state = UP_CLOSING;
	ss_http_conn_close(c->http);
}

static void bury_conn(struct ss_up *u, struct up_conn *c)
{
	up_conn_retire(u, c);
	ss_http_conn_set_owner(c->http, NULL);
	ss_http_conn_release(c->http);
	ss_list_remove(&c->all);
	ss_list_push_back(&u->dead, &c->all);
}

static int open_conn(struct ss_up *u, struct up_pool *p, const struct ss_cluster *c, uint8_t priority,
		     uint64_t now)
{
	struct up_conn *n = ss_pool_take(u->conns);
	int err;

	if (!n)
		return SS_ERR_NO_MEM;
	*n = (struct up_conn){.pool = p, .counted = true, .priority = priority};
	ss_list_init(&n->all);
	ss_list_init(&n->usable);
	err = ss_http_connect(u->conf.http, c, &p->addr, now, &n->http);
	if (err < 0) {
		ss_pool_give(u->conns, n);
		return err;
	}
	ss_http_conn_set_owner(n->http, n);
	ss_list_push_back(&p->conns, &n->all);
	ss_list_push_once(&u->live, &p->live);
	p->n_connecting++;
	p->n_conns++;
	return 0;
}

static uint32_t free_slots(const struct up_conn *c)
{
	uint32_t slots = c->state == UP_OPEN ? ss_http_slots(c->http) : 0;

	return slots > c->promised ? slots - c->promised : 0;
}

struct up_conn *up_pool_free_slot(struct up_pool *p)
{
	while (!ss_list_empty(&p->usable)) {
		struct up_conn *c = ss_list_entry(p->usable.next, struct up_conn, usable);
		if (free_slots(c))
			return c;
		ss_list_remove(&c->usable); /* comes back with news of a slot */
	}
	return NULL;
}

static void offer(struct up_pool *p, struct up_conn *c)
{
	/* To the front: the connection used last is the warmest, and the others may go idle and close. */
	if (free_slots(c) && !ss_list_linked(&c->usable))
		ss_list_push_front(&p->usable, &c->usable);
}

/* -- pools -- */

static void init_pool(struct up_pool *p, const struct ss_cluster *c, const struct ss_endpoint *e)
{
	p->addr = e->addr;
	p->cluster = c->name;
	p->slot = c->slot;
	p->protocol = c->protocol;
	p->tls_hash = hash_of(c);
	p->version = c->protocol == SS_PROTO_H1 || (c->protocol == SS_PROTO_AUTO && !c->tls) ? 1
		     : c->protocol == SS_PROTO_H2                                            ? 2
											     : 0;
	up_pick_forget(p);
}

struct up_pool *up_pool_of(struct ss_up *u, const struct ss_cluster *c, const struct ss_endpoint *e)
{
	struct up_pool *p = &u->pools[e->ep];

	if (!p->generation || !same_way(p, c, e) || (p->generation != u->generation && !p->tls_hash)) {
		up_pool_retire(u, p);
		init_pool(p, c, e);
	}
	p->generation = u->generation;
	return p;
}

void up_pool_retire(struct ss_up *u, struct up_pool *p)
{
	struct ss_list *n, *tmp;

	ss_list_for_safe(n, tmp, &p->conns) up_conn_retire(u, ss_list_entry(n, struct up_conn, all));
	/* Those in line pick again. */
	while (!ss_list_empty(&p->line)) {
		struct ss_up_wait *w = ss_list_entry(p->line.next, struct ss_up_wait, node);
		up_line_leave(u, w);
		w->place = SS_UP_FAILED;
		w->result = SS_ERR_MORE;
		ss_list_push_back(&u->late, &w->node);
	}
}

void up_pool_settle(struct up_pool *p)
{
	if (ss_list_empty(&p->conns) && ss_list_empty(&p->line))
		ss_list_remove(&p->live);
}

/* -- the line -- */

void up_line_leave(struct ss_up *u, struct ss_up_wait *w)
{
	struct up_pool *p = &u->pools[w->at.ep];

	ss_list_remove(&w->node);
	p->n_line--;
	u->n_line--;
	ss_cap_give(u->conf.endpoints, w->slot, w->priority, SS_CAP_PENDING);
	w->place = SS_UP_NOWHERE;
}

void up_unpromise(struct ss_up *u, struct ss_up_wait *w)
{
	struct up_conn *c = w->conn ? ss_http_conn_owner(w->conn) : NULL;

	if (!c)
		return;
	if (c->promised)
		c->promised--;
	offer(c->pool, c);
	if (c->pool->n_line)
		ss_list_push_once(&u->again, &c->pool->again);
}

static void fail_first(struct ss_up *u, struct up_pool *p, enum ss_drop why, struct ss_list *ready)
{
	struct ss_up_wait *w = ss_list_entry(p->line.next, struct ss_up_wait, node);

	up_line_leave(u, w);
	w->place = SS_UP_FAILED;
	w->result = SS_ERR_REFUSED;
	w->reason = why;
	ss_list_push_back(ready, &w->node);
}

void up_pool_serve(struct ss_up *u, struct up_pool *p, uint64_t now, struct ss_list *ready)
{
	struct up_conn *c;

	while (!ss_list_empty(&p->line) && (c = up_pool_free_slot(p))) {
		struct ss_up_wait *w = ss_list_entry(p->line.next, struct ss_up_wait, node);
		up_line_leave(u, w);
		up_delay_seen(&u->clusters[p->slot], now - w->since, now);
		if (w->panic || ss_ep_pickable(u->conf.endpoints, w->at.ep, now)) {
			c->promised++;
			w->place = SS_UP_SERVED;
			w->conn = c->http;
			w->result = 0;
		} else {
			w->place = SS_UP_FAILED;
			w->result = SS_ERR_MORE;
		}
		ss_list_push_back(ready, &w->node);
	}
	if (p->n_line)
		ss_list_push_once(&u->hungry, &p->hungry);
}

/* -- news -- */

/*
 * A connection that could not be opened takes one of the line with it, as one was opened per request. The
 * whole line when nothing is left that could serve it, or when the one connection was for all.
 */
static void connect_failed(struct ss_up *u, struct up_pool *p, enum ss_drop reason, struct ss_list *ready)
{
	bool tls = reason >= SS_DROP_TLS_PLAINTEXT && reason <= SS_DROP_TLS_CONNS_FULL;
	enum ss_drop why = tls ? SS_DROP_UPSTREAM_TLS : SS_DROP_CONNECT_FAILED;
	uint32_t n = p->n_conns == 0 ? p->n_line : p->version == 1 ? ss_min_u32(p->n_line, 1) : 0;

	while (n--)
		fail_first(u, p, why, ready);
}

void up_conn_news(struct ss_up *u, struct up_conn *c, uint32_t events, uint64_t now, struct ss_list *ready)
{
	struct up_pool *p = c->pool;
	bool connecting = c->state == UP_CONNECTING;

	if (events & SS_HTTP_CONN_GONE) {
		enum ss_drop reason = ss_http_conn_reason(c->http);
		bool never_open = connecting && !(events & SS_HTTP_CONN_OPEN);
		bury_conn(u, c);
		if (never_open)
			connect_failed(u, p, reason, ready);
	} else if ((events & SS_HTTP_CONN_OPEN) && connecting) {
		c->state = UP_OPEN;
		p->n_connecting--;
		p->version = ss_http_slots(c->http) > 1 ? 2 : p->version == 2 ? 2 : 1;
	}
	if ((events & SS_HTTP_CONN_GOAWAY) && c->state == UP_OPEN)
		up_conn_retire(u, c);
	if (c->state == UP_OPEN) {
		offer(p, c);
		if (u->draining && ss_list_empty(&p->line) && (events & SS_HTTP_CONN_SLOT))
			up_conn_retire(u, c);
	}
	up_pool_serve(u, p, now, ready);
	up_pool_settle(p);
}

/* -- opening -- */

/* How many connections the line needs beyond those that are on their way. */
static uint32_t wanted(const struct up_pool *p, const struct ss_cluster *c)
{
	uint32_t each = p->version == 1   ? 1
			: p->version == 2 ? ss_max_u32(c->http.max_streams, 1)
					  : UINT32_MAX;
	uint64_t coming = (uint64_t)p->n_connecting * each;
	uint64_t need = p->n_line > coming ? (p->n_line - coming + each - 1) / each : 0;

	return (uint32_t)ss_min_u64(need, UINT32_MAX);
}

/* A place among the cluster's connections. The limit never leaves an endpoint without any: its line would wait
 * for nothing. */
static bool may_open(struct ss_up *u, struct up_pool *p, const struct ss_cluster *c, uint8_t priority)
{
	uint32_t max = p->n_conns ? c->caps[priority].max[SS_CAP_CONNECTIONS] : 0;

	return ss_cap_take(u->conf.endpoints, p->slot, priority, SS_CAP_CONNECTIONS, max);
}

static void feed_pool(struct ss_up *u, struct up_pool *p, const struct ss_cluster *c, uint64_t now)
{
	uint8_t priority = ss_list_entry(p->line.next, struct ss_up_wait, node)->priority;

	for (uint32_t n = wanted(p, c); n && may_open(u, p, c, priority); n--) {
		if (open_conn(u, p, c, priority, now) < 0) {
			ss_cap_give(u->conf.endpoints, p->slot, priority, SS_CAP_CONNECTIONS);
			connect_failed(u, p, SS_DROP_CONNECT_FAILED, &u->late);
			break;
		}
	}
	up_pool_settle(p);
}

void ss_up_feed(struct ss_up *u, const struct ss_snapshot *snap, uint64_t now)
{
	SS_STAGE_HERE(u->conf.counters, SS_STAGE_UPSTREAM);
	struct ss_list *n;

	while ((n = ss_list_pop(&u->hungry))) {
		struct up_pool *p = ss_list_entry(n, struct up_pool, hungry);
		const struct ss_cluster *c = ss_snapshot_cluster(snap, p->cluster);
		if (p->n_line && c)
			feed_pool(u, p, c, now);
		else if (p->n_line)
			up_pool_retire(u, p);
	}
}
