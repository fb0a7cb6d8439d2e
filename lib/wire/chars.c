#include "wire/chars.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

bool ss_chars_all(struct ss_span s, uint8_t classes)
{
	bool ok = true;

	for (uint32_t i = 0; i < s.n; i++)
		ok &= ss_ch(s.p[i], classes);
	return ok;
}

static inline bool value_byte(uint8_t c)
{
	return c >= 0x20 ? c != 0x7f : c == '\t';
}

#ifdef __SSE2__
/* One bit for each of 16 bytes that no value can hold. */
static inline uint32_t bad_bytes(const uint8_t *p)
{
	__m128i v = _mm_loadu_si128((const __m128i *)p);
	/* Signed comparison orders bytes as unsigned once their high bit is turned over. */
	__m128i turned = _mm_xor_si128(v, _mm_set1_epi8((char)0x80));
	__m128i below = _mm_cmplt_epi8(turned, _mm_set1_epi8((char)(0x20 ^ 0x80)));
	__m128i bad = _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('\t')), below),
				   _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f)));

	return (uint32_t)_mm_movemask_epi8(bad);
}

static const uint8_t *skip_good(const uint8_t *p, const uint8_t *end)
{
	for (; end - p >= 16; p += 16) {
		uint32_t bad = bad_bytes(p);
		if (bad)
			return p + __builtin_ctz(bad);
	}
	return p;
}
#else
static const uint8_t *skip_good(const uint8_t *p, const uint8_t *end)
{
	const uint64_t ones = 0x0101010101010101ull, high = 0x8080808080808080ull;

	for (; end - p >= 8; p += 8) {
		uint64_t w, below, del;
		memcpy(&w, p, 8);
		below = (w - ones * 0x20) & ~w;
		del = w ^ (ones * 0x7f);
		/* A borrow may mark a good byte above a bad one, never hide one; HTAB is marked too: the
		 * caller looks byte by byte at what comes. */
		if ((below | ((del - ones) & ~del)) & high)
			return p;
	}
	return p;
}
#endif

const uint8_t *ss_chars_value_end(const uint8_t *p, const uint8_t *end)
{
	while (p < end) {
		p = skip_good(p, end);
		for (int i = 0; i < 16 && p < end; i++, p++)
			if (!value_byte(*p))
				return p;
	}
	return end;
}

bool ss_chars_value(struct ss_span s)
{
	return s.n == 0 || ss_chars_value_end(s.p, s.p + s.n) == s.p + s.n;
}
