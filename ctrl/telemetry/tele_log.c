/* tele_log.c - event records as JSON lines. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "loop/log.h"
#include "model/json.h"
#include "telemetry/tele_int.h"

#define BUFFER (1 << 18)

int ss_tele_log_open(struct tele_log *l, const char *key, const char *path, char *err, size_t err_n)
{
	l->path = strdup(path);
	if (!l->path)
		return SS_ERR_NO_MEM;
	l->file = strcmp(path, "-") == 0 ? stdout : fopen(path, "ae");
	if (!l->file) {
		snprintf(err, err_n, "%s: cannot open %s: %s", key, path, strerror(errno));
		free(l->path);
		l->path = NULL;
		return SS_ERR_CONFIG;
	}
	setvbuf(l->file, NULL, _IOFBF, BUFFER);
	l->broken = false;
	return 0;
}

void ss_tele_log_close(struct tele_log *l)
{
	if (l->file && l->file != stdout)
		fclose(l->file);
	l->file = NULL;
	free(l->path);
	l->path = NULL;
}

void ss_tele_log_flush(struct tele_log *l)
{
	bool bad = l->path && (!l->file || fflush(l->file) != 0 || ferror(l->file));

	if (bad && !l->broken)
		ss_log(SS_LOG_ERROR, "log cannot be written", "path", l->path, NULL);
	l->broken = bad;
	if (bad && l->file)
		clearerr(l->file);
}

/* The texts of a record, in their order. */
struct texts {
	struct ss_span method, authority, path, request_id, peer, trace, user_agent, detail;
};

static struct ss_span cut(const struct ss_event *ev, uint32_t *at, uint16_t n)
{
	struct ss_span s;

	n = (uint16_t)ss_min_u32(n, SS_EVENT_TEXT - *at);
	s = ss_span(ev->text + *at, n);
	*at += n;
	return s;
}

static void take_texts(const struct ss_event *ev, struct texts *t)
{
	uint32_t at = 0;

	t->method = cut(ev, &at, ev->method_n);
	t->authority = cut(ev, &at, ev->authority_n);
	t->path = cut(ev, &at, ev->path_n);
	t->request_id = cut(ev, &at, ev->request_id_n);
	t->peer = cut(ev, &at, ev->peer_n);
	t->trace = cut(ev, &at, ev->trace_n);
	t->user_agent = cut(ev, &at, ev->user_agent_n);
	t->detail = cut(ev, &at, ev->detail_n);
}

static void put_time(struct ss_json *j, uint64_t wall_ns)
{
	time_t seconds = (time_t)(wall_ns / SS_NS_PER_SEC);
	char text[48], day[32];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, sizeof(text), "%s.%06uZ", day, (unsigned)(wall_ns % SS_NS_PER_SEC / SS_NS_PER_US));
	ss_json_text(j, "time", text);
}

/* Members without a value are left out: a line holds what there is to say. */
static void put_span(struct ss_json *j, const char *key, struct ss_span s)
{
	if (s.n)
		ss_json_span(j, key, s);
}

static void put_addr(struct ss_json *j, const char *key, const struct ss_addr *a)
{
	char text[SS_ADDR_TEXT];

	if (a->ip.family)
		ss_json_text(j, key, ss_addr_text(a, text));
}

static void put_name(struct ss_json *j, const struct ss_tele *t, const char *key, uint32_t id)
{
	if (id)
		ss_json_text(j, key, ss_names_text(t->conf.names, id));
}

const char *ss_tele_hash(const struct ss_tele *t, uint64_t generation)
{
	for (uint32_t i = 0; i < TELE_HASHES; i++)
		if (generation && t->hashes[i].from <= generation && generation <= t->hashes[i].until)
			return t->hashes[i].hash;
	return NULL;
}

static void put_config(struct ss_json *j, const struct ss_tele *t, uint64_t generation)
{
	const char *hash = ss_tele_hash(t, generation);

	ss_json_u64(j, "generation", generation);
	if (hash)
		ss_json_text(j, "config", hash);
}

static double us(uint64_t ns)
{
	return (double)ns / (double)SS_NS_PER_US;
}

static const char *const tls_words[] = { "none", "tls", "mutual" };

static const char *tls_word(const struct ss_event *ev)
{
	return ev->tls < SS_ARRAY_LEN(tls_words) ? tls_words[ev->tls] : "none";
}

static const char *const authz_words[] = { "none", "allowed", "denied", "dry_run_denied" };

