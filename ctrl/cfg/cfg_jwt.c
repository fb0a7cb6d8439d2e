/* Tokens: who issues them, and where they are required. */
#include <ctype.h>
#include <string.h>
#include <unistd.h>

#include "cfg/cfg_int.h"

static void check_claim(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	/* What frames a message or steers a connection is no claim's to write. */
	static const char *const ours[] = { "connection", "content-length", "host", "keep-alive", "te",
					    "trailer", "transfer-encoding", "upgrade", NULL };
	const struct ss_model_claim *m = obj;
	for (int i = 0; m->header && ours[i]; i++)
		if (!strcasecmp(ours[i], m->header))
			ss_cfg_error(c, g, "header", "\"%s\" is not a claim's to write", m->header);
	for (const char *p = m->header ? m->header : ""; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("!#$%&'*+-.^_`|~", *p)) {
			ss_cfg_error(c, g, "header", "\"%s\" is no header name", m->header);
			return;
		}
}

#define CLAIM(field) offsetof(struct ss_model_claim, field)
static const struct ss_cfg_key claim_keys[] = {
	{ "claim", SS_CFG_TEXT, CLAIM(claim), .required = true, .min = 1 },
	{ "header", SS_CFG_TEXT, CLAIM(header), .required = true, .min = 1 },
};
static const struct ss_cfg_table claim = {
	.what = "claim", .size = sizeof(struct ss_model_claim), .check = check_claim, SS_CFG_KEYS(claim_keys)
};

static void check_provider(struct ss_cfg *c, config_setting_t *g, void *obj)
{
	const struct ss_model_jwt_provider *m = obj;
	if (m->jwks && access(m->jwks, R_OK) != 0)
		ss_cfg_error(c, g, "jwks", "cannot read %s: %m", m->jwks);
}

#define PROVIDER(field) offsetof(struct ss_model_jwt_provider, field)
static const struct ss_cfg_key provider_keys[] = {
	{ "name", SS_CFG_TEXT, PROVIDER(name), .required = true, .min = 1 },
	{ "issuer", SS_CFG_TEXT, PROVIDER(issuer), .required = true, .min = 1 },
	{ "audiences", SS_CFG_TEXTS, PROVIDER(audiences), PROVIDER(n_audiences) },
	{ "jwks", SS_CFG_FILE, PROVIDER(jwks), .required = true },
	{ "header", SS_CFG_TEXT, PROVIDER(header), .def = "authorization", .min = 1 },
	{ "prefix", SS_CFG_TEXT, PROVIDER(prefix), .def = "Bearer " },
	{ "query_parameter", SS_CFG_TEXT, PROVIDER(param), .def = "access_token" },
	{ "clock_skew", SS_CFG_DURATION, PROVIDER(skew_ns), .def = "60s", .max = 3600 * SS_NS_PER_SEC },
	{ "forward", SS_CFG_BOOL, PROVIDER(forward), .def = "false" },
	{ "claims_to_headers", SS_CFG_LIST, PROVIDER(claims), PROVIDER(n_claims), .table = &claim },
};
const struct ss_cfg_table ss_cfg_jwt_provider = { .what = "JWT provider",
						  .size = sizeof(struct ss_model_jwt_provider),
						  .src = true,
						  .named = true,
						  .check = check_provider,
						  SS_CFG_KEYS(provider_keys) };

const struct ss_cfg_word ss_cfg_token_words[] = {
	{ "listener", SS_JWT_NEED_LISTENER }, { "required", SS_JWT_NEED_REQUIRED },
	{ "allow_missing", SS_JWT_NEED_ALLOW_MISSING }, { "none", SS_JWT_NEED_NONE }, { NULL, 0 },
};

#define JWT(field) offsetof(struct ss_model_jwt, field)
static const struct ss_cfg_key jwt_keys[] = {
	{ "providers", SS_CFG_REFS, JWT(providers), JWT(n_providers), .required = true,
	  .what = "JWT provider", .find = ss_model_jwt_provider },
	{ "requirement", SS_CFG_WORD, JWT(need), .def = "required", .words = ss_cfg_token_words + 1 },
};
const struct ss_cfg_table ss_cfg_jwt = { .what = "group", .src = true, SS_CFG_KEYS(jwt_keys) };
