/*
 * Header blocks from a stranger: the first byte cuts the input into blocks. What a message costs must
 * not change the table: a decoder without room ends up with the same one. What was decoded is encoded again.
 */
#include <stdlib.h>

#include "base/err.h"
#include "wire/hpack.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define MUST(x) do { if (!(x)) abort(); } while (0)

static struct ss_hpack_dec rich, poor, mirror;
static struct ss_hpack_enc enc;
static uint8_t mem[1 << 20], tiny[24], coded[1 << 21], back[1 << 20];
static struct ss_hdr v[256], w[256], x[256];

static void encode_again(const struct ss_hdrs *h)
{
	struct ss_out o = ss_out(coded, sizeof(coded)), b = ss_out(back, sizeof(back));
	struct ss_hdrs again;

	int n = ss_hpack_encode(&enc, h, &o);
	MUST(n >= 0 && (uint32_t)n <= ss_hpack_bound(h));
	ss_hdrs_init(&again, x, 256);
	MUST(ss_hpack_decode(&mirror, coded, (uint32_t)n, 1 << 20, &b, &again) == 0);
	MUST(again.n == h->n);
	MUST(h->status || ss_span_eq(again.path, h->path));
	for (uint16_t i = 0; i < h->n; i++)
		MUST(ss_span_eq(again.v[i].name, h->v[i].name) &&
		     ss_span_eq(again.v[i].value, h->v[i].value) && again.v[i].tok == h->v[i].tok);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n < 2 || n > 1 << 16)
		return 0;
	size_t block = 1 + p[0];
	uint32_t limit = p[1] * 17u;
	ss_hpack_dec_init(&rich, limit);
	ss_hpack_dec_init(&poor, limit);
	ss_hpack_dec_init(&mirror, 4096);
	ss_hpack_enc_init(&enc);
	for (size_t at = 2; at < n; at += block) {
		uint32_t len = (uint32_t)(n - at < block ? n - at : block);
		struct ss_out o = ss_out(mem, sizeof(mem)), t = ss_out(tiny, sizeof(tiny));
		struct ss_hdrs h, g;
		ss_hdrs_init(&h, v, 256);
		ss_hdrs_init(&g, w, 256);
		int a = ss_hpack_decode(&rich, p + at, len, 1 << 20, &o, &h);
		int b = ss_hpack_decode(&poor, p + at, len, 1 << 20, &t, &g);
		MUST(a != SS_ERR_BAD_HPACK || b == SS_ERR_BAD_HPACK || b == SS_ERR_LIMIT);
		if (a == SS_ERR_BAD_HPACK || b == SS_ERR_BAD_HPACK)
			return 0;
		MUST(rich.dyn.size == poor.dyn.size && rich.dyn.n == poor.dyn.n &&
		     rich.dyn.size <= rich.dyn.max);
		if (a == 0)
			encode_again(&h);
	}
	return 0;
}
