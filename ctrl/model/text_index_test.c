#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "model/text_index.h"

static void the_first_number_stays(void **state)
{
	struct ss_text_index x = { 0 };
	assert_int_equal(ss_text_index_get(&x, "a"), SS_TEXT_NONE);
	assert_int_equal(ss_text_index_put(&x, "a", 1), SS_TEXT_NONE);
	assert_int_equal(ss_text_index_put(&x, "A", 2), SS_TEXT_NONE);
	assert_int_equal(ss_text_index_put(&x, "a", 3), 1);
	assert_int_equal(ss_text_index_get(&x, "a"), 1);
	assert_int_equal(ss_text_index_get(&x, "A"), 2);
	assert_int_equal(ss_text_index_get(&x, ""), SS_TEXT_NONE);
	ss_text_index_free(&x);
	assert_int_equal(ss_text_index_get(&x, "a"), SS_TEXT_NONE);
}

static void letters_of_either_case_may_be_the_same(void **state)
{
	struct ss_text_index x = { .any_case = true };
	assert_int_equal(ss_text_index_put(&x, "A.Example", 7), SS_TEXT_NONE);
	assert_int_equal(ss_text_index_put(&x, "a.exAMPLE", 8), 7);
	assert_int_equal(ss_text_index_get(&x, "a-example"), SS_TEXT_NONE);
	ss_text_index_free(&x);
}

static void many_are_found_again(void **state)
{
	enum { MANY = 20000 };
	static char text[MANY][16];
	struct ss_text_index x = { 0 };
	for (uint32_t i = 0; i < MANY; i++) {
		snprintf(text[i], sizeof(text[i]), "name-%u", i);
		assert_int_equal(ss_text_index_put(&x, text[i], i), SS_TEXT_NONE);
	}
	for (uint32_t i = 0; i < MANY; i++) {
		char copy[16];
		snprintf(copy, sizeof(copy), "name-%u", i);
		assert_int_equal(ss_text_index_get(&x, copy), i);
	}
	assert_int_equal(ss_text_index_get(&x, "name-20000"), SS_TEXT_NONE);
	ss_text_index_free(&x);
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(the_first_number_stays),
		cmocka_unit_test(letters_of_either_case_may_be_the_same),
		cmocka_unit_test(many_are_found_again),
	};
	return cmocka_run_group_tests(t, NULL, NULL);
}
