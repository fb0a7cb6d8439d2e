/*
 * A thread of the crew: takes one job from each worker in turn, so that none waits behind another's burst; sleeps
 * when there is none.
 */
#include <sched.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "crew/crew_int.h"

/* How long a stop waits for a job in hand. */
#define STOP_SECONDS 2

static uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SS_NS_PER_SEC + (uint64_t)t.tv_nsec;
}

/* Gives a job back, and wakes the worker if it sleeps: "job in ring" comes before "does it sleep", and the
 * sleeper does the two the other way round. */
static void give_back(struct ss_crew *c, uint16_t worker, struct crew_pair *p, struct ss_crew_job *job)
{
	ss_crew_put(c, &p->up, job);
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&c->worker[worker].asleep, memory_order_relaxed))
		ss_mailbox_wake(c->conf.mail[worker]);
}

/* One job of each worker that has any. False: nobody had. */
static bool round_of_jobs(struct crew_thread *t)
{
	struct ss_crew *c = t->crew;
	bool any = false;

	for (uint16_t w = 0; w < c->conf.n_workers && !atomic_load_explicit(&c->stop, memory_order_relaxed); w++) {
		struct crew_pair *p = &c->pair[w][t->index];
		struct ss_crew_job *job = ss_crew_get(c, &p->down);

		if (!job)
			continue;
		any = true;
		uint64_t began = clock_ns();
		job->run(job);
		job->ran_ns = clock_ns() - began;
		give_back(c, w, p, job);
	}
	return any;
}

static bool nothing_waits(struct crew_thread *t)
{
	for (uint16_t w = 0; w < t->crew->conf.n_workers; w++)
		if (ss_crew_any(&t->crew->pair[w][t->index].down))
			return false;
	return !atomic_load_explicit(&t->crew->stop, memory_order_relaxed);
}

static void sleep_until_woken(struct crew_thread *t)
{
	uint64_t count;

	atomic_store_explicit(&t->asleep, true, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	/* An error means that it was a signal: the rings are looked at again. */
	if (nothing_waits(t) && read(t->fd, &count, sizeof(count)) < 0)
		sched_yield();
	atomic_store_explicit(&t->asleep, false, memory_order_relaxed);
}

static void *live(void *arg)
{
	struct crew_thread *t = arg;

	while (!atomic_load_explicit(&t->crew->stop, memory_order_relaxed))
		if (!round_of_jobs(t))
			sleep_until_woken(t);
	return NULL;
}

void ss_crew_wake(struct crew_thread *t)
{
	uint64_t one = 1;

	if (write(t->fd, &one, sizeof(one)) < 0) {
		/* The counter is full: it will wake. */
	}
}

int ss_crew_start(struct crew_thread *t)
{
	const struct ss_crew_conf *conf = &t->crew->conf;
	pthread_attr_t attr;
	char name[16];
	cpu_set_t cpus;
	int err;

	t->fd = eventfd(0, EFD_CLOEXEC);
	if (t->fd < 0 || pthread_attr_init(&attr))
		return SS_ERR_NO_MEM;
	if (conf->n_cores) {
		CPU_ZERO(&cpus);
		CPU_SET(conf->core[t->index % conf->n_cores], &cpus);
		pthread_attr_setaffinity_np(&attr, sizeof(cpus), &cpus);
	}
	err = pthread_create(&t->id, &attr, live, t);
	pthread_attr_destroy(&attr);
	if (err)
		return SS_ERR_FATAL;
	t->started = true;
	snprintf(name, sizeof(name), "handshake-%u", t->index);
	pthread_setname_np(t->id, name);
	return 0;
}

bool ss_crew_join(struct crew_thread *t)
{
	struct timespec until;

	if (!t->started)
		return true;
	ss_crew_wake(t);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += STOP_SECONDS;
	t->started = pthread_timedjoin_np(t->id, NULL, &until) != 0;
	return !t->started;
}
