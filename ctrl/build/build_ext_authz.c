/* build_ext_authz.c - external authorizers, compiled once; custom rules point to theirs. */
#include "base/err.h"
#include "build/build_authz.h"

static int build_names(struct ss_build_job *j, const struct ss_model_texts *m, struct ss_ext_authz_names *out)
{
	struct ss_authz_text *t = ss_build_array(j, m->n, sizeof(*t));

	if (!t)
		return SS_ERR_NO_MEM;
	for (uint32_t i = 0; i < m->n; i++)
		t[i] = ss_build_star_text(j, m->v[i], true);
	*out = (struct ss_ext_authz_names){.n = (uint16_t)m->n, .texts = t};
	return 0;
}

static int build_fields(struct ss_build_job *j, const struct ss_model_ext_authz *m, struct ss_ext_authz *e)
{
	struct ss_ext_authz_field *f = ss_build_array(j, m->n_add, sizeof(*f));

	if (!f)
		return SS_ERR_NO_MEM;
	for (uint32_t i = 0; i < m->n_add; i++)
		f[i] = (struct ss_ext_authz_field){ss_build_lower(j, m->add[i].name),
						   ss_build_text(j, m->add[i].value)};
	e->add = f;
	e->n_add = (uint16_t)m->n_add;
	return 0;
}

static int build_one(struct ss_build_job *j, const struct ss_model_ext_authz *m, struct ss_ext_authz *e)
{
	uint32_t cluster = ss_model_cluster(j->model, m->cluster);

	if (cluster == SS_MODEL_NONE) {
		ss_model_error(j->errors, &m->src, "cluster", "no cluster is named \"%s\"", m->cluster);
		return SS_ERR_CONFIG;
	}
	*e = (struct ss_ext_authz){.name = ss_build_name(j, m->name),
				   .cluster = cluster,
				   .kind = (uint8_t)m->kind,
				   .fail_open = m->fail_open,
				   .status_on_error = m->status_on_error,
				   .path_prefix = ss_build_text(j, m->path_prefix),
				   .timeout_ns = m->timeout_ns};
	if (build_fields(j, m, e) < 0 || build_names(j, &m->ask, &e->ask) < 0 ||
	    build_names(j, &m->upstream, &e->upstream) < 0 || build_names(j, &m->allowed, &e->allowed) < 0 ||
	    build_names(j, &m->denied, &e->denied) < 0)
		return SS_ERR_NO_MEM;
	return 0;
}

int ss_build_ext_authz(struct ss_build_job *j)
{
	struct ss_ext_authz *e = ss_build_array(j, j->model->n_ext_authz, sizeof(*e));
	int err = e ? 0 : SS_ERR_NO_MEM;

	for (uint32_t i = 0; e && i < j->model->n_ext_authz; i++) {
		int one = build_one(j, &j->model->ext_authz[i], &e[i]);
		err = one < 0 ? one : err;
	}
	j->snap->ext_authz = e;
	j->snap->n_ext_authz = e ? j->model->n_ext_authz : 0;
	return err;
}

const struct ss_ext_authz *ss_build_provider(const struct ss_build_job *j, const char *name)
{
	uint32_t at = ss_model_ext_authz(j->model, name);

	return at == SS_MODEL_NONE || at >= j->snap->n_ext_authz ? NULL : &j->snap->ext_authz[at];
}
