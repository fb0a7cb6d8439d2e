/*
 * route_cases_test.c - what build compiles and route reads, together: the cases of route_cases.txt.
 */
#include "ctrl/route_sim.h"

#define FIELDS 64

static const char *route_cases;

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
	ss_hdrs_init(h, v, FIELDS);
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

static struct ss_span redirected(const struct ss_route *r, struct ss_span path, struct ss_arena *a, bool *ok)
{
	struct ss_span got = SS_SPAN_NONE;

	if (r->redirect->kind != SS_PATH_REGEX_NEW)
		return ss_route_new_path(r, r->redirect->kind, r->redirect->path, path, a, ok);
	assert_int_equal(ss_route_regex_path(r->redirect->regex, 0, path, a, &got), 0);
	return got;
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
		got = redirected(r, path, a, &ok);
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
		snprintf(buf, n, "%s%s", d->host ? world_name(w, d->host->name) : "",
			 d->host ? "/none" : "none");
		return;
	}
	assert_int_equal(ss_arena_pools_create(&pools, 4, 1), 0);
	ss_arena_init(&a, &pools);
	new = new_path(d->route, path, &a);
	snprintf(buf, n, "%s/%s%s%.*s%s", world_name(w, d->host->name), world_name(w, d->route->name),
		 new.n ? " -> " : "", (int)new.n, new.n ? (char *)new.p : "",
		 d->preflight  ? " preflight"
		 : d->origin.n ? " readable"
			       : "");
	ss_arena_reset(&a);
	ss_arena_pools_free(&pools);
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
		p = world_line(line);
		if (!strncmp(p, "host ", 5)) {
			char *save;
			h = world_host(&w, strtok_r(p + 5, " \t", &save));
			while ((p = strtok_r(NULL, " \t", &save)))
				h->domains[h->n_domains++] = world_text(p);
		} else if (!strcmp(p, "precedence gateway")) {
			h->precedence = SS_PRECEDENCE_GATEWAY;
		} else if (!strncmp(p, "route ", 6)) {
			route_read(h, p + 6, no);
		}
	}
	assert_int_equal(world_build(&w), 0);
	rewind(f);
	for (no = 1; getline(&line, &cap, f) > 0; no++) {
		struct ss_hdrs rq;
		struct ss_hdr v[FIELDS];
		char *want;
		p = world_line(line);
		if (strncmp(p, "request ", 8))
			continue;
		struct asker who;
		read_request(p + 8, &rq, v, &who, &want);
		struct ss_route_decision d = route_ask(&w, &rq, &who, 0);
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

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_route_cases_hold),
	};

	if (argc < 2)
		return 2;
	route_cases = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
