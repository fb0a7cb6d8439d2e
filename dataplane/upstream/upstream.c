/* upstream.c - the door: acquiring a connection, taking news, adopting a generation. */
#include <stdlib.h>

#include "base/err.h"
#include "contract/counters.h"
#include "upstream/up_int.h"

int ss_up_create(struct ss_up **out, const struct ss_up_conf *conf)
{
	struct ss_up *u = calloc(1, sizeof(*u));

	if (!u)
		return SS_ERR_NO_MEM;
	u->conf = *conf;
	ss_rng_seed(&u->rng, conf->seed + conf->worker);
	u->pools = calloc(conf->endpoints->n_eps, sizeof(*u->pools));
	u->clusters = calloc(conf->endpoints->n_clusters, sizeof(*u->clusters));
	u->conns = ss_pool_create("upstream_conns", sizeof(struct up_conn), conf->max_conns);
	ss_list_init(&u->live);
	ss_list_init(&u->hungry);
	ss_list_init(&u->again);
	ss_list_init(&u->dead);
	ss_list_init(&u->late);
	if (!u->pools || !u->clusters || !u->conns) {
		ss_up_free(u);
		return SS_ERR_NO_MEM;
	}
	for (uint32_t i = 0; i < conf->endpoints->n_eps; i++) {
		struct up_pool *p = &u->pools[i];
		struct ss_list *lists[] = {&p->conns, &p->usable, &p->line, &p->live, &p->hungry, &p->again};
		for (size_t k = 0; k < SS_ARRAY_LEN(lists); k++)
			ss_list_init(lists[k]);
	}
	*out = u;
	return 0;
}

void ss_up_free(struct ss_up *u)
{
	if (!u)
		return;
	if (u->conns)
		ss_pool_free(u->conns);
	free(u->pools);
	free(u->clusters);
	free(u);
}

void ss_up_adopt(struct ss_up *u, const struct ss_snapshot *snap, uint64_t now)
{
	bool same = snap->generation == u->generation; /* but for clusters that have changed since */
	uint64_t after = u->edition;
	struct ss_list *n, *tmp;

	u->generation = snap->generation;
	u->edition = snap->edition;
	/* Only what is in use: every other pool is looked at when it is wanted (up_pool_of). */
	ss_list_for_safe(n, tmp, &u->live)
	{
		struct up_pool *p = ss_list_entry(n, struct up_pool, live);
		const struct ss_cluster *c = ss_snapshot_cluster(snap, p->cluster);
		const struct ss_endpoint *e;
		if (same && c && c->edition <= after)
			continue;
		e = c ? ss_snapshot_endpoint(snap, c, (uint32_t)(p - u->pools)) : NULL;
		if (e)
			up_pool_of(u, c, e);
		else
			up_pool_retire(u, p);
	}
}

static int refuse(struct ss_up *u, struct ss_up_wait *w, enum ss_drop why)
{
	if (w->probe)
		ss_breaker_probe_over(u->conf.endpoints, w->slot);
	w->probe = false;
	w->place = SS_UP_NOWHERE;
	w->reason = why;
	w->result = SS_ERR_REFUSED;
	return SS_ERR_REFUSED;
}

/* As above, with a place among the requests to give back. */
static int refuse_taken(struct ss_up *u, struct ss_up_wait *w, enum ss_drop why)
{
	ss_cap_give(u->conf.endpoints, w->slot, w->priority, SS_CAP_REQUESTS);
	return refuse(u, w, why);
}

/* An endpoint under trial that has its one request already is passed over where there is another. */
static uint32_t pick(struct ss_up *u, const struct ss_cluster *c, struct ss_up_wait *w, uint64_t now,
		     enum ss_drop *why)
{
	uint32_t i = up_pick(u, c, w, now, why), other;

	if (i == UINT32_MAX || w->n_tried == SS_ARRAY_LEN(w->tried) ||
	    !ss_ep_on_trial(u->conf.endpoints, c->endpoints[i].ep))
		return i;
	w->tried[w->n_tried++] = c->endpoints[i].ep;
	other = up_pick(u, c, w, now, why);
	w->n_tried--;
	return other == UINT32_MAX ? i : other;
}

static int stand_in_line(struct ss_up *u, struct up_pool *p, struct ss_up_wait *w)
{
	w->place = SS_UP_IN_LINE;
	ss_list_push_back(&p->line, &w->node);
	p->n_line++;
	u->n_line++;
	ss_list_push_once(&u->live, &p->live);
	ss_list_push_once(&u->hungry, &p->hungry);
	return SS_ERR_WAIT;
}

/* Read first: the line of a cluster in use is not dirtied by this word. */
static void first_asked(struct ss_ep_cluster *k)
{
	if (ss_unlikely(!atomic_load_explicit(&k->asked, memory_order_relaxed)))
		atomic_store_explicit(&k->asked, 1, memory_order_relaxed);
}

