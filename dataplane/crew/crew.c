/* The crew as control makes it and as workers use it. */
#include "crew/crew.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "crew/crew_int.h"

static uint32_t power_of_two(uint32_t n)
{
	uint32_t p = 1;

	while (p < n)
		p *= 2;
	return p;
}

static int make_lanes(struct ss_crew *c)
{
	uint32_t slots = c->mask + 1;
	struct ss_crew_job **at = calloc((size_t)c->conf.n_workers * c->conf.n_threads * 2 * slots, sizeof(*at));

	c->slots = at;
	if (!at)
		return SS_ERR_NO_MEM;
	for (uint16_t w = 0; w < c->conf.n_workers; w++) {
		for (uint16_t t = 0; t < c->conf.n_threads; t++, at += 2 * slots) {
			c->pair[w][t].down.slot = at;
			c->pair[w][t].up.slot = at + slots;
		}
	}
	return 0;
}

int ss_crew_create(struct ss_crew **out, const struct ss_crew_conf *conf)
{
	size_t size = (sizeof(struct ss_crew) + SS_CACHE_LINE - 1) & ~(size_t)(SS_CACHE_LINE - 1);
	struct ss_crew *c = aligned_alloc(SS_CACHE_LINE, size);
	int err;

	if (!c)
		return SS_ERR_NO_MEM;
	memset(c, 0, sizeof(*c));
	c->conf = *conf;
	c->mask = power_of_two(conf->slots) - 1;
	for (uint16_t i = 0; i < conf->n_threads; i++)
		c->thread[i] = (struct crew_thread){ .crew = c, .index = i, .fd = -1,
						     .kept_end = &c->thread[i].kept };
	err = make_lanes(c);
	for (uint16_t i = 0; i < conf->n_threads && err == 0; i++)
		err = ss_crew_start(&c->thread[i]);
	c->conf.core = NULL; /* was the caller's */
	if (err < 0) {
		(void)ss_crew_stop(c); /* none has a job */
		ss_crew_free(c);
		return err;
	}
	*out = c;
	return 0;
}

bool ss_crew_stop(struct ss_crew *c)
{
	bool all = true;

	if (!c || c->stopped)
		return true;
	atomic_store(&c->stop, true);
	for (uint16_t i = 0; i < c->conf.n_threads; i++)
		all = ss_crew_join(&c->thread[i]) && all;
	c->stopped = all;
	return all;
}

void ss_crew_free(struct ss_crew *c)
{
	if (!c)
		return;
	for (uint16_t i = 0; i < c->conf.n_threads; i++)
		if (c->thread[i].fd >= 0)
			close(c->thread[i].fd);
	free(c->slots);
	free(c);
}

/* ---- workers ---- */

uint16_t ss_crew_threads(const struct ss_crew *c)
{
	return c ? c->conf.n_threads : 0;
}

uint16_t ss_crew_pick(const struct ss_crew *c, uint16_t worker)
{
	uint16_t best = 0;

	/* Workers begin at different threads, so that few jobs of many workers do not meet at the first. */
	for (uint16_t k = 0; k < c->conf.n_threads; k++) {
		uint16_t i = (uint16_t)((worker + k) % c->conf.n_threads);

		if (k == 0 || c->pair[worker][i].out < c->pair[worker][best].out)
			best = i;
	}
	return best;
}

bool ss_crew_give(struct ss_crew *c, uint16_t worker, uint16_t thread, struct ss_crew_job *job)
{
	struct crew_pair *p = &c->pair[worker][thread];

	if (p->out > c->mask || c->stopped)
		return false;
	p->out++;
	p->fresh = true;
	ss_crew_put(c, &p->down, job);
	return true;
}

struct ss_crew_job *ss_crew_take(struct ss_crew *c, uint16_t worker)
{
	struct crew_worker *w = c ? &c->worker[worker] : NULL;

	for (uint16_t i = 0; c && i < c->conf.n_threads; i++) {
		struct crew_pair *p = &c->pair[worker][(w->next + i) % c->conf.n_threads];
		struct ss_crew_job *job = ss_crew_get(c, &p->up);

		if (!job && c->stopped)
			job = ss_crew_get(c, &p->down);
		if (!job)
			continue;
		p->out--;
		w->next = (uint16_t)((w->next + i + 1) % c->conf.n_threads);
		return job;
	}
	return NULL;
}

void ss_crew_flush(struct ss_crew *c, uint16_t worker)
{
	bool fenced = false;

	for (uint16_t i = 0; c && i < c->conf.n_threads; i++) {
		struct crew_pair *p = &c->pair[worker][i];

		if (!p->fresh)
			continue;
		p->fresh = false;
		/* As in crew_thread.c: first the job, then the question whether it sleeps. */
		if (!fenced)
			atomic_thread_fence(memory_order_seq_cst);
		fenced = true;
		if (atomic_load_explicit(&c->thread[i].asleep, memory_order_relaxed))
			ss_crew_wake(&c->thread[i]);
	}
}

bool ss_crew_asleep(struct ss_crew *c, uint16_t worker)
{
	if (!c)
		return true;
	atomic_store_explicit(&c->worker[worker].asleep, true, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	for (uint16_t i = 0; i < c->conf.n_threads; i++)
		if (ss_crew_any(&c->pair[worker][i].up))
			return false;
	return true;
}

void ss_crew_awake(struct ss_crew *c, uint16_t worker)
{
	if (c)
		atomic_store_explicit(&c->worker[worker].asleep, false, memory_order_relaxed);
}