/* The rule that decided, and both identities: the client's is "peer", ours "own". */
static void put_authz(struct ss_json *j, const struct ss_tele *t, const struct ss_event *ev)
{
	if (ev->authz == SS_EVENT_AUTHZ_NONE || ev->authz >= SS_ARRAY_LEN(authz_words))
		return;
	ss_json_text(j, "authorization", authz_words[ev->authz]);
	put_name(j, t, "rule", ev->rule);
	put_name(j, t, "own", ev->own);
	if (ev->audited)
		ss_json_bool(j, "audited", true);
}

/* As Envoy: several flags are joined by commas. */
static void put_flags(struct ss_json *j, const struct ss_event *ev)
{
	char both[16];

	snprintf(both, sizeof(both), "DI,%s", ss_drop_flag((enum ss_drop)ev->drop));
	if (ev->delayed && !ev->drop)
		ss_json_text(j, "flag", "DI");
	else
		ss_json_text(j, "flag", ev->delayed ? both : ss_drop_flag((enum ss_drop)ev->drop));
}

static void put_request(struct ss_json *j, const struct ss_tele *t, const struct ss_event *ev, const struct texts *x)
{
	ss_json_double(j, "duration_us", us(ev->duration_ns), 1);
	if (ev->upstream_ns)
		ss_json_double(j, "upstream_us", us(ev->upstream_ns), 1);
	put_span(j, "method", x->method);
	put_span(j, "authority", x->authority);
	put_span(j, "path", x->path);
	ss_json_text(j, "protocol", ev->protocol == 2 ? "HTTP/2" : "HTTP/1.1");
	ss_json_u64(j, "status", ev->status);
	put_flags(j, ev);
	if (ev->drop)
		ss_json_text(j, "reason", ss_drop_name((enum ss_drop)ev->drop));
	ss_json_u64(j, "bytes_in", ev->bytes_in);
	ss_json_u64(j, "bytes_out", ev->bytes_out);
	put_span(j, "request_id", x->request_id);
	put_span(j, "trace_id", x->trace);
	put_span(j, "user_agent", x->user_agent);
	put_name(j, t, "listener", ev->listener);
	put_name(j, t, "virtual_host", ev->virtual_host);
	put_name(j, t, "route", ev->route);
	put_name(j, t, "cluster", ev->cluster);
	put_addr(j, "downstream", &ev->downstream);
	put_addr(j, "upstream", &ev->upstream);
	put_span(j, "peer", x->peer);
	ss_json_text(j, "tls", tls_word(ev));
	ss_json_u64(j, "attempts", ev->attempts);
	put_span(j, "detail", x->detail);
	put_authz(j, t, ev);
	put_config(j, t, ev->generation);
}

/* A connection that was refused or broke. Its authority is the name the peer asked for in TLS. */
static void put_refused(struct ss_json *j, const struct ss_tele *t, const struct ss_event *ev, const struct texts *x)
{
	ss_json_text(j, "reason", ss_drop_name((enum ss_drop)ev->drop));
	ss_json_text(j, "text", ss_drop_text((enum ss_drop)ev->drop));
	put_span(j, "detail", x->detail);
	put_name(j, t, "listener", ev->listener);
	put_name(j, t, "cluster", ev->cluster);
	put_addr(j, "downstream", &ev->downstream);
	put_addr(j, "upstream", &ev->upstream);
	put_span(j, "sni", x->authority);
	put_span(j, "peer", x->peer);
	ss_json_text(j, "tls", tls_word(ev));
}

static void put_breaker(struct ss_json *j, const struct ss_tele *t, const struct ss_event *ev, const struct texts *x)
{
	put_name(j, t, "cluster", ev->cluster);
	put_addr(j, "upstream", &ev->upstream);
	put_span(j, "detail", x->detail);
	put_config(j, t, ev->generation);
}

static const char *const changes[] = { "unhealthy", "healthy", "degraded", "not_degraded", "unejected" };

static void put_number(struct ss_json *j, const char *key, uint64_t v)
{
	if (v)
		ss_json_u64(j, key, v);
}

static void put_percent(struct ss_json *j, const char *key, uint32_t hundredths)
{
	if (hundredths)
		ss_json_double(j, key, hundredths / 100.0, 2);
}

