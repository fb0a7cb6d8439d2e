/* build_subset.c - labels: which subsets the routes name, and what they are called. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "build/build_int.h"

uint32_t ss_build_labels_name(struct ss_build_job *j, const struct ss_model_labels *l)
{
	size_t n = 0, at = 0;
	uint32_t id;
	char *text;

	if (!l->n)
		return 0;
	for (uint32_t i = 0; i < l->n; i++)
		n += strlen(l->v[i].name) + strlen(l->v[i].value) + 2;
	text = malloc(n);
	if (!text)
		return 0;
	for (uint32_t i = 0; i < l->n; i++) {
		const char *parts[] = {i ? "," : "", l->v[i].name, "=", l->v[i].value};
		for (size_t k = 0; k < SS_ARRAY_LEN(parts); k++) {
			memcpy(text + at, parts[k], strlen(parts[k]));
			at += strlen(parts[k]);
		}
	}
	text[at] = '\0';
	id = ss_build_name(j, text);
	free(text);
	return id;
}

static int ask_for(struct ss_build_job *j, const char *cluster, const struct ss_model_labels *l, bool past)
{
	uint32_t at = ss_model_cluster(j->model, cluster), name;
	struct ss_build_subset *first, *s;

	if (at == SS_MODEL_NONE)
		return 0; /* build_routes says so */
	name = ss_build_labels_name(j, l);
	first = &j->subsets[at];
	for (s = first->next; s; s = s->next)
		if (s->name == name)
			return 0;
	s = ss_build_alloc(j, sizeof(*s));
	if (!s)
		return SS_ERR_NO_MEM;
	*s = (struct ss_build_subset){.next = first->next, .labels = l, .name = name, .past = past};
	first->next = s;
	return 0;
}

static int ask_route(struct ss_build_job *j, const struct ss_model_route *r)
{
	int err = 0;

	for (uint32_t i = 0; i < r->n_clusters && !err; i++) {
		const struct ss_model_weighted *w = &r->clusters[i];
		const struct ss_model_labels *l = w->subset.n ? &w->subset : &r->subset;
		if (l->n)
			err = ask_for(j, w->cluster, l, false);
	}
	return err;
}

/* -- of the snapshot before -- */

/* Labels of their name's text: neither names nor values hold "," or "=". */
static struct ss_model_labels *labels_of(struct ss_build_job *j, const char *name)
{
	struct ss_span text = ss_build_text(j, name);
	struct ss_model_labels *l = ss_build_alloc(j, sizeof(*l));
	uint32_t n = 1;

	for (const char *p = name; *p; p++)
		n += *p == ',';
	if (!text.p || !l || !(l->v = ss_build_array(j, n, sizeof(*l->v))))
		return NULL;
	for (char *p = (char *)text.p, *save; (p = strtok_r(p, ",", &save)); p = NULL) {
		char *eq = strchr(p, '=');
		if (!eq)
			continue;
		*eq = '\0';
		l->v[l->n++] = (struct ss_model_label){p, eq + 1};
	}
	return l;
}

static int ask_past(struct ss_build_job *j)
{
	int err = 0;

	for (uint32_t i = 0; i < j->past->n && !err; i++) {
		const struct ss_build_past_subset *p = &j->past->v[i];
		const struct ss_model_labels *l = labels_of(j, ss_names_text(j->names, p->subset));
		err = l ? ask_for(j, ss_names_text(j->names, p->cluster), l, true) : SS_ERR_NO_MEM;
	}
	return err;
}

/* Without memory the next generation lacks them: requests under way then are answered as if nobody had the
 * labels. */
void ss_build_subsets_keep(struct ss_build_job *j)
{
	uint32_t n = 0;

	free(j->past->v);
	*j->past = (struct ss_build_past){0};
	for (uint32_t i = 0; i < j->model->n_clusters; i++)
		for (const struct ss_build_subset *s = j->subsets[i].next; s; s = s->next)
			n += !s->past;
	j->past->v = n ? calloc(n, sizeof(*j->past->v)) : NULL;
	for (uint32_t i = 0; j->past->v && i < j->model->n_clusters; i++)
		for (const struct ss_build_subset *s = j->subsets[i].next; s; s = s->next)
			if (!s->past)
				j->past->v[j->past->n++] =
					(struct ss_build_past_subset){j->snap->clusters[i].name, s->name};
}

int ss_build_subsets(struct ss_build_job *j)
{
	const struct ss_model *m = j->model;
	int err = 0;

	j->subsets = ss_build_array(j, m->n_clusters, sizeof(*j->subsets));
	if (!j->subsets)
		return SS_ERR_NO_MEM;
	for (uint32_t h = 0; h < m->n_hosts; h++)
		for (uint32_t i = 0; i < m->hosts[h].n_routes && !err; i++)
			err = ask_route(j, &m->hosts[h].routes[i]);
	return err ? err : ask_past(j);
}
