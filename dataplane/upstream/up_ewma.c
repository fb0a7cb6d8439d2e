/*
 * up_ewma.c - peak EWMA (Finagle's and Linkerd's): how long an endpoint takes to answer, times what it has to
 * do.
 *
 * The estimate jumps up to a latency that is higher and comes down slowly: an observation's weight falls to
 * 1/e within the decay time. An endpoint that is not asked is forgiven at the same rate. Estimates are
 * this worker's own; requests under way are counted over all workers.
 */
#include <math.h>

#include "upstream/up_choice_int.h"

/* More than any latency: a cold endpoint that has its one request under way is not given a second. */
#define COLD_BUSY 1e15

static double fade(uint64_t since, uint64_t now, uint64_t decay_ns)
{
	return now > since && decay_ns ? exp(-(double)(now - since) / (double)decay_ns) : 1;
}

double up_ewma_cost(const struct up_choice *p, uint32_t place)
{
	const struct ss_balance_conf *b = &p->c->balance->conf;
	const struct ss_endpoint *e = up_at(p, place);
	const struct up_pool *k = &p->u->pools[e->ep];
	uint32_t busy = up_active(p, place);
	double rtt;

	if (!k->rtt_at) {
		/* Never measured: the default, and forgiven like the rest, so that its turn comes. */
		if (busy)
			return COLD_BUSY * (busy + 1.0) / e->weight;
		rtt = (double)b->default_rtt_ns * fade(k->since, p->now, b->decay_ns);
	} else {
		rtt = k->rtt_ns * fade(k->rtt_at, p->now, b->decay_ns);
	}
	return (rtt + 1) * (busy + 1.0) / e->weight;
}

static void observe(const struct ss_balance_conf *b, struct up_pool *k, double rtt, uint64_t now)
{
	double w = k->rtt_at ? fade(k->rtt_at, now, b->decay_ns) : 0;

	k->rtt_ns = k->rtt_at && rtt > k->rtt_ns ? rtt : k->rtt_ns * w + rtt * (1 - w);
	k->rtt_at = ss_max_u64(now, 1);
}

void up_pick_latency(struct ss_up *u, const struct ss_cluster *c, uint32_t ep, uint64_t ns, uint64_t now)
{
	if (c && c->balance && c->balance->conf.policy == SS_LB_PEAK_EWMA)
		observe(&c->balance->conf, &u->pools[ep], (double)ns, now);
}

/* Who fails fast must not look fast: a failure counts as twice the estimate, and as ten default RTTs at
 * least. */
void up_pick_failed(struct ss_up *u, const struct ss_cluster *c, uint32_t ep, uint64_t now)
{
	struct up_pool *k = &u->pools[ep];

	if (!c || !c->balance || c->balance->conf.policy != SS_LB_PEAK_EWMA)
		return;
	observe(&c->balance->conf, k, fmax(2 * k->rtt_ns, 10 * (double)c->balance->conf.default_rtt_ns), now);
}
