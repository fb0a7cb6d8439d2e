/*
 * Life of a connection: made over a tcp connection, handed up, released, buried; and what the upper room
 * asks of it. In plain mode ss_tls_rx lends tcp's own queue and sends go straight down.
 */
#include <openssl/err.h>

#include "tls/tls_int.h"

#define SLIM offsetof(struct ss_tls_conn, work)

uint32_t ss_tls_max_conns(const struct ss_tls_conf *conf)
{
	return conf->max_tls_conns ? ss_min_u32(conf->max_tls_conns, conf->max_conns) : conf->max_conns;
}

int ss_tls_create(struct ss_tls **out, const struct ss_tls_conf *conf, uint64_t now)
{
	struct ss_tls *t = OPENSSL_zalloc(sizeof(*t));

	if (!t)
		return SS_ERR_NO_MEM;
	t->conf = *conf;
	t->now = now;
	t->steps = TLS_STEPS_PER_TURN;
	t->pool = ss_pool_create("tls conns", sizeof(struct ss_tls_conn), ss_tls_max_conns(conf));
	if (ss_tls_max_conns(conf) < conf->max_conns)
		t->slim = ss_pool_create("plain conns", SLIM, conf->max_conns - ss_tls_max_conns(conf));
	t->trips = ss_pool_create("tls trips", sizeof(struct tls_trip),
				   conf->handshake_queue ? conf->handshake_queue : TLS_QUEUE);
	t->tools.bio = ss_tls_bio_create();
	t->tools.ticket_cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	t->tools.tickets = conf->tickets;
	t->tools.chains = OPENSSL_zalloc(SS_MAX_EXECUTORS * sizeof(*t->tools.chains));
	t->tools.offload = conf->offload;
	t->tools.waits = &t->waits;
	t->tools.on_session = ss_tls_on_session;
	ss_wheel_init(&t->wheel, TLS_TICK_NS, now);
	int err = ss_tls_sessions_create(&t->sessions);
	err = err < 0 ? err : ss_tls_peers_create(&t->peers, ss_tls_max_conns(conf));
	err = err < 0 ? err : ss_tls_records_create(t);
	t->tools.secrets = t->gcm != NULL;
	ss_gauge(conf->counters, SS_C_TLS_RECORD_LAYER, ss_tls_records(t));
	ss_list_init(&t->pending);
	ss_list_init(&t->parked);
	ss_list_init(&t->paused);
	ss_list_init(&t->ready);
	ss_list_init(&t->dirty);
	ss_list_init(&t->all);
	ss_list_init(&t->dead);
	*out = t;
	if (t->pool && (t->slim || ss_tls_max_conns(conf) == conf->max_conns) && t->trips && t->tools.bio && t->tools.ticket_cipher && t->tools.chains && err == 0)
		return 0;
	ss_tls_free(t);
	*out = NULL;
	return err < 0 ? err : SS_ERR_NO_MEM;
}

static void tls_part_free(struct ss_tls_conn *c)
{
	if (c->trip)
		ss_pool_give(c->t->trips, c->trip);
	ss_tls_own_end(c);
	ss_tls_peers_drop(c->t->peers, ss_tls_known(c));
	ss_bufq_free(&c->rx);
	ss_bufq_free(&c->tx);
	ss_bufq_free(&c->out);
}

static void conn_free(struct ss_tls_conn *c)
{
	if (!c->slim)
		tls_part_free(c);
	ss_list_remove(&c->all);
	ss_pool_give(c->slim ? c->t->slim : c->t->pool, c);
}

void ss_tls_free(struct ss_tls *t)
{
	struct ss_list *n, *tmp;

	if (!t)
		return;
	ss_list_for_safe(n, tmp, &t->all) {
		struct ss_tls_conn *c = ss_list_entry(n, struct ss_tls_conn, all);

		if (!c->dead) {
			ss_tcp_abort(c->tcp);
			ss_tcp_release(c->tcp);
		}
		ss_tls_unpark(c);
		conn_free(c);
	}
	ss_tls_records_free(t);
	ss_tls_peers_free(t->peers);
	t->peers = NULL;
	ss_tls_sessions_free(t->sessions);
	t->sessions = NULL;
	if (!ss_tls_queue_end(t))
		return; /* a thread that never ends still writes there */
	ss_pool_free(t->pool);
	ss_pool_free(t->slim);
	ss_pool_free(t->trips);
	for (int i = 0; t->tools.chains && i < SS_MAX_EXECUTORS; i++)
		ss_tls_chains_free(t->tools.chains[i]);
	OPENSSL_free(t->tools.chains);
	BIO_meth_free(t->tools.bio);
	EVP_CIPHER_free(t->tools.ticket_cipher);
	/* The scratch has seen plaintext. */
	OPENSSL_cleanse(t->scratch, sizeof(t->scratch));
	OPENSSL_free(t);
}

