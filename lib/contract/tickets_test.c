#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "contract/tickets.h"

static struct ss_ticket_key key(uint8_t c)
{
	struct ss_ticket_key k;

	memset(&k, c, sizeof(k));
	return k;
}

static void a_key_lasts_two_turns(void **state)
{
	struct ss_ticket_key a = key(1), b = key(2), c = key(3), out;
	struct ss_ticket_ring *r;

	assert_int_equal(ss_ticket_ring_create(&r), 0);
	assert_false(ss_ticket_newest(r, &out));
	assert_false(ss_ticket_find(r, a.name, &out));
	ss_ticket_ring_turn(r, &a);
	assert_true(ss_ticket_newest(r, &out));
	assert_memory_equal(&out, &a, sizeof(a));
	ss_ticket_ring_turn(r, &b);
	assert_true(ss_ticket_newest(r, &out));
	assert_memory_equal(&out, &b, sizeof(b));
	assert_true(ss_ticket_find(r, a.name, &out));
	assert_memory_equal(&out, &a, sizeof(a));
	ss_ticket_ring_turn(r, &c);
	assert_false(ss_ticket_find(r, a.name, &out));
	assert_true(ss_ticket_find(r, b.name, &out));
	ss_ticket_ring_free(r);
}

static void a_set_replaces_all(void **state)
{
	struct ss_ticket_key keys[SS_TICKET_KEYS + 1], out;
	struct ss_ticket_ring *r;

	for (uint8_t i = 0; i <= SS_TICKET_KEYS; i++)
		keys[i] = key((uint8_t)(10 + i));
	assert_int_equal(ss_ticket_ring_create(&r), 0);
	ss_ticket_ring_set(r, keys, SS_TICKET_KEYS + 1);
	for (uint32_t i = 0; i < SS_TICKET_KEYS; i++)
		assert_true(ss_ticket_find(r, keys[i].name, &out));
	assert_false(ss_ticket_find(r, keys[SS_TICKET_KEYS].name, &out));
	ss_ticket_ring_set(r, keys + 1, 1);
	assert_false(ss_ticket_find(r, keys[0].name, &out));
	assert_false(ss_ticket_find(r, keys[2].name, &out));
	assert_true(ss_ticket_newest(r, &out));
	assert_memory_equal(&out, &keys[1], sizeof(out));
	ss_ticket_ring_free(r);
}

static _Atomic bool over;

/* No reader ever sees a key of which one part is older than another. */
static void *read_whole(void *arg)
{
	static uint64_t torn;
	struct ss_ticket_key out;

	while (!over) {
		if (!ss_ticket_newest(arg, &out))
			continue;
		for (size_t i = 0; i < sizeof(out); i++)
			torn += ((uint8_t *)&out)[i] != out.name[0];
	}
	return &torn;
}

static void readers_see_whole_keys(void **state)
{
	struct ss_ticket_ring *r;
	pthread_t reader;
	void *torn;

	assert_int_equal(ss_ticket_ring_create(&r), 0);
	assert_int_equal(pthread_create(&reader, NULL, read_whole, r), 0);
	for (int i = 0; i < 200000; i++) {
		struct ss_ticket_key k = key((uint8_t)i);
		ss_ticket_ring_turn(r, &k);
	}
	over = true;
	assert_int_equal(pthread_join(reader, &torn), 0);
	assert_int_equal(*(uint64_t *)torn, 0);
	ss_ticket_ring_free(r);
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(a_key_lasts_two_turns),
		cmocka_unit_test(a_set_replaces_all),
		cmocka_unit_test(readers_see_whole_keys),
	};
	return cmocka_run_group_tests(t, NULL, NULL);
}
