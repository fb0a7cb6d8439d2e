/*
 * hop_bench.c - one request and its answer through http, route, upstream and proxy, over a transport made of
 * memory. Client and origin are bytes made beforehand; what is measured beside the product is copying them
 * in.
 *
 * HTTP/2 on both sides: eight streams per turn on one connection each way. Else one request per turn.
 * "policy" is "small" with everything decided that can be (hop_world.h): their difference is what it costs. The
 * rows "with" have one kind of it each.
 */
#include <stdlib.h>

#include "buf/testpool.h"
#include "http/http_sim.h"
#include "perf/micro/foreign.h"
#include "perf/micro/hop_world.h"
#include "perf/micro/micro.h"
#include "perf/micro/micro_pool.h"
#include "proxy/proxy.h"
#include "wire/h1.h"
#include "wire/h2frame.h"

#define BATCH 8u
#define BODY 128u
#define WINDOW_EVERY (1u << 20)

/* One direction of one connection: a message that is sent again and again. */
struct message {
	bool h2;
	struct ss_tls_conn *c;
	const struct head *head;
	struct ss_hdr v[HEADS_FIELDS];
	struct ss_hdrs h;
	uint32_t body, id; /* id: of the next stream */
	uint32_t sent;
	uint8_t block[2048], bytes[4096];
	uint32_t block_len;
};

struct hop {
	struct http_sim p;
	struct model_world world;
	struct ss_up *up;
	struct ss_proxy *px;
	struct ss_event_ring *events;
	struct ss_list ready;
	struct message ask, answer;
};

/* -- the peers -- */

static void message_init(struct message *m, const struct head *head, bool h2, uint32_t body)
{
	memset(m, 0, sizeof(*m));
	m->h = head_block(head, m->v);
	m->h2 = h2;
	m->body = body;
	m->id = 1;
	m->head = head;
}

static uint32_t frames(struct message *m)
{
	uint8_t *p = m->bytes;

	if (m->sent < 2)
		m->block_len = foreign_block(m->head, m->sent == 0, m->block);
	m->sent++;
	ss_h2frame_put(p, m->block_len, SS_H2_HEADERS,
		       SS_H2_F_END_HEADERS | (m->body ? 0 : SS_H2_F_END_STREAM), m->id);
	memcpy(p + SS_H2_HEAD, m->block, m->block_len);
	p += SS_H2_HEAD + m->block_len;
	if (m->body) {
		ss_h2frame_put(p, m->body, SS_H2_DATA, SS_H2_F_END_STREAM, m->id);
		p += SS_H2_HEAD + m->body;
	}
	m->id += 2;
	return (uint32_t)(p - m->bytes);
}

static uint32_t lines(struct message *m)
{
	struct ss_out o = ss_out(m->bytes, sizeof(m->bytes));

	if (m->block_len)
		return m->block_len;
	if (m->h.status)
		ss_h1_emit_response(&m->h, 0, &o);
	else
		ss_h1_emit_request(&m->h, 0, &o);
	o.p += m->body; /* whatever is there */
	assert(o.p <= o.end);
	m->block_len = (uint32_t)(o.p - m->bytes);
	return m->block_len;
}

static void send(struct message *m)
{
	uint32_t n = m->h2 ? frames(m) : lines(m);

	tls_sim_deliver(m->c, m->bytes, n);
}

/* Preface, if a client; SETTINGS; a window that lasts for long. */
static void begin(struct message *m, bool client)
{
	struct ss_out o = ss_out(m->bytes, sizeof(m->bytes));
	struct ss_h2setting streams = {SS_H2_SET_MAX_CONCURRENT_STREAMS, 100};

	if (!m->h2)
		return;
	if (client)
		ss_out_bytes(&o, SS_H2_PREFACE, SS_H2_PREFACE_LEN);
	ss_h2frame_put_settings(&o, &streams, client ? 0 : 1);
	ss_h2frame_put_settings_ack(&o);
	ss_h2frame_put_window(&o, 0, 1u << 30);
	tls_sim_deliver(m->c, m->bytes, (uint32_t)(o.p - m->bytes));
}

/* -- the proxy -- */

static void turn(struct hop *h)
{
	struct http_sim *r = &h->p;

	r->now += SS_NS_PER_US;
	ss_http_input(r->http, h->world.snap, &r->tls.news, r->now, &r->news);
	ss_up_input(h->up, &r->news.conns, r->now, &h->ready);
	ss_proxy_run(h->px, h->world.snap, &r->news.streams, &h->ready, r->now);
	ss_http_flush(r->http, r->now);
	ss_proxy_bury(h->px);
	ss_up_bury(h->up);
	ss_http_bury(r->http);
}

static void make_rooms(struct hop *h)
{
	struct http_sim *r = &h->p;
	struct ss_up_conf uc = {.max_conns = 16,
				.n_workers = 1,
				.http = r->http,
				.endpoints = h->world.endpoints,
				.counters = &r->counters};
	struct ss_proxy_conf pc = {.max_exchanges = 256,
				   .seed = 1,
				   .http = r->http,
				   .bufs = &r->bufs,
				   .counters = &r->counters,
				   .endpoints = h->world.endpoints,
				   .limits = h->world.limits};

	h->events = uc.events = pc.events = ss_event_ring_create(1024);
	assert(ss_up_create(&h->up, &uc) == 0);
	pc.up = h->up;
	assert(ss_proxy_create(&h->px, &pc, r->now) == 0);
	ss_up_adopt(h->up, h->world.snap, r->now);
	ss_list_init(&h->ready);
}

