/*
 * decide_test.c - what build compiles and route reads, together: the cases of route_cases.txt, and random
 * tables against a naive scan. Authorization: authz_cases_test.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <regex.h>
#include <stdio.h>
#include <time.h>

#include "build/build_fake.h"

#include "base/rng.h"
#include "contract/names.h"
#include "route/route.h"

#define MAX 64
#define MAX_ROUTES 10000

static const char *route_cases;

/* -- a world under test: model, job, tables -- */

static struct ss_model *owner; /* of what array and text make */

static void *array(size_t n, size_t size)
{
	return ss_model_alloc(owner, n * size);
}

static char *text(const char *s)
{
	return ss_model_text(owner, s);
}

static char *text_n(const char *s, size_t n)
{
	char *p = array(n + 1, 1);

	memcpy(p, s, n);
	return p;
}

struct world {
	struct ss_model *m;
	struct ss_model_errors errors;
	struct ss_build_job j;
	struct ss_snapshot snap;
	struct ss_listener l;
	struct ss_authz open;
};

static void world_start(struct world *w)
{
	memset(w, 0, sizeof(*w));
	owner = w->m = ss_model_new();
	w->m->hosts = array(MAX, sizeof(*w->m->hosts));
	w->m->clusters = array(3, sizeof(*w->m->clusters));
	w->m->clusters[0].name = text("c");
	w->m->n_clusters = 1;
	w->j = (struct ss_build_job){.model = w->m,
				     .names = ss_names_create(100000),
				     .n_workers = 1,
				     .snap = &w->snap,
				     .errors = &w->errors};
}

static int world_build(struct world *w)
{
	struct ss_model_listener *l = array(1, sizeof(*l));
	int err;

	w->snap.clusters = ss_build_array(&w->j, 1, sizeof(struct ss_cluster));
	w->snap.n_clusters = 1;
	w->m->listeners = l;
	w->m->n_listeners = 1;
	l->n_hosts = w->m->n_hosts;
	l->hosts = array(MAX, sizeof(*l->hosts));
	for (uint32_t i = 0; i < w->m->n_hosts; i++)
		l->hosts[i] = text(w->m->hosts[i].name);
	err = ss_build_regex_start(&w->j);
	if (!err)
		err = ss_build_routes(&w->j);
	ss_build_regex_finish(&w->j);
	if (!err)
		err = ss_build_host_table(&w->j, l, &w->l.hosts);
	w->l.authz = &w->open;
	return err;
}

static void world_end(struct world *w)
{
	fake_end_all();
	ss_names_free((struct ss_names *)w->j.names);
	ss_model_errors_free(&w->errors);
	ss_model_free(w->m);
}

static struct ss_model_host *add_host(struct world *w, const char *name)
{
	struct ss_model_host *h = &w->m->hosts[w->m->n_hosts++];

	assert_true(w->m->n_hosts <= MAX);
	h->src = (struct ss_model_src){"test.cfg", 1};
	h->name = text(name);
	h->domains = array(MAX, sizeof(*h->domains));
	h->routes = array(MAX_ROUTES, sizeof(*h->routes));
	return h;
}

static struct ss_model_route *add_route(struct ss_model_host *h, const char *name, uint32_t line)
{
	struct ss_model_route *r;

	assert_true(h->n_routes < MAX_ROUTES);
	r = &h->routes[h->n_routes++];
	r->src = (struct ss_model_src){"test.cfg", line};
	r->name = text(name);
	r->headers = array(4, sizeof(*r->headers));
	r->query = array(4, sizeof(*r->query));
	r->cookies = array(4, sizeof(*r->cookies));
	r->ids = array(4, sizeof(*r->ids));
	r->snis = array(4, sizeof(*r->snis));
	r->ports = array(4, sizeof(*r->ports));
	r->clusters = array(3, sizeof(*r->clusters));
	r->clusters[0] = (struct ss_model_weighted){text("c"), SS_WEIGHT_SUM};
	r->n_clusters = 1;
	return r;
}

/* "NAME=KIND:VALUE" */
static void add_match(struct ss_model_header_match *m, const char *spec, bool invert)
{
	static const char *kinds[] = {"exact", "prefix", "suffix", "present", "regex", "range"};
	const char *eq = strchr(spec, '='), *colon = strchr(eq, ':');
	unsigned k = 0;

	while (strncmp(kinds[k], eq + 1, strlen(kinds[k])))
		assert_true(++k < SS_ARRAY_LEN(kinds));
	*m = (struct ss_model_header_match){text_n(spec, (size_t)(eq - spec)), text(colon + 1),
					    (enum ss_header_match)k, invert};
	if (k == SS_HM_RANGE)
		assert_int_equal(sscanf(colon + 1, "%ld..%ld", &m->start, &m->end), 2);
}

static void add_header(struct ss_model_route *r, const char *spec, bool invert)
{
	add_match(&r->headers[r->n_headers++], spec, invert);
}

static struct ss_model_id id_of(const char *one)
{
	size_t n = strlen(one);

