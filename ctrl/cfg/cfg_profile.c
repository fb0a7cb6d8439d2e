/*
 * cfg_profile.c - all defaults at once, as Envoy or Istio has them. A key that the file has wins over any
 * profile.
 */
#include "cfg/cfg_int.h"

static const struct {
	const char *path;
	const char *def[SS_CFG_PROFILES]; /* NULL: as the table of the key says */
} rows[] = {
	/* path, default, envoy, istio */
	{ "virtual_hosts[].routes[].timeout", { NULL, "15s", "0s" } },
	{ "virtual_hosts[].retry.on",
	  { NULL, "none", "connect-failure,refused-stream,unavailable,cancelled" } },
	{ "virtual_hosts[].retry.max_retries", { NULL, "1", "2" } },
	{ "virtual_hosts[].retry.per_try_timeout", { NULL, "0s", "0s" } },
	{ "virtual_hosts[].retry.backoff.base", { NULL, "25ms", "25ms" } },
	{ "virtual_hosts[].retry.backoff.max", { NULL, "250ms", "250ms" } },
	{ "clusters[].load_balancing", { NULL, NULL, "least_request" } },
	{ "clusters[].max_connections", { NULL, "1024", "4194304" } },
	{ "clusters[].max_pending", { NULL, "1024", "4194304" } },
	{ "clusters[].max_requests", { NULL, "1024", "4194304" } },
	{ "clusters[].connect_timeout", { NULL, "5s", "10s" } },
	{ "clusters[].breaker.enabled", { NULL, "false", "false" } },
	{ "clusters[].balancing.panic_threshold", { NULL, "50", "0" } },
	{ "clusters[].outlier.interval", { NULL, "10s", "10s" } },
	{ "clusters[].outlier.max_ejection_percent", { NULL, "10", "10" } },
	{ "clusters[].outlier.min_health_percent", { NULL, "0", "0" } },
	{ "clusters[].outlier.consecutive_gateway_errors", { NULL, "5", "0" } },
	{ "clusters[].outlier.enforcing_consecutive_gateway_failure", { NULL, "0", NULL } },
	{ "clusters[].outlier.failure_percentage_threshold", { NULL, "85", "0" } },
	{ "clusters[].outlier.enforcing_failure_percentage", { NULL, "0", NULL } },
	{ "clusters[].outlier.enforcing_failure_percentage_local_origin", { NULL, "0", NULL } },
	{ "clusters[].outlier.success_rate_minimum_hosts", { NULL, "5", "0" } },
	{ "clusters[].outlier.minimum_failures", { NULL, "1", "1" } },
	{ "listeners[].authorization.default", { NULL, "allow", "allow" } },
};

const struct ss_cfg_word ss_cfg_profile_words[] = {
	{ "default", SS_CFG_PROFILE_DEFAULT },
	{ "envoy", SS_CFG_PROFILE_ENVOY },
	{ "istio", SS_CFG_PROFILE_ISTIO },
	{ NULL, 0 },
};

_Static_assert(SS_ARRAY_LEN(rows) <= SS_CFG_PROFILE_MAX, "room in struct ss_cfg");

void ss_cfg_set_profile(struct ss_cfg *c, uint32_t profile)
{
	c->n_profiled = 0;
	for (size_t i = 0; i < SS_ARRAY_LEN(rows); i++) {
		const struct ss_cfg_key *k = ss_cfg_at(rows[i].path);
		if (!k || !rows[i].def[profile])
			continue;
		c->profiled[c->n_profiled].key = k;
		c->profiled[c->n_profiled++].def = rows[i].def[profile];
	}
}

const char *ss_cfg_default(const struct ss_cfg *c, const struct ss_cfg_key *k)
{
	for (uint32_t i = 0; i < c->n_profiled; i++)
		if (c->profiled[i].key == k)
			return c->profiled[i].def;
	return k->def;
}

void ss_cfg_profiles(ss_cfg_profile_fn fn, void *arg)
{
	for (size_t i = 0; i < SS_ARRAY_LEN(rows); i++) {
		const struct ss_cfg_key *k = ss_cfg_at(rows[i].path);
		const char *own = k ? k->def : NULL;
		fn(arg, rows[i].path, own, rows[i].def[1] ? rows[i].def[1] : own,
		   rows[i].def[2] ? rows[i].def[2] : own);
	}
}
