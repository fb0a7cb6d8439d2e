#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "model/model.h"

static void memory_lives_with_the_model(void **state)
{
	struct ss_model *m = ss_model_new();
	assert_non_null(m);
	unsigned char *p = ss_model_alloc(m, 100);
	assert_non_null(p);
	for (int i = 0; i < 100; i++)
		assert_int_equal(p[i], 0);
	assert_int_equal((uintptr_t)p % 16, 0);
	char text[] = "abc";
	char *copy = ss_model_text(m, text);
	text[0] = 'x';
	assert_string_equal(copy, "abc");
	assert_null(ss_model_text(m, NULL));
	assert_null(ss_model_alloc(m, SIZE_MAX));
	ss_model_free(m);
	ss_model_free(NULL);
}

static void names_are_found(void **state)
{
	struct ss_model *m = ss_model_new();
	m->n_clusters = 2;
	m->clusters = ss_model_alloc(m, 2 * sizeof(*m->clusters));
	m->clusters[1].name = ss_model_text(m, "b");
	assert_int_equal(ss_model_cluster(m, "b"), 1);
	assert_int_equal(ss_model_cluster(m, "c"), SS_MODEL_NONE);
	assert_int_equal(ss_model_cluster(m, NULL), SS_MODEL_NONE);
	assert_int_equal(ss_model_secret(m, "b"), SS_MODEL_NONE);
	ss_model_free(m);
}

static void errors_are_collected(void **state)
{
	struct ss_model_errors e = { 0 };
	struct ss_model_src src = { "a.cfg", 7 }, file_only = { "a.cfg", 0 };
	ss_model_error(&e, &src, "ports[0].mtu", "%d is too small", 3);
	ss_model_error(&e, &file_only, NULL, "not there");
	ss_model_error(&e, NULL, "x", "plain");
	assert_int_equal(e.n, 3);
	assert_string_equal(e.text[0], "a.cfg:7: ports[0].mtu: 3 is too small");
	assert_string_equal(e.text[1], "a.cfg: not there");
	assert_string_equal(e.text[2], "x: plain");
	for (int i = 0; i < 100; i++)
		ss_model_error(&e, &src, "k", "%d", i);
	assert_int_equal(e.n, 103);
	assert_string_equal(e.text[102], "a.cfg:7: k: 99");
	ss_model_errors_free(&e);
	assert_int_equal(e.n, 0);
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(memory_lives_with_the_model),
		cmocka_unit_test(names_are_found),
		cmocka_unit_test(errors_are_collected),
	};
	return cmocka_run_group_tests(t, NULL, NULL);
}
