/* canary_tell.c - a decision for the logs: the process's own, and the event logs of ctrl/telemetry. */
#include <stdio.h>
#include <string.h>

#include "canary/canary_int.h"
#include "loop/log.h"

uint64_t canary_unix(const struct ss_canary_room *r, uint64_t now)
{
	int64_t offset = r->conf.wall ? atomic_load_explicit(&r->conf.wall->offset_ns, memory_order_relaxed) : 0;

	return (uint64_t)((int64_t)now + offset);
}

static void put_numbers(struct ss_event_canary *e, const struct ss_canary_verdict *v)
{
	e->why = v->why;
	e->sure = v->sure;
	for (uint32_t i = 0; i < SS_CANARY_VARIANTS; i++) {
		e->requests[i] = v->requests[i];
		e->failures[i] = v->failures[i];
		e->p99_ns[i] = v->p99_ns[i];
	}
	e->error_ratio = v->error_ratio;
	e->p99_ratio = v->p99_ratio;
	e->slowdown = v->slowdown;
	e->slow_low = v->slow_low;
	e->slow_high = v->slow_high;
	e->error_high = v->error_high;
	e->p_errors = v->p_errors;
	e->p_p99 = v->p_p99;
	e->p_fails_more = v->p_fails_more;
	e->p_slower = v->p_slower;
	e->alpha = v->alpha;
}

static const char *percent(char *buf, size_t n, uint32_t weight)
{
	if (weight == SS_CANARY_NONE)
		snprintf(buf, n, "configured");
	else
		snprintf(buf, n, "%u.%02u", weight / 100, weight % 100);
	return buf;
}

/* The same numbers in one short line: what an operator's journal shows without an event log. */
static void log_line(const struct ss_canary_room *r, const struct canary_run *u, const struct ss_event_canary *e)
{
	char from[16], to[16], numbers[256] = "-";

	if (e->judged)
		snprintf(numbers, sizeof(numbers),
			 "stable %llu/%llu p99 %.3f ms, canary %llu/%llu p99 %.3f ms, slower by %.2f %%",
			 (unsigned long long)e->failures[0], (unsigned long long)e->requests[0], e->p99_ns[0] / 1e6,
			 (unsigned long long)e->failures[1], (unsigned long long)e->requests[1], e->p99_ns[1] / 1e6,
			 e->slowdown * 100);
	ss_log(e->act == SS_CANARY_DID_ROLL_BACK ? SS_LOG_WARN : SS_LOG_INFO, "canary", "canary",
	       ss_names_text(r->conf.names, u->c.name), "decision", ss_canary_act_text(e->act), "state",
	       ss_canary_stand_text(e->stand), "reason", e->judged ? ss_canary_why_text(e->why) : "-", "from_percent",
	       percent(from, sizeof(from), e->from), "percent", percent(to, sizeof(to), e->weight), "by",
	       e->by[0] ? e->by : "-", "numbers", numbers, NULL);
}

static bool by_somebody(enum ss_canary_act act)
{
	return act == SS_CANARY_DID_START || act == SS_CANARY_DID_PAUSE || act == SS_CANARY_DID_RESUME ||
	       act == SS_CANARY_DID_ABORT;
}

void canary_tell(struct ss_canary_room *r, struct canary_run *u, enum ss_canary_act act, uint32_t from, uint64_t now)
{
	struct ss_event_canary *e;
	struct ss_event ev;

	memset(&ev, 0, sizeof(ev));
	ev.kind = SS_EVENT_CANARY;
	ev.time_ns = now;
	ev.generation = u->generation;
	ev.route = u->c.name;
	ev.cluster = u->c.canary_cluster;
	e = &ev.canary;
	e->act = (uint8_t)act;
	e->stand = (uint8_t)u->stand;
	e->from = from;
	e->weight = u->weight;
	e->window = u->window;
	if (u->judged) {
		e->judged = true;
		e->window_ns = now - u->window_since;
		e->step_ns = now - u->step_since;
		put_numbers(e, &u->verdict);
	}
	if (by_somebody(act))
		memcpy(e->by, u->by, sizeof(e->by));
	u->decisions[act]++;
	log_line(r, u, e);
	if (r->conf.tell)
		r->conf.tell(r->conf.arg, &ev);
}