static void tls_part_init(struct ss_tls_conn *c)
{
	c->why = "";
	ss_list_init(&c->work);
	ss_bufq_init(&c->rx);
	ss_bufq_init(&c->tx);
	ss_bufq_init(&c->out);
	ss_bufq_init(&c->own.in);
}

/* Plaintext goes on where it leaves TLS its places, until there are no others. */
static struct ss_tls_conn *take(struct ss_tls *t, bool plain)
{
	struct ss_tls_conn *c = plain && t->slim ? ss_pool_take(t->slim) : NULL;
	bool slim = c != NULL;

	if (!c)
		c = ss_pool_take(t->pool);
	if (!c)
		return NULL;
	memset(c, 0, slim ? SLIM : sizeof(*c));
	c->slim = slim;
	if (!slim)
		tls_part_init(c);
	return c;
}

struct ss_tls_conn *ss_tls_conn_new(struct ss_tls *t, struct ss_tcp_conn *tcp, bool plain)
{
	struct ss_tls_conn *c = take(t, plain);
	const struct ss_tuple *tuple = ss_tcp_tuple(tcp);

	if (!c)
		return NULL;
	c->t = t;
	c->tcp = tcp;
	c->peer.addr = (struct ss_addr){ .ip = tuple->remote, .port = tuple->remote_port };
	c->peer.local = (struct ss_addr){ .ip = tuple->local, .port = tuple->local_port };
	ss_list_init(&c->news);
	ss_list_init(&c->dirty);
	ss_timer_init(&c->timer, 0);
	ss_list_init(&c->all);
	ss_list_push_back(&t->all, &c->all);
	ss_tcp_set_owner(tcp, c);
	ss_gauge(t->conf.counters, SS_C_TLS_CONNS, ss_tls_conns(t));
	return c;
}

int ss_tls_connect(struct ss_tls *t, const struct ss_addr *remote, const struct ss_tls_client *client,
		   enum ss_protocol protocol, uint64_t now, struct ss_tls_conn **out)
{
	SS_STAGE_HERE(t->conf.counters, SS_STAGE_TLS_IN);
	struct ss_tcp_conn *tcp;
	struct ss_tls_conn *c;
	int err = ss_tcp_connect(t->conf.tcp, remote, now, &tcp);

	if (err < 0)
		return err;
	c = ss_tls_conn_new(t, tcp, !client);
	if (!c) {
		ss_tls_refuse_tcp(t, tcp, SS_DROP_TLS_CONNS_FULL);
		return SS_ERR_NO_MEM;
	}
	c->state = TLS_ST_CONNECTING;
	if (client) {
		c->peer.tls = 1;
		err = ss_tls_client_begin(c, client, protocol);
	}
	if (err < 0) {
		ERR_clear_error();
		ss_tls_reset(c);
		return err;
	}
	c->handed = true;
	*out = c;
	return 0;
}

void ss_tls_settle(struct ss_tls_conn *c)
{
	struct ss_tls *t = c->t;
	bool ours = c->released || !c->handed;

	if (c->dead || c->state != TLS_ST_CLOSED || !ours || !(c->tcp_over || c->tcp_eof))
		return;
	c->dead = true;
	ss_wheel_cancel(&t->wheel, &c->timer);
	ss_list_remove(&c->news);
	ss_tls_unpark(c);
	ss_list_remove(&c->dirty);
	ss_tcp_set_owner(c->tcp, NULL);
	ss_tcp_release(c->tcp);
	ss_list_push_back(&t->dead, &c->dirty);
}

void ss_tls_bury(struct ss_tls *t)
{
	struct ss_list *n;
	bool any = !ss_list_empty(&t->dead);

	while ((n = ss_list_pop(&t->dead)))
		conn_free(ss_list_entry(n, struct ss_tls_conn, dirty));
	if (any)
		ss_gauge(t->conf.counters, SS_C_TLS_CONNS, ss_tls_conns(t));
	t->steps = TLS_STEPS_PER_TURN;
}

