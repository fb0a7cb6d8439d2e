/* Balancing: policies and their numbers, labels and subsets, hash keys, where an endpoint stands. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cfg/cfg_int.h"

const struct ss_cfg_word ss_cfg_policies[] = {
	{ "round_robin", SS_LB_ROUND_ROBIN }, { "least_request", SS_LB_LEAST_REQUEST },
	{ "peak_ewma", SS_LB_PEAK_EWMA },     { "random", SS_LB_RANDOM },
	{ "maglev", SS_LB_MAGLEV },	      { "ring_hash", SS_LB_RING_HASH },
	{ NULL, 0 },
};

/* ---- labels: { version = "v2"; }, or [ "app.example/version=v2" ] where libconfig has no such names ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct ss_model_label *)a)->name, ((const struct ss_model_label *)b)->name);
}

static void add_label(struct ss_cfg *c, config_setting_t *s, struct ss_model_labels *l, char *name, char *value)
{
	static const char *const kind[] = { "a label's name", "a label's value" };
	const char *texts[] = { name, value };
	for (int i = 0; i < 2; i++) {
		if (!texts[i] || !texts[i][0] || strlen(texts[i]) > 128 || strpbrk(texts[i], ",=")) {
			ss_cfg_error(c, s, NULL, "%s has 1 to 128 letters, none of them , or =", kind[i]);
			return;
		}
	}
	l->v[l->n++] = (struct ss_model_label){ name, value };
}

static void read_pair(struct ss_cfg *c, config_setting_t *s, struct ss_model_labels *l, const char *text)
{
	char *name = ss_cfg_text(c, text), *eq = name ? strchr(name, '=') : NULL;
	if (!eq) {
		ss_cfg_error(c, s, NULL, "\"%s\" is no \"name=value\"", text);
		return;
	}
	*eq = '\0';
	add_label(c, s, l, name, eq + 1);
}

void ss_cfg_labels(struct ss_cfg *c, config_setting_t *s, struct ss_model_labels *l)
{
	bool group = config_setting_is_group(s);
	uint32_t n = group || config_setting_is_aggregate(s) ? (uint32_t)config_setting_length(s) : 0;
	l->n = 0;
	l->v = ss_cfg_alloc(c, (n + 1) * sizeof(*l->v));
	if (!n)
		ss_cfg_error(c, s, NULL, "must be a group of texts, as { version = \"v2\"; }, and not empty");
	for (uint32_t i = 0; i < n && l->v; i++) {
		config_setting_t *e = config_setting_get_elem(s, i);
		const char *text = config_setting_get_string(e);
		if (!text)
			ss_cfg_error(c, e, NULL, "must be a text in quotes");
		else if (group)
			add_label(c, e, l, ss_cfg_text(c, config_setting_name(e)), ss_cfg_text(c, text));
		else
			read_pair(c, e, l, text);
	}
	qsort(l->v, l->n, sizeof(*l->v), by_name);
	for (uint32_t i = 1; i < l->n; i++)
		if (!strcmp(l->v[i - 1].name, l->v[i].name))
			ss_cfg_error(c, s, NULL, "label \"%s\" is there twice", l->v[i].name);
}

void ss_cfg_show_labels(struct ss_json *j, const char *key, const struct ss_model_labels *l)
{
	if (!l->n)
		return;
	ss_json_object(j, key);
	for (uint32_t i = 0; i < l->n; i++)
		ss_json_text(j, l->v[i].name, l->v[i].value);
	ss_json_end_object(j);
}

/* ---- what a request is hashed by ---- */

#define HASH(field) offsetof(struct ss_model_hash, field)
/* In the order of the enum. */
static const char *const hash_kinds[] = { "header", "cookie", "source", "path", "query", NULL };

static void check_cookie(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	struct ss_model_hash *h = obj;
	h->make = config_setting_get_member(g, "ttl") != NULL;
	/* RFC 6265 4.1.1: a cookie's name is a token, and a path holds no semicolon. */
	if (h->name && strpbrk(h->name, "()<>@,;:\\\"/[]?={} \t"))
		ss_cfg_error(c, g, "name", "\"%s\" is no cookie name", h->name);
	if (h->path && (h->path[0] != '/' || strchr(h->path, ';')))
		ss_cfg_error(c, g, "path", "must begin with / and hold no semicolon");
	if (h->ttl_ns % SS_NS_PER_SEC)
		ss_cfg_error(c, g, "ttl", "is no whole number of seconds");
}

