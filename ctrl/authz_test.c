/*
 * authz_test.c - authorization as build compiles and route asks it: the cases of authz_cases.txt, and random
 * policies, found by the index, against a naive reading of the model.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>

#include "build/build_fake.h"

#include "base/rng.h"
#include "contract/names.h"
#include "route/route.h"

#define MAX 64

static const char *cases;
static struct ss_model *owner;

static void *array(size_t n, size_t size)
{
	return ss_model_alloc(owner, n * size);
}

static char *text(const char *s)
{
	return ss_model_text(owner, s);
}

/* One route for everything behind one listener, made as ctrl/build makes them; policies are put in
 * afterwards. */
struct world {
	struct ss_model *m;
	struct ss_model_errors errors;
	struct ss_build_job j;
	struct ss_snapshot snap;
	struct ss_listener l;
	struct ss_virtual_host *host;
	struct ss_route *route;
};

static void world_start(struct world *w)
{
	struct ss_model_listener *l;

	memset(w, 0, sizeof(*w));
	owner = w->m = ss_model_new();
	w->j = (struct ss_build_job){.model = w->m, .names = ss_names_create(100000), .n_workers = 1,
				     .snap = &w->snap, .errors = &w->errors};
	w->m->hosts = array(1, sizeof(*w->m->hosts));
	w->m->hosts[0] = (struct ss_model_host){.name = text("h"),
						.domains = array(1, sizeof(char *)),
						.n_domains = 1,
						.routes = array(1, sizeof(*w->m->hosts[0].routes)),
						.n_routes = 1};
	w->m->hosts[0].domains[0] = text("*");
	w->m->hosts[0].routes[0].name = text("r");
	w->m->hosts[0].routes[0].action = SS_ACTION_DIRECT;
	w->m->n_hosts = w->m->n_listeners = 1;
	w->m->listeners = l = array(1, sizeof(*l));
	l->hosts = array(1, sizeof(char *));
	l->hosts[0] = text("h");
	l->n_hosts = 1;
	assert_int_equal(ss_build_routes(&w->j), 0);
	assert_int_equal(ss_build_host_table(&w->j, l, &w->l.hosts), 0);
	w->host = (struct ss_virtual_host *)w->l.hosts->hosts;
	w->route = (struct ss_route *)w->host->routes;
}

static void world_end(struct world *w)
{
	fake_end_all();
	ss_names_free((struct ss_names *)w->j.names);
	ss_model_errors_free(&w->errors);
	ss_model_free(w->m);
}

static const struct ss_authz *compile(struct world *w, const struct ss_model_authz *m)
{
	const struct ss_authz *a = NULL;
	int err = ss_build_authz(&w->j, m, &a);

	if (err)
		fail_msg("%s", w->errors.n ? w->errors.text[0] : "no policy");
	return a;
}

/* -- reading cases -- */

static char *chomp(char *line)
{
	char *hash = strchr(line, '#');

	if (hash)
		*hash = 0;
	for (size_t n = strlen(line); n && strchr(" \t\n", line[n - 1]);)
		line[--n] = 0;
	return line + strspn(line, " \t");
}

static struct ss_model_texts texts_of(const char *list)
{
	struct ss_model_texts t = {.v = array(MAX, sizeof(char *))};
	char *copy = text(list), *save;

	for (char *one = strtok_r(copy, ",", &save); one; one = strtok_r(NULL, ",", &save))
		t.v[t.n++] = one;
	return t;
}

static struct ss_model_id id_of(const char *one)
{
	size_t n = strlen(one);
	char *copy = text(one);

	if (!strcmp(one, "any"))
		return (struct ss_model_id){SS_ID_ANY, text("")};
	if (!strncmp(one, "domain:", 7))
		return (struct ss_model_id){SS_ID_DOMAIN, copy + 7};
	if (one[0] == '*')
		return (struct ss_model_id){SS_ID_SUFFIX, copy + 1};
	if (one[n - 1] != '*')
		return (struct ss_model_id){SS_ID_EXACT, copy};
	copy[n - 1] = 0;
	return (struct ss_model_id){SS_ID_PREFIX, copy};
}

