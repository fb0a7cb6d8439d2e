/*
 * pick_bench.c - dataplane/upstream: the next endpoint among 10 and 10,000, of equal and of different
 * weights. A pick alone: no connection is behind it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "perf/micro/micro.h"
#include "upstream/up_pick.c"

struct picks {
	struct ss_up u;
	struct ss_cluster c;
	struct ss_up_wait wait;
};

static void pick(void *at, uint32_t n)
{
	struct picks *p = at;

	for (uint32_t i = 0; i < n; i++)
		micro_keep(up_pick(&p->u, &p->c, &p->wait, SS_NS_PER_SEC));
}

/* What a request does to its endpoint's counts when it begins and when it ends well. */
static void account(void *at, uint32_t n)
{
	struct picks *p = at;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t ep = p->c.endpoints[i % p->c.n_endpoints].ep;
		ss_ep_begin(p->u.conf.endpoints, ep);
		ss_ep_success(p->u.conf.endpoints, ep);
		ss_ep_end(p->u.conf.endpoints, ep);
	}
}

static void make(struct picks *p, uint32_t n, bool weights)
{
	struct ss_endpoint *e = calloc(n, sizeof(*e));

	*p = (struct picks){.c = {.name = 9, .n_endpoints = n, .endpoints = e}};
	assert(ss_ep_table_create(&p->u.conf.endpoints, n, 1) == 0);
	assert(ss_ep_cluster_hold(p->u.conf.endpoints, 9, &p->c.slot) == 0);
	for (uint32_t i = 0; i < n; i++) {
		e[i] = (struct ss_endpoint){.addr = {ss_ip4(0x0a000000 + i), 80},
					    .weight = weights ? 1 + i % 5 : 1};
		assert(ss_ep_hold(p->u.conf.endpoints, p->c.slot, &e[i].addr, &e[i].ep) == 0);
	}
	p->u.generation = 1;
	p->u.clusters = calloc(1, sizeof(struct up_cluster));
	p->u.pools = calloc(n, sizeof(struct up_pool));
}

static void drop(struct picks *p)
{
	free((void *)p->c.endpoints);
	ss_ep_table_free(p->u.conf.endpoints);
	free(p->u.clusters);
	free(p->u.pools);
}

void micro_items(struct micro *m)
{
	static const uint32_t sizes[] = {10, 10000};
	char name[48];

	for (uint32_t i = 0; i < 2 * SS_ARRAY_LEN(sizes); i++) {
		struct picks p;
		make(&p, sizes[i / 2], i % 2);
		snprintf(name, sizeof(name), "upstream.pick.%s.%u", i % 2 ? "weighted" : "equal",
			 sizes[i / 2]);
		micro_run(m, name, pick, &p);
		if (!(i % 2)) {
			snprintf(name, sizeof(name), "upstream.account.%u", sizes[i / 2]);
			micro_run(m, name, account, &p);
		}
		drop(&p);
	}
}
