/* b64url_test.c - RFC 4648 10 and RFC 7515's example, and what is not base64url. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "wire/b64url.h"

static void decodes(void **state)
{
	static const struct {
		const char *text, *bytes;
	} good[] = {{"", ""},
		    {"Zg", "f"},
		    {"Zm8", "fo"},
		    {"Zm9v", "foo"},
		    {"Zm9vYg", "foob"},
		    {"Zm9vYmE", "fooba"},
		    {"Zm9vYmFy", "foobar"},
		    {"-_-_", "\xfb\xff\xbf"},
		    {"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9", "{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}"}};
	uint8_t out[64];

	for (size_t i = 0; i < SS_ARRAY_LEN(good); i++) {
		uint32_t n = (uint32_t)strlen(good[i].bytes);
		assert_int_equal(ss_b64url(ss_span_str(good[i].text), out, n), n);
		assert_memory_equal(out, good[i].bytes, n);
		if (n)
			assert_int_equal(ss_b64url(ss_span_str(good[i].text), out, n - 1), SS_ERR_LIMIT);
	}
}

static void refuses(void **state)
{
	static const char *const bad[] = {"Z", "Zg==", "Zh", "Zm9", "Zm+v", "Zm/v", "Zm v", "Zm9vY", "Zm\n9"};
	uint8_t out[64];

	for (size_t i = 0; i < SS_ARRAY_LEN(bad); i++)
		if (ss_b64url(ss_span_str(bad[i]), out, sizeof(out)) != SS_ERR_BAD_STREAM)
			fail_msg("%s", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(decodes), cmocka_unit_test(refuses)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
