/*
 * why_int.h - one request under explanation, and what the files of this room write about it.
 *
 * why.c decides; why_ask.c reads the question; why_routes.c tells of listener, host, routes and shares, why_authz.c of the
 * token and of policies, why_does.c of what the route does, why_cluster.c of endpoints.
 */
#ifndef SS_WHY_INT_H
#define SS_WHY_INT_H

#include "jwt/token.h"
#include "route/route_why.h"
#include "why/why.h"

#define WHY_ASKED_MAX 8u /* authorizers of one request */
#define WHY_NEAREST 5u   /* routes and rules that are told one by one */

struct ss_why {
	struct ss_why_conf conf;
	struct ss_jwt *jwt;
	struct ss_arena_pools pools;
};

struct why_case {
	const struct ss_why *w;
	const struct ss_snapshot *s;
	const struct ss_model *m;
	const struct ss_why_ask *ask;
	struct ss_json *j;
	uint64_t now;
	struct ss_arena arena;
	const struct ss_listener *l;
	const struct ss_model_listener *ml;
	struct ss_hdrs came; /* as the worker would read it */
	struct ss_hdr fields[SS_WHY_HEADERS + 1];
	struct ss_addr peer;
	struct ss_jwt_found token;
	struct ss_route_request rq;
	uint8_t n_asked;
	struct ss_authz_passed passed[WHY_ASKED_MAX];
	const struct ss_authz_rule *asked[WHY_ASKED_MAX]; /* custom rules whose authorizers are asked */
	struct ss_route_decision d;
	enum ss_drop wanting;
	enum ss_route_end end;
	const struct ss_model_host *mh; /* of d; NULL: none */
	const struct ss_model_route *mr;
	bool drawn;          /* the share is left to chance */
	enum ss_drop refused; /* by what comes after the decision, as far as that is certain */
};

/* why_ask.c: the head, as an HTTP/1.1 connection would have read it; in the arena. */
int why_read_head(struct why_case *k, char *err, size_t err_n);

/* why_routes.c */
void why_show_listener(struct why_case *k);
bool why_show_routes(struct why_case *k);
void why_show_shares(struct why_case *k);
/* why_authz.c */
void why_show_token(struct why_case *k);
void why_show_authz(struct why_case *k);
/* why_does.c */
void why_show_does(struct why_case *k);
/* why_cluster.c: SS_DROP_NONE, or why none of its endpoints would get the request. */
enum ss_drop why_show_cluster(struct why_case *k);

/* why.c */
/* "at": "file:line" */
void why_put_at(struct ss_json *j, const struct ss_model_src *src);
void why_put_name(struct why_case *k, const char *key, uint32_t name);
/* A sentence; cut at 400 bytes. */
void why_put_text(struct ss_json *j, const char *key, const char *fmt, ...) SS_PRINTF(3, 4);
/* Of a duration; 0: left out. */
void why_put_ms(struct ss_json *j, const char *key, uint64_t ns);
/* For "%.*s". */
#define WHY_SPAN(s) (int)(s).n, (s).n ? (const char *)(s).p : ""

#endif
