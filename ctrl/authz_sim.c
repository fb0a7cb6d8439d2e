#include "ctrl/authz_sim.h"

void authz_world(struct world *w)
{
	struct ss_model_host *h;

	world_start(w);
	h = world_host(w, "h");
	h->domains[h->n_domains++] = world_text("*");
	world_route(h, "r", 1)->action = SS_ACTION_DIRECT;
	w->m->ext_authz = world_array(2, sizeof(*w->m->ext_authz));
	for (w->m->n_ext_authz = 0; w->m->n_ext_authz < 2; w->m->n_ext_authz++)
		w->m->ext_authz[w->m->n_ext_authz] = (struct ss_model_ext_authz){
			.name = world_text(w->m->n_ext_authz ? "q" : "p"), .cluster = world_text("c")};
}

/* exact:/x prefix:/x suffix:.html, or as the file's bare texts. */
static struct ss_model_paths paths_of(const char *list)
{
	static const char *const kinds[] = {
		[SS_AUTHZ_EXACT] = "exact:",     [SS_AUTHZ_PREFIX] = "prefix:", [SS_AUTHZ_SUFFIX] = "suffix:",
		[SS_AUTHZ_PRESENT] = "present:", [SS_AUTHZ_UNDER] = "under:",   [SS_AUTHZ_REGEX] = "regex:"};
	struct ss_model_texts t = world_texts(list);
	struct ss_model_paths p = {.n = t.n, .v = world_array(AUTHZ_MAX, sizeof(*p.v))};

	for (uint32_t i = 0; i < t.n; i++) {
		p.v[i] = (struct ss_model_path){SS_AUTHZ_UNDER, t.v[i]};
		for (uint32_t k = 0; k < SS_ARRAY_LEN(kinds); k++)
			if (!strncmp(t.v[i], kinds[k], strlen(kinds[k])))
				p.v[i] = (struct ss_model_path){k, t.v[i] + strlen(kinds[k])};
	}
	return p;
}

static struct ss_model_id *ids_of(const char *list, uint32_t *n)
{
	struct ss_model_texts t = world_texts(list);
	struct ss_model_id *ids = world_array(t.n, sizeof(*ids));

	for (*n = 0; *n < t.n; (*n)++)
		ids[*n] = world_id(t.v[*n]);
	return ids;
}

void authz_part(struct ss_model_authz_rule *r, const char *word, const char *arg)
{
	struct ss_model_source *s = &r->source;
	struct ss_model_operation *o = &r->operation;
	struct {
		const char *name;
		struct ss_model_texts *at;
	} texts[] = {{"namespaces", &s->namespaces},
		     {"not_namespaces", &s->not_namespaces},
		     {"request_principals", &s->tokens},
		     {"not_request_principals", &s->not_tokens},
		     {"source_ips", &s->source_ips},
		     {"not_source_ips", &s->not_source_ips},
		     {"remote_ips", &s->remote_ips},
		     {"not_remote_ips", &s->not_remote_ips},
		     {"hosts", &o->hosts},
		     {"not_hosts", &o->not_hosts},
		     {"ports", &o->ports},
		     {"not_ports", &o->not_ports}};

	for (size_t i = 0; i < SS_ARRAY_LEN(texts); i++) {
		if (!strcmp(word, texts[i].name)) {
			*texts[i].at = world_texts(arg);
			return;
		}
	}
	if (!strcmp(word, "ids"))
		s->ids = ids_of(arg, &s->n_ids);
	else if (!strcmp(word, "not_ids"))
		s->not_ids = ids_of(arg, &s->n_not_ids);
	else if (!strcmp(word, "methods"))
		o->methods = world_methods(arg);
	else if (!strcmp(word, "not_methods"))
		o->not_methods = world_methods(arg);
	else if (!strcmp(word, "paths"))
		o->paths = paths_of(arg);
	else if (!strcmp(word, "not_paths"))
		o->not_paths = paths_of(arg);
	else
		fail_msg("no part is named %s", word);
}

