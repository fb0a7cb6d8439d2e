/*
 * model_balance.h - what the operator wants of balancing: policies, locality, labels, hash keys.
 *
 * Takes:   values from a configuration source.
 * Gives:   members of ss_model_cluster, ss_model_endpoint and ss_model_route.
 * Owns:    nothing: the model's memory.
 * Thread:  control.
 * Units:   as contract/balance.h.
 */
#ifndef SS_MODEL_BALANCE_H
#define SS_MODEL_BALANCE_H

#include "contract/balance.h"

struct ss_model_label {
	char *name, *value;
};

/* Sorted by name, each name once. */
struct ss_model_labels {
	uint32_t n;
	struct ss_model_label *v;
};

struct ss_model_locality {
	char *region, *zone, *subzone; /* NULL: not said */
};

/* When no endpoint has a subset's labels. */
enum ss_lb_fallback { SS_LB_FALLBACK_NONE = 0, SS_LB_FALLBACK_ANY = 1, SS_LB_FALLBACK_DEFAULT = 2 };
enum ss_lb_locality { SS_LB_LOCALITY_OFF = 0, SS_LB_LOCALITY_FAILOVER = 1 };

/* Unset: the attribute is not there, and a browser does as it likes. */
enum ss_lb_same_site { SS_LB_SITE_UNSET = 0, SS_LB_SITE_LAX, SS_LB_SITE_STRICT, SS_LB_SITE_NONE };

struct ss_model_hash {
	enum ss_hash_kind kind;
	char *name;
	bool terminal;
	bool make; /* cookie */
	uint64_t ttl_ns;
	char *path;
	bool http_only, secure;
	uint32_t same_site; /* enum ss_lb_same_site */
};

struct ss_model_hashes {
	uint32_t n;
	struct ss_model_hash *v;
};

/* When everything in region `from` is down, `to` comes before all other regions. */
struct ss_model_failover {
	char *from, *to;
};

/* "region/zone/subzone"; what ends in "*" is every one below. */
struct ss_model_portion {
	char *locality;
	uint32_t weight; /* percent */
};

/* What requests of a node that stands in `from` are shared among. */
struct ss_model_distribute {
	char *from;
	uint32_t n;
	struct ss_model_portion *to;
};

struct ss_model_balance {
	struct ss_balance_conf conf;
	uint32_t locality; /* enum ss_lb_locality */
	uint32_t n_failover;
	struct ss_model_failover *failover;
	uint32_t n_distribute;
	struct ss_model_distribute *distribute; /* the first whose `from` fits this node */
	uint32_t fallback; /* enum ss_lb_fallback */
	struct ss_model_labels default_subset;
	struct ss_model_hashes hash;
};

#endif
