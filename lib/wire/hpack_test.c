#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/rng.h"
#include "wire/hpack_int.h"

struct block {
	struct ss_hdrs h;
	struct ss_hdr v[64];
	uint8_t mem[32768];
};

static int decode_room(struct ss_hpack_dec *d, struct block *b, const void *p, uint32_t n, uint32_t max,
		       size_t room)
{
	struct ss_out out = ss_out(b->mem, room);

	ss_hdrs_init(&b->h, b->v, SS_ARRAY_LEN(b->v));
	return ss_hpack_decode(d, p, n, max, &out, &b->h);
}

static int decode(struct ss_hpack_dec *d, struct block *b, const void *p, uint32_t n)
{
	return decode_room(d, b, p, n, 65536, sizeof(b->mem));
}

static uint32_t unhex(const char *s, uint8_t *out)
{
	uint32_t n = 0;

	for (; *s; s++)
		if (*s != ' ') {
			char two[3] = { s[0], s[1], 0 };
			out[n++] = (uint8_t)strtoul(two, NULL, 16);
			s++;
		}
	return n;
}

static int decode_hex(struct ss_hpack_dec *d, struct block *b, const char *hex)
{
	uint8_t p[4096];
	uint32_t n = unhex(hex, p);

	return decode(d, b, p, n);
}

static void expect(const struct block *b, uint16_t i, const char *name, const char *value)
{
	assert_true(i < b->h.n);
	assert_true(ss_span_eq(b->v[i].name, ss_span_str(name)));
	assert_true(ss_span_eq(b->v[i].value, ss_span_str(value)));
}

/* RFC 7541 C.4: three requests, Huffman coded, on one connection. */
static void rfc7541_c4_requests(void **state)
{
	struct ss_hpack_dec d;
	static struct block b;

	ss_hpack_dec_init(&d, 4096);
	assert_int_equal(decode_hex(&d, &b, "828684418cf1e3c2e5f23a6ba0ab90f4ff"), 0);
	assert_true(ss_span_eq(b.h.method, SS_SPAN("GET")));
	assert_true(ss_span_eq(b.h.scheme, SS_SPAN("http")));
	assert_true(ss_span_eq(b.h.path, SS_SPAN("/")));
	assert_true(ss_span_eq(b.h.authority, SS_SPAN("www.example.com")));
	assert_int_equal(d.dyn.size, 57);
	assert_int_equal(decode_hex(&d, &b, "828684be5886a8eb10649cbf"), 0);
	expect(&b, 0, "cache-control", "no-cache");
	assert_true(ss_span_eq(b.h.authority, SS_SPAN("www.example.com")));
	assert_int_equal(d.dyn.size, 110);
	assert_int_equal(decode_hex(&d, &b, "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf"), 0);
	expect(&b, 0, "custom-key", "custom-value");
	assert_true(ss_span_eq(b.h.path, SS_SPAN("/index.html")));
	assert_int_equal(d.dyn.size, 164);
}

/* RFC 7541 C.3: the same without Huffman. */
static void rfc7541_c3_requests(void **state)
{
	struct ss_hpack_dec d;
	static struct block b;

	ss_hpack_dec_init(&d, 4096);
	assert_int_equal(decode_hex(&d, &b, "828684410f7777772e6578616d706c652e636f6d"), 0);
	assert_int_equal(decode_hex(&d, &b, "828684be58086e6f2d6361636865"), 0);
	assert_int_equal(decode_hex(&d, &b, "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565"), 0);
	expect(&b, 0, "custom-key", "custom-value");
	assert_int_equal(d.dyn.size, 164);
	assert_int_equal(d.dyn.n, 3);
}

