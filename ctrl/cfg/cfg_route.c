/* Virtual hosts and routes. */
#include <ctype.h>
#include <string.h>

#include "cfg/cfg_int.h"
#include "contract/format.h"

#define ROUTE(field) offsetof(struct ss_model_route, field)

/* ---- header operations ---- */

struct ops {
	uint32_t n_set, n_add, n_remove;
	struct ss_model_header_op *set, *add;
	char **remove;
};

/* What frames a message or steers a connection is the proxy's to write, not a route's. */
static void check_op_name(struct ss_cfg *c, config_setting_t *g, const char *name)
{
	static const char *const ours[] = { "connection", "content-length",    "host",    "keep-alive", "te",
					    "trailer",    "transfer-encoding", "upgrade", NULL };
	if (!name)
		return;
	ss_cfg_header_name(c, g, name);
	for (int i = 0; ours[i]; i++)
		if (!strcasecmp(ours[i], name))
			ss_cfg_error(c, g, NULL, "\"%s\" is not a route's to change", name);
}

static void check_op(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	struct ss_model_header_op *op = obj;
	check_op_name(c, g, op->name);
	size_t n = op->value ? strlen(op->value) : 0;
	if (n && (op->value[0] == ' ' || op->value[n - 1] == ' '))
		ss_cfg_error(c, g, "value", "begins or ends with a space");
	const char *at = op->value ? op->value : "";
	struct ss_format_piece p;
	int rc;
	while ((rc = ss_format_next(&at, &p)) == 1)
		;
	if (rc < 0)
		ss_cfg_error(c, g, "value", "\"%.*s\" is no variable that is known here; %%%% stands for one %%",
			     (int)p.text.n, (const char *)p.text.p);
}

#define OP(field) offsetof(struct ss_model_header_op, field)
static const struct ss_cfg_key op_keys[] = {
	{ "name", SS_CFG_TEXT, OP(name), .required = true, .min = 1 },
	{ "value", SS_CFG_TEXT, OP(value), .required = true },
};
static const struct ss_cfg_table op = { .what = "header", .size = sizeof(struct ss_model_header_op),
					.check = check_op, SS_CFG_KEYS(op_keys) };
static const struct ss_cfg_key ops_keys[] = {
	{ "remove", SS_CFG_TEXTS, offsetof(struct ops, remove), offsetof(struct ops, n_remove) },
	{ "set", SS_CFG_LIST, offsetof(struct ops, set), offsetof(struct ops, n_set), .table = &op },
	{ "add", SS_CFG_LIST, offsetof(struct ops, add), offsetof(struct ops, n_add), .table = &op },
};
static const struct ss_cfg_table ops_table = { .what = "group", SS_CFG_KEYS(ops_keys) };

/* The file's three lists become one: remove, then set, then add. */
static void read_ops(struct ss_cfg *c, config_setting_t *s, struct ss_model_header_op **out, uint32_t *n)
{
	struct ops o = { 0 };
	ss_cfg_group(c, s, &ops_table, &o);
	struct ss_model_header_op *all = ss_cfg_alloc(c, (o.n_remove + o.n_set + o.n_add + 1) * sizeof(*all));
	*n = 0;
	if (!all)
		return;
	for (uint32_t i = 0; i < o.n_remove; i++) {
		check_op_name(c, s, o.remove[i]);
		all[(*n)++] = (struct ss_model_header_op){ SS_OP_REMOVE, o.remove[i], NULL };
	}
	for (uint32_t i = 0; i < o.n_set; i++)
		all[(*n)++] = (struct ss_model_header_op){ SS_OP_SET, o.set[i].name, o.set[i].value };
	for (uint32_t i = 0; i < o.n_add; i++)
		all[(*n)++] = (struct ss_model_header_op){ SS_OP_ADD, o.add[i].name, o.add[i].value };
	*out = all;
}

