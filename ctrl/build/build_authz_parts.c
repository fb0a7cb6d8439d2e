/* build_authz_parts.c - what a rule asks about: its operation, its source, its conditions, a part each. */
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "build/build_authz.h"

void ss_build_authz_wrong(struct ss_build_scope *s, const char *key, const char *value, const char *why)
{
	ss_model_error(s->j->errors, s->src, key, "\"%s\" %s", value, why);
	s->err = SS_ERR_CONFIG;
}

static void *array(struct ss_build_scope *s, size_t n, size_t size)
{
	void *p = ss_build_array(s->j, n, size);

	if (!p)
		s->err = SS_ERR_NO_MEM;
	return p;
}

/* -- values -- */

struct ss_authz_text ss_build_star_text(struct ss_build_job *j, const char *text, bool lower)
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

static void make_texts(struct ss_build_scope *s, struct ss_authz_part *p, const struct ss_model_texts *m,
		       const char *key)
{
	struct ss_authz_text *t = array(s, m->n, sizeof(*t));

	for (uint32_t i = 0; t && i < m->n; i++) {
		t[i] = ss_build_star_text(s->j, m->v[i], p->kind == SS_AUTHZ_HOST || p->kind == SS_AUTHZ_SNI);
		if (t[i].value.n && memchr(t[i].value.p, '*', t[i].value.n))
			ss_build_authz_wrong(s, key, m->v[i], "has a star elsewhere than at one end");
	}
	p->texts = t;
}

/* "Below /users" is often written with a star after the slash: it goes, the rest is whole segments. */
static struct ss_authz_text path_text(struct ss_build_scope *s, const struct ss_model_path *m)
{
	struct ss_authz_text t;

	if (m->fit == SS_AUTHZ_UNDER && strchr(m->value, '{'))
		return (struct ss_authz_text){SS_AUTHZ_TEMPLATE, SS_SPAN_NONE};
	if (m->fit != SS_AUTHZ_UNDER)
		return (struct ss_authz_text){(uint8_t)m->fit, ss_build_text(s->j, m->value)};
	t = ss_build_star_text(s->j, m->value, false);
	if (t.fit == SS_AUTHZ_EXACT ||
	    (t.fit == SS_AUTHZ_PREFIX && t.value.n && t.value.p[t.value.n - 1] == '/'))
		t.fit = SS_AUTHZ_UNDER;
	return t;
}

static bool is_path(const struct ss_authz_text *t)
{
	bool stands_first = t->fit != SS_AUTHZ_SUFFIX && t->fit != SS_AUTHZ_PRESENT;

	return (!stands_first || (t->value.n && t->value.p[0] == '/')) &&
	       !(t->value.n && memchr(t->value.p, '*', t->value.n));
}

