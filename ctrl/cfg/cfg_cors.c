/* Cross-origin reads, maintenance, and clients that keep their share of a split. */
#include <string.h>

#include "cfg/cfg_int.h"

/* ---- CORS ---- */

#define ORIGIN(field) offsetof(struct ss_model_origin, field)
static const char *const origin_kinds[] = { "exact", "prefix", "regex", NULL }; /* in the order of the enum */

static void check_origin(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	struct ss_model_origin *o = obj;
	if (!config_setting_is_group(g)) /* a text alone is an exact one */
		return;
	if (ss_cfg_count(g, origin_kinds) != 1)
		ss_cfg_error(c, g, NULL, "needs one of exact, prefix, regex");
	for (int i = 0; origin_kinds[i]; i++)
		if (config_setting_get_member(g, origin_kinds[i]))
			o->kind = (enum ss_model_origin_kind)i;
}

static void show_origin(struct ss_json *j, const struct ss_cfg_key *k, const void *obj)
{
	const struct ss_model_origin *o = obj;
	if (!strcmp(k->name, origin_kinds[o->kind]))
		ss_json_text(j, k->name, o->text);
}

static const struct ss_cfg_key origin_keys[] = {
	{ "exact", SS_CFG_TEXT, ORIGIN(text), .min = 1, .show = show_origin },
	{ "prefix", SS_CFG_TEXT, ORIGIN(text), .min = 1, .show = show_origin },
	{ "regex", SS_CFG_TEXT, ORIGIN(text), .min = 1, .show = show_origin },
};
static const struct ss_cfg_table origin = { .what = "origin", .size = sizeof(struct ss_model_origin),
					    .shorthand = "exact", .check = check_origin,
					    SS_CFG_KEYS(origin_keys) };

static void check_tokens(struct ss_cfg *c, config_setting_t *g, const char *key, char *const *texts, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (texts[i] && !ss_cfg_is_token(texts[i]))
			ss_cfg_error(c, g, key, "\"%s\" is no name", texts[i]);
}

/* Fetch 3.2.5: "*" does not go with credentials; echoing every origin would be the same by another name. */
static void check_cors(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	struct ss_model_cors *r = obj;
	for (uint32_t i = 0; i < r->n_origins; i++)
		if (r->credentials && r->origins[i].text && !strcmp(r->origins[i].text, "*"))
			ss_cfg_error(c, g, "allow_origins",
				     "\"*\" with allow_credentials would let every site act for its visitors");
	check_tokens(c, g, "allow_methods", r->methods, r->n_methods);
	check_tokens(c, g, "allow_headers", r->headers, r->n_headers);
	check_tokens(c, g, "expose_headers", r->expose, r->n_expose);
}

#define CORS(field) offsetof(struct ss_model_cors, field)
static const struct ss_cfg_key cors_keys[] = {
	{ "allow_origins", SS_CFG_LIST, CORS(origins), CORS(n_origins), .required = true, .table = &origin },
	{ "allow_methods", SS_CFG_TEXTS, CORS(methods), CORS(n_methods) },
	{ "allow_headers", SS_CFG_TEXTS, CORS(headers), CORS(n_headers) },
	{ "expose_headers", SS_CFG_TEXTS, CORS(expose), CORS(n_expose) },
	{ "max_age", SS_CFG_DURATION, CORS(max_age_ns), .def = "5s", .max = 86400 * SS_NS_PER_SEC },
	{ "allow_credentials", SS_CFG_BOOL, CORS(credentials), .def = "false" },
};
const struct ss_cfg_table ss_cfg_cors = { .what = "group", .check = check_cors, SS_CFG_KEYS(cors_keys) };

/* ---- maintenance ---- */

#define MAINTENANCE(field) offsetof(struct ss_model_maintenance, field)
static const struct ss_cfg_key maintenance_keys[] = {
	{ "enabled", SS_CFG_BOOL, MAINTENANCE(enabled), .def = "true" },
	{ "body", SS_CFG_TEXT, MAINTENANCE(body), .def = "under maintenance", .max = 16384 },
	{ "content_type", SS_CFG_TEXT, MAINTENANCE(type), .def = "text/plain", .min = 1 },
	{ "retry_after", SS_CFG_DURATION, MAINTENANCE(retry_after_ns), .def = "0s", .max = 86400 * SS_NS_PER_SEC },
};
const struct ss_cfg_table ss_cfg_maintenance = { .what = "group", SS_CFG_KEYS(maintenance_keys) };

/* ---- sticky ---- */

static void check_sticky(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	static const char *const one[] = { "cookie", "header", NULL };
	struct ss_model_sticky *s = obj;
	if (ss_cfg_count(g, one) != 1)
		ss_cfg_error(c, g, NULL, "needs one of cookie, header");
	if (s->header)
		ss_cfg_header_name(c, g, s->header);
	if (s->cookie && !ss_cfg_is_token(s->cookie))
		ss_cfg_error(c, g, "cookie", "\"%s\" is no cookie's name", s->cookie);
	if (s->path && (s->path[0] != '/' || strpbrk(s->path, "; ")))
		ss_cfg_error(c, g, "path", "must begin with /, and have no space or semicolon");
}

static const struct ss_cfg_word same_sites[] = {
	{ "lax", SS_SAME_SITE_LAX },
	{ "strict", SS_SAME_SITE_STRICT },
	{ "none", SS_SAME_SITE_NONE },
	{ NULL, 0 },
};

#define STICKY(field) offsetof(struct ss_model_sticky, field)
static const struct ss_cfg_key sticky_keys[] = {
	{ "cookie", SS_CFG_TEXT, STICKY(cookie), .min = 1 },
	{ "header", SS_CFG_TEXT, STICKY(header), .min = 1 },
	{ "ttl", SS_CFG_DURATION, STICKY(ttl_ns), .def = "0s", .max = 400 * 86400 * SS_NS_PER_SEC },
	{ "path", SS_CFG_TEXT, STICKY(path), .def = "/", .min = 1 },
	{ "same_site", SS_CFG_WORD, STICKY(same_site), .def = "lax", .words = same_sites },
};
const struct ss_cfg_table ss_cfg_sticky = { .what = "group", .check = check_sticky, SS_CFG_KEYS(sticky_keys) };
