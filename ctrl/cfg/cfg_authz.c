/* Authorization: policies and rules in Istio's words, and who is told about decisions. */
#include <string.h>

#include "cfg/cfg_int.h"

/* ---- paths ---- */

static const char *const path_kinds[] = {
	"exact", "prefix", "suffix", "present", "under", "regex", NULL
}; /* enum's order */

static void check_path(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	struct ss_model_path *p = obj;
	p->fit = SS_AUTHZ_UNDER; /* a bare text */
	if (!config_setting_is_group(g)) {
		if (p->value && p->value[0] != '/' && p->value[0] != '*')
			ss_cfg_error(c, g, NULL, "\"%s\" does not begin with /", p->value);
		return;
	}
	if (ss_cfg_count(g, path_kinds) != 1)
		ss_cfg_error(c, g, NULL, "needs one of exact, prefix, suffix, present, under, regex");
	for (uint32_t i = 0; path_kinds[i]; i++)
		if (config_setting_get_member(g, path_kinds[i]))
			p->fit = i;
}

static void show_path(struct ss_json *j, const struct ss_cfg_key *k, const void *obj)
{
	const struct ss_model_path *p = obj;
	if (strcmp(k->name, path_kinds[p->fit]) != 0)
		return;
	if (p->fit == SS_AUTHZ_PRESENT)
		ss_json_bool(j, k->name, true);
	else
		ss_json_text(j, k->name, p->value);
}

#define PATH(field) offsetof(struct ss_model_path, field)
static const struct ss_cfg_key path_keys[] = {
	{ "under", SS_CFG_TEXT, PATH(value), .min = 1, .show = show_path },
	{ "exact", SS_CFG_TEXT, PATH(value), .min = 1, .show = show_path },
	{ "prefix", SS_CFG_TEXT, PATH(value), .min = 1, .show = show_path },
	{ "suffix", SS_CFG_TEXT, PATH(value), .min = 1, .show = show_path },
	{ "present", SS_CFG_TRUE, .show = show_path },
	{ "regex", SS_CFG_TEXT, PATH(value), .min = 1, .show = show_path },
};
static const struct ss_cfg_table path = { .what = "path",
					  .size = sizeof(struct ss_model_path),
					  .shorthand = "under",
					  .check = check_path,
					  SS_CFG_KEYS(path_keys) };

/* ---- the parts of a rule; in a rule itself, and in its from and to ---- */

#define TEXTS(name, at)                                                      \
	{                                                                    \
		name, SS_CFG_TEXTS, at + offsetof(struct ss_model_texts, v), \
			at + offsetof(struct ss_model_texts, n)              \
	}
#define PATHS(name, at)                                                         \
	{                                                                       \
		name, SS_CFG_LIST, at + offsetof(struct ss_model_paths, v),     \
			at + offsetof(struct ss_model_paths, n), .table = &path \
	}

#define SOURCE_KEYS(base)                                                                           \
	{ "ids", SS_CFG_LIST, base(ids), base(n_ids), .table = &ss_cfg_rule_id },                   \
	{ "not_ids", SS_CFG_LIST, base(not_ids), base(n_not_ids), .table = &ss_cfg_rule_id },       \
	TEXTS("namespaces", base(namespaces)), TEXTS("not_namespaces", base(not_namespaces)),       \
	TEXTS("request_principals", base(tokens)),                                                  \
	TEXTS("not_request_principals", base(not_tokens)), TEXTS("source_ips", base(source_ips)),   \
	TEXTS("not_source_ips", base(not_source_ips)), TEXTS("remote_ips", base(remote_ips)),       \
	TEXTS("not_remote_ips", base(not_remote_ips))

#define OPERATION_KEYS(base)                                                            \
	{ "methods", SS_CFG_METHODS, base(methods) },                                   \
	{ "not_methods", SS_CFG_METHODS, base(not_methods) },                           \
	PATHS("paths", base(paths)), PATHS("not_paths", base(not_paths)),               \
	TEXTS("hosts", base(hosts)), TEXTS("not_hosts", base(not_hosts)),               \
	TEXTS("ports", base(ports)), TEXTS("not_ports", base(not_ports))

