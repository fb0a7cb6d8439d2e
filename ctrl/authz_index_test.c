/*
 * authz_index_test.c - random policies, found by the index, against a naive reading of the model.
 */
#include <arpa/inet.h>

#include "ctrl/authz_sim.h"

#include "base/rng.h"

#define PICK(r, a) (a)[ss_rng_below(r, SS_ARRAY_LEN(a))]

static const char *const ids[] = {"spiffe://d/ns/a/sa/x",
				  "spiffe://d/ns/a/sa/y",
				  "spiffe://d/ns/ab/sa/x",
				  "spiffe://e/ns/a/sa/x",
				  "spiffe://d/other/x",
				  "web.example",
				  "Web.EXAMPLE",
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
static const char *const hosts[] = {"a.example", "b.example", "x.b.example"};
static const char *const host_values[] = {"a.example", "*.b.example", "b*", "*"};
static const char *const snis[] = {"", "s.example", "t.example"};
static const char *const ports[] = {"443", "80"};
static const char *const values[] = {"1", "2", "12", "1*", "*2", "*"};
/* POSIX and hyperscan read these alike. */
static const char *const value_patterns[] = {"1+", "[12]2", "2?1?", "x|2"};
static const char *const id_patterns[] = {"~spiffe://[de]/ns/a/.*", "~.*/sa/x", "~web.example"};
static const char *const path_patterns[] = {"regex:/a(/b)?", "regex:/.*[.]html", "/a/{*}", "/{*}/b/{**}"};
static const char *const keys[] = {"request.headers[X-A]", "request.headers[x-b]", "request.auth.claims[c]",
				   "connection.sni"};

static const char *some_of(struct ss_rng *r, const char *const *from, uint32_t n)
{
	static char list[300];

	snprintf(list, sizeof(list), "%s", from[ss_rng_below(r, n)]);
	if (ss_rng_chance(r, 1, 3))
		snprintf(list + strlen(list), sizeof(list) - strlen(list), ",%s", from[ss_rng_below(r, n)]);
	return list;
}
#define SOME(r, a) some_of(r, a, SS_ARRAY_LEN(a))

/* One condition, of values, of expressions, or of both. */
static void random_when(struct ss_rng *r, struct ss_model_authz_rule *m)
{
	struct ss_model_condition *c = &m->when[m->n_when++];
	bool invert = ss_rng_chance(r, 1, 3);
	uint32_t what = ss_rng_below(r, 4);

	c->key = world_text(PICK(r, keys));
	if (what != 3)
		*(invert ? &c->not_values : &c->values) = world_texts(SOME(r, values));
	if (what >= 2)
		*(invert ? &c->not_regex : &c->regex) = world_texts(SOME(r, value_patterns));
}

static void random_rule(struct ss_rng *r, struct ss_model_authz *a)
{
	struct ss_model_authz_rule *m = &a->rules[a->n_rules];
	static const struct {
		const char *word;
		const char *const *from;
		uint32_t n, one_in;
	} parts[] = {
#define PART(word, from, one_in) {word, from, SS_ARRAY_LEN(from), one_in}
		PART("ids", id_values, 3),       PART("not_ids", id_values, 8),
		PART("ids", id_patterns, 9),     PART("not_ids", id_patterns, 12),
		PART("paths", path_values, 3),   PART("not_paths", path_values, 8),
		PART("paths", path_patterns, 9), PART("not_paths", path_patterns, 12),
		PART("namespaces", spaces, 6),   PART("not_namespaces", spaces, 9),
		PART("source_ips", nets, 5),     PART("not_source_ips", nets, 9),
		PART("hosts", host_values, 8),   PART("not_hosts", host_values, 12),
		PART("ports", ports, 10),        PART("methods", methods, 4),
		PART("not_methods", methods, 9)};
	char name[20];

	snprintf(name, sizeof(name), "r%u", a->n_rules++);
	*m = (struct ss_model_authz_rule){
		.name = world_text(name), .src = {"t.cfg", 1}, .when = world_array(2, sizeof(*m->when))};
	m->action = (enum ss_authz_action)ss_rng_below(r, 3);
	m->dry_run = m->action != SS_AUTHZ_AUDIT && ss_rng_chance(r, 1, 4);
	for (size_t i = 0; i < SS_ARRAY_LEN(parts); i++)
		if (ss_rng_chance(r, 1, parts[i].one_in))
			authz_part(m, parts[i].word, some_of(r, parts[i].from, parts[i].n));
	while (m->n_when < 2 && ss_rng_chance(r, 1, 3))
		random_when(r, m);
	/* Now and then the same as a list of two sources. */
	if (ss_rng_chance(r, 1, 5)) {
		m->from = world_array(2, sizeof(*m->from));
		m->from[m->n_from++] = m->source;
		m->from[m->n_from].namespaces = world_texts(SOME(r, spaces));
		m->n_from++;
	}
}

/* -- the model, read naively -- */

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

	if (p->fit == SS_AUTHZ_REGEX)
		return world_fits(p->value, v);
	if (!strcmp(p->value, "/a/{*}"))
		return world_fits("/a/[^/]+", v);
	if (strchr(p->value, '{'))
		return world_fits("/[^/]+/b/.*", v);
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
	const char *id, *ns, *path, *ip, *method, *host, *sni, *port;
	const char *header[2][2]; /* x-a and x-b: up to two values each, "" for none */
	const char *claim;
};