	if (!strcmp(one, "any"))
		return (struct ss_model_id){SS_ID_ANY, text("")};
	if (!strncmp(one, "domain:", 7))
		return (struct ss_model_id){SS_ID_DOMAIN, text(one + 7)};
	if (one[n - 1] == '*')
		return (struct ss_model_id){SS_ID_PREFIX, text_n(one, n - 1)};
	return (struct ss_model_id){SS_ID_EXACT, text(one)};
}

static uint16_t methods_of(char *list)
{
	uint16_t bits = 0;
	char *save;

	for (char *m = strtok_r(list, ",", &save); m; m = strtok_r(NULL, ",", &save))
		bits |= ss_route_method_bit(ss_span_str(m));
	return bits;
}

/* -- case files -- */

/* "prefix:/x", "path:/x", or "regex:EXPRESSION=>SUBSTITUTION" */
static void read_rewrite(struct ss_model_route *r, char *arg)
{
	char *rest = strchr(arg, ':') + 1, *becomes = strstr(rest, "=>");

	r->rewrite.present = true;
	if (*arg == 'r') {
		*becomes = '\0';
		r->rewrite.regex = text(rest);
		r->rewrite.substitution = text(becomes + 2);
	} else if (arg[1] == 'r') {
		r->rewrite.prefix = text(rest);
	} else {
		r->rewrite.path = text(rest);
	}
}

/* "https://a,https://b*,~EXPRESSION": exact, prefix, expression */
static void read_origins(struct ss_model_route *r, char *arg)
{
	char *save;

	r->cors.present = true;
	r->cors.origins = array(8, sizeof(*r->cors.origins));
	for (char *o = strtok_r(arg, ",", &save); o; o = strtok_r(NULL, ",", &save)) {
		size_t n = strlen(o);
		bool prefix = n > 1 && o[n - 1] == '*', regex = *o == '~';
		r->cors.origins[r->cors.n_origins++] =
			(struct ss_model_origin){regex    ? SS_MODEL_ORIGIN_REGEX
						 : prefix ? SS_MODEL_ORIGIN_PREFIX
							  : SS_MODEL_ORIGIN_EXACT,
						 text_n(o + regex, n - regex - prefix)};
	}
}

/* What a route does with what it takes; false when the word is none of these. */
static bool read_action(struct ss_model_route *r, const char *word, char *arg)
{
	if (!strcmp(word, "rewrite")) {
		read_rewrite(r, arg);
	} else if (!strcmp(word, "redirect")) {
		r->action = SS_ACTION_REDIRECT;
		r->redirect = (struct ss_model_redirect){.present = true, .status = 302};
		*(arg[1] == 'r' ? &r->redirect.prefix : &r->redirect.path) = text(strchr(arg, ':') + 1);
	} else if (!strcmp(word, "cors")) {
		read_origins(r, arg);
	} else {
		return false;
	}
	return true;
}

/* One word of a route's line and what stands behind it; false when it is none of these. */
static bool read_rest(struct ss_model_route *r, const char *word, char *arg)
{
	bool invert = !strncmp(word, "not", 3);

	if (!strcmp(word, "methods"))
		r->methods = methods_of(arg);
	else if (!strcmp(word, "header") || !strcmp(word, "not"))
		add_header(r, arg, invert);
	else if (!strcmp(word, "query") || !strcmp(word, "not-query"))
		add_match(&r->query[r->n_query++], arg, invert);
	else if (!strcmp(word, "cookie") || !strcmp(word, "not-cookie"))
		add_match(&r->cookies[r->n_cookies++], arg, invert);
	else if (!strcmp(word, "id"))
		r->ids[r->n_ids++] = id_of(arg);
	else if (!strcmp(word, "sni"))
		r->snis[r->n_snis++] = text(arg);
	else if (!strcmp(word, "port"))
		r->ports[r->n_ports++] = (uint32_t)atoi(arg);
	else
		return read_action(r, word, arg);
	return true;
}

static void read_route(struct ss_model_host *h, char *line, uint32_t no)
{
	static const char *const kinds[] = {"", "exact", "prefix", "regex", "segments"};
	char *save, *word;
	struct ss_model_route *r = add_route(h, strtok_r(line, " \t", &save), no);

	while ((word = strtok_r(NULL, " \t", &save))) {
		char *arg = strtok_r(NULL, " \t", &save);
		unsigned k = 1;
		assert_non_null(arg);
		if (read_rest(r, word, arg))
			continue;
		while (strcmp(word, kinds[k]))
			assert_true(++k < SS_ARRAY_LEN(kinds));
		r->path_kind = (enum ss_path_match)k;
		r->path = text(arg);
	}
}

/* Who asks, and where: what is not in the head. */
struct asker {
	struct ss_span id, sni;
	uint16_t port;
};

static bool read_asker(struct asker *who, const char *word)
{
	if (!strncmp(word, "@id=", 4))
		who->id = ss_span_str(word + 4);
	else if (!strncmp(word, "@sni=", 5))
		who->sni = ss_span_str(word + 5);
	else if (!strncmp(word, "@port=", 6))
		who->port = (uint16_t)atoi(word + 6);
	else
		return false;
	return true;
}

