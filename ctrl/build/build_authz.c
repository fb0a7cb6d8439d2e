/*
 * build_authz.c - policies as contract/authz.h has them: every rule of the file, for each pair of its sources
 * and operations, is a list of parts; sorted by class, each class in the order of the file, policies' rules
 * first.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "build/build_authz.h"

/* A scope under way. */
struct scope {
	struct ss_build_job *j;
	struct ss_authz *a;
	struct ss_authz_rule *rules;
	const struct ss_model_src *src; /* of the rule under way, for errors */
	int err;
};

static void wrong(struct scope *s, const char *key, const char *value, const char *why)
{
	ss_model_error(s->j->errors, s->src, key, "\"%s\" %s", value, why);
	s->err = SS_ERR_CONFIG;
}

static void *array(struct scope *s, size_t n, size_t size)
{
	void *p = ss_build_array(s->j, n, size);

	if (!p)
		s->err = SS_ERR_NO_MEM;
	return p;
}

/* -- values -- */

/* "*", "*x", "x*" or "x", as Istio writes them. */
static struct ss_authz_text star_text(struct ss_build_job *j, const char *text, bool lower)
{
	struct ss_span v = lower ? ss_build_lower(j, text) : ss_build_text(j, text);

	if (v.n == 1 && v.p[0] == '*')
		return (struct ss_authz_text){SS_AUTHZ_PRESENT, SS_SPAN_NONE};
	if (v.n && v.p[0] == '*')
		return (struct ss_authz_text){SS_AUTHZ_SUFFIX, ss_span(v.p + 1, v.n - 1)};
	if (v.n && v.p[v.n - 1] == '*')
		return (struct ss_authz_text){SS_AUTHZ_PREFIX, ss_span(v.p, v.n - 1)};
	return (struct ss_authz_text){SS_AUTHZ_EXACT, v};
}

static void make_texts(struct scope *s, struct ss_authz_part *p, const struct ss_model_texts *m,
		       const char *key)
{
	struct ss_authz_text *t = array(s, m->n, sizeof(*t));

	for (uint32_t i = 0; t && i < m->n; i++) {
		t[i] = star_text(s->j, m->v[i], p->kind == SS_AUTHZ_HOST || p->kind == SS_AUTHZ_SNI);
		if (t[i].value.n && memchr(t[i].value.p, '*', t[i].value.n))
			wrong(s, key, m->v[i], "has a star elsewhere than at one end");
	}
	p->texts = t;
}

/* "Below /users" is often written with a star after the slash: it goes, the rest is whole segments. */
static struct ss_authz_text path_text(struct scope *s, const struct ss_model_path *m)
{
	struct ss_authz_text t;

	if (m->fit != SS_AUTHZ_UNDER)
		return (struct ss_authz_text){(uint8_t)m->fit, ss_build_text(s->j, m->value)};
	t = star_text(s->j, m->value, false);
	if (t.fit == SS_AUTHZ_EXACT ||
	    (t.fit == SS_AUTHZ_PREFIX && t.value.n && t.value.p[t.value.n - 1] == '/'))
		t.fit = SS_AUTHZ_UNDER;
	return t;
}

static void make_paths(struct scope *s, struct ss_authz_part *p, const struct ss_model_paths *m,
		       const char *key)
{
	struct ss_authz_text *t = array(s, m->n, sizeof(*t));

	for (uint32_t i = 0; t && i < m->n; i++) {
		bool stands_first;
		t[i] = path_text(s, &m->v[i]);
		stands_first = t[i].fit != SS_AUTHZ_SUFFIX && t[i].fit != SS_AUTHZ_PRESENT;
		if ((stands_first && (!t[i].value.n || t[i].value.p[0] != '/')) ||
		    (t[i].value.n && memchr(t[i].value.p, '*', t[i].value.n)))
			wrong(s, key, m->v[i].value,
			      "is not a path (\"/users\", \"/users/*\", \"*.html\", \"*\")");
	}
	p->texts = t;
}

