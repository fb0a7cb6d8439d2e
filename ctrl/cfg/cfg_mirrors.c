/* Mirrors of a route. */
#include "cfg/cfg_int.h"

#define MIRROR(field) offsetof(struct ss_model_mirror, field)
static const struct ss_cfg_key mirror_keys[] = {
	{ "cluster", SS_CFG_REF, MIRROR(cluster), .required = true, .what = "cluster", .find = ss_model_cluster },
	{ "percent", SS_CFG_HUNDREDTHS, MIRROR(share), .def = "100", .max = SS_MIRROR_SHARE_SUM },
	{ "max_body", SS_CFG_SIZE, MIRROR(max_body), .def = "64KiB", .max = 1 << 20 },
	{ "timeout", SS_CFG_DURATION, MIRROR(timeout_ns), .def = "5s", .min = SS_NS_PER_MS,
	  .max = 60 * SS_NS_PER_SEC },
	{ "shadow_host", SS_CFG_BOOL, MIRROR(shadow), .def = "true" },
};
const struct ss_cfg_table ss_cfg_mirror = { .what = "mirror",
					    .size = sizeof(struct ss_model_mirror),
					    .src = true,
					    SS_CFG_KEYS(mirror_keys) };
