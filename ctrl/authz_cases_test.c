/*
 * authz_cases_test.c - authorization as build compiles and route asks it: the cases of authz_cases.txt, and
 * what is no rule.
 */
#include "ctrl/authz_sim.h"

static const char *cases;

/* "passed=p", "tried=q": the external authorizers that the request has been at. */
static bool been_at(const struct world *w, struct question *q, struct ss_authz_passed passed[4], const char *word)
{
	if (strncmp(word, "passed=", 7) && strncmp(word, "tried=", 6))
		return false;
	assert_true(q->rq.n_passed < 4);
	q->rq.passed = passed;
	passed[q->rq.n_passed++] = (struct ss_authz_passed){
		w->snap->ext_authz[strchr(word, '=')[1] - 'p'].name, word[0] == 't'};
	return true;
}

static uint32_t ask_policy(struct world *w, char *line, uint32_t no)
{
	char *save, *arrow = strstr(line, "=>"), *want = arrow + 2 + strspn(arrow + 2, " \t"), got[300],
		    *word;
	struct question q;
	struct ss_route_decision d;
	struct ss_authz_passed passed[4];
	int n;

	*arrow = 0;
	authz_question(&q);
	q.rq.peer_identity = ss_span_str(strtok_r(line, " \t", &save));
	if (ss_span_eq(q.rq.peer_identity, SS_SPAN("-")))
		q.rq.peer_identity = SS_SPAN_NONE;
	q.head.method = ss_span_str(strtok_r(NULL, " \t", &save));
	q.head.path = ss_span_str(strtok_r(NULL, " \t", &save));
	while ((word = strtok_r(NULL, " \t", &save)))
		if (!been_at(w, &q, passed, word))
			authz_fact(&q, word);
	d = authz_decide(w, &q);
	if (d.custom)
		n = snprintf(got, sizeof(got), "%s %s", d.custom->dry_run ? "tries" : "asks", authz_name(w, d.custom));
	else
		n = snprintf(got, sizeof(got), "%s by %s", d.drop == SS_DROP_NONE ? "allowed" : "denied",
		     authz_name(w, d.rule));
	if (!d.custom && d.dry_denied)
		n += snprintf(got + n, sizeof(got) - (size_t)n, ", would be denied by %s",
			      authz_name(w, d.dry_rule));
	if (!d.custom && d.audit)
		snprintf(got + n, sizeof(got) - (size_t)n, ", audited by %s", authz_name(w, d.audit));
	if (!strcmp(got, want))
		return 0;
	print_error("%s:%u: wanted %s, got %s\n", cases, no, want, got);
	return 1;
}

static void start_policy(struct world *w, struct ss_model_authz *a, const char *line)
{
	const char *hops = strstr(line, "trusted-hops=");

	*a = (struct ss_model_authz){.present = true, .rules = world_array(AUTHZ_MAX, sizeof(*a->rules))};
	a->default_deny = strstr(line, " default-deny") != NULL;
	a->inherit = strstr(line, " inherit") != NULL;
	w->listener->trusted_hops = hops ? (uint32_t)atoi(hops + 13) : 0;
}

/* The listener's, the host's, the route's. */
static void set_scopes(struct world *w, const struct ss_model_authz *scope)
{
	w->listener->authz = scope[0];
	w->m->hosts[0].authz = scope[1];
	w->m->hosts[0].routes[0].authz = scope[2];
	if (world_build(w))
		fail_msg("%s", w->errors.n ? w->errors.text[0] : "no snapshot");
}

static bool read_policy(struct world *w, struct ss_model_authz *scope, uint32_t *at, char *p)
{
	static const char *const words[] = {"policy ", "host-policy ", "route-policy "};
	static const char *const actions[] = {"deny ", "allow ", "audit ", "custom "};

	for (uint32_t i = 0; i < SS_ARRAY_LEN(words); i++) {
		if (strncmp(p, words[i], strlen(words[i])))
			continue;
		if (!i)
			memset(scope, 0, 3 * sizeof(*scope));
		start_policy(w, &scope[ *at = i], p);
		return true;
	}
	for (uint32_t i = 0; i < SS_ARRAY_LEN(actions); i++) {
		if (strncmp(p, actions[i], strlen(actions[i])))
			continue;
		authz_rule(&scope[*at], p);
		return true;
	}
	return false;
}

static void the_cases_hold(void **state)
{
	struct world w;
	struct ss_model_authz scope[3];
	char *line = NULL;
	size_t cap = 0;
	uint32_t no = 0, asked = 0, wrong = 0, at = 0;
	bool built = false;
	FILE *f = fopen(cases, "r");

	assert_non_null(f);
	authz_world(&w);
	memset(scope, 0, sizeof(scope));
	while (getline(&line, &cap, f) > 0 && ++no) {
		char *p;
		line[strcspn(line, "#")] = 0;
		p = world_line(line);
		if (!strncmp(p, "request ", 8)) {
			if (!built)
				set_scopes(&w, scope);
			built = true;
			wrong += ask_policy(&w, p + 8, no);
			asked++;
		} else if (read_policy(&w, scope, &at, p)) {
			built = false;
		} else if (*p) {
			fail_msg("%s:%u: what is that?", cases, no);
		}
	}
	assert_int_equal(wrong, 0);
	assert_true(asked > 200);
	free(line);
	fclose(f);
	world_end(&w);
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
		   {"paths", "/a*/b", "not a path"},
		   {"paths", "/a/{x}", "no template"},
		   {"paths", "a/{*}", "no template"},
		   {"not_paths", "/a/{**}/{*}", "no template"},
		   {"paths", "regex:/a(b", "regular expression"},
		   {"paths", "regex:/a)|(?:.*", "regular expression"},
		   {"ids", "~[z-a]", "regular expression"},
		   {"when", "source.ip~10.*", "not text"},
		   {"when", "request.headers[:path]=/x", "no attribute"},
		   {"when", "request.headers[x]~a**(", "regular expression"}};

	for (size_t i = 0; i < SS_ARRAY_LEN(bad); i++) {
		struct world w;
		struct ss_model_authz *a;
		authz_world(&w);
		a = &w.listener->authz;
		*a = (struct ss_model_authz){
			.present = true, .n_rules = 1, .rules = world_array(1, sizeof(*a->rules))};
		a->rules[0] = (struct ss_model_authz_rule){.name = world_text("r"),
							   .src = {"t.cfg", 7},
							   .when = world_array(1, sizeof(*a->rules->when))};
		if (strcmp(bad[i].word, "when"))
			authz_part(&a->rules[0], bad[i].word, bad[i].arg);
		else
			authz_when(&a->rules[0], bad[i].arg);
		assert_true(world_build(&w) < 0);
		assert_int_equal(w.errors.n, 1);
		assert_non_null(strstr(w.errors.text[0], "t.cfg:7: "));
		assert_true(!strcmp(bad[i].word, "when") || strstr(w.errors.text[0], bad[i].word));
		if (!strstr(w.errors.text[0], bad[i].say))
			fail_msg("%s %s: %s", bad[i].word, bad[i].arg, w.errors.text[0]);
		world_end(&w);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_cases_hold),
		cmocka_unit_test(wrong_values_are_named),
	};

	if (argc < 2)
		return 2;
	cases = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
