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
#include "build/build_routes.h"

#define FLAGS (HS_FLAG_ALLOWEMPTY | HS_FLAG_SINGLEMATCH | HS_FLAG_DOTALL)

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

/* Adds one; 0 or SS_ERR_NO_MEM. */
static int gather_add(struct gather *g, const char *pattern, uint32_t id, const struct ss_model_src *src)
{
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
	struct shared *next; /* in its bucket */
	uint64_t hash;
	hs_database_t *db;
	uint32_t uses; /* snapshots */
	size_t n;
	char key[];
};

#define BUCKETS 4096u
static struct shared *all[BUCKETS]; /* by hash */

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
	s->hash = ss_route_hash(SS_ROUTE_HASH_START, ss_span(s->key, (uint32_t)s->n), 0);
	return s;
}

static struct shared *find_shared(const struct shared *like)
{
	struct shared *s = all[like->hash % BUCKETS];

	while (s && !(s->hash == like->hash && s->n == like->n && memcmp(s->key, like->key, s->n) == 0))
		s = s->next;
	return s;
}

static void drop_shared(void *arg)
{
	struct shared *s = arg, **at = &all[s->hash % BUCKETS];

	if (--s->uses)
		return;
	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	hs_free_database(s->db);
	free(s);
}

static void free_scratch(void *scratch)
{
	hs_free_scratch(scratch);
}

/* Every wrong one is told with its own line. The text within the group around it is what is looked at. */
static int check_each(struct ss_build_job *j, const struct gather *g, const char *key)
{
	int bad = 0;

	for (uint32_t i = 0; i < g->n; i++) {
		char *bare = strndup(g->text[i] + 5, strlen(g->text[i]) - 8); /* "\A(?:" and ")\z" */
		hs_expr_info_t *seen = NULL;
		hs_compile_error_t *err = NULL;
		if (!bare)
			return SS_ERR_NO_MEM;
		if (hs_expression_info(bare, FLAGS, &seen, &err) != HS_SUCCESS) {
			ss_model_error(j->errors, g->src[i], key, "regular expression \"%s\": %s", bare,
				       err ? err->message : "refused");
			hs_free_compile_error(err);
			bad = SS_ERR_CONFIG;
		}
		free(seen);
		free(bare);
	}
	return bad;
}

static int compile_new(struct ss_build_job *j, const struct gather *g, const char *key, hs_database_t **db)
{
	hs_compile_error_t *err = NULL;
	int i = check_each(j, g, key);

	if (i < 0)
		return i;
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
		s->next = all[s->hash % BUCKETS];
		all[s->hash % BUCKETS] = s;
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

int ss_build_regex_set(struct ss_build_job *j, struct ss_build_regex *x, const struct ss_build_pattern *p,
		       uint32_t n, const char *key, const struct hs_database **out)
{
	struct gather g;
	int err = gather_init(&g, n);

	for (uint32_t i = 0; !err && i < n; i++)
		err = gather_add(&g, p[i].text, p[i].id, p[i].src);
	if (!err && n)
		err = compile(j, x, &g, key, out);
	gather_free(&g);
	return err;
}

int ss_build_regex_start(struct ss_build_job *j)
{
	j->regex = ss_build_alloc(j, sizeof(*j->regex));
	if (!j->regex)
		return SS_ERR_NO_MEM;
	j->regex->scratch = ss_build_array(j, ss_build_seats(j), sizeof(*j->regex->scratch));
	return j->regex->scratch ? 0 : SS_ERR_NO_MEM;
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

int ss_build_regex_finish(struct ss_build_job *j)
{
	struct ss_build_regex *x = j->regex;
	int err = 0;

	if (!x)
		return 0;
	for (uint32_t w = 0; x->proto && !err && w < ss_build_seats(j); w++) {
		struct ss_route_scratch *s = &x->scratch[w];
		/* A line of its own for each worker's words. */
		s->hits = ss_build_alloc(j, (x->most_field_regex / 64 + 8) / 8 * 64);
		s->hit = ss_build_alloc(j, (x->most_field_regex / 16 + 1) * 64);
		if (!s->hits || !s->hit || clone(j, x, &s->path) < 0 || clone(j, x, &s->field) < 0)
			err = SS_ERR_NO_MEM;
	}
	if (x->proto)
		hs_free_scratch(x->proto);
	x->proto = NULL;
	return err;
}
