#include "perf/load/load_pattern.h"

/* Printable, so that a body can be looked at; the multiplier makes neighbours differ (Knuth 3.3.4). */
void ss_load_pattern_init(struct ss_load_pattern *p)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint32_t x = 1;

	for (uint32_t i = 0; i < SS_LOAD_PERIOD; i++) {
		x = x * 1664525u + 1013904223u;
		p->b[i] = p->b[i + SS_LOAD_PERIOD] = (uint8_t)set[x >> 26];
	}
}

struct ss_span ss_load_pattern_at(const struct ss_load_pattern *p, uint64_t at, uint64_t n)
{
	return ss_span(p->b + at % SS_LOAD_PERIOD, (uint32_t)ss_min_u64(n, SS_LOAD_PERIOD));
}

bool ss_load_pattern_is(const struct ss_load_pattern *p, uint64_t at, struct ss_span s)
{
	while (s.n) {
		struct ss_span want = ss_load_pattern_at(p, at, s.n);

		if (memcmp(want.p, s.p, want.n) != 0)
			return false;
		at += want.n;
		s.p += want.n;
		s.n -= want.n;
	}
	return true;
}
