/*
 * Jobs on threads beside a worker: late, out of order, never; rings that are full; sleepers that are woken. The
 * test is the worker. Semaphores hold jobs where a real thread would be slow, so nothing here waits for time.
 */
#include <poll.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "crew/crew.h"
#include "crew/crew_int.h"

#define JOBS 64

struct job {
	struct ss_crew_job job;
	pthread_t on;
	int runs;
	bool held, back;
};

static struct job jobs[JOBS];
/* A job with `turns` waits for it as for an engine: that many rounds; -1: for ever. */
static _Atomic int turns[JOBS];
static struct ss_mailbox *mail[2];
static sem_t begun, go_on; /* a held job says that it has begun, and waits */

static void run(struct ss_crew_job *j)
{
	struct job *job = (struct job *)j;

	job->on = pthread_self();
	job->runs++;
	if (job->held) {
		sem_post(&begun);
		sem_wait(&go_on);
	}
	_Atomic int *left = &turns[job - jobs];
	job->job.again = *left != 0;
	if (*left > 0)
		--*left;
}

static struct ss_crew *crew(uint16_t workers, uint16_t threads, uint32_t slots)
{
	struct ss_crew_conf conf = { .n_workers = workers, .n_threads = threads, .slots = slots, .mail = mail };
	struct ss_crew *c;

	memset(jobs, 0, sizeof(jobs));
	sem_init(&begun, 0, 0);
	sem_init(&go_on, 0, 0);
	for (int i = 0; i < JOBS; i++)
		turns[i] = 0;
	for (int i = 0; i < JOBS; i++)
		jobs[i].job.run = run;
	for (uint16_t i = 0; i < workers; i++)
		assert_non_null(mail[i] = ss_mailbox_create());
	assert_int_equal(ss_crew_create(&c, &conf), 0);
	return c;
}

static void end(struct ss_crew *c)
{
	assert_true(ss_crew_stop(c));
	ss_crew_free(c);
	for (int i = 0; i < 2; i++) {
		ss_mailbox_free(mail[i]);
		mail[i] = NULL;
	}
}

static void hold(int i)
{
	jobs[i].held = true;
}

static void give(struct ss_crew *c, uint16_t worker, uint16_t thread, int i)
{
	assert_true(ss_crew_give(c, worker, thread, &jobs[i].job));
}

/* Waits as a worker that polls: each one found is marked. */
static struct job *take(struct ss_crew *c, uint16_t worker)
{
	struct ss_crew_job *j;

	while (!(j = ss_crew_take(c, worker)))
		sched_yield();
	((struct job *)j)->back = true;
	return (struct job *)j;
}

/* A job that waits stays with its thread and runs again, in order; others are done meanwhile. */
static void test_a_job_that_waits(void **state)
{
	struct ss_crew *c = crew(1, 1, 8);

	turns[0] = -1;
	turns[1] = 3;
	for (int i = 0; i < 4; i++)
		give(c, 0, 0, i);
	ss_crew_flush(c, 0);
	for (int i = 0; i < 3; i++)
		assert_ptr_not_equal(take(c, 0), &jobs[0]);
	assert_true(jobs[1].back && jobs[2].back && jobs[3].back);
	assert_int_equal(jobs[1].runs, 4);
	turns[0] = 0;
	assert_ptr_equal(take(c, 0), &jobs[0]);
	assert_true(jobs[0].runs > 1);
	assert_false(jobs[0].job.again);
	/* One that never ends comes back as it is when the threads end. */
	turns[4] = -1;
	give(c, 0, 0, 4);
	ss_crew_flush(c, 0);
	assert_true(ss_crew_stop(c));
	assert_ptr_equal(ss_crew_take(c, 0), &jobs[4].job);
	assert_null(ss_crew_take(c, 0));
	end(c);
	/* One that waits when the threads end has a while for it. */
	c = crew(1, 1, 8);
	jobs[0].held = true;
	turns[0] = 200;
	give(c, 0, 0, 0);
	ss_crew_flush(c, 0);
	sem_wait(&begun);
	jobs[0].held = false;
	sem_post(&go_on);
	assert_true(ss_crew_stop(c));
	assert_ptr_equal(ss_crew_take(c, 0), &jobs[0].job);
	assert_int_equal(jobs[0].runs, 201);
	end(c);
}