static void show_op_list(struct ss_json *j, const char *key, enum ss_header_op_kind kind, uint32_t n,
			 const struct ss_model_header_op *ops)
{
	ss_json_list(j, key);
	for (uint32_t i = 0; i < n; i++) {
		if (ops[i].kind != kind)
			continue;
		if (kind == SS_OP_REMOVE) {
			ss_json_text(j, NULL, ops[i].name);
			continue;
		}
		ss_json_object(j, NULL);
		ss_json_text(j, "name", ops[i].name);
		ss_json_text(j, "value", ops[i].value);
		ss_json_end_object(j);
	}
	ss_json_end_list(j);
}

static void show_ops(struct ss_json *j, const char *key, uint32_t n, const struct ss_model_header_op *ops)
{
	if (!n)
		return;
	ss_json_object(j, key);
	show_op_list(j, "remove", SS_OP_REMOVE, n, ops);
	show_op_list(j, "set", SS_OP_SET, n, ops);
	show_op_list(j, "add", SS_OP_ADD, n, ops);
	ss_json_end_object(j);
}

/* The two groups of a route, a virtual host or a share: what each has to be told is where its fields are. */
#define OPS_OF(what, type)                                                                             \
	static void what##_reads_request(struct ss_cfg *c, config_setting_t *s, void *obj)                \
	{                                                                                               \
		struct type *o = obj;                                                                   \
		read_ops(c, s, &o->request_ops, &o->n_request_ops);                                     \
	}                                                                                               \
	static void what##_reads_response(struct ss_cfg *c, config_setting_t *s, void *obj)               \
	{                                                                                               \
		struct type *o = obj;                                                                   \
		read_ops(c, s, &o->response_ops, &o->n_response_ops);                                   \
	}                                                                                               \
	static void what##_shows_request(struct ss_json *j, const struct ss_cfg_key *k, const void *obj) \
	{                                                                                               \
		const struct type *o = obj;                                                             \
		show_ops(j, k->name, o->n_request_ops, o->request_ops);                                 \
	}                                                                                               \
	static void what##_shows_response(struct ss_json *j, const struct ss_cfg_key *k, const void *obj) \
	{                                                                                               \
		const struct type *o = obj;                                                             \
		show_ops(j, k->name, o->n_response_ops, o->response_ops);                               \
	}
