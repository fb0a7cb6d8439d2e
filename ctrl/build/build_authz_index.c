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
	struct ss_span name, text;
	uint32_t rule;
	uint16_t part;
	uint8_t kind, fit;
	uint32_t shared; /* candidates with the same text */
};

struct work {
	struct candidate *v;
	uint32_t n;
	uint64_t *cost;   /* of the part under way, by rule */
	uint16_t *chosen; /* part + 1 by rule; 0: none */
};

/* A scan costs what asking some rules does. */
#define EXPRESSION_COST 16u

static struct ss_span without_slash(struct ss_span s)
{
	return s.n && s.p[s.n - 1] == '/' ? ss_span(s.p, s.n - 1) : s;
}

static bool id_key(const struct ss_id_match *m, struct candidate *c)
{
	c->text = m->value;
	switch (m->kind) {
	case SS_ID_EXACT:
		return ss_id_has_key(c->text);
	case SS_ID_PREFIX:
		c->text = without_slash(c->text);
		c->fit = SS_AUTHZ_PREFIX;
		return true;
	case SS_ID_BEGINS:
		c->fit = SS_AUTHZ_PREFIX;
		return true;
	case SS_ID_SUFFIX:
		c->fit = SS_AUTHZ_SUFFIX;
		return true;
	case SS_ID_DOMAIN:
		c->kind = SS_AUTHZ_DOMAIN;
		return true;
	case SS_ID_ANY:
		c->text = SS_SPAN_NONE;
		c->fit = SS_AUTHZ_PRESENT;
		return true;
	}
	return false;
}

static bool text_key(const struct ss_authz_text *t, struct candidate *c)
{
	c->text = t->fit == SS_AUTHZ_UNDER ? without_slash(t->value) : t->value;
	c->fit = t->fit == SS_AUTHZ_UNDER ? SS_AUTHZ_PREFIX : t->fit;
	return true;
}

/* What value i of a part can be looked up by, expressions after the others; false: by nothing. */
static bool key_of(const struct ss_authz_part *p, uint32_t i, struct candidate *c)
{
	c->kind = p->kind;
	c->fit = SS_AUTHZ_EXACT;
	c->name = p->kind == SS_AUTHZ_HEADER || p->kind == SS_AUTHZ_CLAIM ? p->key : SS_SPAN_NONE;
	if (i >= p->n) {
		c->kind = SS_AUTHZ_REGEX_HIT;
		c->name = SS_SPAN_NONE;
		c->text = ss_span(&p->regex[i - p->n], sizeof(p->regex[0]));
		return true;
	}
	switch (p->kind) {
	case SS_AUTHZ_ID:
		return id_key(&p->ids[i], c);
	case SS_AUTHZ_SOURCE_IP:
	case SS_AUTHZ_REMOTE_IP:
	case SS_AUTHZ_LOCAL_IP:
		c->text = ss_span(&p->nets[i], sizeof(p->nets[0]));
		return true;
	case SS_AUTHZ_PORT:
		c->text = ss_span(&p->ports[i], sizeof(p->ports[0]));
		return true;
	}
	return text_key(&p->texts[i], c);
}

static uint32_t values(const struct ss_authz_part *p)
{
	return (uint32_t)p->n + p->n_regex;
}

static bool has_keys(const struct ss_authz_part *p)
{
	struct candidate c;

	if (p->invert)
		return false;
	for (uint32_t i = 0; i < values(p); i++)
		if (!key_of(p, i, &c))
			return false;
	return values(p) > 0;
}

static uint32_t count(const struct ss_authz *a)
{
	uint32_t n = 0;

	for (uint32_t r = 0; r < a->n_rules; r++)
		for (uint16_t k = 0; k < a->rules[r].n_parts; k++)
			n += has_keys(&a->rules[r].parts[k]) ? values(&a->rules[r].parts[k]) : 0;
	return n;
}

static void gather(const struct ss_authz *a, struct work *w)
{
	for (uint32_t r = 0; r < a->n_rules; r++) {
		for (uint16_t k = 0; k < a->rules[r].n_parts; k++) {
			const struct ss_authz_part *p = &a->rules[r].parts[k];
			for (uint32_t i = 0; has_keys(p) && i < values(p); i++) {
				struct candidate *c = &w->v[w->n++];
				*c = (struct candidate){.rule = r, .part = k};
				key_of(p, i, c);
			}
		}
	}
}

static int cmp_span(struct ss_span a, struct ss_span b)
{
	uint32_t n = ss_min_u32(a.n, b.n);
	int c = n ? memcmp(a.p, b.p, n) : 0;

	return c ? c : a.n < b.n ? -1 : a.n > b.n;
}

static int by_key(const struct candidate *a, const struct candidate *b)
{
	int c = a->kind != b->kind ? a->kind - b->kind : cmp_span(a->name, b->name);

	c = c ? c : a->fit - b->fit;
	return c ? c : cmp_span(a->text, b->text);
}

static int by_text(const void *x, const void *y)
{
	const struct candidate *a = x, *b = y;
	int c = by_key(a, b);

	return c ? c : a->rule < b->rule ? -1 : a->rule > b->rule;
}

