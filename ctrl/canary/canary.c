/* canary.c - windows, and the schedule. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "canary/canary_int.h"

int ss_canary_create(struct ss_canary_room **out, const struct ss_canary_conf *conf)
{
	struct ss_canary_room *r = calloc(1, sizeof(*r));

	*out = NULL;
	if (!r)
		return SS_ERR_NO_MEM;
	r->conf = *conf;
	r->cap = conf->table->n_slots;
	r->runs = calloc(ss_max_u32(r->cap, 1), sizeof(*r->runs));
	if (!r->runs) {
		free(r);
		return SS_ERR_NO_MEM;
	}
	canary_load(r);
	*out = r;
	return 0;
}

void ss_canary_free(struct ss_canary_room *r)
{
	if (!r)
		return;
	canary_forget_saved(r);
	for (uint32_t i = 0; i < r->n; i++)
		free(r->runs[i].parts);
	free(r->runs);
	free(r);
}

/* -- a window -- */

bool canary_under_way(const struct canary_run *u)
{
	return u->stand == SS_CANARY_RUNNING || u->stand == SS_CANARY_PAUSED;
}

void canary_set(struct canary_run *u, uint32_t weight)
{
	u->weight = weight;
	atomic_store_explicit(&u->c.now->weight, weight, memory_order_relaxed);
}

static uint64_t first_part(const struct canary_run *u)
{
	return ss_max_u64(ss_min_u64(u->c.window_ns / CANARY_PARTS, CANARY_PART_MOST), CANARY_PART_LEAST);
}

static void count(const struct ss_canary_room *r, const struct canary_run *u, struct ss_canary_counts out[])
{
	for (uint32_t v = 0; v < SS_CANARY_VARIANTS; v++)
		ss_canary_counted(r->conf.table, u->c.slot, v, &out[v]);
}

/* What is shown counts from here. */
static void count_anew(const struct ss_canary_room *r, struct canary_run *u)
{
	struct ss_canary_counts k[SS_CANARY_VARIANTS];

	count(r, u, k);
	for (uint32_t v = 0; v < SS_CANARY_VARIANTS; v++) {
		u->first[v][0] = k[v].requests;
		u->first[v][1] = k[v].failures;
	}
	memset(u->before, 0, sizeof(u->before));
}

void canary_begin_window(struct ss_canary_room *r, struct canary_run *u, uint64_t now)
{
	u->window++;
	u->n_parts = 0;
	u->window_since = now;
	u->part_ns = first_part(u);
	u->part_ends = now + u->part_ns;
	r->next = ss_min_u64(r->next, u->part_ends);
	count(r, u, u->last);
}

/* What has ended since the last part did. */
static void take_part(struct ss_canary_room *r, struct canary_run *u)
{
	struct ss_canary_part *p = &u->parts[u->n_parts++];

	count(r, u, p->of);
	for (uint32_t v = 0; v < SS_CANARY_VARIANTS; v++) {
		struct ss_canary_counts is = p->of[v];
		p->of[v].requests -= u->last[v].requests;
		p->of[v].failures -= u->last[v].failures;
		for (uint32_t i = 0; i < SS_CANARY_BUCKETS; i++)
			p->of[v].bucket[i] -= u->last[v].bucket[i];
		u->last[v] = is;
	}
}

/* There is no room for another part, and the window goes on: each is two from now on. */
static void join_parts(struct canary_run *u)
{
	for (uint32_t i = 0; i < CANARY_PARTS / 2; i++) {
		u->parts[i] = u->parts[2 * i];
		for (uint32_t v = 0; v < SS_CANARY_VARIANTS; v++)
			ss_canary_add(&u->parts[i].of[v], &u->parts[2 * i + 1].of[v], false);
	}
	u->n_parts = CANARY_PARTS / 2;
	u->part_ns *= 2;
}

/* -- the schedule -- */

static void step_to(struct ss_canary_room *r, struct canary_run *u, uint32_t weight, enum ss_canary_act act, uint64_t now)
{
	uint32_t from = u->weight;
	bool all = weight == SS_CANARY_WHOLE;

	canary_set(u, weight);
	u->stand = all ? SS_CANARY_PROMOTED : SS_CANARY_RUNNING;
	u->step_since = now;
	u->held_for = SS_CANARY_WHY_NONE;
	if (all || act == SS_CANARY_DID_START)
		u->since = now;
	canary_tell(r, u, all && act == SS_CANARY_DID_STEP ? SS_CANARY_DID_PROMOTE : act, from, now);
	if (!all)
		canary_begin_window(r, u, now);
	canary_save(r, now);
}

/* The first one above where it stands: a reload may have other steps. */
static uint32_t next_step(const struct canary_run *u)
{
	for (uint32_t i = 0; i < u->c.n_steps; i++)
		if (u->c.step[i] > u->weight)
			return u->c.step[i];
	return 0;
}

bool canary_start(struct ss_canary_room *r, struct canary_run *u, const char *by, uint64_t now)
{
	if (!u->parts)
		u->parts = calloc(CANARY_PARTS, sizeof(*u->parts));
	if (!u->parts)
		return false;
	u->window = 0;
	u->judged = false;
	count_anew(r, u);
	snprintf(u->by, sizeof(u->by), "%s", by);
	step_to(r, u, u->c.step[0], SS_CANARY_DID_START, now);
	return true;
}

