/* why_cluster.c - the cluster's endpoints: who may get the request, and why the others may not. */
#include <stdlib.h>

#include "contract/endpoints.h"
#include "upstream/upstream.h"
#include "why/why_int.h"

#define TOLD 64u /* endpoints that are told one by one */

struct view {
	const struct ss_cluster *c;
	const struct ss_model_cluster *m;
	const struct ss_lb_set *set;  /* NULL: plain rotation, or nobody has the labels */
	struct ss_lb_worker seen;     /* as a worker's that has just looked; its lists are not filled */
	uint32_t *tier;               /* by endpoint: in the set, UINT32_MAX: not in it */
	uint32_t may, panic;
};

static const struct ss_lb_set *set_of(const struct ss_balance *b, uint32_t subset)
{
	for (uint32_t i = 0; b && i < b->n_sets; i++)
		if (b->sets[i].name == subset)
			return &b->sets[i];
	return NULL;
}

static void view_free(struct view *v)
{
	free(v->seen.ok);
	free(v->seen.sight);
	free(v->tier);
}

/* What the configuration says of it is this snapshot's, which may be a candidate. */
static uint32_t flags_of(const struct why_case *k, const struct ss_endpoint *e)
{
	uint32_t flags = atomic_load_explicit(&k->w->conf.endpoints->ep[e->ep].flags, memory_order_relaxed);

	return (flags & ~(uint32_t)SS_EP_CONFIGURED) | e->said;
}

/* ss_ep_pickable without its un-ejecting. */
static bool is_pickable(const struct why_case *k, const struct ss_endpoint *e)
{
	return !(flags_of(k, e) & SS_EP_DOWN) &&
	       atomic_load_explicit(&k->w->conf.endpoints->ep[e->ep].ejected_until, memory_order_relaxed) <= k->now;
}

static bool view_make(struct why_case *k, struct view *v)
{
	const struct ss_balance *b = v->c->balance;

	v->seen.ok = calloc(v->c->n_endpoints + 1, 1);
	v->seen.sight = calloc((b ? b->n_tiers : 0) + 1, sizeof(*v->seen.sight));
	v->tier = malloc((v->c->n_endpoints + 1) * sizeof(*v->tier));
	if (!v->seen.ok || !v->seen.sight || !v->tier)
		return false;
	v->seen.all = b && ss_up_all_needed(k->w->conf.endpoints, v->c);
	for (uint32_t i = 0; i < v->c->n_endpoints; i++) {
		const struct ss_endpoint *e = &v->c->endpoints[i];
		v->seen.ok[i] = is_pickable(k, e) && (!b || v->seen.all || !(flags_of(k, e) & SS_EP_LAST));
		v->tier[i] = b ? UINT32_MAX : 0;
	}
	for (uint32_t t = 0; v->set && t < v->set->n_tiers; t++) {
		const struct ss_lb_tier *tier = &b->tiers[v->set->first + t];
		for (uint32_t i = 0; i < tier->n; i++) {
			v->tier[tier->at[i]] = t;
			v->seen.sight[v->set->first + t].n_up += v->seen.ok[tier->at[i]];
		}
	}
	if (v->set && v->set->n_tiers)
		ss_up_share_load(b, v->set, &v->seen);
	return true;
}

/* Of SS_LB_WHOLE: what the tier gets of the set's requests. */
static uint32_t tier_share(const struct view *v, uint32_t t)
{
	const struct ss_lb_sight *s = &v->seen.sight[v->set->first];

	return s[t].upto - (t ? s[t - 1].upto : 0);
}

static void put_down(struct why_case *k, const struct ss_endpoint *e)
{
	const struct ss_ep *p = &k->w->conf.endpoints->ep[e->ep];
	uint64_t until = atomic_load_explicit(&p->ejected_until, memory_order_relaxed);
	uint32_t flags = flags_of(k, e);

	if (until > k->now)
		why_put_text(k->j, "why", "ejected, for %.1f s more", (double)(until - k->now) / SS_NS_PER_SEC);
	else
		ss_json_text(k->j, "why", flags & SS_EP_FAILED	   ? "its health check fails"
					  : flags & SS_EP_CLOSED   ? "the configuration says that it is unhealthy"
					  : flags & SS_EP_DRAINING ? "it drains: it gets nothing new"
								   : "degraded: spared while the others carry everything");
}

