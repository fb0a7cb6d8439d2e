/* Where a cluster's endpoints come from, when they are not listed. */
#include "cfg/cfg_int.h"

#define DISCOVERY(field) offsetof(struct ss_model_discovery, field)

static const struct ss_cfg_word types[] = { { "file", SS_DISCOVERY_FILE }, { NULL, 0 } };

static const struct ss_cfg_key discovery_keys[] = {
	{ "type", SS_CFG_WORD, DISCOVERY(kind), .required = true, .words = types },
	{ "path", SS_CFG_FILE, DISCOVERY(path), .min = 1 },
};

static void check_discovery(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	const struct ss_model_discovery *d = obj;
	if (d->kind == SS_DISCOVERY_FILE && !d->path)
		ss_cfg_error(c, g, "path", "is missing");
}

const struct ss_cfg_table ss_cfg_discovery = { .what = "group",
					       .check = check_discovery,
					       SS_CFG_KEYS(discovery_keys) };