/* RFC 7541 C.6: responses, Huffman coded, through a table of 256 bytes that evicts. */
static void rfc7541_c6_responses(void **state)
{
	struct ss_hpack_dec d;
	static struct block b;

	ss_hpack_dec_init(&d, 256);
	assert_int_equal(decode_hex(&d, &b,
				    "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff"
				    "6e919d29ad171863c78f0b97c8e9ae82ae43d3"),
			 0);
	assert_int_equal(b.h.status, 302);
	expect(&b, 0, "cache-control", "private");
	expect(&b, 1, "date", "Mon, 21 Oct 2013 20:13:21 GMT");
	expect(&b, 2, "location", "https://www.example.com");
	assert_int_equal(b.h.v[2].tok, SS_H_LOCATION);
	assert_int_equal(d.dyn.size, 222);
	assert_int_equal(decode_hex(&d, &b, "4883640effc1c0bf"), 0);
	assert_int_equal(b.h.status, 307);
	expect(&b, 2, "location", "https://www.example.com");
	assert_int_equal(d.dyn.size, 222);
	assert_int_equal(decode_hex(&d, &b,
				    "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7"
				    "821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed"
				    "4ee5b1063d5007"),
			 0);
	assert_int_equal(b.h.status, 200);
	expect(&b, 4, "set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1");
	assert_int_equal(d.dyn.size, 215);
	assert_int_equal(d.dyn.n, 3);
}

/* RFC 7541 C.1 and C.2. */
static void rfc7541_c1_integers_and_literals(void **state)
{
	static const uint8_t i1337[] = { 0x1f, 0x9a, 0x0a };
	const uint8_t *p = i1337;
	uint32_t v;
	uint8_t out[6];
	struct ss_hpack_dec d;
	static struct block b;

	assert_int_equal(ss_hpack_int_decode(&p, i1337 + 3, 5, &v), 0);
	assert_int_equal(v, 1337);
	assert_ptr_equal(ss_hpack_int_encode(out, 0, 5, 1337), out + 3);
	assert_memory_equal(out, i1337, 3);
	ss_hpack_dec_init(&d, 4096);
	assert_int_equal(decode_hex(&d, &b, "400a637573746f6d2d6b65790d637573746f6d2d686561646572"), 0);
	expect(&b, 0, "custom-key", "custom-header");
	assert_int_equal(decode_hex(&d, &b, "040c2f73616d706c652f70617468"), 0);
	assert_true(ss_span_eq(b.h.path, SS_SPAN("/sample/path")));
	assert_int_equal(decode_hex(&d, &b, "100870617373776f726406736563726574"), 0);
	expect(&b, 0, "password", "secret");
	assert_int_equal(b.h.v[0].flags, SS_HDR_NEVER_INDEX);
	assert_int_equal(d.dyn.n, 1);
}

static void broken_blocks_end_the_connection(void **state)
{
	static const char *const bad[] = {
		"80",                       /* index 0 */
		"be",                       /* index 62 of an empty dynamic table */
		"ff",                       /* integer without its end */
		"ffffffffffff7f",           /* integer too large */
		"ff8080808080808000",       /* integer too long */
		"40",                       /* no name */
		"400a6375",                 /* name cut off */
		"400161",                   /* no value */
		"40016105",                 /* value cut off */
		"3fe21f",                   /* size update to 4097 */
		"8220",                     /* size update after a field */
		"40016182ffff",             /* Huffman padding of 16 bits */
		"4001618118",               /* Huffman padding of zeros: "0" (00000) then... */
		"40016184ffffffff",         /* EOS */
		"7f80ffffff0f",             /* name index far out */
	};
	static struct block b;

	for (size_t i = 0; i < SS_ARRAY_LEN(bad); i++) {
		struct ss_hpack_dec d;
		ss_hpack_dec_init(&d, 4096);
		int e = decode_hex(&d, &b, bad[i]);
		if (e != SS_ERR_BAD_HPACK)
			fail_msg("%s: %d", bad[i], e);
	}
}

