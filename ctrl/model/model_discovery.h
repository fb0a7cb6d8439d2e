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

struct ss_model_discovery {
	bool present;
	uint32_t kind; /* enum ss_discovery_kind */
	char *path;    /* file */
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
