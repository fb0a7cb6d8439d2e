/*
 * Files of secrets change under a builder: good ones are taken, of the others the last good ones go on, and each
 * refusal says why, once. The argument is tools/ca, which makes the files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <openssl/ssl.h>

#include "base/err.h"
#include "build/build.h"
#include "build/certs_folder_sim.h"

/* A whole file in place of the one that is used. */
static void put(const char *from, const char *to)
{
	char cmd[300];

	snprintf(cmd, sizeof(cmd), "cp %s new && mv new %s", from, to);
	run(cmd);
}

/* Two clusters: the first has secret "one" and the trust, the second secret "two" and the trust. */
struct world {
	struct ss_names *names;
	struct ss_ep_table *table;
	struct ss_build *build;
	struct ss_model *m;
	struct ss_snapshot *snap;
	struct ss_model_errors errors;
	uint64_t generation;
};

static void cluster(struct world *w, uint32_t i, const char *name, const char *secret)
{
	struct ss_model_cluster *c = &w->m->clusters[i];

	c->src = (struct ss_model_src){ "t.cfg", 10 + i };
	c->name = ss_model_text(w->m, name);
	c->caps[0].max[SS_CAP_CONNECTIONS] = 10;
	c->n_endpoints = 1;
	c->endpoints = ss_model_alloc(w->m, sizeof(*c->endpoints));
	c->endpoints[0] = (struct ss_model_endpoint){ .addr = { .port = (uint16_t)(80 + i) }, .weight = 1 };
	ss_ip_parse("10.0.0.1", &c->endpoints[0].addr.ip);
	c->tls = (struct ss_model_tls){ .src = { "t.cfg", 20 + i }, .present = true, .mode = SS_TLS_STRICT,
					.secret = ss_model_text(w->m, secret), .trust = ss_model_text(w->m, "mesh"),
					.sni = ss_model_text(w->m, "a.example"), .min_version = ss_model_text(w->m, "1.2") };
}

static void start(struct world *w)
{
	memset(w, 0, sizeof(*w));
	for (const char *const *p = (const char *const[]){ "one.pem", "one.key", "two.pem", "two.key", NULL }; *p; p++)
		put(strstr(*p, "pem") ? "a.pem" : "a.key", *p);
	put("mesh.pem", "trust.pem");
	w->names = ss_names_create(100);
	assert_int_equal(ss_ep_table_create(&w->table, 8, 4), 0);
	struct ss_build_conf conf = { .names = w->names, .endpoints = w->table, .n_workers = 1 };
	assert_int_equal(ss_build_create(&w->build, &conf), 0);
	struct ss_model *m = w->m = ss_model_new();
	m->n_secrets = 2;
	m->secrets = ss_model_alloc(m, 2 * sizeof(*m->secrets));
	m->secrets[0] = (struct ss_model_secret){ .src = { "t.cfg", 3 }, .name = ss_model_text(m, "one"),
						  .certificate = ss_model_text(m, in_dir("one.pem")),
						  .private_key = ss_model_text(m, in_dir("one.key")) };
	m->secrets[1] = (struct ss_model_secret){ .src = { "t.cfg", 4 }, .name = ss_model_text(m, "two"),
						  .certificate = ss_model_text(m, in_dir("two.pem")),
						  .private_key = ss_model_text(m, in_dir("two.key")) };
	m->n_trusts = 1;
	m->trusts = ss_model_alloc(m, sizeof(*m->trusts));
	m->trusts[0] = (struct ss_model_trust){ .src = { "t.cfg", 5 }, .name = ss_model_text(m, "mesh"),
						.trust_domain = ss_model_text(m, "mesh.local"),
						.bundle = ss_model_text(m, in_dir("trust.pem")) };
	m->n_clusters = 2;
	m->clusters = ss_model_alloc(m, 2 * sizeof(*m->clusters));
	cluster(w, 0, "c0", "one");
	cluster(w, 1, "c1", "two");
	w->generation = 1;
	int err = ss_build_snapshot(w->build, m, 1, &w->snap, &w->errors);
	if (err < 0)
		fail_msg("%s", w->errors.text[0]);
}

