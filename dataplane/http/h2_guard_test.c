/*
 * h2_guard_test.c - every bound against abuse is reached by one event too many, and counted by its name;
 * and what time does to a connection: idle, keepalive, SETTINGS, drain.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "http/http_int.h"
#include "http/http_sim.h"

#define GET ":method=GET,:scheme=https,:authority=a,:path=/"
#define POST ":method=POST,:scheme=https,:authority=a,:path=/"
#define PING "F:6:0:0:0102030405060708"

struct flood {
	const char *what;
	const char *first;  /* before the flood */
	const char *again;  /* once per event; %u: a stream id that grows */
	uint32_t accepted;  /* so many are */
	enum ss_drop drop;  /* of the next one */
};

static const struct flood floods[] = {
	{ "rapid reset", "", "H:5:%1$u:" GET " F:3:0:%1$u:00000008", 1000, SS_DROP_H2_FLOOD_RESET },
	{ "made to reset: window over its maximum", "", "H:4:%1$u:" POST " F:8:0:%1$u:7fffffff", 1000,
	  SS_DROP_H2_FLOOD_RESET },
	{ "made to reset: malformed requests", "", "H:5:%1$u::method=GET", 1000, SS_DROP_H2_FLOOD_RESET },
	{ "made to reset: DATA after the end", "",
	  "H:5:%1$u:" GET " F:0:0:%1$u:00", 1000, SS_DROP_H2_FLOOD_RESET },
	{ "PING", "", PING, 998, SS_DROP_H2_FLOOD_CONTROL },
	{ "SETTINGS", "", "S", 998, SS_DROP_H2_FLOOD_CONTROL },
	{ "unknown types", "", "F:99:0:0:", 998, SS_DROP_H2_FLOOD_CONTROL },
	{ "empty DATA", "H:4:1:" POST, "F:0:0:1:", 1, SS_DROP_H2_FLOOD_EMPTY },
	{ "padding only", "H:4:1:" POST, "F:0:8:1:0100", 1, SS_DROP_H2_FLOOD_EMPTY },
	{ "empty CONTINUATION", "F:1:1:1:82", "F:9:0:1:", 1, SS_DROP_H2_FLOOD_EMPTY },
	{ "small CONTINUATION", "F:1:1:1:82", "F:9:0:1:86", 64, SS_DROP_H2_FLOOD_CONTINUATION },
	{ "large CONTINUATION", "F:1:1:1:82", "F:9:0:1:*4000", 8, SS_DROP_HEADERS_TOO_LARGE },
	{ "PRIORITY", "H:4:1:" POST, "F:2:0:3:0000000110", 200, SS_DROP_H2_FLOOD_PRIORITY },
	{ "WINDOW_UPDATE", "H:4:1:" POST, "F:8:0:1:00000001", 7, SS_DROP_H2_FLOOD_WINDOW },
};

static struct ss_tls_conn *connected(struct http_sim *r, char *text, size_t n)
{
	static uint8_t bytes[256];
	struct ss_tls_conn *c;

	http_sim_init(r, "h2_guard", 2048);
	c = tls_sim_accept(&r->tls, HTTP_SIM_LISTENER, SS_ALPN_H2);
	tls_sim_deliver(c, bytes, http_sim_bytes("P S A", bytes, sizeof(bytes)));
	http_sim_turn(r);
	http_sim_frames(c, text, n);
	return c;
}

static void deliver(struct http_sim *r, struct ss_tls_conn *c, const char *words)
{
	static uint8_t bytes[1u << 16];

	tls_sim_deliver(c, bytes, http_sim_bytes(words, bytes, sizeof(bytes)));
	http_sim_turn(r);
}

static void leave(struct http_sim *r, struct ss_tls_conn *c)
{
	tls_sim_eof(c);
	for (int i = 0; i < 4; i++)
		http_sim_turn(r);
	http_sim_free(r);
}

/* An upper room that answers nothing. */
static void silent(struct http_sim *r, struct ss_http_stream *s, uint32_t ev)
{
	if (ev & SS_HTTP_EV_RESET)
		ss_http_release(s);
}

