/* canary_ask.c - what an operator says, and what is shown. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "canary/canary_int.h"

/* -- commands -- */

static bool start(struct ss_canary_room *r, struct canary_run *u, const char *by, uint64_t now)
{
	return canary_start(r, u, by, now);
}

static bool change(struct ss_canary_room *r, struct canary_run *u, const char *by, enum ss_canary_stand to,
		   enum ss_canary_act act, uint32_t weight, uint64_t now)
{
	uint32_t from = u->weight;

	snprintf(u->by, sizeof(u->by), "%s", by);
	u->stand = to;
	u->since = now;
	canary_set(u, weight);
	canary_tell(r, u, act, from, now);
	canary_save(r, now);
	return true;
}

static bool pause_it(struct ss_canary_room *r, struct canary_run *u, const char *by, uint64_t now)
{
	return change(r, u, by, SS_CANARY_PAUSED, SS_CANARY_DID_PAUSE, u->weight, now);
}

static bool resume(struct ss_canary_room *r, struct canary_run *u, const char *by, uint64_t now)
{
	return change(r, u, by, SS_CANARY_RUNNING, SS_CANARY_DID_RESUME, u->weight, now);
}

static bool abort_it(struct ss_canary_room *r, struct canary_run *u, const char *by, uint64_t now)
{
	return change(r, u, by, SS_CANARY_ABORTED, SS_CANARY_DID_ABORT, 0, now);
}

#define IN(stand) (1u << (stand))
static const struct {
	const char *word;
	uint32_t from; /* stands in which it makes sense */
	bool (*run)(struct ss_canary_room *r, struct canary_run *u, const char *by, uint64_t now);
} verbs[] = {
	{ "start", ~(IN(SS_CANARY_RUNNING) | IN(SS_CANARY_PAUSED)), start },
	{ "pause", IN(SS_CANARY_RUNNING), pause_it },
	{ "resume", IN(SS_CANARY_PAUSED), resume },
	{ "abort", ~IN(SS_CANARY_ABORTED), abort_it },
};

static struct canary_run *named(struct ss_canary_room *r, const char *name, char *err, size_t err_n)
{
	if (!r->n) {
		snprintf(err, err_n, "no route has a canary");
		return NULL;
	}
	if (!name && r->n > 1) {
		snprintf(err, err_n, "there are %u canaries: say which, as virtual host/route", r->n);
		return NULL;
	}
	for (uint32_t i = 0; i < r->n; i++)
		if (!name || !strcmp(ss_names_text(r->conf.names, r->runs[i].c.name), name))
			return &r->runs[i];
	snprintf(err, err_n, "no canary is named \"%s\"", name);
	return NULL;
}

int ss_canary_command(struct ss_canary_room *r, const char *verb, const char *name, const char *by, uint64_t now, char *err,
		      size_t err_n)
{
	for (size_t i = 0; i < SS_ARRAY_LEN(verbs); i++) {
		struct canary_run *u;
		if (strcmp(verb, verbs[i].word) != 0)
			continue;
		u = named(r, name, err, err_n);
		if (!u)
			return SS_ERR_CONFIG;
		if (!(verbs[i].from & IN(u->stand))) {
			snprintf(err, err_n, "cannot %s: the canary is %s", verb, ss_canary_stand_text(u->stand));
			return SS_ERR_CONFIG;
		}
		if (verbs[i].run(r, u, by, now))
			return 0;
		snprintf(err, err_n, "out of memory");
		return SS_ERR_CONFIG;
	}
	snprintf(err, err_n, "unknown: \"%s\"; known are start, status, pause, resume, abort", verb);
	return SS_ERR_CONFIG;
}

/* -- what is seen -- */

static uint32_t in_force(const struct canary_run *u)
{
	return u->weight == SS_CANARY_NONE ? u->c.configured : u->weight;
}

