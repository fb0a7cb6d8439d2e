/* h1_client_test.c - whole HTTP/1.1 connections to a server, against RFC 9112: what it says, and what is made of it. */
#include "http/h1_bed.h"

struct client {
	struct ss_http_conn *conn;
	struct ss_http_stream *s;
	char log[4096]; /* events as words */
	bool gone, post;
};

static void log_event(struct client *k, const char *word)
{
	snprintf(k->log + strlen(k->log), sizeof(k->log) - strlen(k->log), " %s", word);
}

static void client_stream(struct http_sim *r, struct ss_http_stream *s, uint32_t ev)
{
	struct client *k = r->arg;
	struct ss_bufq *b = ss_http_body(s);
	char word[256];
	uint8_t bytes[200];

	if (ev & SS_HTTP_EV_INFO) {
		snprintf(word, sizeof(word), "info%u", ss_http_head(s)->status);
		log_event(k, word);
	}
	if (ev & SS_HTTP_EV_HEAD) {
		snprintf(word, sizeof(word), "head%u", ss_http_head(s)->status);
		log_event(k, word);
	}
	if (b->len) {
		uint32_t n = ss_bufq_read(b, 0, bytes, sizeof(bytes));
		snprintf(word, sizeof(word), "'%.*s'", (int)n, (char *)bytes);
		log_event(k, word);
		ss_http_consumed(s, b->len);
		ss_bufq_free(b);
	}
	if (ev & SS_HTTP_EV_RESET)
		log_event(k, ss_http_unprocessed(s) ? "unprocessed" : ss_drop_name(ss_http_reason(s)));
	if (ss_http_trailers(s))
		log_event(k, "trailers");
	if (ev & SS_HTTP_EV_END)
		log_event(k, "end");
	if ((ss_http_ended(s) && (!k->post || (ev & SS_HTTP_EV_SENT))) || (ev & SS_HTTP_EV_RESET)) {
		ss_http_release(s);
		k->s = NULL;
	}
}

static void client_conn(struct http_sim *r, struct ss_http_conn *c, uint32_t ev)
{
	struct client *k = r->arg;

	if (ev & SS_HTTP_CONN_SLOT)
		log_event(k, "slot");
	if (ev & SS_HTTP_CONN_GONE) {
		log_event(k, "gone");
		ss_http_conn_release(c);
		k->gone = true;
	}
}

static struct ss_tls_conn *client_open(struct http_sim *r, struct client *k)
{
	struct ss_addr a = { 0 };

	memset(k, 0, sizeof(*k));
	r->arg = k;
	r->on_stream = client_stream;
	r->on_conn = client_conn;
	r->tls.alpn = SS_ALPN_H1;
	assert_int_equal(ss_http_connect(r->http, &r->cluster, &a, r->now, &k->conn), 0);
	tls_sim_connected(r->tls.last);
	http_sim_turn(r);
	assert_int_equal(ss_http_slots(k->conn), 1);
	return r->tls.last;
}

static void client_request(struct http_sim *r, struct client *k, const char *method, bool end)
{
	struct ss_hdr v[2];
	struct ss_hdrs h;

	ss_hdrs_init(&h, v, 2);
	h.method = ss_span_str(method);
	h.scheme = SS_SPAN("http");
	h.authority = SS_SPAN("o");
	h.path = SS_SPAN("/p");
	k->post = !end;
	assert_int_equal(ss_http_request(k->conn, &h, end, r->now, &k->s), 0);
	assert_int_equal(ss_http_slots(k->conn), 0);
	ss_http_flush(r->http, r->now);
}

#define REQ(m) m " /p HTTP/1.1\r\nhost: o\r\n\r\n"

static const struct {
	const char *clause, *method, *in, *log;
	bool eof;
} client_cases[] = {
	{"a body of known length", "GET", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi",
	 " head200 'hi' end slot", false},
	{"chunks and trailers", "GET",
	 "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\na: b\r\n\r\n",
	 " head200 'hi' trailers end slot", false},
	{"until the close", "GET", "HTTP/1.1 200 OK\r\n\r\nhi", " head200 'hi' end gone", true},
	{"9.6 the server closes", "GET", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
	 " head200 end gone", false},
	{"HTTP/1.0 closes", "GET", "HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", " head200 end gone",
	 false},
	{"HEAD", "HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n", " head200 end slot", false},
	{"204", "GET", "HTTP/1.1 204 No Content\r\n\r\n", " head204 end slot", false},
	{"304 with a length", "GET", "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n",
	 " head304 end slot", false},
	{"100, then 200", "GET",
	 "HTTP/1.1 103 Early Hints\r\n\r\n|HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
	 " info103 head200 end slot", false},
	{"103 and 200 at once", "GET",
	 "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
	 " info103 head200 end slot", false},
	{"101 that nobody asked for", "GET", "HTTP/1.1 101 Switching Protocols\r\n\r\n",
	 " upstream_protocol gone", false},
	{"bytes behind the response", "GET",
	 "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 OK\r\n", " head200 end gone", false},
	{"nonsense", "GET", "HELLO\r\n\r\n", " upstream_protocol gone", false},
	{"two lengths", "GET", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\n",
	 " upstream_protocol gone", false},
	{"bad chunk", "GET", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nz",
	 " head200 upstream_protocol gone", false},
	{"closed before an answer", "GET", "", " upstream_reset gone", true},
	{"closed in a head", "GET", "HTTP/1.1 200 OK\r\n", " upstream_reset gone", true},
	{"closed in a body", "GET", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhi",
	 " head200 'hi' upstream_reset gone", true},
	{"closed in a chunk", "GET", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhi",
	 " head200 'hi' upstream_reset gone", true},
};

