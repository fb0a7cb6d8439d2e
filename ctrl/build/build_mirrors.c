/* build_mirrors.c - where copies of a route's requests go. */
#include "base/err.h"
#include "build/build_int.h"

int ss_build_mirrors(struct ss_build_job *j, const struct ss_model_route *r,
		     const struct ss_mirror_list **out)
{
	const struct ss_model_mirrors *m = &r->mirrors;
	struct ss_mirror_list *l = m->n ? ss_build_alloc(j, sizeof(*l)) : NULL;

	*out = NULL;
	if (!m->n)
		return 0;
	if (!l)
		return SS_ERR_NO_MEM;
	if (m->n > SS_MIRRORS_MAX || r->action != SS_ACTION_CLUSTERS) {
		ss_model_error(j->errors, &m->v[0].src, "mirrors",
			       m->n > SS_MIRRORS_MAX ? "more than %u"
						     : "a route that answers itself has nothing to mirror",
			       SS_MIRRORS_MAX);
		return SS_ERR_CONFIG;
	}
	for (uint32_t i = 0; i < m->n; i++) {
		uint32_t cluster = ss_model_cluster(j->model, m->v[i].cluster);
		if (cluster == SS_MODEL_NONE) {
			ss_model_error(j->errors, &m->v[i].src, "cluster", "no cluster is named \"%s\"",
				       m->v[i].cluster);
			return SS_ERR_CONFIG;
		}
		l->mirror[l->n++] = (struct ss_mirror){.cluster = cluster,
						       .share = m->v[i].share,
						       .max_body = m->v[i].max_body,
						       .timeout_ns = m->v[i].timeout_ns,
						       .shadow = m->v[i].shadow};
	}
	*out = l;
	return 0;
}
