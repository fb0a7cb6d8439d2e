#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cfg/cfg_int.h"

struct unit {
	const char *name;
	uint64_t times;
};

static const struct unit durations[] = {
	{ "ns", 1 },
	{ "us", SS_NS_PER_US },
	{ "ms", SS_NS_PER_MS },
	{ "s", SS_NS_PER_SEC },
	{ "m", 60 * SS_NS_PER_SEC },
	{ "h", 3600 * SS_NS_PER_SEC },
};

static const struct unit sizes[] = {
	{ "B", 1 },
	{ "KiB", 1024 },
	{ "MiB", 1024 * 1024 },
	{ "GiB", 1024 * 1024 * 1024 },
};

static const struct {
	const char *name;
	uint16_t bit;
} methods[] = {
	{ "GET", SS_METHOD_GET },	{ "HEAD", SS_METHOD_HEAD },	  { "POST", SS_METHOD_POST },
	{ "PUT", SS_METHOD_PUT },	{ "DELETE", SS_METHOD_DELETE },	  { "OPTIONS", SS_METHOD_OPTIONS },
	{ "PATCH", SS_METHOD_PATCH },	{ "CONNECT", SS_METHOD_CONNECT }, { "TRACE", SS_METHOD_TRACE },
	{ "OTHER", SS_METHOD_OTHER },
};

uint16_t ss_cfg_method(const char *name)
{
	for (size_t i = 0; i < SS_ARRAY_LEN(methods); i++)
		if (!strcmp(methods[i].name, name))
			return methods[i].bit;
	return 0;
}

const char *ss_cfg_method_name(uint16_t bit)
{
	for (size_t i = 0; i < SS_ARRAY_LEN(methods); i++)
		if (methods[i].bit == bit)
			return methods[i].name;
	return "?";
}

SS_PRINTF(2, 3)
static const char *refuse(struct ss_cfg *c, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(c->why, sizeof(c->why), fmt, ap);
	va_end(ap);
	return c->why;
}

/* Digits at *p; false when there are none or the number passes 64 bits. */
static bool number(const char **p, uint64_t *out)
{
	uint64_t v = 0;
	if (!isdigit((unsigned char)**p))
		return false;
	for (; isdigit((unsigned char)**p); (*p)++) {
		uint64_t d = (uint64_t)(**p - '0');
		if (v > (UINT64_MAX - d) / 10)
			return false;
		v = v * 10 + d;
	}
	*out = v;
	return true;
}

/* A number and a unit out of the table; a bare number only where the caller says what it counts. */
static bool with_unit(const char *text, const struct unit *u, size_t n, uint64_t bare, uint64_t *out)
{
	if (!number(&text, out))
		return false;
	uint64_t times = *text == '\0' && (bare || *out == 0) ? (bare ? bare : 1) : 0;
	for (size_t i = 0; i < n && !times; i++)
		if (!strcmp(text, u[i].name))
			times = u[i].times;
	if (!times || *out > UINT64_MAX / times)
		return false;
	*out *= times;
	return true;
}

/* The largest unit that divides v, so that a bound reads as an operator would write it. */
static char *unit_text(uint64_t v, const struct unit *u, size_t n, char *buf, size_t buf_n)
{
	size_t i = n - 1;
	while (i > 0 && (v == 0 || v % u[i].times))
		i--;
	snprintf(buf, buf_n, "%llu%s", (unsigned long long)(v / u[i].times), u[i].name);
	return buf;
}

char *ss_cfg_unit_text(enum ss_cfg_type type, uint64_t v, char *buf, size_t n)
{
	if (type == SS_CFG_DURATION)
		return v ? unit_text(v, durations, SS_ARRAY_LEN(durations), buf, n) : strcpy(buf, "0s");
	if (type == SS_CFG_SIZE)
		return unit_text(v, sizes, SS_ARRAY_LEN(sizes), buf, n);
	if (type == SS_CFG_HUNDREDTHS)
		snprintf(buf, n, "%g", (double)v / 100);
	else
		snprintf(buf, n, "%llu", (unsigned long long)v);
	return buf;
}

static const char *in_bounds(struct ss_cfg *c, const struct ss_cfg_key *k, const char *text, uint64_t v)
{
	char low[32], high[32];
	uint64_t max = k->max ? k->max : k->type == SS_CFG_U16 ? UINT16_MAX :
				   k->type == SS_CFG_DURATION ? UINT64_MAX : UINT32_MAX;
	if (v >= k->min && v <= max)
		return NULL;
	return refuse(c, "%s is out of bounds: from %s to %s", text,
		      ss_cfg_unit_text(k->type, k->min, low, sizeof(low)),
		      ss_cfg_unit_text(k->type, max, high, sizeof(high)));
}

