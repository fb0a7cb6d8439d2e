/* jscan_fuzz.c - any bytes as JSON: nodes stay inside the array, texts inside the bytes, subtrees nest. */
#include <stdlib.h>

#include "base/err.h"
#include "wire/jscan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct ss_jscan_node nodes[64];
	uint8_t *text = malloc(n + 1); /* exactly: a byte too far is seen */
	uint64_t seconds;

	if (!text || n > UINT16_MAX) {
		free(text);
		return 0;
	}
	memcpy(text, data, n);
	int got = ss_jscan(text, (uint32_t)n, nodes, SS_ARRAY_LEN(nodes));
	if (got != SS_ERR_BAD_STREAM && got != SS_ERR_LIMIT && (got < 1 || got > 64))
		abort();
	for (int i = 0; i < got; i++) {
		const struct ss_jscan_node *d = &nodes[i];
		if (d->next <= i || d->next > got)
			abort();
		if (d->type == SS_JSCAN_STRING && d->text.n &&
		    (d->text.p < text || d->text.p + d->text.n > text + n))
			abort();
		if (d->type != SS_JSCAN_OBJECT)
			continue;
		for (int k = i + 1; k < d->next; k = nodes[k + 1].next)
			if (nodes[k].type != SS_JSCAN_STRING || k + 1 >= d->next)
				abort();
	}
	if (got > 0) {
		struct ss_claims c = {.nodes = nodes};
		ss_jscan_member(nodes, 0, SS_SPAN("a"));
		ss_claims_find(&c, SS_SPAN("a\0b\0"));
		ss_jscan_seconds(&nodes[0], &seconds);
	}
	free(text);
	return 0;
}
