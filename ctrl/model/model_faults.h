/*
 * model_faults.h - a route's faults as the operator wants them.
 *
 * Takes:   values from a configuration source.
 * Gives:   a member of ss_model_route.
 * Owns:    nothing: the model's memory.
 * Thread:  control.
 * Units:   nanoseconds; shares in hundredths of a percent.
 */
#ifndef SS_MODEL_FAULTS_H
#define SS_MODEL_FAULTS_H

#include "contract/faults.h"
#include "model/model_fields.h"
#include "model/model_src.h"

struct ss_model_fault {
	struct ss_model_src src;
	bool present;
	struct {
		bool present, by_header;
		uint64_t fixed_ns, mean_ns, max_ns;
		uint32_t share;
	} delay;
	struct {
		bool present, by_header;
		uint32_t status, grpc_status;
		uint32_t share;
	} abort;
	struct ss_model_field_set headers; /* of requests that it is meant for */
	uint32_t max_active;
};

#endif
