/* tcphdr_fuzz.c - any bytes as a TCP header; what parses must survive emit and parse unchanged. */
#include <stdlib.h>

#include "wire/tcphdr.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct ss_tcphdr h, back;
	uint8_t b[SS_TCPHDR_MAX];

	if (n > 65535)
		return 0;
	int r = ss_tcphdr_parse(&h, p, (uint32_t)n);
	if (r <= 0)
		return 0;
	if (r < SS_TCPHDR_MIN || (size_t)r > n || h.n_sacks > SS_TCP_SACKS || h.wscale > 14)
		abort();
	uint32_t e = ss_tcphdr_emit(&h, b);
	if (e > SS_TCPHDR_MAX || ss_tcphdr_parse(&back, b, e) != (int)e)
		abort();
	if (back.seq != h.seq || back.ack != h.ack || back.window != h.window || back.flags != h.flags ||
	    back.mss != h.mss || back.ts_val != h.ts_val || back.wscale != h.wscale)
		abort();
	return 0;
}
