#include "wire/b64url.h"

#include "base/err.h"

static int digit(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

int ss_b64url(struct ss_span text, uint8_t *out, uint32_t room)
{
	uint32_t bits = 0, have = 0, n = 0;

	if (text.n % 4 == 1)
		return SS_ERR_BAD_STREAM;
	if (text.n / 4 * 3 + text.n % 4 * 3 / 4 > room)
		return SS_ERR_LIMIT;
	for (uint32_t i = 0; i < text.n; i++) {
		int d = digit(text.p[i]);
		if (d < 0)
			return SS_ERR_BAD_STREAM;
		bits = bits << 6 | (uint32_t)d;
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[n++] = (uint8_t)(bits >> have);
		}
	}
	return bits & ((1u << have) - 1) ? SS_ERR_BAD_STREAM : (int)n;
}
