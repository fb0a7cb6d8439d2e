#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "why/why_int.h"

#define TOKENS 4u

int ss_why_create(struct ss_why **out, const struct ss_why_conf *conf)
{
	struct ss_why *w = calloc(1, sizeof(*w));

	*out = NULL;
	if (!w)
		return SS_ERR_NO_MEM;
	w->conf = *conf;
	w->jwt = ss_jwt_create(TOKENS, (uint16_t)conf->n_workers);
	if (!w->jwt || ss_arena_pools_create(&w->pools, 4, 8) < 0) {
		ss_jwt_free(w->jwt);
		free(w);
		return SS_ERR_NO_MEM;
	}
	*out = w;
	return 0;
}

void ss_why_free(struct ss_why *w)
{
	if (!w)
		return;
	ss_jwt_free(w->jwt);
	ss_arena_pools_free(&w->pools);
	free(w);
}

/* -- words -- */

void why_put_at(struct ss_json *j, const struct ss_model_src *src)
{
	char text[512];

	if (!src || !src->file)
		return;
	snprintf(text, sizeof(text), "%s:%u", src->file, src->line);
	ss_json_text(j, "at", text);
}

void why_put_name(struct why_case *k, const char *key, uint32_t name)
{
	ss_json_text(k->j, key, ss_names_text(k->w->conf.names, name));
}

void why_put_text(struct ss_json *j, const char *key, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ss_json_text(j, key, text);
}

void why_put_ms(struct ss_json *j, const char *key, uint64_t ns)
{
	if (ns)
		ss_json_double(j, key, (double)ns / SS_NS_PER_MS, 3);
}

/* -- the decision -- */

static const struct ss_listener *find_listener(struct why_case *k)
{
	for (uint32_t i = 0; i < k->s->n_listeners; i++)
		if (!strcmp(ss_names_text(k->w->conf.names, k->s->listeners[i].name), k->ask->listener))
			return &k->s->listeners[i];
	return NULL;
}

static const struct ss_model_listener *model_listener(const struct why_case *k)
{
	for (uint32_t i = 0; i < k->m->n_listeners; i++)
		if (!strcmp(k->m->listeners[i].name, k->ask->listener))
			return &k->m->listeners[i];
	return NULL;
}

/* Hosts stand in the snapshot as in the model. Of a host's routes line and name tell which one it is. */
static void find_model(struct why_case *k)
{
	if (!k->d.host)
		return;
	k->mh = &k->m->hosts[k->d.host - k->l->hosts->hosts];
	for (uint32_t i = 0; k->d.route && !k->mr && i < k->mh->n_routes; i++)
		if (k->mh->routes[i].src.line == k->d.route->line &&
		    !strcmp(k->mh->routes[i].name, ss_names_text(k->w->conf.names, k->d.route->name)))
			k->mr = &k->mh->routes[i];
}

/* As a worker does: the token, the decision, and what becomes of it. Authorizers are taken to say yes. */
static int decide(struct why_case *k)
{
	const struct ss_wall *wall = k->s->wall;
	int64_t offset = wall ? atomic_load_explicit(&wall->offset_ns, memory_order_relaxed) : 0;
	uint64_t now_s = wall ? (uint64_t)((int64_t)k->now + offset) / SS_NS_PER_SEC : UINT64_MAX;

	k->rq.head = &k->came;
	if (k->l->jwt) {
		ss_jwt_check(k->w->jwt, k->l->jwt, &k->came, now_s, &k->token);
		if (ss_jwt_head(k->l->jwt, &k->token, &k->came, &k->arena, &k->rq.head) < 0)
			return SS_ERR_NO_MEM;
	}
	k->rq.claims = k->token.claims;
	k->rq.passed = k->passed;
	for (;;) {
		k->rq.n_passed = k->n_asked;
		ss_route_decide(k->s, k->l, &k->rq, &k->d);
		k->wanting = k->d.preflight || !k->d.route
				     ? SS_DROP_NONE
				     : ss_jwt_wanting(k->l->jwt, k->d.route->token, &k->token);
		k->end = ss_route_end(&k->d, k->wanting, k->rq.head->method);
		if (k->end != SS_ROUTE_ASK || k->n_asked == WHY_ASKED_MAX)
			return 0;
		k->asked[k->n_asked] = k->d.custom;
		k->passed[k->n_asked++] = (struct ss_authz_passed){
			k->d.custom->provider->name, k->d.custom->class == SS_AUTHZ_C_DRY_CUSTOM};
	}
}

/* -- the end -- */

