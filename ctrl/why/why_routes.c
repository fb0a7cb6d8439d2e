/* why_routes.c - listener, virtual host, the routes that were passed over, and the shares of the one that was taken. */
#include <stdlib.h>

#include "why/why_int.h"

void why_show_listener(struct why_case *k)
{
	struct ss_json *j = k->j;
	char ip[SS_IP_TEXT];

	ss_json_object(j, "request");
	ss_json_span(j, "method", k->came.method);
	ss_json_span(j, "authority", k->came.authority);
	ss_json_span(j, "path", k->came.path);
	if (k->ask->identity)
		ss_json_text(j, "identity", k->ask->identity);
	if (k->ask->source)
		ss_json_text(j, "source", ss_ip_text(&k->peer.ip, ip));
	ss_json_end_object(j);
	ss_json_object(j, "listener");
	ss_json_text(j, "name", k->ml->name);
	why_put_at(j, &k->ml->src);
	ss_json_end_object(j);
}

/* -- why a route does not fit -- */

static const char *const parts[SS_ROUTE_PARTS] = {
	[SS_ROUTE_PART_NONE] = "none",	 [SS_ROUTE_PART_PATH] = "path", [SS_ROUTE_PART_METHOD] = "method",
	[SS_ROUTE_PART_IDENTITY] = "identity", [SS_ROUTE_PART_SNI] = "sni",	[SS_ROUTE_PART_PORT] = "port",
	[SS_ROUTE_PART_FIELD] = "field",
};

static void put_path(struct why_case *k, const struct ss_route *r)
{
	static const char *const kinds[] = {"any path", "exactly", "the prefix", "the expression", "the prefix of segments"};

	why_put_text(k->j, "why", "the path is not %s \"%.*s\"", kinds[r->path_kind], WHY_SPAN(r->path));
}

static void put_methods(struct why_case *k, const struct ss_route *r)
{
	static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT",
					    "TRACE", "others"};
	char text[100] = "";

	for (size_t i = 0; i < SS_ARRAY_LEN(names); i++)
		if (r->methods & (1u << i)) {
			strcat(text, *text ? " or " : "");
			strcat(text, names[i]);
		}
	why_put_text(k->j, "why", "the method is not %s", text);
}

static void put_field(struct why_case *k, const struct ss_route_field *f)
{
	static const char *const on[] = {"header", "query parameter", "cookie"};
	static const char *const kinds[] = {"exactly", "begins with", "ends with", "is there", "matches", "is a number in"};
	const char *not = f->invert ? "" : "not ";

	if (f->kind == SS_HM_PRESENT)
		why_put_text(k->j, "why", "%s \"%.*s\" is %sthere", on[f->on], WHY_SPAN(f->name), not );
	else if (f->kind == SS_HM_RANGE)
		why_put_text(k->j, "why", "%s \"%.*s\" is %sa number from %lld up to, and without, %lld", on[f->on],
			     WHY_SPAN(f->name), not, (long long)f->start, (long long)f->end);
	else
		why_put_text(k->j, "why", "%s \"%.*s\": %s%s \"%.*s\"", on[f->on], WHY_SPAN(f->name), not,
			     kinds[f->kind], WHY_SPAN(f->value));
}

static void put_why(struct why_case *k, const struct ss_route *r, struct ss_route_misfit m)
{
	switch (m.part) {
	case SS_ROUTE_PART_PATH:
		put_path(k, r);
		break;
	case SS_ROUTE_PART_METHOD:
		put_methods(k, r);
		break;
	case SS_ROUTE_PART_IDENTITY:
		why_put_text(k->j, "why", "the peer's identity is none of its %u", r->source->n_ids);
		break;
	case SS_ROUTE_PART_SNI:
		why_put_text(k->j, "why", "the SNI is none of its %u", r->source->n_snis);
		break;
	case SS_ROUTE_PART_PORT:
		why_put_text(k->j, "why", "the listener's port, %u, is none of its %u", k->l->addr.port,
			     r->source->n_ports);
		break;
	default:
		put_field(k, &r->fields[m.field]);
		break;
	}
}

/* -- the routes before -- */

static void put_route_at(struct why_case *k, const struct ss_route *r)
{
	struct ss_model_src src = {k->mh->src.file, r->line};

	/* An included file has lines of its own: the model knows which. */
	for (uint32_t i = 0; i < k->mh->n_routes; i++)
		if (k->mh->routes[i].src.line == r->line &&
		    !strcmp(k->mh->routes[i].name, ss_names_text(k->w->conf.names, r->name)))
			src = k->mh->routes[i].src;
	why_put_at(k->j, &src);
}

