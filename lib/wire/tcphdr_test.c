/* tcphdr_test.c - headers as values and back; options that lie about their length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/rng.h"
#include "wire/tcphdr.h"

static struct ss_tcphdr base_hdr(void)
{
	return (struct ss_tcphdr){ .src_port = 443, .dst_port = 51000, .seq = 0xfffffff0u, .ack = 77,
				   .flags = SS_TCP_ACK | SS_TCP_PSH, .window = 4096 };
}

static void same(const struct ss_tcphdr *a, const struct ss_tcphdr *b)
{
	assert_int_equal(a->src_port, b->src_port);
	assert_int_equal(a->dst_port, b->dst_port);
	assert_int_equal(a->seq, b->seq);
	assert_int_equal(a->ack, b->ack);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->window, b->window);
	assert_int_equal(a->has_mss, b->has_mss);
	assert_int_equal(a->mss, b->mss);
	assert_int_equal(a->has_wscale, b->has_wscale);
	assert_int_equal(a->wscale, b->wscale);
	assert_int_equal(a->has_sack_ok, b->has_sack_ok);
	assert_int_equal(a->has_ts, b->has_ts);
	assert_int_equal(a->ts_val, b->ts_val);
	assert_int_equal(a->ts_ecr, b->ts_ecr);
	assert_int_equal(a->n_sacks, b->n_sacks);
	for (int i = 0; i < a->n_sacks; i++) {
		assert_int_equal(a->sack[i].left, b->sack[i].left);
		assert_int_equal(a->sack[i].right, b->sack[i].right);
	}
}

static uint32_t round_trip(const struct ss_tcphdr *h)
{
	uint8_t b[SS_TCPHDR_MAX];
	struct ss_tcphdr back;
	uint32_t n = ss_tcphdr_emit(h, b);

	assert_int_equal(n % 4, 0);
	assert_true(n <= SS_TCPHDR_MAX);
	assert_int_equal(ss_tcphdr_parse(&back, b, n), (int)n);
	assert_int_equal(back.hdr_len, n);
	same(h, &back);
	return n;
}

static void plain_header_is_twenty_bytes(void **s)
{
	struct ss_tcphdr h = base_hdr();
	assert_int_equal(round_trip(&h), 20);
}

static void syn_options_round_trip(void **s)
{
	for (int i = 0; i < 16; i++) {
		struct ss_tcphdr h = base_hdr();
		h.flags = SS_TCP_SYN;
		if (i & 1) {
			h.has_mss = true;
			h.mss = 1460;
		}
		if (i & 2) {
			h.has_wscale = true;
			h.wscale = 7;
		}
		h.has_sack_ok = (i & 4) != 0;
		if (i & 8) {
			h.has_ts = true;
			h.ts_val = 0xdeadbeef;
			h.ts_ecr = 1;
		}
		round_trip(&h);
	}
}

static void sack_blocks_fit_in_forty_bytes(void **s)
{
	struct ss_tcphdr h = base_hdr(), back;
	uint8_t b[SS_TCPHDR_MAX];

	h.n_sacks = 4;
	for (uint32_t i = 0; i < 4; i++)
		h.sack[i] = (struct ss_tcp_sack){ 100 + i * 20, 110 + i * 20 };
	assert_int_equal(round_trip(&h), 56);
	h.has_ts = true;
	uint32_t n = ss_tcphdr_emit(&h, b);
	assert_int_equal(n, 60);
	assert_int_equal(ss_tcphdr_parse(&back, b, n), 60);
	assert_int_equal(back.n_sacks, 3);
	assert_true(back.has_ts);
}

static void short_and_lying_headers_are_refused(void **s)
{
	struct ss_tcphdr h = base_hdr(), back;
	uint8_t b[SS_TCPHDR_MAX];
	uint32_t n = ss_tcphdr_emit(&h, b);

	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(ss_tcphdr_parse(&back, b, i), SS_ERR_BAD_PACKET);
	b[12] = 4 << 4; /* sixteen bytes */
	assert_int_equal(ss_tcphdr_parse(&back, b, n), SS_ERR_BAD_PACKET);
	b[12] = 6 << 4; /* longer than the segment */
	assert_int_equal(ss_tcphdr_parse(&back, b, n), SS_ERR_BAD_PACKET);
}

static void bad_options_end_parsing_only(void **s)
{
	static const uint8_t opts[][4] = {
		{ 3, 0, 7, 7 },     /* length zero */
		{ 3, 1, 7, 7 },     /* shorter than its own head */
		{ 2, 40, 5, 180 },  /* past the end */
		{ 1, 1, 1, 8 },     /* kind without length */
		{ 0, 3, 3, 7 },     /* after the end of options */
		{ 254, 4, 0, 0 },   /* unknown, skipped */
		{ 5, 4, 0, 0 },     /* SACK of impossible length */
	};
	for (size_t i = 0; i < SS_ARRAY_LEN(opts); i++) {
		struct ss_tcphdr h = base_hdr(), back;
		uint8_t b[SS_TCPHDR_MAX];
		ss_tcphdr_emit(&h, b);
		b[12] = 6 << 4;
		memcpy(b + 20, opts[i], 4);
		assert_int_equal(ss_tcphdr_parse(&back, b, 24), 24);
		same(&h, &back);
	}
}

static void large_window_scale_reads_as_fourteen(void **s)
{
	struct ss_tcphdr h = base_hdr(), back;
	uint8_t b[SS_TCPHDR_MAX];
	h.has_wscale = true;
	h.wscale = 200;
	uint32_t n = ss_tcphdr_emit(&h, b);
	assert_int_equal(ss_tcphdr_parse(&back, b, n), (int)n);
	assert_int_equal(back.wscale, 14);
}

static void order_wraps_around(void **s)
{
	assert_true(ss_seq_lt(0xffffffffu, 0));
	assert_true(ss_seq_gt(5, 0xfffffff0u));
	assert_true(ss_seq_le(7, 7));
	assert_true(ss_seq_ge(7, 7));
	assert_false(ss_seq_lt(0, 0xffffffffu));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_header_is_twenty_bytes),
		cmocka_unit_test(syn_options_round_trip),
		cmocka_unit_test(sack_blocks_fit_in_forty_bytes),
		cmocka_unit_test(short_and_lying_headers_are_refused),
		cmocka_unit_test(bad_options_end_parsing_only),
		cmocka_unit_test(large_window_scale_reads_as_fourteen),
		cmocka_unit_test(order_wraps_around),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