static void read_request(char *line, struct ss_hdrs *h, struct ss_hdr *v, struct asker *who, char **want)
{
	char *save, *word, *arrow = strstr(line, "=>");

	assert_non_null(arrow);
	*want = arrow + 2 + strspn(arrow + 2, " \t");
	*arrow = 0;
	ss_hdrs_init(h, v, MAX);
	h->method = ss_span_str(strtok_r(line, " \t", &save));
	h->authority = ss_span_str(strtok_r(NULL, " \t", &save));
	if (ss_span_eq(h->authority, SS_SPAN("-")))
		h->authority = SS_SPAN_NONE;
	h->path = ss_span_str(strtok_r(NULL, " \t", &save));
	*who = (struct asker){.port = 80};
	while ((word = strtok_r(NULL, " \t", &save))) {
		char *colon = strchr(word, ':');
		if (read_asker(who, word))
			continue;
		assert_non_null(colon);
		*colon = 0;
		assert_int_equal(ss_hdrs_add(h, ss_span_str(word), ss_span_str(colon + 1), 0), 0);
	}
}

static struct ss_route_decision decide_for(struct world *w, const struct ss_hdrs *h, const struct asker *who,
					   uint32_t draw)
{
	struct ss_route_request rq = {
		.head = h, .peer_identity = who->id, .sni = who->sni, .draw = (uint64_t)draw << 32};
	struct ss_route_decision d;

	w->l.addr.port = who->port;
	ss_route_decide(&w->snap, &w->l, &rq, &d);
	return d;
}

static struct ss_route_decision decide(struct world *w, const struct ss_hdrs *h, struct ss_span id,
				       uint32_t draw)
{
	return decide_for(w, h, &(struct asker){.id = id, .port = 80}, draw);
}

/* The path that goes upstream, or into Location; empty when it stays. */
static struct ss_span new_path(const struct ss_route *r, struct ss_span path, struct ss_arena *a)
{
	const struct ss_rewrite *w = r->rewrite;
	struct ss_span got = SS_SPAN_NONE;
	bool ok = true;

	if (w && w->kind == SS_PATH_REGEX_NEW)
		assert_int_equal(ss_route_regex_path(w->regex, 0, path, a, &got), 0);
	else if (w)
		got = ss_route_new_path(r, w->kind, w->path, path, a, &ok);
	else if (r->redirect)
		got = ss_route_new_path(r, r->redirect->kind, r->redirect->path, path, a, &ok);
	assert_true(ok);
	return got;
}

static void answer_text(struct world *w, const struct ss_route_decision *d, struct ss_span path, char *buf,
			size_t n)
{
	struct ss_arena_pools pools;
	struct ss_arena a;
	struct ss_span new;

	if (!d->host || !d->route) {
		snprintf(buf, n, "%s%s", d->host ? ss_names_text(w->j.names, d->host->name) : "",
			 d->host ? "/none" : "none");
		return;
	}
	assert_int_equal(ss_arena_pools_create(&pools, 4, 1), 0);
	ss_arena_init(&a, &pools);
	new = new_path(d->route, path, &a);
	snprintf(buf, n, "%s/%s%s%.*s%s", ss_names_text(w->j.names, d->host->name),
		 ss_names_text(w->j.names, d->route->name), new.n ? " -> " : "", (int)new.n,
		 new.n ? (char *)new.p : "",
		 d->preflight  ? " preflight"
		 : d->origin.n ? " readable"
			       : "");
	ss_arena_reset(&a);
	ss_arena_pools_free(&pools);
}

static char *chomp(char *line)
{
	line[strcspn(line, "\n")] = 0;
	return line + strspn(line, " \t");
}

/* Two passes: first the tables, then the requests against all of them. */
static void the_route_cases_hold(void **state)
{
	struct world w;
	char *line = NULL, *p, got[200];
	size_t cap = 0;
	uint32_t no = 0, asked = 0, wrong = 0;
	FILE *f = fopen(route_cases, "r");
	struct ss_model_host *h = NULL;

	assert_non_null(f);
	world_start(&w);
	while (getline(&line, &cap, f) > 0 && ++no) {
		p = chomp(line);
		if (!strncmp(p, "host ", 5)) {
			char *save;
			h = add_host(&w, strtok_r(p + 5, " \t", &save));
			while ((p = strtok_r(NULL, " \t", &save)))
				h->domains[h->n_domains++] = text(p);
		} else if (!strcmp(p, "precedence gateway")) {
			h->precedence = SS_PRECEDENCE_GATEWAY;
		} else if (!strncmp(p, "route ", 6)) {
			read_route(h, p + 6, no);
		}
	}
	assert_int_equal(world_build(&w), 0);
	rewind(f);
	for (no = 1; getline(&line, &cap, f) > 0; no++) {
		struct ss_hdrs rq;
		struct ss_hdr v[MAX];
		char *want;
		p = chomp(line);
		if (strncmp(p, "request ", 8))
			continue;
		struct asker who;
		read_request(p + 8, &rq, v, &who, &want);
		struct ss_route_decision d = decide_for(&w, &rq, &who, 0);
		answer_text(&w, &d, rq.path, got, sizeof(got));
		asked++;
		if (strcmp(got, want) && ++wrong)
			print_error("%s:%u: wanted %s, got %s\n", route_cases, no, want, got);
		assert_int_equal(d.drop, d.route ? SS_DROP_NONE : SS_DROP_NO_ROUTE_MATCH);
	}
	assert_int_equal(wrong, 0);
	assert_true(asked > 40);
	free(line);
	fclose(f);
	world_end(&w);
}