static bool same_key(const struct candidate *a, const struct candidate *b)
{
	return by_key(a, b) == 0;
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
			w->v[k].shared = w->v[k].kind == SS_AUTHZ_REGEX_HIT ? n + EXPRESSION_COST : n;
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

/* The index under construction. */
struct table {
	struct ss_build_job *j;
	struct ss_authz_index *ix;
	struct ss_authz_slot *slots;
	uint32_t *ids;
	struct ss_span *claims;
	int err;
};

static uint64_t hash_of(const struct candidate *c)
{
	uint64_t h = SS_AUTHZ_HASH_START, seed = ss_authz_seed(c->kind, c->fit, ss_authz_hash_name(c->name));

	if (c->fit != SS_AUTHZ_PREFIX && c->fit != SS_AUTHZ_SUFFIX)
		return ss_authz_hash_text(c->text, seed);
	for (uint32_t i = 0; i < c->text.n; i++)
		h = ss_authz_hash_byte(h, c->text.p[c->fit == SS_AUTHZ_PREFIX ? i : c->text.n - 1 - i]);
	return ss_authz_hash_end(h, seed);
}

/* Bits for lengths up to n. */
static void make_lengths(struct table *t, struct ss_authz_lengths *l, uint32_t n)
{
	l->longest = n;
	l->bits = ss_build_array(t->j, n / 64 + 1, sizeof(*l->bits));
	if (!l->bits)
		t->err = SS_ERR_NO_MEM;
}

static bool is_net(uint8_t kind)
{
	return kind == SS_AUTHZ_SOURCE_IP || kind == SS_AUTHZ_REMOTE_IP || kind == SS_AUTHZ_LOCAL_IP;
}

static void make_all_lengths(struct table *t, const struct work *w)
{
	uint32_t prefix[SS_AUTHZ_KINDS] = {0}, suffix[SS_AUTHZ_KINDS] = {0};

	for (uint32_t i = 0; i < w->n; i++) {
		const struct candidate *c = &w->v[i];
		t->ix->fits[c->kind] |= (uint8_t)(1u << c->fit);
		if (c->fit == SS_AUTHZ_PREFIX)
			prefix[c->kind] = ss_max_u32(prefix[c->kind], c->text.n);
		if (c->fit == SS_AUTHZ_SUFFIX)
			suffix[c->kind] = ss_max_u32(suffix[c->kind], c->text.n);
	}
	for (uint8_t k = 0; k < SS_AUTHZ_KINDS; k++) {
		if (t->ix->fits[k])
			make_lengths(t, &t->ix->prefixes[k], is_net(k) ? SS_AUTHZ_NET_BITS : prefix[k]);
		if (t->ix->fits[k])
			make_lengths(t, &t->ix->suffixes[k], suffix[k]);
	}
}

static void set_length(const struct ss_authz_lengths *l, uint32_t n)
{
	((uint64_t *)l->bits)[n / 64] |= 1ull << n % 64; /* ours: make_lengths has just made them */
}

/* What a request has to do to find this one. */
static void note(struct table *t, const struct work *w, const struct ss_authz *a, uint32_t i)
{
	const struct candidate *c = &w->v[i];

	if (c->fit == SS_AUTHZ_PREFIX)
		set_length(&t->ix->prefixes[c->kind], c->text.n);
	if (c->fit == SS_AUTHZ_SUFFIX)
		set_length(&t->ix->suffixes[c->kind], c->text.n);
	if (is_net(c->kind)) {
		const struct ss_authz_net *net = (const void *)c->text.p;
		set_length(&t->ix->prefixes[c->kind], ss_authz_net_bit(net->ip.family, net->bits));
	}
	if (c->kind == SS_AUTHZ_REGEX_HIT)
		t->ix->scan |= 1ull << a->rules[c->rule].parts[c->part].subject;
	if (c->kind == SS_AUTHZ_HEADER)
		t->ix->header_filter |= ss_route_name_bit(c->name);
	/* They stand sorted. */
	if (c->kind == SS_AUTHZ_CLAIM &&
	    (!t->ix->n_claims || !ss_span_eq(t->claims[t->ix->n_claims - 1], c->name)))
		t->claims[t->ix->n_claims++] = c->name;
}

static void fill(struct table *t, const struct ss_authz *a, const struct work *w)
{
	uint32_t at = 0;

	for (uint32_t i = 0, n; i < w->n; i += n) {
		const struct candidate *c = &w->v[i];
		uint64_t h = hash_of(c);
		uint32_t p = (uint32_t)h & t->ix->mask;
		while (t->slots[p].n)
			p = (p + 1) & t->ix->mask;
		n = run(w, i);
		t->slots[p] = (struct ss_authz_slot){.hash = h,
						     .name = c->name,
						     .text = c->text,
						     .first = at,
						     .n = n,
						     .kind = c->kind,
						     .fit = c->fit};
		for (uint32_t k = 0; k < n; k++)
			t->ids[at++] = w->v[i + k].rule;
		note(t, w, a, i);
	}
	t->ix->rest_first = at;
	for (uint32_t r = 0; r < a->n_rules; r++)
		if (!w->chosen[r])
			t->ids[at++] = r;
	t->ix->rest_n = at - t->ix->rest_first;
}

static int make(struct ss_build_job *j, struct ss_authz *a, const struct work *w)
{
	struct table t = {.j = j, .ix = ss_build_alloc(j, sizeof(*t.ix))};
	uint32_t places = 16;

	while (places < 2 * w->n)
		places *= 2;
	t.ids = ss_build_array(j, w->n + a->n_rules, sizeof(*t.ids));
	t.slots = ss_build_array(j, places, sizeof(*t.slots));
	t.claims = ss_build_array(j, w->n, sizeof(*t.claims));
	if (!t.ix || !t.ids || !t.slots || !t.claims)
		return SS_ERR_NO_MEM;
	t.ix->mask = places - 1;
	make_all_lengths(&t, w);
	if (t.err < 0)
		return t.err;
	fill(&t, a, w);
	t.ix->slots = t.slots;
	t.ix->ids = t.ids;
	t.ix->claims = t.claims;
	a->index = t.ix;
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