static void end(struct world *w)
{
	ss_build_destroy(w->snap);
	ss_build_free(w->build);
	ss_model_free(w->m);
	ss_ep_table_free(w->table);
	ss_names_free(w->names);
	ss_model_errors_free(&w->errors);
}

/* True: a new snapshot is in force. doubts: how many units are no good, and not judged yet; -1: judges them. */
static bool look(struct world *w, int doubts)
{
	struct ss_snapshot *s;

	assert_int_equal(ss_build_refresh(w->build, w->m, w->generation + 1, doubts < 0, &s), doubts < 0 ? 0 : doubts);
	if (!s)
		return false;
	assert_int_equal(s->generation, ++w->generation);
	ss_build_destroy(w->snap);
	w->snap = s;
	return true;
}

static bool refresh(struct world *w)
{
	return look(w, -1);
}

static struct ss_secret_state state_of(struct world *w, const char *name)
{
	struct ss_secret_state s;

	for (uint32_t i = 0; ss_build_secret(w->build, i, &s); i++)
		if (strcmp(s.name, name) == 0)
			return s;
	fail_msg("no %s", name);
	return (struct ss_secret_state){ 0 };
}

static uint64_t hash(struct world *w, uint32_t cluster)
{
	return w->snap->clusters[cluster].tls->hash;
}

static void good_files_are_taken(void **state)
{
	struct world w;

	start(&w);
	uint64_t zero = hash(&w, 0), one = hash(&w, 1);
	assert_false(refresh(&w));
	put("a.pem", "one.pem"); /* another file with the same in it */
	assert_false(refresh(&w));
	put("b.key", "one.key");
	put("b.pem", "one.pem");
	assert_true(refresh(&w));
	assert_int_not_equal(hash(&w, 0), zero);
	assert_int_equal(hash(&w, 1), one); /* who has nothing new keeps its connections */
	assert_int_equal(state_of(&w, "one").rotations, 1);
	assert_int_equal(state_of(&w, "two").rotations, 0);
	assert_true(state_of(&w, "one").expires > time(NULL) + 86400);
	assert_true(state_of(&w, "mesh").expires > time(NULL) + 86400);
	/* A bundle reaches all who trust it. */
	put("both.pem", "trust.pem");
	assert_true(refresh(&w));
	assert_int_not_equal(hash(&w, 1), one);
	assert_false(refresh(&w));
	end(&w);
}

static const struct {
	const char *from, *to, *name, *why;
} wrongs[] = {
	{ "b.pem", "one.pem", "one", "one.key is not the key of" },
	{ "b.key", "one.key", "one", "one.key is not the key of" },
	{ "expired.pem", "one.pem", "one", "t.cfg:3: certificate: %s/one.pem: certificate 1 has expired" },
	{ "future.pem", "one.pem", "one", "one.pem: certificate 1 is not valid yet" },
	{ "torn.pem", "one.pem", "one", "t.cfg:3: certificate: %s/one.pem:" },
	{ "/dev/null", "one.pem", "one", "one.pem: no certificate in it" },
	{ "/dev/null", "one.key", "one", "t.cfg:3: private_key: %s/one.key:" },
	{ "other-domain.pem", "one.pem", "one", "which is not in trust domain mesh.local" },
	{ "a.pem", "trust.pem", "mesh", "t.cfg:5: bundle: %s/trust.pem: certificate 1 is not a certificate authority's" },
	{ "/dev/null", "trust.pem", "mesh", "trust.pem: no certificate in it" },
};