static void ids_of(const char *list, uint32_t *n, struct ss_model_id **out)
{
	struct ss_model_texts t = texts_of(list);

	*out = array(MAX, sizeof(**out));
	for (*n = 0; *n < t.n; (*n)++)
		(*out)[*n] = id_of(t.v[*n]);
}

static uint16_t methods_of(const char *list)
{
	struct ss_model_texts t = texts_of(list);
	uint16_t bits = 0;

	for (uint32_t i = 0; i < t.n; i++)
		bits |= ss_route_method_bit(ss_span_str(t.v[i]));
	return bits;
}

/* exact:/x prefix:/x suffix:.html, or as the file's bare texts. */
static struct ss_model_paths paths_of(const char *list)
{
	static const char *const kinds[] = {"exact:", "prefix:", "suffix:"};
	struct ss_model_texts t = texts_of(list);
	struct ss_model_paths p = {.n = t.n, .v = array(MAX, sizeof(*p.v))};

	for (uint32_t i = 0; i < t.n; i++) {
		p.v[i] = (struct ss_model_path){SS_AUTHZ_UNDER, t.v[i]};
		for (uint32_t k = 0; k < SS_ARRAY_LEN(kinds); k++)
			if (!strncmp(t.v[i], kinds[k], strlen(kinds[k])))
				p.v[i] = (struct ss_model_path){k, t.v[i] + strlen(kinds[k])};
	}
	return p;
}

static void read_part(struct ss_model_authz_rule *r, const char *word, const char *arg)
{
	struct ss_model_source *s = &r->source;
	struct ss_model_operation *o = &r->operation;
	struct {
		const char *name;
		struct ss_model_texts *at;
	} texts[] = {{"namespaces", &s->namespaces},
		     {"not_namespaces", &s->not_namespaces},
		     {"request_principals", &s->tokens},
		     {"not_request_principals", &s->not_tokens},
		     {"source_ips", &s->source_ips},
		     {"not_source_ips", &s->not_source_ips},
		     {"remote_ips", &s->remote_ips},
		     {"not_remote_ips", &s->not_remote_ips},
		     {"hosts", &o->hosts},
		     {"not_hosts", &o->not_hosts},
		     {"ports", &o->ports},
		     {"not_ports", &o->not_ports}};

	for (size_t i = 0; i < SS_ARRAY_LEN(texts); i++) {
		if (!strcmp(word, texts[i].name)) {
			*texts[i].at = texts_of(arg);
			return;
		}
	}
	if (!strcmp(word, "ids"))
		ids_of(arg, &s->n_ids, &s->ids);
	else if (!strcmp(word, "not_ids"))
		ids_of(arg, &s->n_not_ids, &s->not_ids);
	else if (!strcmp(word, "methods"))
		o->methods = methods_of(arg);
	else if (!strcmp(word, "not_methods"))
		o->not_methods = methods_of(arg);
	else if (!strcmp(word, "paths"))
		o->paths = paths_of(arg);
	else if (!strcmp(word, "not_paths"))
		o->not_paths = paths_of(arg);
	else
		fail_msg("no part is named %s", word);
}

/* when KEY=A,B or KEY!=A,B */
static void read_when(struct ss_model_authz_rule *r, const char *arg)
{
	char *copy = text(arg), *eq = strchr(copy, '=');
	bool invert = eq[-1] == '!';
	struct ss_model_condition *c = &r->when[r->n_when++];

	eq[invert ? -1 : 0] = 0;
	c->key = copy;
	*(invert ? &c->not_values : &c->values) = texts_of(eq + 1);
}

static void read_rule(struct ss_model_authz *a, char *line)
{
	struct ss_model_authz_rule *r = &a->rules[a->n_rules++];
	char *save, *word = strtok_r(line, " \t", &save);

	r->action = !strcmp(word, "deny")    ? SS_AUTHZ_DENY
		    : !strcmp(word, "audit") ? SS_AUTHZ_AUDIT
					     : SS_AUTHZ_ALLOW;
	r->name = text(strtok_r(NULL, " \t", &save));
	r->when = array(MAX, sizeof(*r->when));
	while ((word = strtok_r(NULL, " \t", &save))) {
		if (!strcmp(word, "dry-run"))
			r->dry_run = true;
		else if (!strcmp(word, "when"))
			read_when(r, strtok_r(NULL, " \t", &save));
		else
			read_part(r, word, strtok_r(NULL, " \t", &save));
	}
}

