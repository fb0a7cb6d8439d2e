/* limits.c - the table of buckets, and control's part: which policy has which slot. */
#include "contract/limits.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

/* Some hundred policies, looked up when a generation is built or ends: a scan of one array. */
struct ss_limit_owner {
	uint32_t name, holds;
	struct ss_limit_counts before; /* what the slot's earlier owners had counted */
};

static void *lines(size_t n, size_t size)
{
	void *p = aligned_alloc(SS_CACHE_LINE, n * size);

	if (p)
		memset(p, 0, n * size);
	return p;
}

static uint32_t sets_for(uint32_t keys)
{
	uint32_t sets = 1;

	while (sets < (1u << 27) && sets * SS_LIMIT_WAYS < keys)
		sets <<= 1;
	return sets;
}

int ss_limit_table_create(struct ss_limit_table **out, uint32_t n_slots, uint32_t keys, uint32_t n_workers)
{
	struct ss_limit_table *t = calloc(1, sizeof(*t));
	uint32_t sets = sets_for(keys);

	if (!t)
		return SS_ERR_NO_MEM;
	ss_sipkey_random(&t->key);
	t->n_slots = n_slots;
	t->n_workers = n_workers;
	t->set_mask = sets - 1;
	t->slot = lines(n_slots, sizeof(*t->slot));
	t->set = lines(sets, sizeof(*t->set));
	t->counts = calloc((size_t)n_slots * n_workers, sizeof(*t->counts));
	t->memo = lines((size_t)SS_LIMIT_MEMOS * n_workers, sizeof(*t->memo));
	t->owner = calloc(n_slots, sizeof(*t->owner));
	if (!t->slot || !t->set || !t->counts || !t->memo || !t->owner) {
		ss_limit_table_free(t);
		return SS_ERR_NO_MEM;
	}
	*out = t;
	return 0;
}

void ss_limit_table_free(struct ss_limit_table *t)
{
	if (!t)
		return;
	free(t->slot);
	free(t->set);
	free(t->counts);
	free(t->memo);
	free(t->owner);
	free(t);
}

bool ss_limit_pace_of(struct ss_limit_pace *out, uint64_t count, uint64_t per_ns, uint32_t burst)
{
	uint64_t cost = count ? (per_ns * SS_LIMIT_TICKS + count / 2) / count : 0;

	*out = (struct ss_limit_pace){.cost = cost, .depth = burst * cost, .burst = burst};
	return burst && cost && cost <= SS_LIMIT_LONGEST_NS * SS_LIMIT_TICKS / burst;
}

/* -- slots -- */

static struct ss_limit_counts sum(const struct ss_limit_table *t, uint32_t slot)
{
	struct ss_limit_counts all = {0};

	for (uint32_t w = 0; w < t->n_workers; w++) {
		const struct ss_limit_counts *c = &t->counts[(size_t)w * t->n_slots + slot];
		all.passed += __atomic_load_n(&c->passed, __ATOMIC_RELAXED);
		all.limited += __atomic_load_n(&c->limited, __ATOMIC_RELAXED);
		all.tolerated += __atomic_load_n(&c->tolerated, __ATOMIC_RELAXED);
		all.evicted += __atomic_load_n(&c->evicted, __ATOMIC_RELAXED);
	}
	return all;
}

static void begin(struct ss_limit_table *t, uint32_t slot, uint32_t name)
{
	t->owner[slot].name = name;
	t->owner[slot].before = sum(t, slot);
	atomic_store(&t->slot[slot].full_at, 0);
}

int ss_limit_hold(struct ss_limit_table *t, uint32_t name, uint32_t *slot)
{
	uint32_t unused = UINT32_MAX, i;

	for (i = 0; i < t->n_slots && t->owner[i].name != name; i++)
		if (!t->owner[i].holds && unused == UINT32_MAX)
			unused = i;
	if (i == t->n_slots) {
		if (unused == UINT32_MAX)
			return SS_ERR_FULL;
		begin(t, i = unused, name);
	}
	t->owner[i].holds++;
	*slot = i;
	return 0;
}

void ss_limit_drop(struct ss_limit_table *t, uint32_t slot)
{
	assert(t->owner[slot].holds > 0);
	/* Its name stays: it has its bucket and its counts back when it returns before another needs the
	 * slot. */
	t->owner[slot].holds--;
}

struct ss_limit_counts ss_limit_counted(const struct ss_limit_table *t, uint32_t slot)
{
	const struct ss_limit_counts *b = &t->owner[slot].before;
	struct ss_limit_counts all = sum(t, slot);

	return (struct ss_limit_counts){.passed = all.passed - b->passed,
					.limited = all.limited - b->limited,
					.tolerated = all.tolerated - b->tolerated,
					.evicted = all.evicted - b->evicted};
}