static void bad_files_are_refused(void **state)
{
	for (size_t i = 0; i < SS_ARRAY_LEN(wrongs); i++) {
		char want[256];
		struct world w;

		start(&w);
		uint64_t before = hash(&w, 0);
		put(wrongs[i].from, wrongs[i].to);
		if (strcmp(wrongs[i].from, "other-domain.pem") == 0)
			put("other-domain.key", "one.key");
		/* Another's rotation at the same time is not held up. */
		put("b.key", "two.key");
		put("b.pem", "two.pem");
		assert_true(refresh(&w));
		struct ss_secret_state s = state_of(&w, wrongs[i].name);
		assert_int_equal(s.refusals, 1);
		assert_int_equal(s.rotations, 0);
		snprintf(want, sizeof(want), wrongs[i].why, dir);
		if (!s.refused || !strstr(s.refused, want))
			fail_msg("\"%s\" instead of \"%s\"", s.refused ? s.refused : "taken", want);
		assert_int_equal(hash(&w, 0), before);
		assert_int_equal(state_of(&w, "two").rotations, 1);
		assert_null(state_of(&w, "two").refused);
		/* The same once more is no news; the old files again are the end of it. */
		assert_false(refresh(&w));
		assert_int_equal(state_of(&w, wrongs[i].name).refusals, 1);
		put("a.pem", "one.pem");
		put("a.key", "one.key");
		put("mesh.pem", "trust.pem");
		assert_false(refresh(&w));
		assert_null(state_of(&w, wrongs[i].name).refused);
		end(&w);
	}
}

/* Certificate and key that are moved one after the other are no refusal; what stays wrong is one. */
static void halves(void **state)
{
	struct world w;

	start(&w);
	put("b.pem", "one.pem");
	assert_false(look(&w, 1));
	put("b.key", "one.key");
	assert_true(look(&w, 0));
	assert_int_equal(state_of(&w, "one").refusals, 0);
	assert_int_equal(state_of(&w, "one").rotations, 1);
	/* A certificate of another domain fits its key, and not its place: doubted as well. */
	put("other-domain.key", "one.key");
	put("other-domain.pem", "one.pem");
	put("b.pem", "two.pem");
	put("b.key", "two.key");
	assert_true(look(&w, 1));
	assert_int_equal(state_of(&w, "two").rotations, 1);
	assert_null(state_of(&w, "one").refused);
	assert_false(refresh(&w));
	assert_int_equal(state_of(&w, "one").refusals, 1);
	end(&w);
}

static void gone_and_back(void **state)
{
	struct world w;

	start(&w);
	assert_int_equal(remove(in_dir("one.pem")), 0);
	assert_false(refresh(&w));
	assert_non_null(strstr(state_of(&w, "one").refused, "one.pem: No such file or directory"));
	put("b.key", "one.key");
	assert_false(refresh(&w));
	put("b.pem", "one.pem");
	assert_true(refresh(&w));
	assert_null(state_of(&w, "one").refused);
	assert_int_equal(state_of(&w, "one").rotations, 1);
	end(&w);
}

/* An operator's reload is told what is wrong; but not of what runs. */
static void a_reload_judges_what_is_new(void **state)
{
	struct ss_snapshot *s;
	struct world w;

	start(&w);
	put("expired.pem", "one.pem");
	put("expired.key", "one.key");
	assert_int_equal(ss_build_snapshot(w.build, w.m, 2, &s, &w.errors), SS_ERR_CONFIG);
	assert_int_equal(w.errors.n, 1);
	assert_non_null(strstr(w.errors.text[0], "has expired"));
	assert_null(state_of(&w, "one").refused);
	assert_false(refresh(&w));
	assert_non_null(state_of(&w, "one").refused);
	end(&w);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_files_are_taken),
		cmocka_unit_test(bad_files_are_refused),
		cmocka_unit_test(halves),
		cmocka_unit_test(gone_and_back),
		cmocka_unit_test(a_reload_judges_what_is_new),
	};

	make_dir(argc, argv);
	ca("init mesh");
	ca("init other");
	ca("leaf --ca mesh --out a --spiffe spiffe://mesh.local/a --dns a.example");
	ca("leaf --ca mesh --out b --spiffe spiffe://mesh.local/b");
	ca("leaf --ca mesh --out expired --expired --spiffe spiffe://mesh.local/a");
	ca("leaf --ca mesh --out future --future --spiffe spiffe://mesh.local/a");
	ca("leaf --ca mesh --out other-domain --spiffe spiffe://else.local/a");
	run("head -c 300 a.pem > torn.pem && echo '-----END CERTIFICATE-----' >> torn.pem");
	run("cat mesh.pem other.pem > both.pem");
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	remove_dir();
	return failed;
}