/* -- random tables against a naive scan -- */

static const char *const texts[] = {"/",   "/a", "/a/",  "/a/b",   "/a/bb",
				    "/ab", "/b", "/b/a", "/a/b/c", "/aa/b"};
static const char *const patterns[] = {"/a.*",    "/[ab]/b",  "(/a|/b)+",  "/a/b+",    ".*b",
				       "/(a|ab)", "/a/?b?",   "/a|/b",     "^/ab?",    "/a/b/c?",
				       "/[|]|/a", "/a/(b|c)", "/\\a?b|/a", "/b{1,2}a*"};
static const char *const names[] = {"x-a", "x-b", "x-c"};
static const char *const values[] = {"1", "2", "12", "", "21"};
static const char *const ids[] = {"any", "spiffe://a/x", "spiffe://a/*", "domain:b"};
static const char *const peers[] = {"", "spiffe://a/x", "spiffe://a/y", "spiffe://b/x"};
static const char *const sni_patterns[] = {"a.example", "*.a.example", "b.example"};
static const char *const snis[] = {"", "a.example", "B.example", "x.a.example"};
static const char *const value_patterns[] = {"1", "[12]+", "2.*", ".*2", "1?"};

#define PICK(r, a) (a)[ss_rng_below(r, SS_ARRAY_LEN(a))]

static void random_match(struct ss_rng *r, struct ss_model_header_match *m)
{
	enum ss_header_match kind =
		ss_rng_chance(r, 1, 2) ? SS_HM_EXACT : (enum ss_header_match)ss_rng_below(r, 6);

	*m = (struct ss_model_header_match){
		text(PICK(r, names)),
		text(kind == SS_HM_REGEX ? PICK(r, value_patterns) : PICK(r, values)),
		kind,
		ss_rng_chance(r, 1, 4),
		(int64_t)ss_rng_below(r, 4) - 1,
		(int64_t)ss_rng_below(r, 25)};
}

static void random_source(struct ss_rng *r, struct ss_model_route *m)
{
	if (ss_rng_chance(r, 1, 2))
		m->ids[m->n_ids++] = id_of(PICK(r, ids));
	if (ss_rng_chance(r, 1, 2))
		m->snis[m->n_snis++] = text(PICK(r, sni_patterns));
	if (ss_rng_chance(r, 1, 3))
		m->ports[m->n_ports++] = 80 + ss_rng_below(r, 2);
}

/* few: how many of the paths are used; one or two make long lists. */
static void random_route(struct ss_rng *r, struct ss_model_host *h, uint32_t i, uint32_t few)
{
	char name[20];

	snprintf(name, sizeof(name), "%u", i);
	struct ss_model_route *m = add_route(h, name, i);
	m->path_kind = (enum ss_path_match)ss_rng_below(r, 5);
	if (m->path_kind == SS_PATH_ANY && !ss_rng_chance(r, 1, 4))
		m->path_kind = SS_PATH_EXACT;
	if (m->path_kind == SS_PATH_REGEX)
		m->path = text(patterns[ss_rng_below(r, ss_min_u32(few, SS_ARRAY_LEN(patterns)))]);
	else if (m->path_kind != SS_PATH_ANY)
		m->path = text(texts[ss_rng_below(r, few)]);
	if (ss_rng_chance(r, 1, 3))
		m->methods = (uint16_t)(1 + ss_rng_below(r, 1023));
	for (uint32_t n = ss_rng_below(r, 3); n; n--)
		random_match(r, &m->headers[m->n_headers++]);
	if (ss_rng_chance(r, 1, 3))
		random_match(r, &m->query[m->n_query++]);
	if (ss_rng_chance(r, 1, 3))
		random_match(r, &m->cookies[m->n_cookies++]);
	if (ss_rng_chance(r, 1, 5))
		random_source(r, m);
}

static bool naive_regex(const char *pattern, const char *subject)
{
	char whole[100];
	regex_t re;
	bool fits;

	snprintf(whole, sizeof(whole), "^(%s)$", pattern);
	assert_int_equal(regcomp(&re, whole, REG_EXTENDED | REG_NOSUB), 0);
	fits = regexec(&re, subject, 0, NULL, 0) == 0;
	regfree(&re);
	return fits;
}

