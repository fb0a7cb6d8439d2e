#include "loop/log.h"

#include <string.h>
#include <time.h>

static struct {
	enum ss_log_level lowest;
	bool json;
} setup = { SS_LOG_INFO, false };

static const char *const names[] = { "debug", "info", "warn", "error" };

void ss_log_setup(enum ss_log_level lowest, bool json)
{
	setup.lowest = lowest;
	setup.json = json;
}

int ss_log_level_of(const char *name)
{
	for (size_t i = 0; i < SS_ARRAY_LEN(names); i++)
		if (strcmp(names[i], name) == 0)
			return (int)i;
	return -1;
}

const char *ss_log_num(char *buf, uint64_t v)
{
	snprintf(buf, SS_LOG_NUM, "%llu", (unsigned long long)v);
	return buf;
}

/* A logfmt value goes without quotes when nothing in it could be mistaken for syntax. */
static bool bare(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || *s == '"' || *s == '=' || *s == '\\' || *s == 0x7f)
			return false;
	return true;
}

/* JSON's escapes (RFC 8259 7); logfmt's are the same. */
static void quoted(FILE *f, const char *s)
{
	fputc('"', f);
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		if (c == '"' || c == '\\')
			fprintf(f, "\\%c", c);
		else if (c == '\n')
			fputs("\\n", f);
		else if (c < 0x20 || c == 0x7f)
			fprintf(f, "\\u%04x", c);
		else
			fputc(c, f);
	}
	fputc('"', f);
}

static void pair(FILE *f, bool json, const char *sep, const char *key, const char *value)
{
	if (json)
		fprintf(f, "%s\"%s\":", *sep ? "," : "", key);
	else
		fprintf(f, "%s%s=", sep, key);
	if (!json && bare(value))
		fputs(value, f);
	else
		quoted(f, value);
}

void ss_log_line(FILE *f, bool json, uint64_t unix_ns, enum ss_log_level level, const char *msg, va_list ap)
{
	time_t sec = (time_t)(unix_ns / SS_NS_PER_SEC);
	unsigned ms = (unsigned)(unix_ns % SS_NS_PER_SEC / SS_NS_PER_MS);
	char day[32], when[48];
	struct tm tm;
	const char *key;

	gmtime_r(&sec, &tm);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(when, sizeof(when), "%s.%03uZ", day, ms);
	if (json)
		fputc('{', f);
	pair(f, json, "", "time", when);
	pair(f, json, " ", "level", names[level]);
	pair(f, json, " ", "msg", msg);
	while ((key = va_arg(ap, const char *))) {
		const char *value = va_arg(ap, const char *);
		pair(f, json, " ", key, value ? value : "-");
	}
	fputs(json ? "}\n" : "\n", f);
}

void ss_log(enum ss_log_level level, const char *msg, ...)
{
	struct timespec ts;
	va_list ap;

	if (level < setup.lowest)
		return;
	clock_gettime(CLOCK_REALTIME, &ts);
	va_start(ap, msg);
	flockfile(stderr); /* the driver's own words come from other threads */
	ss_log_line(stderr, setup.json, (uint64_t)ts.tv_sec * SS_NS_PER_SEC + (uint64_t)ts.tv_nsec, level,
		    msg, ap);
	fflush(stderr);
	funlockfile(stderr);
	va_end(ap);
}
