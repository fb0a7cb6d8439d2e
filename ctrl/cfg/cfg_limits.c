/* Rate limits. */
#include <stdlib.h>
#include <string.h>

#include "cfg/cfg_int.h"

/* ---- "1000/s" ---- */

static bool read_rate(const char *text, uint64_t *count, uint64_t *per_ns)
{
	static const struct {
		const char *unit;
		uint64_t ns;
	} units[] = { { "/s", SS_NS_PER_SEC },
		      { "/m", 60 * SS_NS_PER_SEC },
		      { "/h", 3600 * SS_NS_PER_SEC },
		      { "/d", 86400 * SS_NS_PER_SEC } };
	char *end;
	unsigned long long n = strtoull(text, &end, 10);
	for (size_t i = 0; i < SS_ARRAY_LEN(units); i++) {
		if (end == text || text[0] == '-' || strcmp(end, units[i].unit) || n < 1 || n > 100000000)
			continue;
		*count = n;
		*per_ns = units[i].ns;
		return true;
	}
	return false;
}

/* A burst that is not there is as much as comes in the unit: "10/m" lets ten come at once, as Envoy's usual
 * max_tokens = tokens_per_fill does. */
static void check_rate(struct ss_cfg *c, config_setting_t *g, struct ss_model_rate *r)
{
	struct ss_limit_pace pace;
	if (!r->text)
		return;
	if (!read_rate(r->text, &r->count, &r->per_ns)) {
		ss_cfg_error(c, g, "rate",
			     "\"%s\" is no rate: write a number from 1 to 100000000, / and s, m, h or d, "
			     "as \"1000/s\"",
			     r->text);
		return;
	}
	if (!r->burst)
		r->burst = (uint32_t)r->count;
	if (!ss_limit_pace_of(&pace, r->count, r->per_ns, r->burst))
		ss_cfg_error(c, g, "burst", "%u tokens take longer than %u days to come", r->burst,
			     (unsigned)(SS_LIMIT_LONGEST_NS / SS_NS_PER_SEC / 86400));
}

/* ---- overrides ---- */

static void check_override(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	struct ss_model_limit_override *o = obj;
	check_rate(c, g, &o->rate);
}

#define OVERRIDE(field) offsetof(struct ss_model_limit_override, field)
static const struct ss_cfg_key override_keys[] = {
	{ "ids", SS_CFG_LIST, OVERRIDE(ids), OVERRIDE(n_ids), .required = true, .table = &ss_cfg_id },
	{ "rate", SS_CFG_TEXT, OVERRIDE(rate.text), .required = true, .min = 1 },
	{ "burst", SS_CFG_U32, OVERRIDE(rate.burst), .min = 1, .max = 100000000 },
};
static const struct ss_cfg_table override = { .what = "override",
					      .size = sizeof(struct ss_model_limit_override),
					      .src = true,
					      .check = check_override,
					      SS_CFG_KEYS(override_keys) };

/* ---- policies ---- */

static void check_limit(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	struct ss_model_limit *l = obj;
	check_rate(c, g, &l->rate);
	if (l->key == SS_LIMIT_HEADER && !l->header)
		ss_cfg_error(c, g, "header", "is missing: key = \"header\" needs it");
	if (l->key != SS_LIMIT_HEADER && l->header)
		ss_cfg_error(c, g, "header", "needs key = \"header\"");
	if (l->n_overrides && l->key != SS_LIMIT_IDENTITY)
		ss_cfg_error(c, g, "overrides", "are for identities: they need key = \"identity\"");
}

static const struct ss_cfg_word keys[] = { { "none", SS_LIMIT_ALL },
					   { "identity", SS_LIMIT_IDENTITY },
					   { "source", SS_LIMIT_SOURCE },
					   { "header", SS_LIMIT_HEADER },
					   { NULL, 0 } };
static const struct ss_cfg_word says[] = { { "never", SS_LIMIT_SAY_NEVER },
					   { "limited", SS_LIMIT_SAY_LIMITED },
					   { "always", SS_LIMIT_SAY_ALWAYS },
					   { NULL, 0 } };

#define LIMIT(field) offsetof(struct ss_model_limit, field)
static const struct ss_cfg_key limit_keys[] = {
	{ "name", SS_CFG_TEXT, LIMIT(name), .required = true, .min = 1 },
	{ "rate", SS_CFG_TEXT, LIMIT(rate.text), .required = true, .min = 1 },
	{ "burst", SS_CFG_U32, LIMIT(rate.burst), .min = 1, .max = 100000000 },
	{ "key", SS_CFG_WORD, LIMIT(key), .def = "none", .words = keys },
	{ "header", SS_CFG_TEXT, LIMIT(header), .min = 1 },
	{ "overrides", SS_CFG_LIST, LIMIT(overrides), LIMIT(n_overrides), .table = &override },
	{ "enforce", SS_CFG_BOOL, LIMIT(enforce), .def = "true" },
	{ "response_headers", SS_CFG_WORD, LIMIT(say), .def = "limited", .words = says },
};
const struct ss_cfg_table ss_cfg_limit = { .what = "rate limit",
					   .size = sizeof(struct ss_model_limit),
					   .src = true,
					   .named = true,
					   .check = check_limit,
					   SS_CFG_KEYS(limit_keys) };