/* -- asking -- */

struct question {
	struct ss_hdrs head;
	struct ss_hdr v[8];
	struct ss_addr peer, local;
	struct ss_claims claims;
	struct ss_jscan_node nodes[64];
	struct ss_route_request rq;
};

static void question_start(struct question *q)
{
	memset(q, 0, sizeof(*q));
	ss_hdrs_init(&q->head, q->v, SS_ARRAY_LEN(q->v));
	q->head.authority = SS_SPAN("a.example");
	q->local.port = 443;
	q->rq = (struct ss_route_request){.head = &q->head, .peer = &q->peer, .local = &q->local};
	ss_ip_parse("10.0.0.9", &q->peer.ip);
	ss_ip_parse("10.9.9.9", &q->local.ip);
}

static void read_fact(struct question *q, char *word)
{
	char *eq = strchr(word, '=');

	assert_non_null(eq);
	*eq++ = 0;
	if (!strcmp(word, "peer"))
		assert_int_equal(ss_ip_parse(eq, &q->peer.ip), 0);
	else if (!strcmp(word, "port"))
		q->local.port = (uint16_t)atoi(eq);
	else if (!strcmp(word, "host"))
		q->head.authority = ss_span_str(eq);
	else if (!strcmp(word, "sni"))
		q->rq.sni = ss_span_str(eq);
	else if (!strcmp(word, "token"))
		q->claims.principal = ss_span_str(eq);
	else if (!strcmp(word, "claims")) {
		assert_true(ss_jscan((uint8_t *)eq, (uint32_t)strlen(eq), q->nodes, SS_ARRAY_LEN(q->nodes)) >
			    0);
		q->claims.nodes = q->nodes;
	} else
		ss_hdrs_add(&q->head, ss_span_str(word), ss_span_str(eq), 0);
	if (q->claims.nodes || q->claims.principal.n)
		q->rq.claims = &q->claims;
}

static struct ss_route_decision decide(struct world *w, const struct question *q)
{
	struct ss_route_decision d;

	ss_route_decide(&w->snap, &w->l, &q->rq, &d);
	assert_non_null(d.route);
	assert_true(d.drop == SS_DROP_NONE || d.drop == SS_DROP_DENIED);
	return d;
}

static const char *name_of(const struct world *w, const struct ss_authz_rule *r)
{
	return r ? ss_names_text(w->j.names, r->name) : "-";
}

static uint32_t ask_policy(struct world *w, char *line, uint32_t no)
{
	char *save, *arrow = strstr(line, "=>"), *want = arrow + 2 + strspn(arrow + 2, " \t"), got[300],
		    *word;
	struct question q;
	struct ss_route_decision d;
	int n;

	*arrow = 0;
	question_start(&q);
	q.rq.peer_identity = ss_span_str(strtok_r(line, " \t", &save));
	if (ss_span_eq(q.rq.peer_identity, SS_SPAN("-")))
		q.rq.peer_identity = SS_SPAN_NONE;
	q.head.method = ss_span_str(strtok_r(NULL, " \t", &save));
	q.head.path = ss_span_str(strtok_r(NULL, " \t", &save));
	while ((word = strtok_r(NULL, " \t", &save)))
		read_fact(&q, word);
	d = decide(w, &q);
	n = snprintf(got, sizeof(got), "%s by %s", d.drop == SS_DROP_NONE ? "allowed" : "denied",
		     name_of(w, d.rule));
	if (d.dry_denied)
		n += snprintf(got + n, sizeof(got) - (size_t)n, ", would be denied by %s",
			      name_of(w, d.dry_rule));
	if (d.audit)
		snprintf(got + n, sizeof(got) - (size_t)n, ", audited by %s", name_of(w, d.audit));
	if (!strcmp(got, want))
		return 0;
	print_error("%s:%u: wanted %s, got %s\n", cases, no, want, got);
	return 1;
}

