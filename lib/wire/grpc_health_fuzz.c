#include <stdlib.h>
#include <string.h>

#include "wire/grpc_health.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* An answer of any bytes is read within them; a request says what it was given. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	uint8_t out[SS_GRPC_REQUEST_MAX], *copy = malloc(n ? n : 1);
	uint64_t status;
	uint32_t len;

	if (!copy)
		return 0;
	if (n)
		memcpy(copy, p, n); /* the sanitizer sees its very end */
	ss_grpc_health_status(ss_span(copy, (uint32_t)n), &status);
	len = ss_grpc_health_request(out, ss_span(copy, (uint32_t)n));
	if ((len == 0) != (n > SS_GRPC_SERVICE_MAX) || (len && memcmp(out + len - n, copy, n) != 0))
		abort();
	free(copy);
	return 0;
}
