#include "wire/number.h"

bool ss_number(struct ss_span v, uint64_t *out)
{
	uint64_t n = 0;

	if (!v.n || v.n > 18)
		return false;
	for (uint32_t i = 0; i < v.n; i++) {
		if (v.p[i] < '0' || v.p[i] > '9')
			return false;
		n = n * 10 + (v.p[i] - '0');
	}
	*out = n;
	return true;
}

bool ss_number_grpc_timeout(struct ss_span v, uint64_t *ns)
{
	static const struct {
		char unit;
		uint64_t ns;
	} units[] = {
		{ 'H', 3600 * SS_NS_PER_SEC }, { 'M', 60 * SS_NS_PER_SEC }, { 'S', SS_NS_PER_SEC },
		{ 'm', SS_NS_PER_MS },	       { 'u', 1000 },		    { 'n', 1 },
	};
	uint64_t n;

	if (v.n < 2 || v.n > 9 || !ss_number(ss_span(v.p, v.n - 1), &n))
		return false;
	for (size_t i = 0; i < SS_ARRAY_LEN(units); i++)
		if (v.p[v.n - 1] == (uint8_t)units[i].unit) {
			*ns = n * units[i].ns; /* 99,999,999 hours are 3.6e20 ns: bounded below */
			if (units[i].ns > SS_NS_PER_SEC && n > UINT64_MAX / 4 / units[i].ns)
				*ns = UINT64_MAX / 4;
			return true;
		}
	return false;
}

struct ss_span ss_number_put(char buf[SS_NUMBER_TEXT], uint64_t v, char unit)
{
	char *end = buf + SS_NUMBER_TEXT, *p = end;

	if (unit)
		*--p = unit;
	do {
		*--p = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	return ss_span(p, (uint32_t)(end - p));
}
