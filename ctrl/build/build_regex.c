/*
 * build_regex.c - regular expressions into hyperscan databases, and scratch for every worker.
 *
 * An expression is held to match its whole subject. It is first parsed alone, so that each wrong one is
 * reported with its own line, and so that a stray parenthesis cannot reach out of the group around it.
 *
 * Compiling a thousand expressions takes about a second, and most reloads change none: a database is
 * shared by all live snapshots whose expressions are the same.
 */
#include <hs.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/list.h"
#include "build/build_routes.h"

#define FLAGS (HS_FLAG_ALLOWEMPTY | HS_FLAG_SINGLEMATCH | HS_FLAG_DOTALL)
#define MAX_HEADER_DBS 64 /* struct ss_route_look.scanned has a bit for each */

/* Expressions of one database, gathered. */
struct gather {
	uint32_t n;
	char **text;
	unsigned int *flags, *ids;
	const struct ss_model_src **src;
};

static void gather_free(struct gather *g)
{
	for (uint32_t i = 0; i < g->n; i++)
		free(g->text[i]);
	free(g->text);
	free(g->flags);
	free(g->ids);
	free(g->src);
}

static int gather_init(struct gather *g, uint32_t cap)
{
	*g = (struct gather){.text = calloc(cap + 1, sizeof(*g->text)),
			     .flags = calloc(cap + 1, sizeof(*g->flags)),
			     .ids = calloc(cap + 1, sizeof(*g->ids)),
			     .src = calloc(cap + 1, sizeof(*g->src))};
	return g->text && g->flags && g->ids && g->src ? 0 : SS_ERR_NO_MEM;
}

/* Adds one; 0, SS_ERR_CONFIG (reported) or SS_ERR_NO_MEM. */
static int gather_add(struct ss_build_job *j, struct gather *g, const char *pattern, uint32_t id,
		      const struct ss_model_src *src, const char *key)
{
	hs_expr_info_t *seen = NULL;
	hs_compile_error_t *err = NULL;

	if (hs_expression_info(pattern, FLAGS, &seen, &err) != HS_SUCCESS) {
		ss_model_error(j->errors, src, key, "regular expression \"%s\": %s", pattern,
			       err ? err->message : "refused");
		hs_free_compile_error(err);
		return SS_ERR_CONFIG;
	}
	free(seen);
	if (asprintf(&g->text[g->n], "\\A(?:%s)\\z", pattern) < 0) {
		g->text[g->n] = NULL;
		return SS_ERR_NO_MEM;
	}
	g->flags[g->n] = FLAGS;
	g->ids[g->n] = id;
	g->src[g->n] = src;
	g->n++;
	return 0;
}

/* A database, and the expressions that it was made of: "id:text" NUL, one after the other. */
struct shared {
	struct ss_list node;
	hs_database_t *db;
	uint32_t uses; /* snapshots */
	size_t n;
	char key[];
};

static struct ss_list shared_all = {&shared_all, &shared_all};

static struct shared *key_of(const struct gather *g)
{
	size_t n = 0;
	struct shared *s;
	char *p;

	for (uint32_t i = 0; i < g->n; i++)
		n += strlen(g->text[i]) + 12; /* ten digits, the colon, the NUL */
	s = calloc(1, sizeof(*s) + n + 1);
	if (!s)
		return NULL;
	p = s->key;
	for (uint32_t i = 0; i < g->n; i++)
		p += sprintf(p, "%u:%s", g->ids[i], g->text[i]) + 1;
	s->n = (size_t)(p - s->key);
	ss_list_init(&s->node);
	return s;
}

static struct shared *find_shared(const struct shared *like)
{
	struct ss_list *n;

	ss_list_for(n, &shared_all)
	{
		struct shared *s = ss_list_entry(n, struct shared, node);
		if (s->n == like->n && memcmp(s->key, like->key, s->n) == 0)
			return s;
	}
	return NULL;
}

static void drop_shared(void *arg)
{
	struct shared *s = arg;

	if (--s->uses)
		return;
	ss_list_remove(&s->node);
	hs_free_database(s->db);
	free(s);
}

