/*
 * balance_sim.h - for tests: a cluster as the configuration says it, built as the product builds it, and
 * picked from through upstream's door by several workers. No connection is behind it: every pick stands in
 * line.
 */
#ifndef SS_BALANCE_SIM_H
#define SS_BALANCE_SIM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "build/build.h"
#include "contract/counters.h"
#include "upstream/upstream.h"

#define BED_WORKERS 4
#define BED_EPS 2048

struct bed {
	struct ss_names *names;
	struct ss_ep_table *table;
	struct ss_build *build;
	struct ss_model_errors errors;
	struct ss_model *m;
	struct ss_model_cluster *k; /* the one cluster, change and publish */
	struct ss_model_route *r;   /* the one route, it names the subsets */
	struct ss_snapshot *snap;
	const struct ss_cluster *c;
	struct ss_up *up[BED_WORKERS];
	struct ss_counters counters;
	uint64_t now, generation;
	enum ss_drop why; /* of the last pick that failed */
};

static inline void bed_publish(struct bed *b)
{
	struct ss_snapshot *old = b->snap;

	if (ss_build_snapshot(b->build, b->m, ++b->generation, &b->snap, &b->errors) < 0)
		fail_msg("%s", b->errors.n ? b->errors.text[0] : "not built");
	b->c = &b->snap->clusters[0];
	for (uint32_t i = 0; i < BED_WORKERS; i++)
		ss_up_adopt(b->up[i], b->snap, b->now);
	ss_build_destroy(old);
}

static inline void bed_endpoint(struct bed *b, uint32_t number, uint32_t weight)
{
	b->k->endpoints[b->k->n_endpoints++] = (struct ss_model_endpoint){
		.src = {"bed.cfg", number + 1}, .addr = {ss_ip4(0x0a000001 + number), 80}, .weight = weight};
}

/* n endpoints of weight 1; numbers from 0. Not published yet. */
static inline struct bed *bed_start(enum ss_lb policy, uint32_t n)
{
	struct bed *b = calloc(1, sizeof(*b));
	struct ss_build_conf conf;

	b->now = SS_NS_PER_SEC;
	b->names = ss_names_create(5000);
	assert_int_equal(ss_ep_table_create(&b->table, BED_EPS, 4), 0);
	conf = (struct ss_build_conf){.names = b->names, .endpoints = b->table, .n_workers = BED_WORKERS};
	assert_int_equal(ss_build_create(&b->build, &conf), 0);
	b->m = ss_model_new();
	b->m->clusters = b->k = ss_model_alloc(b->m, sizeof(*b->k));
	b->m->n_clusters = 1;
	b->k->name = ss_model_text(b->m, "c");
	b->k->endpoints = ss_model_alloc(b->m, BED_EPS * sizeof(*b->k->endpoints));
	b->k->balance.conf = (struct ss_balance_conf){.policy = policy,
						      .choices = 2,
						      .bias = 100,
						      .decay_ns = 10 * SS_NS_PER_SEC,
						      .default_rtt_ns = 30 * SS_NS_PER_MS,
						      .table_size = 65537,
						      .ring_min = 1024,
						      .ring_max = 8388608,
						      .panic_percent = 30,
						      .overprovision = 140,
						      .slow_aggression = 100,
						      .slow_min_percent = 10};
	b->k->balance.locality = SS_LB_LOCALITY_FAILOVER;
	b->k->outlier = (struct ss_outlier_conf){
		.consecutive_errors = 1, .base_ejection_ns = SS_NS_PER_SEC, .max_ejection_percent = 100};
	b->k->outlier.enforcing[SS_EP_EJECT_ERRORS] = 100;
	b->m->hosts = ss_model_alloc(b->m, sizeof(*b->m->hosts));
	b->m->n_hosts = 1;
	b->m->hosts[0].name = ss_model_text(b->m, "h");
	b->m->hosts[0].routes = b->r = ss_model_alloc(b->m, sizeof(*b->r));
	b->m->hosts[0].n_routes = 1;
	b->r->name = ss_model_text(b->m, "r");
	b->r->clusters = ss_model_alloc(b->m, 100 * sizeof(*b->r->clusters));
	b->r->clusters[0] = (struct ss_model_weighted){.cluster = b->k->name, .weight = SS_WEIGHT_SUM};
	b->r->n_clusters = 1;
	for (uint32_t i = 0; i < n; i++)
		bed_endpoint(b, i, 1);
	for (uint32_t i = 0; i < BED_WORKERS; i++) {
		struct ss_up_conf up = {.max_conns = 4,
					.worker = (uint16_t)i,
					.n_workers = BED_WORKERS,
					.seed = 7,
					.endpoints = b->table,
					.counters = &b->counters};
		assert_int_equal(ss_up_create(&b->up[i], &up), 0);
	}
	return b;
}

static inline void bed_end(struct bed *b)
{
	for (uint32_t i = 0; i < BED_WORKERS; i++)
		ss_up_free(b->up[i]);
	ss_build_destroy(b->snap);
	ss_build_free(b->build);
	for (uint32_t i = 0; i < BED_EPS; i++)
		assert_int_equal(b->table->ep[i].active, 0);
	for (uint32_t i = 0; i < 8; i++)
		assert_int_equal(b->table->cluster[0].load[i], 0);
	ss_ep_table_free(b->table);
	ss_names_free(b->names);
	ss_model_errors_free(&b->errors);
	ss_model_free(b->m);
	free(b);
}

#define BED_NONE UINT32_MAX

/* Picks and holds: the endpoint's number. w says what is wanted. */
static inline uint32_t bed_hold(struct bed *b, uint32_t worker, struct ss_up_wait *w)
{
	ss_list_init(&w->node);
	if (ss_up_acquire(b->up[worker], b->c, w, b->now) != SS_ERR_WAIT) {
		b->why = w->reason;
		return BED_NONE;
	}
	return ss_ip4_u32(&w->at.addr.ip) - 0x0a000001;
}

/* Picks and lets go. */
static inline uint32_t bed_pick(struct bed *b, uint32_t worker, const struct ss_up_wait *like)
{
	struct ss_up_wait w = like ? *like : (struct ss_up_wait){0};
	uint32_t n = bed_hold(b, worker, &w);

	ss_up_cancel(b->up[worker], &w);
	return n;
}

static inline uint32_t bed_key(struct bed *b, uint32_t worker, uint64_t key)
{
	struct ss_up_wait w = {.hashed = true, .hash = ss_balance_hash(&key, sizeof(key))};

	return bed_pick(b, worker, &w);
}

/* The slot of endpoint number n. */
static inline uint32_t bed_slot(const struct bed *b, uint32_t n)
{
	for (uint32_t i = 0; i < b->c->n_endpoints; i++)
		if (ss_ip4_u32(&b->c->endpoints[i].addr.ip) == 0x0a000001 + n)
			return b->c->endpoints[i].ep;
	fail_msg("no endpoint %u", n);
	return 0;
}

static inline void bed_eject(struct bed *b, uint32_t n)
{
	assert_true(ss_ep_failure(b->table, bed_slot(b, n), &b->c->outlier, b->now));
}

#endif
