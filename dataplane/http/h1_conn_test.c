/* h1_conn_test.c - whole HTTP/1.1 connections of clients, against RFC 9112: text in, text out. */
#include "http/h1_bed.h"

static const struct one {
	const char *clause, *in, *out; /* "|" in `in`: a turn passes */
} server_cases[] = {
	{"a request is answered", GET, EMPTY},
	{"9.3.2 pipelined requests are answered in order", GET CHUNKED "2\r\nhi\r\n0\r\n\r\n" GET,
	 EMPTY ECHO "2\r\nhi\r\n0\r\n\r\n" EMPTY},
	{"a head in two pieces", "GET / HT|TP/1.1\r\nhost: a\r\n\r|\n", EMPTY},
	{"2.2 empty lines in front", "\r\n\r\n" GET, EMPTY},
	{"6.2 a body of known length", POST "content-length: 5\r\n\r\nhello" GET,
	 ECHO "5\r\nhello\r\n0\r\n\r\n" EMPTY},
	{"7.1 chunks and extensions", CHUNKED "3;a=b\r\nabc\r\n|2\r\nde\r\n0\r\n\r\n",
	 ECHO "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"},
	{"7.1.2 trailers", CHUNKED "1\r\na\r\n0\r\nx-sum: 1\r\n\r\n", ECHO "1\r\na\r\n0\r\nx-sum: 1\r\n\r\n"},
	{"6.2 a body of no bytes", POST "content-length: 0\r\n\r\n" GET, EMPTY EMPTY},
	{"9.6 the client wants to close", "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n" GET,
	 EMPTY_CLOSE "[fin]"},
	{"9.3 HTTP/1.0 closes", "GET / HTTP/1.0\r\n\r\n", EMPTY_CLOSE "[fin]"},
	{"9.3 HTTP/1.0 with keep-alive", "GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n" GET,
	 "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive\r\n\r\n" EMPTY},
	{"7 no chunks to HTTP/1.0",
	 "POST / HTTP/1.0\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nhi",
	 "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhi[fin]"},
	{"9110 9.3.2 HEAD has no body", "HEAD / HTTP/1.1\r\nhost: a\r\n\r\n" GET,
	 "HTTP/1.1 200 OK\r\n\r\n" EMPTY},
	{"9110 9.3.6 nothing after CONNECT is HTTP", "CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n" GET,
	 EMPTY_CLOSE "[fin]"},
	{"9110 10.1.1 a final answer instead of 100",
	 POST "content-length: 2\r\nexpect: 100-continue\r\n\r\n|hi" GET,
	 "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: "
	 "close\r\n\r\n2\r\nhi\r\n0\r\n\r\n[fin]"},
	{"9110 10.1.1 no 100 when the body is there",
	 POST "content-length: 2\r\nexpect: 100-continue\r\n\r\nhi", ECHO "2\r\nhi\r\n0\r\n\r\n"},
	/* refused */
	{"2.2 bare LF", "GET / HTTP/1.1\nhost: a\r\n\r\n" GET, BAD "[fin]"},
	{"3 bad method", "G ET / HTTP/1.1\r\nhost: a\r\n\r\n", BAD "[fin]"},
	{"2.3 HTTP/2.0", "GET / HTTP/2.0\r\nhost: a\r\n\r\n",
	 REFUSED("505 HTTP Version Not Supported") "[fin]"},
	{"3.2 no Host", "GET / HTTP/1.1\r\n\r\n", BAD "[fin]"},
	{"a path over the root", "GET /../a HTTP/1.1\r\nhost: a\r\n\r\n", BAD "[fin]"},
	{"6.3 two lengths", POST "content-length: 1\r\ncontent-length: 1\r\n\r\na" GET, BAD "[fin]"},
	{"6.1 length and coding", POST "content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
	 BAD "[fin]"},
	{"6.1 unknown coding", POST "transfer-encoding: gzip, chunked\r\n\r\n",
	 REFUSED("501 Not Implemented") "[fin]"},
	{"7.1 bad chunk size", CHUNKED "x\r\n", BAD "[fin]"},
	{"7.1 bad chunk size after the answer began", CHUNKED "|x\r\n", ECHO "[fin]"},
	{"7.1 a chunk without its end", CHUNKED "1\r\na|b", ECHO "1\r\na\r\n[fin]"},
	{"6.5.1 a length in trailers", CHUNKED "|0\r\ncontent-length: 1\r\n\r\n", ECHO "[fin]"},
	{"a good request before a bad one", GET "x\r\n\r\n" GET, EMPTY BAD "[fin]"},
};

