/*
 * route_policy.c - authorization in Istio's order: a deny rule that holds denies; where there are allow
 * rules, one must hold; else the default. (CUSTOM needs an authorizer elsewhere: ctrl/cfg refuses it.) Rules
 * that are only tried or only watched never change that: they are looked at beside it.
 */
#include "route/route_int.h"

/* The first rule of each class that holds, over all scopes. */
struct verdict {
	const struct ss_authz_rule *first[SS_AUTHZ_CLASSES];
	bool any_allow, any_dry_allow, default_deny;
};

struct hunt {
	const struct ss_authz *a;
	struct ss_route_facts *f;
	uint32_t best[SS_AUTHZ_CLASSES];
};

static void try_rule(struct hunt *h, uint32_t i)
{
	const struct ss_authz_rule *r = &h->a->rules[i];

	if (i < h->best[r->class] && ss_route_rule_holds(r, h->f))
		h->best[r->class] = i;
}

static void try_list(struct hunt *h, uint32_t first, uint32_t n)
{
	const uint32_t *ids = h->a->index->ids + first;

	for (uint32_t i = 0; i < n; i++)
		try_rule(h, ids[i]);
}

static void try_key(struct hunt *h, uint64_t hash, uint8_t key, struct ss_span text)
{
	const struct ss_authz_index *ix = h->a->index;

	for (uint32_t i = (uint32_t)hash & ix->mask; ix->slots[i].n; i = (i + 1) & ix->mask) {
		const struct ss_authz_slot *s = &ix->slots[i];
		if (s->hash == hash && s->key == key && ss_span_eq(s->text, text)) {
			try_list(h, s->first, s->n);
			return;
		}
	}
}

static void try_text(struct hunt *h, uint8_t key, struct ss_span text)
{
	if (text.n && (h->a->index->keys & (1u << key)))
		try_key(h, ss_authz_hash_text(text, key), key, text);
}

/* At every length that some prefix has. */
static void try_prefixes(struct hunt *h, uint8_t key, struct ss_span text, uint32_t longest,
			 const uint64_t *lengths)
{
	uint64_t hash = SS_AUTHZ_HASH_START;
	uint32_t most = ss_min_u32(text.n, longest);

	if (!(h->a->index->keys & (1u << key)))
		return;
	for (uint32_t n = 0;; n++) {
		if (lengths[n / 64] & (1ull << (n % 64)))
			try_key(h, ss_authz_hash_end(hash, key), key, ss_span(text.p, n));
		if (n == most)
			return;
		hash = ss_authz_hash_byte(hash, text.p[n]);
	}
}

static void try_index(struct hunt *h)
{
	const struct ss_authz_index *ix = h->a->index;
	struct ss_span id = h->f->rq->peer_identity;

	try_list(h, ix->rest_first, ix->rest_n);
	if (id.n) {
		try_text(h, SS_AUTHZ_K_ID, id);
		try_text(h, SS_AUTHZ_K_DOMAIN, h->f->domain);
		try_text(h, SS_AUTHZ_K_NAMESPACE, h->f->namespace);
		try_prefixes(h, SS_AUTHZ_K_ID_PREFIX, id, ix->longest_id, ix->id_lengths);
	}
	try_text(h, SS_AUTHZ_K_PATH, h->f->path);
	try_prefixes(h, SS_AUTHZ_K_PATH_PREFIX, h->f->path, ix->longest_path, ix->path_lengths);
}

static void ask(const struct ss_authz *a, struct ss_route_facts *f, struct verdict *v)
{
	struct hunt h = {
		.a = a, .f = f, .best = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX}};

	if (a->n_rules && !(f->known & SS_ROUTE_KNOWN_ID)) {
		f->domain = ss_id_trust_domain(f->rq->peer_identity);
		f->namespace = ss_authz_namespace(f->rq->peer_identity);
		f->known |= SS_ROUTE_KNOWN_ID;
	}
	if (a->index) {
		try_index(&h);
	} else {
		for (uint32_t i = 0; i < a->n_rules; i++)
			try_rule(&h, i);
	}
	for (int c = 0; c < SS_AUTHZ_CLASSES; c++)
		if (!v->first[c] && h.best[c] != UINT32_MAX)
			v->first[c] = &a->rules[h.best[c]];
	v->any_allow |= a->any_allow;
	v->any_dry_allow |= a->any_dry_allow;
	v->default_deny |= a->default_deny;
}

/* What would be, were the rules that are only tried in force. */
static void look_ahead(const struct verdict *v, struct ss_route_decision *d)
{
	const struct ss_authz_rule *const *first = v->first;

	d->dry_rule = first[SS_AUTHZ_C_DRY_DENY];
	d->dry_denied =
		d->dry_rule || (v->any_dry_allow && !first[SS_AUTHZ_C_ALLOW] && !first[SS_AUTHZ_C_DRY_ALLOW]);
}

bool ss_route_authorize(const struct ss_listener *l, struct ss_route_facts *f, struct ss_route_decision *d)
{
	const struct ss_authz *scope[] = {d->route->authz, d->host->authz, l->authz};
	struct verdict v = {0};

	for (size_t i = 0; i < SS_ARRAY_LEN(scope); i++) {
		if (!scope[i])
			continue;
		ask(scope[i], f, &v);
		if (!scope[i]->inherit)
			break;
	}
	d->authorized = true;
	d->audit = v.first[SS_AUTHZ_C_AUDIT];
	d->rule = v.first[SS_AUTHZ_C_DENY];
	if (d->rule)
		return false;
	d->rule = v.first[SS_AUTHZ_C_ALLOW];
	if (!d->rule && (v.any_allow || v.default_deny))
		return false;
	look_ahead(&v, d);
	return true;
}