static bool naive_id(const struct ss_model_id *m, const char *id)
{
	if (m->kind == SS_ID_REGEX)
		return world_fits(m->value, id);

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

static bool naive_one_of(const struct ss_model_texts *texts, const struct ss_model_texts *regex,
			 const char *v)
{
	return *v && (SOME_FITS(texts->n, naive_text(texts->v[i_], v)) ||
		      SOME_FITS(regex->n, world_fits(regex->v[i_], v)));
}

static bool naive_sign(const char *key, const struct ss_model_texts *texts,
		       const struct ss_model_texts *regex, const struct naive *q)
{
	if (strstr(key, "claims"))
		return naive_one_of(texts, regex, q->claim);
	if (strstr(key, "sni"))
		return naive_one_of(texts, regex, q->sni);
	const char *const *sent = q->header[strstr(key, "x-b") != NULL];
	return naive_one_of(texts, regex, sent[0]) || naive_one_of(texts, regex, sent[1]);
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
	if (o->hosts.n && !SOME_FITS(o->hosts.n, naive_text(o->hosts.v[i_], q->host)))
		return false;
	if (o->not_hosts.n && SOME_FITS(o->not_hosts.n, naive_text(o->not_hosts.v[i_], q->host)))
		return false;
	if (o->ports.n && !SOME_FITS(o->ports.n, !strcmp(o->ports.v[i_], q->port)))
		return false;
	for (uint32_t k = 0; k < m->n_when; k++) {
		const struct ss_model_condition *c = &m->when[k];
		if ((c->values.n || c->regex.n) && !naive_sign(c->key, &c->values, &c->regex, q))
			return false;
		if ((c->not_values.n || c->not_regex.n) &&
		    naive_sign(c->key, &c->not_values, &c->not_regex, q))
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
	static const char *const plain[] = {"1", "2", "12", "21", "x"};
	static const struct ss_span names[] = {{(const uint8_t *)"x-a", 3}, {(const uint8_t *)"x-b", 3}};
	static char ns[32], fact[60];
	struct ss_span space;

	*n = (struct naive){.id = PICK(r, ids),
			    .path = PICK(r, paths),
			    .ip = PICK(r, ips),
			    .method = PICK(r, methods),
			    .host = PICK(r, hosts),
			    .sni = PICK(r, snis),
			    .port = PICK(r, ports),
			    .claim = ss_rng_chance(r, 1, 2) ? "" : PICK(r, plain)};
	authz_question(q);
	q->head.method = ss_span_str(n->method);
	q->head.path = ss_span_str(n->path);
	q->head.authority = ss_span_str(n->host);
	q->rq.sni = ss_span_str(n->sni);
	q->local.port = (uint16_t)atoi(n->port);
	q->rq.peer_identity = ss_span_str(n->id);
	ss_ip_parse(n->ip, &q->peer.ip);
	for (int i = 0; i < 4; i++) {
		const char *v = n->header[i / 2][i % 2] = ss_rng_chance(r, 1, 2) ? "" : PICK(r, plain);
		if (*v)
			ss_hdrs_add(&q->head, names[i / 2], ss_span_str(v), 0);
	}
	snprintf(fact, sizeof(fact), "claims={\"d\":1,\"c\":[\"%s\"]}", n->claim); /* nodes point into it */
	authz_fact(q, fact);
	space = ss_authz_namespace(q->rq.peer_identity);
	snprintf(ns, sizeof(ns), "%.*s", (int)space.n, space.n ? (const char *)space.p : "");
	n->ns = ns;
}

static void ask_many(struct ss_rng *r, struct world *w, const struct ss_model_authz *a, uint32_t *denied,
		     uint32_t *by_rule, uint32_t *would)
{
	for (int i = 0; i < 60; i++) {
		struct question q;
		struct naive nq;
		char want[200], got[200];
		random_question(r, &q, &nq);
		struct ss_route_decision d = authz_decide(w, &q);
		naive_answer(a, &nq, want, sizeof(want));
		snprintf(got, sizeof(got), "%s by %s, would %d by %s, audit %s",
			 d.drop ? "denied" : "allowed", authz_name(w, d.rule), d.dry_denied,
			 authz_name(w, d.dry_rule), authz_name(w, d.audit));
		assert_string_equal(got, want);
		*denied += d.drop != 0;
		*by_rule += d.rule != NULL;
		*would += d.dry_denied;
	}
}

static void the_index_misses_nothing(void **state)
{
	struct ss_rng r;
	uint32_t denied = 0, by_rule = 0, would = 0, rounds = 300;

	ss_rng_seed(&r, world_seed(7));
	for (uint32_t round = 0; round < rounds; round++) {
		struct world w;
		struct ss_model_authz *a;
		uint32_t n = ss_rng_below(&r, round % 8 == 0 ? 200 : 24);
		authz_world(&w);
		a = &w.listener->authz;
		*a = (struct ss_model_authz){.present = true, .default_deny = ss_rng_chance(&r, 1, 4)};
		a->rules = world_array(n + 1, sizeof(*a->rules));
		while (a->n_rules < n)
			random_rule(&r, a);
		if (world_build(&w))
			fail_msg("%s", w.errors.n ? w.errors.text[0] : "no snapshot");
		assert_true((w.l.authz->index != NULL) == (w.l.authz->n_rules >= 8));
		ask_many(&r, &w, a, &denied, &by_rule, &would);
		world_end(&w);
	}
	/* The questions were worth asking. */
	assert_in_range(denied, rounds * 6, rounds * 54);
	assert_true(by_rule > rounds * 6 && would > rounds);
}

/* Of 1,000 rules that only ask for one header's value, path's expression and so on, a request meets few. */
static void rules_without_identity_are_found(void **state)
{
	static const char *const forms[] = {
		"request.headers[x-tenant]=t%u",   "request.headers[x-tenant]=t%u-*",
		"request.headers[x-tenant]=*-t%u", "request.headers[x-tenant-%u]=*",
		"request.auth.claims[tenant]=t%u", "connection.sni=t%u.example",
		"request.auth.principal=iss/t%u",  "destination.port=%u",
		"source.ip=10.1.%u.0/24",          "request.headers[x-tenant]~t[0]*%u",
		"API-%u.example"};

	for (size_t f = 0; f < SS_ARRAY_LEN(forms); f++) {
		struct world w;
		struct ss_model_authz *a;
		authz_world(&w);
		a = &w.listener->authz;
		*a = (struct ss_model_authz){.present = true, .rules = world_array(250, sizeof(*a->rules))};
		while (a->n_rules < 250) {
			struct ss_model_authz_rule *m = &a->rules[a->n_rules++];
			char when[60];
			snprintf(when, sizeof(when), forms[f], a->n_rules);
			*m = (struct ss_model_authz_rule){.name = world_text(when),
							  .src = {"t.cfg", 1},
							  .when = world_array(1, sizeof(*m->when))};
			if (f + 1 < SS_ARRAY_LEN(forms))
				authz_when(m, when);
			else
				authz_part(m, "ids", when);
		}
		assert_int_equal(world_build(&w), 0);
		assert_int_equal(w.l.authz->index->rest_n, 0);
		for (uint32_t i = 0; i <= w.l.authz->index->mask; i++)
			assert_true(w.l.authz->index->slots[i].n <= 1);
		world_end(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_index_misses_nothing),
		cmocka_unit_test(rules_without_identity_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
