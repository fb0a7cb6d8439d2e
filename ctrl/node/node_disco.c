/* node_disco.c - endpoints that are discovered are published as they come. */
#include "node/node_int.h"

static void changed(void *arg)
{
	struct ss_node *n = arg;

	ss_apply_offers(n->apply);
}

int ss_node_make_disco(struct ss_node *n, const struct ss_model_process *p)
{
	struct ss_disco_conf conf = { .loop = n->loop,
				      .clock = &n->clock,
				      .max_endpoints = p->max_endpoints,
				      .changed = changed,
				      .arg = n };

	return ss_disco_create(&n->disco, &conf);
}

bool ss_node_ask_discovery(void *arg, uint32_t i, struct ss_discovery_state *out)
{
	const struct ss_node *n = arg;

	return ss_disco_state(n->disco, i, out);
}