/* KEY=A,B or KEY!=A,B; of expressions KEY~A,B or KEY!~A,B */
void authz_when(struct ss_model_authz_rule *r, const char *arg)
{
	char *copy = world_text(arg), *op = copy + strcspn(copy, "=~");
	bool regex = *op == '~', invert = op[-1] == '!';
	struct ss_model_condition *c = &r->when[r->n_when++];
	struct ss_model_texts *to[2][2] = {{&c->values, &c->not_values}, {&c->regex, &c->not_regex}};

	op[invert ? -1 : 0] = 0;
	c->key = copy;
	*to[regex][invert] = world_texts(op + 1);
}

void authz_rule(struct ss_model_authz *a, char *line)
{
	struct ss_model_authz_rule *r = &a->rules[a->n_rules++];
	char *save, *word = strtok_r(line, " \t", &save);

	r->action = !strcmp(word, "deny")    ? SS_AUTHZ_DENY
		    : !strcmp(word, "audit") ? SS_AUTHZ_AUDIT
		    : !strcmp(word, "custom") ? SS_AUTHZ_CUSTOM
					     : SS_AUTHZ_ALLOW;
	r->name = world_text(strtok_r(NULL, " \t", &save));
	r->when = world_array(AUTHZ_MAX, sizeof(*r->when));
	r->provider = r->action == SS_AUTHZ_CUSTOM ? world_text("p") : NULL;
	while ((word = strtok_r(NULL, " \t", &save))) {
		if (!strcmp(word, "dry-run"))
			r->dry_run = true;
		else if (!strcmp(word, "provider"))
			r->provider = world_text(strtok_r(NULL, " \t", &save));
		else if (!strcmp(word, "when"))
			authz_when(r, strtok_r(NULL, " \t", &save));
		else
			authz_part(r, word, strtok_r(NULL, " \t", &save));
	}
}

void authz_question(struct question *q)
{
	memset(q, 0, sizeof(*q));
	ss_hdrs_init(&q->head, q->v, SS_ARRAY_LEN(q->v));
	q->head.authority = SS_SPAN("a.example");
	q->local.port = 443;
	q->rq = (struct ss_route_request){.head = &q->head, .peer = &q->peer, .local = &q->local};
	ss_ip_parse("10.0.0.9", &q->peer.ip);
	ss_ip_parse("10.9.9.9", &q->local.ip);
}

void authz_fact(struct question *q, char *word)
{
	char *eq = strchr(word, '=');

	assert_non_null(eq);
	*eq++ = 0;
	if (!strcmp(word, "peer"))
		assert_int_equal(ss_ip_parse(eq, &q->peer.ip), 0);
	else if (!strcmp(word, "port"))
		q->local.port = (uint16_t)atoi(eq);
	else if (!strcmp(word, "host"))
		q->head.authority = ss_span_str(eq);
	else if (!strcmp(word, "sni"))
		q->rq.sni = ss_span_str(eq);
	else if (!strcmp(word, "token"))
		q->claims.principal = ss_span_str(eq);
	else if (!strcmp(word, "claims")) {
		assert_true(ss_jscan((uint8_t *)eq, (uint32_t)strlen(eq), q->nodes, SS_ARRAY_LEN(q->nodes)) >
			    0);
		q->claims.nodes = q->nodes;
	} else
		ss_hdrs_add(&q->head, ss_span_str(word), ss_span_str(eq), 0);
	if (q->claims.nodes || q->claims.principal.n)
		q->rq.claims = &q->claims;
}

struct ss_route_decision authz_decide(struct world *w, const struct question *q)
{
	struct ss_route_decision d;

	ss_route_decide(w->snap, &w->l, &q->rq, &d);
	assert_non_null(d.route);
	assert_true(d.drop == SS_DROP_NONE || d.drop == SS_DROP_DENIED);
	return d;
}

const char *authz_name(const struct world *w, const struct ss_authz_rule *r)
{
	return r ? world_name(w, r->name) : "-";
}
