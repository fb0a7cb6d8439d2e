#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "model/model.h"
#include "model/text_index.h"

/* Of each kind of object: the first `seen` of them are in the index. */
struct ss_model_names {
	struct {
		struct ss_text_index index;
		uint32_t seen;
	} secrets, trusts, hosts, clusters, limits, policies, jwt_providers, ext_authz;
};

struct ss_model *ss_model_new(void)
{
	struct ss_model *m = calloc(1, sizeof(struct ss_model));

	if (m && !(m->names = calloc(1, sizeof(*m->names)))) {
		free(m);
		return NULL;
	}
	return m;
}

bool ss_model_core_shared(const struct ss_model_process *p, uint32_t core, uint32_t besides)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->n_workers; i++)
		n += p->worker_core[i] == core;
	return n > besides;
}

void ss_model_free(struct ss_model *m)
{
	if (!m)
		return;
	ss_region_free(&m->memory);
	ss_region_free(&m->texts);
	ss_text_index_free(&m->names->secrets.index);
	ss_text_index_free(&m->names->trusts.index);
	ss_text_index_free(&m->names->hosts.index);
	ss_text_index_free(&m->names->clusters.index);
	ss_text_index_free(&m->names->limits.index);
	ss_text_index_free(&m->names->policies.index);
	ss_text_index_free(&m->names->jwt_providers.index);
	ss_text_index_free(&m->names->ext_authz.index);
	free(m->names);
	free(m);
}

void *ss_model_alloc(struct ss_model *m, size_t n)
{
	return ss_region_take(&m->memory, n, 16);
}

char *ss_model_text(struct ss_model *m, const char *text)
{
	size_t n = text ? strlen(text) + 1 : 0;
	char *copy = n ? ss_region_take(&m->texts, n, 1) : NULL;
	return copy ? memcpy(copy, text, n) : NULL;
}

/*
 * The searches differ in type only. The newest object may still be without its name: it is looked at again.
 * Two of one name are a mistake that is told elsewhere; the first is meant.
 */
#define FIND(fn, array, count)                                                  \
	uint32_t fn(const struct ss_model *m, const char *name)                 \
	{                                                                       \
		struct ss_model_names *names = m->names;                        \
		if (!name)                                                      \
			return SS_MODEL_NONE;                                   \
		for (uint32_t i = names->array.seen; i < m->count; i++) {       \
			const char *its = m->array[i].name;                     \
			if (!its && i + 1 == m->count)                          \
				break;                                          \
			if (its)                                                \
				ss_text_index_put(&names->array.index, its, i); \
			names->array.seen = i + 1;                              \
		}                                                               \
		return ss_text_index_get(&names->array.index, name);            \
	}

FIND(ss_model_secret, secrets, n_secrets)
FIND(ss_model_trust, trusts, n_trusts)
FIND(ss_model_host, hosts, n_hosts)
FIND(ss_model_cluster, clusters, n_clusters)
FIND(ss_model_limit, limits, n_limits)
FIND(ss_model_policy, policies, n_policies)
FIND(ss_model_jwt_provider, jwt_providers, n_jwt_providers)
FIND(ss_model_ext_authz, ext_authz, n_ext_authz)

/* Shown in place of a line that there is no memory to format. */
static char no_memory[] = "out of memory while reporting an error";

static bool errors_grow(struct ss_model_errors *e)
{
	if (e->n < e->cap)
		return true;
	uint32_t cap = e->cap ? e->cap * 2 : 16;
	char **text = realloc(e->text, cap * sizeof(*text));
	if (!text)
		return false;
	e->text = text;
	e->cap = cap;
	return true;
}

void ss_model_error(struct ss_model_errors *e, const struct ss_model_src *src, const char *key,
		    const char *fmt, ...)
{
	char where[512] = "", what[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (src && src->file && src->line)
		snprintf(where, sizeof(where), "%s:%u: ", src->file, src->line);
	else if (src && src->file)
		snprintf(where, sizeof(where), "%s: ", src->file);
	if (!errors_grow(e))
		return;
	char *line;
	if (asprintf(&line, "%s%s%s%s", where, key ? key : "", key ? ": " : "", what) < 0)
		line = no_memory;
	e->text[e->n++] = line;
}

void ss_model_errors_free(struct ss_model_errors *e)
{
	for (uint32_t i = 0; i < e->n; i++)
		if (e->text[i] != no_memory)
			free(e->text[i]);
	free(e->text);
	*e = (struct ss_model_errors){ 0 };
}

/* -- endpoints that are there twice -- */

static int by_addr(const void *x, const void *y)
{
	const struct ss_model_endpoint *a = *(const struct ss_model_endpoint *const *)x;
	const struct ss_model_endpoint *b = *(const struct ss_model_endpoint *const *)y;
	int c = memcmp(&a->addr.ip, &b->addr.ip, sizeof(a->addr.ip));

	if (!c && a->addr.port != b->addr.port)
		c = a->addr.port < b->addr.port ? -1 : 1;
	return c ? c : a < b ? -1 : a > b;
}

int ss_model_twins(const struct ss_model_endpoint *e, uint32_t n, uint32_t twin[2])
{
	const struct ss_model_endpoint **v = malloc((n + 1) * sizeof(struct ss_model_endpoint *));
	uint32_t found = 0, some = 0;

	if (!v)
		return SS_ERR_NO_MEM;
	for (uint32_t i = 0; i < n; i++)
		if (e[i].addr.ip.family) /* else it was refused */
			v[some++] = &e[i];
	qsort(v, some, sizeof(struct ss_model_endpoint *), by_addr);
	for (uint32_t i = 1; i < some && !found; i++)
		if (ss_addr_eq(&v[i - 1]->addr, &v[i]->addr)) {
			twin[0] = (uint32_t)(v[i - 1] - e);
			twin[1] = (uint32_t)(v[i] - e);
			found = 1;
		}
	free(v);
	return (int)found;
}
