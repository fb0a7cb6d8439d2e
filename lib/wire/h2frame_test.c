#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "wire/h2frame.h"
#include "wire/h2msg.h"

static struct ss_h2frame frame(uint32_t len, uint8_t type, uint8_t flags, uint32_t stream)
{
	uint8_t p[SS_H2_HEAD];
	struct ss_h2frame f;

	ss_h2frame_put(p, len, type, flags, stream | 0x80000000u);
	ss_h2frame_parse(&f, p);
	return f;
}

/* RFC 9113 6: length, stream and type belong together. */
static void headers_are_checked_by_type(void **state)
{
	static const struct {
		uint32_t len;
		uint8_t type, flags;
		uint32_t stream;
		int err;
		uint32_t code;
	} cases[] = {
		{16384, SS_H2_DATA, 0, 1, 0, 0},
		{16385, SS_H2_DATA, 0, 1, SS_ERR_BAD_CONN, SS_H2_FRAME_SIZE_ERROR},
		{0, SS_H2_DATA, 0, 0, SS_ERR_BAD_CONN, SS_H2_PROTOCOL_ERROR},
		{0, SS_H2_DATA, SS_H2_F_PADDED, 1, SS_ERR_BAD_CONN, SS_H2_FRAME_SIZE_ERROR},
		{5, SS_H2_HEADERS, SS_H2_F_PRIORITY | SS_H2_F_PADDED, 1, SS_ERR_BAD_CONN,
		 SS_H2_FRAME_SIZE_ERROR},
		{6, SS_H2_HEADERS, SS_H2_F_PRIORITY | SS_H2_F_PADDED, 1, 0, 0},
		{4, SS_H2_HEADERS, 0, 0, SS_ERR_BAD_CONN, SS_H2_PROTOCOL_ERROR},
		{5, SS_H2_PRIORITY, 0, 1, 0, 0},
		{4, SS_H2_PRIORITY, 0, 1, SS_ERR_BAD_STREAM, SS_H2_FRAME_SIZE_ERROR},
		{5, SS_H2_PRIORITY, 0, 0, SS_ERR_BAD_CONN, SS_H2_PROTOCOL_ERROR},
		{4, SS_H2_RST_STREAM, 0, 1, 0, 0},
		{3, SS_H2_RST_STREAM, 0, 1, SS_ERR_BAD_CONN, SS_H2_FRAME_SIZE_ERROR},
		{12, SS_H2_SETTINGS, 0, 0, 0, 0},
		{0, SS_H2_SETTINGS, SS_H2_F_ACK, 0, 0, 0},
		{6, SS_H2_SETTINGS, SS_H2_F_ACK, 0, SS_ERR_BAD_CONN, SS_H2_FRAME_SIZE_ERROR},
		{7, SS_H2_SETTINGS, 0, 0, SS_ERR_BAD_CONN, SS_H2_FRAME_SIZE_ERROR},
		{6, SS_H2_SETTINGS, 0, 1, SS_ERR_BAD_CONN, SS_H2_PROTOCOL_ERROR},
		{8, SS_H2_PING, 0, 0, 0, 0},
		{9, SS_H2_PING, 0, 0, SS_ERR_BAD_CONN, SS_H2_FRAME_SIZE_ERROR},
		{8, SS_H2_PING, 0, 3, SS_ERR_BAD_CONN, SS_H2_PROTOCOL_ERROR},
		{8, SS_H2_GOAWAY, 0, 0, 0, 0},
		{7, SS_H2_GOAWAY, 0, 0, SS_ERR_BAD_CONN, SS_H2_FRAME_SIZE_ERROR},
		{4, SS_H2_WINDOW_UPDATE, 0, 0, 0, 0},
		{4, SS_H2_WINDOW_UPDATE, 0, 7, 0, 0},
		{5, SS_H2_WINDOW_UPDATE, 0, 7, SS_ERR_BAD_CONN, SS_H2_FRAME_SIZE_ERROR},
		{0, SS_H2_CONTINUATION, 0, 0, SS_ERR_BAD_CONN, SS_H2_PROTOCOL_ERROR},
		{99, 0xbe, 0xff, 0, 0, 0},
	};

	for (size_t i = 0; i < SS_ARRAY_LEN(cases); i++) {
		struct ss_h2frame f = frame(cases[i].len, cases[i].type, cases[i].flags, cases[i].stream);
		assert_int_equal(f.stream, cases[i].stream);
		if (ss_h2frame_check(&f, 16384) != cases[i].err || f.code != cases[i].code)
			fail_msg("case %zu", i);
	}
}