static uint16_t status_of(const struct why_case *k)
{
	const struct ss_route *r = k->d.route;

	switch (k->end) {
	case SS_ROUTE_ASK:
		return 0;
	case SS_ROUTE_PREFLIGHT:
		return 200;
	case SS_ROUTE_TOKEN:
		return ss_drop_answer(k->wanting).status;
	case SS_ROUTE_CLOSED:
		return 503;
	case SS_ROUTE_REFUSED:
		return ss_drop_answer(k->d.drop).status;
	case SS_ROUTE_TUNNEL:
		return ss_drop_answer(SS_DROP_TUNNEL).status;
	case SS_ROUTE_ON:
		break;
	}
	return k->refused				? ss_drop_answer(k->refused).status
	       : r->action == SS_ACTION_DIRECT		? r->direct_status
	       : r->action == SS_ACTION_REDIRECT	? r->redirect->status
							: 0;
}

static enum ss_drop drop_of(const struct why_case *k)
{
	return k->end == SS_ROUTE_TOKEN	    ? k->wanting
	       : k->end == SS_ROUTE_CLOSED  ? SS_DROP_MAINTENANCE
	       : k->end == SS_ROUTE_REFUSED ? k->d.drop
	       : k->end == SS_ROUTE_TUNNEL  ? SS_DROP_TUNNEL
	       : k->end == SS_ROUTE_ON	    ? k->refused
					    : SS_DROP_NONE;
}

static const char *word_of(const struct why_case *k)
{
	static const char *const actions[] = {"upstream", "direct_response", "redirect"};

	if (k->end == SS_ROUTE_PREFLIGHT)
		return "preflight";
	return k->end == SS_ROUTE_ON && !k->refused ? actions[k->d.route->action] : "refused";
}

static void show_end(struct why_case *k)
{
	enum ss_drop drop = drop_of(k);
	uint16_t status = status_of(k);

	ss_json_object(k->j, "outcome");
	ss_json_text(k->j, "what", word_of(k));
	if (status)
		ss_json_u64(k->j, "status", status);
	if (drop != SS_DROP_NONE) {
		ss_json_text(k->j, "flag", ss_drop_flag(drop));
		ss_json_text(k->j, "reason", ss_drop_name(drop));
		ss_json_text(k->j, "text", ss_drop_text(drop));
	}
	ss_json_end_object(k->j);
}

/* What was decided last is said first: people read the beginning. */
static int show(struct why_case *k)
{
	bool goes_on = k->end == SS_ROUTE_ON && k->d.route->action == SS_ACTION_CLUSTERS;

	ss_json_text(k->j, "config_hash", k->s->hash);
	ss_json_u64(k->j, "generation", k->s->generation);
	ss_json_text(k->j, "file", k->m->file);
	ss_json_bool(k->j, "candidate", k->ask->config != NULL);
	why_show_listener(k);
	if (!why_show_routes(k))
		return SS_ERR_NO_MEM;
	why_show_token(k);
	why_show_authz(k);
	if (k->d.route)
		why_show_does(k);
	if (goes_on && k->d.cluster)
		k->refused = why_show_cluster(k);
	show_end(k);
	return 0;
}

int ss_why_explain(struct ss_why *w, const struct ss_snapshot *s, const struct ss_model *m, const struct ss_why_ask *ask,
		   struct ss_json *j, struct ss_why_verdict *verdict, char *err, size_t err_n)
{
	struct why_case k = {.w = w, .s = s, .m = m, .ask = ask, .j = j, .now = ss_clock_ns(w->conf.clock)};
	int code;

	ss_arena_init(&k.arena, &w->pools);
	k.l = ask->listener ? find_listener(&k) : NULL;
	k.ml = k.l ? model_listener(&k) : NULL;
	if (!k.ml) {
		snprintf(err, err_n, ask->listener ? "no listener is named \"%s\"" : "which listener? say --listener%s",
			 ask->listener ? ask->listener : "");
		return SS_ERR_CONFIG;
	}
	snprintf(err, err_n, "out of memory");
	code = why_read_head(&k, err, err_n);
	if (code == 0)
		code = decide(&k);
	if (code == 0) {
		find_model(&k);
		code = show(&k);
	}
	if (code == 0 && verdict)
		*verdict = (struct ss_why_verdict){.end = (uint8_t)k.end,
						   .status = status_of(&k),
						   .host = k.d.host ? k.d.host->name : 0,
						   .route = k.d.route ? k.d.route->name : 0,
						   .cluster = k.d.cluster && !k.drawn ? k.d.cluster->name : 0};
	ss_arena_reset(&k.arena);
	return code;
}
