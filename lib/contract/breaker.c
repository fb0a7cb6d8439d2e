#include "contract/breaker.h"
#include "contract/endpoints.h"

#define COUNT_BITS 24
#define COUNT_MAX ((1u << COUNT_BITS) - 1)

static struct ss_breaker *of(struct ss_ep_table *t, uint32_t slot)
{
	return &t->cluster[slot].breaker;
}

bool ss_breaker_admit(struct ss_ep_table *t, uint32_t slot, const struct ss_breaker_conf *c, uint64_t now,
		      bool *probe)
{
	struct ss_breaker *b = of(t, slot);
	uint64_t until = atomic_load_explicit(&b->open_until, memory_order_relaxed);
	uint32_t n;

	*probe = false;
	if (ss_likely(!until))
		return true;
	if (now < until)
		return false;
	n = atomic_load(&b->probes);
	do {
		if (n >= c->probes)
			return false;
	} while (!atomic_compare_exchange_weak(&b->probes, &n, n + 1));
	*probe = true;
	return true;
}

void ss_breaker_probe_over(struct ss_ep_table *t, uint32_t slot)
{
	atomic_fetch_sub(&of(t, slot)->probes, 1);
}

/* Adds one to the window of now; its counts after that. */
static void add(struct ss_breaker *b, const struct ss_breaker_conf *c, bool good, uint64_t now, uint32_t *n,
		uint32_t *bad)
{
	uint64_t number = now / c->window_ns & 0xffff;
	uint64_t was = atomic_load_explicit(&b->window, memory_order_relaxed), is;

	do {
		bool same = was >> (2 * COUNT_BITS) == number;
		*n = same ? (uint32_t)(was >> COUNT_BITS) & COUNT_MAX : 0;
		*bad = same ? (uint32_t)was & COUNT_MAX : 0;
		if (*n < COUNT_MAX) {
			*n += 1;
			*bad += !good;
		}
		is = number << (2 * COUNT_BITS) | (uint64_t)*n << COUNT_BITS | *bad;
	} while (!atomic_compare_exchange_weak_explicit(&b->window, &was, is, memory_order_relaxed,
							memory_order_relaxed));
}

static enum ss_breaker_change closed(struct ss_breaker *b, const struct ss_breaker_conf *c, bool good, uint64_t now)
{
	uint64_t none = 0;
	uint32_t n, bad;

	add(b, c, good, now, &n, &bad);
	if (good || n < c->min_requests || (uint64_t)bad * 100 < (uint64_t)n * c->failure_percent)
		return SS_BREAKER_SAME;
	atomic_store(&b->good, 0);
	if (!atomic_compare_exchange_strong(&b->open_until, &none, now + c->open_ns))
		return SS_BREAKER_SAME;
	atomic_fetch_add(&b->opened, 1);
	return SS_BREAKER_OPENED;
}

static enum ss_breaker_change probed(struct ss_breaker *b, const struct ss_breaker_conf *c, bool good,
				     uint64_t until, uint64_t now)
{
	if (!good) {
		atomic_store(&b->good, 0);
		if (!atomic_compare_exchange_strong(&b->open_until, &until, now + c->open_ns))
			return SS_BREAKER_SAME;
		atomic_fetch_add(&b->opened, 1);
		return SS_BREAKER_REOPENED;
	}
	if (atomic_fetch_add(&b->good, 1) + 1 < c->successes)
		return SS_BREAKER_SAME;
	atomic_store(&b->window, 0);
	return atomic_compare_exchange_strong(&b->open_until, &until, 0) ? SS_BREAKER_RECOVERED : SS_BREAKER_SAME;
}

enum ss_breaker_change ss_breaker_result(struct ss_ep_table *t, uint32_t slot, const struct ss_breaker_conf *c,
					 bool probe, bool good, uint64_t now)
{
	struct ss_breaker *b = of(t, slot);
	uint64_t until = atomic_load_explicit(&b->open_until, memory_order_relaxed);

	if (!until)
		return closed(b, c, good, now);
	/* A probe of an earlier half-open time may end after another one opened it again. */
	return probe && now >= until ? probed(b, c, good, until, now) : SS_BREAKER_SAME;
}

enum ss_breaker_state ss_breaker_state(struct ss_ep_table *t, uint32_t slot, uint64_t now)
{
	uint64_t until = atomic_load_explicit(&of(t, slot)->open_until, memory_order_relaxed);

	return !until ? SS_BREAKER_CLOSED : now < until ? SS_BREAKER_OPEN : SS_BREAKER_HALF_OPEN;
}
