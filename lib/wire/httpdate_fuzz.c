/* httpdate_fuzz.c - what is read as a date is the date that is written. */
#include <stdlib.h>

#include "wire/httpdate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t at, again;
	char text[SS_HTTPDATE_TEXT];

	if (!ss_httpdate(ss_span(data, (uint32_t)size), 1700000000, &at))
		return 0;
	if (at > 300000000000ull)
		abort();
	ss_httpdate_put(text, at);
	/* A leap second at the end of 9999 is the one that has no other way to be written. */
	if (at < 253402300800ull && (!ss_httpdate(ss_span_str(text), 0, &again) || again != at))
		abort();
	return 0;
}