/* "12", "12.5", "12.25" -> hundredths. */
static bool hundredths(const char *text, uint64_t *out)
{
	uint64_t part = 0;
	if (!number(&text, out) || *out > UINT32_MAX)
		return false;
	if (*text == '.') {
		const char *start = ++text;
		if (!number(&text, &part) || text - start > 2)
			return false;
		if (text - start == 1)
			part *= 10;
	}
	*out = *out * 100 + part;
	return *text == '\0';
}

static const char *number_value(struct ss_cfg *c, const struct ss_cfg_key *k, const char *text, uint64_t *v)
{
	const char *p = text;
	switch (k->type) {
	case SS_CFG_DURATION:
		if (!with_unit(text, durations, SS_ARRAY_LEN(durations), 0, v))
			return refuse(c,
				      "\"%s\" is no duration: write a whole number and ns, us, ms, s, m or h",
				      text);
		break;
	case SS_CFG_SIZE:
		if (!with_unit(text, sizes, SS_ARRAY_LEN(sizes), 1, v))
			return refuse(c, "\"%s\" is no size: write a whole number and B, KiB, MiB or GiB",
				      text);
		break;
	case SS_CFG_HUNDREDTHS:
		if (!hundredths(text, v))
			return refuse(c, "%s is no number with at most two decimals", text);
		break;
	default:
		if (!number(&p, v) || *p)
			return refuse(c, "%s is no whole number from 0 up", text);
	}
	return in_bounds(c, k, text, *v);
}

static const char *store_number(struct ss_cfg *c, const struct ss_cfg_key *k, const char *text, void *dest)
{
	uint64_t v = 0;
	const char *why = number_value(c, k, text, &v);
	if (why)
		return why;
	if (k->type == SS_CFG_U16)
		*(uint16_t *)dest = (uint16_t)v;
	else if (k->type == SS_CFG_DURATION)
		*(uint64_t *)dest = v;
	else
		*(uint32_t *)dest = (uint32_t)v;
	return NULL;
}

static const char *store_word(struct ss_cfg *c, const struct ss_cfg_key *k, const char *text, void *dest)
{
	char list[160] = "";
	size_t n = 0;
	for (const struct ss_cfg_word *w = k->words; w->word; w++) {
		if (!strcmp(w->word, text)) {
			if (k->bytes == sizeof(bool))
				*(bool *)dest = w->value != 0;
			else
				*(uint32_t *)dest = w->value;
			return NULL;
		}
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s\"%s\"", n ? ", " : "", w->word);
	}
	return refuse(c, "\"%s\" is none of %s", text, list);
}

/* Texts become names, labels and log fields: no control characters, and not without bound. A text with
 * a bound of its own is a body: it may hold anything. */
static const char *store_text(struct ss_cfg *c, const struct ss_cfg_key *k, const char *text, char **dest)
{
	size_t n = strlen(text);
	for (size_t i = 0; i < n && k->max == 0; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return refuse(c, "contains a control character");
	if (n < k->min)
		return refuse(c, "must not be empty");
	if (n > (k->max ? k->max : 1024))
		return refuse(c, "longer than %llu bytes", (unsigned long long)(k->max ? k->max : 1024));
	if (k->type == SS_CFG_REF && k->find(c->m, text) == SS_MODEL_NONE)
		return refuse(c, "there is no %s named \"%s\"", k->what, text);
	*dest = ss_cfg_text(c, text);
	return NULL;
}

static const char *store_file(struct ss_cfg *c, const char *text, char **dest)
{
	char path[4096];
	bool as_is = text[0] == '/' || !strcmp(text, "-");
	if (!text[0])
		return refuse(c, "must not be empty");
	int n = snprintf(path, sizeof(path), "%s%s", as_is ? "" : c->dir, text);
	if (n < 0 || (size_t)n >= sizeof(path))
		return refuse(c, "path is too long");
	*dest = ss_cfg_text(c, path);
	return NULL;
}

const char *ss_cfg_value(struct ss_cfg *c, const struct ss_cfg_key *k, const char *text, void *dest)
{
	switch (k->type) {
	case SS_CFG_BOOL:
		*(bool *)dest = !strcmp(text, "true");
		return NULL;
	case SS_CFG_TRUE:
		return strcmp(text, "true") ? refuse(c, "only true makes sense here") : NULL;
	case SS_CFG_WORD:
		return store_word(c, k, text, dest);
	case SS_CFG_TEXT:
	case SS_CFG_REF:
		return store_text(c, k, text, dest);
	case SS_CFG_FILE:
		return store_file(c, text, dest);
	case SS_CFG_IP:
		if (ss_ip_parse(text, dest) == 0)
			return NULL;
		return refuse(c, "\"%s\" is no IP address", text);
	case SS_CFG_OWN:
		return k->value(c, text, dest);
	default:
		return store_number(c, k, text, dest);
	}
}
