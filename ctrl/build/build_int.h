/*
 * build_int.h - what the files of this room share: one build under way, its memory and its parts.
 *
 * Each part is one function that compiles its piece of the model, reports every error it finds with
 * ss_model_error, and returns 0 or a negative number after having looked at all of its piece. Parts
 * run in this order: clusters, their places, JWT providers, limits, routes, listeners.
 */
#ifndef SS_BUILD_INT_H
#define SS_BUILD_INT_H

#include "build/build.h"

/* Subsets that the routes of the last snapshot named. Requests that were under way then want them still. */
struct ss_build_past {
	uint32_t n;
	struct ss_build_past_subset {
		uint32_t cluster, subset; /* name ids */
	} *v;
};

struct ss_build {
	struct ss_build_conf conf;
	struct ss_build_past past;
	struct ss_build_files *files; /* those of the last snapshot; NULL before the first */
};

struct ss_build_job {
	struct ss_build *b;
	const struct ss_model *model;
	struct ss_names *names;
	struct ss_ep_table *endpoints;
	struct ss_limit_table *limit_table;
	const struct ss_jwt_provider *jwt;    /* one per model provider, same order; set by ss_build_jwt_providers */
	struct ss_policies *policies;         /* may be NULL: every policy counts as the default one */
	uint32_t n_workers;
	struct ss_snapshot *snap;             /* under construction, writable */
	struct ss_build_mem *mem;             /* where things are taken from now; NULL: snap's own memory */
	const struct ss_virtual_host *hosts;  /* one per model host, same order; set by ss_build_routes */
	struct ss_build_subset *subsets;      /* by model cluster: those that routes name; set by ss_build_subsets */
	const struct ss_limit *limits;        /* one per model limit, same order; set by ss_build_limits */
	struct ss_build_regex *regex; /* build_regex.c: what all expressions of the snapshot share */
	struct ss_build_past *past; /* the builder's */
	const struct ss_build_files *files; /* of secrets and trusts (build_files.h); NULL: from the disk (tests) */
	struct ss_build_unit *unit;         /* the one that is being loaded */
	const struct ss_trust **trusts; /* by model trust, each NULL until somebody asked for it (build_trust.c) */
	struct ss_model_errors *errors;
};

/* Places in what each worker writes while it decides: after the workers' stands control's, which asks the same questions
 * (ctrl/why). */
static inline uint32_t ss_build_seats(const struct ss_build_job *j)
{
	return j->n_workers + 1;
}

/*
 * build_mem.c: memory that is freed whole, when all who hold it have let go. A snapshot's own (ss_snapshot.memory) has
 * little in it: what all editions of its generation share is in another one, and the endpoints of each discovered
 * cluster are in one of their own (build_edition.c).
 */
struct ss_build_mem;
struct ss_build_mem *ss_build_mem_create(void);
struct ss_build_mem *ss_build_mem_hold(struct ss_build_mem *m);
void *ss_build_mem_take(struct ss_build_mem *m, size_t n);
/* Lets go. */
void ss_build_mem_free(struct ss_build_mem *m);

/* Zeroed, 64-byte aligned, freed with job->mem. NULL: no memory, and an error line was added. */
void *ss_build_alloc(struct ss_build_job *j, size_t n);
/* As above, for n objects of a size; n may be 0 (never NULL then). */
void *ss_build_array(struct ss_build_job *j, size_t n, size_t size);
/* A copy of text that lives as long as the snapshot; NULL makes an empty span. Empty without memory. */
struct ss_span ss_build_text(struct ss_build_job *j, const char *text);
/* The same in lower case: header names, host patterns. */
struct ss_span ss_build_lower(struct ss_build_job *j, const char *text);
/* fn(arg) when job->mem is freed, newest first: SSL_CTX_free, hs_free_database, hs_free_scratch.
 * Runs fn(arg) at once and answers SS_ERR_NO_MEM when it cannot be remembered. */
int ss_build_on_free(struct ss_build_job *j, void (*fn)(void *), void *arg);
/* Name id, stable over generations; 0 and an error line when the name table is full. */
uint32_t ss_build_name(struct ss_build_job *j, const char *name);
/* "address:port", for endpoints. */
uint32_t ss_build_addr_name(struct ss_build_job *j, const struct ss_addr *a);
/* Matchers of a listener, a cluster or a rule. */
int ss_build_ids(struct ss_build_job *j, uint32_t n, const struct ss_model_id *ids, uint16_t *out_n,
		 const struct ss_id_match **out);

/*
 * build_clusters.c: fills snap->clusters and n_clusters, in the model's order, so that a cluster's index
 * is its index in the model (ss_model_cluster finds it). Holds the endpoint table's slots for this
 * snapshot (contract/endpoints.h) and gives them back when it is freed.
 */
int ss_build_clusters(struct ss_build_job *j);
/* build_clusters.c: the endpoints of a cluster that is built otherwise, its slot held: lists and tables, in job->mem. */
int ss_build_cluster_set(struct ss_build_job *j, const struct ss_model_cluster *m, struct ss_cluster *c);
/* build_edition.c: a snapshot without anything, and what its generation shares as job->mem; NULL: no memory. */
struct ss_snapshot *ss_build_edition_first(struct ss_build_job *j);
/* build_edition.c: ss_build_cluster_set of the i-th cluster, whose endpoints are discovered. */
int ss_build_edition_set(struct ss_build_job *j, uint32_t i, struct ss_cluster *c);
/* build_edition.c: the first edition is whole: what the next ones need of the job. */
void ss_build_edition_keep(struct ss_build_job *j);
/* build_places.c: finds them again, by name and by slot. */
int ss_build_places(struct ss_build_job *j);

