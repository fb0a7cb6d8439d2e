#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "cfg/cfg.h"
#include "node/node_int.h"

#define MAX_NAMES 65536

int ss_node_make_build(struct ss_node *n, const struct ss_model_process *p)
{
	struct ss_build_conf conf = { .n_workers = p->n_workers, .offload = ss_engine_offload(n->engine) };

	n->names = ss_names_create(MAX_NAMES);
	n->policies = ss_policies_create(p->max_policies, p->n_workers);
	if (!n->names || !n->policies || ss_ep_table_create(&n->endpoints, p->max_endpoints, p->max_clusters) < 0)
		return SS_ERR_NO_MEM;
	conf.names = n->names;
	if (ss_limit_table_create(&n->limits, p->max_limits, p->max_limit_keys, p->n_workers) < 0)
		return SS_ERR_NO_MEM;
	if (ss_canary_table_create(&n->canaries, p->max_canaries, p->n_workers) < 0)
		return SS_ERR_NO_MEM;
	conf.canaries = n->canaries;
	conf.endpoints = n->endpoints;
	conf.limits = n->limits;
	conf.policies = n->policies;
	conf.wall = &n->wall;
	return ss_build_create(&n->build, &conf);
}

void ss_node_free_build(struct ss_node *n)
{
	if (n->build)
		ss_build_free(n->build);
	if (n->endpoints)
		ss_ep_table_free(n->endpoints);
	ss_limit_table_free(n->limits);
	ss_canary_table_free(n->canaries);
	ss_policies_free(n->policies);
	ss_names_free(n->names);
}

static void show_model(const struct ss_model *m)
{
	struct ss_json j;
	char *text;

	ss_json_open(&j);
	ss_cfg_show(&j, m);
	text = ss_json_close(&j);
	printf("%s\n", text ? text : "{}");
	free(text);
}

/* The endpoints that would be discovered, as far as files say them: the network is not asked. */
static int discover(struct ss_node *n, struct ss_model *m, struct ss_model_errors *errors, struct ss_model_errors *absent)
{
	struct ss_disco_conf conf = { .clock = &n->clock, .max_endpoints = m->process.max_endpoints };

	ss_clock_init(&n->clock, 0);
	if (ss_loop_create(&n->loop) < 0)
		return SS_ERR_NO_MEM;
	conf.loop = n->loop;
	if (ss_disco_create(&n->disco, &conf) < 0 || ss_disco_lend(n->disco, m) < 0)
		return SS_ERR_NO_MEM;
	ss_disco_faults(n->disco, m, errors, absent);
	return 0;
}

static void print(const char *before, struct ss_model_errors *e)
{
	for (uint32_t i = 0; i < e->n; i++)
		fprintf(stderr, "%s%s\n", before, e->text[i]);
	ss_model_errors_free(e);
}

int ss_node_check(const char *file, bool show)
{
	struct ss_node n = { 0 };
	struct ss_model_errors errors = { 0 }, absent = { 0 };
	struct ss_model *m = NULL;
	struct ss_snapshot *snap = NULL;
	char err[512] = "no memory";
	int code;

	if ((code = ss_cfg_load(file, &m, &errors)) < 0)
		goto out;
	if ((code = ss_node_make_engine(&n, &m->process, err, sizeof(err))) < 0) {
		ss_model_error(&errors, &m->process.src, NULL, "%s", err);
		goto out;
	}
	if ((code = ss_node_make_build(&n, &m->process)) < 0 || (code = discover(&n, m, &errors, &absent)) < 0) {
		ss_model_error(&errors, NULL, file, "no memory");
		goto out;
	}
	if ((code = ss_node_make_tickets(&n, &m->process, err, sizeof(err))) < 0) {
		ss_model_error(&errors, &m->process.src, NULL, "%s", err);
		goto out;
	}
	code = ss_build_snapshot(n.build, m, 1, &snap, &errors);
	if (code == 0 && errors.n)
		code = SS_ERR_CONFIG;
	if (code == 0)
		printf("%s: ok, configuration %s\n", file, m->hash);
	if (code == 0 && show)
		show_model(m);
out:
	print("", &errors);
	print("warning: ", &absent);
	ss_build_destroy(snap);
	ss_node_free_build(&n);
	ss_ticket_ring_free(n.tickets);
	ss_engine_close(n.engine);
	ss_model_free(m);
	ss_disco_free(n.disco);
	if (n.loop)
		ss_loop_free(n.loop);
	return code;
}
