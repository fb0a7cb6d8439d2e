/* ctl_why.c - lines of "what: name (file:line) and more". Lists of what did not take part are set in. */
#include <stdio.h>
#include <string.h>

#include "tools/ctl/ctl_why.h"

static bool yes(const struct ctl_json *v, const char *key)
{
	return ctl_json_has(v, key) && !strcmp(ctl_json_text(v, key), "yes");
}

/* "name (file:line)" */
static void put_name(const struct ctl_json *v)
{
	printf("%s", ctl_json_text(v, "name"));
	if (ctl_json_has(v, "at"))
		printf("  (%s)", ctl_json_text(v, "at"));
}

static void line(const char *what)
{
	printf("%-15s ", what);
}

/* -- routes -- */

static void show_before(const struct ctl_json *v)
{
	const struct ctl_json *by = ctl_json_get(v, "by");

	if (!v || !ctl_json_number(v, "count"))
		return;
	printf("  %s routes before it do not fit:", ctl_json_text(v, "count"));
	for (const struct ctl_json *p = by ? by->child : NULL; p; p = p->next)
		printf(" %s for its %s%s", p->text, p->key, p->next ? "," : "");
	printf("\n");
	for (const struct ctl_json *r = ctl_json_first(v, "nearest"); r; r = r->next) {
		printf("    ");
		put_name(r);
		printf(": %s\n", ctl_json_text(r, "why"));
	}
}

static void show_route(const struct ctl_json *v)
{
	const struct ctl_json *h = ctl_json_get(v, "virtual_host"), *r = ctl_json_get(v, "route");

	line("listener");
	put_name(ctl_json_get(v, "listener"));
	printf("\n");
	line("virtual host");
	if (ctl_json_has(v, "virtual_host")) {
		put_name(h);
		printf("  domain %s\n", ctl_json_text(h, "domain"));
	} else {
		printf("none has the authority's host\n");
	}
	line("route");
	if (ctl_json_has(v, "route")) {
		put_name(r);
		printf("  %s\n", ctl_json_text(r, "action"));
	} else {
		printf("none\n");
	}
	show_before(ctl_json_get(v, "routes_before"));
}

static void show_split(const struct ctl_json *v)
{
	if (!v)
		return;
	line("split");
	printf("by %s", ctl_json_text(v, "by"));
	if (ctl_json_has(v, "sticky"))
		printf(" (\"%s\"%s%s)", ctl_json_text(v, "sticky"), ctl_json_has(v, "key") ? " is " : " is not there",
		       ctl_json_has(v, "key") ? ctl_json_text(v, "key") : "");
	printf("\n");
	for (const struct ctl_json *s = ctl_json_first(v, "shares"); s; s = s->next)
		printf("  %s%s %s %%%s%s\n", yes(s, "taken") ? "> " : "  ", ctl_json_text(s, "cluster"),
		       ctl_json_text(s, "percent"), ctl_json_has(s, "subset") ? "  subset " : "",
		       ctl_json_has(s, "subset") ? ctl_json_text(s, "subset") : "");
}

/* -- token, policies -- */

static void show_rule(const struct ctl_json *r)
{
	put_name(r);
	printf("  %s%s", yes(r, "dry_run") ? "dry-run " : "", ctl_json_text(r, "action"));
	if (ctl_json_has(r, "policy"))
		printf(", policy %s", ctl_json_text(r, "policy"));
	printf(", of the %s", ctl_json_text(r, "scope"));
}

static void show_scope(const struct ctl_json *s)
{
	printf("  %s: %s rules, %s hold%s\n", ctl_json_text(s, "scope"), ctl_json_text(s, "rules"),
	       ctl_json_text(s, "hold"), yes(s, "default_deny") ? ", denies by default" : "");
	for (const struct ctl_json *r = ctl_json_first(s, "nearest"); r; r = r->next) {
		printf("    ");
		show_rule(r);
		printf(": %s\n", yes(r, "holds") ? "holds" : ctl_json_text(r, "why"));
	}
}

static void show_authz(const struct ctl_json *v)
{
	static const struct {
		const char *key, *what;
	} rules[] = { { "rule", "  decided by" }, { "dry_rule", "  would deny" }, { "audit", "  marked by" } };

	if (!v)
		return;
	line("authorization");
	printf("%s: %s%s\n", yes(v, "allowed") ? "allowed" : "denied", ctl_json_text(v, "why"),
	       yes(v, "dry_run_denied") ? "; would be denied with what is only tried" : "");
	for (size_t i = 0; i < SS_ARRAY_LEN(rules); i++) {
		if (!ctl_json_has(v, rules[i].key))
			continue;
		line(rules[i].what);
		show_rule(ctl_json_get(v, rules[i].key));
		printf("\n");
	}
	for (const struct ctl_json *r = ctl_json_first(v, "authorizers"); r; r = r->next) {
		line("  asks");
		printf("%s, for ", ctl_json_text(r, "provider"));
		show_rule(r);
		printf("; taken to say yes\n");
	}
	for (const struct ctl_json *s = ctl_json_first(v, "scopes"); s; s = s->next)
		show_scope(s);
}

