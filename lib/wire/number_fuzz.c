/* number_fuzz.c - what is read as a number is the number that is written. */
#include <stdlib.h>

#include "wire/number.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ss_span v = ss_span(data, (uint32_t)size);
	char buf[SS_NUMBER_TEXT];
	uint64_t n, again;

	if (ss_number(v, &n) && (!ss_number(ss_number_put(buf, n, 0), &again) || again != n))
		abort();
	if (ss_number_grpc_timeout(v, &n) && n > UINT64_MAX / 2)
		abort();
	return 0;
}
