/* tele_view.c - a viewer's filter and its lines. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "telemetry/tele_int.h"

/* Lines of one tap and poll: more would be the control thread's time, and the records of all. */
#define LINES_A_POLL 200
#define ROOM_FOR_DROPPED 48

int ss_tele_view_open(struct ss_tele_view **out, struct ss_tele *t, const struct ss_tele_view_conf *conf)
{
	const char *const from[] = { conf->authority, conf->path_prefix, conf->cluster, conf->route, conf->method, conf->identity };
	struct ss_tele_view *v;
	bool ok;

	*out = NULL;
	if (t->n_views == SS_TELE_VIEWS)
		return SS_ERR_FULL;
	v = calloc(1, sizeof(*v));
	if (!v)
		return SS_ERR_NO_MEM;
	v->conf = *conf;
	v->left = LINES_A_POLL; /* records may come before the next poll does */
	v->text = malloc(SS_TELE_VIEW_TEXT);
	ok = v->text != NULL;
	for (uint32_t i = 0; i < TELE_VIEW_WORDS; i++) {
		v->word[i] = from[i] ? strdup(from[i]) : NULL;
		ok = ok && (v->word[i] || !from[i]);
	}
	if (ok && conf->kind != SS_TELE_TAP)
		ok = ss_tele_top_create(&v->top, t, ss_clock_ns(t->conf.clock)) == 0;
	v->tele = t;
	t->view[t->n_views++] = v;
	if (!ok) {
		ss_tele_view_close(v);
		return SS_ERR_NO_MEM;
	}
	*out = v;
	return 0;
}

void ss_tele_view_close(struct ss_tele_view *v)
{
	struct ss_tele *t;

	if (!v)
		return;
	t = v->tele;
	for (uint32_t i = 0; i < t->n_views; i++) {
		if (t->view[i] != v)
			continue;
		t->view[i] = t->view[--t->n_views];
		break;
	}
	ss_tele_top_free(v->top);
	for (uint32_t i = 0; i < TELE_VIEW_WORDS; i++)
		free(v->word[i]);
	free(v->text);
	free(v);
}

struct ss_span ss_tele_view_text(const struct ss_tele_view *v)
{
	return ss_span(v->text, v->n);
}

static void say_dropped(struct ss_tele_view *v)
{
	if (!v->dropped || v->n + ROOM_FOR_DROPPED > SS_TELE_VIEW_TEXT)
		return;
	v->n += (uint32_t)snprintf(v->text + v->n, ROOM_FOR_DROPPED, "{\"dropped\":%llu}\n", (unsigned long long)v->dropped);
	v->dropped = 0;
}

void ss_tele_view_taken(struct ss_tele_view *v)
{
	v->n = 0;
	say_dropped(v);
}

bool ss_tele_view_over(const struct ss_tele_view *v)
{
	return v->conf.max && v->lines >= v->conf.max;
}

/* A line, or one more that has no room. Takes text. */
static void add_line(struct ss_tele_view *v, char *text)
{
	size_t n = text ? strlen(text) : 0;

	if (!text || v->n + n + 1 + ROOM_FOR_DROPPED > SS_TELE_VIEW_TEXT) {
		v->dropped++;
	} else {
		say_dropped(v);
		memcpy(v->text + v->n, text, n);
		v->text[v->n + n] = '\n';
		v->n += (uint32_t)n + 1;
		v->lines++;
	}
	free(text);
}

/* ---- what is looked for ---- */

static bool same_words(const char *want, struct ss_span have)
{
	return !want || (strlen(want) == have.n && !strncasecmp(want, (const char *)have.p, have.n));
}

static bool begins(const char *want, size_t n, struct ss_span have)
{
	return have.n >= n && !memcmp(want, have.p, n);
}

static bool same_identity(const char *want, struct ss_span have)
{
	size_t n = want ? strlen(want) : 0;

	if (!want)
		return true;
	if (n && want[n - 1] == '*')
		return begins(want, n - 1, have);
	return have.n == n && begins(want, n, have);
}

static bool named(const struct ss_tele_view *v, const char *want, uint32_t id)
{
	return !want || (id && !strcmp(want, ss_names_text(v->tele->conf.names, id)));
}

static bool wanted(const struct ss_tele_view *v, const struct ss_event *ev)
{
	const struct ss_tele_view_conf *c = &v->conf;
	const char *at = ev->text;
	struct ss_span method = ss_span(at, ev->method_n), authority = ss_span(at + ev->method_n, ev->authority_n);
	struct ss_span path = ss_span(authority.p + authority.n, ev->path_n);
	struct ss_span peer = ss_span(path.p + path.n + ev->request_id_n, ev->peer_n);

	if (ev->duration_ns < c->min_ns || (c->status_to && (ev->status < c->status_from || ev->status > c->status_to)))
		return false;
	if (!named(v, v->word[TELE_VIEW_CLUSTER], ev->cluster) || !named(v, v->word[TELE_VIEW_ROUTE], ev->route))
		return false;
	return same_words(v->word[TELE_VIEW_METHOD], method) && same_words(v->word[TELE_VIEW_AUTHORITY], authority) &&
	       (!v->word[TELE_VIEW_PATH] || begins(v->word[TELE_VIEW_PATH], strlen(v->word[TELE_VIEW_PATH]), path)) &&
	       same_identity(v->word[TELE_VIEW_IDENTITY], peer);
}

/* ---- records, tables ---- */

static void tap(struct ss_tele_view *v, const struct ss_event *ev, int64_t offset)
{
	struct ss_json j;

	if (ss_tele_view_over(v))
		return;
	if (!v->left || v->n + SS_EVENT_TEXT > SS_TELE_VIEW_TEXT) {
		v->dropped++;
		return;
	}
	v->left--;
	ss_json_open(&j);
	ss_tele_show(v->tele, ev, offset, &j);
	add_line(v, ss_json_close(&j));
}

void ss_tele_views_event(struct ss_tele *t, const struct ss_event *ev, int64_t offset)
{
	if (ev->kind != SS_EVENT_REQUEST)
		return;
	for (uint32_t i = 0; i < t->n_views; i++) {
		struct ss_tele_view *v = t->view[i];
		if (!wanted(v, ev))
			continue;
		if (v->top)
			ss_tele_top_count(v->top, v->conf.kind, ev);
		else
			tap(v, ev, offset);
	}
}

void ss_tele_views_poll(struct ss_tele *t, const struct ss_snapshot *s)
{
	uint64_t now = ss_clock_ns(t->conf.clock);

	for (uint32_t i = 0; i < t->n_views; i++) {
		struct ss_tele_view *v = t->view[i];
		v->left = LINES_A_POLL;
		if (!v->n)
			say_dropped(v); /* no line may follow that would say it */
		if (v->top && !ss_tele_view_over(v) && now - v->top->began >= v->conf.interval_ns)
			add_line(v, ss_tele_top_close(v->top, v->conf.kind, t, s, now));
	}
}
