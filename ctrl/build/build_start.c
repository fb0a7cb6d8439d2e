/* build_start.c - the text that every subject of an expression begins with, as far as it is easily seen. */
#include <ctype.h>

#include "build/build_routes.h"

/* Past a class "[...]", p at its bracket; NULL: too clever for us. */
static const char *past_class(const char *p)
{
	p += p[1] == '^' ? 2 : 1;
	for (bool first = true;; first = false, p++) {
		if (*p == '\0' || (*p == '[' && p[1] == ':') || (*p == ']' && first))
			return NULL;
		if (*p == ']')
			return p;
		if (*p == '\\' && *++p == '\0')
			return NULL;
	}
}

/* Is there surely no "|" outside of all parentheses? What is hard to see counts as one. */
static bool no_choice(const char *p)
{
	uint32_t depth = 0;

	if (!strchr(p, '|'))
		return true;
	for (; p && *p; p++) {
		switch (*p) {
		case '\\':
			if (*++p == '\0' || *p == 'Q')
				return false;
			break;
		case '[':
			if (!(p = past_class(p)))
				return false;
			break;
		case '(':
			if (p[1] == '?' && p[2] != ':')
				return false;
			depth++;
			break;
		case ')':
			depth -= depth > 0;
			break;
		case '|':
			if (!depth)
				return false;
		}
	}
	return true;
}

struct ss_span ss_build_start(struct ss_build_job *j, struct ss_span pattern)
{
	/* Texts of a snapshot end in NUL (ss_build_text); the copy has room for one more. */
	const char *p = (const char *)pattern.p;
	char *out = ss_build_array(j, pattern.n + 1, 1);
	uint32_t n = 0;

	if (!out || !pattern.n || !no_choice(p))
		return SS_SPAN_NONE;
	p += *p == '^';
	for (; *p && !strchr(".[()$^|+", *p); p++) {
		if (strchr("*?{", *p)) { /* the byte before may be missing */
			n -= n > 0;
			break;
		}
		if (*p == '\\' && (isalnum((unsigned char)*++p) || !*p))
			break;
		out[n++] = *p;
	}
	return ss_span(out, n);
}