static void every_flood_ends(void **state)
{
	static char text[1u << 16];

	for (size_t i = 0; i < SS_ARRAY_LEN(floods); i++) {
		const struct flood *f = &floods[i];
		struct http_sim r;
		struct ss_tls_conn *c = connected(&r, text, sizeof(text));
		uint32_t n = 0;

		r.on_stream = silent;
		deliver(&r, c, f->first);
		for (uint32_t id = 1; n < 5000 && !c->shutdown; n++, id += 2) {
			char words[256];
			snprintf(words, sizeof(words), f->again, id);
			deliver(&r, c, words);
			http_sim_frames(c, text, sizeof(text)); /* the peer reads */
		}
		if (n != f->accepted + 1)
			fail_msg("%s: %u were accepted, not %u", f->what, n - 1, f->accepted);
		if (!r.counters.drops[f->drop])
			fail_msg("%s: not counted as %s", f->what, ss_drop_name(f->drop));
		assert_non_null(strstr(text, ":CALM fin"));
		leave(&r, c);
	}
}

/* A peer that asks for answers and does not read them. */
static void outbound_is_bounded(void **state)
{
	static char text[1u << 16];
	struct http_sim r;
	struct ss_tls_conn *c = connected(&r, text, sizeof(text));
	uint32_t n = 0;

	c->room = 0;
	while (!c->shutdown && n++ < 5000) {
		deliver(&r, c, PING);
		if (n % 100 == 0)
			http_sim_wait(&r, 2 * SS_NS_PER_SEC); /* slowly, so that their rate is no reason */
	}
	assert_int_equal(n, 1001);
	assert_int_equal(r.counters.drops[SS_DROP_H2_FLOOD_OUTBOUND], 1);
	leave(&r, c);
}

/* Bounds with a rate give way again. */
static void slow_resets_are_fine(void **state)
{
	static char text[1u << 16];
	struct http_sim r;
	struct ss_tls_conn *c = connected(&r, text, sizeof(text));

	r.on_stream = silent;
	r.listener.http.idle_timeout_ns = 0;
	for (uint32_t id = 1; id < 6000; id += 2) {
		char words[256];
		snprintf(words, sizeof(words), "H:5:%1$u:" GET " F:3:0:%1$u:00000008", id);
		deliver(&r, c, words);
		http_sim_frames(c, text, sizeof(text));
		http_sim_wait(&r, SS_NS_PER_SEC / 33);
	}
	assert_false(c->shutdown);
	leave(&r, c);
}

/* A PING with every DATA frame is how some peers measure the path. */
static void pings_beside_data_are_fine(void **state)
{
	static char text[1u << 16];
	struct http_sim r;
	struct ss_tls_conn *c = connected(&r, text, sizeof(text));

	deliver(&r, c, "H:4:1:" POST);
	for (int i = 0; i < 5000; i++) {
		deliver(&r, c, "F:0:0:1:61 " PING " " PING);
		http_sim_frames(c, text, sizeof(text));
	}
	assert_false(c->shutdown);
	leave(&r, c);
}

static void large_heads_get_431(void **state)
{
	char text[4096], words[2048], value[101];
	struct http_sim r;
	struct ss_tls_conn *c;

	memset(value, 'v', 100);
	value[100] = 0;
	c = connected(&r, text, sizeof(text));
	((struct ss_http_limits *)(uintptr_t)((struct ss_http_conn *)c->owner)->limits)->max_header_bytes = 400;
	snprintf(words, sizeof(words), "H:5:1:" GET ",a=%s,b=%s H:4:3:" POST ",a=%s,b=%s H:5:5:" GET, value,
		 value, value, value);
	deliver(&r, c, words);
	http_sim_turn(&r);
	http_sim_frames(c, text, sizeof(text));
	assert_string_equal(text, " h1e:431 h3e:431 rst3:NO_ERROR h5e:200");
	assert_int_equal(r.counters.drops[SS_DROP_HEADERS_TOO_LARGE], 2);
	leave(&r, c);
}

/* Without a stream pool, requests are refused; the peer may try them elsewhere. */
static void refused_without_memory(void **state)
{
	char text[4096];
	struct http_sim r;
	struct ss_tls_conn *c = connected(&r, text, sizeof(text));
	void *taken[512];

	for (int i = 0; i < 512; i++)
		taken[i] = ss_pool_take(r.http->streams);
	deliver(&r, c, "H:5:1:" GET " " PING);
	http_sim_frames(c, text, sizeof(text));
	assert_string_equal(text, " rst1:REFUSED pong");
	assert_int_equal(r.counters.drops[SS_DROP_STREAMS_FULL], 1);
	for (int i = 0; i < 512; i++)
		ss_pool_give(r.http->streams, taken[i]);
	leave(&r, c);
}

