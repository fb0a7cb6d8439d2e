/*
 * px_bed.h - for tests: the proxy and upstream rooms over an http in memory. The test is client and origins.
 *
 * start() makes a worker's worth of both with one listener, one route, one cluster of three endpoints;
 * turn() is one turn of the worker's line; end() asserts that nothing is left.
 */
#ifndef SS_PX_BED_H
#define SS_PX_BED_H

#include "http/http_fake.h"

#include "contract/route_index.h"
#include "proxy/px_int.h"

#define S SS_NS_PER_SEC
#define MS SS_NS_PER_MS
#define EPS 3

struct world {
	uint64_t now;
	struct ss_bufpool bufs;
	struct ss_http *http;
	struct ss_ep_table *table;
	struct ss_up *up;
	struct ss_proxy *px;
	struct ss_counters counters;
	struct ss_event_ring *events;
	struct ss_list ready;
	struct ss_snapshot snap;
	struct ss_listener listener;
	struct ss_cluster cluster;
	struct ss_endpoint eps[EPS];
	struct ss_route route;
	struct ss_retry retry; /* at once, so that nothing need be waited for */
	struct ss_weighted_cluster split;
	struct ss_virtual_host host;
	struct ss_route_index index;
	struct ss_host_table hosts;
	struct ss_host_pattern any;
	struct ss_authz open, shut;
	uint32_t ids[1];
	struct ss_http_conn *client;
	uint32_t held; /* packet buffers, by cases that failed before */
};

static struct ss_bufpool bufs;

/* Before a program's tests, and after them. */
static int open_bufs(void **state)
{
	bufs = ss_testpool_create("px", 4000);
	return 0;
}

static int close_bufs(void **state)
{
	ss_testpool_free(&bufs);
	return 0;
}

static SS_UNUSED void make_snapshot(struct world *w)
{
	w->cluster = (struct ss_cluster){
		.mesh_hop = true,
		.name = 7,
		.n_endpoints = EPS,
		.endpoints = w->eps,
		.protocol = SS_PROTO_H2,
		.connect_timeout_ns = S,
		.caps = {{{100, 100, 1000, 0}}},
		.outlier = {.consecutive_errors = 5,
			    .base_ejection_ns = 30 * S,
			    .max_ejection_ns = 300 * S,
			    .interval_ns = 30 * S,
			    .max_ejection_percent = 50,
			    .min_health_percent = 30,
			    .n_endpoints = EPS},
		.http = {.max_streams = 100},
	};
	assert_int_equal(ss_ep_cluster_hold(w->table, 7, &w->cluster.slot), 0);
	for (uint32_t i = 0; i < EPS; i++) {
		w->eps[i] =
			(struct ss_endpoint){.addr = {.ip = ss_ip4(0x0a000001 + i), .port = 80}, .weight = 1};
		assert_int_equal(ss_ep_hold(w->table, w->cluster.slot, &w->eps[i].addr, &w->eps[i].ep), 0);
	}
	w->retry = (struct ss_retry){.on = SS_RETRY_RESET | SS_RETRY_CONNECT_FAILURE | SS_RETRY_REFUSED_STREAM,
				     .max_retries = 1,
				     .body_max = 65536};
	w->split = (struct ss_weighted_cluster){.cluster = 0, .upto = SS_WEIGHT_SUM};
	w->route = (struct ss_route){.name = 21,
				     .clusters = &w->split,
				     .n_clusters = 1,
				     .timeout_ns = 5 * S,
				     .idle_timeout_ns = 300 * S,
				     .retry = &w->retry};
	w->index = (struct ss_route_index){.any = {.ids = w->ids, .n = 1}};
	w->host =
		(struct ss_virtual_host){.name = 20, .n_routes = 1, .routes = &w->route, .index = &w->index};
	w->any.kind = 2;
	w->hosts =
		(struct ss_host_table){.n_hosts = 1, .n_patterns = 1, .hosts = &w->host, .patterns = &w->any};
	w->shut.default_deny = true;
	w->listener = (struct ss_listener){.name = 5, .hosts = &w->hosts, .authz = &w->open};
	w->snap = (struct ss_snapshot){.generation = 1,
				       .n_listeners = 1,
				       .n_clusters = 1,
				       .listeners = &w->listener,
				       .clusters = &w->cluster};
}

