/*
 * tcp_conn.c - a connection's life apart from the protocol: birth, news, burial; the door's small words.
 */
#include "tcp/tcp_int.h"

#include <stdlib.h>

#include "base/err.h"

static uint32_t table_size(uint32_t entries)
{
	uint32_t n = 64;
	while (n < entries)
		n *= 2;
	return n;
}

static int create_pools(struct ss_tcp *t)
{
	const struct ss_tcp_conf *f = &t->conf;
	uint32_t conns = f->max_conns + f->max_half_open;
	uint32_t size = table_size(conns + f->max_conns);

	t->conns = ss_pool_create("tcp conns", sizeof(struct ss_tcp_conn), conns);
	t->tws = ss_pool_create("tcp time-wait", sizeof(struct ss_tcp_tw), f->max_conns);
	/* Few connections lose packets at the same time; one that finds the pool empty drops what came
	 * out of order and is sent it again. */
	t->reasms = ss_pool_create("tcp reassembly", sizeof(struct ss_tcp_reasm), f->max_conns / 32 + 64);
	t->boards = ss_pool_create("tcp sack", sizeof(struct ss_tcp_board), f->max_conns / 32 + 64);
	t->table = calloc(size, sizeof(*t->table));
	t->table_mask = size - 1;
	return t->conns && t->tws && t->reasms && t->boards && t->table ? 0 : SS_ERR_NO_MEM;
}

int ss_tcp_create(struct ss_tcp **out, const struct ss_tcp_conf *conf, uint64_t now)
{
	struct ss_tcp *t = calloc(1, sizeof(*t));
	if (!t)
		return SS_ERR_NO_MEM;
	t->conf = *conf;
	if (!conf->kept_conns || conf->kept_conns >= conf->max_conns)
		t->conf.kept_conns = conf->max_conns / 4;
	t->net = conf->net;
	t->bufs = conf->bufs;
	t->counters = conf->counters;
	t->key = (struct ss_sipkey){ { conf->secret[0], conf->secret[1] } };
	t->now = now;
	t->limit = UINT32_MAX;
	/* RFC 7323 2.2: the smallest shift that lets the whole buffer be announced. */
	while (t->rcv_wscale < 14 && (conf->rcv_buf >> t->rcv_wscale) > 65535)
		t->rcv_wscale++;
	t->next_port = (uint16_t)(conf->port_low +
				  ss_siphash(&t->key, "port", 4) % (conf->port_high - conf->port_low + 1u));
	ss_wheel_init(&t->wheel, SS_TCP_TICK_NS, now);
	ss_list_init(&t->all);
	ss_list_init(&t->dead);
	ss_list_init(&t->dirty);
	ss_list_init(&t->tw);
	if (create_pools(t)) {
		ss_tcp_free(t);
		return SS_ERR_NO_MEM;
	}
	*out = t;
	return 0;
}

static void free_pool(struct ss_pool *p)
{
	if (p)
		ss_pool_free(p);
}

void ss_tcp_free(struct ss_tcp *t)
{
	struct ss_list *n, *tmp;

	t->news = NULL;
	ss_list_for_safe(n, tmp, &t->all) {
		struct ss_tcp_conn *c = ss_list_entry(n, struct ss_tcp_conn, all);
		ss_tcp_abort(c);
		ss_tcp_release(c);
	}
	ss_tcp_bury(t);
	while ((n = ss_list_pop(&t->tw)))
		ss_tcp_tw_free(t, ss_list_entry(n, struct ss_tcp_tw, link));
	free_pool(t->conns);
	free_pool(t->tws);
	free_pool(t->reasms);
	free_pool(t->boards);
	free(t->table);
	free(t);
}

/* RFC 6528 3: ISN = M + F(localip, localport, remoteip, remoteport, secretkey), M of 4 microseconds. */
uint32_t ss_tcp_isn(const struct ss_tcp *t, const struct ss_tuple *u)
{
	struct ss_sipkey k = { { t->key.k[0] ^ 0x49534e, t->key.k[1] } };
	return (uint32_t)(t->now / (4 * SS_NS_PER_US)) + (uint32_t)ss_siphash(&k, u, sizeof(*u));
}

