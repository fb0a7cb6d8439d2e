/*
 * build_authz_regex.c - expressions of rules: numbered over a policy, the same one about the same value once,
 * and compiled for each value that is asked about in databases of a few each (build_index.c says why).
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "build/build_authz.h"

#define DB_EXPRESSIONS 32u
#define KEY 3 /* "NN:" */

/* -- path templates -- */

/* Istio and Envoy: {*} is one segment or a piece of one, {**} whatever is left, nothing included. */
static const char *operator_at(const char *p, uint32_t *n)
{
	*n = 3;
	if (!strncmp(p, "{*}", 3))
		return "[^/]+";
	*n = 4;
	return strncmp(p, "{**}", 4) ? NULL : ".*";
}

const char *ss_build_authz_template(struct ss_build_scope *s, const char *path, const char *key)
{
	char *out = ss_build_array(s->j, 3 * strlen(path) + 1, 1), *to = out;
	const char *last = NULL;
	uint32_t n;

	if (!out) {
		s->err = SS_ERR_NO_MEM;
		return "";
	}
	for (const char *p = path; *p; p += n) {
		const char *op = operator_at(p, &n);
		bool many = op && n == 4;
		if (*path != '/' || (!op && strchr("{}*", *p)) || (op && last)) {
			ss_build_authz_wrong(s, key, path,
					     "is no template: a path with {*} and, behind all others, {**}");
			return "";
		}
		last = many ? p : last;
		if (op) {
			to = stpcpy(to, op);
			continue;
		}
		n = 1;
		if (strchr("\\^$.|?+()[]", *p))
			*to++ = '\\';
		*to++ = *p;
	}
	return out;
}

/* -- numbers -- */

static bool find_subject(struct ss_build_scope *s, struct ss_authz_part *p, const char *key)
{
	struct ss_build_authz_exprs *x = &s->exprs;
	uint32_t i = 0;

	if (!x->subjects)
		x->subjects = ss_build_array(s->j, SS_AUTHZ_SUBJECTS, sizeof(*x->subjects));
	if (!x->subjects) {
		s->err = SS_ERR_NO_MEM;
		return false;
	}
	while (i < x->n_subjects &&
	       !(x->subjects[i].kind == p->kind && ss_span_eq(x->subjects[i].key, p->key)))
		i++;
	if (i == SS_AUTHZ_SUBJECTS) {
		ss_model_error(s->j->errors, s->src, key,
			       "more than %u headers, claims and so on with expressions", SS_AUTHZ_SUBJECTS);
		s->err = SS_ERR_CONFIG;
		return false;
	}
	if (i == x->n_subjects)
		x->subjects[x->n_subjects++] = (struct ss_authz_subject){.kind = p->kind, .key = p->key};
	p->subject = (uint8_t)i;
	return true;
}

static bool grow(struct ss_build_authz_exprs *x)
{
	uint32_t cap = x->cap ? 2 * x->cap : 16;
	struct ss_build_authz_expr *v = x->n < x->cap ? x->v : realloc(x->v, cap * sizeof(*v));

	if (!v)
		return false;
	x->cap = x->n < x->cap ? x->cap : cap;
	x->v = v;
	return true;
}

/* SS_TEXT_NONE without memory. */
static uint32_t number_of(struct ss_build_scope *s, uint32_t subject, const char *pattern)
{
	struct ss_build_authz_exprs *x = &s->exprs;
	char *text;
	uint32_t id;

	if (!grow(x) || asprintf(&text, "%02u:%s", subject, pattern) < 0)
		return SS_TEXT_NONE;
	id = ss_text_index_put(&x->known, text, x->n);
	if (id != SS_TEXT_NONE) {
		free(text);
		return id;
	}
	x->v[x->n] = (struct ss_build_authz_expr){text, *s->src};
	return x->n++;
}

void ss_build_authz_regex_part(struct ss_build_scope *s, struct ss_authz_part *p, const char *const *patterns,
			       uint32_t n, const char *key)
{
	uint32_t *ids = n ? ss_build_array(s->j, n, sizeof(*ids)) : NULL;

	if (!n || !find_subject(s, p, key))
		return;
	for (uint32_t i = 0; ids && i < n; i++)
		ids[i] = number_of(s, p->subject, patterns[i]);
	for (uint32_t i = 0; i < n; i++)
		if (!ids || ids[i] == SS_TEXT_NONE)
			s->err = SS_ERR_NO_MEM;
	if (n > UINT16_MAX)
		ss_build_authz_wrong(s, key, "", "has too many expressions");
	p->regex = ids;
	p->n_regex = (uint16_t)n;
}

/* -- databases -- */

static const char *key_of(const struct ss_authz_subject *s)
{
	return s->kind == SS_AUTHZ_PATH ? "paths" : s->kind == SS_AUTHZ_ID ? "ids" : "regex";
}

static int compile_subject(struct ss_build_scope *s, uint32_t subject)
{
	struct ss_build_authz_exprs *x = &s->exprs;
	struct ss_authz_subject *to = &x->subjects[subject];
	struct ss_build_pattern *some = calloc(x->n, sizeof(*some));
	uint32_t n = 0;
	int err = some ? 0 : SS_ERR_NO_MEM;

	for (uint32_t i = 0; some && i < x->n; i++)
		if ((uint32_t)atoi(x->v[i].text) == subject)
			some[n++] = (struct ss_build_pattern){x->v[i].text + KEY, i, &x->v[i].src};
	to->n_dbs = (n + DB_EXPRESSIONS - 1) / DB_EXPRESSIONS;
	to->dbs = ss_build_array(s->j, to->n_dbs, sizeof(*to->dbs));
	err = to->dbs ? err : SS_ERR_NO_MEM;
	for (uint32_t i = 0; err != SS_ERR_NO_MEM && i < to->n_dbs; i++) {
		uint32_t at = i * DB_EXPRESSIONS;
		int one = ss_build_regex_set(s->j, s->j->regex, some + at, ss_min_u32(n - at, DB_EXPRESSIONS),
					     key_of(to), &to->dbs[i]);
		err = one < 0 ? one : err;
	}
	free(some);
	return err;
}

void ss_build_authz_regex_end(struct ss_build_scope *s)
{
	struct ss_build_authz_exprs *x = &s->exprs;
	struct ss_authz_regex *r = x->n ? ss_build_alloc(s->j, sizeof(*r)) : NULL;

	if (!x->n)
		return;
	for (uint32_t i = 0; i < x->n_subjects && s->err != SS_ERR_NO_MEM; i++) {
		int err = compile_subject(s, i);
		s->err = err < 0 ? err : s->err;
	}
	if (!r) {
		s->err = SS_ERR_NO_MEM;
		return;
	}
	*r = (struct ss_authz_regex){x->n, x->n_subjects, x->subjects, s->j->regex->scratch};
	s->j->regex->most_field_regex = ss_max_u32(s->j->regex->most_field_regex, x->n);
	s->a->regex = r;
}

void ss_build_authz_regex_free(struct ss_build_scope *s)
{
	ss_text_index_free(&s->exprs.known);
	for (uint32_t i = 0; i < s->exprs.n; i++)
		free(s->exprs.v[i].text);
	free(s->exprs.v);
}