/* True: it may be picked. */
static bool show_endpoint(struct why_case *k, struct view *v, uint32_t i, bool told)
{
	const struct ss_endpoint *e = &v->c->endpoints[i];
	uint32_t t = v->tier[i], share = v->set && t != UINT32_MAX ? tier_share(v, t) : SS_LB_WHOLE;
	bool panic = v->set && t != UINT32_MAX && v->seen.sight[v->set->first + t].panic;
	bool may = t != UINT32_MAX && share && (v->seen.ok[i] || panic);
	char text[SS_ADDR_TEXT];

	if (!told)
		return may;
	ss_json_object(k->j, NULL);
	ss_json_text(k->j, "address", ss_addr_text(&e->addr, text));
	why_put_at(k->j, i < v->m->n_endpoints ? &v->m->endpoints[i].src : NULL);
	ss_json_u64(k->j, "weight", e->weight);
	ss_json_bool(k->j, "eligible", may);
	if (t != UINT32_MAX && v->set && v->set->n_tiers > 1) {
		ss_json_u64(k->j, "tier", t);
		ss_json_double(k->j, "tier_percent", share * 100.0 / SS_LB_WHOLE, 2);
	}
	if (i < v->m->n_endpoints && v->m->endpoints[i].priority)
		ss_json_u64(k->j, "priority", v->m->endpoints[i].priority);
	if (t == UINT32_MAX)
		ss_json_text(k->j, "why", v->set == v->c->balance->sets ? "it stands in no place that has a share"
									: "it is not in the subset");
	else if (!v->seen.ok[i] && !panic)
		put_down(k, e);
	else if (!share)
		ss_json_text(k->j, "why", "preferred endpoints (by priority and locality) carry everything");
	else if (!v->seen.ok[i])
		ss_json_text(k->j, "why", "down, and picked all the same: its tier panics");
	else if (ss_ep_on_trial(k->w->conf.endpoints, e->ep))
		ss_json_text(k->j, "why", "on trial after an ejection: others are preferred for now");
	ss_json_end_object(k->j);
	return may;
}

static void show_policy(struct why_case *k, const struct view *v)
{
	static const char *const policies[] = {"round_robin", "least_request", "peak_ewma", "random", "maglev", "ring_hash"};
	static const char *const breakers[] = {"closed", "open", "half-open"};
	const struct ss_balance *b = v->c->balance;

	ss_json_text(k->j, "load_balancing", policies[b ? b->conf.policy : SS_LB_ROUND_ROBIN]);
	if (k->d.subset && !k->drawn)
		why_put_name(k, "subset", k->d.subset);
	ss_json_bool(k->j, "tls", v->c->tls != NULL);
	if (v->c->breaker)
		ss_json_text(k->j, "breaker", breakers[ss_breaker_state(k->w->conf.endpoints, v->c->slot, k->now)]);
}

static void show_one(struct why_case *k, struct view *v)
{
	ss_json_object(k->j, NULL);
	why_put_name(k, "name", v->c->name);
	why_put_at(k->j, &v->m->src);
	show_policy(k, v);
	ss_json_list(k->j, "endpoints");
	for (uint32_t i = 0; i < v->c->n_endpoints; i++)
		v->may += show_endpoint(k, v, i, i < TOLD);
	ss_json_end_list(k->j);
	for (uint32_t t = 0; v->set && t < v->set->n_tiers; t++)
		v->panic += v->seen.sight[v->set->first + t].panic;
	ss_json_u64(k->j, "count", v->c->n_endpoints);
	ss_json_u64(k->j, "eligible", v->may);
	ss_json_bool(k->j, "panic", v->panic > 0);
	ss_json_end_object(k->j);
}

static enum ss_drop show(struct why_case *k, const struct ss_weighted_cluster *w)
{
	const struct ss_cluster *c = &k->s->clusters[w->cluster];
	struct view v = {.c = c, .m = &k->m->clusters[w->cluster], .set = set_of(c->balance, w->subset)};

	if (view_make(k, &v))
		show_one(k, &v);
	view_free(&v);
	if (c->balance && (!v.set || !v.set->n_tiers))
		return SS_DROP_NO_SUBSET;
	return v.may ? SS_DROP_NONE : SS_DROP_NO_HEALTHY;
}

/* Every cluster that may be drawn; what becomes of the request is certain where all agree. */
enum ss_drop why_show_cluster(struct why_case *k)
{
	const struct ss_route *r = k->d.route;
	enum ss_drop all = SS_DROP_COUNT;

	ss_json_list(k->j, "clusters");
	for (uint16_t i = 0; i < r->n_clusters; i++) {
		enum ss_drop one;
		uint32_t sum;
		if (!ss_route_weight(r, i, &sum) || (!k->drawn && &r->clusters[i] != k->d.share))
			continue;
		one = show(k, &r->clusters[i]);
		all = all == SS_DROP_COUNT || all == one ? one : SS_DROP_NONE;
	}
	ss_json_end_list(k->j);
	return k->refused ? k->refused : all == SS_DROP_COUNT ? SS_DROP_NONE : all;
}
