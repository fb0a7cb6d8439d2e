/*
 * h2_client_test.c - HTTP/2 as a client against RFC 9113: what a server's frames become.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "http/http_int.h"
#include "http/http_sim.h"

struct one {
	const char *clause;
	const char *requests; /* G: GET, H: HEAD, P: POST whose body does not end */
	const char *in;       /* after the server's SETTINGS and acknowledgement; "|": a turn passes */
	const char *news;     /* of streams and the connection */
	const char *out;      /* frames after our acknowledgement */
};

#define OK "H:4:1::status=200"
#define OKE "H:5:1::status=200"

static const struct one cases[] = {
	{ "a response", "G", OK " F:0:0:1:6161 F:0:1:1:", " 1:head200:body2:end", "" },
	{ "a response without a body", "G", OKE, " 1:head200:end", "" },
	{ "8.1 informational, then final", "G", "H:4:1::status=103 | " OKE, " 1:info103 1:head200:end", "" },
	{ "8.1 informational with the end", "G", "H:5:1::status=103", " 1:reset:upstream_protocol",
	  " rst1:PROTOCOL" },
	{ "8.6 101 is not for HTTP/2", "G", "H:4:1::status=101", " 1:reset:upstream_protocol",
	  " rst1:PROTOCOL" },
	{ "8.1 trailers", "G", OK " F:0:0:1:61 H:5:1:grpc-status=0", " 1:head200:body1:end:trailers", "" },
	{ "8.1 DATA before the head", "G", "F:0:0:1:61", " 1:reset:upstream_protocol", " rst1:PROTOCOL" },
	{ "8.1 DATA after 1xx only", "G", "H:4:1::status=100 F:0:1:1:61",
	  " 1:info100:reset:upstream_protocol",
	  " rst1:PROTOCOL" },
	{ "8.1 trailers without the end", "G", OK " H:4:1:a=b", " 1:head200:reset:upstream_protocol",
	  " rst1:PROTOCOL" },
	{ "8.1 the answer is complete, then NO_ERROR", "P", OKE " F:3:0:1:00000000", " 1:head200:end", "" },
	{ "8.1.1 too few bytes", "G", "H:4:1::status=200,content-length=3 F:0:1:1:61",
	  " 1:head200:body1:reset:upstream_protocol", " rst1:PROTOCOL" },
	{ "8.1.1 too many bytes", "G", "H:4:1::status=200,content-length=1 F:0:1:1:6161",
	  " 1:head200:reset:upstream_protocol", " rst1:PROTOCOL" },
	{ "8.1.1 HEAD may promise bytes", "H", "H:5:1::status=200,content-length=3", " 1:head200:end", "" },
	{ "8.1.1 HEAD may not carry them", "H", "H:4:1::status=200,content-length=3 F:0:1:1:616161",
	  " 1:head200:reset:upstream_protocol", " rst1:PROTOCOL" },
	{ "8.1.1 304 may promise bytes", "G", "H:5:1::status=304,content-length=3", " 1:head304:end", "" },
	{ "8.2.2 connection in a response", "G", "H:5:1::status=200,connection=close",
	  " 1:reset:upstream_protocol",
	  " rst1:PROTOCOL" },
	{ "8.3.2 no :status", "G", "H:5:1:a=b", " 1:reset:upstream_protocol", " rst1:PROTOCOL" },
	{ "8.3.2 a request's field", "G", "H:5:1::status=200,:path=/", " 1:reset:upstream_protocol",
	  " rst1:PROTOCOL" },
	{ "8.3.2 a status of two digits", "G", "H:5:1::status=20", " 1:reset:upstream_protocol",
	  " rst1:PROTOCOL" },
	{ "8.4 a push", "G", "F:5:4:1:0000000282", " gone:h2_protocol 1:reset:upstream_protocol",
	  " bye0:PROTOCOL fin" },
	{ "5.1.1 the server opens a stream", "G", "H:4:2::status=200",
	  " gone:h2_protocol 1:reset:upstream_protocol", " bye0:PROTOCOL fin" },
	{ "5.1 a stream not opened yet", "G", "H:4:3::status=200",
	  " gone:h2_protocol 1:reset:upstream_protocol",
	  " bye0:PROTOCOL fin" },
	{ "6.4 RST_STREAM", "G", "F:3:0:1:00000008", " 1:reset:upstream_stream_reset", "" },
	{ "8.7 REFUSED_STREAM was not processed", "G", "F:3:0:1:00000007",
	  " 1:reset:upstream_stream_reset:unprocessed",
	  "" },
	{ "6.5.2 a server sets ENABLE_PUSH", "G", "F:4:0:0:000200000001",
	  " gone:h2_protocol 1:reset:upstream_protocol", " bye0:PROTOCOL fin" },
	{ "5.1.2 the server takes one at a time", "G", "F:4:0:0:000300000001 | " OKE, " slot 1:head200:end",
	  " ack" },
	{ "6.8 GOAWAY above our stream", "G", "F:7:0:0:0000000100000000 | " OKE, " goaway gone 1:head200:end",
	  " fin" },
	{ "6.8 GOAWAY below our stream", "GG", "F:7:0:0:0000000100000000 | " OKE,
	  " goaway 3:reset:upstream_stream_reset:unprocessed gone 1:head200:end", " fin" },
	{ "6.8 first GOAWAY of a drain, then the final one", "GG",
	  "F:7:0:0:7fffffff00000000 | F:7:0:0:0000000300000000 | " OKE " H:5:3::status=200",
	  " goaway goaway gone 1:head200:end 3:head200:end", " fin" },
	{ "6.9 an upload waits for the window", "P", "F:4:0:0:000400000002 " OK " | F:8:0:1:00000003",
	  " 1:head200", " ack" },
	{ "4.3 a block for a stream that is gone is decoded", "GG",
	  "F:3:0:1:00000008 F:1:5:1:884001610131 F:1:5:3:88be",
	  " 1:reset:upstream_stream_reset 3:head200:a=1:end", " rst1:CLOSED" },
};

