/*
 * ledger.h - where a worker's time goes: exclusive time of every stage, over sampled turns.
 *
 * Takes:   the stage that begins: told by the line, and by doors that rooms above call in their own time.
 * Gives:   nanoseconds per stage, and how many turns, packets and requests they were spent on.
 * Owns:    nothing: a struct ss_ledger lies in each worker's struct ss_counters, where its functions find it.
 * Thread:  the owning worker writes; control reads the totals.
 * Time:    the TSC, read at every mark of a sampled turn and in no other turn.
 *
 * Every cycle of a sampled turn belongs to one stage: a mark ends one and begins another, so the stages sum
 * to the turn. A mark's own cost is known from the start and booked apart. Which turns are sampled is a
 * matter of count and chance, not of what is in them: one of `every` turns that had packets. What they stand
 * for is known exactly: the busy time that passed meanwhile is shared out as sampled turns spent theirs. That
 * is a ratio estimate, biased when few turns are in it: some hundred of the newest are, older ones fading.
 */
#ifndef SS_LEDGER_H
#define SS_LEDGER_H

#include <rte_cycles.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/rng.h"

/* X(NAME, what): in the order of the line. docs/stages.md says more about each. */
#define SS_STAGE_LIST(X)                                                                \
	X(PORT_RX, "bursts taken from ports and from other workers")                    \
	X(NET_IN, "Ethernet, ARP, IP and TCP headers of what came, checksums")          \
	X(TCP_IN, "segments to byte streams, acknowledgements, timers")                 \
	X(TLS_IN, "records opened, handshakes")                                         \
	X(HTTP_IN, "heads and frames parsed")                                           \
	X(UPSTREAM, "endpoint and connection chosen, outcomes, pools, probes")          \
	X(ROUTE, "virtual host, route and authorization decided")                       \
	X(PROXY, "exchanges: heads rewritten, bodies moved, the record")                \
	X(HTTP_OUT, "heads encoded, frames written")                                    \
	X(TLS_OUT, "records sealed")                                                    \
	X(TCP_OUT, "bytes to segments")                                                 \
	X(NET_OUT, "checksums, IP and Ethernet headers of what goes, next hops")        \
	X(PORT_TX, "bursts given to ports, chains copied where a port needs it")        \
	X(BURY, "what ended in the turn is freed")                                      \
	X(OTHER, "the turn's clock, configuration, mailbox, levels")

/* After so many sampled turns busy time is shared out; and then what they weigh loses one part of FADE. */
#define SS_LEDGER_STRATUM 16
#define SS_LEDGER_FADE 16

enum ss_stage {
#define SS_STAGE_X(name, what) SS_STAGE_##name,
	SS_STAGE_LIST(SS_STAGE_X)
#undef SS_STAGE_X
	SS_STAGE_COUNT
};

struct ss_ledger {
	/* the turn that runs; nobody else looks */
	bool on;        /* it is sampled */
	uint8_t stage;  /* enum ss_stage: whose time it is, since at */
	uint32_t every; /* 0: no turn is ever sampled */
	uint64_t at;
	uint64_t mark_cost; /* cycles of one mark */
	uint64_t own;       /* cycles of all marks of this turn */
	uint64_t cycles[SS_STAGE_COUNT];
	uint64_t requests, received, sent; /* the counters when it began */
	/* the choice of the next */
	uint32_t skip; /* busy turns to let pass; with `every` 0, a number that takes hours to count down */
	uint64_t mult; /* the clock's */
	struct ss_rng rng;
	/* the stratum that runs */
	uint32_t n_stratum;
	uint64_t newest[SS_STAGE_COUNT]; /* ns of the newest sampled turns, by stage: the shares */
	uint64_t shared_busy;            /* of SS_C_BUSY_NS */
#ifdef SS_SPIN_NS
	uint64_t spun, before; /* requests paid for; packets received before this turn */
#endif
	/* totals; control reads them */
	uint64_t ns[SS_STAGE_COUNT];     /* of sampled turns */
	uint64_t all_ns[SS_STAGE_COUNT]; /* all busy time but that of the stratum that runs, by stage */
};

/* every: one of so many busy turns is sampled; 0: none. Takes some microseconds to weigh a mark. */
void ss_ledger_init(struct ss_ledger *l, const struct ss_clock *clock, uint32_t every, uint64_t seed);
/* Between two turns of which one is sampled, or may be: ss_ledger_turn. */
void ss_ledger_between(struct ss_ledger *l, uint64_t tsc, bool busy, uint64_t took_ns);
/* From tsc on it is stage s. What the functions below come to in a sampled turn. */
void ss_ledger_mark(struct ss_ledger *l, enum ss_stage s, uint64_t tsc);

#ifdef SS_SPIN_NS
void ss_ledger_spin_turn(struct ss_ledger *l);
#endif

const char *ss_stage_name(enum ss_stage s); /* lower case, as in the list */
const char *ss_stage_what(enum ss_stage s);

static inline uint64_t ss_ledger_read(const uint64_t *total)
{
	return __atomic_load_n(total, __ATOMIC_RELAXED);
}

/* Builds for measuring: without any mark (meson's -Dledger=false), or with a wait in a stage (-Dspin). */
static inline bool ss_ledger_on(const struct ss_ledger *l)
{
#if defined(SS_NO_LEDGER)
	return false;
#elif defined(SS_SPIN_NS)
	return true;
#else
	return ss_unlikely(l->on);
#endif
}

/* At tsc a turn ended that had packets or not (before the first: not) and took so long, and the next began. */
static inline void ss_ledger_turn(struct ss_ledger *l, uint64_t tsc, bool busy, uint64_t took_ns)
{
#ifdef SS_SPIN_NS
	ss_ledger_spin_turn(l);
#endif
	if (ss_likely(l->skip > 1))
		l->skip -= busy;
	else
		ss_ledger_between(l, tsc, busy, took_ns);
}

/* From here on it is stage s. */
static inline void ss_stage(struct ss_ledger *l, enum ss_stage s)
{
	if (ss_ledger_on(l))
		ss_ledger_mark(l, s, rte_rdtsc());
}

/* A call down in another stage's time: what to return to when it ends. */
struct ss_stage_visit {
	struct ss_ledger *l; /* NULL: nothing to return to */
	enum ss_stage from;
};

static inline struct ss_stage_visit ss_stage_enter(struct ss_ledger *l, enum ss_stage s)
{
	struct ss_stage_visit v = { NULL, s };

	if (ss_ledger_on(l) && l->stage != s) {
		v = (struct ss_stage_visit){ l, (enum ss_stage)l->stage };
		ss_ledger_mark(l, s, rte_rdtsc());
	}
	return v;
}

static inline void ss_stage_leave(const struct ss_stage_visit *v)
{
	if (ss_unlikely(v->l))
		ss_ledger_mark(v->l, v->from, rte_rdtsc());
}

/* The rest of the block that this stands in is stage s, however it is left. c: the worker's counters. */
#define SS_STAGE_HERE(c, s)                                               \
	__attribute__((cleanup(ss_stage_leave), unused)) struct ss_stage_visit \
		stage_visit = ss_stage_enter(&(c)->ledger, (s))

#endif
