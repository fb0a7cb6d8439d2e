/*
 * Heads from a stranger: the first byte says request, response or trailers. What is accepted has one
 * length, and what we write of it is accepted again as the same message.
 */
#include <stdlib.h>

#include "base/err.h"
#include "wire/h1.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define MUST(x) do { if (!(x)) abort(); } while (0)

static uint8_t first[1 << 16], second[1 << 17];
static struct ss_hdr v[64], w[80];

static void write_and_read(const struct ss_hdrs *h, const struct ss_h1_head *head, bool request)
{
	struct ss_out o = ss_out(second, sizeof(second));
	struct ss_h1_head again = { .head_request = head->head_request };
	struct ss_hdrs g;
	uint32_t flags = head->body == SS_H1_BODY_CHUNKED ? SS_H1_EMIT_CHUNKED : 0;

	if (request && h->authority.n == 0)
		return; /* HTTP/1.0 without Host: there is no HTTP/1.1 request for it */
	MUST((request ? ss_h1_emit_request(h, flags, &o) : ss_h1_emit_response(h, flags, &o)) == 0);
	MUST((uint32_t)(o.p - second) <= ss_h1_bound(h));
	ss_hdrs_init(&g, w, 80);
	int n = request ? ss_h1_parse_request(second, (uint32_t)(o.p - second), &again, &g) :
			  ss_h1_parse_response(second, (uint32_t)(o.p - second), &again, &g);
	MUST(n == o.p - second);
	MUST(again.body == head->body && again.length == head->length);
	MUST(!request || (ss_span_eq(g.method, h->method) && ss_span_eq(g.path, h->path)));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct ss_h1_head head = { 0 };
	struct ss_hdrs h;

	if (n < 1 || n > sizeof(first))
		return 0;
	unsigned kind = p[0] % 4;
	memcpy(first, p + 1, n - 1);
	ss_hdrs_init(&h, v, 64);
	head.head_request = kind == 3;
	int used = kind == 0 ? ss_h1_parse_request(first, (uint32_t)n - 1, &head, &h) :
		   kind == 1 ? ss_h1_parse_trailers(first, (uint32_t)n - 1, &head, &h) :
			       ss_h1_parse_response(first, (uint32_t)n - 1, &head, &h);
	MUST(used <= (int)n - 1);
	MUST((used < 0) == (head.why != SS_H1_WHY_NONE));
	if (used <= 0 || kind == 1)
		return 0;
	MUST((head.body == SS_H1_BODY_LENGTH) ? head.length > 0 : true);
	if (head.body != SS_H1_BODY_TUNNEL)
		write_and_read(&h, &head, kind == 0);
	return 0;
}
