/*
 * tele_prom.c - metrics in Prometheus' text format 0.0.4: names, units and types as promtool wants them.
 * Nanoseconds inside become seconds outside.
 */
#include <string.h>
#include <time.h>

#include "telemetry/tele_int.h"

static void family(struct evbuffer *out, const char *name, const char *type, const char *help)
{
	evbuffer_add_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label's value: backslash, quotation mark and line feed are escaped. */
static void label(struct evbuffer *out, const char *key, const char *value, bool first)
{
	evbuffer_add_printf(out, "%s%s=\"", first ? "" : ",", key);
	for (const char *p = value; *p; p++) {
		if (*p == '\n')
			evbuffer_add(out, "\\n", 2);
		else if (*p == '\\' || *p == '"')
			evbuffer_add_printf(out, "\\%c", *p);
		else
			evbuffer_add(out, p, 1);
	}
	evbuffer_add(out, "\"", 1);
}

/* -- what workers count -- */

struct shape {
	char name[96], help[160];
	bool counter, seconds;
};

static void shape_of(enum ss_counter k, struct shape *s)
{
	const char *name = ss_counter_name(k), *help = ss_counter_help(k);
	size_t n = strlen(name);

	s->counter = ss_counter_kind(k) == 'c';
	s->seconds = n > 3 && strcmp(name + n - 3, "_ns") == 0;
	snprintf(s->name, sizeof(s->name), "sidestep_%.*s%s%s", (int)(s->seconds ? n - 3 : n), name,
		 s->seconds ? "_seconds" : "", s->counter ? "_total" : "");
	snprintf(s->help, sizeof(s->help), "%s", strncmp(help, "nanoseconds", 11) == 0 ? help + 4 : help);
}

static void counters(const struct ss_tele *t, struct evbuffer *out)
{
	for (int k = 0; k < SS_C_COUNT; k++) {
		struct shape s;

		shape_of((enum ss_counter)k, &s);
		family(out, s.name, s.counter ? "counter" : "gauge", s.help);
		for (uint32_t i = 0; i < t->conf.n_workers; i++) {
			uint64_t v = ss_counter_read(t->conf.counters[i], (enum ss_counter)k);

			if (s.seconds)
				evbuffer_add_printf(out, "%s{worker=\"%u\"} %.9f\n", s.name, i, (double)v / 1e9);
			else
				evbuffer_add_printf(out, "%s{worker=\"%u\"} %llu\n", s.name, i, (unsigned long long)v);
		}
	}
}

static void stages(const struct ss_tele *t, struct evbuffer *out)
{
	const char *name = "sidestep_stage_seconds_total";

	family(out, name, "counter", "busy seconds by stage of the worker loop, estimated from sampled turns");
	for (uint32_t i = 0; i < t->conf.n_workers; i++)
		for (int s = 0; s < SS_STAGE_COUNT; s++)
			evbuffer_add_printf(out, "%s{worker=\"%u\",stage=\"%s\"} %.9f\n", name, i,
					    ss_stage_name((enum ss_stage)s),
					    (double)ss_ledger_read(&t->conf.counters[i]->ledger.all_ns[s]) / 1e9);
}

static const char *lost_what(enum ss_drop d)
{
	char kind = ss_drop_kind(d);

	return kind == 'p' ? "packet" : kind == 'c' ? "connection" : "request";
}

static void drops(const struct ss_tele *t, struct evbuffer *out)
{
	family(out, "sidestep_drops_total", "counter", "packets, connections and requests refused, by reason");
	for (int d = SS_DROP_NONE + 1; d < SS_DROP_COUNT; d++) {
		uint64_t n = 0;

		for (uint32_t i = 0; i < t->conf.n_workers; i++)
			n += __atomic_load_n(&t->conf.counters[i]->drops[d], __ATOMIC_RELAXED);
		evbuffer_add_printf(out, "sidestep_drops_total{reason=\"%s\",kind=\"%s\"} %llu\n",
				    ss_drop_name((enum ss_drop)d), lost_what((enum ss_drop)d), (unsigned long long)n);
	}
}

static void policies(const struct ss_tele *t, struct evbuffer *out)
{
	const char *name = "sidestep_authorization_total";

	if (!t->conf.policies)
		return;
	family(out, name, "counter", "what policies said about requests, by policy; default: no rule held");
	for (uint32_t i = 0; i < ss_policies_n(t->conf.policies); i++) {
		struct ss_policy_counts c = ss_policies_sum(t->conf.policies, i);
		const struct {
			const char *word;
			uint64_t n;
		} rows[] = { { "allowed", c.allowed }, { "denied", c.denied },
			     { "dry_run_denied", c.dry_run_denied }, { "audited", c.audited } };
		for (size_t k = 0; k < SS_ARRAY_LEN(rows); k++) {
			evbuffer_add_printf(out, "%s{", name);
			label(out, "policy", ss_policies_name(t->conf.policies, i), true);
			label(out, "result", rows[k].word, false);
			evbuffer_add_printf(out, "} %llu\n", (unsigned long long)rows[k].n);
		}
	}
}

/* From what a hop costs (tens of microseconds) to what a timeout is. */
static const struct {
	const char *le;
	uint64_t ns;
} bounds[] = {
	{ "0.00001", 10000ull },     { "0.000025", 25000ull },    { "0.00005", 50000ull },
	{ "0.0001", 100000ull },     { "0.00025", 250000ull },    { "0.0005", 500000ull },
	{ "0.001", 1000000ull },     { "0.0025", 2500000ull },    { "0.005", 5000000ull },
	{ "0.01", 10000000ull },     { "0.025", 25000000ull },    { "0.05", 50000000ull },
	{ "0.1", 100000000ull },     { "0.25", 250000000ull },    { "0.5", 500000000ull },
	{ "1", 1000000000ull },      { "2.5", 2500000000ull },    { "5", 5000000000ull },
	{ "10", 10000000000ull },    { "30", 30000000000ull },    { "60", 60000000000ull },
};

/* The workers' buckets are a sixteenth wide; one that straddles a bound counts for the next, so that no
 * request is said to have been faster than it was. */
static void latency(struct ss_tele *t, struct evbuffer *out)
{
	const char *name = "sidestep_request_duration_seconds";
	uint64_t below = 0;
	uint32_t b = 0;

	memset(&t->sum, 0, sizeof(t->sum));
	for (uint32_t i = 0; i < t->conf.n_workers; i++)
		ss_hist_sum(&t->sum, &t->conf.counters[i]->request_ns);
	family(out, name, "histogram", "from the first byte of a request to the last byte of its response");
	for (size_t i = 0; i < SS_ARRAY_LEN(bounds); i++) {
		while (b < SS_HIST_BUCKETS && ss_hist_upper(b) <= bounds[i].ns)
			below += t->sum.bucket[b++];
		evbuffer_add_printf(out, "%s_bucket{le=\"%s\"} %llu\n", name, bounds[i].le, (unsigned long long)below);
	}
	while (b < SS_HIST_BUCKETS)
		below += t->sum.bucket[b++];
	evbuffer_add_printf(out, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %.9f\n%s_count %llu\n", name,
			    (unsigned long long)below, name, (double)t->sum.sum / 1e9, name, (unsigned long long)below);
}

/* -- what main looks up -- */

static void pools(const struct ss_tele *t, struct evbuffer *out)
{
	struct ss_tele_pool p[32];
	uint32_t n = t->conf.ask.pools ? t->conf.ask.pools(t->conf.ask.arg, p, SS_ARRAY_LEN(p)) : 0;

	if (!n)
		return;
	family(out, "sidestep_pool_size", "gauge", "objects that a pool has in all");
	for (uint32_t i = 0; i < n; i++) {
		evbuffer_add_printf(out, "sidestep_pool_size{");
		label(out, "pool", p[i].name, true);
		evbuffer_add_printf(out, "} %u\n", p[i].size);
	}
	family(out, "sidestep_pool_used", "gauge", "objects of a pool that are out");
	for (uint32_t i = 0; i < n; i++) {
		evbuffer_add_printf(out, "sidestep_pool_used{");
		label(out, "pool", p[i].name, true);
		evbuffer_add_printf(out, "} %u\n", p[i].used);
	}
}

static void process(const struct ss_tele *t, const struct ss_snapshot *s, struct evbuffer *out)
{
	const struct ss_tele_ask *ask = &t->conf.ask;

	family(out, "sidestep_build_info", "gauge", "always 1; the program's version and the node's name");
	evbuffer_add_printf(out, "sidestep_build_info{");
	label(out, "version", t->version, true);
	label(out, "node", t->node, false);
	evbuffer_add_printf(out, "} 1\n");
	if (s) {
		family(out, "sidestep_config_info", "gauge", "always 1; the hash of the configuration in force");
		evbuffer_add_printf(out, "sidestep_config_info{hash=\"%s\"} 1\n", s->hash);
		family(out, "sidestep_config_generation", "gauge", "generation of the configuration in force");
		evbuffer_add_printf(out, "sidestep_config_generation %llu\n", (unsigned long long)s->generation);
	}
	if (ask->live) {
		family(out, "sidestep_config_live", "gauge", "generations still in memory");
		evbuffer_add_printf(out, "sidestep_config_live %u\n", ask->live(ask->arg));
	}
	if (ask->ready) {
		family(out, "sidestep_ready", "gauge", "1 while every worker serves and no drain is under way");
		evbuffer_add_printf(out, "sidestep_ready %d\n", ask->ready(ask->arg));
	}
	family(out, "sidestep_access_log_lost_total", "counter", "access-log lines that could not be written");
	evbuffer_add_printf(out, "sidestep_access_log_lost_total %llu\n", (unsigned long long)t->log.lost);
	family(out, "sidestep_audit_log_lost_total", "counter", "audit-log lines that could not be written");
	evbuffer_add_printf(out, "sidestep_audit_log_lost_total %llu\n", (unsigned long long)t->audit.lost);
	family(out, "sidestep_health_log_lost_total", "counter", "health-log lines that could not be written");
	evbuffer_add_printf(out, "sidestep_health_log_lost_total %llu\n", (unsigned long long)t->health.lost);
}

/* -- endpoints: the cluster-wide picture of health and use -- */

static uint64_t ep_requests(const struct ss_ep_table *t, uint32_t ep, uint64_t now)
{
	return atomic_load_explicit(&t->ep[ep].requests, memory_order_relaxed);
}

static uint64_t ep_failures(const struct ss_ep_table *t, uint32_t ep, uint64_t now)
{
	return atomic_load_explicit(&t->ep[ep].failures, memory_order_relaxed);
}

static uint64_t ep_ejections(const struct ss_ep_table *t, uint32_t ep, uint64_t now)
{
	return atomic_load_explicit(&t->ep[ep].ejections, memory_order_relaxed);
}

static uint64_t ep_active(const struct ss_ep_table *t, uint32_t ep, uint64_t now)
{
	return atomic_load_explicit(&t->ep[ep].active, memory_order_relaxed);
}

static uint64_t ep_ejected(const struct ss_ep_table *t, uint32_t ep, uint64_t now)
{
	return atomic_load_explicit(&t->ep[ep].ejected_until, memory_order_relaxed) > now;
}

static uint64_t ep_healthy(const struct ss_ep_table *t, uint32_t ep, uint64_t now)
{
	return !(atomic_load_explicit(&t->ep[ep].flags, memory_order_relaxed) & SS_EP_DOWN);
}

static uint64_t ep_degraded(const struct ss_ep_table *t, uint32_t ep, uint64_t now)
{
	return (atomic_load_explicit(&t->ep[ep].flags, memory_order_relaxed) & SS_EP_LAST) != 0;
}

static uint64_t ep_probes(const struct ss_ep_table *t, uint32_t ep, uint64_t now)
{
	return atomic_load_explicit(&t->watch[ep].probes, memory_order_relaxed);
}

static uint64_t ep_probes_failed(const struct ss_ep_table *t, uint32_t ep, uint64_t now)
{
	return atomic_load_explicit(&t->watch[ep].probes_failed, memory_order_relaxed);
}

static const struct {
	const char *name, *type, *help;
	uint64_t (*value)(const struct ss_ep_table *t, uint32_t ep, uint64_t now);
} ep_families[] = {
	{ "sidestep_endpoint_requests_total", "counter", "requests that an endpoint has answered or failed", ep_requests },
	{ "sidestep_endpoint_failures_total", "counter", "of these, failures", ep_failures },
	{ "sidestep_endpoint_ejections_total", "counter", "times an endpoint was ejected", ep_ejections },
	{ "sidestep_endpoint_active", "gauge", "requests in flight to an endpoint", ep_active },
	{ "sidestep_endpoint_ejected", "gauge", "1 while an endpoint is ejected", ep_ejected },
	{ "sidestep_endpoint_healthy", "gauge", "0 while its health check or the configuration says no", ep_healthy },
	{ "sidestep_endpoint_degraded", "gauge", "1 while it is asked only where others cannot carry its share", ep_degraded },
	{ "sidestep_endpoint_probes_total", "counter", "probes of an endpoint that had a result", ep_probes },
	{ "sidestep_endpoint_probe_failures_total", "counter", "of these, failures", ep_probes_failed },
};

static void endpoint(const struct ss_tele *t, const struct ss_cluster *c, const struct ss_endpoint *e, size_t f,
		     uint64_t now, struct evbuffer *out)
{
	char addr[SS_ADDR_TEXT];

	if (e->ep >= t->conf.endpoints->n_eps)
		return;
	evbuffer_add_printf(out, "%s{", ep_families[f].name);
	label(out, "cluster", ss_names_text(t->conf.names, c->name), true);
	label(out, "endpoint", ss_addr_text(&e->addr, addr), false);
	evbuffer_add_printf(out, "} %llu\n",
			    (unsigned long long)ep_families[f].value(t->conf.endpoints, e->ep, now));
}

static void endpoints(const struct ss_tele *t, const struct ss_snapshot *s, struct evbuffer *out)
{
	uint64_t now = t->conf.clock ? ss_clock_ns(t->conf.clock) : 0;

	if (!s || !t->conf.endpoints)
		return;
	for (size_t f = 0; f < SS_ARRAY_LEN(ep_families); f++) {
		family(out, ep_families[f].name, ep_families[f].type, ep_families[f].help);
		for (uint32_t i = 0; i < s->n_clusters; i++)
			for (uint32_t k = 0; k < s->clusters[i].n_endpoints; k++)
				endpoint(t, &s->clusters[i], &s->clusters[i].endpoints[k], f, now, out);
	}
}

/* -- rate limits -- */

static void limit(const struct ss_tele *t, const struct ss_limit *l, const char *name, const char *outcome,
		  uint64_t n, struct evbuffer *out)
{
	evbuffer_add_printf(out, "%s{", name);
	label(out, "limit", ss_names_text(t->conf.names, l->name), true);
	if (outcome)
		label(out, "outcome", outcome, false);
	evbuffer_add_printf(out, "} %llu\n", (unsigned long long)n);
}

static void limits(const struct ss_tele *t, const struct ss_snapshot *s, struct evbuffer *out)
{
	const char *name = "sidestep_rate_limit_requests_total", *gone = "sidestep_rate_limit_evicted_total";

	family(out, name, "counter", "requests that met a rate limit: passed, limited, or tolerated by a dry run");
	for (uint32_t i = 0; s && t->conf.limits && i < s->n_limits; i++) {
		struct ss_limit_counts c = ss_limit_counted(t->conf.limits, s->limits[i].slot);
		limit(t, &s->limits[i], name, "passed", c.passed, out);
		limit(t, &s->limits[i], name, "limited", c.limited, out);
		limit(t, &s->limits[i], name, "tolerated", c.tolerated, out);
	}
	family(out, gone, "counter", "buckets of a key that made room before they were full again");
	for (uint32_t i = 0; s && t->conf.limits && i < s->n_limits; i++)
		limit(t, &s->limits[i], gone, NULL,
		      ss_limit_counted(t->conf.limits, s->limits[i].slot).evicted, out);
}

/* -- secrets: what an operator wants to be woken for before it is too late -- */

static double left(const struct ss_secret_state *s, double now)
{
	return (double)s->expires - now;
}

static double rotations(const struct ss_secret_state *s, double now)
{
	return (double)s->rotations;
}

static double refusals(const struct ss_secret_state *s, double now)
{
	return (double)s->refusals;
}

static double refused(const struct ss_secret_state *s, double now)
{
	return s->refused != NULL;
}

static void secrets(const struct ss_tele *t, struct evbuffer *out)
{
	static const struct {
		const char *name, *type, *help;
		double (*value)(const struct ss_secret_state *s, double now);
	} families[] = {
		{ "sidestep_secret_expiry_seconds", "gauge",
		  "time left for the certificate in use, or the first authority or revocation list of the trust to end; below 0: expired", left },
		{ "sidestep_secret_rotations_total", "counter", "times new files of a secret or bundle were taken", rotations },
		{ "sidestep_secret_refusals_total", "counter", "times they were not, and the last good ones went on", refusals },
		{ "sidestep_secret_refused", "gauge", "1 while the files that are there are not the ones in use", refused },
	};
	const struct ss_tele_ask *ask = &t->conf.ask;
	double now = (double)time(NULL);
	struct ss_secret_state s;

	for (size_t f = 0; f < SS_ARRAY_LEN(families); f++) {
		family(out, families[f].name, families[f].type, families[f].help);
		for (uint32_t i = 0; ask->secret && ask->secret(ask->arg, i, &s); i++) {
			if (families[f].value == left && !s.expires)
				continue; /* nobody uses it, so nobody has read it */
			evbuffer_add_printf(out, "%s{", families[f].name);
			label(out, "secret", s.name, true);
			label(out, "kind", s.trust ? "trust" : "certificate", false);
			evbuffer_add_printf(out, "} %.0f\n", families[f].value(&s, now));
		}
	}
}

/* -- discovery: an answer that grows old, or none -- */

static double updates(const struct ss_discovery_state *s, uint64_t now)
{
	return (double)s->updates;
}

static double failures(const struct ss_discovery_state *s, uint64_t now)
{
	return (double)s->failures;
}

static double failing(const struct ss_discovery_state *s, uint64_t now)
{
	return s->failing != NULL;
}

static double age(const struct ss_discovery_state *s, uint64_t now)
{
	return s->answered && now > s->answered_ns ? (double)(now - s->answered_ns) / SS_NS_PER_SEC : 0;
}

static double found(const struct ss_discovery_state *s, uint64_t now)
{
	return s->n_endpoints;
}

static void discoveries(const struct ss_tele *t, struct evbuffer *out)
{
	static const struct {
		const char *name, *type, *help;
		double (*value)(const struct ss_discovery_state *s, uint64_t now);
	} families[] = {
		{ "sidestep_discovery_updates_total", "counter", "times a cluster got other endpoints", updates },
		{ "sidestep_discovery_failures_total", "counter", "times there was no good answer, and the last one stayed", failures },
		{ "sidestep_discovery_failing", "gauge", "1 while there is no good answer", failing },
		{ "sidestep_discovery_age_seconds", "gauge", "since the last good answer came", age },
		{ "sidestep_discovery_endpoints", "gauge", "endpoints of the answer in force", found },
	};
	const struct ss_tele_ask *ask = &t->conf.ask;
	uint64_t now = t->conf.clock ? ss_clock_ns(t->conf.clock) : 0;
	struct ss_discovery_state s;

	for (size_t f = 0; f < SS_ARRAY_LEN(families); f++) {
		family(out, families[f].name, families[f].type, families[f].help);
		for (uint32_t i = 0; ask->discovery && ask->discovery(ask->arg, i, &s); i++) {
			evbuffer_add_printf(out, "%s{", families[f].name);
			label(out, "cluster", s.cluster, true);
			evbuffer_add_printf(out, "} %.*f\n", families[f].value == age ? 3 : 0, families[f].value(&s, now));
		}
	}
}

/* -- canaries -- */

static void canary_name(const struct ss_canary_state *s, const char *name, struct evbuffer *out)
{
	evbuffer_add_printf(out, "%s{", name);
	label(out, "canary", s->name, true);
}

static void canary_shares(const struct ss_canary_state *s, const char *name, const uint64_t v[], struct evbuffer *out)
{
	for (uint32_t i = 0; i < SS_CANARY_VARIANTS; i++) {
		canary_name(s, name, out);
		label(out, "share", i ? "canary" : "stable", false);
		label(out, "cluster", i ? s->cluster : s->stable, false);
		evbuffer_add_printf(out, "} %llu\n", (unsigned long long)v[i]);
	}
}

static void canary_requests(const struct ss_canary_state *s, const char *name, struct evbuffer *out)
{
	canary_shares(s, name, s->requests, out);
}

static void canary_failures(const struct ss_canary_state *s, const char *name, struct evbuffer *out)
{
	canary_shares(s, name, s->failures, out);
}

static void canary_weight(const struct ss_canary_state *s, const char *name, struct evbuffer *out)
{
	canary_name(s, name, out);
	evbuffer_add_printf(out, "} %g\n", s->weight / 100.0);
}

static void canary_stands(const struct ss_canary_state *s, const char *name, struct evbuffer *out)
{
	for (uint32_t i = 0; i < SS_CANARY_STANDS; i++) {
		canary_name(s, name, out);
		label(out, "state", ss_canary_stand_text((enum ss_canary_stand)i), false);
		evbuffer_add_printf(out, "} %d\n", s->stand == i);
	}
}

static void canary_decisions(const struct ss_canary_state *s, const char *name, struct evbuffer *out)
{
	for (uint32_t i = 0; i < SS_CANARY_ACTS; i++) {
		canary_name(s, name, out);
		label(out, "decision", ss_canary_act_text((enum ss_canary_act)i), false);
		evbuffer_add_printf(out, "} %llu\n", (unsigned long long)s->decisions[i]);
	}
}

static void canaries(const struct ss_tele *t, struct evbuffer *out)
{
	static const struct {
		const char *name, *type, *help;
		void (*put)(const struct ss_canary_state *s, const char *name, struct evbuffer *out);
	} families[] = {
		{ "sidestep_canary_weight_percent", "gauge", "share of the requests that the canary gets now", canary_weight },
		{ "sidestep_canary_state", "gauge", "1 for how the canary stands", canary_stands },
		{ "sidestep_canary_requests_total", "counter", "requests of each share since the canary was started", canary_requests },
		{ "sidestep_canary_failures_total", "counter", "of these, failed: a 5xx, gRPC's likewise, no answer", canary_failures },
		{ "sidestep_canary_decisions_total", "counter", "what was decided about the canary", canary_decisions },
	};
	const struct ss_tele_ask *ask = &t->conf.ask;
	struct ss_canary_state s;

	for (size_t f = 0; f < SS_ARRAY_LEN(families); f++) {
		family(out, families[f].name, families[f].type, families[f].help);
		for (uint32_t i = 0; ask->canary && ask->canary(ask->arg, i, &s); i++)
			families[f].put(&s, families[f].name, out);
	}
}

/* -- who calls what -- */

static void pairs(const struct ss_tele *t, struct evbuffer *out)
{
	static const char *const security[] = { "none", "tls", "mutual_tls" };
	const char *name = "sidestep_pair_requests_total";
	struct ss_tele_pair p;

	family(out, name, "counter",
	       "requests by source (identity, else address), cluster, and how the way to us was protected: none, tls, mutual_tls");
	for (uint32_t i = 0; ss_tele_pair(t, i, &p); i++) {
		for (size_t k = 0; k < SS_ARRAY_LEN(p.requests); k++) {
			evbuffer_add_printf(out, "%s{", name);
			label(out, "source", p.source, true);
			label(out, "cluster", ss_names_text(t->conf.names, p.cluster), false);
			label(out, "security", security[k], false);
			evbuffer_add_printf(out, "} %llu\n", (unsigned long long)p.requests[k]);
		}
	}
}

void ss_tele_prom(struct ss_tele *t, struct evbuffer *out)
{
	const struct ss_snapshot *s = t->conf.ask.snapshot ? t->conf.ask.snapshot(t->conf.ask.arg) : NULL;

	process(t, s, out);
	counters(t, out);
	stages(t, out);
	drops(t, out);
	policies(t, out);
	latency(t, out);
	pools(t, out);
	endpoints(t, s, out);
	limits(t, s, out);
	secrets(t, out);
	discoveries(t, out);
	canaries(t, out);
	pairs(t, out);
}