static void swallow(struct ss_tls_conn *c)
{
	ss_bufq_free(&c->sent);
}

/* n requests at once, answered at once. */
static void batch(struct hop *h, uint32_t n)
{
	uint64_t good = ss_counter_read(&h->p.counters, SS_C_RESPONSES_2XX);

	for (uint32_t i = 0; i < n; i++)
		send(&h->ask);
	turn(h);
	swallow(h->answer.c);
	for (uint32_t i = 0; i < n; i++)
		send(&h->answer);
	turn(h);
	swallow(h->ask.c);
	assert(ss_counter_read(&h->p.counters, SS_C_RESPONSES_2XX) == good + n);
}

static void requests(void *at, uint32_t n)
{
	struct hop *h = at;

	while (n) {
		uint32_t k = ss_min_u32(n, h->ask.h2 && h->answer.h2 ? BATCH : 1);
		if (h->ask.h2 && h->ask.id % WINDOW_EVERY < 2 * k) {
			uint8_t window[SS_H2_HEAD + 4];
			struct ss_out o = ss_out(window, sizeof(window));
			ss_h2frame_put_window(&o, 0, WINDOW_EVERY * BODY / 2);
			tls_sim_deliver(h->ask.c, window, sizeof(window));
		}
		batch(h, k);
		n -= k;
		while (ss_event_peek(h->events))
			ss_event_release(h->events);
	}
}

/* A request opens the connection to the origin; a few more fill the compression tables. */
static void start(struct hop *h)
{
	struct http_sim *r = &h->p;

	h->ask.c = tls_sim_accept(&r->tls, h->world.snap->listeners[0].name, h->ask.h2 ? SS_ALPN_H2 : SS_ALPN_H1);
	h->ask.c->peer.addr = (struct ss_addr){ss_ip4(0x0a010203), 40000};
	begin(&h->ask, true);
	send(&h->ask);
	turn(h);
	ss_up_feed(h->up, h->world.snap, r->now);
	assert(r->tls.last);
	h->answer.c = r->tls.last;
	tls_sim_connected(h->answer.c);
	turn(h);
	begin(&h->answer, false);
	send(&h->answer);
	turn(h);
	swallow(h->ask.c);
	swallow(h->answer.c);
	requests(h, 32);
}

static void stop(struct hop *h)
{
	struct http_sim *r = &h->p;

	ss_http_drain(r->http, r->now);
	ss_up_drain(h->up, r->now);
	tls_sim_fail(h->ask.c, SS_DROP_TCP_RESET);
	tls_sim_fail(h->answer.c, SS_DROP_TCP_RESET);
	turn(h);
	turn(h);
	swallow(h->ask.c);
	swallow(h->answer.c);
	ss_proxy_free(h->px);
	ss_up_free(h->up);
	ss_event_ring_free(h->events);
	http_sim_free(r);
	model_world_close(&h->world);
}

struct kind {
	const char *name;
	const struct head *head;
	uint32_t body;
	bool down_h2, up_h2;
	unsigned with;
};

static void one_kind(struct micro *m, const struct kind *k)
{
	static struct hop h;

	if (!micro_wants(m, k->name))
		return;
	memset(&h, 0, sizeof(h));
	http_sim_init(&h.p, "micro-slow", 1);
	ss_testpool_free(&h.p.bufs);
	h.p.bufs = micro_pool("micro-hop", 2047);
	h.p.tls.alpn = k->up_h2 ? SS_ALPN_H2 : SS_ALPN_H1;
	message_init(&h.ask, k->head, k->down_h2, k->body);
	message_init(&h.answer, &head_answer, k->up_h2, BODY);
	hop_world_open(&h.world, hop_world_text(k->up_h2, k->with));
	if (k->with & HOP_CANARY)
		atomic_store(&h.world.canaries->slot[0].weight, 0);
	make_rooms(&h);
	start(&h);
	micro_run(m, k->name, requests, &h);
	stop(&h);
}

void micro_items(struct micro *m)
{
	static const struct kind kinds[] = {
		{"hop.h2_h2.small", &head_small, 0, true, true},
		{"hop.h2_h2.grpc", &head_grpc, BODY, true, true},
		{"hop.h2_h2.browser", &head_browser, 0, true, true},
		{"hop.h1_h1.small", &head_small, 0, false, false},
		{"hop.h1_h1.browser", &head_browser, 0, false, false},
		{"hop.h2_h1.small", &head_small, 0, true, false},
		{"hop.h2_h2.policy", &head_small, 0, true, true, HOP_ALL},
		{"hop.h1_h1.policy", &head_small, 0, false, false, HOP_ALL},
		{"hop.h2_h2.with_routes", &head_small, 0, true, true, HOP_ROUTES},
		{"hop.h2_h2.with_split", &head_small, 0, true, true, HOP_SPLIT},
		{"hop.h2_h2.with_canary", &head_small, 0, true, true, HOP_CANARY},
		{"hop.h2_h2.with_headers", &head_small, 0, true, true, HOP_HEADERS},
		{"hop.h2_h2.with_limits", &head_small, 0, true, true, HOP_LIMITS},
		{"hop.h2_h2.with_authz", &head_small, 0, true, true, HOP_AUTHZ},
		{"hop.h2_h2.with_retries", &head_small, 0, true, true, HOP_RETRIES},
		{"hop.h2_h2.with_balance", &head_small, 0, true, true, HOP_BALANCE},
	};

	for (uint32_t i = 0; i < SS_ARRAY_LEN(kinds); i++)
		one_kind(m, &kinds[i]);
}
