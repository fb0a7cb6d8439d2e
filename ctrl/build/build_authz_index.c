/*
 * build_authz_index.c - each rule goes under the values of one of its parts: of those that can be looked up,
 * the one whose values the fewest other rules have. What is found is still asked whether it holds, so that a
 * key may find too much, but never too little.
 */
#include <stdlib.h>

#include "base/err.h"
#include "build/build_authz.h"

/* One value of one part of one rule. */
struct candidate {
	struct ss_span text;
	uint32_t rule;
	uint16_t part;
	uint8_t key;
	uint32_t shared; /* candidates with the same key and text */
};

struct work {
	struct candidate *v;
	uint32_t n;
	uint64_t *cost;  /* of the part under way, by rule */
	uint16_t *chosen; /* part + 1 by rule; 0: none */
};

static struct ss_span without_slash(struct ss_span s)
{
	return s.n && s.p[s.n - 1] == '/' ? ss_span(s.p, s.n - 1) : s;
}

/* The key of value i of a part; 0 when it has none. */
static uint8_t key_of(const struct ss_authz_part *p, uint32_t i, struct ss_span *text)
{
	if (p->kind == SS_AUTHZ_ID) {
		*text = p->ids[i].value;
		switch (p->ids[i].kind) {
		case SS_ID_EXACT: /* DNS names compare without regard to case */
			return ss_id_is_spiffe(*text) ? SS_AUTHZ_K_ID : 0;
		case SS_ID_PREFIX:
			*text = without_slash(*text);
			return SS_AUTHZ_K_ID_PREFIX;
		case SS_ID_BEGINS:
			return SS_AUTHZ_K_ID_PREFIX;
		case SS_ID_DOMAIN:
			return SS_AUTHZ_K_DOMAIN;
		}
		return 0;
	}
	*text = p->texts[i].value;
	if (p->kind == SS_AUTHZ_NAMESPACE)
		return p->texts[i].fit == SS_AUTHZ_EXACT ? SS_AUTHZ_K_NAMESPACE : 0;
	if (p->texts[i].fit == SS_AUTHZ_UNDER)
		*text = without_slash(*text);
	if (p->texts[i].fit == SS_AUTHZ_UNDER || p->texts[i].fit == SS_AUTHZ_PREFIX)
		return SS_AUTHZ_K_PATH_PREFIX;
	return p->texts[i].fit == SS_AUTHZ_EXACT ? SS_AUTHZ_K_PATH : 0;
}

static bool has_keys(const struct ss_authz_part *p)
{
	struct ss_span text;

	if (p->invert ||
	    (p->kind != SS_AUTHZ_ID && p->kind != SS_AUTHZ_NAMESPACE && p->kind != SS_AUTHZ_PATH))
		return false;
	for (uint32_t i = 0; i < p->n; i++)
		if (!key_of(p, i, &text))
			return false;
	return p->n > 0;
}

static uint32_t count(const struct ss_authz *a)
{
	uint32_t n = 0;

	for (uint32_t r = 0; r < a->n_rules; r++)
		for (uint16_t k = 0; k < a->rules[r].n_parts; k++)
			n += has_keys(&a->rules[r].parts[k]) ? a->rules[r].parts[k].n : 0;
	return n;
}

static void gather(const struct ss_authz *a, struct work *w)
{
	for (uint32_t r = 0; r < a->n_rules; r++) {
		for (uint16_t k = 0; k < a->rules[r].n_parts; k++) {
			const struct ss_authz_part *p = &a->rules[r].parts[k];
			for (uint32_t i = 0; has_keys(p) && i < p->n; i++) {
				struct candidate *c = &w->v[w->n++];
				*c = (struct candidate){.rule = r, .part = k};
				c->key = key_of(p, i, &c->text);
			}
		}
	}
}

static int by_text(const void *x, const void *y)
{
	const struct candidate *a = x, *b = y;
	uint32_t n = ss_min_u32(a->text.n, b->text.n);
	int c = a->key != b->key ? a->key - b->key : n ? memcmp(a->text.p, b->text.p, n) : 0;

	if (c || a->text.n != b->text.n)
		return c ? c : a->text.n < b->text.n ? -1 : 1;
	return a->rule < b->rule ? -1 : a->rule > b->rule;
}

static bool same_key(const struct candidate *a, const struct candidate *b)
{
	return a->key == b->key && ss_span_eq(a->text, b->text);
}

static uint32_t run(const struct work *w, uint32_t i)
{
	uint32_t n = 1;

	while (i + n < w->n && same_key(&w->v[i], &w->v[i + n]))
		n++;
	return n;
}

static int by_part(const void *x, const void *y)
{
	const struct candidate *a = x, *b = y;

	return a->rule != b->rule ? (a->rule < b->rule ? -1 : 1) : (int)a->part - (int)b->part;
}