/* Why an endpoint left rotation, for how long, and the numbers that decided it. */
static void put_ejected(struct ss_json *j, const struct ss_tele *t, const struct ss_event *ev, const struct texts *x)
{
	const struct ss_event_ejection *e = &ev->ejection;

	put_name(j, t, "cluster", ev->cluster);
	put_addr(j, "upstream", &ev->upstream);
	ss_json_text(j, "reason", ss_ep_eject_text(e->why));
	ss_json_bool(j, "enforced", !e->spared);
	put_number(j, "in_a_row", e->in_a_row);
	put_number(j, "threshold", e->limit);
	put_number(j, "requests", e->requests);
	put_number(j, "failures", e->failures);
	put_percent(j, "success_percent", e->rate);
	put_percent(j, "mean_percent", e->mean);
	put_percent(j, "deviation_percent", e->deviation);
	put_percent(j, "threshold_percent", e->threshold);
	if (!e->spared) {
		ss_json_double(j, "for_seconds", (double)e->for_ns / SS_NS_PER_SEC, 3);
		ss_json_u64(j, "times", e->times);
	}
	ss_json_u64(j, "ejected", e->ejected);
	ss_json_u64(j, "endpoints", e->of);
	put_config(j, t, ev->generation);
}

/* What became of an endpoint, and the numbers that decided it. */
static void put_health(struct ss_json *j, const struct ss_tele *t, const struct ss_event *ev, const struct texts *x)
{
	const struct ss_event_watch *w = &ev->watch;

	ss_json_text(j, "change", w->what < SS_ARRAY_LEN(changes) ? changes[w->what] : "none");
	put_name(j, t, "cluster", ev->cluster);
	put_addr(j, "upstream", &ev->upstream);
	if (w->why)
		ss_json_text(j, "reason", ss_health_why_text(w->why));
	put_number(j, "status", w->status);
	put_number(j, "in_a_row", w->in_a_row);
	put_number(j, "threshold", w->limit);
	if (w->for_ns)
		ss_json_double(j, "after_seconds", (double)w->for_ns / SS_NS_PER_SEC, 3);
	ss_json_u64(j, "unhealthy", w->down);
	ss_json_u64(j, "endpoints", w->of);
	put_config(j, t, ev->generation);
}

static void put_weight(struct ss_json *j, const char *key, uint32_t weight)
{
	if (weight == SS_CANARY_NONE)
		ss_json_text(j, key, "configured");
	else
		ss_json_double(j, key, weight / 100.0, 2);
}

static void put_share(struct ss_json *j, const char *key, const struct ss_event_canary *e, uint32_t i)
{
	ss_json_object(j, key);
	ss_json_u64(j, "requests", e->requests[i]);
	ss_json_u64(j, "failures", e->failures[i]);
	ss_json_double(j, "p99_ms", e->p99_ns[i] / SS_NS_PER_MS, 3);
	ss_json_end_object(j);
}

/* What was decided about a canary, and every number that decided it. */
static void put_canary(struct ss_json *j, const struct ss_tele *t, const struct ss_event *ev, const struct texts *x)
{
	const struct ss_event_canary *e = &ev->canary;

	put_name(j, t, "canary", ev->route);
	put_name(j, t, "cluster", ev->cluster);
	ss_json_text(j, "decision", ss_canary_act_text(e->act));
	ss_json_text(j, "state", ss_canary_stand_text(e->stand));
	put_weight(j, "from_percent", e->from);
	put_weight(j, "percent", e->weight);
	if (e->by[0])
		ss_json_text(j, "by", e->by);
	if (e->judged) {
		ss_json_text(j, "reason", ss_canary_why_text(e->why));
		ss_json_bool(j, "significant", e->sure);
		ss_json_u64(j, "window", e->window);
		ss_json_double(j, "window_seconds", (double)e->window_ns / SS_NS_PER_SEC, 3);
		ss_json_double(j, "step_seconds", (double)e->step_ns / SS_NS_PER_SEC, 3);
		put_share(j, "stable", e, SS_CANARY_STABLE);
		put_share(j, "canary_share", e, SS_CANARY_CANARY);
		ss_json_double(j, "error_ratio", e->error_ratio, 3);
		ss_json_double(j, "p99_ratio", e->p99_ratio, 3);
		ss_json_double(j, "fails_more_at_most_points", e->error_high * 100, 3);
		ss_json_double(j, "slower_percent", e->slowdown * 100, 2);
		ss_json_double(j, "slower_at_least_percent", e->slow_low * 100, 2);
		ss_json_double(j, "slower_at_most_percent", e->slow_high * 100, 2);
		ss_json_double(j, "p_errors", e->p_errors, 6);
		ss_json_double(j, "p_p99", e->p_p99, 6);
		ss_json_double(j, "p_fails_more", e->p_fails_more, 6);
		ss_json_double(j, "p_slower", e->p_slower, 6);
		ss_json_double(j, "alpha", e->alpha, 6);
	}
	put_config(j, t, ev->generation);
}

