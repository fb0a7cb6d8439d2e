/*
 * jwt_head.c - a request's head once its token is known: the token taken out, its claims written into headers that no
 * client can write; and what a route still misses about it.
 */
#include "base/err.h"
#include "jwt/token.h"

/* -- the head without the token, with the claims -- */

static bool is_claim_header(const struct ss_jwt_policy *p, struct ss_span name)
{
	for (uint16_t i = 0; i < p->n_providers; i++)
		for (uint16_t k = 0; k < p->providers[i]->n_claims; k++)
			if (ss_span_eq(p->providers[i]->claims[k].header, name))
				return true;
	return false;
}

/* The field that the token came in, or another with a token of that kind. */
static bool is_token(const struct ss_jwt_provider *v, const struct ss_hdr *f)
{
	return v && !v->forward && ss_span_eq(f->name, v->header) && f->value.n >= v->prefix.n &&
	       ss_span_ieq(ss_span(f->value.p, v->prefix.n), v->prefix);
}

/* RFC 9110 5.5: CR, LF and NUL in a value are dangerous; no control character of a claim gets into a field.
 */
static bool is_field_text(struct ss_span s)
{
	for (uint32_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return s.n > 0;
}

/* A text, a number or a word as it is; a list's elements with commas; nothing for what has parts of its own.
 */
static struct ss_span claim_text(struct ss_arena *a, const struct ss_claims *c, uint16_t at, bool *ok)
{
	const struct ss_jscan_node *n = &c->nodes[at];
	uint32_t room = 0;
	struct ss_out o;
	uint8_t *p;

	if (n->type != SS_JSCAN_ARRAY)
		return is_field_text(n->text) ? ss_arena_copy(a, n->text, ok) : SS_SPAN_NONE;
	for (uint16_t i = (uint16_t)(at + 1); i < n->next; i = c->nodes[i].next)
		room += c->nodes[i].text.n + 1;
	p = room ? ss_arena_alloc(a, room) : NULL;
	*ok &= !room || p;
	if (!p)
		return SS_SPAN_NONE;
	o = ss_out(p, room);
	for (uint16_t i = (uint16_t)(at + 1); i < n->next; i = c->nodes[i].next) {
		if (!is_field_text(c->nodes[i].text))
			continue;
		if (o.p > p)
			ss_out_u8(&o, ',');
		ss_out_span(&o, c->nodes[i].text);
	}
	return ss_span(p, (uint32_t)(o.p - p));
}

static void add_claims(struct ss_arena *a, struct ss_hdrs *h, const struct ss_jwt_found *t, bool *ok)
{
	for (uint16_t i = 0; t->provider && i < t->provider->n_claims; i++) {
		const struct ss_jwt_claim *c = &t->provider->claims[i];
		uint16_t at = ss_claims_find(t->claims, c->path);
		struct ss_span name,
			value = at ? claim_text(a, t->claims, at, ok) : SS_SPAN_NONE;
		if (!value.n)
			continue;
		name = ss_arena_copy(a, c->header,
				     ok); /* the snapshot's may go before the exchange */
		ss_hdrs_add(h, name, value, 0);
	}
}

/* The path without every parameter of that name. */
static struct ss_span without_param(struct ss_arena *a, struct ss_span path, struct ss_span name, bool *ok)
{
	const uint8_t *q = memchr(path.p, '?', path.n), *at, *end = path.p + path.n;
	uint8_t *p = ss_arena_alloc(a, path.n + 1);
	struct ss_out o = ss_out(p, p ? path.n + 1 : 0);
	bool first = true;

	*ok &= p != NULL;
	if (!p || !q)
		return path;
	ss_out_bytes(&o, path.p, (size_t)(q - path.p));
	for (at = q + 1; at <= end;) {
		const uint8_t *amp = at < end ? memchr(at, '&', (size_t)(end - at)) : NULL;
		struct ss_span one = ss_span(at, (uint32_t)((amp ? amp : end) - at));
		if (!(one.n > name.n && one.p[name.n] == '=' && ss_span_starts(one, name))) {
			ss_out_u8(&o, first ? '?' : '&');
			ss_out_span(&o, one);
			first = false;
		}
		at = (amp ? amp : end) + 1;
	}
	return ss_span(p, (uint32_t)(o.p - p));
}

static int rewrite(const struct ss_jwt_policy *p, const struct ss_jwt_found *t, const struct ss_hdrs *from,
		   struct ss_arena *a, const struct ss_hdrs **out)
{
	uint32_t cap = from->n + (t->provider ? t->provider->n_claims : 0u);
	struct ss_hdrs *h = ss_arena_alloc(a, sizeof(*h));
	struct ss_hdr *v = cap < UINT16_MAX ? ss_arena_alloc(a, (cap + 1) * sizeof(*v)) : NULL;
	bool ok = true;

	if (!h || !v)
		return SS_ERR_NO_MEM;
	*h = *from;
	h->v = v;
	h->n = 0;
	h->cap = (uint16_t)(cap + 1);
	for (uint16_t i = 0; i < from->n; i++)
		if (!is_token(t->provider, &from->v[i]) && !is_claim_header(p, from->v[i].name))
			v[h->n++] = from->v[i];
	if (t->provider && !t->provider->forward && t->provider->param.n && h->path.n)
		h->path = without_param(a, h->path, t->provider->param, &ok);
	add_claims(a, h, t, &ok);
	*out = h;
	return ok ? 0 : SS_ERR_NO_MEM;
}

static bool has_claim_header(const struct ss_jwt_policy *p, const struct ss_hdrs *h)
{
	for (uint16_t i = 0; i < h->n; i++)
		if (is_claim_header(p, h->v[i].name))
			return true;
	return false;
}

int ss_jwt_head(const struct ss_jwt_policy *p, const struct ss_jwt_found *t, const struct ss_hdrs *from,
		struct ss_arena *a, const struct ss_hdrs **out)
{
	return t->provider || has_claim_header(p, from) ? rewrite(p, t, from, a, out) : 0;
}

enum ss_drop ss_jwt_wanting(const struct ss_jwt_policy *p, uint8_t route, const struct ss_jwt_found *t)
{
	uint8_t need = route ? route : p ? p->need : SS_JWT_NEED_NONE;
	enum ss_drop why = p ? t->why : SS_DROP_TOKEN_MISSING;

	if (need == SS_JWT_NEED_NONE || (need == SS_JWT_NEED_ALLOW_MISSING && why == SS_DROP_TOKEN_MISSING))
		return SS_DROP_NONE;
	return why;
}
