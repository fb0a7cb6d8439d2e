/* What a route asks of a request. */
#include <ctype.h>
#include <string.h>

#include "cfg/cfg_int.h"

#define ROUTE(field) offsetof(struct ss_model_route, field)

/* RFC 9110 5.1: a field name is a token. */
bool ss_cfg_is_token(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr("!#$%&'*+-.^_`|~", *s))
			return false;
	return true;
}

void ss_cfg_header_name(struct ss_cfg *c, config_setting_t *g, const char *name)
{
	if (name && !ss_cfg_is_token(name))
		ss_cfg_error(c, g, "name", "\"%s\" is no header name", name);
}

/* ---- headers, parameters, cookies ---- */

#define HEADER(field) offsetof(struct ss_model_header_match, field)
/* In the order of the enum. */
static const char *const header_kinds[] = { "exact", "prefix", "suffix", "present", "regex", "range", NULL };

static void check_field(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	struct ss_model_header_match *h = obj;
	if (ss_cfg_count(g, header_kinds) != 1)
		ss_cfg_error(c, g, NULL, "needs one of exact, prefix, suffix, present, regex, range");
	for (int i = 0; header_kinds[i]; i++)
		if (config_setting_get_member(g, header_kinds[i]))
			h->kind = (enum ss_header_match)i;
}

static void check_header(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	struct ss_model_header_match *h = obj;
	check_field(c, g, obj);
	ss_cfg_header_name(c, g, h->name);
}

static void show_header(struct ss_json *j, const struct ss_cfg_key *k, const void *obj)
{
	const struct ss_model_header_match *h = obj;
	if (strcmp(k->name, header_kinds[h->kind]) != 0)
		return;
	if (h->kind == SS_HM_PRESENT) {
		ss_json_bool(j, k->name, true);
	} else if (h->kind == SS_HM_RANGE) {
		ss_json_list(j, k->name);
		ss_json_double(j, NULL, (double)h->start, 0);
		ss_json_double(j, NULL, (double)h->end, 0);
		ss_json_end_list(j);
	} else {
		ss_json_text(j, k->name, h->value);
	}
}

static bool is_whole(const config_setting_t *s)
{
	return s && (config_setting_type(s) == CONFIG_TYPE_INT || config_setting_type(s) == CONFIG_TYPE_INT64);
}

/* Envoy's Int64Range: the end is not in it. */
static void read_range(struct ss_cfg *c, config_setting_t *s, void *obj)
{
	struct ss_model_header_match *h = obj;
	bool pair = (config_setting_is_array(s) || config_setting_is_list(s)) && config_setting_length(s) == 2;
	config_setting_t *start = pair ? config_setting_get_elem(s, 0) : NULL,
			 *end = pair ? config_setting_get_elem(s, 1) : NULL;
	if (!is_whole(start) || !is_whole(end)) {
		ss_cfg_error(c, s, NULL, "must be two whole numbers, as [ 1, 10 ]: the end is not in it");
		return;
	}
	h->start = config_setting_get_int64(start);
	h->end = config_setting_get_int64(end);
	if (h->start >= h->end)
		ss_cfg_error(c, s, NULL, "is empty: the end is not in it");
}

static const struct ss_cfg_key header_keys[] = {
	{ "name", SS_CFG_TEXT, HEADER(name), .required = true, .min = 1 },
	{ "exact", SS_CFG_TEXT, HEADER(value), .show = show_header },
	{ "prefix", SS_CFG_TEXT, HEADER(value), .min = 1, .show = show_header },
	{ "suffix", SS_CFG_TEXT, HEADER(value), .min = 1, .show = show_header },
	{ "present", SS_CFG_TRUE, .show = show_header },
	{ "regex", SS_CFG_TEXT, HEADER(value), .min = 1, .show = show_header },
	{ "range", SS_CFG_OWN, .what = "list of two numbers", .read = read_range, .show = show_header },
	{ "invert", SS_CFG_BOOL, HEADER(invert), .def = "false" },
};

/* Outside of a route's match a name alone is enough: the header is there. */
static void check_named(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	struct ss_model_header_match *h = obj;
	h->kind = SS_HM_PRESENT;
	if (ss_cfg_count(g, header_kinds))
		check_field(c, g, obj);
	ss_cfg_header_name(c, g, h->name);
}

const struct ss_cfg_table ss_cfg_named_header = { .what = "header", .size = sizeof(struct ss_model_header_match),
						  .shorthand = "name", .check = check_named,
						  SS_CFG_KEYS(header_keys) };
