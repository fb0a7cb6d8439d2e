/*
 * build_fields.c - a host's expressions over headers, parameters and cookies: a database for each name. The
 * same expression of the same name is one, however many routes have it.
 */
#include <stdlib.h>

#include "base/err.h"
#include "build/build_routes.h"

#define MAX_DBS 64 /* struct ss_route_look.scanned has a bit for each */

/* The numbering under way. */
struct fields {
	struct ss_route_field_db *dbs;
	uint32_t n_dbs, n; /* n: expressions */
	uint32_t *db_of;
	struct ss_build_pattern *pattern; /* by expression id */
	uint32_t *table, mask;            /* ids + 1, by hash of database and text */
};

/* The place of a name among the databases; a new one when it has none. */
static uint32_t field_db(struct fields *x, const struct ss_route_field *f)
{
	uint32_t i;

	for (i = 0; i < x->n_dbs && !(x->dbs[i].on == f->on && ss_span_eq(x->dbs[i].name, f->name)); i++)
		;
	if (i == x->n_dbs && i < MAX_DBS)
		x->dbs[x->n_dbs++] = (struct ss_route_field_db){.name = f->name, .on = f->on};
	return i;
}

static uint32_t number_one(struct fields *x, uint32_t db, const struct ss_route_field *f,
			   const struct ss_model_src *src)
{
	uint32_t i = (uint32_t)ss_route_hash(SS_ROUTE_HASH_START + db, f->value, 0) & x->mask, id;

	for (; x->table[i]; i = (i + 1) & x->mask) {
		id = x->table[i] - 1;
		if (x->db_of[id] == db && !strcmp(x->pattern[id].text, (const char *)f->value.p))
			return id;
	}
	id = x->n++;
	x->table[i] = x->n;
	x->db_of[id] = db;
	x->pattern[id] = (struct ss_build_pattern){(const char *)f->value.p, id, src};
	return id;
}

static int number_all(struct ss_build_job *j, struct ss_build_host *h, struct fields *x)
{
	int err = 0;

	for (uint32_t i = 0; i < h->model->n_routes; i++) {
		/* Ours to write: build_match.c has just allocated them. */
		struct ss_route_field *f = (struct ss_route_field *)h->routes[i].fields;
		for (uint16_t k = 0; k < h->routes[i].n_fields; k++) {
			const struct ss_model_src *src = &ss_build_model_route(h, i)->src;
			uint32_t db = f[k].kind == SS_HM_REGEX ? field_db(x, &f[k]) : 0;
			if (f[k].kind != SS_HM_REGEX)
				continue;
			if (db < MAX_DBS) {
				f[k].regex = number_one(x, db, &f[k], src);
				continue;
			}
			ss_model_error(
				j->errors, src, "match",
				"more than %d headers, parameters and cookies with regular expressions",
				MAX_DBS);
			err = SS_ERR_CONFIG;
		}
	}
	return err;
}

static int compile_all(struct ss_build_job *j, struct ss_build_regex *x, struct fields *f)
{
	static const char *const keys[] = {"headers", "query", "cookies"};
	struct ss_build_pattern *some = calloc(f->n + 1, sizeof(*some));
	int err = some ? 0 : SS_ERR_NO_MEM, one;

	for (uint32_t db = 0; err != SS_ERR_NO_MEM && db < f->n_dbs; db++) {
		uint32_t n = 0;
		for (uint32_t i = 0; i < f->n; i++)
			if (f->db_of[i] == db)
				some[n++] = f->pattern[i];
		one = ss_build_regex_set(j, x, some, n, keys[f->dbs[db].on], &f->dbs[db].db);
		err = one < 0 ? one : err;
	}
	free(some);
	return err;
}

static uint32_t count(const struct ss_build_host *h)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < h->model->n_routes; i++)
		for (uint16_t k = 0; k < h->routes[i].n_fields; k++)
			n += h->routes[i].fields[k].kind == SS_HM_REGEX;
	return n;
}

int ss_build_regex_fields(struct ss_build_job *j, struct ss_build_regex *x, struct ss_build_host *h)
{
	struct ss_route_index *ix = h->index;
	uint32_t n = count(h);
	struct fields f = {.mask = ss_build_mask(n)};
	int err = 0;

	ix->scratch = x->scratch;
	if (!n)
		return 0;
	ix->field_dbs = f.dbs = ss_build_array(j, MAX_DBS, sizeof(*f.dbs));
	ix->field_db_of = f.db_of = ss_build_array(j, n, sizeof(*f.db_of));
	f.pattern = calloc(n, sizeof(*f.pattern));
	f.table = calloc(f.mask + 1, sizeof(*f.table));
	if (!f.dbs || !f.db_of || !f.pattern || !f.table)
		err = SS_ERR_NO_MEM;
	if (!err)
		err = number_all(j, h, &f);
	if (!err)
		err = compile_all(j, x, &f);
	ix->n_field_dbs = f.n_dbs;
	ix->n_field_regex = f.n;
	x->most_field_regex = ss_max_u32(x->most_field_regex, f.n);
	free(f.pattern);
	free(f.table);
	return err;
}
