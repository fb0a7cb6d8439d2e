/* node_outlier.c - endpoints that fail more than others: looked at by and by, told to the logs. */
#include "node/node_int.h"

static void tell(void *arg, const struct ss_event *ev)
{
	struct ss_node *n = arg;

	if (n->tele)
		ss_tele_event(n->tele, ev);
}

int ss_node_make_outlier(struct ss_node *n)
{
	struct ss_outlier_room conf = { .endpoints = n->endpoints,
					.seed = ss_clock_ns(&n->clock),
					.tell = tell,
					.arg = n };

	return ss_outlier_create(&n->outlier, &conf);
}

void ss_node_watch_outliers(struct ss_node *n)
{
	const struct ss_snapshot *s = ss_publish_current(n->publish);

	if (s)
		ss_outlier_poll(n->outlier, s, ss_clock_ns(&n->clock));
}
