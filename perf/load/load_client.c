/* load_client.c - requests: sent when a connection is free or when due, their answers checked byte by byte. */
#include "base/err.h"
#include "perf/load/load_int.h"

/* Does its outcome count? A closed loop counts what ends while measuring; otherwise what began then. */
static bool counted(const struct ss_load_client *c, const struct ss_load_request *r)
{
	return c->paced || c->o->requests ? r->counts : c->measuring;
}

void ss_load_client_error(struct ss_load_client *c, enum ss_load_error e)
{
	c->tally.errors[e]++;
	ss_load_live_add(&c->live->errors, 1);
}

static void finish(struct ss_load_client *c, struct ss_load_request *r, uint64_t now)
{
	struct ss_load_conn *k = r->conn;

	if (r->error != SS_LOAD_OK) {
		if (counted(c, r))
			ss_load_client_error(c, r->error);
	} else if (counted(c, r)) {
		c->tally.requests++;
		c->tally.request_bytes += r->body_out;
		c->tally.response_bytes += r->body_in;
		ss_load_hist_add(&c->tally.latency, now - r->from);
	}
	if (r->error == SS_LOAD_OK)
		ss_load_live_add(&c->live->requests, 1);
	ss_load_live_add(&c->live->bytes, r->body_in + r->body_out);
	ss_list_remove(&r->node);
	ss_list_remove(&r->hungry);
	c->n_in_flight--;
	ss_http_release(r->stream);
	ss_pool_give(c->requests, r);
	k->in_flight--;
	k->done++;
	ss_load_conn_settle(c, k, now);
}

/* -- sending -- */

static void wrong(struct ss_load_request *r, enum ss_load_error e)
{
	if (r->error == SS_LOAD_OK)
		r->error = e;
}

/* As much of the body as http takes, and as there are buffers for; the rest follows. True: some went. */
static bool pump(struct ss_load_client *c, struct ss_load_request *r, uint64_t now)
{
	uint64_t before = r->body_out;

	while (!r->body_ended) {
		uint64_t n = ss_min_u64(ss_http_room(r->stream), c->o->request_size - r->body_out);
		struct ss_bufq q;

		if (!n)
			break; /* news tells of room */
		ss_bufq_init(&q);
		n = ss_load_feed_grant(&c->feed, n, now);
		if (!n || ss_load_body_fill(c->pattern, &q, c->feed.bufs, r->body_out, n) < 0) {
			ss_bufq_free(&q);
			ss_list_push_once(&c->feed.hungry, &r->hungry);
			break;
		}
		r->body_out += n;
		r->body_ended = r->body_out == c->o->request_size;
		if (ss_http_send_body(r->stream, &q, r->body_ended) < 0)
			break; /* it is over: news says why */
	}
	return r->body_out != before;
}

static int start(struct ss_load_client *c, struct ss_load_conn *k, uint64_t now)
{
	struct ss_load_request *r = ss_pool_take(c->requests);
	int code;

	if (!r)
		return SS_ERR_NO_MEM;
	*r = (struct ss_load_request){ .role = SS_LOAD_CLIENT,
				       .conn = k,
				       .from = c->paced ? c->pace.next : now,
				       .sent = now,
				       .want = UINT64_MAX,
				       .error = SS_LOAD_OK,
				       .counts = c->measuring,
				       .body_ended = c->o->request_size == 0 };
	code = ss_http_request(k->http, &c->head, r->body_ended, now, &r->stream);
	if (code < 0) {
		ss_pool_give(c->requests, r);
		return code;
	}
	ss_list_init(&r->hungry);
	ss_http_set_owner(r->stream, r);
	ss_list_push_back(&c->in_flight, &r->node);
	c->n_in_flight++;
	k->in_flight++;
	ss_list_push_once(&c->free, &k->free);
	pump(c, r, now);
	return 0;
}

static bool wants(const struct ss_load_client *c, uint64_t now)
{
	if (c->measuring && c->o->requests && !c->left)
		return false;
	return !c->paced || c->pace.next <= now;
}

static bool send(struct ss_load_client *c, uint64_t now)
{
	struct ss_load_conn *k;
	bool any = false;

	while (wants(c, now) && (k = ss_load_conn_free(c))) {
		int code = start(c, k, now);
		if (code == SS_ERR_NO_MEM) {
			ss_list_push_once(&c->free, &k->free); /* pools give something back at the turn's end */
			break;
		}
		if (code < 0)
			continue;
		any = true;
		c->left -= c->measuring && c->o->requests;
		if (c->paced)
			ss_load_pace_step(&c->pace);
	}
	return any;
}

/* -- receiving -- */

static uint64_t length_of(const struct ss_hdrs *h)
{
	const struct ss_hdr *f = ss_hdrs_find(h, SS_H_CONTENT_LENGTH);
	uint64_t n = 0;

	if (!f || !f->value.n)
		return UINT64_MAX;
	for (uint32_t i = 0; i < f->value.n; i++) { /* http has refused what is no number */
		if (f->value.p[i] < '0' || f->value.p[i] > '9')
			return UINT64_MAX;
		n = n * 10 + (uint64_t)(f->value.p[i] - '0');
	}
	return n;
}

static void check_head(struct ss_load_client *c, struct ss_load_request *r)
{
	const struct ss_hdrs *h = ss_http_head(r->stream);
	uint64_t expected = c->o->expect_size;

	if (c->reference.check == SS_LOAD_CHECK_FILE)
		expected = c->reference.file_n;
	r->want = length_of(h);
	if (h->status != c->o->expect_status)
		wrong(r, SS_LOAD_ERR_STATUS);
	else if (expected != UINT64_MAX && r->want != UINT64_MAX && r->want != expected)
		wrong(r, SS_LOAD_ERR_LENGTH);
	if (expected != UINT64_MAX)
		r->want = expected;
	if (ss_span_eq(ss_span_str(c->o->method), SS_SPAN("HEAD")))
		r->want = 0;
}