/* Clients cannot take the half of the pool that serving them needs. */
static void refused_beyond_the_clients_half(void **state)
{
	char text[4096];
	struct http_sim r;
	struct ss_tls_conn *c = connected(&r, text, sizeof(text));

	r.http->n_requests += 255;
	deliver(&r, c, "H:5:1:" GET " H:5:3:" GET " " PING);
	http_sim_frames(c, text, sizeof(text));
	assert_string_equal(text, " rst3:REFUSED pong h1e:200"); /* the sim answers what was taken */
	r.http->n_requests -= 255;
	leave(&r, c);
}

/* -- time -- */

static void idle_connection_ends(void **state)
{
	char text[4096];
	struct http_sim r;
	struct ss_tls_conn *c = connected(&r, text, sizeof(text));

	http_sim_wait(&r, 50 * SS_NS_PER_SEC);
	deliver(&r, c, "H:5:1:" GET);
	http_sim_turn(&r);
	http_sim_wait(&r, 50 * SS_NS_PER_SEC); /* a request begins the time anew */
	http_sim_frames(c, text, sizeof(text));
	assert_string_equal(text, " h1e:200");
	http_sim_wait(&r, 11 * SS_NS_PER_SEC);
	http_sim_frames(c, text, sizeof(text));
	assert_string_equal(text, " bye1:NO_ERROR fin");
	assert_int_equal(r.counters.drops[SS_DROP_HTTP_IDLE], 1);
	/* The peer does not answer our FIN: after a while it is reset. */
	http_sim_wait(&r, 2 * SS_HTTP_LINGER_NS);
	assert_true(c->aborted && c->released);
	http_sim_free(&r);
}

static void settings_must_be_acknowledged(void **state)
{
	char text[4096];
	struct http_sim r;
	struct ss_tls_conn *c;

	http_sim_init(&r, "h2_settings", 256);
	c = tls_sim_accept(&r.tls, HTTP_SIM_LISTENER, SS_ALPN_H2);
	deliver(&r, c, "P S");
	http_sim_wait(&r, 6 * SS_NS_PER_SEC);
	http_sim_frames(c, text, sizeof(text));
	assert_string_equal(text, " set ack bye0:SETTINGS_TIMEOUT fin");
	assert_int_equal(r.counters.drops[SS_DROP_H2_SETTINGS_TIMEOUT], 1);
	leave(&r, c);
}

static void keepalive(void **state)
{
	char text[4096];
	struct http_sim r;
	struct ss_tls_conn *c;

	http_sim_init(&r, "h2_keepalive", 256);
	r.listener.http.keepalive_interval_ns = 10 * SS_NS_PER_SEC;
	r.listener.http.keepalive_timeout_ns = 3 * SS_NS_PER_SEC;
	c = tls_sim_accept(&r.tls, HTTP_SIM_LISTENER, SS_ALPN_H2);
	deliver(&r, c, "P S A");
	http_sim_frames(c, text, sizeof(text));
	for (int i = 0; i < 3; i++) {
		http_sim_wait(&r, 11 * SS_NS_PER_SEC);
		http_sim_frames(c, text, sizeof(text));
		assert_string_equal(text, " ping");
		if (i < 2)
			deliver(&r, c, "F:6:1:0:616c6976653f0000");
	}
	http_sim_wait(&r, 4 * SS_NS_PER_SEC);
	http_sim_frames(c, text, sizeof(text));
	assert_string_equal(text, " bye0:NO_ERROR fin");
	assert_int_equal(r.counters.drops[SS_DROP_H2_PING_TIMEOUT], 1);
	leave(&r, c);
}

/* RFC 9113 6.8: two GOAWAYs; a request between them is served, one after the second is not. */
static void drain_in_two_steps(void **state)
{
	char text[4096];
	struct http_sim r;
	struct ss_tls_conn *c = connected(&r, text, sizeof(text));

	deliver(&r, c, "H:4:1:" POST);
	ss_http_drain(r.http, r.now);
	deliver(&r, c, "H:5:3:" GET);
	http_sim_turn(&r);
	http_sim_frames(c, text, sizeof(text));
	assert_string_equal(text, " h1:200 bye2147483647:NO_ERROR ping h3e:200");
	deliver(&r, c, "F:6:1:0:647261696e3f0000 H:5:5:" GET);
	http_sim_turn(&r);
	http_sim_frames(c, text, sizeof(text));
	assert_string_equal(text, " bye3:NO_ERROR");
	assert_int_equal(ss_http_conns(r.http), 1);
	deliver(&r, c, "F:0:1:1:61");
	for (int i = 0; i < 3; i++)
		http_sim_turn(&r);
	http_sim_frames(c, text, sizeof(text));
	assert_string_equal(text, " d1:1e fin");
	leave(&r, c);
}

