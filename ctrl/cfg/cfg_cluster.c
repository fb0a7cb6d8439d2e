/* Clusters: endpoints, outlier detection, limits. */
#include <string.h>

#include "cfg/cfg_int.h"

/* ---- endpoints ---- */

#define ENDPOINT(field) offsetof(struct ss_model_endpoint, field)

static void read_labels(struct ss_cfg *c, config_setting_t *s, void *obj)
{
	ss_cfg_labels(c, s, &((struct ss_model_endpoint *)obj)->labels);
}

static void show_labels(struct ss_json *j, const struct ss_cfg_key *k, const void *obj)
{
	ss_cfg_show_labels(j, k->name, &((const struct ss_model_endpoint *)obj)->labels);
}

static const struct ss_cfg_word healths[] = {
	{ "healthy", 0 }, { "unhealthy", SS_EP_CLOSED }, { "draining", SS_EP_DRAINING }, { "degraded", SS_EP_SPARED },
	{ NULL, 0 },
};

static const struct ss_cfg_key endpoint_keys[] = {
	{ "address", SS_CFG_IP, ENDPOINT(addr.ip), .required = true },
	{ "port", SS_CFG_U16, ENDPOINT(addr.port), .required = true, .min = 1, .max = 65535 },
	{ "weight", SS_CFG_U32, ENDPOINT(weight), .def = "1", .min = 1, .max = 1000 },
	{ "priority", SS_CFG_U32, ENDPOINT(priority), .def = "0", .max = 127 },
	{ "region", SS_CFG_TEXT, ENDPOINT(locality.region), .min = 1 },
	{ "zone", SS_CFG_TEXT, ENDPOINT(locality.zone), .min = 1 },
	{ "subzone", SS_CFG_TEXT, ENDPOINT(locality.subzone), .min = 1 },
	{ "health", SS_CFG_WORD, ENDPOINT(said), .def = "healthy", .words = healths },
	{ "labels", SS_CFG_OWN, .what = "labels", .read = read_labels, .show = show_labels },
	{ "hostname", SS_CFG_TEXT, ENDPOINT(hostname), .min = 1 },
};

static void check_endpoint(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	const struct ss_model_endpoint *e = obj;
	if (e->hostname && (!ss_cfg_is_domain(e->hostname) || e->hostname[0] == '*'))
		ss_cfg_error(c, g, "hostname", "\"%s\" is no host name", e->hostname);
}

static const struct ss_cfg_table endpoint = { .what = "endpoint", .size = sizeof(struct ss_model_endpoint),
					      .src = true, .check = check_endpoint, SS_CFG_KEYS(endpoint_keys) };

/* ---- outlier detection: the defaults are those of the seed profile ---- */

