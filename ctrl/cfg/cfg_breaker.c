/* A cluster's limits by priority, its retry budget, its breaker. The defaults are those of the seed profile. */
#include "cfg/cfg_int.h"

#define CAPS(what) offsetof(struct ss_caps, max[what])
static const struct ss_cfg_key high_keys[] = {
	{ "max_connections", SS_CFG_U32, CAPS(SS_CAP_CONNECTIONS), .def = "1024", .min = 1, .max = 4194304 },
	{ "max_pending", SS_CFG_U32, CAPS(SS_CAP_PENDING), .def = "4096", .min = 1, .max = 4194304 },
	{ "max_requests", SS_CFG_U32, CAPS(SS_CAP_REQUESTS), .def = "8192", .min = 1, .max = 4194304 },
	{ "max_retries", SS_CFG_U32, CAPS(SS_CAP_RETRIES), .def = "0", .max = 4194304 },
};
const struct ss_cfg_table ss_cfg_high_priority = { .what = "group", SS_CFG_KEYS(high_keys) };

#define BUDGET(field) offsetof(struct ss_retry_budget, field)
static const struct ss_cfg_key budget_keys[] = {
	{ "percent", SS_CFG_HUNDREDTHS, BUDGET(share), .def = "20", .max = 10000 },
	{ "min_concurrent", SS_CFG_U32, BUDGET(least), .def = "3", .min = 1, .max = 4194304 },
};
const struct ss_cfg_table ss_cfg_retry_budget = { .what = "group", SS_CFG_KEYS(budget_keys) };

#define BREAKER(field) offsetof(struct ss_model_breaker, field)
static const struct ss_cfg_key breaker_keys[] = {
	{ "enabled", SS_CFG_BOOL, BREAKER(enabled), .def = "true" },
	{ "failure_percent", SS_CFG_U32, BREAKER(conf.failure_percent), .def = "50", .min = 1, .max = 100 },
	{ "min_requests", SS_CFG_U32, BREAKER(conf.min_requests), .def = "10", .min = 1, .max = 1000000 },
	{ "slow_call", SS_CFG_DURATION, BREAKER(conf.slow_ns), .def = "5s", .max = 86400 * SS_NS_PER_SEC },
	{ "window", SS_CFG_DURATION, BREAKER(conf.window_ns), .def = "10s", .min = 100 * SS_NS_PER_MS,
	  .max = 3600 * SS_NS_PER_SEC },
	{ "open_time", SS_CFG_DURATION, BREAKER(conf.open_ns), .def = "30s", .min = SS_NS_PER_MS,
	  .max = 86400 * SS_NS_PER_SEC },
	{ "successes", SS_CFG_U32, BREAKER(conf.successes), .def = "2", .min = 1, .max = 1000 },
	{ "probes", SS_CFG_U32, BREAKER(conf.probes), .def = "2", .min = 1, .max = 1000 },
};
const struct ss_cfg_table ss_cfg_breaker = { .what = "group", SS_CFG_KEYS(breaker_keys) };
