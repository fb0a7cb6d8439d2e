#include "ctrl/route_sim.h"

struct ss_model_route *route_add(struct ss_model_host *h, const char *name, uint32_t line)
{
	struct ss_model_route *r = world_route(h, name, line);

	r->headers = world_array(4, sizeof(*r->headers));
	r->query = world_array(4, sizeof(*r->query));
	r->cookies = world_array(4, sizeof(*r->cookies));
	r->ids = world_array(4, sizeof(*r->ids));
	r->snis = world_array(4, sizeof(*r->snis));
	r->ports = world_array(4, sizeof(*r->ports));
	return r;
}

/* "NAME=KIND:VALUE" */
static void add_match(struct ss_model_header_match *m, const char *spec, bool invert)
{
	static const char *kinds[] = {"exact", "prefix", "suffix", "present", "regex", "range"};
	const char *eq = strchr(spec, '='), *colon = strchr(eq, ':');
	unsigned k = 0;

	while (strncmp(kinds[k], eq + 1, strlen(kinds[k])))
		assert_true(++k < SS_ARRAY_LEN(kinds));
	*m = (struct ss_model_header_match){world_text_n(spec, (size_t)(eq - spec)), world_text(colon + 1),
					    (enum ss_header_match)k, invert};
	if (k == SS_HM_RANGE)
		assert_int_equal(sscanf(colon + 1, "%ld..%ld", &m->start, &m->end), 2);
}

void route_header(struct ss_model_route *r, const char *spec, bool invert)
{
	add_match(&r->headers[r->n_headers++], spec, invert);
}

/* "prefix:/x", "path:/x", or "regex:EXPRESSION=>SUBSTITUTION" */
static void read_rewrite(struct ss_model_route *r, char *arg)
{
	char *rest = strchr(arg, ':') + 1, *becomes = strstr(rest, "=>");

	r->rewrite.present = true;
	if (*arg == 'r') {
		*becomes = '\0';
		r->rewrite.regex = world_text(rest);
		r->rewrite.substitution = world_text(becomes + 2);
	} else if (arg[1] == 'r') {
		r->rewrite.prefix = world_text(rest);
	} else {
		r->rewrite.path = world_text(rest);
	}
}

/* The same of a redirect. */
static void read_redirect(struct ss_model_redirect *d, char *arg)
{
	char *rest = strchr(arg, ':') + 1, *becomes = strstr(rest, "=>");

	if (*arg == 'r') {
		*becomes = '\0';
		d->regex = world_text(rest);
		d->substitution = world_text(becomes + 2);
		return;
	}
	*(arg[1] == 'r' ? &d->prefix : &d->path) = world_text(rest);
}

/* "https://a,https://b*,~EXPRESSION": exact, prefix, expression */
static void read_origins(struct ss_model_route *r, char *arg)
{
	char *save;

	r->cors.present = true;
	r->cors.origins = world_array(8, sizeof(*r->cors.origins));
	for (char *o = strtok_r(arg, ",", &save); o; o = strtok_r(NULL, ",", &save)) {
		size_t n = strlen(o);
		bool prefix = n > 1 && o[n - 1] == '*', regex = *o == '~';
		r->cors.origins[r->cors.n_origins++] =
			(struct ss_model_origin){regex    ? SS_MODEL_ORIGIN_REGEX
						 : prefix ? SS_MODEL_ORIGIN_PREFIX
							  : SS_MODEL_ORIGIN_EXACT,
						 world_text_n(o + regex, n - regex - prefix)};
	}
}

/* What a route does with what it takes; false when the word is none of these. */
static bool read_action(struct ss_model_route *r, const char *word, char *arg)
{
	if (!strcmp(word, "rewrite")) {
		read_rewrite(r, arg);
	} else if (!strcmp(word, "redirect")) {
		r->action = SS_ACTION_REDIRECT;
		r->redirect = (struct ss_model_redirect){.present = true, .status = 302};
		read_redirect(&r->redirect, arg);
	} else if (!strcmp(word, "cors")) {
		read_origins(r, arg);
	} else {
		return false;
	}
	return true;
}

/* One word of a route's line and what stands behind it; false when it is none of these. */
static bool read_rest(struct ss_model_route *r, const char *word, char *arg)
{
	bool invert = !strncmp(word, "not", 3);

	if (!strcmp(word, "methods"))
		r->methods = world_methods(arg);
	else if (!strcmp(word, "header") || !strcmp(word, "not"))
		route_header(r, arg, invert);
	else if (!strcmp(word, "query") || !strcmp(word, "not-query"))
		add_match(&r->query[r->n_query++], arg, invert);
	else if (!strcmp(word, "cookie") || !strcmp(word, "not-cookie"))
		add_match(&r->cookies[r->n_cookies++], arg, invert);
	else if (!strcmp(word, "id"))
		r->ids[r->n_ids++] = world_id(arg);
	else if (!strcmp(word, "sni"))
		r->snis[r->n_snis++] = world_text(arg);
	else if (!strcmp(word, "port"))
		r->ports[r->n_ports++] = (uint32_t)atoi(arg);
	else
		return read_action(r, word, arg);
	return true;
}

void route_read(struct ss_model_host *h, char *line, uint32_t no)
{
	static const char *const kinds[] = {"", "exact", "prefix", "regex", "segments"};
	char *save, *word;
	struct ss_model_route *r = route_add(h, strtok_r(line, " \t", &save), no);

	while ((word = strtok_r(NULL, " \t", &save))) {
		char *arg = strtok_r(NULL, " \t", &save);
		unsigned k = 1;
		assert_non_null(arg);
		if (read_rest(r, word, arg))
			continue;
		while (strcmp(word, kinds[k]))
			assert_true(++k < SS_ARRAY_LEN(kinds));
		r->path_kind = (enum ss_path_match)k;
		r->path = world_text(arg);
	}
}

struct ss_route_decision route_ask(struct world *w, const struct ss_hdrs *h, const struct asker *who,
				   uint32_t draw)
{
	struct ss_route_request rq = {
		.head = h, .peer_identity = who->id, .sni = who->sni, .draw = (uint64_t)draw << 32};
	struct ss_route_decision d;

	w->l.addr.port = who->port;
	ss_route_decide(w->snap, &w->l, &rq, &d);
	return d;
}

struct ss_route_decision route_decide(struct world *w, const struct ss_hdrs *h, uint32_t draw)
{
	return route_ask(w, h, &(struct asker){.port = 80}, draw);
}
