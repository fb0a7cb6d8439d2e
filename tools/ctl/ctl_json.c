#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "tools/ctl/ctl_json.h"

struct reader {
	char *p;
	int depth;
};

static struct ctl_json *value(struct reader *r);

static void space(struct reader *r)
{
	r->p += strspn(r->p, " \t\r\n");
}

static struct ctl_json *node(enum ctl_json_kind kind)
{
	struct ctl_json *v = calloc(1, sizeof(*v));
	if (v)
		v->kind = kind;
	return v;
}

void ctl_json_free(struct ctl_json *v)
{
	while (v) {
		struct ctl_json *next = v->next;
		ctl_json_free(v->child); /* as deep as the reader allowed */
		free(v);
		v = next;
	}
}

static char *put_utf8(char *out, unsigned c)
{
	if (c < 0x80) {
		*out++ = (char)c;
	} else if (c < 0x800) {
		*out++ = (char)(0xc0 | c >> 6);
		*out++ = (char)(0x80 | (c & 0x3f));
	} else {
		*out++ = (char)(0xe0 | c >> 12);
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
		*out++ = (char)(0x80 | (c & 0x3f));
	}
	return out;
}

/* One escape after its reverse solidus. False for one that RFC 8259 7 lacks. */
static bool escape(struct reader *r, char **out)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at = *r->p ? strchr(from, *r->p) : NULL;
	if (at) {
		*(*out)++ = to[at - from];
		r->p++;
		return true;
	}
	if (*r->p != 'u')
		return false;
	unsigned c = 0;
	for (int i = 1; i <= 4; i++) {
		if (!isxdigit((unsigned char)r->p[i]))
			return false;
		c = c * 16 +
		    (unsigned)(isdigit((unsigned char)r->p[i]) ? r->p[i] - '0' : (r->p[i] | 0x20) - 'a' + 10);
	}
	*out = put_utf8(*out, c); /* never longer than the escape: decoding in place is safe */
	r->p += 5;
	return true;
}

/* At a quotation mark. The text, decoded in place, or NULL. */
static char *string(struct reader *r)
{
	char *start = ++r->p, *out = start;
	while (*r->p != '"') {
		if ((unsigned char)*r->p < 0x20)
			return NULL;
		if (*r->p != '\\') {
			*out++ = *r->p++;
			continue;
		}
		r->p++;
		if (!escape(r, &out))
			return NULL;
	}
	r->p++;
	*out = '\0';
	return start;
}

static bool is_number(const char *s)
{
	char *end;
	strtod(s, &end);
	return (*s == '-' || isdigit((unsigned char)*s)) && *end == '\0';
}

/* true, false, null or a number: runs to the next delimiter, which is kept for the caller. */
static struct ctl_json *word(struct reader *r)
{
	size_t n = strspn(r->p, "+-.0123456789abcdefghijklmnopqrstuvwxyzE");
	char *copy = n ? strndup(r->p, n) : NULL;
	struct ctl_json *v = NULL;
	if (!copy)
		return NULL;
	if (!strcmp(copy, "null"))
		v = node(CTL_NULL);
	else if (!strcmp(copy, "true") || !strcmp(copy, "false"))
		v = node(CTL_BOOL);
	else if (is_number(copy))
		v = node(CTL_NUMBER);
	free(copy);
	if (v)
		v->text = r->p; /* ended by the caller, who overwrites the delimiter last */
	r->p += n;
	return v;
}

static struct ctl_json *members(struct reader *r, enum ctl_json_kind kind, char close)
{
	struct ctl_json *v = node(kind), **tail = v ? &v->child : NULL;
	r->p++;
	space(r);
	if (v && *r->p == close) {
		r->p++;
		return v;
	}
	while (v) {
		char *key = NULL, delimiter;
		space(r);
		if (kind == CTL_OBJECT) {
			key = *r->p == '"' ? string(r) : NULL;
			space(r);
			if (!key || *r->p++ != ':')
				break;
		}
		*tail = value(r);
		if (!*tail)
			break;
		(*tail)->key = key;
		tail = &(*tail)->next;
		char *end = r->p;
		space(r);
		delimiter = *r->p;
		if (delimiter != ',' && delimiter != close)
			break;
		r->p++;
		*end = '\0'; /* ends a word's text */
		if (delimiter == close)
			return v;
	}
	ctl_json_free(v);
	return NULL;
}

static struct ctl_json *value(struct reader *r)
{
	struct ctl_json *v = NULL;
	space(r);
	if (++r->depth > CTL_JSON_DEPTH)
		return NULL;
	if (*r->p == '{') {
		v = members(r, CTL_OBJECT, '}');
	} else if (*r->p == '[') {
		v = members(r, CTL_LIST, ']');
	} else if (*r->p == '"') {
		char *text = string(r);
		v = text ? node(CTL_TEXT) : NULL;
		if (v)
			v->text = text;
	} else {
		v = word(r);
	}
	r->depth--;
	return v;
}

struct ctl_json *ctl_json_read(char *text)
{
	struct reader r = { text, 0 };
	struct ctl_json *v = value(&r);
	char *end = r.p;
	space(&r);
	if (v && *r.p == '\0') {
		*end = '\0';
		return v;
	}
	ctl_json_free(v);
	return NULL;
}

const struct ctl_json *ctl_json_get(const struct ctl_json *v, const char *key)
{
	if (!v || v->kind != CTL_OBJECT)
		return NULL;
	for (v = v->child; v; v = v->next)
		if (!strcmp(v->key, key))
			return v;
	return NULL;
}

bool ctl_json_has(const struct ctl_json *v, const char *key)
{
	const struct ctl_json *m = ctl_json_get(v, key);

	return m && m->kind != CTL_NULL;
}

const struct ctl_json *ctl_json_first(const struct ctl_json *v, const char *key)
{
	const struct ctl_json *m = ctl_json_get(v, key);

	return m ? m->child : NULL;
}

const char *ctl_json_text(const struct ctl_json *v, const char *key)
{
	const struct ctl_json *m = ctl_json_get(v, key);
	if (!m || !m->text || m->kind == CTL_NULL)
		return "-";
	if (m->kind == CTL_BOOL)
		return m->text[0] == 't' ? "yes" : "no";
	return m->text;
}

double ctl_json_number(const struct ctl_json *v, const char *key)
{
	const struct ctl_json *m = ctl_json_get(v, key);
	return m && m->kind == CTL_NUMBER ? strtod(m->text, NULL) : 0;
}
