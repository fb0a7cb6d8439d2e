/* csum_test.c - the Internet checksum against its definition. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/rng.h"
#include "wire/csum.h"

/* RFC 1071 1, word for word: 16-bit big-endian words, end-around carry, complement. */
static uint16_t by_definition(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void fill(struct ss_rng *r, uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)ss_rng_u64(r);
}

static void rfc1071_example(void **state)
{
	/* RFC 1071 3: the words 0001 f203 f4f5 f6f7 sum to ddf2 */
	const uint8_t b[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };
	assert_int_equal(ss_csum(b, sizeof(b)), (uint16_t)~0xddf2);
	assert_int_equal(ss_csum(b, 0), 0xffff);
}

static void every_length_and_alignment(void **state)
{
	uint8_t b[300];
	struct ss_rng r;

	ss_rng_seed(&r, 1071);
	fill(&r, b, sizeof(b));
	for (size_t off = 0; off < 8; off++)
		for (size_t n = 0; n + off <= sizeof(b); n++)
			assert_int_equal(ss_csum(b + off, n), by_definition(b + off, n));
	memset(b, 0xff, sizeof(b));
	for (size_t n = 0; n <= sizeof(b); n++)
		assert_int_equal(ss_csum(b, n), by_definition(b, n));
}

static void any_pieces_make_the_same_sum(void **state)
{
	uint8_t b[2000];
	struct ss_rng r;

	ss_rng_seed(&r, 1624);
	for (int round = 0; round < 500; round++) {
		size_t n = ss_rng_below(&r, sizeof(b)), at = 0;
		struct ss_csum c = { 0 };
		fill(&r, b, n);
		while (at < n) {
			size_t piece = 1 + ss_rng_below(&r, (uint32_t)(n - at));
			ss_csum_add(&c, b + at, piece);
			at += piece;
		}
		assert_int_equal(ss_csum_end(&c), by_definition(b, n));
	}
}

static void pseudo_header(void **state)
{
	struct ss_ip a = ss_ip4(0xc0000201), b = ss_ip4(0xc6336407);
	const uint8_t wire4[12] = { 192, 0, 2, 1, 198, 51, 100, 7, 0, 6, 0x05, 0xb4 };
	struct ss_csum c = { 0 };

	ss_csum_pseudo(&c, &a, &b, 6, 1460);
	assert_int_equal(ss_csum_end(&c), by_definition(wire4, sizeof(wire4)));

	uint8_t wire6[40] = { 0 };
	struct ss_ip a6 = { .family = 6 }, b6 = { .family = 6 };
	struct ss_csum c6 = { 0 };
	for (int i = 0; i < 16; i++) {
		wire6[i] = a6.b[i] = (uint8_t)(0x20 + i);
		wire6[16 + i] = b6.b[i] = (uint8_t)(0xe0 + i);
	}
	ss_put_be32(wire6 + 32, 70000);
	wire6[39] = 6;
	ss_csum_pseudo(&c6, &a6, &b6, 6, 70000);
	assert_int_equal(ss_csum_end(&c6), by_definition(wire6, sizeof(wire6)));
}

static void update_equals_recomputation(void **state)
{
	uint8_t b[20];
	struct ss_rng r;

	/* RFC 1624 4: header words DD2F, changed 5555 to 3285, give 0000 */
	assert_int_equal(ss_csum_update(0xdd2f, 0x5555, 0x3285), 0x0000);
	ss_rng_seed(&r, 20);
	for (int round = 0; round < 10000; round++) {
		fill(&r, b, sizeof(b));
		uint16_t old = ss_csum(b, sizeof(b)), was = ss_get_be16(b + 4);
		uint16_t is = (uint16_t)ss_rng_u64(&r);
		ss_put_be16(b + 4, is);
		assert_int_equal(ss_csum_update(old, was, is), ss_csum(b, sizeof(b)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc1071_example),
		cmocka_unit_test(every_length_and_alignment),
		cmocka_unit_test(any_pieces_make_the_same_sum),
		cmocka_unit_test(pseudo_header),
		cmocka_unit_test(update_equals_recomputation),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
