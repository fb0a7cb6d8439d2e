/* External authorizers. */
#include <string.h>
#include <strings.h>

#include "cfg/cfg_int.h"

/* ---- headers ---- */

#define FIELD(field) offsetof(struct ss_model_ext_authz_field, field)
static void check_field(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	const struct ss_model_ext_authz_field *m = obj;
	ss_cfg_header_name(c, g, m->name);
}

static const struct ss_cfg_key field_keys[] = {
	{ "name", SS_CFG_TEXT, FIELD(name), .required = true, .min = 1 },
	{ "value", SS_CFG_TEXT, FIELD(value), .required = true },
};
static const struct ss_cfg_table field = { .what = "header", .size = sizeof(struct ss_model_ext_authz_field),
					   .check = check_field, SS_CFG_KEYS(field_keys) };

/* A list of names, each with a star at one end at most. */
static void check_names(struct ss_cfg *c, config_setting_t *g, const char *key, const struct ss_model_texts *t)
{
	/* What frames a message or steers a connection is not an authorizer's to write. */
	static const char *const ours[] = { "connection", "content-length", "host", "keep-alive", "te",
					    "trailer", "transfer-encoding", "upgrade", NULL };
	for (uint32_t i = 0; i < t->n; i++) {
		const char *name = t->v[i], *star = strchr(name, '*');
		if (!ss_cfg_is_token(name) || (star && star != name && star[1]) ||
		    (star == name && strchr(name + 1, '*')))
			ss_cfg_error(c, g, key, "\"%s\" is no header name (\"x-a\", \"x-*\", \"*-id\", \"*\")", name);
		for (int k = 0; ours[k]; k++)
			if (!strcasecmp(ours[k], name))
				ss_cfg_error(c, g, key, "\"%s\" belongs to one connection: it is not passed on", name);
	}
}

/* ---- a provider ---- */

static void refuse_body(struct ss_cfg *c, config_setting_t *s, void *obj)
{
	ss_cfg_error(c, s, NULL, "request bodies are not sent to an authorizer: it decides by the head");
}

static void show_nothing(struct ss_json *j, const struct ss_cfg_key *k, const void *obj)
{
}

static void check_provider(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	const struct ss_model_ext_authz *m = obj;
	check_names(c, g, "include_request_headers_in_check", &m->ask);
	check_names(c, g, "headers_to_upstream_on_allow", &m->upstream);
	check_names(c, g, "headers_to_downstream_on_allow", &m->allowed);
	check_names(c, g, "headers_to_downstream_on_deny", &m->denied);
	if (m->path_prefix && m->path_prefix[0] && m->path_prefix[0] != '/')
		ss_cfg_error(c, g, "path_prefix", "must begin with /");
	if (m->kind == SS_EXT_AUTHZ_GRPC)
		ss_cfg_error(c, g, "kind", "\"grpc\" authorizers are not spoken to yet: \"http\"");
}

static const struct ss_cfg_word kinds[] = {
	{ "http", SS_EXT_AUTHZ_HTTP }, { "grpc", SS_EXT_AUTHZ_GRPC }, { NULL, 0 },
};

#define PROVIDER(field) offsetof(struct ss_model_ext_authz, field)
#define NAMES(name, list) { name, SS_CFG_TEXTS, PROVIDER(list.v), PROVIDER(list.n) }
static const struct ss_cfg_key provider_keys[] = {
	{ "name", SS_CFG_TEXT, PROVIDER(name), .required = true, .min = 1 },
	{ "cluster", SS_CFG_REF, PROVIDER(cluster), .required = true, .what = "cluster", .find = ss_model_cluster },
	{ "kind", SS_CFG_WORD, PROVIDER(kind), .def = "http", .words = kinds },
	{ "path_prefix", SS_CFG_TEXT, PROVIDER(path_prefix), .def = "" },
	{ "timeout", SS_CFG_DURATION, PROVIDER(timeout_ns), .def = "200ms", .min = SS_NS_PER_MS,
	  .max = 600 * SS_NS_PER_SEC },
	{ "fail_open", SS_CFG_BOOL, PROVIDER(fail_open), .def = "false" },
	{ "status_on_error", SS_CFG_U16, PROVIDER(status_on_error), .def = "403", .min = 400, .max = 599 },
	NAMES("include_request_headers_in_check", ask),
	{ "include_additional_headers_in_check", SS_CFG_LIST, PROVIDER(add), PROVIDER(n_add), .table = &field },
	NAMES("headers_to_upstream_on_allow", upstream),
	NAMES("headers_to_downstream_on_allow", allowed),
	NAMES("headers_to_downstream_on_deny", denied),
	{ "with_request_body", SS_CFG_OWN, .what = "group", .read = refuse_body, .show = show_nothing },
};
const struct ss_cfg_table ss_cfg_ext_authz = { .what = "external authorizer",
					       .size = sizeof(struct ss_model_ext_authz),
					       .src = true,
					       .named = true,
					       .check = check_provider,
					       SS_CFG_KEYS(provider_keys) };
