/* A route's canary. */
#include <string.h>

#include "cfg/cfg_int.h"

#define CANARY(field) offsetof(struct ss_model_canary, field)

static const char default_steps[] = "[ 1, 5, 10, 25, 50, 100 ]";

/* Percents as "1.5": hundredths of them; 0: none. */
static uint32_t percent_of(config_setting_t *e)
{
	int type = config_setting_type(e);
	double v = type == CONFIG_TYPE_FLOAT ? config_setting_get_float(e) : (double)config_setting_get_int(e);

	if ((type != CONFIG_TYPE_INT && type != CONFIG_TYPE_FLOAT) || !(v > 0 && v <= 100))
		return 0;
	return (uint32_t)(v * 100 + 0.5);
}

static void read_steps(struct ss_cfg *c, config_setting_t *s, void *obj)
{
	struct ss_model_canary *m = obj;
	uint32_t n = (uint32_t)config_setting_length(s);

	if ((!config_setting_is_array(s) && !config_setting_is_list(s)) || n == 0 || n > SS_CANARY_STEPS) {
		ss_cfg_error(c, s, NULL, "must be a list of 1 to %u percents, as ( 1, 10.5, 100 )", SS_CANARY_STEPS);
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		config_setting_t *e = config_setting_get_elem(s, i);
		m->step[i] = percent_of(e);
		if (!m->step[i] || (i && m->step[i] <= m->step[i - 1])) {
			ss_cfg_error(c, e, NULL, "must be a percent, more than the one before, at most 100");
			return;
		}
	}
	m->n_steps = n;
}

static const char *steps_value(struct ss_cfg *c, const char *text, void *dest)
{
	static const uint32_t steps[] = { 100, 500, 1000, 2500, 5000, 10000 };
	struct ss_model_canary *m = (void *)((char *)dest - CANARY(step));

	memcpy(m->step, steps, sizeof(steps));
	m->n_steps = SS_ARRAY_LEN(steps);
	return NULL;
}

static void show_steps(struct ss_json *j, const struct ss_cfg_key *k, const void *obj)
{
	const struct ss_model_canary *m = obj;

	ss_json_list(j, k->name);
	for (uint32_t i = 0; i < m->n_steps; i++)
		ss_json_double(j, NULL, m->step[i] / 100.0, 2);
	ss_json_end_list(j);
}

static void check_canary(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	struct ss_model_canary *m = obj;

	if (m->window_ns < m->interval_ns)
		ss_cfg_error(c, g, "window", "is shorter than the interval between two steps");
}

static const struct ss_cfg_word regressions[] = { { "rollback", SS_CANARY_REGRESSION_ROLLBACK },
						  { "hold", SS_CANARY_REGRESSION_HOLD },
						  { NULL, 0 } };

static const struct ss_cfg_key canary_keys[] = {
	{ "cluster", SS_CFG_REF, CANARY(cluster), .required = true, .what = "cluster", .find = ss_model_cluster },
	{ "steps", SS_CFG_OWN, CANARY(step), .what = "list of percents", .def = default_steps, .read = read_steps,
	  .value = steps_value, .show = show_steps },
	{ "interval", SS_CFG_DURATION, CANARY(interval_ns), .def = "1m", .min = 100 * SS_NS_PER_MS,
	  .max = 86400 * SS_NS_PER_SEC },
	{ "window", SS_CFG_DURATION, CANARY(window_ns), .def = "5m", .min = 100 * SS_NS_PER_MS,
	  .max = 86400 * SS_NS_PER_SEC },
	{ "min_requests", SS_CFG_U32, CANARY(min_requests), .def = "100", .min = 1, .max = 1000000000 },
	{ "max_error_ratio", SS_CFG_HUNDREDTHS, CANARY(max_error_ratio), .what = "number", .def = "1.1", .min = 100, .max = 100000 },
	{ "max_p99_ratio", SS_CFG_HUNDREDTHS, CANARY(max_p99_ratio), .what = "number", .def = "1.2", .min = 100, .max = 100000 },
	{ "error_margin", SS_CFG_HUNDREDTHS, CANARY(error_margin), .def = "0.2", .min = 1, .max = 10000 },
	{ "latency_margin", SS_CFG_HUNDREDTHS, CANARY(latency_margin), .def = "5", .min = 1, .max = 1000000 },
	{ "significance", SS_CFG_HUNDREDTHS, CANARY(significance), .def = "1", .min = 1, .max = 1000 },
	{ "regression", SS_CFG_WORD, CANARY(regression), .def = "rollback", .words = regressions },
	{ "auto_start", SS_CFG_BOOL, CANARY(auto_start), .def = "false" },
};
const struct ss_cfg_table ss_cfg_canary = { .what = "group", .src = true, .check = check_canary,
					    SS_CFG_KEYS(canary_keys) };

/* Which of the route's shares is meant, is only known when all of the route was read. */
void ss_cfg_check_canary(struct ss_cfg *c, config_setting_t *g, const struct ss_model_route *r)
{
	const struct ss_model_canary *m = &r->canary;
	uint32_t named = 0;

	if (!m->present || !m->cluster)
		return;
	if (r->n_clusters != 2) {
		ss_cfg_error(c, g, "canary", "needs a route with two clusters: stable and the canary");
		return;
	}
	for (uint32_t i = 0; i < 2; i++)
		named += r->clusters[i].cluster && !strcmp(r->clusters[i].cluster, m->cluster);
	if (named != 1)
		ss_cfg_error(c, g, "canary", "cluster \"%s\" is %s of the route's two", m->cluster,
			     named ? "both" : "none");
}