/* A client that never answers our PING still gets the second GOAWAY. */
static void drain_by_time(void **state)
{
	char text[4096];
	struct http_sim r;
	struct ss_tls_conn *c = connected(&r, text, sizeof(text));

	ss_http_drain(r.http, r.now);
	http_sim_wait(&r, 6 * SS_NS_PER_SEC);
	http_sim_wait(&r, SS_NS_PER_MS);
	http_sim_frames(c, text, sizeof(text));
	assert_string_equal(text, " bye2147483647:NO_ERROR ping bye0:NO_ERROR fin");
	leave(&r, c);
}

/* A listener that the new generation lacks drains its connections. */
static void removed_listener_drains(void **state)
{
	char text[4096];
	struct http_sim r;
	struct ss_tls_conn *c = connected(&r, text, sizeof(text));

	r.snap.generation++;
	r.listener.name++;
	http_sim_turn(&r);
	http_sim_frames(c, text, sizeof(text));
	assert_string_equal(text, " bye2147483647:NO_ERROR ping");
	leave(&r, c);
}

/* -- the upper room lets go -- */

static void on_let_go(struct http_sim *r, struct ss_http_stream *s, uint32_t ev)
{
	struct ss_hdrs h;
	struct ss_bufq q;
	int *how = r->arg;

	if (!(ev & SS_HTTP_EV_HEAD))
		return;
	ss_hdrs_init(&h, NULL, 0);
	h.status = 200;
	if (*how > 0)
		assert_int_equal(ss_http_send_head(s, &h, *how == 1), 0);
	if (*how == 2) {
		ss_bufq_init(&q);
		assert_int_equal(ss_bufq_append(&q, &r->bufs, "abc", 3), 0);
		assert_int_equal(ss_http_send_body(s, &q, true), 0);
	}
	ss_http_release(s);
}

/* http.h: unfinished: CANCEL; a complete response to a request that is not: NO_ERROR, after its bytes. */
static void release_early(void **state)
{
	static const char *const want[] = { " rst1:CANCEL", " h1e:200 rst1:NO_ERROR",
					    " h1:200 d1:3e rst1:NO_ERROR" };

	for (int how = 0; how < 3; how++) {
		char text[4096];
		struct http_sim r;
		struct ss_tls_conn *c = connected(&r, text, sizeof(text));

		r.on_stream = on_let_go;
		r.arg = &how;
		deliver(&r, c, "H:4:1:" POST " F:0:0:1:616263 F:0:0:1:64");
		deliver(&r, c, "F:0:1:1:6566"); /* on its way: ignored */
		http_sim_turn(&r);
		http_sim_frames(c, text, sizeof(text));
		assert_string_equal(text, want[how]);
		leave(&r, c);
	}
}

/*
 * A client may announce a length, send it all, and end the stream only when it has read the answer. A reset
 * that overtakes its END_STREAM is a failure to it; but a client that never ends it may not hold the stream.
 */
static void answered_before_the_end(void **state)
{
	static const char length[] = "H:4:1:" POST ",content-length=4 F:0:0:1:61626364";
	char text[4096];
	struct http_sim r;
	struct ss_tls_conn *c = connected(&r, text, sizeof(text));
	int how = 2;

	r.on_stream = on_let_go;
	r.arg = &how;
	deliver(&r, c, length);
	deliver(&r, c, "H:4:3:" POST ",content-length=0");
	http_sim_turn(&r);
	http_sim_frames(c, text, sizeof(text));
	assert_string_equal(text, " h1:200 d1:3e h3:200 d3:3e");
	assert_int_equal(ss_http_streams(r.http), 2);
	r.now += SS_NS_PER_SEC / 2;
	deliver(&r, c, "F:0:1:1:");
	assert_int_equal(ss_http_streams(r.http), 1);
	deliver(&r, c, "H:4:5:" POST ",content-length=0");
	http_sim_frames(c, text, sizeof(text));
	assert_string_equal(text, " h5:200 d5:3e");

	http_sim_wait(&r, SS_NS_PER_SEC / 2 + SS_NS_PER_SEC / 50);
	http_sim_frames(c, text, sizeof(text));
	assert_string_equal(text, " rst3:NO_ERROR");
	http_sim_wait(&r, SS_NS_PER_SEC / 2);
	http_sim_frames(c, text, sizeof(text));
	assert_string_equal(text, " rst5:NO_ERROR");
	assert_int_equal(ss_http_streams(r.http), 0);
	leave(&r, c);
}

