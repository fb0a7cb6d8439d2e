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

/* After a TLS 1.3 handshake: the order of the checks decides which alert leaves. */
static void test_protected_header(void **state)
{
	const struct {
		uint8_t p[5];
		int alert;
	} runs[] = {
		{ { 23, 3, 3, 0, 17 }, 0 },
		{ { 23, 3, 3, 0x41, 0x00 }, 0 },
		{ { 23, 3, 3, 0x41, 0x01 }, SS_TLS_ALERT_RECORD_OVERFLOW },
		{ { 23, 3, 3, 0xff, 0xff }, SS_TLS_ALERT_RECORD_OVERFLOW },
		{ { 23, 3, 1, 0, 17 }, SS_TLS_ALERT_DECODE_ERROR },
		{ { 23, 2, 3, 0, 17 }, SS_TLS_ALERT_PROTOCOL_VERSION },
		{ { 20, 3, 3, 0, 1 }, SS_TLS_ALERT_UNEXPECTED_MESSAGE },
		{ { 21, 3, 1, 0, 2 }, SS_TLS_ALERT_UNEXPECTED_MESSAGE },
		{ { 22, 3, 3, 0, 9 }, SS_TLS_ALERT_UNEXPECTED_MESSAGE },
		{ { 'G', 'E', 'T', ' ', '/' }, SS_TLS_ALERT_PROTOCOL_VERSION },
	};
	uint8_t made[5];
	uint16_t len;

	for (size_t i = 0; i < SS_ARRAY_LEN(runs); i++)
		assert_int_equal(ss_tlsrec_protected(runs[i].p, &len), runs[i].alert);
	ss_tlsrec_protect(made, 1234);
	assert_int_equal(ss_tlsrec_protected(made, &len), 0);
	assert_int_equal(len, 1234);
}

/* RFC 8448 3: "info ... for server handshake key". */
static void test_label(void **state)
{
	const uint8_t want[] = { 0x00, 0x10, 0x09, 0x74, 0x6c, 0x73, 0x31, 0x33, 0x20, 0x6b, 0x65, 0x79, 0x00 };
	uint8_t got[SS_TLSREC_LABEL];

	assert_int_equal(ss_tlsrec_label(got, "key", 16), sizeof(want));
	assert_memory_equal(got, want, sizeof(want));
	assert_int_equal(ss_tlsrec_label(got, "traffic upd", 48), 21);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parses_a_header),
		cmocka_unit_test(test_asks_for_more),
		cmocka_unit_test(test_refuses_what_is_not_tls),
		cmocka_unit_test(test_takes_the_largest),
		cmocka_unit_test(test_alert_reads_back),
		cmocka_unit_test(test_protected_header),
		cmocka_unit_test(test_label),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
