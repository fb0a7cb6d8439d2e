/*
 * cfg_alias.c - names that people know from elsewhere, made ours in the tree before it is read, so that
 * nothing after this file knows of them. Three ways: a table of paths, camelCase of every key of ours, and
 * lines that stay as they were.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cfg/cfg_int.h"

/*
 * In a group of the table at `base`, what stands at `path` means `ours`. "[]" in `ours` is a new entry of a
 * list. Istio: DestinationRule, VirtualService, AuthorizationPolicy.
 */
static const struct {
	const char *base, *path, *ours;
	bool lower; /* words: ROUND_ROBIN is round_robin */
} rows[] = {
	{ "clusters[]", "connectionPool.http.http2MaxRequests", "max_requests" },
	{ "clusters[]", "connectionPool.http.http1MaxPendingRequests", "max_pending" },
	{ "clusters[]", "connectionPool.http.maxRetries", "max_retries" },
	{ "clusters[]", "connectionPool.http.maxRequestsPerConnection", "http.max_requests" },
	{ "clusters[]", "connectionPool.http.idleTimeout", "http.idle_timeout" },
	{ "clusters[]", "connectionPool.tcp.maxConnections", "max_connections" },
	{ "clusters[]", "connectionPool.tcp.connectTimeout", "connect_timeout" },
	{ "clusters[]", "outlierDetection", "outlier" },
	{ "clusters[].outlier", "consecutive5xxErrors", "consecutive_errors" },
	{ "clusters[].outlier", "consecutive_5xx", "consecutive_errors" },
	{ "clusters[].outlier", "consecutive_gateway_failure", "consecutive_gateway_errors" },
	{ "clusters[].outlier", "consecutive_local_origin_failure", "consecutive_local_origin_failures" },
	{ "clusters[].health_check", "http_health_check.path", "path" },
	{ "clusters[].health_check", "http_health_check.host", "host" },
	{ "clusters[]", "loadBalancer.simple", "load_balancing", true },
	{ "clusters[]", "loadBalancer.consistentHash", "consistentHash" },
	{ "clusters[]", "loadBalancer.localityLbSetting.distribute", "balancing.distribute" },
	{ "clusters[]", "loadBalancer.localityLbSetting.failover", "balancing.failover" },
	{ "clusters[]", "localityLbSetting.distribute", "balancing.distribute" },
	{ "clusters[]", "localityLbSetting.failover", "balancing.failover" },
	{ "clusters[]", "consistentHash.httpCookie", "balancing.hash_policy.[].cookie" },
	{ "clusters[]", "consistentHash.httpHeaderName", "balancing.hash_policy.[].header" },
	{ "clusters[]", "consistentHash.httpQueryParameterName", "balancing.hash_policy.[].query" },
	{ "clusters[]", "consistentHash.useSourceIp", "balancing.hash_policy.[].source" },
	{ "clusters[]", "consistentHash.minimumRingSize", "balancing.minimum_ring_size" },
	{ "virtual_hosts[].routes[]", "retries.attempts", "retry.max_retries" },
	{ "virtual_hosts[].routes[]", "retries.perTryTimeout", "retry.per_try_timeout" },
	{ "virtual_hosts[].routes[]", "retries.retryOn", "retry.on" },
	{ "virtual_hosts[].routes[]", "corsPolicy", "cors" },
	{ "virtual_hosts[].routes[]", "auto_host_rewrite", "rewrite.auto_host" },
	{ "virtual_hosts[].retry", "attempts", "max_retries" },
	{ "virtual_hosts[].retry", "retryOn", "on" },
	{ "virtual_hosts[].retry", "retry_on", "on" },
	{ "listeners[].authorization.rules[]", "principals", "ids" },
	{ "listeners[].authorization.rules[]", "notPrincipals", "not_ids" },
	{ "listeners[].authorization.rules[]", "ipBlocks", "source_ips" },
	{ "listeners[].authorization.rules[]", "remoteIpBlocks", "remote_ips" },
	{ "listeners[].authorization.rules[].from[]", "principals", "ids" },
	{ "listeners[].authorization.rules[].from[]", "notPrincipals", "not_ids" },
	{ "listeners[].authorization.rules[].from[]", "ipBlocks", "source_ips" },
	{ "listeners[].authorization.rules[].from[]", "remoteIpBlocks", "remote_ips" },
	{ "policies[].rules[]", "principals", "ids" },
	{ "policies[].rules[]", "notPrincipals", "not_ids" },
	{ "policies[].rules[]", "ipBlocks", "source_ips" },
	{ "policies[].rules[]", "remoteIpBlocks", "remote_ips" },
	{ "ext_authz[]", "envoyExtAuthzHttp.service", "cluster" },
	{ "ext_authz[]", "envoyExtAuthzHttp.timeout", "timeout" },
	{ "ext_authz[]", "envoyExtAuthzHttp.pathPrefix", "path_prefix" },
	{ "ext_authz[]", "envoyExtAuthzHttp.failOpen", "fail_open" },
	{ "ext_authz[]", "envoyExtAuthzHttp.statusOnError", "status_on_error" },
	{ "ext_authz[]", "envoyExtAuthzHttp.includeRequestHeadersInCheck", "include_request_headers_in_check" },
	{ "ext_authz[]", "envoyExtAuthzHttp.includeHeadersInCheck", "include_request_headers_in_check" },
	{ "ext_authz[]", "envoyExtAuthzHttp.includeRequestBodyInCheck", "with_request_body" },
	{ "ext_authz[]", "envoyExtAuthzHttp.headersToUpstreamOnAllow", "headers_to_upstream_on_allow" },
	{ "ext_authz[]", "envoyExtAuthzHttp.headersToDownstreamOnAllow", "headers_to_downstream_on_allow" },
	{ "ext_authz[]", "envoyExtAuthzHttp.headersToDownstreamOnDeny", "headers_to_downstream_on_deny" },
};