#define SOURCE(field) offsetof(struct ss_model_source, field)
static const struct ss_cfg_key source_keys[] = { SOURCE_KEYS(SOURCE) };
static const struct ss_cfg_table source = { .what = "source", .size = sizeof(struct ss_model_source),
					    SS_CFG_KEYS(source_keys) };

#define OPERATION(field) offsetof(struct ss_model_operation, field)
static const struct ss_cfg_key operation_keys[] = { OPERATION_KEYS(OPERATION) };
static const struct ss_cfg_table operation = { .what = "operation", .size = sizeof(struct ss_model_operation),
					       SS_CFG_KEYS(operation_keys) };

static void check_condition(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	static const char *const values[] = { "values", "not_values", "regex", "not_regex", NULL };
	if (!ss_cfg_count(g, values))
		ss_cfg_error(c, g, NULL, "needs values, not_values, regex or not_regex");
}

#define WHEN(field) offsetof(struct ss_model_condition, field)
static const struct ss_cfg_key condition_keys[] = {
	{ "key", SS_CFG_TEXT, WHEN(key), .required = true, .min = 1 },
	TEXTS("values", WHEN(values)),
	TEXTS("not_values", WHEN(not_values)),
	TEXTS("regex", WHEN(regex)),
	TEXTS("not_regex", WHEN(not_regex)),
};
static const struct ss_cfg_table condition = { .what = "condition", .size = sizeof(struct ss_model_condition),
					       .check = check_condition, SS_CFG_KEYS(condition_keys) };

/* ---- rules ---- */

static const struct ss_cfg_word actions[] = {
	{ "allow", SS_AUTHZ_ALLOW }, { "deny", SS_AUTHZ_DENY }, { "audit", SS_AUTHZ_AUDIT },
	{ "custom", SS_AUTHZ_CUSTOM }, { NULL, 0 },
};

static void check_action(struct ss_cfg *c, config_setting_t *g, enum ss_authz_action action, const char *provider,
			 bool dry_run)
{
	if (action == SS_AUTHZ_CUSTOM && !provider && !config_setting_get_member(g, "provider"))
		ss_cfg_error(c, g, "action", "\"custom\" needs a provider, one of ext_authz");
	if (action != SS_AUTHZ_CUSTOM && provider)
		ss_cfg_error(c, g, "provider", "only rules of action \"custom\" ask one");
	if (action == SS_AUTHZ_AUDIT && dry_run)
		ss_cfg_error(c, g, "dry_run", "an audit rule never decides: there is nothing to try");
}

static void check_parts(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	static const char *const own_from[] = { "ids",
						"not_ids",
						"namespaces",
						"not_namespaces",
						"request_principals",
						"not_request_principals",
						"source_ips",
						"not_source_ips",
						"remote_ips",
						"not_remote_ips",
						NULL };
	static const char *const own_to[] = { "methods",   "not_methods", "paths",     "not_paths", "hosts",
					      "not_hosts", "ports",       "not_ports", NULL };
	static const char *const from[] = { "from", NULL }, *const to[] = { "to", NULL };
	if (ss_cfg_count(g, from) && ss_cfg_count(g, own_from))
		ss_cfg_error(c, g, "from", "stands beside a source of the rule's own: move that into it");
	if (ss_cfg_count(g, to) && ss_cfg_count(g, own_to))
		ss_cfg_error(c, g, "to", "stands beside an operation of the rule's own: move that into it");
}

static void check_rule(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	struct ss_model_authz_rule *r = obj;
	check_action(c, g, r->action, r->provider, r->dry_run);
	check_parts(c, g, obj);
}

#define RULE(field) offsetof(struct ss_model_authz_rule, field)
#define RULE_SOURCE(field) (RULE(source) + SOURCE(field))
#define RULE_OPERATION(field) (RULE(operation) + OPERATION(field))
#define PART_KEYS                                                                    \
	{ "dry_run", SS_CFG_BOOL, RULE(dry_run), .def = "false" },                   \
	SOURCE_KEYS(RULE_SOURCE), OPERATION_KEYS(RULE_OPERATION),                    \
	{ "from", SS_CFG_LIST, RULE(from), RULE(n_from), .table = &source },         \
	{ "to", SS_CFG_LIST, RULE(to), RULE(n_to), .table = &operation },            \
	{ "when", SS_CFG_LIST, RULE(when), RULE(n_when), .table = &condition }

