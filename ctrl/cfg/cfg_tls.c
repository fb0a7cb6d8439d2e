/* Secrets, trust bundles, and the tls groups of listeners and clusters. */
#include <string.h>
#include <unistd.h>

#include "cfg/cfg_int.h"

/* ---- secrets and trust: the files are opened by ctrl/build, but a missing one is told with its line ---- */

static void check_readable(struct ss_cfg *c, config_setting_t *g, const char *key, const char *path)
{
	if (path && access(path, R_OK) != 0)
		ss_cfg_error(c, g, key, "cannot read %s: %m", path);
}

static void check_secret(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	struct ss_model_secret *s = obj;
	check_readable(c, g, "certificate", s->certificate);
	check_readable(c, g, "private_key", s->private_key);
	check_readable(c, g, "ocsp_staple", s->staple);
}

#define SECRET(field) offsetof(struct ss_model_secret, field)
static const struct ss_cfg_key secret_keys[] = {
	{ "name", SS_CFG_TEXT, SECRET(name), .required = true, .min = 1 },
	{ "certificate", SS_CFG_FILE, SECRET(certificate), .required = true },
	{ "private_key", SS_CFG_FILE, SECRET(private_key), .required = true },
	{ "ocsp_staple", SS_CFG_FILE, SECRET(staple) },
};
const struct ss_cfg_table ss_cfg_secret = { .what = "secret",
					    .size = sizeof(struct ss_model_secret),
					    .src = true,
					    .named = true,
					    .check = check_secret,
					    SS_CFG_KEYS(secret_keys) };

static void check_trust(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	struct ss_model_trust *t = obj;
	check_readable(c, g, "bundle", t->bundle);
	check_readable(c, g, "crl", t->crl);
	if (t->n_federates && !t->trust_domain)
		ss_cfg_error(c, g, "federates_with", "needs a trust_domain: else no bundle is nobody's but its own");
	if (t->trust_domain && strstr(t->trust_domain, "/"))
		ss_cfg_error(c, g, "trust_domain",
			     "is a name as \"mesh.local\", without spiffe:// or a path");
}

static const struct ss_cfg_word crl_checks[] = {
	{ "chain", SS_CRL_CHAIN },
	{ "leaf", SS_CRL_LEAF },
	{ NULL, 0 },
};

static const struct ss_cfg_word crl_expireds[] = { { "refuse", false }, { "use", true }, { NULL, 0 } };

#define TRUST(field) offsetof(struct ss_model_trust, field)
static const struct ss_cfg_key trust_keys[] = {
	{ "name", SS_CFG_TEXT, TRUST(name), .required = true, .min = 1 },
	{ "trust_domain", SS_CFG_TEXT, TRUST(trust_domain), .min = 1 },
	{ "bundle", SS_CFG_FILE, TRUST(bundle), .required = true },
	{ "crl", SS_CFG_FILE, TRUST(crl) },
	{ "crl_check", SS_CFG_WORD, TRUST(crl_check), .def = "chain", .words = crl_checks },
	{ "crl_expired", SS_CFG_WORD, TRUST(crl_stale), .def = "refuse", .words = crl_expireds },
	{ "federates_with", SS_CFG_TEXTS, TRUST(federates), TRUST(n_federates) },
	{ "chain_cache", SS_CFG_BOOL, TRUST(chain_cache), .def = "true" },
};
const struct ss_cfg_table ss_cfg_trust = { .what = "trust",
					   .size = sizeof(struct ss_model_trust),
					   .src = true,
					   .named = true,
					   .check = check_trust,
					   SS_CFG_KEYS(trust_keys) };

/* ---- identities ---- */

/* The enum's order; "begins" has no key. */
static const char *const id_names[] = {
	"exact", "prefix", "trust_domain", "any", "suffix", "begins", "regex", NULL
};

