/* load_report.c - what was seen, for people and for programs. docs/sidestep-load.md has the JSON's shape. */
#include <inttypes.h>
#include <stdlib.h>

#include "model/json.h"
#include "perf/load/load_int.h"

static const struct {
	const char *name, *text;
} errors[] = {
#define SS_LOAD_ERROR_X(name, text, help) { text, help },
	SS_LOAD_ERRORS(SS_LOAD_ERROR_X)
#undef SS_LOAD_ERROR_X
};

static double seconds(const struct ss_load *w)
{
	return (double)(w->seen.end - w->seen.begin) / 1e9;
}

static double per_second(const struct ss_load *w, uint64_t n)
{
	return seconds(w) > 0 ? (double)n / seconds(w) : 0;
}

static double us(uint64_t ns)
{
	return (double)ns / 1e3;
}

static uint64_t counted(const struct ss_load *w, enum ss_counter k)
{
	return w->at_end.v[k] - w->at_begin.v[k];
}

static double busy_us_per(const struct ss_load *w, uint64_t requests)
{
	return requests ? us(w->seen.busy_ns) / (double)requests : 0;
}

static double busy_share(const struct ss_load *w)
{
	uint64_t took = w->seen.end - w->seen.begin;

	return took ? (double)w->seen.busy_ns / (double)took : 0;
}

uint64_t ss_load_errors(const struct ss_load *w)
{
	uint64_t n = w->origin.tally.wrong;

	for (uint32_t i = 0; i < SS_LOAD_ERR_COUNT; i++)
		n += w->client.tally.errors[i];
	return n;
}

/* -- text -- */

static const struct {
	const char *name;
	double q;
} quantiles[] = { { "p50", 0.5 }, { "p90", 0.9 }, { "p99", 0.99 }, { "p999", 0.999 }, { "p9999", 0.9999 } };

static void text_hist(const char *what, const struct ss_load_hist *h, FILE *to)
{
	if (!h->count)
		return;
	fprintf(to, "%-12s mean %.1f us", what, ss_load_hist_mean(h) / 1e3);
	for (size_t i = 0; i < SS_ARRAY_LEN(quantiles) - 1; i++)
		fprintf(to, ", %s %.1f", quantiles[i].name, us(ss_load_hist_quantile(h, quantiles[i].q)));
	fprintf(to, ", max %.1f\n", us(h->max));
}

static void text_client(const struct ss_load *w, FILE *to)
{
	const struct ss_load_client *c = &w->client;
	const struct ss_load_client_tally *t = &c->tally;
	uint64_t bad = ss_load_errors(w) - w->origin.tally.wrong;

	fprintf(to, "requests     %" PRIu64 " in %.3f s: %.0f/s, %" PRIu64 " errors\n", t->requests, seconds(w),
		per_second(w, t->requests), bad);
	text_hist("latency", &t->latency, to);
	if (c->paced)
		fprintf(to, "             from the time at which each request was due, at %.0f/s\n", c->o->rate);
	if (c->paced && t->unsent)
		fprintf(to, "             %" PRIu64 " were due and never sent: the rate was not reached\n",
			t->unsent);
	fprintf(to, "connections  %" PRIu64 " of %u open, %" PRIu64 " opened while measuring (%.0f/s), %" PRIu64
		" closed by the server\n", t->open, c->n_conns, t->opened, per_second(w, t->opened), t->closed);
	text_hist("opening", &t->connect, to);
	for (uint32_t i = 0; i < SS_LOAD_ERR_COUNT; i++)
		if (t->errors[i])
			fprintf(to, "error        %s: %" PRIu64 " (%s)\n", errors[i].name, t->errors[i], errors[i].text);
}

static void text_origin(const struct ss_load *w, FILE *to)
{
	const struct ss_load_origin_tally *t = &w->origin.tally;

	fprintf(to, "origin       %" PRIu64 " answered in %.3f s: %.0f/s, %" PRIu64 " delayed, %" PRIu64
		" with a wrong body, %" PRIu64 " went away\n", t->requests, seconds(w), per_second(w, t->requests),
		t->delayed, t->wrong, t->reset);
}

void ss_load_report_text(const struct ss_load *w, FILE *to)
{
	uint64_t n = w->client.tally.requests + w->origin.tally.requests;

	if (w->o->client)
		text_client(w, to);
	if (w->o->n_listen)
		text_origin(w, to);
	fprintf(to, "worker       busy %.1f %% of the time, %.3f us for each of %" PRIu64 " requests\n",
		busy_share(w) * 100, busy_us_per(w, n), n);
}

/* -- JSON -- */

static void json_hist(struct ss_json *j, const char *key, const struct ss_load_hist *h)
{
	ss_json_object(j, key);
	ss_json_u64(j, "count", h->count);
	ss_json_double(j, "min", us(h->count ? h->min : 0), 3);
	ss_json_double(j, "mean", ss_load_hist_mean(h) / 1e3, 3);
	for (size_t i = 0; i < SS_ARRAY_LEN(quantiles); i++)
		ss_json_double(j, quantiles[i].name, us(ss_load_hist_quantile(h, quantiles[i].q)), 3);
	ss_json_double(j, "max", us(h->max), 3);
	ss_json_end_object(j);
}