/* RFC 9113 8.2.1 and 8.3: the message is refused, the table is right. */
static void malformed_messages_leave_the_table_right(void **state)
{
	static const char *const bad[] = {
		"400141016182",             /* upper-case name "A", then a pseudo-header after it */
		"4000 0161",                /* empty name */
		"4002612001 61",            /* space in the name */
		"4003613a620161",           /* colon in the name */
		"40043a66 6f6f0161",        /* ":foo" */
		"4001610161 82",            /* pseudo-header after a regular field */
		"8282",                     /* :method twice */
		"400161020d0a",             /* CR LF in a value */
		"400161010 0",              /* NUL */
		"4001610220 61",            /* leading space */
		"400161026109",             /* trailing tab */
		"48033630 30",              /* :status 600 */
		"4802323 0",                /* :status 20 */
	};
	static struct block b;

	for (size_t i = 0; i < SS_ARRAY_LEN(bad); i++) {
		struct ss_hpack_dec d;
		char hex[64], *to = hex;
		for (const char *s = bad[i]; *s; s++)
			if (*s != ' ')
				*to++ = *s;
		*to = 0;
		ss_hpack_dec_init(&d, 4096);
		int e = decode_hex(&d, &b, hex);
		if (e != SS_ERR_BAD_STREAM)
			fail_msg("%s: %d", bad[i], e);
	}
	/* A bad entry stays bad, another one beside it is fine. */
	struct ss_hpack_dec d;
	ss_hpack_dec_init(&d, 4096);
	assert_int_equal(decode_hex(&d, &b, "40014101614001620163"), SS_ERR_BAD_STREAM);
	assert_int_equal(d.dyn.n, 2);
	assert_int_equal(decode_hex(&d, &b, "be"), 0);
	expect(&b, 0, "b", "c");
	assert_int_equal(decode_hex(&d, &b, "bf"), SS_ERR_BAD_STREAM);
}

/* Over a limit, by count, by size or by room: the table takes the rest of the block all the same. */
static void limits_leave_the_table_right(void **state)
{
	struct ss_hpack_dec d;
	static struct block b;
	uint8_t p[256];
	uint32_t n = unhex("82868441 0f7777772e6578616d706c652e636f6d 4001610162 4001630164 7e0165", p);
	static const struct {
		uint32_t max;
		size_t room;
	} limits[] = {{100, 4096}, {65536, 3}, {65536, 16}, {65536, 0}, {240, 4096}};

	for (size_t i = 0; i < SS_ARRAY_LEN(limits); i++) {
		ss_hpack_dec_init(&d, 4096);
		assert_int_equal(decode_room(&d, &b, p, n, limits[i].max, limits[i].room), SS_ERR_LIMIT);
		assert_int_equal(d.dyn.n, 4);
		assert_int_equal(decode_hex(&d, &b, "c1c0bfbe"), 0);
		assert_true(ss_span_eq(b.h.authority, SS_SPAN("www.example.com")));
		expect(&b, 0, "a", "b");
		expect(&b, 1, "c", "d");
		expect(&b, 2, "c", "e");
	}
	/* 65 fields for an array of 64. */
	ss_hpack_dec_init(&d, 4096);
	uint8_t many[65];
	memset(many, 0x90, sizeof(many));
	assert_int_equal(decode(&d, &b, many, 65), SS_ERR_LIMIT);
	assert_int_equal(decode(&d, &b, many, 64), 0);
	assert_int_equal(b.h.n, 64);
}

/* A literal larger than the table empties it (RFC 7541 4.4), also when there is no room for its bytes. */
static void a_large_entry_empties_the_table(void **state)
{
	struct ss_hpack_dec d;
	static struct block b;
	static uint8_t p[6000];

	for (int room = 0; room < 2; room++) {
		ss_hpack_dec_init(&d, 4096);
		assert_int_equal(decode_hex(&d, &b, "4001610162"), 0);
		uint8_t *e = p;
		*e++ = 0x40, *e++ = 1, *e++ = 'x';
		e = ss_hpack_int_encode(e, 0, 7, 5000);
		memset(e, 'v', 5000);
		int r = decode_room(&d, &b, p, (uint32_t)(e - p) + 5000, 65536, room ? sizeof(b.mem) : 100);
		assert_int_equal(r, room ? 0 : SS_ERR_LIMIT);
		assert_int_equal(d.dyn.n, 0);
		assert_int_equal(d.dyn.max, 4096);
	}
}

