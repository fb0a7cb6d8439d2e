#include "contract/tickets.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/err.h"

#define WORDS (sizeof(struct ss_ticket_key) / sizeof(uint64_t))
static_assert(sizeof(struct ss_ticket_key) == 80, "what a file has, without gaps");

struct ss_ticket_ring {
	_Atomic uint32_t turn; /* odd: a change is under way */
	_Atomic uint32_t n;
	_Atomic uint64_t word[SS_TICKET_KEYS][WORDS];
};

int ss_ticket_ring_create(struct ss_ticket_ring **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : SS_ERR_NO_MEM;
}

void ss_ticket_ring_free(struct ss_ticket_ring *r)
{
	if (!r)
		return;
	ss_ticket_ring_set(r, NULL, 0);
	free(r);
}

/* -- control -- */

static void put(struct ss_ticket_ring *r, uint32_t at, const struct ss_ticket_key *key)
{
	uint64_t word[WORDS] = {0};

	if (key)
		memcpy(word, key, sizeof(word));
	for (size_t i = 0; i < WORDS; i++)
		atomic_store_explicit(&r->word[at][i], word[i], memory_order_relaxed);
}

void ss_ticket_ring_set(struct ss_ticket_ring *r, const struct ss_ticket_key *keys, uint32_t n)
{
	uint32_t turn = atomic_load_explicit(&r->turn, memory_order_relaxed);

	n = ss_min_u32(n, SS_TICKET_KEYS);
	atomic_store_explicit(&r->turn, turn + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	for (uint32_t i = 0; i < SS_TICKET_KEYS; i++)
		put(r, i, i < n ? &keys[i] : NULL);
	atomic_store_explicit(&r->n, n, memory_order_relaxed);
	atomic_store_explicit(&r->turn, turn + 2, memory_order_release);
}

void ss_ticket_ring_turn(struct ss_ticket_ring *r, const struct ss_ticket_key *fresh)
{
	struct ss_ticket_key keys[2] = {*fresh};
	bool had = ss_ticket_newest(r, &keys[1]);

	ss_ticket_ring_set(r, keys, had ? 2 : 1);
	explicit_bzero(keys, sizeof(keys));
}

/* -- workers -- */

static uint32_t snapshot(const struct ss_ticket_ring *r, struct ss_ticket_key *out)
{
	uint64_t word[SS_TICKET_KEYS][WORDS];
	uint32_t turn, n;

	do {
		turn = atomic_load_explicit(&r->turn, memory_order_acquire);
		n = atomic_load_explicit(&r->n, memory_order_relaxed);
		for (uint32_t k = 0; k < SS_TICKET_KEYS; k++)
			for (size_t i = 0; i < WORDS; i++)
				word[k][i] = atomic_load_explicit(&r->word[k][i], memory_order_relaxed);
		atomic_thread_fence(memory_order_acquire);
	} while ((turn & 1) || turn != atomic_load_explicit(&r->turn, memory_order_relaxed));
	memcpy(out, word, sizeof(word));
	explicit_bzero(word, sizeof(word));
	return n;
}

bool ss_ticket_newest(const struct ss_ticket_ring *r, struct ss_ticket_key *out)
{
	struct ss_ticket_key keys[SS_TICKET_KEYS];
	uint32_t n = snapshot(r, keys);

	*out = keys[0];
	explicit_bzero(keys, sizeof(keys));
	return n > 0;
}

bool ss_ticket_find(const struct ss_ticket_ring *r, const uint8_t *name, struct ss_ticket_key *out)
{
	struct ss_ticket_key keys[SS_TICKET_KEYS];
	uint32_t n = snapshot(r, keys);
	bool found = false;

	for (uint32_t i = 0; i < n && !found; i++) {
		found = memcmp(keys[i].name, name, sizeof(keys[i].name)) == 0;
		if (found)
			*out = keys[i];
	}
	explicit_bzero(keys, sizeof(keys));
	return found;
}