static void run_server_case(const struct one *k)
{
	struct http_sim r;
	char text[8192];

	http_sim_init(&r, "h1_server", 512);
	struct ss_tls_conn *t = tls_sim_accept(&r.tls, HTTP_SIM_LISTENER, SS_ALPN_H1);
	http_sim_turn(&r);
	for (const char *p = k->in;;) {
		size_t n = strcspn(p, "|");
		memcpy(text, p, n);
		text[n] = 0;
		deliver(&r, t, text);
		if (!p[n])
			break;
		p += n + 1;
	}
	settle(&r);
	const char *got = sent(t);
	if (strcmp(got, k->out) != 0)
		fail_msg("%s:\n%s\nnot\n%s", k->clause, got, k->out);
	finish(&r, t);
	http_sim_free(&r);
}

static void a_server_does_what_rfc9112_says(void **state)
{
	for (size_t i = 0; i < SS_ARRAY_LEN(server_cases); i++)
		run_server_case(&server_cases[i]);
}

static void limits_of_a_head(void **state)
{
	struct http_sim r;
	char many[20000] = "GET / HTTP/1.1\r\nhost: a\r\n";

	http_sim_init(&r, "h1_limits", 512);
	/* One field too many. */
	for (int i = 0; i < 65; i++)
		strcat(many, "a: b\r\n");
	strcat(many, "\r\n");
	struct ss_tls_conn *t = tls_sim_accept(&r.tls, HTTP_SIM_LISTENER, SS_ALPN_H1);
	deliver(&r, t, many);
	settle(&r);
	assert_string_equal(sent(t), REFUSED("431 Request Header Fields Too Large") "[fin]");
	finish(&r, t);
	/* Too many bytes, and no end in sight. */
	t = tls_sim_accept(&r.tls, HTTP_SIM_LISTENER, SS_ALPN_H1);
	memset(many, 'a', 17000);
	memcpy(many, "GET /", 5);
	many[17000] = 0;
	deliver(&r, t, many);
	settle(&r);
	assert_string_equal(sent(t), REFUSED("431 Request Header Fields Too Large") "[fin]");
	assert_int_equal(r.counters.drops[SS_DROP_HEADERS_TOO_LARGE], 2);
	finish(&r, t);
	http_sim_free(&r);
}

static void time_runs_out(void **state)
{
	struct http_sim r;

	http_sim_init(&r, "h1_time", 512);
	struct ss_tls_conn *idle = tls_sim_accept(&r.tls, HTTP_SIM_LISTENER, SS_ALPN_H1);
	struct ss_tls_conn *slow = tls_sim_accept(&r.tls, HTTP_SIM_LISTENER, SS_ALPN_H1);
	deliver(&r, slow, "GET / HT");
	http_sim_wait(&r, 9 * SS_NS_PER_SEC);
	deliver(&r, slow, "TP/1.1\r\n");
	assert_string_equal(sent(slow), "");
	http_sim_wait(&r, 2 * SS_NS_PER_SEC); /* a byte now and then does not help */
	assert_string_equal(sent(slow), REFUSED("408 Request Timeout") "[fin]");
	http_sim_wait(&r, 50 * SS_NS_PER_SEC);
	assert_string_equal(sent(idle), "[fin]");
	assert_int_equal(r.counters.drops[SS_DROP_H1_HEAD_TIMEOUT], 1);
	assert_int_equal(r.counters.drops[SS_DROP_HTTP_IDLE], 1);
	finish(&r, idle);
	finish(&r, slow);
	http_sim_free(&r);
}

