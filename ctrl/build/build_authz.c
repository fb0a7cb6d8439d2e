/*
 * build_authz.c - policies as contract/authz.h has them: every rule of the file, for each pair of its sources
 * and operations, is a list of parts; sorted by class, each class in the order of the file, policies' rules
 * first.
 */
#include <stdlib.h>

#include "base/err.h"
#include "build/build_authz.h"

static uint8_t class_of(enum ss_authz_action action, bool dry)
{
	if (action == SS_AUTHZ_AUDIT)
		return SS_AUTHZ_C_AUDIT;
	if (action == SS_AUTHZ_CUSTOM)
		return dry ? SS_AUTHZ_C_DRY_CUSTOM : SS_AUTHZ_C_CUSTOM;
	if (action == SS_AUTHZ_DENY)
		return dry ? SS_AUTHZ_C_DRY_DENY : SS_AUTHZ_C_DENY;
	return dry ? SS_AUTHZ_C_DRY_ALLOW : SS_AUTHZ_C_ALLOW;
}

static void add_pair(struct ss_build_scope *s, const struct ss_model_authz_rule *m,
		     const struct ss_authz_rule *like, const struct ss_model_source *from,
		     const struct ss_model_operation *to)
{
	struct ss_authz_rule *r = &s->rules[s->a->n_rules++];

	*r = *like;
	ss_build_authz_parts(s, from, to, m, r);
}

static void add_rule(struct ss_build_scope *s, const struct ss_model_authz_rule *m, const char *policy,
		     enum ss_authz_action action, bool dry, const char *provider)
{
	const struct ss_model_source *from = m->n_from ? m->from : &m->source;
	const struct ss_model_operation *to = m->n_to ? m->to : &m->operation;
	struct ss_authz_rule like = {.name = ss_build_name(s->j, m->name ? m->name : policy),
				     .slot = s->j->policies ? ss_policies_slot(s->j->policies, policy) : 0,
				     .action = (uint8_t)action,
				     .class = class_of(action, dry),
				     .dry_run = dry,
				     .provider = action == SS_AUTHZ_CUSTOM ? ss_build_provider(s->j, provider) : NULL};

	s->src = &m->src;
	if (action == SS_AUTHZ_CUSTOM && !like.provider)
		ss_build_authz_wrong(s, "provider", provider ? provider : "", "is no external authorizer");
	for (uint32_t i = 0; i < (m->n_from ? m->n_from : 1); i++)
		for (uint32_t k = 0; k < (m->n_to ? m->n_to : 1); k++)
			add_pair(s, m, &like, &from[i], &to[k]);
	s->a->any_allow |= like.class == SS_AUTHZ_C_ALLOW;
	s->a->any_dry_allow |= like.class == SS_AUTHZ_C_DRY_ALLOW;
	s->a->any_custom |= action == SS_AUTHZ_CUSTOM;
}

static const struct ss_model_policy *policy_in(const struct ss_model *m, const char *name)
{
	uint32_t i = ss_model_policy(m, name);

	return i == SS_MODEL_NONE ? NULL : &m->policies[i];
}

static const struct ss_model_policy *policy_of(const struct ss_build_job *j, const char *name)
{
	return policy_in(j->model, name);
}

static uint32_t pairs(const struct ss_model_authz_rule *r, uint32_t n)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += (r[i].n_from ? r[i].n_from : 1) * (r[i].n_to ? r[i].n_to : 1);
	return sum;
}

static uint32_t count_rules(const struct ss_build_job *j, const struct ss_model_authz *m)
{
	uint32_t n = pairs(m->rules, m->n_rules);

	for (uint32_t i = 0; i < m->n_policies; i++) {
		const struct ss_model_policy *p = policy_of(j, m->policies[i]);
		n += p ? pairs(p->rules, p->n_rules) : 0;
	}
	return n;
}

static void add_class(struct ss_build_scope *s, const struct ss_model_authz *m, uint8_t class)
{
	for (uint32_t i = 0; i < m->n_policies; i++) {
		const struct ss_model_policy *p = policy_of(s->j, m->policies[i]);
		for (uint32_t k = 0; p && k < p->n_rules; k++)
			if (class_of(p->action, p->dry_run || p->rules[k].dry_run) == class)
				add_rule(s, &p->rules[k], p->name, p->action,
					 p->dry_run || p->rules[k].dry_run, p->provider);
	}
	for (uint32_t i = 0; i < m->n_rules; i++)
		if (class_of(m->rules[i].action, m->rules[i].dry_run) == class)
			add_rule(s, &m->rules[i], m->rules[i].name, m->rules[i].action, m->rules[i].dry_run,
				 m->rules[i].provider);
}

/* An ALLOW policy without rules allows nobody, as Istio's does: it is there, and nothing fits. */
static void empty_policies(struct ss_build_scope *s, const struct ss_model_authz *m)
{
	for (uint32_t i = 0; i < m->n_policies; i++) {
		const struct ss_model_policy *p = policy_of(s->j, m->policies[i]);
		if (p && !p->n_rules && p->action == SS_AUTHZ_ALLOW)
			*(p->dry_run ? &s->a->any_dry_allow : &s->a->any_allow) = true;
	}
}

int ss_build_authz(struct ss_build_job *j, const struct ss_model_authz *m, const struct ss_authz **out)
{
	struct ss_build_scope s = {.j = j, .a = ss_build_alloc(j, sizeof(*s.a))};

	s.rules = ss_build_array(j, count_rules(j, m), sizeof(*s.rules));
	if (!s.a || !s.rules)
		return SS_ERR_NO_MEM;
	for (uint8_t class = 0; class < SS_AUTHZ_CLASSES; class ++)
		add_class(&s, m, class);
	empty_policies(&s, m);
	s.a->default_deny = m->default_deny;
	s.a->inherit = m->inherit;
	s.a->rules = s.rules;
	*out = s.a;
	if (s.err != SS_ERR_NO_MEM)
		ss_build_authz_regex_end(&s);
	ss_build_authz_regex_free(&s);
	return s.err < 0 ? s.err : ss_build_authz_index(j, s.a);
}

/* One class of the scope, in the order of add_class: the rule that *i ends in, or NULL with *i counted down. */
static const struct ss_model_authz_rule *find_in_class(const struct ss_model *m, const struct ss_model_authz *a,
						       uint8_t class, uint32_t *i, const struct ss_model_policy **policy)
{
	for (uint32_t p = 0; p < a->n_policies + 1; p++) {
		const struct ss_model_policy *of = p < a->n_policies ? policy_in(m, a->policies[p]) : NULL;
		const struct ss_model_authz_rule *r = of ? of->rules : a->rules;
		uint32_t n = of ? of->n_rules : p < a->n_policies ? 0 : a->n_rules;
		for (uint32_t k = 0; k < n; k++) {
			bool dry = r[k].dry_run || (of && of->dry_run);
			if (class_of(of ? of->action : r[k].action, dry) != class)
				continue;
			*policy = of;
			if (*i < pairs(&r[k], 1))
				return &r[k];
			*i -= pairs(&r[k], 1);
		}
	}
	return NULL;
}

const struct ss_model_authz_rule *ss_build_rule_of(const struct ss_model *m, const struct ss_model_authz *a, uint32_t i,
						   const struct ss_model_policy **policy)
{
	const struct ss_model_authz_rule *r = NULL;

	for (uint8_t class = 0; !r && class < SS_AUTHZ_CLASSES; class ++)
		r = find_in_class(m, a, class, &i, policy);
	return r;
}