const struct ss_cfg_key *ss_cfg_at(const char *path)
{
	const struct ss_cfg_table *t = &ss_cfg_root;
	const struct ss_cfg_key *k = NULL;

	while (*path) {
		size_t n = strcspn(path, ".["); /* "a[].b" */
		k = NULL;
		for (uint32_t i = 0; t && i < t->n_keys && !k; i++)
			if (strlen(t->keys[i].name) == n && !strncmp(t->keys[i].name, path, n))
				k = &t->keys[i];
		if (!k)
			return NULL;
		t = k->table;
		path += n + strspn(path + n, "[].");
	}
	return k;
}

void ss_cfg_aliases(ss_cfg_alias_fn fn, void *arg)
{
	for (size_t i = 0; i < SS_ARRAY_LEN(rows); i++)
		fn(arg, rows[i].base, rows[i].path, rows[i].ours);
}

/* -- moving a setting within the tree; its line goes along, for errors -- */

static void same_place(config_setting_t *to, const config_setting_t *from)
{
	to->line = from->line;
	to->file = from->file;
}

static void copy_value(config_setting_t *to, const config_setting_t *from)
{
	same_place(to, from);
	switch (config_setting_type(from)) {
	case CONFIG_TYPE_INT:
		config_setting_set_int(to, config_setting_get_int(from));
		break;
	case CONFIG_TYPE_INT64:
		config_setting_set_int64(to, config_setting_get_int64(from));
		break;
	case CONFIG_TYPE_FLOAT:
		config_setting_set_float(to, config_setting_get_float(from));
		break;
	case CONFIG_TYPE_BOOL:
		config_setting_set_bool(to, config_setting_get_bool(from));
		break;
	case CONFIG_TYPE_STRING:
		config_setting_set_string(to, config_setting_get_string(from));
		break;
	default:
		for (int i = 0; i < config_setting_length(from); i++) {
			const config_setting_t *e = config_setting_get_elem(from, (unsigned)i);
			config_setting_t *c =
				config_setting_add(to, config_setting_name(e), config_setting_type(e));
			if (c)
				copy_value(c, e);
		}
	}
}

/* The place `ours` below g, made where it is missing; NULL when it is taken, with *taken. */
static config_setting_t *make_place(config_setting_t *g, const char *ours, const config_setting_t *from,
				    config_setting_t **taken)
{
	while (*ours) {
		size_t n = strcspn(ours, ".");
		bool last = !ours[n], entry = !strncmp(ours, "[]", n);
		bool list = !last && !strncmp(ours + n + 1, "[]", 2);
		config_setting_t *c = entry ? NULL : ss_cfg_member(g, ours, n);
		char name[64] = "";
		if (c && last) {
			*taken = c;
			return NULL;
		}
		memcpy(name, ours, n < sizeof(name) ? n : sizeof(name) - 1);
		if (!c)
			c = config_setting_add(g, entry ? NULL : name,
					       last   ? config_setting_type(from)
					       : list ? CONFIG_TYPE_LIST
						      : CONFIG_TYPE_GROUP);
		if (!c)
			return NULL;
		if (!c->line)
			same_place(c, from);
		g = c;
		ours += n + !last;
	}
	return g;
}

static void twice(struct ss_cfg *c, const config_setting_t *alias, const config_setting_t *ours)
{
	ss_cfg_error(c, alias, NULL, "says the same as \"%s\" in line %u: keep one",
		     config_setting_name(ours), (unsigned)config_setting_source_line(ours));
}