#define OUTLIER(field) offsetof(struct ss_outlier_conf, field)
#define ENFORCING(why) SS_CFG_U32, OUTLIER(enforcing[SS_EP_EJECT_##why]), .def = "100", .max = 100
static const struct ss_cfg_key outlier_keys[] = {
	{ "consecutive_errors", SS_CFG_U32, OUTLIER(consecutive_errors), .def = "5", .max = 1000000 },
	{ "base_ejection_time", SS_CFG_DURATION, OUTLIER(base_ejection_ns), .def = "30s", .min = SS_NS_PER_MS,
	  .max = 86400 * SS_NS_PER_SEC },
	{ "max_ejection_time", SS_CFG_DURATION, OUTLIER(max_ejection_ns), .def = "5m", .min = SS_NS_PER_MS,
	  .max = 86400 * SS_NS_PER_SEC },
	{ "interval", SS_CFG_DURATION, OUTLIER(interval_ns), .def = "30s", .min = SS_NS_PER_MS,
	  .max = 86400 * SS_NS_PER_SEC },
	{ "trial_successes", SS_CFG_U32, OUTLIER(trial), .def = "2", .max = 1000 },
	{ "max_ejection_percent", SS_CFG_U32, OUTLIER(max_ejection_percent), .def = "50", .max = 100 },
	{ "min_health_percent", SS_CFG_U32, OUTLIER(min_health_percent), .def = "30", .max = 100 },
	{ "consecutive_gateway_errors", SS_CFG_U32, OUTLIER(consecutive_gateway), .def = "0", .max = 1000000 },
	{ "split_external_local_origin_errors", SS_CFG_BOOL, OUTLIER(split), .def = "false" },
	{ "consecutive_local_origin_failures", SS_CFG_U32, OUTLIER(consecutive_local), .def = "5", .max = 1000000 },
	{ "max_ejection_time_jitter", SS_CFG_DURATION, OUTLIER(jitter_ns), .def = "0s", .max = 86400 * SS_NS_PER_SEC },
	{ "always_eject_one_host", SS_CFG_BOOL, OUTLIER(always_eject_one), .def = "false" },
	{ "success_rate_minimum_hosts", SS_CFG_U32, OUTLIER(rate_hosts), .def = "5", .max = 1000000 },
	{ "success_rate_request_volume", SS_CFG_U32, OUTLIER(rate_requests), .def = "100", .min = 1, .max = 1000000 },
	{ "success_rate_stdev_factor", SS_CFG_HUNDREDTHS, OUTLIER(rate_factor), .def = "1.9", .max = 10000 },
	{ "failure_percentage_threshold", SS_CFG_U32, OUTLIER(percent_limit), .def = "50", .max = 100 },
	{ "failure_percentage_minimum_hosts", SS_CFG_U32, OUTLIER(percent_hosts), .def = "5", .min = 1, .max = 1000000 },
	{ "failure_percentage_request_volume", SS_CFG_U32, OUTLIER(percent_requests), .def = "50", .min = 1,
	  .max = 1000000 },
	{ "minimum_failures", SS_CFG_U32, OUTLIER(least_failures), .def = "10", .min = 1, .max = 1000000 },
	{ "enforcing_consecutive_5xx", ENFORCING(ERRORS) },
	{ "enforcing_consecutive_gateway_failure", ENFORCING(GATEWAY) },
	{ "enforcing_consecutive_local_origin_failure", ENFORCING(LOCAL) },
	{ "enforcing_success_rate", ENFORCING(RATE) },
	{ "enforcing_local_origin_success_rate", ENFORCING(LOCAL_RATE) },
	{ "enforcing_failure_percentage", ENFORCING(PERCENT) },
	{ "enforcing_failure_percentage_local_origin", ENFORCING(LOCAL_PERCENT) },
};

static void check_outlier(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	struct ss_outlier_conf *o = obj;
	if (o->max_ejection_ns < o->base_ejection_ns)
		ss_cfg_error(c, g, "max_ejection_time", "is shorter than base_ejection_time");
}

static const struct ss_cfg_table outlier = { .what = "group",
					     .check = check_outlier,
					     SS_CFG_KEYS(outlier_keys) };

/* ---- clusters ---- */

/* An address is an endpoint's identity in the endpoint table: it may be there once. */
static void check_endpoints(struct ss_cfg *c, config_setting_t *g, const struct ss_model_cluster *k)
{
	char text[SS_ADDR_TEXT];
	uint32_t twin[2];
	int found = ss_model_twins(k->endpoints, k->n_endpoints, twin);
	c->no_memory |= found < 0;
	if (found > 0)
		ss_cfg_error(c, g, "endpoints", "%s is there twice, in lines %u and %u",
			     ss_addr_text(&k->endpoints[twin[0]].addr, text), k->endpoints[twin[0]].src.line,
			     k->endpoints[twin[1]].src.line);
}

static void check_cluster(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	struct ss_model_cluster *k = obj;
	config_setting_t *list = ss_cfg_member(g, "endpoints", strlen("endpoints"));
	if (list && k->discovery.present)
		ss_cfg_error(c, g, "endpoints", "are discovered: list them here, or remove discovery");
	else if (!list && !k->discovery.present)
		ss_cfg_error(c, g, "endpoints", "is missing");
	else if (list && config_setting_is_aggregate(list) && config_setting_length(list) == 0)
		ss_cfg_error(c, g, "endpoints", "must not be empty");
	check_endpoints(c, g, k);
}