static void padding_and_priority_are_cut_off(void **state)
{
	struct ss_h2body b;
	struct ss_h2prio prio;
	struct ss_h2frame f = frame(10, SS_H2_DATA, SS_H2_F_PADDED, 1);

	assert_int_equal(ss_h2frame_body(&f, (const uint8_t[]){ 9 }, &b, NULL), 0);
	assert_true(b.skip == 1 && b.len == 0 && b.pad == 9);
	assert_int_equal(ss_h2frame_body(&f, (const uint8_t[]){ 10 }, &b, NULL), SS_ERR_BAD_CONN);
	assert_int_equal(f.code, SS_H2_PROTOCOL_ERROR);
	f = frame(20, SS_H2_HEADERS, SS_H2_F_PADDED | SS_H2_F_PRIORITY, 5);
	assert_int_equal(ss_h2frame_body(&f, (const uint8_t[]){ 4, 0x80, 0, 0, 3, 15 }, &b, &prio), 0);
	assert_true(b.skip == 6 && b.len == 10 && b.pad == 4);
	assert_true(prio.exclusive && prio.depends == 3 && prio.weight == 15);
	assert_int_equal(ss_h2frame_body(&f, (const uint8_t[]){4, 0, 0, 0, 5, 15}, &b, NULL),
			 SS_ERR_BAD_STREAM);
	f = frame(7, SS_H2_CONTINUATION, 0xff, 5);
	assert_int_equal(ss_h2frame_body(&f, NULL, &b, NULL), 0);
	assert_int_equal(b.len, 7);
}

static int setting(uint16_t id, uint32_t value, uint32_t *code)
{
	uint8_t b[64];
	struct ss_out o = ss_out(b, sizeof(b));
	struct ss_h2frame f;
	uint16_t got;
	uint32_t v;

	ss_h2frame_put_settings(&o, &(struct ss_h2setting){ id, value }, 1);
	ss_h2frame_parse(&f, b);
	assert_int_equal(ss_h2frame_check(&f, 16384), 0);
	int r = ss_h2frame_setting(&f, b + SS_H2_HEAD, &got, &v);
	assert_true(got == id && v == value);
	*code = f.code;
	return r;
}

static void settings_have_bounds(void **state)
{
	uint32_t code;

	assert_int_equal(setting(SS_H2_SET_ENABLE_PUSH, 1, &code), 0);
	assert_int_equal(setting(SS_H2_SET_ENABLE_PUSH, 2, &code), SS_ERR_BAD_CONN);
	assert_int_equal(setting(SS_H2_SET_INITIAL_WINDOW_SIZE, 0x7fffffff, &code), 0);
	assert_int_equal(setting(SS_H2_SET_INITIAL_WINDOW_SIZE, 0x80000000, &code), SS_ERR_BAD_CONN);
	assert_int_equal(code, SS_H2_FLOW_CONTROL_ERROR);
	assert_int_equal(setting(SS_H2_SET_MAX_FRAME_SIZE, 16384, &code), 0);
	assert_int_equal(setting(SS_H2_SET_MAX_FRAME_SIZE, 16383, &code), SS_ERR_BAD_CONN);
	assert_int_equal(setting(SS_H2_SET_MAX_FRAME_SIZE, 16777216, &code), SS_ERR_BAD_CONN);
	assert_int_equal(code, SS_H2_PROTOCOL_ERROR);
	assert_int_equal(setting(0x4a4a, UINT32_MAX, &code), 0);
}

static void small_frames_go_out_and_come_back(void **state)
{
	uint8_t b[128];
	struct ss_out o = ss_out(b, sizeof(b));
	struct ss_h2frame f;
	uint32_t x, y;

	ss_h2frame_put_rst(&o, 3, SS_H2_CANCEL);
	ss_h2frame_put_goaway(&o, 0x7fffffff, SS_H2_NO_ERROR);
	ss_h2frame_put_window(&o, 0, 5);
	ss_h2frame_put_window(&o, 9, 0);
	ss_h2frame_put_ping(&o, (const uint8_t *)"12345678", true);
	ss_h2frame_put_settings_ack(&o);
	ss_h2frame_parse(&f, b);
	assert_true(f.type == SS_H2_RST_STREAM && f.stream == 3 && ss_h2frame_rst(b + 9) == SS_H2_CANCEL);
	ss_h2frame_parse(&f, b + 13);
	ss_h2frame_goaway(b + 22, &x, &y);
	assert_true(f.type == SS_H2_GOAWAY && x == 0x7fffffff && y == 0);
	ss_h2frame_parse(&f, b + 30);
	assert_int_equal(ss_h2frame_window(&f, b + 39, &x), 0);
	assert_int_equal(x, 5);
	ss_h2frame_parse(&f, b + 43);
	assert_int_equal(ss_h2frame_window(&f, b + 52, &x), SS_ERR_BAD_STREAM);
	ss_h2frame_parse(&f, b + 56);
	assert_true(f.type == SS_H2_PING && f.flags == SS_H2_F_ACK && memcmp(b + 65, "12345678", 8) == 0);
	assert_ptr_equal(o.p, b + 82);
	o = ss_out(b, 12);
	ss_h2frame_put_rst(&o, 3, 0);
	assert_true(o.over && o.p == b);
}

