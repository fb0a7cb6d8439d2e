/*
 * cfg_diff.c - what two models differ in, item by item: things with a name are the same when they have it, others (endpoints)
 * when all of them is the same. A value is what the file would say, defaults filled in.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "cfg/cfg_int.h"

/* What every element of a table with `src`, and with `named`, begins with. */
struct item {
	struct ss_model_src src;
	char *name;
};

struct diff {
	struct ss_json *j;
	bool failed; /* no memory */
};

/* A list of one of the models, by name or by text. */
struct side {
	const char *array;
	uint32_t n;
	struct one {
		const char *obj;
		char *key; /* name, or all of it as text */
		uint32_t at;
	} *v;
};

static void diff_group(struct diff *d, const struct ss_cfg_table *t, const char *under, const char *a, const char *b);

/* ---- texts ---- */

static char *key_text(struct diff *d, const struct ss_cfg_key *k, const char *obj)
{
	struct ss_json j;
	char *text;

	ss_json_open(&j);
	ss_cfg_show_one(&j, k, obj);
	text = ss_json_close(&j);
	d->failed |= !text;
	return text;
}

static char *whole_text(struct diff *d, const struct ss_cfg_table *t, const char *obj)
{
	struct ss_json j;
	char *text;

	ss_json_open(&j);
	for (uint32_t i = 0; i < t->n_keys; i++)
		ss_cfg_show_one(&j, &t->keys[i], obj);
	text = ss_json_close(&j);
	d->failed |= !text;
	return text;
}

/* ---- one difference ---- */

static void put_src(struct diff *d, const char *key, const struct ss_model_src *src)
{
	char text[512];

	snprintf(text, sizeof(text), "%s:%u", src->file ? src->file : "-", src->line);
	ss_json_text(d->j, key, text);
}

/* a or b is NULL: it is not there. */
static void begin(struct diff *d, const struct ss_cfg_table *t, const char *under, const char *name, const char *a,
		  const char *b)
{
	ss_json_object(d->j, NULL);
	ss_json_text(d->j, "what", !a ? "added" : !b ? "removed" : "changed");
	ss_json_text(d->j, "kind", t->what);
	ss_json_text(d->j, "name", name);
	if (*under)
		ss_json_text(d->j, "of", under);
	if (b)
		put_src(d, "at", &((const struct item *)(const void *)b)->src);
	if (a)
		put_src(d, "was_at", &((const struct item *)(const void *)a)->src);
}

/* ---- lists ---- */

static bool by_item(const struct ss_cfg_key *k)
{
	return k->type == SS_CFG_LIST && !k->show && k->table->src;
}

static int by_key(const void *x, const void *y)
{
	const struct one *a = x, *b = y;
	int c = strcmp(a->key, b->key);

	return c ? c : a->at < b->at ? -1 : a->at > b->at;
}

static bool side_of(struct diff *d, const struct ss_cfg_key *k, const char *obj, struct side *s)
{
	s->array = *(const char *const *)(const void *)(obj + k->at);
	s->n = *(const uint32_t *)(const void *)(obj + k->at_n);
	s->v = calloc(s->n + 1, sizeof(*s->v));
	if (!s->v)
		return false;
	for (uint32_t i = 0; i < s->n; i++) {
		const char *o = s->array + (size_t)i * k->table->size;
		s->v[i] = (struct one){ o,
					k->table->named ? ((const struct item *)(const void *)o)->name
							: whole_text(d, k->table, o),
					i };
		if (!s->v[i].key)
			return false;
	}
	qsort(s->v, s->n, sizeof(*s->v), by_key);
	return true;
}

static void side_free(const struct ss_cfg_key *k, struct side *s)
{
	for (uint32_t i = 0; s->v && !k->table->named && i < s->n; i++)
		free(s->v[i].key);
	free(s->v);
}

static void alone(struct diff *d, const struct ss_cfg_key *k, const char *under, const struct one *o, bool added)
{
	begin(d, k->table, under, o->key, added ? NULL : o->obj, added ? o->obj : NULL);
	ss_json_end_object(d->j);
}