static void put_nearest(struct why_case *k, const struct ss_route_misfit *m, uint32_t i)
{
	const struct ss_route *r = &k->d.host->routes[i];

	ss_json_object(k->j, NULL);
	why_put_name(k, "name", r->name);
	put_route_at(k, r);
	put_why(k, r, m[i]);
	ss_json_end_object(k->j);
}

/* Those that fit the path are the ones that somebody asks about; they come first. */
static void show_before(struct why_case *k, const struct ss_route_misfit *m, uint32_t n)
{
	uint32_t by[SS_ROUTE_PARTS] = {0}, told = 0;

	for (uint32_t i = 0; i < n; i++)
		by[m[i].part]++;
	ss_json_object(k->j, "routes_before");
	ss_json_u64(k->j, "count", n);
	ss_json_object(k->j, "by");
	for (uint32_t p = 0; p < SS_ROUTE_PARTS; p++)
		if (by[p])
			ss_json_u64(k->j, parts[p], by[p]);
	ss_json_end_object(k->j);
	ss_json_list(k->j, "nearest");
	for (int path = 0; path < 2; path++)
		for (uint32_t i = 0; i < n && told < WHY_NEAREST; i++)
			if ((m[i].part == SS_ROUTE_PART_PATH) == path && m[i].part != SS_ROUTE_PART_NONE) {
				put_nearest(k, m, i);
				told++;
			}
	ss_json_end_list(k->j);
	ss_json_end_object(k->j);
}

static void show_host(struct why_case *k)
{
	const struct ss_host_pattern *p = ss_route_why_host(k->l, &k->rq);

	ss_json_object(k->j, "virtual_host");
	why_put_name(k, "name", k->d.host->name);
	why_put_at(k->j, &k->mh->src);
	if (p)
		why_put_text(k->j, "domain", "%s%.*s", p->kind ? "*" : "", WHY_SPAN(p->text));
	ss_json_end_object(k->j);
}

static void show_route(struct why_case *k)
{
	static const char *const actions[] = {"clusters", "direct_response", "redirect"};
	const struct ss_route *r = k->d.route;

	ss_json_object(k->j, "route");
	why_put_name(k, "name", r->name);
	put_route_at(k, r);
	ss_json_text(k->j, "action", actions[r->action]);
	ss_json_end_object(k->j);
}

bool why_show_routes(struct why_case *k)
{
	const struct ss_virtual_host *h = k->d.host;
	struct ss_route_misfit *m;
	uint32_t taken;

	if (!h) {
		ss_json_text(k->j, "virtual_host", NULL);
		ss_json_text(k->j, "route", NULL);
		return true;
	}
	show_host(k);
	m = calloc(h->n_routes + 1, sizeof(*m));
	if (!m)
		return false;
	taken = k->d.route ? (uint32_t)(k->d.route - h->routes) : h->n_routes;
	if (!ss_route_why_routes(k->l, h, &k->rq, m))
		ss_json_text(k->j, "trouble", "an expression could not be asked");
	show_before(k, m, taken);
	if (k->d.route)
		show_route(k);
	else
		ss_json_text(k->j, "route", NULL);
	free(m);
	return true;
}

/* -- shares -- */

static void show_share(struct why_case *k, uint16_t i)
{
	const struct ss_weighted_cluster *w = &k->d.route->clusters[i];
	uint32_t sum, weight = ss_route_weight(k->d.route, i, &sum);

	ss_json_object(k->j, NULL);
	why_put_name(k, "cluster", k->s->clusters[w->cluster].name);
	if (w->subset)
		why_put_name(k, "subset", w->subset);
	ss_json_double(k->j, "percent", sum ? 100.0 * weight / sum : 0, 2);
	ss_json_bool(k->j, "taken", !k->drawn && w == k->d.share);
	ss_json_end_object(k->j);
}

void why_show_shares(struct why_case *k)
{
	const struct ss_route *r = k->d.route;
	struct ss_span key;
	bool kept = r->sticky && ss_route_why_key(k->l, r, &k->rq, &key);

	k->drawn = r->n_clusters > 1 && !kept;
	if (r->n_clusters < 2)
		return;
	ss_json_object(k->j, "split");
	ss_json_text(k->j, "by", !kept ? "chance" : r->sticky->cookie ? "cookie" : "header");
	if (r->sticky)
		ss_json_span(k->j, "sticky", r->sticky->name);
	if (kept)
		ss_json_span(k->j, "key", key);
	if (k->d.fresh)
		ss_json_bool(k->j, "makes_cookie", true);
	ss_json_list(k->j, "shares");
	for (uint16_t i = 0; i < r->n_clusters; i++)
		show_share(k, i);
	ss_json_end_list(k->j);
	ss_json_end_object(k->j);
}