static void test_a_job_runs_elsewhere(void **state)
{
	struct ss_crew *c = crew(1, 1, 4);

	assert_int_equal(ss_crew_threads(c), 1);
	assert_null(ss_crew_take(c, 0));
	give(c, 0, 0, 0);
	ss_crew_flush(c, 0);
	assert_ptr_equal(take(c, 0), &jobs[0]);
	assert_int_equal(jobs[0].runs, 1);
	assert_false(pthread_equal(jobs[0].on, pthread_self()));
	assert_null(ss_crew_take(c, 0));
	end(c);
}

static void test_without_a_crew(void **state)
{
	assert_int_equal(ss_crew_threads(NULL), 0);
	assert_null(ss_crew_take(NULL, 0));
	assert_true(ss_crew_asleep(NULL, 0));
	ss_crew_awake(NULL, 0);
	ss_crew_flush(NULL, 0);
	assert_true(ss_crew_stop(NULL));
	ss_crew_free(NULL);
}

/* One thread is held up; the other's jobs come back before, and new ones go to where fewer are. */
static void test_late_and_out_of_order(void **state)
{
	struct ss_crew *c = crew(1, 2, 8);

	hold(0);
	give(c, 0, 0, 0);
	give(c, 0, 0, 1);
	ss_crew_flush(c, 0);
	sem_wait(&begun);
	for (int i = 2; i < 10; i++) {
		assert_int_equal(ss_crew_pick(c, 0), 1);
		give(c, 0, ss_crew_pick(c, 0), i);
		ss_crew_flush(c, 0);
		assert_ptr_equal(take(c, 0), &jobs[i]);
	}
	assert_int_equal(jobs[1].runs, 0);
	sem_post(&go_on);
	assert_ptr_equal(take(c, 0), &jobs[0]);
	assert_ptr_equal(take(c, 0), &jobs[1]);
	end(c);
}

static void test_a_full_ring_refuses(void **state)
{
	struct ss_crew *c = crew(1, 1, 4);

	hold(0);
	for (int i = 0; i < 4; i++)
		give(c, 0, 0, i);
	/* Also when the thread has taken one from its ring: it is still out. */
	assert_false(ss_crew_give(c, 0, 0, &jobs[4].job));
	ss_crew_flush(c, 0);
	assert_false(ss_crew_give(c, 0, 0, &jobs[4].job));
	sem_post(&go_on);
	assert_ptr_equal(take(c, 0), &jobs[0]);
	give(c, 0, 0, 4);
	ss_crew_flush(c, 0);
	for (int i = 1; i < 5; i++)
		assert_ptr_equal(take(c, 0), &jobs[i]);
	end(c);
}

static void nothing(struct ss_crew_job *j)
{
}

/* What comes back is the worker's to free at once: the thread has done with it (the sanitizers see it if not). */
static void test_what_comes_back_may_be_freed(void **state)
{
	struct ss_crew *c = crew(1, 1, 4);

	for (int i = 0; i < 5000; i++) {
		struct job *job = calloc(1, sizeof(*job));

		assert_non_null(job);
		job->job.run = nothing;
		assert_true(ss_crew_give(c, 0, 0, &job->job));
		ss_crew_flush(c, 0);
		assert_ptr_equal(take(c, 0), job);
		free(job);
	}
	end(c);
}

/* A job comes back to the worker that gave it. Nobody's burst makes another worker's job wait for its end. */
static void test_two_workers(void **state)
{
	struct ss_crew *c = crew(2, 1, 16);

	hold(0);
	hold(2);
	give(c, 0, 0, 0);
	ss_crew_flush(c, 0);
	sem_wait(&begun);
	for (int i = 1; i < 10; i++)
		give(c, 0, 0, i);
	give(c, 1, 0, 20);
	sem_post(&go_on);
	sem_wait(&begun); /* the worker's third job has begun: the other worker's came before it */
	assert_ptr_equal(ss_crew_take(c, 1), &jobs[20]);
	sem_post(&go_on);
	for (int i = 0; i < 10; i++)
		assert_ptr_equal(take(c, 0), &jobs[i]);
	assert_null(ss_crew_take(c, 1));
	end(c);
}

