#include "contract/policies.h"

#include <stdlib.h>
#include <string.h>

struct ss_policies {
	uint32_t cap, n, n_workers;
	size_t row; /* bytes of one worker's */
	char **name;
	uint8_t *counts;
	uint32_t *table; /* open addressing over slots + 1 */
	uint32_t mask;
};

static uint32_t hash(const char *s)
{
	uint32_t h = 2166136261u;

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 16777619u;
	return h;
}

struct ss_policies *ss_policies_create(uint32_t capacity, uint32_t n_workers)
{
	struct ss_policies *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->cap = capacity + 2;
	p->n_workers = n_workers;
	p->row =
		(p->cap * sizeof(struct ss_policy_counts) + SS_CACHE_LINE - 1) & ~(size_t)(SS_CACHE_LINE - 1);
	for (p->mask = 64; p->mask < 2 * p->cap; p->mask *= 2)
		;
	p->name = calloc(p->cap, sizeof(*p->name));
	p->table = calloc(p->mask--, sizeof(*p->table));
	p->counts = aligned_alloc(SS_CACHE_LINE, p->row * n_workers);
	if (!p->name || !p->table || !p->counts) {
		ss_policies_free(p);
		return NULL;
	}
	memset(p->counts, 0, p->row * n_workers);
	if (ss_policies_slot(p, "default") != SS_POLICY_DEFAULT ||
	    ss_policies_slot(p, "other") != SS_POLICY_OTHER) {
		ss_policies_free(p);
		return NULL;
	}
	return p;
}

void ss_policies_free(struct ss_policies *p)
{
	if (!p)
		return;
	for (uint32_t i = 0; i < p->n; i++)
		free(p->name[i]);
	free(p->name);
	free(p->table);
	free(p->counts);
	free(p);
}

uint32_t ss_policies_slot(struct ss_policies *p, const char *name)
{
	uint32_t i = hash(name) & p->mask;

	for (; p->table[i]; i = (i + 1) & p->mask)
		if (!strcmp(p->name[p->table[i] - 1], name))
			return p->table[i] - 1;
	if (p->n == p->cap || !(p->name[p->n] = strdup(name)))
		return SS_POLICY_OTHER;
	p->table[i] = ++p->n;
	return p->n - 1;
}

uint32_t ss_policies_n(const struct ss_policies *p)
{
	return p->n;
}

const char *ss_policies_name(const struct ss_policies *p, uint32_t slot)
{
	return slot < p->n ? p->name[slot] : "-";
}

struct ss_policy_counts *ss_policies_row(struct ss_policies *p, uint32_t worker, uint32_t slot)
{
	return (struct ss_policy_counts *)(void *)(p->counts + p->row * worker) + slot;
}

struct ss_policy_counts ss_policies_sum(const struct ss_policies *p, uint32_t slot)
{
	struct ss_policy_counts s = {0};

	for (uint32_t w = 0; w < p->n_workers; w++) {
		const struct ss_policy_counts *c = ss_policies_row((struct ss_policies *)p, w, slot);
		s.allowed += __atomic_load_n(&c->allowed, __ATOMIC_RELAXED);
		s.denied += __atomic_load_n(&c->denied, __ATOMIC_RELAXED);
		s.dry_run_denied += __atomic_load_n(&c->dry_run_denied, __ATOMIC_RELAXED);
		s.audited += __atomic_load_n(&c->audited, __ATOMIC_RELAXED);
	}
	return s;
}
