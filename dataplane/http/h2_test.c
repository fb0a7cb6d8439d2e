/*
 * h2_test.c - a whole HTTP/2 connection against RFC 9113, clause by clause: frames in, frames out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "http/http_int.h"
#include "http/http_sim.h"

#define GET ":method=GET,:scheme=https,:authority=a,:path=/"
#define POST ":method=POST,:scheme=https,:authority=a,:path=/"
#define G1 "H:5:1:" GET /* a whole request on stream 1 */
#define P1 "H:4:1:" POST /* a request on stream 1 whose body follows */
#define PING "F:6:0:0:0102030405060708"

struct one {
	const char *clause;
	const char *in;  /* after preface, SETTINGS and its acknowledgement; "|": a turn passes */
	const char *out; /* after our SETTINGS and acknowledgement */
};

static const struct one server_cases[] = {
	/* 3.4, 4.1: the beginning, and what is unknown */
	{ "a request is answered", G1, " h1e:200" },
	{ "a body comes back", P1 " F:0:0:1:68656c6c6f F:0:1:1:", " h1:200 d1:5e" },
	{ "3.4 a second SETTINGS", "S", " ack" },
	{ "4.1 unknown types are ignored", "F:22:ff:5:aabb F:200:0:0: " PING, " pong" },
	{ "4.1 unknown flags are ignored", "F:6:f0:0:0102030405060708", " pong" },
	/* 4.2 */
	{ "4.2 DATA over the frame size", P1 " F:0:0:1:*16385", " bye1:SIZE fin" },
	{ "4.2 HEADERS over the frame size", "F:1:5:1:*16385", " bye0:SIZE fin" },
	{ "4.2 unknown type over the frame size", "F:77:0:0:*16385", " bye0:SIZE fin" },
	/* 4.3 */
	{ "4.3 index 0 in a block", "F:1:5:1:80", " bye1:COMPRESSION fin" },
	{ "4.3 PRIORITY inside a block", "F:1:1:1:82 F:2:0:1:0000000310", " bye0:PROTOCOL fin" },
	{ "4.3 another stream inside a block", "F:1:1:1:82 F:1:5:3:82", " bye0:PROTOCOL fin" },
	{ "4.3 unknown type inside a block", "F:1:1:1:82 F:99:0:1:", " bye0:PROTOCOL fin" },
	{ "4.3 a block in three parts", "F:1:1:1:8286 F:9:0:1:84 F:9:4:1:410161", " h1e:200" },
	/* 5.1 */
	{ "5.1 idle: DATA", "F:0:0:1:00", " bye0:PROTOCOL fin" },
	{ "5.1 idle: RST_STREAM", "F:3:0:1:00000008", " bye0:PROTOCOL fin" },
	{ "5.1 idle: WINDOW_UPDATE", "F:8:0:1:00000001", " bye0:PROTOCOL fin" },
	{ "5.1 idle: CONTINUATION", "F:9:4:1:82", " bye0:PROTOCOL fin" },
	{ "5.1 idle: PRIORITY is allowed", "F:2:0:1:0000000310 " G1, " h1e:200" },
	{ "5.1 half-closed (remote): DATA", G1 " F:0:0:1:00", " rst1:CLOSED" },
	{ "5.1 half-closed (remote): HEADERS", G1 " " G1, " rst1:CLOSED" },
	{ "5.1 half-closed (remote): WINDOW_UPDATE", G1 " F:8:0:1:00000001", " h1e:200" },
	{ "5.1 half-closed (remote): CONTINUATION", G1 " F:9:4:1:82", " bye1:PROTOCOL fin" },
	{ "5.1 closed: DATA", G1 " | F:0:0:1:00", " h1e:200 rst1:CLOSED" },
	{ "5.1 closed: HEADERS", G1 " | " G1, " h1e:200 bye1:CLOSED fin" },
	{ "5.1 closed: CONTINUATION", G1 " | F:9:4:1:82", " h1e:200 bye1:PROTOCOL fin" },
	{ "5.1 closed: PRIORITY, WINDOW_UPDATE, RST_STREAM", G1 " | F:2:0:1:0000000310 F:8:0:1:00000001"
	  " F:3:0:1:00000008 " PING, " h1e:200 pong" },
	{ "5.1 closed by RST_STREAM: DATA", P1 " F:3:0:1:00000008 F:0:0:1:00", " rst1:CLOSED" },
	{ "5.1 closed by RST_STREAM: HEADERS", P1 " F:3:0:1:00000008 H:5:1:a=b", " rst1:CLOSED" },
	/* 5.1.1, 5.1.2 */
	{ "5.1.1 even identifier", "H:5:2:" GET, " bye0:PROTOCOL fin" },
	{ "5.1.1 lower identifier", "H:5:5:" GET " H:5:3:" GET, " bye5:PROTOCOL fin" },
	{ "5.1.2 one stream too many",
	  "H:4:1:" POST " H:4:3:" POST " H:4:5:" POST " H:4:7:" POST " H:5:9:" GET,
	  " rst9:REFUSED h1:200 h3:200 h5:200 h7:200" },
	{ "5.1.2 what was on its way to a refused stream",
	  "H:4:1:" POST " H:4:3:" POST " H:4:5:" POST " H:4:7:" POST
	  " H:4:9:" POST " F:0:0:9:*10 F:0:1:9:*10", " rst9:REFUSED h1:200 h3:200 h5:200 h7:200" },
	/* 5.3.1 (RFC 7540) */
	{ "5.3.1 PRIORITY on itself", P1 " F:2:0:1:0000000110", " rst1:PROTOCOL" },
	/* 5.4.1: nothing is read after a connection error */
	{ "5.4.1 nothing after GOAWAY", "F:0:0:0:00 " G1 " " PING, " bye0:PROTOCOL fin" },
	/* 6.1 */
	{ "6.1 DATA on stream 0", "F:0:0:0:00", " bye0:PROTOCOL fin" },
	{ "6.1 padding as long as the payload", P1 " F:0:8:1:0500000000", " bye1:PROTOCOL fin" },
	{ "6.1 padded body comes back alone", P1 " F:0:9:1:036162000000", " h1:200 d1:2e" },
	/* 6.2 */
	{ "6.2 HEADERS on stream 0", "H:5:0:" GET, " bye0:PROTOCOL fin" },
	{ "6.2 padding too long", "F:1:d:1:0882868441016100", " bye0:PROTOCOL fin" },
	{ "6.2 padding and priority", "F:1:2d:1:0200000003108286844101610000", " h1e:200" },
	/* 6.3 */
	{ "6.3 PRIORITY on stream 0", "F:2:0:0:0000000310", " bye0:PROTOCOL fin" },
	{ "6.3 PRIORITY of four bytes", P1 " F:2:0:1:00000003", " rst1:SIZE" },
	/* 6.4 */
	{ "6.4 RST_STREAM on stream 0", "F:3:0:0:00000008", " bye0:PROTOCOL fin" },
	{ "6.4 RST_STREAM of three bytes", P1 " F:3:0:1:000008", " bye1:SIZE fin" },
	{ "6.4 RST_STREAM ends a stream", P1 " F:3:0:1:00000008 " PING, " pong" },
	/* 6.5 */
	{ "6.5 acknowledgement with a payload", "F:4:1:0:000100000000", " bye0:SIZE fin" },
	{ "6.5 SETTINGS on a stream", "F:4:0:1:", " bye0:PROTOCOL fin" },
	{ "6.5 SETTINGS of five bytes", "F:4:0:0:0001000000", " bye0:SIZE fin" },
	{ "6.5.2 ENABLE_PUSH 2", "F:4:0:0:000200000002", " bye0:PROTOCOL fin" },
	{ "6.5.2 INITIAL_WINDOW_SIZE over 2^31-1", "F:4:0:0:000480000000", " bye0:FLOW fin" },
	{ "6.5.2 MAX_FRAME_SIZE 16383", "F:4:0:0:000500003fff", " bye0:PROTOCOL fin" },
	{ "6.5.2 MAX_FRAME_SIZE 2^24", "F:4:0:0:000501000000", " bye0:PROTOCOL fin" },
	{ "6.5.2 unknown setting", "F:4:0:0:00ff00000001", " ack" },
	/* 6.6 */
	{ "6.6 a client pushes", P1 " F:5:4:1:0000000282", " bye1:PROTOCOL fin" },
	/* 6.7 */
	{ "6.7 PING", PING, " pong" },
	{ "6.7 PING's acknowledgement is not answered", "F:6:1:0:0102030405060708 S", " ack" },
	{ "6.7 PING on a stream", "F:6:0:1:0102030405060708", " bye0:PROTOCOL fin" },
	{ "6.7 PING of six bytes", "F:6:0:0:010203040506", " bye0:SIZE fin" },
	/* 6.8 */
	{ "6.8 GOAWAY on a stream", "F:7:0:1:0000000000000000", " bye0:PROTOCOL fin" },
	{ "6.8 GOAWAY of four bytes", "F:7:0:0:00000000", " bye0:SIZE fin" },
	{ "6.8 the client leaves, its request is served", G1 " F:7:0:0:0000000000000000", " h1e:200" },
	/* 6.9 */
	{ "6.9 increment 0 on the connection", "F:8:0:0:00000000", " bye0:PROTOCOL fin" },
	{ "6.9 increment 0 on a stream", P1 " F:8:0:1:00000000", " rst1:PROTOCOL" },
	{ "6.9 WINDOW_UPDATE of three bytes", "F:8:0:0:000001", " bye0:SIZE fin" },
	{ "6.9.1 connection window over 2^31-1", "F:8:0:0:7fffffff", " bye0:FLOW fin" },
	{ "6.9.1 stream window over 2^31-1", P1 " F:8:0:1:7fffffff", " rst1:FLOW" },
	{ "6.9.2 a new initial window lifts a stream over 2^31-1",
	  P1 " F:8:0:1:7fff0000 F:4:0:0:000400020000",
	  " bye1:FLOW fin" },
	{ "6.9.1 more DATA than the window",
	  P1 " F:0:0:1:*16384 F:0:0:1:*16384 F:0:0:1:*16384 F:0:0:1:*16384",
	  " bye1:FLOW fin" },
	{ "6.9.2 a window of 3",
	  "F:4:0:0:000400000003 " P1 " F:0:1:1:68656c6c6f | F:8:0:1:00000001 | F:8:0:1:00000005",
	  " ack h1:200 d1:3 d1:1 d1:1e" },
	{ "6.9.2 a window below zero",
	  P1 " F:0:0:1:6868 | F:4:0:0:000400000000 F:0:1:1:6868 | F:8:0:1:00000003 | "
	  "F:8:0:1:00000002", " h1:200 d1:2 ack d1:1 d1:1e" },
	{ "6.9.1 an end needs no window", "F:4:0:0:000400000000 " P1 " | F:0:1:1:", " ack h1:200 d1:0e" },
	{ "6.9 the window is given back", P1 " F:0:0:1:*16384 F:0:0:1:*16384 | " PING,
	  " h1:200 win0:32768 win1:32768 d1:16384 d1:16384 pong" },
	/* 6.10 */
	{ "6.10 CONTINUATION on stream 0", "F:1:1:1:82 F:9:4:0:84", " bye0:PROTOCOL fin" },
	{ "6.10 CONTINUATION after the end", G1 " F:9:4:1:84", " bye1:PROTOCOL fin" },
	/* 8.1 */
	{ "8.1 trailers", P1 " F:0:0:1:6161 H:5:1:grpc-status=0", " h1:200 d1:2 h1e:" },
	{ "8.1 second HEADERS without the end", P1 " H:4:1:a=b", " rst1:PROTOCOL" },
	{ "8.1 a pseudo-header field in trailers", P1 " H:5:1::path=/", " rst1:PROTOCOL" },
	{ "8.1.1 content-length too small", "H:4:1:" POST ",content-length=1 F:0:1:1:6161",
	  " rst1:PROTOCOL" },
	{ "8.1.1 content-length too large", "H:4:1:" POST ",content-length=3 F:0:1:1:6161",
	  " rst1:PROTOCOL" },
	{ "8.1.1 content-length without a body", "H:5:1:" POST ",content-length=3", " rst1:PROTOCOL" },
	{ "8.1.1 content-length right", "H:4:1:" POST ",content-length=2 F:0:1:1:6161", " h1:200 d1:2e" },
	{ "8.1.1 content-length twice, different", "H:4:1:" POST ",content-length=2,content-length=3",
	  " rst1:PROTOCOL" },
	{ "8.1.1 content-length not a number", "H:4:1:" POST ",content-length=2x", " rst1:PROTOCOL" },
	/* 8.2 */
	{ "8.2.1 upper case name", "H:5:1:" GET ",X-a=b", " rst1:PROTOCOL" },
	{ "8.2.1 a control byte in a value", "H:5:1:" GET ",a=\x01", " rst1:PROTOCOL" },
	{ "8.2.2 connection", "H:5:1:" GET ",connection=close", " rst1:PROTOCOL" },
	{ "8.2.2 keep-alive", "H:5:1:" GET ",keep-alive=1", " rst1:PROTOCOL" },
	{ "8.2.2 proxy-connection", "H:5:1:" GET ",proxy-connection=close", " rst1:PROTOCOL" },
	{ "8.2.2 transfer-encoding", "H:5:1:" GET ",transfer-encoding=chunked", " rst1:PROTOCOL" },
	{ "8.2.2 upgrade", "H:5:1:" GET ",upgrade=x", " rst1:PROTOCOL" },
	{ "8.2.2 te: trailers", "H:5:1:" GET ",te=trailers", " h1e:200" },
	{ "8.2.2 te: gzip", "H:5:1:" GET ",te=gzip", " rst1:PROTOCOL" },
	/* 8.3 */
	{ "8.3 unknown pseudo-header field", "H:5:1:" GET ",:x=1", " rst1:PROTOCOL" },
	{ "8.3 a pseudo-header field after others", "H:5:1::method=GET,:scheme=https,a=b,:path=/",
	  " rst1:PROTOCOL" },
	{ "8.3 :status in a request", "H:5:1:" GET ",:status=200", " rst1:PROTOCOL" },
	{ "8.3.1 no :method", "H:5:1::scheme=https,:path=/,:authority=a", " rst1:PROTOCOL" },
	{ "8.3.1 no :scheme", "H:5:1::method=GET,:path=/,:authority=a", " rst1:PROTOCOL" },
	{ "8.3.1 no :path", "H:5:1::method=GET,:scheme=https,:authority=a", " rst1:PROTOCOL" },
	{ "8.3.1 empty :path", "H:5:1::method=GET,:scheme=https,:authority=a,:path=", " rst1:PROTOCOL" },
	{ "8.3.1 :path twice", "H:5:1:" GET ",:path=/", " rst1:PROTOCOL" },
	{ "8.3.1 Host differs from :authority", "H:5:1:" GET ",host=b", " rst1:PROTOCOL" },
	{ "8.3.1 Host equals :authority", "H:5:1:" GET ",host=a", " h1e:200" },
	{ "8.3.1 a path over the root", "H:5:1::method=GET,:scheme=https,:authority=a,:path=/../x",
	  " h1e:400" },
	{ "8.3.1 an authority that is none", "H:5:1::method=GET,:scheme=https,:authority=a:b:c,:path=/",
	  " rst1:PROTOCOL" },
	{ "8.5 CONNECT with a path", "H:5:1::method=CONNECT,:authority=a:1,:path=/", " rst1:PROTOCOL" },
	{ "RFC 8441 3 :protocol without our setting",
	  "H:5:1::method=CONNECT,:scheme=https,:authority=a,:path=/,"
	  ":protocol=websocket", " rst1:PROTOCOL" },
};