static bool naive_value(const struct ss_model_header_match *m, const char *v)
{
	size_t n = strlen(v), k = strlen(m->value);
	char *end;
	long number = strtol(v, &end, 10);

	return m->kind == SS_HM_EXACT     ? !strcmp(v, m->value)
	       : m->kind == SS_HM_PREFIX  ? !strncmp(v, m->value, k)
	       : m->kind == SS_HM_SUFFIX  ? n >= k && !strcmp(v + n - k, m->value)
	       : m->kind == SS_HM_PRESENT ? true
	       : m->kind == SS_HM_RANGE   ? n && !*end && number >= m->start && number < m->end
					  : naive_regex(m->value, v);
}

static bool naive_header(const struct ss_model_header_match *m, const struct ss_hdrs *h)
{
	bool fits = false;

	for (uint16_t i = 0; i < h->n; i++)
		if (!strcmp((const char *)h->v[i].name.p, m->name))
			fits |= naive_value(m, (const char *)h->v[i].value.p);
	return fits != m->invert;
}

/* all: "a=1&b=2" or "a=1; b=2" */
static bool naive_pair(const struct ss_model_header_match *m, const char *all, const char *ends)
{
	char copy[200], *save, *eq;
	bool fits = false;

	snprintf(copy, sizeof(copy), "%s", all);
	for (char *one = strtok_r(copy, ends, &save); one; one = strtok_r(NULL, ends, &save)) {
		if ((eq = strchr(one, '=')))
			*eq = '\0';
		if (!strcmp(one, m->name))
			fits |= naive_value(m, eq ? eq + 1 : "");
	}
	return fits != m->invert;
}

static bool naive_source(const struct ss_model_route *m, const struct asker *who)
{
	const char *id = (const char *)who->id.p, *sni = (const char *)who->sni.p, *p;

	if (m->n_ports && m->ports[0] != who->port)
		return false;
	if (m->n_snis && m->snis[0][0] == '*' &&
	    (strlen(sni) < strlen(m->snis[0]) ||
	     strcasecmp(sni + strlen(sni) - strlen(m->snis[0]) + 1, m->snis[0] + 1)))
		return false;
	if (m->n_snis && m->snis[0][0] != '*' && strcasecmp(sni, m->snis[0]))
		return false;
	if (!m->n_ids)
		return true;
	p = m->ids[0].value;
	return m->ids[0].kind == SS_ID_ANY      ? *id
	       : m->ids[0].kind == SS_ID_EXACT  ? !strcmp(id, p)
	       : m->ids[0].kind == SS_ID_PREFIX ? !strncmp(id, p, strlen(p))
						: !strncmp(id, "spiffe://b/", 11);
}

static bool naive_path(const struct ss_model_route *m, const char *path, bool gateway)
{
	size_t n = m->path ? strlen(m->path) : 0;

	if (m->path_kind == SS_PATH_EXACT)
		return !strcmp(path, m->path);
	if (m->path_kind == SS_PATH_REGEX)
		return naive_regex(m->path, path);
	if (m->path_kind == SS_PATH_PREFIX && !gateway)
		return !strncmp(path, m->path, n);
	if (m->path_kind == SS_PATH_ANY)
		return true;
	n -= m->path[n - 1] == '/';
	return !strncmp(path, m->path, n) && (path[n] == '/' || !path[n]);
}

static bool naive_fits(const struct ss_model_route *m, const struct ss_hdrs *h, const char *path,
		       const char *query, const char *cookies, const struct asker *who, bool gateway)
{
	if (!naive_path(m, path, gateway) || !naive_source(m, who))
		return false;
	if (m->methods && !(m->methods & ss_route_method_bit(h->method)))
		return false;
	for (uint32_t i = 0; i < m->n_headers; i++)
		if (!naive_header(&m->headers[i], h))
			return false;
	for (uint32_t i = 0; i < m->n_query; i++)
		if (!naive_pair(&m->query[i], query, "&"))
			return false;
	for (uint32_t i = 0; i < m->n_cookies; i++)
		if (!naive_pair(&m->cookies[i], cookies, "; "))
			return false;
	return true;
}

/* Is x before y, which stands later in the file? The Gateway API's words, one after the other. */
static bool naive_stays(const struct ss_model_route *x, const struct ss_model_route *y)
{
	static const int rank[] = {[SS_PATH_EXACT] = 3, [SS_PATH_REGEX] = 2};
	int a = x->path_kind < 4 ? rank[x->path_kind] : 0, b = y->path_kind < 4 ? rank[y->path_kind] : 0;
	size_t n = x->path ? strlen(x->path) : 0, k = y->path ? strlen(y->path) : 0;

	n -= n && a < 2 && x->path[n - 1] == '/';
	k -= k && b < 2 && y->path[k - 1] == '/';
	if (a != b)
		return a > b;
	if (a != 3 && n != k)
		return n > k;
	if (!x->methods != !y->methods)
		return x->methods != 0;
	if (x->n_headers + x->n_cookies != y->n_headers + y->n_cookies)
		return x->n_headers + x->n_cookies > y->n_headers + y->n_cookies;
	return x->n_query >= y->n_query;
}

