/* balance_cases_test.c - the cases of balance_cases.txt: tiers, failover, panic, subsets. */
#include "ctrl/balance_sim.h"

#define MAX_NAMES 32
#define REQUESTS 20000

static const char *cases;

struct world {
	struct bed *b;
	char names[MAX_NAMES][32];
	uint32_t n;
	uint32_t line;
};

static char *copy(struct world *w, const char *s)
{
	return ss_model_text(w->b->m, s);
}

static uint32_t number_of(struct world *w, const char *name)
{
	for (uint32_t i = 0; i < w->n; i++)
		if (!strcmp(w->names[i], name))
			return i;
	fail_msg("line %u: no endpoint is named %s", w->line, name);
	return 0;
}

/* -- what the lines say -- */

static void place(struct world *w, char *text, struct ss_model_locality *l)
{
	char *save, **parts[] = {&l->region, &l->zone, &l->subzone};
	int i = 0;

	for (char *p = strtok_r(text, "/", &save); p && i < 3; p = strtok_r(NULL, "/", &save))
		*parts[i++] = copy(w, p);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct ss_model_label *)a)->name, ((const struct ss_model_label *)b)->name);
}

static struct ss_model_labels labels(struct world *w, char *text)
{
	struct ss_model_labels l = {.v = ss_model_alloc(w->b->m, 8 * sizeof(*l.v))};
	char *save;

	for (char *p = strtok_r(text, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
		char *eq = strchr(p, '=');
		assert_non_null(eq);
		*eq = '\0';
		l.v[l.n++] = (struct ss_model_label){copy(w, p), copy(w, eq + 1)};
	}
	qsort(l.v, l.n, sizeof(*l.v), by_name);
	return l;
}

static enum ss_lb policy_of(const struct world *w, const char *word)
{
	static const char *const words[] = {"round_robin", "least_request", "peak_ewma",
					    "random",      "maglev",        "ring_hash"};

