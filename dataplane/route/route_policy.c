/* route_policy.c - authorization: deny rules, then allow rules, then the default. */
#include "route/route_int.h"

/* Whole segments: "/a" and "/a/" both cover "/a", "/a/" and "/a/b", and never "/ab". */
static bool covers(struct ss_span prefix, struct ss_span path)
{
	if (prefix.n && prefix.p[prefix.n - 1] == '/')
		prefix.n--;
	return ss_span_starts(path, prefix) && (path.n == prefix.n || path.p[prefix.n] == '/');
}

static bool holds(const struct ss_authz_rule *r, uint16_t method, struct ss_span path,
		  struct ss_span identity)
{
	bool id = r->n_ids == 0, under = r->n_paths == 0;

	if (r->methods && !(r->methods & method))
		return false;
	for (uint16_t i = 0; i < r->n_ids && !id; i++)
		id = identity.n && ss_id_matches(&r->ids[i], identity);
	for (uint16_t i = 0; i < r->n_paths && !under; i++)
		under = covers(r->paths[i], path);
	return id && under;
}

bool ss_route_allowed(const struct ss_authz *a, uint16_t method, struct ss_span path, struct ss_span identity,
		      const struct ss_authz_rule **rule)
{
	bool allow_rules = false;

	*rule = NULL;
	/* Build puts deny rules first: the first rule that holds decides. */
	for (uint16_t i = 0; i < a->n_rules; i++) {
		const struct ss_authz_rule *r = &a->rules[i];
		allow_rules |= r->action == SS_AUTHZ_ALLOW;
		if (holds(r, method, path, identity)) {
			*rule = r;
			return r->action == SS_AUTHZ_ALLOW;
		}
	}
	return !allow_rules && !a->default_deny;
}
