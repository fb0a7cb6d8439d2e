/*
 * ctl_json.h - reads one JSON document into a tree, for printing.
 *
 * Takes:   text; it is changed in place and must outlive the tree.
 * Gives:   values in document order.
 * Owns:    the nodes, until ctl_json_free.
 * Thread:  any.
 * Errors:  NULL for what is no JSON document (RFC 8259), or nests deeper than CTL_JSON_DEPTH.
 */
#ifndef SS_CTL_JSON_H
#define SS_CTL_JSON_H

#include "base/base.h"

#define CTL_JSON_DEPTH 32

enum ctl_json_kind { CTL_NULL, CTL_BOOL, CTL_NUMBER, CTL_TEXT, CTL_LIST, CTL_OBJECT };

struct ctl_json {
	struct ctl_json *next;  /* in its list or object */
	struct ctl_json *child; /* first member */
	const char *key;        /* inside an object */
	const char *text;       /* texts unescaped; numbers and words as written */
	enum ctl_json_kind kind;
};

struct ctl_json *ctl_json_read(char *text);
void ctl_json_free(struct ctl_json *v);
/* The member of an object, or NULL. v may be NULL. */
const struct ctl_json *ctl_json_get(const struct ctl_json *v, const char *key);
/* It is there, and not null. */
bool ctl_json_has(const struct ctl_json *v, const char *key);
/* The first item of the list, or member of the object, of that name; NULL when there is none. */
const struct ctl_json *ctl_json_first(const struct ctl_json *v, const char *key);
/* Its text, or "-" when it is not there; "yes" and "no" for booleans. */
const char *ctl_json_text(const struct ctl_json *v, const char *key);
double ctl_json_number(const struct ctl_json *v, const char *key);

#endif
