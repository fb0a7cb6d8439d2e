/* why_authz.c - the token, and what policies say: scope by scope, with the rules that came nearest. */
#include <stdlib.h>

#include "contract/ext_authz.h"
#include "why/why_int.h"
#include "build/build.h"

void why_show_token(struct why_case *k)
{
	struct ss_json *j = k->j;
	uint8_t route = k->d.route ? k->d.route->token : 0;

	if (!k->l->jwt && !route)
		return;
	ss_json_object(j, "token");
	if (k->ml->jwt.src.file)
		why_put_at(j, &k->ml->jwt.src);
	ss_json_text(j, "found", k->token.provider ? "good" : ss_drop_name(k->l->jwt ? k->token.why : SS_DROP_TOKEN_MISSING));
	if (k->token.provider)
		why_put_name(k, "provider", k->token.provider->name);
	ss_json_text(j, "needed_by", route ? "route" : "listener");
	ss_json_bool(j, "wanting", k->wanting != SS_DROP_NONE);
	ss_json_end_object(j);
}

/* -- one rule -- */

static const char *const kinds[SS_AUTHZ_KINDS] = {
	[SS_AUTHZ_ID] = "identity",	    [SS_AUTHZ_NAMESPACE] = "namespace", [SS_AUTHZ_TOKEN] = "token",
	[SS_AUTHZ_SOURCE_IP] = "source_ip", [SS_AUTHZ_REMOTE_IP] = "remote_ip", [SS_AUTHZ_LOCAL_IP] = "local_ip",
	[SS_AUTHZ_PATH] = "path",		[SS_AUTHZ_HOST] = "host",
	[SS_AUTHZ_PORT] = "port",	    [SS_AUTHZ_SNI] = "sni",		[SS_AUTHZ_HEADER] = "header",
	[SS_AUTHZ_CLAIM] = "claim",
};

static void put_part(struct why_case *k, const struct ss_authz_part *p)
{
	const char *kind = kinds[p->kind] ? kinds[p->kind] : "?";

	if (p->kind == SS_AUTHZ_HEADER)
		why_put_text(k->j, "why", "header \"%.*s\" is %s its values", WHY_SPAN(p->key), p->invert ? "one of" : "none of");
	else
		why_put_text(k->j, "why", "%s is %s", kind,
			     p->invert ? "one of those that it excludes" : "none of those that it names");
}

struct scope {
	const char *word;
	const struct ss_authz *a;
	const struct ss_model_authz *m;
};

static void put_rule(struct why_case *k, const char *key, const struct scope *s, uint32_t i)
{
	static const char *const actions[] = {"allow", "deny", "audit", "custom"};
	const struct ss_authz_rule *r = &s->a->rules[i];
	const struct ss_model_policy *policy = NULL;
	const struct ss_model_authz_rule *m = s->m ? ss_build_rule_of(k->m, s->m, i, &policy) : NULL;

	ss_json_object(k->j, key);
	why_put_name(k, "name", r->name);
	if (policy)
		ss_json_text(k->j, "policy", policy->name);
	why_put_at(k->j, m ? &m->src : NULL);
	ss_json_text(k->j, "scope", s->word);
	ss_json_text(k->j, "action", actions[r->action]);
	if (r->dry_run)
		ss_json_bool(k->j, "dry_run", true);
	if (r->provider)
		why_put_name(k, "provider", r->provider->name);
}

/* A rule that somebody's decision points to, wherever it stands. */
static void show_rule(struct why_case *k, const char *key, const struct scope *scopes, uint32_t n,
		      const struct ss_authz_rule *r)
{
	for (uint32_t i = 0; r && i < n; i++) {
		if (!scopes[i].a || r < scopes[i].a->rules || r >= scopes[i].a->rules + scopes[i].a->n_rules)
			continue;
		put_rule(k, key, &scopes[i], (uint32_t)(r - scopes[i].a->rules));
		ss_json_end_object(k->j);
		return;
	}
}

/* Those that hold first, then the others: what a person looks for is among the first. */
static void show_scope(struct why_case *k, const struct scope *s)
{
	const struct ss_authz *a = s->a;
	uint16_t *first = calloc(a->n_rules + 1, sizeof(*first));
	uint32_t told = 0, hold = 0;

	if (!first || !ss_route_why_rules(k->l, a, &k->rq, first)) {
		free(first);
		return;
	}
	for (uint32_t i = 0; i < a->n_rules; i++)
		hold += first[i] == a->rules[i].n_parts;
	ss_json_object(k->j, NULL);
	ss_json_text(k->j, "scope", s->word);
	if (s->m)
		why_put_at(k->j, &s->m->src);
	ss_json_u64(k->j, "rules", a->n_rules);
	ss_json_u64(k->j, "hold", hold);
	ss_json_bool(k->j, "default_deny", a->default_deny);
	ss_json_bool(k->j, "allow_wanted", a->any_allow);
	ss_json_list(k->j, "nearest");
	for (int holds = 1; holds >= 0; holds--)
		for (uint32_t i = 0; i < a->n_rules && told < WHY_NEAREST; i++) {
			if ((first[i] == a->rules[i].n_parts) != holds)
				continue;
			put_rule(k, NULL, s, i);
			ss_json_bool(k->j, "holds", holds);
			if (!holds && first[i] == SS_ROUTE_RULE_METHOD)
				ss_json_text(k->j, "why", "method is none of those that it names");
			else if (!holds)
				put_part(k, &a->rules[i].parts[first[i]]);
			ss_json_end_object(k->j);
			told++;
		}
	ss_json_end_list(k->j);
	ss_json_end_object(k->j);
	free(first);
}

static const char *reason_of(const struct why_case *k)
{
	bool denied = k->d.drop == SS_DROP_DENIED;

	if (k->d.rule)
		return denied ? "a rule denies" : "a rule allows";
	return denied ? "no rule allows" : "no rule stands against it";
}

void why_show_authz(struct why_case *k)
{
	struct scope scopes[3];
	uint32_t n = 0;

	if (!k->d.authorized)
		return;
	scopes[n++] = (struct scope){"route", k->d.route->authz, k->mr ? &k->mr->authz : NULL};
	scopes[n++] = (struct scope){"virtual_host", k->d.host->authz, k->mh ? &k->mh->authz : NULL};
	scopes[n++] = (struct scope){"listener", k->l->authz, &k->ml->authz};
	ss_json_object(k->j, "authorization");
	ss_json_bool(k->j, "allowed", k->d.drop != SS_DROP_DENIED);
	ss_json_text(k->j, "why", reason_of(k));
	show_rule(k, "rule", scopes, n, k->d.rule);
	ss_json_bool(k->j, "dry_run_denied", k->d.dry_denied);
	show_rule(k, "dry_rule", scopes, n, k->d.dry_rule);
	show_rule(k, "audit", scopes, n, k->d.audit);
	ss_json_list(k->j, "authorizers");
	for (uint8_t i = 0; i < k->n_asked; i++)
		show_rule(k, NULL, scopes, n, k->asked[i]);
	ss_json_end_list(k->j);
	ss_json_list(k->j, "scopes");
	for (uint32_t i = 0; i < n; i++) {
		if (!scopes[i].a)
			continue;
		show_scope(k, &scopes[i]);
		if (!scopes[i].a->inherit)
			break;
	}
	ss_json_end_list(k->j);
	ss_json_end_object(k->j);
}
