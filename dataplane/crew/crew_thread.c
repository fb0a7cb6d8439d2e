/*
 * A thread of the crew: takes one job from each worker in turn, so that none waits behind another's burst; sleeps
 * when there is none.
 */
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "crew/crew_int.h"

/* How long a stop waits for a job in hand. */
#define STOP_SECONDS 2
/* How long it sleeps while jobs of its own wait for the offload; and at most, where there is one: others (control, a
 * token's verification) may wait for it on threads that do not poll it. */
#define NAP_NS (50 * SS_NS_PER_US)
#define POLL_NS SS_NS_PER_MS
/* Naps at a stop for jobs that wait: what ends meanwhile leaves nothing behind. */
#define LAST_NAPS 2000

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

static void keep(struct crew_thread *t, struct ss_crew_job *job)
{
	job->next = NULL;
	*t->kept_end = job;
	t->kept_end = &job->next;
}

/* False: it is not over. True: it is its worker's again, and must not be looked at here. */
static bool run_job(struct crew_thread *t, struct ss_crew_job *job)
{
	uint64_t began = clock_ns();

	job->again = false;
	job->run(job);
	job->ran_ns += clock_ns() - began;
	if (job->again) {
		keep(t, job);
		return false;
	}
	give_back(t->crew, job->worker, &t->crew->pair[job->worker][t->index], job);
	return true;
}

static struct ss_crew_job *take_kept(struct crew_thread *t)
{
	struct ss_crew_job *all = t->kept;

	t->kept = NULL;
	t->kept_end = &t->kept;
	return all;
}

/* Each that waits, once. False: none of them is over. */
static bool round_of_kept(struct crew_thread *t)
{
	struct ss_crew_job *job, *next;
	bool any = false;

	ss_offload_poll(t->crew->conf.offload);
	for (job = take_kept(t); job; job = next) {
		next = job->next;
		any = run_job(t, job) || any;
	}
	return any;
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
		job->worker = w;
		job->ran_ns = 0;
		run_job(t, job);
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
	struct timespec nap = { .tv_nsec = t->kept ? NAP_NS : POLL_NS };
	struct pollfd p = { .fd = t->fd, .events = POLLIN };
	uint64_t count;

	atomic_store_explicit(&t->asleep, true, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	/* An error means that it was a signal: the rings are looked at again. */
	if (nothing_waits(t) && ppoll(&p, 1, t->kept || t->crew->conf.offload ? &nap : NULL, NULL) > 0 &&
	    read(t->fd, &count, sizeof(count)) < 0)
		sched_yield();
	atomic_store_explicit(&t->asleep, false, memory_order_relaxed);
}

/* What waits has a while to end; what still does goes back as it is. */
static void give_up(struct crew_thread *t)
{
	struct timespec nap = { .tv_nsec = NAP_NS };
	struct ss_crew_job *job, *next;

	for (int i = 0; t->kept && i < LAST_NAPS; i++)
		if (!round_of_kept(t))
			nanosleep(&nap, NULL);
	for (job = take_kept(t); job; job = next) {
		next = job->next;
		give_back(t->crew, job->worker, &t->crew->pair[job->worker][t->index], job);
	}
}

static void *live(void *arg)
{
	struct crew_thread *t = arg;

	ss_offload_begin(t->crew->conf.offload);
	while (!atomic_load_explicit(&t->crew->stop, memory_order_relaxed)) {
		bool any = round_of_jobs(t);

		if (!(round_of_kept(t) || any))
			sleep_until_woken(t);
	}
	give_up(t);
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