static void show_token(const struct ctl_json *v)
{
	if (!v)
		return;
	line("token");
	printf("%s%s\n", ctl_json_text(v, "found"), yes(v, "wanting") ? ": refused" : "");
}

/* -- what the route does -- */

/* Members as they stand, "key value", but for where and what they are called. */
static void put_members(const struct ctl_json *v)
{
	for (const struct ctl_json *m = v->child; m; m = m->next) {
		if (!strcmp(m->key, "name") || !strcmp(m->key, "at"))
			continue;
		if (m->kind == CTL_LIST) {
			printf("  %s", m->key);
			for (const struct ctl_json *e = m->child; e; e = e->next)
				printf(" %s", e->text);
		} else {
			printf("  %s %s", m->key, ctl_json_text(v, m->key));
		}
	}
}

static void show_one(const char *what, const struct ctl_json *v)
{
	if (!v || (v->kind == CTL_OBJECT && !v->child))
		return;
	line(what);
	if (v->kind != CTL_OBJECT) {
		printf("%s\n", v->text);
		return;
	}
	if (ctl_json_has(v, "name") && ctl_json_has(v, "at"))
		put_name(v);
	else if (ctl_json_has(v, "at"))
		printf("(%s)", ctl_json_text(v, "at"));
	put_members(v);
	printf("\n");
}

static void show_limits(const struct ctl_json *v)
{
	for (const struct ctl_json *l = ctl_json_first(v, "limits"); l; l = l->next)
		show_one("limit", l);
}

static void show_ops(const struct ctl_json *v, const char *key, const char *what)
{
	for (const struct ctl_json *o = ctl_json_first(v, key); o; o = o->next) {
		line(what);
		printf("%s %s%s%s  (%s)\n", ctl_json_text(o, "what"), ctl_json_text(o, "name"), ctl_json_has(o, "value") ? ": " : "",
		       ctl_json_has(o, "value") ? ctl_json_text(o, "value") : "", ctl_json_text(o, "scope"));
	}
}

static void show_cluster(const struct ctl_json *c)
{
	line("cluster");
	put_name(c);
	printf("  %s%s%s, %s of %s endpoints eligible%s\n", ctl_json_text(c, "load_balancing"),
	       ctl_json_has(c, "subset") ? ", subset " : "", ctl_json_has(c, "subset") ? ctl_json_text(c, "subset") : "",
	       ctl_json_text(c, "eligible"), ctl_json_text(c, "count"), yes(c, "panic") ? ", in panic" : "");
	for (const struct ctl_json *e = ctl_json_first(c, "endpoints"); e; e = e->next)
		printf("  %s %s  (%s)  weight %s%s%s\n", yes(e, "eligible") ? "  " : "no", ctl_json_text(e, "address"),
		       ctl_json_text(e, "at"), ctl_json_text(e, "weight"), ctl_json_has(e, "why") ? ": " : "",
		       ctl_json_has(e, "why") ? ctl_json_text(e, "why") : "");
}

static void show_outcome(const struct ctl_json *o)
{
	line("outcome");
	printf("%s", ctl_json_text(o, "what"));
	if (ctl_json_has(o, "status"))
		printf(" with %s", ctl_json_text(o, "status"));
	if (ctl_json_has(o, "reason"))
		printf(": %s (%s, flag %s)", ctl_json_text(o, "text"), ctl_json_text(o, "reason"), ctl_json_text(o, "flag"));
	printf("\n");
}

