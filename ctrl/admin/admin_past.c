/*
 * admin_past.c - "why" of a request that has happened: its record, who decided it, and whether what is in force would do the
 * same again. The record is what happened; the explanation is by what is kept of the request, and said to be no more.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/admin_int.h"
#include "contract/events.h"

#define MOST 64 /* of one id that are counted */

/* The question that the record answers: its texts, each ended by a NUL. */
struct past {
	struct ss_why_ask ask;
	char text[SS_EVENT_TEXT + 16];
	char source[SS_IP_TEXT];
	char agent[SS_EVENT_TEXT + 16];
};

static const char *take(struct past *p, uint32_t *to, const struct ss_event *ev, uint32_t *from, uint16_t n)
{
	char *at = p->text + *to;

	n = (uint16_t)ss_min_u32(n, SS_EVENT_TEXT - *from);
	memcpy(at, ev->text + *from, n);
	at[n] = '\0';
	*from += n;
	*to += n + 1u;
	return n ? at : NULL;
}

static void question(struct past *p, const struct ss_admin *a, const struct ss_why_ask *ask, const struct ss_event *ev)
{
	uint32_t from = 0, to = 0;
	const char *agent;

	p->ask = (struct ss_why_ask){ .config = ask->config };
	p->ask.listener = ss_names_text(a->conf.names, ev->listener);
	p->ask.method = take(p, &to, ev, &from, ev->method_n);
	p->ask.authority = take(p, &to, ev, &from, ev->authority_n);
	p->ask.path = take(p, &to, ev, &from, ev->path_n);
	(void)take(p, &to, ev, &from, ev->request_id_n);
	p->ask.identity = take(p, &to, ev, &from, ev->peer_n);
	(void)take(p, &to, ev, &from, ev->trace_n);
	agent = take(p, &to, ev, &from, ev->user_agent_n);
	if (ev->downstream.ip.family)
		p->ask.source = ss_ip_text(&ev->downstream.ip, p->source);
	if (agent) {
		snprintf(p->agent, sizeof(p->agent), "user-agent: %s", agent);
		p->ask.headers[p->ask.n_headers++] = p->agent;
	}
}

static void put_differences(struct ss_json *j, const struct ss_event *ev, const struct ss_why_verdict *v)
{
	const struct {
		const char *what;
		bool differs;
	} all[] = {
		{ "virtual_host", v->host != ev->virtual_host },
		{ "route", v->route != ev->route },
		{ "cluster", v->cluster && v->cluster != ev->cluster },
		{ "status", v->status && v->status != ev->status },
	};

	ss_json_list(j, "differs");
	for (size_t i = 0; i < SS_ARRAY_LEN(all); i++)
		if (all[i].differs)
			ss_json_text(j, NULL, all[i].what);
	ss_json_end_list(j);
}

static void put_explained(struct ss_admin *a, struct ss_json *j, const struct past *p, const struct ss_event *ev,
			  const struct ss_model *m, const struct ss_snapshot *s)
{
	struct ss_why_verdict verdict;
	char err[400] = "nothing is in force yet";
	int code;

	ss_json_object(j, "explained");
	code = s ? ss_why_explain(a->why, s, m, &p->ask, j, &verdict, err, sizeof(err)) : -1;
	ss_json_end_object(j);
	if (code < 0)
		ss_json_text(j, "not_explained", err);
	else
		put_differences(j, ev, &verdict);
}

static void put_all(struct ss_admin *a, struct ss_json *j, const struct ss_why_ask *ask, const struct ss_event *ev,
		    int64_t offset, const struct ss_model *m, const struct ss_snapshot *s)
{
	const struct ss_model *now = ss_apply_model(a->conf.apply);
	const char *hash = ss_tele_hash(a->conf.tele, ev->generation);
	bool in_force = hash && !strcmp(hash, now->hash);
	uint32_t others = 0, kept = hash ? ss_history_find(ss_apply_history(a->conf.apply), hash) : 0;
	struct past p;

	ss_json_object(j, "recorded");
	ss_tele_show(a->conf.tele, ev, offset, j);
	ss_json_end_object(j);
	while (others < MOST && ss_tele_recent(a->conf.tele, ss_span_str(ask->request), others + 1, NULL))
		others++;
	if (others)
		ss_json_u64(j, "others", others);
	ss_json_bool(j, "in_force", in_force);
	if (kept)
		ss_json_u64(j, "history", kept);
	ss_why_past(a->why, in_force ? now : NULL, ev, j);
	question(&p, a, ask, ev);
	put_explained(a, j, &p, ev, m, s);
}

char *ss_admin_past(struct ss_admin *a, const struct ss_why_ask *ask, const struct ss_model *m, const struct ss_snapshot *s,
		    bool *ok)
{
	int64_t offset = 0;
	const struct ss_event *ev = a->conf.tele ? ss_tele_recent(a->conf.tele, ss_span_str(ask->request), 0, &offset) : NULL;
	struct ss_model_errors none = { 0 };
	struct ss_json j;
	char why[256];

	*ok = ev != NULL;
	if (!ev) {
		snprintf(why, sizeof(why), "no request \"%.100s\" is among the last %u that have ended (admin.recent_requests)",
			 ask->request, ss_apply_model(a->conf.apply)->process.recent_requests);
		return ss_admin_refusal(&none, why);
	}
	ss_json_open(&j);
	put_all(a, &j, ask, ev, offset, m, s);
	return ss_json_close(&j);
}
