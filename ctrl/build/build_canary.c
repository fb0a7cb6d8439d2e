/* build_canary.c - splits whose weights control moves: their slots in the shared table. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "build/build_routes.h"

struct hold {
	struct ss_canary_table *table;
	uint32_t slot;
};

static void let_go(void *arg)
{
	struct hold *h = arg;

	ss_canary_drop(h->table, h->slot);
}

/*
 * The split's own name says what is split and how, so that another split on the same route is another one at the very swap:
 * the weight that was right for the old one must not be taken for its.
 */
static uint32_t split_name(struct ss_build_job *j, const struct ss_model_host *h, const struct ss_model_route *m,
			   const struct ss_route *r)
{
	char text[1024];
	int at = snprintf(text, sizeof(text), "%s/%s:", h->name, m->name);

	for (uint32_t i = 0; i < r->n_clusters && at >= 0 && (size_t)at < sizeof(text); i++)
		at += snprintf(text + at, sizeof(text) - (size_t)at, " %s%s%s%s %u.%02u",
			       m->clusters[i].cluster, r->clusters[i].subset ? "[" : "",
			       r->clusters[i].subset ? ss_names_text(j->names, r->clusters[i].subset) : "",
			       r->clusters[i].subset ? "]" : "", r->clusters[i].weight / 100,
			       r->clusters[i].weight % 100);
	return ss_build_name(j, text);
}

static uint32_t route_name(struct ss_build_job *j, const struct ss_model_host *h, const struct ss_model_route *m)
{
	char text[512];

	snprintf(text, sizeof(text), "%s/%s", h->name, m->name);
	return ss_build_name(j, text);
}

static int take_slot(struct ss_build_job *j, const struct ss_model_canary *m, struct ss_canary *c)
{
	struct ss_canary_table *t = j->b->conf.canaries;
	struct hold *h = ss_build_alloc(j, sizeof(*h));

	if (!h)
		return SS_ERR_NO_MEM;
	if (!t || ss_canary_hold(t, c->split, &c->slot) < 0) {
		ss_model_error(j->errors, &m->src, "canary", "more than memory.canaries (%u), old generations included",
			       t ? t->n_slots : 0);
		return SS_ERR_CONFIG;
	}
	*h = (struct hold){.table = t, .slot = c->slot};
	c->now = &t->slot[c->slot];
	c->counts = &t->counts[(size_t)c->slot * t->n_workers * SS_CANARY_VARIANTS];
	return ss_build_on_free(j, let_go, h);
}

static void put_gates(const struct ss_model_canary *m, struct ss_canary *c)
{
	c->gates = (struct ss_canary_gates){.max_error_ratio = m->max_error_ratio,
					    .max_p99_ratio = m->max_p99_ratio,
					    .error_margin = m->error_margin,
					    .latency_margin = m->latency_margin,
					    .significance = m->significance,
					    .min_requests = m->min_requests,
					    .regression = (uint8_t)m->regression};
	c->interval_ns = m->interval_ns;
	c->window_ns = m->window_ns;
	c->auto_start = m->auto_start;
	c->n_steps = (uint16_t)m->n_steps;
	memcpy(c->step, m->step, sizeof(c->step));
}

static int list(struct ss_build_job *j, const struct ss_canary *c)
{
	uint32_t n = j->snap->n_canaries;
	const struct ss_canary **v = ss_build_array(j, n + 1, sizeof(*v));

	if (!v)
		return SS_ERR_NO_MEM;
	if (n)
		memcpy(v, j->snap->canaries, n * sizeof(*v));
	v[n] = c;
	j->snap->canaries = v;
	j->snap->n_canaries = n + 1;
	return 0;
}

int ss_build_canary(struct ss_build_job *j, const struct ss_model_host *h, const struct ss_model_route *m, struct ss_route *r)
{
	struct ss_canary *c = m->canary.present ? ss_build_alloc(j, sizeof(*c)) : NULL;
	int err;

	if (!m->canary.present)
		return 0;
	if (!c)
		return SS_ERR_NO_MEM;
	if (r->n_clusters != 2) /* and cfg has said so */
		return SS_ERR_CONFIG;
	*c = (struct ss_canary){.name = route_name(j, h, m), .split = split_name(j, h, m, r), .line = m->canary.src.line};
	c->at = strcmp(m->clusters[1].cluster, m->canary.cluster) == 0;
	c->stable_cluster = ss_build_name(j, m->clusters[!c->at].cluster);
	c->configured = r->weight_sum ? (uint32_t)((uint64_t)r->clusters[c->at].weight * SS_CANARY_WHOLE / r->weight_sum) : 0;
	c->canary_cluster = ss_build_name(j, m->clusters[c->at].cluster);
	put_gates(&m->canary, c);
	err = take_slot(j, &m->canary, c);
	if (err < 0)
		return err;
	r->canary = c;
	return list(j, c);
}
