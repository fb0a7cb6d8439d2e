/*
 * route_random_test.c - random tables of routes against a naive scan of the model.
 */

#include "ctrl/route_dice.h"

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
					  : world_fits(m->value, v);
}

static bool naive_header(const struct ss_model_header_match *m, const struct ss_hdrs *h)
{
	bool fits = false;

	for (uint16_t i = 0; i < h->n; i++)
		if (!strcmp((const char *)h->v[i].name.p, m->name))
			fits |= naive_value(m, (const char *)h->v[i].value.p);
	return fits != m->invert;
}

/* all: "a=1&b=2", of which the first of a name counts, or "a=1; b=2" */
static bool naive_pair(const struct ss_model_header_match *m, const char *all, const char *ends)
{
	char copy[200], *save, *eq;
	bool fits = false;

	snprintf(copy, sizeof(copy), "%s", all);
	for (char *one = strtok_r(copy, ends, &save); one; one = strtok_r(NULL, ends, &save)) {
		if ((eq = strchr(one, '=')))
			*eq = '\0';
		if (strcmp(one, m->name))
			continue;
		fits |= naive_value(m, eq ? eq + 1 : "");
		if (*ends == '&')
			break;
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
	       : m->ids[0].kind == SS_ID_EXACT  ? !(strchr(p, ':') ? strcmp(id, p) : strcasecmp(id, p))
	       : m->ids[0].kind == SS_ID_PREFIX ? !strncmp(id, p, strlen(p))
						: !strncmp(id, "spiffe://b/", 11);
}

static bool naive_path(const struct ss_model_route *m, const char *path, bool gateway)
{
	size_t n = m->path ? strlen(m->path) : 0;

	if (m->path_kind == SS_PATH_EXACT)
		return !strcmp(path, m->path);
	if (m->path_kind == SS_PATH_REGEX)
		return world_fits(m->path, path);
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

static int answered(struct world *w, const struct ss_model_host *m, struct dice_asked *q)
{
	struct ss_route_decision d = route_ask(w, &q->h, &q->who, 0);

	return d.route ? (int)strtol(world_name(w, d.route->name), NULL, 10) : -1;
}

static void one_random_table(uint64_t seed, uint32_t *matched)
{
	struct ss_rng r;
	struct world w;
	struct ss_model_host *m;
	struct dice_asked q;
	uint32_t n, few;

	ss_rng_seed(&r, seed);
	world_start(&w);
	m = world_host(&w, "h");
	m->domains[m->n_domains++] = world_text("*");
	m->precedence = ss_rng_chance(&r, 1, 3) ? SS_PRECEDENCE_GATEWAY : SS_FIRST_MATCH;
	n = 1 + ss_rng_below(&r, 100);
	few = ss_rng_chance(&r, 1, 3) ? 1 + ss_rng_below(&r, 2) : DICE_TEXTS;
	for (uint32_t i = 0; i < n; i++)
		dice_route(&r, m, i, few);
	if (world_build(&w) != 0)
		fail_msg("seed %lu: %s", (unsigned long)seed, w.errors.n ? w.errors.text[0] : "?");
	for (int i = 0; i < 60; i++) {
		dice_request(&r, &q);
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
	uint32_t matched = 0, tables = getenv("SEED") ? 1 : 150;

	for (uint32_t i = 0; i < tables; i++)
		one_random_table(world_seed(1) + i, &matched);
	assert_true(tables == 1 || (matched > 3000 && matched < 9000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_tables_match_a_naive_scan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