static int naive_first(const struct ss_model_host *m, const struct ss_hdrs *h, const char *path,
		       const char *query, const char *cookies, const struct asker *who)
{
	bool gateway = m->precedence == SS_PRECEDENCE_GATEWAY;
	int best = -1;

	for (uint32_t i = 0; i < m->n_routes; i++)
		if (naive_fits(&m->routes[i], h, path, query, cookies, who, gateway) &&
		    (best < 0 || (gateway && !naive_stays(&m->routes[best], &m->routes[i]))))
			best = (int)i;
	return best;
}

static void random_pairs(struct ss_rng *r, char *to, const char *between)
{
	*to = '\0';
	for (uint32_t n = ss_rng_below(r, 4); n; n--) {
		sprintf(to + strlen(to), "%s%s", *to ? between : "", PICK(r, names));
		if (ss_rng_chance(r, 4, 5))
			sprintf(to + strlen(to), "=%s", PICK(r, values));
	}
}

struct asked {
	struct ss_hdrs h;
	struct ss_hdr v[8];
	char path[60], target[160], query[80], cookies[80];
	struct asker who;
};

static void random_request(struct ss_rng *r, struct asked *q)
{
	static const char *const methods[] = {"GET",    "HEAD",    "POST",  "PUT",
					      "DELETE", "OPTIONS", "PATCH", "X"};
	static const char *const more[] = {"", "", "b", "/b", "a", "/", "/c"};

	snprintf(q->path, sizeof(q->path), "%s%s", PICK(r, texts), PICK(r, more));
	random_pairs(r, q->query, "&");
	random_pairs(r, q->cookies, "; ");
	snprintf(q->target, sizeof(q->target), "%s%s%s", q->path, *q->query ? "?" : "", q->query);
	ss_hdrs_init(&q->h, q->v, 8);
	q->h.method = ss_span_str(PICK(r, methods));
	q->h.authority = SS_SPAN("any.example");
	q->h.path = ss_span_str(q->target);
	for (uint32_t n = ss_rng_below(r, 4); n; n--)
		ss_hdrs_add(&q->h, ss_span_str(PICK(r, names)), ss_span_str(PICK(r, values)), 0);
	ss_hdrs_add(&q->h, SS_SPAN("cookie"), ss_span_str(q->cookies), 0);
	q->who = (struct asker){ss_span_str(PICK(r, peers)), ss_span_str(PICK(r, snis)),
				(uint16_t)(80 + ss_rng_below(r, 2))};
}

static int answered(struct world *w, const struct ss_model_host *m, struct asked *q)
{
	struct ss_route_decision d = decide_for(w, &q->h, &q->who, 0);

	return d.route ? (int)strtol(ss_names_text(w->j.names, d.route->name), NULL, 10) : -1;
}

static void one_random_table(uint64_t seed, uint32_t *matched)
{
	struct ss_rng r;
	struct world w;
	struct ss_model_host *m;
	struct asked q;
	uint32_t n, few;

	ss_rng_seed(&r, seed);
	world_start(&w);
	m = add_host(&w, "h");
	m->domains[m->n_domains++] = text("*");
	m->precedence = ss_rng_chance(&r, 1, 3) ? SS_PRECEDENCE_GATEWAY : SS_FIRST_MATCH;
	n = 1 + ss_rng_below(&r, 100);
	few = ss_rng_chance(&r, 1, 3) ? 1 + ss_rng_below(&r, 2) : SS_ARRAY_LEN(texts);
	for (uint32_t i = 0; i < n; i++)
		random_route(&r, m, i, few);
	if (world_build(&w) != 0)
		fail_msg("seed %lu: %s", (unsigned long)seed, w.errors.n ? w.errors.text[0] : "?");
	for (int i = 0; i < 60; i++) {
		random_request(&r, &q);
		int want = naive_first(m, &q.h, q.path, q.query, q.cookies, &q.who),
		    got = answered(&w, m, &q);
		if (got != want)
			fail_msg("seed %lu, request %d (%s %s, cookies %s): wanted route %d, got %d",
				 (unsigned long)seed, i, q.h.method.p, q.target, q.cookies, want, got);
		*matched += want >= 0;
	}
	world_end(&w);
}

static void random_tables_match_a_naive_scan(void **state)
{
	const char *env = getenv("SEED");
	uint64_t first = env ? strtoull(env, NULL, 0) : (uint64_t)time(NULL);
	uint32_t matched = 0, tables = env ? 1 : 150;

	print_message("seeds from %lu (SEED=... runs one again)\n", (unsigned long)first);
	for (uint32_t i = 0; i < tables; i++)
		one_random_table(first + i, &matched);
	if (!env)
		assert_true(matched > 3000 && matched < 9000);
}

