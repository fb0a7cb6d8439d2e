/* Redirects and rewrites. */
#include <string.h>

#include "cfg/cfg_int.h"

/* What may stand in a path and query: no space, no control byte, nothing that is not ASCII (cfg_value.c has
 * refused control bytes). */
static void check_path(struct ss_cfg *c, config_setting_t *g, const char *key, const char *path)
{
	if (!path)
		return;
	if (path[0] != '/')
		ss_cfg_error(c, g, key, "must begin with /");
	for (const char *p = path; *p; p++)
		if (*p == ' ' || *p == '#' || (unsigned char)*p >= 0x7f)
			ss_cfg_error(c, g, key, "has a byte that no path can have");
}

static void check_authority(struct ss_cfg *c, config_setting_t *g, const char *host)
{
	if (host && strpbrk(host, " /?#@\\"))
		ss_cfg_error(c, g, "host", "\"%s\" is no host", host);
}

/* ---- redirect ---- */

static void check_redirect(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	static const char *const paths[] = { "path", "prefix", "regex", NULL };
	struct ss_model_redirect *r = obj;
	uint16_t s = r->status;
	if (ss_cfg_count(g, paths) > 1)
		ss_cfg_error(c, g, NULL, "has more than one of path, prefix, regex");
	if (!r->regex != !r->substitution)
		ss_cfg_error(c, g, NULL, "regex and substitution go together");
	if (s != 301 && s != 302 && s != 303 && s != 307 && s != 308)
		ss_cfg_error(c, g, "status", "%u is none of 301, 302, 303, 307, 308", s);
	if (r->scheme && strcmp(r->scheme, "http") != 0 && strcmp(r->scheme, "https") != 0)
		ss_cfg_error(c, g, "scheme", "\"%s\" is neither http nor https", r->scheme);
	check_path(c, g, "path", r->path);
	check_path(c, g, "prefix", r->prefix);
	check_authority(c, g, r->host);
}

#define REDIRECT(field) offsetof(struct ss_model_redirect, field)
static const struct ss_cfg_key redirect_keys[] = {
	{ "status", SS_CFG_U16, REDIRECT(status), .def = "302", .min = 301, .max = 308 },
	{ "scheme", SS_CFG_TEXT, REDIRECT(scheme), .min = 1 },
	{ "host", SS_CFG_TEXT, REDIRECT(host), .min = 1 },
	{ "port", SS_CFG_U16, REDIRECT(port), .min = 1, .max = 65535 },
	{ "path", SS_CFG_TEXT, REDIRECT(path), .min = 1 },
	{ "prefix", SS_CFG_TEXT, REDIRECT(prefix), .min = 1 },
	{ "regex", SS_CFG_TEXT, REDIRECT(regex), .min = 1 },
	{ "substitution", SS_CFG_TEXT, REDIRECT(substitution) },
	{ "strip_query", SS_CFG_BOOL, REDIRECT(strip_query), .def = "false" },
};
const struct ss_cfg_table ss_cfg_redirect = { .what = "group", .check = check_redirect,
					      SS_CFG_KEYS(redirect_keys) };

/* ---- rewrite ---- */

static void check_rewrite(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	static const char *const paths[] = { "path", "prefix", "regex", NULL };
	static const char *const hosts[] = { "host", "host_header", "auto_host", NULL };
	struct ss_model_rewrite *r = obj;
	if (ss_cfg_count(g, paths) > 1)
		ss_cfg_error(c, g, NULL, "has more than one of path, prefix, regex");
	if (ss_cfg_count(g, hosts) > 1)
		ss_cfg_error(c, g, NULL, "has more than one of host, host_header, auto_host");
	if (!r->regex != !r->substitution)
		ss_cfg_error(c, g, NULL, "regex and substitution go together");
	check_path(c, g, "path", r->path);
	check_path(c, g, "prefix", r->prefix);
	check_authority(c, g, r->host);
	if (r->host_header)
		ss_cfg_header_name(c, g, r->host_header);
}

#define REWRITE(field) offsetof(struct ss_model_rewrite, field)
static const struct ss_cfg_key rewrite_keys[] = {
	{ "path", SS_CFG_TEXT, REWRITE(path), .min = 1 },
	{ "prefix", SS_CFG_TEXT, REWRITE(prefix), .min = 1 },
	{ "regex", SS_CFG_TEXT, REWRITE(regex), .min = 1 },
	{ "substitution", SS_CFG_TEXT, REWRITE(substitution) },
	{ "host", SS_CFG_TEXT, REWRITE(host), .min = 1 },
	{ "host_header", SS_CFG_TEXT, REWRITE(host_header), .min = 1 },
	{ "auto_host", SS_CFG_BOOL, REWRITE(auto_host), .def = "false" },
};
const struct ss_cfg_table ss_cfg_rewrite = { .what = "group", .check = check_rewrite,
					     SS_CFG_KEYS(rewrite_keys) };