	for (size_t i = 0; i < SS_ARRAY_LEN(words); i++)
		if (!strcmp(word, words[i]))
			return (enum ss_lb)i;
	fail_msg("line %u: no policy %s", w->line, word);
	return SS_LB_ROUND_ROBIN;
}

static void fallback(struct world *w, char *text)
{
	struct ss_model_balance *m = &w->b->k->balance;

	if (!strcmp(text, "any")) {
		m->fallback = SS_LB_FALLBACK_ANY;
		return;
	}
	assert_int_equal(strncmp(text, "default:", 8), 0);
	m->fallback = SS_LB_FALLBACK_DEFAULT;
	m->default_subset = labels(w, text + 8);
}

static void fail_over(struct world *w, char *text)
{
	struct ss_model_balance *m = &w->b->k->balance;
	char *to = strstr(text, ">");

	assert_non_null(to);
	*to = '\0';
	m->failover = ss_model_alloc(w->b->m, sizeof(*m->failover));
	m->failover[0] = (struct ss_model_failover){copy(w, text), copy(w, to + 1)};
	m->n_failover = 1;
}

/* "eu>eu/eu-1:80,us:20"; another one comes after it. */
static void distribute(struct world *w, char *text)
{
	struct ss_model_balance *m = &w->b->k->balance;
	struct ss_model_distribute *d;
	char *to = strstr(text, ">"), *save;

	assert_non_null(to);
	*to++ = '\0';
	if (!m->distribute)
		m->distribute = ss_model_alloc(w->b->m, 4 * sizeof(*m->distribute));
	d = &m->distribute[m->n_distribute++];
	*d = (struct ss_model_distribute){.from = copy(w, text), .to = ss_model_alloc(w->b->m, 8 * sizeof(*d->to))};
	for (char *t = strtok_r(to, ",", &save); t; t = strtok_r(NULL, ",", &save)) {
		char *colon = strrchr(t, ':');
		*colon = '\0';
		d->to[d->n++] = (struct ss_model_portion){copy(w, t), (uint32_t)atoi(colon + 1)};
	}
}

static void begin(struct world *w, char *rest)
{
	char *save, *value;
	struct ss_model_balance *m;

	if (w->b)
		bed_end(w->b);
	w->b = bed_start(SS_LB_ROUND_ROBIN, 0);
	w->n = 0;
	m = &w->b->k->balance;
	for (char *key = strtok_r(rest, " ", &save); key; key = strtok_r(NULL, " ", &save)) {
		value = strtok_r(NULL, " ", &save);
		assert_non_null(value);
		if (!strcmp(key, "load_balancing"))
			m->conf.policy = policy_of(w, value);
		else if (!strcmp(key, "panic"))
			m->conf.panic_percent = (uint32_t)atoi(value);
		else if (!strcmp(key, "overprovisioning"))
			m->conf.overprovision = (uint32_t)atoi(value);
		else if (!strcmp(key, "locality"))
			m->locality = SS_LB_LOCALITY_OFF;
		else if (!strcmp(key, "at"))
			place(w, value, &w->b->m->process.locality);
		else if (!strcmp(key, "failover"))
			fail_over(w, value);
		else if (!strcmp(key, "distribute"))
			distribute(w, value);
		else if (!strcmp(key, "fallback"))
			fallback(w, value);
		else
			fail_msg("line %u: %s", w->line, key);
	}
}

static void endpoint(struct world *w, char *rest)
{
	char *save, *value, *name = strtok_r(rest, " ", &save);
	struct ss_model_endpoint *e;

	assert_true(name && w->b && w->n < MAX_NAMES);
	snprintf(w->names[w->n], sizeof(w->names[0]), "%s", name);
	bed_endpoint(w->b, w->n++, 1);
	e = &w->b->k->endpoints[w->b->k->n_endpoints - 1];
	for (char *key = strtok_r(NULL, " ", &save); key; key = strtok_r(NULL, " ", &save)) {
		value = strtok_r(NULL, " ", &save);
		assert_non_null(value);
		if (!strcmp(key, "weight"))
			e->weight = (uint32_t)atoi(value);
		else if (!strcmp(key, "priority"))
			e->priority = (uint32_t)atoi(value);
		else if (!strcmp(key, "at"))
			place(w, value, &e->locality);
		else if (!strcmp(key, "labels"))
			e->labels = labels(w, value);
		else
			fail_msg("line %u: %s", w->line, key);
	}
}

/* -- requests -- */

static void set_down(struct world *w, char *list, bool down)
{
	char *save, *text = copy(w, list);

	for (char *p = strtok_r(text, ",", &save); p; p = strtok_r(NULL, ",", &save))
		ss_ep_set_unhealthy(w->b->table, bed_slot(w->b, number_of(w, p)), down);
}

static void compare(struct world *w, char *expected, const uint32_t *hits, uint32_t failed)
{
	double want[MAX_NAMES] = {0};
	char *save;

	if (!strcmp(expected, "nobody") || !strcmp(expected, "no subset")) {
		if (failed != REQUESTS)
			fail_msg("line %u: %u requests were sent to somebody", w->line, REQUESTS - failed);
		assert_int_equal(w->b->why, expected[2] == ' ' ? SS_DROP_NO_SUBSET : SS_DROP_NO_HEALTHY);
		return;
	}
	for (char *p = strtok_r(expected, " ", &save); p; p = strtok_r(NULL, " ", &save)) {
		char *share = strtok_r(NULL, " ", &save);
		assert_non_null(share);
		want[number_of(w, p)] = atof(share);
	}
	for (uint32_t i = 0; i < w->n; i++) {
		double got = 100.0 * hits[i] / REQUESTS;
		if (got < want[i] - 3 || got > want[i] + 3 || (want[i] == 0) != (hits[i] == 0))
			fail_msg("line %u: %s got %.1f %%, not %.0f %%", w->line, w->names[i], got, want[i]);
	}
}

/* As build calls them. */
static uint32_t name_of(struct world *w, const struct ss_model_labels *l)
{
	char text[200] = "";

	for (uint32_t i = 0; i < l->n; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s=%s", i ? "," : "",
			 l->v[i].name, l->v[i].value);
	return l->n ? ss_names_intern(w->b->names, text) : 0;
}

static void requests(struct world *w, char *rest)
{
	char *save, *arrow = strstr(rest, "=>"), *down = NULL, *expected;
	uint32_t hits[MAX_NAMES] = {0}, failed = 0;
	struct ss_up_wait like = {.hashed = w->b->k->balance.conf.policy >= SS_LB_MAGLEV};

	assert_non_null(arrow);
	*arrow = '\0';
	expected = arrow + 2 + strspn(arrow + 2, " ");
	w->b->r->clusters[0].subset.n = 0;
	for (char *key = strtok_r(rest, " ", &save); key; key = strtok_r(NULL, " ", &save)) {
		char *value = strtok_r(NULL, " ", &save);
		assert_non_null(value);
		if (!strcmp(key, "subset"))
			w->b->r->clusters[0].subset = labels(w, value);
		else
			down = value;
	}
	bed_publish(w->b);
	like.subset = name_of(w, &w->b->r->clusters[0].subset);
	if (down)
		set_down(w, down, true);
	for (uint32_t i = 0; i < REQUESTS; i++) {
		like.hash = ss_balance_mix(i, 0);
		uint32_t e = bed_pick(w->b, i % BED_WORKERS, &like);
		if (e == BED_NONE)
			failed++;
		else
			hits[e]++;
	}
	if (down)
		set_down(w, down, false);
	compare(w, expected, hits, failed);
}

static void cases_of_the_file(void **state)
{
	struct world w = {0};
	FILE *f = fopen(cases, "r");
	char text[500];
	uint32_t n = 0;

	assert_non_null(f);
	while (fgets(text, sizeof(text), f)) {
		char *at = text + strspn(text, " "), *rest;
		w.line++;
		at[strcspn(at, "\n")] = '\0';
		if (!*at || *at == '#')
			continue;
		rest = at + strcspn(at, " ");
		if (*rest)
			*rest++ = '\0';
		if (!strcmp(at, "cluster"))
			begin(&w, rest);
		else if (!strcmp(at, "endpoint"))
			endpoint(&w, rest);
		else if (!strcmp(at, "requests"))
			requests(&w, rest), n++;
		else
			fail_msg("line %u: %s", w.line, at);
	}
	fclose(f);
	bed_end(w.b);
	assert_true(n > 40);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(cases_of_the_file)};

	if (argc < 2)
		return 2;
	cases = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
