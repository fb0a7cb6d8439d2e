/* Any bytes, record after record: never past the end, never a length over the limit. */
#include <stdlib.h>

#include "wire/tlsrec.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct ss_tlsrec r;

	while (ss_tlsrec_parse(p, n, &r) > 0) {
		if (r.len > SS_TLSREC_MAX_CIPHER || n < SS_TLSREC_HEADER)
			abort();
		size_t whole = SS_TLSREC_HEADER + (size_t)r.len;
		if (whole > n)
			break;
		p += whole;
		n -= whole;
	}
	return 0;
}