static enum ss_load_error why(const struct ss_http_stream *s)
{
	enum ss_drop reason = ss_http_reason(s), conn = ss_http_conn_reason(ss_http_stream_conn(s));

	if (conn >= SS_DROP_TLS_PLAINTEXT && conn <= SS_DROP_TLS_CONNS_FULL)
		return SS_LOAD_ERR_TLS;
	if (reason == SS_DROP_UPSTREAM_PROTOCOL ||
	    (reason >= SS_DROP_H2_PREFACE && reason <= SS_DROP_HEADERS_TOO_LARGE))
		return SS_LOAD_ERR_PROTOCOL;
	if (ss_http_unprocessed(s))
		return SS_LOAD_ERR_UNPROCESSED;
	return reason == SS_DROP_UPSTREAM_STREAM_RESET ? SS_LOAD_ERR_STREAM_RESET : SS_LOAD_ERR_RESET;
}

void ss_load_client_news(struct ss_load_client *c, struct ss_http_stream *s, uint64_t now)
{
	struct ss_load_request *r = ss_http_owner(s);
	uint32_t ev = ss_http_events(s);

	if (ev & SS_HTTP_EV_HEAD)
		check_head(c, r);
	if ((ev & (SS_HTTP_EV_BODY | SS_HTTP_EV_END)) && !ss_load_body_take(s, &c->reference, &r->body_in))
		wrong(r, SS_LOAD_ERR_BODY);
	if (ev & SS_HTTP_EV_RESET) {
		wrong(r, why(s));
		finish(c, r, now);
	} else if (ev & SS_HTTP_EV_END) {
		if (r->want != UINT64_MAX && r->body_in != r->want)
			wrong(r, SS_LOAD_ERR_LENGTH);
		finish(c, r, now);
	} else if (ev & SS_HTTP_EV_ROOM) {
		pump(c, r, now);
	}
}

static bool feed(struct ss_load_client *c, uint64_t now)
{
	struct ss_list hungry, *n;
	bool any = false;

	ss_list_init(&hungry);
	ss_list_splice(&hungry, &c->feed.hungry);
	while ((n = ss_list_pop(&hungry)))
		any |= pump(c, ss_list_entry(n, struct ss_load_request, hungry), now);
	return any;
}

static void expire(struct ss_load_client *c, uint64_t now)
{
	while (!ss_list_empty(&c->in_flight)) {
		struct ss_load_request *r = ss_list_entry(c->in_flight.next, struct ss_load_request, node);

		if (now < r->sent + c->o->timeout_ns)
			return;
		wrong(r, SS_LOAD_ERR_TIMEOUT);
		finish(c, r, now);
	}
}

bool ss_load_client_run(struct ss_load_client *c, struct ss_list *conns, uint64_t now)
{
	bool worked = !ss_list_empty(conns);
	struct ss_list *n;

	while ((n = ss_list_pop(conns)))
		ss_load_conn_news(c, ss_http_conn_from_news(n), now);
	worked |= feed(c, now);
	if (c->sending) {
		ss_load_conn_open(c, now);
		worked |= send(c, now);
	}
	if (c->paced && c->sending) {
		uint64_t behind = ss_load_pace_behind(&c->pace, now);
		__atomic_store_n(&c->live->behind, behind, __ATOMIC_RELAXED);
		c->tally.most_behind = ss_max_u64(c->tally.most_behind, behind);
	}
	expire(c, now);
	return worked;
}

/* -- phases -- */

/* Longer than one attempt may take, so that what it failed of has been counted. */
bool ss_load_client_ready(const struct ss_load_client *c, uint64_t now)
{
	return c->n_ever == c->n_conns || now >= c->opened_at + c->o->timeout_ns + SS_NS_PER_SEC / 4;
}

void ss_load_client_pace(struct ss_load_client *c, uint64_t now)
{
	if (c->paced)
		ss_load_pace_init(&c->pace, c->o->rate, c->o->poisson, now);
}

void ss_load_client_measure(struct ss_load_client *c, uint64_t now)
{
	memset(&c->tally, 0, sizeof(c->tally));
	ss_load_hist_clear(&c->tally.latency);
	ss_load_hist_clear(&c->tally.connect);
	c->measuring = true;
	c->left = c->o->requests;
}

void ss_load_client_stop(struct ss_load_client *c, uint64_t now)
{
	if (c->paced && c->measuring && !c->o->requests)
		c->tally.unsent = ss_load_pace_behind(&c->pace, now);
	c->tally.open = c->n_open;
	c->sending = c->measuring = false;
}

bool ss_load_client_waits(const struct ss_load_client *c)
{
	return (c->paced || c->o->requests) && c->n_in_flight;
}

void ss_load_client_give_up(struct ss_load_client *c, uint64_t now)
{
	while (!ss_list_empty(&c->in_flight)) {
		struct ss_load_request *r = ss_list_entry(c->in_flight.next, struct ss_load_request, node);

		wrong(r, SS_LOAD_ERR_TIMEOUT);
		finish(c, r, now);
	}
}

void ss_load_client_close(struct ss_load_client *c)
{
	for (uint32_t i = 0; i < c->n_conns; i++) {
		struct ss_load_conn *k = &c->conns[i];

		if (!k->http)
			continue;
		ss_http_conn_set_owner(k->http, NULL);
		ss_http_conn_release(k->http);
		k->http = NULL;
		k->open = false;
	}
}