static void check_hash(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	struct ss_model_hash *h = obj;
	if (ss_cfg_count(g, hash_kinds) != 1)
		ss_cfg_error(c, g, NULL, "needs one of header, cookie, source, path, query");
	for (int i = 0; hash_kinds[i]; i++)
		if (config_setting_get_member(g, hash_kinds[i]))
			h->kind = (enum ss_hash_kind)i;
}

static void show_name(struct ss_json *j, const struct ss_cfg_key *k, const void *obj)
{
	const struct ss_model_hash *h = obj;
	if (!strcmp(k->name, hash_kinds[h->kind]))
		ss_json_text(j, k->name, h->name);
}

static void show_flag(struct ss_json *j, const struct ss_cfg_key *k, const void *obj)
{
	const struct ss_model_hash *h = obj;
	if (!strcmp(k->name, hash_kinds[h->kind]))
		ss_json_bool(j, k->name, true);
}

static const struct ss_cfg_word same_sites[] = {
	{ "unset", SS_LB_SITE_UNSET }, { "lax", SS_LB_SITE_LAX }, { "strict", SS_LB_SITE_STRICT },
	{ "none", SS_LB_SITE_NONE },   { NULL, 0 },
};

static void show_cookie(struct ss_json *j, const struct ss_cfg_key *k, const void *obj)
{
	const struct ss_model_hash *h = obj;
	char buf[40];
	if (h->kind != SS_HASH_COOKIE)
		return;
	ss_json_object(j, k->name);
	ss_json_text(j, "name", h->name);
	if (h->make)
		ss_json_text(j, "ttl", ss_cfg_unit_text(SS_CFG_DURATION, h->ttl_ns, buf, sizeof(buf)));
	if (h->path)
		ss_json_text(j, "path", h->path);
	ss_json_bool(j, "http_only", h->http_only);
	ss_json_bool(j, "secure", h->secure);
	ss_json_text(j, "same_site", same_sites[h->same_site].word);
	ss_json_end_object(j);
}

static const struct ss_cfg_key cookie_keys[] = {
	{ "name", SS_CFG_TEXT, HASH(name), .required = true, .min = 1, .max = 128 },
	{ "ttl", SS_CFG_DURATION, HASH(ttl_ns), .max = 366ull * 86400 * SS_NS_PER_SEC },
	{ "path", SS_CFG_TEXT, HASH(path), .min = 1 },
	{ "http_only", SS_CFG_BOOL, HASH(http_only), .def = "true" },
	{ "secure", SS_CFG_BOOL, HASH(secure), .def = "false" },
	{ "same_site", SS_CFG_WORD, HASH(same_site), .def = "unset", .words = same_sites },
};
static const struct ss_cfg_table cookie = { .what = "group",
					    .check = check_cookie,
					    SS_CFG_KEYS(cookie_keys) };

static const struct ss_cfg_key hash_keys[] = {
	{ "header", SS_CFG_TEXT, HASH(name), .min = 1, .show = show_name },
	{ "cookie", SS_CFG_GROUP, 0, .table = &cookie, .show = show_cookie },
	{ "source", SS_CFG_TRUE, .show = show_flag },
	{ "path", SS_CFG_TRUE, .show = show_flag },
	{ "query", SS_CFG_TEXT, HASH(name), .min = 1, .show = show_name },
	{ "terminal", SS_CFG_BOOL, HASH(terminal), .def = "false" },
};
const struct ss_cfg_table ss_cfg_hash = { .what = "hash key", .size = sizeof(struct ss_model_hash),
					  .check = check_hash, SS_CFG_KEYS(hash_keys) };

/* ---- the numbers ---- */

#define BALANCE(field) offsetof(struct ss_model_balance, field)
#define CONF(field) offsetof(struct ss_model_balance, conf.field)

static void read_default_subset(struct ss_cfg *c, config_setting_t *s, void *obj)
{
	ss_cfg_labels(c, s, &((struct ss_model_balance *)obj)->default_subset);
}

static void show_default_subset(struct ss_json *j, const struct ss_cfg_key *k, const void *obj)
{
	ss_cfg_show_labels(j, k->name, &((const struct ss_model_balance *)obj)->default_subset);
}

