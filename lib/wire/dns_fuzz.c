#include <stdlib.h>
#include <string.h>

#include "wire/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Any bytes are read within them, and what comes out of them is whole. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const enum ss_dns_type types[] = {SS_DNS_A, SS_DNS_AAAA, SS_DNS_SRV};
	uint8_t *copy = malloc(n ? n : 1);
	struct ss_dns_record out[4];
	uint32_t ttl;

	if (!copy)
		return 0;
	if (n)
		memcpy(copy, p, n); /* the sanitizer sees its very end */
	for (size_t t = 0; t < SS_ARRAY_LEN(types); t++) {
		int found = ss_dns_answer(copy, (uint32_t)n, types[t], out, SS_ARRAY_LEN(out), &ttl);
		for (int i = 0; i < found && i < (int)SS_ARRAY_LEN(out); i++)
			if (types[t] == SS_DNS_SRV ? strlen(out[i].target) > SS_DNS_NAME_MAX
						   : out[i].ip.family != (types[t] == SS_DNS_A ? 4 : 6))
				abort();
	}
	free(copy);
	return 0;
}
