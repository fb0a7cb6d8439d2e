/*
 * crew.h - threads beside the workers, for jobs that take longer than a turn: handshakes.
 *
 * Takes:   jobs, each with all that it touches; from a worker, for one thread.
 * Gives:   the same jobs, done, to the worker they came from, in any order between threads.
 * Owns:    the threads; two single-producer single-consumer rings for each worker and thread. Never a job.
 * Thread:  create, stop, free: control. give, take, flush, asleep, awake: the worker of that index. A job runs
 *          on its thread. Nobody takes a lock; a worker makes one system call a turn and thread, to wake it.
 * Errors:  SS_ERR_NO_MEM, SS_ERR_FATAL at create; a full ring refuses.
 *
 * A job given is not the worker's until take gives it back; one that a stuck thread has never comes back. A
 * sleeping worker is woken by what comes back. A job that waits for something (an engine) stays with its thread,
 * which runs it again and again beside the others, with naps between, until it has ended.
 */
#ifndef SS_CREW_H
#define SS_CREW_H

#include "base/base.h"
#include "contract/mailbox.h"
#include "contract/offload.h"

#define SS_MAX_CREW SS_MAX_WORKERS

struct ss_crew;

struct ss_crew_job {
	void (*run)(struct ss_crew_job *job); /* on the thread */
	uint64_t ran_ns;                      /* when it is back: how long that took */
	bool again;                           /* set by run: not over, to be run again soon */
	uint16_t worker;                      /* the thread's: whose it is */
	struct ss_crew_job *next;             /* the thread's */
};

struct ss_crew_conf {
	uint16_t n_workers, n_threads;
	uint32_t slots;       /* jobs that a worker may have at one thread, at most */
	uint32_t n_cores;     /* 0: wherever the process may run */
	const uint32_t *core; /* thread i runs on core[i % n_cores] */
	struct ss_mailbox *const *mail; /* where workers are woken */
	const struct ss_offload *offload; /* what jobs may wait for; NULL: nothing */
};

/* Starts the threads. */
int ss_crew_create(struct ss_crew **out, const struct ss_crew_conf *conf);
/* Ends the threads, which finish the jobs in hand; those that none has begun can be taken back then. False: a
 * thread does not end, so its job and the crew itself must stay in memory. */
bool ss_crew_stop(struct ss_crew *c);
/* NULL is allowed. After a stop that was true. */
void ss_crew_free(struct ss_crew *c);

/* ---- a worker's; c may be NULL: then there are no threads and no jobs ---- */

uint16_t ss_crew_threads(const struct ss_crew *c);
/* The thread with the fewest of this worker's jobs. */
uint16_t ss_crew_pick(const struct ss_crew *c, uint16_t worker);
/* False: that thread has as many of this worker's jobs as it takes. */
bool ss_crew_give(struct ss_crew *c, uint16_t worker, uint16_t thread, struct ss_crew_job *job);
/* A job that has come back, or NULL. */
struct ss_crew_job *ss_crew_take(struct ss_crew *c, uint16_t worker);
/* Wakes those threads that sleep and have got something since the last call. */
void ss_crew_flush(struct ss_crew *c, uint16_t worker);
/* This worker is going to sleep: false when jobs have come back. */
bool ss_crew_asleep(struct ss_crew *c, uint16_t worker);
void ss_crew_awake(struct ss_crew *c, uint16_t worker);

#endif
