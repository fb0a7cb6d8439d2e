/* admin_show.c - what runs, in the words of the configuration. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "admin/admin_int.h"

#define MAX_PORTS 16
#define FLOWS_TEXT 65536

/* ---- status ---- */

static uint64_t sum(const struct ss_admin *a, enum ss_counter k)
{
	uint64_t v = 0;
	for (uint32_t i = 0; i < a->conf.n_workers; i++)
		v += ss_counter_read(a->conf.counters[i], k);
	return v;
}

static void show_workers(struct ss_admin *a, struct ss_json *j, const struct ss_model_process *p)
{
	ss_json_list(j, "workers");
	for (uint32_t i = 0; i < a->conf.n_workers; i++) {
		const struct ss_counters *c = a->conf.counters[i];
		ss_json_object(j, NULL);
		ss_json_u64(j, "worker", i);
		ss_json_u64(j, "core", p->worker_core[i]);
		ss_json_double(j, "busy_percent", ss_admin_busy(a, i), 1);
		ss_json_u64(j, "generation", ss_counter_read(c, SS_C_SNAPSHOT_GENERATION));
		ss_json_text(j, "tls_records",
			     ss_tls_records_name((enum ss_tls_records)ss_counter_read(c, SS_C_TLS_RECORD_LAYER)));
		ss_json_u64(j, "connections", ss_counter_read(c, SS_C_TCP_CONNS));
		ss_json_u64(j, "streams", ss_counter_read(c, SS_C_HTTP_STREAMS));
		ss_json_u64(j, "exchanges", ss_counter_read(c, SS_C_EXCHANGES));
		ss_json_u64(j, "requests", ss_counter_read(c, SS_C_REQUESTS));
		ss_json_end_object(j);
	}
	ss_json_end_list(j);
}

static void show_port(struct ss_json *j, const struct ss_admin_port *p)
{
	char mac[24];
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", p->mac[0], p->mac[1], p->mac[2],
		 p->mac[3], p->mac[4], p->mac[5]);
	ss_json_object(j, NULL);
	ss_json_text(j, "name", p->name);
	ss_json_text(j, "device", p->device);
	ss_json_text(j, "driver", p->driver);
	ss_json_text(j, "mac", mac);
	ss_json_text(j, "link", p->link_up ? "up" : "down");
	ss_json_u64(j, "mtu", p->mtu);
	ss_json_u64(j, "queues", p->queues);
	ss_json_list(j, "offloads");
	if (p->tx_ip_csum)
		ss_json_text(j, NULL, "tx_ip_checksum");
	if (p->tx_tcp_csum)
		ss_json_text(j, NULL, "tx_tcp_checksum");
	if (p->rx_csum)
		ss_json_text(j, NULL, "rx_checksum");
	if (p->multi_segs)
		ss_json_text(j, NULL, "multi_segment");
	if (p->rss)
		ss_json_text(j, NULL, "rss");
	ss_json_end_list(j);
	ss_json_u64(j, "pool_size", p->pool_size);
	ss_json_u64(j, "pool_held", p->pool_held);
	ss_json_end_object(j);
}

static uint32_t ask_ports(struct ss_admin *a, struct ss_admin_port *ports)
{
	uint32_t n = a->conf.ask.ports ? a->conf.ask.ports(a->conf.ask.arg, ports, MAX_PORTS) : 0;
	return ss_min_u32(n, MAX_PORTS);
}

static void show_ports(struct ss_admin *a, struct ss_json *j)
{
	struct ss_admin_port ports[MAX_PORTS] = { 0 };
	uint32_t n = ask_ports(a, ports);
	ss_json_list(j, "ports");
	for (uint32_t i = 0; i < n; i++)
		show_port(j, &ports[i]);
	ss_json_end_list(j);
}

