/* outlier.c - windows, and who stands out in one. */
#include "outlier/outlier.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/rng.h"

/* As it was at the end of its last window. */
struct seen {
	uint64_t requests, failures, unanswered;
};

/* Of the window that ends. */
struct window {
	uint32_t at; /* index into the cluster's endpoints */
	uint64_t requests, failures;
	uint64_t unanswered; /* of both */
};

struct ss_outlier {
	struct ss_outlier_room conf;
	struct seen *seen;  /* by endpoint slot */
	uint64_t *due;      /* by cluster slot: when its window ends; 0: none has begun */
	uint32_t *name;     /* by cluster slot: whose window it is */
	struct window *now; /* scratch: as many as there are endpoints */
	uint64_t next, generation;
	struct ss_rng rng;
};

int ss_outlier_create(struct ss_outlier **out, const struct ss_outlier_room *conf)
{
	struct ss_outlier *o = calloc(1, sizeof(*o));

	if (!o)
		return SS_ERR_NO_MEM;
	o->conf = *conf;
	ss_rng_seed(&o->rng, conf->seed);
	o->seen = calloc(conf->endpoints->n_eps, sizeof(*o->seen));
	o->now = calloc(conf->endpoints->n_eps, sizeof(*o->now));
	o->due = calloc(conf->endpoints->n_clusters, sizeof(*o->due));
	o->name = calloc(conf->endpoints->n_clusters, sizeof(*o->name));
	if (!o->seen || !o->now || !o->due || !o->name) {
		ss_outlier_free(o);
		return SS_ERR_NO_MEM;
	}
	*out = o;
	return 0;
}

void ss_outlier_free(struct ss_outlier *o)
{
	if (!o)
		return;
	free(o->seen);
	free(o->now);
	free(o->due);
	free(o->name);
	free(o);
}

/* -- a window -- */

/* What ended in it, of every endpoint that is in rotation. A slot that has become another endpoint's counts from 0. */
static uint32_t take(struct ss_outlier *o, const struct ss_cluster *c, uint64_t now)
{
	struct ss_ep_table *t = o->conf.endpoints;
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->n_endpoints; i++) {
		uint32_t ep = c->endpoints[i].ep;
		struct seen *was = &o->seen[ep];
		struct seen is = {atomic_load_explicit(&t->ep[ep].requests, memory_order_relaxed),
				  atomic_load_explicit(&t->ep[ep].failures, memory_order_relaxed),
				  atomic_load_explicit(&t->watch[ep].unanswered, memory_order_relaxed)};
		if (is.requests < was->requests || is.failures < was->failures || is.unanswered < was->unanswered)
			*was = (struct seen){0};
		if (is.requests > was->requests && ss_ep_pickable(t, ep, now)) {
			struct window w = {i, is.requests - was->requests, is.failures - was->failures,
					   is.unanswered - was->unanswered};
			/* Workers count on while we read. */
			w.failures = ss_min_u64(w.failures, w.requests);
			w.unanswered = ss_min_u64(w.unanswered, w.failures);
			o->now[n++] = w;
		}
		*was = is;
	}
	return n;
}

static double rate_of(const struct window *w)
{
	return w->requests ? 1 - (double)w->failures / (double)w->requests : 1;
}

static uint32_t hundredths(double share)
{
	return share <= 0 ? 0 : (uint32_t)lround(share * 10000);
}

static void tell(struct ss_outlier *o, const struct ss_snapshot *snap, const struct ss_cluster *c,
		 const struct window *w, struct ss_event_ejection *e, uint64_t now)
{
	struct ss_event ev;

	if (!o->conf.tell)
		return;
	memset(&ev, 0, sizeof(ev));
	e->requests = w->requests;
	e->failures = w->failures;
	e->of = c->n_endpoints;
	e->ejected = atomic_load_explicit(&o->conf.endpoints->cluster[c->slot].ejected, memory_order_relaxed);
	ev.kind = SS_EVENT_EJECTED;
	ev.time_ns = now;
	ev.generation = snap->generation;
	ev.cluster = c->name;
	ev.upstream = c->endpoints[w->at].addr;
	ev.ejection = *e;
	o->conf.tell(o->conf.arg, &ev);
}

static void eject(struct ss_outlier *o, const struct ss_snapshot *snap, const struct ss_cluster *c,
		  const struct window *w, struct ss_event_ejection e, uint64_t now)
{
	struct ss_ep_ejection out = {.why = (enum ss_ep_eject)e.why};
	uint64_t chance = ss_rng_u64(&o->rng);

	if (!ss_ep_eject(o->conf.endpoints, c->endpoints[w->at].ep, &c->outlier, chance, now, &out) && !out.spared)
		return;
	e.spared = out.spared;
	e.times = out.times;
	e.for_ns = out.for_ns;
	e.rate = hundredths(rate_of(w));
	tell(o, snap, c, w, &e, now);
}

