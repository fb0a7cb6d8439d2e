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

/* A borrow may mark a good byte above a bad one, never hide one: marks are checked byte by byte. */
static inline bool word_ok(const uint8_t *p)
{
	uint64_t w;

	memcpy(&w, p, 8);
	return ss_likely(!control_bytes(w)) || value_bytes(p, 8);
}

bool ss_chars_value(struct ss_span s)
{
	if (s.n < 8)
		return s.n == 0 || value_bytes(s.p, s.n);
	for (uint32_t i = 0; i + 8 < s.n; i += 8)
		if (!word_ok(s.p + i))
			return false;
	return word_ok(s.p + s.n - 8); /* the last word overlaps the one before */
}
