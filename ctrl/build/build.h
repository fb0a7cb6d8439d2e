/*
 * build.h - compiles a model into one immutable snapshot.
 *
 * Takes:   a model; opens the PEM files it names, compiles its regular expressions.
 * Gives:   a snapshot with everything that workers need, or every error at once.
 * Owns:    nothing that outlives a snapshot: slots of the endpoint table are held per snapshot.
 * Thread:  control. May block (files, hyperscan).
 * Errors:  SS_ERR_CONFIG or SS_ERR_NO_MEM, with lines in `errors`; nothing that runs has changed then.
 *
 * The files of this room share build_int.h.
 */
#ifndef SS_BUILD_H
#define SS_BUILD_H

#include "contract/names.h"
#include "contract/offload.h"
#include "contract/policies.h"
#include "contract/snapshot.h"
#include "model/model.h"
#include "model/secret_state.h"

struct ss_build;

struct ss_build_conf {
	struct ss_names *names;        /* borrowed for the builder's life */
	struct ss_ep_table *endpoints; /* borrowed for the builder's life */
	uint32_t n_workers;
	struct ss_limit_table *limits; /* as endpoints; NULL where a model has no rate limits */
	struct ss_canary_table *canaries; /* the same */
	const struct ss_wall *wall;    /* the same; NULL: no time of day */
	const struct ss_offload *offload; /* as endpoints; NULL: none configured */
	struct ss_policies *policies;  /* borrowed for the builder's life; NULL: policies are not told apart */
};

int ss_build_create(struct ss_build **out, const struct ss_build_conf *conf);
void ss_build_free(struct ss_build *b);

/* Compiles. *out is the caller's: give it to ctrl/publish, or free it with ss_build_destroy. */
int ss_build_snapshot(struct ss_build *b, const struct ss_model *m, uint64_t generation,
		      struct ss_snapshot **out, struct ss_model_errors *errors);
/*
 * Secrets and trusts may have changed on disk: reads them, and compiles m, the model of the last snapshot, with
 * those that are good and the last good ones of the others. Each one taken or refused is logged and counted, once.
 * judge false: what is no good may be half of a change (a certificate without its key), so it is not refused yet.
 * *out is NULL when there is nothing new. Returns how many are to be looked at again, or SS_ERR_NO_MEM: nothing has changed.
 */
int ss_build_refresh(struct ss_build *b, const struct ss_model *m, uint64_t generation, bool judge,
		     struct ss_snapshot **out);
/* Compiles m, the model of the last snapshot, with the files that run: what keys are loaded with has changed. */
int ss_build_again(struct ss_build *b, const struct ss_model *m, uint64_t generation, struct ss_snapshot **out,
		   struct ss_model_errors *errors);
/* The i-th of the files that they were read from; NULL: there are not so many. */
const char *ss_build_secret_path(const struct ss_build *b, uint32_t i);
/* How the i-th secret or trust stands; false: there are not so many. Texts are good until the next build. */
bool ss_build_secret(const struct ss_build *b, uint32_t i, struct ss_secret_state *out);

/* Compiles m with its files as they are now, for somebody who only wants to look: nothing of the builder's changes, but
 * for names, which are remembered. */
int ss_build_candidate(struct ss_build *b, const struct ss_model *m, uint64_t generation, struct ss_snapshot **out,
		       struct ss_model_errors *errors);
/* What the i-th compiled rule of a scope was made of: a rule of the model, and the policy that it stands in (NULL: the
 * scope itself). NULL: there are not so many. */
const struct ss_model_authz_rule *ss_build_rule_of(const struct ss_model *m, const struct ss_model_authz *a, uint32_t i,
						   const struct ss_model_policy **policy);

/* The next edition of a snapshot: the at-th cluster has the endpoints that m, the model it was made of, has now. Discovered
 * ones only; nothing else of m is looked at. */
int ss_build_endpoints(struct ss_build *b, const struct ss_model *m, uint32_t at, const struct ss_snapshot *now,
		       struct ss_snapshot **out, struct ss_model_errors *errors);

/* Frees a snapshot and all it owns (what editions share: with the last of them): SSL_CTX references, hyperscan databases, its hold on slots of the
 * endpoint table, memory. NULL is allowed. */
void ss_build_destroy(struct ss_snapshot *s);

#endif