/* "10.0.0.0/8", "fd00::1". Bits behind the prefix must be zero: else somebody meant something else. */
static bool net_of(const char *text, struct ss_authz_net *out)
{
	char ip[SS_IP_TEXT];
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	unsigned long bits;
	char *end;

	if (n >= sizeof(ip))
		return false;
	memcpy(ip, text, n);
	ip[n] = 0;
	if (ss_ip_parse(ip, &out->ip) < 0)
		return false;
	bits = out->ip.family == 4 ? 32 : 128;
	out->bits = (uint8_t)bits;
	if (!slash)
		return true;
	if (slash[1] < '0' || slash[1] > '9' || strtoul(slash + 1, &end, 10) > bits || *end)
		return false;
	out->bits = (uint8_t)strtoul(slash + 1, NULL, 10);
	for (uint32_t b = out->bits; b < bits; b++)
		if (out->ip.b[b / 8] & (0x80 >> b % 8))
			return false;
	return true;
}

static void make_nets(struct scope *s, struct ss_authz_part *p, const struct ss_model_texts *m,
		      const char *key)
{
	struct ss_authz_net *n = array(s, m->n, sizeof(*n));

	for (uint32_t i = 0; n && i < m->n; i++)
		if (!net_of(m->v[i], &n[i]))
			wrong(s, key, m->v[i], "is neither an address nor a network (\"10.1.0.0/16\")");
	p->nets = n;
}

static void make_ports(struct scope *s, struct ss_authz_part *p, const struct ss_model_texts *m,
		       const char *key)
{
	uint16_t *ports = array(s, m->n, sizeof(*ports));

	for (uint32_t i = 0; ports && i < m->n; i++) {
		char *end;
		unsigned long v = strtoul(m->v[i], &end, 10);
		if (m->v[i][0] < '0' || m->v[i][0] > '9' || *end || !v || v > 65535)
			wrong(s, key, m->v[i], "is no port");
		ports[i] = (uint16_t)v;
	}
	p->ports = ports;
}

/* -- parts -- */

/* Room for every part that one source, one operation and all conditions may have. */
#define OWN_PARTS 18u

struct parts {
	struct ss_authz_part *v;
	uint16_t n;
};

static struct ss_authz_part *add_part(struct scope *s, struct parts *ps, enum ss_authz_kind kind, bool invert,
				      uint32_t n, const char *key)
{
	struct ss_authz_part *p = &ps->v[ps->n++];

	*p = (struct ss_authz_part){.kind = (uint8_t)kind, .invert = invert, .n = (uint16_t)n};
	if (n > UINT16_MAX)
		wrong(s, key, "", "has too many values");
	return p;
}

static void add_texts(struct scope *s, struct parts *ps, enum ss_authz_kind kind, bool invert,
		      const struct ss_model_texts *m, const char *key)
{
	struct ss_authz_part *p;

	if (!m->n)
		return;
	p = add_part(s, ps, kind, invert, m->n, key);
	if (kind == SS_AUTHZ_SOURCE_IP || kind == SS_AUTHZ_REMOTE_IP || kind == SS_AUTHZ_LOCAL_IP)
		make_nets(s, p, m, key);
	else if (kind == SS_AUTHZ_PORT)
		make_ports(s, p, m, key);
	else
		make_texts(s, p, m, key);
}

static void add_ids(struct scope *s, struct parts *ps, bool invert, uint32_t n, const struct ss_model_id *m,
		    const char *key)
{
	struct ss_authz_part *p;
	int err;

	if (!n)
		return;
	p = add_part(s, ps, SS_AUTHZ_ID, invert, n, key);
	err = ss_build_ids(s->j, n, m, &p->n, &p->ids);
	s->err = err < 0 ? err : s->err;
}