static SS_UNUSED struct world *start(void)
{
	struct world *w = aligned_alloc(64, (sizeof(*w) + 63) / 64 * 64);

	memset(w, 0, sizeof(*w));
	w->now = 100 * S;
	w->held = ss_testpool_used(&bufs);
	ss_list_init(&w->ready);
	w->http = fake_create(&bufs);
	assert_int_equal(ss_ep_table_create(&w->table, 8, 2), 0);
	w->events = ss_event_ring_create(4096);
	make_snapshot(w);
	struct ss_up_conf uc = {.max_conns = 200,
				.n_workers = 1,
				.http = w->http,
				.endpoints = w->table,
				.counters = &w->counters,
				.events = w->events};
	assert_int_equal(ss_up_create(&w->up, &uc), 0);
	struct ss_proxy_conf pc = {.max_exchanges = 500,
				   .seed = 1,
				   .http = w->http,
				   .up = w->up,
				   .bufs = &bufs,
				   .counters = &w->counters,
				   .events = w->events,
				   .endpoints = w->table};
	assert_int_equal(ss_proxy_create(&w->px, &pc, w->now), 0);
	ss_up_adopt(w->up, &w->snap, w->now);
	w->client = fake_conn(w->http, false);
	w->client->cookie = 5;
	w->client->peer.addr.ip = ss_ip4(0xc0a80009);
	return w;
}

/* One turn of the worker's line, as far as it concerns us. */
static SS_UNUSED void turn(struct world *w)
{
	w->now += MS / 10;
	ss_up_input(w->up, &w->http->news.conns, w->now, &w->ready);
	ss_proxy_run(w->px, &w->snap, &w->http->news.streams, &w->ready, w->now);
	ss_proxy_expire(w->px, &w->snap, w->now);
	ss_proxy_bury(w->px);
	ss_up_bury(w->up);
}

static SS_UNUSED void wait_for(struct world *w, uint64_t ns)
{
	w->now += ns;
	turn(w);
	turn(w);
}

static SS_UNUSED bool settled(const struct world *w)
{
	for (uint32_t i = 0; i < EPS; i++)
		if (w->table->ep[w->eps[i].ep].active)
			return false;
	return ss_proxy_exchanges(w->px) == 0 && w->http->live_streams == 0 && ss_up_waiting(w->up) == 0;
}

/* Nothing is left, whatever happened. */
static SS_UNUSED void end(struct world *w)
{
	uint32_t held = w->held;
	struct ss_list *n;

	assert_true(settled(w));
	ss_list_for(n, &w->http->conns)
	{
		struct ss_http_conn *c = ss_list_entry(n, struct ss_http_conn, all);
		if (c->upstream && !c->released)
			fake_gone(c, SS_DROP_NONE);
	}
	turn(w);
	assert_int_equal(ss_up_conns(w->up), 0);
	assert_int_equal(w->http->live_conns, 0);
	assert_int_equal(ss_wheel_next(&w->px->wheel), SS_NEVER);
	ss_proxy_free(w->px);
	ss_up_free(w->up);
	fake_free(w->http);
	ss_event_ring_free(w->events);
	ss_ep_table_free(w->table);
	free(w);
	assert_int_equal(ss_testpool_used(&bufs), held);
}

/* A request's head; its END comes with fake_end. */
static SS_UNUSED struct ss_http_stream *request(struct world *w, const char *method, const char *path)
{
	struct ss_http_stream *s = fake_stream(w->client);

	s->started = w->now;
	s->rx.method = ss_span_str(method);
	s->rx.path = ss_span_str(path);
	s->rx.authority = SS_SPAN("shop.example");
	s->rx.scheme = SS_SPAN("https");
	fake_news(s, SS_HTTP_EV_HEAD);
	return s;
}

