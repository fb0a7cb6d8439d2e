/*
 * model_authz.h - desired authorization; part of model.h, which includes it.
 *
 * A rule's own parts are one source and one operation; `from` and `to` are lists of them, each pair one way to fit.
 * Texts may have a star at either end; what a text means for its part, ctrl/build says.
 */
#ifndef SS_MODEL_AUTHZ_H
#define SS_MODEL_AUTHZ_H

struct ss_model_texts {
	uint32_t n;
	char **v;
};

struct ss_model_path {
	uint32_t fit; /* enum ss_authz_fit: UNDER with braces is a template */
	char *value;
};

struct ss_model_paths {
	uint32_t n;
	struct ss_model_path *v;
};

struct ss_model_source {
	uint32_t n_ids, n_not_ids;
	struct ss_model_id *ids, *not_ids;
	struct ss_model_texts namespaces, not_namespaces, tokens, not_tokens;
	struct ss_model_texts source_ips, not_source_ips, remote_ips, not_remote_ips;
};

struct ss_model_operation {
	uint16_t methods, not_methods;
	struct ss_model_paths paths, not_paths;
	struct ss_model_texts hosts, not_hosts, ports, not_ports;
};

struct ss_model_condition {
	char *key;
	struct ss_model_texts values, not_values, regex, not_regex;
};

struct ss_model_authz_rule {
	struct ss_model_src src;
	char *name;
	enum ss_authz_action action;
	char *provider; /* whom a custom one asks */
	bool dry_run;
	struct ss_model_source source;
	struct ss_model_operation operation;
	uint32_t n_from, n_to, n_when;
	struct ss_model_source *from;
	struct ss_model_operation *to;
	struct ss_model_condition *when;
};

/* Rules with one action and one name, that several scopes may take. */
struct ss_model_policy {
	struct ss_model_src src;
	char *name;
	enum ss_authz_action action;
	char *provider; /* whom custom ones ask */
	bool dry_run;
	uint32_t n_rules;
	struct ss_model_authz_rule *rules;
};

struct ss_model_authz {
	struct ss_model_src src;
	bool present, default_deny, inherit;
	uint32_t n_rules, n_policies;
	struct ss_model_authz_rule *rules;
	char **policies; /* names */
};

#endif
