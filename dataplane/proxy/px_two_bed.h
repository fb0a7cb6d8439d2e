/* px_two_bed.h - for tests: a second cluster, with an endpoint of its own, beside the request's, which has one. */
#ifndef SS_PX_TWO_BED_H
#define SS_PX_TWO_BED_H

#include "proxy/px_bed.h"

static struct ss_cluster both[2];
static struct ss_endpoint aside;

/* Before ss_up_adopt: what the test wants otherwise of both[1] it writes in between. */
static SS_UNUSED void second_cluster(struct world *w)
{
	w->cluster.n_endpoints = 1;
	both[0] = w->cluster;
	both[1] = w->cluster;
	both[1].name = 8;
	both[1].endpoints = &aside;
	both[1].caps[SS_PRIORITY_DEFAULT].max[SS_CAP_PENDING] = 3;
	both[1].outlier.n_endpoints = 1;
	assert_int_equal(ss_ep_cluster_hold(w->table, 8, &both[1].slot), 0);
	aside = (struct ss_endpoint){.addr = {.ip = ss_ip4(0x0a000909), .port = 80}, .weight = 1};
	assert_int_equal(ss_ep_hold(w->table, both[1].slot, &aside.addr, &aside.ep), 0);
	w->snap.clusters = both;
	w->snap.n_clusters = 2;
}

static SS_UNUSED struct ss_http_conn *conn_to(struct world *w, const struct ss_addr *a)
{
	struct ss_list *n;
	struct ss_http_conn *last = NULL;

	ss_list_for(n, &w->http->conns)
	{
		struct ss_http_conn *c = ss_list_entry(n, struct ss_http_conn, all);
		if (c->upstream && ss_addr_eq(&c->remote, a))
			last = c;
	}
	return last;
}

/* NULL: nothing is under way there. */
static SS_UNUSED struct ss_http_stream *newest_on(struct ss_http_conn *c)
{
	return !c || ss_list_empty(&c->streams) ? NULL
						: ss_list_entry(c->streams.prev, struct ss_http_stream, all);
}

static SS_UNUSED uint64_t counter(const struct world *w, enum ss_counter k)
{
	return w->counters.v[k];
}

#endif
