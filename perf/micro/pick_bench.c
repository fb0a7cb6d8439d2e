/*
 * pick_bench.c - dataplane/upstream: the next endpoint among 10, 1,000 and 10,000, by every policy, of equal
 * and of different weights. A pick alone: no connection is behind it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "build/build.h"
#include "contract/counters.h"
#include "perf/micro/micro.h"
#include "upstream/up_pick.c"

struct picks {
	struct ss_up u;
	struct ss_names *names;
	struct ss_build *build;
	struct ss_snapshot *snap;
	const struct ss_cluster *c;
	struct ss_up_wait wait;
	struct ss_counters counters;
	uint64_t turn;
};

static void pick(void *at, uint32_t n)
{
	struct picks *p = at;
	enum ss_drop why;

	for (uint32_t i = 0; i < n; i++) {
		p->wait.hash = p->wait.hash * 6364136223846793005ull + 1442695040888963407ull;
		micro_keep(up_pick(&p->u, p->c, &p->wait, SS_NS_PER_SEC, &why));
	}
}

/* A turn's first pick after an endpoint's health has changed: the worker looks at as many as it does in one turn. */
static void pick_after_change(void *at, uint32_t n)
{
	struct picks *p = at;
	enum ss_drop why;

	for (uint32_t i = 0; i < n; i++) {
		p->turn++;
		ss_ep_set_unhealthy(p->u.conf.endpoints, p->c->endpoints[p->turn / 2 * 7919 % p->c->n_endpoints].ep,
				    p->turn % 2 == 0);
		micro_keep(up_pick(&p->u, p->c, &p->wait, SS_NS_PER_SEC + p->turn * SS_NS_PER_US, &why));
	}
}

/* The first pick of a generation: nobody was looked at yet. */
static void pick_in_new_generation(void *at, uint32_t n)
{
	struct picks *p = at;
	const struct ss_balance *b = p->c->balance;
	enum ss_drop why;

	for (uint32_t i = 0; i < n; i++) {
		p->turn++;
		b->worker[0].seen = false;
		b->worker[0].sight[0].n_turns = 0;
		if (b->by_turn)
			memset(b->worker[0].sight[0].in, 0, p->c->n_endpoints);
		micro_keep(up_pick(&p->u, p->c, &p->wait, SS_NS_PER_SEC + p->turn * SS_NS_PER_US, &why));
	}
}

/* What a request does to its endpoint's counts when it begins and when it ends well. */
static void account(void *at, uint32_t n)
{
	struct picks *p = at;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t ep = p->c->endpoints[i % p->c->n_endpoints].ep;
		ss_ep_begin(p->u.conf.endpoints, ep);
		ss_ep_success(p->u.conf.endpoints, ep);
		ss_ep_end(p->u.conf.endpoints, ep);
	}
}

struct kind {
	const char *name;
	struct ss_balance_conf conf;
	bool weights;
};

static const struct kind kinds[] = {
	{"equal", {.policy = SS_LB_ROUND_ROBIN}, false},
	{"weighted", {.policy = SS_LB_ROUND_ROBIN}, true},
	{"least_request", {.policy = SS_LB_LEAST_REQUEST, .choices = 2, .bias = 100}, false},
	{"least_request_weighted", {.policy = SS_LB_LEAST_REQUEST, .choices = 2, .bias = 100}, true},
	{"peak_ewma",
	 {.policy = SS_LB_PEAK_EWMA, .decay_ns = 10 * SS_NS_PER_SEC, .default_rtt_ns = 1},
	 false},
	{"random", {.policy = SS_LB_RANDOM}, false},
	{"maglev", {.policy = SS_LB_MAGLEV, .table_size = 65537}, false},
	{"maglev_bounded", {.policy = SS_LB_MAGLEV, .table_size = 65537, .balance_factor = 125}, false},
	{"ring_hash", {.policy = SS_LB_RING_HASH, .ring_min = 1024, .ring_max = 8388608}, false},
};

static struct ss_model *model_of(const struct kind *k, uint32_t n)
{
	struct ss_model *m = ss_model_new();
	struct ss_model_cluster *c = ss_model_alloc(m, sizeof(*c));

	m->clusters = c;
	m->n_clusters = 1;
	c->name = ss_model_text(m, "c");
	c->balance.conf = k->conf;
	c->n_endpoints = n;
	c->endpoints = ss_model_alloc(m, n * sizeof(*c->endpoints));
	for (uint32_t i = 0; i < n; i++)
		c->endpoints[i] = (struct ss_model_endpoint){.addr = {ss_ip4(0x0a000000 + i), 80},
							     .weight = k->weights ? 1 + i % 5 : 1};
	return m;
}