static void a_drain_lets_the_exchange_end(void **state)
{
	struct http_sim r;

	http_sim_init(&r, "h1_drain", 512);
	struct ss_tls_conn *idle = tls_sim_accept(&r.tls, HTTP_SIM_LISTENER, SS_ALPN_H1);
	struct ss_tls_conn *begun = tls_sim_accept(&r.tls, HTTP_SIM_LISTENER, SS_ALPN_H1);
	struct ss_tls_conn *busy = tls_sim_accept(&r.tls, HTTP_SIM_LISTENER, SS_ALPN_H1);
	deliver(&r, idle, GET);
	assert_string_equal(sent(idle), EMPTY);
	deliver(&r, begun, "GET / HTTP/1.1\r\n");
	deliver(&r, busy, CHUNKED "1\r\na\r\n");
	ss_http_drain(r.http, r.now);
	settle(&r);
	assert_string_equal(sent(idle), "[fin]");
	deliver(&r, begun, "host: a\r\n\r\n");
	settle(&r);
	assert_string_equal(sent(begun), EMPTY_CLOSE "[fin]");
	deliver(&r, busy, "0\r\n\r\n" GET);
	settle(&r);
	assert_string_equal(sent(busy), ECHO "1\r\na\r\n0\r\n\r\n[fin]");
	finish(&r, idle);
	finish(&r, begun);
	finish(&r, busy);
	http_sim_free(&r);
}

/* The age of a connection ends it in order, up to an eighth early, and not two at once; so does a certificate. */
static void an_age_ends_it_in_order(void **state)
{
	struct ss_wall wall = { .offset_ns = 1000 * SS_NS_PER_SEC };
	struct http_sim r;

	http_sim_init(&r, "h1_age", 512);
	r.listener.http.max_connection_age_ns = 80 * SS_NS_PER_SEC;
	r.listener.http.idle_timeout_ns = 0;
	r.snap.wall = &wall;
	struct ss_tls_conn *a = tls_sim_accept(&r.tls, HTTP_SIM_LISTENER, SS_ALPN_H1);
	struct ss_tls_conn *busy = tls_sim_accept(&r.tls, HTTP_SIM_LISTENER, SS_ALPN_H1);
	struct ss_tls_conn *cert = tls_sim_accept(&r.tls, HTTP_SIM_LISTENER, SS_ALPN_H1);
	struct ss_tls_conn *expired = tls_sim_accept(&r.tls, HTTP_SIM_LISTENER, SS_ALPN_H1);
	cert->peer.names = &(struct ss_peer_names){ .until = 1000 + (int64_t)(r.now / SS_NS_PER_SEC) + 40 };
	expired->peer.names = &(struct ss_peer_names){ .until = 999 };
	for (struct ss_tls_conn **c = (struct ss_tls_conn *[]){ a, busy, cert, expired, NULL }; *c; c++) {
		deliver(&r, *c, GET);
		assert_string_equal(sent(*c), EMPTY);
	}
	http_sim_wait(&r, 34 * SS_NS_PER_SEC);
	deliver(&r, cert, GET);
	assert_string_equal(sent(cert), EMPTY);
	deliver(&r, busy, CHUNKED "1\r\na\r\n");
	http_sim_wait(&r, 5 * SS_NS_PER_SEC);
	assert_false(cert->shutdown);
	deliver(&r, cert, GET);
	settle(&r);
	assert_string_equal(sent(cert), EMPTY_CLOSE "[fin]"); /* a second before its certificate ends */
	http_sim_wait(&r, 30 * SS_NS_PER_SEC);
	assert_false(a->shutdown);
	http_sim_wait(&r, 11 * SS_NS_PER_SEC);
	assert_false(a->shutdown);
	http_sim_wait(&r, 2 * SS_NS_PER_SEC); /* no last request has come */
	settle(&r);
	assert_string_equal(sent(a), "[fin]");
	assert_string_equal(sent(expired), "[fin]"); /* at its age: a certificate that had ended already ends nothing */
	deliver(&r, busy, "0\r\n\r\n");
	settle(&r);
	assert_string_equal(sent(busy), ECHO "1\r\na\r\n0\r\n\r\n[fin]");
	assert_int_equal(ss_counter_read(&r.counters, SS_C_HTTP_RETIRED), 4);
	for (struct ss_tls_conn **c = (struct ss_tls_conn *[]){ a, busy, cert, expired, NULL }; *c; c++)
		finish(&r, *c);
	http_sim_free(&r);
}