/* Jobs that a stop leaves undone can be taken, and none is lost; a new one is refused. */
static void test_stop_with_jobs_out(void **state)
{
	struct ss_crew *c = crew(1, 1, 64);
	int back = 0;

	for (int i = 0; i < 50; i++)
		give(c, 0, 0, i);
	ss_crew_flush(c, 0);
	assert_true(ss_crew_stop(c));
	for (struct ss_crew_job *j; (j = ss_crew_take(c, 0)); back++)
		((struct job *)j)->back = true;
	assert_int_equal(back, 50);
	for (int i = 0; i < 50; i++)
		assert_true(jobs[i].back);
	assert_false(ss_crew_give(c, 0, 0, &jobs[50].job));
	end(c);
}

/* A thread whose job does not end: the stop says so, and does not wait for ever. */
static void test_a_thread_that_is_stuck(void **state)
{
	struct ss_crew *c = crew(1, 2, 4);

	hold(0);
	give(c, 0, 0, 0);
	ss_crew_flush(c, 0);
	sem_wait(&begun);
	assert_false(ss_crew_stop(c));
	assert_null(ss_crew_take(c, 0));
	sem_post(&go_on);
	assert_true(ss_crew_stop(c));
	assert_ptr_equal(ss_crew_take(c, 0), &jobs[0]);
	end(c);
}

static bool woken(int worker, int timeout_ms)
{
	struct pollfd p = { .fd = ss_mailbox_fd(mail[worker]), .events = POLLIN };
	uint64_t n;

	return poll(&p, 1, timeout_ms) == 1 && read(p.fd, &n, sizeof(n)) == sizeof(n);
}

static void test_a_sleeping_worker_is_woken(void **state)
{
	struct ss_crew *c = crew(1, 1, 4);

	hold(0);
	give(c, 0, 0, 0);
	ss_crew_flush(c, 0);
	sem_wait(&begun);
	assert_true(ss_crew_asleep(c, 0));
	assert_false(woken(0, 0));
	sem_post(&go_on);
	assert_true(woken(0, 60000));
	ss_crew_awake(c, 0);
	assert_ptr_equal(take(c, 0), &jobs[0]);
	/* Awake it is not written to; and with something there it must not sleep. */
	give(c, 0, 0, 1);
	ss_crew_flush(c, 0);
	while (!ss_crew_any(&c->pair[0][0].up))
		sched_yield();
	assert_false(woken(0, 0));
	assert_false(ss_crew_asleep(c, 0));
	ss_crew_awake(c, 0);
	take(c, 0);
	end(c);
}

/* Many jobs, one at a time, each given to a thread that is just about to sleep or sleeps: no wake is lost. */
static void test_no_wake_is_lost(void **state)
{
	struct ss_crew *c = crew(1, 2, 4);

	for (int i = 0; i < 5000; i++) {
		int k = i % JOBS;
		give(c, 0, (uint16_t)(i & 1), k);
		ss_crew_flush(c, 0);
		if (ss_crew_asleep(c, 0))
			assert_true(woken(0, 60000));
		ss_crew_awake(c, 0);
		assert_ptr_equal(take(c, 0), &jobs[k]);
	}
	end(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_job_that_waits),
		cmocka_unit_test(test_a_job_runs_elsewhere),
		cmocka_unit_test(test_without_a_crew),
		cmocka_unit_test(test_late_and_out_of_order),
		cmocka_unit_test(test_a_full_ring_refuses),
		cmocka_unit_test(test_what_comes_back_may_be_freed),
		cmocka_unit_test(test_two_workers),
		cmocka_unit_test(test_stop_with_jobs_out),
		cmocka_unit_test(test_a_thread_that_is_stuck),
		cmocka_unit_test(test_a_sleeping_worker_is_woken),
		cmocka_unit_test(test_no_wake_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