/* Resident memory of the process, of the kernel's own account; 0 when it does not say. */
static uint64_t resident(void)
{
	unsigned long long total, pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");
	if (f) {
		if (fscanf(f, "%llu %llu", &total, &pages) != 2)
			pages = 0;
		fclose(f);
	}
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void show_level(struct ss_json *j, const char *name, uint64_t used, uint64_t size)
{
	ss_json_object(j, name);
	ss_json_u64(j, "used", used);
	ss_json_u64(j, "size", size);
	ss_json_end_object(j);
}

static void show_memory(struct ss_admin *a, struct ss_json *j, const struct ss_model_process *p)
{
	uint64_t n = a->conf.n_workers;
	ss_json_object(j, "memory");
	ss_json_u64(j, "resident_bytes", resident());
	show_level(j, "mbufs", sum(a, SS_C_MBUFS), n * p->mbufs);
	show_level(j, "connections", sum(a, SS_C_TCP_CONNS), n * p->conns);
	show_level(j, "streams", sum(a, SS_C_HTTP_STREAMS), n * p->streams);
	ss_json_end_object(j);
}

void ss_admin_show_status(struct ss_admin *a, struct ss_json *j)
{
	const struct ss_model *m = ss_apply_model(a->conf.apply);
	const struct ss_snapshot *s = ss_publish_current(a->conf.publish);
	ss_json_text(j, "node", m->process.node);
	ss_json_u64(j, "pid", (uint64_t)getpid());
	ss_json_double(j, "uptime_seconds",
		       (double)(ss_clock_ns(a->conf.clock) - a->started_ns) / SS_NS_PER_SEC, 1);
	ss_json_text(j, "file", ss_apply_path(a->conf.apply));
	ss_json_text(j, "config_hash", s ? s->hash : NULL);
	ss_json_u64(j, "generation", s ? s->generation : 0);
	if (ss_history_number(ss_apply_history(a->conf.apply)))
		ss_json_u64(j, "history", ss_history_number(ss_apply_history(a->conf.apply)));
	ss_json_bool(j, "acknowledged", s && ss_publish_acknowledged(a->conf.publish, s->generation));
	ss_json_u64(j, "live_snapshots", ss_publish_live(a->conf.publish));
	show_workers(a, j, &m->process);
	show_ports(a, j);
	show_memory(a, j, &m->process);
}

/* ---- clusters ---- */

/* The first that holds; a reason where the word alone is none. */
static const char *health_of(const struct ss_ep *p, uint64_t now, const char **reason)
{
	uint32_t flags = atomic_load_explicit(&p->flags, memory_order_relaxed);
	*reason = flags & SS_EP_CONFIGURED ? "the configuration says so" : NULL;
	if (flags & SS_EP_DOWN)
		return flags & SS_EP_DRAINING ? "draining" : "unhealthy";
	if (atomic_load_explicit(&p->ejected_until, memory_order_relaxed) > now) {
		*reason = "outlier detection";
		return "ejected";
	}
	if (atomic_load_explicit(&p->trial, memory_order_relaxed))
		return "on trial";
	return flags & SS_EP_LAST ? "degraded" : "healthy";
}

/* Why, and since when; of probes what they came to. */
static void show_why(struct ss_admin *a, struct ss_json *j, uint32_t ep, const char *reason, uint64_t now)
{
	const struct ss_ep_watch *w = &a->conf.endpoints->watch[ep];
	uint32_t last = atomic_load_explicit(&w->last, memory_order_relaxed);
	uint64_t since = atomic_load_explicit(&w->since, memory_order_relaxed);
	bool probed = atomic_load_explicit(&w->probed, memory_order_relaxed);
	ss_json_text(j, "reason", reason ? reason : probed ? ss_health_why_text(last & 0xffff) : "");
	ss_json_text(j, "probed", probed ? "yes" : "no");
	ss_json_u64(j, "probe_status", probed ? last >> 16 : 0);
	ss_json_u64(j, "probes", atomic_load_explicit(&w->probes, memory_order_relaxed));
	ss_json_u64(j, "probes_failed", atomic_load_explicit(&w->probes_failed, memory_order_relaxed));
	ss_json_double(j, "changed_seconds_ago", since && since < now ? (double)(now - since) / SS_NS_PER_SEC : 0, 3);
}

static void show_endpoint(struct ss_admin *a, struct ss_json *j, const struct ss_endpoint *e, uint64_t now)
{
	const struct ss_ep *p = &a->conf.endpoints->ep[e->ep];
	char text[SS_ADDR_TEXT];
	const char *reason;
	uint64_t until = atomic_load_explicit(&p->ejected_until, memory_order_relaxed);
	ss_json_object(j, NULL);
	ss_json_text(j, "address", ss_addr_text(&e->addr, text));
	ss_json_u64(j, "weight", e->weight);
	ss_json_text(j, "health", health_of(p, now, &reason));
	ss_json_bool(j, "ejected", until > now);
	ss_json_double(j, "ejected_for_seconds", until > now ? (double)(until - now) / SS_NS_PER_SEC : 0, 3);
	ss_json_u64(j, "errors_in_a_row", ss_ep_errors(p));
	ss_json_u64(j, "ejections", atomic_load_explicit(&p->ejections, memory_order_relaxed));
	ss_json_u64(j, "active", atomic_load_explicit(&p->active, memory_order_relaxed));
	ss_json_u64(j, "requests", atomic_load_explicit(&p->requests, memory_order_relaxed));
	ss_json_u64(j, "failures", atomic_load_explicit(&p->failures, memory_order_relaxed));
	show_why(a, j, e->ep, reason, now);
	ss_json_end_object(j);
}

static void show_use(struct ss_admin *a, struct ss_json *j, const struct ss_cluster *c, uint8_t priority,
		     const char *name)
{
	static const char *const caps[] = { "connections", "pending", "requests", "retries" };
	ss_json_object(j, name);
	for (int k = 0; k < SS_CAP_COUNT; k++)
		show_level(j, caps[k], ss_cap_used(a->conf.endpoints, c->slot, priority, (enum ss_cap)k),
			   c->caps[priority].max[k]);
	ss_json_end_object(j);
}

static void show_breaker(struct ss_admin *a, struct ss_json *j, const struct ss_cluster *c, uint64_t now)
{
	static const char *const states[] = { "closed", "open", "half-open" };
	const struct ss_breaker *b = &a->conf.endpoints->cluster[c->slot].breaker;
	ss_json_text(j, "breaker", c->breaker ? states[ss_breaker_state(a->conf.endpoints, c->slot, now)] : "off");
	ss_json_u64(j, "breaker_opened", atomic_load_explicit(&b->opened, memory_order_relaxed));
}

static bool discovery_of(const struct ss_admin *a, const char *cluster, struct ss_discovery_state *s)
{
	const struct ss_admin_ask *ask = &a->conf.ask;
	for (uint32_t i = 0; ask->discovery && ask->discovery(ask->arg, i, s); i++)
		if (!strcmp(s->cluster, cluster))
			return true;
	return false;
}

/* Where its endpoints come from, where they are not listed: and whether that goes well. */
static void show_discovery(struct ss_admin *a, struct ss_json *j, const struct ss_cluster *c, uint64_t now)
{
	static const char *const kinds[] = { [SS_DISCOVERY_FILE] = "file", [SS_DISCOVERY_DNS] = "dns" };
	struct ss_discovery_state s;
	if (!discovery_of(a, ss_names_text(a->conf.names, c->name), &s))
		return;
	ss_json_object(j, "discovery");
	ss_json_text(j, "type", kinds[s.kind]);
	ss_json_text(j, "from", s.from);
	ss_json_text(j, "state", s.failing ? "failing" : s.answered ? "good" : "waiting");
	if (s.failing) {
		ss_json_text(j, "reason", s.failing);
		ss_json_double(j, "failing_for_seconds", (double)(now - s.failing_since_ns) / SS_NS_PER_SEC, 3);
	}
	if (s.answered)
		ss_json_double(j, "age_seconds", (double)(now - s.answered_ns) / SS_NS_PER_SEC, 3);
	ss_json_u64(j, "updates", s.updates);
	ss_json_u64(j, "failures", s.failures);
	ss_json_end_object(j);
}

void ss_admin_show_clusters(struct ss_admin *a, struct ss_json *j)
{
	static const char *const protocols[] = { "auto", "http1", "http2" };
	static const char *const policies[] = { "round_robin", "least_request", "peak_ewma",
						"random", "maglev", "ring_hash" };
	const struct ss_snapshot *s = ss_publish_current(a->conf.publish);
	uint64_t now = ss_clock_ns(a->conf.clock);
	ss_json_list(j, "clusters");
	for (uint32_t i = 0; s && i < s->n_clusters; i++) {
		const struct ss_cluster *c = &s->clusters[i];
		ss_json_object(j, NULL);
		ss_json_text(j, "name", ss_names_text(a->conf.names, c->name));
		ss_json_text(j, "protocol", protocols[c->protocol]);
		ss_json_bool(j, "tls", c->tls != NULL);
		ss_json_text(j, "load_balancing", policies[c->balance ? c->balance->conf.policy : 0]);
		ss_json_u64(j, "panics", atomic_load_explicit(&a->conf.endpoints->cluster[c->slot].panics,
							      memory_order_relaxed));
		show_discovery(a, j, c, now);
		show_breaker(a, j, c, now);
		show_use(a, j, c, SS_PRIORITY_DEFAULT, "default_priority");
		show_use(a, j, c, SS_PRIORITY_HIGH, "high_priority");
		ss_json_list(j, "endpoints");
		for (uint32_t k = 0; k < c->n_endpoints; k++)
			show_endpoint(a, j, &c->endpoints[k], now);
		ss_json_end_list(j);
		ss_json_end_object(j);
	}
	ss_json_end_list(j);
}

/* ---- rate limits ---- */

void ss_admin_show_limits(struct ss_admin *a, struct ss_json *j)
{
	static const char *const keys[] = { "none", "identity", "source", "header" };
	const struct ss_snapshot *s = ss_publish_current(a->conf.publish);
	ss_json_list(j, "limits");
	for (uint32_t i = 0; s && a->conf.limits && i < s->n_limits; i++) {
		const struct ss_limit *l = &s->limits[i];
		struct ss_limit_counts c = ss_limit_counted(a->conf.limits, l->slot);
		ss_json_object(j, NULL);
		ss_json_text(j, "name", ss_names_text(a->conf.names, l->name));
		ss_json_text(j, "key", keys[l->key]);
		ss_json_bool(j, "enforce", l->enforce);
		ss_json_double(j, "per_second", (double)SS_NS_PER_SEC * SS_LIMIT_TICKS / (double)l->pace.cost, 3);
		ss_json_u64(j, "burst", l->pace.burst);
		ss_json_u64(j, "passed", c.passed);
		ss_json_u64(j, "limited", c.limited);
		ss_json_u64(j, "tolerated", c.tolerated);
		ss_json_u64(j, "evicted", c.evicted);
		ss_json_end_object(j);
	}
	ss_json_end_list(j);
}

/* ---- secrets ---- */

void ss_admin_show_secrets(struct ss_admin *a, struct ss_json *j)
{
	const struct ss_admin_ask *ask = &a->conf.ask;
	struct ss_secret_state s;
	int64_t now = (int64_t)time(NULL);

	ss_json_list(j, "secrets");
	for (uint32_t i = 0; ask->secret && ask->secret(ask->arg, i, &s); i++) {
		ss_json_object(j, NULL);
		ss_json_text(j, "name", s.name);
		ss_json_text(j, "kind", s.trust ? "trust" : "certificate");
		if (s.expires)
			ss_json_double(j, "expires_in_seconds", (double)(s.expires - now), 0);
		else
			ss_json_text(j, "expires_in_seconds", NULL);
		ss_json_u64(j, "rotations", s.rotations);
		ss_json_u64(j, "refusals", s.refusals);
		ss_json_text(j, "refused", s.refused);
		ss_json_end_object(j);
	}
	ss_json_end_list(j);
}

/* ---- who calls what ---- */

void ss_admin_show_pairs(struct ss_admin *a, struct ss_json *j)
{
	const struct ss_admin_ask *ask = &a->conf.ask;
	struct ss_admin_pair p;

	ss_json_list(j, "pairs");
	for (uint32_t i = 0; ask->pair && ask->pair(ask->arg, i, &p); i++) {
		uint64_t encrypted = p.requests[1] + p.requests[2], all = encrypted + p.requests[0];

		ss_json_object(j, NULL);
		ss_json_text(j, "source", p.source);
		ss_json_text(j, "cluster", ss_names_text(a->conf.names, p.cluster));
		ss_json_u64(j, "mutual_tls", p.requests[2]);
		ss_json_u64(j, "tls", p.requests[1]);
		ss_json_u64(j, "plaintext", p.requests[0]);
		if (all)
			ss_json_double(j, "encrypted_percent", 100.0 * (double)encrypted / (double)all, 2);
		else
			ss_json_text(j, "encrypted_percent", NULL);
		ss_json_end_object(j);
	}
	ss_json_end_list(j);
}

/* ---- config, flows ---- */

void ss_admin_show_config(struct ss_admin *a, struct ss_json *j)
{
	const struct ss_model *m = ss_apply_model(a->conf.apply);
	ss_json_text(j, "file", m->file);
	ss_json_text(j, "config_hash", m->hash);
	ss_json_object(j, "config");
	ss_apply_show(a->conf.apply, j);
	ss_json_end_object(j);
}

void ss_admin_show_flows(struct ss_admin *a, struct ss_json *j)
{
	struct ss_admin_port ports[MAX_PORTS] = { 0 };
	uint32_t n = ask_ports(a, ports);
	char *text = malloc(FLOWS_TEXT);
	ss_json_list(j, "ports");
	for (uint32_t i = 0; i < n && text; i++) {
		text[0] = '\0';
		if (a->conf.ask.flows)
			a->conf.ask.flows(a->conf.ask.arg, i, text, FLOWS_TEXT);
		ss_json_object(j, NULL);
		ss_json_text(j, "port", ports[i].name);
		ss_json_text(j, "driver", ports[i].driver);
		ss_json_list(j, "flows");
		char *rest = NULL;
		for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
			ss_json_text(j, NULL, line);
		ss_json_end_list(j);
		ss_json_end_object(j);
	}
	ss_json_end_list(j);
	free(text);
}
