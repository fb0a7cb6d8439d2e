/*
 * build_edition.c - the editions of a generation: a snapshot with other endpoints of one cluster, and all else shared.
 *
 * What a generation's editions have in common (routes, listeners, secrets, clusters' policies) lies in one memory, the
 * endpoints of each discovered cluster with their tables in one of their own, and an edition holds what it points to. So a
 * change costs one cluster's tables and a copy of the list of clusters, and what is left out is freed with the last edition
 * that had it.
 */
#include <string.h>

#include "base/err.h"
#include "build/build_int.h"

struct edition {
	struct ss_snapshot snap;         /* first: the rest is found by it */
	struct ss_build_mem *shared;
	struct ss_build_mem **sets;      /* by cluster; NULL: its endpoints are in `shared` */
	struct ss_build_subset *subsets; /* by cluster; in `shared`. Their labels are the model's */
	uint32_t n_clusters;
};

static struct edition *edition_of(const struct ss_snapshot *s)
{
	return (struct edition *)(uintptr_t)s;
}

static void let_go(void *arg)
{
	struct edition *e = arg;

	for (uint32_t i = 0; i < e->n_clusters; i++)
		if (e->sets[i])
			ss_build_mem_free(e->sets[i]);
	if (e->shared)
		ss_build_mem_free(e->shared);
}

/* Empty, in its own memory; j takes from that. */
static struct edition *begin(struct ss_build_job *j, uint32_t n_clusters)
{
	struct ss_build_mem *mem = ss_build_mem_create();
	struct edition *e = mem ? ss_build_mem_take(mem, sizeof(*e)) : NULL;

	if (e) {
		e->snap.memory = mem;
		e->sets = ss_build_mem_take(mem, (n_clusters + 1) * sizeof(struct ss_build_mem *));
		e->n_clusters = e->sets ? n_clusters : 0;
		j->snap = &e->snap;
		j->mem = NULL;
		if (e->sets && ss_build_on_free(j, let_go, e) == 0)
			return e;
	}
	if (mem)
		ss_build_mem_free(mem);
	j->snap = NULL;
	return NULL;
}

struct ss_snapshot *ss_build_edition_first(struct ss_build_job *j)
{
	struct edition *e = begin(j, j->model->n_clusters);

	if (!e)
		return NULL;
	e->shared = j->mem = ss_build_mem_create();
	if (j->mem)
		return &e->snap;
	ss_build_mem_free(e->snap.memory);
	j->snap = NULL;
	return NULL;
}

void ss_build_edition_keep(struct ss_build_job *j)
{
	edition_of(j->snap)->subsets = j->subsets;
}

int ss_build_edition_set(struct ss_build_job *j, uint32_t i, struct ss_cluster *c)
{
	struct edition *e = edition_of(j->snap);
	struct ss_build_mem *was = j->mem, *set = ss_build_mem_create();
	int err;

	if (!set) {
		ss_model_error(j->errors, NULL, NULL, "out of memory");
		return SS_ERR_NO_MEM;
	}
	if (e->sets[i])
		ss_build_mem_free(e->sets[i]);
	e->sets[i] = j->mem = set;
	err = ss_build_cluster_set(j, &j->model->clusters[i], c);
	j->mem = was;
	return err;
}

/* Everything as it is in `now`. */
static struct edition *next_of(struct ss_build_job *j, const struct ss_snapshot *now)
{
	const struct edition *before = edition_of(now);
	struct edition *e = begin(j, before->n_clusters);
	void *memory;

	if (!e)
		return NULL;
	memory = e->snap.memory;
	e->snap = *now;
	e->snap.memory = memory;
	e->snap.edition++;
	e->snap.newer = NULL;
	e->shared = ss_build_mem_hold(before->shared);
	e->subsets = j->subsets = before->subsets;
	for (uint32_t i = 0; i < e->n_clusters; i++)
		e->sets[i] = before->sets[i] ? ss_build_mem_hold(before->sets[i]) : NULL;
	return e;
}

static int replace(struct ss_build_job *j, struct edition *e, uint32_t at)
{
	const struct ss_snapshot *now = &e->snap;
	struct ss_cluster *clusters = ss_build_array(j, now->n_clusters, sizeof(*clusters)), *c;
	uint32_t *eps = ss_build_array(j, j->endpoints->n_eps, sizeof(*eps));
	int err;

	if (!clusters || !eps)
		return SS_ERR_NO_MEM;
	memcpy(clusters, now->clusters, now->n_clusters * sizeof(*clusters));
	memcpy(eps, now->ep_at, j->endpoints->n_eps * sizeof(*eps));
	c = &clusters[at];
	c->edition = now->edition;
	err = ss_build_edition_set(j, at, c);
	for (uint32_t i = 0; !err && i < c->n_endpoints; i++)
		eps[c->endpoints[i].ep] = i;
	e->snap.clusters = clusters;
	e->snap.ep_at = eps;
	return err;
}

int ss_build_endpoints(struct ss_build *b, const struct ss_model *m, uint32_t at, const struct ss_snapshot *now,
		       struct ss_snapshot **out, struct ss_model_errors *errors)
{
	struct ss_build_job j = {.b = b, .model = m, .names = b->conf.names, .endpoints = b->conf.endpoints,
				 .n_workers = b->conf.n_workers, .errors = errors};
	struct edition *e = next_of(&j, now);
	uint32_t before = errors->n;
	int err = SS_ERR_NO_MEM;

	*out = NULL;
	if (!e)
		ss_model_error(errors, NULL, NULL, "out of memory");
	else
		err = replace(&j, e, at);
	if (err == 0 && errors->n > before)
		err = SS_ERR_CONFIG;
	if (err == 0)
		*out = &e->snap;
	else if (e)
		ss_build_destroy(&e->snap);
	return err;
}