static void add_source(struct scope *s, struct parts *ps, const struct ss_model_source *m)
{
	add_ids(s, ps, false, m->n_ids, m->ids, "ids");
	add_ids(s, ps, true, m->n_not_ids, m->not_ids, "not_ids");
	add_texts(s, ps, SS_AUTHZ_NAMESPACE, false, &m->namespaces, "namespaces");
	add_texts(s, ps, SS_AUTHZ_NAMESPACE, true, &m->not_namespaces, "not_namespaces");
	add_texts(s, ps, SS_AUTHZ_TOKEN, false, &m->tokens, "request_principals");
	add_texts(s, ps, SS_AUTHZ_TOKEN, true, &m->not_tokens, "not_request_principals");
	add_texts(s, ps, SS_AUTHZ_SOURCE_IP, false, &m->source_ips, "source_ips");
	add_texts(s, ps, SS_AUTHZ_SOURCE_IP, true, &m->not_source_ips, "not_source_ips");
	add_texts(s, ps, SS_AUTHZ_REMOTE_IP, false, &m->remote_ips, "remote_ips");
	add_texts(s, ps, SS_AUTHZ_REMOTE_IP, true, &m->not_remote_ips, "not_remote_ips");
}

static void add_operation(struct scope *s, struct parts *ps, const struct ss_model_operation *m)
{
	if (m->methods)
		add_part(s, ps, SS_AUTHZ_METHOD, false, 1, "methods")->methods = m->methods;
	if (m->not_methods)
		add_part(s, ps, SS_AUTHZ_METHOD, true, 1, "not_methods")->methods = m->not_methods;
	if (m->paths.n)
		make_paths(s, add_part(s, ps, SS_AUTHZ_PATH, false, m->paths.n, "paths"), &m->paths, "paths");
	if (m->not_paths.n)
		make_paths(s, add_part(s, ps, SS_AUTHZ_PATH, true, m->not_paths.n, "not_paths"),
			   &m->not_paths, "not_paths");
	add_texts(s, ps, SS_AUTHZ_HOST, false, &m->hosts, "hosts");
	add_texts(s, ps, SS_AUTHZ_HOST, true, &m->not_hosts, "not_hosts");
	add_texts(s, ps, SS_AUTHZ_PORT, false, &m->ports, "ports");
	add_texts(s, ps, SS_AUTHZ_PORT, true, &m->not_ports, "not_ports");
}

/* -- conditions: Istio's attribute names -- */

static const struct {
	const char *key;
	enum ss_authz_kind kind;
	const char *claim;
} attributes[] = {
	{"source.ip", SS_AUTHZ_SOURCE_IP, NULL},
	{"remote.ip", SS_AUTHZ_REMOTE_IP, NULL},
	{"source.namespace", SS_AUTHZ_NAMESPACE, NULL},
	{"source.principal", SS_AUTHZ_ID, NULL},
	{"request.auth.principal", SS_AUTHZ_TOKEN, NULL},
	{"request.auth.audiences", SS_AUTHZ_CLAIM, "aud"},
	{"request.auth.presenter", SS_AUTHZ_CLAIM, "azp"},
	{"destination.ip", SS_AUTHZ_LOCAL_IP, NULL},
	{"destination.port", SS_AUTHZ_PORT, NULL},
	{"connection.sni", SS_AUTHZ_SNI, NULL},
};

/* "[a][b]" as a path: each name and a NUL. Empty when it is not well formed. */
static struct ss_span bracket_path(struct ss_build_job *j, const char *text)
{
	struct ss_span s = ss_build_text(j, text);
	uint8_t *to = (uint8_t *)s.p;
	const uint8_t *p = s.p, *end = s.p + s.n;

	while (p < end) {
		const uint8_t *close = *p == '[' ? memchr(p, ']', (size_t)(end - p)) : NULL;
		if (!close || close == p + 1)
			return SS_SPAN_NONE;
		memmove(to, p + 1, (size_t)(close - p - 1));
		to += close - p - 1;
		*to++ = 0;
		p = close + 1;
	}
	return ss_span(s.p, (uint32_t)(to - s.p));
}

struct ss_span ss_build_claim_path(struct ss_build_job *j, const char *text)
{
	struct ss_span s;

