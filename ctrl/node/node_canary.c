/* node_canary.c - splits whose shares are compared: looked at by and by, told to the logs. */
#include "node/node_int.h"

static void tell(void *arg, const struct ss_event *ev)
{
	struct ss_node *n = arg;

	if (n->tele)
		ss_tele_event(n->tele, ev);
}

int ss_node_make_canary(struct ss_node *n)
{
	struct ss_canary_conf conf = { .table = n->canaries,
				       .names = n->names,
				       .state = n->state,
				       .wall = &n->wall,
				       .tell = tell,
				       .arg = n };

	return ss_canary_create(&n->canary, &conf);
}

void ss_node_watch_canaries(struct ss_node *n)
{
	const struct ss_snapshot *s = ss_publish_current(n->publish);

	if (s)
		ss_canary_poll(n->canary, s, ss_clock_ns(&n->clock));
}