static void show_explained(const struct ctl_json *v)
{
	static const char *const singles[] = { "maintenance", "cors" };
	const struct ctl_json *rq = ctl_json_get(v, "request");

	printf("%s %s%s  by %s %s, generation %s\n\n", ctl_json_text(rq, "method"), ctl_json_text(rq, "authority"),
	       ctl_json_text(rq, "path"), yes(v, "candidate") ? "candidate" : ctl_json_text(v, "file"),
	       ctl_json_text(v, "config_hash"), ctl_json_text(v, "generation"));
	show_route(v);
	show_token(ctl_json_get(v, "token"));
	show_authz(ctl_json_get(v, "authorization"));
	for (size_t i = 0; i < SS_ARRAY_LEN(singles); i++)
		show_one(singles[i], ctl_json_get(v, singles[i]));
	show_limits(v);
	show_one("fault", ctl_json_get(v, "fault"));
	show_one("redirect", ctl_json_get(v, "redirect"));
	show_split(ctl_json_get(v, "split"));
	show_one("rewrite", ctl_json_get(v, "rewrite"));
	show_ops(v, "request_headers", "to upstream");
	show_ops(v, "response_headers", "to client");
	for (const struct ctl_json *m = ctl_json_first(v, "mirrors"); m; m = m->next)
		show_one("mirror", m);
	show_one("timeouts", ctl_json_get(v, "timeouts"));
	show_one("priority", ctl_json_get(v, "priority"));
	show_one("retry", ctl_json_get(v, "retry"));
	for (const struct ctl_json *c = ctl_json_first(v, "clusters"); c; c = c->next)
		show_cluster(c);
	show_outcome(ctl_json_get(v, "outcome"));
}

/* -- a request that has happened -- */

static void put_times(const struct ctl_json *r)
{
	line("ended");
	printf("%s, after %s us", ctl_json_text(r, "time"), ctl_json_text(r, "duration_us"));
	if (ctl_json_has(r, "upstream_us"))
		printf(", the endpoint's head after %s us", ctl_json_text(r, "upstream_us"));
	printf("\n");
}

static void show_recorded(const struct ctl_json *v)
{
	static const char *const keys[] = { "listener", "virtual_host", "route", "rule", "cluster" };
	const struct ctl_json *r = ctl_json_get(v, "recorded"), *d = ctl_json_get(v, "decided");

	printf("%s %s%s  request %s\n\n", ctl_json_text(r, "method"), ctl_json_text(r, "authority"), ctl_json_text(r, "path"),
	       ctl_json_text(r, "request_id"));
	put_times(r);
	line("answered");
	printf("%s  flag %s", ctl_json_text(r, "status"), ctl_json_text(r, "flag"));
	if (ctl_json_has(r, "reason"))
		printf(", %s", ctl_json_text(r, "reason"));
	printf(", %s attempts, %s bytes in, %s out\n", ctl_json_text(r, "attempts"), ctl_json_text(r, "bytes_in"),
	       ctl_json_text(r, "bytes_out"));
	line("from");
	printf("%s  %s%s%s, worker %s\n", ctl_json_text(r, "downstream"), ctl_json_text(r, "tls"), ctl_json_has(r, "peer") ? "  " : "",
	       ctl_json_has(r, "peer") ? ctl_json_text(r, "peer") : "", ctl_json_text(r, "worker"));
	for (size_t i = 0; i < SS_ARRAY_LEN(keys); i++) {
		if (!ctl_json_has(d, keys[i]))
			continue;
		line(keys[i]);
		put_name(ctl_json_get(d, keys[i]));
		printf("\n");
	}
	line("endpoint");
	printf("%s\n", ctl_json_text(r, "upstream"));
	line("decided by");
	printf("generation %s, configuration %s%s", ctl_json_text(r, "generation"), ctl_json_text(r, "config"),
	       yes(v, "in_force") ? ", which is in force" : ", which is no longer in force");
	if (ctl_json_has(v, "history"))
		printf(" (history %s)", ctl_json_text(v, "history"));
	printf("\n");
	if (ctl_json_has(v, "others"))
		printf("%-15s %s earlier requests had the same id\n", "", ctl_json_text(v, "others"));
}

void ctl_show_why(const struct ctl_json *v)
{
	const struct ctl_json *x = ctl_json_get(v, "explained");

	if (!ctl_json_has(v, "recorded")) {
		show_explained(v);
		return;
	}
	show_recorded(v);
	printf("\nBy what is kept of it (no headers but user-agent), it is decided %s:\n",
	       yes(x, "candidate") ? "by the candidate" : yes(v, "in_force") ? "so" : "by what is in force now");
	if (ctl_json_has(v, "not_explained"))
		printf("%s\n", ctl_json_text(v, "not_explained"));
	else
		show_explained(x);
	for (const struct ctl_json *d = ctl_json_first(v, "differs"); d; d = d->next)
		printf("%s%s", d == ctl_json_first(v, "differs") ? "\nThis differs from what happened in: " : ", ", d->text);
	if (ctl_json_first(v, "differs"))
		printf("%s\n", yes(v, "in_force") ? ". What decided is not kept: a header, or what has changed since." : "");
}