static void size_updates_follow_the_settings(void **state)
{
	struct ss_hpack_dec d;
	static struct block b;

	ss_hpack_dec_init(&d, 4096);
	assert_int_equal(decode_hex(&d, &b, "4001610162"), 0);
	ss_hpack_dec_limit(&d, 1024);
	assert_int_equal(decode_hex(&d, &b, "82"), SS_ERR_BAD_HPACK);
	assert_int_equal(decode_hex(&d, &b, "203fe10782"), 0); /* 0, then 1024 */
	assert_int_equal(d.dyn.n, 0);
	assert_int_equal(d.dyn.max, 1024);
	assert_int_equal(decode_hex(&d, &b, "82"), 0);

	static struct ss_hpack_enc e;
	struct ss_hdr v[2];
	struct ss_hdrs h;
	uint8_t mem[256];
	ss_hpack_enc_init(&e);
	ss_hdrs_init(&h, v, 2);
	h.status = 200;
	ss_hpack_enc_limit(&e, 100);
	ss_hpack_enc_limit(&e, 0);
	ss_hpack_enc_limit(&e, 2000000);
	struct ss_out out = ss_out(mem, sizeof(mem));
	assert_int_equal(ss_hpack_encode(&e, &h, &out), 5);
	static const uint8_t want[] = { 0x20, 0x3f, 0xe1, 0x1f, 0x88 };
	assert_memory_equal(mem, want, 5);
	assert_int_equal(ss_hpack_encode(&e, &h, &out), 1);
	assert_int_equal(mem[5], 0x88);
}

static void a_repeated_request_becomes_indices(void **state)
{
	static struct ss_hpack_enc e;
	struct ss_hpack_dec d;
	static struct block b;
	struct ss_hdr v[8];
	struct ss_hdrs h;
	uint8_t mem[1024];
	int n = 0;

	ss_hpack_enc_init(&e);
	ss_hpack_dec_init(&d, 4096);
	for (int i = 0; i < 4; i++) {
		ss_hdrs_init(&h, v, 8);
		h.method = SS_SPAN("POST");
		h.scheme = SS_SPAN("https");
		h.authority = SS_SPAN("greeter.example.com");
		h.path = SS_SPAN("/helloworld.Greeter/SayHello");
		ss_hdrs_add(&h, SS_SPAN("content-type"), SS_SPAN("application/grpc"), 0);
		ss_hdrs_add(&h, SS_SPAN("te"), SS_SPAN("trailers"), 0);
		ss_hdrs_add(&h, SS_SPAN("authorization"), SS_SPAN("Bearer abc"), 0);
		ss_hdrs_add(&h, SS_SPAN("x-key"), SS_SPAN("k"), SS_HDR_NEVER_INDEX);
		ss_hdrs_add(&h, SS_SPAN("x-tag"), SS_SPAN("t"), 0);
		struct ss_out out = ss_out(mem, sizeof(mem));
		n = ss_hpack_encode(&e, &h, &out);
		assert_true(n > 0 && out.p == mem + n);
		assert_int_equal(decode(&d, &b, mem, (uint32_t)n), 0);
		assert_true(ss_span_eq(b.h.path, h.path));
		assert_int_equal(b.h.n, 5);
		expect(&b, 2, "authorization", "Bearer abc");
		assert_int_equal(b.h.v[2].flags, SS_HDR_NEVER_INDEX);
		assert_int_equal(b.h.v[3].flags, SS_HDR_NEVER_INDEX);
		assert_int_equal(b.h.v[4].flags, 0);
	}
	/* Seven indices, and two literals of which the secret values are most. */
	assert_true(n <= 7 + 13 + 9);
	struct ss_out tight = ss_out(mem, ss_hpack_bound(&h) - 1);
	assert_int_equal(ss_hpack_encode(&e, &h, &tight), SS_ERR_FULL);
}

