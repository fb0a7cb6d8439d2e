/* Where a cluster's endpoints come from, when they are not listed. */
#include "cfg/cfg_int.h"

#define DISCOVERY(field) offsetof(struct ss_model_discovery, field)
#define LEAST (100 * SS_NS_PER_MS)
#define MOST (86400 * SS_NS_PER_SEC)

static const struct ss_cfg_word types[] = { { "file", SS_DISCOVERY_FILE }, { "dns", SS_DISCOVERY_DNS }, { NULL, 0 } };
static const struct ss_cfg_word records[] = {
	{ "a", SS_DISCOVERY_A }, { "aaaa", SS_DISCOVERY_AAAA }, { "srv", SS_DISCOVERY_SRV }, { NULL, 0 },
};

static const struct ss_cfg_key discovery_keys[] = {
	{ "type", SS_CFG_WORD, DISCOVERY(kind), .required = true, .words = types },
	{ "path", SS_CFG_FILE, DISCOVERY(path), .min = 1 },
	{ "name", SS_CFG_TEXT, DISCOVERY(name), .min = 1 },
	{ "record", SS_CFG_WORD, DISCOVERY(record), .def = "a", .words = records },
	{ "port", SS_CFG_U32, DISCOVERY(port), .def = "0", .max = 65535 },
	{ "resolvers", SS_CFG_TEXTS, DISCOVERY(resolvers), DISCOVERY(n_resolvers) },
	{ "respect_ttl", SS_CFG_BOOL, DISCOVERY(respect_ttl), .def = "true" },
	{ "refresh_rate", SS_CFG_DURATION, DISCOVERY(refresh_ns), .def = "5s", .min = LEAST, .max = MOST },
	{ "min_refresh_rate", SS_CFG_DURATION, DISCOVERY(min_refresh_ns), .def = "1s", .min = LEAST, .max = MOST },
	{ "failure_refresh_rate", SS_CFG_DURATION, DISCOVERY(failure_refresh_ns), .def = "5s", .min = LEAST, .max = MOST },
};

static void check_dns(struct ss_cfg *c, config_setting_t *g, const struct ss_model_discovery *d)
{
	if (!d->name)
		ss_cfg_error(c, g, "name", "is missing");
	if (d->record != SS_DISCOVERY_SRV && !d->port)
		ss_cfg_error(c, g, "port", "is missing: only SRV records have ports");
	if (d->record == SS_DISCOVERY_SRV && d->port)
		ss_cfg_error(c, g, "port", "is of no use: SRV records have ports");
}

static void check_discovery(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	static const char *const of_dns[] = { "name", "record", "port", "resolvers", "respect_ttl", "refresh_rate",
					      "min_refresh_rate", "failure_refresh_rate", NULL };
	const struct ss_model_discovery *d = obj;
	if (d->kind == SS_DISCOVERY_DNS)
		check_dns(c, g, d);
	else if (!d->path)
		ss_cfg_error(c, g, "path", "is missing");
	if (d->kind == SS_DISCOVERY_FILE ? ss_cfg_count(g, of_dns) > 0 : d->path != NULL)
		ss_cfg_error(c, g, NULL, "has keys of another type");
}

const struct ss_cfg_table ss_cfg_discovery = { .what = "group",
					       .check = check_discovery,
					       SS_CFG_KEYS(discovery_keys) };
