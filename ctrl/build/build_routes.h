/*
 * build_routes.h - how the files that compile virtual hosts divide the work.
 *
 * build_routes.c walks hosts and routes; build_index.c makes the first tier, build_regex.c the second
 * (lib/contract/route_index.h); build_hosts.c a listener's host patterns; build_authz.c the policies.
 */
#ifndef SS_BUILD_ROUTES_H
#define SS_BUILD_ROUTES_H

#include "build/build_int.h"
#include "contract/route_index.h"

/* One host under way: the model's routes and the compiled ones, same order. */
struct ss_build_host {
	const struct ss_model_host *model;
	struct ss_virtual_host *host;
	struct ss_route *routes;
	struct ss_route_index *index;
};

/* build_index.c: slots, lengths, ids, any. */
int ss_build_index(struct ss_build_job *j, struct ss_build_host *h);

/* What all hosts of a snapshot share: scratch that is large enough for every database. */
struct ss_build_regex {
	void *proto; /* hs_scratch_t, grown database by database */
	uint32_t most_header_regex;
	struct ss_route_scratch *scratch; /* n_workers; filled by ss_build_regex_finish */
};

int ss_build_regex_start(struct ss_build_job *j, struct ss_build_regex *x);
/* Compiles a host's expressions, numbers its headers' (ss_route_header.regex), reports each wrong one. */
int ss_build_regex_host(struct ss_build_job *j, struct ss_build_regex *x, struct ss_build_host *h);
/* Scratch for every worker. Frees what start and host kept in x, always. */
int ss_build_regex_finish(struct ss_build_job *j, struct ss_build_regex *x);

#endif
