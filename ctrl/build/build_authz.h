/*
 * build_authz.h - how the files that compile authorization divide the work: build_authz.c makes rules,
 * build_authz_parts.c what each asks about, build_authz_regex.c expressions, build_authz_index.c what finds the rules
 * (lib/contract/authz.h).
 */
#ifndef SS_BUILD_AUTHZ_H
#define SS_BUILD_AUTHZ_H

#include "build/build_routes.h"
#include "model/text_index.h"

/* Fewer rules than this are looked at one by one. */
#define SS_BUILD_AUTHZ_FEW 8u

/* The expressions of a policy under way. */
struct ss_build_authz_exprs {
	struct ss_authz_subject *subjects; /* SS_AUTHZ_SUBJECTS */
	uint32_t n_subjects, n, cap;
	struct ss_build_authz_expr {
		char *text; /* "NN:" and the pattern, NN: its subject; the key that `known` has it by */
		struct ss_model_src src;
	} *v; /* by number */
	struct ss_text_index known;
};

/* A scope under way. */
struct ss_build_scope {
	struct ss_build_job *j;
	struct ss_authz *a;
	struct ss_authz_rule *rules;
	const struct ss_model_src *src; /* of the rule under way, for errors */
	struct ss_build_authz_exprs exprs;
	int err;
};

/* build_authz_parts.c: adds the error and remembers that there was one. */
void ss_build_authz_wrong(struct ss_build_scope *s, const char *key, const char *value, const char *why);
/* build_authz_parts.c: the parts of one pair of a rule. */
void ss_build_authz_parts(struct ss_build_scope *s, const struct ss_model_source *from,
			  const struct ss_model_operation *to, const struct ss_model_authz_rule *m,
			  struct ss_authz_rule *r);

/* build_authz_regex.c: a path with "{*}" and "{**}" as an expression; "" and an error when it is not well formed. */
const char *ss_build_authz_template(struct ss_build_scope *s, const char *path, const char *key);
/* build_authz_regex.c: the part matches n expressions, too. */
void ss_build_authz_regex_part(struct ss_build_scope *s, struct ss_authz_part *p, const char *const *patterns,
			       uint32_t n, const char *key);
/* build_authz_regex.c: compiles what the parts have; then lets go of what only the build needs. */
void ss_build_authz_regex_end(struct ss_build_scope *s);
void ss_build_authz_regex_free(struct ss_build_scope *s);

/* build_authz_parts.c: "*", "*x", "x*" or "x", as Istio writes them. */
struct ss_authz_text ss_build_star_text(struct ss_build_job *j, const char *text, bool lower);
/* build_ext_authz.c: by name; NULL when there is none. */
const struct ss_ext_authz *ss_build_provider(const struct ss_build_job *j, const char *name);
/* build_authz_index.c */
int ss_build_authz_index(struct ss_build_job *j, struct ss_authz *a);

#endif
