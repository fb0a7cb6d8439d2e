/*
 * hc_probe.c - one probe: a connection, a request, an answer, or the time that it had.
 *
 * It goes the way that the cluster's requests go (protocol, TLS, limits), on a connection of its own that no request
 * uses. What fails for want of our own memory is no result: the endpoint keeps its health.
 */
#include "base/err.h"
#include "health/hc_int.h"

static void count(struct ss_health *h, enum ss_counter k)
{
	ss_count(h->conf.counters, k, 1);
}

/* -- the connection -- */

/* kill: by a reset. A connection that was only opened, or does not answer, is not worth an orderly end. */
static void drop_conn(struct ss_health *h, struct hc_probe *p, bool kill)
{
	if (p->stream)
		ss_http_release(p->stream);
	p->stream = NULL;
	ss_bufq_free(&p->body);
	if (!p->conn)
		return;
	ss_http_conn_set_owner(p->conn, NULL);
	if (kill)
		ss_http_conn_kill(p->conn);
	else
		ss_http_conn_release(p->conn);
	p->conn = NULL;
	h->n_conns--;
}

void hc_give_up(struct ss_health *h, struct hc_probe *p)
{
	drop_conn(h, p, p->state == HC_CONNECTS || p->state == HC_ASKS);
}

static uint64_t hash_of(const struct ss_cluster *c)
{
	return c->tls ? c->tls->hash : 1;
}

/* gRPC is HTTP/2 only. Opening HTTP/1.1 says nothing on the wire, which is all that a TCP check may say. */
static uint8_t protocol_of(const struct ss_cluster *c)
{
	if (c->health->kind == SS_HEALTH_GRPC)
		return SS_PROTO_H2;
	return c->health->kind == SS_HEALTH_TCP && !c->tls ? SS_PROTO_H1 : c->protocol;
}

/* Hash 0: nobody can say whether the other generation's TLS is this one's. */
static bool still_good(const struct hc_probe *p, const struct ss_cluster *c)
{
	return p->conn && p->kind == c->health->kind && p->protocol == protocol_of(c) && p->tls_hash &&
	       p->tls_hash == hash_of(c) && ss_http_slots(p->conn);
}

/* -- the end of a probe -- */

static void finish(struct ss_health *h, struct hc_probe *p, const struct ss_cluster *c, const struct hc_result *r,
		   bool whole, uint64_t now)
{
	const struct ss_health_conf *conf = c->health;
	bool keep = whole && conf->kind != SS_HEALTH_TCP && conf->reuse && h->n_conns <= h->conf.max_conns;

	if (p->stream)
		ss_http_release(p->stream);
	p->stream = NULL;
	ss_bufq_free(&p->body);
	if (!keep)
		drop_conn(h, p, !whole || conf->kind == SS_HEALTH_TCP);
	p->state = HC_RESTS;
	hc_judge(h, p, c, r, now);
}

static void fail(struct ss_health *h, struct hc_probe *p, const struct ss_cluster *c, enum ss_health_why why,
		 uint64_t now)
{
	struct hc_result r = {.why = why};

	finish(h, p, c, &r, false, now);
}

/* We had no memory for it. */
static void skip(struct ss_health *h, struct hc_probe *p, const struct ss_cluster *c, uint64_t now)
{
	count(h, SS_C_HEALTH_SKIPPED);
	drop_conn(h, p, true);
	p->state = HC_RESTS;
	hc_rest(h, p, c->health->interval_ns, c->health, now);
}

/* -- the beginning -- */

static void open_conn(struct ss_health *h, struct hc_probe *p, const struct ss_cluster *c, const struct ss_endpoint *e,
		      uint64_t now)
{
	struct ss_cluster as = *c;
	struct ss_addr remote = e->addr;
	int rc;

	as.protocol = protocol_of(c);
	if (c->health->port)
		remote.port = c->health->port;
	rc = ss_http_connect(h->conf.http, &as, &remote, now, &p->conn);
	if (rc < 0) {
		p->conn = NULL;
		if (rc == SS_ERR_NOT_FOUND) /* no route to it */
			fail(h, p, c, SS_HEALTH_WHY_CONNECT, now);
		else
			skip(h, p, c, now);
		return;
	}
	count(h, SS_C_HEALTH_CONNECTS);
	h->n_conns++;
	ss_http_conn_set_aside(p->conn);
	ss_http_conn_set_owner(p->conn, p);
	p->kind = c->health->kind;
	p->protocol = as.protocol;
	p->tls_hash = hash_of(c);
	p->fresh = true;
	p->state = HC_CONNECTS;
}