/* Names whose numbers are known beforehand are coded as those that have to be found. */
static void known_numbers_change_nothing(void **state)
{
	static struct ss_hpack_enc e[2];
	static const char *const names[] = {"x-hop", "cache-control", "content-type", "x-hop-2", "vary", "cookie",
					    "x-request-id"};
	struct ss_hdr v[2][SS_ARRAY_LEN(names)];
	uint8_t bytes[2][1024];
	int n[2];

	ss_hpack_enc_init(&e[0]);
	ss_hpack_enc_init(&e[1]);
	for (uint32_t round = 0; round < 4; round++) {
		for (uint32_t i = 0; i < 2; i++) {
			struct ss_out out = ss_out(bytes[i], sizeof(bytes[i]));
			struct ss_hdrs h;
			ss_hdrs_init(&h, v[i], SS_ARRAY_LEN(names));
			h.status = 200;
			for (uint32_t k = 0; k < SS_ARRAY_LEN(names); k++) {
				ss_hdrs_add(&h, ss_span_str(names[k]), ss_span_str(names[(k + round / 2) % 3]), 0);
				h.v[k].number = i ? ss_hpack_name_number(h.v[k].name) : 0;
			}
			n[i] = ss_hpack_encode(&e[i], &h, &out);
			assert_true(n[i] > 0);
		}
		assert_int_equal(n[0], n[1]);
		assert_memory_equal(bytes[0], bytes[1], (size_t)n[0]);
	}
}

static void huffman_goes_both_ways(void **state)
{
	struct ss_rng rng;
	uint8_t in[300], coded[1300], back[300];

	ss_rng_seed(&rng, 7);
	for (int round = 0; round < 20000; round++) {
		uint32_t n = (uint32_t)(ss_rng_u64(&rng) % 60);
		bool text = ss_rng_u64(&rng) & 1;
		for (uint32_t i = 0; i < n; i++)
			in[i] = text ? (uint8_t)(32 + ss_rng_u64(&rng) % 95) : (uint8_t)ss_rng_u64(&rng);
		uint32_t len = ss_hpack_huff_len(in, n);
		assert_ptr_equal(ss_hpack_huff_encode(in, n, coded), coded + len);
		assert_int_equal(ss_hpack_huff_decode(coded, len, back, n), (int)n);
		assert_memory_equal(in, back, n);
		if (n)
			assert_int_equal(ss_hpack_huff_decode(coded, len, back, n - 1), SS_ERR_FULL);
	}
	for (int c = 0; c < 256; c++) {
		in[0] = (uint8_t)c;
		uint32_t len = ss_hpack_huff_len(in, 1);
		ss_hpack_huff_encode(in, 1, coded);
		assert_int_equal(ss_hpack_huff_decode(coded, len, back, 1), 1);
		assert_int_equal(back[0], c);
	}
}

/* With much room a word is decoded at a time, with little room a symbol: both say the same of any bytes. */
static void huffman_is_the_same_with_any_room(void **state)
{
	struct ss_rng rng;
	uint8_t coded[40], wide[100], tight[100];

	ss_rng_seed(&rng, 11);
	for (int round = 0; round < 300000; round++) {
		uint32_t n = ss_rng_below(&rng, sizeof(coded)), ones = ss_rng_below(&rng, 5);
		for (uint32_t i = 0; i < n; i++)
			coded[i] = ss_rng_u64(&rng) % 5 < ones ? 0xff : (uint8_t)ss_rng_u64(&rng);
		int a = ss_hpack_huff_decode(coded, n, wide, sizeof(wide));
		int b = ss_hpack_huff_decode(coded, n, tight, n * 8 / 5 + 7);
		assert_int_equal(a, b);
		if (a > 0)
			assert_memory_equal(wide, tight, (size_t)a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc7541_c1_integers_and_literals),
		cmocka_unit_test(rfc7541_c3_requests),
		cmocka_unit_test(rfc7541_c4_requests),
		cmocka_unit_test(rfc7541_c6_responses),
		cmocka_unit_test(broken_blocks_end_the_connection),
		cmocka_unit_test(malformed_messages_leave_the_table_right),
		cmocka_unit_test(limits_leave_the_table_right),
		cmocka_unit_test(a_large_entry_empties_the_table),
		cmocka_unit_test(size_updates_follow_the_settings),
		cmocka_unit_test(a_repeated_request_becomes_indices),
		cmocka_unit_test(known_numbers_change_nothing),
		cmocka_unit_test(huffman_goes_both_ways),
		cmocka_unit_test(huffman_is_the_same_with_any_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
