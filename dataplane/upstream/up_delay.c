/*
 * up_delay.c - refuses a cluster's requests while its lines for connections stand.
 *
 * A line that comes and goes is what a line is for. One in which nobody, for a while, waits less than the
 * watermark only makes everybody late: who would join it is refused at once, the least urgent first. The measure
 * is CoDel's (Nichols, Jacobson, "Controlling Queue Delay", 2012): the least wait of an interval. It is the
 * cluster's own on each worker: one slow cluster refuses its own requests, not those of others.
 */
#include "contract/shed.h"
#include "upstream/up_int.h"

/* "[...] a sliding window of 100 ms [...] works well across a range of RTTs" */
#define INTERVAL_NS (100 * SS_NS_PER_MS)

void up_delay_seen(struct up_cluster *k, uint64_t ns, uint64_t now)
{
	if (now >= k->look_at) {
		/* What was seen before a long silence says nothing any more. */
		k->standing = now < k->look_at + INTERVAL_NS ? k->least : ns;
		k->least = SS_NEVER;
		k->look_at = now + INTERVAL_NS;
	}
	k->least = ss_min_u64(k->least, ns);
}

bool up_delay_admits(struct ss_up *u, const struct ss_cluster *c, const struct up_pool *p, const struct ss_up_wait *w,
		     uint64_t now)
{
	struct up_cluster *k = &u->clusters[c->slot];
	uint64_t age = 0;

	if (!c->pending_delay_ns)
		return true;
	/* Whoever stands first will have waited at least for so long. */
	if (p->n_line)
		age = now - ss_list_entry(p->line.next, struct ss_up_wait, node)->since;
	up_delay_seen(k, age, now);
	return !p->n_line || w->rank >= ss_shed_by_delay(k->standing, c->pending_delay_ns);
}
