#include <stdio.h>
#include <stdlib.h>

#include "model/json.h"

static void put(struct ss_json *j, const void *p, size_t n)
{
	if (j->failed)
		return;
	if (j->cap - j->n < n + 1) {
		size_t cap = (j->cap + n + 1) * 2;
		char *grown = realloc(j->text, cap);
		if (!grown) {
			j->failed = true;
			return;
		}
		j->text = grown;
		j->cap = cap;
	}
	memcpy(j->text + j->n, p, n);
	j->n += n;
	j->text[j->n] = '\0';
}

static void put_text(struct ss_json *j, const char *s)
{
	put(j, s, strlen(s));
}

/* Length of the UTF-8 sequence at p, or 0: RFC 3629 section 4, without surrogates and overlong forms. */
static uint32_t utf8(const uint8_t *p, uint32_t n)
{
	uint32_t len = p[0] < 0x80   ? 1
		       : p[0] < 0xc2 ? 0
		       : p[0] < 0xe0 ? 2
		       : p[0] < 0xf0 ? 3
		       : p[0] < 0xf5 ? 4
				     : 0;
	if (len == 0 || len > n)
		return 0;
	for (uint32_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
	    (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

/* RFC 8259 7: quotation mark, reverse solidus and control characters are escaped. */
static void put_string(struct ss_json *j, struct ss_span s)
{
	char esc[8];
	put(j, "\"", 1);
	for (uint32_t i = 0; i < s.n;) {
		uint8_t c = s.p[i];
		uint32_t len = utf8(s.p + i, s.n - i);
		if (len == 0) {
			put_text(j, "\xef\xbf\xbd");
			len = 1;
		} else if (c == '"' || c == '\\') {
			put(j, (char[]){ '\\', (char)c }, 2);
		} else if (c < 0x20 || c == 0x7f) {
			snprintf(esc, sizeof(esc), "\\u%04x", c);
			put_text(j, esc);
		} else {
			put(j, s.p + i, len);
		}
		i += len;
	}
	put(j, "\"", 1);
}

static void begin(struct ss_json *j, const char *key)
{
	if (j->comma)
		put(j, ",", 1);
	if (key) {
		put_string(j, ss_span_str(key));
		put(j, ":", 1);
	}
	j->comma = true;
}

static void enter(struct ss_json *j, const char *key, const char *bracket)
{
	begin(j, key);
	put(j, bracket, 1);
	j->comma = false;
}

static void leave(struct ss_json *j, const char *bracket)
{
	put(j, bracket, 1);
	j->comma = true;
}

void ss_json_open(struct ss_json *j)
{
	*j = (struct ss_json){ 0 };
	enter(j, NULL, "{");
}

char *ss_json_close(struct ss_json *j)
{
	leave(j, "}");
	if (j->failed) {
		free(j->text);
		j->text = NULL;
	}
	return j->text;
}

void ss_json_object(struct ss_json *j, const char *key)
{
	enter(j, key, "{");
}

void ss_json_end_object(struct ss_json *j)
{
	leave(j, "}");
}

void ss_json_list(struct ss_json *j, const char *key)
{
	enter(j, key, "[");
}

void ss_json_end_list(struct ss_json *j)
{
	leave(j, "]");
}

void ss_json_span(struct ss_json *j, const char *key, struct ss_span s)
{
	begin(j, key);
	put_string(j, s);
}

void ss_json_text(struct ss_json *j, const char *key, const char *text)
{
	begin(j, key);
	if (text)
		put_string(j, ss_span_str(text));
	else
		put_text(j, "null");
}

void ss_json_u64(struct ss_json *j, const char *key, uint64_t v)
{
	char buf[24];
	begin(j, key);
	snprintf(buf, sizeof(buf), "%llu", (unsigned long long)v);
	put_text(j, buf);
}

void ss_json_double(struct ss_json *j, const char *key, double v, int decimals)
{
	char buf[64];
	begin(j, key);
	snprintf(buf, sizeof(buf), "%.*f", decimals, v);
	put_text(j, buf);
}

void ss_json_bool(struct ss_json *j, const char *key, bool v)
{
	begin(j, key);
	put_text(j, v ? "true" : "false");
}