/* Small windows of tls hold a large answer back, stream after stream, and let it go on. */
static void room_is_kept(void **state)
{
	char text[4096];
	struct http_sim r;
	struct ss_tls_conn *c = connected(&r, text, sizeof(text));

	c->room = 1000;
	deliver(&r, c, "H:4:1:" POST " F:0:1:1:*3000 H:4:3:" POST " F:0:1:3:*3000");
	assert_true(c->sent.len <= 1000 + 100);
	for (int i = 0; i < 20; i++) {
		ss_bufq_free(&c->sent);
		tls_sim_room(c, 1000);
		http_sim_turn(&r);
		assert_true(c->sent.len <= 1000 + 100);
	}
	assert_int_equal(c->sent.len, 0);
	assert_int_equal(ss_http_streams(r.http), 0);
	leave(&r, c);
}

/* A preface by prior knowledge on a plaintext listener (3.3), in any pieces. */
static void prior_knowledge(void **state)
{
	uint8_t bytes[512];
	char text[4096];

	for (uint32_t cut = 1; cut < 40; cut++) {
		struct http_sim r;
		struct ss_tls_conn *c;
		uint32_t n = http_sim_bytes("P S A H:5:1:" GET, bytes, sizeof(bytes));

		http_sim_init(&r, "h2_prior", 256);
		c = tls_sim_accept(&r.tls, HTTP_SIM_LISTENER, SS_ALPN_NONE);
		tls_sim_deliver(c, bytes, cut);
		http_sim_turn(&r);
		tls_sim_deliver(c, bytes + cut, n - cut);
		http_sim_turn(&r);
		http_sim_turn(&r);
		http_sim_frames(c, text, sizeof(text));
		assert_string_equal(text, " set ack h1e:200");
		leave(&r, c);
	}
}

/* More than one pull takes, and never again news of it. */
static void a_large_burst_is_read_whole(void **state)
{
	static uint8_t bytes[400000];
	char text[4096];
	struct http_sim r;
	struct ss_tls_conn *c;
	uint32_t n;

	http_sim_init(&r, "h2_burst", 2048);
	r.listener.http.stream_window = r.listener.http.conn_window = 1u << 20;
	c = tls_sim_accept(&r.tls, HTTP_SIM_LISTENER, SS_ALPN_H2);
	deliver(&r, c, "P S A");
	http_sim_frames(c, text, sizeof(text));
	n = http_sim_bytes("H:4:1:" POST, bytes, sizeof(bytes));
	for (int i = 0; i < 20; i++)
		n += http_sim_bytes(i < 19 ? "F:0:0:1:*16000" : "F:0:1:1:*16000", bytes + n, sizeof(bytes) - n);
	r.on_stream = silent;
	tls_sim_deliver(c, bytes, n);
	for (int i = 0; i < 4; i++)
		http_sim_turn(&r);
	assert_int_equal(c->rx.len, 0);
	assert_int_equal(c->consumed, n + 24 + 9 + 9);
	leave(&r, c);
}

/* Even one byte of room is used, so that tls says when there is more; nothing spins meanwhile. */
static void little_room_is_used_up(void **state)
{
	char text[4096];
	struct http_sim r;
	struct ss_tls_conn *c = connected(&r, text, sizeof(text));

	c->room = 100;
	deliver(&r, c, "H:4:1:" POST " F:0:1:1:*3000");
	http_sim_turn(&r);
	http_sim_turn(&r);
	assert_int_equal(ss_tls_room(c), 0);
	assert_true(ss_http_next(r.http) > r.now);
	leave(&r, c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_flood_ends),
		cmocka_unit_test(outbound_is_bounded),
		cmocka_unit_test(slow_resets_are_fine),
		cmocka_unit_test(pings_beside_data_are_fine),
		cmocka_unit_test(large_heads_get_431),
		cmocka_unit_test(refused_without_memory),
		cmocka_unit_test(refused_beyond_the_clients_half),
		cmocka_unit_test(idle_connection_ends),
		cmocka_unit_test(settings_must_be_acknowledged),
		cmocka_unit_test(keepalive),
		cmocka_unit_test(drain_in_two_steps),
		cmocka_unit_test(drain_by_time),
		cmocka_unit_test(removed_listener_drains),
		cmocka_unit_test(release_early),
		cmocka_unit_test(answered_before_the_end),
		cmocka_unit_test(room_is_kept),
		cmocka_unit_test(prior_knowledge),
		cmocka_unit_test(a_large_burst_is_read_whole),
		cmocka_unit_test(little_room_is_used_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