/* Which of its keys an identity has, decides its kind. A bare text is an exact one. */
static void check_id(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	struct ss_model_id *id = obj;
	id->kind = SS_ID_EXACT;
	if (!config_setting_is_group(g))
		return;
	if (ss_cfg_count(g, id_names) != 1)
		ss_cfg_error(c, g, NULL,
			     "needs one of exact, prefix, trust_domain, any, suffix (in a rule: regex)");
	for (int i = 0; id_names[i]; i++)
		if (config_setting_get_member(g, id_names[i]))
			id->kind = (enum ss_id_match_kind)i;
	if (id->kind == SS_ID_PREFIX && id->value && strncmp(id->value, "spiffe://", 9) != 0)
		ss_cfg_error(c, g, "prefix", "must begin with spiffe://");
}

static void show_id(struct ss_json *j, const struct ss_cfg_key *k, const void *obj)
{
	const struct ss_model_id *id = obj;
	if (strcmp(k->name, id_names[id->kind]) != 0)
		return;
	if (id->kind == SS_ID_ANY)
		ss_json_bool(j, k->name, true);
	else
		ss_json_text(j, k->name, id->value);
}

#define ID(field) offsetof(struct ss_model_id, field)
#define ID_KEYS                                                                \
	{ "exact", SS_CFG_TEXT, ID(value), .min = 1, .show = show_id },        \
	{ "prefix", SS_CFG_TEXT, ID(value), .min = 1, .show = show_id },       \
	{ "trust_domain", SS_CFG_TEXT, ID(value), .min = 1, .show = show_id }, \
	{ "any", SS_CFG_TRUE, .show = show_id },                               \
	{ "suffix", SS_CFG_TEXT, ID(value), .min = 1, .show = show_id }

static const struct ss_cfg_key id_keys[] = { ID_KEYS };
const struct ss_cfg_table ss_cfg_id = { .what = "identity",
					.size = sizeof(struct ss_model_id),
					.shorthand = "exact",
					.check = check_id,
					SS_CFG_KEYS(id_keys) };

/* Rules have their expressions compiled; handshakes have no scratch to scan with. */
static const struct ss_cfg_key rule_id_keys[] = {
	ID_KEYS,
	{ "regex", SS_CFG_TEXT, ID(value), .min = 1, .show = show_id },
};
const struct ss_cfg_table ss_cfg_rule_id = { .what = "identity",
					     .size = sizeof(struct ss_model_id),
					     .shorthand = "exact",
					     .check = check_id,
					     SS_CFG_KEYS(rule_id_keys) };

/* ---- tls of a listener or a cluster ---- */

#define TLS(field) offsetof(struct ss_model_tls, field)

static void check_version(struct ss_cfg *c, config_setting_t *g, const struct ss_model_tls *t)
{
	if (t->min_version && strcmp(t->min_version, "1.2") != 0 && strcmp(t->min_version, "1.3") != 0)
		ss_cfg_error(c, g, "min_version", "\"%s\" is none of \"1.2\", \"1.3\"", t->min_version);
}

/* client_certificate is true by default where there is something to verify one with. */
static void check_listener_tls(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	static const char *const asked[] = { "client_certificate", NULL };
	struct ss_model_tls *t = obj;
	check_version(c, g, t);
	if (!ss_cfg_count(g, asked))
		t->client_certificate = t->trust != NULL;
	if (t->mode == SS_TLS_DISABLE)
		return;
	if (!t->secret)
		ss_cfg_error(c, g, "secret", "is missing: there is no TLS without a certificate");
	if (t->client_certificate && !t->trust)
		ss_cfg_error(c, g, "client_certificate", "needs a trust to verify it against");
	if (t->n_ids && !t->client_certificate)
		ss_cfg_error(c, g, "allowed_ids",
			     "needs client_certificate: without one nobody has an identity");
}

/* An upstream is always verified: against a bundle, and for a name. */
static void check_cluster_tls(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	struct ss_model_tls *t = obj;
	check_version(c, g, t);
	t->mode = SS_TLS_STRICT;
	if (!t->n_ids && !t->sni)
		ss_cfg_error(c, g, "allowed_ids",
			     "is missing: without allowed_ids or sni nothing says who the "
			     "endpoint must be");
}

