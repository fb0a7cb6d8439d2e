/* A chunked body from a stranger, whole and in pieces (the first byte says how long): the same verdict. */
#include <stdlib.h>

#include "base/base.h"
#include "wire/h1.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define MUST(x) do { if (!(x)) abort(); } while (0)

struct result {
	int err;
	bool last;
	size_t at;
	uint64_t body;
};

static struct result run(const uint8_t *p, size_t n, size_t step)
{
	struct ss_h1_chunk c;
	struct result r = { 0 };

	ss_h1_chunk_init(&c);
	while (r.at < n && !c.last) {
		uint32_t piece = (uint32_t)(n - r.at < step ? n - r.at : step);
		int used = ss_h1_chunk(&c, p + r.at, piece);
		if (used < 0) {
			MUST(c.why != SS_H1_WHY_NONE);
			r.err = used;
			return r;
		}
		MUST((uint32_t)used <= piece);
		r.at += (uint32_t)used;
		uint32_t take = (uint32_t)ss_min_u64(ss_h1_chunk_data(&c), piece - (uint32_t)used);
		MUST(take || used || c.last);
		if (take)
			ss_h1_chunk_took(&c, take);
		r.at += take;
		r.body += take;
	}
	r.last = c.last;
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n < 1)
		return 0;
	struct result whole = run(p + 1, n - 1, n), parts = run(p + 1, n - 1, 1 + p[0] % 16);

	MUST(whole.err == parts.err && whole.last == parts.last);
	MUST(whole.err || (whole.at == parts.at && whole.body == parts.body));
	return 0;
}