/* Plays `in` to a new downstream connection; its frames after our SETTINGS come as text. */
static void play(struct http_sim *r, struct ss_tls_conn *c, const char *in, char *text, size_t n)
{
	static uint8_t bytes[1u << 18];
	char part[4096];

	while (*in) {
		size_t len = strcspn(in, "|");
		assert_true(len < sizeof(part));
		memcpy(part, in, len);
		part[len] = 0;
		tls_sim_deliver(c, bytes, http_sim_bytes(part, bytes, sizeof(bytes)));
		http_sim_turn(r);
		http_sim_turn(r); /* SENT and the like */
		in += len + (in[len] == '|');
		in += strspn(in, " ");
	}
	http_sim_frames(c, text, n);
}

/* The peer goes away; whatever was refused before must leave nothing behind. */
static void leave(struct http_sim *r, struct ss_tls_conn *c)
{
	tls_sim_eof(c);
	for (int i = 0; i < 4; i++)
		http_sim_turn(r);
}

static void clauses_of_a_server(void **state)
{
	int failed = 0;

	for (size_t i = 0; i < SS_ARRAY_LEN(server_cases); i++) {
		const struct one *t = &server_cases[i];
		struct http_sim r;
		struct ss_tls_conn *c;
		char text[4096], *got = text;

		if (!t->out)
			continue;
		http_sim_init(&r, "h2_test", 512);
		c = tls_sim_accept(&r.tls, HTTP_SIM_LISTENER, SS_ALPN_H2);
		play(&r, c, "P S A", text, sizeof(text));
		assert_string_equal(text, " set ack");
		play(&r, c, t->in, text, sizeof(text));
		if (strcmp(got, t->out) != 0) {
			printf("%s\n  want%s\n  got %s\n", t->clause, t->out, got);
			failed++;
		}
		leave(&r, c);
		http_sim_free(&r);
	}
	assert_int_equal(failed, 0);
}

