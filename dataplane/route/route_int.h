/*
 * route_int.h - one decision under way, and what the files of this room do for each other.
 */
#ifndef SS_ROUTE_INT_H
#define SS_ROUTE_INT_H

#include "contract/route_index.h"
#include "route/route.h"
#include "route/route_why.h"

#define SS_ROUTE_HOST_MAX 255 /* RFC 1035 2.3.4 */

struct ss_route_look {
	const struct ss_route_request *rq;
	const struct ss_hdrs *head;
	struct ss_span path;  /* without its query */
	struct ss_span query;
	uint16_t method;      /* ss_method_bit */
	uint16_t asked;       /* method that a CORS preflight asks about; 0: it is none */
	uint16_t port;        /* the listener's */
	uint16_t worker;
	const struct ss_virtual_host *host;
	uint32_t best;        /* lowest index of a route that fits, SS_ROUTE_NONE */
	uint64_t scanned;     /* bit: field database that has been scanned for this request */
	uint32_t n_hits;      /* field expressions that matched, so far */
	bool broken;          /* hyperscan failed: decide nothing */
};

#define SS_ROUTE_NONE UINT32_MAX

/* route_fit.c: one value, of a match that is no expression. */
bool ss_route_value_fits(const struct ss_route_field *m, struct ss_span value);
/* route_fit.c: a route's match, inverted ones the other way round. */
bool ss_route_field_fits(struct ss_route_look *k, const struct ss_route_field *m);
/* route_fit.c: all of route i but its path. */
bool ss_route_rest_fits(struct ss_route_look *k, uint32_t i);
/* route_fit.c: which part of that it is. */
struct ss_route_misfit ss_route_rest_misfit(struct ss_route_look *k, uint32_t i);
/* route_match.c: what one request is looked at by; the pattern of its host, or NULL; what its rules are asked about. */
void ss_route_look_at(struct ss_route_look *k, const struct ss_listener *l, const struct ss_route_request *rq);
const struct ss_host_pattern *ss_route_find_pattern(const struct ss_host_table *t, struct ss_span authority);
/* route_list.c: lowers k->best to the first route of the list that fits. */
void ss_route_try_list(struct ss_route_look *k, const struct ss_route_list *l);
/* route_scan.c: the same for the routes of the slot's expressions that match the path. */
void ss_route_scan_path(struct ss_route_look *k, const struct ss_route_slot *s);
/* route_scan.c: does some value of the expression's name match it? */
bool ss_route_scan_field(struct ss_route_look *k, uint32_t regex);
/* The same for all of that name: adds those that match to what it answers, k->n_hits numbers. */
const uint32_t *ss_route_scan_name(struct ss_route_look *k, uint32_t regex);

enum { SS_ROUTE_KNOWN_ID = 1, SS_ROUTE_KNOWN_HOST = 2, SS_ROUTE_KNOWN_REMOTE = 4 };
/* What rules are asked about, found out once, and when the first one asks. */
struct ss_route_facts {
	const struct ss_route_request *rq;
	const struct ss_authz_regex *regex; /* of the policy that is asked */
	uint64_t scanned;  /* bit: subject of it that has been scanned */
	struct ss_span path, host, domain, namespace;
	uint16_t method;
	uint8_t trusted_hops;
	uint8_t known;     /* SS_ROUTE_KNOWN_*: what is filled in */
	bool broken;       /* hyperscan failed: nothing is allowed */
	struct ss_ip remote;
	uint8_t host_buf[SS_ROUTE_HOST_MAX];
};

/* Where a walk through the values of a kind and key stands; zeroed to begin. */
struct ss_route_fact_walk {
	uint16_t i, end;
	bool begun;
};

/* route_match.c: nothing is known yet but what the look knows. */
void ss_route_facts_of(struct ss_route_facts *f, const struct ss_listener *l, const struct ss_route_look *k);
/* route_policy.c: before the rules of a scope are asked. */
void ss_route_ask_about(struct ss_route_facts *f, const struct ss_authz *a);
/* route_rule.c: the first part of the rule that does not hold; r->n_parts: all do. Its methods were asked before. */
uint16_t ss_route_rule_misfit(const struct ss_authz_rule *r, struct ss_route_facts *f);
/* route_rule.c: do all parts of the rule hold? It is about the request's method. */
bool ss_route_rule_holds(const struct ss_authz_rule *r, struct ss_route_facts *f);
/* route_rule.c: the next text of a kind; false when there is none. */
bool ss_route_next_fact(struct ss_route_facts *f, uint8_t kind, struct ss_span key, struct ss_route_fact_walk *w,
			struct ss_span *value);
/* route_rule.c: the address of SOURCE_IP, REMOTE_IP or LOCAL_IP, or NULL. */
const struct ss_ip *ss_route_fact_ip(struct ss_route_facts *f, uint8_t kind);

/* route_rule_scan.c: does some expression of the part match some value? */
bool ss_route_rule_matches(const struct ss_authz_part *p, struct ss_route_facts *f);
/* route_rule_scan.c: scans those subjects; bit n of what it answers: expression n matched. */
const uint64_t *ss_route_scan_subjects(struct ss_route_facts *f, uint64_t subjects);

/* One scope's rules, and the lowest of each class that holds, so far. */
struct ss_route_hunt {
	const struct ss_authz *a;
	struct ss_route_facts *f;
	uint32_t best[SS_AUTHZ_CLASSES];
};

/* route_policy.c: asks rule i, unless a better one of its class is known. */
void ss_route_try_rule(struct ss_route_hunt *h, uint32_t i);
/* route_rule_index.c: the same for every rule that may hold. */
void ss_route_try_index(struct ss_route_hunt *h);
/* route_policy.c: asks the scopes, from the inner to the outer, as far as each inherits. Fills d's part; false:
 * denied. */
bool ss_route_authorize(const struct ss_listener *l, struct ss_route_facts *f, struct ss_route_decision *d);
/* route_match.c: authority to host: lower case, without port; empty when longer than SS_ROUTE_HOST_MAX. */
struct ss_span ss_route_host_of(struct ss_span authority, uint8_t *buf);

/* Where a walk through the values of a name stands; zeroed to begin. */
struct ss_route_walk {
	uint16_t i;
	bool begun;
	struct ss_span rest;
};

/* route_fit.c: the next value of that name; false when there is none. */
bool ss_route_next_value(const struct ss_route_look *k, uint8_t on, struct ss_span name,
			 struct ss_route_walk *w, struct ss_span *value);
/* The next field with this name at or after *i, as a value; false when there is none. "host" and
 * ":authority" mean the authority. */
bool ss_route_next_field(const struct ss_hdrs *h, struct ss_span name, uint16_t *i, struct ss_span *value);

/* route_sticky.c: the share of a key; NULL when none has weight. */
const struct ss_weighted_cluster *ss_route_keep_share(const struct ss_route *r, struct ss_span key);
/* The key that the client brought; false when it brought none. */
bool ss_route_sticky_key(const struct ss_route_look *k, const struct ss_sticky *s, struct ss_span *key);
struct ss_span ss_route_fresh_key(uint64_t draw, uint8_t *p);

/* route_cors.c: the bit of the method that a preflight asks about; 0: it is none. */
uint16_t ss_route_preflight(const struct ss_hdrs *h);
bool ss_route_origin_allowed(const struct ss_route_look *k, const struct ss_cors *c, struct ss_span *origin);

#endif
