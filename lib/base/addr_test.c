#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/addr.h"
#include "base/err.h"

static void both_ways(void **state)
{
	static const char *const good[] = { "0.0.0.0", "10.0.0.1", "255.255.255.255", "::", "fd00::1",
					    "2001:db8:1:2:3:4:5:6" };
	char text[SS_ADDR_TEXT];
	for (size_t i = 0; i < SS_ARRAY_LEN(good); i++) {
		struct ss_ip ip;
		assert_int_equal(ss_ip_parse(good[i], &ip), 0);
		assert_string_equal(ss_ip_text(&ip, text), good[i]);
	}
}

static void every_octet(void **state)
{
	char text[SS_ADDR_TEXT], want[SS_ADDR_TEXT];

	for (uint32_t v = 0; v < 256; v++) {
		struct ss_ip ip = ss_ip4(v << 24 | (255 - v) << 16 | (v ^ 0x55) << 8 | v);
		snprintf(want, sizeof(want), "%u.%u.%u.%u", v, 255 - v, v ^ 0x55, v);
		assert_string_equal(ss_ip_text(&ip, text), want);
	}
}

static void refuses(void **state)
{
	static const char *const bad[] = { "", "10.0.0", "10.0.0.256", "10.0.0.1:80", "[::1]", "::g", "x" };
	for (size_t i = 0; i < SS_ARRAY_LEN(bad); i++) {
		struct ss_ip ip = { .family = 9 };
		assert_int_equal(ss_ip_parse(bad[i], &ip), SS_ERR_CONFIG);
		assert_int_equal(ip.family, 9);
	}
}

static void with_port(void **state)
{
	struct ss_addr a = { ss_ip4(0x0a000001), 80 }, b = a;
	char text[SS_ADDR_TEXT];
	assert_string_equal(ss_addr_text(&a, text), "10.0.0.1:80");
	assert_int_equal(ss_ip4_u32(&a.ip), 0x0a000001);
	b.port = 81;
	assert_true(ss_ip_eq(&a.ip, &b.ip));
	assert_false(ss_addr_eq(&a, &b));
	assert_int_equal(ss_ip_parse("2001:db8:1111:2222:3333:4444:5555:6666", &a.ip), 0);
	a.port = 65535;
	assert_string_equal(ss_addr_text(&a, text), "[2001:db8:1111:2222:3333:4444:5555:6666]:65535");
	struct ss_ip none = { 0 };
	assert_string_equal(ss_ip_text(&none, text), "-");
}

int main(void)
{
	const struct CMUnitTest t[] = { cmocka_unit_test(both_ways), cmocka_unit_test(every_octet),
					cmocka_unit_test(refuses),
					cmocka_unit_test(with_port) };
	return cmocka_run_group_tests(t, NULL, NULL);
}