static void free_scratch(void *scratch)
{
	hs_free_scratch(scratch);
}

static int compile_new(struct ss_build_job *j, const struct gather *g, const char *key, hs_database_t **db)
{
	hs_compile_error_t *err = NULL;
	int i;

	if (hs_compile_multi((const char *const *)g->text, g->flags, g->ids, g->n, HS_MODE_BLOCK, NULL, db,
			     &err) == HS_SUCCESS)
		return 0;
	i = err ? err->expression : -1;
	ss_model_error(j->errors, i >= 0 ? g->src[i] : g->src[0], key, "regular expression: %s",
		       err ? err->message : "refused");
	hs_free_compile_error(err);
	return SS_ERR_CONFIG;
}

static int compile(struct ss_build_job *j, struct ss_build_regex *x, const struct gather *g, const char *key,
		   const struct hs_database **out)
{
	struct shared *fresh = key_of(g), *s = fresh ? find_shared(fresh) : NULL;
	hs_scratch_t *proto = x->proto;

	if (!fresh)
		return SS_ERR_NO_MEM;
	if (s) {
		free(fresh);
	} else {
		int err = compile_new(j, g, key, &fresh->db);
		if (err < 0) {
			free(fresh);
			return err;
		}
		s = fresh;
		ss_list_push_back(&shared_all, &s->node);
	}
	s->uses++;
	if (ss_build_on_free(j, drop_shared, s) < 0)
		return SS_ERR_NO_MEM;
	if (hs_alloc_scratch(s->db, &proto) != HS_SUCCESS)
		return SS_ERR_NO_MEM;
	x->proto = proto;
	*out = s->db;
	return 0;
}

static int compile_paths(struct ss_build_job *j, struct ss_build_regex *x, struct ss_build_host *h)
{
	const struct ss_model_host *m = h->model;
	struct gather g;
	int err = gather_init(&g, m->n_routes), one;

	h->index->first_regex = UINT32_MAX;
	for (uint32_t i = 0; err != SS_ERR_NO_MEM && i < m->n_routes; i++) {
		if (m->routes[i].path_kind != SS_PATH_REGEX)
			continue;
		h->routes[i].regex = i;
		h->index->first_regex = ss_min_u32(h->index->first_regex, i);
		one = gather_add(j, &g, m->routes[i].path, i, &m->routes[i].src, "path");
		err = one < 0 ? one : err;
	}
	if (!err && g.n)
		err = compile(j, x, &g, "path", &h->index->paths);
	gather_free(&g);
	return err;
}

/* The place of a header's name among the databases; a new one when it has none. */
static uint32_t header_db(struct ss_route_header_db *dbs, uint32_t *n, struct ss_span name)
{
	uint32_t i;

	for (i = 0; i < *n && !ss_span_eq(dbs[i].name, name); i++)
		;
	if (i == *n && *n < MAX_HEADER_DBS)
		dbs[(*n)++].name = name;
	return i;
}

/* Numbers a host's header expressions and finds the name of each. */
static int number_headers(struct ss_build_job *j, struct ss_build_host *h, struct ss_route_header_db *dbs,
			  uint32_t *db_of)
{
	struct ss_route_index *ix = h->index;
	int err = 0;

	for (uint32_t i = 0; i < h->model->n_routes; i++) {
		/* Ours to write: build_routes.c has just allocated them. */
		struct ss_route_header *hd = (struct ss_route_header *)h->routes[i].headers;
		for (uint16_t k = 0; k < h->routes[i].n_headers; k++) {
			if (hd[k].kind != SS_HM_REGEX)
				continue;
			uint32_t db = header_db(dbs, &ix->n_header_dbs, hd[k].name);
			if (db == MAX_HEADER_DBS) {
				ss_model_error(j->errors, &h->model->routes[i].src, "headers",
					       "more than %d header names with regular expressions",
					       MAX_HEADER_DBS);
				err = SS_ERR_CONFIG;
				continue;
			}
			hd[k].regex = ix->n_header_regex;
			db_of[ix->n_header_regex++] = db;
		}
	}
	return err;
}