int ss_up_acquire(struct ss_up *u, const struct ss_cluster *c, struct ss_up_wait *w, uint64_t now)
{
	SS_STAGE_HERE(u->conf.counters, SS_STAGE_UPSTREAM);
	const struct ss_caps *caps = &c->caps[w->priority];
	struct up_conn *conn = NULL;
	struct up_pool *p;
	enum ss_drop why;
	uint32_t i;

	assert(w->place == SS_UP_NOWHERE && !ss_list_linked(&w->node));
	up_cluster_of(u, c);
	w->slot = c->slot;
	first_asked(&u->conf.endpoints->cluster[c->slot]);
	if (c->breaker && !ss_breaker_admit(u->conf.endpoints, c->slot, c->breaker, now, &w->probe))
		return refuse(u, w, SS_DROP_BREAKER_OPEN);
	if (!ss_cap_take(u->conf.endpoints, c->slot, w->priority, SS_CAP_REQUESTS, caps->max[SS_CAP_REQUESTS]))
		return refuse(u, w, SS_DROP_UPSTREAM_OVERFLOW);
	i = pick(u, c, w, now, &why);
	if (i == UINT32_MAX)
		return refuse_taken(u, w, why);
	p = up_pool_of(u, c, &c->endpoints[i]);
	/* Those who came first go first. */
	if (!p->n_line)
		conn = up_pool_free_slot(p);
	if (conn && c->pending_delay_ns)
		up_delay_seen(&u->clusters[c->slot], 0, now);
	if (!conn && !up_delay_admits(u, c, p, w, now))
		return refuse_taken(u, w, SS_DROP_PENDING_DELAY);
	if (!conn &&
	    !ss_cap_take(u->conf.endpoints, c->slot, w->priority, SS_CAP_PENDING, caps->max[SS_CAP_PENDING]))
		return refuse_taken(u, w, SS_DROP_UPSTREAM_OVERFLOW);
	w->at = c->endpoints[i];
	w->cluster = c->name;
	w->slow = w->again = false;
	w->since = now;
	w->reason = SS_DROP_NONE;
	w->result = 0;
	if (w->n_tried < SS_ARRAY_LEN(w->tried))
		w->tried[w->n_tried++] = w->at.ep;
	ss_ep_begin(u->conf.endpoints, w->at.ep);
	up_pick_begin(u, c, w);
	if (!conn)
		return stand_in_line(u, p, w);
	conn->promised++;
	w->place = SS_UP_SERVED;
	w->conn = conn->http;
	return 0;
}

bool ss_up_retry_room(struct ss_up *u, const struct ss_cluster *c, const struct ss_up_wait *w)
{
	return ss_cap_retry_room(u->conf.endpoints, c->slot, w->priority, &c->caps[w->priority], &c->budget);
}

bool ss_up_retry(struct ss_up *u, const struct ss_cluster *c, const struct ss_up_wait *w)
{
	return ss_cap_take_retry(u->conf.endpoints, c->slot, w->priority, &c->caps[w->priority], &c->budget);
}

void ss_up_retry_over(struct ss_up *u, uint32_t slot, uint8_t priority)
{
	ss_cap_give(u->conf.endpoints, slot, priority, SS_CAP_RETRIES);
}

void ss_up_took(struct ss_up *u, struct ss_up_wait *w)
{
	up_unpromise(u, w);
	w->conn = NULL;
	w->place = SS_UP_RUNNING;
}

void ss_up_answered(struct ss_up *u, const struct ss_cluster *c, struct ss_up_wait *w, uint64_t ns,
		    uint64_t now)
{
	if (w->place == SS_UP_NOWHERE)
		return;
	up_pick_latency(u, c, w->at.ep, ns, now);
	w->slow = c && c->breaker && c->breaker->slow_ns && ns > c->breaker->slow_ns;
}

void ss_up_input(struct ss_up *u, struct ss_list *conn_news, uint64_t now, struct ss_list *ready)
{
	struct ss_list *n;

	while ((n = ss_list_pop(conn_news))) {
		struct ss_http_conn *h = ss_http_conn_from_news(n);
		struct up_conn *c = ss_http_conn_owner(h);
		uint32_t events = ss_http_conn_events(h);
		if (c)
			up_conn_news(u, c, events, now, ready);
	}
	ss_up_expire(u, now, ready);
}

/* No timers: http watches connects and idle connections. What could not wait for news is due at once. */
void ss_up_expire(struct ss_up *u, uint64_t now, struct ss_list *ready)
{
	struct ss_list *n;

	ss_list_splice(ready, &u->late);
	while ((n = ss_list_pop(&u->again)))
		up_pool_serve(u, ss_list_entry(n, struct up_pool, again), now, ready);
}

uint64_t ss_up_next(const struct ss_up *u)
{
	return ss_list_empty(&u->late) && ss_list_empty(&u->again) && ss_list_empty(&u->hungry) ? SS_NEVER
												: 0;
}

uint32_t ss_up_conns(const struct ss_up *u)
{
	return ss_pool_used(u->conns);
}

uint32_t ss_up_waiting(const struct ss_up *u)
{
	return u->n_line;
}

void ss_up_drain(struct ss_up *u, uint64_t now)
{
	struct ss_list *n, *m, *tmp;

	u->draining = true;
	ss_list_for(n, &u->live)
	{
		struct up_pool *p = ss_list_entry(n, struct up_pool, live);
		/* Graceful: what is under way on them goes on; who comes now gets a fresh one. */
		ss_list_for_safe(m, tmp, &p->conns)
		{
			struct up_conn *c = ss_list_entry(m, struct up_conn, all);
			if (c->state == UP_OPEN)
				up_conn_retire(u, c);
		}
	}
}

void ss_up_bury(struct ss_up *u)
{
	struct ss_list *n;

	while ((n = ss_list_pop(&u->dead)))
		ss_pool_give(u->conns, ss_list_entry(n, struct up_conn, all));
}