static void roll_back(struct ss_canary_room *r, struct canary_run *u, uint64_t now)
{
	uint32_t from = u->weight;

	canary_set(u, 0);
	u->stand = SS_CANARY_ROLLED_BACK;
	u->since = now;
	canary_tell(r, u, SS_CANARY_DID_ROLL_BACK, from, now);
	canary_save(r, now);
}

/* A step is due, and not made: said when the reason is another one, and at the end of each window. */
static void hold(struct ss_canary_room *r, struct canary_run *u, bool window_ends, uint64_t now)
{
	if (u->verdict.why == u->held_for && !window_ends)
		return;
	u->held_for = u->verdict.why;
	canary_tell(r, u, SS_CANARY_DID_HOLD, u->weight, now);
}

static void act(struct ss_canary_room *r, struct canary_run *u, uint64_t now)
{
	const struct ss_canary_verdict *v = &u->verdict;
	bool window_ends = now - u->window_since >= u->c.window_ns;
	bool due = u->stand == SS_CANARY_RUNNING && now - u->step_since >= u->c.interval_ns;
	uint32_t next = next_step(u);

	if (v->say == SS_CANARY_ROLLBACK) {
		roll_back(r, u, now);
		return;
	}
	if (due && next && v->say == SS_CANARY_PASS) {
		step_to(r, u, next, SS_CANARY_DID_STEP, now);
		return;
	}
	if (due && next)
		hold(r, u, window_ends, now);
	if (window_ends)
		canary_begin_window(r, u, now);
	else if (u->n_parts == CANARY_PARTS)
		join_parts(u);
}

static void end_part(struct ss_canary_room *r, struct canary_run *u, uint64_t now)
{
	take_part(r, u);
	u->part_ends = now + u->part_ns;
	ss_canary_judge(&u->c.gates, u->parts, u->n_parts, u->window, &u->verdict);
	u->judged = true;
	act(r, u, now);
}

/* -- generations -- */

static struct canary_run *run_of(struct ss_canary_room *r, uint32_t split)
{
	for (uint32_t i = 0; i < r->n; i++)
		if (r->runs[i].c.split == split)
			return &r->runs[i];
	return NULL;
}

static struct canary_saved *saved_of(struct ss_canary_room *r, uint32_t split)
{
	for (uint32_t i = 0; i < r->n_saved; i++)
		if (!strcmp(r->saved[i].split, ss_names_text(r->conf.names, split)))
			return &r->saved[i];
	return NULL;
}

/* As it stood when the process ended; its window begins anew, and is another one of the same run. */
static void restore(struct ss_canary_room *r, struct canary_run *u, struct canary_saved *s, uint64_t now)
{
	s->met = true;
	u->parts = calloc(CANARY_PARTS, sizeof(*u->parts));
	if (!u->parts)
		return;
	canary_set(u, s->weight);
	u->stand = s->stand;
	u->window = s->window;
	u->since = u->step_since = now;
	memcpy(u->before, s->counts, sizeof(u->before));
	canary_tell(r, u, SS_CANARY_DID_RESTORE, s->weight, now);
	if (canary_under_way(u))
		canary_begin_window(r, u, now);
}

static void meet(struct ss_canary_room *r, const struct ss_canary *c, uint64_t now)
{
	struct canary_run *u = &r->runs[r->n++];
	struct canary_saved *s = saved_of(r, c->split);

	memset(u, 0, sizeof(*u));
	u->c = *c;
	u->generation = r->generation;
	u->weight = SS_CANARY_NONE;
	u->since = now;
	count_anew(r, u);
	if (s)
		restore(r, u, s, now);
	else if (c->auto_start)
		canary_start(r, u, "auto_start", now);
}

/* Its split is gone. Requests of the generation before may still look at the slot: the configuration's weights count. */
static void part_with(struct ss_canary_room *r, struct canary_run *u, uint64_t now)
{
	uint32_t from = u->weight;

	canary_set(u, SS_CANARY_NONE);
	if (u->stand != SS_CANARY_IDLE)
		canary_tell(r, u, SS_CANARY_DID_FORGET, from, now);
	free(u->parts);
	*u = r->runs[--r->n];
}

static void adopt(struct ss_canary_room *r, const struct ss_snapshot *snap, uint64_t now)
{
	bool first = r->generation == 0, changed = false;

	r->generation = snap->generation;
	for (uint32_t i = 0; i < snap->n_canaries; i++) {
		struct canary_run *u = run_of(r, snap->canaries[i]->split);
		if (!u)
			continue;
		u->c = *snap->canaries[i];
		u->generation = snap->generation;
	}
	for (uint32_t i = r->n; i-- > 0;)
		if (r->runs[i].generation != snap->generation) {
			part_with(r, &r->runs[i], now);
			changed = true;
		}
	for (uint32_t i = 0; i < snap->n_canaries && r->n < r->cap; i++)
		if (!run_of(r, snap->canaries[i]->split))
			meet(r, snap->canaries[i], now);
	canary_forget_saved(r);
	if (changed || (first && r->n))
		canary_save(r, now);
	r->next = 0;
}

void ss_canary_poll(struct ss_canary_room *r, const struct ss_snapshot *snap, uint64_t now)
{
	if (snap->generation != r->generation)
		adopt(r, snap, now);
	if (now < r->next)
		return;
	r->next = SS_NEVER;
	for (uint32_t i = 0; i < r->n; i++) {
		struct canary_run *u = &r->runs[i];
		if (canary_under_way(u) && now >= u->part_ends)
			end_part(r, u, now);
		if (canary_under_way(u))
			r->next = ss_min_u64(r->next, u->part_ends);
	}
}