static const struct ss_cfg_table header = { .what = "header", .size = sizeof(struct ss_model_header_match),
					    .check = check_header, SS_CFG_KEYS(header_keys) };
static const struct ss_cfg_table parameter = { .what = "parameter",
					       .size = sizeof(struct ss_model_header_match),
					       .check = check_field,
					       SS_CFG_KEYS(header_keys) };

/* ---- where ---- */

static void read_ports(struct ss_cfg *c, config_setting_t *s, void *obj)
{
	struct ss_model_route *r = obj;
	bool list = config_setting_is_array(s) || config_setting_is_list(s);
	uint32_t n = list ? (uint32_t)config_setting_length(s) : 0;
	r->ports = ss_cfg_alloc(c, (n + 1) * sizeof(*r->ports));
	if (!list)
		ss_cfg_error(c, s, NULL, "must be a list of ports, as [ 80, 443 ]");
	for (uint32_t i = 0; i < n && r->ports; i++) {
		config_setting_t *e = config_setting_get_elem(s, i);
		long long port = is_whole(e) ? config_setting_get_int64(e) : 0;
		if (port < 1 || port > UINT16_MAX)
			ss_cfg_error(c, e, NULL, "is no port: from 1 to 65535");
		else
			r->ports[r->n_ports++] = (uint32_t)port;
	}
}

static void show_ports(struct ss_json *j, const struct ss_cfg_key *k, const void *obj)
{
	const struct ss_model_route *r = obj;
	ss_json_list(j, k->name);
	for (uint32_t i = 0; i < r->n_ports; i++)
		ss_json_u64(j, NULL, r->ports[i]);
	ss_json_end_list(j);
}

/* ---- all of it ---- */

/* In the order of the enum, after ANY. */
static const char *const path_kinds[] = { "path", "prefix", "regex", "path_separated_prefix", NULL };

static void check_match(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	struct ss_model_route *r = obj;
	if (ss_cfg_count(g, path_kinds) > 1)
		ss_cfg_error(c, g, NULL, "has more than one of path, prefix, regex, path_separated_prefix");
	for (int i = 0; path_kinds[i]; i++) {
		if (!config_setting_get_member(g, path_kinds[i]))
			continue;
		r->path_kind = (enum ss_path_match)(i + 1);
		if (r->path_kind != SS_PATH_REGEX && r->path && r->path[0] != '/')
			ss_cfg_error(c, g, path_kinds[i], "must begin with /");
	}
	for (uint32_t i = 0; i < r->n_snis; i++)
		if (r->snis[i] && !ss_cfg_is_domain(r->snis[i]))
			ss_cfg_error(c, g, "sni", "\"%s\" is neither a host name nor \"*.name\"", r->snis[i]);
}

static void show_path(struct ss_json *j, const struct ss_cfg_key *k, const void *obj)
{
	const struct ss_model_route *r = obj;
	if (r->path_kind != SS_PATH_ANY && !strcmp(k->name, path_kinds[r->path_kind - 1]))
		ss_json_text(j, k->name, r->path);
}

static const struct ss_cfg_key match_keys[] = {
	{ "path", SS_CFG_TEXT, ROUTE(path), .min = 1, .show = show_path },
	{ "prefix", SS_CFG_TEXT, ROUTE(path), .min = 1, .show = show_path },
	{ "regex", SS_CFG_TEXT, ROUTE(path), .min = 1, .show = show_path },
	{ "path_separated_prefix", SS_CFG_TEXT, ROUTE(path), .min = 1, .show = show_path },
	{ "methods", SS_CFG_METHODS, ROUTE(methods) },
	{ "headers", SS_CFG_LIST, ROUTE(headers), ROUTE(n_headers), .table = &header },
	{ "query", SS_CFG_LIST, ROUTE(query), ROUTE(n_query), .table = &parameter },
	{ "cookies", SS_CFG_LIST, ROUTE(cookies), ROUTE(n_cookies), .table = &parameter },
	{ "source_ids", SS_CFG_LIST, ROUTE(ids), ROUTE(n_ids), .table = &ss_cfg_id },
	{ "sni", SS_CFG_TEXTS, ROUTE(snis), ROUTE(n_snis) },
	{ "ports", SS_CFG_OWN, .what = "list of numbers", .read = read_ports, .show = show_ports },
};
const struct ss_cfg_table ss_cfg_match = { .what = "group", .check = check_match, SS_CFG_KEYS(match_keys) };