struct ss_tcp_conn *ss_tcp_conn_new(struct ss_tcp *t, const struct ss_tuple *u, uint32_t hash)
{
	struct ss_tcp_conn *c = ss_pool_take(t->conns);
	if (!c) {
		ss_count_drop(t->counters, SS_DROP_TCP_CONNS_FULL);
		return NULL;
	}
	memset(c, 0, sizeof(*c));
	c->node = (struct ss_tcp_node){ .hash = hash, .kind = SS_TCP_NODE_CONN, .tuple = *u };
	c->t = t;
	c->rcv_buf_max = t->conf.rcv_buf;
	c->rcv_buf = ss_min_u32(c->rcv_buf_max, SS_TCP_BUF_START);
	c->rcv_round_at = t->now;
	c->rcv_wscale = t->rcv_wscale;
	c->cc = &ss_tcp_newreno;
	c->rto = SS_TCP_RTO_INIT;
	c->progress_at = t->now;
	c->peer_mss_room = ss_net_mss(t->net, &u->remote);
	c->mss = (uint16_t)c->peer_mss_room;
	/* RFC 7323 5.4 and 7.1: an offset of its own for each connection hides the uptime. */
	c->ts_offset = (uint32_t)ss_siphash(&t->key, u, sizeof(*u));
	c->iss = ss_tcp_isn(t, u);
	c->snd_una = c->snd_nxt = c->snd_max = c->recover = c->iss;
	c->snd_base = c->iss + 1;
	ss_bufq_init(&c->rx);
	ss_bufq_init(&c->snd);
	ss_list_init(&c->news);
	ss_list_init(&c->dirty);
	ss_list_push_back(&t->all, &c->all);
	for (int i = 0; i < SS_TCP_TIMERS; i++)
		c->due[i] = SS_NEVER;
	ss_timer_init(&c->timer, 0);
	ss_tcp_insert(t, &c->node);
	ss_gauge(t->counters, SS_C_TCP_CONNS, ss_pool_used(t->conns));
	return c;
}

void ss_tcp_conn_news(struct ss_tcp_conn *c, uint32_t events)
{
	if (!c->listed || c->released)
		return;
	c->events |= events;
	if (c->t->news)
		ss_list_push_once(c->t->news, &c->news);
}

void ss_tcp_conn_dirty(struct ss_tcp_conn *c)
{
	ss_list_push_once(&c->t->dirty, &c->dirty);
}

void ss_tcp_conn_open(struct ss_tcp_conn *c)
{
	bool was_half = c->state == SS_TCP_SYN_RCVD;

	c->state = ss_tcp_state_step(c->state, SS_TCP_STEP_OPEN);
	if (c->fin_queued)
		c->state = ss_tcp_state_step(c->state, SS_TCP_STEP_CLOSE);
	ss_tcp_timer_off(c, SS_TCP_T_LIFE);
	ss_tcp_timer_off(c, SS_TCP_T_REXMT);
	c->backoff = 0;
	c->cc->open(c);
	c->progress_at = c->last_send_at = c->t->now;
	if (was_half && c->listener) {
		c->t->n_half--;
		c->t->listeners[c->listener - 1].n_half--;
	}
	c->listed = true;
	ss_count(c->t->counters, c->active ? SS_C_TCP_CONNECTED : SS_C_TCP_ACCEPTED, 1);
	ss_tcp_conn_news(c, c->active ? SS_TCP_EV_CONNECTED : SS_TCP_EV_ACCEPTED);
	ss_tcp_conn_dirty(c);
}

static void bury_later(struct ss_tcp_conn *c)
{
	if (c->buried_soon)
		return;
	c->buried_soon = true;
	ss_list_remove(&c->news);
	ss_list_push_back(&c->t->dead, &c->news);
}

void ss_tcp_conn_done(struct ss_tcp_conn *c)
{
	if (c->state == SS_TCP_CLOSED)
		return;
	if (c->listener)
		ss_tcp_listen_left(c, c->state == SS_TCP_SYN_RCVD);
	c->state = SS_TCP_CLOSED;
	ss_tcp_remove(c->t, &c->node);
	ss_tcp_timer_stop(c);
	ss_list_remove(&c->dirty);
	ss_bufq_free(&c->snd);
	c->snd_pos = (struct ss_bufpos){ 0 };
	ss_tcp_reasm_free(c);
	ss_tcp_board_free(c);
	if (!c->listed || c->released)
		bury_later(c);
}

