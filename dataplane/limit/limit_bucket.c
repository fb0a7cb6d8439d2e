/* limit_bucket.c - the generic cell rate algorithm (ITU-T I.371 A.1.1) on one word that all workers share. */
#include "limit/limit_int.h"

/* A word that lies in the past says what "now" says: full. */
static uint64_t base(uint64_t full_at, uint64_t ticks)
{
	return ss_max_u64(full_at, ticks);
}

static bool fits(const struct ss_limit_pace *p, uint64_t full_at, uint64_t ticks)
{
	return base(full_at, ticks) + p->cost <= ticks + p->depth;
}

bool ss_limit_has(struct ss_limit_bucket *b, uint64_t ticks)
{
	b->seen = atomic_load_explicit(b->full_at, memory_order_relaxed);
	return fits(b->pace, b->seen, ticks);
}

/* A refusal only reads: under overload the line stays shared. */
bool ss_limit_take(struct ss_limit_bucket *b, uint64_t ticks)
{
	while (!atomic_compare_exchange_weak_explicit(b->full_at, &b->seen, base(b->seen, ticks) + b->pace->cost,
						      memory_order_relaxed, memory_order_relaxed))
		if (!fits(b->pace, b->seen, ticks))
			return false;
	return true;
}

void ss_limit_give(const struct ss_limit_bucket *b)
{
	atomic_fetch_sub_explicit(b->full_at, b->pace->cost, memory_order_relaxed);
}

uint32_t ss_limit_left(const struct ss_limit_bucket *b, uint64_t ticks, uint64_t *wait, uint64_t *full)
{
	const struct ss_limit_pace *p = b->pace;
	uint64_t at = base(atomic_load_explicit(b->full_at, memory_order_relaxed), ticks),
		 end = ticks + p->depth;

	*full = at - ticks;
	*wait = at + p->cost > end ? at + p->cost - end : 0;
	return at < end ? (uint32_t)((end - at) / p->cost) : 0;
}
