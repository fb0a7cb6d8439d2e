/* why_past.c - who decided about a request that has happened: names from its record, lines from the model. */
#include <string.h>

#include "contract/events.h"
#include "why/why_int.h"

static void put_one(const struct ss_why *w, struct ss_json *j, const char *key, uint32_t name, const struct ss_model_src *src)
{
	if (!name)
		return;
	ss_json_object(j, key);
	ss_json_text(j, "name", ss_names_text(w->conf.names, name));
	why_put_at(j, src);
	ss_json_end_object(j);
}

static const struct ss_model_src *listener_at(const struct ss_model *m, const char *name)
{
	for (uint32_t i = 0; m && i < m->n_listeners; i++)
		if (!strcmp(m->listeners[i].name, name))
			return &m->listeners[i].src;
	return NULL;
}

/* Names of routes need not be unique: without a line where two have it. */
static const struct ss_model_src *route_at(const struct ss_model_host *h, const char *name)
{
	const struct ss_model_src *src = NULL;

	for (uint32_t i = 0; h && i < h->n_routes; i++) {
		if (strcmp(h->routes[i].name, name))
			continue;
		if (src)
			return NULL;
		src = &h->routes[i].src;
	}
	return src;
}

void ss_why_past(const struct ss_why *w, const struct ss_model *m, const struct ss_event *ev, struct ss_json *j)
{
	const struct ss_names *names = w->conf.names;
	uint32_t h = m && ev->virtual_host ? ss_model_host(m, ss_names_text(names, ev->virtual_host)) : SS_MODEL_NONE;
	uint32_t c = m && ev->cluster ? ss_model_cluster(m, ss_names_text(names, ev->cluster)) : SS_MODEL_NONE;
	const struct ss_model_host *host = h == SS_MODEL_NONE ? NULL : &m->hosts[h];

	ss_json_object(j, "decided");
	put_one(w, j, "listener", ev->listener, listener_at(m, ss_names_text(names, ev->listener)));
	put_one(w, j, "virtual_host", ev->virtual_host, host ? &host->src : NULL);
	put_one(w, j, "route", ev->route, route_at(host, ss_names_text(names, ev->route)));
	put_one(w, j, "rule", ev->rule, NULL);
	put_one(w, j, "cluster", ev->cluster, c == SS_MODEL_NONE ? NULL : &m->clusters[c].src);
	ss_json_end_object(j);
}
