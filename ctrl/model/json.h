/*
 * json.h - writes JSON text: what the admin socket answers, what the access log holds.
 *
 * Takes:   values in document order.
 * Gives:   one text, properly escaped.
 * Owns:    the buffer until ss_json_close.
 * Thread:  one owner.
 * Errors:  out of memory turns every later call into nothing, and close answers NULL.
 *
 * key is the member's name inside an object, NULL inside a list.
 */
#ifndef SS_JSON_H
#define SS_JSON_H

#include "base/span.h"

struct ss_json {
	char *text;
	size_t n, cap;
	bool comma;  /* the next value needs one before it */
	bool failed;
};

/* A document whose outermost value is an object. */
void ss_json_open(struct ss_json *j);
/* The finished text, NUL-terminated; free() it. NULL without memory. */
char *ss_json_close(struct ss_json *j);

void ss_json_object(struct ss_json *j, const char *key);
void ss_json_end_object(struct ss_json *j);
void ss_json_list(struct ss_json *j, const char *key);
void ss_json_end_list(struct ss_json *j);

/* NULL writes null. Bytes that are no UTF-8 text are written as U+FFFD. */
void ss_json_text(struct ss_json *j, const char *key, const char *text);
void ss_json_span(struct ss_json *j, const char *key, struct ss_span s);
void ss_json_u64(struct ss_json *j, const char *key, uint64_t v);
/* With the given number of decimals. */
void ss_json_double(struct ss_json *j, const char *key, double v, int decimals);
void ss_json_bool(struct ss_json *j, const char *key, bool v);

#endif
