#include "timer/wheel.h"

/*
 * Level l holds timers whose distance is below 256^(l+1) ticks, in the slot of bits 8l to 8l+7 of
 * their tick. When the time reaches the start of a slot of level 1 and up, its timers move down. A
 * timer's tick is its deadline rounded up, hence never early. A bit per slot tells which are taken:
 * expire and next jump from one taken slot to the following, however long the worker slept.
 */
#define LEVEL_MASK (SS_WHEEL_SLOTS - 1)
#define REACH ((1ull << (SS_WHEEL_BITS * SS_WHEEL_LEVELS)) - 1)
#define NO_TICK UINT64_MAX

void ss_wheel_init(struct ss_wheel *w, uint64_t tick_ns, uint64_t now)
{
	w->tick_ns = tick_ns;
	w->now_tick = now / tick_ns;
	w->armed = 0;
	w->due_at = SS_NEVER;
	for (int l = 0; l < SS_WHEEL_LEVELS; l++) {
		for (unsigned i = 0; i < SS_WHEEL_SLOTS; i++)
			ss_list_init(&w->slot[l][i]);
		for (unsigned i = 0; i < SS_WHEEL_SLOTS / 64; i++)
			w->taken[l][i] = 0;
	}
}

void ss_timer_init(struct ss_timer *t, uint32_t kind)
{
	ss_list_init(&t->node);
	t->deadline = SS_NEVER;
	t->kind = kind;
}

static void place(struct ss_wheel *w, struct ss_timer *t)
{
	uint64_t tick = t->deadline / w->tick_ns + (t->deadline % w->tick_ns != 0);
	uint64_t delta = tick > w->now_tick ? tick - w->now_tick : 0;
	unsigned level = 0;
	delta = ss_min_u64(delta, REACH); /* further away: goes round the top level again */
	tick = w->now_tick + delta;
	while (delta >> (SS_WHEEL_BITS * (level + 1)))
		level++;
	unsigned slot = (tick >> (SS_WHEEL_BITS * level)) & LEVEL_MASK;
	ss_list_push_back(&w->slot[level][slot], &t->node);
	w->taken[level][slot / 64] |= 1ull << (slot % 64);
}

/* Takes an armed timer out of its slot. The neighbours of a slot's last timer are both its head. */
static void unplace(struct ss_wheel *w, struct ss_timer *t)
{
	struct ss_list *head = t->node.next;
	if (head == t->node.prev) {
		size_t i = (size_t)(head - &w->slot[0][0]);
		w->taken[i / SS_WHEEL_SLOTS][i % SS_WHEEL_SLOTS / 64] &= ~(1ull << (i % 64));
	}
	ss_list_remove(&t->node);
}

void ss_wheel_cancel(struct ss_wheel *w, struct ss_timer *t)
{
	if (!ss_timer_armed(t)) {
		ss_list_remove(&t->node); /* it may be on a list of due timers */
		return;
	}
	unplace(w, t);
	t->deadline = SS_NEVER;
	w->armed--;
}

void ss_wheel_arm(struct ss_wheel *w, struct ss_timer *t, uint64_t deadline)
{
	ss_wheel_cancel(w, t);
	if (deadline == SS_NEVER)
		return;
	t->deadline = deadline;
	w->due_at = ss_min_u64(w->due_at, deadline);
	w->armed++;
	place(w, t);
}

/* Distance from slot `from` to the next taken slot, going round; 256 when only `from` itself is, 0 for
 * none. */
static unsigned distance(const uint64_t *taken, unsigned from)
{
	for (unsigned d = 1; d <= SS_WHEEL_SLOTS;) {
		unsigned i = (from + d) & LEVEL_MASK;
		uint64_t bits = taken[i / 64] >> (i % 64);
		if (bits) {
			d += (unsigned)__builtin_ctzll(bits);
			return d <= SS_WHEEL_SLOTS ? d : 0;
		}
		d += 64 - i % 64;
	}
	return 0;
}

/* The first tick from now on at which a slot has to be emptied: level 0 to its end, others downwards. */
static uint64_t next_tick(const struct ss_wheel *w)
{
	uint64_t best = NO_TICK;
	unsigned here = w->now_tick & LEVEL_MASK;
	if (w->taken[0][here / 64] & (1ull << (here % 64)))
		return w->now_tick;
	for (unsigned l = 0; l < SS_WHEEL_LEVELS; l++) {
		uint64_t at = w->now_tick >> (SS_WHEEL_BITS * l);
		unsigned d = distance(w->taken[l], at & LEVEL_MASK);
		if (d)
			best = ss_min_u64(best, (at + d) << (SS_WHEEL_BITS * l));
	}
	return best;
}

static void empty_slot(struct ss_wheel *w, unsigned level, struct ss_list *out)
{
	unsigned i = (w->now_tick >> (SS_WHEEL_BITS * level)) & LEVEL_MASK;
	ss_list_splice(out, &w->slot[level][i]);
	w->taken[level][i / 64] &= ~(1ull << (i % 64));
}

/* At a slot's first tick its timers move to lower levels, the highest level first. */
static void cascade(struct ss_wheel *w)
{
	for (unsigned l = SS_WHEEL_LEVELS - 1; l > 0; l--) {
		if (w->now_tick & ((1ull << (SS_WHEEL_BITS * l)) - 1))
			continue;
		struct ss_list moving, *n;
		ss_list_init(&moving);
		empty_slot(w, l, &moving);
		while ((n = ss_list_pop(&moving)))
			place(w, ss_list_entry(n, struct ss_timer, node));
	}
}

static void collect(struct ss_wheel *w, struct ss_list *due)
{
	struct ss_list out, *n;
	ss_list_init(&out);
	empty_slot(w, 0, &out);
	ss_list_for(n, &out) {
		ss_list_entry(n, struct ss_timer, node)->deadline = SS_NEVER;
		w->armed--;
	}
	ss_list_splice(due, &out);
}

static uint64_t next_time(const struct ss_wheel *w)
{
	uint64_t t = w->armed ? next_tick(w) : NO_TICK;
	return t > SS_NEVER / w->tick_ns ? SS_NEVER : t * w->tick_ns;
}

/* Most calls find nothing to do, several rooms' each turn: they cost one comparison. */
void ss_wheel_expire(struct ss_wheel *w, uint64_t now, struct ss_list *due)
{
	if (now < w->due_at)
		return;
	uint64_t target = now / w->tick_ns;
	for (uint64_t t; w->armed && (t = next_tick(w)) <= target;) {
		if (t != w->now_tick) {
			w->now_tick = t;
			cascade(w);
		}
		collect(w, due);
	}
	w->now_tick = ss_max_u64(w->now_tick, target);
	w->due_at = next_time(w);
}

uint64_t ss_wheel_next(const struct ss_wheel *w)
{
	return w->armed ? w->due_at : SS_NEVER;
}