static const struct ss_cfg_key rule_keys[] = {
	{ "name", SS_CFG_TEXT, RULE(name), .required = true, .min = 1 },
	{ "action", SS_CFG_WORD, RULE(action), .required = true, .words = actions },
	{ "provider", SS_CFG_REF, RULE(provider), .what = "external authorizer", .find = ss_model_ext_authz },
	PART_KEYS,
};
static const struct ss_cfg_table rule = { .what = "rule",
					  .size = sizeof(struct ss_model_authz_rule),
					  .src = true,
					  .named = true,
					  .check = check_rule,
					  SS_CFG_KEYS(rule_keys) };

/* The rules of a policy take its action and, without a name of their own, its name. */
static const struct ss_cfg_key policy_rule_keys[] = {
	{ "name", SS_CFG_TEXT, RULE(name), .min = 1 },
	PART_KEYS,
};
static const struct ss_cfg_table policy_rule = { .what = "rule",
						 .size = sizeof(struct ss_model_authz_rule),
						 .src = true,
						 .check = check_parts,
						 SS_CFG_KEYS(policy_rule_keys) };

static void check_policy(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	struct ss_model_policy *p = obj;
	check_action(c, g, p->action, p->provider, p->dry_run);
}

#define POLICY(field) offsetof(struct ss_model_policy, field)
static const struct ss_cfg_key policy_keys[] = {
	{ "name", SS_CFG_TEXT, POLICY(name), .required = true, .min = 1 },
	{ "action", SS_CFG_WORD, POLICY(action), .def = "allow", .words = actions },
	{ "provider", SS_CFG_REF, POLICY(provider), .what = "external authorizer", .find = ss_model_ext_authz },
	{ "dry_run", SS_CFG_BOOL, POLICY(dry_run), .def = "false" },
	{ "rules", SS_CFG_LIST, POLICY(rules), POLICY(n_rules), .table = &policy_rule },
};
const struct ss_cfg_table ss_cfg_policy = { .what = "policy",
					    .size = sizeof(struct ss_model_policy),
					    .src = true,
					    .named = true,
					    .check = check_policy,
					    SS_CFG_KEYS(policy_keys) };

/* ---- a scope, and the process ---- */

static const struct ss_cfg_word default_words[] = { { "allow", 0 }, { "deny", 1 }, { NULL, 0 } };

#define AUTHZ(field) offsetof(struct ss_model_authz, field)
static const struct ss_cfg_key authz_keys[] = {
	{ "default", SS_CFG_WORD, AUTHZ(default_deny), .def = "deny", .words = default_words,
	  .bytes = sizeof(bool) },
	{ "inherit", SS_CFG_BOOL, AUTHZ(inherit), .def = "false" },
	{ "policies", SS_CFG_REFS, AUTHZ(policies), AUTHZ(n_policies), .what = "policy",
	  .find = ss_model_policy },
	{ "rules", SS_CFG_LIST, AUTHZ(rules), AUTHZ(n_rules), .table = &rule },
};
const struct ss_cfg_table ss_cfg_authz = { .what = "group", .src = true, SS_CFG_KEYS(authz_keys) };

static const struct ss_cfg_key root_keys[] = {
	{ "default", SS_CFG_WORD, offsetof(struct ss_model, default_deny), .def = "allow",
	  .words = default_words, .bytes = sizeof(bool) },
};
const struct ss_cfg_table ss_cfg_authz_root = { .what = "group", SS_CFG_KEYS(root_keys) };

#define P(field) offsetof(struct ss_model_process, field)
static const struct ss_cfg_key audit_keys[] = {
	{ "path", SS_CFG_FILE, P(audit_log), .required = true },
	{ "allowed", SS_CFG_BOOL, P(audit_allowed), .def = "false" },
};
const struct ss_cfg_table ss_cfg_audit_log = { .what = "group", SS_CFG_KEYS(audit_keys) };
