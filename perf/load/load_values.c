/* load_values.c - numbers with units, addresses and shares, as options give them. */
#include <ctype.h>
#include <stdlib.h>

#include "base/err.h"
#include "perf/load/load_opts.h"

int ss_load_value_u64(const char *text, uint64_t *out)
{
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return SS_ERR_CONFIG;
	*out = strtoull(text, &end, 10);
	return *end == '\0' && *out < UINT64_MAX ? 0 : SS_ERR_CONFIG;
}

struct unit {
	const char *name;
	double times;
};

static int with_unit(const char *text, const struct unit *u, uint64_t *out)
{
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return SS_ERR_CONFIG;
	double v = strtod(text, &end);
	for (; u->name; u++) {
		if (strcmp(end, u->name) != 0)
			continue;
		if (v * u->times > 1e18)
			return SS_ERR_CONFIG;
		*out = (uint64_t)(v * u->times + 0.5);
		return 0;
	}
	return SS_ERR_CONFIG;
}

int ss_load_value_size(const char *text, uint64_t *out)
{
	static const struct unit units[] = { { "", 1 },		   { "B", 1 },	      { "KiB", 1024 },
					     { "MiB", 1048576 },   { "GiB", 1073741824 }, { NULL, 0 } };

	return with_unit(text, units, out);
}

int ss_load_value_duration(const char *text, uint64_t *out)
{
	static const struct unit units[] = { { "ns", 1 }, { "us", 1e3 },  { "ms", 1e6 },
					     { "s", 1e9 }, { "m", 60e9 }, { NULL, 0 } };

	return with_unit(text, units, out);
}

int ss_load_value_addr(const char *text, struct ss_addr *out)
{
	const char *colon = strrchr(text, ':');
	char ip[SS_IP_TEXT];
	uint64_t port;

	if (!colon || (size_t)(colon - text) >= sizeof(ip))
		return SS_ERR_CONFIG;
	memcpy(ip, text, (size_t)(colon - text));
	ip[colon - text] = '\0';
	if (ss_ip_parse(ip, &out->ip) < 0 || out->ip.family != 4)
		return SS_ERR_CONFIG;
	if (ss_load_value_u64(colon + 1, &port) < 0 || port < 1 || port > 65535)
		return SS_ERR_CONFIG;
	out->port = (uint16_t)port;
	return 0;
}

int ss_load_value_share(const char *text, double *out)
{
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return SS_ERR_CONFIG;
	*out = strtod(text, &end);
	if (*end == '%') {
		*out /= 100;
		end++;
	}
	return *end == '\0' && *out >= 0 && *out <= 1 ? 0 : SS_ERR_CONFIG;
}
