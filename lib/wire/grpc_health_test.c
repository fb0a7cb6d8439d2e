#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/err.h"
#include "wire/grpc_health.h"

#define BYTES(s) {(const uint8_t *)(s), sizeof(s) - 1}

static void requests(void **state)
{
	uint8_t out[SS_GRPC_REQUEST_MAX];
	char name[SS_GRPC_SERVICE_MAX + 1];

	assert_int_equal(ss_grpc_health_request(out, SS_SPAN_NONE), 5);
	assert_memory_equal(out, "\0\0\0\0\0", 5);
	assert_int_equal(ss_grpc_health_request(out, SS_SPAN("shop.Cart")), 16);
	assert_memory_equal(out, "\0\0\0\0\x0b\x0a\x09shop.Cart", 16);
	memset(name, 'a', sizeof(name));
	assert_int_equal(ss_grpc_health_request(out, ss_span(name, SS_GRPC_SERVICE_MAX)), 5 + 1 + 2 + 256);
	assert_memory_equal(out, "\0\0\0\x01\x03\x0a\x80\x02", 8);
	assert_int_equal(ss_grpc_health_request(out, ss_span(name, SS_GRPC_SERVICE_MAX + 1)), 0);
}

static void answers(void **state)
{
	static const struct {
		struct ss_span body;
		int rc;
		uint64_t status;
	} v[] = {
		{BYTES("\0\0\0\0\x02\x08\x01"), 0, 1},
		{BYTES("\0\0\0\0\x02\x08\x02"), 0, 2},
		{BYTES("\0\0\0\0\0"), 0, 0},
		{BYTES("\0\0\0\0\x02\x08\x01trailing"), 0, 1},
		/* Fields of a newer version, of every type, before and after. */
		{BYTES("\0\0\0\0\x17\x12\x02hi\x08\x01\x19"
		       "12345678"
		       "\x25"
		       "1234\x30\xac\x02"), 0, 1},
		/* The last one counts. */
		{BYTES("\0\0\0\0\x04\x08\x01\x08\x03"), 0, 3},
		{BYTES("\x01\0\0\0\x02\x08\x01"), SS_ERR_BAD_STREAM, 0},
		{BYTES("\0\0\0\0\x03\x08\x01"), SS_ERR_BAD_STREAM, 0},
		{BYTES("\0\0\0\0"), SS_ERR_BAD_STREAM, 0},
		{BYTES(""), SS_ERR_BAD_STREAM, 0},
		{BYTES("\0\xff\xff\xff\xff\x08\x01"), SS_ERR_BAD_STREAM, 0},
		{BYTES("\0\0\0\0\x01\x08"), SS_ERR_BAD_STREAM, 0},
		{BYTES("\0\0\0\0\x02\x12\x7f"), SS_ERR_BAD_STREAM, 0},
		{BYTES("\0\0\0\0\x01\x0b"), SS_ERR_BAD_STREAM, 0}, /* a group */
		{BYTES("\0\0\0\0\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), SS_ERR_BAD_STREAM, 0},
	};
	uint64_t status;

	for (unsigned i = 0; i < SS_ARRAY_LEN(v); i++) {
		assert_int_equal(ss_grpc_health_status(v[i].body, &status), v[i].rc);
		if (!v[i].rc)
			assert_int_equal(status, v[i].status);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(requests), cmocka_unit_test(answers)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
