/* A cluster's health check. The defaults are those of the seed profile. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cfg/cfg_int.h"

#define HEALTH(field) offsetof(struct ss_model_health, field)
#define MOST (86400 * SS_NS_PER_SEC)
#define LEAST (10 * SS_NS_PER_MS)

/* ---- statuses: [ 200, "300-399" ] ---- */

static void add_range(struct ss_model_statuses *s, uint32_t from, uint32_t to)
{
	for (uint32_t i = from - 100; i <= to - 100; i++)
		s->bits[i / 64] |= 1ull << i % 64;
}

static bool read_range(const char *text, uint32_t *from, uint32_t *to)
{
	int used = 0, n = sscanf(text, "%3u-%3u%n", from, to, &used);
	return n == 2 && !text[used] && *from >= 100 && *to <= 599 && *from <= *to;
}

static void read_statuses(struct ss_cfg *c, config_setting_t *s, void *obj)
{
	struct ss_model_statuses *out = &((struct ss_model_health *)obj)->statuses;
	bool many = config_setting_is_array(s) || config_setting_is_list(s);
	int n = many ? config_setting_length(s) : 1;
	*out = (struct ss_model_statuses){ { 0 } };
	if (!n)
		ss_cfg_error(c, s, NULL, "must not be empty");
	for (int i = 0; i < n; i++) {
		config_setting_t *e = many ? config_setting_get_elem(s, (unsigned)i) : s;
		const char *text = config_setting_get_string(e);
		uint32_t from = (uint32_t)config_setting_get_int(e), to = from;
		bool good = text ? read_range(text, &from, &to) :
				   config_setting_type(e) == CONFIG_TYPE_INT && from >= 100 && from <= 599;
		if (good)
			add_range(out, from, to);
		else
			ss_cfg_error(c, e, NULL, "must be a status code from 100 to 599, or a range, as \"200-299\"");
	}
}

static const char *value_statuses(struct ss_cfg *c, const char *text, void *dest)
{
	uint32_t status = 0;
	if (sscanf(text, "%3u", &status) != 1 || status < 100 || status > 599)
		return "no status code";
	add_range(dest, status, status);
	return NULL;
}

static bool has_status(const struct ss_model_statuses *s, uint32_t i)
{
	return i < 500 && (s->bits[i / 64] >> i % 64 & 1);
}

static void show_statuses(struct ss_json *j, const struct ss_cfg_key *k, const void *obj)
{
	const struct ss_model_statuses *s = &((const struct ss_model_health *)obj)->statuses;
	char text[16];
	ss_json_list(j, k->name);
	for (uint32_t i = 0, end; i < 500; i = end + 1) {
		for (end = i; has_status(s, end + 1) && has_status(s, i); end++)
			;
		snprintf(text, sizeof(text), "%u-%u", i + 100, end + 100);
		if (has_status(s, i) && end == i)
			ss_json_u64(j, NULL, i + 100);
		else if (has_status(s, i))
			ss_json_text(j, NULL, text);
	}
	ss_json_end_list(j);
}

/* ---- headers ---- */

#define FIELD(field) offsetof(struct ss_model_health_field, field)
static void check_field(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	/* What frames the message or names its host is not a matter of fields. */
	static const char *const ours[] = { "connection", "content-length", "host", "keep-alive", "te",
					    "trailer", "transfer-encoding", "upgrade", NULL };
	const struct ss_model_health_field *m = obj;
	ss_cfg_header_name(c, g, m->name);
	for (int i = 0; m->name && ours[i]; i++)
		if (!strcasecmp(m->name, ours[i]))
			ss_cfg_error(c, g, "name", "\"%s\" is not a probe's to say", m->name);
}

static const struct ss_cfg_key field_keys[] = {
	{ "name", SS_CFG_TEXT, FIELD(name), .required = true, .min = 1 },
	{ "value", SS_CFG_TEXT, FIELD(value), .required = true },
};
static const struct ss_cfg_table field = { .what = "header", .size = sizeof(struct ss_model_health_field),
					   .check = check_field, SS_CFG_KEYS(field_keys) };

/* ---- the check ---- */

static void check_text(struct ss_cfg *c, config_setting_t *g, const char *key, const char *text)
{
	for (const char *p = text ? text : ""; *p; p++)
		if ((unsigned char)*p <= 0x20 || *p == 0x7f) {
			ss_cfg_error(c, g, key, "has a space or a control character");
			return;
		}
}

/* A key that has no effect is a mistake that nobody would see. */
static void check_kind(struct ss_cfg *c, config_setting_t *g, const struct ss_model_health *m)
{
	static const char *const http[] = { "path", "method", "expected_statuses", "expected_body", NULL };
	static const char *const asks[] = { "host", "headers", NULL };
	for (int i = 0; m->kind != SS_HEALTH_HTTP && http[i]; i++)
		if (config_setting_get_member(g, http[i]))
			ss_cfg_error(c, g, http[i], "is of type \"http\" only");
	for (int i = 0; m->kind == SS_HEALTH_TCP && asks[i]; i++)
		if (config_setting_get_member(g, asks[i]))
			ss_cfg_error(c, g, asks[i], "has no effect: a tcp check only connects");
	if (m->kind != SS_HEALTH_GRPC && config_setting_get_member(g, "service_name"))
		ss_cfg_error(c, g, "service_name", "is of type \"grpc\" only");
}