static const struct ss_cfg_word modes[] = {
	{ "disable", SS_TLS_DISABLE },
	{ "permissive", SS_TLS_PERMISSIVE },
	{ "strict", SS_TLS_STRICT },
	{ NULL, 0 },
};

static const struct ss_cfg_word unknown_names[] = {
	{ "first", SS_UNKNOWN_NAME_FIRST },
	{ "refuse", SS_UNKNOWN_NAME_REFUSE },
	{ NULL, 0 },
};

/* A name of a host, in whose place of the first label a star may stand. */
static void check_certificate(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	const struct ss_model_certificate *m = obj;

	for (uint32_t i = 0; i < m->n_names; i++) {
		const char *rest = strncmp(m->names[i], "*.", 2) == 0 ? m->names[i] + 2 : m->names[i];

		if (!*rest || strpbrk(rest, "*:/ "))
			ss_cfg_error(c, g, "names", "\"%s\" is no name of a host, nor \"*.\" and one", m->names[i]);
	}
}

#define CERTIFICATE(field) offsetof(struct ss_model_certificate, field)
static const struct ss_cfg_key certificate_keys[] = {
	{ "secret", SS_CFG_REF, CERTIFICATE(secret), .required = true, .what = "secret", .find = ss_model_secret },
	{ "names", SS_CFG_TEXTS, CERTIFICATE(names), CERTIFICATE(n_names) },
};
static const struct ss_cfg_table cfg_certificate = { .what = "certificate",
						     .size = sizeof(struct ss_model_certificate),
						     .shorthand = "secret",
						     .check = check_certificate,
						     SS_CFG_KEYS(certificate_keys) };

/* The default of mode is that of a group that is there; without the group nothing is encrypted. */
static const struct ss_cfg_key listener_tls_keys[] = {
	{ "mode", SS_CFG_WORD, TLS(mode), .def = "strict", .words = modes },
	{ "secret", SS_CFG_REF, TLS(secret), .what = "secret", .find = ss_model_secret },
	{ "trust", SS_CFG_REF, TLS(trust), .what = "trust", .find = ss_model_trust },
	{ "certificates", SS_CFG_LIST, TLS(certificates), TLS(n_certificates), .table = &cfg_certificate },
	{ "unknown_name", SS_CFG_WORD, TLS(unknown_name), .def = "first", .words = unknown_names },
	{ "client_certificate", SS_CFG_BOOL, TLS(client_certificate) },
	{ "min_version", SS_CFG_TEXT, TLS(min_version), .def = "1.2" },
	{ "allowed_ids", SS_CFG_LIST, TLS(ids), TLS(n_ids), .table = &ss_cfg_id },
	{ "handshake_timeout", SS_CFG_DURATION, TLS(handshake_timeout_ns), .def = "10s", .min = SS_NS_PER_MS,
	  .max = 600 * SS_NS_PER_SEC },
};
const struct ss_cfg_table ss_cfg_listener_tls = { .what = "group", .src = true, .check = check_listener_tls,
						  SS_CFG_KEYS(listener_tls_keys) };

static const struct ss_cfg_key cluster_tls_keys[] = {
	{ "secret", SS_CFG_REF, TLS(secret), .what = "secret", .find = ss_model_secret },
	{ "trust", SS_CFG_REF, TLS(trust), .required = true, .what = "trust", .find = ss_model_trust },
	{ "sni", SS_CFG_TEXT, TLS(sni), .min = 1 },
	{ "min_version", SS_CFG_TEXT, TLS(min_version), .def = "1.2" },
	{ "allowed_ids", SS_CFG_LIST, TLS(ids), TLS(n_ids), .table = &ss_cfg_id },
	{ "resumption", SS_CFG_BOOL, TLS(resume), .def = "true" },
	{ "handshake_timeout", SS_CFG_DURATION, TLS(handshake_timeout_ns), .def = "10s", .min = SS_NS_PER_MS,
	  .max = 600 * SS_NS_PER_SEC },
};
const struct ss_cfg_table ss_cfg_cluster_tls = { .what = "group", .src = true, .check = check_cluster_tls,
						 SS_CFG_KEYS(cluster_tls_keys) };