static char news[4096];
static char *at;

#define SAY(...) (at += snprintf(at, (size_t)(news + sizeof(news) - at), __VA_ARGS__))

static void on_stream(struct http_sim *r, struct ss_http_stream *s, uint32_t ev)
{
	const struct ss_hdrs *h = ss_http_head(s);

	SAY(" %u", s->h2.id);
	if (ev & SS_HTTP_EV_INFO)
		SAY(":info%u", h->status);
	if (ev & SS_HTTP_EV_HEAD)
		SAY(":head%u", h->status);
	if ((ev & SS_HTTP_EV_HEAD) && h->n == 1 && h->v[0].name.n == 1)
		SAY(":a=%c", h->v[0].value.p[0]);
	if (ev & SS_HTTP_EV_BODY)
		SAY(":body%u", ss_http_body(s)->len);
	if (ev & SS_HTTP_EV_END)
		SAY(":end%s", ss_http_trailers(s) ? ":trailers" : "");
	if (ev & SS_HTTP_EV_RESET)
		SAY(":reset:%s%s", ss_drop_name(ss_http_reason(s)),
		    ss_http_unprocessed(s) ? ":unprocessed" : "");
	if (ev & (SS_HTTP_EV_END | SS_HTTP_EV_RESET))
		ss_http_release(s);
}

static void on_conn(struct http_sim *r, struct ss_http_conn *c, uint32_t ev)
{
	if (ev & SS_HTTP_CONN_OPEN)
		SAY(" open");
	if ((ev & SS_HTTP_CONN_SLOT) && ss_http_slots(c) == 1)
		SAY(" slot");
	if (ev & SS_HTTP_CONN_GOAWAY)
		SAY(" goaway");
	if (ev & SS_HTTP_CONN_GONE) {
		enum ss_drop why = ss_http_conn_reason(c);
		SAY(" gone%s%s", why ? ":" : "", why ? ss_drop_name(why) : "");
		ss_http_conn_release(c);
		r->arg = NULL;
	}
}

