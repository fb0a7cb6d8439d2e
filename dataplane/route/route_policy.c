/*
 * route_policy.c - authorization in Istio's order: a custom rule that holds has an authorizer elsewhere asked
 * first (by the caller, who then decides again); a deny rule that holds denies; where there are allow rules,
 * one must hold; else the default. Rules that are only tried or only watched never change that: they are
 * looked at beside it.
 */
#include "contract/ext_authz.h"
#include "route/route_int.h"

/* The first rule of each class that holds, over all scopes. */
struct verdict {
	const struct ss_authz_rule *first[SS_AUTHZ_CLASSES];
	bool any_allow, any_dry_allow, default_deny;
};

/* A custom rule whose authorizer has let the request through has nothing more to say; what was only tried with an
 * authorizer does not stand for what is in force. */
static bool asked(const struct ss_authz_rule *r, const struct ss_route_request *rq)
{
	for (uint8_t i = 0; i < rq->n_passed; i++)
		if (rq->passed[i].provider == r->provider->name &&
		    (r->class == SS_AUTHZ_C_DRY_CUSTOM || !rq->passed[i].dry_run))
			return true;
	return false;
}

void ss_route_try_rule(struct ss_route_hunt *h, uint32_t i)
{
	const struct ss_authz_rule *r = &h->a->rules[i];

	if (i < h->best[r->class] && !(r->not_methods & h->f->method) && !(r->provider && asked(r, h->f->rq)) &&
	    ss_route_rule_holds(r, h->f))
		h->best[r->class] = i;
}

/* Few rules: each in its order, classes that are decided no more. */
static void ask_each(const struct ss_authz *a, struct ss_route_facts *f, struct verdict *v)
{
	for (uint32_t i = 0; i < a->n_rules; i++) {
		const struct ss_authz_rule *r = &a->rules[i];
		if (!(r->not_methods & f->method) && !v->first[r->class] && !(r->provider && asked(r, f->rq)) &&
		    (!r->n_parts || ss_route_rule_holds(r, f)))
			v->first[r->class] = r;
	}
}

static void ask_index(const struct ss_authz *a, struct ss_route_facts *f, struct verdict *v)
{
	struct ss_route_hunt h = {.a = a, .f = f, .best = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX,
							   UINT32_MAX, UINT32_MAX, UINT32_MAX}};
	int classes = a->any_custom ? SS_AUTHZ_CLASSES : SS_AUTHZ_C_CUSTOM;

	ss_route_try_index(&h);
	for (int c = 0; c < classes; c++)
		if (!v->first[c] && h.best[c] != UINT32_MAX)
			v->first[c] = &a->rules[h.best[c]];
}

void ss_route_ask_about(struct ss_route_facts *f, const struct ss_authz *a)
{
	f->regex = a->regex;
	f->scanned = 0;
}

static void ask(const struct ss_authz *a, struct ss_route_facts *f, struct verdict *v)
{
	ss_route_ask_about(f, a);
	if (a->index)
		ask_index(a, f, v);
	else
		ask_each(a, f, v);
}

/* What would be, were the rules that are only tried in force. */
static void look_ahead(const struct verdict *v, struct ss_route_decision *d)
{
	const struct ss_authz_rule *const *first = v->first;

	d->dry_rule = first[SS_AUTHZ_C_DRY_DENY];
	d->dry_denied =
		d->dry_rule || (v->any_dry_allow && !first[SS_AUTHZ_C_ALLOW] && !first[SS_AUTHZ_C_DRY_ALLOW]);
}

bool ss_route_authorize(const struct ss_listener *l, struct ss_route_facts *f, struct ss_route_decision *d)
{
	const struct ss_authz *scope[] = {d->route->authz, d->host->authz, l->authz};
	struct verdict v = {0};

	for (size_t i = 0; i < SS_ARRAY_LEN(scope); i++) {
		if (!scope[i])
			continue;
		if (scope[i]->n_rules)
			ask(scope[i], f, &v);
		v.any_allow |= scope[i]->any_allow; /* also of a policy without rules, which allows nobody */
		v.any_dry_allow |= scope[i]->any_dry_allow;
		v.default_deny |= scope[i]->default_deny;
		if (!scope[i]->inherit)
			break;
	}
	d->authorized = true;
	if (f->broken)
		return false;
	d->custom = v.first[SS_AUTHZ_C_CUSTOM] ? v.first[SS_AUTHZ_C_CUSTOM] : v.first[SS_AUTHZ_C_DRY_CUSTOM];
	d->audit = v.first[SS_AUTHZ_C_AUDIT];
	d->rule = v.first[SS_AUTHZ_C_DENY];
	if (d->rule)
		return false;
	d->rule = v.first[SS_AUTHZ_C_ALLOW];
	if (!d->rule && (v.any_allow || v.default_deny))
		return false;
	look_ahead(&v, d);
	return true;
}
