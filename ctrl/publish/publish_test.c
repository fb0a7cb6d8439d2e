#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <rte_rcu_qsbr.h>

#include "publish/publish.h"

#define WORKERS 3
#define SWAPS 3000
#define ALIVE 0x600dull
#define FREED 0xdeadull

/* Freed snapshots are kept, marked, so that a late reader is seen instead of crashing. */
static struct ss_snapshot *grave[SWAPS + 2];
static uint32_t n_grave;

static void bury(struct ss_snapshot *s)
{
	atomic_store((_Atomic uint32_t *)&s->n_workers, FREED);
	grave[n_grave++] = s;
}

static struct ss_snapshot *fresh(uint64_t generation)
{
	struct ss_snapshot *s = calloc(1, sizeof(*s));
	s->generation = generation;
	s->n_workers = ALIVE;
	return s;
}

static void empty_grave(void)
{
	while (n_grave)
		free(grave[--n_grave]);
}

/* A worker as worker_loop.c is one: takes the pointer once a turn, reads it, reports quiescent. */
struct reader {
	uint32_t index;
	struct ss_snapshot_box *box;
	_Atomic uint64_t adopted;
	_Atomic bool stop;
	uint64_t turns, saw_freed, went_back;
};

static void *run(void *arg)
{
	struct reader *r = arg;
	uint64_t last = 0;
	rte_rcu_qsbr_thread_online(r->box->qsv, r->index);
	for (; !atomic_load(&r->stop); r->turns++) {
		const struct ss_snapshot *s = atomic_load_explicit(&r->box->current, memory_order_acquire);
		for (int i = 0; i < 50; i++)
			if (atomic_load((const _Atomic uint32_t *)&s->n_workers) == FREED)
				r->saw_freed++;
		r->went_back += s->generation < last;
		last = s->generation;
		rte_rcu_qsbr_quiescent(r->box->qsv, r->index);
		atomic_store(&r->adopted, last);
		if (r->turns % 256 == 0) { /* asleep: offline, and somebody else's turn on two cores */
			rte_rcu_qsbr_thread_offline(r->box->qsv, r->index);
			sched_yield();
			rte_rcu_qsbr_thread_online(r->box->qsv, r->index);
		}
	}
	rte_rcu_qsbr_thread_offline(r->box->qsv, r->index);
	return NULL;
}

static void none_is_freed_early(void **state)
{
	struct ss_snapshot_box box = { 0 };
	struct ss_publish *p;
	struct reader r[WORKERS] = { 0 };
	pthread_t t[WORKERS];
	uint32_t most = 0;
	assert_int_equal(ss_publish_create(&p, &(struct ss_publish_conf){ &box, WORKERS, NULL, bury }), 0);
	ss_publish_swap(p, fresh(1));
	for (uint32_t i = 0; i < WORKERS; i++) {
		r[i].index = i;
		r[i].box = &box;
		assert_int_equal(pthread_create(&t[i], NULL, run, &r[i]), 0);
	}
	for (uint64_t g = 2; g <= SWAPS; g++) {
		ss_publish_swap(p, fresh(g));
		if (g % 7 == 0)
			sched_yield();
		ss_publish_poll(p);
		most = ss_max_u32(most, ss_publish_live(p));
		assert_int_equal(ss_publish_live(p) + n_grave, g);
	}
	while (ss_publish_poll(p) || !ss_publish_acknowledged(p, SWAPS)) {
		for (uint32_t i = 0; i < WORKERS; i++)
			ss_publish_adopted(p, i, atomic_load(&r[i].adopted));
		sched_yield();
	}
	assert_int_equal(ss_publish_live(p), 1);
	assert_int_equal(n_grave, SWAPS - 1);
	for (uint32_t i = 0; i < WORKERS; i++) {
		atomic_store(&r[i].stop, true);
		pthread_join(t[i], NULL);
		assert_int_equal(r[i].saw_freed, 0);
		assert_int_equal(r[i].went_back, 0);
	}
	print_message("most generations alive at once: %u\n", most);
	ss_publish_free(p);
	assert_int_equal(n_grave, SWAPS);
	empty_grave();
}

/* The reader is this test itself, so that every step is seen. */
static void a_reader_in_its_turn_keeps_its_generation(void **state)
{
	struct ss_snapshot_box box = { 0 };
	struct ss_publish *p;
	assert_int_equal(ss_publish_create(&p, &(struct ss_publish_conf){ &box, 2, NULL, bury }), 0);
	assert_null(ss_publish_current(p));
	assert_int_equal(ss_publish_live(p), 0);
	ss_publish_swap(p, fresh(1));
	assert_int_equal(ss_publish_live(p), 1);
	assert_false(ss_publish_poll(p));

	rte_rcu_qsbr_thread_online(box.qsv, 0); /* worker 1 sleeps all the while */
	ss_publish_swap(p, fresh(2));
	assert_true(ss_publish_poll(p));
	assert_int_equal(ss_publish_live(p), 2);
	ss_publish_swap(p, fresh(3));
	assert_true(ss_publish_poll(p));
	assert_int_equal(ss_publish_live(p), 3);
	assert_int_equal(n_grave, 0);
	rte_rcu_qsbr_quiescent(box.qsv, 0);
	/* Requests may still have something of them, until their worker says that none has. */
	assert_true(ss_publish_poll(p));
	ss_publish_adopted(p, 0, 3);
	ss_publish_adopted(p, 1, 2);
	assert_true(ss_publish_poll(p));
	assert_int_equal(n_grave, 1);
	ss_publish_adopted(p, 1, 3);
	assert_false(ss_publish_poll(p));
	assert_int_equal(ss_publish_live(p), 1);
	assert_int_equal(n_grave, 2);
	assert_int_equal(grave[0]->generation, 1);
	assert_int_equal(ss_publish_current(p)->generation, 3);
	ss_publish_free(p);
	assert_null(box.qsv);
	empty_grave();
}

static void acknowledged_means_all_workers(void **state)
{
	struct ss_snapshot_box box = { 0 };
	struct ss_publish *p;
	assert_int_equal(ss_publish_create(&p, &(struct ss_publish_conf){ &box, 2, NULL, bury }), 0);
	ss_publish_swap(p, fresh(4));
	assert_false(ss_publish_acknowledged(p, 4));
	ss_publish_adopted(p, 0, 4);
	assert_false(ss_publish_acknowledged(p, 4));
	ss_publish_adopted(p, 1, 3);
	assert_false(ss_publish_acknowledged(p, 4));
	assert_true(ss_publish_acknowledged(p, 3));
	ss_publish_adopted(p, 1, 5); /* a later one counts too */
	ss_publish_adopted(p, 1, 2); /* an old answer read late does not take it back */
	ss_publish_adopted(p, 9, 9); /* nobody */
	assert_true(ss_publish_acknowledged(p, 4));
	assert_false(ss_publish_acknowledged(p, 5));
	ss_publish_free(p);
	empty_grave();
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(none_is_freed_early),
		cmocka_unit_test(a_reader_in_its_turn_keeps_its_generation),
		cmocka_unit_test(acknowledged_means_all_workers),
	};
	return cmocka_run_group_tests(t, NULL, NULL);
}
