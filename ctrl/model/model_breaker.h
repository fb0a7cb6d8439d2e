/* model_breaker.h - a cluster's breaker as the operator wrote it (contract/breaker.h). */
#ifndef SS_MODEL_BREAKER_H
#define SS_MODEL_BREAKER_H

#include "contract/breaker.h"

struct ss_model_breaker {
	bool enabled;
	struct ss_breaker_conf conf;
};

#endif
