#include "contract/breaker.h"
#include "contract/endpoints.h"

#define COUNT_BITS 22
#define COUNT_MAX ((1u << COUNT_BITS) - 1)
#define NUMBER_MAX ((1u << (64 - 2 * COUNT_BITS)) - 1)

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

static uint64_t tenth_of(const struct ss_breaker_conf *c, uint64_t now)
{
	return now / ss_max_u64(c->window_ns / SS_BREAKER_TENTHS, 1);
}

/* Adds one to the tenth of now. Its place may still hold the counts of the tenth of a window ago: they go. */
static void add(struct ss_breaker *b, uint64_t tenth, bool good)
{
	_Atomic uint64_t *at = &b->tenth[tenth % SS_BREAKER_TENTHS];
	uint64_t was = atomic_load_explicit(at, memory_order_relaxed), is;

	do {
		bool same = was >> (2 * COUNT_BITS) == (tenth & NUMBER_MAX);
		uint32_t n = same ? (uint32_t)(was >> COUNT_BITS) & COUNT_MAX : 0;
		uint32_t bad = same ? (uint32_t)was & COUNT_MAX : 0;
		if (n < COUNT_MAX) {
			n += 1;
			bad += !good;
		}
		is = (tenth & NUMBER_MAX) << (2 * COUNT_BITS) | (uint64_t)n << COUNT_BITS | bad;
	} while (!atomic_compare_exchange_weak_explicit(at, &was, is, memory_order_relaxed, memory_order_relaxed));
}

/* What ended within a window of now. A place that nobody wrote for longer holds an older number. */
static void sum(struct ss_breaker *b, uint64_t tenth, uint64_t *n, uint64_t *bad)
{
	*n = *bad = 0;
	for (uint32_t i = 0; i < SS_BREAKER_TENTHS; i++) {
		uint64_t was = atomic_load_explicit(&b->tenth[i], memory_order_relaxed);
		uint64_t age = (tenth - (was >> (2 * COUNT_BITS))) & NUMBER_MAX;
		if (age >= SS_BREAKER_TENTHS)
			continue;
		*n += was >> COUNT_BITS & COUNT_MAX;
		*bad += was & COUNT_MAX;
	}
}

static enum ss_breaker_change closed(struct ss_breaker *b, const struct ss_breaker_conf *c, bool good, uint64_t now)
{
	uint64_t none = 0, tenth = tenth_of(c, now), n, bad;

	add(b, tenth, good);
	if (good)
		return SS_BREAKER_SAME;
	sum(b, tenth, &n, &bad);
	if (n < c->min_requests || bad * 100 < n * c->failure_percent)
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
	for (uint32_t i = 0; i < SS_BREAKER_TENTHS; i++)
		atomic_store_explicit(&b->tenth[i], 0, memory_order_relaxed);
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
