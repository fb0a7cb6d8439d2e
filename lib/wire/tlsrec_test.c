/* The record header: every refusal, every limit; the alert reads back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "wire/tlsrec.h"

static void test_parses_a_header(void **state)
{
	const uint8_t hello[] = { 22, 3, 1, 0x02, 0x00, 1 };
	struct ss_tlsrec r;

	assert_int_equal(ss_tlsrec_parse(hello, sizeof(hello), &r), SS_TLSREC_HEADER);
	assert_int_equal(r.type, SS_TLSREC_HANDSHAKE);
	assert_int_equal(r.version, 0x0301);
	assert_int_equal(r.len, 512);
}

static void test_asks_for_more(void **state)
{
	const uint8_t hello[] = { 22, 3, 1, 0x02, 0x00 };
	struct ss_tlsrec r;

	for (size_t n = 0; n < sizeof(hello); n++)
		assert_int_equal(ss_tlsrec_parse(hello, n, &r), 0);
}

static void test_refuses_what_is_not_tls(void **state)
{
	const uint8_t bad[][5] = {
		{ 'G', 'E', 'T', ' ', '/' }, { 19, 3, 3, 0, 1 },       { 24, 3, 3, 0, 1 },
		{ 22, 2, 0, 0, 1 },          { 23, 3, 3, 0x48, 0x01 }, { 'P', 'R', 'I', ' ', '*' },
	};
	struct ss_tlsrec r;

	for (size_t i = 0; i < SS_ARRAY_LEN(bad); i++)
		assert_int_equal(ss_tlsrec_parse(bad[i], 5, &r), SS_ERR_BAD_TLS);
}

static void test_takes_the_largest(void **state)
{
	const uint8_t big[] = { 23, 3, 3, 0x48, 0x00 };
	struct ss_tlsrec r;

	assert_int_equal(ss_tlsrec_parse(big, 5, &r), SS_TLSREC_HEADER);
	assert_int_equal(r.len, SS_TLSREC_MAX_CIPHER);
}

static void test_alert_reads_back(void **state)
{
	uint8_t alert[SS_TLSREC_ALERT];
	struct ss_tlsrec r;

	ss_tlsrec_fatal(alert, SS_TLS_ALERT_UNEXPECTED_MESSAGE);
	assert_int_equal(ss_tlsrec_parse(alert, sizeof(alert), &r), SS_TLSREC_HEADER);
	assert_int_equal(r.type, SS_TLSREC_TYPE_ALERT);
	assert_int_equal(r.len, 2);
	assert_int_equal(alert[5], 2);
	assert_int_equal(alert[6], 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parses_a_header),
		cmocka_unit_test(test_asks_for_more),
		cmocka_unit_test(test_refuses_what_is_not_tls),
		cmocka_unit_test(test_takes_the_largest),
		cmocka_unit_test(test_alert_reads_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