bool ss_canary_state(const struct ss_canary_room *r, uint32_t i, struct ss_canary_state *out)
{
	const struct canary_run *u = i < r->n ? &r->runs[i] : NULL;

	if (!u)
		return false;
	*out = (struct ss_canary_state){.name = ss_names_text(r->conf.names, u->c.name),
					.cluster = ss_names_text(r->conf.names, u->c.canary_cluster),
					.stable = ss_names_text(r->conf.names, u->c.stable_cluster),
					.stand = u->stand,
					.weight = in_force(u)};
	for (uint32_t v = 0; v < SS_CANARY_VARIANTS; v++) {
		struct ss_canary_counts k;
		ss_canary_counted(r->conf.table, u->c.slot, v, &k);
		out->requests[v] = k.requests - u->first[v][0] + u->before[v][0];
		out->failures[v] = k.failures - u->first[v][1] + u->before[v][1];
	}
	memcpy(out->decisions, u->decisions, sizeof(out->decisions));
	return true;
}

static void show_share(struct ss_json *j, const char *key, const struct ss_canary_verdict *v, uint32_t i)
{
	ss_json_object(j, key);
	ss_json_u64(j, "requests", v->requests[i]);
	ss_json_u64(j, "failures", v->failures[i]);
	ss_json_double(j, "p99_ms", v->p99_ns[i] / 1e6, 3);
	ss_json_end_object(j);
}

static void show_verdict(struct ss_json *j, const struct ss_canary_verdict *v)
{
	static const char *const says[] = { "hold", "pass", "rollback" };

	ss_json_object(j, "verdict");
	ss_json_text(j, "says", says[v->say]);
	ss_json_text(j, "reason", ss_canary_why_text(v->why));
	ss_json_bool(j, "significant", v->sure);
	show_share(j, "stable", v, SS_CANARY_STABLE);
	show_share(j, "canary", v, SS_CANARY_CANARY);
	ss_json_double(j, "error_ratio", v->error_ratio, 3);
	ss_json_double(j, "p99_ratio", v->p99_ratio, 3);
	ss_json_double(j, "fails_more_at_most_points", v->error_high * 100, 3);
	ss_json_double(j, "slower_percent", v->slowdown * 100, 2);
	ss_json_double(j, "slower_at_least_percent", v->slow_low * 100, 2);
	ss_json_double(j, "slower_at_most_percent", v->slow_high * 100, 2);
	ss_json_double(j, "p_errors", v->p_errors, 6);
	ss_json_double(j, "p_p99", v->p_p99, 6);
	ss_json_double(j, "p_fails_more", v->p_fails_more, 6);
	ss_json_double(j, "p_slower", v->p_slower, 6);
	ss_json_double(j, "alpha", v->alpha, 6);
	ss_json_end_object(j);
}

static void show_run(const struct ss_canary_room *r, const struct canary_run *u, uint64_t now, struct ss_json *j)
{
	struct ss_canary_state s;

	ss_canary_state(r, (uint32_t)(u - r->runs), &s);
	ss_json_object(j, NULL);
	ss_json_text(j, "name", s.name);
	ss_json_text(j, "state", ss_canary_stand_text(u->stand));
	ss_json_text(j, "stable", s.stable);
	ss_json_text(j, "canary", s.cluster);
	ss_json_double(j, "percent", s.weight / 100.0, 2);
	ss_json_double(j, "for_seconds", (double)(now - u->since) / SS_NS_PER_SEC, 1);
	ss_json_u64(j, "requests_stable", s.requests[SS_CANARY_STABLE]);
	ss_json_u64(j, "failures_stable", s.failures[SS_CANARY_STABLE]);
	ss_json_u64(j, "requests_canary", s.requests[SS_CANARY_CANARY]);
	ss_json_u64(j, "failures_canary", s.failures[SS_CANARY_CANARY]);
	if (u->by[0])
		ss_json_text(j, "by", u->by);
	if (canary_under_way(u)) {
		ss_json_double(j, "step_seconds", (double)(now - u->step_since) / SS_NS_PER_SEC, 1);
		ss_json_u64(j, "window", u->window);
		ss_json_double(j, "window_seconds", (double)(now - u->window_since) / SS_NS_PER_SEC, 1);
	}
	if (u->judged)
		show_verdict(j, &u->verdict);
	ss_json_end_object(j);
}

void ss_canary_show(const struct ss_canary_room *r, const char *name, uint64_t now, struct ss_json *j)
{
	ss_json_list(j, "canaries");
	for (uint32_t i = 0; i < r->n; i++)
		if (!name || !strcmp(ss_names_text(r->conf.names, r->runs[i].c.name), name))
			show_run(r, &r->runs[i], now, j);
	ss_json_end_list(j);
}
