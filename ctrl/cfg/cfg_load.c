#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/siphash.h"
#include "cfg/cfg_int.h"

/* ---- the root of the file; in the order in which it is read: referred to before referring ---- */

#define M(field) offsetof(struct ss_model, field)
#define ROOT_LIST(array, count) M(array), M(count)

static const struct ss_cfg_key root_keys[] = {
	{ "node", SS_CFG_TEXT, M(process.node), .def = "sidestep", .min = 1 },
	{ "profile", SS_CFG_WORD, M(profile), .def = "default", .words = ss_cfg_profile_words },
	{ "workers", SS_CFG_GROUP, M(process), .table = &ss_cfg_workers },
	{ "memory", SS_CFG_GROUP, M(process), .table = &ss_cfg_memory },
	{ "overload", SS_CFG_GROUP, M(process), .table = &ss_cfg_overload },
	{ "tcp", SS_CFG_GROUP, M(process), .table = &ss_cfg_tcp },
	{ "tls", SS_CFG_GROUP, M(process), .table = &ss_cfg_tls },
	{ "drain_timeout", SS_CFG_DURATION, M(process.drain_timeout_ns), .def = "30s", .min = SS_NS_PER_MS,
	  .max = 3600 * SS_NS_PER_SEC },
	{ "state_dir", SS_CFG_FILE, M(process.state_dir), .def = "/var/lib/sidestep" },
	{ "admin", SS_CFG_GROUP, M(process), .table = &ss_cfg_admin },
	{ "metrics", SS_CFG_GROUP, M(process), .table = &ss_cfg_metrics },
	{ "access_log", SS_CFG_GROUP, M(process), .table = &ss_cfg_access_log },
	{ "locality", SS_CFG_GROUP, M(process), .table = &ss_cfg_locality },
	{ "audit_log", SS_CFG_GROUP, M(process), .table = &ss_cfg_audit_log },
	{ "health_log", SS_CFG_GROUP, M(process), .table = &ss_cfg_health_log },
	{ "ports", SS_CFG_LIST, ROOT_LIST(process.ports, process.n_ports), .required = true,
	  .table = &ss_cfg_port },
	{ "secrets", SS_CFG_LIST, ROOT_LIST(secrets, n_secrets), .table = &ss_cfg_secret },
	{ "trust", SS_CFG_LIST, ROOT_LIST(trusts, n_trusts), .table = &ss_cfg_trust },
	{ "authorization", SS_CFG_GROUP, 0, .table = &ss_cfg_authz_root },
	{ "jwt_providers", SS_CFG_LIST, ROOT_LIST(jwt_providers, n_jwt_providers), .table = &ss_cfg_jwt_provider },
	{ "clusters", SS_CFG_LIST, ROOT_LIST(clusters, n_clusters), .table = &ss_cfg_cluster },
	{ "ext_authz", SS_CFG_LIST, ROOT_LIST(ext_authz, n_ext_authz), .table = &ss_cfg_ext_authz },
	{ "policies", SS_CFG_LIST, ROOT_LIST(policies, n_policies), .table = &ss_cfg_policy },
	{ "rate_limits", SS_CFG_LIST, ROOT_LIST(limits, n_limits), .table = &ss_cfg_limit },
	{ "virtual_hosts", SS_CFG_LIST, ROOT_LIST(hosts, n_hosts), .table = &ss_cfg_host },
	{ "listeners", SS_CFG_LIST, ROOT_LIST(listeners, n_listeners), .required = true,
	  .table = &ss_cfg_listener },
};

/* Sums that no single list can check. */
static void check_root(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	struct ss_model *m = obj;
	uint64_t endpoints = 0;
	for (uint32_t i = 0; i < m->n_clusters; i++)
		endpoints += m->clusters[i].n_endpoints;
	if (m->n_clusters > m->process.max_clusters)
		ss_cfg_error(c, g, "clusters", "has %u entries, memory.clusters allows %u", m->n_clusters,
			     m->process.max_clusters);
	if (m->n_limits > m->process.max_limits)
		ss_cfg_error(c, g, "rate_limits", "has %u entries, memory.rate_limits allows %u", m->n_limits,
			     m->process.max_limits);
	if (endpoints > m->process.max_endpoints)
		ss_cfg_error(c, g, "clusters", "have %llu endpoints in all, memory.endpoints allows %u",
			     (unsigned long long)endpoints, m->process.max_endpoints);
}

