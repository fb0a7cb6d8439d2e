/* build_authz.c - authorization policies: deny rules before allow rules, each in the order of the file. */
#include "base/err.h"
#include "build/build_routes.h"

/* People write "below /users" with a star after the slash: it goes, the rest is a prefix of segments. */
static int build_paths(struct ss_build_job *j, const struct ss_model_authz_rule *m, struct ss_authz_rule *r)
{
	struct ss_span *paths = ss_build_array(j, m->n_paths, sizeof(*paths));
	int err = 0;

	if (!paths)
		return SS_ERR_NO_MEM;
	for (uint32_t i = 0; i < m->n_paths; i++) {
		paths[i] = ss_build_text(j, m->paths[i]);
		if (paths[i].n >= 2 && ss_span_ends(paths[i], SS_SPAN("/*")))
			paths[i].n--;
		if (!paths[i].n || paths[i].p[0] != '/' || memchr(paths[i].p, '*', paths[i].n)) {
			ss_model_error(j->errors, &m->src, "paths",
				       "\"%s\" is not a path prefix (\"/users\", \"/users/*\")", m->paths[i]);
			err = SS_ERR_CONFIG;
		}
	}
	r->paths = paths;
	r->n_paths = (uint16_t)m->n_paths;
	return err;
}

static int build_rule(struct ss_build_job *j, const struct ss_model_authz_rule *m, struct ss_authz_rule *r)
{
	int a, b;

	r->name = ss_build_name(j, m->name);
	r->action = (uint8_t)m->action;
	r->methods = m->methods;
	a = ss_build_ids(j, m->n_ids, m->ids, &r->n_ids, &r->ids);
	b = build_paths(j, m, r);
	return a < 0 ? a : b;
}

int ss_build_authz(struct ss_build_job *j, const struct ss_model_authz *m, const struct ss_authz **out)
{
	static const enum ss_authz_action order[] = {SS_AUTHZ_DENY, SS_AUTHZ_ALLOW};
	struct ss_authz *a = ss_build_alloc(j, sizeof(*a));
	struct ss_authz_rule *rules = ss_build_array(j, m->n_rules, sizeof(*rules));
	int err = 0, one;

	if (!a || !rules)
		return SS_ERR_NO_MEM;
	for (size_t o = 0; o < SS_ARRAY_LEN(order); o++) {
		for (uint32_t i = 0; i < m->n_rules; i++) {
			if (m->rules[i].action != order[o])
				continue;
			one = build_rule(j, &m->rules[i], &rules[a->n_rules++]);
			err = one < 0 ? one : err;
		}
	}
	a->default_deny = m->present && m->default_deny;
	a->rules = rules;
	*out = a;
	return err;
}
