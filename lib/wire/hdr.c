#include "base/err.h"
#include "wire/hdr_int.h"

void ss_hdrs_init(struct ss_hdrs *h, struct ss_hdr *v, uint16_t cap)
{
	memset(h, 0, sizeof(*h));
	h->v = v;
	h->cap = cap;
}

int ss_hdrs_add(struct ss_hdrs *h, struct ss_span name, struct ss_span value, uint16_t flags)
{
	return ss_hdrs_push(h, name, value, (uint16_t)ss_hdr_token(name), flags);
}

const struct ss_hdr *ss_hdrs_find(const struct ss_hdrs *h, enum ss_hdr_token tok)
{
	for (uint16_t i = 0; i < h->n; i++)
		if (h->v[i].tok == tok)
			return &h->v[i];
	return NULL;
}

const struct ss_hdr *ss_hdrs_find_name(const struct ss_hdrs *h, struct ss_span name)
{
	for (uint16_t i = 0; i < h->n; i++)
		if (ss_span_eq(h->v[i].name, name))
			return &h->v[i];
	return NULL;
}

/* Keeps field i at place *to when it stays. */
static void keep(struct ss_hdrs *h, uint16_t i, bool stays, uint16_t *to)
{
	if (stays) {
		if (*to != i)
			h->v[*to] = h->v[i];
		(*to)++;
	} else {
		h->bytes -= h->v[i].name.n + h->v[i].value.n + 32;
	}
}

uint16_t ss_hdrs_remove(struct ss_hdrs *h, enum ss_hdr_token tok)
{
	uint16_t to = 0, had = h->n;

	for (uint16_t i = 0; i < had; i++)
		keep(h, i, h->v[i].tok != tok, &to);
	h->n = to;
	return (uint16_t)(had - to);
}

uint16_t ss_hdrs_remove_name(struct ss_hdrs *h, struct ss_span name)
{
	uint16_t to = 0, had = h->n;

	for (uint16_t i = 0; i < had; i++)
		keep(h, i, !ss_span_eq(h->v[i].name, name), &to);
	h->n = to;
	return (uint16_t)(had - to);
}

enum ss_hdr_token ss_hdr_token(struct ss_span name)
{
	const struct ss_hdr_known *e = ss_hdr_lookup(name);

	return e && e->tok < SS_H_COUNT ? (enum ss_hdr_token)e->tok : SS_H_OTHER;
}

struct ss_span ss_hdr_token_name(enum ss_hdr_token tok)
{
	if (tok <= SS_H_OTHER || tok >= SS_H_COUNT)
		return SS_SPAN_NONE;
	return ss_hdr_known[ss_hdr_slot[tok]].name;
}