/* Envoy's success rate: who stands so many standard deviations below the mean of those with enough requests. */
static void by_rate(struct ss_outlier *o, const struct ss_snapshot *snap, const struct ss_cluster *c, uint32_t n,
		    enum ss_ep_eject why, uint64_t now)
{
	const struct ss_outlier_conf *k = &c->outlier;
	double sum = 0, squares = 0, mean, deviation, least;
	uint32_t hosts = 0;

	for (uint32_t i = 0; i < n; i++)
		if (o->now[i].requests >= k->rate_requests) {
			sum += rate_of(&o->now[i]);
			hosts++;
		}
	if (!k->rate_hosts || hosts < k->rate_hosts)
		return;
	mean = sum / hosts;
	for (uint32_t i = 0; i < n; i++)
		if (o->now[i].requests >= k->rate_requests)
			squares += pow(rate_of(&o->now[i]) - mean, 2);
	deviation = sqrt(squares / hosts);
	least = mean - deviation * k->rate_factor / 100;
	for (uint32_t i = 0; i < n; i++) {
		const struct window *w = &o->now[i];
		if (w->requests >= k->rate_requests && w->failures >= k->least_failures && rate_of(w) < least)
			eject(o, snap, c, w,
			      (struct ss_event_ejection){.why = why,
							 .mean = hundredths(mean),
							 .deviation = hundredths(deviation),
							 .threshold = hundredths(least)},
			      now);
	}
}

static void by_percent(struct ss_outlier *o, const struct ss_snapshot *snap, const struct ss_cluster *c, uint32_t n,
		       enum ss_ep_eject why, uint64_t now)
{
	const struct ss_outlier_conf *k = &c->outlier;
	uint32_t hosts = 0;

	for (uint32_t i = 0; i < n; i++)
		hosts += o->now[i].requests >= k->percent_requests;
	if (!k->percent_limit || hosts < k->percent_hosts)
		return;
	for (uint32_t i = 0; i < n; i++) {
		const struct window *w = &o->now[i];
		if (w->requests >= k->percent_requests && w->failures >= k->least_failures &&
		    w->failures * 100 >= w->requests * k->percent_limit)
			eject(o, snap, c, w,
			      (struct ss_event_ejection){.why = why, .threshold = k->percent_limit * 100},
			      now);
	}
}

/* Answers apart: what got none is no request of theirs. */
static void leave_answered(struct ss_outlier *o, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		o->now[i].requests -= o->now[i].unanswered;
		o->now[i].failures -= o->now[i].unanswered;
	}
}

/* And then all requests, of which those without an answer are the failures. */
static void leave_unanswered(struct ss_outlier *o, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		o->now[i].requests += o->now[i].unanswered;
		o->now[i].failures = o->now[i].unanswered;
	}
}

static void end_window(struct ss_outlier *o, const struct ss_snapshot *snap, const struct ss_cluster *c, uint64_t now)
{
	uint32_t n = take(o, c, now);

	if (c->outlier.split)
		leave_answered(o, n);
	by_rate(o, snap, c, n, SS_EP_EJECT_RATE, now);
	by_percent(o, snap, c, n, SS_EP_EJECT_PERCENT, now);
	if (!c->outlier.split)
		return;
	leave_unanswered(o, n);
	by_rate(o, snap, c, n, SS_EP_EJECT_LOCAL_RATE, now);
	by_percent(o, snap, c, n, SS_EP_EJECT_LOCAL_PERCENT, now);
}

/* -- when -- */

static uint64_t interval_of(const struct ss_cluster *c)
{
	uint64_t ns = c->outlier.interval_ns ? c->outlier.interval_ns : c->outlier.base_ejection_ns;

	return ss_max_u64(ns, SS_NS_PER_MS);
}

/* A cluster's first window begins when it is seen first, and has its whole length: what was before is not counted. */
static void begin(struct ss_outlier *o, const struct ss_cluster *c, uint64_t now)
{
	o->name[c->slot] = c->name;
	o->due[c->slot] = now + interval_of(c);
	take(o, c, now);
}

void ss_outlier_poll(struct ss_outlier *o, const struct ss_snapshot *snap, uint64_t now)
{
	if (now < o->next && snap->generation == o->generation)
		return;
	o->generation = snap->generation;
	o->next = SS_NEVER;
	for (uint32_t i = 0; i < snap->n_clusters; i++) {
		const struct ss_cluster *c = &snap->clusters[i];
		uint64_t *due = &o->due[c->slot];
		if (!*due || o->name[c->slot] != c->name) {
			begin(o, c, now);
		} else if (now >= *due) {
			end_window(o, snap, c, now);
			*due = now + interval_of(c);
		}
		*due = ss_min_u64(*due, now + interval_of(c)); /* a reload may have made it shorter */
		o->next = ss_min_u64(o->next, *due);
	}
}

uint64_t ss_outlier_next(const struct ss_outlier *o)
{
	return o->next;
}
