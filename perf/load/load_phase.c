/*
 * load_phase.c - from opening to the end: when to measure, and when what was measured is complete.
 */
#include "perf/load/load_int.h"

/* After connections were closed politely they get this long, and as long again after they were reset: half a
 * second, and a millisecond for each, as a handshake's worth of work may wait at the other end. */
static uint64_t close_ns(const struct ss_load *w)
{
	return (500 + ss_min_u32(ss_http_conns(w->http), 30000)) * SS_NS_PER_MS;
}

static bool has_client(const struct ss_load *w)
{
	return w->o->client;
}

static void measure(struct ss_load *w, uint64_t now)
{
	w->phase = SS_LOAD_MEASURE;
	w->phase_until = w->o->duration_ns && !w->o->requests ? now + w->o->duration_ns : SS_NEVER;
	w->work = (struct ss_load_work){ .begin = now };
	w->at_begin = *w->counters;
	w->origin.tally = (struct ss_load_origin_tally){ 0 };
	if (has_client(w))
		ss_load_client_measure(&w->client, now);
}

static void seen(struct ss_load *w, uint64_t now)
{
	w->seen = w->work;
	w->seen.end = now;
	w->at_end = *w->counters;
}

static void drain(struct ss_load *w, uint64_t now, bool complete)
{
	if (w->phase < SS_LOAD_MEASURE)
		w->work.begin = now;
	seen(w, now);
	w->complete = complete;
	w->phase = SS_LOAD_DRAIN;
	/* Requests give up one by one; this bound is for whatever else there may be. */
	w->phase_until = now + w->o->timeout_ns + SS_NS_PER_SEC;
	if (has_client(w))
		ss_load_client_stop(&w->client, now);
}

static void opened(struct ss_load *w, uint64_t now)
{
	if (has_client(w) && !w->client.n_open) {
		drain(w, now, false); /* nobody to talk to: what went wrong has been counted */
		return;
	}
	w->phase = SS_LOAD_WARMUP;
	w->phase_until = has_client(w) ? now + w->o->warmup_ns : now;
	if (has_client(w))
		ss_load_client_pace(&w->client, now);
}

/* Politely: what is queued still goes, then FIN (h2: GOAWAY before it). */
static void close_all(struct ss_load *w, uint64_t now)
{
	if (w->o->requests && w->complete)
		seen(w, now); /* the last answer ends the measuring */
	w->phase = SS_LOAD_CLOSING;
	w->close_ns = close_ns(w);
	w->phase_until = now + w->close_ns;
	if (has_client(w)) {
		ss_load_client_give_up(&w->client, now);
		ss_load_client_close(&w->client);
	}
	for (uint32_t i = 0; i < w->o->n_listen; i++)
		ss_tcp_unlisten(w->tcp, &w->o->listen[i].addr);
	ss_http_drain(w->http, now);
}

/* What is left after that is reset; whatever is still there then is a leak, and holdings show it. */
static void closing(struct ss_load *w, uint64_t now)
{
	bool gone = ss_http_streams(w->http) == 0 && ss_http_conns(w->http) == 0 && ss_tls_conns(w->tls) == 0;

	if (gone && ss_tcp_conns(w->tcp) == 0)
		w->phase = SS_LOAD_ENDED;
	else if (now >= w->phase_until + w->close_ns)
		w->phase = SS_LOAD_ENDED;
	else if (now >= w->phase_until)
		ss_tcp_fail_all(w->tcp, now, &w->tcp_news);
}

static bool measured(const struct ss_load *w, uint64_t now)
{
	return now >= w->phase_until || (w->o->requests && has_client(w) && !w->client.left);
}

void ss_load_phase(struct ss_load *w, uint64_t now)
{
	if (ss_unlikely(w->phase < SS_LOAD_DRAIN && atomic_load_explicit(&w->stop, memory_order_relaxed)))
		drain(w, now, !has_client(w));
	switch (w->phase) {
	case SS_LOAD_OPENING:
		if (!has_client(w) || ss_load_client_ready(&w->client, now))
			opened(w, now);
		break;
	case SS_LOAD_WARMUP:
		if (now >= w->phase_until)
			measure(w, now);
		break;
	case SS_LOAD_MEASURE:
		if (measured(w, now))
			drain(w, now, true);
		break;
	case SS_LOAD_DRAIN:
		if (!has_client(w) || !ss_load_client_waits(&w->client) || now >= w->phase_until)
			close_all(w, now);
		break;
	case SS_LOAD_CLOSING:
		closing(w, now);
		break;
	case SS_LOAD_ENDED:
		break;
	}
}
