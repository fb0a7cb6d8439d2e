#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apply/apply.h"
#include "base/err.h"
#include "cfg/cfg.h"

/* In place of the real builder, one that is told whether to refuse: the order of steps is tested. */
static bool refuse;
static uint32_t built, destroyed;
static uint64_t last_generation;

int ss_build_snapshot(struct ss_build *b, const struct ss_model *m, uint64_t generation,
		      struct ss_snapshot **out, struct ss_model_errors *errors)
{
	*out = NULL;
	last_generation = generation;
	if (refuse) {
		ss_model_error(errors, NULL, "tls", "refused by the builder");
		return SS_ERR_CONFIG;
	}
	*out = calloc(1, sizeof(**out));
	(*out)->generation = generation;
	memcpy((*out)->hash, m->hash, sizeof(m->hash));
	built++;
	return 0;
}

/* One refresh brings something new. */
static uint32_t fresh;

int ss_build_refresh(struct ss_build *b, const struct ss_model *m, uint64_t generation, bool judge,
		     struct ss_snapshot **out)
{
	struct ss_model_errors none = { 0 };

	*out = NULL;
	if (!judge)
		return 1;
	return fresh ? fresh--, ss_build_snapshot(b, m, generation, out, &none) : 0;
}

int ss_build_candidate(struct ss_build *b, const struct ss_model *m, uint64_t generation, struct ss_snapshot **out,
		       struct ss_model_errors *errors)
{
	return ss_build_snapshot(b, m, generation, out, errors);
}

const struct ss_model_authz_rule *ss_build_rule_of(const struct ss_model *m, const struct ss_model_authz *a, uint32_t i,
						   const struct ss_model_policy **policy)
{
	return NULL;
}

int ss_build_again(struct ss_build *b, const struct ss_model *m, uint64_t generation, struct ss_snapshot **out,
		   struct ss_model_errors *errors)
{
	return ss_build_snapshot(b, m, generation, out, errors);
}

void ss_build_destroy(struct ss_snapshot *s)
{
	destroyed++;
	free(s);
}

static char path[] = "/tmp/ss-apply-XXXXXX";

static void write_file(const char *node, const char *body)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f,
		"node = \"%s\";\n"
		"ports = ( { name = \"p\"; device = \"d\"; addresses = [ \"10.0.0.1/8\" ]; } );\n"
		"virtual_hosts = ( { name = \"h\"; domains = [ \"*\" ]; routes = ( { name = \"r\";\n"
		"  direct_response = { status = 200; body = \"%s\"; }; } ); } );\n"
		"listeners = ( { name = \"l\"; address = \"10.0.0.1\"; port = 80; virtual_hosts = [ \"h\" ]; } );\n",
		node, body);
	assert_int_equal(fclose(f), 0);
}

static void reload_swaps_or_changes_nothing(void **state)
{
	struct ss_snapshot_box box = { 0 };
	struct ss_publish *p;
	struct ss_apply *a;
	struct ss_model_errors e = { 0 };
	struct ss_model *m;
	const struct ss_model *m2;
	uint64_t g;
	char first_hash[17];

	write_file("n", "one");
	assert_int_equal(ss_cfg_load(path, &m, &e), 0);
	assert_int_equal(ss_publish_create(&p, &(struct ss_publish_conf){ &box, 1, NULL, ss_build_destroy }),
			 0);
	assert_int_equal(ss_apply_create(&a, &(struct ss_apply_conf){ path, m, NULL, p }), 0);
	assert_int_equal(ss_apply_first(a, &e), 0);
	assert_string_equal(ss_publish_current(p)->hash, m->hash);
	memcpy(first_hash, m->hash, sizeof(first_hash));

	/* A mistake in the file. */
	write_file("n", "one\"; x = \"");
	assert_int_equal(ss_apply_reload(a, &g, &e), SS_ERR_CONFIG);
	assert_int_equal(g, 0);
	assert_int_equal(e.n, 1);
	assert_string_equal(ss_publish_current(p)->hash, first_hash);
	ss_model_errors_free(&e);

	/* What is read at start only. */
	write_file("other", "two");
	assert_int_equal(ss_apply_reload(a, &g, &e), SS_ERR_CONFIG);
	assert_int_equal(e.n, 1);
	assert_non_null(strstr(e.text[0], ": node: is read at start only"));
	assert_ptr_equal(ss_apply_model(a), m);
	ss_model_errors_free(&e);

	/* What only the builder sees. */
	write_file("n", "two");
	refuse = true;
	assert_int_equal(ss_apply_reload(a, &g, &e), SS_ERR_CONFIG);
	assert_int_equal(e.n, 1);
	assert_int_equal(ss_publish_current(p)->generation, 1);
	assert_ptr_equal(ss_apply_model(a), m);
	ss_model_errors_free(&e);
	refuse = false;

	/* And a good one, twice: the first model stays, the ones between go. */
	for (int i = 0; i < 2; i++) {
		uint64_t before = last_generation;
		assert_int_equal(ss_apply_reload(a, &g, &e), 0);
		assert_true(g > before);
		assert_int_equal(ss_publish_current(p)->generation, g);
		assert_string_not_equal(ss_publish_current(p)->hash, first_hash);
		assert_string_equal(ss_publish_current(p)->hash, ss_apply_model(a)->hash);
	}
	assert_int_equal(e.n, 0);

	/* Other files of secrets: a generation of the same model. */
	m2 = ss_apply_model(a);
	g = ss_publish_current(p)->generation;
	assert_true(ss_apply_refresh(a, true));
	assert_int_equal(ss_publish_current(p)->generation, g);
	assert_false(ss_apply_refresh(a, false));
	assert_int_equal(ss_publish_current(p)->generation, g);
	fresh = 1;
	assert_true(ss_apply_refresh(a, true));
	assert_int_equal(ss_publish_current(p)->generation, g + 1);
	assert_ptr_equal(ss_apply_model(a), m2);
	/* Keys are loaded in another way: the same. */
	assert_true(ss_apply_again(a));
	assert_int_equal(ss_publish_current(p)->generation, g + 2);
	ss_publish_adopted(p, 0, g + 2); /* the worker's word, without which the ones before stay */
	ss_publish_poll(p);
	assert_int_equal(ss_publish_live(p), 1);
	assert_string_equal(m->process.ports[0].name, "p");
	ss_apply_free(a);
	ss_publish_free(p);
	assert_int_equal(built, destroyed);
	assert_int_equal(built, 5);
}

static int make(void **state)
{
	int fd = mkstemp(path);
	return fd < 0 ? -1 : close(fd);
}

static int clean(void **state)
{
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest t[] = { cmocka_unit_test(reload_swaps_or_changes_nothing) };
	return cmocka_run_group_tests(t, make, clean);
}
