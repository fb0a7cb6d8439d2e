#include <stdlib.h>
#include <string.h>

#include <rte_rcu_qsbr.h>

#include "base/err.h"
#include "loop/pace.h"
#include "publish/publish.h"

struct ss_publish {
	struct ss_publish_conf conf;
	struct ss_snapshot *current;
	struct ss_snapshot *oldest, *newest; /* of those that may still be read, linked by `newer` */
	uint32_t n_old;
	uint64_t adopted[SS_MAX_WORKERS]; /* by each worker's own word */
};

static struct rte_rcu_qsbr *qsbr_create(uint32_t n_workers)
{
	size_t n = rte_rcu_qsbr_get_memsize(n_workers);
	struct rte_rcu_qsbr *v = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN_CEIL(n, RTE_CACHE_LINE_SIZE));
	if (!v)
		return NULL;
	memset(v, 0, n);
	if (rte_rcu_qsbr_init(v, n_workers) != 0) {
		free(v);
		return NULL;
	}
	for (uint32_t i = 0; i < n_workers; i++)
		rte_rcu_qsbr_thread_register(v, i);
	return v;
}

int ss_publish_create(struct ss_publish **out, const struct ss_publish_conf *conf)
{
	struct ss_publish *p = calloc(1, sizeof(*p));
	*out = NULL;
	if (!p || conf->n_workers > SS_MAX_WORKERS)
		goto fail;
	p->conf = *conf;
	conf->box->qsv = qsbr_create(conf->n_workers);
	if (!conf->box->qsv)
		goto fail;
	atomic_store_explicit(&conf->box->current, NULL, memory_order_relaxed);
	*out = p;
	return 0;
fail:
	free(p);
	return SS_ERR_NO_MEM;
}

static void destroy_oldest(struct ss_publish *p)
{
	struct ss_snapshot *s = p->oldest;

	p->oldest = s->newer;
	p->n_old--;
	p->conf.destroy(s);
}

void ss_publish_free(struct ss_publish *p)
{
	if (!p)
		return;
	atomic_store_explicit(&p->conf.box->current, NULL, memory_order_release);
	while (p->oldest)
		destroy_oldest(p);
	if (p->current)
		p->conf.destroy(p->current);
	free(p->conf.box->qsv);
	p->conf.box->qsv = NULL;
	free(p);
}

static void retire(struct ss_publish *p, struct ss_snapshot *s, uint64_t token)
{
	s->token = token;
	s->next_generation = p->current->generation;
	s->newer = NULL;
	if (p->oldest)
		p->newest->newer = s;
	else
		p->oldest = s;
	p->newest = s;
	p->n_old++;
}

void ss_publish_swap(struct ss_publish *p, struct ss_snapshot *s)
{
	struct ss_snapshot *before = p->current;
	assert(!before || before->generation < s->generation ||
	       (before->generation == s->generation && before->edition < s->edition));
	p->current = s;
	atomic_store_explicit(&p->conf.box->current, s, memory_order_release);
	/* After the store: who reports a quiescent state for this token has seen the new pointer. */
	if (before)
		retire(p, before, rte_rcu_qsbr_start(p->conf.box->qsv));
	for (uint32_t i = 0; p->conf.mail && i < p->conf.n_workers; i++)
		ss_mailbox_wake(p->conf.mail[i]);
}

void ss_publish_adopted(struct ss_publish *p, uint32_t worker, uint64_t generation)
{
	if (worker < p->conf.n_workers && generation > p->adopted[worker])
		p->adopted[worker] = generation;
}

bool ss_publish_acknowledged(const struct ss_publish *p, uint64_t generation)
{
	for (uint32_t i = 0; i < p->conf.n_workers; i++)
		if (p->adopted[i] < generation)
			return false;
	return true;
}

/* A turn reads what it found at its start, requests under way have header operations of what decided them: the
 * grace period is about the first, the workers' word about the second. The next edition of a generation holds all that
 * requests point into. */
static bool past(const struct ss_publish *p, const struct ss_snapshot *s)
{
	return rte_rcu_qsbr_check(p->conf.box->qsv, s->token, false) == 1 &&
	       ss_publish_acknowledged(p, s->next_generation);
}

bool ss_publish_poll(struct ss_publish *p)
{
	struct ss_pace pace;

	if (!p->oldest || !past(p, p->oldest))
		return p->n_old > 0;
	ss_pace_begin(&pace, p->conf.paced);
	/* Grace periods end in the order in which they began. */
	while (p->oldest && past(p, p->oldest))
		destroy_oldest(p);
	ss_pace_end(&pace);
	return p->n_old > 0;
}

uint32_t ss_publish_live(const struct ss_publish *p)
{
	return p->n_old + (p->current != NULL);
}

const struct ss_snapshot *ss_publish_current(const struct ss_publish *p)
{
	return p->current;
}