/* A group of the alias's path that has nothing left goes, too. */
static void remove_path(config_setting_t *g, config_setting_t *s)
{
	while (s != g) {
		config_setting_t *up = config_setting_parent(s);
		config_setting_remove(up, config_setting_name(s));
		if (config_setting_length(up))
			return;
		s = up;
	}
}

static void lower_word(config_setting_t *s)
{
	char word[64] = "";
	const char *text = config_setting_get_string(s);

	for (size_t i = 0; text && text[i] && i + 1 < sizeof(word); i++)
		word[i] = (char)tolower((unsigned char)text[i]);
	if (text)
		config_setting_set_string(s, word);
}

/* Istio's consistentHash is a ring where nothing else is said. */
static void imply_ring(config_setting_t *g, const config_setting_t *from)
{
	config_setting_t *s = config_setting_add(g, "load_balancing", CONFIG_TYPE_STRING);

	if (s) {
		config_setting_set_string(s, "ring_hash");
		same_place(s, from);
	}
}

static void take_row(struct ss_cfg *c, config_setting_t *g, size_t row)
{
	config_setting_t *s = g, *taken = NULL, *to;

	for (const char *p = rows[row].path; s && *p;) {
		size_t n = strcspn(p, ".");
		s = ss_cfg_member(s, p, n);
		p += n + (p[n] == '.');
	}
	if (!s)
		return;
	to = make_place(g, rows[row].ours, s, &taken);
	if (to) {
		copy_value(to, s);
		if (rows[row].lower)
			lower_word(to);
		if (!strncmp(rows[row].path, "consistentHash.http", 19) ||
		    !strcmp(rows[row].path, "consistentHash.useSourceIp"))
			imply_ring(g, s); /* refused by libconfig when it is there */
		remove_path(g, s);
	} else if (taken) {
		twice(c, s, taken);
		remove_path(g, s);
	}
}

/* -- camelCase -- */

static bool is_camel(const char *name, const char *ours)
{
	for (; *name && *ours; name++, ours++) {
		if (*ours == '_') {
			ours++;
			if (*name != (char)toupper((unsigned char)*ours))
				return false;
		} else if (*name != *ours) {
			return false;
		}
	}
	return !*name && !*ours;
}

/* libconfig has no way to rename; its setting is a public struct, and its name from malloc. */
static void rename_to(struct ss_cfg *c, config_setting_t *s, const char *name)
{
	char *copy = strdup(name);

	if (!copy) {
		c->no_memory = true;
		return;
	}
	free(s->name);
	s->name = copy;
}

static bool has_capital(const char *name)
{
	while (*name && !isupper((unsigned char)*name))
		name++;
	return *name;
}

static void take_camel(struct ss_cfg *c, config_setting_t *g, const struct ss_cfg_table *t)
{
	for (int k = 0; k < config_setting_length(g); k++) {
		config_setting_t *s = config_setting_get_elem(g, (unsigned)k), *both;
		for (uint32_t i = 0; has_capital(config_setting_name(s)) && i < t->n_keys; i++) {
			const char *ours = t->keys[i].name;
			if (!is_camel(config_setting_name(s), ours))
				continue;
			both = ss_cfg_member(g, ours, strlen(ours));
			if (both)
				twice(c, s, both);
			rename_to(c, s, ours);
		}
	}
}

/* -- the walk -- */

/* What is asked of every group of the file is found once: the table of each row's base. */
struct walk {
	struct ss_cfg *c;
	const struct ss_cfg_table *base[SS_ARRAY_LEN(rows)];
};

static void take_group(const struct walk *w, config_setting_t *g, const struct ss_cfg_table *t)
{
	if (!config_setting_is_group(g))
		return;
	for (size_t i = 0; i < SS_ARRAY_LEN(rows); i++)
		if (w->base[i] == t)
			take_row(w->c, g, i);
	take_camel(w->c, g, t);
	for (uint32_t i = 0; i < t->n_keys; i++) {
		const struct ss_cfg_key *k = &t->keys[i];
		config_setting_t *s = k->table ? ss_cfg_member(g, k->name, strlen(k->name)) : NULL;
		if (!s)
			continue;
		take_group(w, s, k->table);
		for (int e = 0; config_setting_is_list(s) && e < config_setting_length(s); e++)
			take_group(w, config_setting_get_elem(s, (unsigned)e), k->table);
	}
}

void ss_cfg_take_aliases(struct ss_cfg *c, config_setting_t *root)
{
	struct walk w = { .c = c };

	for (size_t i = 0; i < SS_ARRAY_LEN(rows); i++) {
		const struct ss_cfg_key *base = ss_cfg_at(rows[i].base);
		w.base[i] = base ? base->table : NULL;
	}
	take_group(&w, root, &ss_cfg_root);
}