static bool is_prime(uint32_t n)
{
	for (uint32_t d = 2; (uint64_t)d * d <= n; d++)
		if (n % d == 0)
			return false;
	return n > 1;
}

static void check_balance(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	struct ss_model_balance *b = obj;
	if (!is_prime(b->conf.table_size))
		ss_cfg_error(c, g, "table_size", "%u is no prime number", b->conf.table_size);
	if (b->conf.ring_min > b->conf.ring_max)
		ss_cfg_error(c, g, "maximum_ring_size", "is less than minimum_ring_size");
	if (b->conf.balance_factor && b->conf.balance_factor < 100)
		ss_cfg_error(c, g, "hash_balance_factor", "is 0 or at least 100");
	if (b->n_distribute && b->n_failover)
		ss_cfg_error(c, g, "distribute", "and failover say two things about the same: one of them");
	if (b->fallback == SS_LB_FALLBACK_DEFAULT && !b->default_subset.n)
		ss_cfg_error(c, g, "default_subset", "is missing: subset_fallback wants it");
}

static const struct ss_cfg_word fallbacks[] = { { "none", SS_LB_FALLBACK_NONE },
						{ "any", SS_LB_FALLBACK_ANY },
						{ "default", SS_LB_FALLBACK_DEFAULT },
						{ NULL, 0 } };
static const struct ss_cfg_word localities[] = { { "off", SS_LB_LOCALITY_OFF },
						 { "failover", SS_LB_LOCALITY_FAILOVER },
						 { NULL, 0 } };

#define FAILOVER(field) offsetof(struct ss_model_failover, field)
static const struct ss_cfg_key failover_keys[] = {
	{ "from", SS_CFG_TEXT, FAILOVER(from), .required = true, .min = 1 },
	{ "to", SS_CFG_TEXT, FAILOVER(to), .required = true, .min = 1 },
};
static const struct ss_cfg_table failover = { .what = "failover", .size = sizeof(struct ss_model_failover),
					      SS_CFG_KEYS(failover_keys) };

#define DISTRIBUTE(field) offsetof(struct ss_model_distribute, field)
#define PORTIONS_MAX 64

/* "region/zone/subzone", less of it, or with a "*" at its end. */
static void check_locality(struct ss_cfg *c, config_setting_t *s, const char *key, const char *text)
{
	const char *star = text ? strchr(text, '*') : NULL;
	uint32_t parts = 1;
	for (const char *p = text; p && *p; p++)
		parts += *p == '/';
	if (text && (!*text || parts > 3 || (star && (star[1] || (star > text && star[-1] != '/')))))
		ss_cfg_error(c, s, key, "\"%s\" is no \"region/zone/subzone\", nor one that ends in \"*\"", text);
}

/* "eu/eu-1:80" */
static bool read_portion(struct ss_cfg *c, config_setting_t *s, char *text, struct ss_model_portion *out)
{
	char *colon = text ? strrchr(text, ':') : NULL, *end = NULL;
	unsigned long weight = colon ? strtoul(colon + 1, &end, 10) : 0;
	if (!colon || end == colon + 1 || *end || colon[1] == '-' || weight < 1 || weight > 100) {
		ss_cfg_error(c, s, NULL, "\"%s\" is no \"region/zone/subzone:percent\"", text ? text : "");
		return false;
	}
	*colon = '\0';
	check_locality(c, s, NULL, text);
	*out = (struct ss_model_portion){ text, (uint32_t)weight };
	return true;
}

static void read_to(struct ss_cfg *c, config_setting_t *s, void *obj)
{
	struct ss_model_distribute *d = obj;
	uint32_t n = 0, sum = 0;
	char **texts = ss_cfg_texts(c, s, &n);
	d->to = ss_cfg_alloc(c, (n + 1) * sizeof(*d->to));
	for (uint32_t i = 0; d->to && i < n; i++)
		if (read_portion(c, s, texts[i], &d->to[d->n]))
			sum += d->to[d->n++].weight;
	if (n > PORTIONS_MAX)
		ss_cfg_error(c, s, NULL, "has more than %d places", PORTIONS_MAX);
	if (d->n == n && sum != 100)
		ss_cfg_error(c, s, NULL, "the shares sum to %u, not to 100", sum);
}