static SS_UNUSED void field(struct ss_http_stream *s, const char *name, const char *value)
{
	assert_int_equal(ss_hdrs_add(&s->rx, ss_span_str(name), ss_span_str(value), 0), 0);
}

static SS_UNUSED struct ss_http_stream *get(struct world *w, const char *path)
{
	struct ss_http_stream *s = request(w, "GET", path);

	fake_end(s);
	return s;
}

static SS_UNUSED struct ss_http_conn *newest(struct world *w)
{
	struct ss_http_conn *c = ss_list_entry(w->http->conns.prev, struct ss_http_conn, all);

	assert_true(c->upstream);
	return c;
}

/* The newest connection is ready: the request is on it in the next turn. */
static SS_UNUSED struct ss_http_stream *opened(struct world *w, uint32_t slots)
{
	struct ss_http_conn *c;

	turn(w);
	c = newest(w);
	assert_false(c->open);
	fake_open(c, slots);
	turn(w);
	assert_false(ss_list_empty(&c->streams));
	return ss_list_entry(c->streams.prev, struct ss_http_stream, all);
}

/* The stream on whatever connection the request went to (all are open already). */
static SS_UNUSED struct ss_http_stream *routed(struct world *w)
{
	struct ss_list *n, *m;

	turn(w);
	ss_list_for(n, &w->http->conns)
	{
		struct ss_http_conn *c = ss_list_entry(n, struct ss_http_conn, all);
		if (!c->upstream)
			continue;
		ss_list_for(m, &c->streams)
		{
			struct ss_http_stream *s = ss_list_entry(m, struct ss_http_stream, all);
			if (!s->released && !s->rx_end && !s->over && !s->rx.status)
				return s;
		}
	}
	return NULL;
}

static SS_UNUSED void answer(struct world *w, struct ss_http_stream *u, uint16_t status, const char *body)
{
	fake_status(u, status);
	if (*body)
		fake_bytes(u, body, (uint32_t)strlen(body));
	fake_end(u);
	turn(w);
}

static SS_UNUSED void delivered(struct world *w, struct ss_http_stream *d)
{
	fake_drain(d, UINT32_MAX);
	turn(w);
	assert_true(d->released);
}

static SS_UNUSED void body_is(const struct ss_http_stream *s, const char *text)
{
	char buf[1000];
	uint32_t n = ss_bufq_read(&s->out, 0, buf, sizeof(buf) - 1);

	buf[n] = 0;
	assert_string_equal(buf, text);
}

/* The next record of an exchange. */
static SS_UNUSED struct ss_event next_event(struct world *w)
{
	struct ss_event e = {0};
	const struct ss_event *p;

	while ((p = ss_event_peek(w->events))) {
		e = *p;
		ss_event_release(w->events);
		if (e.kind == SS_EVENT_REQUEST)
			return e;
	}
	fail_msg("no record");
	return e;
}

static SS_UNUSED void replied(struct world *w, struct ss_http_stream *d, uint16_t status, const char *flag)
{
	struct ss_event e;

	assert_true(d->tx_head);
	assert_int_equal(d->tx.status, status);
	assert_string_equal(fake_field(&d->tx, "x-sidestep-flag"), flag);
	delivered(w, d);
	e = next_event(w);
	assert_int_equal(e.status, status);
	assert_string_equal(ss_drop_flag(e.drop), flag);
}

/* A random story with seeds 1 to 8; SEED=n in the environment runs that one alone. */
static SS_UNUSED void each_seed(void (*story)(uint64_t seed))
{
	const char *one = getenv("SEED");

	if (one) {
		story(strtoull(one, NULL, 10));
		return;
	}
	for (uint64_t seed = 1; seed <= 8; seed++)
		story(seed);
}

#endif
