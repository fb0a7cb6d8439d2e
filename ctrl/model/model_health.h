/*
 * model_health.h - a cluster's health check as the operator wrote it.
 *
 * Takes:   values from a configuration source.
 * Gives:   a member of ss_model_cluster.
 * Owns:    nothing: the model's memory.
 * Thread:  control.
 * Units:   nanoseconds; percent.
 */
#ifndef SS_MODEL_HEALTH_H
#define SS_MODEL_HEALTH_H

#include "contract/probes.h"

struct ss_model_health_field {
	char *name, *value;
};

struct ss_model_statuses {
	uint64_t bits[8]; /* as ss_health_conf.statuses */
};

struct ss_model_health {
	bool present;
	uint32_t kind;           /* enum ss_health_kind */
	bool initially_healthy, reuse, uneject;
	uint16_t port;           /* 0: the endpoint's */
	uint32_t healthy_threshold, unhealthy_threshold, jitter_percent;
	uint64_t interval_ns, timeout_ns, no_traffic_ns;
	uint64_t unhealthy_interval_ns, unhealthy_edge_ns, healthy_edge_ns; /* 0: the interval */
	struct ss_model_statuses statuses;
	char *method, *host, *path; /* host NULL: the cluster's name */
	char *expect;               /* NULL: any body */
	char *service;              /* gRPC; "": the server as a whole */
	uint32_t n_fields;
	struct ss_model_health_field *fields; /* none: x-health-check: mesh */
};

#endif
