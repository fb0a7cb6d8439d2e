#include "contract/caps.h"
#include "contract/endpoints.h"

static _Atomic uint32_t *word(struct ss_ep_table *t, uint32_t slot, uint8_t priority, enum ss_cap what)
{
	return &t->cluster[slot].use.n[priority][what];
}

bool ss_cap_take(struct ss_ep_table *t, uint32_t slot, uint8_t priority, enum ss_cap what, uint32_t max)
{
	_Atomic uint32_t *w = word(t, slot, priority, what);
	uint32_t n;

	if (!max) {
		atomic_fetch_add_explicit(w, 1, memory_order_relaxed);
		return true;
	}
	n = atomic_load_explicit(w, memory_order_relaxed);
	do {
		if (n >= max)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(w, &n, n + 1, memory_order_relaxed, memory_order_relaxed));
	return true;
}

void ss_cap_give(struct ss_ep_table *t, uint32_t slot, uint8_t priority, enum ss_cap what)
{
	/* Release: control gives the slot to another cluster only after everything we did with it. */
	atomic_fetch_sub_explicit(word(t, slot, priority, what), 1, memory_order_release);
}

uint32_t ss_cap_used(struct ss_ep_table *t, uint32_t slot, uint8_t priority, enum ss_cap what)
{
	return atomic_load_explicit(word(t, slot, priority, what), memory_order_relaxed);
}

/* How many retries may be, 0 for any number. */
static uint32_t retries_max(struct ss_ep_table *t, uint32_t slot, uint8_t priority, const struct ss_caps *caps,
			    const struct ss_retry_budget *b)
{
	uint32_t active = ss_cap_used(t, slot, priority, SS_CAP_REQUESTS);
	uint32_t retries = ss_cap_used(t, slot, priority, SS_CAP_RETRIES);
	uint32_t first = active > retries ? active - retries : 0, max = caps->max[SS_CAP_RETRIES];
	uint32_t allowed = ss_max_u32((uint32_t)((uint64_t)first * b->share / 10000), b->least);

	if (b->share)
		max = max ? ss_min_u32(max, ss_max_u32(allowed, 1)) : ss_max_u32(allowed, 1);
	return max;
}

bool ss_cap_retry_room(struct ss_ep_table *t, uint32_t slot, uint8_t priority, const struct ss_caps *caps,
		       const struct ss_retry_budget *b)
{
	uint32_t max = retries_max(t, slot, priority, caps, b);

	return !max || ss_cap_used(t, slot, priority, SS_CAP_RETRIES) < max;
}

bool ss_cap_take_retry(struct ss_ep_table *t, uint32_t slot, uint8_t priority, const struct ss_caps *caps,
		       const struct ss_retry_budget *b)
{
	return ss_cap_take(t, slot, priority, SS_CAP_RETRIES, retries_max(t, slot, priority, caps, b));
}

bool ss_cap_idle(struct ss_ep_table *t, uint32_t slot)
{
	for (int p = 0; p < SS_PRIORITY_COUNT; p++)
		for (int k = 0; k < SS_CAP_COUNT; k++)
			if (atomic_load_explicit(&t->cluster[slot].use.n[p][k], memory_order_acquire))
				return false;
	return true;
}
