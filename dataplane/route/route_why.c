/* route_why.c - every route and every rule, looked at one by one. */
#include <hs.h>

#include "route/route_int.h"

const struct ss_host_pattern *ss_route_why_host(const struct ss_listener *l, const struct ss_route_request *rq)
{
	return ss_route_find_pattern(l->hosts, rq->head->authority);
}

/* -- paths -- */

static bool text_fits(const struct ss_route *r, struct ss_span path)
{
	switch (r->path_kind) {
	case SS_PATH_ANY:
		return true;
	case SS_PATH_EXACT:
		return ss_span_eq(path, r->path);
	case SS_PATH_PREFIX:
		return ss_span_starts(path, r->path);
	case SS_PATH_SEGMENTS:
		return ss_span_starts(path, r->path) && (path.n == r->path.n || path.p[r->path.n] == '/');
	}
	return false; /* expressions: below */
}

struct scan {
	const struct ss_virtual_host *host;
	struct ss_route_misfit *out;
};

/* An expression stands once in its host's databases: all routes with its text have it. */
static int on_path(unsigned int id, unsigned long long from, unsigned long long to, unsigned int flags, void *arg)
{
	const struct scan *s = arg;
	const struct ss_route *routes = s->host->routes;
	uint32_t first = s->host->index->expressions[id].first;

	for (uint32_t i = first; i < s->host->n_routes; i++)
		if (routes[i].path_kind == SS_PATH_REGEX && ss_span_eq(routes[i].path, routes[first].path))
			s->out[i].part = SS_ROUTE_PART_NONE;
	return 0;
}

static bool scan_paths(const struct ss_route_look *k, struct ss_route_misfit *out)
{
	const struct ss_route_index *ix = k->host->index;
	struct scan scan = {k->host, out};
	bool ok = true;

	for (uint32_t i = 0; ix->n_slots && i <= ix->mask; i++) {
		const struct ss_route_slot *s = &ix->slots[i];
		for (uint16_t d = 0; ix->tags[i] && s->kind == SS_PATH_REGEX && d < s->n_dbs; d++)
			ok &= hs_scan(s->dbs[d].db, (const char *)k->path.p, k->path.n, 0,
				      ix->scratch[k->worker].path, on_path, &scan) == HS_SUCCESS;
	}
	return ok;
}

bool ss_route_why_routes(const struct ss_listener *l, const struct ss_virtual_host *host,
			 const struct ss_route_request *rq, struct ss_route_misfit *out)
{
	struct ss_route_look k;
	bool ok;

	ss_route_look_at(&k, l, rq);
	k.host = host;
	for (uint32_t i = 0; i < host->n_routes; i++)
		out[i] = (struct ss_route_misfit){
			text_fits(&host->routes[i], k.path) ? SS_ROUTE_PART_NONE : SS_ROUTE_PART_PATH, 0};
	ok = scan_paths(&k, out);
	for (uint32_t i = 0; i < host->n_routes; i++)
		if (out[i].part == SS_ROUTE_PART_NONE)
			out[i] = ss_route_rest_misfit(&k, i);
	return ok && !k.broken;
}

/* -- shares, rules -- */

bool ss_route_why_key(const struct ss_listener *l, const struct ss_route *r, const struct ss_route_request *rq,
		      struct ss_span *key)
{
	struct ss_route_look k;

	ss_route_look_at(&k, l, rq);
	return ss_route_sticky_key(&k, r->sticky, key);
}

bool ss_route_why_rules(const struct ss_listener *l, const struct ss_authz *a, const struct ss_route_request *rq,
			uint16_t *out)
{
	struct ss_route_look k;
	struct ss_route_facts f;

	ss_route_look_at(&k, l, rq);
	ss_route_facts_of(&f, l, &k);
	ss_route_ask_about(&f, a);
	for (uint32_t i = 0; i < a->n_rules; i++)
		out[i] = a->rules[i].not_methods & f.method ? SS_ROUTE_RULE_METHOD : ss_route_rule_misfit(&a->rules[i], &f);
	return !f.broken;
}