static void make(struct picks *p, const struct kind *k, uint32_t n)
{
	struct ss_model *m = model_of(k, n);
	struct ss_model_errors errors = {0};
	struct ss_build_conf conf = {.n_workers = 1};

	memset(p, 0, sizeof(*p));
	p->names = ss_names_create(20000);
	assert(ss_ep_table_create(&p->u.conf.endpoints, n, 1) == 0);
	conf.names = p->names;
	conf.endpoints = p->u.conf.endpoints;
	assert(ss_build_create(&p->build, &conf) == 0);
	assert(ss_build_snapshot(p->build, m, 1, &p->snap, &errors) == 0);
	p->c = &p->snap->clusters[0];
	p->u.generation = 1;
	p->u.conf.counters = &p->counters;
	p->u.clusters = calloc(1, sizeof(struct up_cluster));
	p->u.pools = calloc(n, sizeof(struct up_pool));
	for (uint32_t i = 0; i < n; i++) {
		ss_list_init(&p->u.pools[i].conns);
		ss_list_init(&p->u.pools[i].line);
	}
	p->wait.hashed = true;
	ss_rng_seed(&p->u.rng, 1);
	ss_model_free(m);
	/* Until all are known, and have their turns. */
	for (uint32_t i = 0; i < n / 32; i++) {
		enum ss_drop why;
		up_pick(&p->u, p->c, &p->wait, SS_NS_PER_SEC - n + i, &why);
	}
}

static void drop(struct picks *p)
{
	ss_build_destroy(p->snap);
	ss_build_free(p->build);
	ss_ep_table_free(p->u.conf.endpoints);
	ss_names_free(p->names);
	free(p->u.clusters);
	free(p->u.pools);
}

/* -- a worker takes over a generation: one that differs from the last in its number -- */

struct adoption {
	struct ss_up *u;
	struct ss_snapshot *snap[2];
	uint64_t generation;
};

static void adopt(void *at, uint32_t n)
{
	struct adoption *a = at;

	for (uint32_t i = 0; i < n; i++) {
		struct ss_snapshot *s = a->snap[i & 1];
		s->generation = ++a->generation;
		ss_up_adopt(a->u, s, SS_NS_PER_SEC);
	}
}

/* `clusters` of 20 endpoints each. */
static void adopt_many(struct micro *m, uint32_t clusters)
{
	struct adoption a = {.generation = 2};
	struct ss_model *model = ss_model_new();
	struct ss_model_errors errors = {0};
	struct ss_build_conf conf = {.names = ss_names_create(100000), .n_workers = 1};
	struct ss_counters *counters = calloc(1, sizeof(*counters));
	struct ss_up_conf up = {.max_conns = 4, .n_workers = 1, .counters = counters};
	struct ss_build *build;
	char name[64];

	model->clusters = ss_model_alloc(model, clusters * sizeof(*model->clusters));
	model->n_clusters = clusters;
	for (uint32_t i = 0; i < clusters; i++) {
		struct ss_model_cluster *c = &model->clusters[i];
		snprintf(name, sizeof(name), "c%u", i);
		c->name = ss_model_text(model, name);
		c->endpoints = ss_model_alloc(model, 20 * sizeof(*c->endpoints));
		for (c->n_endpoints = 0; c->n_endpoints < 20; c->n_endpoints++)
			c->endpoints[c->n_endpoints].addr =
				(struct ss_addr){ss_ip4(0x0a000000 + i * 20 + c->n_endpoints), 80};
	}
	assert(ss_ep_table_create(&conf.endpoints, clusters * 20, clusters) == 0);
	assert(ss_build_create(&build, &conf) == 0);
	assert(ss_build_snapshot(build, model, 1, &a.snap[0], &errors) == 0);
	assert(ss_build_snapshot(build, model, 2, &a.snap[1], &errors) == 0);
	up.endpoints = conf.endpoints;
	assert(ss_up_create(&a.u, &up) == 0);
	snprintf(name, sizeof(name), "upstream.adopt.%u", clusters * 20);
	micro_run(m, name, adopt, &a);
	ss_up_free(a.u);
	ss_build_destroy(a.snap[0]);
	ss_build_destroy(a.snap[1]);
	ss_build_free(build);
	ss_ep_table_free(conf.endpoints);
	ss_names_free(conf.names);
	ss_model_free(model);
	free(counters);
}

void micro_items(struct micro *m)
{
	static const uint32_t sizes[] = {10, 1000, 10000};
	static struct picks p;
	char name[64];

	for (uint32_t k = 0; k < SS_ARRAY_LEN(kinds); k++)
		for (uint32_t i = 0; i < SS_ARRAY_LEN(sizes); i++) {
			make(&p, &kinds[k], sizes[i]);
			snprintf(name, sizeof(name), "upstream.pick.%s.%u", kinds[k].name, sizes[i]);
			micro_run(m, name, pick, &p);
			snprintf(name, sizeof(name), "upstream.look.%s.%u", kinds[k].name, sizes[i]);
			if (k < 2)
				micro_run(m, name, pick_after_change, &p);
			snprintf(name, sizeof(name), "upstream.begin.%s.%u", kinds[k].name, sizes[i]);
			if (k < 2)
				micro_run(m, name, pick_in_new_generation, &p);
			snprintf(name, sizeof(name), "upstream.account.%u", sizes[i]);
			if (!k && i != 1)
				micro_run(m, name, account, &p);
			drop(&p);
		}
	adopt_many(m, 1000);
}
