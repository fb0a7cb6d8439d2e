/* build_limits.c - rate limits: their buckets in the shared table, and the lists that routes and listeners
 * name. */
#include "base/err.h"
#include "build/build_int.h"

/* What a snapshot holds in the table of buckets, so that its end can give it back. */
struct holds {
	struct ss_limit_table *table;
	uint32_t n;
	uint32_t *slot;
};

static void let_go(void *arg)
{
	struct holds *h = arg;

	for (uint32_t i = 0; i < h->n; i++)
		ss_limit_drop(h->table, h->slot[i]);
}

static int wrong_pace(struct ss_build_job *j, const struct ss_model_src *src, const struct ss_model_rate *r,
		      struct ss_limit_pace *out)
{
	if (ss_limit_pace_of(out, r->count, r->per_ns, r->burst))
		return 0;
	ss_model_error(j->errors, src, "rate", "no bucket can hold this rate");
	return SS_ERR_CONFIG;
}

static int build_overrides(struct ss_build_job *j, const struct ss_model_limit *m, struct ss_limit *l)
{
	struct ss_limit_override *o = ss_build_array(j, m->n_overrides, sizeof(*o));
	int err = 0;

	if (!o)
		return SS_ERR_NO_MEM;
	for (uint32_t i = 0; i < m->n_overrides; i++) {
		const struct ss_model_limit_override *mo = &m->overrides[i];
		if (wrong_pace(j, &mo->src, &mo->rate, &o[i].pace) < 0 ||
		    ss_build_ids(j, mo->n_ids, mo->ids, &o[i].n_ids, &o[i].ids) < 0)
			err = SS_ERR_CONFIG;
	}
	l->overrides = o;
	l->n_overrides = (uint16_t)m->n_overrides;
	return err;
}

static int build_limit(struct ss_build_job *j, struct holds *h, const struct ss_model_limit *m,
		       struct ss_limit *l)
{
	int err, one;

	*l = (struct ss_limit){.name = ss_build_name(j, m->name),
			       .key = (uint8_t)m->key,
			       .say = (uint8_t)m->say,
			       .enforce = m->enforce,
			       .header = ss_build_lower(j, m->header)};
	err = wrong_pace(j, &m->src, &m->rate, &l->pace);
	one = build_overrides(j, m, l);
	err = one < 0 ? one : err;
	if (!h->table || ss_limit_hold(h->table, l->name, &l->slot) < 0) {
		ss_model_error(j->errors, &m->src, "rate_limits",
			       "more than memory.rate_limits (%u), old generations included",
			       h->table ? h->table->n_slots : 0);
		return SS_ERR_CONFIG;
	}
	h->slot[h->n++] = l->slot;
	return err;
}

int ss_build_limits(struct ss_build_job *j)
{
	uint32_t n = j->model->n_limits;
	struct ss_limit *limits = ss_build_array(j, n, sizeof(*limits));
	struct holds *h = ss_build_alloc(j, sizeof(*h));
	int err = 0;

	if (!limits || !h)
		return SS_ERR_NO_MEM;
	*h = (struct holds){.table = j->limit_table, .slot = ss_build_array(j, n, sizeof(*h->slot))};
	if (!h->slot)
		return SS_ERR_NO_MEM;
	if (ss_build_on_free(j, let_go, h) < 0)
		return SS_ERR_NO_MEM;
	for (uint32_t i = 0; i < n && err != SS_ERR_NO_MEM; i++) {
		int one = build_limit(j, h, &j->model->limits[i], &limits[i]);
		err = one < 0 ? one : err;
	}
	j->limits = limits;
	j->snap->limits = limits;
	j->snap->n_limits = n;
	return err;
}

static bool listed(const struct ss_limit **list, uint32_t n, const struct ss_limit *l)
{
	while (n--)
		if (list[n] == l)
			return true;
	return false;
}

int ss_build_limit_list(struct ss_build_job *j, const struct ss_model_src *src,
			const struct ss_model_limit_names *a, const struct ss_model_limit_names *b,
			const struct ss_limit_list **out)
{
	uint32_t most = a->n + (b ? b->n : 0), n = 0;
	const struct ss_limit **list = ss_build_array(j, most, sizeof(*list));
	struct ss_limit_list *l = most ? ss_build_alloc(j, sizeof(*l)) : NULL;

	*out = NULL;
	if (!most)
		return 0;
	if (!list || !l)
		return SS_ERR_NO_MEM;
	for (uint32_t i = 0; i < most; i++) {
		const char *name = i < a->n ? a->name[i] : b->name[i - a->n];
		uint32_t at = ss_model_limit(j->model, name);
		if (at == SS_MODEL_NONE) {
			ss_model_error(j->errors, src, "rate_limits", "no rate limit is named \"%s\"", name);
			return SS_ERR_CONFIG;
		}
		if (!listed(list, n, &j->limits[at]))
			list[n++] = &j->limits[at];
	}
	if (n > SS_LIMITS_MAX / 2) {
		ss_model_error(j->errors, src, "rate_limits",
			       "%u are too many: a listener may name %u, a route and its virtual host "
			       "together as many",
			       n, SS_LIMITS_MAX / 2);
		return SS_ERR_CONFIG;
	}
	*l = (struct ss_limit_list){.n = (uint16_t)n, .limit = list};
	*out = l;
	return 0;
}
