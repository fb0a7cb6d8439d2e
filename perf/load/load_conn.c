/* load_conn.c - the client's connections: opened a few at a time, used in turn, opened again when they go. */
#include "base/err.h"
#include "perf/load/load_int.h"

/* At once in the middle of being opened: a server's backlog and our own handshakes stay short. */
#define MAX_OPENING 64
/* After one could not be opened. */
#define AGAIN_NS (100 * SS_NS_PER_MS)

static void to_closed(struct ss_load_client *c, struct ss_load_conn *k, uint64_t again_at, uint64_t now)
{
	k->http = NULL;
	k->open = false;
	k->in_flight = k->done = 0;
	k->again_at = again_at;
	ss_list_remove(&k->free);
	/* All that wait, wait equally long: so the list is in order of time. */
	if (again_at > now)
		ss_list_push_back(&c->closed, &k->closed);
	else
		ss_list_push_front(&c->closed, &k->closed);
}

static void let_go(struct ss_load_client *c, struct ss_load_conn *k, uint64_t again_at, uint64_t now)
{
	if (k->open)
		ss_load_live_add(&c->live->open, (uint64_t)-1);
	c->n_open -= k->open;
	c->n_opening -= !k->open;
	ss_http_conn_set_owner(k->http, NULL);
	ss_http_conn_release(k->http);
	to_closed(c, k, again_at, now);
}

static void open_one(struct ss_load_client *c, struct ss_load_conn *k, uint64_t now)
{
	int code;

	ss_load_tickets_offer(&c->tickets);
	code = ss_http_connect(c->http, c->cluster, &c->cluster->endpoints[0].addr, now, &k->http);
	ss_load_tickets_offered(&c->tickets);
	c->tally.connects++;
	if (code < 0) {
		ss_load_client_error(c, SS_LOAD_ERR_CONNECT_OTHER);
		to_closed(c, k, now + AGAIN_NS, now);
		return;
	}
	k->begun = now;
	c->n_opening++;
	ss_http_conn_set_owner(k->http, k);
}

void ss_load_conn_open(struct ss_load_client *c, uint64_t now)
{
	while (c->n_opening < MAX_OPENING && !ss_list_empty(&c->closed)) {
		struct ss_load_conn *k = ss_list_entry(c->closed.next, struct ss_load_conn, closed);

		if (k->again_at > now)
			return;
		ss_list_remove(&k->closed);
		open_one(c, k, now);
	}
}

static void opened(struct ss_load_client *c, struct ss_load_conn *k, uint64_t now)
{
	k->open = true;
	c->n_opening--;
	c->n_open++;
	c->n_ever += !k->ever;
	k->ever = true;
	c->opened_at = now;
	c->tally.opened++;
	ss_load_hist_add(&c->tally.connect, now - k->begun);
	ss_load_live_add(&c->live->open, 1);
	ss_load_live_add(&c->live->handshakes, ss_http_peer(k->http)->tls != 0);
	if (!k->idle)
		ss_list_push_once(&c->free, &k->free);
}

static enum ss_load_error why(enum ss_drop reason)
{
	if (reason == SS_DROP_TCP_RESET)
		return SS_LOAD_ERR_CONNECT_REFUSED;
	if (reason >= SS_DROP_TLS_PLAINTEXT && reason <= SS_DROP_TLS_CONNS_FULL)
		return SS_LOAD_ERR_TLS;
	if (reason == SS_DROP_CONNECT_FAILED || reason == SS_DROP_TCP_TIMEOUT)
		return SS_LOAD_ERR_CONNECT_TIMEOUT;
	return SS_LOAD_ERR_CONNECT_OTHER;
}

static void gone(struct ss_load_client *c, struct ss_load_conn *k, uint64_t now)
{
	bool was_open = k->open;

	/* Its requests have had their news before: http makes both at once, and streams come first. */
	assert(k->in_flight == 0);
	if (was_open)
		c->tally.closed++;
	else
		ss_load_client_error(c, why(ss_http_conn_reason(k->http)));
	let_go(c, k, was_open && k->done ? now : now + AGAIN_NS, now);
}

void ss_load_conn_news(struct ss_load_client *c, struct ss_http_conn *h, uint64_t now)
{
	struct ss_load_conn *k = ss_http_conn_owner(h);
	uint32_t ev = ss_http_conn_events(h);

	if (!k)
		return;
	if ((ev & SS_HTTP_CONN_OPEN) && !k->open)
		opened(c, k, now);
	if (ev & SS_HTTP_CONN_GONE)
		gone(c, k, now);
	else if ((ev & SS_HTTP_CONN_SLOT) && k->open && !k->idle)
		ss_list_push_once(&c->free, &k->free);
}

static bool used_up(const struct ss_load_client *c, const struct ss_load_conn *k)
{
	return c->o->churn && k->done + k->in_flight >= c->o->churn;
}

void ss_load_conn_settle(struct ss_load_client *c, struct ss_load_conn *k, uint64_t now)
{
	if (!k->open)
		return;
	if (used_up(c, k) && k->in_flight == 0)
		let_go(c, k, now, now);
	else
		ss_list_push_once(&c->free, &k->free);
}

struct ss_load_conn *ss_load_conn_free(struct ss_load_client *c)
{
	while (!ss_list_empty(&c->free)) {
		struct ss_load_conn *k = ss_list_entry(c->free.next, struct ss_load_conn, free);

		ss_list_remove(&k->free);
		/* One that has no slot comes back with news of it. */
		if (k->open && k->in_flight < c->o->streams && !used_up(c, k) && ss_http_slots(k->http))
			return k;
	}
	return NULL;
}