void ss_tcp_conn_fail(struct ss_tcp_conn *c, enum ss_drop reason)
{
	if (c->state == SS_TCP_CLOSED)
		return;
	c->reason = (uint16_t)reason;
	if (reason != SS_DROP_NONE)
		ss_count_drop(c->t->counters, reason);
	ss_tcp_conn_news(c, SS_TCP_EV_FAILED);
	ss_tcp_conn_done(c);
}

void ss_tcp_fail_all(struct ss_tcp *t, uint64_t now, struct ss_list *news)
{
	struct ss_list *n, *tmp;

	t->now = now;
	t->news = news;
	ss_list_for_safe(n, tmp, &t->all) {
		struct ss_tcp_conn *c = ss_list_entry(n, struct ss_tcp_conn, all);
		if (c->state != SS_TCP_CLOSED && c->state != SS_TCP_SYN_SENT)
			ss_tcp_send_rst(c);
		ss_tcp_conn_fail(c, SS_DROP_NONE);
	}
	t->news = NULL;
}

void ss_tcp_bury(struct ss_tcp *t)
{
	struct ss_list *n;

	while ((n = ss_list_pop(&t->dead))) {
		struct ss_tcp_conn *c = ss_list_entry(n, struct ss_tcp_conn, news);
		ss_bufq_free(&c->rx);
		ss_list_remove(&c->all);
		if (c->listed)
			ss_count(t->counters, SS_C_TCP_CLOSED, 1);
		ss_pool_give(t->conns, c);
		ss_gauge(t->counters, SS_C_TCP_CONNS, ss_pool_used(t->conns));
	}
}

struct ss_tcp_conn *ss_tcp_from_news(struct ss_list *node)
{
	return ss_list_entry(node, struct ss_tcp_conn, news);
}

uint32_t ss_tcp_events(struct ss_tcp_conn *c)
{
	uint32_t e = c->events;
	c->events = 0;
	return e;
}

struct ss_bufq *ss_tcp_rx(struct ss_tcp_conn *c)
{
	return &c->rx;
}

/* An owner that takes half of the buffer in a round trip would take more: it gets twice the window. */
static void grow_window(struct ss_tcp_conn *c, uint32_t n)
{
	c->rcv_round += n;
	if (c->t->now - c->rcv_round_at < ss_max_u64(c->srtt, SS_NS_PER_MS))
		return;
	if (c->rcv_round >= c->rcv_buf / 2)
		c->rcv_buf = (uint32_t)ss_min_u64(2ull * c->rcv_buf, c->rcv_buf_max);
	c->rcv_round = 0;
	c->rcv_round_at = c->t->now;
}

void ss_tcp_consumed(struct ss_tcp_conn *c, uint32_t n)
{
	c->rcv_used -= ss_min_u32(n, c->rcv_used);
	if (c->rcv_buf < c->rcv_buf_max)
		grow_window(c, n);
	if (!ss_tcp_state_receives(c->state) || c->fin_rcvd)
		return;
	/* RFC 9293 3.8.6.2.2: the window opens in large steps. Other segments carry smaller ones; one of
	 * its own is due when the peer is nearly out of window or half of the buffer has come free. */
	uint32_t edge = c->rcv_nxt + c->rcv_buf - ss_min_u32(c->rcv_used, c->rcv_buf);
	int32_t gain = (int32_t)(edge - c->rcv_adv), left = (int32_t)(c->rcv_adv - c->rcv_nxt);
	int32_t step = 2 * (int32_t)c->mss;
	if (gain >= (int32_t)(c->rcv_buf / 2) || (left < step && gain >= step)) {
		c->acks_owed = (uint8_t)ss_max_u32(c->acks_owed, 1);
		ss_tcp_conn_dirty(c);
	}
}

void ss_tcp_limit(struct ss_tcp *t, uint32_t bytes)
{
	t->limit = ss_max_u32(bytes, SS_TCP_LIMIT_MIN);
}

