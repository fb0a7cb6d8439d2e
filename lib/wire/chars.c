#include "wire/chars.h"

bool ss_chars_all(struct ss_span s, uint8_t classes)
{
	bool ok = true;

	for (uint32_t i = 0; i < s.n; i++)
		ok &= ss_ch(s.p[i], classes);
	return ok;
}

/* High bit of each byte that is below 0x20 or 0x7f; HTAB counts too, and is looked at again. */
static uint64_t control_bytes(uint64_t w)
{
	const uint64_t ones = 0x0101010101010101ull, high = 0x8080808080808080ull;
	uint64_t below = (w - ones * 0x20) & ~w;
	uint64_t del = w ^ (ones * 0x7f);

	return (below | ((del - ones) & ~del)) & high;
}

static bool value_bytes(const uint8_t *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if ((p[i] < 0x20 && p[i] != '\t') || p[i] == 0x7f)
			return false;
	return true;
}

bool ss_chars_value(struct ss_span s)
{
	uint32_t i = 0;

	/* A borrow may mark a good byte above a bad one, never hide one: marks are checked byte by byte. */
	for (; i + 8 <= s.n; i += 8) {
		uint64_t w;
		memcpy(&w, s.p + i, 8);
		if (ss_unlikely(control_bytes(w)) && !value_bytes(s.p + i, 8))
			return false;
	}
	return s.n == i || value_bytes(s.p + i, s.n - i);
}
