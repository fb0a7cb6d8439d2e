/* A crew over memory: stands in for dataplane/crew. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "tls/tls_fakecrew_sim.h"

#define ROOM 64

struct ss_crew {
	struct ss_crew_job *job[ROOM], *done[ROOM];
	uint32_t n, n_done, room;
	bool stuck;
};

static void need(bool ok)
{
	if (!ok)
		abort();
}

struct ss_crew *fake_crew_create(void)
{
	struct ss_crew *c = calloc(1, sizeof(*c));

	need(c);
	c->room = ROOM;
	return c;
}

static void *work(void *arg)
{
	struct ss_crew *c = arg;

	uint32_t kept = 0;
	struct ss_crew_job *keep[ROOM];

	while (c->n) {
		struct ss_crew_job *job = c->job[--c->n];

		job->again = false;
		job->run(job);
		job->ran_ns = 1000;
		if (job->again)
			keep[kept++] = job;
		else
			c->done[c->n_done++] = job;
	}
	while (kept)
		c->job[c->n++] = keep[--kept];
	need(ERR_peek_error() == 0);
	return NULL;
}

void fake_crew_run(struct ss_crew *c)
{
	pthread_t id;

	if (!c || c->stuck || !c->n)
		return;
	need(pthread_create(&id, NULL, work, c) == 0);
	need(pthread_join(id, NULL) == 0);
}

void fake_crew_stick(struct ss_crew *c, bool stuck)
{
	c->stuck = stuck;
}

void fake_crew_room(struct ss_crew *c, uint32_t n)
{
	c->room = n;
}

uint32_t fake_crew_waiting(const struct ss_crew *c)
{
	return c->n;
}

void fake_crew_stop(struct ss_crew *c)
{
	while (c && c->n)
		c->done[c->n_done++] = c->job[--c->n];
}

void fake_crew_free(struct ss_crew *c)
{
	need(!c || c->n + c->n_done == 0);
	free(c);
}

uint16_t ss_crew_threads(const struct ss_crew *c)
{
	return c ? 1 : 0;
}

uint16_t ss_crew_pick(const struct ss_crew *c, uint16_t worker)
{
	return 0;
}

bool ss_crew_give(struct ss_crew *c, uint16_t worker, uint16_t thread, struct ss_crew_job *job)
{
	if (c->n + c->n_done >= c->room)
		return false;
	c->job[c->n++] = job;
	return true;
}

struct ss_crew_job *ss_crew_take(struct ss_crew *c, uint16_t worker)
{
	struct ss_crew_job *job;

	if (!c || !c->n_done)
		return NULL;
	job = c->done[0];
	memmove(c->done, c->done + 1, --c->n_done * sizeof(job));
	return job;
}

void ss_crew_flush(struct ss_crew *c, uint16_t worker)
{
}

bool ss_crew_asleep(struct ss_crew *c, uint16_t worker)
{
	return true;
}

void ss_crew_awake(struct ss_crew *c, uint16_t worker)
{
}