uint32_t ss_tcp_snd_cap(const struct ss_tcp_conn *c)
{
	uint32_t useful = 2 * ss_min_u32(c->cwnd, ss_min_u32(c->max_snd_wnd, 1u << 30));

	useful = ss_max_u32(useful, SS_TCP_BUF_START);
	return ss_min_u32(useful, ss_min_u32(c->t->conf.snd_buf, c->t->limit));
}

uint32_t ss_tcp_room(struct ss_tcp_conn *c)
{
	uint32_t cap = ss_tcp_snd_cap(c);
	uint32_t room = c->snd.len < cap ? cap - c->snd.len : 0;
	if (room < cap / 4)
		c->want_room = true;
	return room;
}

int ss_tcp_send(struct ss_tcp_conn *c, struct ss_bufq *q)
{
	if (c->state == SS_TCP_CLOSED || c->fin_queued || c->released) {
		ss_bufq_free(q);
		return SS_ERR_CLOSED;
	}
	if (c->snd.len == 0)
		c->progress_at = c->t->now;
	ss_bufq_move(&c->snd, q);
	ss_tcp_conn_dirty(c);
	return 0;
}

uint32_t ss_tcp_unacked(const struct ss_tcp_conn *c)
{
	return c->snd.len;
}

void ss_tcp_shutdown(struct ss_tcp_conn *c)
{
	if (c->fin_queued || c->state == SS_TCP_CLOSED)
		return;
	c->fin_queued = true;
	if (c->snd.len == 0)
		c->progress_at = c->t->now;
	/* Before the connection is open the FIN only waits (RFC 9293 3.10.4). */
	c->state = ss_tcp_state_step(c->state, SS_TCP_STEP_CLOSE);
	ss_tcp_conn_dirty(c);
}

void ss_tcp_abort(struct ss_tcp_conn *c)
{
	if (c->state == SS_TCP_CLOSED)
		return;
	if (c->state != SS_TCP_SYN_SENT)
		ss_tcp_send_rst(c);
	ss_bufq_free(&c->rx);
	c->events = 0;
	ss_list_remove(&c->news);
	ss_tcp_conn_done(c);
}

void ss_tcp_release(struct ss_tcp_conn *c)
{
	if (c->released || c->buried_soon)
		return;
	c->released = true;
	c->owner = NULL;
	ss_list_remove(&c->news);
	ss_bufq_free(&c->rx);
	c->rcv_used = 0;
	if (c->state == SS_TCP_CLOSED) {
		bury_later(c);
		return;
	}
	/* RFC 9293 3.10.4, SYN-SENT: "Delete the TCB". */
	if (c->state == SS_TCP_SYN_SENT) {
		ss_tcp_conn_done(c);
		return;
	}
	ss_tcp_shutdown(c);
	/* Nobody is left to give up waiting for the peer's FIN. */
	if (c->state == SS_TCP_FIN_WAIT_2)
		ss_tcp_timer_set(c, SS_TCP_T_LIFE, c->t->now + c->t->conf.time_wait_ns);
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
	return &c->node.tuple;
}

uint32_t ss_tcp_cookie(const struct ss_tcp_conn *c)
{
	return c->cookie;
}

enum ss_drop ss_tcp_reason(const struct ss_tcp_conn *c)
{
	return c->reason;
}

uint32_t ss_tcp_conns(const struct ss_tcp *t)
{
	return ss_pool_used(t->conns);
}

uint32_t ss_tcp_time_waits(const struct ss_tcp *t)
{
	return t->n_tw;
}

uint32_t ss_tcp_mbufs(const struct ss_tcp *t)
{
	const struct ss_list *n;
	uint32_t sum = 0;

	ss_list_for(n, &t->all) {
		const struct ss_tcp_conn *c = ss_list_entry(n, struct ss_tcp_conn, all);
		sum += ss_bufq_mbufs(&c->rx) + ss_bufq_mbufs(&c->snd);
		for (uint32_t i = 0; c->reasm && i < c->reasm->n; i++)
			sum += ss_bufq_mbufs(&c->reasm->r[i].q);
	}
	return sum;
}
