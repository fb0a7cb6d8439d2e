/*
 * build_routes.h - how the files that compile virtual hosts divide the work.
 *
 * build_routes.c walks hosts and routes; build_match.c compiles what a route asks for; build_split.c its shares;
 * build_rewrite.c and build_cors.c what it does besides; build_authz.c policies. build_index.c makes the table of
 * paths, build_list.c the lists in it, build_regex.c databases of expressions, which build_start.c groups and
 * build_fields.c gathers by name (lib/contract/route_index.h); build_hosts.c a listener's host patterns.
 */
#ifndef SS_BUILD_ROUTES_H
#define SS_BUILD_ROUTES_H

#include "build/build_int.h"
#include "contract/route_index.h"

/* A path expression: a route that has it, its place in ss_route_index.expressions, the first route of the list
 * there, what its subjects begin with. */
struct ss_build_expr {
	uint32_t route, id, first;
	struct ss_span start;
};

/* One host under way. */
struct ss_build_host {
	const struct ss_model_host *model;
	struct ss_virtual_host *host;
	struct ss_route *routes;  /* in the order of precedence */
	uint32_t *order;          /* of the same: its place in the model */
	struct ss_route_index *index;
	struct ss_route_list *expressions; /* build_index.c */
	struct ss_build_expr *regex;
	uint32_t n_regex;
};

static inline const struct ss_model_route *ss_build_model_route(const struct ss_build_host *h, uint32_t i)
{
	return &h->model->routes[h->order[i]];
}

/* What all hosts of a snapshot share: scratch that is large enough for every database. */
struct ss_build_regex {
	void *proto; /* hs_scratch_t, grown database by database */
	uint32_t most_field_regex;
	struct ss_route_scratch *scratch; /* n_workers; filled by ss_build_regex_finish */
	void **match;                     /* build_rewrite.c: PCRE2's, by worker */
	void *bounds;
};

/* build_match.c: the route's matches; and the order in which a host's routes are tried. */
int ss_build_match(struct ss_build_job *j, const struct ss_model_host *h, const struct ss_model_route *m,
		   struct ss_route *r);
void ss_build_order(const struct ss_model_host *h, uint32_t *order);

/* build_format.c: the value, and the format where it has variables; cfg has refused wrong ones. */
int ss_build_value(struct ss_build_job *j, const char *text, struct ss_header_op *op);
/* build_split.c. `after` follows what m says; both may be empty. */
int ss_build_ops(struct ss_build_job *j, const struct ss_model_header_op *m, uint32_t n,
		 const struct ss_header_ops *after, struct ss_header_ops *out);
/* Needs the route's own operations. */
int ss_build_split(struct ss_build_job *j, const struct ss_model_host *h, const struct ss_model_route *m,
		   struct ss_route *r);
/* build_canary.c: when its shares are built; nothing without one. */
int ss_build_canary(struct ss_build_job *j, const struct ss_model_host *h, const struct ss_model_route *m, struct ss_route *r);
int ss_build_sticky(struct ss_build_job *j, const struct ss_model_sticky *m, const struct ss_sticky **out);

/* build_rewrite.c, build_cors.c: what is not there leaves its place as it was. */
int ss_build_rewrite(struct ss_build_job *j, struct ss_build_regex *x, const struct ss_model_route *m,
		     struct ss_route *r);
int ss_build_redirect(struct ss_build_job *j, struct ss_build_regex *x, const struct ss_model_route *m,
		      struct ss_route *r);
int ss_build_cors(struct ss_build_job *j, struct ss_build_regex *x, const struct ss_model_cors *m,
		  const struct ss_model_src *src, const struct ss_cors **out);

/* build_index.c: all of the index but its fields' databases, which number what the lists go by. */
int ss_build_index(struct ss_build_job *j, struct ss_build_regex *x, struct ss_build_host *h);

/* build_list.c: a list of routes; ids is its memory, ascending. */
int ss_build_list(struct ss_build_job *j, const struct ss_route *routes, uint32_t *ids, uint32_t n,
		  struct ss_route_list *out);
int ss_build_by_id(const void *a, const void *b);
uint32_t ss_build_mask(uint32_t n);

/* build_start.c: never more than what every subject begins with; often less. */
struct ss_span ss_build_start(struct ss_build_job *j, struct ss_span pattern);

/* build_fields.c: the host's databases of fields; numbers their expressions (ss_route_field.regex). */
int ss_build_regex_fields(struct ss_build_job *j, struct ss_build_regex *x, struct ss_build_host *h);

/* build_regex.c */
struct ss_build_pattern {
	const char *text;
	uint32_t id;
	const struct ss_model_src *src;
};

/* One database of n expressions, each of which must match its whole subject. Reports each wrong one. */
int ss_build_regex_set(struct ss_build_job *j, struct ss_build_regex *x, const struct ss_build_pattern *p,
		       uint32_t n, const char *key, const struct hs_database **out);

#endif