/* Words may come in another order within one turn: connections are looked at first. */
static bool same_words(const char *a, const char *b)
{
	char word[256];

	if (strlen(a) != strlen(b))
		return false;
	for (const char *p = b; *p; p += strcspn(p + 1, " ") + 1) {
		snprintf(word, sizeof(word), "%.*s", (int)strcspn(p + 1, " ") + 1, p);
		if (!strstr(a, word))
			return false;
	}
	return true;
}

static void a_client_does_what_rfc9112_says(void **state)
{
	for (size_t i = 0; i < SS_ARRAY_LEN(client_cases); i++) {
		struct http_sim r;
		struct client k;
		char want[64], text[1024];
		http_sim_init(&r, "h1_client", 512);
		struct ss_tls_conn *t = client_open(&r, &k);
		client_request(&r, &k, client_cases[i].method, true);
		snprintf(want, sizeof(want), "%s /p HTTP/1.1\r\nhost: o\r\n\r\n", client_cases[i].method);
		assert_string_equal(sent(t), want);
		for (const char *p = client_cases[i].in;;) {
			size_t n = strcspn(p, "|");
			memcpy(text, p, n);
			text[n] = 0;
			deliver(&r, t, text);
			if (!p[n])
				break;
			p += n + 1;
		}
		if (client_cases[i].eof)
			tls_sim_eof(t);
		settle(&r);
		if (!same_words(k.log, client_cases[i].log))
			fail_msg("%s:\n%s\nnot\n%s", client_cases[i].clause, k.log, client_cases[i].log);
		if (!k.gone)
			ss_http_conn_release(k.conn);
		finish(&r, t);
		http_sim_free(&r);
	}
}

static void a_client_sends_bodies_and_reuses(void **state)
{
	struct http_sim r;
	struct client k;
	struct ss_bufq q;

	http_sim_init(&r, "h1_reuse", 512);
	struct ss_tls_conn *t = client_open(&r, &k);
	client_request(&r, &k, "POST", true);
	assert_string_equal(sent(t), "POST /p HTTP/1.1\r\nhost: o\r\ncontent-length: 0\r\n\r\n");
	deliver(&r, t, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
	client_request(&r, &k, "POST", false);
	ss_bufq_init(&q);
	ss_bufq_append(&q, &r.bufs, "abc", 3);
	assert_int_equal(ss_http_send_body(k.s, &q, false), 0);
	http_sim_turn(&r);
	assert_string_equal(sent(t),
			    "POST /p HTTP/1.1\r\nhost: o\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n");
	assert_int_equal(ss_http_send_body(k.s, &q, true), 0);
	http_sim_turn(&r);
	assert_string_equal(sent(t), "0\r\n\r\n");
	deliver(&r, t, "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx");
	settle(&r);
	assert_int_equal(ss_http_slots(k.conn), 1);
	assert_true(same_words(k.log, " head200 end slot head200 'x' end slot"));
	/* A request that is given up costs the connection. */
	client_request(&r, &k, "GET", true);
	ss_http_release(k.s);
	settle(&r);
	assert_true(t->aborted && k.gone);
	finish(&r, t);
	http_sim_free(&r);
}

/* Nothing of a request was sent when the connection died: the upper room may safely try another one. */
static void an_unsent_request_is_unprocessed(void **state)
{
	struct http_sim r;
	struct client k;

	for (int flushed = 0; flushed < 2; flushed++) {
		http_sim_init(&r, "h1_unsent", 512);
		struct ss_tls_conn *t = client_open(&r, &k);
		struct ss_hdrs h;
		ss_hdrs_init(&h, NULL, 0);
		h.method = SS_SPAN("GET");
		h.authority = SS_SPAN("o");
		assert_int_equal(ss_http_request(k.conn, &h, true, r.now, &k.s), 0);
		if (flushed)
			ss_http_flush(r.http, r.now);
		tls_sim_fail(t, SS_DROP_TCP_RESET);
		settle(&r);
		assert_true(same_words(k.log, flushed ? " upstream_reset gone" : " unprocessed gone"));
		finish(&r, t);
		http_sim_free(&r);
	}
}

/* A head that promises more or less than comes must never let the next message be read as a body. */
static void a_broken_promise_breaks_the_connection(void **state)
{
	static const char *const bodies[] = { "abcd", "ab" };

	for (int i = 0; i < 2; i++) {
		struct http_sim r;
		struct client k;
		struct ss_hdr v[2];
		struct ss_hdrs h;
		struct ss_bufq q;
		http_sim_init(&r, "h1_promise", 512);
		struct ss_tls_conn *t = client_open(&r, &k);
		ss_hdrs_init(&h, v, 2);
		h.method = SS_SPAN("PUT");
		h.authority = SS_SPAN("o");
		h.path = SS_SPAN("/p");
		ss_hdrs_add(&h, SS_SPAN("content-length"), SS_SPAN("3"), 0);
		k.post = true;
		assert_int_equal(ss_http_request(k.conn, &h, false, r.now, &k.s), 0);
		ss_bufq_init(&q);
		ss_bufq_append(&q, &r.bufs, bodies[i], (uint32_t)strlen(bodies[i]));
		ss_http_send_body(k.s, &q, true);
		settle(&r);
		assert_true(t->aborted && k.gone);
		finish(&r, t);
		http_sim_free(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_does_what_rfc9112_says),
		cmocka_unit_test(a_client_sends_bodies_and_reuses),
		cmocka_unit_test(an_unsent_request_is_unprocessed),
		cmocka_unit_test(a_broken_promise_breaks_the_connection),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