static void start_policy(struct world *w, struct ss_model_authz *a, const char *line)
{
	const char *hops = strstr(line, "trusted-hops=");

	*a = (struct ss_model_authz){.present = true, .rules = array(MAX, sizeof(*a->rules))};
	a->default_deny = strstr(line, " default-deny") != NULL;
	a->inherit = strstr(line, " inherit") != NULL;
	w->l.trusted_hops = hops ? (uint8_t)atoi(hops + 13) : 0;
}

static void the_cases_hold(void **state)
{
	struct world w;
	struct ss_model_authz scope[3];
	struct ss_authz open = {0};
	char *line = NULL;
	size_t cap = 0;
	uint32_t no = 0, asked = 0, wrong = 0, at = 0;
	FILE *f = fopen(cases, "r");

	assert_non_null(f);
	world_start(&w);
	memset(scope, 0, sizeof(scope));
	while (getline(&line, &cap, f) > 0 && ++no) {
		char *p = chomp(line);
		if (!strncmp(p, "policy ", 7)) {
			memset(scope, 0, sizeof(scope));
			start_policy(&w, &scope[at = 0], p);
		} else if (!strncmp(p, "host-policy ", 12)) {
			start_policy(&w, &scope[at = 1], p);
		} else if (!strncmp(p, "route-policy ", 13)) {
			start_policy(&w, &scope[at = 2], p);
		} else if (!strncmp(p, "deny ", 5) || !strncmp(p, "allow ", 6) || !strncmp(p, "audit ", 6)) {
			read_rule(&scope[at], p);
		} else if (!strncmp(p, "request ", 8)) {
			w.l.authz = scope[0].present ? compile(&w, &scope[0]) : &open;
			w.host->authz = scope[1].present ? compile(&w, &scope[1]) : NULL;
			w.route->authz = scope[2].present ? compile(&w, &scope[2]) : NULL;
			wrong += ask_policy(&w, p + 8, no);
			asked++;
		} else if (*p) {
			fail_msg("%s:%u: what is that?", cases, no);
		}
	}
	assert_int_equal(wrong, 0);
	assert_true(asked > 100);
	free(line);
	fclose(f);
	world_end(&w);
}

/* -- random policies, read naively -- */

#define PICK(r, a) (a)[ss_rng_below(r, SS_ARRAY_LEN(a))]

static const char *const ids[] = {"spiffe://d/ns/a/sa/x",
				  "spiffe://d/ns/a/sa/y",
				  "spiffe://d/ns/ab/sa/x",
				  "spiffe://e/ns/a/sa/x",
				  "spiffe://d/other/x",
				  "web.example",
				  ""};
static const char *const id_values[] = {
	"spiffe://d/ns/a/sa/x", "spiffe://d/ns/a*", "spiffe://d/*", "domain:e", "domain:d", "any", "*/sa/x",
	"WEB.example",          "spiffe://d/ns/a/*"};
static const char *const paths[] = {"/", "/a", "/a/b", "/ab", "/a/b/c.html", "/b"};
static const char *const path_values[] = {"/a", "/a/", "/a/*", "exact:/a", "prefix:/a", "suffix:.html",
					  "*",  "/a*", "*b",   "/",        "/b"};
static const char *const spaces[] = {"a", "ab", "a*", "*b", "*"};
static const char *const nets[] = {"10.0.0.0/8", "10.0.0.1", "192.168.0.0/16", "fd00::/8", "0.0.0.0/0"};
static const char *const ips[] = {"10.0.0.1", "10.200.0.1", "192.168.3.4", "fd12::1", "172.16.0.1"};
static const char *const methods[] = {"GET", "POST", "PUT", "PURGE"};
static const char *const values[] = {"1", "2", "12", "1*", "*2", "*"};

static const char *some_of(struct ss_rng *r, const char *const *from, uint32_t n)
{
	static char list[300];

	snprintf(list, sizeof(list), "%s", from[ss_rng_below(r, n)]);
	if (ss_rng_chance(r, 1, 3))
		snprintf(list + strlen(list), sizeof(list) - strlen(list), ",%s", from[ss_rng_below(r, n)]);
	return list;
}
#define SOME(r, a) some_of(r, a, SS_ARRAY_LEN(a))