/* -- messages -- */

static struct ss_hdrs get(struct ss_hdr *v)
{
	struct ss_hdrs h;

	ss_hdrs_init(&h, v, 4);
	h.method = SS_SPAN("GET");
	h.scheme = SS_SPAN("https");
	h.authority = SS_SPAN("h:1");
	h.path = SS_SPAN("/");
	return h;
}

static void messages_are_complete(void **state)
{
	struct ss_hdr v[4];
	struct ss_hdrs h = get(v);
	uint64_t len;

	assert_int_equal(ss_h2msg_check_request(&h, &len), 0);
	assert_true(len == SS_H2MSG_NO_LENGTH);
	ss_hdrs_add(&h, SS_SPAN("te"), SS_SPAN("trailers"), 0);
	ss_hdrs_add(&h, SS_SPAN("content-length"), SS_SPAN("17"), 0);
	ss_hdrs_add(&h, SS_SPAN("host"), SS_SPAN("H:1"), 0);
	assert_int_equal(ss_h2msg_check_request(&h, &len), 0);
	assert_true(len == 17 && h.n == 2);
	h = get(v);
	h.authority = SS_SPAN_NONE;
	assert_true(ss_h2msg_check_request(&h, &len) < 0);
	ss_hdrs_add(&h, SS_SPAN("host"), SS_SPAN("x"), 0);
	assert_int_equal(ss_h2msg_check_request(&h, &len), 0);
	assert_true(ss_span_eq(h.authority, SS_SPAN("x")) && h.n == 0);
	h = get(v);
	h.method = SS_SPAN("CONNECT");
	assert_true(ss_h2msg_check_request(&h, &len) < 0);
	h.path = h.scheme = SS_SPAN_NONE;
	assert_int_equal(ss_h2msg_check_request(&h, &len), 0);
}

static void malformed_messages_are_refused(void **state)
{
	static const struct {
		const char *name, *value;
	} bad[] = {{"connection", "close"},   {"keep-alive", "1"},
		   {"proxy-connection", "x"}, {"transfer-encoding", "chunked"},
		   {"upgrade", "x"},          {"te", "gzip"},
		   {"content-length", "1x"},  {"content-length", ""},
		   {"content-length", "1,1"}, {"host", "other"}};
	struct ss_hdr v[4];
	uint64_t len;

	for (size_t i = 0; i < SS_ARRAY_LEN(bad); i++) {
		struct ss_hdrs h = get(v);
		ss_hdrs_add(&h, ss_span_str(bad[i].name), ss_span_str(bad[i].value), 0);
		if (ss_h2msg_check_request(&h, &len) == 0)
			fail_msg("%s: %s", bad[i].name, bad[i].value);
	}
	for (int i = 0; i < 7; i++) {
		struct ss_hdrs h = get(v);
		switch (i) {
		case 0: h.method = SS_SPAN_NONE; break;
		case 1: h.scheme = SS_SPAN_NONE; break;
		case 2: h.path = SS_SPAN_NONE; break;
		case 3: h.path = SS_SPAN("a"); break;
		case 4: h.path = SS_SPAN("*"); break;
		case 5: h.authority = SS_SPAN("u@h"); break;
		case 6: h.protocol = SS_SPAN("websocket"); break;
		}
		assert_true(ss_h2msg_check_request(&h, &len) < 0);
	}
	struct ss_hdrs h;
	ss_hdrs_init(&h, v, 4);
	assert_true(ss_h2msg_check_response(&h, &len) < 0);
	assert_int_equal(ss_h2msg_check_trailers(&h), 0);
	h.status = 101;
	assert_true(ss_h2msg_check_response(&h, &len) < 0);
	h.status = 200;
	assert_int_equal(ss_h2msg_check_response(&h, &len), 0);
	assert_true(ss_h2msg_check_trailers(&h) < 0);
	ss_hdrs_add(&h, SS_SPAN("content-length"), SS_SPAN("1"), 0);
	ss_hdrs_add(&h, SS_SPAN("content-length"), SS_SPAN("1"), 0);
	assert_true(ss_h2msg_check_response(&h, &len) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_are_checked_by_type),
		cmocka_unit_test(padding_and_priority_are_cut_off),
		cmocka_unit_test(settings_have_bounds),
		cmocka_unit_test(small_frames_go_out_and_come_back),
		cmocka_unit_test(messages_are_complete),
		cmocka_unit_test(malformed_messages_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
