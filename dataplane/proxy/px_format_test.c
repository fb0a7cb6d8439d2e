/* px_format_test.c - variables in the values of headers; each attempt's endpoint as host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "contract/format.h"
#include "proxy/px_bed.h"

#define PIECES 8

/* An operation whose value is compiled from text as build does it. */
struct made {
	struct ss_format_piece v[PIECES];
	struct ss_format f;
};

static struct ss_header_op op_of(struct made *m, uint8_t kind, const char *name, const char *text)
{
	m->f = (struct ss_format){.v = m->v};
	while (m->f.n < PIECES && ss_format_next(&text, &m->v[m->f.n]) == 1)
		m->f.n++;
	return (struct ss_header_op){.kind = kind, .name = ss_span_str(name), .format = &m->f};
}

static void values_say_who_asked(void **state)
{
	struct world *w = start();
	struct made m[6];
	struct ss_header_op rq[] = {
		op_of(&m[0], SS_OP_SET, "x-who", "%DOWNSTREAM_REMOTE_ADDRESS% by %PROTOCOL%"),
		op_of(&m[1], SS_OP_SET, "x-peer", "%DOWNSTREAM_PEER_URI_SAN%"),
		op_of(&m[2], SS_OP_SET, "x-user", " %REQ(x-name?x-id):4% "),
		op_of(&m[3], SS_OP_SET, "x-old", "%REQ(x-nobody)%"),
		op_of(&m[4], SS_OP_SET, "x-sni", "sni=%REQUESTED_SERVER_NAME%"),
	};
	struct ss_header_op rs[] = {op_of(&m[5], SS_OP_ADD, "x-path", "%REQ(:method)% %REQ(:path)%")};
	struct ss_http_stream *d, *u;

	w->route.request_ops = (struct ss_header_ops){.n = SS_ARRAY_LEN(rq), .op = rq, .formats = true};
	w->route.response_ops = (struct ss_header_ops){.n = 1, .op = rs, .formats = true};
	w->client->peer.addr.port = 4711;
	w->client->peer.names = &(struct ss_peer_names){.identity = SS_SPAN("spiffe://mesh.local/ns/a/sa/b"),
							.sni = SS_SPAN("a\nb")};
	d = request(w, "GET", "/p");
	field(d, "x-id", "12345");
	field(d, "x-old", "kept");
	fake_end(d);
	turn(w);
	/* What a reload takes away is not needed any more. */
	ss_proxy_adopt(w->px, w->now);
	memset(m, 0xee, sizeof(m));
	memset(rq, 0xee, sizeof(rq));
	memset(rs, 0xee, sizeof(rs));
	w->route.request_ops = w->route.response_ops = (struct ss_header_ops){0};
	fake_open(newest(w), 100);
	u = routed(w);
	assert_string_equal(fake_field(&u->tx, "x-who"), w->client->version == 2 ? "192.168.0.9:4711 by HTTP/2"
										 : "192.168.0.9:4711 by HTTP/1.1");
	assert_string_equal(fake_field(&u->tx, "x-peer"), "spiffe://mesh.local/ns/a/sa/b");
	assert_string_equal(fake_field(&u->tx, "x-user"), "1234");
	assert_string_equal(fake_field(&u->tx, "x-old"), "kept"); /* empty: not written */
	assert_string_equal(fake_field(&u->tx, "x-sni"), "sni="); /* no field can hold it */
	answer(w, u, 200, "");
	assert_string_equal(fake_field(&d->tx, "x-path"), "GET /p");
	delivered(w, d);
	end(w);
}

static bool asks_for(const struct ss_http_stream *u, const char *host)
{
	return ss_span_eq(u->tx.authority, ss_span_str(host));
}

static void each_attempt_asks_for_its_endpoint(void **state)
{
	struct world *w = start();
	const struct ss_span names[EPS] = {SS_SPAN("one.example"), SS_SPAN("two.example"), SS_SPAN_NONE};
	struct ss_http_stream *d, *u;

	w->cluster.hostnames = names;
	w->route.rewrite = &(struct ss_rewrite){.auto_host = true};
	w->retry = (struct ss_retry){.on = SS_RETRY_5XX, .max_retries = 2, .body_max = 65536};
	d = get(w, "/");
	u = opened(w, 100);
	assert_true(asks_for(u, "one.example"));
	assert_string_equal(fake_field(&u->tx, "x-forwarded-host"), "shop.example");
	answer(w, u, 503, "");
	u = opened(w, 100);
	assert_true(asks_for(u, "two.example"));
	answer(w, u, 503, "");
	u = opened(w, 100);
	assert_true(asks_for(u, "shop.example")); /* it has no name */
	answer(w, u, 200, "");
	delivered(w, d);
	end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_say_who_asked),
		cmocka_unit_test(each_attempt_asks_for_its_endpoint),
	};

	return cmocka_run_group_tests(tests, open_bufs, close_bufs);
}
