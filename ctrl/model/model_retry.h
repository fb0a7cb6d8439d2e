/* model_retry.h - when a route's requests are sent again, as the operator wrote it (contract/retry.h). */
#ifndef SS_MODEL_RETRY_H
#define SS_MODEL_RETRY_H

#include "contract/retry.h"
#include "model/model_fields.h"

struct ss_model_retry {
	bool present;
	uint32_t on; /* 0: nothing is sent again */
	uint32_t max_retries, max_attempts; /* max_attempts: tries, another way to say it; 0: not said */
	bool non_idempotent, hedge;
	uint32_t n_status;
	uint16_t *status;
	struct ss_model_field_set headers, request_headers;
	uint64_t per_try_ns, per_try_idle_ns, base_ns, max_ns, max_after_ns;
	uint32_t body_max;
};

#endif