void ss_tls_raise(struct ss_tls_conn *c, uint32_t events)
{
	if (c->released || !c->handed)
		return;
	c->events |= events;
	ss_list_push_once(&c->t->pending, &c->news);
}

void ss_tls_dirty(struct ss_tls_conn *c)
{
	ss_list_push_once(&c->t->dirty, &c->dirty);
}

void ss_tls_flush(struct ss_tls *t, uint64_t now)
{
	struct ss_list work, *n;

	t->now = now;
	ss_list_init(&work);
	ss_list_splice(&work, &t->dirty);
	while ((n = ss_list_pop(&work))) {
		struct ss_tls_conn *c = ss_list_entry(n, struct ss_tls_conn, dirty);

		if (c->state == TLS_ST_OPEN)
			ss_tls_seal(c);
	}
	ss_crew_flush(t->conf.crew, t->conf.worker);
}

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

struct ss_bufq *ss_tls_rx(struct ss_tls_conn *c)
{
	return ss_tls_is_tls(c) ? &c->rx : ss_tcp_rx(c->tcp);
}

void ss_tls_consumed(struct ss_tls_conn *c, uint32_t n)
{
	if (!ss_tls_is_tls(c))
		ss_tcp_consumed(c->tcp, n);
	else if (c->stalled && c->state == TLS_ST_OPEN && c->rx.len < c->t->conf.max_plain)
		ss_list_push_once(&c->t->ready, &c->work);
}

uint32_t ss_tls_room(struct ss_tls_conn *c)
{
	if (c->state == TLS_ST_PLAIN)
		return ss_tcp_room(c->tcp);
	if (c->state != TLS_ST_OPEN)
		return 0;
	/* Records cost 22 bytes or so each: tcp takes a little more than its room. */
	uint32_t room = ss_tcp_room(c->tcp);

	room = room > c->tx.len ? room - c->tx.len : 0;
	c->room_short = room == 0;
	return room;
}

int ss_tls_send(struct ss_tls_conn *c, struct ss_bufq *q)
{
	if (c->state == TLS_ST_PLAIN)
		return ss_tcp_send(c->tcp, q);
	if (c->state == TLS_ST_CLOSED || c->shut || !ss_tls_is_tls(c)) {
		ss_bufq_free(q);
		return SS_ERR_CLOSED;
	}
	ss_bufq_move(&c->tx, q);
	if (c->state == TLS_ST_OPEN)
		ss_tls_dirty(c);
	return 0;
}

void ss_tls_shutdown(struct ss_tls_conn *c)
{
	if (c->state == TLS_ST_PLAIN) {
		ss_tcp_shutdown(c->tcp);
		return;
	}
	c->shut = true;
	if (c->state == TLS_ST_OPEN)
		ss_tls_dirty(c);
}

void ss_tls_abort(struct ss_tls_conn *c)
{
	/* One that we refused ends already, and its alert is on its way: a RST would overtake it. */
	if (c->state == TLS_ST_CLOSED && c->reason)
		return;
	ss_tls_reset(c);
}

void ss_tls_release(struct ss_tls_conn *c)
{
	c->released = true;
	c->owner = NULL;
	c->events = 0;
	ss_list_remove(&c->news);
	if (!c->slim)
		ss_bufq_free(&c->rx);
	switch (c->state) {
	case TLS_ST_CLOSED:
		ss_tls_settle(c);
		break;
	case TLS_ST_OPEN:
		c->shut = true;
		ss_tls_dirty(c);
		break;
	case TLS_ST_PLAIN:
		ss_tls_close(c);
		break;
	default: /* a handshake that nobody wants any more */
		ss_tls_reset(c);
		break;
	}
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
	return (enum ss_drop)c->reason;
}

uint32_t ss_tls_conns(const struct ss_tls *t)
{
	return ss_pool_used(t->pool) + (t->slim ? ss_pool_used(t->slim) : 0);
}

uint32_t ss_tls_mbufs(const struct ss_tls *t)
{
	const struct ss_list *n;
	uint32_t held = 0;

	ss_list_for(n, &t->all) {
		const struct ss_tls_conn *c = ss_list_entry(n, struct ss_tls_conn, all);

		if (c->slim)
			continue;
		held += ss_bufq_mbufs(&c->rx) + ss_bufq_mbufs(&c->tx) + ss_bufq_mbufs(&c->out) +
			ss_bufq_mbufs(&c->own.in);
		if (c->tickets)
			held += ss_bufq_mbufs(&c->tickets->in) + ss_bufq_mbufs(&c->tickets->message);
	}
	return held;
}
