/* dns_test.c - answers as servers send them, byte by byte; and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/err.h"
#include "wire/dns.h"

#define HEAD(questions, answers) "\x12\x34\x81\x80\0" questions "\0" answers "\0\0\0\0"
#define BYTES(s) (const uint8_t *)(s), sizeof(s) - 1
/* a.b, which stands at 12 */
#define QUESTION "\1a\1b\0\0\1\0\1"

static void addresses_are_read(void **state)
{
	static const char one[] = HEAD("\1", "\3") QUESTION
		"\xc0\x0c\0\5\0\1\0\0\0\7\0\4\1c\xc0\x0e"		/* a.b is c.b */
		"\xc0\x1f\0\1\0\1\0\0\0\x3c\0\4\x0a\1\2\3"
		"\xc0\x1f\0\1\0\1\0\0\0\x1e\0\4\x0a\1\2\4";
	static const char six[] = HEAD("\1", "\1") QUESTION
		"\xc0\x0c\0\x1c\0\1\x80\0\0\0\0\x10\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1";
	struct ss_dns_record r[4];
	uint32_t ttl;
	char text[64];

	assert_int_equal(ss_dns_answer(BYTES(one), SS_DNS_A, r, 4, &ttl), 2);
	assert_int_equal(ttl, 7); /* the alias is the shortest */
	assert_string_equal(ss_ip_text(&r[1].ip, text), "10.1.2.4");
	assert_int_equal(ss_dns_answer(BYTES(one), SS_DNS_A, r, 1, &ttl), 2); /* more than there is room for */
	assert_int_equal(ss_dns_answer(BYTES(one), SS_DNS_AAAA, r, 4, &ttl), 0);
	assert_int_equal(ss_dns_answer(BYTES(six), SS_DNS_AAAA, r, 4, &ttl), 1);
	assert_int_equal(ttl, 0);
	assert_string_equal(ss_ip_text(&r[0].ip, text), "fd00::1");
}

static void services_are_read(void **state)
{
	static const char srv[] = HEAD("\1", "\2") QUESTION
		"\xc0\x0c\0\x21\0\1\0\0\0\5\0\x0d\0\1\0\2\x1f\x90\4host\xc0\x0e"
		"\xc0\x0c\0\x21\0\1\0\0\0\5\0\7\0\0\0\0\0\0\0";
	struct ss_dns_record r[2];
	uint32_t ttl;

	assert_int_equal(ss_dns_answer(BYTES(srv), SS_DNS_SRV, r, 2, &ttl), 2);
	assert_int_equal(r[0].priority, 1);
	assert_int_equal(r[0].weight, 2);
	assert_int_equal(r[0].port, 8080);
	assert_string_equal(r[0].target, "host.b");
	assert_string_equal(r[1].target, "");
	for (uint32_t n = 0; n < sizeof(srv) - 1; n++)
		assert_int_equal(ss_dns_answer((const uint8_t *)srv, n, SS_DNS_SRV, r, 2, &ttl), SS_ERR_BAD_STREAM);
}

static void what_is_no_answer_is_refused(void **state)
{
	static const char itself[] = HEAD("\0", "\1") "\xc0\x0c\0\1\0\1\0\0\0\1\0\4\1\2\3\4";
	static const char forward[] = HEAD("\0", "\1") "\xc0\x20\0\1\0\1\0\0\0\1\0\4\1\2\3\4\0\0\0\0\0\0";
	static const char label[] = HEAD("\0", "\1") "\x40" "a\0\0\1\0\1\0\0\0\1\0\4\1\2\3\4";
	static const char length[] = HEAD("\0", "\1") "\0\0\1\0\1\0\0\0\1\0\5\1\2\3\4\5";
	static const char space[] = HEAD("\0", "\1") "\0\0\x21\0\1\0\0\0\1\0\x0a\0\0\0\0\0\1\2a \0";
	struct ss_dns_record r[2];
	uint32_t ttl;

	assert_int_equal(ss_dns_answer(BYTES(itself), SS_DNS_A, r, 2, &ttl), SS_ERR_BAD_STREAM);
	assert_int_equal(ss_dns_answer(BYTES(forward), SS_DNS_A, r, 2, &ttl), SS_ERR_BAD_STREAM);
	assert_int_equal(ss_dns_answer(BYTES(label), SS_DNS_A, r, 2, &ttl), SS_ERR_BAD_STREAM);
	assert_int_equal(ss_dns_answer(BYTES(length), SS_DNS_A, r, 2, &ttl), SS_ERR_BAD_STREAM);
	assert_int_equal(ss_dns_answer(BYTES(space), SS_DNS_SRV, r, 2, &ttl), SS_ERR_BAD_STREAM);
}

int main(void)
{
	const struct CMUnitTest t[] = {cmocka_unit_test(addresses_are_read), cmocka_unit_test(services_are_read),
				       cmocka_unit_test(what_is_no_answer_is_refused)};

	return cmocka_run_group_tests(t, NULL, NULL);
}