static void json_settings(struct ss_json *j, const struct ss_load_opts *o)
{
	char text[SS_ADDR_TEXT];

	ss_json_object(j, "settings");
	ss_json_text(j, "target", ss_addr_text(&o->target, text));
	ss_json_text(j, "proto", o->proto == SS_PROTO_H2 ? "h2" : "h1");
	ss_json_text(j, "tls", !o->tls ? "off" : o->cert ? "mutual" : "server");
	ss_json_text(j, "method", o->method);
	ss_json_text(j, "path", o->path);
	ss_json_u64(j, "request_size", o->request_size);
	ss_json_u64(j, "headers", o->n_headers);
	ss_json_u64(j, "connections", o->connections);
	ss_json_u64(j, "streams", o->streams);
	ss_json_u64(j, "idle", o->idle);
	ss_json_text(j, "loop", o->rate > 0 ? "open" : "closed");
	ss_json_double(j, "rate", o->rate, 3);
	ss_json_u64(j, "churn", o->churn);
	ss_json_bool(j, "resume", o->resume);
	ss_json_end_object(j);
}

static void json_client(struct ss_json *j, const struct ss_load *w)
{
	const struct ss_load_client *c = &w->client;
	const struct ss_load_client_tally *t = &c->tally;
	uint64_t handshakes = c->o->tls ? t->opened : 0;

	ss_json_object(j, "client");
	json_settings(j, c->o);
	ss_json_u64(j, "requests", t->requests);
	ss_json_double(j, "requests_per_second", per_second(w, t->requests), 3);
	ss_json_u64(j, "request_body_bytes", t->request_bytes);
	ss_json_u64(j, "response_body_bytes", t->response_bytes);
	ss_json_u64(j, "errors_total", ss_load_errors(w) - w->origin.tally.wrong);
	ss_json_object(j, "errors");
	for (uint32_t i = 0; i < SS_LOAD_ERR_COUNT; i++)
		ss_json_u64(j, errors[i].name, t->errors[i]);
	ss_json_end_object(j);
	ss_json_object(j, "connections");
	ss_json_u64(j, "wanted", c->n_conns);
	ss_json_u64(j, "open", t->open);
	ss_json_u64(j, "attempts", t->connects);
	ss_json_u64(j, "opened", t->opened);
	ss_json_double(j, "opened_per_second", per_second(w, t->opened), 3);
	ss_json_u64(j, "closed_by_server", t->closed);
	ss_json_end_object(j);
	ss_json_u64(j, "handshakes", handshakes);
	ss_json_double(j, "handshakes_per_second", per_second(w, handshakes), 3);
	ss_json_u64(j, "resumed", c->o->tls ? counted(w, SS_C_TLS_RESUMED) : 0);
	ss_json_u64(j, "unsent", t->unsent);
	ss_json_u64(j, "most_behind", t->most_behind);
	ss_json_text(j, "latency_from", c->paced ? "intended" : "sent");
	json_hist(j, "latency_us", &t->latency);
	json_hist(j, "connect_us", &t->connect);
	ss_json_end_object(j);
}

static void json_origin(struct ss_json *j, const struct ss_load *w)
{
	const struct ss_load_origin_tally *t = &w->origin.tally;

	ss_json_object(j, "origin");
	ss_json_u64(j, "requests", t->requests);
	ss_json_double(j, "requests_per_second", per_second(w, t->requests), 3);
	ss_json_u64(j, "request_body_bytes", t->request_bytes);
	ss_json_u64(j, "response_body_bytes", t->response_bytes);
	ss_json_u64(j, "wrong_bodies", t->wrong);
	ss_json_u64(j, "went_away", t->reset);
	ss_json_u64(j, "delayed", t->delayed);
	ss_json_end_object(j);
}

static void json_worker(struct ss_json *j, const struct ss_load *w)
{
	ss_json_object(j, "worker");
	ss_json_u64(j, "busy_ns", w->seen.busy_ns);
	ss_json_double(j, "busy_share", busy_share(w), 6);
	ss_json_double(j, "busy_us_per_request",
		       busy_us_per(w, w->client.tally.requests + w->origin.tally.requests), 6);
	ss_json_u64(j, "turns", w->seen.turns);
	ss_json_u64(j, "busy_turns", w->seen.busy_turns);
	ss_json_double(j, "longest_turn_us", us(w->seen.longest_turn_ns), 3);
	ss_json_u64(j, "rx_packets", counted(w, SS_C_RX_PACKETS));
	ss_json_u64(j, "rx_bytes", counted(w, SS_C_RX_BYTES));
	ss_json_u64(j, "tx_packets", counted(w, SS_C_TX_PACKETS));
	ss_json_u64(j, "tx_bytes", counted(w, SS_C_TX_BYTES));
	ss_json_u64(j, "tcp_accepted", counted(w, SS_C_TCP_ACCEPTED));
	ss_json_u64(j, "tcp_retransmitted", counted(w, SS_C_TCP_RETRANS));
	ss_json_object(j, "drops");
	for (uint32_t i = 1; i < SS_DROP_COUNT; i++)
		if (w->at_end.drops[i] != w->at_begin.drops[i])
			ss_json_u64(j, ss_drop_name(i), w->at_end.drops[i] - w->at_begin.drops[i]);
	ss_json_end_object(j);
	ss_json_end_object(j);
}

char *ss_load_report_json(const struct ss_load *w)
{
	struct ss_json j;

	ss_json_open(&j);
	ss_json_text(&j, "program", "sidestep-load");
	ss_json_text(&j, "version", SS_LOAD_VERSION);
	ss_json_bool(&j, "complete", w->complete);
	ss_json_double(&j, "seconds", seconds(w), 6);
	if (w->o->client)
		json_client(&j, w);
	if (w->o->n_listen)
		json_origin(&j, w);
	json_worker(&j, w);
	return ss_json_close(&j);
}