/* The part with the fewest rules beside it, of each rule. */
static void choose(struct work *w)
{
	for (uint32_t i = 0, n; i < w->n; i += n) {
		n = run(w, i);
		for (uint32_t k = i; k < i + n; k++)
			w->v[k].shared = n;
	}
	if (w->n)
		qsort(w->v, w->n, sizeof(*w->v), by_part);
	for (uint32_t i = 0; i < w->n;) {
		const struct candidate *c = &w->v[i];
		uint64_t sum = 0;
		for (; i < w->n && by_part(c, &w->v[i]) == 0; i++)
			sum += w->v[i].shared;
		if (!w->chosen[c->rule] || sum < w->cost[c->rule]) {
			w->chosen[c->rule] = (uint16_t)(c->part + 1);
			w->cost[c->rule] = sum;
		}
	}
}

static void keep_chosen(struct work *w)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < w->n; i++)
		if (w->chosen[w->v[i].rule] == w->v[i].part + 1)
			w->v[n++] = w->v[i];
	w->n = n;
	if (n)
		qsort(w->v, n, sizeof(*w->v), by_text);
}

/* -- the tables -- */

static bool is_prefix(uint8_t key)
{
	return key == SS_AUTHZ_K_ID_PREFIX || key == SS_AUTHZ_K_PATH_PREFIX;
}

static uint64_t hash_of(const struct candidate *c)
{
	uint64_t h = SS_AUTHZ_HASH_START;

	if (!is_prefix(c->key))
		return ss_authz_hash_text(c->text, c->key);
	for (uint32_t i = 0; i < c->text.n; i++)
		h = ss_authz_hash_byte(h, c->text.p[i]);
	return ss_authz_hash_end(h, c->key);
}

static uint32_t longest(const struct work *w, uint8_t key)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < w->n; i++)
		n = w->v[i].key == key ? ss_max_u32(n, w->v[i].text.n) : n;
	return n;
}

static void fill(const struct ss_authz *a, const struct work *w, struct ss_authz_index *ix,
		 struct ss_authz_slot *slots, uint32_t *ids, uint64_t *id_lengths, uint64_t *path_lengths)
{
	uint32_t at = 0;

	for (uint32_t i = 0, n; i < w->n; i += n) {
		const struct candidate *c = &w->v[i];
		uint64_t h = hash_of(c);
		uint32_t p = (uint32_t)h & ix->mask;
		while (slots[p].n)
			p = (p + 1) & ix->mask;
		n = run(w, i);
		slots[p] = (struct ss_authz_slot){
			.hash = h, .text = c->text, .first = at, .n = n, .key = c->key};
		for (uint32_t k = 0; k < n; k++)
			ids[at++] = w->v[i + k].rule;
		ix->keys |= 1u << c->key;
		if (is_prefix(c->key))
			(c->key == SS_AUTHZ_K_ID_PREFIX ? id_lengths : path_lengths)[c->text.n / 64] |=
				1ull << c->text.n % 64;
	}
	ix->rest_first = at;
	for (uint32_t r = 0; r < a->n_rules; r++)
		if (!w->chosen[r])
			ids[at++] = r;
	ix->rest_n = at - ix->rest_first;
}

static int make(struct ss_build_job *j, struct ss_authz *a, const struct work *w)
{
	struct ss_authz_index *ix = ss_build_alloc(j, sizeof(*ix));
	struct ss_authz_slot *slots;
	uint64_t *id_lengths, *path_lengths;
	uint32_t *ids = ss_build_array(j, w->n + a->n_rules, sizeof(*ids));
	uint32_t places = 16;

	while (places < 2 * w->n)
		places *= 2;
	slots = ss_build_array(j, places, sizeof(*slots));
	if (!ix || !ids || !slots)
		return SS_ERR_NO_MEM;
	ix->mask = places - 1;
	ix->longest_id = longest(w, SS_AUTHZ_K_ID_PREFIX);
	ix->longest_path = longest(w, SS_AUTHZ_K_PATH_PREFIX);
	id_lengths = ss_build_array(j, ix->longest_id / 64 + 1, sizeof(*id_lengths));
	path_lengths = ss_build_array(j, ix->longest_path / 64 + 1, sizeof(*path_lengths));
	if (!id_lengths || !path_lengths)
		return SS_ERR_NO_MEM;
	fill(a, w, ix, slots, ids, id_lengths, path_lengths);
	ix->slots = slots;
	ix->ids = ids;
	ix->id_lengths = id_lengths;
	ix->path_lengths = path_lengths;
	a->index = ix;
	return 0;
}

int ss_build_authz_index(struct ss_build_job *j, struct ss_authz *a)
{
	struct work w = {0};
	int err = SS_ERR_NO_MEM;

	if (a->n_rules < SS_BUILD_AUTHZ_FEW)
		return 0;
	w.v = calloc(count(a) + 1, sizeof(*w.v));
	w.cost = calloc(a->n_rules, sizeof(*w.cost));
	w.chosen = calloc(a->n_rules, sizeof(*w.chosen));
	if (w.v && w.cost && w.chosen) {
		gather(a, &w);
		if (w.n)
			qsort(w.v, w.n, sizeof(*w.v), by_text);
		choose(&w);
		keep_chosen(&w);
		err = make(j, a, &w);
	}
	free(w.v);
	free(w.cost);
	free(w.chosen);
	return err;
}