const struct ss_cfg_table ss_cfg_root = { .what = "file", .check = check_root, SS_CFG_KEYS(root_keys) };

/* ---- loading ---- */

/* What was read, in pieces, each hashed with the hash so far as its key: comments, spacing and the split into
 * files do not count. */
struct digest {
	struct ss_sipkey key;
	uint32_t n;
	uint8_t bytes[4096];
};

static void digest_piece(struct digest *d)
{
	d->key.k[0] = ss_siphash(&d->key, d->bytes, d->n);
	d->n = 0;
}

static void digest_bytes(struct digest *d, const void *p, size_t n)
{
	const uint8_t *from = p;

	while (n) {
		uint32_t some = (uint32_t)(n < sizeof(d->bytes) - d->n ? n : sizeof(d->bytes) - d->n);
		memcpy(d->bytes + d->n, from, some);
		d->n += some;
		from += some;
		n -= some;
		if (d->n == sizeof(d->bytes))
			digest_piece(d);
	}
}

/* Names and texts with their NUL, numbers as such; the type and the number of members keep them apart. */
static void digest_setting(struct digest *d, const config_setting_t *s)
{
	const char *name = config_setting_name(s);
	int32_t head[2] = { config_setting_type(s), config_setting_length(s) };
	long long number;
	double f;

	digest_bytes(d, head, sizeof(head));
	if (name)
		digest_bytes(d, name, strlen(name) + 1);
	switch (head[0]) {
	case CONFIG_TYPE_STRING:
		digest_bytes(d, config_setting_get_string(s), strlen(config_setting_get_string(s)) + 1);
		break;
	case CONFIG_TYPE_FLOAT:
		f = config_setting_get_float(s);
		digest_bytes(d, &f, sizeof(f));
		break;
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		number = config_setting_get_int64(s);
		digest_bytes(d, &number, sizeof(number));
		break;
	case CONFIG_TYPE_BOOL:
		number = config_setting_get_bool(s);
		digest_bytes(d, &number, sizeof(number));
		break;
	}
	for (int i = 0; i < head[1]; i++)
		digest_setting(d, config_setting_get_elem(s, (unsigned)i));
}

void ss_cfg_digest(const config_t *file, char hash[17])
{
	struct digest d = { .n = 0 };

	digest_setting(&d, config_root_setting(file));
	digest_piece(&d);
	snprintf(hash, 17, "%016llx", (unsigned long long)d.key.k[0]);
}

static void parse_failed(struct ss_cfg *c, const config_t *file, const char *path)
{
	struct ss_model_src src = { config_error_file(file), (uint32_t)config_error_line(file) };
	if (config_error_type(file) == CONFIG_ERR_FILE_IO) {
		src = (struct ss_model_src){ path, 0 };
		ss_model_error(c->errors, &src, NULL, "cannot be read: %s", strerror(errno ? errno : EIO));
		return;
	}
	if (!src.file)
		src.file = path;
	ss_model_error(c->errors, &src, NULL, "%s", config_error_text(file));
}

/* The directory of a path with its "/", or "". */
static char *directory(struct ss_cfg *c, const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = ss_cfg_text(c, path);
	if (dir)
		dir[slash ? slash + 1 - path : 0] = '\0';
	return dir;
}

/* Before anything is read: every group begins with its defaults. A wrong word is told where the key is read. */
static void choose_profile(struct ss_cfg *c, config_t *file)
{
	const char *word = NULL;

	config_lookup_string(file, "profile", &word);
	for (const struct ss_cfg_word *w = ss_cfg_profile_words; word && w->word; w++)
		if (!strcmp(w->word, word))
			ss_cfg_set_profile(c, w->value);
}

/* Where @include looks: without the "/", for libconfig puts one in between, and some of its versions two. */
static bool set_include_dir(struct ss_cfg *c, config_t *file)
{
	char *dir = ss_cfg_text(c, c->dir[0] ? c->dir : ".");
	size_t n = dir ? strlen(dir) : 0;

	if (n > 1 && dir[n - 1] == '/')
		dir[n - 1] = '\0';
	if (dir)
		config_set_include_dir(file, dir);
	return dir != NULL;
}