static const struct ss_cfg_word protocols[] = {
	{ "auto", SS_PROTO_AUTO }, { "http1", SS_PROTO_H1 }, { "http2", SS_PROTO_H2 }, { NULL, 0 },
};


#define CLUSTER(field) offsetof(struct ss_model_cluster, field)
static const struct ss_cfg_key cluster_keys[] = {
	{ "name", SS_CFG_TEXT, CLUSTER(name), .required = true, .min = 1 },
	{ "protocol", SS_CFG_WORD, CLUSTER(protocol), .def = "auto", .words = protocols },
	{ "load_balancing", SS_CFG_WORD, CLUSTER(balance.conf.policy), .def = "round_robin",
	  .words = ss_cfg_policies },
	{ "balancing", SS_CFG_GROUP, CLUSTER(balance), .table = &ss_cfg_balance },
	{ "connect_timeout", SS_CFG_DURATION, CLUSTER(connect_timeout_ns), .def = "5s", .min = SS_NS_PER_MS,
	  .max = 600 * SS_NS_PER_SEC },
	{ "max_connections", SS_CFG_U32, CLUSTER(caps[0].max[SS_CAP_CONNECTIONS]), .def = "1024", .min = 1, .max = 4194304 },
	{ "max_pending", SS_CFG_U32, CLUSTER(caps[0].max[SS_CAP_PENDING]), .def = "4096", .min = 1, .max = 4194304 },
	{ "max_requests", SS_CFG_U32, CLUSTER(caps[0].max[SS_CAP_REQUESTS]), .def = "8192", .min = 1, .max = 4194304 },
	{ "max_retries", SS_CFG_U32, CLUSTER(caps[0].max[SS_CAP_RETRIES]), .def = "0", .max = 4194304 },
	{ "pending_delay", SS_CFG_DURATION, CLUSTER(pending_delay_ns), .def = "0s", .max = 60 * SS_NS_PER_SEC },
	{ "mesh_hop", SS_CFG_BOOL, CLUSTER(mesh_hop), .def = "false" },
	{ "high_priority", SS_CFG_GROUP, CLUSTER(caps[1]), .table = &ss_cfg_high_priority },
	{ "retry_budget", SS_CFG_GROUP, CLUSTER(budget), .table = &ss_cfg_retry_budget },
	{ "breaker", SS_CFG_GROUP, CLUSTER(breaker), .table = &ss_cfg_breaker },
	{ "endpoints", SS_CFG_LIST, CLUSTER(endpoints), CLUSTER(n_endpoints), .table = &endpoint },
	{ "discovery", SS_CFG_GROUP, CLUSTER(discovery), CLUSTER(discovery.present), .table = &ss_cfg_discovery },
	{ "tls", SS_CFG_GROUP, CLUSTER(tls), CLUSTER(tls.present), .table = &ss_cfg_cluster_tls },
	{ "health_check", SS_CFG_GROUP, CLUSTER(health), CLUSTER(health.present), .table = &ss_cfg_health },
	{ "outlier", SS_CFG_GROUP, CLUSTER(outlier), .table = &outlier },
	{ "http", SS_CFG_GROUP, CLUSTER(http), .table = &ss_cfg_http },
};
const struct ss_cfg_table ss_cfg_cluster = { .what = "cluster",
					     .size = sizeof(struct ss_model_cluster),
					     .src = true,
					     .named = true,
					     .check = check_cluster,
					     SS_CFG_KEYS(cluster_keys) };

/* ---- a file of endpoints alone ---- */

static void check_file(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	check_endpoints(c, g, obj);
}

static const struct ss_cfg_key file_keys[] = {
	{ "endpoints", SS_CFG_LIST, CLUSTER(endpoints), CLUSTER(n_endpoints), .table = &endpoint },
};
const struct ss_cfg_table ss_cfg_endpoint_file = { .what = "file", .check = check_file, SS_CFG_KEYS(file_keys) };