static struct ss_http_stream *request(struct http_sim *r, struct ss_http_conn *c, char kind)
{
	struct ss_http_stream *s = NULL;
	struct ss_hdrs h;

	ss_hdrs_init(&h, NULL, 0);
	h.method = kind == 'G' ? SS_SPAN("GET") : kind == 'H' ? SS_SPAN("HEAD") : SS_SPAN("POST");
	h.scheme = SS_SPAN("https");
	h.authority = SS_SPAN("a");
	h.path = SS_SPAN("/");
	assert_int_equal(ss_http_request(c, &h, kind != 'P', r->now, &s), 0);
	return s;
}

static struct ss_http_conn *opened(struct http_sim *r, const char *name)
{
	struct ss_addr to = { ss_ip4(0x0a000001), 80 };
	struct ss_http_conn *c;

	http_sim_init(r, name, 512);
	r->on_stream = on_stream;
	r->on_conn = on_conn;
	r->tls.alpn = SS_ALPN_H2;
	at = news;
	*at = 0;
	assert_int_equal(ss_http_connect(r->http, &r->cluster, &to, r->now, &c), 0);
	r->arg = c;
	tls_sim_connected(r->tls.last);
	http_sim_turn(r);
	assert_string_equal(news, " open");
	at = news;
	*at = 0;
	return c;
}

static void deliver(struct http_sim *r, const char *in)
{
	static uint8_t bytes[1u << 16];
	char part[2048];

	while (*in) {
		size_t len = strcspn(in, "|");
		assert_true(len < sizeof(part));
		memcpy(part, in, len);
		part[len] = 0;
		tls_sim_deliver(r->tls.last, bytes, http_sim_bytes(part, bytes, sizeof(bytes)));
		http_sim_turn(r);
		in += len + (in[len] == '|');
		in += strspn(in, " ");
	}
	http_sim_turn(r);
}

static void closed(struct http_sim *r)
{
	at = news; /* what follows is not looked at */
	if (r->arg)
		ss_http_conn_release(r->arg);
	tls_sim_eof(r->tls.last);
	for (int i = 0; i < 4; i++)
		http_sim_turn(r);
	http_sim_free(r);
}

static void clauses_of_a_client(void **state)
{
	int failed = 0;

	for (size_t i = 0; i < SS_ARRAY_LEN(cases); i++) {
		const struct one *t = &cases[i];
		struct http_sim r;
		struct ss_http_conn *c = opened(&r, "h2_client");
		char text[2048];

		deliver(&r, "S A");
		for (const char *k = t->requests; *k; k++)
			request(&r, c, *k);
		http_sim_turn(&r);
		http_sim_frames(r.tls.last, text, sizeof(text));
		at = news;
		*at = 0;
		deliver(&r, t->in);
		http_sim_frames(r.tls.last, text, sizeof(text));
		if (strcmp(news, t->news) != 0 || strcmp(text, t->out) != 0) {
			printf("%s\n  want%s |%s\n  got %s |%s\n", t->clause, t->news, t->out, news, text);
			failed++;
		}
		closed(&r);
	}
	assert_int_equal(failed, 0);
}

/* A connection that dies before flush has not carried a byte of the request. */
static void an_unsent_request_is_unprocessed(void **state)
{
	for (int flushed = 0; flushed < 2; flushed++) {
		struct http_sim r;
		struct ss_http_conn *c = opened(&r, "h2_unsent");

		deliver(&r, "S A");
		request(&r, c, 'G');
		if (flushed)
			ss_http_flush(r.http, r.now);
		at = news;
		*at = 0;
		tls_sim_fail(r.tls.last, SS_DROP_TCP_RESET);
		http_sim_turn(&r);
		assert_string_equal(news, flushed ? " gone:tcp_reset 1:reset:upstream_reset"
						  : " gone:tcp_reset 1:reset:upstream_reset:unprocessed");
		closed(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clauses_of_a_client),
		cmocka_unit_test(an_unsent_request_is_unprocessed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
