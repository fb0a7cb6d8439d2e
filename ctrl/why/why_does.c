/* why_does.c - what the route does with the request: shares, limits, faults, rewriting, headers, mirrors, times, retries. */
#include "contract/cors.h"
#include "contract/ext_authz.h"
#include "why/why_int.h"

/* -- rate limits -- */

static void show_limit(struct why_case *k, const struct ss_limit *l, const char *scope)
{
	static const char *const keys[] = {"none", "identity", "source", "header"};
	uint32_t at = ss_model_limit(k->m, ss_names_text(k->w->conf.names, l->name));

	ss_json_object(k->j, NULL);
	why_put_name(k, "name", l->name);
	why_put_at(k->j, at == SS_MODEL_NONE ? NULL : &k->m->limits[at].src);
	ss_json_text(k->j, "scope", scope);
	ss_json_text(k->j, "key", keys[l->key]);
	ss_json_double(k->j, "per_second", (double)SS_NS_PER_SEC * SS_LIMIT_TICKS / (double)l->pace.cost, 3);
	ss_json_u64(k->j, "burst", l->pace.burst);
	ss_json_bool(k->j, "enforce", l->enforce);
	ss_json_end_object(k->j);
}

static void show_limits(struct why_case *k)
{
	const struct ss_limit_list *lists[] = {k->l->limits, k->d.route->limits};
	static const char *const scopes[] = {"listener", "route"};

	if (!lists[0] && !lists[1])
		return;
	ss_json_list(k->j, "limits");
	for (size_t i = 0; i < SS_ARRAY_LEN(lists); i++)
		for (uint16_t n = 0; lists[i] && n < lists[i]->n; n++)
			show_limit(k, lists[i]->limit[n], scopes[i]);
	ss_json_end_list(k->j);
}

/* -- faults, mirrors -- */

/* As px_fault.c: of the head as it came. */
static bool is_meant(const struct why_case *k, const struct ss_fault *f)
{
	return !f->headers.n || ss_route_all_hold(&f->headers, &k->came, k->rq.worker);
}

static void show_fault(struct why_case *k)
{
	static const char *const delays[] = {NULL, "fixed", "exponential", "by_header"};
	static const char *const aborts[] = {NULL, "http", "grpc", "by_header"};
	const struct ss_fault *f = k->d.route->fault;

	if (!f)
		return;
	ss_json_object(k->j, "fault");
	why_put_at(k->j, k->mr ? &k->mr->src : NULL);
	ss_json_bool(k->j, "meant", is_meant(k, f));
	if (f->delay) {
		ss_json_text(k->j, "delay", delays[f->delay]);
		why_put_ms(k->j, "delay_ms", f->delay_ns);
		ss_json_double(k->j, "delay_percent", f->delay_share / 100.0, 2);
	}
	if (f->abort) {
		ss_json_text(k->j, "abort", aborts[f->abort]);
		ss_json_u64(k->j, "abort_status", f->status);
		ss_json_double(k->j, "abort_percent", f->abort_share / 100.0, 2);
	}
	ss_json_end_object(k->j);
	/* What is drawn in every case is certain, but for its own bound. */
	if (k->end == SS_ROUTE_ON && f->abort == SS_ABORT_HTTP && f->abort_share == SS_FAULT_SHARE_SUM && !f->max_active &&
	    is_meant(k, f))
		k->refused = SS_DROP_FAULT_ABORT;
}

static void show_mirrors(struct why_case *k)
{
	const struct ss_mirror_list *l = k->d.route->mirrors;

	if (!l)
		return;
	ss_json_list(k->j, "mirrors");
	for (uint32_t i = 0; i < l->n; i++) {
		ss_json_object(k->j, NULL);
		why_put_name(k, "cluster", k->s->clusters[l->mirror[i].cluster].name);
		ss_json_double(k->j, "percent", l->mirror[i].share / 100.0, 2);
		why_put_ms(k->j, "timeout_ms", l->mirror[i].timeout_ns);
		ss_json_end_object(k->j);
	}
	ss_json_end_list(k->j);
}

/* -- rewriting, headers -- */

static void show_rewrite(struct why_case *k)
{
	const struct ss_route *r = k->d.route;
	const struct ss_rewrite *w = r->rewrite;
	struct ss_span path = k->rq.head->path;
	bool ok = true;
	int err = 0;

	if (!w)
		return;
	if (w->kind == SS_PATH_REGEX_NEW)
		err = ss_route_regex_path(w->regex, k->rq.worker, path, &k->arena, &path);
	else
		path = ss_route_new_path(r, w->kind, w->path, path, &k->arena, &ok);
	if (err == SS_ERR_LIMIT)
		k->refused = k->refused ? k->refused : SS_DROP_REWRITE_LIMIT; /* a fault's answer comes first */
	ss_json_object(k->j, "rewrite");
	why_put_at(k->j, k->mr ? &k->mr->src : NULL);
	ss_json_span(k->j, "path", path);
	if (w->host.n)
		ss_json_span(k->j, "host", w->host);
	if (w->host_header.n)
		ss_json_span(k->j, "host_of_header", w->host_header);
	ss_json_end_object(k->j);
}