/* Both sides by key: what one of them lacks, and what differs in those that both have. */
static void merge(struct diff *d, const struct ss_cfg_key *k, const char *under, const struct side *a,
		  const struct side *b)
{
	uint32_t i = 0, n = 0;

	while (i < a->n || n < b->n) {
		int c = i == a->n ? 1 : n == b->n ? -1 : strcmp(a->v[i].key, b->v[n].key);
		if (c < 0)
			alone(d, k, under, &a->v[i], false);
		else if (c > 0)
			alone(d, k, under, &b->v[n], true);
		else if (k->table->named)
			diff_group(d, k->table, under, a->v[i].obj, b->v[n].obj);
		i += c <= 0;
		n += c >= 0;
	}
}

static void diff_list(struct diff *d, const struct ss_cfg_key *k, const char *under, const char *a, const char *b)
{
	struct side x = { 0 }, y = { 0 };

	if (side_of(d, k, a, &x) && side_of(d, k, b, &y))
		merge(d, k, under, &x, &y);
	else
		d->failed = true;
	side_free(k, &x);
	side_free(k, &y);
}

/* ---- one thing ---- */

/* Do those that both lists have stand in another order? Routes and rules are asked in theirs. */
static bool moved(const struct side *a, const struct side *b, uint32_t *at)
{
	uint32_t last = 0;

	for (uint32_t i = 0, n = 0; i < a->n && n < b->n;) {
		int c = strcmp(a->v[i].key, b->v[n].key);
		if (c == 0)
			at[a->v[i].at] = b->v[n].at + 1;
		i += c <= 0;
		n += c >= 0;
	}
	for (uint32_t i = 0; i < a->n; i++) {
		if (at[i] && at[i] < last)
			return true;
		last = at[i] ? at[i] : last;
	}
	return false;
}

static bool reordered(struct diff *d, const struct ss_cfg_key *k, const char *a, const char *b)
{
	struct side x = { 0 }, y = { 0 };
	uint32_t *at = NULL;
	bool so = false;

	if (!k->table->named)
		return false;
	if (side_of(d, k, a, &x) && side_of(d, k, b, &y) && (at = calloc(x.n + 1, sizeof(*at))))
		so = moved(&x, &y, at);
	else
		d->failed = true;
	free(at);
	side_free(k, &x);
	side_free(k, &y);
	return so;
}

static bool differs(struct diff *d, const struct ss_cfg_key *k, const char *a, const char *b)
{
	char *x, *y;
	bool same;

	if (by_item(k))
		return reordered(d, k, a, b);
	x = key_text(d, k, a);
	y = key_text(d, k, b);
	same = x && y && !strcmp(x, y);
	free(x);
	free(y);
	return !same;
}

/* Its own keys first, then the things in it. */
static void diff_group(struct diff *d, const struct ss_cfg_table *t, const char *under, const char *a, const char *b)
{
	const char *name = t->named ? ((const struct item *)(const void *)b)->name : "";
	char inner[300];
	bool begun = false;

	for (uint32_t i = 0; i < t->n_keys; i++) {
		if (!differs(d, &t->keys[i], a, b))
			continue;
		if (!begun) {
			begin(d, t, under, name, a, b);
			ss_json_list(d->j, "keys");
		}
		begun = true;
		ss_json_text(d->j, NULL, t->keys[i].name);
	}
	if (begun) {
		ss_json_end_list(d->j);
		ss_json_end_object(d->j);
	}
	snprintf(inner, sizeof(inner), "%s%s%s", under, *under ? "." : "", name);
	for (uint32_t i = 0; i < t->n_keys; i++)
		if (by_item(&t->keys[i]))
			diff_list(d, &t->keys[i], inner, a, b);
}

int ss_cfg_diff(struct ss_json *j, const struct ss_model *before, const struct ss_model *after)
{
	struct diff d = { .j = j };

	ss_json_list(j, "changes");
	for (uint32_t i = 0; i < ss_cfg_root.n_keys; i++) {
		const struct ss_cfg_key *k = &ss_cfg_root.keys[i];
		const char *a = (const char *)before, *b = (const char *)after;
		if (by_item(k)) {
			diff_list(&d, k, "", a, b);
		} else if (differs(&d, k, a, b)) {
			ss_json_object(j, NULL);
			ss_json_text(j, "what", "changed");
			ss_json_text(j, "kind", "key");
			ss_json_text(j, "name", k->name);
			ss_json_end_object(j);
		}
	}
	ss_json_end_list(j);
	return d.failed ? SS_ERR_NO_MEM : 0;
}
