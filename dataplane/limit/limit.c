/* limit.c - the door: all of a request's limits, or none. */
#include "limit/limit_int.h"

struct met {
	uint32_t n;
	struct ss_limit_bucket b[SS_LIMITS_MAX];
};

static bool met_before(const struct met *m, const struct ss_limit *l)
{
	for (uint32_t i = 0; i < m->n; i++)
		if (m->b[i].limit->slot == l->slot)
			return true;
	return false;
}

/* A policy that both the listener and the route name is met once; within a list each is another. */
static void meet(struct ss_limit_table *t, const struct ss_limit_list *list,
		 const struct ss_limit_request *rq, uint64_t ticks, struct met *m)
{
	uint32_t had = m->n;

	for (uint16_t i = 0; i < list->n && m->n < SS_LIMITS_MAX; i++)
		if (!had || !met_before(m, list->limit[i]))
			ss_limit_find(t, list->limit[i], rq, ticks, &m->b[m->n++]);
}

static void add(uint64_t *count)
{
	__atomic_store_n(count, *count + 1, __ATOMIC_RELAXED);
}

static void report(const struct ss_limit_bucket *b, bool refused, uint64_t ticks,
		   struct ss_limit_verdict *out)
{
	uint64_t wait, full;
	uint32_t left = ss_limit_left(b, ticks, &wait, &full);

	if (out->limit && !refused && left >= out->remaining)
		return;
	*out = (struct ss_limit_verdict){.limit = b->limit,
					 .refused = refused,
					 .burst = b->pace->burst,
					 .remaining = left,
					 .window_ns = b->pace->depth / SS_LIMIT_TICKS,
					 .reset_ns = full / SS_LIMIT_TICKS,
					 .retry_ns = wait / SS_LIMIT_TICKS};
}

static bool refuse(struct ss_limit_table *t, const struct ss_limit_bucket *b,
		   const struct ss_limit_request *rq, uint64_t ticks, struct ss_limit_verdict *out)
{
	add(&ss_limit_counts_of(t, rq->worker, b->limit->slot)->limited);
	report(b, true, ticks, out);
	return false;
}

/* A look at each first: a refused request writes nothing. Who loses a token between look and take gives back
 * what it has; in that moment another may be refused that would have passed, never the other way round. */
static const struct ss_limit_bucket *take_all(struct met *m, uint64_t ticks)
{
	for (uint32_t i = 0; i < m->n; i++)
		if (!ss_limit_has(&m->b[i], ticks) && m->b[i].limit->enforce)
			return &m->b[i];
	for (uint32_t i = 0; i < m->n; i++) {
		if (!m->b[i].limit->enforce || ss_limit_take(&m->b[i], ticks))
			continue;
		for (uint32_t k = 0; k < i; k++)
			if (m->b[k].limit->enforce)
				ss_limit_give(&m->b[k]);
		return &m->b[i];
	}
	return NULL;
}

bool ss_limit_pass(struct ss_limit_table *t, const struct ss_limit_list *a, const struct ss_limit_list *b,
		   const struct ss_limit_request *rq, uint64_t now, struct ss_limit_verdict *out)
{
	uint64_t ticks = now * SS_LIMIT_TICKS;
	const struct ss_limit_bucket *no;
	struct met m;

	m.n = 0; /* and not the buckets: they are many */
	out->limit = NULL;
	if (a)
		meet(t, a, rq, ticks, &m);
	if (b)
		meet(t, b, rq, ticks, &m);
	no = take_all(&m, ticks);
	if (no)
		return refuse(t, no, rq, ticks, out);
	for (uint32_t i = 0; i < m.n; i++) {
		struct ss_limit_counts *c = ss_limit_counts_of(t, rq->worker, m.b[i].limit->slot);
		bool passed = m.b[i].limit->enforce ||
			      (ss_limit_has(&m.b[i], ticks) && ss_limit_take(&m.b[i], ticks));
		add(passed ? &c->passed : &c->tolerated);
		if (m.b[i].limit->enforce && m.b[i].limit->say == SS_LIMIT_SAY_ALWAYS)
			report(&m.b[i], false, ticks, out);
	}
	return true;
}