/* Every one of 10,000 routes is found, and the hash is not one long run. */
static void many_routes_stay_cheap(void **state)
{
	struct world w;
	struct ss_model_host *m;
	struct ss_hdrs h;
	struct ss_hdr v[1];
	char path[60];
	const struct ss_route_index *ix;
	uint32_t run = 0, longest = 0;

	world_start(&w);
	m = add_host(&w, "h");
	m->domains[m->n_domains++] = text("*");
	for (uint32_t i = 0; i < 10000; i++) {
		snprintf(path, sizeof(path), "/service/%u/%s", i, i % 2 ? "" : "exact");
		struct ss_model_route *r = add_route(m, path, i);
		r->path_kind = i % 2 ? SS_PATH_PREFIX : SS_PATH_EXACT;
		r->path = text(path);
	}
	assert_int_equal(world_build(&w), 0);
	ss_hdrs_init(&h, v, 1);
	h.method = SS_SPAN("GET");
	for (uint32_t i = 0; i < 10000; i++) {
		snprintf(path, sizeof(path), "/service/%u/%s", i, i % 2 ? "more" : "exact");
		h.path = ss_span_str(path);
		struct ss_route_decision d = decide(&w, &h, SS_SPAN_NONE, 0);
		assert_ptr_equal(d.route, &d.host->routes[i]);
	}
	ix = w.l.hosts->hosts[0].index;
	for (uint32_t i = 0; i <= ix->mask; i++) {
		run = ix->tags[i] ? run + 1 : 0;
		longest = ss_max_u32(longest, run);
	}
	assert_true(longest < 40);
	world_end(&w);
}

/* -- splits and errors -- */

static void weights_draw_exactly(void **state)
{
	struct world w;
	struct ss_model_host *m;
	struct ss_model_route *r;
	struct ss_hdrs h;
	struct ss_hdr v[1];
	uint32_t got[3] = {0};

	world_start(&w);
	w.m->clusters[1].name = text("d");
	w.m->clusters[2].name = text("e");
	w.m->n_clusters = 3;
	m = add_host(&w, "h");
	m->domains[m->n_domains++] = text("*");
	r = add_route(m, "split", 1);
	r->clusters[0].weight = 9899;
	r->clusters[1] = (struct ss_model_weighted){text("d"), 0};
	r->clusters[2] = (struct ss_model_weighted){text("e"), 101};
	r->n_clusters = 3;
	assert_int_equal(world_build(&w), 0);
	w.snap.clusters = ss_build_array(&w.j, 3, sizeof(struct ss_cluster));
	ss_hdrs_init(&h, v, 1);
	h.method = SS_SPAN("GET");
	h.path = SS_SPAN("/");
	for (uint64_t draw = 0; draw < SS_WEIGHT_SUM; draw++) {
		struct ss_route_decision d = decide(
			&w, &h, SS_SPAN_NONE, (uint32_t)(((draw << 32) + SS_WEIGHT_SUM - 1) / SS_WEIGHT_SUM));
		assert_non_null(d.cluster);
		got[d.cluster - w.snap.clusters]++;
	}
	assert_int_equal(got[0], 9899);
	assert_int_equal(got[1], 0);
	assert_int_equal(got[2], 101);
	world_end(&w);
}

static bool told(const struct world *w, const char *part)
{
	for (uint32_t i = 0; i < w->errors.n; i++)
		if (strstr(w->errors.text[i], part))
			return true;
	return false;
}

static void every_error_is_told_at_once(void **state)
{
	struct world w;
	struct ss_model_host *m;
	struct ss_model_route *r;

	world_start(&w);
	m = add_host(&w, "h");
	m->domains[m->n_domains++] = text("a.*");
	r = add_route(m, "bad-regex", 10);
	r->path_kind = SS_PATH_REGEX;
	r->path = text("/a(b");
	r = add_route(m, "escape", 11);
	r->path_kind = SS_PATH_REGEX;
	r->path = text("/a)|(?:.*");
	r = add_route(m, "bad-header", 12);
	add_header(r, "x-a=regex:[z-a]", false);
	r = add_route(m, "bad-sum", 13);
	r->clusters[0].weight = 9999;
	r = add_route(m, "no-cluster", 14);
	r->clusters[0].cluster = text("ghost");
	assert_true(world_build(&w) < 0);
	assert_true(told(&w, "test.cfg:10: path: "));
	assert_true(told(&w, "test.cfg:11: path: "));
	assert_true(told(&w, "test.cfg:12: headers: "));
	assert_true(told(&w, "test.cfg:13: clusters: weights sum to 99.99 %"));
	assert_true(told(&w, "test.cfg:14: clusters: no cluster is named \"ghost\""));
	assert_int_equal(w.errors.n, 5);
	world_end(&w);
}

static uint32_t slot_of(const struct ss_route_index *ix)
{
	uint32_t i = 0;

	while (!ix->tags[i])
		i++;
	return i;
}