static void random_rule(struct ss_rng *r, struct ss_model_authz *a)
{
	struct ss_model_authz_rule *m = &a->rules[a->n_rules];
	static const struct {
		const char *word;
		const char *const *from;
		uint32_t n, one_in;
	} parts[] = {
#define PART(word, from, one_in) {word, from, SS_ARRAY_LEN(from), one_in}
		PART("ids", id_values, 2),     PART("not_ids", id_values, 8),
		PART("paths", path_values, 2), PART("not_paths", path_values, 8),
		PART("namespaces", spaces, 6), PART("not_namespaces", spaces, 9),
		PART("source_ips", nets, 8),   PART("not_source_ips", nets, 9),
		PART("methods", methods, 4),   PART("not_methods", methods, 9)};
	char name[20];

	snprintf(name, sizeof(name), "r%u", a->n_rules++);
	*m = (struct ss_model_authz_rule){.name = text(name), .when = array(2, sizeof(*m->when))};
	m->action = (enum ss_authz_action)ss_rng_below(r, 3);
	m->dry_run = m->action != SS_AUTHZ_AUDIT && ss_rng_chance(r, 1, 4);
	for (size_t i = 0; i < SS_ARRAY_LEN(parts); i++)
		if (ss_rng_chance(r, 1, parts[i].one_in))
			read_part(m, parts[i].word, some_of(r, parts[i].from, parts[i].n));
	if (ss_rng_chance(r, 1, 5)) {
		struct ss_model_condition *c = &m->when[m->n_when++];
		c->key = text("request.headers[X-A]");
		*(ss_rng_chance(r, 1, 3) ? &c->not_values : &c->values) = texts_of(SOME(r, values));
	}
	/* Now and then the same as a list of two sources. */
	if (ss_rng_chance(r, 1, 5)) {
		m->from = array(2, sizeof(*m->from));
		m->from[m->n_from++] = m->source;
		m->from[m->n_from].namespaces = texts_of(SOME(r, spaces));
		m->n_from++;
	}
}

static bool naive_text(const char *want, const char *v)
{
	size_t n = strlen(want), k = strlen(v);

	if (!strcmp(want, "*"))
		return k > 0;
	if (want[0] == '*')
		return k >= n - 1 && !strcmp(v + k - (n - 1), want + 1);
	if (want[n - 1] == '*')
		return !strncmp(v, want, n - 1);
	return !strcmp(v, want);
}

static bool naive_path(const struct ss_model_path *p, const char *v)
{
	size_t n = strlen(p->value), k = strlen(v);
	char under[64];

	if (p->fit == SS_AUTHZ_EXACT)
		return !strcmp(v, p->value);
	if (p->fit == SS_AUTHZ_PREFIX)
		return !strncmp(v, p->value, n);
	if (p->fit == SS_AUTHZ_SUFFIX)
		return k >= n && !strcmp(v + k - n, p->value);
	if (p->value[0] == '*' || (p->value[n - 1] == '*' && p->value[n - 2] != '/'))
		return naive_text(p->value, v);
	snprintf(under, sizeof(under), "%s", p->value);
	for (n = strlen(under); n && strchr("/*", under[n - 1]);)
		under[--n] = 0;
	return !strncmp(v, under, n) && (v[n] == 0 || v[n] == '/');
}

static bool naive_net(const char *want, const char *ip)
{
	char copy[64], *slash;
	uint8_t a[16] = {0}, b[16] = {0};
	int bits, fa, fb;

	snprintf(copy, sizeof(copy), "%s", want);
	slash = strchr(copy, '/');
	if (slash)
		*slash = 0;
	fa = strchr(copy, ':') ? AF_INET6 : AF_INET;
	fb = strchr(ip, ':') ? AF_INET6 : AF_INET;
	inet_pton(fa, copy, a);
	inet_pton(fb, ip, b);
	bits = slash ? atoi(slash + 1) : fa == AF_INET ? 32 : 128;
	for (int i = 0; i < bits; i++)
		if ((a[i / 8] ^ b[i / 8]) >> (7 - i % 8) & 1)
			return false;
	return fa == fb;
}

struct naive {
	const char *id, *ns, *path, *ip, *method, *value;
};