/* 0, or what ss_http_request says. */
static int send_request(struct ss_health *h, struct hc_probe *p, const struct ss_cluster *c, uint64_t now)
{
	const struct ss_health_conf *conf = c->health;
	struct ss_hdr v[SS_HEALTH_FIELDS];
	struct ss_hdrs head;
	struct ss_bufq q;
	int rc;

	ss_hdrs_init(&head, v, SS_HEALTH_FIELDS);
	head.method = conf->method;
	head.scheme = c->tls ? SS_SPAN("https") : SS_SPAN("http");
	head.authority = conf->host;
	head.path = conf->path;
	for (uint16_t i = 0; i < conf->n_fields; i++)
		ss_hdrs_push(&head, conf->fields[i].name, conf->fields[i].value, conf->fields[i].tok, 0);
	ss_bufq_init(&q);
	if (conf->message.n && ss_bufq_append(&q, h->conf.bufs, conf->message.p, conf->message.n) < 0)
		return SS_ERR_NO_MEM;
	rc = ss_http_request(p->conn, &head, !conf->message.n, now, &p->stream);
	if (rc < 0) {
		p->stream = NULL;
		ss_bufq_free(&q);
		return rc;
	}
	ss_http_set_owner(p->stream, p);
	if (conf->message.n)
		ss_http_send_body(p->stream, &q, true);
	return 0;
}

/* Asks over the connection that there is; one that has ended meanwhile is replaced, once. */
static void ask(struct ss_health *h, struct hc_probe *p, const struct ss_cluster *c, const struct ss_endpoint *e,
		uint64_t now)
{
	int rc = send_request(h, p, c, now);

	p->bytes = 0;
	p->has_head = false;
	p->state = HC_ASKS;
	if (rc == 0)
		return;
	if (rc == SS_ERR_NO_MEM) {
		skip(h, p, c, now);
	} else if (p->fresh) {
		fail(h, p, c, SS_HEALTH_WHY_RESET, now);
	} else {
		drop_conn(h, p, false);
		open_conn(h, p, c, e, now);
	}
}

/* Nobody has ever asked for the cluster, and this endpoint was looked at not long ago. */
static bool may_wait(const struct ss_health *h, const struct hc_probe *p, const struct ss_cluster *c, uint64_t now)
{
	return c->health->no_traffic_ns > c->health->interval_ns && p->judged &&
	       now < p->last + c->health->no_traffic_ns &&
	       !atomic_load_explicit(&h->conf.endpoints->cluster[c->slot].asked, memory_order_relaxed);
}

void hc_begin(struct ss_health *h, struct hc_probe *p, const struct ss_snapshot *snap, uint64_t now)
{
	const struct ss_cluster *c;
	const struct ss_endpoint *e = hc_endpoint(p, snap, &c);

	if (!e) {
		hc_leave(h, p, snap);
		return;
	}
	p->began = now;
	if (may_wait(h, p, c, now)) {
		hc_rest(h, p, c->health->interval_ns, c->health, now);
		return;
	}
	p->last = now;
	count(h, SS_C_HEALTH_PROBES);
	ss_wheel_arm(&h->wheel, &p->timer, now + c->health->timeout_ns);
	p->fresh = false;
	if (still_good(p, c)) {
		ask(h, p, c, e, now);
	} else {
		drop_conn(h, p, false);
		open_conn(h, p, c, e, now);
	}
}

void hc_timer(struct ss_health *h, struct hc_probe *p, const struct ss_snapshot *snap, uint64_t now)
{
	const struct ss_cluster *c;

	if (p->state == HC_RESTS) {
		hc_begin(h, p, snap, now);
		return;
	}
	if (!hc_endpoint(p, snap, &c)) {
		hc_leave(h, p, snap);
		return;
	}
	count(h, SS_C_HEALTH_LATE);
	fail(h, p, c, SS_HEALTH_WHY_TIMEOUT, now);
}

/* -- news -- */

