#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <unistd.h>

#include "base/err.h"
#include "contract/mailbox.h"

static bool readable(struct ss_mailbox *m)
{
	struct pollfd p = { .fd = ss_mailbox_fd(m), .events = POLLIN };
	return poll(&p, 1, 0) == 1;
}

static void in_order_until_full(void **state)
{
	struct ss_mailbox *m = ss_mailbox_create();
	struct ss_mail got;
	uint64_t sent = 0, taken = 0;
	assert_false(ss_mailbox_take(m, &got));
	for (int round = 0; round < 5; round++) {
		while (ss_mailbox_send(m, (struct ss_mail){ SS_MAIL_DRAIN, sent, ~sent }) == 0)
			sent++;
		assert_int_equal(ss_mailbox_send(m, (struct ss_mail){ 0 }), SS_ERR_FULL);
		for (int i = 0; i < 10 + round; i++) {
			assert_true(ss_mailbox_take(m, &got));
			assert_true(got.kind == SS_MAIL_DRAIN && got.a == taken && got.b == ~taken);
			taken++;
		}
	}
	while (ss_mailbox_take(m, &got))
		assert_int_equal(got.a, taken++);
	assert_int_equal(taken, sent);
	assert_false(ss_mailbox_take_answer(m, &got));
	ss_mailbox_free(m);
}

static void answers_go_the_other_way(void **state)
{
	struct ss_mailbox *m = ss_mailbox_create();
	struct ss_mail got;
	assert_int_equal(ss_mailbox_answer(m, (struct ss_mail){ SS_MAIL_ADOPTED, 7, 0 }), 0);
	assert_false(ss_mailbox_take(m, &got));
	assert_true(ss_mailbox_take_answer(m, &got));
	assert_int_equal(got.kind, SS_MAIL_ADOPTED);
	assert_int_equal(got.a, 7);
	ss_mailbox_free(m);
	ss_mailbox_free(NULL);
}

static void sending_wakes(void **state)
{
	struct ss_mailbox *m = ss_mailbox_create();
	uint64_t n;
	assert_false(readable(m));
	assert_int_equal(ss_mailbox_answer(m, (struct ss_mail){ SS_MAIL_ADOPTED, 7, 0 }), 0);
	assert_false(readable(m));
	assert_int_equal(ss_mailbox_send(m, (struct ss_mail){ SS_MAIL_STOP, 0, 0 }), 0);
	assert_true(readable(m));
	assert_int_equal(read(ss_mailbox_fd(m), &n, sizeof(n)), sizeof(n));
	assert_false(readable(m));
	ss_mailbox_wake(m);
	assert_true(readable(m));
	ss_mailbox_free(m);
}

int main(void)
{
	const struct CMUnitTest t[] = { cmocka_unit_test(in_order_until_full),
					cmocka_unit_test(answers_go_the_other_way),
					cmocka_unit_test(sending_wakes) };
	return cmocka_run_group_tests(t, NULL, NULL);
}
