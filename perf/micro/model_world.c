#include "perf/micro/model_world.h"

#include <stdio.h>
#include <stdlib.h>

/* A model that was not read from a file does not say how large tables are to be. */
#define LEAST 8u

void model_world_fail(const struct ss_model_errors *e)
{
	for (uint32_t i = 0; i < e->n; i++)
		fprintf(stderr, "%s\n", e->text[i]);
	abort();
}

void model_world_open(struct model_world *w, struct ss_model *m, uint32_t max_names)
{
	const struct ss_model_process *p = &m->process;
	struct ss_model_errors e = {0};

	w->names = ss_names_create(max_names);
	if (!w->names ||
	    ss_ep_table_create(&w->endpoints, ss_max_u32(p->max_endpoints, LEAST),
			       ss_max_u32(p->max_clusters, LEAST)) < 0 ||
	    ss_limit_table_create(&w->limits, ss_max_u32(p->max_limits, LEAST),
				  ss_max_u32(p->max_limit_keys, LEAST), 1) < 0 ||
	    ss_canary_table_create(&w->canaries, LEAST, 1) < 0 ||
	    ss_build_create(&w->build, &(struct ss_build_conf){.names = w->names,
							       .endpoints = w->endpoints,
							       .n_workers = 1,
							       .limits = w->limits,
							       .canaries = w->canaries}) < 0)
		abort();
	if (ss_build_snapshot(w->build, m, 1, &w->snap, &e) < 0)
		model_world_fail(&e);
	ss_model_free(m);
}

void model_world_close(struct model_world *w)
{
	ss_build_destroy(w->snap);
	ss_build_free(w->build);
	ss_canary_table_free(w->canaries);
	ss_limit_table_free(w->limits);
	ss_ep_table_free(w->endpoints);
	ss_names_free(w->names);
}
