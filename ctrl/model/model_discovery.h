/*
 * model_discovery.h - where a cluster's endpoints come from, when the configuration does not list them.
 *
 * Takes:   values from a configuration source.
 * Gives:   a member of ss_model_cluster; how a discovery stands, for the operator and the metrics.
 * Owns:    nothing: the model's memory.
 * Thread:  control.
 * Units:   nanoseconds.
 */
#ifndef SS_MODEL_DISCOVERY_H
#define SS_MODEL_DISCOVERY_H

#include "base/base.h"

enum ss_discovery_kind { SS_DISCOVERY_FILE = 0, SS_DISCOVERY_DNS = 1 };
enum ss_discovery_record { SS_DISCOVERY_A = 0, SS_DISCOVERY_AAAA = 1, SS_DISCOVERY_SRV = 2 };

struct ss_model_discovery {
	bool present;
	uint32_t kind; /* enum ss_discovery_kind */
	char *path;    /* file */
	/* DNS */
	uint32_t record; /* enum ss_discovery_record */
	char *name;
	uint32_t port;   /* of addresses */
	uint32_t n_resolvers;
	char **resolvers; /* "192.0.2.1", "192.0.2.1:5353", "[2001:db8::1]:53"; none: the system's */
	bool respect_ttl;
	uint64_t refresh_ns, min_refresh_ns, failure_refresh_ns;
};

/* How one cluster's discovery stands. Texts are good until the loop's next turn. */
struct ss_discovery_state {
	const char *cluster, *from; /* from: a path, a name */
	uint32_t kind;              /* enum ss_discovery_kind */
	uint32_t n_endpoints;       /* of the answer in force */
	bool answered;              /* there was a good answer */
	uint64_t answered_ns;       /* when the last good one came, also if it said the same; ss_clock */
	const char *failing;        /* why there is none now; NULL: all is well */
	uint64_t failing_since_ns;
	uint64_t updates, failures; /* answers that changed something; attempts that failed */
};

#endif