static int compile_header_db(struct ss_build_job *j, struct ss_build_regex *x, struct ss_build_host *h,
			     uint32_t db, struct ss_route_header_db *out)
{
	const struct ss_route_index *ix = h->index;
	struct gather g;
	int err = gather_init(&g, ix->n_header_regex), one;

	for (uint32_t i = 0; err != SS_ERR_NO_MEM && i < h->model->n_routes; i++) {
		const struct ss_model_route *m = &h->model->routes[i];
		for (uint32_t k = 0; err != SS_ERR_NO_MEM && k < m->n_headers; k++) {
			const struct ss_route_header *hd = &h->routes[i].headers[k];
			if (hd->kind != SS_HM_REGEX || ix->header_db_of[hd->regex] != db)
				continue;
			one = gather_add(j, &g, m->headers[k].value, hd->regex, &m->src, "headers");
			err = one < 0 ? one : err;
		}
	}
	if (!err)
		err = compile(j, x, &g, "headers", &out->db);
	gather_free(&g);
	return err;
}

static int compile_headers(struct ss_build_job *j, struct ss_build_regex *x, struct ss_build_host *h)
{
	struct ss_route_index *ix = h->index;
	struct ss_route_header_db *dbs;
	uint32_t *db_of, n = 0;
	int err, one;

	for (uint32_t i = 0; i < h->model->n_routes; i++)
		for (uint16_t k = 0; k < h->routes[i].n_headers; k++)
			n += h->routes[i].headers[k].kind == SS_HM_REGEX;
	if (!n)
		return 0;
	dbs = ss_build_array(j, MAX_HEADER_DBS, sizeof(*dbs));
	db_of = ss_build_array(j, n, sizeof(*db_of));
	if (!dbs || !db_of)
		return SS_ERR_NO_MEM;
	ix->header_dbs = dbs;
	ix->header_db_of = db_of;
	err = number_headers(j, h, dbs, db_of);
	x->most_header_regex = ss_max_u32(x->most_header_regex, ix->n_header_regex);
	for (uint32_t db = 0; !ss_err_class(err) && db < ix->n_header_dbs; db++) {
		one = compile_header_db(j, x, h, db, &dbs[db]);
		err = one < 0 ? one : err;
	}
	return err;
}

int ss_build_regex_start(struct ss_build_job *j, struct ss_build_regex *x)
{
	*x = (struct ss_build_regex){.scratch = ss_build_array(j, j->n_workers, sizeof(*x->scratch))};
	return x->scratch ? 0 : SS_ERR_NO_MEM;
}

int ss_build_regex_host(struct ss_build_job *j, struct ss_build_regex *x, struct ss_build_host *h)
{
	int a = compile_paths(j, x, h), b = compile_headers(j, x, h);

	h->index->scratch = x->scratch;
	return a < 0 ? a : b;
}

static int clone(struct ss_build_job *j, const struct ss_build_regex *x, struct hs_scratch **out)
{
	hs_scratch_t *s = NULL;

	if (hs_clone_scratch(x->proto, &s) != HS_SUCCESS)
		return SS_ERR_NO_MEM;
	if (ss_build_on_free(j, free_scratch, s) < 0)
		return SS_ERR_NO_MEM;
	*out = s;
	return 0;
}

int ss_build_regex_finish(struct ss_build_job *j, struct ss_build_regex *x)
{
	int err = 0;

	for (uint32_t w = 0; x->proto && !err && w < j->n_workers; w++) {
		struct ss_route_scratch *s = &x->scratch[w];
		/* A line of its own for each worker's words. */
		s->hits = ss_build_alloc(j, (x->most_header_regex / 64 + 8) / 8 * 64);
		if (!s->hits || clone(j, x, &s->path) < 0 || clone(j, x, &s->header) < 0)
			err = SS_ERR_NO_MEM;
	}
	if (x->proto)
		hs_free_scratch(x->proto);
	x->proto = NULL;
	return err;
}