/* -- heads of any size arrive whole -- */

struct sized {
	struct ss_hdr v[12];
	struct ss_hdrs want;
	uint32_t right;
};

static void compare(struct http_sim *r, struct ss_http_stream *s, uint32_t ev)
{
	struct sized *t = r->arg;
	const struct ss_hdrs *h = ss_http_head(s);

	if (ev & SS_HTTP_EV_HEAD) {
		assert_int_equal(h->n, t->want.n);
		assert_true(ss_span_eq(h->path, t->want.path));
		for (uint16_t i = 0; i < h->n; i++) {
			assert_true(ss_span_eq(h->v[i].name, t->want.v[i].name));
			assert_true(ss_span_eq(h->v[i].value, t->want.v[i].value));
		}
		t->right++;
	}
	http_sim_echo(r, s, ev);
}

/* Ten fields of n bytes each, as literals, then from the table: some fit the arena's first chunk. */
static void heads_of_any_size(void **state)
{
	static uint8_t text[1600], frame[20000];
	struct ss_hpack_enc enc;

	for (uint32_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)('a' + i * 7 % 26);
	for (uint32_t n = 0; n < 1500; n += 37) {
		struct sized t = {.right = 0};
		struct http_sim r;
		struct ss_tls_conn *c;
		char words[4096];
		http_sim_init(&r, "h2_sized", 512);
		r.on_stream = compare;
		r.arg = &t;
		c = tls_sim_accept(&r.tls, HTTP_SIM_LISTENER, SS_ALPN_H2);
		play(&r, c, "P S A", words, sizeof(words));
		ss_hpack_enc_init(&enc);
		ss_hdrs_init(&t.want, t.v, SS_ARRAY_LEN(t.v));
		t.want.method = SS_SPAN("GET");
		t.want.scheme = SS_SPAN("https");
		t.want.authority = SS_SPAN("a");
		t.want.path = SS_SPAN("/");
		for (uint32_t i = 0; i < 10; i++)
			ss_hdrs_add(&t.want, ss_span(text + i, 3 + i), ss_span(text + i * 5, n), 0);
		for (uint32_t id = 1; id < 9; id += 2) {
			struct ss_out o = ss_out(frame + SS_H2_HEAD, sizeof(frame) - SS_H2_HEAD);
			int len = ss_hpack_encode(&enc, &t.want, &o);
			assert_in_range(len, 1, SS_H2_MAX_FRAME_MIN);
			ss_h2frame_put(frame, (uint32_t)len, SS_H2_HEADERS,
				       SS_H2_F_END_HEADERS | SS_H2_F_END_STREAM, id);
			tls_sim_deliver(c, frame, SS_H2_HEAD + (uint32_t)len);
			http_sim_turn(&r);
			http_sim_turn(&r);
		}
		assert_int_equal(t.right, 4);
		leave(&r, c);
		http_sim_free(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clauses_of_a_server),
		cmocka_unit_test(heads_of_any_size),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
