/*
 * authz_sim.h - for tests: rules in the words of authz_cases.txt, and requests that they are asked about, in
 * a world of one route.
 */
#ifndef SS_AUTHZ_SIM_H
#define SS_AUTHZ_SIM_H

#include "ctrl/world_sim.h"

#define AUTHZ_MAX 64

struct question {
	struct ss_hdrs head;
	struct ss_hdr v[8];
	struct ss_addr peer, local;
	struct ss_claims claims;
	struct ss_jscan_node nodes[64];
	struct ss_route_request rq;
};

/* One host with one route for everything. */
void authz_world(struct world *w);

/* "paths /a,exact:/b" and so on. */
void authz_part(struct ss_model_authz_rule *r, const char *word, const char *arg);
void authz_when(struct ss_model_authz_rule *r, const char *arg);
/* "deny NAME [dry-run] [PART VALUES]..."; changes the line. */
void authz_rule(struct ss_model_authz *a, char *line);

/* Of a peer 10.0.0.9 for a.example on 10.9.9.9:443. */
void authz_question(struct question *q);
/* "peer=1.2.3.4" and so on; changes the word, which must stay. */
void authz_fact(struct question *q, char *word);
struct ss_route_decision authz_decide(struct world *w, const struct question *q);
/* "-" for none. */
const char *authz_name(const struct world *w, const struct ss_authz_rule *r);

#endif
