#include "contract/ledger.h"

#include <string.h>

#include "contract/counters.h"
#include "contract/lower.h"

static const struct {
	char name[SS_LOWER_MAX];
	const char *what;
} stages[] = {
#define SS_STAGE_X(name, what) { SS_LOWER(#name), what },
	SS_STAGE_LIST(SS_STAGE_X)
#undef SS_STAGE_X
};

const char *ss_stage_name(enum ss_stage s)
{
	return stages[s].name;
}

const char *ss_stage_what(enum ss_stage s)
{
	return stages[s].what;
}

static struct ss_counters *counters_of(struct ss_ledger *l)
{
	return ss_container_of(l, struct ss_counters, ledger);
}

/* -- a deliberate wait, to prove that the ledger and an outside client agree; not in a normal build -- */

#ifdef SS_SPIN_NS
/*
 * When the chosen stage ends, once per request. Only in a turn with packets: a stage that comes before the
 * proxy learns of a request one turn too late, and in a turn without packets nobody would wait for it.
 */
static void spin(struct ss_ledger *l)
{
	const struct ss_counters *c = counters_of(l);
	uint64_t cycles = l->mult ? ((uint64_t)SS_SPIN_NS << 32) / l->mult : 0;

	if (l->stage != SS_SPIN_STAGE || ss_counter_read(c, SS_C_RX_PACKETS) == l->before)
		return;
	for (; l->spun < ss_counter_read(c, SS_C_REQUESTS); l->spun++)
		for (uint64_t start = rte_rdtsc(); rte_rdtsc() - start < cycles;)
			;
}

void ss_ledger_spin_turn(struct ss_ledger *l)
{
	l->before = ss_counter_read(counters_of(l), SS_C_RX_PACKETS);
}
#endif

/* -- one turn -- */

void ss_ledger_mark(struct ss_ledger *l, enum ss_stage s, uint64_t tsc)
{
#ifdef SS_SPIN_NS
	spin(l);
	tsc = rte_rdtsc();
#endif
	uint64_t took = tsc - l->at, own = ss_min_u64(took, l->mark_cost);

	l->cycles[l->stage] += took - own;
	l->own += own;
	l->at = tsc;
	l->stage = (uint8_t)s;
}

static void open_turn(struct ss_ledger *l, uint64_t tsc)
{
	const struct ss_counters *c = counters_of(l);

	memset(l->cycles, 0, sizeof(l->cycles));
	l->own = 0;
	l->requests = ss_counter_read(c, SS_C_REQUESTS);
	l->received = ss_counter_read(c, SS_C_RX_PACKETS);
	l->sent = ss_counter_read(c, SS_C_TX_PACKETS);
	l->at = tsc;
	l->stage = SS_STAGE_OTHER;
	l->on = true;
}

static uint64_t to_ns(const struct ss_ledger *l, uint64_t cycles)
{
	return (uint64_t)(((unsigned __int128)cycles * l->mult) >> 32);
}

static void add(uint64_t *total, uint64_t n)
{
	__atomic_store_n(total, *total + n, __ATOMIC_RELAXED);
}

/* The gap's mean is `every`; its spread keeps the choice from falling into step with what it measures. */
static void choose_next(struct ss_ledger *l)
{
	l->skip = ss_rng_below(&l->rng, 2 * l->every - 1);
}

/* Marks are in no stage, and a turn without them has none: the stages alone share the time. */
static void share_out(struct ss_ledger *l, uint64_t busy)
{
	uint64_t sum = 0, took = busy - l->shared_busy;

	for (int s = 0; s < SS_STAGE_COUNT; s++)
		sum += l->newest[s];
	if (!sum)
		return;
	for (int s = 0; s < SS_STAGE_COUNT; s++) {
		add(&l->all_ns[s], (uint64_t)((unsigned __int128)took * l->newest[s] / sum));
		l->newest[s] -= l->newest[s] / SS_LEDGER_FADE;
	}
	l->n_stratum = 0;
	l->shared_busy = busy;
}

static void keep_turn(struct ss_ledger *l, uint64_t took_ns)
{
	struct ss_counters *c = counters_of(l);

	for (int s = 0; s < SS_STAGE_COUNT; s++) {
		uint64_t ns = to_ns(l, l->cycles[s]);
		add(&l->ns[s], ns);
		l->newest[s] += ns;
	}
	if (++l->n_stratum >= SS_LEDGER_STRATUM)
		share_out(l, ss_counter_read(c, SS_C_BUSY_NS) + took_ns); /* this turn is not counted yet */
	ss_count(c, SS_C_SAMPLED_TURNS, 1);
	ss_count(c, SS_C_SAMPLED_BUSY_NS, took_ns);
	ss_count(c, SS_C_SAMPLED_MARKS_NS, to_ns(l, l->own));
	ss_count(c, SS_C_SAMPLED_RX_PACKETS, ss_counter_read(c, SS_C_RX_PACKETS) - l->received);
	ss_count(c, SS_C_SAMPLED_TX_PACKETS, ss_counter_read(c, SS_C_TX_PACKETS) - l->sent);
	ss_count(c, SS_C_SAMPLED_REQUESTS, ss_counter_read(c, SS_C_REQUESTS) - l->requests);
	choose_next(l);
}

void ss_ledger_between(struct ss_ledger *l, uint64_t tsc, bool busy, uint64_t took_ns)
{
	if (!l->every) {
		l->skip = UINT32_MAX;
		return;
	}
	if (l->on) {
		ss_ledger_mark(l, SS_STAGE_OTHER, tsc);
		l->on = false;
		if (busy)
			keep_turn(l, took_ns);
	} else if (busy && l->skip) {
		l->skip--;
	}
	if (!l->skip)
		open_turn(l, tsc);
}

/* -- the start -- */

/* What lies between two marks with nothing between them: the best of some rounds. */
static uint64_t weigh_mark(struct ss_ledger *l)
{
	enum { ROUNDS = 8, MARKS = 128 };
	uint64_t best = UINT64_MAX;

	l->on = true;
	for (int r = 0; r < ROUNDS; r++) {
		uint64_t start = rte_rdtsc();
		for (int i = 0; i < MARKS; i++)
			ss_stage(l, (enum ss_stage)(i % SS_STAGE_COUNT));
		best = ss_min_u64(best, (rte_rdtsc() - start) / MARKS);
	}
	l->on = false;
	return best;
}

void ss_ledger_init(struct ss_ledger *l, const struct ss_clock *clock, uint32_t every, uint64_t seed)
{
	memset(l, 0, sizeof(*l));
	ss_rng_seed(&l->rng, seed);
	l->mult = clock->mult;
	l->mark_cost = weigh_mark(l);
#ifndef SS_NO_LEDGER
	l->every = every;
#endif
	if (l->every)
		choose_next(l);
	else
		l->skip = UINT32_MAX;
}
