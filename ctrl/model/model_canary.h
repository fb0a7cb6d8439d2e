/*
 * model_canary.h - a route's canary as the operator wants it.
 *
 * Takes:   values from a configuration source.
 * Gives:   a member of ss_model_route.
 * Owns:    nothing: the model's memory.
 * Thread:  control.
 * Units:   nanoseconds; hundredths of a percent; ratios in hundredths.
 */
#ifndef SS_MODEL_CANARY_H
#define SS_MODEL_CANARY_H

#include "contract/canaries.h"
#include "model/model_src.h"

struct ss_model_canary {
	struct ss_model_src src;
	bool present, auto_start;
	char *cluster;
	uint32_t n_steps;
	uint32_t step[SS_CANARY_STEPS];
	uint64_t interval_ns, window_ns;
	uint32_t max_error_ratio, max_p99_ratio, error_margin, latency_margin, significance, min_requests;
	uint32_t regression; /* enum ss_canary_regression */
};

#endif