/* An upper room that answers at once and lets go. */
static void early(struct http_sim *r, struct ss_http_stream *s, uint32_t ev)
{
	struct ss_hdrs h;

	if (ev & SS_HTTP_EV_HEAD) {
		ss_hdrs_init(&h, NULL, 0);
		h.status = 403;
		assert_int_equal(ss_http_send_head(s, &h, true), 0);
	}
	if (ev & (SS_HTTP_EV_SENT | SS_HTTP_EV_RESET))
		ss_http_release(s);
}

static void an_early_answer_reads_the_rest_or_closes(void **state)
{
	struct http_sim r;
	static char big[70001];

	http_sim_init(&r, "h1_early", 1024);
	r.on_stream = early;
	struct ss_tls_conn *t = tls_sim_accept(&r.tls, HTTP_SIM_LISTENER, SS_ALPN_H1);
	deliver(&r, t, POST "content-length: 10\r\n\r\n12345");
	settle(&r);
	assert_string_equal(sent(t), "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
	deliver(&r, t, "67890" GET);
	settle(&r);
	assert_string_equal(sent(t), "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
	/* Longer than is worth reading. */
	deliver(&r, t, POST "content-length: 1000000\r\n\r\n");
	memset(big, 'x', 70000);
	for (int i = 0; i < 5; i++)
		deliver(&r, t, big);
	settle(&r);
	assert_string_equal(sent(t), "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n[fin]");
	finish(&r, t);
	/* A client that waits for 100 is told no, and the connection ends: its body may come or not. */
	t = tls_sim_accept(&r.tls, HTTP_SIM_LISTENER, SS_ALPN_H1);
	deliver(&r, t, POST "content-length: 2\r\nexpect: 100-continue\r\n\r\n");
	settle(&r);
	assert_string_equal(sent(t),
			    "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
	deliver(&r, t, "hi");
	settle(&r);
	assert_string_equal(sent(t), "[fin]");
	finish(&r, t);
	http_sim_free(&r);
}

/* An upper room that takes no body until it is told to. */
static struct ss_http_stream *held;

static void hold(struct http_sim *r, struct ss_http_stream *s, uint32_t ev)
{
	if (ev & SS_HTTP_EV_RESET) {
		held = NULL;
		ss_http_release(s);
	} else {
		held = s;
	}
}

static void a_slow_reader_stops_the_sender(void **state)
{
	struct http_sim r;
	static char big[50001];

	http_sim_init(&r, "h1_slow", 1024);
	r.on_stream = hold;
	struct ss_tls_conn *t = tls_sim_accept(&r.tls, HTTP_SIM_LISTENER, SS_ALPN_H1);
	deliver(&r, t, POST "content-length: 500000\r\n\r\n");
	memset(big, 'x', 50000);
	for (int i = 0; i < 10; i++)
		deliver(&r, t, big);
	settle(&r);
	assert_int_equal(ss_http_body(held)->len, SS_H1_UNREAD_MAX);
	assert_true(t->consumed <= SS_H1_UNREAD_MAX + sizeof(big) + 100);
	for (int i = 0; i < 100 && !ss_http_ended(held); i++) {
		uint32_t n = ss_http_body(held)->len;
		ss_bufq_free(ss_http_body(held));
		ss_http_consumed(held, n);
		http_sim_turn(&r);
	}
	assert_true(ss_http_ended(held));
	assert_int_equal(ss_http_bytes_in(held), 500000);
	finish(&r, t);
	http_sim_free(&r);
}

static void a_wanted_body_is_asked_for(void **state)
{
	struct http_sim r;

	http_sim_init(&r, "h1_expect", 512);
	r.on_stream = hold;
	struct ss_tls_conn *t = tls_sim_accept(&r.tls, HTTP_SIM_LISTENER, SS_ALPN_H1);
	deliver(&r, t, POST "content-length: 2\r\nexpect: 100-continue\r\n\r\n");
	assert_string_equal(sent(t), "HTTP/1.1 100 Continue\r\n\r\n");
	assert_null(ss_hdrs_find(ss_http_head(held), SS_H_EXPECT));
	deliver(&r, t, "hi");
	assert_string_equal(sent(t), "");
	assert_int_equal(ss_http_body(held)->len, 2);
	/* Again on the same connection. */
	r.on_stream = NULL;
	http_sim_echo(&r, held, SS_HTTP_EV_HEAD);
	settle(&r);
	sent(t);
	r.on_stream = hold;
	deliver(&r, t, POST "content-length: 2\r\nexpect: 100-continue\r\n\r\n");
	assert_string_equal(sent(t), "HTTP/1.1 100 Continue\r\n\r\n");
	finish(&r, t);
	http_sim_free(&r);
}

static void a_lost_client_is_news(void **state)
{
	struct http_sim r;

	http_sim_init(&r, "h1_lost", 512);
	r.on_stream = hold;
	struct ss_tls_conn *t = tls_sim_accept(&r.tls, HTTP_SIM_LISTENER, SS_ALPN_H1);
	deliver(&r, t, POST "content-length: 5\r\n\r\nab");
	assert_non_null(held);
	tls_sim_eof(t);
	settle(&r);
	assert_null(held);
	finish(&r, t);
	http_sim_free(&r);
}

/* -- whatever the pieces, the room and the packet buffers: the same bytes -- */

static void pieces_do_not_matter(void **state)
{
	static const char in[] = GET CHUNKED "a\r\n0123456789\r\n5;x\r\nhello\r\n0\r\nt: 1\r\n\r\n" POST
					     "content-length: 26\r\n\r\nabcdefghijklmnopqrstuvwxyz"
					     "HEAD /x HTTP/1.1\r\nhost: a\r\n\r\n" GET;

	for (uint64_t seed = 1; seed <= 300; seed++) {
		struct http_sim r;
		struct ss_rng rng;
		uint32_t at = 0;
		char out[4096] = "";
		ss_rng_seed(&rng, seed);
		http_sim_init(&r, "h1_pieces", 512);
		struct ss_tls_conn *t = tls_sim_accept(&r.tls, HTTP_SIM_LISTENER, SS_ALPN_H1);
		while (at < sizeof(in) - 1) {
			uint32_t n = ss_min_u32(1 + ss_rng_below(&rng, 40), sizeof(in) - 1 - at);
			tls_sim_deliver(t, in + at, n);
			at += n;
			if (ss_rng_chance(&rng, 1, 3))
				tls_sim_room(t, ss_rng_below(&rng, 30));
			if (ss_rng_chance(&rng, 2, 3))
				http_sim_turn(&r);
			strcat(out, sent(t));
		}
		for (int i = 0; i < 60; i++) {
			tls_sim_room(t, 1000);
			http_sim_turn(&r);
			strcat(out, sent(t));
		}
		/* Chunk borders of ours may differ: the bodies and the number of messages do not. */
		char bodies[256] = "", *to = bodies;
		unsigned heads = 0;
		for (char *p = out; *p;) {
			if (strncmp(p, "HTTP/1.1 200 OK\r\n", 17) == 0) {
				heads++;
				p = strstr(p, "\r\n\r\n") + 4;
			} else {
				char *end;
				unsigned long n = strtoul(p, &end, 16);
				if (end == p || strncmp(end, "\r\n", 2) != 0)
					fail_msg("seed %lu: %s", seed, out);
				memcpy(to, end + 2, n);
				to += n;
				p = n ? end + 2 + n + 2 : strstr(end, "\r\n\r\n") + 4;
			}
		}
		*to = 0;
		assert_string_equal(bodies, "0123456789helloabcdefghijklmnopqrstuvwxyz");
		assert_int_equal(heads, 5);
		finish(&r, t);
		http_sim_free(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_server_does_what_rfc9112_says),
		cmocka_unit_test(limits_of_a_head),
		cmocka_unit_test(time_runs_out),
		cmocka_unit_test(a_drain_lets_the_exchange_end),
		cmocka_unit_test(an_age_ends_it_in_order),
		cmocka_unit_test(an_early_answer_reads_the_rest_or_closes),
		cmocka_unit_test(a_slow_reader_stops_the_sender),
		cmocka_unit_test(a_wanted_body_is_asked_for),
		cmocka_unit_test(a_lost_client_is_news),
		cmocka_unit_test(pieces_do_not_matter),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