/* 0: the interval before it in the list. */
static void check_interval(struct ss_cfg *c, config_setting_t *g, const char *key, uint64_t ns)
{
	if (ns && ns < LEAST)
		ss_cfg_error(c, g, key, "is less than 10 ms");
}

static void check_health(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	static const char *const methods[] = { "GET", "HEAD", "OPTIONS", "POST", NULL };
	struct ss_model_health *m = obj;
	bool known = false;
	check_kind(c, g, m);
	for (int i = 0; methods[i]; i++)
		known |= m->method && !strcmp(m->method, methods[i]);
	if (m->method && !known)
		ss_cfg_error(c, g, "method", "must be GET, HEAD, OPTIONS or POST");
	if (m->path && m->path[0] != '/')
		ss_cfg_error(c, g, "path", "must begin with /");
	check_text(c, g, "path", m->path);
	check_text(c, g, "host", m->host);
	if (m->expect && m->method && !strcmp(m->method, "HEAD"))
		ss_cfg_error(c, g, "expected_body", "an answer to HEAD has none");
	if (m->n_fields > SS_HEALTH_FIELDS - 3)
		ss_cfg_error(c, g, "headers", "more than %u", SS_HEALTH_FIELDS - 3);
	check_interval(c, g, "unhealthy_interval", m->unhealthy_interval_ns);
	check_interval(c, g, "unhealthy_edge_interval", m->unhealthy_edge_ns);
	check_interval(c, g, "healthy_edge_interval", m->healthy_edge_ns);
	m->unhealthy_interval_ns = m->unhealthy_interval_ns ? m->unhealthy_interval_ns : m->interval_ns;
	m->unhealthy_edge_ns = m->unhealthy_edge_ns ? m->unhealthy_edge_ns : m->unhealthy_interval_ns;
	m->healthy_edge_ns = m->healthy_edge_ns ? m->healthy_edge_ns : m->interval_ns;
}

static const struct ss_cfg_word kinds[] = {
	{ "http", SS_HEALTH_HTTP }, { "tcp", SS_HEALTH_TCP }, { "grpc", SS_HEALTH_GRPC }, { NULL, 0 },
};
static const struct ss_cfg_word states[] = { { "healthy", true }, { "unhealthy", false }, { NULL, 0 } };

static const struct ss_cfg_key health_keys[] = {
	{ "type", SS_CFG_WORD, HEALTH(kind), .def = "http", .words = kinds },
	{ "path", SS_CFG_TEXT, HEALTH(path), .def = "/health", .min = 1, .max = 1024 },
	{ "host", SS_CFG_TEXT, HEALTH(host), .min = 1, .max = 255 },
	{ "method", SS_CFG_TEXT, HEALTH(method), .def = "GET" },
	{ "headers", SS_CFG_LIST, HEALTH(fields), HEALTH(n_fields), .table = &field },
	{ "expected_statuses", SS_CFG_OWN, HEALTH(statuses), .def = "200", .what = "list of statuses",
	  .read = read_statuses, .value = value_statuses, .show = show_statuses,
	  .bytes = sizeof(struct ss_model_statuses) },
	{ "expected_body", SS_CFG_TEXT, HEALTH(expect), .min = 1, .max = SS_HEALTH_BODY },
	{ "service_name", SS_CFG_TEXT, HEALTH(service), .def = "", .max = 256 },
	{ "port", SS_CFG_U16, HEALTH(port), .def = "0", .max = 65535 },
	{ "interval", SS_CFG_DURATION, HEALTH(interval_ns), .def = "5s", .min = LEAST, .max = MOST },
	{ "timeout", SS_CFG_DURATION, HEALTH(timeout_ns), .def = "3s", .min = SS_NS_PER_MS, .max = MOST },
	{ "unhealthy_threshold", SS_CFG_U32, HEALTH(unhealthy_threshold), .def = "2", .min = 1, .max = 1000 },
	{ "healthy_threshold", SS_CFG_U32, HEALTH(healthy_threshold), .def = "1", .min = 1, .max = 1000 },
	{ "unhealthy_interval", SS_CFG_DURATION, HEALTH(unhealthy_interval_ns), .def = "0s", .max = MOST },
	{ "unhealthy_edge_interval", SS_CFG_DURATION, HEALTH(unhealthy_edge_ns), .def = "0s", .max = MOST },
	{ "healthy_edge_interval", SS_CFG_DURATION, HEALTH(healthy_edge_ns), .def = "0s", .max = MOST },
	{ "no_traffic_interval", SS_CFG_DURATION, HEALTH(no_traffic_ns), .def = "60s", .max = MOST },
	{ "interval_jitter", SS_CFG_U32, HEALTH(jitter_percent), .def = "10", .max = 100 },
	{ "initial_state", SS_CFG_WORD, HEALTH(initially_healthy), .def = "unhealthy", .words = states, .bytes = 1 },
	{ "reuse_connection", SS_CFG_BOOL, HEALTH(reuse), .def = "true" },
	{ "uneject", SS_CFG_BOOL, HEALTH(uneject), .def = "true" },
};
const struct ss_cfg_table ss_cfg_health = { .what = "group", .check = check_health, SS_CFG_KEYS(health_keys) };

/* ---- the log of what becomes of endpoints ---- */

static const struct ss_cfg_key log_keys[] = {
	{ "path", SS_CFG_FILE, offsetof(struct ss_model_process, health_log), .required = true },
};
const struct ss_cfg_table ss_cfg_health_log = { .what = "group", SS_CFG_KEYS(log_keys) };