#define OPS_KEYS(whose)                                                                                \
	{ "request_headers", SS_CFG_OWN, .what = "group", .table = &ops_table,                            \
	  .read = whose##_reads_request, .show = whose##_shows_request },                                   \
	{ "response_headers", SS_CFG_OWN, .what = "group", .table = &ops_table,                           \
	  .read = whose##_reads_response, .show = whose##_shows_response }

OPS_OF(route, ss_model_route)
OPS_OF(host, ss_model_host)
OPS_OF(share, ss_model_weighted)

/* ---- where a request goes ---- */

static void check_direct(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	struct ss_model_route *r = obj;
	bool no_body = r->direct_status == 204 || r->direct_status == 205 || r->direct_status == 304;
	r->action = SS_ACTION_DIRECT;
	if (no_body && r->direct_body && r->direct_body[0])
		ss_cfg_error(c, g, "body", "a response with status %u has none", r->direct_status);
}

static void show_direct(struct ss_json *j, const struct ss_cfg_key *k, const void *obj)
{
	const struct ss_model_route *r = obj;
	if (r->action != SS_ACTION_DIRECT)
		return;
	ss_json_object(j, k->name);
	ss_json_u64(j, "status", r->direct_status);
	ss_json_text(j, "body", r->direct_body);
	ss_json_text(j, "content_type", r->direct_type);
	ss_json_end_object(j);
}

static const struct ss_cfg_key direct_keys[] = {
	{ "status", SS_CFG_U16, ROUTE(direct_status), .required = true, .min = 200, .max = 599 },
	{ "body", SS_CFG_TEXT, ROUTE(direct_body), .def = "", .max = 16384 },
	{ "content_type", SS_CFG_TEXT, ROUTE(direct_type), .def = "text/plain", .min = 1 },
};
static const struct ss_cfg_table direct = { .what = "group",
					    .check = check_direct,
					    SS_CFG_KEYS(direct_keys) };

#define WEIGHTED(field) offsetof(struct ss_model_weighted, field)

static void read_subset(struct ss_cfg *c, config_setting_t *s, void *obj)
{
	ss_cfg_labels(c, s, &((struct ss_model_weighted *)obj)->subset);
}

static void show_subset(struct ss_json *j, const struct ss_cfg_key *k, const void *obj)
{
	ss_cfg_show_labels(j, k->name, &((const struct ss_model_weighted *)obj)->subset);
}

static void read_route_subset(struct ss_cfg *c, config_setting_t *s, void *obj)
{
	ss_cfg_labels(c, s, &((struct ss_model_route *)obj)->subset);
}

static void show_route_subset(struct ss_json *j, const struct ss_cfg_key *k, const void *obj)
{
	ss_cfg_show_labels(j, k->name, &((const struct ss_model_route *)obj)->subset);
}

static const struct ss_cfg_key weighted_keys[] = {
	{ "name", SS_CFG_REF, WEIGHTED(cluster), .required = true, .what = "cluster",
	  .find = ss_model_cluster },
	{ "weight", SS_CFG_HUNDREDTHS, WEIGHTED(weight), .max = 100 * 1000000 },
	{ "subset", SS_CFG_OWN, .what = "labels", .read = read_subset, .show = show_subset },
	OPS_KEYS(share),
};
static const struct ss_cfg_table weighted = { .what = "cluster", .size = sizeof(struct ss_model_weighted),
					      .shorthand = "name", SS_CFG_KEYS(weighted_keys) };

/* `cluster = "x"` is `clusters = ( { name = "x"; weight = 100; } )`. */
static void read_cluster(struct ss_cfg *c, config_setting_t *s, void *obj)
{
	struct ss_model_route *r = obj;
	const char *name = config_setting_get_string(s);
	struct ss_model_weighted *w = ss_cfg_alloc(c, sizeof(*w));
	const char *why = name && w ? ss_cfg_value(c, &weighted_keys[0], name, &w->cluster)
				    : "must be a name in quotes";
	if (why) {
		ss_cfg_error(c, s, NULL, "%s", why);
		return;
	}
	w->weight = SS_WEIGHT_SUM;
	r->clusters = w;
	r->n_clusters = 1;
}

/* By the first match weights are percents; in the Gateway API shares of their sum, 1 where none is said. */
static void check_weights(struct ss_cfg *c, config_setting_t *g, struct ss_model_route *r, bool relative)
{
	static const char *const list[] = { "clusters", NULL }, *const weight[] = { "weight", NULL };
	uint64_t sum = 0;
	if (!ss_cfg_count(g, list) || r->n_clusters == 0)
		return;
	config_setting_t *s = config_setting_get_member(g, "clusters");
	for (uint32_t i = 0; i < r->n_clusters; i++) {
		if (!ss_cfg_count(config_setting_get_elem(s, i), weight))
			r->clusters[i].weight = relative ? 100 : r->n_clusters == 1 ? SS_WEIGHT_SUM : 0;
		sum += r->clusters[i].weight;
	}
	if (relative ? sum > UINT32_MAX : sum != SS_WEIGHT_SUM)
		ss_cfg_error(c, s, NULL, "the weights sum to %llu.%02llu, %s", (unsigned long long)sum / 100,
			     (unsigned long long)sum % 100, relative ? "which is too much" : "not to 100");
}

static void check_route(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	static const char *const where[] = { "cluster", "clusters", "direct_response", "redirect", NULL };
	static const char *const retries[] = { "max_retries", NULL };
	struct ss_model_route *r = obj;
	if (ss_cfg_count(g, where) != 1)
		ss_cfg_error(c, g, NULL, "needs one of cluster, clusters, direct_response, redirect");
	if (!r->authz.present)
		r->authz.default_deny = false; /* the default is that of a group that is there */
	r->max_retries_set = ss_cfg_count(g, retries) != 0;
	if (r->prefix_rewrite && r->path_kind != SS_PATH_PREFIX && r->path_kind != SS_PATH_SEGMENTS)
		ss_cfg_error(c, g, "prefix_rewrite", "needs match.prefix: that is what it replaces");
	if (r->prefix_rewrite && r->prefix_rewrite[0] != '/')
		ss_cfg_error(c, g, "prefix_rewrite", "must begin with /");
	if (r->prefix_rewrite && r->rewrite.present)
		ss_cfg_error(c, g, "rewrite", "says prefix_rewrite in another way: only one of them");
	if ((r->rewrite.prefix || r->redirect.prefix) && r->path_kind != SS_PATH_PREFIX &&
	    r->path_kind != SS_PATH_SEGMENTS)
		ss_cfg_error(c, g, r->rewrite.prefix ? "rewrite" : "redirect",
			     "prefix needs match.prefix: that is what it replaces");
	if (r->redirect.present)
		r->action = SS_ACTION_REDIRECT;
	ss_cfg_check_canary(c, g, r);
}

static const struct ss_cfg_word priorities[] = {
	{ "default", SS_PRIORITY_DEFAULT }, { "high", SS_PRIORITY_HIGH }, { NULL, 0 },
};

static const struct ss_cfg_key route_keys[] = {
	{ "name", SS_CFG_TEXT, ROUTE(name), .required = true, .min = 1 },
	{ "match", SS_CFG_GROUP, 0, .table = &ss_cfg_match },
	{ "cluster", SS_CFG_OWN, ROUTE(clusters), .what = "name", .read = read_cluster },
	{ "clusters", SS_CFG_LIST, ROUTE(clusters), ROUTE(n_clusters), .required = false,
	  .table = &weighted },
	{ "direct_response", SS_CFG_GROUP, 0, .table = &direct, .show = show_direct },
	{ "redirect", SS_CFG_GROUP, ROUTE(redirect), ROUTE(redirect.present), .table = &ss_cfg_redirect },
	{ "timeout", SS_CFG_DURATION, ROUTE(timeout_ns), .def = "5s", .max = 86400 * SS_NS_PER_SEC },
	{ "idle_timeout", SS_CFG_DURATION, ROUTE(idle_timeout_ns), .def = "5m",
	  .max = 86400 * SS_NS_PER_SEC },
	{ "max_stream_duration", SS_CFG_DURATION, ROUTE(max_stream_ns), .def = "0s",
	  .max = 86400 * SS_NS_PER_SEC },
	{ "max_retries", SS_CFG_U32, ROUTE(max_retries), .max = 10 },
	{ "priority", SS_CFG_WORD, ROUTE(priority), .def = "default", .words = priorities },
	{ "retry", SS_CFG_GROUP, ROUTE(retry), ROUTE(retry.present), .table = &ss_cfg_retry },
	{ "prefix_rewrite", SS_CFG_TEXT, ROUTE(prefix_rewrite), .min = 1 },
	OPS_KEYS(route),
	{ "rewrite", SS_CFG_GROUP, ROUTE(rewrite), ROUTE(rewrite.present), .table = &ss_cfg_rewrite },
	{ "cors", SS_CFG_GROUP, ROUTE(cors), ROUTE(cors.present), .table = &ss_cfg_cors },
	{ "maintenance", SS_CFG_GROUP, ROUTE(maintenance), ROUTE(maintenance.present), .table = &ss_cfg_maintenance },
	{ "sticky", SS_CFG_GROUP, ROUTE(sticky), ROUTE(sticky.present), .table = &ss_cfg_sticky },
	{ "subset", SS_CFG_OWN, .what = "labels", .read = read_route_subset, .show = show_route_subset },
	{ "hash_policy", SS_CFG_LIST, ROUTE(hash.v), ROUTE(hash.n), .table = &ss_cfg_hash },
	{ "jwt", SS_CFG_WORD, ROUTE(token), .def = "listener", .words = ss_cfg_token_words },
	{ "authorization", SS_CFG_GROUP, ROUTE(authz), ROUTE(authz.present), .table = &ss_cfg_authz },
	{ "rate_limits", SS_CFG_REFS, ROUTE(limits.name), ROUTE(limits.n), .what = "rate limit",
	  .find = ss_model_limit },
	{ "fault", SS_CFG_GROUP, ROUTE(fault), ROUTE(fault.present), .table = &ss_cfg_fault },
	{ "mirrors", SS_CFG_LIST, ROUTE(mirrors.v), ROUTE(mirrors.n), .table = &ss_cfg_mirror },
	{ "canary", SS_CFG_GROUP, ROUTE(canary), ROUTE(canary.present), .table = &ss_cfg_canary },
};
static const struct ss_cfg_table route = { .what = "route",
					   .size = sizeof(struct ss_model_route),
					   .src = true,
					   .named = true,
					   .check = check_route,
					   SS_CFG_KEYS(route_keys) };

/* ---- virtual hosts ---- */

/* "a.example", "*.example" or "*". */
bool ss_cfg_is_domain(const char *s)
{
	if (!strcmp(s, "*"))
		return true;
	if (!strncmp(s, "*.", 2))
		s += 2;
	if (!*s || *s == '.' || strlen(s) > 253)
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr("-._", *s))
			return false;
	return true;
}

static void check_host(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	struct ss_model_host *h = obj;
	config_setting_t *routes = config_setting_get_member(g, "routes");
	for (uint32_t i = 0; i < h->n_routes; i++)
		check_weights(c, config_setting_get_elem(routes, i), &h->routes[i],
			      h->precedence == SS_PRECEDENCE_GATEWAY);
	for (uint32_t i = 0; i < h->n_domains; i++)
		if (h->domains[i] && !ss_cfg_is_domain(h->domains[i]))
			ss_cfg_error(c, g, "domains",
				     "\"%s\" is neither a host name, nor \"*.name\", nor \"*\"",
				     h->domains[i]);
}

static const struct ss_cfg_word precedences[] = {
	{ "first_match", SS_FIRST_MATCH },
	{ "gateway", SS_PRECEDENCE_GATEWAY },
	{ NULL, 0 },
};

#define HOST(field) offsetof(struct ss_model_host, field)
static const struct ss_cfg_key host_keys[] = {
	{ "name", SS_CFG_TEXT, HOST(name), .required = true, .min = 1 },
	{ "domains", SS_CFG_TEXTS, HOST(domains), HOST(n_domains), .required = true },
	{ "precedence", SS_CFG_WORD, HOST(precedence), .def = "first_match", .words = precedences },
	{ "rate_limits", SS_CFG_REFS, HOST(limits.name), HOST(limits.n), .what = "rate limit",
	  .find = ss_model_limit },
	{ "retry", SS_CFG_GROUP, HOST(retry), HOST(retry.present), .table = &ss_cfg_retry },
	{ "authorization", SS_CFG_GROUP, HOST(authz), HOST(authz.present), .table = &ss_cfg_authz },
	{ "cors", SS_CFG_GROUP, HOST(cors), HOST(cors.present), .table = &ss_cfg_cors },
	{ "maintenance", SS_CFG_GROUP, HOST(maintenance), HOST(maintenance.present), .table = &ss_cfg_maintenance },
	OPS_KEYS(host),
	{ "routes", SS_CFG_LIST, HOST(routes), HOST(n_routes), .required = true, .table = &route },
};
const struct ss_cfg_table ss_cfg_host = { .what = "virtual host",
					  .size = sizeof(struct ss_model_host),
					  .src = true,
					  .named = true,
					  .check = check_host,
					  SS_CFG_KEYS(host_keys) };