static bool naive_id(const struct ss_model_id *m, const char *id)
{
	struct ss_id_match c = {.kind = (uint8_t)m->kind, .value = ss_span_str(m->value)};

	return ss_id_matches(&c, ss_span_str(id)); /* tlsconf_test.c is about this one */
}

#define SOME_FITS(n, expr)                            \
	({                                            \
		bool fits_ = false;                   \
		for (uint32_t i_ = 0; i_ < (n); i_++) \
			fits_ |= (expr);              \
		fits_;                                \
	})

static bool naive_source(const struct ss_model_source *s, const struct naive *q)
{
	if (s->n_ids && !SOME_FITS(s->n_ids, *q->id && naive_id(&s->ids[i_], q->id)))
		return false;
	if (s->n_not_ids && SOME_FITS(s->n_not_ids, *q->id && naive_id(&s->not_ids[i_], q->id)))
		return false;
	if (s->namespaces.n && !SOME_FITS(s->namespaces.n, *q->ns && naive_text(s->namespaces.v[i_], q->ns)))
		return false;
	if (s->not_namespaces.n &&
	    SOME_FITS(s->not_namespaces.n, *q->ns && naive_text(s->not_namespaces.v[i_], q->ns)))
		return false;
	if (s->source_ips.n && !SOME_FITS(s->source_ips.n, naive_net(s->source_ips.v[i_], q->ip)))
		return false;
	return !s->not_source_ips.n ||
	       !SOME_FITS(s->not_source_ips.n, naive_net(s->not_source_ips.v[i_], q->ip));
}

static bool naive_rule(const struct ss_model_authz_rule *m, const struct naive *q)
{
	const struct ss_model_operation *o = &m->operation;
	uint16_t bit = ss_route_method_bit(ss_span_str(q->method));

	if ((o->methods && !(o->methods & bit)) || (o->not_methods & bit))
		return false;
	if (o->paths.n && !SOME_FITS(o->paths.n, naive_path(&o->paths.v[i_], q->path)))
		return false;
	if (o->not_paths.n && SOME_FITS(o->not_paths.n, naive_path(&o->not_paths.v[i_], q->path)))
		return false;
	for (uint32_t k = 0; k < m->n_when; k++) {
		const struct ss_model_texts *yes = &m->when[k].values, *no = &m->when[k].not_values;
		if (yes->n && !SOME_FITS(yes->n, *q->value && naive_text(yes->v[i_], q->value)))
			return false;
		if (no->n && SOME_FITS(no->n, *q->value && naive_text(no->v[i_], q->value)))
			return false;
	}
	return m->n_from ? SOME_FITS(m->n_from, naive_source(&m->from[i_], q)) : naive_source(&m->source, q);
}

static const char *naive_first(const struct ss_model_authz *a, const struct naive *q,
			       enum ss_authz_action action, bool dry)
{
	for (uint32_t i = 0; i < a->n_rules; i++)
		if (a->rules[i].action == action && a->rules[i].dry_run == dry && naive_rule(&a->rules[i], q))
			return a->rules[i].name;
	return NULL;
}

static bool naive_any(const struct ss_model_authz *a, bool dry)
{
	for (uint32_t i = 0; i < a->n_rules; i++)
		if (a->rules[i].action == SS_AUTHZ_ALLOW && a->rules[i].dry_run == dry)
			return true;
	return false;
}

static void naive_answer(const struct ss_model_authz *a, const struct naive *q, char *out, size_t n)
{
	const char *deny = naive_first(a, q, SS_AUTHZ_DENY, false),
		   *allow = naive_first(a, q, SS_AUTHZ_ALLOW, false);
	const char *dry = naive_first(a, q, SS_AUTHZ_DENY, true),
		   *dry_allow = naive_first(a, q, SS_AUTHZ_ALLOW, true);
	const char *audit = naive_first(a, q, SS_AUTHZ_AUDIT, false), *by = deny ? deny : allow ? allow : "-";
	bool denied = deny || (!allow && (naive_any(a, false) || a->default_deny));
	bool would = !denied && (dry || (naive_any(a, true) && !allow && !dry_allow));

	snprintf(out, n, "%s by %s, would %d by %s, audit %s", denied ? "denied" : "allowed", by, would,
		 denied || !dry ? "-" : dry, audit ? audit : "-");
}