static bool parse(struct ss_cfg *c, config_t *file, const char *path)
{
	errno = 0;
	if (config_read_file(file, path) != CONFIG_TRUE) {
		parse_failed(c, file, path);
		return false;
	}
	ss_cfg_digest(file, c->m->hash);
	return true;
}

static void read_whole(struct ss_cfg *c, config_t *file, const char *path)
{
	if (!parse(c, file, path))
		return;
	ss_cfg_take_aliases(c, config_root_setting(file));
	choose_profile(c, file);
	ss_cfg_group(c, config_root_setting(file), &ss_cfg_root, c->m);
}

static void read_endpoints(struct ss_cfg *c, config_t *file, const char *path)
{
	struct ss_model_cluster *k = ss_cfg_alloc(c, sizeof(*k));

	if (!k || !parse(c, file, path))
		return;
	if (!config_lookup(file, "endpoints")) {
		struct ss_model_src src = { path, 1 };
		ss_model_error(c->errors, &src, "endpoints", "is missing");
	}
	ss_cfg_group(c, config_root_setting(file), &ss_cfg_endpoint_file, k);
	c->m->clusters = k;
	c->m->n_clusters = 1;
}

static int load(const char *path, void (*read)(struct ss_cfg *, config_t *, const char *), struct ss_model **out,
		struct ss_model_errors *errors)
{
	struct ss_cfg c = { .m = ss_model_new(), .errors = errors };
	uint32_t before = errors->n;
	*out = NULL;
	if (!c.m) {
		ss_model_error(errors, NULL, path, "out of memory");
		return SS_ERR_NO_MEM;
	}
	c.m->file = ss_cfg_text(&c, path);
	c.dir = directory(&c, path);
	if (c.m->file && c.dir) {
		config_t file;
		config_init(&file);
		if (set_include_dir(&c, &file))
			read(&c, &file, path);
		config_destroy(&file);
	}
	if (c.no_memory)
		ss_model_error(errors, NULL, path, "out of memory");
	if (!c.no_memory && errors->n == before) {
		*out = c.m;
		return 0;
	}
	ss_model_free(c.m);
	return SS_ERR_CONFIG;
}

int ss_cfg_load(const char *path, struct ss_model **out, struct ss_model_errors *errors)
{
	return load(path, read_whole, out, errors);
}

int ss_cfg_endpoints(const char *path, struct ss_model **out, struct ss_model_errors *errors)
{
	return load(path, read_endpoints, out, errors);
}

/* ---- the list of keys ---- */

static const char *const type_names[] = {
	[SS_CFG_BOOL] = "true or false",
	[SS_CFG_U16] = "number",
	[SS_CFG_U32] = "number",
	[SS_CFG_HUNDREDTHS] = "percent",
	[SS_CFG_DURATION] = "duration",
	[SS_CFG_SIZE] = "size",
	[SS_CFG_TEXT] = "text",
	[SS_CFG_FILE] = "path",
	[SS_CFG_WORD] = "word",
	[SS_CFG_IP] = "address",
	[SS_CFG_REF] = "name",
	[SS_CFG_METHODS] = "list of methods",
	[SS_CFG_TEXTS] = "list of texts",
	[SS_CFG_REFS] = "list of names",
	[SS_CFG_TRUE] = "true",
	[SS_CFG_GROUP] = "group",
	[SS_CFG_LIST] = "list of groups",
	[SS_CFG_OWN] = "list",
};

static void list_keys(const struct ss_cfg_table *t, const char *under, ss_cfg_key_fn fn, void *arg)
{
	char path[256];
	for (uint32_t i = 0; i < t->n_keys; i++) {
		const struct ss_cfg_key *k = &t->keys[i];
		snprintf(path, sizeof(path), "%s%s%s", under, k->name, k->type == SS_CFG_LIST ? "[]" : "");
		fn(arg, path, (k->type == SS_CFG_OWN || k->type == SS_CFG_HUNDREDTHS) && k->what ? k->what : type_names[k->type], k->def,
		   k->required);
		if (!k->table)
			continue;
		snprintf(path, sizeof(path), "%s%s%s.", under, k->name, k->type == SS_CFG_LIST ? "[]" : "");
		list_keys(k->table, path, fn, arg);
	}
}

void ss_cfg_keys(ss_cfg_key_fn fn, void *arg)
{
	list_keys(&ss_cfg_root, "", fn, arg);
}