	if (text[0] == '[')
		return bracket_path(j, text);
	s = ss_build_text(j, text);
	s.n += s.n > 0; /* with its NUL */
	return s;
}

static bool attribute_of(struct scope *s, const char *key, struct ss_authz_part *p)
{
	static const char header[] = "request.headers[", claims[] = "request.auth.claims";

	for (size_t i = 0; i < SS_ARRAY_LEN(attributes); i++) {
		if (strcmp(key, attributes[i].key))
			continue;
		p->kind = (uint8_t)attributes[i].kind;
		p->key = ss_build_text(s->j, attributes[i].claim);
		p->key.n += p->key.n > 0; /* with its NUL: a path of one name */
		return true;
	}
	if (!strncmp(key, claims, sizeof(claims) - 1)) {
		p->kind = SS_AUTHZ_CLAIM;
		p->key = bracket_path(s->j, key + sizeof(claims) - 1);
		return p->key.n > 0;
	}
	if (strncmp(key, header, sizeof(header) - 1) || key[strlen(key) - 1] != ']')
		return false;
	p->kind = SS_AUTHZ_HEADER;
	p->key = ss_build_lower(s->j, key + sizeof(header) - 1);
	p->key.n--;
	return p->key.n > 0;
}

/* Identities in a condition are texts with stars; spiffe:// may be left out, as Istio does. */
static void make_id_texts(struct scope *s, struct ss_authz_part *p, const struct ss_model_texts *m,
			  const char *key)
{
	struct ss_id_match *ids = array(s, m->n, sizeof(*ids));

	for (uint32_t i = 0; ids && i < m->n; i++) {
		char full[1100];
		bool bare = m->v[i][0] != '*' && strncmp(m->v[i], "spiffe://", 9);
		snprintf(full, sizeof(full), "%s%s", bare ? "spiffe://" : "", m->v[i]);
		struct ss_authz_text t = star_text(s->j, full, false);
		ids[i] = (struct ss_id_match){.value = t.value,
					      .kind = t.fit == SS_AUTHZ_EXACT    ? SS_ID_EXACT
						      : t.fit == SS_AUTHZ_SUFFIX ? SS_ID_SUFFIX
						      : t.fit == SS_AUTHZ_PREFIX ? SS_ID_BEGINS
										 : SS_ID_ANY};
	}
	p->ids = ids;
}

static void add_condition(struct scope *s, struct parts *ps, const struct ss_model_condition *m)
{
	const struct ss_model_texts *v[] = {&m->values, &m->not_values};
	static const char *const keys[] = {"values", "not_values"};

	for (int invert = 0; invert < 2; invert++) {
		struct ss_authz_part named = {0};
		if (!v[invert]->n)
			continue;
		if (!attribute_of(s, m->key, &named)) {
			wrong(s, "when", m->key, "is no attribute that a condition can ask about");
			return;
		}
		if (named.kind == SS_AUTHZ_ID) {
			struct ss_authz_part *p =
				add_part(s, ps, SS_AUTHZ_ID, invert, v[invert]->n, keys[invert]);
			make_id_texts(s, p, v[invert], keys[invert]);
		} else {
			add_texts(s, ps, named.kind, invert, v[invert], keys[invert]);
			ps->v[ps->n - 1].key = named.key;
		}
	}
}

/* -- rules -- */

static uint8_t class_of(enum ss_authz_action action, bool dry)
{
	if (action == SS_AUTHZ_AUDIT)
		return SS_AUTHZ_C_AUDIT;
	if (action == SS_AUTHZ_DENY)
		return dry ? SS_AUTHZ_C_DRY_DENY : SS_AUTHZ_C_DENY;
	return dry ? SS_AUTHZ_C_DRY_ALLOW : SS_AUTHZ_C_ALLOW;
}