/* build_subset.c: which subsets of each cluster the model's routes ask for. */
struct ss_build_subset {
	struct ss_build_subset *next;
	const struct ss_model_labels *labels;
	uint32_t name; /* id of ss_build_labels_name */
	bool past;     /* no route names it any more */
};
int ss_build_subsets(struct ss_build_job *j);
/* The snapshot is whole: the next one will have its subsets, too. */
void ss_build_subsets_keep(struct ss_build_job *j);
/* The name id of labels, "stage=beta,version=v2": the same for the same labels. 0 for none. */
uint32_t ss_build_labels_name(struct ss_build_job *j, const struct ss_model_labels *l);

/* build_health.c: c->health; NULL without a check. And how a new endpoint stands before anybody has asked it. */
int ss_build_health(struct ss_build_job *j, const struct ss_model_cluster *m, struct ss_cluster *c);
void ss_build_first_health(struct ss_build_job *j, const struct ss_model_cluster *m, const struct ss_endpoint *e);

/* build_lb.c: c->balance of a cluster whose endpoints are built. */
int ss_build_balance(struct ss_build_job *j, const struct ss_model_cluster *m, struct ss_cluster *c);
/* build_hash.c: the table or the ring of a tier, as the policy wants. */
int ss_build_maglev(struct ss_build_job *j, const struct ss_cluster *c, uint32_t size, struct ss_lb_tier *t);
int ss_build_ring(struct ss_build_job *j, const struct ss_cluster *c, uint32_t min, uint32_t max,
		  struct ss_lb_tier *t);
/* build_hash.c: a hash policy; *out NULL when it has no parts. */
int ss_build_hash_policy(struct ss_build_job *j, const struct ss_model_hashes *m,
			 const struct ss_hash_policy **out);
/* build_match.c: matches of headers on their own; src and key are those of a wrong expression. */
int ss_build_field_set(struct ss_build_job *j, const struct ss_model_src *src, const char *key,
		       const struct ss_model_field_set *m, struct ss_field_set *out);
/* build_faults.c: *out NULL when the route has none. */
int ss_build_fault(struct ss_build_job *j, const struct ss_model_route *r, const struct ss_fault **out);
/* build_mirrors.c: *out NULL when the route has none. */
int ss_build_mirrors(struct ss_build_job *j, const struct ss_model_route *r, const struct ss_mirror_list **out);
/* build_limits.c: fills snap->limits and n_limits; holds their buckets (contract/limits.h) as build_clusters.c
 * does its slots. */
int ss_build_limits(struct ss_build_job *j);
/* build_limits.c: the policies of both lists (b may be NULL), each once; *out NULL when there are none. */
int ss_build_limit_list(struct ss_build_job *j, const struct ss_model_src *src,
			const struct ss_model_limit_names *a, const struct ss_model_limit_names *b,
			const struct ss_limit_list **out);

/* build_regex.c: before the first expression, and after the last: scratch for every worker. The end is due after every
 * start, even one that failed. */
int ss_build_regex_start(struct ss_build_job *j);
int ss_build_regex_finish(struct ss_build_job *j);
/* build_routes.c: compiles every virtual host of the model once, into j->hosts. */
int ss_build_routes(struct ss_build_job *j);
/* build_routes.c: a listener's table of host patterns over j->hosts. */
int ss_build_host_table(struct ss_build_job *j, const struct ss_model_listener *l,
			const struct ss_host_table **out);
/* build_authz.c: rules, deny before allow. *out is never NULL on success: an absent policy allows all. */
int ss_build_authz(struct ss_build_job *j, const struct ss_model_authz *a, const struct ss_authz **out);

/* build_retry.c: *out is NULL when the route's requests are never sent again. */
int ss_build_retry(struct ss_build_job *j, const struct ss_model_host *h, const struct ss_model_route *m,
		   const struct ss_retry **out);

/* build_cors.c: *out stays when there is none, or none is enabled. */
int ss_build_maintenance(struct ss_build_job *j, const struct ss_model_maintenance *m,
			 const struct ss_maintenance **out);

/* build_tls.c: a listener's side; *out is never NULL on success (mode disable without contexts).
 * protocol decides which ALPN names are offered. */
int ss_build_tls_server(struct ss_build_job *j, const struct ss_model_tls *t, enum ss_protocol protocol,
			const struct ss_tls_server **out);
/* build_tls.c: a cluster's side; *out is NULL when t is not present. */
int ss_build_tls_client(struct ss_build_job *j, const struct ss_model_tls *t, enum ss_protocol protocol,
			const struct ss_tls_client **out);

/* build_jwt.c: reads every provider's keys, into j->jwt. */
int ss_build_jwt_providers(struct ss_build_job *j);
/* build_jwt.c: a listener's; *out is NULL when m is not present. */
int ss_build_jwt(struct ss_build_job *j, const struct ss_model_jwt *m, const struct ss_jwt_policy **out);
/* build_jwt_keys.c: the keys of a JWKS file (RFC 7517). `where` names key and line in errors. */
int ss_build_jwks(struct ss_build_job *j, const struct ss_model_jwt_provider *m, struct ss_jwt_provider *p);
/* build_ext_authz.c: fills snap->ext_authz and n_ext_authz, in the model's order. */
int ss_build_ext_authz(struct ss_build_job *j);
/* build_authz.c: "[a][b]", or "a" alone, as a path: each name and a NUL. Empty when it is neither. */
struct ss_span ss_build_claim_path(struct ss_build_job *j, const char *text);

/* build_listeners.c: fills snap->listeners and n_listeners. */
int ss_build_listeners(struct ss_build_job *j);

#endif