static void show_to(struct ss_json *j, const struct ss_cfg_key *k, const void *obj)
{
	const struct ss_model_distribute *d = obj;
	ss_json_list(j, k->name);
	for (uint32_t i = 0; i < d->n; i++) {
		char text[600];
		snprintf(text, sizeof(text), "%s:%u", d->to[i].locality, d->to[i].weight);
		ss_json_text(j, NULL, text);
	}
	ss_json_end_list(j);
}

static void check_distribute(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	check_locality(c, g, "from", ((struct ss_model_distribute *)obj)->from);
}

static const struct ss_cfg_key distribute_keys[] = {
	{ "from", SS_CFG_TEXT, DISTRIBUTE(from), .required = true, .min = 1, .max = 400 },
	{ "to", SS_CFG_OWN, .required = true, .what = "list of texts", .read = read_to, .show = show_to },
};
static const struct ss_cfg_table distribute = { .what = "distribution", .size = sizeof(struct ss_model_distribute),
						.check = check_distribute, SS_CFG_KEYS(distribute_keys) };

static const struct ss_cfg_key balance_keys[] = {
	{ "choice_count", SS_CFG_U32, CONF(choices), .def = "2", .min = 2, .max = 100 },
	{ "active_request_bias", SS_CFG_HUNDREDTHS, CONF(bias), .def = "1", .max = 10000 },
	{ "decay", SS_CFG_DURATION, CONF(decay_ns), .def = "10s", .min = SS_NS_PER_MS,
	  .max = 3600 * SS_NS_PER_SEC },
	{ "default_rtt", SS_CFG_DURATION, CONF(default_rtt_ns), .def = "30ms", .min = 1,
	  .max = 3600 * SS_NS_PER_SEC },
	{ "table_size", SS_CFG_U32, CONF(table_size), .def = "65537", .min = 2, .max = 5000011 },
	{ "minimum_ring_size", SS_CFG_U32, CONF(ring_min), .def = "1024", .min = 1, .max = 8388608 },
	{ "maximum_ring_size", SS_CFG_U32, CONF(ring_max), .def = "8388608", .min = 1, .max = 8388608 },
	{ "hash_balance_factor", SS_CFG_U32, CONF(balance_factor), .def = "0", .max = 100000 },
	{ "panic_threshold", SS_CFG_U32, CONF(panic_percent), .def = "30", .max = 100 },
	{ "overprovisioning_factor", SS_CFG_U32, CONF(overprovision), .def = "140", .min = 100, .max = 10000 },
	{ "slow_start_window", SS_CFG_DURATION, CONF(slow_start_ns), .def = "0s", .max = 86400 * SS_NS_PER_SEC },
	{ "slow_start_aggression", SS_CFG_HUNDREDTHS, CONF(slow_aggression), .def = "1", .min = 1,
	  .max = 10000 },
	{ "slow_start_min_weight", SS_CFG_U32, CONF(slow_min_percent), .def = "10", .max = 100 },
	{ "locality", SS_CFG_WORD, BALANCE(locality), .def = "failover", .words = localities },
	{ "failover", SS_CFG_LIST, BALANCE(failover), BALANCE(n_failover), .table = &failover },
	{ "distribute", SS_CFG_LIST, BALANCE(distribute), BALANCE(n_distribute), .table = &distribute },
	{ "default_subset", SS_CFG_OWN, .what = "labels", .read = read_default_subset,
	  .show = show_default_subset },
	{ "subset_fallback", SS_CFG_WORD, BALANCE(fallback), .def = "none", .words = fallbacks },
	{ "hash_policy", SS_CFG_LIST, BALANCE(hash.v), BALANCE(hash.n), .table = &ss_cfg_hash },
};
const struct ss_cfg_table ss_cfg_balance = { .what = "group",
					     .check = check_balance,
					     SS_CFG_KEYS(balance_keys) };

/* ---- where this node stands ---- */

#define P(field) offsetof(struct ss_model_process, field)
static const struct ss_cfg_key locality_keys[] = {
	{ "region", SS_CFG_TEXT, P(locality.region), .required = true, .min = 1 },
	{ "zone", SS_CFG_TEXT, P(locality.zone), .min = 1 },
	{ "subzone", SS_CFG_TEXT, P(locality.subzone), .min = 1 },
};
const struct ss_cfg_table ss_cfg_locality = { .what = "group", SS_CFG_KEYS(locality_keys) };
