/*
 * node_engine.c - the engine that does keys of handshakes: loaded before any key is, turned off when it fails.
 */
#include "node/node_int.h"

int ss_node_make_engine(struct ss_node *n, const struct ss_model_process *p, char *err, size_t err_n)
{
	struct ss_engine_conf conf = { .id = p->engine,
				       .path = p->engine_path,
				       .n_commands = p->n_engine_commands,
				       .commands = p->engine_commands,
				       .jobs = p->handshake_queue * p->n_workers };

	return p->engine ? ss_engine_open(&n->engine, &conf, err, err_n) : 0;
}

/* Handshakes that begin with the next generation do without; those under way end as they can. */
void ss_node_watch_engine(struct ss_node *n)
{
	if (!ss_engine_watch(n->engine, ss_clock_ns(&n->clock)))
		return;
	ss_log(SS_LOG_ERROR, "engine turned off", "engine", ss_apply_model(n->apply)->process.engine, "failures_in_a_row",
	       ss_log_u64(SS_OFFLOAD_FAILURES), NULL);
	if (ss_apply_again(n->apply))
		ss_log(SS_LOG_INFO, "configuration published", "reason", "keys are loaded without the engine", NULL);
}
