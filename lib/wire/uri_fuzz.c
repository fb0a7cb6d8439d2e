/* Targets, authorities and paths from a stranger (the first byte gives flags): a normal path stays itself. */
#include <stdlib.h>

#include "base/err.h"
#include "wire/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define MUST(x) do { if (!(x)) abort(); } while (0)

/* No dot segment, no byte that a path may not hold. */
static void check_path(struct ss_span s)
{
	for (uint32_t i = 0; i < s.n && s.p[i] != '?'; i++) {
		MUST(s.p[i] > 0x20 && s.p[i] < 0x7f && s.p[i] != '#' && s.p[i] != '\\');
		if (s.p[i] != '/')
			continue;
		uint32_t e = i + 1;
		while (e < s.n && s.p[e] != '/' && s.p[e] != '?')
			e++;
		struct ss_span seg = ss_span(s.p + i + 1, e - i - 1);
		MUST(!ss_span_eq(seg, SS_SPAN(".")) && !ss_span_eq(seg, SS_SPAN("..")));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static uint8_t a[1 << 16], b[1 << 16];
	struct ss_span host, norm, again;
	struct ss_uri u;
	uint16_t port;

	if (n < 1 || n > sizeof(a))
		return 0;
	uint32_t flags = p[0] & 7;
	struct ss_span s = ss_span(p + 1, (uint32_t)n - 1);
	ss_uri_authority(s, &host, &port);
	for (int m = 0; m < 3; m++)
		ss_uri_target(s,
			      m == 0   ? SS_SPAN("GET")
			      : m == 1 ? SS_SPAN("CONNECT")
				       : SS_SPAN("OPTIONS"),
			      &u);
	struct ss_out o = ss_out(a, sizeof(a)), o2 = ss_out(b, sizeof(b));
	if (ss_uri_path(s, flags, &o, &norm) < 0)
		return 0;
	MUST(norm.n <= s.n);
	check_path(norm);
	MUST(ss_uri_path(norm, flags, &o2, &again) == 0);
	MUST(ss_span_eq(norm, again));
	return 0;
}