/* Ended without an answer. A connection kept from the last probe may have ended before it saw this one. */
static void lost(struct ss_health *h, struct hc_probe *p, const struct ss_cluster *c, const struct ss_endpoint *e,
		 enum ss_health_why why, uint64_t now)
{
	if (p->fresh || p->has_head) {
		fail(h, p, c, why, now);
		return;
	}
	drop_conn(h, p, true);
	open_conn(h, p, c, e, now);
}

/* Not the endpoint's fault. */
static bool ours(enum ss_drop why)
{
	return why == SS_DROP_TLS_QUEUE_FULL || why == SS_DROP_TLS_CONNS_FULL || why == SS_DROP_HTTP_CONNS_FULL ||
	       why == SS_DROP_H2_CONNS_FULL;
}

static void conn_gone(struct ss_health *h, struct hc_probe *p, const struct ss_cluster *c, const struct ss_endpoint *e,
		      bool opened, uint64_t now)
{
	enum ss_drop why = ss_http_conn_reason(p->conn);
	bool tls = why >= SS_DROP_TLS_PLAINTEXT && why <= SS_DROP_TLS_CONNS_FULL;
	struct hc_result good = {.why = SS_HEALTH_WHY_GOOD};

	if (p->state == HC_RESTS)
		drop_conn(h, p, false);
	else if (ours(why))
		skip(h, p, c, now);
	else if (p->state == HC_ASKS)
		lost(h, p, c, e, SS_HEALTH_WHY_RESET, now);
	else if (opened && p->kind == SS_HEALTH_TCP)
		finish(h, p, c, &good, true, now);
	else
		fail(h, p, c, tls ? SS_HEALTH_WHY_TLS : SS_HEALTH_WHY_CONNECT, now);
}

void hc_conn_news(struct ss_health *h, struct ss_http_conn *conn, const struct ss_snapshot *snap, uint64_t now)
{
	struct hc_result good = {.why = SS_HEALTH_WHY_GOOD};
	struct hc_probe *p = ss_http_conn_owner(conn);
	uint32_t events = ss_http_conn_events(conn);
	const struct ss_cluster *c;
	const struct ss_endpoint *e;

	if (!p)
		return;
	e = hc_endpoint(p, snap, &c);
	if (!e) {
		hc_leave(h, p, snap);
	} else if (events & SS_HTTP_CONN_GONE) {
		conn_gone(h, p, c, e, events & SS_HTTP_CONN_OPEN, now);
	} else if ((events & SS_HTTP_CONN_OPEN) && p->state == HC_CONNECTS) {
		if (p->kind == SS_HEALTH_TCP)
			finish(h, p, c, &good, true, now);
		else
			ask(h, p, c, e, now);
	} else if ((events & SS_HTTP_CONN_GOAWAY) && p->state == HC_RESTS) {
		drop_conn(h, p, false);
	}
}

/* What the check looks at is kept, the rest only counted. */
static void take_body(struct hc_probe *p)
{
	struct ss_bufq *body = ss_http_body(p->stream);
	uint32_t n = body->len;

	if (!n)
		return;
	p->bytes += n;
	ss_http_consumed(p->stream, n);
	if (p->body.len < SS_HEALTH_BODY)
		ss_bufq_move(&p->body, body);
	else
		ss_bufq_free(body);
}

void hc_stream_news(struct ss_health *h, struct ss_http_stream *s, const struct ss_snapshot *snap, uint64_t now)
{
	struct hc_probe *p = ss_http_owner(s);
	uint32_t events = ss_http_events(s);
	const struct ss_cluster *c;
	const struct ss_endpoint *e;
	struct hc_result r;

	if (!p)
		return;
	e = hc_endpoint(p, snap, &c);
	if (!e) {
		hc_leave(h, p, snap);
		return;
	}
	p->has_head |= (events & SS_HTTP_EV_HEAD) != 0;
	take_body(p);
	if (p->has_head && (ss_http_ended(s) || p->bytes > HC_BODY_MAX)) {
		r = hc_answer(p, c->health);
		finish(h, p, c, &r, ss_http_ended(s), now);
	} else if (events & SS_HTTP_EV_RESET) {
		lost(h, p, c, e, SS_HEALTH_WHY_RESET, now);
	}
}
