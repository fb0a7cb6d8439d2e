#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "contract/names.h"
#include "contract/snapshot.h"

static void ids_stay(void **state)
{
	struct ss_names *t = ss_names_create(3);
	uint32_t a = ss_names_intern(t, "alpha"), b = ss_names_intern(t, "beta");
	assert_int_not_equal(a, 0);
	assert_int_not_equal(a, b);
	const char *text = ss_names_text(t, a);
	assert_int_equal(ss_names_intern(t, "alpha"), a);
	assert_int_not_equal(ss_names_intern(t, "gamma"), 0);
	assert_int_equal(ss_names_intern(t, "delta"), 0);
	assert_int_equal(ss_names_intern(t, "beta"), b);
	assert_ptr_equal(ss_names_text(t, a), text);
	assert_string_equal(text, "alpha");
	assert_string_equal(ss_names_text(t, 0), "-");
	assert_string_equal(ss_names_text(t, 99), "-");
	ss_names_free(t);
	ss_names_free(NULL);
}

static void many(void **state)
{
	struct ss_names *t = ss_names_create(1000);
	char name[32];
	for (uint32_t round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < 1000; i++) {
			snprintf(name, sizeof(name), "route-%u", i);
			assert_int_equal(ss_names_intern(t, name), i + 1);
			assert_string_equal(ss_names_text(t, i + 1), name);
		}
	}
	ss_names_free(t);
}

static void found_by_name(void **state)
{
	const struct ss_listener l[] = { { .name = 4 }, { .name = 9 } };
	const struct ss_cluster c[] = { { .name = 5 }, { .name = 6 } };
	struct ss_snapshot s = { .n_listeners = 2, .n_clusters = 2, .listeners = l, .clusters = c };
	assert_ptr_equal(ss_snapshot_listener(&s, 9), &l[1]);
	assert_null(ss_snapshot_listener(&s, 5));
	assert_ptr_equal(ss_snapshot_cluster(&s, 5), &c[0]);
	assert_null(ss_snapshot_cluster(&s, 9));
}

int main(void)
{
	const struct CMUnitTest t[] = { cmocka_unit_test(ids_stay), cmocka_unit_test(many),
					cmocka_unit_test(found_by_name) };
	return cmocka_run_group_tests(t, NULL, NULL);
}
