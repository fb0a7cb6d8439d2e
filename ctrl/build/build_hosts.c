/* build_hosts.c - a listener's host patterns, in the order in which they are searched. */
#include <stdlib.h>

#include "base/err.h"
#include "build/build_routes.h"

enum { EXACT = 0, SUFFIX = 1, ANY = 2 };

/* Exact by text; suffixes longest first, those of one length by text; any last. */
static int by_search(const void *a, const void *b)
{
	const struct ss_host_pattern *x = a, *y = b;
	uint32_t n = ss_min_u32(x->text.n, y->text.n);
	int c = n ? memcmp(x->text.p, y->text.p, n) : 0;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->kind == SUFFIX && x->text.n != y->text.n)
		return x->text.n > y->text.n ? -1 : 1;
	return c ? c : x->text.n < y->text.n ? -1 : x->text.n > y->text.n;
}

static int pattern_of(struct ss_build_job *j, const struct ss_model_host *m, const char *domain,
		      uint32_t host, struct ss_host_pattern *p)
{
	p->host = host;
	if (strcmp(domain, "*") == 0) {
		p->kind = ANY;
		return 0;
	}
	p->kind = domain[0] == '*' ? SUFFIX : EXACT;
	p->text = ss_build_lower(j, p->kind == SUFFIX ? domain + 1 : domain);
	if ((p->kind == SUFFIX && (p->text.n < 2 || p->text.p[0] != '.')) || !p->text.n ||
	    memchr(p->text.p, '*', p->text.n)) {
		ss_model_error(j->errors, &m->src, "domains",
			       "\"%s\" is neither a host name, nor \"*.\" and a host name, nor \"*\"",
			       domain);
		return SS_ERR_CONFIG;
	}
	return 0;
}

static uint32_t count_domains(const struct ss_model *m, const struct ss_model_listener *l)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < l->n_hosts; i++) {
		uint32_t at = ss_model_host(m, l->hosts[i]);
		n += at == SS_MODEL_NONE ? 0 : m->hosts[at].n_domains;
	}
	return n;
}

static int gather(struct ss_build_job *j, const struct ss_model_listener *l, struct ss_host_pattern *p,
		  uint32_t *n)
{
	int err = 0;

	for (uint32_t i = 0; i < l->n_hosts; i++) {
		uint32_t at = ss_model_host(j->model, l->hosts[i]);
		if (at == SS_MODEL_NONE) {
			ss_model_error(j->errors, &l->src, "hosts", "no virtual host is named \"%s\"",
				       l->hosts[i]);
			err = SS_ERR_CONFIG;
			continue;
		}
		const struct ss_model_host *m = &j->model->hosts[at];
		for (uint32_t d = 0; d < m->n_domains; d++)
			if (pattern_of(j, m, m->domains[d], at, &p[(*n)++]) < 0)
				err = SS_ERR_CONFIG;
	}
	return err;
}

static int refuse_twins(struct ss_build_job *j, const struct ss_model_listener *l,
			const struct ss_host_pattern *p, uint32_t n)
{
	int err = 0;

	for (uint32_t i = 1; i < n; i++) {
		if (by_search(&p[i - 1], &p[i]))
			continue;
		ss_model_error(j->errors, &l->src, "hosts", "\"%s%.*s\" belongs to both \"%s\" and \"%s\"",
			       p[i].kind == EXACT ? "" : "*", (int)p[i].text.n,
			       p[i].text.n ? (const char *)p[i].text.p : "",
			       j->model->hosts[p[i - 1].host].name, j->model->hosts[p[i].host].name);
		err = SS_ERR_CONFIG;
	}
	return err;
}

int ss_build_host_table(struct ss_build_job *j, const struct ss_model_listener *l,
			const struct ss_host_table **out)
{
	struct ss_host_table *t = ss_build_alloc(j, sizeof(*t));
	struct ss_host_pattern *p = ss_build_array(j, count_domains(j->model, l), sizeof(*p));
	uint32_t n = 0;
	int err;

	if (!t || !p)
		return SS_ERR_NO_MEM;
	err = gather(j, l, p, &n);
	qsort(p, n, sizeof(*p), by_search);
	if (refuse_twins(j, l, p, n) < 0)
		err = SS_ERR_CONFIG;
	*t = (struct ss_host_table){
		.n_hosts = j->model->n_hosts, .hosts = j->hosts, .n_patterns = n, .patterns = p};
	for (uint32_t i = 0; i < n; i++) {
		t->n_exact += p[i].kind == EXACT;
		t->n_suffix += p[i].kind == SUFFIX;
	}
	*out = t;
	return err;
}
