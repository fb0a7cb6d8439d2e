/*
 * health_bench.c - dataplane/health: what 20,000 endpoints cost a worker besides the probes' own bytes. A turn in
 * which nothing is due; one endpoint whose time has come: looked up, judged not to be asked yet, given its next
 * time; one endpoint of a new generation.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "health/health.c"
#include "perf/micro/micro.h"

#define EPS 20000u
#define INTERVAL (5 * SS_NS_PER_SEC)

struct probes {
	struct ss_ep_table *table;
	struct ss_health *h;
	struct ss_snapshot snap;
	struct ss_cluster cluster;
	struct ss_health_conf conf;
	struct ss_endpoint *eps;
	uint32_t *ep_at;
	struct ss_http_news news;
	struct ss_counters *counters;
	uint64_t now;
};

static void run(struct probes *p)
{
	ss_health_run(p->h, &p->snap, &p->news, p->now);
}

static void idle_turns(void *at, uint32_t n)
{
	struct probes *p = at;

	while (n--)
		run(p); /* the clock stands still */
}

/* As many as are due in that time, eight a turn. */
static void due(void *at, uint32_t n)
{
	struct probes *p = at;
	uint64_t step = SS_HEALTH_BATCH * INTERVAL / EPS;

	for (uint32_t i = 0; i < n; i += SS_HEALTH_BATCH) {
		p->now += step;
		run(p);
	}
}

static void looked_at(void *at, uint32_t n)
{
	struct probes *p = at;

	for (uint32_t i = 0; i < n; i += SS_HEALTH_SLICE) {
		if (!p->h->walks) {
			p->snap.generation++;
			ss_health_adopt(p->h, &p->snap);
		}
		run(p);
	}
}

static int make(struct probes *p)
{
	struct ss_health_room room = {.max_conns = EPS, .n_workers = 1, .seed = 1};

	if (ss_ep_table_create(&p->table, EPS, 1) < 0 || ss_ep_cluster_hold(p->table, 1, &p->cluster.slot) < 0)
		return -1;
	p->counters = aligned_alloc(SS_CACHE_LINE, sizeof(*p->counters));
	p->eps = calloc(EPS, sizeof(*p->eps));
	p->ep_at = calloc(EPS, sizeof(*p->ep_at));
	if (!p->counters || !p->eps || !p->ep_at)
		return -1;
	memset(p->counters, 0, sizeof(*p->counters));
	for (uint32_t i = 0; i < EPS; i++) {
		p->eps[i].addr = (struct ss_addr){.ip = ss_ip4(0x0a000001 + i), .port = 80};
		if (ss_ep_hold(p->table, p->cluster.slot, &p->eps[i].addr, &p->eps[i].ep) < 0)
			return -1;
		p->ep_at[p->eps[i].ep] = i;
	}
	p->conf = (struct ss_health_conf){.interval_ns = INTERVAL, .timeout_ns = INTERVAL, .no_traffic_ns = SS_NEVER / 2};
	p->cluster.name = 1;
	p->cluster.n_endpoints = EPS;
	p->cluster.endpoints = p->eps;
	p->cluster.health = &p->conf;
	p->snap.generation = 1;
	p->snap.n_clusters = 1;
	p->snap.clusters = &p->cluster;
	p->snap.ep_at = p->ep_at;
	p->now = 1000 * SS_NS_PER_SEC;
	ss_list_init(&p->news.aside_streams);
	ss_list_init(&p->news.aside_conns);
	room.endpoints = p->table;
	room.counters = p->counters;
	return ss_health_create(&p->h, &room, p->now);
}

/* Every endpoint has had a result, and stands at its phase. */
static void settle(struct probes *p)
{
	ss_health_adopt(p->h, &p->snap);
	while (p->h->walks)
		run(p);
	for (uint32_t i = 0; i < EPS; i++) {
		p->h->probes[i].judged = true;
		p->h->probes[i].last = p->now;
	}
	for (uint64_t end = p->now + 2 * INTERVAL; p->now < end; p->now += SS_NS_PER_MS)
		run(p);
}

void micro_items(struct micro *m)
{
	struct probes p = {.h = NULL};

	if (!micro_wants(m, "health"))
		return;
	if (make(&p) < 0) {
		fprintf(stderr, "health_bench: no memory\n");
		exit(1);
	}
	settle(&p);
	micro_run(m, "health.turn.20000", idle_turns, &p);
	micro_run(m, "health.due.20000", due, &p);
	micro_run(m, "health.generation.20000", looked_at, &p);
	ss_health_stop(p.h);
	ss_health_free(p.h);
	ss_ep_table_free(p.table);
	free(p.counters);
	free(p.eps);
	free(p.ep_at);
}