/* Operations stand in the order share, route, host: so many of each, by the model. */
static const char *scope_of(const struct why_case *k, uint32_t i, uint32_t n, bool response)
{
	uint32_t host = !k->mh ? 0 : response ? k->mh->n_response_ops : k->mh->n_request_ops;
	uint32_t route = !k->mr ? 0 : response ? k->mr->n_response_ops : k->mr->n_request_ops;

	return i + host >= n ? "virtual_host" : i + host + route >= n ? "route" : "share";
}

static void show_ops(struct why_case *k, const char *key, const struct ss_header_ops *ops, bool response)
{
	static const char *const kinds[] = {"set", "add", "remove"};

	if (!ops->n)
		return;
	ss_json_list(k->j, key);
	for (uint16_t i = 0; i < ops->n; i++) {
		ss_json_object(k->j, NULL);
		ss_json_text(k->j, "what", kinds[ops->op[i].kind]);
		ss_json_span(k->j, "name", ops->op[i].name);
		if (ops->op[i].kind != SS_OP_REMOVE)
			ss_json_span(k->j, "value", ops->op[i].value);
		if (ops->op[i].format)
			ss_json_bool(k->j, "variables", true);
		ss_json_text(k->j, "scope", scope_of(k, i, ops->n, response));
		ss_json_end_object(k->j);
	}
	ss_json_end_list(k->j);
}

static void show_redirect(struct why_case *k)
{
	const struct ss_route *r = k->d.route;
	const struct ss_redirect *d = r->redirect;
	struct ss_span path = k->came.path;
	bool ok = true;

	if (d->kind != SS_PATH_REGEX_NEW)
		path = ss_route_new_path(r, d->kind, d->path, path, &k->arena, &ok);
	else if (ss_route_regex_path(d->regex, k->rq.worker, path, &k->arena, &path) == SS_ERR_LIMIT)
		k->refused = k->refused ? k->refused : SS_DROP_REWRITE_LIMIT;

	ss_json_object(k->j, "redirect");
	why_put_at(k->j, k->mr ? &k->mr->src : NULL);
	ss_json_u64(k->j, "status", d->status);
	if (d->scheme.n)
		ss_json_span(k->j, "scheme", d->scheme);
	if (d->host.n)
		ss_json_span(k->j, "host", d->host);
	if (d->port)
		ss_json_u64(k->j, "port", d->port);
	ss_json_span(k->j, "path", path);
	ss_json_end_object(k->j);
}

/* -- times -- */

static void show_retry(struct why_case *k)
{
	const struct ss_retry *t = k->d.route->retry;

	if (!t)
		return;
	ss_json_object(k->j, "retry");
	ss_json_u64(k->j, "max_retries", t->max_retries);
	ss_json_list(k->j, "on");
	for (uint32_t bits = t->on; bits; bits &= bits - 1)
		ss_json_text(k->j, NULL, ss_retry_word(bits & -bits));
	ss_json_end_list(k->j);
	ss_json_bool(k->j, "non_idempotent", t->non_idempotent);
	ss_json_bool(k->j, "hedge", t->hedge);
	why_put_ms(k->j, "per_try_ms", t->per_try_ns);
	why_put_ms(k->j, "back_off_ms", t->base_ns);
	ss_json_end_object(k->j);
}

static void show_times(struct why_case *k)
{
	const struct ss_route *r = k->d.route;

	ss_json_object(k->j, "timeouts");
	why_put_ms(k->j, "response_ms", r->timeout_ns);
	why_put_ms(k->j, "idle_ms", r->idle_timeout_ns);
	why_put_ms(k->j, "stream_ms", r->max_stream_ns);
	ss_json_end_object(k->j);
	ss_json_text(k->j, "priority", r->priority == SS_PRIORITY_HIGH ? "high" : "default");
}

static void show_maintenance(struct why_case *k)
{
	const struct ss_maintenance *m = k->d.maintenance;

	if (m)
		ss_json_text(k->j, "maintenance",
			     m == k->l->maintenance	    ? "listener"
			     : m == k->d.host->maintenance ? "virtual_host"
							   : "route");
}

void why_show_does(struct why_case *k)
{
	const struct ss_route *r = k->d.route;
	const struct ss_weighted_cluster *s = k->d.share;

	show_maintenance(k);
	if (r->cors)
		ss_json_text(k->j, "cors", k->d.preflight	 ? "preflight"
					   : k->d.origin.n ? "the origin may read the response"
							   : "no origin that may read the response");
	show_limits(k);
	show_fault(k);
	if (r->action == SS_ACTION_REDIRECT)
		show_redirect(k);
	if (r->action == SS_ACTION_CLUSTERS) {
		why_show_shares(k);
		show_rewrite(k);
		show_ops(k, "request_headers", s && s->own_ops ? &s->request_ops : &r->request_ops, false);
		show_mirrors(k);
		show_times(k);
		show_retry(k);
	}
	show_ops(k, "response_headers", s && s->own_ops ? &s->response_ops : &r->response_ops, true);
}