static const struct {
	const char *name;
	bool health; /* goes to the health log, too */
	void (*put)(struct ss_json *j, const struct ss_tele *t, const struct ss_event *ev, const struct texts *x);
} kinds[] = {
	[SS_EVENT_REQUEST] = { "request", false, put_request },
	[SS_EVENT_REFUSED] = { "refused", false, put_refused },
	[SS_EVENT_EJECTED] = { "ejected", true, put_ejected },
	[SS_EVENT_BREAKER] = { "breaker", true, put_breaker },
	[SS_EVENT_HEALTH] = { "health", true, put_health },
	[SS_EVENT_CANARY] = { "canary", true, put_canary },
};

static void write_line(struct tele_log *l, struct ss_json *j)
{
	char *text = ss_json_close(j);

	if (!text || !l->file || fprintf(l->file, "%s\n", text) < 0)
		l->lost++;
	free(text);
}

static void line(struct ss_tele *t, struct tele_log *log, const struct ss_event *ev, const struct texts *x, uint64_t wall_ns)
{
	struct ss_json j;

	ss_json_open(&j);
	put_time(&j, wall_ns);
	ss_json_text(&j, "kind", kinds[ev->kind].name);
	kinds[ev->kind].put(&j, t, ev, x);
	ss_json_u64(&j, "worker", ev->worker);
	write_line(log, &j);
}

void ss_tele_show(const struct ss_tele *t, const struct ss_event *ev, int64_t offset, struct ss_json *j)
{
	struct texts x;

	take_texts(ev, &x);
	put_time(j, (uint64_t)((int64_t)ev->time_ns + offset));
	kinds[SS_EVENT_REQUEST].put(j, t, ev, &x);
	ss_json_u64(j, "worker", ev->worker);
}

static bool to_audit(const struct ss_tele *t, const struct ss_event *ev)
{
	return t->audit.path && ev->kind == SS_EVENT_REQUEST && ev->authz != SS_EVENT_AUTHZ_NONE &&
	       (ev->authz != SS_EVENT_AUTHZ_ALLOWED || ev->audited || t->conf.audit_allowed);
}

/* Who asked whom for what, and which rule said what: short lines that may be kept for years. */
static void audit_line(struct ss_tele *t, const struct ss_event *ev, const struct texts *x, uint64_t wall_ns)
{
	struct ss_json j;

	ss_json_open(&j);
	put_time(&j, wall_ns);
	put_authz(&j, t, ev);
	put_span(&j, "peer", x->peer);
	put_addr(&j, "downstream", &ev->downstream);
	put_span(&j, "method", x->method);
	put_span(&j, "authority", x->authority);
	put_span(&j, "path", x->path);
	put_name(&j, t, "listener", ev->listener);
	put_name(&j, t, "virtual_host", ev->virtual_host);
	put_name(&j, t, "route", ev->route);
	put_name(&j, t, "cluster", ev->cluster);
	ss_json_u64(&j, "status", ev->status);
	if (ev->drop)
		ss_json_text(&j, "reason", ss_drop_name((enum ss_drop)ev->drop));
	put_span(&j, "request_id", x->request_id);
	ss_json_text(&j, "tls", tls_word(ev));
	put_config(&j, t, ev->generation);
	write_line(&t->audit, &j);
}

void ss_tele_log_event(struct ss_tele *t, const struct ss_event *ev, int64_t wall_ns)
{
	uint64_t wall = (uint64_t)((int64_t)ev->time_ns + wall_ns);
	struct texts x;

	if ((!t->log.path && !t->audit.path && !t->health.path) || ev->kind >= SS_ARRAY_LEN(kinds) || !kinds[ev->kind].put)
		return;
	take_texts(ev, &x);
	if (t->log.path)
		line(t, &t->log, ev, &x, wall);
	if (t->health.path && kinds[ev->kind].health)
		line(t, &t->health, ev, &x, wall);
	if (to_audit(t, ev))
		audit_line(t, ev, &x, wall);
}