/* Two live snapshots with the same expressions share a database; another set has its own. */
static void databases_are_shared(void **state)
{
	static const char *const sets[] = {"/a+", "/a+", "/b+"};
	const struct hs_database *db[3];
	struct world w;

	world_start(&w);
	for (uint32_t i = 0; i < 3; i++) {
		struct ss_model_host *m = add_host(&w, "h");
		struct ss_model_route *r = add_route(m, "r", 1);
		r->path_kind = SS_PATH_REGEX;
		r->path = text(sets[i]);
		w.m->n_hosts = 1;
		w.m->hosts[0] = *m;
		assert_int_equal(ss_build_regex_start(&w.j), 0);
		assert_int_equal(ss_build_routes(&w.j), 0);
		ss_build_regex_finish(&w.j);
		db[i] = w.j.hosts[0].index->slots[slot_of(w.j.hosts[0].index)].dbs[0].db;
		w.m->n_hosts = i + 1;
	}
	assert_ptr_equal(db[0], db[1]);
	assert_ptr_not_equal(db[0], db[2]);
	world_end(&w);
}

static void hosts_are_checked(void **state)
{
	struct world w;
	struct ss_model_host *a, *b;

	world_start(&w);
	a = add_host(&w, "one");
	b = add_host(&w, "two");
	a->domains[a->n_domains++] = text("X.example");
	a->domains[a->n_domains++] = text("*.y.example");
	b->domains[b->n_domains++] = text("x.example");
	b->domains[b->n_domains++] = text("*.y.example");
	b->domains[b->n_domains++] = text("*x.example");
	assert_true(world_build(&w) < 0);
	assert_true(told(&w, "\"x.example\" belongs to both"));
	assert_true(told(&w, "\"*.y.example\" belongs to both"));
	assert_true(told(&w, "\"*x.example\" is neither"));
	world_end(&w);
}

/* A hundred expressions of one beginning, in several databases: still the first route that fits. */
static void many_expressions_of_one_beginning(void **state)
{
	struct world w;
	struct ss_model_host *m;
	struct ss_hdrs h;
	struct ss_hdr v[1];
	char path[60], end[12];

	world_start(&w);
	m = add_host(&w, "h");
	m->domains[m->n_domains++] = text("*");
	for (uint32_t i = 0; i < 100; i++) {
		snprintf(path, sizeof(path), "/x/[0-9]*%u", 99 - i);
		struct ss_model_route *r = add_route(m, path, i);
		r->path_kind = SS_PATH_REGEX;
		r->path = text(path);
	}
	assert_int_equal(world_build(&w), 0);
	ss_hdrs_init(&h, v, 1);
	h.method = SS_SPAN("GET");
	for (uint32_t i = 0; i < 1000; i++) {
		uint32_t want = 0;
		snprintf(path, sizeof(path), "/x/%u", i);
		h.path = ss_span_str(path);
		do
			snprintf(end, sizeof(end), "%u", 99 - want);
		while (!ss_span_ends(ss_span(path + 3, (uint32_t)strlen(path + 3)), ss_span_str(end)) &&
		       ++want);
		struct ss_route_decision d = decide(&w, &h, SS_SPAN_NONE, 0);
		assert_ptr_equal(d.route, &d.host->routes[want]);
	}
	world_end(&w);
}

/* What an expression's subjects surely begin with: never too much. */
static void beginnings_are_seen(void **state)
{
	static const struct {
		const char *pattern, *start;
	} rows[] = {
		{"/a/[0-9]+", "/a/"},
		{"^/a$", "/a"},
		{"/ab*", "/a"},
		{"/ab?c", "/a"},
		{"/ab+", "/ab"},
		{"/ab{2}", "/a"},
		{"/a\\.b", "/a.b"},
		{"/a\\d", "/a"},
		{"/a|/b", ""},
		{"/a(b|c)", "/a"},
		{"(?i)/a", ""},
		{"/a[|]b", "/a"},
		{"/a[(]|/b", ""},
		{"/a\\(|/b", ""},
		{"/\\Q(\\E|b", ""},
		{"", ""},
		{"a*", ""},
		{"/a[[:alpha:](]|b", ""},
		{"/a(?#()|b", ""},
		{"\\", ""},
		{"[", ""},
		{"/x[^]]|y", ""},
	};
	struct world w;

	world_start(&w);
	for (size_t i = 0; i < SS_ARRAY_LEN(rows); i++) {
		struct ss_span got = ss_build_start(&w.j, ss_build_text(&w.j, rows[i].pattern));
		if (!ss_span_eq(got, ss_span_str(rows[i].start)))
			fail_msg("%s: wanted \"%s\", got \"%.*s\"", rows[i].pattern, rows[i].start,
				 (int)got.n, got.p);
	}
	world_end(&w);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_route_cases_hold),
		cmocka_unit_test(random_tables_match_a_naive_scan),
		cmocka_unit_test(beginnings_are_seen),
		cmocka_unit_test(many_expressions_of_one_beginning),
		cmocka_unit_test(many_routes_stay_cheap),
		cmocka_unit_test(weights_draw_exactly),
		cmocka_unit_test(every_error_is_told_at_once),
		cmocka_unit_test(databases_are_shared),
		cmocka_unit_test(hosts_are_checked),
	};

	route_cases = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