static void make_paths(struct ss_build_scope *s, struct ss_authz_part *p, const struct ss_model_paths *m,
		       const char *key)
{
	struct ss_authz_text *t = array(s, m->n, sizeof(*t));
	const char **patterns = array(s, m->n, sizeof(*patterns));
	uint32_t n_patterns = 0;

	p->n = 0;
	for (uint32_t i = 0; t && patterns && i < m->n; i++) {
		struct ss_authz_text one = path_text(s, &m->v[i]);
		if (one.fit == SS_AUTHZ_REGEX)
			patterns[n_patterns++] = m->v[i].value;
		else if (one.fit == SS_AUTHZ_TEMPLATE)
			patterns[n_patterns++] = ss_build_authz_template(s, m->v[i].value, key);
		else if (is_path(&one))
			t[p->n++] = one;
		else
			ss_build_authz_wrong(s, key, m->v[i].value,
					     "is not a path (\"/users\", \"/users/*\", \"*.html\", \"*\")");
	}
	p->texts = t;
	ss_build_authz_regex_part(s, p, patterns, n_patterns, key);
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

static void make_nets(struct ss_build_scope *s, struct ss_authz_part *p, const struct ss_model_texts *m,
		      const char *key)
{
	struct ss_authz_net *n = array(s, m->n, sizeof(*n));

	for (uint32_t i = 0; n && i < m->n; i++)
		if (!net_of(m->v[i], &n[i]))
			ss_build_authz_wrong(s, key, m->v[i],
					     "is neither an address nor a network (\"10.1.0.0/16\")");
	p->nets = n;
}

static void make_ports(struct ss_build_scope *s, struct ss_authz_part *p, const struct ss_model_texts *m,
		       const char *key)
{
	uint16_t *ports = array(s, m->n, sizeof(*ports));

	for (uint32_t i = 0; ports && i < m->n; i++) {
		char *end;
		unsigned long v = strtoul(m->v[i], &end, 10);
		if (m->v[i][0] < '0' || m->v[i][0] > '9' || *end || !v || v > 65535)
			ss_build_authz_wrong(s, key, m->v[i], "is no port");
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

static struct ss_authz_part *add_part(struct ss_build_scope *s, struct parts *ps, enum ss_authz_kind kind,
				      bool invert, uint32_t n, const char *key)
{
	struct ss_authz_part *p = &ps->v[ps->n++];

	*p = (struct ss_authz_part){.kind = (uint8_t)kind, .invert = invert, .n = (uint16_t)n};
	if (n > UINT16_MAX)
		ss_build_authz_wrong(s, key, "", "has too many values");
	return p;
}

static void make_values(struct ss_build_scope *s, struct ss_authz_part *p, const struct ss_model_texts *m,
			const char *key)
{
	if (p->kind == SS_AUTHZ_PORT)
		make_ports(s, p, m, key);
	else if (p->kind == SS_AUTHZ_SOURCE_IP || p->kind == SS_AUTHZ_REMOTE_IP ||
		 p->kind == SS_AUTHZ_LOCAL_IP)
		make_nets(s, p, m, key);
	else
		make_texts(s, p, m, key);
}

static void add_texts(struct ss_build_scope *s, struct parts *ps, enum ss_authz_kind kind, bool invert,
		      const struct ss_model_texts *m, const char *key)
{
	if (m->n)
		make_values(s, add_part(s, ps, kind, invert, m->n, key), m, key);
}

static void add_ids(struct ss_build_scope *s, struct parts *ps, bool invert, uint32_t n,
		    const struct ss_model_id *m, const char *key)
{
	struct ss_model_id *plain = array(s, n, sizeof(*plain));
	const char **patterns = array(s, n, sizeof(*patterns));
	uint32_t n_plain = 0, n_patterns = 0;
	struct ss_authz_part *p;
	int err;

	if (!n || !plain || !patterns)
		return;
	for (uint32_t i = 0; i < n; i++) {
		if (m[i].kind == SS_ID_REGEX)
			patterns[n_patterns++] = m[i].value;
		else
			plain[n_plain++] = m[i];
	}
	p = add_part(s, ps, SS_AUTHZ_ID, invert, n, key);
	err = ss_build_ids(s->j, n_plain, plain, &p->n, &p->ids);
	s->err = err < 0 ? err : s->err;
	ss_build_authz_regex_part(s, p, patterns, n_patterns, key);
}

static void add_source(struct ss_build_scope *s, struct parts *ps, const struct ss_model_source *m)
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

static void add_operation(struct ss_build_scope *s, struct parts *ps, const struct ss_model_operation *m)
{
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
	{"source.ip", SS_AUTHZ_SOURCE_IP, NULL},           {"remote.ip", SS_AUTHZ_REMOTE_IP, NULL},
	{"source.namespace", SS_AUTHZ_NAMESPACE, NULL},    {"source.principal", SS_AUTHZ_ID, NULL},
	{"request.auth.principal", SS_AUTHZ_TOKEN, NULL},  {"request.auth.audiences", SS_AUTHZ_CLAIM, "aud"},
	{"request.auth.presenter", SS_AUTHZ_CLAIM, "azp"}, {"destination.ip", SS_AUTHZ_LOCAL_IP, NULL},
	{"destination.port", SS_AUTHZ_PORT, NULL},         {"connection.sni", SS_AUTHZ_SNI, NULL},
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

static bool attribute_of(struct ss_build_scope *s, const char *key, struct ss_authz_part *p)
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
	if (ss_span_eq(p->key, SS_SPAN(":authority")))
		p->key = SS_SPAN("host");
	return p->key.n > 0 && p->key.p[0] != ':'; /* no other pseudo-header is among the fields */
}

/* Identities in a condition are texts with stars; spiffe:// may be left out, as Istio does. */
static void make_id_texts(struct ss_build_scope *s, struct ss_authz_part *p, const struct ss_model_texts *m,
			  const char *key)
{
	struct ss_id_match *ids = array(s, m->n, sizeof(*ids));

	for (uint32_t i = 0; ids && i < m->n; i++) {
		char full[1100];
		bool bare = m->v[i][0] != '*' && strncmp(m->v[i], "spiffe://", 9);
		snprintf(full, sizeof(full), "%s%s", bare ? "spiffe://" : "", m->v[i]);
		struct ss_authz_text t = ss_build_star_text(s->j, full, false);
		ids[i] = (struct ss_id_match){.value = t.value,
					      .kind = t.fit == SS_AUTHZ_EXACT    ? SS_ID_EXACT
						      : t.fit == SS_AUTHZ_SUFFIX ? SS_ID_SUFFIX
						      : t.fit == SS_AUTHZ_PREFIX ? SS_ID_BEGINS
										 : SS_ID_ANY};
	}
	p->ids = ids;
}

static bool is_text(uint8_t kind)
{
	return kind != SS_AUTHZ_PORT && kind != SS_AUTHZ_SOURCE_IP && kind != SS_AUTHZ_REMOTE_IP &&
	       kind != SS_AUTHZ_LOCAL_IP;
}

/* Values and expressions of one sign are one part. */
static void add_sign(struct ss_build_scope *s, struct parts *ps, const struct ss_authz_part *named,
		     bool invert, const struct ss_model_texts *values, const struct ss_model_texts *regex)
{
	const char *key = invert ? "not_values" : "values", *regex_key = invert ? "not_regex" : "regex";
	struct ss_authz_part *p;

	if (!values->n && !regex->n)
		return;
	p = add_part(s, ps, named->kind, invert, values->n, key);
	p->key = named->key;
	if (named->kind == SS_AUTHZ_ID)
		make_id_texts(s, p, values, key);
	else
		make_values(s, p, values, key);
	if (regex->n && !is_text(named->kind))
		ss_build_authz_wrong(s, regex_key, regex->v[0], "is about something that is not text");
	else
		ss_build_authz_regex_part(s, p, (const char *const *)regex->v, regex->n, regex_key);
}

static void add_condition(struct ss_build_scope *s, struct parts *ps, const struct ss_model_condition *m)
{
	struct ss_authz_part named = {0};

	if (!attribute_of(s, m->key, &named)) {
		ss_build_authz_wrong(s, "when", m->key, "is no attribute that a condition can ask about");
		return;
	}
	add_sign(s, ps, &named, false, &m->values, &m->regex);
	add_sign(s, ps, &named, true, &m->not_values, &m->not_regex);
}

void ss_build_authz_parts(struct ss_build_scope *s, const struct ss_model_source *from,
			  const struct ss_model_operation *to, const struct ss_model_authz_rule *m,
			  struct ss_authz_rule *r)
{
	struct parts ps = {array(s, OWN_PARTS + 2 * m->n_when, sizeof(*ps.v)), 0};

	if (!ps.v)
		return;
	/* What is cheap to ask and often says no, first. */
	add_operation(s, &ps, to);
	add_source(s, &ps, from);
	for (uint32_t i = 0; i < m->n_when; i++)
		add_condition(s, &ps, &m->when[i]);
	r->not_methods = to->not_methods | (to->methods ? (uint16_t)~to->methods : 0);
	r->parts = ps.v;
	r->n_parts = ps.n;
}
