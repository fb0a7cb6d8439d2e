#include "perf/load/load_pace.h"

#include <math.h>

void ss_load_pace_init(struct ss_load_pace *p, double rate, bool poisson, uint64_t start)
{
	p->gap = 1e9 / rate;
	p->offset = 0;
	p->poisson = poisson;
	p->start = p->next = start;
	ss_rng_seed(&p->rng, 1); /* the same arrivals in every run */
}

/* -ln(u) with u uniform in (0, 1]. */
static double exponential(struct ss_rng *r)
{
	return -log(((double)(ss_rng_u64(r) >> 11) + 1) / 9007199254740992.0);
}

void ss_load_pace_step(struct ss_load_pace *p)
{
	p->offset += p->poisson ? p->gap * exponential(&p->rng) : p->gap;
	p->next = p->start + (uint64_t)p->offset;
}

uint64_t ss_load_pace_behind(const struct ss_load_pace *p, uint64_t now)
{
	return now < p->next ? 0 : 1 + (uint64_t)((double)(now - p->next) / p->gap);
}