static void add_pair(struct scope *s, const struct ss_model_authz_rule *m, const struct ss_authz_rule *like,
		     const struct ss_model_source *from, const struct ss_model_operation *to)
{
	struct parts ps = {array(s, OWN_PARTS + 2 * m->n_when, sizeof(*ps.v)), 0};
	struct ss_authz_rule *r = &s->rules[s->a->n_rules++];

	if (!ps.v)
		return;
	/* What is cheap to ask and often says no, first. */
	add_operation(s, &ps, to);
	add_source(s, &ps, from);
	for (uint32_t i = 0; i < m->n_when; i++)
		add_condition(s, &ps, &m->when[i]);
	*r = *like;
	r->parts = ps.v;
	r->n_parts = ps.n;
}

static void add_rule(struct scope *s, const struct ss_model_authz_rule *m, const char *policy,
		     enum ss_authz_action action, bool dry)
{
	const struct ss_model_source *from = m->n_from ? m->from : &m->source;
	const struct ss_model_operation *to = m->n_to ? m->to : &m->operation;
	struct ss_authz_rule like = {.name = ss_build_name(s->j, m->name ? m->name : policy),
				     .slot = s->j->policies ? ss_policies_slot(s->j->policies, policy) : 0,
				     .action = (uint8_t)action,
				     .class = class_of(action, dry),
				     .dry_run = dry};

	s->src = &m->src;
	for (uint32_t i = 0; i < (m->n_from ? m->n_from : 1); i++)
		for (uint32_t k = 0; k < (m->n_to ? m->n_to : 1); k++)
			add_pair(s, m, &like, &from[i], &to[k]);
	s->a->any_allow |= like.class == SS_AUTHZ_C_ALLOW;
	s->a->any_dry_allow |= like.class == SS_AUTHZ_C_DRY_ALLOW;
}

static const struct ss_model_policy *policy_of(const struct ss_build_job *j, const char *name)
{
	uint32_t i = ss_model_policy(j->model, name);

	return i == SS_MODEL_NONE ? NULL : &j->model->policies[i];
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

static void add_class(struct scope *s, const struct ss_model_authz *m, uint8_t class)
{
	for (uint32_t i = 0; i < m->n_policies; i++) {
		const struct ss_model_policy *p = policy_of(s->j, m->policies[i]);
		for (uint32_t k = 0; p && k < p->n_rules; k++)
			if (class_of(p->action, p->dry_run || p->rules[k].dry_run) == class)
				add_rule(s, &p->rules[k], p->name, p->action,
					 p->dry_run || p->rules[k].dry_run);
	}
	for (uint32_t i = 0; i < m->n_rules; i++)
		if (class_of(m->rules[i].action, m->rules[i].dry_run) == class)
			add_rule(s, &m->rules[i], m->rules[i].name, m->rules[i].action, m->rules[i].dry_run);
}

/* An ALLOW policy without rules allows nobody, as Istio's does: it is there, and nothing fits. */
static void empty_policies(struct scope *s, const struct ss_model_authz *m)
{
	for (uint32_t i = 0; i < m->n_policies; i++) {
		const struct ss_model_policy *p = policy_of(s->j, m->policies[i]);
		if (p && !p->n_rules && p->action == SS_AUTHZ_ALLOW)
			*(p->dry_run ? &s->a->any_dry_allow : &s->a->any_allow) = true;
	}
}

int ss_build_authz(struct ss_build_job *j, const struct ss_model_authz *m, const struct ss_authz **out)
{
	struct scope s = {.j = j, .a = ss_build_alloc(j, sizeof(*s.a))};

	s.rules = ss_build_array(j, count_rules(j, m), sizeof(*s.rules));
	if (!s.a || !s.rules)
		return SS_ERR_NO_MEM;
	for (uint8_t class = 0; class < SS_AUTHZ_CLASSES; class++)
		add_class(&s, m, class);
	empty_policies(&s, m);
	s.a->default_deny = m->default_deny;
	s.a->inherit = m->inherit;
	s.a->rules = s.rules;
	*out = s.a;
	return s.err < 0 ? s.err : ss_build_authz_index(j, s.a);
}
