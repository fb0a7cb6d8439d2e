/* build_jwt.c - JWT providers, compiled once; listeners point to theirs. */
#include "base/err.h"
#include "base/siphash.h"
#include "build/build_int.h"

static int build_audiences(struct ss_build_job *j, const struct ss_model_jwt_provider *m,
			   struct ss_jwt_provider *p)
{
	struct ss_span *a = ss_build_array(j, m->n_audiences, sizeof(*a));

	for (uint32_t i = 0; a && i < m->n_audiences; i++)
		a[i] = ss_build_text(j, m->audiences[i]);
	p->audiences = a;
	p->n_audiences = (uint16_t)m->n_audiences;
	return a ? 0 : SS_ERR_NO_MEM;
}

static int build_claims(struct ss_build_job *j, const struct ss_model_jwt_provider *m,
			struct ss_jwt_provider *p)
{
	struct ss_jwt_claim *c = ss_build_array(j, m->n_claims, sizeof(*c));
	int err = c ? 0 : SS_ERR_NO_MEM;

	for (uint32_t i = 0; c && i < m->n_claims; i++) {
		c[i] = (struct ss_jwt_claim){ss_build_claim_path(j, m->claims[i].claim),
					     ss_build_lower(j, m->claims[i].header)};
		if (c[i].path.n)
			continue;
		ss_model_error(j->errors, &m->src, "claims_to_headers",
			       "\"%s\" is neither a claim nor a path \"[a][b]\"", m->claims[i].claim);
		err = SS_ERR_CONFIG;
	}
	p->claims = c;
	p->n_claims = (uint16_t)m->n_claims;
	return err;
}

/* What decides whether a token is good: when any of it changes, no old answer counts. */
static uint64_t hash_of(const struct ss_model_jwt_provider *m, uint64_t keys)
{
	static const struct ss_sipkey key = {{0x6a7774, 0}};
	uint64_t h[2] = {keys, m->skew_ns};

	h[0] = ss_siphash(&key, h, sizeof(h)) ^ ss_siphash(&key, m->issuer, strlen(m->issuer));
	for (uint32_t i = 0; i < m->n_audiences; i++) {
		h[1] = ss_siphash(&key, m->audiences[i], strlen(m->audiences[i]));
		h[0] = ss_siphash(&key, h, sizeof(h));
	}
	return h[0] | 1; /* never 0: that is an empty place of a cache */
}

static int build_provider(struct ss_build_job *j, const struct ss_model_jwt_provider *m,
			  struct ss_jwt_provider *p)
{
	int a, b, c;

	*p = (struct ss_jwt_provider){.name = ss_build_name(j, m->name),
				      .issuer = ss_build_text(j, m->issuer),
				      .header = ss_build_lower(j, m->header),
				      .prefix = ss_build_text(j, m->prefix),
				      .param = ss_build_text(j, m->param),
				      .skew_s = m->skew_ns / SS_NS_PER_SEC,
				      .forward = m->forward};
	a = build_audiences(j, m, p);
	b = build_claims(j, m, p);
	c = ss_build_jwks(j, m, p);
	p->hash = hash_of(m, p->hash);
	return a < 0 ? a : b < 0 ? b : c;
}

int ss_build_jwt_providers(struct ss_build_job *j)
{
	struct ss_jwt_provider *p = ss_build_array(j, j->model->n_jwt_providers, sizeof(*p));
	int err = p ? 0 : SS_ERR_NO_MEM;

	for (uint32_t i = 0; p && i < j->model->n_jwt_providers; i++) {
		int one = build_provider(j, &j->model->jwt_providers[i], &p[i]);
		err = one < 0 ? one : err;
	}
	j->jwt = p;
	return err;
}

int ss_build_jwt(struct ss_build_job *j, const struct ss_model_jwt *m, const struct ss_jwt_policy **out)
{
	struct ss_jwt_policy *p;
	const struct ss_jwt_provider **list;

	*out = NULL;
	if (!m->present || !j->jwt)
		return 0;
	p = ss_build_alloc(j, sizeof(*p));
	list = ss_build_array(j, m->n_providers, sizeof(*list));
	if (!p || !list)
		return SS_ERR_NO_MEM;
	for (uint32_t i = 0; i < m->n_providers; i++) {
		uint32_t at = ss_model_jwt_provider(j->model, m->providers[i]);
		if (at == SS_MODEL_NONE)
			return SS_ERR_CONFIG; /* ctrl/cfg has said so */
		list[i] = &j->jwt[at];
	}
	*p = (struct ss_jwt_policy){
		.need = (uint8_t)m->need, .n_providers = (uint16_t)m->n_providers, .providers = list};
	*out = p;
	return 0;
}