static void random_question(struct ss_rng *r, struct question *q, struct naive *n)
{
	static char ns[32];
	struct ss_span space;

	*n = (struct naive){.id = PICK(r, ids),
			    .path = PICK(r, paths),
			    .ip = PICK(r, ips),
			    .method = PICK(r, methods),
			    .value = ss_rng_chance(r, 1, 2) ? "" : PICK(r, values)};
	question_start(q);
	q->head.method = ss_span_str(n->method);
	q->head.path = ss_span_str(n->path);
	q->rq.peer_identity = ss_span_str(n->id);
	ss_ip_parse(n->ip, &q->peer.ip);
	if (*n->value)
		ss_hdrs_add(&q->head, SS_SPAN("x-a"), ss_span_str(n->value), 0);
	space = ss_authz_namespace(q->rq.peer_identity);
	snprintf(ns, sizeof(ns), "%.*s", (int)space.n, space.n ? (const char *)space.p : "");
	n->ns = ns;
}

static void the_index_misses_nothing(void **state)
{
	struct ss_rng r;
	uint32_t denied = 0, by_rule = 0, would = 0, rounds = 400;

	ss_rng_seed(&r, 7);
	for (uint32_t round = 0; round < rounds; round++) {
		struct world w;
		struct ss_model_authz a = {.present = true, .default_deny = ss_rng_chance(&r, 1, 4)};
		uint32_t n = ss_rng_below(&r, round % 8 == 0 ? 200 : 24);
		world_start(&w);
		a.rules = array(n + 1, sizeof(*a.rules));
		while (a.n_rules < n)
			random_rule(&r, &a);
		w.l.authz = compile(&w, &a);
		assert_true((w.l.authz->index != NULL) == (w.l.authz->n_rules >= 8));
		for (int i = 0; i < 60; i++) {
			struct question q;
			struct naive nq;
			char want[200], got[200];
			random_question(&r, &q, &nq);
			struct ss_route_decision d = decide(&w, &q);
			naive_answer(&a, &nq, want, sizeof(want));
			snprintf(got, sizeof(got), "%s by %s, would %d by %s, audit %s",
				 d.drop ? "denied" : "allowed", name_of(&w, d.rule), d.dry_denied,
				 name_of(&w, d.dry_rule), name_of(&w, d.audit));
			assert_string_equal(got, want);
			denied += d.drop != 0;
			by_rule += d.rule != NULL;
			would += d.dry_denied;
		}
		world_end(&w);
	}
	/* The questions were worth asking. */
	assert_in_range(denied, rounds * 6, rounds * 54);
	assert_true(by_rule > rounds * 6 && would > rounds);
}

static void wrong_values_are_named(void **state)
{
	static const struct {
		const char *word, *arg, *say;
	} bad[] = {{"source_ips", "10.0.0.1/8", "neither an address nor a network"},
		   {"source_ips", "x", "neither"},
		   {"source_ips", "10.0.0.0/33", "neither"},
		   {"ports", "0", "no port"},
		   {"ports", "http", "no port"},
		   {"hosts", "a*b", "star"},
		   {"paths", "users", "not a path"},
		   {"paths", "/a*/b", "not a path"}};

	for (size_t i = 0; i < SS_ARRAY_LEN(bad); i++) {
		struct world w;
		struct ss_model_authz a = {.present = true};
		const struct ss_authz *out;
		world_start(&w);
		a.rules = array(1, sizeof(*a.rules));
		a.n_rules = 1;
		a.rules[0] = (struct ss_model_authz_rule){.name = text("r"), .src = {"t.cfg", 7}};
		read_part(&a.rules[0], bad[i].word, bad[i].arg);
		assert_true(ss_build_authz(&w.j, &a, &out) < 0);
		assert_int_equal(w.errors.n, 1);
		assert_non_null(strstr(w.errors.text[0], "t.cfg:7: "));
		assert_non_null(strstr(w.errors.text[0], bad[i].word));
		assert_non_null(strstr(w.errors.text[0], bad[i].say));
		world_end(&w);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_cases_hold),
		cmocka_unit_test(the_index_misses_nothing),
		cmocka_unit_test(wrong_values_are_named),
	};

	if (argc < 2)
		return 2;
	cases = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
